/* Guards in a shell: the Enter is held, the line is read off the screen and judged, then the Enter
 * is forwarded or the line is cleared.
 *
 * This guards against mistakes and records intent. It is no boundary against someone who wants past
 * it: aliases, variables, scripts, key macros, editors and `base64 -d | sh` all run what no line
 * shows. Rules on exec are the enforceable form.
 *
 * A pure component: no descriptor, no clock, no policy. The caller gives every byte of both
 * directions with the time (microseconds of any monotonic clock), calls lineguard_turn() when
 * lineguard_due() has come, and gets bytes to send through the callbacks. What the backend prints
 * goes to the user at once, by the caller, and is only followed here; what the user types goes to
 * the backend through `forward` alone.
 *
 * How a line is judged, and when the answer is only as good as `blind`, is specified in
 * lineguard/settle.c and lineguard/read.c; the states are in lineguard.c. When the analyser itself
 * fails (no memory, a state change that is not allowed) it calls `failed` once, lets everything
 * pass that was held, and passes everything from then on: it never breaks the relay. The owner
 * decides what to do with a session whose guard has failed.
 *
 * Nothing here is thread safe; no callback may call back into the guard (but lineguard_due() and
 * lineguard_waiting() may be called anywhere). */
#ifndef BARTIZAN_LINEGUARD_LINEGUARD_H
#define BARTIZAN_LINEGUARD_LINEGUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/typed_line.h"

/* bytes of input queued after a held Enter; more is dropped with a notice */
#define LINEGUARD_HELD_MAX 65536
#define LINEGUARD_TEXTS_MAX 8	 /* candidates of a line */
#define LINEGUARD_PROMPTS_MAX 16 /* prompts remembered, the last ones used */
#define LINEGUARD_PROMPT_MAX 256 /* bytes of a prompt's last row; a longer one is not learned */

struct line_text {
	struct bytes text;
	enum line_source source;
	/* joined with the lines before it, because it was typed at a continuation prompt */
	bool joined;
};

/* One line that waits for its Enter. The strictest verdict over all texts is the verdict. Borrowed
 * for the time of the call.
 *
 * When `continues` is set, every text is there twice, joined with what was typed before it and
 * alone, the joined one first. A judge that cannot parse a line because it is incomplete (an open
 * quote, `for x in a b; do`) may allow it: nothing runs until it is completed, and then it is
 * judged whole. */
struct line {
	enum line_confidence confidence;
	const char *why; /* the reason for LINE_BLIND, a few words in lower case; else NULL */
	/* the alternate screen: there is no line, and count is 0. Judged once for as long as the
	 * program has the screen */
	bool full_screen;
	/* typed without echo, most likely a password: there is no line, and count is 0 */
	bool hidden;
	bool continues;
	size_t count;
	struct line_text texts[LINEGUARD_TEXTS_MAX]; /* texts[0] is the one to show to people */
	int64_t settled_us;			     /* from the Enter to this judgement */
};

/* one line of text for the user, in which control characters are replaced; "": none */
struct line_answer {
	char notice[LINE_NOTICE_MAX];
};

struct lineguard_callbacks {
	void (*forward)(void *context, const uint8_t *data, size_t len); /* to the backend */
	/* to the user, after the output that was passed */
	void (*show)(void *context, const uint8_t *data, size_t len);
	/* LINE_ALLOW, LINE_WARN (the guard asks the user "continue?") or LINE_DENY at once, or
	 * LINE_HOLD, answered later by lineguard_answer(). Where nobody can be asked (full_screen,
	 * hidden) a warning goes to the window's title, and the key goes on. */
	enum line_verdict (*judge)(
		void *context, const struct line *line, struct line_answer *answer);
	/* how a line ended. took_us: from the verdict to the end */
	void (*note)(void *context, const struct line *line, enum line_end end, int64_t took_us);
	void (*failed)(void *context, const char *why);
};

struct lineguard_options {
	unsigned columns, rows;
	const struct lineguard_callbacks *callbacks; /* outlives the guard; none may be NULL */
	void *context;
};

struct lineguard;

#define LINEGUARD_NEVER INT64_MAX

struct lineguard *lineguard_new(const struct lineguard_options *options); /* NULL: out of memory */
/* Held input is dropped. */
void lineguard_free(struct lineguard *guard);

void lineguard_input(struct lineguard *guard, int64_t now_us, const uint8_t *data, size_t len);
void lineguard_output(struct lineguard *guard, int64_t now_us, const uint8_t *data, size_t len);
void lineguard_resize(struct lineguard *guard, int64_t now_us, unsigned columns, unsigned rows);
/* when lineguard_turn() is wanted next, or LINEGUARD_NEVER */
int64_t lineguard_due(const struct lineguard *guard);
void lineguard_turn(struct lineguard *guard, int64_t now_us);
/* A LINE_HOLD is not answered yet. Becomes false when the user gives up. */
bool lineguard_waiting(const struct lineguard *guard);
/* LINE_ALLOW, LINE_WARN or LINE_DENY for the line on hold; without one it is ignored. An allowed
 * line is read again first, and judged again if it changed. LINE_HOLD: goes on waiting, and shows
 * the notice, lines of which the last is a status and is written over by the next such notice. */
void lineguard_answer(
	struct lineguard *guard, int64_t now_us, enum line_verdict verdict, const char *notice);

#endif
