/* Output of subcommands: errors, usage, arguments, lists. */
#include "cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/fd.h"

int cli_error(const char *fmt, ...)
{
	char text[4096];
	BUF_CLEANUP struct buf line = BUF_INIT(32768);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!buf_puts(&line, "bartizan: ") && !table_visible(&line, text, 16384) &&
		!buf_putc(&line, '\n'))
		fd_write_all(STDERR_FILENO, buf_data(&line), line.len);
	return CLI_FAILED;
}

int cli_usage(const struct cli *cli, const char *why)
{
	if (why)
		cli_error("%s", why);
	fprintf(stderr, "usage: bartizan %s%s%s %s\n", cli->row->name, cli->row->sub ? " " : "",
		cli->row->sub ? cli->row->sub : "", cli->row->usage);
	return CLI_USAGE;
}

bool cli_args(const struct cli *cli, const struct arg_row *rows, char *const *argv, void *ret,
	struct args_list *words, size_t min, size_t max)
{
	struct err err = { "" };
	int rc = args_parse(rows, argv, ret, words, &err);

	if (!rc && words->count < min)
		rc = err_set(&err, -EINVAL, "%.*s is missing", (int)strcspn(cli->row->usage, " ["),
			cli->row->usage);
	if (!rc && words->count > max)
		rc = err_set(&err, -EINVAL, "unexpected argument '%.200s'", words->items[max]);
	if (rc)
		cli_usage(cli, err.text);
	return !rc;
}

struct table_style cli_style(void)
{
	const char *no_color = getenv("NO_COLOR");
	struct table_style style = { 0 };
	struct winsize size;

	if (!isatty(STDOUT_FILENO))
		return style;
	style.bold = !no_color || !*no_color;
	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size))
		style.width = size.ws_col;
	return style;
}

int cli_put(const struct buf *buf)
{
	int rc = buf->len ? fd_write_all(STDOUT_FILENO, buf_data(buf), buf->len) : 0;

	return rc ? cli_error("standard output: %s", strerror(-rc)) : CLI_OK;
}

int cli_put_json(json_t *rows)
{
	BUF_CLEANUP struct buf out = BUF_INIT(CLI_OUT_MAX);
	char *text = rows ? json_dumps(rows, JSON_INDENT(2) | JSON_ENSURE_ASCII) : NULL;
	int rc = text ? buf_printf(&out, "%s\n", text) : -ENOMEM;

	free(text);
	json_decref(rows);
	return rc ? cli_error("the answer could not be made") : cli_put(&out);
}

int cli_put_one(bool json, json_t *object, const struct table_column *columns)
{
	BUF_CLEANUP struct buf out = BUF_INIT(CLI_OUT_MAX);
	JSON_CLEANUP json_t *rows = json_array();
	struct table_style style = cli_style();

	if (json_array_append_new(rows, object))
		return cli_error("the answer could not be made");
	if (json)
		return cli_put_json(json_incref(rows));
	return table_fields(json_array_get(rows, 0), columns, &style, &out)
		       ? cli_error("the answer could not be made")
		       : cli_put(&out);
}
