/* Commands on requests that list: requests, requests --watch. A request is shown to its requester,
 * to those who may vote on it, and to those with the right 'sessions'.
 *
 * The list shows exactly what would run, with control characters made visible; a requester cannot
 * forge a line of it. */
#include "server/broker/command/requests.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/env_block.h"
#include "common/id.h"

#define ENV_SHOWN_MAX 256 /* bytes of an environment in a line of a list */

static const struct table_column columns[] = {
	{ "id", "REQUEST", false },
	{ "state", "STATE", false },
	{ "requester", "REQUESTER", false },
	{ "target", "TARGET", false },
	{ "login", "LOGIN", false },
	{ "kind", "KIND", false },
	{ "what", "WHAT", true },
	{ "reason", "REASON", true },
	{ "votes", "VOTES", false },
	{ "needed", "OF", false },
	{ "by", "ROLE", false },
	{ "voters", "VOTED", false },
	{ "expires", "UNTIL", false },
	{ 0 },
};

/* One request in full. */
static const struct table_column all_columns[] = {
	{ "id", "REQUEST", false },
	{ "state", "STATE", false },
	{ "requester", "REQUESTER", false },
	{ "target", "TARGET", false },
	{ "login", "LOGIN", false },
	{ "kind", "KIND", false },
	{ "what", "WHAT", true },
	{ "env", "ENVIRONMENT", true },
	{ "reason", "REASON", true },
	{ "votes", "VOTES", false },
	{ "needed", "OF", false },
	{ "by", "ROLE", false },
	{ "voters", "VOTED", false },
	{ "expires", "UNTIL", false },
	{ 0 },
};

static bool sees_all(const struct caller *caller)
{
	return caller->local || caller->may & MAY_SESSIONS;
}

static bool may_see(const struct caller *caller, const struct approval *approval)
{
	return queue_may_see(caller->broker, approval, caller->who, sees_all(caller));
}

/* "rm -r x, with LANG=C, LC_ALL=C, inside 'ed notes'": what an exact request is for, in one line. A
 * long environment is cut here; all of it is in `requests show`. */
static json_t *exact_json(const struct approval *approval, const char *command, const char *inside)
{
	char with[ENV_SHOWN_MAX];
	bool env = *env_words(buf_bytes(&approval->env), with, sizeof(with));

	return json_sprintf("%s%s%s%s%s%s", command ? command : approval->kind,
		env ? ", with " : "", with, inside ? ", inside '" : "", inside ? inside : "",
		inside ? "'" : "");
}

json_t *request_json(struct caller *caller, const struct approval *approval)
{
	struct broker *broker = caller->broker;
	json_t *object =
		approval_json(broker->store, approval, queue_lapse_shown(broker), clock_wall_ms());
	const char *command = json_get_string(object, "command");

	if (!object)
		return NULL;
	if (approval->exact)
		json_object_set_new(object, "what",
			exact_json(approval, command, json_get_string(object, "inside")));
	else
		json_object_set_new(object, "what",
			json_sprintf("any %s%s%s%s", approval->kind, command ? " (first: " : "",
				command ? command : "", command ? ")" : ""));
	json_object_set_new(object, "source", json_string_or_null(approval->source));
	json_object_set_new(object, "decided", json_time_ms(approval->decided));
	json_object_set_new(object, "decided_by",
		*approval->decided_by ? json_string(approval->decided_by) : json_null());
	return object;
}

bool request_of(struct caller *caller, const char *id, struct approval *ret)
{
	struct err err = { "" };
	int rc = approvals_get(caller->broker->store, id, ret, &err);

	if (rc)
		command_fail(caller, rc == -ENOENT ? 1 : EXIT_GATEWAY, "%s", err.text);
	return !rc;
}

/* ---- the list ---- */

struct listing {
	struct caller *caller;
	json_t *rows;
	int64_t left;
};

static int add_row(const struct approval *approval, void *context)
{
	struct listing *listing = context;

	if (!listing->left || !may_see(listing->caller, approval))
		return 0;
	listing->left--;
	json_t *row = request_json(listing->caller, approval);
	return json_array_append_new(listing->rows, row) ? -ENOMEM : 0;
}

static json_t *list(struct caller *caller, const struct command_args *args, struct err *err)
{
	struct listing listing = { caller, json_array(), args->limit };
	const struct approval_filter filter = {
		.state = -1,
		.open_only = !args->all,
		.provider = args->mine ? caller->who->provider : NULL,
		.subject = args->mine ? caller->who->subject : NULL,
	};

	if (!listing.rows || approvals_each(caller->broker->store, &filter,
				     queue_lapse_shown(caller->broker), add_row, &listing, err)) {
		json_decref(listing.rows);
		return NULL;
	}
	return listing.rows;
}

/* ---- watching ---- */

struct watching {
	struct queue_watch watch;
	struct caller *caller;
	bool json;
};

static void watch_stop(struct caller *caller)
{
	struct watching *watching = caller->state;

	queue_unwatch(caller->broker, &watching->watch);
	caller->state = NULL;
	free(watching);
}

/* One line: a JSON object, or text for people. */
static void put_row(struct watching *watching, const struct approval *approval)
{
	BUF_CLEANUP struct buf line = BUF_INIT(COMMAND_ANSWER_MAX);
	JSON_CLEANUP json_t *row = request_json(watching->caller, approval);
	char now[CLOCK_RFC3339_MAX];

	if (!row)
		return;
	int rc;
	if (watching->json) {
		FREE_CLEANUP char *text =
			json_dumps(row, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_SORT_KEYS);
		rc = text ? buf_puts(&line, text) : -ENOMEM;
	} else {
		rc = buf_printf(&line, "%s %s %s: %s on %s as %s: %s (%u of %u votes of '%s')",
			clock_format(clock_wall(), now), approval->id,
			approval_state_name(approval->state), json_get_string(row, "requester"),
			json_get_string(row, "target"), json_get_string(row, "login"),
			json_get_string(row, "what"), approval->votes, approval->votes_needed,
			approval->by);
	}
	if (!rc && !buf_putc(&line, '\n'))
		command_put(watching->caller, 1, &line);
}

static void on_changed(struct queue_watch *watch, const struct approval *approval)
{
	struct watching *watching =
		(struct watching *)(void *)((char *)watch - offsetof(struct watching, watch));

	if (may_see(watching->caller, approval))
		put_row(watching, approval);
}

static void watch_start(struct caller *caller, bool json)
{
	struct watching *watching = calloc(1, sizeof(*watching));

	if (watching)
		*watching = (struct watching){
			.watch = { .changed = on_changed }, .caller = caller, .json = json
		};
	if (!watching || queue_watch(caller->broker, &watching->watch)) {
		free(watching);
		command_fail(
			caller, EXIT_WAIT, "too many clients are watching the requests already");
		return;
	}
	caller->state = watching;
	caller->stop = watch_stop;
}

static int put_first(const struct approval *approval, void *context)
{
	struct watching *watching = context;

	if (may_see(watching->caller, approval))
		put_row(watching, approval);
	return 0;
}

static void watch(struct caller *caller, const struct command_args *args)
{
	struct err err = { "" };
	const struct approval_filter open = { .state = -1, .open_only = true };
	struct watching first = { .caller = caller, .json = args->json };

	if (approvals_each(caller->broker->store, &open, queue_lapse_shown(caller->broker),
		    put_first, &first, &err))
		command_fail(caller, EXIT_GATEWAY, "the requests cannot be read: %s", err.text);
	else
		watch_start(caller, args->json);
}

void command_run_requests(struct caller *caller, const struct command_args *args)
{
	struct err err = { "" };

	if (args->watch) {
		watch(caller, args);
		return;
	}
	json_t *rows = list(caller, args, &err);
	if (rows)
		command_list(caller, args, rows, columns);
	else
		command_fail(caller, EXIT_GATEWAY, "the requests cannot be read: %s", err.text);
}

void command_run_requests_show(struct caller *caller, const struct command_args *args)
{
	struct approval approval = { 0 };

	if (!request_of(caller, args->words.items[0], &approval))
		return;
	if (may_see(caller, &approval))
		command_one(caller, args, request_json(caller, &approval), all_columns);
	else
		command_fail(caller, EXIT_DENIED,
			"request '%s' is not yours, and you cannot vote on it", approval.id);
	approval_release(&approval);
}
