/* Sessions and their channels, as rows. The names of transcripts are made in transcripts.h. */
#ifndef BARTIZAN_SESSIONS_H
#define BARTIZAN_SESSIONS_H

#include "common/json.h"
#include "store/store.h"

/* lost: still open when the broker started, and closed by recovery */
enum session_state { SESSION_OPEN, SESSION_CLOSED, SESSION_LOST };
const char *session_state_name(enum session_state state);

struct session_row {
	char *id; /* ULID */
	uint64_t connection;
	char *user, *provider, *subject;
	char *target, *login, *source, *mode; /* mode: jump | direct */
	char *rule;
	enum session_state state;
	int64_t started, ended; /* ms; ended 0 while open */
	char *reason;		/* why it ended; "" : normally */
	char *path;		/* transcripts/YYYY/MM/DD/ID, relative to the state directory */
	char *digest;		/* hex SHA-256 of session.json once sealed, else NULL */
};
void session_row_release(struct session_row *row);

struct channel_row {
	char *session;
	uint32_t channel;
	char *kind;
	char *detail; /* command, subsystem: visible form */
	char *file;   /* name of the .cast in the session's folder, NULL when not recorded */
	int64_t started, ended;
	int64_t exit_status; /* -1: none */
	char *exit_signal, *reason;
	uint64_t bytes_in, bytes_out, bytes_err;
	char *digest; /* hex SHA-256 of the transcript once sealed */
};
void channel_row_release(struct channel_row *row);

/* A session or channel ends once: -ENOENT if there is no such row or it has ended before. A digest
 * given with an end is appended to the audit chain in the same transaction ("session-sealed",
 * "channel-sealed", each {session, path, file, digest}), which audit_verify() compares with the
 * files. */
int sessions_insert(struct store *store, const struct session_row *row, struct err *err);
int sessions_end(struct store *store, const char *id, enum session_state state, int64_t ended,
	const char *reason, const char *digest, struct err *err);
/* id or a unique prefix of 8+ characters */
int sessions_get(struct store *store, const char *id, struct session_row *ret, struct err *err);
int channels_insert(struct store *store, const struct channel_row *row, struct err *err);
/* Finds the row by session and channel, and sets all fields from `ended` on. */
int channels_end(struct store *store, const struct channel_row *row, struct err *err);

/* NULL or 0: any */
struct session_filter {
	const char *user, *target, *subject, *provider;
	int open_only;
	int64_t since;
	unsigned limit;
};
/* non-zero stops and is returned */
typedef int session_visit_fn(const struct session_row *row, void *context);
typedef int channel_visit_fn(const struct channel_row *row, void *context);
/* newest first */
int sessions_each(struct store *store, const struct session_filter *filter, session_visit_fn *visit,
	void *context, struct err *err);
int channels_each(struct store *store, const char *session, channel_visit_fn *visit, void *context,
	struct err *err);

/* {"id","user","target","login","source","mode","rule","state","started","ended","reason"}: the
 * flat objects of --json. New reference, NULL without memory. */
json_t *session_json(const struct session_row *row);
json_t *channel_json(const struct channel_row *row);

#endif
