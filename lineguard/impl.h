/* The state of the guard, shared by the files of lineguard/ and included by nobody else. */
#ifndef BARTIZAN_LINEGUARD_IMPL_H
#define BARTIZAN_LINEGUARD_IMPL_H

#include "lineguard/keys.h"
#include "lineguard/lineguard.h"
#include "lineguard/screen.h"

#define MS 1000
#define QUIET_PROMPT (25 * MS) /* no output for this long after ?2004h: the prompt is complete */
#define QUIET_ANY (100 * MS)   /* no output for this long: whatever was printed is complete */
#define QUIET_ECHO (15 * MS)   /* no output for this long after the echo of plain typing */
#define QUIET_EDIT (60 * MS)   /* no output for this long after the effect of an editing key */
/* the same after a key that recalls or completes a line, where the shell may pause */
#define QUIET_RECALL (150 * MS)
#define SILENCE (300 * MS)     /* no output for this long plus two round trips: there is no echo */
#define SETTLE_MAX (4000 * MS) /* after this time the line is judged blind */
/* no clean prompt for this long plus two round trips: the line was not cleared */
#define CLEAR_MAX (1200 * MS)
#define UNDER_ROWS 3 /* rows below the cursor that are remembered when clearing begins */
/* after a forwarded Enter, input is held this long plus a round trip for the prompt */
#define GRACE (150 * MS)
#define ROUND_TRIP_UNKNOWN (200 * MS)
#define ROUND_TRIP_MAX (2000 * MS)

/* IDLE: input passes up to an Enter. SETTLE: an Enter is held until the line on the screen is
 * complete. HOLD: the judge has not decided yet. ASK: the user was warned and asked. CLEAR: a
 * refused line is being cleared. WAIT: an Enter was sent; input is held a moment for the prompt.
 * FAILED: everything passes. */
enum guard_state {
	GUARD_IDLE,
	GUARD_SETTLE,
	GUARD_HOLD,
	GUARD_ASK,
	GUARD_CLEAR,
	GUARD_WAIT,
	GUARD_FAILED
};

/* What was known of the prompt when the first key of a line was typed. */
enum standing {
	STANDING_EARLY, /* output was still coming: the place of the cursor says nothing */
	/* the output had stopped: the place is certain, but no known prompt stands there */
	STANDING_QUIET,
	STANDING_LIKELY, /* it looks like a prompt of this shell */
	/* a prompt: ?2004 was switched on since the last Enter, or the prompt is a learned one */
	STANDING_PROMPT,
};

struct prompt { /* the text of the row left of the line */
	uint8_t text[LINEGUARD_PROMPT_MAX];
	size_t length;
	int columns;
};

struct prompts {
	struct prompt list[LINEGUARD_PROMPTS_MAX]; /* the last one used first */
	size_t count;
};

/* The line that is being typed. */
struct typing {
	bool begun;
	enum standing standing;
	bool anchored;		    /* anchor, left and right are valid */
	struct screen_place anchor; /* of the first key */
	struct prompt left;
	struct buf right; /* text right of the anchor: a right prompt */
	int right_column;
	uint32_t combined; /* as screen_modes() said when it began */
	bool disturbed;	   /* output that no key caused has changed the line */
	bool resized;
	/* outputs counted when the first and the last key were forwarded */
	uint64_t first_output, last_output;
	int64_t last_key;
	bool quoted;	  /* the last key was Ctrl-V */
	const char *lost; /* why a part of the line cannot be seen; NULL: all of it can */
	struct keys_model keys;
};

/* The counters at the time when something was sent that leads to a prompt. */
struct mark {
	uint64_t outputs;
	uint32_t paste_on;
	int64_t row; /* of the cursor */
	int64_t time;
};

/* A line as read off the screen. */
struct reading {
	struct buf text;
	size_t cursor;	 /* offset of the cursor in text */
	int64_t end_row; /* the last row of it */
	/* a row above the cursor's is not full: the line has line breaks, or other output
	 * interrupts it */
	bool broken;
	bool below; /* there is text below it */
	/* the beginning scrolled off, or the text is longer than LINE_TEXT_MAX */
	bool tall;
	size_t bright; /* everything from this offset on is grey */
};

enum settled { SETTLED_NOT, SETTLED_ECHO, SETTLED_QUIET, SETTLED_SILENT, SETTLED_LATE };

struct lineguard {
	const struct lineguard_callbacks *callbacks;
	void *context;
	enum guard_state state;
	struct screen *screen;
	struct keys_scan scan;
	struct prompts prompts;
	struct prompt first; /* what looked like a prompt before the first Enter */
	/* the place after the prompt that followed a refused line: nothing before it is read */
	struct screen_place floor;
	/* the last right prompt seen: for a line whose place was not known before it was typed */
	struct buf right;
	int right_column;
	/* the rows below the cursor when the clearing began, each with a newline */
	struct buf under;
	struct typing typing;
	struct mark enter; /* the last Enter, or what else ended a line */
	bool entered;	   /* there was one */
	uint64_t outputs;  /* calls of lineguard_output() */
	int64_t last_output;
	int64_t round_trip; /* 0: not measured */
	int64_t probe;	    /* when the key was sent whose echo is being timed, or 0 */
	struct buf queue;   /* input that waits */
	bool refused;	    /* the queue overflowed, and the user was told */
	struct buf accept;  /* the bytes of the held Enter */
	enum key accept_key;
	int64_t accepted; /* when it was pressed */
	bool told;	  /* the user was told that the Enter waits for the prompt */
	/* number of coming prompts that may show a line which nobody typed there: after Ctrl-O, Esc
	 * a, Esc q */
	unsigned prefilled;
	bool stuck;	/* a refused line may still be there */
	bool control_u; /* it is being cleared with Ctrl-U, because a command runs */
	struct mark clear;
	int64_t verdict_at;
	enum line_end ending; /* what to note when it is cleared */
	enum settled settled;
	struct line line; /* the one that was judged; its texts are in pool */
	struct buf pool;
	int64_t line_end;	 /* its last row */
	struct prompt line_left; /* the prompt left of it */
	struct line_answer answer;
	bool status_shown;   /* the cursor stands in a status line of the gateway */
	bool screen_allowed; /* the full-screen program was judged and may have its keys */
	struct buf before;   /* the lines that this one continues */
	struct prompt before_left;
	int64_t before_end; /* their last row */
	enum line_confidence before_confidence;
	int64_t due;
};

/* lineguard/prompt.c: what is a prompt */
void prompt_at(struct lineguard *guard, struct screen_place place, struct prompt *ret_prompt);
bool prompt_known(const struct lineguard *guard, const struct prompt *prompt);
/* it looks like one of this shell */
bool prompt_likely(struct lineguard *guard, const struct prompt *prompt);
void prompt_learn(struct lineguard *guard, const struct prompt *prompt);
/* The longest learned prompt, or `extra`, with which the row begins. NULL: none. */
const struct prompt *prompt_on_row(
	struct lineguard *guard, int64_t row, const struct prompt *extra);
/* the text left of the place ends with a learned prompt */
bool prompt_ends_at(struct lineguard *guard, struct screen_place place);
/* What is known of the prompt before the cursor since a mark. *due is lowered to the time when more
 * may be known. */
enum standing prompt_here(
	struct lineguard *guard, const struct mark *since, int64_t now, int64_t *due);
/* the place is behind a continuation prompt */
bool prompt_continues(struct lineguard *guard, struct screen_place place);
struct mark mark_now(struct lineguard *guard, int64_t now);
bool reached(int64_t when, int64_t now, int64_t *due); /* now >= when; else lowers *due */

/* lineguard/read.c: the line on the screen */
void reading_release(struct reading *reading);
/* 0 or -ENOMEM */
int read_from(struct lineguard *guard, struct screen_place start, struct reading *ret_reading);
/* the end of the text that is not grey, but not before the cursor */
size_t reading_end(const struct reading *reading);
enum located {
	LOCATED_ANCHOR, /* where the first key was typed */
	LOCATED_PROMPT, /* behind a known prompt */
	/* bash shows a (reverse-i-search) in place of the prompt; the line is a part of the row */
	LOCATED_SEARCH,
};
/* Finds where the line starts. False: unknown. */
bool read_locate(struct lineguard *guard, struct screen_place *ret_start, enum located *ret_how);
/* the anchor is another plausible start of the line */
bool read_anchor_candidate(struct lineguard *guard, struct screen_place start);
/* The column, right of `from`, where a text begins that looks like a right prompt; the number of
 * columns if there is none. */
int read_changed_right(struct lineguard *guard, int64_t row, int from);
/* The text right of the anchor was overwritten in part: the rest of it looks like a part of the
 * line. */
bool read_over_old_text(struct lineguard *guard);
int64_t read_lowest(struct lineguard *guard); /* the first row that may belong to the line */

/* lineguard/settle.c: when the line is complete */
enum settled settle(struct lineguard *guard, int64_t now, int64_t *due);
bool settle_verified(struct lineguard *guard); /* the line is at a prompt */
int64_t round_trip(const struct lineguard *guard);

/* lineguard/line.c: from a settled screen to what is judged */
enum line_kind { KIND_JUDGE, KIND_EMPTY };
/* 0 or -ENOMEM */
int line_make(struct lineguard *guard, int64_t now, enum settled how, enum line_kind *ret_kind);
/* The line was forwarded: remembers it, because a continuation may follow. */
void line_keep(struct lineguard *guard);
/* Empties guard->line. */
void line_none(struct lineguard *guard);
/* one text more than is kept, to compare it */
#define LINE_POOL_MAX ((LINEGUARD_TEXTS_MAX + 1) * (2 * LINE_TEXT_MAX + 1))

/* lineguard/notice.c: words for the user */
void notice_after_prompt(struct lineguard *guard, const char *text);
void notice_now(struct lineguard *guard, const char *text);
void notice_title(struct lineguard *guard, const char *text);
/* shows lines below the cursor; the last one is overwritten by the next call */
void notice_status(struct lineguard *guard, const char *text);

/* lineguard/typing.c: the line that is being typed */
void typing_reset(struct lineguard *guard);
/* before each key: begins the line where it has not begun */
void typing_refresh(struct lineguard *guard, int64_t now, enum key key);
void typing_key(struct lineguard *guard, enum key key, uint8_t byte, int64_t now);

/* lineguard/clear.c: one look at a line that is being cleared */
void clear_step(struct lineguard *guard, int64_t now);

/* lineguard/verdict.c: what becomes of a line */
enum { INTERRUPT = 0x03, KILL_LINE = 0x15 };
void guard_judge_line(struct lineguard *guard, int64_t now);
void guard_decided(struct lineguard *guard, int64_t now, enum line_verdict verdict);
/* sends the Enter; a line that has changed is judged again first */
void guard_approved(struct lineguard *guard, int64_t now);
void guard_refuse(struct lineguard *guard, int64_t now, enum line_end end);
void guard_release(struct lineguard *guard, int64_t now);     /* sends the held Enter */
void guard_interrupted(struct lineguard *guard, int64_t now); /* the user's Ctrl-C was sent */

/* lineguard/input.c */
void guard_pass(struct lineguard *guard, int64_t now); /* forwards the queue up to the next Enter */

/* lineguard/lineguard.c */
void guard_go(struct lineguard *guard, enum guard_state state);
void guard_fail(struct lineguard *guard, const char *why);
/* Does what can be done now and sets guard->due. */
void guard_advance(struct lineguard *guard, int64_t now);
void guard_forward(struct lineguard *guard, const void *data, size_t len);
void guard_note(struct lineguard *guard, enum line_end end, int64_t now);
/* The line has ended; row is its last row. */
void guard_ended(struct lineguard *guard, int64_t now, int64_t row);

#endif
