/* The user's screen as the backend's output draws it: libvterm behind a small interface.
 *
 * Rows are absolute: they count from the first row of the terminal's life, so that a place keeps
 * its number when the screen scrolls. The rows that can be read are screen_top() to screen_top() +
 * rows - 1; what scrolled off is gone. A resize does not reflow (libvterm 0.1.4 cannot). libvterm's
 * answers to device queries are thrown away: the user's own terminal answers them. The bytes are
 * hostile; memory is bounded by SCREEN_ROWS_MAX and SCREEN_COLUMNS_MAX, and of a larger screen only
 * a part is followed, which screen_modes() reports. vterm.h is included by the files screen*.c
 * only. */
#ifndef BARTIZAN_LINEGUARD_SCREEN_H
#define BARTIZAN_LINEGUARD_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"

#define SCREEN_ROWS_MAX 256
#define SCREEN_COLUMNS_MAX 512
/* libvterm 0.1.4 puts a wide character beside the end of a narrower row, and crashes */
#define SCREEN_COLUMNS_MIN 2
#define SCREEN_CELL_CHARACTERS 6 /* a character with its combining characters */

struct screen;

struct screen_place {
	int64_t row; /* absolute */
	int column;
};

struct screen_modes {
	bool paste;	   /* ?2004, bracketed paste: a line editor reads */
	bool cursor_keys;  /* ?1 */
	bool alternate;	   /* ?47, ?1047, ?1049: a full-screen program */
	uint32_t left;	   /* how often a program left the alternate screen */
	bool in_string;	   /* a control string has begun and not ended */
	bool clipped;	   /* the user's terminal is larger or narrower than what is followed */
	uint32_t paste_on; /* how often ?2004 was switched on */
	/* characters printed that may combine with the one before them: libvterm and an editor do
	 * not agree on where they are */
	uint32_t combined;
};

struct screen_cell {
	uint32_t characters[SCREEN_CELL_CHARACTERS]; /* ends at 0; a blank cell has none */
	/* nothing was ever printed here; a printed space is not blank */
	bool blank;
	bool wide;	 /* takes the next cell too */
	bool right_half; /* of a wide character */
	bool grey;	 /* as suggestions are drawn */
};

struct screen *screen_new(unsigned columns, unsigned rows); /* NULL: out of memory */
void screen_free(struct screen *screen);
/* After -ENOMEM the screen cannot be used any more. */
int screen_resize(struct screen *screen, unsigned columns, unsigned rows);
void screen_output(struct screen *screen, const uint8_t *data, size_t len);

const struct screen_modes *screen_modes(const struct screen *screen);
int screen_columns(const struct screen *screen);
int64_t screen_top(const struct screen *screen);
int64_t screen_bottom(const struct screen *screen); /* the last row */
/* In the last column the cursor may stand on the last character or be about to wrap: libvterm does
 * not tell. */
struct screen_place screen_cursor(const struct screen *screen);

/* Outside of the screen every cell is blank. */
void screen_cell(
	const struct screen *screen, struct screen_place place, struct screen_cell *ret_cell);
/* Appends a cell as UTF-8: a blank is a space, the right half of a wide character is nothing. 0 or
 * buf_put's error. */
int screen_cell_text(const struct screen_cell *cell, struct buf *out);
/* Appends columns from to to - 1 of a row. */
int screen_text(const struct screen *screen, int64_t row, int from, int to, struct buf *out);
/* the column behind the last cell that is neither blank nor a space */
int screen_row_end(const struct screen *screen, int64_t row);
/* text goes on in the next row, as far as cells can tell */
bool screen_row_full(const struct screen *screen, int64_t row);

#endif
