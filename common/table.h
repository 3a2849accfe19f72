/* Lists for people: rows of JSON objects as an aligned text table, one object as labelled lines.
 *
 * The same objects are what `--json` prints, so a table shows nothing that is not in the JSON.
 * Cells are cleaned here (text_visible): no caller needs to. Widths are in terminal columns: wide
 * characters count two, combining ones none. */
#ifndef BARTIZAN_TABLE_H
#define BARTIZAN_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"
#include "common/json.h"

#define TABLE_COLUMNS_MAX 16
#define TABLE_CELL_MAX 1024 /* bytes of a cell; longer ones end in "…" */

struct table_column {
	const char *key; /* in the object; NULL ends the list */
	const char *header;
	bool visible; /* the value is in visible form already: its backslashes are not doubled */
};

struct table_style {
	unsigned width; /* lines are cut to it, widest columns first; 0: never cut */
	bool bold;	/* header and labels in bold, for a terminal */
};

/* Absent and null are "-", lists are joined by commas, true and false are "yes" and "no". */
int table_rows(const json_t *rows, const struct table_column *columns,
	const struct table_style *style, struct buf *out);
/* One line for each key that the object has. Never cut. */
int table_fields(const json_t *object, const struct table_column *columns,
	const struct table_style *style, struct buf *out);

/* Appends text that may hold visible form already, made harmless: as text_visible(), but a
 * backslash stays one backslash. */
int table_visible(struct buf *out, const char *text, size_t max);
size_t table_width(const char *text); /* terminal columns of valid UTF-8 */

#endif
