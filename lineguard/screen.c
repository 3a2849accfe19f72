/* The implementation of screen.h with libvterm. Its only state beside libvterm's is the scanner and
 * the number of rows that scrolled off. */
#include "lineguard/screen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vterm.h>

#include "lineguard/screen_scan.h"

#define PIECE 256 /* bytes scanned at a time */

/* libvterm does not check what its allocator returns. It allocates only when it is created or
 * resized: before both, a reserve large enough for everything is allocated, and an allocation that
 * fails is served from it. */
struct reserve {
	void *block;
	bool spent;
};

struct screen {
	VTerm *vterm;
	VTermScreen *cells;
	VTermState *state;
	struct reserve reserve;
	struct screen_scan scan;
	int64_t scrolled;
	int rows, columns;
};

static void *allocate(size_t size, void *context)
{
	struct reserve *reserve = context;

	void *memory = calloc(1, size);
	if (!memory && reserve->block) {
		free(reserve->block);
		reserve->block = NULL;
		reserve->spent = true;
		memory = calloc(1, size);
	}
	return memory;
}

static void deallocate(void *memory, void *context)
{
	(void)context;
	free(memory);
}

/* A cell takes 40 bytes, twice for the alternate screen; the rest is small. */
static bool reserve_take(struct reserve *reserve, int columns, int rows)
{
	reserve->block = malloc((size_t)columns * (size_t)rows * 160 + 64 * 1024);
	return reserve->block;
}

static void reserve_release(struct reserve *reserve)
{
	free(reserve->block);
	reserve->block = NULL;
}

static int pushed(int columns, const VTermScreenCell *cells, void *context)
{
	struct screen *screen = context;

	(void)columns;
	(void)cells;
	screen->scrolled++;
	return 1;
}

static void answered(const char *data, size_t len, void *context)
{
	(void)data;
	(void)len;
	(void)context;
}

static int clip(unsigned wanted, unsigned min, unsigned max, bool *clipped)
{
	*clipped |= wanted > max || wanted < min;
	if (wanted > max)
		return (int)max;
	return (int)(wanted < min ? min : wanted);
}

static void set_size(struct screen *screen, unsigned columns, unsigned rows)
{
	bool clipped = false;

	screen->columns = clip(columns, SCREEN_COLUMNS_MIN, SCREEN_COLUMNS_MAX, &clipped);
	screen->rows = clip(rows, 1, SCREEN_ROWS_MAX, &clipped);
	screen->scan.modes.clipped = clipped;
}

static int start(struct screen *screen)
{
	static VTermAllocatorFunctions functions = { .malloc = allocate, .free = deallocate };
	static const VTermScreenCallbacks callbacks = { .sb_pushline = pushed };

	screen->vterm = vterm_new_with_allocator(
		screen->rows, screen->columns, &functions, &screen->reserve);
	if (!screen->vterm)
		return -ENOMEM;
	vterm_set_utf8(screen->vterm, 1);
	vterm_output_set_callback(screen->vterm, answered, NULL);
	screen->state = vterm_obtain_state(screen->vterm);
	screen->cells = vterm_obtain_screen(screen->vterm);
	vterm_screen_set_callbacks(screen->cells, &callbacks, screen);
	vterm_screen_enable_altscreen(screen->cells, 1);
	vterm_screen_reset(screen->cells, 1);
	return 0;
}

struct screen *screen_new(unsigned columns, unsigned rows)
{
	struct screen *screen = calloc(1, sizeof *screen);

	if (!screen)
		return NULL;
	set_size(screen, columns, rows);
	if (!reserve_take(&screen->reserve, screen->columns, screen->rows) || start(screen) ||
		screen->reserve.spent) {
		screen_free(screen);
		return NULL;
	}
	reserve_release(&screen->reserve);
	return screen;
}

void screen_free(struct screen *screen)
{
	if (!screen)
		return;
	if (screen->vterm)
		vterm_free(screen->vterm);
	reserve_release(&screen->reserve);
	free(screen);
}

static void write_text(struct screen *screen, const char *text)
{
	vterm_input_write(screen->vterm, text, strlen(text));
}

/* libvterm 0.1.4 may leave the cursor above the screen, and keeps a saved cursor and a scrolling
 * region that lie outside of the new size: it uses them as indices. The saved cursor becomes the
 * cursor, the region all of the screen. The parser is between two sequences: the scanner writes
 * whole ones. */
static void tame_after_resize(struct screen *screen)
{
	char text[32];
	VTermPos position;

	vterm_state_get_cursorpos(screen->state, &position);
	if (position.row < 0) {
		snprintf(text, sizeof text, "\033[1;%dH", position.col + 1);
		write_text(screen, text);
	}
	write_text(screen, "\0337\033[r\0338");
}

int screen_resize(struct screen *screen, unsigned columns, unsigned rows)
{
	set_size(screen, columns, rows);
	if (!reserve_take(&screen->reserve, screen->columns, screen->rows))
		return -ENOMEM;
	vterm_set_size(screen->vterm, screen->rows, screen->columns);
	reserve_release(&screen->reserve);
	if (screen->reserve.spent)
		return -ENOMEM;
	tame_after_resize(screen);
	return 0;
}

void screen_output(struct screen *screen, const uint8_t *data, size_t len)
{
	uint8_t out[SCREEN_SCAN_OUT(PIECE)];

	for (size_t at = 0; at < len; at += PIECE) {
		size_t got = screen_scan(
			&screen->scan, data + at, len - at < PIECE ? len - at : PIECE, out);
		vterm_input_write(screen->vterm, (const char *)out, got);
	}
}

const struct screen_modes *screen_modes(const struct screen *screen)
{
	return &screen->scan.modes;
}

int screen_columns(const struct screen *screen)
{
	return screen->columns;
}

int64_t screen_top(const struct screen *screen)
{
	return screen->scrolled;
}

int64_t screen_bottom(const struct screen *screen)
{
	return screen->scrolled + screen->rows - 1;
}

struct screen_place screen_cursor(const struct screen *screen)
{
	VTermPos position;

	vterm_state_get_cursorpos(screen->state, &position);
	return (struct screen_place){ .row = screen->scrolled + position.row,
		.column = position.col };
}

/* Bright black of the palette, a grey of the 256 colours, or a middling grey in RGB. */
static bool is_grey(const VTermColor *color)
{
	if (VTERM_COLOR_IS_DEFAULT_FG(color))
		return false;
	if (VTERM_COLOR_IS_INDEXED(color))
		return color->indexed.idx == 8 ||
		       (color->indexed.idx >= 236 && color->indexed.idx <= 248) ||
		       color->indexed.idx == 59 || color->indexed.idx == 102;
	int red = color->rgb.red, green = color->rgb.green, blue = color->rgb.blue;
	return abs(red - green) < 24 && abs(green - blue) < 24 && abs(red - blue) < 24 &&
	       red >= 0x30 && red <= 0xb0;
}

void screen_cell(
	const struct screen *screen, struct screen_place place, struct screen_cell *ret_cell)
{
	VTermPos position = { .row = (int)(place.row - screen->scrolled), .col = place.column };
	VTermScreenCell cell;

	*ret_cell = (struct screen_cell){ .blank = true };
	bool inside = place.row >= screen_top(screen) && place.row <= screen_bottom(screen) &&
		      place.column >= 0 && place.column < screen->columns;
	if (!inside || !vterm_screen_get_cell(screen->cells, position, &cell) || !cell.chars[0])
		return;
	ret_cell->blank = false;
	ret_cell->right_half = cell.chars[0] == (uint32_t)-1;
	for (int i = 0; i < SCREEN_CELL_CHARACTERS && !ret_cell->right_half; i++)
		ret_cell->characters[i] = cell.chars[i];
	ret_cell->wide = cell.width > 1;
	ret_cell->grey = is_grey(&cell.fg);
}

/* Appends only characters that can be seen. */
static int put_visible(uint32_t character, struct buf *out)
{
	uint8_t bytes[4];

	if (character < 0x20 || (character >= 0x7f && character < 0xa0) || character > 0x10ffff)
		character = 0xfffd;
	return buf_put(out, bytes, screen_encode(character, bytes));
}

int screen_cell_text(const struct screen_cell *cell, struct buf *out)
{
	int rc = 0;

	if (cell->blank)
		return buf_putc(out, ' ');
	for (int i = 0; !rc && i < SCREEN_CELL_CHARACTERS && cell->characters[i]; i++)
		rc = put_visible(cell->characters[i], out);
	return rc;
}

int screen_text(const struct screen *screen, int64_t row, int from, int to, struct buf *out)
{
	struct screen_cell cell;
	int rc = 0;

	for (int column = from; !rc && column < to; column++) {
		screen_cell(screen, (struct screen_place){ row, column }, &cell);
		rc = screen_cell_text(&cell, out);
	}
	return rc;
}

int screen_row_end(const struct screen *screen, int64_t row)
{
	struct screen_cell cell;
	int column = screen->columns;

	do {
		if (!column)
			return 0;
		screen_cell(screen, (struct screen_place){ row, --column }, &cell);
	} while (cell.blank || (cell.characters[0] == ' ' && !cell.characters[1]));
	return column + 1;
}

/* A wide character that does not fit leaves the last cell of the row blank and starts the next
 * row. */
bool screen_row_full(const struct screen *screen, int64_t row)
{
	struct screen_cell last, before, next;

	screen_cell(screen, (struct screen_place){ row, screen->columns - 1 }, &last);
	if (!last.blank)
		return true;
	screen_cell(screen, (struct screen_place){ row, screen->columns - 2 }, &before);
	screen_cell(screen, (struct screen_place){ row + 1, 0 }, &next);
	return !before.blank && next.wide;
}
