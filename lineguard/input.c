/* What the user types: a queue that is forwarded up to the next Enter, and keys that do not wait
 * for their turn. */
#include "lineguard/impl.h"

#include <string.h>

/* Is this key an Enter here? */
static bool accepts(const struct lineguard *guard, enum key key)
{
	const struct screen_modes *modes = screen_modes(guard->screen);

	switch (key) {
	case KEY_ACCEPT: return true;
	case KEY_COMMENT:
	/* even without a known prompt: an editor may be reading */
	case KEY_OPERATE: return !modes->alternate;
	/* perhaps typed ahead for an editor that was active before */
	case KEY_KEEP: return !modes->alternate && modes->paste_on;
	case KEY_END_FILE: return !modes->alternate && !modes->paste && guard->typing.keys.plain;
	default: return false;
	}
}

/* Sends the bytes before the Enter and keeps the Enter. */
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

/* Handles a byte of the queue that completes a key. True: stop reading the queue for now. */
static bool take_key(struct lineguard *guard, enum key key, size_t from, size_t at, int64_t now)
{
	const uint8_t *data = buf_data(&guard->queue);

	typing_refresh(guard, now, key);
	if (accepts(guard, key)) {
		hold_enter(guard, key, from, at + 1, now);
		return true;
	}
	bool ends = key == KEY_INTERRUPT ||
		    (key == KEY_END_FILE && keys_model_empty(&guard->typing.keys));
	if (ends && !screen_modes(guard->screen)->alternate) {
		guard_forward(guard, data, at + 1);
		buf_consume(&guard->queue, at + 1);
		guard_interrupted(guard, now);
		return true;
	}
	typing_key(guard, key, data[at], now);
	return false;
}

/* A control key ended what looked like an answer of the terminal: it was typing after all, and its
 * effect is unknown. */
static void no_answer(struct lineguard *guard, int64_t now)
{
	typing_refresh(guard, now, KEY_OTHER);
	typing_key(guard, KEY_OTHER, 0x1b, now);
	guard->typing.lost = "some keys looked like an answer of the terminal";
}

/* Forwards the queue up to the next Enter. */
void guard_pass(struct lineguard *guard, int64_t now)
{
	const uint8_t *data = buf_data(&guard->queue);
	size_t from = 0;

	for (size_t at = 0; at < guard->queue.len; at++) {
		enum keys_state before = guard->scan.state;
		enum key key =
			keys_scan_byte(&guard->scan, data[at], screen_modes(guard->screen)->paste);
		if (before == KEYS_ESCAPE && data[at] < 0x20 && key != KEY_PARTIAL)
			typing_key(guard, KEY_OTHER, 0x1b, now);
		if ((before == KEYS_STRING || before == KEYS_STRING_ESCAPE) && data[at] < 0x20 &&
			key != KEY_PARTIAL && key != KEY_REPLY) {
			no_answer(guard, now);
			from = at;
		}
		if (key == KEY_PARTIAL)
			continue;
		if (key != KEY_REPLY && take_key(guard, key, from, at, now))
			return;
		from = at + 1;
	}
	/* moved out, so that nothing changes the bytes during the callback */
	struct buf out = guard->queue;
	guard->queue = BUF_INIT(LINEGUARD_HELD_MAX);
	guard_forward(guard, buf_data(&out), out.len);
	buf_release(&out);
}

/* The first key after a warning is the answer. Replies of the terminal do not count. */
static void answer_warning(struct lineguard *guard, int64_t now, const uint8_t *data, size_t len)
{
	if (*data == 0x1b && len > 1)
		return;
	if (*data != 'y' && *data != 'Y') {
		guard_refuse(guard, now, LINE_CANCELLED);
		return;
	}
	guard_approved(guard, now);
}

/* Finds a Ctrl-C, Ctrl-Z or Ctrl-backslash, which goes to a running command at once; what was typed
 * before it is dropped, as on a terminal. */
static size_t find_interrupt(const uint8_t *data, size_t len)
{
	size_t i = 0;

	while (i < len && data[i] != INTERRUPT && data[i] != 0x1a && data[i] != 0x1c)
		i++;
	return i;
}

/* Returns how many bytes were handled; the caller queues the rest. */
static size_t input_out_of_turn(
	struct lineguard *guard, int64_t now, const uint8_t *data, size_t len)
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
	if (guard->state == GUARD_CLEAR) { /* it helps to clear the line, which continues */
		guard_forward(guard, data + at, 1);
	} else if (thinks) {
		guard->answer.notice[0] = 0;
		guard_refuse(guard, now, LINE_CANCELLED);
	} else {
		guard_forward(guard, data + at, 1);
		guard_interrupted(guard, now);
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
		notice_title(guard,
			"bartizan: too much input while a line is held: the rest is dropped");
	}
	guard_advance(guard, now_us);
}
