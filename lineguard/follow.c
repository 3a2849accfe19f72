/* The backend's output: followed on the screen, timed, and checked for parts that no key caused. */
#include "lineguard/impl.h"

#include <string.h>

static void measure(struct lineguard *guard, int64_t now)
{
	int64_t sample = now - guard->probe;

	if (!guard->probe)
		return;
	guard->probe = 0;
	if (sample < MS)
		sample = MS;
	if (sample > ROUND_TRIP_MAX)
		sample = ROUND_TRIP_MAX;
	guard->round_trip =
		sample > guard->round_trip ? sample : (3 * guard->round_trip + sample) / 4;
}

/* No key can have caused the output that comes now. */
static bool unasked(const struct lineguard *guard, int64_t now)
{
	const struct typing *typing = &guard->typing;
	int64_t slack = typing->keys.completed ? 5000 * MS : 150 * MS;
	bool typed = typing->begun && typing->anchored && !keys_model_empty(&typing->keys);
	bool line = guard->state == GUARD_IDLE || guard->state == GUARD_SETTLE ||
		    guard->state == GUARD_HOLD || guard->state == GUARD_ASK;

	return typed && line && now - typing->last_key > slack + 2 * round_trip(guard);
}

static int snapshot(struct lineguard *guard, struct reading *ret_reading)
{
	struct screen_place start;
	enum located how;

	*ret_reading = (struct reading){ .text = BUF_INIT(LINE_TEXT_MAX) };
	if (!read_locate(guard, &start, &how))
		return 0;
	int rc = read_from(guard, start, ret_reading);
	size_t end = reading_end(ret_reading);
	if (!rc && end < ret_reading->text.len)
		ret_reading->text.len = end;
	return rc;
}

static void follow_unasked(struct lineguard *guard, const uint8_t *data, size_t len)
{
	struct reading before, after = { .text = BUF_INIT(1) };
	int rc = snapshot(guard, &before);

	screen_output(guard->screen, data, len);
	if (!rc)
		rc = snapshot(guard, &after);
	bool same = before.cursor == after.cursor && before.text.len == after.text.len &&
		    (!after.text.len ||
			    !memcmp(buf_data(&before.text), buf_data(&after.text), after.text.len));
	if (rc || !same)
		guard->typing.disturbed = true;
	reading_release(&before);
	reading_release(&after);
}

void lineguard_output(struct lineguard *guard, int64_t now_us, const uint8_t *data, size_t len)
{
	if (guard->state == GUARD_FAILED || !len)
		return;
	uint32_t left = screen_modes(guard->screen)->left;
	if (unasked(guard, now_us))
		follow_unasked(guard, data, len);
	else
		screen_output(guard->screen, data, len);
	guard->screen_allowed = guard->screen_allowed && screen_modes(guard->screen)->left == left;
	guard->outputs++;
	guard->last_output = now_us;
	measure(guard, now_us);
	guard_advance(guard, now_us);
}

void lineguard_resize(struct lineguard *guard, int64_t now_us, unsigned columns, unsigned rows)
{
	if (guard->state == GUARD_FAILED)
		return;
	if (screen_resize(guard->screen, columns, rows)) {
		guard_fail(guard, "out of memory");
		return;
	}
	guard->typing.resized = guard->typing.begun;
	guard_advance(guard, now_us);
}
