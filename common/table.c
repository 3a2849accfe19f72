/* Text tables. See table.h. */
#include "common/table.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"

#define BOLD "\033[1m"
#define PLAIN "\033[0m"
#define GAP 2
#define COLUMN_MIN 6 /* no column is cut below it */

struct cells { /* rows * columns texts, each in visible form */
	char **text;
	size_t rows, columns;
	size_t width[TABLE_COLUMNS_MAX];
};

struct range {
	uint32_t from, to;
};

static const struct range wide[] = {
	/* East Asian wide and full width, and emoji: Unicode's EastAsianWidth W and F, blocks as a
	   whole */
	{ 0x1100, 0x115f },
	{ 0x2e80, 0x303e },
	{ 0x3041, 0x33ff },
	{ 0x3400, 0x4dbf },
	{ 0x4e00, 0x9fff },
	{ 0xa000, 0xa4cf },
	{ 0xac00, 0xd7a3 },
	{ 0xf900, 0xfaff },
	{ 0xfe30, 0xfe6f },
	{ 0xff00, 0xff60 },
	{ 0xffe0, 0xffe6 },
	{ 0x1f300, 0x1f64f },
	{ 0x1f900, 0x1f9ff },
	{ 0x20000, 0x3fffd },
};
static const struct range combining[] = {
	{ 0x0300, 0x036f },
	{ 0x0483, 0x0489 },
	{ 0x0591, 0x05bd },
	{ 0x0610, 0x061a },
	{ 0x064b, 0x065f },
	{ 0x1ab0, 0x1aff },
	{ 0x1dc0, 0x1dff },
	{ 0x20d0, 0x20ff },
	{ 0xfe00, 0xfe0f },
	{ 0xfe20, 0xfe2f },
};

static bool in_ranges(const struct range *ranges, size_t count, uint32_t code)
{
	for (size_t i = 0; i < count; i++)
		if (code >= ranges[i].from && code <= ranges[i].to)
			return true;
	return false;
}

/* The character at p (valid UTF-8): its length in bytes, and its width. */
static size_t character(const char *p, size_t *ret_width)
{
	const unsigned char *u = (const unsigned char *)p;
	size_t len = 1 + (*u >= 0x80) + (*u >= 0xe0) + (*u >= 0xf0);
	uint32_t code = len == 1 ? *u : *u & (0xffu >> (len + 1));

	for (size_t i = 1; i < len; i++) {
		if ((u[i] & 0xc0) != 0x80) { /* not UTF-8 after all: one byte, one column */
			*ret_width = 1;
			return 1;
		}
		code = code << 6 | (u[i] & 0x3f);
	}
	*ret_width = in_ranges(wide, sizeof(wide) / sizeof(*wide), code) ? 2 : 1;
	if (in_ranges(combining, sizeof(combining) / sizeof(*combining), code))
		*ret_width = 0;
	return len;
}

size_t table_width(const char *text)
{
	size_t total = 0, width;

	for (const char *p = text; *p; total += width)
		p += character(p, &width);
	return total;
}

int table_visible(struct buf *out, const char *text, size_t max)
{
	size_t start = out->len;
	int rc = 0;

	for (;;) {
		const char *slash = strchr(text, '\\');
		size_t len = slash ? (size_t)(slash - text) : strlen(text), used = out->len - start;
		if (used >= max)
			return rc;
		rc = text_visible(out, text, len, max - used);
		if (rc || !slash || out->len - start >= max)
			return rc;
		rc = buf_putc(out, '\\');
		if (rc)
			return rc;
		text = slash + 1;
	}
}

/* ---- values ---- */

static int put_text(struct buf *out, const char *text, bool visible)
{
	size_t room = out->len < TABLE_CELL_MAX ? TABLE_CELL_MAX - out->len : 0;

	if (!room)
		return 0;
	return visible ? table_visible(out, text, room)
		       : text_visible(out, text, strlen(text), room);
}

static int put_value(struct buf *out, const json_t *value, bool visible);

static int put_list(struct buf *out, const json_t *list, bool visible)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < json_array_size(list) && out->len < TABLE_CELL_MAX; i++) {
		rc = i ? buf_putc(out, ',') : 0;
		if (!rc)
			rc = put_value(out, json_array_get(list, i), visible);
	}
	return rc;
}

static int put_value(struct buf *out, const json_t *value, bool visible)
{
	switch (json_typeof(value)) {
	case JSON_STRING: return put_text(out, json_string_value(value), visible);
	case JSON_INTEGER:
		return buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	case JSON_REAL: return buf_printf(out, "%g", json_real_value(value));
	case JSON_TRUE: return buf_puts(out, "yes");
	case JSON_FALSE: return buf_puts(out, "no");
	case JSON_ARRAY: return put_list(out, value, visible);
	default: return 0;
	}
}

static char *cell(const json_t *object, const struct table_column *column)
{
	BUF_CLEANUP struct buf out = BUF_INIT(16 * TABLE_CELL_MAX);
	const json_t *value = json_object_get(object, column->key);

	if (value && put_value(&out, value, column->visible))
		return NULL;
	return out.len ? text_dup(buf_data(&out), out.len) : text_dup("-", 1);
}

/* ---- rows ---- */

static void cells_release(struct cells *cells)
{
	for (size_t i = 0; cells->text && i < cells->rows * cells->columns; i++)
		free(cells->text[i]);
	free(cells->text);
}

static int cells_fill(struct cells *cells, const json_t *rows, const struct table_column *columns)
{
	cells->rows = json_array_size(rows);
	cells->text = calloc(cells->rows * cells->columns + 1, sizeof(*cells->text));
	if (!cells->text)
		return -ENOMEM;
	for (size_t c = 0; c < cells->columns; c++)
		cells->width[c] = table_width(columns[c].header);
	for (size_t r = 0; r < cells->rows; r++)
		for (size_t c = 0; c < cells->columns; c++) {
			char *text = cell(json_array_get(rows, r), &columns[c]);
			if (!text)
				return -ENOMEM;
			cells->text[r * cells->columns + c] = text;
			size_t width = table_width(text);
			if (width > cells->width[c])
				cells->width[c] = width;
		}
	return 0;
}

/* Takes columns from the widest until the line fits. */
static void cells_fit(struct cells *cells, unsigned width)
{
	size_t total = (cells->columns - 1) * GAP;

	for (size_t c = 0; c < cells->columns; c++)
		total += cells->width[c];
	while (width && total > width) {
		size_t widest = 0;
		for (size_t c = 1; c < cells->columns; c++)
			if (cells->width[c] >= cells->width[widest])
				widest = c;
		if (cells->width[widest] <= COLUMN_MIN)
			return;
		cells->width[widest]--;
		total--;
	}
}

/* text cut to width columns, then blanks up to it unless it is the last of the line. */
static int put_cell(struct buf *out, const char *text, size_t width, bool last)
{
	bool cut = table_width(text) > width;
	size_t room = cut ? width - 1 : width, used = 0, w;
	int rc = 0;

	for (const char *p = text; !rc && *p; used += w) {
		size_t len = character(p, &w);
		if (used + w > room)
			break;
		rc = buf_put(out, p, len);
		p += len;
	}
	if (!rc && cut) {
		rc = buf_puts(out, "…");
		used++;
	}
	for (size_t blanks = last ? 0 : width - used + GAP; !rc && blanks; blanks--)
		rc = buf_putc(out, ' ');
	return rc;
}

static int put_header(
	const struct cells *cells, const struct table_column *columns, bool bold, struct buf *out)
{
	int rc = bold ? buf_puts(out, BOLD) : 0;

	for (size_t c = 0; !rc && c < cells->columns; c++)
		rc = put_cell(out, columns[c].header, cells->width[c], c + 1 == cells->columns);
	return rc ? rc : buf_puts(out, bold ? PLAIN "\n" : "\n");
}

int table_rows(const json_t *rows, const struct table_column *columns,
	const struct table_style *style, struct buf *out)
{
	struct cells cells = { 0 };

	while (cells.columns < TABLE_COLUMNS_MAX && columns[cells.columns].key)
		cells.columns++;
	int rc = cells_fill(&cells, rows, columns);
	if (!rc) {
		cells_fit(&cells, style->width);
		rc = put_header(&cells, columns, style->bold, out);
	}
	for (size_t i = 0; !rc && i < cells.rows * cells.columns; i++) {
		size_t c = i % cells.columns;
		bool last = c + 1 == cells.columns;
		rc = put_cell(out, cells.text[i], cells.width[c], last);
		if (!rc && last)
			rc = buf_putc(out, '\n');
	}
	cells_release(&cells);
	return rc;
}

int table_fields(const json_t *object, const struct table_column *columns,
	const struct table_style *style, struct buf *out)
{
	size_t label = 0;
	int rc = 0;

	for (const struct table_column *c = columns; c->key; c++)
		if (json_object_get(object, c->key) && strlen(c->header) > label)
			label = strlen(c->header);
	for (const struct table_column *c = columns; !rc && c->key; c++) {
		if (!json_object_get(object, c->key))
			continue;
		FREE_CLEANUP char *text = cell(object, c);
		rc = !text ? -ENOMEM
			   : buf_printf(out, "%s%-*s%s  ", style->bold ? BOLD : "", (int)label,
				     c->header, style->bold ? PLAIN : "");
		if (!rc)
			rc = buf_puts(out, text);
		if (!rc)
			rc = buf_putc(out, '\n');
	}
	return rc;
}
