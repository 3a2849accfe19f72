/* The state machine that holds the Enter. One step function a state; guard_go() is the only place where the state changes.
 *
 *	IDLE --Enter--> SETTLE --allow--> WAIT --prompt, or a moment--> IDLE
 *	                SETTLE --hold--> HOLD --answer--> SETTLE's end, with the line read again
 *	                SETTLE --warn--> ASK --y, or another key--> WAIT, CLEAR
 *	                SETTLE, HOLD, ASK --deny--> CLEAR --clean prompt--> IDLE
 *	                                            CLEAR --not seen in time--> IDLE, stuck: no Enter goes out until the line is empty
 *	IDLE, stuck --Ctrl-C--> CLEAR: perhaps that helps
 *
 * Input is a queue: what is behind an Enter waits there, in order. What is queued when a line is refused is dropped: the lines of a paste mean
 *nothing without the one before them. */
#include "server/lineguard_private.h"

#include <stdlib.h>
#include <string.h>

enum { INTERRUPT = 0x03, KILL_LINE = 0x15 };

static const bool allowed_next[][GUARD_FAILED + 1] = {
	[GUARD_IDLE] = { [GUARD_SETTLE] = true, [GUARD_CLEAR] = true, [GUARD_WAIT] = true, [GUARD_FAILED] = true },
	[GUARD_SETTLE] = { [GUARD_IDLE] = true,
		[GUARD_HOLD] = true,
		[GUARD_ASK] = true,
		[GUARD_CLEAR] = true,
		[GUARD_WAIT] = true,
		[GUARD_FAILED] = true },
	[GUARD_HOLD] = { [GUARD_IDLE] = true,
		[GUARD_HOLD] = true,
		[GUARD_ASK] = true,
		[GUARD_CLEAR] = true,
		[GUARD_WAIT] = true,
		[GUARD_FAILED] = true },
	[GUARD_ASK] = { [GUARD_IDLE] = true,
		[GUARD_HOLD] = true,
		[GUARD_ASK] = true,
		[GUARD_CLEAR] = true,
		[GUARD_WAIT] = true,
		[GUARD_FAILED] = true },
	[GUARD_CLEAR] = { [GUARD_IDLE] = true, [GUARD_FAILED] = true },
	[GUARD_WAIT] = { [GUARD_IDLE] = true, [GUARD_CLEAR] = true, [GUARD_WAIT] = true, [GUARD_FAILED] = true },
	[GUARD_FAILED] = { [GUARD_FAILED] = true },
};

void guard_go(struct lineguard *guard, enum guard_state state)
{
	if (!allowed_next[guard->state][state])
		guard_fail(guard, "a state that cannot be");
	else
		guard->state = state;
}

void guard_forward(struct lineguard *guard, const void *data, size_t len)
{
	if (len)
		guard->callbacks->forward(guard->context, data, len);
}

/* An Enter that was being judged passes with the rest; one that somebody has to decide does not. */
void guard_fail(struct lineguard *guard, const char *why)
{
	enum guard_state before = guard->state;
	if (before == GUARD_FAILED)
		return;
	guard->state = GUARD_FAILED;
	guard->due = LINEGUARD_NEVER;
	guard->callbacks->failed(guard->context, why);
	if (before == GUARD_SETTLE)
		guard_forward(guard, buf_data(&guard->accept), guard->accept.len);
	guard_forward(guard, buf_data(&guard->queue), guard->queue.len);
	buf_release(&guard->queue);
}

void guard_note(struct lineguard *guard, enum line_end end, int64_t now)
{
	if (end == LINE_FORWARDED && guard->line.hidden)
		end = LINE_HIDDEN;
	guard->callbacks->note(guard->context, &guard->line, end, now - guard->verdict_at);
}

/* ---- ends of a line ---- */

void guard_ended(struct lineguard *guard, int64_t now, int64_t row)
{
	guard->enter = mark_now(guard, now);
	guard->enter.row = row;
	guard->entered = true;
	guard->probe = 0;
	typing_reset(guard);
}

/* From here on a clean prompt counts. What stands below the line now is no part of it. */
static void begin_clear(struct lineguard *guard, int64_t now)
{
	guard->clear = mark_now(guard, now);
	buf_clear(&guard->under);
	for (int row = 1; row <= UNDER_ROWS; row++) { /* without it less is known to be clean */
		(void)screen_text(guard->screen, guard->clear.row + row, 0, screen_columns(guard->screen), &guard->under);
		(void)buf_putc(&guard->under, '\n');
	}
	guard_go(guard, GUARD_CLEAR);
}

/* Ctrl-C and its like: whatever was typed is gone, or so it should be; the prompt may stay in its row. */
static void interrupted(struct lineguard *guard, int64_t now)
{
	if (guard->stuck) { /* the refused line is gone only when a clean prompt says so */
		guard->control_u = false;
		guard->ending = LINE_CLEARED;
		guard->answer.notice[0] = 0;
		begin_clear(guard, now);
		return;
	}
	buf_clear(&guard->before);
	guard_ended(guard, now, screen_cursor(guard->screen).row - 1);
	guard_go(guard, GUARD_WAIT);
}

/* A key that may end the line, and may not. */
static bool is_soft(const struct lineguard *guard)
{
	bool perhaps = guard->accept_key == KEY_OPERATE || guard->accept_key == KEY_COMMENT;
	if (perhaps && !screen_modes(guard->screen)->paste && guard->typing.standing < STANDING_LIKELY)
		return true;
	return guard->accept_key == KEY_END_FILE || guard->accept_key == KEY_KEEP || guard->typing.quoted;
}

static void release_enter(struct lineguard *guard, int64_t now)
{
	int64_t row = screen_cursor(guard->screen).row;
	guard_forward(guard, buf_data(&guard->accept), guard->accept.len);
	line_keep(guard);
	if (guard->accept_key == KEY_OPERATE || guard->accept_key == KEY_KEEP)
		guard->prefilled = 1;
	else if (guard->prefilled)
		guard->prefilled--;
	if (is_soft(guard)) { /* the line may still be there */
		if (!guard->typing.quoted)
			guard->typing.lost =
				guard->accept_key == KEY_KEEP ? "the line before it was kept" : "a part of the line was handed over before";
		guard->typing.keys.unfaithful = true;
		guard->typing.keys.others++;
		guard->typing.keys.tail = 0;
		guard->typing.last_key = now;
		guard->typing.last_output = guard->outputs;
		guard_go(guard, GUARD_IDLE);
		return;
	}
	guard_ended(guard, now, guard->line_end > row ? guard->line_end : row);
	guard_go(guard, GUARD_WAIT);
}

static void refuse(struct lineguard *guard, int64_t now, enum line_end end)
{
	uint8_t key;
	guard->verdict_at = now;
	guard->ending = end;
	buf_clear(&guard->queue);
	if (screen_modes(guard->screen)->alternate) {
		guard_note(guard, end == LINE_CLEARED ? LINE_SWALLOWED : end, now);
		notice_title(guard, guard->answer.notice);
		guard_go(guard, GUARD_IDLE);
		return;
	}
	guard->control_u = !settle_verified(guard);
	key = guard->control_u ? KILL_LINE : INTERRUPT;
	begin_clear(guard, now);
	guard_forward(guard, &key, 1);
}

static void ask(struct lineguard *guard)
{
	char text[LINEGUARD_NOTICE_MAX + 32] = "";
	strncat(text, guard->answer.notice, LINEGUARD_NOTICE_MAX);
	strcat(text, *text ? " - continue? [y/N] " : "continue? [y/N] ");
	notice_now(guard, text);
	guard_go(guard, GUARD_ASK);
}

static void allow(struct lineguard *guard, int64_t now)
{
	guard->screen_allowed = guard->line.full_screen;
	guard_note(guard, LINE_FORWARDED, now);
	release_enter(guard, now);
}

/* Where a question would be painted over, or be answered with a password, there is only the title. */
static void warn(struct lineguard *guard, int64_t now)
{
	if (!guard->line.full_screen && !guard->line.hidden) {
		ask(guard);
		return;
	}
	notice_title(guard, guard->answer.notice);
	allow(guard, now);
}

static void decided(struct lineguard *guard, int64_t now, enum line_verdict verdict)
{
	guard->verdict_at = now;
	switch (verdict) {
	case LINE_ALLOW: allow(guard, now); return;
	case LINE_WARN: warn(guard, now); return;
	case LINE_HOLD:
		guard->status_shown = false;
		guard_go(guard, GUARD_HOLD);
		return;
	case LINE_DENY: break;
	}
	refuse(guard, now, LINE_CLEARED);
}

static void judge(struct lineguard *guard, int64_t now)
{
	memset(&guard->answer, 0, sizeof guard->answer);
	enum line_verdict verdict = guard->callbacks->judge(guard->context, &guard->line, &guard->answer);
	guard->answer.notice[LINEGUARD_NOTICE_MAX - 1] = 0;
	decided(guard, now, verdict);
}

/* A refused line may still be there: only an empty line at a prompt gets its Enter. */
static void settled_while_stuck(struct lineguard *guard, int64_t now, enum line_kind kind)
{
	if (kind == KIND_EMPTY && settle_verified(guard)) {
		guard->stuck = false;
		release_enter(guard, now);
		return;
	}
	guard_go(guard, GUARD_IDLE);
	notice_title(guard, "bartizan: a refused line is still there: empty it, then press Enter");
}

static void step_settle(struct lineguard *guard, int64_t now)
{
	enum line_kind kind;
	enum settled how = settle(guard, now, &guard->due);
	if (how == SETTLED_NOT) {
		if (!guard->told && reached(guard->accepted + SETTLE_MAX, now, &guard->due)) {
			guard->told = true;
			notice_title(guard, "bartizan: this Enter waits for the shell's prompt; Ctrl-C gives it up");
		}
		return;
	}
	guard->settled = how;
	guard->verdict_at = now;
	if (line_make(guard, now, how, &kind)) {
		guard_fail(guard, "out of memory");
	} else if (guard->stuck) {
		settled_while_stuck(guard, now, kind);
	} else if (kind == KIND_JUDGE && !(guard->line.full_screen && guard->screen_allowed)) {
		judge(guard, now);
	} else {
		release_enter(guard, now);
	}
}

/* ---- input ---- */

/* Is this key an Enter here? */
static bool accepts(const struct lineguard *guard, enum key key)
{
	const struct screen_modes *modes = screen_modes(guard->screen);
	switch (key) {
	case KEY_ACCEPT: return true;
	case KEY_COMMENT:
	case KEY_OPERATE: return !modes->alternate;		    /* also where no prompt is known: an editor may read there */
	case KEY_KEEP: return !modes->alternate && modes->paste_on; /* perhaps typed ahead of an editor that has read before */
	case KEY_END_FILE: return !modes->alternate && !modes->paste && guard->typing.keys.plain;
	default: return false;
	}
}

/* What is before the Enter goes out; the Enter stays. */
static void hold_enter(struct lineguard *guard, enum key key, size_t from, size_t end, int64_t now)
{
	const uint8_t *data = buf_data(&guard->queue);
	buf_clear(&guard->accept);
	if (buf_put(&guard->accept, data + from, end - from)) {
		guard_fail(guard, "out of memory");
		return;
	}
	guard->accept_key = key;
	guard->accepted = now;
	guard->told = false;
	guard_go(guard, GUARD_SETTLE);
	guard_forward(guard, data, from);
	buf_consume(&guard->queue, end);
}

/* A byte of the queue that is a whole key, or the end of one. true: the queue is read no further now. */
static bool take_key(struct lineguard *guard, enum key key, size_t from, size_t at, int64_t now)
{
	const uint8_t *data = buf_data(&guard->queue);
	typing_refresh(guard, now, key);
	if (accepts(guard, key)) {
		hold_enter(guard, key, from, at + 1, now);
		return true;
	}
	bool ends = key == KEY_INTERRUPT || (key == KEY_END_FILE && keys_model_empty(&guard->typing.keys));
	if (ends && !screen_modes(guard->screen)->alternate) {
		guard_forward(guard, data, at + 1);
		buf_consume(&guard->queue, at + 1);
		interrupted(guard, now);
		return true;
	}
	typing_key(guard, key, data[at], now);
	return false;
}

/* A control key has ended what looked like an answer of the terminal: it was typing, of which nothing is known. */
static void no_answer(struct lineguard *guard, int64_t now)
{
	typing_refresh(guard, now, KEY_OTHER);
	typing_key(guard, KEY_OTHER, 0x1b, now);
	guard->typing.lost = "keys looked like a terminal's answer";
}

/* Forwards the queue up to the next Enter. */
static void pass(struct lineguard *guard, int64_t now)
{
	const uint8_t *data = buf_data(&guard->queue);
	size_t from = 0;
	for (size_t at = 0; at < guard->queue.len; at++) {
		enum keys_state before = guard->scan.state;
		enum key key = keys_scan_byte(&guard->scan, data[at], screen_modes(guard->screen)->paste);
		if (before == KEYS_ESCAPE && data[at] < 0x20 && key != KEY_PARTIAL)
			typing_key(guard, KEY_OTHER, 0x1b, now);
		if ((before == KEYS_STRING || before == KEYS_STRING_ESCAPE) && data[at] < 0x20 && key != KEY_PARTIAL && key != KEY_REPLY) {
			no_answer(guard, now);
			from = at;
		}
		if (key == KEY_PARTIAL)
			continue;
		if (key != KEY_REPLY && take_key(guard, key, from, at, now))
			return;
		from = at + 1;
	}
	struct buf out = guard->queue; /* the callback sees bytes that nothing changes */
	guard->queue = BUF_INIT(LINEGUARD_HELD_MAX);
	guard_forward(guard, buf_data(&out), out.len);
	buf_release(&out);
}

/* Behind an Enter input waits: until the prompt is there, or for a moment, or, when there is another Enter in it, until nothing comes any more. */
static void step_wait(struct lineguard *guard, int64_t now)
{
	const uint8_t *data = buf_data(&guard->queue);
	int64_t last = guard->last_output > guard->enter.time ? guard->last_output : guard->enter.time;
	bool lines = guard->queue.len && (memchr(data, '\r', guard->queue.len) || memchr(data, '\n', guard->queue.len));
	if (!guard->queue.len)
		return;
	bool over = screen_modes(guard->screen)->alternate || prompt_here(guard, &guard->enter, now, &guard->due) >= STANDING_LIKELY;
	if (!over && reached(guard->enter.time + GRACE + round_trip(guard), now, &guard->due))
		over = !lines || reached(last + SILENCE + 2 * round_trip(guard), now, &guard->due) ||
		       reached(guard->enter.time + SETTLE_MAX, now, &guard->due);
	if (over)
		guard_go(guard, GUARD_IDLE);
}

void guard_advance(struct lineguard *guard, int64_t now)
{
	enum guard_state before;
	do {
		before = guard->state;
		guard->due = LINEGUARD_NEVER;
		if (guard->state == GUARD_SETTLE)
			step_settle(guard, now);
		else if (guard->state == GUARD_CLEAR)
			clear_step(guard, now);
		else if (guard->state == GUARD_WAIT)
			step_wait(guard, now);
		else if (guard->state == GUARD_IDLE && guard->queue.len)
			pass(guard, now);
	} while (guard->state != before);
	if (!guard->queue.len)
		guard->refused = false;
}

/* The Enter may go: unless the line changed while somebody thought about it. */
static void approved(struct lineguard *guard, int64_t now)
{
	struct buf seen = guard->pool;
	enum line_kind kind;
	guard->pool = BUF_INIT(LINE_POOL_MAX);
	bool failed = line_make(guard, now, guard->settled, &kind);
	bool same = !failed && seen.len == guard->pool.len && (!seen.len || !memcmp(buf_data(&seen), buf_data(&guard->pool), seen.len));
	buf_release(&seen);
	if (failed)
		guard_fail(guard, "out of memory");
	else if (same)
		decided(guard, now, LINE_ALLOW);
	else
		judge(guard, now);
}

/* The first key behind a warning. Replies of the terminal do not count. */
static void answer_warning(struct lineguard *guard, int64_t now, const uint8_t *data, size_t len)
{
	if (*data == 0x1b && len > 1)
		return;
	if (*data != 'y' && *data != 'Y') {
		refuse(guard, now, LINE_CANCELLED);
		return;
	}
	approved(guard, now);
}

/* Ctrl-C, Ctrl-Z, Ctrl-backslash reach a running command at once; what was typed before them is gone, as on a terminal. */
static size_t find_interrupt(const uint8_t *data, size_t len)
{
	size_t i = 0;
	while (i < len && data[i] != INTERRUPT && data[i] != 0x1a && data[i] != 0x1c)
		i++;
	return i;
}

/* Returns how many bytes were used up; the rest is queued. */
static size_t input_out_of_turn(struct lineguard *guard, int64_t now, const uint8_t *data, size_t len)
{
	size_t at = find_interrupt(data, len);
	bool thinks = guard->state == GUARD_HOLD || guard->state == GUARD_ASK;
	if (guard->state == GUARD_ASK && at == len) {
		answer_warning(guard, now, data, len);
		return len;
	}
	if (at == len || guard->state == GUARD_IDLE || guard->scan.pasting)
		return 0;
	buf_clear(&guard->queue);
	if (guard->state == GUARD_CLEAR) { /* it helps, and the clearing goes on */
		guard_forward(guard, data + at, 1);
	} else if (thinks) {
		guard->answer.notice[0] = 0;
		refuse(guard, now, LINE_CANCELLED);
	} else {
		guard_forward(guard, data + at, 1);
		interrupted(guard, now);
	}
	return at + 1;
}

void lineguard_input(struct lineguard *guard, int64_t now_us, const uint8_t *data, size_t len)
{
	if (guard->state == GUARD_FAILED) {
		guard_forward(guard, data, len);
		return;
	}
	if (!len)
		return;
	size_t used = input_out_of_turn(guard, now_us, data, len);
	if (guard->state == GUARD_FAILED) {
		guard_forward(guard, data + used, len - used);
		return;
	}
	int rc = used < len ? buf_put(&guard->queue, data + used, len - used) : 0;
	if (rc && !guard->refused) {
		guard->refused = true;
		notice_title(guard, "bartizan: too much input while a line is held: the rest is dropped");
	}
	guard_advance(guard, now_us);
}

/* ---- the rest of the face ---- */

int64_t lineguard_due(const struct lineguard *guard)
{
	return guard->due;
}

void lineguard_turn(struct lineguard *guard, int64_t now_us)
{
	if (guard->state != GUARD_FAILED && now_us >= guard->due)
		guard_advance(guard, now_us);
}

bool lineguard_waiting(const struct lineguard *guard)
{
	return guard->state == GUARD_HOLD;
}

bool lineguard_failed(const struct lineguard *guard)
{
	return guard->state == GUARD_FAILED;
}

void lineguard_answer(struct lineguard *guard, int64_t now_us, enum line_verdict verdict, const char *notice)
{
	if (guard->state != GUARD_HOLD)
		return;
	if (verdict == LINE_HOLD) {
		notice_status(guard, notice ? notice : "");
		return;
	}
	memset(&guard->answer, 0, sizeof guard->answer);
	strncpy(guard->answer.notice, notice ? notice : "", LINEGUARD_NOTICE_MAX - 1);
	if (verdict == LINE_ALLOW)
		approved(guard, now_us);
	else
		decided(guard, now_us, verdict);
	if (guard->state != GUARD_FAILED)
		guard_advance(guard, now_us);
}

struct lineguard *lineguard_new(const struct lineguard_options *options)
{
	struct lineguard *guard = calloc(1, sizeof *guard);
	if (!guard)
		return NULL;
	guard->callbacks = options->callbacks;
	guard->context = options->context;
	guard->screen = screen_new(options->columns, options->rows);
	guard->queue = BUF_INIT(LINEGUARD_HELD_MAX);
	guard->accept = BUF_INIT(KEYS_SEQUENCE_MAX + 8);
	guard->pool = BUF_INIT(LINE_POOL_MAX);
	guard->before = BUF_INIT(LINEGUARD_TEXT_MAX);
	guard->under = BUF_INIT(LINEGUARD_TEXT_MAX);
	guard->right = BUF_INIT(LINEGUARD_TEXT_MAX);
	guard->due = LINEGUARD_NEVER;
	typing_reset(guard);
	if (!guard->screen) {
		lineguard_free(guard);
		return NULL;
	}
	return guard;
}

void lineguard_free(struct lineguard *guard)
{
	if (!guard)
		return;
	screen_free(guard->screen);
	buf_burn(&guard->queue);
	buf_release(&guard->accept);
	buf_burn(&guard->pool);
	buf_release(&guard->before);
	buf_release(&guard->under);
	buf_release(&guard->right);
	buf_release(&guard->typing.right);
	memset(&guard->typing.keys, 0, sizeof guard->typing.keys);
	free(guard);
}

const char *line_confidence_name(enum line_confidence confidence)
{
	static const char *const names[] = { "exact", "screen", "blind" };
	return names[confidence];
}

const char *line_end_name(enum line_end end)
{
	static const char *const names[] = { "forwarded", "cleared", "stuck", "swallowed", "cancelled", "hidden" };
	return names[end];
}

const char *line_source_name(enum line_source source)
{
	static const char *const names[] = { "screen", "cursor", "anchor", "keys" };
	return names[source];
}
