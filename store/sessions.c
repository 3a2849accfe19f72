/* Sessions and channels as rows. See sessions.h.
 *
 * Ending a row with a digest appends the digest to the audit chain in the same transaction:
 * everything sealed in a row is also sealed in the chain. */
#include "store/sessions.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/id.h"
#include "store/audit.h"
#include "store/sql.h"

#define PREFIX_MIN 8
#define COLUMNS                                                                               \
	"id, connection, user, provider, subject, target, login, source, mode, rule, state, " \
	"started, ended, reason, path, digest"

static const char *const state_names[] = {
	[SESSION_OPEN] = "open", [SESSION_CLOSED] = "closed", [SESSION_LOST] = "lost"
};

const char *session_state_name(enum session_state state)
{
	return (size_t)state < sizeof(state_names) / sizeof(state_names[0]) ? state_names[state]
									    : "unknown";
}

void session_row_release(struct session_row *row)
{
	char *texts[] = { row->id, row->user, row->provider, row->subject, row->target, row->login,
		row->source, row->mode, row->rule, row->reason, row->path, row->digest };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		free(texts[i]);
	*row = (struct session_row){ 0 };
}

void channel_row_release(struct channel_row *row)
{
	char *texts[] = { row->session, row->kind, row->detail, row->file, row->exit_signal,
		row->reason, row->digest };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		free(texts[i]);
	*row = (struct channel_row){ 0 };
}

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

/* SQLite's integers are signed: a larger counter becomes INT64_MAX. */
static int64_t counter(uint64_t value)
{
	return value < INT64_MAX ? (int64_t)value : INT64_MAX;
}

/* ---- sessions ---- */

int sessions_insert(struct store *store, const struct session_row *row, struct err *err)
{
	if (!row->id || !id_ulid_ok(row->id))
		return err_set(err, -EINVAL, "session id is not a ULID");
	int rc = sql_run(store, err,
		"INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		"tittttttttiiittti", row->id, counter(row->connection), or_empty(row->user),
		or_empty(row->provider), or_empty(row->subject), or_empty(row->target),
		or_empty(row->login), or_empty(row->source), or_empty(row->mode),
		or_empty(row->rule), (int64_t)row->state, row->started, row->ended,
		or_empty(row->reason), or_empty(row->path), row->digest, store->instance);
	return rc ? err_prefix(err, rc, "session '%s'", row->id) : 0;
}

static int session_seal(
	struct store *store, const char *id, int64_t now, const char *digest, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sql_query(store, &stmt, err, "SELECT path FROM sessions WHERE id = ?", "t", id);

	if (!rc)
		rc = sql_step(store, stmt, err);
	if (rc == 1) {
		JSON_CLEANUP json_t *data = json_pack("{s:s, s:s, s:s, s:s}", "session", id, "path",
			(const char *)sqlite3_column_text(stmt, 0), "file", "session.json",
			"digest", digest);
		rc = data ? audit_append(store, now, "session-sealed", data, NULL, err) : -ENOMEM;
	}
	sql_close(store, stmt);
	return rc;
}

int sessions_end(struct store *store, const char *id, enum session_state state, int64_t ended,
	const char *reason, const char *digest, struct err *err)
{
	bool mine;
	int rc = sql_enter(store, &mine, err);

	if (rc)
		return rc;
	rc = sql_run(store, err,
		"UPDATE sessions SET state = ?2, ended = ?3, reason = ?4, digest = ?5 WHERE id = "
		"?1 AND state = 0",
		"tiitt", id, (int64_t)state, ended, or_empty(reason), digest);
	if (!rc && !sql_changes(store))
		rc = err_set(err, -ENOENT, "session '%s' is not open", id);
	if (!rc && digest)
		rc = session_seal(store, id, ended, digest, err);
	return sql_leave(store, mine, rc, err);
}

static int session_take(sqlite3_stmt *stmt, struct session_row *row)
{
	char **texts[] = { &row->id, NULL, &row->user, &row->provider, &row->subject, &row->target,
		&row->login, &row->source, &row->mode, &row->rule, NULL, NULL, NULL, &row->reason,
		&row->path, &row->digest };
	int rc = 0;

	for (int i = 0; !rc && i < (int)(sizeof(texts) / sizeof(texts[0])); i++)
		rc = texts[i] ? sql_text(stmt, i, texts[i]) : 0;
	row->connection = (uint64_t)sql_int(stmt, 1);
	row->state = (enum session_state)sql_int(stmt, 10);
	row->started = sql_int(stmt, 11);
	row->ended = sql_int(stmt, 12);
	return rc;
}

/* The range of ids that begin with text, in upper case. -EINVAL: not the beginning of a ULID. */
static int prefix_take(
	const char *text, char low[static ID_ULID_LEN + 1], char high[static ID_ULID_LEN + 2])
{
	size_t len = strnlen(text, ID_ULID_LEN + 1);

	if (len < PREFIX_MIN || len > ID_ULID_LEN)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)text[i]))
			return -EINVAL;
		low[i] = (char)toupper((unsigned char)text[i]);
	}
	low[len] = 0;
	snprintf(high, ID_ULID_LEN + 2, "%s~", low); /* `~` sorts after every letter */
	return 0;
}

int sessions_get(struct store *store, const char *id, struct session_row *ret, struct err *err)
{
	char low[ID_ULID_LEN + 1], high[ID_ULID_LEN + 2];
	sqlite3_stmt *stmt = NULL;
	struct session_row row = { 0 };

	if (prefix_take(id, low, high))
		return err_set(err, -EINVAL,
			"a session is named by its id or at least its first %d characters",
			PREFIX_MIN);
	int rc = sql_query(store, &stmt, err,
		"SELECT " COLUMNS " FROM sessions WHERE id >= ? AND id < ? ORDER BY id LIMIT 2",
		"tt", low, high);
	if (!rc)
		rc = sql_step(store, stmt, err);
	if (rc == 0)
		rc = err_set(err, -ENOENT, "there is no session '%s'", low);
	if (rc == 1)
		rc = session_take(stmt, &row);
	if (!rc && (rc = sql_step(store, stmt, err)) == 1)
		rc = err_set(err, -ENOTUNIQ, "several sessions begin with '%s'", low);
	sql_close(store, stmt);
	if (rc)
		session_row_release(&row);
	else
		*ret = row;
	return rc;
}

/* Text of the query for a filter: only the conditions that it has, so that an index serves them.
 * The numbered parameters are always bound. */
static const char *filter_text(const struct session_filter *filter, char out[static 512])
{
	snprintf(out, 512,
		"SELECT " COLUMNS " FROM sessions WHERE ?1 IS ?1 AND ?2 IS ?2 AND ?3 IS ?3 AND ?4 "
		"IS ?4 AND ?5 IS ?5%s%s%s%s%s%s ORDER BY started "
		"DESC, id DESC LIMIT ?6",
		filter->user ? " AND user = ?1" : "", filter->target ? " AND target = ?2" : "",
		filter->subject ? " AND subject = ?3" : "",
		filter->provider ? " AND provider = ?4" : "",
		filter->since ? " AND started >= ?5" : "",
		filter->open_only ? " AND state = 0" : "");
	return out;
}

int sessions_each(struct store *store, const struct session_filter *filter, session_visit_fn *visit,
	void *context, struct err *err)
{
	char text[512];
	sqlite3_stmt *stmt = NULL;
	int rc = sql_query_once(store, &stmt, err, filter_text(filter, text), "ttttii",
		filter->user, filter->target, filter->subject, filter->provider, filter->since,
		filter->limit ? (int64_t)filter->limit : -1);

	while (!rc && (rc = sql_step(store, stmt, err)) == 1) {
		struct session_row row = { 0 };
		rc = session_take(stmt, &row);
		if (!rc)
			rc = visit(&row, context);
		session_row_release(&row);
	}
	sql_close(store, stmt);
	return rc;
}

/* ---- channels ---- */

int channels_insert(struct store *store, const struct channel_row *row, struct err *err)
{
	int rc = sql_run(store, err,
		"INSERT INTO channels VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		"titltiiittiiit", row->session, (int64_t)row->channel, or_empty(row->kind),
		or_empty(row->detail), row->file, row->started, row->ended, row->exit_status,
		row->exit_signal, row->reason, counter(row->bytes_in), counter(row->bytes_out),
		counter(row->bytes_err), row->digest);

	return rc ? err_prefix(err, rc, "session '%s': channel %u", or_empty(row->session),
			    row->channel)
		  : 0;
}

static int channel_seal(struct store *store, const struct channel_row *row, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sql_query(store, &stmt, err,
		"SELECT s.path, c.file FROM channels c JOIN sessions s ON s.id = c.session WHERE "
		"c.session = ? AND c.channel = ? AND c.file IS NOT "
		"NULL",
		"ti", row->session, (int64_t)row->channel);

	if (!rc)
		rc = sql_step(store, stmt, err);
	if (rc == 0)
		rc = err_set(err, -EINVAL, "session '%s': channel %u has a digest but no file",
			row->session, row->channel);
	if (rc == 1) {
		JSON_CLEANUP json_t *data = json_pack("{s:s, s:I, s:s, s:s, s:s}", "session",
			row->session, "channel", (json_int_t)row->channel, "path",
			(const char *)sqlite3_column_text(stmt, 0), "file",
			(const char *)sqlite3_column_text(stmt, 1), "digest", row->digest);
		rc = data ? audit_append(store, row->ended, "channel-sealed", data, NULL, err)
			  : -ENOMEM;
	}
	sql_close(store, stmt);
	return rc;
}

int channels_end(struct store *store, const struct channel_row *row, struct err *err)
{
	bool mine;
	int rc = sql_enter(store, &mine, err);

	if (rc)
		return rc;
	rc = sql_run(store, err,
		"UPDATE channels SET ended = ?3, exit_status = ?4, exit_signal = ?5, reason = ?6, "
		"bytes_in = ?7, bytes_out = ?8, bytes_err = ?9, "
		"digest = ?10"
		" WHERE session = ?1 AND channel = ?2 AND ended = 0",
		"tiiittiiit", row->session, (int64_t)row->channel, row->ended, row->exit_status,
		row->exit_signal, row->reason, counter(row->bytes_in), counter(row->bytes_out),
		counter(row->bytes_err), row->digest);
	if (!rc && !sql_changes(store))
		rc = err_set(err, -ENOENT, "session '%s': channel %u is not open",
			or_empty(row->session), row->channel);
	if (!rc && row->digest)
		rc = channel_seal(store, row, err);
	return sql_leave(store, mine, rc, err);
}

static int channel_take(sqlite3_stmt *stmt, struct channel_row *row)
{
	if (sql_text(stmt, 0, &row->session) || sql_text(stmt, 2, &row->kind) ||
		sql_text(stmt, 3, &row->detail) || sql_text(stmt, 4, &row->file) ||
		sql_text(stmt, 8, &row->exit_signal) || sql_text(stmt, 9, &row->reason) ||
		sql_text(stmt, 13, &row->digest))
		return -ENOMEM;
	row->channel = (uint32_t)sql_int(stmt, 1);
	row->started = sql_int(stmt, 5);
	row->ended = sql_int(stmt, 6);
	row->exit_status = sql_int(stmt, 7);
	row->bytes_in = (uint64_t)sql_int(stmt, 10);
	row->bytes_out = (uint64_t)sql_int(stmt, 11);
	row->bytes_err = (uint64_t)sql_int(stmt, 12);
	return 0;
}

int channels_each(struct store *store, const char *session, channel_visit_fn *visit, void *context,
	struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sql_query(store, &stmt, err,
		"SELECT session, channel, kind, detail, file, started, ended, exit_status, "
		"exit_signal, reason, bytes_in, bytes_out, bytes_err, "
		"digest"
		" FROM channels WHERE session = ? ORDER BY channel",
		"t", session);

	while (!rc && (rc = sql_step(store, stmt, err)) == 1) {
		struct channel_row row = { 0 };
		rc = channel_take(stmt, &row);
		if (!rc)
			rc = visit(&row, context);
		channel_row_release(&row);
	}
	sql_close(store, stmt);
	return rc;
}

/* ---- JSON ---- */

json_t *session_json(const struct session_row *row)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o}", "id",
		json_string_or_null(row->id), "user", json_string_or_null(row->user), "target",
		json_string_or_null(row->target), "login", json_string_or_null(row->login),
		"source", json_string_or_null(row->source), "mode", json_string_or_null(row->mode),
		"rule", json_string_or_null(row->rule), "state", session_state_name(row->state),
		"started", json_time_ms(row->started), "ended", json_time_ms(row->ended), "reason",
		json_string_or_null(row->reason));
}

json_t *channel_json(const struct channel_row *row)
{
	return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:o}",
		"channel", (json_int_t)row->channel, "kind", json_string_or_null(row->kind),
		"detail", json_string_or_null(row->detail), "file", json_string_or_null(row->file),
		"started", json_time_ms(row->started), "ended", json_time_ms(row->ended),
		"exit_status", row->exit_status < 0 ? json_null() : json_integer(row->exit_status),
		"exit_signal", json_string_or_null(row->exit_signal), "reason",
		json_string_or_null(row->reason), "bytes_in", (json_int_t)counter(row->bytes_in),
		"bytes_out", (json_int_t)counter(row->bytes_out), "bytes_err",
		(json_int_t)counter(row->bytes_err), "digest", json_string_or_null(row->digest));
}
