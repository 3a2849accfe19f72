/* One pass over the lines: brackets outside quotes and comments, and a stack of indentations. See
 * yaml_scan.h. */
#include "conf/yaml_scan.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

struct scan {
	const uint8_t *data;
	size_t len;
	size_t at;
	size_t line_start;
	unsigned line;
	unsigned flow; /* open brackets */
	uint8_t quote; /* the open quote, or 0 */
	size_t indents[YAML_INDENTS_MAX];
	size_t indent_count;
};

static uint8_t peek(const struct scan *scan, size_t ahead)
{
	return scan->at + ahead < scan->len ? scan->data[scan->at + ahead] : '\n';
}

static bool blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int too_deep(const struct scan *scan, const char *name, const char *what, unsigned limit,
	struct err *err)
{
	return err_set(err, -EINVAL, "%s:%u:%zu: %s more than %u deep", name, scan->line,
		scan->at - scan->line_start + 1, what, limit);
}

/* Something begins at this column: ends the levels further right, and opens a new one unless there
 * is one at exactly this column. */
static bool indent(struct scan *scan)
{
	size_t column = scan->at - scan->line_start;

	while (scan->indent_count > 0 && scan->indents[scan->indent_count - 1] > column)
		scan->indent_count--;
	if (scan->indent_count > 0 && scan->indents[scan->indent_count - 1] == column)
		return true;
	if (scan->indent_count == YAML_INDENTS_MAX)
		return false;
	scan->indents[scan->indent_count++] = column;
	return true;
}

/* The beginning of a line in block context: spaces, then any number of "- ", "? " and ": ", each of
 * which may open a level. */
static int line_begin(struct scan *scan, const char *name, struct err *err)
{
	if (scan->flow > 0 || scan->quote)
		return 0;
	for (;;) {
		while (peek(scan, 0) == ' ' || peek(scan, 0) == '\t')
			scan->at++;
		uint8_t c = peek(scan, 0);
		if (c == '\n' || c == '\r' || c == '#')
			return 0;
		if (!indent(scan))
			return too_deep(scan, name, "lines are indented", YAML_INDENTS_MAX, err);
		if ((c != '-' && c != '?' && c != ':') || !blank(peek(scan, 1)))
			return 0;
		scan->at++;
	}
}

static void in_quotes(struct scan *scan, uint8_t c)
{
	if (c == '\\' && scan->quote == '"' && peek(scan, 1) != '\n')
		scan->at++;
	else if (c == scan->quote && c == '\'' && peek(scan, 1) == '\'')
		scan->at++;
	else if (c == scan->quote)
		scan->quote = 0;
}

/* A quote opens a quoted scalar only where a scalar may begin; elsewhere it is a character of plain
 * text ("it's"). */
static bool scalar_may_begin(const struct scan *scan)
{
	return scan->at == scan->line_start || blank(scan->data[scan->at - 1]) ||
	       strchr("[{,:", scan->data[scan->at - 1]);
}

static void skip_comment(struct scan *scan)
{
	const uint8_t *end = memchr(scan->data + scan->at, '\n', scan->len - scan->at);

	scan->at = end ? (size_t)(end - scan->data) - 1 : scan->len;
}

static int outside(struct scan *scan, uint8_t c, const char *name, struct err *err)
{
	if ((c == '"' || c == '\'') && scalar_may_begin(scan))
		scan->quote = c;
	else if (c == '#' && (scan->at == scan->line_start || blank(scan->data[scan->at - 1])))
		skip_comment(scan);
	else if ((c == '[' || c == '{') && ++scan->flow > YAML_DEPTH_MAX)
		return too_deep(scan, name, "brackets are nested", YAML_DEPTH_MAX, err);
	else if ((c == ']' || c == '}') && scan->flow > 0)
		scan->flow--;
	return 0;
}

int yaml_scan(const char *name, struct bytes text, struct err *err)
{
	struct scan scan = { .data = text.data, .len = text.len, .line = 1 };
	int rc = line_begin(&scan, name, err);

	for (; rc == 0 && scan.at < scan.len; scan.at++) {
		uint8_t c = scan.data[scan.at];
		if (c == '\n') {
			scan.line++;
			scan.line_start = ++scan.at;
			rc = line_begin(&scan, name, err);
			/* the loop steps over the character that line_begin stopped at */
			scan.at--;
		} else if (scan.quote) {
			in_quotes(&scan, c);
		} else {
			rc = outside(&scan, c, name, err);
		}
	}
	return rc;
}
