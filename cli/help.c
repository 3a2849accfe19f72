/* bartizan help [COMMAND…], bartizan version. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "common/version.h"

static void print_row(const struct cli_row *row)
{
	char name[64];

	snprintf(name, sizeof(name), "%s%s%s", row->name, row->sub ? " " : "",
		row->sub ? row->sub : "");
	printf("  %-16s  %s\n", name, row->help);
}

static int help_all(void)
{
	printf("usage: bartizan [--config FILE] [--socket PATH] COMMAND …\n\non files, without a "
	       "running gateway:\n");
	for (const struct cli_row *row = cli_table; row->name; row++)
		if (!row->gateway)
			print_row(row);
	printf("\nin the running gateway (also over ssh: 'ssh gw COMMAND'):\n");
	for (const struct cli_row *row = cli_table; row->name; row++)
		if (row->gateway)
			print_row(row);
	printf("\n'bartizan help COMMAND' tells how a command is used; the manual is "
	       "bartizan(1).\n");
	return CLI_OK;
}

int cli_run_help(const struct cli *cli, char *const *argv)
{
	bool found = false, gateway = false;

	if (!argv[0])
		return help_all();
	for (const struct cli_row *row = cli_table; row->name; row++) {
		if (strcmp(row->name, argv[0]) ||
			(argv[1] && row->sub && strcmp(row->sub, argv[1])))
			continue;
		found = true;
		gateway |= row->run == cli_run_gateway;
		printf("usage: bartizan %s%s%s %s\n    %s\n", row->name, row->sub ? " " : "",
			row->sub ? row->sub : "", row->usage, row->help);
	}
	if (!found) {
		cli_error("unknown command '%s'", argv[0]);
		return CLI_USAGE;
	}
	fflush(stdout);
	/* a newer gateway may know more commands than this program */
	if (gateway && cli_answers(cli)) {
		char *const ask[] = { (char *)"help", argv[0], argv[1], NULL };
		printf("\nthe gateway says:\n");
		fflush(stdout);
		return cli_ask(cli, ask);
	}
	return CLI_OK;
}

int cli_run_version(const struct cli *cli, char *const *argv)
{
	(void)cli;
	(void)argv;
	printf("bartizan %s\n", BARTIZAN_VERSION);
	return CLI_OK;
}
