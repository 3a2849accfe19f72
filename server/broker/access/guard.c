/* A rule's guard and a command line: the exact bytes of an exec are judged before anything opens.
 *
 * Deny refuses at once, whoever would have approved. Approve asks for an approval of these very
 * bytes, by the role that the guard names and on the terms of the rule's `approval`, where it has
 * one. Warn asks at a terminal and says so elsewhere. The judgement is in the audit event and in
 * session.json. What is typed at a terminal, in a shell or in the program of an exec, is judged
 * line by line (server/broker/access/lines.c); a shell without one reads its commands from its
 * standard input. A variable of the environment that makes programs run something is a doubt, as
 * one in the command is. */
#include "policy/env.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "server/broker/access/wait.h"

#define PARTS_MAX 32	 /* simple commands that an event names; the rest is counted */
#define PART_LEN_MAX 400 /* bytes of one */
#define ANSWER_MAX 8	 /* "y", "yes" */

static void add_parts(const struct judgement *judgement, json_t *out)
{
	JSON_CLEANUP json_t *full = judgement_json(judgement);
	const json_t *commands = json_object_get(full, "commands");
	json_t *parts = json_array();
	size_t count = json_array_size(commands);

	for (size_t i = 0; i < count && i < PARTS_MAX; i++) {
		const json_t *from = json_array_get(commands, i);
		const char *text = json_get_string(from, "command");
		json_t *part = json_object();
		json_object_set_new(part, "command",
			text ? json_visible(text, strnlen(text, PART_LEN_MAX)) : json_null());
		json_object_set(part, "verdict", json_object_get(from, "verdict"));
		json_object_set(part, "pattern", json_object_get(from, "pattern"));
		json_array_append_new(parts, part);
	}
	json_object_set_new(out, "commands", parts);
	if (count > PARTS_MAX)
		json_object_set_new(
			out, "commands_not_kept", json_integer((json_int_t)(count - PARTS_MAX)));
}

static json_t *short_json(const struct decision *decision, const struct judgement *judgement)
{
	json_t *out = json_object();

	json_object_set_new(out, "guard", json_string_or_null(decision->guard_name));
	json_object_set_new(out, "verdict", json_string(guard_verdict_name(judgement->verdict)));
	json_object_set_new(out, "reason", json_string_or_null(judgement->reason));
	add_parts(judgement, out);
	return out;
}

static enum step on_deny(struct access_request *request, const struct judgement *judgement)
{
	return access_request_refuse(request, EXIT_DENIED, "%s", judgement->reason);
}

static enum step on_warn(struct access_request *request, const struct judgement *judgement)
{
	char prompt[JUDGEMENT_REASON_MAX + 64];

	if (request->warned || (request->wait && request->wait->confirmed))
		return STEP_GO_ON;
	if (request->wait && request->wait->refused)
		return access_request_refuse(
			request, EXIT_DENIED, "not run: the warning was not confirmed");
	if (!request->pty) {
		access_say(request, "warning: %s", judgement->reason);
		request->warned = true;
		return STEP_GO_ON;
	}
	snprintf(prompt, sizeof(prompt), "warning: %s: continue? [y/N]", judgement->reason);
	return channel_wait_ask(request, ASKS_GO_ON, ANSWER_MAX, prompt);
}

static enum step on_approve(struct access_request *request, const struct judgement *judgement)
{
	if (!judgement->by || need_add(request, true, judgement->by, request->decision.approval))
		return access_request_refuse(
			request, EXIT_DENIED, "%s, and nobody can be asked", judgement->reason);
	return STEP_GO_ON;
}

static enum step on_allow(struct access_request *request, const struct judgement *judgement)
{
	(void)request, (void)judgement;
	return STEP_GO_ON;
}

static enum step (*const acts[])(struct access_request *, const struct judgement *) = {
	[GUARD_ALLOW] = on_allow,
	[GUARD_WARN] = on_warn,
	[GUARD_APPROVE] = on_approve,
	[GUARD_DENY] = on_deny,
};

/* A shell without a terminal has no screen to read lines from: it is judged as sh reading its
 * standard input. */
static const struct bytes commands_from_stdin = { (const uint8_t *)"sh", 2 };

/* Of the command and of its environment the stricter word counts. A shell at a terminal has no
 * command yet: its lines are judged later, in this environment. */
static int judge_both(const struct access_request *request, struct judgement *ret)
{
	JUDGEMENT_CLEANUP struct judgement env = { 0 };
	const struct guard *guard = request->decision.guard;
	bool shell = request->access.kind == ACCESS_SHELL;
	int rc = env_judge(guard, buf_bytes(&request->env), &env);

	if (!rc && !(shell && request->pty))
		rc = guard_judge_for(guard, request->decision.shells,
			shell ? commands_from_stdin : request->access.detail, ret);
	if (rc || env.verdict <= ret->verdict)
		return rc;
	judgement_release(ret);
	*ret = env;
	env = (struct judgement){ 0 };
	return 0;
}

enum step guard_step(struct access_request *request)
{
	JUDGEMENT_CLEANUP struct judgement judgement = { 0 };

	if (!request->decision.guard)
		return STEP_GO_ON;
	if (judge_both(request, &judgement))
		return access_request_refuse(request, EXIT_GATEWAY,
			"the guard could not judge this command: out of memory");
	request->judgement = short_json(&request->decision, &judgement);
	if (!request->judgement || (size_t)judgement.verdict >= sizeof(acts) / sizeof(acts[0]))
		return access_request_refuse(
			request, EXIT_GATEWAY, "the guard could not judge this command");
	return acts[judgement.verdict](request, &judgement);
}
