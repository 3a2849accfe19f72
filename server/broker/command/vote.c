/* Commands that decide: approve, deny, cancel, revoke, extend. server/broker/approval/vote.c checks
 * the rights; here are arguments and answers. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "server/broker/command/requests.h"

void request_fail(struct caller *caller, int rc, const struct err *err)
{
	static const struct {
		int rc;
		unsigned status;
	} rows[] = { { -EACCES, EXIT_DENIED }, { -EPERM, EXIT_DENIED }, { -ECANCELED, EXIT_DENIED },
		{ -ENOENT, 1 }, { -EALREADY, 1 }, { -EEXIST, 1 }, { -EINVAL, 2 }, { -EMSGSIZE, 2 },
		{ -EDQUOT, EXIT_WAIT } };
	unsigned status = EXIT_GATEWAY;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].rc == rc)
			status = rows[i].status;
	command_fail(caller, status, "%s", err->text);
}

static void answer(
	struct caller *caller, const struct command_args *args, const char *id, const char *words)
{
	struct approval approval = { 0 };

	if (!args->json) {
		command_out(caller, "%s\n", words);
		command_exit(caller, 0);
	} else if (request_of(caller, id, &approval)) {
		command_one(caller, args, request_json(caller, &approval), NULL);
		approval_release(&approval);
	}
}

static void voted(struct caller *caller, const struct command_args *args, const char *id,
	enum approval_state state)
{
	struct approval approval = { 0 };
	char words[256], window[64];

	if (!request_of(caller, id, &approval))
		return;
	if (state == APPROVAL_PENDING)
		snprintf(words, sizeof(words), "%s: %u of %u votes", approval.id, approval.votes,
			approval.votes_needed);
	else if (state == APPROVAL_APPROVED)
		snprintf(words, sizeof(words), "%s: approved, good for %s", approval.id,
			clock_duration_format(approval.window, window, sizeof(window)));
	else
		snprintf(words, sizeof(words), "%s: %s", approval.id, approval_state_name(state));
	approval_release(&approval);
	answer(caller, args, id, words);
}

static void cast_vote(
	struct caller *caller, const struct command_args *args, bool approve, const char *note)
{
	const char *id = args->words.items[0];
	const struct vote vote = {
		.who = caller->who,
		.approve = approve,
		.note = note,
		.window = args->for_ms,
		.uses = (unsigned)args->uses,
	};
	struct err err = { "" };
	enum approval_state state = APPROVAL_PENDING;
	int rc = queue_vote(caller->broker, id, &vote, &state, &err);

	if (rc)
		request_fail(caller, rc, &err);
	else
		voted(caller, args, id, state);
}

void command_run_approve(struct caller *caller, const struct command_args *args)
{
	cast_vote(caller, args, true, args->note);
}

void command_run_deny(struct caller *caller, const struct command_args *args)
{
	if (!args->reason || !*args->reason)
		command_fail(caller, 2, "a reason is required: deny %.32s --reason TEXT",
			args->words.items[0]);
	else
		cast_vote(caller, args, false, args->reason);
}

void command_run_cancel(struct caller *caller, const struct command_args *args)
{
	struct err err = { "" };
	int rc = queue_cancel(caller->broker, args->words.items[0], caller->who, caller->local,
		args->reason, &err);

	if (rc)
		request_fail(caller, rc, &err);
	else
		answer(caller, args, args->words.items[0], "cancelled");
}

void command_revoke_approval(struct caller *caller, const struct command_args *args)
{
	struct err err = { "" };
	char words[128];
	unsigned ended = 0;
	int rc = queue_revoke(caller->broker, args->words.items[0], caller->who,
		caller->may & MAY_REVOKE, args->reason, &ended, &err);

	snprintf(words, sizeof(words), "revoked; %u session%s ended", ended, ended == 1 ? "" : "s");
	if (rc)
		request_fail(caller, rc, &err);
	else
		answer(caller, args, args->words.items[0], words);
}

void command_run_extend(struct caller *caller, const struct command_args *args)
{
	struct err err = { "" };
	char words[128], more[64];

	if (!args->for_ms) {
		command_fail(caller, 2, "the time is missing: extend %.32s --for TIME",
			args->words.items[0]);
		return;
	}
	int rc =
		queue_extend(caller->broker, args->words.items[0], caller->who, args->for_ms, &err);
	snprintf(words, sizeof(words), "extended by %s",
		clock_duration_format(args->for_ms, more, sizeof(more)));
	if (rc)
		request_fail(caller, rc, &err);
	else
		answer(caller, args, args->words.items[0], words);
}
