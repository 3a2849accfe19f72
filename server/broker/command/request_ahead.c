/* Asking before an access: request, break-glass. The same policy, guard and queue decide as for an
 * access, but no channel waits. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/text.h"
#include "policy/approval_rule.h"
#include "policy/decide.h"
#include "policy/env.h"
#include "policy/guard.h"
#include "server/broker/access/break_glass.h"
#include "server/broker/access/need.h"
#include "server/broker/command/requests.h"

struct ahead { /* one request while it is made */
	struct caller *caller;
	const struct command_args *args;
	const struct target *target;
	struct access access;
	struct decision decision;
	struct need needs[NEEDS_MAX];
	size_t need_count;
	struct buf env; /* of the connection that asks, as the rule lets it through */
	json_t *rows;
};

/* Ends the command. */
static void refuse(struct ahead *ahead, const char *words)
{
	json_t *event = json_object();

	json_object_set_new(event, "user", json_string(ahead->caller->who->user));
	json_object_set_new(
		event, "target", json_visible(ahead->access.target, strlen(ahead->access.target)));
	json_object_set_new(event, "kind", json_string(access_kind_name(ahead->access.kind)));
	json_object_set_new(event, "rule", json_string_or_null(ahead->decision.rule));
	json_object_set_new(event, "reason", json_visible(words, strlen(words)));
	broker_audit(ahead->caller->broker, "access-denied", event);
	command_fail(ahead->caller, EXIT_DENIED, "%s", words);
}

static bool judge(struct ahead *ahead)
{
	const struct config *config = ahead->caller->broker->config;
	bool whole = ahead->args->login &&
		     (ahead->access.kind != ACCESS_EXEC || ahead->access.detail.len);

	if (whole)
		decide(config->ruleset, ahead->target, &ahead->access, &ahead->decision);
	else
		decide_kind(config->ruleset, ahead->target, &ahead->access, &ahead->decision);
	if (ahead->decision.verdict == VERDICT_DENY || ahead->decision.hold == HOLD_LOGIN) {
		refuse(ahead, ahead->decision.reason);
		return false;
	}
	return true;
}

/* Asks the guard about a command, or about a line that will be typed in a shell. */
static bool guard(struct ahead *ahead)
{
	JUDGEMENT_CLEANUP struct judgement judgement = { 0 };
	bool typed = ahead->access.kind == ACCESS_SHELL;

	if (!ahead->access.detail.len || (!ahead->decision.guard && !typed))
		return true;
	if (!ahead->decision.guard) {
		command_fail(ahead->caller, 2,
			"lines typed in a shell are not judged there: leave --command out");
		return false;
	}
	if ((typed ? guard_judge_typed_for : guard_judge_for)(ahead->decision.guard,
		    ahead->decision.shells, ahead->access.detail, &judgement)) {
		command_fail(ahead->caller, EXIT_GATEWAY, "the guard could not judge this command");
		return false;
	}
	if (judgement.verdict == GUARD_DENY ||
		(judgement.verdict == GUARD_APPROVE && !judgement.by)) {
		refuse(ahead, judgement.reason);
		return false;
	}
	if (judgement.verdict != GUARD_APPROVE)
		return true;
	if (!ahead->args->login) {
		command_fail(ahead->caller, 2,
			"this command is approved for one login: name it with --login");
		return false;
	}
	return !need_fill(&ahead->needs[ahead->need_count++], true, judgement.by,
		ahead->decision.approval, ahead->caller->broker->config->conf);
}

/* A request for a line does not include the shell itself, which is requested separately. */
static void add_rule_need(struct ahead *ahead)
{
	const struct approval_rule *rule =
		ahead->decision.hold == HOLD_APPROVAL ? ahead->decision.approval : NULL;

	if (ahead->access.kind == ACCESS_SHELL && ahead->access.detail.len)
		return;
	if (rule && !(ahead->need_count && !strcmp(ahead->needs[0].by, rule->by)))
		need_fill(&ahead->needs[ahead->need_count++], false,
			(const char *const[]){ rule->by, NULL }, rule,
			ahead->caller->broker->config->conf);
}

static int ask_for(struct ahead *ahead, const struct need *need, struct err *err)
{
	struct broker *broker = ahead->caller->broker;
	char source[ADDR_TEXT_MAX];
	struct approval approval = { 0 };
	const struct approval_scope scope = {
		.who = ahead->caller->who,
		.target = ahead->access.target,
		.login = ahead->access.login,
		.kind = access_kind_name(ahead->access.kind),
		.command = ahead->access.detail,
		.env = buf_bytes(&ahead->env),
		.rule = ahead->decision.rule,
		.by = need->by,
	};
	const struct need_wish wish = { &scope, addr_format(&ahead->caller->source, source),
		ahead->args->reason, ahead->args->for_ms };
	int64_t lapse = 0;

	if (need->settings && need->settings->reason_required &&
		!(ahead->args->reason && ahead->args->reason[strspn(ahead->args->reason, " \t")]))
		return err_set(err, -EINVAL, "a reason is required: --reason TEXT");
	int rc = queue_lapse(broker, &lapse, err);
	if (!rc)
		rc = need_find(broker, need, &scope, lapse, &approval, err);
	if (rc == -ENOENT)
		rc = need_request(broker, need, &wish, &approval, err);
	else if (!rc)
		goto found;
	if (!rc)
		rc = need_create(broker, &approval, NULL, err);
found:
	if (!rc)
		json_array_append_new(ahead->rows, request_json(ahead->caller, &approval));
	approval_release(&approval);
	return rc;
}

static void say(struct ahead *ahead)
{
	char window[64];

	for (size_t i = 0; i < json_array_size(ahead->rows); i++) {
		const json_t *row = json_array_get(ahead->rows, i);
		command_out(ahead->caller, "%s\n", json_get_string(row, "id"));
		command_error(ahead->caller,
			"request %s (%s): %s on %s as %s, %lld of %lld votes of role '%s'",
			json_get_string(row, "id"), json_get_string(row, "state"),
			json_get_string(row, "what"), json_get_string(row, "target"),
			json_get_string(row, "login"),
			json_integer_value(json_object_get(row, "votes")),
			json_integer_value(json_object_get(row, "needed")),
			json_get_string(row, "by"));
	}
	for (size_t i = 0; i < ahead->need_count; i++)
		if (ahead->args->for_ms > ahead->needs[i].window)
			command_error(ahead->caller, "the rule gives no more than %s at a time",
				clock_duration_format(
					ahead->needs[i].window, window, sizeof(window)));
}

static void run(struct ahead *ahead)
{
	struct err err = { "" };

	if (!judge(ahead) || !guard(ahead))
		return;
	add_rule_need(ahead);
	if (env_filter(ahead->decision.env, env_always(ahead->caller->who), ahead->caller->env,
		    &ahead->env)) {
		command_fail(ahead->caller, EXIT_GATEWAY, "the gateway is out of memory");
		return;
	}
	if (!ahead->need_count && !ahead->args->json)
		command_error(ahead->caller, "no approval is needed for this");
	for (size_t i = 0; i < ahead->need_count; i++) {
		int rc = ask_for(ahead, &ahead->needs[i], &err);
		if (rc) {
			request_fail(ahead->caller, rc, &err);
			return;
		}
	}
	if (ahead->args->json) {
		command_list(ahead->caller, ahead->args, json_incref(ahead->rows), NULL);
		return;
	}
	say(ahead);
	command_exit(ahead->caller, 0);
}

/* Checks the arguments; if one is wrong, ends the command. */
static bool check(
	struct caller *caller, const struct command_args *args, enum access_kind *ret_kind)
{
	const char *login = args->login;

	if (caller->local)
		command_fail(
			caller, EXIT_DENIED, "requests are made over ssh: ssh GATEWAY request …");
	else if (caller->who->expires <= clock_wall())
		command_fail(caller, EXIT_DENIED,
			"your certificate has expired: connect again with a new one");
	else if (!args->kind || access_kind_parse(args->kind, ret_kind))
		command_fail(caller, 2,
			"the kind of access is missing or unknown: --kind shell, exec, sftp, …");
	else if (login && !text_name_ok(login, strlen(login)))
		command_fail(caller, 2, "the login is not a valid user name");
	else if (args->command && *ret_kind != ACCESS_EXEC && *ret_kind != ACCESS_SHELL)
		command_fail(caller, 2,
			"--command goes with --kind exec, or shell for a line that will be typed");
	else if (!text_target_ok(args->words.items[0], strlen(args->words.items[0])))
		command_fail(caller, EXIT_DENIED, "no such target (see: targets)");
	else
		return true;
	return false;
}

void command_run_request(struct caller *caller, const struct command_args *args)
{
	enum access_kind kind = ACCESS_EXEC;
	const char *command = args->command ? args->command : "";

	if (!check(caller, args, &kind))
		return;
	struct ahead ahead = { .caller = caller, .args = args, .rows = json_array() };
	ahead.env = BUF_INIT(IPC_ENV_MAX);
	ahead.target = targets_find(caller->broker->config->targets, args->words.items[0]);
	ahead.access = (struct access){ .who = caller->who,
		.source = caller->source,
		.target = args->words.items[0],
		.login = args->login ? args->login : APPROVALS_ANY_LOGIN,
		.kind = kind,
		.detail = { (const uint8_t *)command, strlen(command) },
		.now = clock_wall() };
	run(&ahead);
	buf_release(&ahead.env);
	json_decref(ahead.rows);
}

void command_run_break_glass(struct caller *caller, const struct command_args *args)
{
	const char *target = args->words.items[0];
	struct err err = { "" };

	if (caller->local) {
		command_fail(caller, EXIT_DENIED,
			"the glass is broken over ssh: ssh GATEWAY break-glass …");
		return;
	}
	if (!args->reason || !args->reason[strspn(args->reason, " \t")] ||
		strlen(args->reason) > (size_t)caller->broker->config->conf->reason_max) {
		command_fail(caller, 2,
			"a reason is required, of at most %lld bytes: --reason TEXT",
			(long long)caller->broker->config->conf->reason_max);
		return;
	}
	if (!text_target_ok(target, strlen(target)) ||
		!targets_find(caller->broker->config->targets, target)) {
		command_fail(caller, EXIT_DENIED, "no such target (see: targets)");
		return;
	}
	json_t *event = json_pack("{s:s, s:s, s:o}", "user", caller->who->user, "target", target,
		"reason", json_visible(args->reason, strlen(args->reason)));
	if (broker_audit(caller->broker, "break-glass-announced", event))
		command_fail(caller, EXIT_GATEWAY, "the gateway cannot write its audit log");
	else if (glass_announce(caller->broker, caller->who, target, args->reason, &err))
		command_fail(caller, EXIT_WAIT, "%s", err.text);
	else {
		command_error(caller,
			"a rule that breaks the glass on '%s' opens for you within the next 15 "
			"minutes",
			target);
		command_exit(caller, 0);
	}
}
