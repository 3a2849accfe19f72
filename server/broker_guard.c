/* A rule's guard and a command line: the exact bytes of an exec are judged before anything opens.
 *
 * Deny refuses at once, whoever would have approved. Approve asks for an approval of these very
 * bytes, by the role that the guard names and on the terms of the rule's `approval`, where it has
 * one. Warn asks at a terminal and says so elsewhere. The judgement is in the audit event and in
 * session.json. A shell with a terminal is judged line by line as they are typed (broker_lines.c),
 * one without is a shell that reads its commands from its standard input. */
#include "policy/guard.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "server/broker_hold.h"

#define PARTS_MAX 32	 /* simple commands that an event names; of more it tells the number */
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

static enum step on_deny(struct asking *asking, const struct judgement *judgement)
{
	return asking_refuse(asking, EXIT_DENIED, "%s", judgement->reason);
}

static enum step on_warn(struct asking *asking, const struct judgement *judgement)
{
	char prompt[JUDGEMENT_REASON_MAX + 64];

	if (asking->warned || (asking->hold && asking->hold->confirmed))
		return STEP_GO_ON;
	if (asking->hold && asking->hold->refused)
		return asking_refuse(asking, EXIT_DENIED, "not run: the warning was not confirmed");
	if (!asking->pty) {
		hold_say(asking, "warning: %s", judgement->reason);
		asking->warned = true;
		return STEP_GO_ON;
	}
	snprintf(prompt, sizeof(prompt), "warning: %s: continue? [y/N]", judgement->reason);
	return hold_ask(asking, ASKS_GO_ON, ANSWER_MAX, prompt);
}

static enum step on_approve(struct asking *asking, const struct judgement *judgement)
{
	if (!judgement->by || need_add(asking, true, judgement->by, asking->decision.approval))
		return asking_refuse(
			asking, EXIT_DENIED, "%s, and nobody can be asked", judgement->reason);
	return STEP_GO_ON;
}

static enum step on_allow(struct asking *asking, const struct judgement *judgement)
{
	(void)asking, (void)judgement;
	return STEP_GO_ON;
}

static enum step (*const acts[])(struct asking *, const struct judgement *) = {
	[GUARD_ALLOW] = on_allow,
	[GUARD_WARN] = on_warn,
	[GUARD_APPROVE] = on_approve,
	[GUARD_DENY] = on_deny,
};

/* A shell without a terminal shows no lines: what it is judged as. */
static const struct bytes commands_from_stdin = { (const uint8_t *)"sh", 2 };

enum step guard_step(struct asking *asking)
{
	JUDGEMENT_CLEANUP struct judgement judgement = { 0 };
	const struct guard *guard = asking->decision.guard;

	if (!guard)
		return STEP_GO_ON;
	bool shell = asking->access.kind == ACCESS_SHELL;
	if (shell && asking->pty)
		return STEP_GO_ON;
	if (guard_judge_for(guard, asking->decision.shells,
		    shell ? commands_from_stdin : asking->access.detail, &judgement))
		return asking_refuse(
			asking, EXIT_OURS, "the guard could not judge this command: out of memory");
	asking->judgement = short_json(&asking->decision, &judgement);
	if (!asking->judgement || (size_t)judgement.verdict >= sizeof(acts) / sizeof(acts[0]))
		return asking_refuse(asking, EXIT_OURS, "the guard could not judge this command");
	return acts[judgement.verdict](asking, &judgement);
}
