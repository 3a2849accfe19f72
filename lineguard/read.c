/* The line on the screen: where it starts, and what it says.
 *
 * It starts where the cursor stood when its first key was typed, as long as the prompt still stands
 * there and every row down to the cursor is full; else behind the nearest known prompt above the
 * cursor, but below the last Enter (Ctrl-L, listings, resizes move prompts). It goes to the cursor,
 * and on while a row is full. A right prompt is taken off. Cells decide what is full: libvterm
 * 0.1.4 keeps no note of wrapped rows. */
#include "lineguard/impl.h"

#include <errno.h>
#include <string.h>

void reading_release(struct reading *reading)
{
	buf_release(&reading->text);
}

size_t reading_end(const struct reading *reading)
{
	return reading->bright > reading->cursor ? reading->bright : reading->cursor;
}

int64_t read_lowest(struct lineguard *guard)
{
	int64_t top = screen_top(guard->screen), cursor = screen_cursor(guard->screen).row;

	if (!guard->entered || cursor <= guard->enter.row || guard->enter.row < top)
		return top;
	return guard->enter.row + 1;
}

static bool is_unprinted(struct lineguard *guard, int64_t row, int column)
{
	struct screen_cell cell;

	screen_cell(guard->screen, (struct screen_place){ row, column }, &cell);
	return cell.blank;
}

/* A right prompt whose text has changed (a clock): it stands at the edge, after a gap of cells that
 * were never printed to; a line has no such gap. */
int read_changed_right(struct lineguard *guard, int64_t row, int from)
{
	int columns = screen_columns(guard->screen), column = columns;

	if (!screen_modes(guard->screen)->paste || screen_row_end(guard->screen, row) < columns - 2)
		return columns;
	while (column > from + 1 &&
		!(is_unprinted(guard, row, column - 1) && is_unprinted(guard, row, column - 2) &&
			column < columns - 2))
		column--;
	return column > from + 1 ? column : columns;
}

/* The column where the right prompt begins, if it still stands there: in the line's own row, or,
 * behind cells that were never printed to, where the last one stood. */
static int right_limit(struct lineguard *guard, int64_t row)
{
	const struct typing *typing = &guard->typing;
	bool own = typing->anchored && row == typing->anchor.row && typing->right.len;
	const struct buf *right = own ? &typing->right : &guard->right;
	int column = own ? typing->right_column : guard->right_column;
	int columns = screen_columns(guard->screen);
	BUF_CLEANUP struct buf there = BUF_INIT(LINE_TEXT_MAX);

	if (!right->len || column >= columns || column < 1)
		return columns;
	if (!own && !is_unprinted(guard, row, column - 1))
		return columns;
	if (screen_text(guard->screen, row, column, columns, &there))
		return columns;
	bool same =
		there.len == right->len && !memcmp(buf_data(&there), buf_data(right), there.len);
	if (same)
		return column;
	struct screen_place cursor = screen_cursor(guard->screen);
	return read_changed_right(guard, row, cursor.row == row ? cursor.column : 1);
}

bool read_over_old_text(struct lineguard *guard)
{
	const struct typing *typing = &guard->typing;

	return typing->anchored && typing->right.len &&
	       right_limit(guard, typing->anchor.row) == screen_columns(guard->screen) &&
	       screen_row_end(guard->screen, typing->anchor.row) > typing->right_column;
}

/* Appends a cell, and notes the end of the text that is neither grey nor blank. */
static int put_cell(struct reading *reading, const struct screen_cell *cell)
{
	bool space = cell->blank || cell->characters[0] == ' ';
	int rc = screen_cell_text(cell, &reading->text);

	if (!space && !cell->grey)
		reading->bright = reading->text.len;
	return rc;
}

static int read_row(
	struct lineguard *guard, struct reading *reading, struct screen_place place, int end)
{
	struct screen_place cursor = screen_cursor(guard->screen);
	struct screen_cell cell;
	int rc = 0, columns = screen_columns(guard->screen);

	for (; !rc && place.column < end; place.column++) {
		if (place.row == cursor.row && place.column == cursor.column)
			reading->cursor = reading->text.len;
		screen_cell(guard->screen, place, &cell);
		rc = put_cell(reading, &cell);
	}
	bool wrapping = cursor.column == columns - 1 && end == columns &&
			screen_row_end(guard->screen, cursor.row) == columns;
	if (place.row == cursor.row && (cursor.column >= end || wrapping))
		reading->cursor = reading->text.len;
	return rc;
}

/* How far a row is read: all of a full one, else to its last character or to the cursor, whichever
 * is further right. */
static int row_end(struct lineguard *guard, int64_t row, int from, int limit, bool full)
{
	struct screen_place cursor = screen_cursor(guard->screen);
	int end = full ? limit : screen_row_end(guard->screen, row);

	if (end > limit)
		for (end = limit; end > from; end--) {
			struct screen_cell cell;
			screen_cell(guard->screen, (struct screen_place){ row, end - 1 }, &cell);
			if (!cell.blank && cell.characters[0] != ' ')
				break;
		}
	if (row == cursor.row && end < cursor.column)
		end = cursor.column;
	return end > from ? end : from;
}

/* Where a wide character did not fit, the last cell of the row is blank, or a space that the editor
 * put there. */
static int row_limit(struct lineguard *guard, int64_t row)
{
	int limit = right_limit(guard, row), columns = screen_columns(guard->screen);
	struct screen_cell last, next;

	screen_cell(guard->screen, (struct screen_place){ row, columns - 1 }, &last);
	screen_cell(guard->screen, (struct screen_place){ row + 1, 0 }, &next);
	bool padded = next.wide && (last.blank || last.characters[0] == ' ') &&
		      screen_row_full(guard->screen, row);
	return padded && limit == columns && row < screen_cursor(guard->screen).row ? columns - 1
										    : limit;
}

static int read_rows(struct lineguard *guard, struct reading *reading, struct screen_place start)
{
	int64_t cursor = screen_cursor(guard->screen).row, row = start.row;

	for (int rc;; row++) {
		int from = row == start.row ? start.column : 0, limit = row_limit(guard, row);
		bool full = limit >= screen_columns(guard->screen) - 1 &&
			    screen_row_full(guard->screen, row);
		rc = read_row(guard, reading, (struct screen_place){ row, from },
			row_end(guard, row, from, limit, full));
		reading->end_row = row;
		if (rc || row == screen_bottom(guard->screen) || (row >= cursor && !full))
			return rc;
		if (full)
			continue;
		reading->broken = true;
		if ((rc = buf_putc(&reading->text, '\n')))
			return rc;
	}
}

int read_from(struct lineguard *guard, struct screen_place start, struct reading *ret_reading)
{
	*ret_reading = (struct reading){ .text = BUF_INIT(LINE_TEXT_MAX) };
	int rc = read_rows(guard, ret_reading, start);
	if (rc == -EMSGSIZE) {
		ret_reading->tall = true;
		rc = 0;
	}
	if (ret_reading->end_row < screen_bottom(guard->screen))
		ret_reading->below = screen_row_end(guard->screen, ret_reading->end_row + 1) > 0;
	return rc;
}

/* bash shows "(reverse-i-search)`x': line" in place of the prompt. */
static bool is_search(struct lineguard *guard, int64_t row)
{
	struct prompt begin;

	prompt_at(guard,
		(struct screen_place){ row,
			screen_columns(guard->screen) < 32 ? screen_columns(guard->screen) : 32 },
		&begin);
	return begin.length && begin.text[0] == '(' &&
	       memmem(begin.text, begin.length, "i-search)", 9);
}

/* True where the row shows rests of a refused line before the new prompt: they are no part of the
 * next line. */
static bool above_floor(const struct lineguard *guard, int64_t row, const struct prompt *prompt)
{
	return row == guard->floor.row && prompt->columns < guard->floor.column;
}

static bool anchor_stands(struct lineguard *guard)
{
	struct typing *typing = &guard->typing;
	struct prompt there;
	int64_t cursor = screen_cursor(guard->screen).row;

	if (!typing->anchored || typing->anchor.row < screen_top(guard->screen) ||
		typing->anchor.row > cursor ||
		typing->anchor.column >= screen_columns(guard->screen))
		return false;
	prompt_at(guard, typing->anchor, &there);
	return there.length == typing->left.length &&
	       !memcmp(there.text, typing->left.text, there.length);
}

static bool contiguous(struct lineguard *guard, int64_t row)
{
	for (int64_t cursor = screen_cursor(guard->screen).row; row < cursor; row++)
		if (!screen_row_full(guard->screen, row))
			return false;
	return true;
}

/* Finds a line that was there before the first key (Ctrl-O, zsh's push-line): it stands between a
 * learned prompt and the anchor. */
static bool prefilled(struct lineguard *guard, struct screen_place *ret_start)
{
	struct typing *typing = &guard->typing;
	const struct prompt *prompt = prompt_on_row(guard, typing->anchor.row, NULL);

	if (!prompt || prompt->columns >= typing->anchor.column ||
		above_floor(guard, typing->anchor.row, prompt))
		return false;
	*ret_start = (struct screen_place){ typing->anchor.row, prompt->columns };
	return true;
}

static bool nearest_prompt(struct lineguard *guard, struct screen_place *ret_start)
{
	struct typing *typing = &guard->typing;
	struct screen_place cursor = screen_cursor(guard->screen);
	const struct prompt *own =
		typing->anchored && typing->standing >= STANDING_LIKELY ? &typing->left : NULL;

	for (int64_t row = cursor.row, lowest = read_lowest(guard); row >= lowest; row--) {
		const struct prompt *prompt = prompt_on_row(guard, row, own);
		if (prompt && !above_floor(guard, row, prompt) &&
			(row < cursor.row || prompt->columns <= cursor.column)) {
			*ret_start = (struct screen_place){ row, prompt->columns };
			return true;
		}
	}
	return false;
}

/* Without a line editor the terminal echoed what was typed ahead, and the prompt was printed after
 * it in the same row. */
static bool prompt_behind_echo(struct lineguard *guard, struct screen_place *ret_start)
{
	struct screen_place cursor = screen_cursor(guard->screen);

	if (guard->typing.standing >= STANDING_LIKELY || cursor.row < read_lowest(guard))
		return false;
	for (int column = cursor.column; column > 0; column--)
		if (prompt_ends_at(guard, (struct screen_place){ cursor.row, column })) {
			*ret_start = (struct screen_place){ cursor.row, column };
			return true;
		}
	return false;
}

static bool search_row(struct lineguard *guard, struct screen_place *ret_start)
{
	int64_t row = screen_cursor(guard->screen).row, lowest = read_lowest(guard);

	while (row >= lowest && !is_search(guard, row))
		row--;
	*ret_start = (struct screen_place){ .row = row };
	return row >= lowest && contiguous(guard, row);
}

bool read_locate(struct lineguard *guard, struct screen_place *ret_start, enum located *ret_how)
{
	bool stands = anchor_stands(guard);

	*ret_how = LOCATED_SEARCH;
	if (guard->typing.keys.recalled && search_row(guard, ret_start))
		return true;
	*ret_how = LOCATED_PROMPT;
	if (stands && prefilled(guard, ret_start))
		return true;
	if (!(stands && contiguous(guard, guard->typing.anchor.row)) &&
		nearest_prompt(guard, ret_start))
		return true;
	if (prompt_behind_echo(guard, ret_start))
		return true;
	*ret_how = LOCATED_ANCHOR;
	*ret_start = guard->typing.anchor;
	return stands;
}

bool read_anchor_candidate(struct lineguard *guard, struct screen_place start)
{
	struct screen_place anchor = guard->typing.anchor;

	return anchor_stands(guard) && contiguous(guard, anchor.row) &&
	       (anchor.row != start.row || anchor.column != start.column);
}
