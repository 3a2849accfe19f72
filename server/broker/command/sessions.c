/* Commands on sessions: ls, show, kill; and the check who owns one. */
#include "server/broker/command/impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/id.h"
#include "common/text.h"
#include "store/transcripts.h"

/* ---- ownership ---- */

bool command_own(const struct caller *caller, const struct session_row *row)
{
	const struct identity *who = caller->who;

	return row->provider && row->subject && who->provider && who->subject &&
	       !strcmp(row->provider, who->provider) && !strcmp(row->subject, who->subject);
}

bool command_session(struct caller *caller, const char *id, unsigned right, struct session_row *ret)
{
	struct err err = { "" };
	struct session_row row = { 0 };
	int rc = sessions_get(caller->broker->store, id, &row, &err);

	if (rc) {
		command_fail(caller, rc == -EIO ? EXIT_GATEWAY : 1, "session '%.64s': %s", id,
			rc == -ENOENT ? "there is no such session" : err.text);
		return false;
	}
	if (command_own(caller, &row) || (caller->may & right) == right) {
		*ret = row;
		return true;
	}
	session_row_release(&row);
	if (id_ulid_ok(id))
		command_fail(caller, EXIT_DENIED,
			"session '%s' is not yours: this needs the right '%s' (may: of one of your "
			"roles)",
			id, command_right_name(right));
	else /* an id begins with a time: guessing ids must not reveal who worked when */
		command_fail(caller, 1, "session '%.64s': there is no such session", id);
	return false;
}

/* ---- ls ---- */

static const struct table_column session_columns[] = {
	{ "id", "SESSION", false },
	{ "user", "USER", false },
	{ "target", "TARGET", false },
	{ "login", "LOGIN", false },
	{ "source", "SOURCE", false },
	{ "mode", "MODE", false },
	{ "state", "STATE", false },
	{ "started", "STARTED", false },
	{ "ended", "ENDED", false },
	{ "reason", "REASON", false },
	{ 0 },
};

static int add_session(const struct session_row *row, void *context)
{
	json_t *object = session_json(row);

	return json_array_append_new(context, object) ? -ENOMEM : 0;
}

/* Sets *ret_own if the list is limited to the caller's own sessions. False: refused, and the
 * command has ended. */
static bool scope(struct caller *caller, const struct command_args *args, bool *ret_own)
{
	bool right = caller->may & MAY_SESSIONS,
	     self = args->user && text_equal(args->user, caller->who->user);

	if (!right && (args->all || (args->user && !self))) {
		command_fail(caller, EXIT_DENIED,
			"the sessions of others need the right 'sessions' (may: of one of your "
			"roles)");
		return false;
	}
	*ret_own = args->mine || !right;
	return true;
}

void command_run_sessions(struct caller *caller, const struct command_args *args)
{
	struct err err = { "" };
	bool own;

	if (args->all && args->mine) {
		command_fail(caller, 2, "'--all' and '--mine' exclude each other");
		return;
	}
	if (!scope(caller, args, &own))
		return;
	struct session_filter filter = {
		.user = args->user,
		.target = args->target,
		.subject = own ? caller->who->subject : NULL,
		.provider = own ? caller->who->provider : NULL,
		.open_only = args->open,
		.limit = (unsigned)args->limit,
	};
	json_t *rows = json_array();
	int rc = rows ? sessions_each(caller->broker->store, &filter, add_session, rows, &err)
		      : -ENOMEM;
	if (rc) {
		json_decref(rows);
		command_fail(caller, EXIT_GATEWAY, "the sessions cannot be read: %s", err.text);
		return;
	}
	command_list(caller, args, rows, session_columns);
}

/* ---- show ---- */

static const struct table_column show_columns[] = {
	{ "id", "session", false },
	{ "user", "user", false },
	{ "target", "target", false },
	{ "login", "login", false },
	{ "source", "source", false },
	{ "mode", "mode", false },
	{ "rule", "rule", false },
	{ "state", "state", false },
	{ "live", "live", false },
	{ "started", "started", false },
	{ "ended", "ended", false },
	{ "reason", "reason", false },
	{ "channels", "channels", false },
	{ "bytes_in", "bytes in", false },
	{ "bytes_out", "bytes out", false },
	{ "bytes_err", "bytes err", false },
	{ "evidence", "evidence", false },
	{ "sealed", "sealed", false },
	{ 0 },
};
static const struct table_column channel_columns[] = {
	{ "channel", "CHANNEL", false },
	{ "kind", "KIND", false },
	{ "exit_status", "EXIT", false },
	{ "exit_signal", "SIGNAL", false },
	{ "bytes_in", "IN", false },
	{ "bytes_out", "OUT", false },
	{ "bytes_err", "ERR", false },
	{ "started", "STARTED", false },
	{ "ended", "ENDED", false },
	{ "file", "TRANSCRIPT", false },
	{ "reason", "REASON", false },
	{ "detail", "DETAIL", true },
	{ 0 },
};

struct totals {
	json_t *rows;
	uint64_t in, out, err;
};

static int add_channel(const struct channel_row *row, void *context)
{
	struct totals *totals = context;

	totals->in += row->bytes_in;
	totals->out += row->bytes_out;
	totals->err += row->bytes_err;
	return json_array_append_new(totals->rows, channel_json(row)) ? -ENOMEM : 0;
}

static json_t *session_object(
	struct caller *caller, const struct session_row *row, const struct totals *totals)
{
	json_t *object = session_json(row);

	if (!object)
		return NULL;
	json_object_set_new(object, "live",
		json_boolean(row->state == SESSION_OPEN &&
			     broker_session_live(caller->broker, row->id)));
	json_object_set_new(
		object, "channels", json_integer((json_int_t)json_array_size(totals->rows)));
	json_object_set_new(object, "bytes_in", json_integer((json_int_t)totals->in));
	json_object_set_new(object, "bytes_out", json_integer((json_int_t)totals->out));
	json_object_set_new(object, "bytes_err", json_integer((json_int_t)totals->err));
	json_object_set_new(object, "evidence", command_evidence_summary(caller, row));
	json_object_set_new(object, "sealed", json_string_or_null(row->digest));
	return object;
}

static void show(struct caller *caller, const struct command_args *args,
	const struct session_row *row, struct totals *totals)
{
	struct err err = { "" };

	if (!totals->rows ||
		channels_each(caller->broker->store, row->id, add_channel, totals, &err)) {
		command_fail(caller, EXIT_GATEWAY, "the channels cannot be read: %s", err.text);
		return;
	}
	if (args->channels) {
		command_list(caller, args, json_incref(totals->rows), channel_columns);
		return;
	}
	if (!command_show_one(caller, args, session_object(caller, row, totals), show_columns))
		return;
	if (!args->json && json_array_size(totals->rows)) {
		command_out(caller, "\n");
		if (!command_show_list(caller, args, json_incref(totals->rows), channel_columns))
			return;
	}
	command_exit(caller, 0);
}

void command_run_show(struct caller *caller, const struct command_args *args)
{
	struct session_row row = { 0 };

	if (!command_session(caller, args->words.items[0], MAY_SESSIONS, &row))
		return;
	struct totals totals = { .rows = json_array() };
	show(caller, args, &row, &totals);
	json_decref(totals.rows);
	session_row_release(&row);
}

/* ---- kill ---- */

static void kill_it(struct caller *caller, const struct session_row *row, const char *reason)
{
	BUF_CLEANUP struct buf text = BUF_INIT(8192);
	int rc = buf_printf(&text, "ended by %s%s", caller->who->user, *reason ? ": " : "");

	if (!rc)
		rc = text_visible(&text, reason, strlen(reason), 4096);
	const char *why = rc ? NULL : buf_cstr(&text);
	if (!why || broker_audit(caller->broker, "session-kill",
			    json_pack("{s:s, s:s, s:s, s:o}", "session", row->id, "by",
				    caller->who->user, "provider", caller->who->provider, "reason",
				    json_visible(reason, strlen(reason))))) {
		command_fail(caller, EXIT_GATEWAY,
			"session '%s' was not ended: the audit event could not be written",
			row->id);
		return;
	}
	if (broker_end_session(caller->broker, row->id, why)) {
		command_fail(caller, 1, "session '%s' is not live", row->id);
		return;
	}
	command_out(caller, "%s\n", row->id);
	command_exit(caller, 0);
}

void command_run_kill(struct caller *caller, const struct command_args *args)
{
	struct session_row row = { 0 };
	const char *reason = args->reason ? args->reason : "";

	if (strlen(reason) > COMMAND_REASON_MAX) {
		command_fail(caller, 2, "the reason is longer than %d bytes", COMMAND_REASON_MAX);
		return;
	}
	if (!command_session(caller, args->words.items[0], MAY_KILL, &row))
		return;
	if (!broker_session_live(caller->broker, row.id))
		command_fail(caller, 1, "session '%s' is not live", row.id);
	else
		kill_it(caller, &row, reason);
	session_row_release(&row);
}
