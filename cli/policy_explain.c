/* bartizan policy explain: the real engine on the real files, without a gateway and without a
 * network. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/fd.h"
#include "common/text.h"
#include "keys/sshcert.h"
#include "policy/config.h"
#include "policy/decide.h"
#include "policy/guard.h"
#include "store/identities.h"

#define TRACE_MAX (4 * 1024 * 1024)

struct options {
	const char *user, *target, *login, *kind, *source, *at, *command, *provider;
	struct args_list groups, rights, claims;
	int64_t login_age; /* ms; below 0: not given */
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
	OPT("claim", ARG_LIST, claims),
	OPT("login-age", ARG_DURATION, login_age),
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
	{ "hold", "hold", false },
	{ "verdict", "verdict", false },
	{ "reason", "reason", true },
	{ "guard_reason", "guard", true },
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
			return err_set(err, -EINVAL,
				"option '--right': '%.100s' is not a right of a certificate",
				given->items[g]);
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
		cli_error("the groups of '%s' are not known here (%s), so none are assumed; "
			  "--group names "
			  "them",
			user, err.text[0] ? err.text : strerror(-rc));
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
	struct identity *who =
		options->groups.count ? NULL : stored(config->conf->state_dir, options->user);

	if (!who)
		who = given(options);
	if (who && !who->expires)
		who->expires = INT64_MAX;
	return who;
}

/* "name=value"; several with one name are several values. What is given replaces what is stored. */
static int take_claims(const struct args_list *given, struct identity *who, struct err *err)
{
	struct claim *claims = calloc(given->count + 1, sizeof(*claims));
	struct identity old = { .claims = who->claims };
	int rc = claims ? 0 : -ENOMEM;

	who->claims = claims;
	for (size_t i = 0; !rc && i < given->count; i++) {
		const char *equals = strchr(given->items[i], '=');
		if (!equals || equals == given->items[i]) {
			rc = -EINVAL;
			break;
		}
		claims[i].name = strndup(given->items[i], (size_t)(equals - given->items[i]));
		claims[i].value = claims[i].name ? strdup(equals + 1) : NULL;
		rc = claims[i].value ? 0 : -ENOMEM;
	}
	for (struct claim *claim = old.claims; claim && claim->name; claim++) {
		free(claim->name);
		free(claim->value);
	}
	free(old.claims);
	if (rc == -EINVAL)
		return err_set(err, rc, "option '--claim': it is not name=value");
	return rc ? err_set(err, rc, "out of memory") : 0;
}

static int refine(const struct options *options, const struct access *access, struct identity *who,
	struct err *err)
{
	int rc = rights_of(&options->rights, &who->rights, err);

	if (!rc && options->claims.count)
		rc = take_claims(&options->claims, who, err);
	if (!rc && options->login_age >= 0)
		who->login_time = access->now - options->login_age / 1000;
	return rc;
}

/* ---- what ---- */

static int access_of(const struct options *options, struct access *ret, struct err *err)
{
	struct access access = {
		.target = options->target, .login = options->login, .now = clock_wall()
	};

	if (!options->user || !options->target || !options->login || !options->kind)
		return err_set(
			err, -EINVAL, "'--user', '--target', '--login' and '--kind' are needed");
	if (!text_name_ok(options->user, strlen(options->user)))
		return err_set(err, -EINVAL, "option '--user': '%.255s' is not a user name",
			options->user);
	if (access_kind_parse(options->kind, &access.kind))
		return err_set(err, -EINVAL, "option '--kind': '%.100s' is not a kind of access",
			options->kind);
	if (options->source && addr_parse(options->source, &access.source, err))
		return err_prefix(err, -EINVAL, "option '--source'");
	if (options->at && clock_parse(options->at, &access.now, err))
		return err_prefix(err, -EINVAL, "option '--at'");
	if (options->command)
		access.detail = (struct bytes){ (const uint8_t *)options->command,
			strlen(options->command) };
	*ret = access;
	return 0;
}

/* ---- the answer ---- */

struct answer {
	const struct options *options;
	const struct access *access;
	struct decision decision;
	struct judgement judgement; /* of the command, where the rule has a guard */
	bool judged;
};

/* The final verdict of the rule and its guard, and the exit status. */
static const struct {
	const char *name;
	int status;
} finals[] = {
	[GUARD_ALLOW] = { "allow", CLI_OK },
	[GUARD_WARN] = { "warn", CLI_OK },
	[GUARD_APPROVE] = { "approve", EXIT_WAIT },
	[GUARD_DENY] = { "deny", EXIT_DENIED },
};

static enum guard_verdict final_of(const struct answer *answer)
{
	enum guard_verdict verdict = GUARD_ALLOW;

	if (answer->decision.verdict == VERDICT_DENY)
		return GUARD_DENY;
	if (answer->decision.hold == HOLD_APPROVAL)
		verdict = GUARD_APPROVE;
	return answer->judged && answer->judgement.verdict > verdict ? answer->judgement.verdict
								     : verdict;
}

static int judge(struct answer *answer)
{
	const struct guard *guard = answer->decision.guard;

	if (!guard || !answer->options->command)
		return 0;
	int rc = answer->access->kind == ACCESS_EXEC
			 ? guard_judge_for(guard, answer->decision.shells, answer->access->detail,
				   &answer->judgement)
			 : guard_judge_typed_for(guard, answer->decision.shells,
				   answer->access->detail, &answer->judgement);
	answer->judged = !rc;
	return rc;
}

/* The parts of the command and their verdicts beside the others' keys; `verdict` and `reason` of
 * the judgement as guard_verdict and guard_reason. */
static int add_judgement(const struct answer *answer, json_t *object)
{
	const char *key;
	json_t *value;
	JSON_CLEANUP json_t *judgement = judgement_json(&answer->judgement);

	json_object_foreach(judgement, key, value)
	{
		bool own = !strcmp(key, "verdict") || !strcmp(key, "reason");
		const char *name = key;
		if (own)
			name = *key == 'v' ? "guard_verdict" : "guard_reason";
		if (json_object_set(object, name, value))
			return -ENOMEM;
	}
	return judgement ? 0 : -ENOMEM;
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

static json_t *object_of(const struct answer *answer)
{
	const struct decision *decision = &answer->decision;
	const struct access *access = answer->access;
	bool login = decision->hold == HOLD_LOGIN;

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:s, s:o, s:s, s:o, s:b}", "user",
		access->who->user, "target", access->target, "login", access->login, "kind",
		access_kind_name(access->kind), "decision", verdict_name(decision->verdict), "rule",
		json_string_or_null(decision->rule), "reason", decision->reason, "hold",
		decision->hold != HOLD_NONE ? json_string(hold_name(decision->hold)) : json_null(),
		"verdict", login ? "hold" : finals[final_of(answer)].name, "guard",
		json_string_or_null(decision->guard_name), "break_glass", decision->break_glass);
}

static const struct table_column part_columns[] = {
	{ "command", "PART", true },
	{ "via", "VIA", true },
	{ "verdict", "VERDICT", false },
	{ "pattern", "PATTERN", false },
	{ 0 },
};

/* For people: the parts as a table after the trace. */
static int put_parts(const json_t *object, struct buf *out)
{
	const json_t *parts = json_object_get(object, "commands");
	struct table_style style = cli_style();

	return json_array_size(parts) ? table_rows(parts, part_columns, &style, out) : 0;
}

static int put_answer(const struct answer *answer, struct buf *trace)
{
	json_t *object = object_of(answer);

	if (!object || (answer->judged && add_judgement(answer, object))) {
		json_decref(object);
		return cli_error("out of memory");
	}
	if (answer->options->json)
		json_object_set_new(object, "trace", trace_lines(trace));
	else if (put_parts(object, trace) || cli_put(trace)) {
		json_decref(object);
		return CLI_FAILED;
	}
	if (cli_put_one(answer->options->json, object, columns))
		return CLI_FAILED;
	return answer->decision.hold == HOLD_LOGIN ? EXIT_WAIT : finals[final_of(answer)].status;
}

static int decide_and_answer(struct answer *answer, const struct config *config)
{
	BUF_CLEANUP struct buf trace = BUF_INIT(TRACE_MAX);
	const struct target *target = targets_find(config->targets, answer->options->target);
	int status = 0;

	if (decide_explain(config->ruleset, target, answer->access, &answer->decision, &trace)) {
		cli_error("the trace is too long");
		status = EXIT_GATEWAY;
	} else if (judge(answer)) {
		cli_error("out of memory");
		status = EXIT_GATEWAY;
	} else {
		status = put_answer(answer, &trace);
	}
	if (answer->judged)
		judgement_release(&answer->judgement);
	return status;
}

static int explain(
	const struct options *options, const struct config *config, struct access *access)
{
	struct answer answer = { .options = options, .access = access };
	struct identity *who = who_of(options, config);
	struct err err = { "" };
	int status;

	if (!who)
		return cli_error("out of memory");
	access->who = who;
	if (refine(options, access, who, &err)) {
		cli_error("%s", err.text);
		status = CLI_USAGE;
	} else {
		status = decide_and_answer(&answer, config);
	}
	identity_free(who);
	return status;
}

int cli_run_policy_explain(const struct cli *cli, char *const *argv)
{
	struct options options = { .login_age = -1 };
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
