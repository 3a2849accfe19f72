/* What becomes of a judged line: its Enter goes out, the user is asked, it waits, or it is cleared.
 */
#include "lineguard/impl.h"

#include <string.h>

/* ---- ends of a line ---- */

void guard_ended(struct lineguard *guard, int64_t now, int64_t row)
{
	guard->enter = mark_now(guard, now);
	guard->enter.row = row;
	guard->entered = true;
	guard->probe = 0;
	typing_reset(guard);
}

/* From now on a clean prompt proves that the line is cleared. Text below the line now is remembered
 * as not belonging to it. */
static void begin_clear(struct lineguard *guard, int64_t now)
{
	guard->clear = mark_now(guard, now);
	buf_clear(&guard->under);
	/* if this fails, fewer prompts are recognised as clean */
	for (int row = 1; row <= UNDER_ROWS; row++) {
		(void)screen_text(guard->screen, guard->clear.row + row, 0,
			screen_columns(guard->screen), &guard->under);
		(void)buf_putc(&guard->under, '\n');
	}
	guard_go(guard, GUARD_CLEAR);
}

/* Ctrl-C or a similar key was sent: the typed line should be gone; the prompt may stay in its
 * row. */
void guard_interrupted(struct lineguard *guard, int64_t now)
{
	if (guard->stuck) { /* only a clean prompt proves that the refused line is gone */
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

/* The key may or may not have ended the line. */
static bool is_soft(const struct lineguard *guard)
{
	bool perhaps = guard->accept_key == KEY_OPERATE || guard->accept_key == KEY_COMMENT;

	if (perhaps && !screen_modes(guard->screen)->paste &&
		guard->typing.standing < STANDING_LIKELY)
		return true;
	return guard->accept_key == KEY_END_FILE || guard->accept_key == KEY_KEEP ||
	       guard->typing.quoted;
}

void guard_release(struct lineguard *guard, int64_t now)
{
	int64_t row = screen_cursor(guard->screen).row;

	guard_forward(guard, buf_data(&guard->accept), guard->accept.len);
	line_keep(guard);
	if (guard->accept_key == KEY_OPERATE || guard->accept_key == KEY_KEEP)
		guard->prefilled = 1;
	else if (guard->prefilled)
		guard->prefilled--;
	if (is_soft(guard)) { /* the shell may still have the line */
		if (!guard->typing.quoted)
			guard->typing.lost = guard->accept_key == KEY_KEEP
						     ? "the shell kept the line before it"
						     : "a part of the line was sent before";
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

void guard_refuse(struct lineguard *guard, int64_t now, enum line_end end)
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
	char text[LINE_NOTICE_MAX + 32] = "";

	strncat(text, guard->answer.notice, LINE_NOTICE_MAX);
	strcat(text, *text ? " - continue? [y/N] " : "continue? [y/N] ");
	notice_now(guard, text);
	guard_go(guard, GUARD_ASK);
}

static void allow(struct lineguard *guard, int64_t now)
{
	guard->screen_allowed = guard->line.full_screen;
	guard_note(guard, LINE_FORWARDED, now);
	guard_release(guard, now);
}

/* A question would be overwritten by a full-screen program or answered with a password: then the
 * warning goes to the window's title. */
static void warn(struct lineguard *guard, int64_t now)
{
	if (!guard->line.full_screen && !guard->line.hidden) {
		ask(guard);
		return;
	}
	notice_title(guard, guard->answer.notice);
	allow(guard, now);
}

void guard_decided(struct lineguard *guard, int64_t now, enum line_verdict verdict)
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
	guard_refuse(guard, now, LINE_CLEARED);
}

void guard_judge_line(struct lineguard *guard, int64_t now)
{
	memset(&guard->answer, 0, sizeof guard->answer);
	enum line_verdict verdict =
		guard->callbacks->judge(guard->context, &guard->line, &guard->answer);
	guard->answer.notice[LINE_NOTICE_MAX - 1] = 0;
	guard_decided(guard, now, verdict);
}

/* Sends the Enter, unless the line changed while the judge decided. */
void guard_approved(struct lineguard *guard, int64_t now)
{
	struct buf seen = guard->pool;
	enum line_kind kind;

	guard->pool = BUF_INIT(LINE_POOL_MAX);
	bool failed = line_make(guard, now, guard->settled, &kind);
	bool same = !failed && seen.len == guard->pool.len &&
		    (!seen.len || !memcmp(buf_data(&seen), buf_data(&guard->pool), seen.len));
	buf_release(&seen);
	if (failed)
		guard_fail(guard, "out of memory");
	else if (same)
		guard_decided(guard, now, LINE_ALLOW);
	else
		guard_judge_line(guard, now);
}
