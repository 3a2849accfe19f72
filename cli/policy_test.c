/* bartizan policy test: cases that are data only (policy/caserun.h), one line each, as `ok` or `not
 * ok`. */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/files.h"
#include "policy/caserun.h"

struct options {
	bool json;
};

static const struct arg_row rows[] = { { "json", ARG_FLAG, offsetof(struct options, json), 0, 0 },
	{ 0 } };

struct tally {
	const char *file;
	json_t *cases; /* NULL: lines are printed at once */
	unsigned good, bad;
};

static void print_case(const char *name, bool ok, const char *detail)
{
	BUF_CLEANUP struct buf line = BUF_INIT(65536);
	int rc = buf_printf(&line, "%s - ", ok ? "ok" : "not ok");

	if (!rc)
		rc = table_visible(&line, name, 1024);
	if (!rc && detail && *detail)
		rc = buf_puts(&line, ": ") || table_visible(&line, detail, 4096);
	if (!rc && !buf_putc(&line, '\n'))
		cli_put(&line);
}

static void on_case(const char *name, bool ok, const char *detail, void *arg)
{
	struct tally *tally = arg;

	*(ok ? &tally->good : &tally->bad) += 1;
	if (tally->cases)
		json_array_append_new(
			tally->cases, json_pack("{s:o, s:o, s:b, s:o}", "file",
					      json_visible(tally->file, strlen(tally->file)),
					      "name", json_visible(name, strlen(name)), "ok",
					      (int)ok, "detail", json_string_or_null(detail)));
	else
		print_case(name, ok, detail);
}

static bool run_file(const char *path, struct tally *tally)
{
	struct err err = { "" };
	struct files *files = files_from_disk();

	tally->file = path;
	int rc = files ? caserun(files, path, on_case, tally, &err)
		       : err_set(&err, -ENOMEM, "out of memory");
	files_free(files);
	if (rc < 0)
		cli_error("%s", err.text);
	return rc == 0;
}

int cli_run_policy_test(const struct cli *cli, char *const *argv)
{
	struct options options = { 0 };
	struct args_list words;

	if (!cli_args(cli, rows, argv, &options, &words, 1, ARGS_LIST_MAX))
		return CLI_USAGE;
	struct tally tally = { .cases = options.json ? json_array() : NULL };
	bool good = true;
	for (size_t i = 0; i < words.count; i++)
		good &= run_file(words.items[i], &tally);
	if (options.json)
		good &= cli_put_json(tally.cases) == CLI_OK;
	else
		printf("%u passed, %u failed\n", tally.good, tally.bad);
	return good && !tally.bad ? CLI_OK : CLI_FAILED;
}
