/* What the lineguard….c files share: the guard's state. Nobody else includes this. */
#ifndef BARTIZAN_LINEGUARD_IMPL_H
#define BARTIZAN_LINEGUARD_IMPL_H

#include "lineguard/keys.h"
#include "lineguard/lineguard.h"
#include "lineguard/screen.h"

#define MS 1000
#define QUIET_PROMPT (25 * MS) /* of silence behind ?2004h: the prompt is complete */
#define QUIET_ANY (100 * MS)   /* of silence: whatever was printed is complete */
#define QUIET_ECHO (15 * MS)   /* behind the echo of plain typing */
#define QUIET_EDIT (60 * MS)   /* behind what an editing key did */
/* behind what a key did that looks for a line: a shell may pause at it */
#define QUIET_RECALL (150 * MS)
#define SILENCE (300 * MS)     /* and two round trips: nothing will come */
#define SETTLE_MAX (4000 * MS) /* then the line is judged blind */
#define CLEAR_MAX (1200 * MS)  /* and two round trips: the line was not cleared */
#define UNDER_ROWS 3
#define GRACE (150 * MS) /* and a round trip behind an Enter: input waits for the prompt */
#define ROUND_TRIP_UNKNOWN (200 * MS)
#define ROUND_TRIP_MAX (2000 * MS)

/* IDLE: input goes through up to an Enter. SETTLE: an Enter is held until the line on the screen is
 * complete. HOLD: the judge thinks. ASK: the user was warned. CLEAR: a refused line is being
 * cleared. WAIT: an Enter went out; input waits a moment for the prompt. FAILED: a pipe. */
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
	STANDING_EARLY,	 /* output was still coming: the place means nothing */
	STANDING_QUIET,	 /* the output had stopped: a place, but no prompt that is known */
	STANDING_LIKELY, /* it looks like a prompt of this shell */
	STANDING_PROMPT, /* a prompt: ?2004 went on since the last Enter, or it was learned */
};

struct prompt { /* the row left of the line */
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
	bool disturbed;	   /* output came that no key asked for, and changed the line */
	bool resized;
	/* outputs counted when the first and the last key were forwarded */
	uint64_t first_output, last_output;
	int64_t last_key;
	bool quoted;	  /* the last key was Ctrl-V */
	const char *lost; /* why a part of the line is nowhere to be seen */
	struct keys_model keys;
};

/* What the counters stood at when something was sent that ends in a prompt. */
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
	/* a row before the cursor's is not full: line breaks, or something was printed between */
	bool broken;
	bool below; /* there is text below it */
	/* the beginning scrolled off, or the text is longer than LINEGUARD_TEXT_MAX */
	bool tall;
	size_t bright; /* behind it all is grey */
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
	/* behind the prompt that followed a refused line: nothing before it is read */
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
	int64_t probe;	    /* when the key went out whose echo is awaited, or 0 */
	struct buf queue;   /* input that waits */
	bool refused;	    /* the queue overflowed, and the user was told */
	struct buf accept;  /* the bytes of the held Enter */
	enum key accept_key;
	int64_t accepted; /* when it was pressed */
	bool told;	  /* that it waits for the prompt */
	/* prompts at which a line may stand that nobody typed there: after Ctrl-O, Esc a, Esc q */
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
	struct prompt line_left; /* and what is left of it */
	struct line_answer answer;
	bool status_shown;   /* the cursor stands in a status line of ours */
	bool screen_allowed; /* the full-screen program was judged and may have its keys */
	struct buf before;   /* the lines that this one goes on from */
	struct prompt before_left;
	int64_t before_end; /* last row of them */
	enum line_confidence before_confidence;
	int64_t due;
};

/* lineguard/prompt.c: what is a prompt */
void prompt_at(struct lineguard *guard, struct screen_place place, struct prompt *ret_prompt);
bool prompt_known(const struct lineguard *guard, const struct prompt *prompt);
/* it looks like one of this shell */
bool prompt_likely(struct lineguard *guard, const struct prompt *prompt);
void prompt_learn(struct lineguard *guard, const struct prompt *prompt);
/* The learned prompt, or `extra`, that the row begins with; the longest. NULL: none. */
const struct prompt *prompt_on_row(
	struct lineguard *guard, int64_t row, const struct prompt *extra);
/* the text left of the place ends with a learned prompt */
bool prompt_ends_at(struct lineguard *guard, struct screen_place place);
/* What stands before the cursor, seen from a mark. *due is lowered to when waiting longer may tell
 * more. */
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
enum located {
	LOCATED_ANCHOR, /* where the first key was typed */
	LOCATED_PROMPT, /* behind a known prompt */
	/* a (reverse-i-search) stands in the prompt's place; the line is a part of the row */
	LOCATED_SEARCH,
};
/* Where the line starts now. false: nowhere that is known. */
bool read_locate(struct lineguard *guard, struct screen_place *ret_start, enum located *ret_how);
/* the anchor is another start that makes sense */
bool read_anchor_candidate(struct lineguard *guard, struct screen_place start);
/* Where right of a column the text begins that looks like a right prompt; the number of columns:
 * nowhere. */
int read_changed_right(struct lineguard *guard, int64_t row, int from);
/* what stood right of the anchor was printed over in part: the rest of it looks like the line */
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
/* the line was forwarded: a continuation may follow */
void line_keep(struct lineguard *guard);
/* an empty guard->line */
void line_none(struct lineguard *guard);
/* one more, to be compared */
#define LINE_POOL_MAX ((LINEGUARD_TEXTS_MAX + 1) * (2 * LINEGUARD_TEXT_MAX + 1))

/* lineguard/notice.c: words for the user */
void notice_after_prompt(struct lineguard *guard, const char *text);
void notice_now(struct lineguard *guard, const char *text);
void notice_title(struct lineguard *guard, const char *text);
/* lines below; the last is written over by the next call */
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
/* the Enter goes, unless the line has changed: then it is judged again */
void guard_approved(struct lineguard *guard, int64_t now);
void guard_refuse(struct lineguard *guard, int64_t now, enum line_end end);
void guard_release(struct lineguard *guard, int64_t now);     /* its Enter goes out */
void guard_interrupted(struct lineguard *guard, int64_t now); /* the user's Ctrl-C went out */

/* lineguard/input.c */
void guard_pass(struct lineguard *guard, int64_t now); /* forwards the queue up to the next Enter */

/* lineguard.c */
void guard_go(struct lineguard *guard, enum guard_state state);
void guard_fail(struct lineguard *guard, const char *why);
/* does what can be done now, and says when to come again */
void guard_advance(struct lineguard *guard, int64_t now);
void guard_forward(struct lineguard *guard, const void *data, size_t len);
void guard_note(struct lineguard *guard, enum line_end end, int64_t now);
/* the line is over, its last row is row */
void guard_ended(struct lineguard *guard, int64_t now, int64_t row);

#endif
