/* The state machine that holds the Enter. Each state has one step function; the state changes only
 * in guard_go().
 *
 *	IDLE --Enter--> SETTLE
 *	SETTLE --allow--> WAIT --prompt, or a moment has passed--> IDLE
 *	SETTLE --hold--> HOLD --answer--> the line is read again, then as after SETTLE
 *	SETTLE --warn--> ASK --"y"--> WAIT
 *	                 ASK --another key--> CLEAR
 *	SETTLE, HOLD, ASK --deny--> CLEAR --clean prompt--> IDLE
 *	CLEAR --no clean prompt in time--> IDLE and stuck: no Enter is sent until the line is empty
 *	IDLE and stuck --Ctrl-C--> CLEAR: perhaps that helps
 *
 * Input is a queue: what was typed after an Enter waits there, in order. When a line is refused,
 * the queue is dropped: the lines of a paste mean nothing without the one before them. */
#include "lineguard/impl.h"

#include <stdlib.h>
#include <string.h>

#define TO(state) (1u << GUARD_##state)

static const unsigned allowed_next[] = {
	[GUARD_IDLE] = TO(SETTLE) | TO(CLEAR) | TO(WAIT) | TO(FAILED),
	[GUARD_SETTLE] = TO(IDLE) | TO(HOLD) | TO(ASK) | TO(CLEAR) | TO(WAIT) | TO(FAILED),
	[GUARD_HOLD] = TO(IDLE) | TO(HOLD) | TO(ASK) | TO(CLEAR) | TO(WAIT) | TO(FAILED),
	[GUARD_ASK] = TO(IDLE) | TO(HOLD) | TO(ASK) | TO(CLEAR) | TO(WAIT) | TO(FAILED),
	[GUARD_CLEAR] = TO(IDLE) | TO(FAILED),
	[GUARD_WAIT] = TO(IDLE) | TO(CLEAR) | TO(WAIT) | TO(FAILED),
	[GUARD_FAILED] = TO(FAILED),
};

void guard_go(struct lineguard *guard, enum guard_state state)
{
	if (!(allowed_next[guard->state] & 1u << state))
		guard_fail(guard, "a change of state that is not allowed");
	else
		guard->state = state;
}

void guard_forward(struct lineguard *guard, const void *data, size_t len)
{
	if (len)
		guard->callbacks->forward(guard->context, data, len);
}

/* An Enter that is being judged passes with the other input; one that waits for a person does
 * not. */
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

/* A refused line may still be there: only an empty line at a prompt gets its Enter. */
static void settled_while_stuck(struct lineguard *guard, int64_t now, enum line_kind kind)
{
	if (kind == KIND_EMPTY && settle_verified(guard)) {
		guard->stuck = false;
		guard_release(guard, now);
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
			notice_title(guard, "bartizan: this Enter waits for the shell's prompt; "
					    "Ctrl-C gives it up");
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
		guard_judge_line(guard, now);
	} else {
		guard_release(guard, now);
	}
}

/* After an Enter, input is held until the prompt appears or a moment has passed; if it contains
 * another Enter, until the output stops. */
static void step_wait(struct lineguard *guard, int64_t now)
{
	const uint8_t *data = buf_data(&guard->queue);
	int64_t last =
		guard->last_output > guard->enter.time ? guard->last_output : guard->enter.time;
	bool lines = guard->queue.len &&
		     (memchr(data, '\r', guard->queue.len) || memchr(data, '\n', guard->queue.len));

	if (!guard->queue.len)
		return;
	bool over = screen_modes(guard->screen)->alternate ||
		    prompt_here(guard, &guard->enter, now, &guard->due) >= STANDING_LIKELY;
	if (!over && reached(guard->enter.time + GRACE + round_trip(guard), now, &guard->due))
		over = !lines ||
		       reached(last + SILENCE + 2 * round_trip(guard), now, &guard->due) ||
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
			guard_pass(guard, now);
	} while (guard->state != before);
	if (!guard->queue.len)
		guard->refused = false;
}

/* ---- interface ---- */

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

void lineguard_answer(
	struct lineguard *guard, int64_t now_us, enum line_verdict verdict, const char *notice)
{
	if (guard->state != GUARD_HOLD)
		return;
	if (verdict == LINE_HOLD) {
		notice_status(guard, notice ? notice : "");
		return;
	}
	memset(&guard->answer, 0, sizeof guard->answer);
	strncpy(guard->answer.notice, notice ? notice : "", LINE_NOTICE_MAX - 1);
	if (verdict == LINE_ALLOW)
		guard_approved(guard, now_us);
	else
		guard_decided(guard, now_us, verdict);
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
	guard->before = BUF_INIT(LINE_TEXT_MAX);
	guard->under = BUF_INIT(LINE_TEXT_MAX);
	guard->right = BUF_INIT(LINE_TEXT_MAX);
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
