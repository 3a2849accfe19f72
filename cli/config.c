/* bartizan config check|dump: the configuration as the gateway would read it, whole or not at all.
 */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>

#include "policy/config.h"
#include "policy/guard.h"

static const struct arg_row no_options[] = { { 0 } };

/* The configuration in FILE or the one that --config names. NULL: *ret_status is the exit status.
 */
static struct config *load(
	const struct cli *cli, char *const *argv, const char **ret_path, int *ret_status)
{
	struct args_list words;
	struct config *config = NULL;
	struct err err = { "" };

	if (!cli_args(cli, no_options, argv, NULL, &words, 0, 1)) {
		*ret_status = CLI_USAGE;
		return NULL;
	}
	*ret_path = words.count ? words.items[0] : cli->config;
	struct files *files = files_from_disk();
	if (!files || config_load(files, *ret_path, &config, &err)) {
		cli_error("%s", files ? err.text : "out of memory");
		*ret_status = CLI_FAILED;
	}
	files_free(files);
	return config;
}

/* On stderr, and no error: the configuration means something, if not all that was meant. */
static void put_warning(unsigned line, unsigned column, const char *text, void *arg)
{
	const char *path = arg;

	cli_error("warning: %s:%u:%u: %s", path, line, column, text);
}

int cli_run_config_check(const struct cli *cli, char *const *argv)
{
	int status = CLI_OK;
	const char *path;
	struct config *config = load(cli, argv, &path, &status);

	if (!config)
		return status;
	if (guards_warn(ruleset_guards(config->ruleset), put_warning, (void *)path))
		status = cli_error("out of memory");
	printf("%s: ok, %zu targets, %zu rules\n", path, targets_count(config->targets),
		ruleset_count(config->ruleset));
	config_free(config);
	return status;
}

int cli_run_config_dump(const struct cli *cli, char *const *argv)
{
	BUF_CLEANUP struct buf out = BUF_INIT(CONFIG_DUMP_MAX);
	int status = CLI_OK;
	const char *path;
	struct config *config = load(cli, argv, &path, &status);

	if (!config)
		return status;
	status = config_dump(config, &out) ? cli_error("the configuration could not be printed")
					   : cli_put(&out);
	config_free(config);
	return status;
}
