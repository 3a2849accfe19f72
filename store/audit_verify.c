/* Walks the audit chain offline and reports every fault in it. Nothing that is read is trusted:
 * anybody may have written the file.
 *
 * Two passes: the chain with its checkpoints in one snapshot; then the digests that the chain has
 * sealed, a few at a time, so that the write-ahead log of a running broker can be trimmed
 * meanwhile. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/id.h"
#include "store/audit.h"
#include "store/audit_row.h"
#include "store/sql.h"
#include "store/transcripts.h"

#define PROBLEM_MAX 512
#define SEALS_AT_ONCE 64

struct walk {
	struct store *store;
	const struct sshkey *key; /* the key that was given, or that of the first checkpoint */
	struct sshkey *found;
	void (*problem)(const char *text, void *context);
	void *context;
	struct audit_report report;
	uint64_t expected;	      /* number of the next event */
	uint8_t hash[AUDIT_HASH_LEN]; /* computed hash of the event before it */
	bool broken;		      /* a fault was found before the current checkpoint */
	sqlite3_stmt *checkpoints;    /* positioned at the next checkpoint */
	uint64_t checkpoint_seq;      /* the event of that checkpoint; 0: none is left */
};

static void __attribute__((format(printf, 2, 3))) problem(struct walk *walk, const char *fmt, ...)
{
	char text[PROBLEM_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	walk->report.bad++;
	if (walk->problem)
		walk->problem(text, walk->context);
}

/* ---- checkpoints ---- */

static int checkpoint_next(struct walk *walk, struct err *err)
{
	int rc = sql_step(walk->store, walk->checkpoints, err);

	walk->checkpoint_seq = rc == 1 ? (uint64_t)sql_int(walk->checkpoints, 0) : 0;
	return rc < 0 ? rc : 0;
}

static struct bytes blob(sqlite3_stmt *stmt, int column)
{
	const void *data = sqlite3_column_blob(stmt, column);

	return (struct bytes){ data, data ? (size_t)sqlite3_column_bytes(stmt, column) : 0 };
}

/* Checks that the right key has signed the computed hash in the current checkpoint. */
static int checkpoint_check(struct walk *walk, struct err *err)
{
	SSHKEY_CLEANUP struct sshkey *key = NULL;
	BUF_CLEANUP struct buf data = BUF_INIT(256);
	struct bytes key_blob = blob(walk->checkpoints, 2), signature = blob(walk->checkpoints, 3);

	if (key_blob.len > SSHKEY_BLOB_MAX || signature.len > SSHKEY_SIG_MAX)
		return err_set(err, -EBADMSG, "its key or signature is too long");
	int rc = sshkey_from_blob(key_blob, &key, err);
	if (rc)
		return rc;
	if (walk->key && !sshkey_same(walk->key, key))
		return err_set(err, -EBADMSG, "it is signed by another key");
	rc = audit_checkpoint_bytes(walk->checkpoint_seq, walk->hash, &data);
	if (!rc)
		rc = sshkey_verify(key, signature, buf_bytes(&data), err);
	if (!rc && !walk->key) {
		walk->key = walk->found = key;
		key = NULL;
	}
	return rc;
}

/* Checks all checkpoints of events up to the one whose hash was just computed. If one of an earlier
 * event is left, that event is missing. */
static int checkpoints_up_to(struct walk *walk, uint64_t seq, struct err *err)
{
	int rc = 0;

	while (!rc && walk->checkpoint_seq && walk->checkpoint_seq <= seq) {
		struct err why = { "" };
		walk->report.checkpoints++;
		if (walk->checkpoint_seq < seq)
			problem(walk, "checkpoint of event %" PRIu64 ": the event is missing",
				walk->checkpoint_seq);
		else if (checkpoint_check(walk, &why))
			problem(walk, "checkpoint of event %" PRIu64 ": %s", seq, why.text);
		else if (!walk->broken)
			walk->report.signed_up_to = seq;
		rc = checkpoint_next(walk, err);
	}
	return rc;
}

/* ---- chain ---- */

static void gap(struct walk *walk, uint64_t seq)
{
	if (seq == walk->expected)
		return;
	walk->broken = true;
	if (seq == walk->expected + 1)
		problem(walk, "event %" PRIu64 " is missing", walk->expected);
	else
		problem(walk, "events %" PRIu64 " to %" PRIu64 " are missing", walk->expected,
			seq - 1);
}

static void event_check(struct walk *walk, bool readable, const struct audit_row *row)
{
	uint8_t computed[AUDIT_HASH_LEN];
	uint64_t bad = walk->report.bad;

	if (!readable || audit_hash(row, computed)) {
		problem(walk, "event %" PRIu64 " is damaged", row->seq);
		memset(computed, 0, sizeof(computed));
	} else {
		if (memcmp(computed, row->hash, AUDIT_HASH_LEN))
			problem(walk, "event %" PRIu64 ": hash does not fit its contents",
				row->seq);
		if (row->seq == walk->expected && memcmp(row->previous, walk->hash, AUDIT_HASH_LEN))
			problem(walk, "event %" PRIu64 " does not continue event %" PRIu64,
				row->seq, row->seq - 1);
	}
	walk->broken |= walk->report.bad != bad;
	memcpy(walk->hash, computed, AUDIT_HASH_LEN);
}

static int chain_row(struct walk *walk, sqlite3_stmt *stmt, struct err *err)
{
	struct audit_row row;
	bool readable = audit_row_take(stmt, &row);

	walk->report.events++;
	gap(walk, row.seq);
	event_check(walk, readable, &row);
	walk->expected = row.seq + 1;
	return checkpoints_up_to(walk, row.seq, err);
}

static int chain(struct walk *walk, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sql_query(walk->store, &walk->checkpoints, err,
		"SELECT seq, time, key, signature FROM checkpoints ORDER BY seq", "");

	if (!rc)
		rc = checkpoint_next(walk, err);
	if (!rc)
		rc = sql_query(walk->store, &stmt, err,
			"SELECT " AUDIT_COLUMNS " FROM audit ORDER BY seq", "");
	while (!rc && (rc = sql_step(walk->store, stmt, err)) == 1)
		rc = chain_row(walk, stmt, err);
	sql_close(walk->store, stmt);
	if (!rc && walk->checkpoint_seq >= walk->expected)
		problem(walk, "events after %" PRIu64 " are missing: event %" PRIu64 " was signed",
			walk->expected - 1, walk->checkpoint_seq);
	sql_close(walk->store, walk->checkpoints);
	walk->checkpoints = NULL;
	return rc;
}

static int chain_in_snapshot(struct walk *walk, struct err *err)
{
	int rc = sql_run(walk->store, err, "BEGIN", "");

	if (!rc)
		rc = chain(walk, err);
	store_rollback(walk->store);
	return rc;
}

/* ---- seals ---- */

struct sealed_file { /* borrowed from an event's data */
	const char *session, *path, *file, *digest;
};

static void file_check(struct walk *walk, const struct sealed_file *seal)
{
	char hex[65];
	struct err why = { "" };

	walk->report.transcripts++;
	if (transcripts_digest(walk->store, seal->path, seal->file, hex, &why))
		problem(walk, "session %s: %s", seal->session, why.text);
	else if (strcmp(hex, seal->digest))
		problem(walk, "session %s: '%s' was changed after it was sealed", seal->session,
			seal->file);
}

/* The row, which the CLI shows, must agree with the chain. */
static int row_check(struct walk *walk, const struct sealed_file *seal, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sql_query(walk->store, &stmt, err,
		"SELECT 1 FROM sessions s LEFT JOIN channels c ON c.session = s.id AND c.file = ?2"
		" WHERE s.id = ?1 AND s.path = ?3 AND CASE WHEN ?2 = 'session.json' THEN s.digest "
		"ELSE c.digest END = ?4",
		"tttt", seal->session, seal->file, seal->path, seal->digest);

	if (!rc)
		rc = sql_step(walk->store, stmt, err);
	sql_close(walk->store, stmt);
	if (!rc)
		problem(walk,
			"session %s: the row of '%s' is missing or differs from the audit chain",
			seal->session, seal->file);
	return rc < 0 ? rc : 0;
}

static int seal_check(struct walk *walk, sqlite3_stmt *stmt, struct err *err)
{
	struct audit_row row;
	JSON_CLEANUP json_t *data = NULL;

	if (!audit_row_take(stmt, &row) ||
		json_parse((struct bytes){ (const uint8_t *)row.data, strlen(row.data) },
			AUDIT_DATA_MAX, &data, NULL))
		return 0; /* reported in the first pass, or not written by the gateway */
	struct sealed_file seal = { json_get_string(data, "session"), json_get_string(data, "path"),
		json_get_string(data, "file"), json_get_string(data, "digest") };
	if (!seal.session || !seal.path || !seal.file || !seal.digest ||
		!id_ulid_ok(seal.session)) {
		problem(walk, "event %" PRIu64 " does not name a file that it seals", row.seq);
		return 0;
	}
	file_check(walk, &seal);
	return row_check(walk, &seal, err);
}

/* Checks some seals after *seq, and sets it to the last one. 1: there may be more. */
static int seals_some(struct walk *walk, int64_t *seq, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int count = 0;
	int rc = sql_query(walk->store, &stmt, err,
		"SELECT " AUDIT_COLUMNS " FROM audit WHERE seq > ? AND seq < ? AND type IN "
		"('session-sealed', 'channel-sealed')"
		" ORDER BY seq LIMIT 64",
		"ii", *seq, (int64_t)walk->expected);

	while (!rc && (rc = sql_step(walk->store, stmt, err)) == 1) {
		*seq = sql_int(stmt, 0);
		count++;
		rc = seal_check(walk, stmt, err);
	}
	sql_close(walk->store, stmt);
	return rc ? rc : count == SEALS_AT_ONCE;
}

/* row_check() has found a row for every seal; if there are more rows than seals, somebody marked a
 * row as sealed. One statement reads one snapshot. */
static int rows_without_seal(struct walk *walk, struct err *err)
{
	int64_t more = 0;
	int rc = sql_number(walk->store, &more, err,
		"SELECT (SELECT COUNT(*) FROM sessions WHERE digest IS NOT NULL) + (SELECT "
		"COUNT(*) FROM channels WHERE digest IS NOT NULL)"
		" - (SELECT COUNT(*) FROM audit WHERE type IN ('session-sealed', "
		"'channel-sealed'))",
		"");

	if (!rc && more > 0)
		problem(walk, "%" PRId64 " rows have a digest that is not in the audit chain",
			more);
	return rc;
}

int audit_verify(struct store *store, const struct sshkey *key,
	void (*tell)(const char *text, void *context), void *context, struct audit_report *ret,
	struct err *err)
{
	struct walk walk = {
		.store = store, .key = key, .problem = tell, .context = context, .expected = 1
	};
	int64_t seq = 0;
	int rc = chain_in_snapshot(&walk, err);

	if (!rc)
		do
			rc = seals_some(&walk, &seq, err);
		while (rc == 1);
	if (!rc)
		rc = rows_without_seal(&walk, err);
	sshkey_free(walk.found);
	if (!rc)
		*ret = walk.report;
	return rc;
}
