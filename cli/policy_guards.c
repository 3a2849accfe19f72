/* bartizan policy guards: the guards of the configuration and the presets that come with the
 * program, as a list, or one of them in full. Presets are shown where there is no configuration,
 * too. */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy/config.h"
#include "policy/guard.h"
#include "policy/preset.h"

struct options {
	const char *show;
	bool json;
};

static const struct arg_row rows[] = {
	{ "show", ARG_TEXT, offsetof(struct options, show), 0, 0 },
	{ "json", ARG_FLAG, offsetof(struct options, json), 0, 0 },
	{ 0 },
};

static const struct table_column columns[] = {
	{ "name", "NAME", false },
	{ "kind", "KIND", false },
	{ "entries", "ENTRIES", false },
	{ "on_doubt", "ON DOUBT", false },
	{ "blind", "BLIND", false },
	{ "about", "ABOUT", true },
	{ 0 },
};

/* ---- the list ---- */

static size_t count_rows(const struct preset *preset)
{
	BUF_CLEANUP struct buf out = BUF_INIT(CLI_OUT_MAX);
	size_t count = 0;

	if (preset_dump(preset, &out))
		return 0;
	for (size_t i = 0; i < out.len; i++)
		count += buf_data(&out)[i] == '\n';
	return count ? count - 1 : 0;
}

static json_t *preset_row(const struct preset *preset)
{
	return json_pack("{s:s, s:s, s:I, s:n, s:n, s:s}", "name", preset->name, "kind", "preset",
		"entries", (json_int_t)count_rows(preset), "on_doubt", "blind", "about",
		preset->help);
}

static json_t *guard_row(const struct guard *guard)
{
	return json_pack("{s:s, s:s, s:I, s:s, s:s, s:s}", "name", guard_name(guard), "kind",
		"guard", "entries", (json_int_t)guard_entries(guard), "on_doubt",
		guard_verdict_name(guard_on_doubt(guard)), "blind",
		guard_verdict_name(guard_blind(guard)), "about", "");
}

static int list(const struct guards *guards, bool json)
{
	BUF_CLEANUP struct buf out = BUF_INIT(CLI_OUT_MAX);
	struct table_style style = cli_style();
	json_t *found = json_array();

	for (size_t i = 0; found && guards && i < guards_count(guards); i++)
		json_array_append_new(found, guard_row(guards_at(guards, i)));
	for (size_t i = 0; found && i < preset_count; i++)
		json_array_append_new(found, preset_row(&presets[i]));
	if (json)
		return cli_put_json(found);
	int status = !found || table_rows(found, columns, &style, &out) ? cli_error("out of memory")
									: cli_put(&out);
	json_decref(found);
	return status;
}

/* ---- one of them ---- */

static int put_shown(const struct options *options, const struct buf *text)
{
	if (!options->json)
		return cli_put(text);
	return cli_put_one(true,
		json_pack("{s:s, s:o}", "name", options->show, "text",
			json_stringn((const char *)buf_data(text), text->len)),
		columns);
}

static int show(const struct guards *guards, const struct options *options)
{
	BUF_CLEANUP struct buf out = BUF_INIT(CLI_OUT_MAX);
	const struct guard *guard = guards ? guards_find(guards, options->show) : NULL;
	size_t preset = preset_find(options->show);

	if (!guard && preset == preset_count)
		return cli_error("there is no guard and no preset '%.100s'", options->show);
	int rc = guard ? guard_dump(guard, &out) : 0;
	if (!rc && preset < preset_count)
		rc = preset_dump(&presets[preset], &out);
	return rc ? cli_error("out of memory") : put_shown(options, &out);
}

int cli_run_policy_guards(const struct cli *cli, char *const *argv)
{
	struct options options = { 0 };
	struct args_list words;
	struct config *config = NULL;
	struct err err = { "" };
	int status = CLI_OK;

	if (!cli_args(cli, rows, argv, &options, &words, 0, 0))
		return CLI_USAGE;
	bool here = cli->config_given || access(cli->config, F_OK) == 0;
	struct files *files = here ? files_from_disk() : NULL;
	if (here && (!files || config_load(files, cli->config, &config, &err)))
		status = cli_error("%s", files ? err.text : "out of memory");
	const struct guards *guards = config ? ruleset_guards(config->ruleset) : NULL;
	if (!status)
		status = options.show ? show(guards, &options) : list(guards, options.json);
	config_free(config);
	files_free(files);
	return status;
}
