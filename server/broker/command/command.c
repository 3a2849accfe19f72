/* The table of the gateway's own commands, and how one is found, checked and run. See command.h.
 *
 * A row is the whole interface of a command: a new one needs a row here and a handler in a file of
 * this folder. Rights are checked here, before a handler runs; commands on things that the caller
 * may own check once more (sessions: command_session; requests: server/broker/approval/vote.c). */
#include "server/broker/command/command.h"

#include <errno.h>
#include <string.h>

#include "common/version.h"
#include "server/broker/command/impl.h"

#define OPT(n, t, f)                                         \
	{                                                    \
		n, t, offsetof(struct command_args, f), 0, 0 \
	}
#define NUM(n, t, f, low, high)                                   \
	{                                                         \
		n, t, offsetof(struct command_args, f), low, high \
	}
#define JSON OPT("json", ARG_FLAG, json)
#define END                             \
	{                               \
		NULL, ARG_FLAG, 0, 0, 0 \
	}

static const struct arg_row no_options[] = { END };
static const struct arg_row json_options[] = { JSON, END };
static const struct arg_row list_options[] = {
	JSON,
	OPT("all", ARG_FLAG, all),
	OPT("mine", ARG_FLAG, mine),
	OPT("open", ARG_FLAG, open),
	OPT("user", ARG_TEXT, user),
	OPT("target", ARG_TEXT, target),
	NUM("limit", ARG_INT, limit, 1, COMMAND_LIST_MAX),
	END,
};
static const struct arg_row targets_options[] = { JSON, OPT("crypto", ARG_FLAG, crypto), END };
static const struct arg_row show_options[] = { JSON, OPT("channels", ARG_FLAG, channels), END };
static const struct arg_row kill_options[] = { OPT("reason", ARG_TEXT, reason), END };
static const struct arg_row replay_options[] = {
	NUM("speed", ARG_MILLI, speed, 0, COMMAND_SPEED_MAX_MILLI),
	OPT("idle", ARG_DURATION, idle),
	OPT("from", ARG_DURATION, from),
	OPT("text", ARG_FLAG, text),
	END,
};
static const struct arg_row audit_options[] = { JSON,
	NUM("lines", ARG_INT, lines, 1, COMMAND_LIST_MAX), END };
static const struct arg_row issue_options[] = {
	OPT("user", ARG_TEXT, user),
	OPT("group", ARG_LIST, groups),
	NUM("lifetime", ARG_DURATION, lifetime, 1000, COMMAND_LIFETIME_MAX_MS),
	OPT("source-address", ARG_TEXT, source_address),
	OPT("no-pty", ARG_FLAG, no_pty),
	OPT("force-command", ARG_TEXT, force_command),
	OPT("public-key", ARG_TEXT, public_key),
	END,
};

static const struct arg_row login_options[] = { JSON, OPT("token", ARG_FLAG, token), END };
static const struct arg_row revoke_options[] = {
	JSON,
	OPT("user", ARG_TEXT, user),
	OPT("serial", ARG_TEXT, serial),
	OPT("ca", ARG_TEXT, ca),
	OPT("key", ARG_TEXT, key),
	OPT("key-id", ARG_TEXT, key_id),
	OPT("session", ARG_TEXT, session),
	OPT("reason", ARG_TEXT, reason),
	OPT("until", ARG_TEXT, until),
	NUM("for", ARG_DURATION, for_ms, 1000, COMMAND_REVOKE_MAX_MS),
	END,
};
static const struct arg_row revoked_options[] = { JSON, OPT("all", ARG_FLAG, all), END };
static const struct arg_row requests_options[] = {
	JSON,
	OPT("all", ARG_FLAG, all),
	OPT("mine", ARG_FLAG, mine),
	OPT("watch", ARG_FLAG, watch),
	NUM("limit", ARG_INT, limit, 1, COMMAND_LIST_MAX),
	END,
};
static const struct arg_row request_options[] = {
	JSON,
	OPT("kind", ARG_TEXT, kind),
	OPT("login", ARG_TEXT, login),
	OPT("command", ARG_TEXT, command),
	NUM("for", ARG_DURATION, for_ms, 1000, COMMAND_FOR_MAX_MS),
	OPT("reason", ARG_TEXT, reason),
	END,
};
static const struct arg_row approve_options[] = {
	JSON,
	NUM("for", ARG_DURATION, for_ms, 1000, COMMAND_FOR_MAX_MS),
	NUM("uses", ARG_INT, uses, 1, COMMAND_USES_MAX),
	OPT("note", ARG_TEXT, note),
	END,
};
static const struct arg_row extend_options[] = { JSON,
	NUM("for", ARG_DURATION, for_ms, 1000, COMMAND_FOR_MAX_MS), END };
static const struct arg_row reason_options[] = { JSON, OPT("reason", ARG_TEXT, reason), END };
static const struct arg_row note_options[] = { OPT("note", ARG_TEXT, note), END };
static const struct arg_row glass_options[] = { OPT("reason", ARG_TEXT, reason), END };
static const struct arg_row reviews_options[] = { JSON, OPT("all", ARG_FLAG, all), END };

#define REQUESTS_USAGE "[--all] [--mine] [--watch] [--limit N] [--json]"
#define REQUEST_USAGE                                                                          \
	"TARGET --kind KIND [--login LOGIN] [--command COMMAND] [--for TIME] [--reason TEXT] " \
	"[--json]"

#define LS_USAGE "[--all|--mine] [--open] [--user USER] [--target TARGET] [--limit N] [--json]"

const struct command command_table[] = {
	{ "help", NULL, "[COMMAND…]", "this list, or how one command is used", 0, no_options, 0, 2,
		command_run_help },
	{ "whoami", NULL, "[--json]", "who you are here, and until when", 0, json_options, 0, 0,
		command_run_whoami },
	{ "login", NULL, "[--json]|--token < TOKEN",
		"print the certificate of your login; or exchange a workload's token for one", 0,
		login_options, 0, 0, command_run_login },
	{ "logout", NULL, "",
		"forget the login of this key; its certificates are refused from now on", 0,
		no_options, 0, 0, command_run_logout },
	{ "targets", NULL, "[--crypto] [--json]",
		"the targets that you may reach; or how they were last connected to", 0,
		targets_options, 0, 0, command_run_targets },
	{ "sessions", NULL, LS_USAGE, "your sessions, newest first", 0, list_options, 0, 0,
		command_run_sessions },
	{ "sessions", "ls", LS_USAGE, "the same; everybody's with the right 'sessions'", 0,
		list_options, 0, 0, command_run_sessions },
	{ "sessions", "show", "ID [--channels] [--json]", "one session: channels, bytes, evidence",
		0, show_options, 1, 1, command_run_show },
	{ "sessions", "kill", "ID [--reason TEXT]", "end a live session", 0, kill_options, 1, 1,
		command_run_kill },
	{ "replay", NULL, "ID[/CHANNEL] [--speed N] [--idle TIME] [--from TIME] [--text]",
		"play a transcript", 0, replay_options, 1, 1, command_run_replay },
	{ "evidence", NULL, "ID [--json]", "how both legs of a session were secured", 0,
		json_options, 1, 1, command_run_evidence },
	{ "requests", NULL, REQUESTS_USAGE,
		"requests for approval: yours, and those that you may decide", 0, requests_options,
		0, 0, command_run_requests },
	{ "requests", "show", "ID [--json]", "one request", 0, json_options, 1, 1,
		command_run_requests_show },
	{ "requests", "revoke", "ID [--reason TEXT] [--json]",
		"take an approval back, and end what it opened", 0, reason_options, 1, 1,
		command_revoke_approval },
	{ "request", NULL, REQUEST_USAGE, "ask for an approval ahead", 0, request_options, 1, 1,
		command_run_request },
	{ "approve", NULL, "ID [--for TIME] [--uses N] [--note TEXT] [--json]",
		"vote for a request", 0, approve_options, 1, 1, command_run_approve },
	{ "deny", NULL, "ID --reason TEXT [--json]", "deny a request", 0, reason_options, 1, 1,
		command_run_deny },
	{ "cancel", NULL, "ID [--reason TEXT] [--json]", "withdraw your own request", 0,
		reason_options, 1, 1, command_run_cancel },
	{ "extend", NULL, "ID --for TIME [--json]", "let an approval last longer", 0,
		extend_options, 1, 1, command_run_extend },
	{ "break-glass", NULL, "TARGET --reason TEXT",
		"say why, before a session that breaks the glass without a terminal", 0,
		glass_options, 1, 1, command_run_break_glass },
	{ "reviews", NULL, "[--all] [--json]",
		"sessions that broke the glass and wait for a signature", 0, reviews_options, 0, 0,
		command_run_reviews },
	{ "reviews", "sign", "ID --note TEXT", "sign a review of somebody else's session", 0,
		note_options, 1, 1, command_run_reviews_sign },
	{ "audit", "tail", "[--lines N] [--json]", "the newest audit events", MAY_AUDIT,
		audit_options, 0, 0, command_run_audit },
	{ "audit", "key", "", "the public key of the chain's checkpoints, to be kept elsewhere",
		MAY_AUDIT, no_options, 0, 0, command_run_audit_key },
	{ "hosts", "scan", "TARGET[:PORT] [--json]",
		"read a target's host keys, to be checked and pinned", MAY_HOSTS, json_options, 1,
		1, command_run_scan },
	{ "cert", "issue",
		"--user USER [--group GROUP]… [--lifetime TIME] [--source-address LIST] [--no-pty] "
		"[--force-command COMMAND] --public-key LINE",
		"issue a user certificate", COMMAND_LOCAL, issue_options, 0, 0, command_run_issue },
	{ "revoke", NULL,
		"--user USER|--serial N [--ca SHA256:…]|--key SHA256:…|--key-id ID [--ca "
		"SHA256:…]|--session ID [--reason TEXT] "
		"[--until TIME|--for TIME] [--json], or REQUEST [--reason TEXT] [--json]",
		"keep somebody or something out from now on; or take an approval back", 0,
		revoke_options, 0, 1, command_run_revoke },
	{ "revoked", NULL, "[--all] [--json]", "what is revoked", MAY_REVOKE, revoked_options, 0, 0,
		command_run_revoked },
	{ "unrevoke", NULL, "ID", "end a revocation", MAY_REVOKE, no_options, 1, 1,
		command_run_unrevoke },
	{ "status", NULL, "[--json]", "version, configuration in force, what is live",
		COMMAND_LOCAL, json_options, 0, 0, command_run_status },
	{ "version", NULL, "", "the gateway's version", 0, no_options, 0, 0, command_run_version },
	{ 0 },
};

/* ---- finding ---- */

/* The row for argv; *ret_used words of it are the command's name. NULL: none. */
static const struct command *find(char *const *argv, size_t *ret_used)
{
	const struct command *bare = NULL;

	for (const struct command *row = command_table; row->name; row++) {
		if (strcmp(row->name, argv[0]))
			continue;
		if (!row->sub) {
			bare = row;
		} else if (argv[1] && !strcmp(row->sub, argv[1])) {
			*ret_used = 2;
			return row;
		}
	}
	*ret_used = 1;
	return bare;
}

bool command_allowed(const struct caller *caller, const struct command *command)
{
	if (command->right & COMMAND_LOCAL)
		return caller->local;
	return (caller->may & command->right) == command->right;
}

const char *command_right_name(unsigned right)
{
	return right & COMMAND_LOCAL ? "the machine's control socket" : may_name((enum may)right);
}

static void usage_line(struct caller *caller, int stream, const struct command *row)
{
	BUF_CLEANUP struct buf line = BUF_INIT(4096);

	if (!buf_printf(&line, "usage: %s%s%s %s\n", row->name, row->sub ? " " : "",
		    row->sub ? row->sub : "", row->usage))
		command_put(caller, stream, &line);
}

bool command_known(char *const *argv)
{
	for (const struct command *row = command_table; argv && argv[0] && row->name; row++)
		if (!strcmp(row->name, argv[0]))
			return true;
	return false;
}

/* No row matches: lists those that nearly do. */
static void unknown(struct caller *caller, char *const *argv)
{
	bool known = false;

	for (const struct command *row = command_table; row->name; row++)
		if (!strcmp(row->name, argv[0])) {
			known = true;
			usage_line(caller, 2, row);
		}
	if (known)
		command_fail(caller, 2, "'%s' needs one of these", argv[0]);
	else
		command_fail(
			caller, 2, "unknown command '%s'; 'help' lists what there is", argv[0]);
}

static bool wants_help(char *const *argv)
{
	for (; *argv && strcmp(*argv, "--"); argv++)
		if (!strcmp(*argv, "--help") || !strcmp(*argv, "-h"))
			return true;
	return false;
}

static void refuse(struct caller *caller, const struct command *row)
{
	const char *sub = row->sub ? row->sub : "";

	if (row->right & COMMAND_LOCAL)
		command_fail(caller, EXIT_DENIED,
			"'%s%s%s' answers on the gateway's own machine only", row->name,
			*sub ? " " : "", sub);
	else
		command_fail(caller, EXIT_DENIED,
			"'%s%s%s' needs the right '%s' (may: of one of your roles)", row->name,
			*sub ? " " : "", sub, command_right_name(row->right));
}

static void run_row(struct caller *caller, const struct command *row, char *const *argv)
{
	struct command_args args = { .limit = 50, .lines = 20, .speed = -1 };
	struct err err = { "" };

	if (wants_help(argv)) {
		usage_line(caller, 1, row);
		command_out(caller, "%s\n", row->help);
		command_exit(caller, 0);
		return;
	}
	if (!command_allowed(caller, row)) {
		refuse(caller, row);
		return;
	}
	int rc = args_parse(row->options, argv, &args, &args.words, &err);
	if (!rc && args.words.count < row->words_min)
		rc = err_set(&err, -EINVAL, "%.*s is missing", (int)strcspn(row->usage, " ["),
			row->usage);
	if (!rc && args.words.count > row->words_max)
		rc = err_set(&err, -EINVAL, "unexpected argument '%.200s'",
			args.words.items[row->words_max]);
	if (rc) {
		command_error(caller, "%s", err.text);
		usage_line(caller, 2, row);
		command_exit(caller, 2);
		return;
	}
	row->run(caller, &args);
}

void command_run(struct caller *caller, char *const *argv)
{
	static char *const help[] = { (char *)"help", NULL };
	size_t used, count = 0;

	if (!argv || !argv[0])
		argv = help;
	while (count <= COMMAND_ARGS_MAX && argv[count])
		count++;
	if (count > COMMAND_ARGS_MAX) {
		command_fail(caller, 2, "the command has more than %d words", COMMAND_ARGS_MAX);
		return;
	}
	const struct command *row = find(argv, &used);
	if (row)
		run_row(caller, row, argv + used);
	else
		unknown(caller, argv);
}

/* ---- the two smallest ---- */

static void help_one(struct caller *caller, const struct args_list *words)
{
	bool found = false;

	for (const struct command *row = command_table; row->name; row++) {
		if (strcmp(row->name, words->items[0]) ||
			(words->items[1] && (!row->sub || strcmp(row->sub, words->items[1]))))
			continue;
		found = true;
		usage_line(caller, 1, row);
		command_out(caller, "    %s\n", row->help);
		if (row->right)
			command_out(caller, "    needs %s%s\n",
				row->right & COMMAND_LOCAL ? "" : "the right ",
				command_right_name(row->right));
	}
	if (!found)
		command_fail(caller, 2, "unknown command '%s'", words->items[0]);
	else
		command_exit(caller, 0);
}

void command_run_help(struct caller *caller, const struct command_args *args)
{
	if (args->words.count) {
		help_one(caller, &args->words);
		return;
	}
	command_out(caller, "commands of the gateway that you may use:\n");
	for (const struct command *row = command_table; row->name; row++) {
		char name[64];
		snprintf(name, sizeof(name), "%s%s%s", row->name, row->sub ? " " : "",
			row->sub ? row->sub : "");
		if (command_allowed(caller, row))
			command_out(caller, "  %-14s  %s\n", name, row->help);
	}
	command_out(caller, "'help COMMAND' tells how a command is used.\n");
	command_exit(caller, 0);
}

void command_run_version(struct caller *caller, const struct command_args *args)
{
	(void)args;
	command_out(caller, "bartizand %s\n", BARTIZAN_VERSION);
	command_exit(caller, 0);
}
