/* bartizan: the command line. Its table of subcommands, the global options, and which row runs.
 *
 * Rows marked `gateway` are passed word by word to the running gateway over its control socket,
 * where the same table answers as over ssh; the others work on files and need no gateway. */
#include "cli/cli.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

#define GATEWAY cli_run_gateway, true

const struct cli_row cli_table[] = {
	{ "ca", "init", "[--dir DIR] [--force]", "create the keys of a new gateway",
		cli_run_ca_init, false },
	{ "config", "check", "[FILE]", "read a configuration as the gateway would",
		cli_run_config_check, false },
	{ "config", "dump", "[FILE]", "print every key with the value in force",
		cli_run_config_dump, false },
	{ "config", "ssh", "[--user USER] [--host HOST] [--port PORT] [--ssh-config|--known-hosts]",
		"print ssh_config and known_hosts for engineers", cli_run_config_ssh, false },
	{ "policy", "explain",
		"--user USER [--group GROUP]… --target TARGET --login LOGIN --kind KIND [--source "
		"ADDRESS] [--at TIME] [--command COMMAND] "
		"[--provider NAME] [--right RIGHT]… [--claim NAME=VALUE]… [--login-age DURATION] "
		"[--json]",
		"what the policy would decide, and why", cli_run_policy_explain, false },
	{ "policy", "guards", "[--show NAME] [--json]",
		"the guards of the configuration, and the presets that a guard may name",
		cli_run_policy_guards, false },
	{ "policy", "test", "FILE… [--json]", "run policy cases", cli_run_policy_test, false },
	{ "audit", "verify", "[--state-dir DIR] [--key FILE] [--json]",
		"check the audit chain and the transcripts, offline", cli_run_audit_verify, false },
	{ "audit", "tail", "[--lines N] [--json]", "the newest audit events", GATEWAY },
	{ "audit", "key", "", "the public key of the chain's checkpoints, to be kept elsewhere",
		GATEWAY },
	{ "cert", "issue",
		"--user USER [--group GROUP]… [--lifetime TIME] [--source-address LIST] [--no-pty] "
		"[--force-command COMMAND] --key FILE|-",
		"issue a user certificate for a public key", cli_run_cert_issue, true },
	{ "token", "check",
		"FILE|- --provider NAME --jwks FILE [--at TIME] [--userinfo FILE] [--nonce TEXT] "
		"[--max-age TIME] [--json], or "
		"FILE|- --jws --jwk FILE [--alg ALGORITHM]… [--json]",
		"whether the gateway accepts an ID token, and why", cli_run_token_check, false },
	{ "login", NULL,
		"[--gateway HOST[:PORT]] [--issuer URL --client-id ID [--ca-file FILE] [--scope "
		"SCOPE]…] [--user USER] [--max-age TIME] "
		"[--wait TIME] [--callback-port PORT] "
		"[--device|--no-browser] [--out FILE] [--client-config FILE] [--ssh-config FILE], "
		"or --status [--json]",
		"log in from a laptop: a new key and its certificate in ssh-agent", cli_run_login,
		false },
	{ "logout", NULL, "[--gateway HOST[:PORT]] [--client-config FILE] [--ssh-config FILE]",
		"end this laptop's login", cli_run_logout, false },
	{ "whoami", NULL, "[--json]", "who you are to the gateway", GATEWAY },
	{ "targets", NULL, "[--crypto] [--json]",
		"the targets that you may reach; or how they were last connected to", GATEWAY },
	{ "sessions", NULL, "[ls|show ID|kill ID] …", "list, show and end sessions", GATEWAY },
	{ "replay", NULL, "ID[/CHANNEL]|FILE.cast [--speed N] [--idle TIME] [--from TIME] [--text]",
		"play a transcript", cli_run_replay, true },
	{ "evidence", NULL, "ID [--json]", "how both legs of a session were secured", GATEWAY },
	{ "requests", NULL, "[--all] [--mine] [--watch] [--json], show ID, revoke ID",
		"requests for approval", GATEWAY },
	{ "approve", NULL, "ID [--for TIME] [--uses N] [--note TEXT] [--json]",
		"vote for a request", GATEWAY },
	{ "deny", NULL, "ID --reason TEXT [--json]", "deny a request", GATEWAY },
	{ "cancel", NULL, "ID [--reason TEXT] [--json]", "withdraw a request", GATEWAY },
	{ "extend", NULL, "ID --for TIME [--json]", "let an approval last longer", GATEWAY },
	{ "reviews", NULL, "[--all] [--json], sign ID --note TEXT", "sessions that broke the glass",
		GATEWAY },
	{ "hosts", "scan", "TARGET[:PORT] [--json]",
		"read a target's host keys, to be checked and pinned", GATEWAY },
	{ "revoke", NULL,
		"--user USER|--serial N [--ca SHA256:…]|--key SHA256:…|--key-id ID [--ca "
		"SHA256:…]|--session ID [--reason TEXT] "
		"[--until TIME|--for TIME] [--json], or REQUEST [--reason TEXT] [--json]",
		"keep somebody or something out from now on; or take an approval back", GATEWAY },
	{ "revoked", NULL, "[--all] [--json]", "what is revoked", GATEWAY },
	{ "unrevoke", NULL, "ID", "end a revocation", GATEWAY },
	{ "status", NULL, "[--json]",
		"version, configuration in force, what is live; on a laptop: its logins",
		cli_run_status, true },
	{ "help", NULL, "[COMMAND…]", "this list, or one command", cli_run_help, false },
	{ "version", NULL, "", "the version", cli_run_version, false },
	{ 0 },
};

/* "--config X", "--config=X": takes it from argv at *i. 1: taken; 0: another word; -1: its value is
 * missing. */
static int take(char **argv, int *i, const char *name, const char **ret)
{
	size_t len = strlen(name);

	if (strncmp(argv[*i], name, len))
		return 0;
	if (argv[*i][len] == '=') {
		*ret = argv[*i] + len + 1;
		return 1;
	}
	if (argv[*i][len])
		return 0;
	if (!argv[*i + 1])
		return -1;
	*ret = argv[++*i];
	return 1;
}

static int take_global(struct cli *cli, char **argv, int *i)
{
	int rc = take(argv, i, "--config", &cli->config);

	if (rc) {
		cli->config_given = true;
		return rc;
	}
	rc = take(argv, i, "--socket", &cli->socket);
	return rc ? rc : take(argv, i, "--control-socket", &cli->socket);
}

/* Global options may appear anywhere before `--`: they are taken out, the other words stay in
 * order. */
static int globals(struct cli *cli, char **argv)
{
	int to = 0;

	for (int i = 0; argv[i]; i++) {
		if (!strcmp(argv[i], "--")) {
			while (argv[i])
				argv[to++] = argv[i++];
			break;
		}
		const char *word = argv[i];
		int rc = take_global(cli, argv, &i);
		if (rc < 0) {
			cli_error("option '%s' needs a value", word);
			return CLI_USAGE;
		}
		if (!rc)
			argv[to++] = argv[i];
	}
	argv[to] = NULL;
	return CLI_OK;
}

/* *ret_used words of argv name the row. NULL: none. */
static const struct cli_row *find(char *const *argv, size_t *ret_used)
{
	for (const struct cli_row *row = cli_table; row->name; row++) {
		if (strcmp(row->name, argv[0]) ||
			(row->sub && (!argv[1] || strcmp(row->sub, argv[1]))))
			continue;
		*ret_used = row->sub ? 2 : 1;
		return row;
	}
	return NULL;
}

static int unknown(char *const *argv)
{
	bool known = false;

	for (const struct cli_row *row = cli_table; row->name; row++)
		if (!strcmp(row->name, argv[0])) {
			known = true;
			fprintf(stderr, "usage: bartizan %s %s %s\n", row->name, row->sub,
				row->usage);
		}
	if (known)
		cli_error("'%s' needs one of these", argv[0]);
	else
		cli_error("unknown command '%s'; 'bartizan help' lists what there is", argv[0]);
	return CLI_USAGE;
}

static bool wants_help(char *const *argv)
{
	for (; *argv && strcmp(*argv, "--"); argv++)
		if (!strcmp(*argv, "--help") || !strcmp(*argv, "-h"))
			return true;
	return false;
}

static int dispatch(struct cli *cli, char **argv)
{
	size_t used = 0;

	if (!argv[0] || !strcmp(argv[0], "--help") || !strcmp(argv[0], "-h"))
		return cli_run_help(cli, argv[0] ? argv + 1 : argv);
	if (!strcmp(argv[0], "--version"))
		return cli_run_version(cli, argv + 1);
	cli->row = find(argv, &used);
	if (!cli->row)
		return unknown(argv);
	if (wants_help(argv + used)) {
		argv[used] = NULL;
		return cli_run_help(cli, argv);
	}
	return cli->row->run(cli, cli->row->run == cli_run_gateway ? argv : argv + used);
}

int main(int argc, char **argv)
{
	struct cli cli = { .config = getenv("BARTIZAN_CONFIG") };

	cli.config_given = cli.config != NULL;
	if (!cli.config)
		cli.config = CLI_CONFIG;
	log_setup("bartizan", LOG_WARNING_);
	signal(SIGPIPE, SIG_DFL);
	int rc = argc > 0 ? globals(&cli, argv + 1) : CLI_USAGE;
	return rc ? rc : dispatch(&cli, argv + 1);
}
