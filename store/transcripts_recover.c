/* Closes sessions that a crash left open. Runs in the broker at its start; its files may be damaged
 * in any way, and it continues with the next session whatever it finds.
 *
 * A session is closed only if nobody can be working on it: the store that opened it is not open in
 * a running process (store_instance_alive), and none of its transcripts is locked by a session
 * process that outlived its broker. The rows, seals and event of each session are one transaction.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cast/cast.h"
#include "common/fd.h"
#include "common/id.h"
#include "store/audit.h"
#include "store/sql.h"
#include "store/transcripts.h"

/* channels of one session whose transcripts are repaired; further ones are only closed */
#define CHANNELS_MAX 100000
/* texts in the audit event, whose length is limited */
#define PROBLEMS_MAX 20

struct lost { /* a session being closed */
	struct store *store;
	const struct session_row *row;
	struct channel_row *channels; /* those that were open */
	size_t count;
	int64_t ended;	  /* ms: the last time found in its rows and files */
	json_t *problems; /* texts, for the event */
	json_int_t more;  /* how many more there were */
};

static void note(struct lost *lost, const struct err *why)
{
	if (json_array_size(lost->problems) >= PROBLEMS_MAX)
		lost->more++;
	else
		json_array_append_new(lost->problems, json_string_or_null(why->text));
}

static void seen_at(struct lost *lost, int64_t ms)
{
	if (ms > lost->ended)
		lost->ended = ms;
}

/* ---- channels ---- */

static char *copy(const char *text)
{
	return text ? strdup(text) : NULL;
}

static int channel_keep(const struct channel_row *row, void *context)
{
	struct lost *lost = context;

	seen_at(lost, row->started);
	seen_at(lost, row->ended);
	if (row->ended || lost->count == CHANNELS_MAX)
		return 0;
	struct channel_row *grown = reallocarray(lost->channels, lost->count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	lost->channels = grown;
	grown[lost->count] = *row;
	grown[lost->count].session = copy(row->session);
	grown[lost->count].file = copy(row->file);
	grown[lost->count].kind = grown[lost->count].detail = grown[lost->count].exit_signal =
		grown[lost->count].reason = grown[lost->count].digest = NULL;
	lost->count++;
	return 0;
}

static int open_for_mending(struct lost *lost, const char *name, struct err *err)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = transcripts_mend(lost->store, lost->row->path, name, err);

	if (fd >= 0 && fcntl(fd, F_OFD_SETLK, &lock)) {
		int rc = errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
		fd_closep(&fd);
		return err_set(err, rc, "'%s': a process is still writing to it", name);
	}
	return fd;
}

/* A session process that outlived its broker still holds one of the files. */
static bool is_held(struct lost *lost)
{
	for (size_t i = 0; i < lost->count; i++) {
		FD_CLEANUP int fd = lost->channels[i].file
					    ? open_for_mending(lost, lost->channels[i].file, NULL)
					    : -1;
		if (fd == -EBUSY)
			return true;
	}
	return false;
}

static void channel_mend(struct lost *lost, struct channel_row *channel)
{
	struct err why;
	struct stat st;
	int64_t last_us = 0;
	char hex[65];

	channel->ended = channel->started;
	channel->exit_status = -1;
	channel->reason = strdup(TRANSCRIPT_LOST_REASON);
	FD_CLEANUP int fd = channel->file ? open_for_mending(lost, channel->file, &why) : -1;
	if (!channel->file)
		return;
	if (fd < 0) {
		note(lost, &why);
		return;
	}
	if (!fstat(fd, &st) && st.st_mtim.tv_sec * 1000 > channel->started)
		channel->ended = st.st_mtim.tv_sec * 1000;
	if (cast_recover(fd, "bartizan: " TRANSCRIPT_LOST_REASON, &last_us, &why))
		note(lost, &why);
	else if (last_us)
		channel->ended = channel->started + last_us / 1000;
	if (fsync(fd) || transcripts_digest(lost->store, lost->row->path, channel->file, hex, &why))
		note(lost, &why);
	else
		channel->digest = strdup(hex);
	seen_at(lost, channel->ended);
}

/* ---- session.json ---- */

static json_t *json_channel(json_t *list, uint32_t number)
{
	size_t i;
	json_t *entry;

	json_array_foreach(
		list, i, entry) if (json_is_integer(json_object_get(entry, "channel")) &&
				    json_integer_value(json_object_get(entry, "channel")) ==
					    (json_int_t)number) return entry;
	entry = json_pack("{s:I}", "channel", (json_int_t)number);
	json_array_append_new(list, entry);
	return entry;
}

static void json_complete_channels(struct lost *lost, json_t *session)
{
	json_t *list = json_object_get(session, "channels");

	if (!json_is_array(list)) {
		list = json_array();
		json_object_set_new(session, "channels", list);
	}
	for (size_t i = 0; i < lost->count; i++) {
		json_t *entry = json_channel(list, lost->channels[i].channel);
		json_object_set_new(entry, "ended", json_time_ms(lost->channels[i].ended));
		json_object_set_new(entry, "reason", json_string(TRANSCRIPT_LOST_REASON));
		if (lost->channels[i].file)
			json_object_set_new(entry, "file", json_string(lost->channels[i].file));
		if (lost->channels[i].digest)
			json_object_set_new(entry, "digest", json_string(lost->channels[i].digest));
	}
}

/* Completes session.json from the file if it can be read, else from the row. */
static int json_complete(struct lost *lost, char hex[static 65], struct err *err)
{
	struct err why;
	JSON_CLEANUP json_t *session = NULL;
	int unread = transcripts_read_json(lost->store, lost->row->path, &session, &why);

	if (!unread && !json_is_object(session))
		unread = err_set(
			&why, -EBADMSG, "'%s/session.json': not an object", lost->row->path);
	if (unread) {
		note(lost, &why);
		json_decref(session);
		session = session_json(lost->row);
	}
	if (!session)
		return err_set(err, -ENOMEM, "no memory for session.json");
	json_object_set_new(session, "state", json_string(session_state_name(SESSION_LOST)));
	json_object_set_new(session, "ended", json_time_ms(lost->ended));
	json_object_set_new(session, "reason", json_string(TRANSCRIPT_LOST_REASON));
	json_complete_channels(lost, session);
	int rc = transcripts_write_json(lost->store, lost->row->path, session, err);
	return rc ? rc : transcripts_digest(lost->store, lost->row->path, "session.json", hex, err);
}

/* ---- sessions ---- */

static int rows_close(struct lost *lost, const char *digest, int64_t now_ms, struct err *err)
{
	bool mine;
	int rc = sql_enter(lost->store, &mine, err);

	if (rc)
		return rc;
	for (size_t i = 0; !rc && i < lost->count; i++)
		rc = channels_end(lost->store, &lost->channels[i], err);
	if (!rc && lost->count == CHANNELS_MAX)
		rc = sql_run(lost->store, err,
			"UPDATE channels SET ended = ?2, reason = ?3 WHERE session = ?1 AND ended "
			"= 0",
			"tit", lost->row->id, lost->ended, TRANSCRIPT_LOST_REASON);
	if (!rc)
		rc = sessions_end(lost->store, lost->row->id, SESSION_LOST, lost->ended,
			TRANSCRIPT_LOST_REASON, digest, err);
	JSON_CLEANUP json_t *event = json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:O, s:I}",
		"session", lost->row->id, "user", lost->row->user, "target", lost->row->target,
		"login", lost->row->login, "ended", json_time_ms(lost->ended), "reason",
		TRANSCRIPT_LOST_REASON, "problems", lost->problems, "more_problems", lost->more);
	if (!rc)
		rc = event ? audit_append(lost->store, now_ms, "session-lost", event, NULL, err)
			   : -ENOMEM;
	return sql_leave(lost->store, mine, rc, err);
}

static int session_close(struct lost *lost, int64_t now_ms, struct err *err)
{
	char hex[65];
	struct err why;

	for (size_t i = 0; i < lost->count; i++)
		channel_mend(lost, &lost->channels[i]);
	bool written = !json_complete(lost, hex, &why);
	if (!written)
		note(lost, &why);
	return rows_close(lost, written ? hex : NULL, now_ms, err);
}

/* 1: closed; 0: a process is still working on it. */
static int session_recover(
	struct store *store, const struct session_row *row, int64_t now_ms, struct err *err)
{
	struct lost lost = {
		.store = store, .row = row, .ended = row->started, .problems = json_array()
	};
	int rc = lost.problems ? channels_each(store, row->id, channel_keep, &lost, err) : -ENOMEM;
	bool held = !rc && is_held(&lost);

	if (!rc && !held)
		rc = session_close(&lost, now_ms, err);
	for (size_t i = 0; i < lost.count; i++)
		channel_row_release(&lost.channels[i]);
	free(lost.channels);
	json_decref(lost.problems);
	return rc ? rc : !held;
}

/* Finds the next open session of a dead instance after `id`, and replaces it. 1, 0: none,
 * -errno. */
static int next_open(struct store *store, char id[static ID_ULID_LEN + 1], struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sql_query(store, &stmt, err,
		"SELECT instance, id FROM sessions WHERE state = 0 AND id > ? ORDER BY id", "t",
		id);

	if (!rc)
		rc = sql_step(store, stmt, err);
	while (rc == 1 && store_instance_alive(store, sql_int(stmt, 0)))
		rc = sql_step(store, stmt, err);
	if (rc == 1)
		snprintf(id, ID_ULID_LEN + 1, "%s", (const char *)sqlite3_column_text(stmt, 1));
	sql_close(store, stmt);
	return rc;
}

int transcripts_recover(struct store *store, int64_t now_ms, unsigned *ret_count, struct err *err)
{
	char id[ID_ULID_LEN + 1] = "";
	unsigned count = 0;
	int rc, first = 0;

	while ((rc = next_open(store, id, err)) == 1) {
		struct session_row row = { 0 };
		struct err why = { "" };
		int done = sessions_get(store, id, &row, &why);
		if (!done)
			done = session_recover(store, &row, now_ms, &why);
		count += done == 1;
		if (done < 0 && !first)
			first = err_set(err, done, "session '%s': %s", id, why.text);
		session_row_release(&row);
	}
	*ret_count = count;
	return rc ? rc : first;
}
