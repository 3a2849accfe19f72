/* The schema: one step for each version, in a transaction of its own. A released step is never
 * changed; a new version is a new step.
 *
 * Triggers of the audit tables refuse to change or remove events, to leave a gap and to insert one
 * in between. That stops accidents and our own errors; the hashes and signatures protect against
 * somebody who writes the file. */
#include <errno.h>
#include <inttypes.h>

#include "store/sql.h"

#define APPLICATION_ID 1112824369 /* "BTZ1" */

static const char step_1[] =
	"PRAGMA application_id = 1112824369;"
	"CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
	"INSERT INTO meta VALUES ('instance', 0), ('serial', 1);"

	"CREATE TABLE identities (id INTEGER PRIMARY KEY, provider TEXT NOT NULL, subject TEXT NOT "
	"NULL, user TEXT NOT NULL, first_seen INTEGER NOT "
	"NULL,"
	" last_seen INTEGER NOT NULL, UNIQUE (provider, subject));"
	"CREATE INDEX identities_user ON identities (user);"
	"CREATE TABLE identity_groups (identity INTEGER NOT NULL REFERENCES identities ON DELETE "
	"CASCADE, place INTEGER NOT NULL, name TEXT NOT NULL,"
	" PRIMARY KEY (identity, place)) WITHOUT ROWID;"
	"CREATE TABLE certificates (serial INTEGER PRIMARY KEY, provider TEXT NOT NULL, subject "
	"TEXT NOT NULL, user TEXT NOT NULL, key_id TEXT NOT "
	"NULL, key_fp TEXT NOT NULL,"
	" valid_after INTEGER NOT NULL, valid_before INTEGER NOT NULL, issued INTEGER NOT NULL, "
	"FOREIGN KEY (provider, subject) REFERENCES "
	"identities (provider, subject));"
	"CREATE INDEX certificates_identity ON certificates (provider, subject);"

	"CREATE TABLE sessions (id TEXT PRIMARY KEY, connection INTEGER NOT NULL, user TEXT NOT "
	"NULL, provider TEXT NOT NULL, subject TEXT NOT NULL, "
	"target TEXT NOT NULL,"
	" login TEXT NOT NULL, source TEXT NOT NULL, mode TEXT NOT NULL, rule TEXT NOT NULL, state "
	"INTEGER NOT NULL, started INTEGER NOT NULL, ended "
	"INTEGER NOT NULL,"
	" reason TEXT NOT NULL, path TEXT NOT NULL, digest TEXT, instance INTEGER NOT NULL) "
	"WITHOUT ROWID;"
	"CREATE INDEX sessions_started ON sessions (started, id);"
	"CREATE INDEX sessions_user ON sessions (user, started, id);"
	"CREATE INDEX sessions_subject ON sessions (provider, subject, started, id);"
	"CREATE INDEX sessions_target ON sessions (target, started, id);"
	"CREATE INDEX sessions_open ON sessions (started, id) WHERE state = 0;"
	"CREATE TABLE channels (session TEXT NOT NULL REFERENCES sessions, channel INTEGER NOT "
	"NULL, kind TEXT NOT NULL, detail TEXT NOT NULL, file "
	"TEXT, started INTEGER NOT NULL,"
	" ended INTEGER NOT NULL, exit_status INTEGER NOT NULL, exit_signal TEXT, reason TEXT, "
	"bytes_in INTEGER NOT NULL, bytes_out INTEGER NOT "
	"NULL, bytes_err INTEGER NOT NULL,"
	" digest TEXT, PRIMARY KEY (session, channel)) WITHOUT ROWID;"

	"CREATE TABLE audit (seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, type TEXT NOT NULL, "
	"data TEXT NOT NULL, previous BLOB NOT NULL, hash "
	"BLOB NOT NULL);"
	"CREATE INDEX audit_seals ON audit (seq) WHERE type IN ('session-sealed', "
	"'channel-sealed');"
	"CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit "
	"events are never changed'); END;"
	"CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit "
	"events are never removed'); END;"
	"CREATE TRIGGER audit_in_order BEFORE INSERT ON audit WHEN NEW.seq IS NOT (SELECT "
	"COALESCE(MAX(seq), 0) + 1 FROM audit)"
	" BEGIN SELECT RAISE(ABORT, 'audit events are only appended'); END;"
	"CREATE TABLE checkpoints (seq INTEGER PRIMARY KEY REFERENCES audit, time INTEGER NOT "
	"NULL, key BLOB NOT NULL, signature BLOB NOT NULL);"
	"CREATE TRIGGER checkpoints_no_update BEFORE UPDATE ON checkpoints BEGIN SELECT "
	"RAISE(ABORT, 'checkpoints are never changed'); END;"
	"CREATE TRIGGER checkpoints_no_delete BEFORE DELETE ON checkpoints BEGIN SELECT "
	"RAISE(ABORT, 'checkpoints are never removed'); END;"
	"CREATE TRIGGER checkpoints_in_order BEFORE INSERT ON checkpoints WHEN NEW.seq <= (SELECT "
	"COALESCE(MAX(seq), 0) FROM checkpoints)"
	" BEGIN SELECT RAISE(ABORT, 'checkpoints are only appended'); END;"
	"PRAGMA user_version = 1;";

/* Logins at providers (store/logins.c) and revocations (store/revocations.c). */
static const char step_2[] =
	"CREATE TABLE logins (serial INTEGER PRIMARY KEY, key_fp TEXT NOT NULL, provider TEXT NOT "
	"NULL, subject TEXT NOT NULL, user TEXT NOT NULL,"
	" certificate TEXT NOT NULL, login_time INTEGER NOT NULL, expires INTEGER NOT NULL, "
	"machine INTEGER NOT NULL, claims TEXT NOT NULL,"
	" forgotten INTEGER NOT NULL, FOREIGN KEY (serial) REFERENCES certificates (serial));"
	"CREATE INDEX logins_key ON logins (key_fp, expires);"
	"CREATE INDEX logins_user ON logins (user);"
	"CREATE INDEX logins_expires ON logins (expires);"
	"CREATE TABLE revocations (id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, value "
	"TEXT NOT NULL, ca TEXT NOT NULL, reason TEXT NOT "
	"NULL,"
	" by TEXT NOT NULL, at INTEGER NOT NULL, until INTEGER NOT NULL);"
	"CREATE INDEX revocations_value ON revocations (value, kind);"
	"PRAGMA user_version = 2;";

/* Approvals: requests, votes, uses, reviews; and the time that passes across restarts. */
static const char step_3[] =
	"CREATE TABLE lapse (one INTEGER PRIMARY KEY CHECK (one = 1), boot BLOB NOT NULL, boottime "
	"INTEGER NOT NULL, wall INTEGER NOT NULL, lapse "
	"INTEGER NOT NULL);"
	"CREATE TABLE approvals (id TEXT PRIMARY KEY, provider TEXT NOT NULL, subject TEXT NOT "
	"NULL, user TEXT NOT NULL, source TEXT NOT NULL, "
	"target TEXT NOT NULL,"
	" login TEXT NOT NULL, kind TEXT NOT NULL, rule TEXT NOT NULL, by TEXT NOT NULL, command "
	"BLOB NOT NULL, exact INTEGER NOT NULL, reason TEXT "
	"NOT NULL, needed INTEGER NOT NULL,"
	" votes INTEGER NOT NULL, state INTEGER NOT NULL, created INTEGER NOT NULL, decided "
	"INTEGER NOT NULL, deadline INTEGER NOT NULL, window "
	"INTEGER NOT NULL, until INTEGER NOT NULL,"
	" uses_max INTEGER NOT NULL, uses INTEGER NOT NULL, note TEXT NOT NULL, decided_by TEXT "
	"NOT NULL);"
	"CREATE INDEX approvals_created ON approvals (created, id);"
	"CREATE INDEX approvals_open ON approvals (state, deadline) WHERE state <= 1;"
	"CREATE INDEX approvals_scope ON approvals (provider, subject, target, login, kind) WHERE "
	"state <= 1;"
	"CREATE TABLE votes (approval TEXT NOT NULL REFERENCES approvals, provider TEXT NOT NULL, "
	"subject TEXT NOT NULL, user TEXT NOT NULL, approve "
	"INTEGER NOT NULL, note TEXT NOT NULL,"
	" at INTEGER NOT NULL, PRIMARY KEY (approval, provider, subject)) WITHOUT ROWID;"
	"CREATE TABLE uses (approval TEXT NOT NULL REFERENCES approvals, session TEXT NOT NULL, "
	"channel INTEGER NOT NULL, at INTEGER NOT NULL,"
	" PRIMARY KEY (approval, session, channel)) WITHOUT ROWID;"
	"CREATE TABLE reviews (id TEXT PRIMARY KEY, session TEXT NOT NULL, provider TEXT NOT NULL, "
	"subject TEXT NOT NULL, user TEXT NOT NULL, target "
	"TEXT NOT NULL, reason TEXT NOT NULL,"
	" created INTEGER NOT NULL, signed_provider TEXT, signed_subject TEXT, signed_by TEXT, "
	"signed_at INTEGER NOT NULL, note TEXT NOT NULL);"
	"CREATE INDEX reviews_created ON reviews (created, id);"
	"PRAGMA user_version = 3;";

/* ID tokens that were used (store/tokens.c). */
static const char step_4[] =
	"CREATE TABLE tokens (digest BLOB PRIMARY KEY, used INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE INDEX tokens_used ON tokens (used);"
	"PRAGMA user_version = 4;";

/* Which people came in with which key (store/holders.c). */
static const char step_5[] =
	"CREATE TABLE key_holders (key_fp TEXT NOT NULL, provider TEXT NOT NULL, subject TEXT NOT "
	"NULL, user TEXT NOT NULL, seen INTEGER NOT NULL, PRIMARY KEY (key_fp, provider, subject)) "
	"WITHOUT ROWID;"
	"CREATE INDEX key_holders_person ON key_holders (provider, subject);"
	"CREATE INDEX key_holders_seen ON key_holders (seen);"
	"PRAGMA user_version = 5;";

/* What an approval is for besides its command (store/approvals.h): one that was given before is for
 * no environment. */
static const char step_6[] = "ALTER TABLE approvals ADD COLUMN env BLOB NOT NULL DEFAULT x'';"
			     "ALTER TABLE approvals ADD COLUMN inside BLOB NOT NULL DEFAULT x'';"
			     "PRAGMA user_version = 6;";

/* How each target was last connected to (store/target_crypto.c). */
static const char step_7[] =
	"CREATE TABLE target_crypto (target TEXT NOT NULL COLLATE NOCASE, port INTEGER NOT NULL, "
	"kex TEXT NOT NULL, host_key TEXT, cipher TEXT, post_quantum INTEGER NOT NULL, scanned "
	"INTEGER NOT NULL, seen INTEGER NOT NULL, PRIMARY KEY (target, port)) WITHOUT ROWID;"
	"CREATE INDEX target_crypto_seen ON target_crypto (seen);"
	"PRAGMA user_version = 7;";

static const char *const steps[] = { step_1, step_2, step_3, step_4, step_5, step_6, step_7 };

#define VERSION ((int64_t)(sizeof(steps) / sizeof(steps[0])))

/* Refuses a database that is neither empty nor made by this program. */
static int refuse_foreign(struct store *store, int64_t version, struct err *err)
{
	int64_t id = 0, tables = 0;
	int rc = sql_number(store, &id, err, "PRAGMA application_id", "");

	if (!rc)
		rc = sql_number(store, &tables, err, "SELECT COUNT(*) FROM sqlite_schema", "");
	if (!rc && (version || tables) && id != APPLICATION_ID)
		rc = err_set(err, -EBADMSG, "'%s' is not a database of this gateway", STORE_FILE);
	return rc;
}

static int version_read(struct store *store, int64_t *ret, struct err *err)
{
	int rc = sql_number(store, ret, err, "PRAGMA user_version", "");

	if (!rc)
		rc = refuse_foreign(store, *ret, err);
	if (!rc && (*ret < 0 || *ret > VERSION))
		rc = err_set(err, -ENOTSUP,
			"'%s' has schema version %" PRId64 ", this program knows %" PRId64
			": it was written by a newer program",
			STORE_FILE, *ret, VERSION);
	return rc;
}

/* The version is read again inside the transaction: another process may have been faster. */
static int step_next(struct store *store, int64_t *ret_version, struct err *err)
{
	bool mine;
	int rc = sql_enter(store, &mine, err);

	if (rc)
		return rc;
	rc = version_read(store, ret_version, err);
	if (!rc && *ret_version < VERSION) {
		rc = sql_exec(store, steps[*ret_version], err);
		if (!rc)
			++*ret_version;
	}
	return sql_leave(store, mine, rc, err);
}

int store_migrate(struct store *store, struct err *err)
{
	int64_t version = 0;
	int rc = version_read(store, &version, err);

	if (!rc && store->read_only && version < VERSION)
		return err_set(err, -ENOTSUP,
			"'%s' has schema version %" PRId64 ", older than %" PRId64
			": start the gateway once",
			STORE_FILE, version, VERSION);
	while (!rc && version < VERSION)
		rc = step_next(store, &version, err);
	return rc;
}
