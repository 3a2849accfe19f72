/* How a command answers: text, errors, lists, the end. All output made here is harmless to a
 * terminal. */
#include "server/broker/command/impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void command_put(struct caller *caller, int stream, const struct buf *buf)
{
	if (!caller->gone && buf->len)
		caller->ops->output(caller, stream, buf_data(buf), buf->len);
}

void command_out(struct caller *caller, const char *fmt, ...)
{
	char text[4096];
	va_list ap;

	va_start(ap, fmt);
	int len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (len > 0 && !caller->gone)
		caller->ops->output(caller, 1, text,
			(size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1);
}

static void error_text(struct caller *caller, const char *fmt, va_list ap)
{
	char text[2048];
	BUF_CLEANUP struct buf line = BUF_INIT(16384);

	vsnprintf(text, sizeof(text), fmt, ap);
	if (!buf_puts(&line, "bartizan: ") && !table_visible(&line, text, 8192) &&
		!buf_putc(&line, '\n'))
		command_put(caller, 2, &line);
}

void command_error(struct caller *caller, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	error_text(caller, fmt, ap);
	va_end(ap);
}

void command_exit(struct caller *caller, unsigned status)
{
	if (!caller->gone)
		caller->ops->exit(caller, status);
}

void command_fail(struct caller *caller, unsigned status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	error_text(caller, fmt, ap);
	va_end(ap);
	command_exit(caller, status);
}

/* JSON is written in ASCII, so that it is harmless to a terminal. DEL is the only control character
 * that jansson does not escape. */
static int put_json(const json_t *rows, struct buf *out)
{
	char *text = json_dumps(rows, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	int rc = text ? 0 : -1;

	for (const char *p = text; !rc && p && *p;) {
		size_t len = strcspn(p, "\177");
		rc = buf_put(out, p, len);
		p += len;
		if (!rc && *p) {
			rc = buf_puts(out, "\\u007f");
			p++;
		}
	}
	free(text);
	return rc ? rc : buf_putc(out, '\n');
}

static struct table_style style_of(const struct caller *caller)
{
	return (struct table_style){ .width = caller->columns, .bold = caller->terminal };
}

static bool shown(struct caller *caller, int rc, const struct buf *out)
{
	if (rc)
		command_fail(caller, EXIT_GATEWAY, "the answer is too long; ask for less");
	else
		command_put(caller, 1, out);
	return !rc;
}

bool command_show_list(struct caller *caller, const struct command_args *args, json_t *rows,
	const struct table_column *columns)
{
	BUF_CLEANUP struct buf out = BUF_INIT(COMMAND_ANSWER_MAX);
	JSON_CLEANUP json_t *owned = rows;
	struct table_style style = style_of(caller);

	if (!owned) {
		command_fail(caller, EXIT_GATEWAY, "the answer could not be made");
		return false;
	}
	return shown(caller,
		args->json ? put_json(owned, &out) : table_rows(owned, columns, &style, &out),
		&out);
}

bool command_show_one(struct caller *caller, const struct command_args *args, json_t *object,
	const struct table_column *columns)
{
	BUF_CLEANUP struct buf out = BUF_INIT(COMMAND_ANSWER_MAX);
	JSON_CLEANUP json_t *rows = json_array();
	struct table_style style = style_of(caller);

	if (json_array_append_new(rows, object)) { /* takes the reference in any case; NULL fails */
		command_fail(caller, EXIT_GATEWAY, "the answer could not be made");
		return false;
	}
	return shown(caller,
		args->json || !columns
			? put_json(rows, &out)
			: table_fields(json_array_get(rows, 0), columns, &style, &out),
		&out);
}

void command_list(struct caller *caller, const struct command_args *args, json_t *rows,
	const struct table_column *columns)
{
	if (command_show_list(caller, args, rows, columns))
		command_exit(caller, 0);
}

void command_one(struct caller *caller, const struct command_args *args, json_t *object,
	const struct table_column *columns)
{
	if (command_show_one(caller, args, object, columns))
		command_exit(caller, 0);
}

json_t *command_strings(char *const *list)
{
	json_t *array = json_array();

	for (; array && list && *list; list++)
		if (json_array_append_new(array, json_visible(*list, strlen(*list)))) {
			json_decref(array);
			return NULL;
		}
	return array;
}
