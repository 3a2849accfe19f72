/* Reviews of break-glass sessions: the list, and the signature of somebody else. They need the
 * right 'audit' or 'sessions'. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "server/broker/command/requests.h"

static const struct table_column columns[] = {
	{ "id", "REVIEW", false },
	{ "state", "STATE", false },
	{ "user", "USER", false },
	{ "target", "TARGET", false },
	{ "session", "SESSION", false },
	{ "reason", "REASON", true },
	{ "created", "CREATED", false },
	{ "signed_by", "SIGNED BY", false },
	{ "note", "NOTE", true },
	{ 0 },
};

static bool may_review(struct caller *caller)
{
	if (caller->local || caller->may & (MAY_AUDIT | MAY_SESSIONS))
		return true;
	command_fail(caller, EXIT_DENIED,
		"reviews need the right 'audit' or 'sessions' (may: of one of your roles)");
	return false;
}

static int add(const struct review *review, void *context)
{
	return json_array_append_new(context, review_json(review)) ? -ENOMEM : 0;
}

void command_run_reviews(struct caller *caller, const struct command_args *args)
{
	struct err err = { "" };

	if (!may_review(caller))
		return;
	json_t *rows = json_array();
	if (!rows || reviews_each(caller->broker->store, !args->all, add, rows, &err)) {
		json_decref(rows);
		command_fail(caller, EXIT_GATEWAY, "the reviews cannot be read: %s", err.text);
		return;
	}
	command_list(caller, args, rows, columns);
}

static const char *plain(const char *user)
{
	return strncmp(user, "local:", 6) ? user : user + 6;
}

struct whose {
	const char *id;
	const struct identity *who;
	bool own;
};

/* The store compares provider and subject; here the name is compared as well, as for votes. */
static int look(const struct review *review, void *context)
{
	struct whose *whose = context;

	whose->own |= !strcmp(review->id, whose->id) &&
		      !strcasecmp(plain(review->user), plain(whose->who->user));
	return 0;
}

static int sign(struct caller *caller, const char *id, const char *note, struct err *err)
{
	struct whose whose = { id, caller->who, false };
	int rc = reviews_each(caller->broker->store, false, look, &whose, err);

	if (!rc && whose.own)
		rc = err_set(err, -EPERM, "you cannot sign the review of your own session");
	if (!rc)
		rc = store_begin(caller->broker->store, err);
	if (rc)
		return rc;
	json_t *event = json_pack("{s:o, s:s, s:s, s:o}", "review", json_visible(id, strlen(id)),
		"by", caller->who->user, "by_provider", caller->who->provider, "note",
		json_visible(note, strlen(note)));
	rc = reviews_sign(caller->broker->store, id, caller->who, note, clock_wall_ms(), err);
	return queue_commit(caller->broker, rc, "review-signed", event, err);
}

void command_run_reviews_sign(struct caller *caller, const struct command_args *args)
{
	struct err err = { "" };

	if (!may_review(caller))
		return;
	if (!args->note || !*args->note) {
		command_fail(caller, 2, "say what you found: reviews sign %.32s --note TEXT",
			args->words.items[0]);
		return;
	}
	int rc = sign(caller, args->words.items[0], args->note, &err);
	if (rc) {
		request_fail(caller, rc, &err);
		return;
	}
	command_out(caller, "%s: signed\n", args->words.items[0]);
	command_exit(caller, 0);
}
