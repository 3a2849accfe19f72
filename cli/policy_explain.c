/* bartizan policy explain: the real engine on the real files, without a gateway and without a network. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/fd.h"
#include "common/sshcert.h"
#include "common/text.h"
#include "policy/config.h"
#include "policy/decide.h"
#include "store/identities.h"

#define TRACE_MAX (4 * 1024 * 1024)

struct options {
	const char *user, *target, *login, *kind, *source, *at, *command, *provider;
	struct args_list groups, rights;
	bool json;
};

#define OPT(n, t, f)                                    \
	{                                               \
		n, t, offsetof(struct options, f), 0, 0 \
	}
static const struct arg_row rows[] = {
	OPT("user", ARG_TEXT, user),
	OPT("target", ARG_TEXT, target),
	OPT("login", ARG_TEXT, login),
	OPT("kind", ARG_TEXT, kind),
	OPT("source", ARG_TEXT, source),
	OPT("at", ARG_TEXT, at),
	OPT("command", ARG_TEXT, command),
	OPT("provider", ARG_TEXT, provider),
	OPT("group", ARG_LIST, groups),
	OPT("right", ARG_LIST, rights),
	OPT("json", ARG_FLAG, json),
	{ 0 },
};

static const struct {
	const char *name;
	unsigned right;
} right_names[] = {
	{ "pty", SSHCERT_PTY },
	{ "port-forwarding", SSHCERT_PORT_FORWARDING },
	{ "agent-forwarding", SSHCERT_AGENT_FORWARDING },
	{ "X11-forwarding", SSHCERT_X11_FORWARDING },
	{ "user-rc", SSHCERT_USER_RC },
};
#define RIGHTS (sizeof(right_names) / sizeof(*right_names))

static const struct table_column columns[] = {
	{ "decision", "decision", false },
	{ "rule", "rule", false },
	{ "reason", "reason", true },
	{ 0 },
};

/* ---- who ---- */

static int rights_of(const struct args_list *given, unsigned *ret, struct err *err)
{
	unsigned rights = 0, all = 0;
	for (size_t i = 0; i < RIGHTS; i++)
		all |= right_names[i].right;
	for (size_t g = 0; g < given->count; g++) {
		unsigned found = 0;
		for (size_t i = 0; i < RIGHTS; i++)
			if (!strcmp(given->items[g], right_names[i].name))
				found = right_names[i].right;
		if (!found)
			return err_set(err, -EINVAL, "option '--right': '%.100s' is not a right of a certificate", given->items[g]);
		rights |= found;
	}
	*ret = given->count ? rights : all;
	return 0;
}

/* The identity as the gateway last saw it; NULL when it never did. */
static struct identity *stored(const char *state_dir, const char *user)
{
	struct identity *who = NULL;
	struct store *store = NULL;
	struct err err = { "" };
	FD_CLEANUP int dir = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = dir < 0 ? -errno : store_open(dir, true, &store, &err);
	if (!rc)
		rc = identities_by_user(store, user, &who, &err);
	store_close(store);
	if (rc)
		cli_error(
			"groups of '%s' are not known here (%s): none is assumed; --group names them", user, err.text[0] ? err.text : strerror(-rc));
	return rc ? NULL : who;
}

static struct identity *given(const struct options *options)
{
	const struct identity who = {
		.user = (char *)options->user,
		.provider = (char *)(options->provider ? options->provider : "local"),
		.subject = (char *)options->user,
		.groups = (char **)options->groups.items,
		.group_count = options->groups.count,
		.key_id = (char *)"",
		.key_fp = (char *)"",
		.ca_fp = (char *)"",
		.expires = INT64_MAX,
	};
	return identity_copy(&who);
}

static struct identity *who_of(const struct options *options, const struct config *config)
{
	struct identity *who = options->groups.count ? NULL : stored(config->conf->state_dir, options->user);
	if (!who)
		who = given(options);
	if (who && !who->expires)
		who->expires = INT64_MAX;
	return who;
}

/* ---- what ---- */

static int access_of(const struct options *options, struct access *ret, struct err *err)
{
	struct access access = { .target = options->target, .login = options->login, .now = clock_wall() };
	if (!options->user || !options->target || !options->login || !options->kind)
		return err_set(err, -EINVAL, "'--user', '--target', '--login' and '--kind' are needed");
	if (!text_name_ok(options->user, strlen(options->user)))
		return err_set(err, -EINVAL, "option '--user': '%.255s' is not a user name", options->user);
	if (access_kind_parse(options->kind, &access.kind))
		return err_set(err, -EINVAL, "option '--kind': '%.100s' is not a kind of access", options->kind);
	if (options->source && addr_parse(options->source, &access.source, err))
		return err_prefix(err, -EINVAL, "option '--source'");
	if (options->at && clock_parse(options->at, &access.now, err))
		return err_prefix(err, -EINVAL, "option '--at'");
	if (options->command)
		access.detail = (struct bytes){ (const uint8_t *)options->command, strlen(options->command) };
	*ret = access;
	return 0;
}

static json_t *trace_lines(struct buf *trace)
{
	json_t *lines = json_array();
	const char *text = buf_cstr(trace);
	while (text && *text) {
		size_t len = strcspn(text, "\n");
		json_array_append_new(lines, json_visible(text, len));
		text += len + (text[len] == '\n');
	}
	return lines;
}

static int answer(const struct options *options, const struct access *access, const struct decision *decision, struct buf *trace)
{
	json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:s}", "user", access->who->user, "target", access->target, "login", access->login,
		"kind", access_kind_name(access->kind), "decision", verdict_name(decision->verdict), "rule", json_string_or_null(decision->rule),
		"reason", decision->reason);
	if (options->json)
		json_object_set_new(object, "trace", trace_lines(trace));
	else if (cli_put(trace))
		return CLI_FAILED;
	if (cli_put_one(options->json, object, columns))
		return CLI_FAILED;
	return decision->verdict == VERDICT_ALLOW ? CLI_OK : decision->verdict == VERDICT_HOLD ? EXIT_WAIT : EXIT_DENIED;
}

static int explain(const struct options *options, const struct config *config, struct access *access)
{
	BUF_CLEANUP struct buf trace = BUF_INIT(TRACE_MAX);
	struct identity *who = who_of(options, config);
	struct decision decision = { 0 };
	struct err err = { "" };
	int status;
	if (!who)
		return cli_error("out of memory");
	access->who = who;
	if (rights_of(&options->rights, &who->rights, &err)) {
		cli_error("%s", err.text);
		status = CLI_USAGE;
	} else if (decide_explain(config->ruleset, targets_find(config->targets, options->target), access, &decision, &trace)) {
		cli_error("the trace is too long");
		status = EXIT_OURS;
	} else {
		status = answer(options, access, &decision, &trace);
	}
	identity_free(who);
	return status;
}

int cli_run_policy_explain(const struct cli *cli, char *const *argv)
{
	struct options options = { 0 };
	struct args_list words;
	struct access access;
	struct config *config = NULL;
	struct err err = { "" };
	if (!cli_args(cli, rows, argv, &options, &words, 0, 0))
		return CLI_USAGE;
	if (access_of(&options, &access, &err))
		return cli_usage(cli, err.text);
	struct files *files = files_from_disk();
	int status = files ? 0 : cli_error("out of memory");
	if (!status && config_load(files, cli->config, &config, &err))
		status = cli_error("%s", err.text);
	if (!status)
		status = explain(&options, config, &access);
	config_free(config);
	files_free(files);
	return status;
}
