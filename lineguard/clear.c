/* Decides whether a refused line has been cleared. Only a clean prompt proves it, never the fact
 * that Ctrl-C was sent; when that did not help, nothing else is tried. */
#include "lineguard/impl.h"

#include <string.h>

/* The text of a row below the cursor when the clearing began. */
static struct bytes row_before(const struct lineguard *guard, int64_t row)
{
	struct bytes rest = buf_bytes(&guard->under);

	for (int64_t at = guard->clear.row + 1; rest.len; at++) {
		const uint8_t *end = memchr(rest.data, '\n', rest.len);
		size_t len = end ? (size_t)(end - rest.data) : rest.len;
		if (at == row)
			return (struct bytes){ rest.data, len };
		rest.data += end ? len + 1 : len;
		rest.len -= end ? len + 1 : len;
	}
	return (struct bytes){ NULL, 0 };
}

/* The text right of the prompt is old: the prompt was printed over a row of the refused line
 * (busybox), or over text above which a program had moved the cursor. */
static bool is_left_over(struct lineguard *guard)
{
	struct screen_place cursor = screen_cursor(guard->screen);
	BUF_CLEANUP struct buf right = BUF_INIT(LINE_TEXT_MAX);
	struct bytes before = row_before(guard, cursor.row);

	if (!before.len || screen_text(guard->screen, cursor.row, cursor.column,
				   screen_columns(guard->screen), &right))
		return false;
	return right.len && right.len <= before.len &&
	       !memcmp(before.data + before.len - right.len, buf_data(&right), right.len);
}

static bool is_changed_right(struct lineguard *guard)
{
	struct screen_place cursor = screen_cursor(guard->screen);
	BUF_CLEANUP struct buf between = BUF_INIT(LINE_TEXT_MAX);
	int column = read_changed_right(guard, cursor.row, cursor.column);

	if (column == screen_columns(guard->screen) ||
		screen_text(guard->screen, cursor.row, cursor.column, column, &between))
		return false;
	for (size_t i = 0; i < between.len; i++)
		if (buf_data(&between)[i] != ' ')
			return false;
	return true;
}

/* Right of the cursor stands nothing, or the same right prompt as before. */
static bool clean_right(struct lineguard *guard)
{
	struct screen_place cursor = screen_cursor(guard->screen);
	BUF_CLEANUP struct buf there = BUF_INIT(LINE_TEXT_MAX);
	bool own = guard->typing.right.len;
	const struct buf *right = own ? &guard->typing.right : &guard->right;
	int column = own ? guard->typing.right_column : guard->right_column;

	if (screen_row_end(guard->screen, cursor.row) <= cursor.column || is_left_over(guard))
		return true;
	if (!right->len || column <= cursor.column)
		return false;
	if (screen_text(guard->screen, cursor.row, column, screen_columns(guard->screen), &there))
		return false;
	bool same =
		there.len == right->len && !memcmp(buf_data(&there), buf_data(right), there.len);
	return same || is_changed_right(guard);
}

static bool is_clean(struct lineguard *guard, int64_t now)
{
	struct screen_place cursor = screen_cursor(guard->screen);
	const struct typing *typing = &guard->typing;

	if (prompt_here(guard, &guard->clear, now, &guard->due) >= STANDING_LIKELY)
		return clean_right(guard);
	if (!guard->control_u || !typing->anchored || guard->outputs == guard->clear.outputs)
		return false;
	if (cursor.row != typing->anchor.row || cursor.column != typing->anchor.column ||
		!clean_right(guard))
		return false;
	return reached(guard->last_output + QUIET_PROMPT, now, &guard->due);
}

static void cleared(struct lineguard *guard, int64_t now)
{
	struct mark mark = guard->clear;

	guard_note(guard, guard->ending, now);
	buf_clear(&guard->queue);
	buf_clear(&guard->before);
	guard_ended(guard, now, screen_cursor(guard->screen).row - 1);
	guard->enter.outputs = mark.outputs; /* the prompt of the next line is already there */
	guard->enter.paste_on = mark.paste_on;
	guard->floor = screen_cursor(guard->screen);
	guard->stuck = false;
	guard_go(guard, GUARD_IDLE);
	notice_after_prompt(guard, guard->answer.notice);
}

void clear_step(struct lineguard *guard, int64_t now)
{
	if (is_clean(guard, now)) {
		cleared(guard, now);
		return;
	}
	if (!reached(guard->clear.time + CLEAR_MAX + 2 * round_trip(guard), now, &guard->due))
		return;
	guard_note(guard, LINE_STUCK, now);
	buf_clear(&guard->queue);
	guard->stuck = true;
	guard->typing.keys.unfaithful = true;
	guard_go(guard, GUARD_IDLE);
	notice_after_prompt(guard, guard->answer.notice);
	notice_title(guard,
		"bartizan: the refused line could not be cleared: empty it, then press Enter");
}
