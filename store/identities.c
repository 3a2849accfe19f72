/* Identities and certificates. See identities.h. */
#include "store/identities.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "store/sql.h"

/* serials reserved by one synced write: a power failure skips some but repeats none */
#define SERIALS_AT_ONCE 64

void certificate_row_release(struct certificate_row *row)
{
	free(row->provider);
	free(row->subject);
	free(row->user);
	free(row->key_id);
	free(row->key_fp);
	*row = (struct certificate_row){ 0 };
}

/* ---- identities ---- */

static int groups_put(struct store *store, int64_t id, const struct identity *who, struct err *err)
{
	int rc = sql_run(store, err, "DELETE FROM identity_groups WHERE identity = ?", "i", id);

	for (size_t i = 0; !rc && i < who->group_count; i++)
		rc = sql_run(store, err, "INSERT INTO identity_groups VALUES (?, ?, ?)", "iit", id,
			(int64_t)i, who->groups[i]);
	return rc;
}

int identities_put(struct store *store, const struct identity *who, int64_t now_ms, struct err *err)
{
	int64_t id;
	bool mine;

	if (!who->user || !who->provider || !who->subject)
		return err_set(err, -EINVAL, "identity without user, provider or subject");
	if (who->group_count > IDENTITY_GROUPS_MAX)
		return err_set(err, -EMSGSIZE, "identity '%s': %zu groups, at most %d are kept",
			who->user, who->group_count, IDENTITY_GROUPS_MAX);
	int rc = sql_enter(store, &mine, err);
	if (rc)
		return rc;
	rc = sql_number(store, &id, err,
		"INSERT INTO identities (provider, subject, user, first_seen, last_seen) VALUES "
		"(?1, ?2, ?3, ?4, ?4)"
		" ON CONFLICT (provider, subject) DO UPDATE SET user = excluded.user, last_seen = "
		"excluded.last_seen RETURNING id",
		"ttti", who->provider, who->subject, who->user, now_ms);
	if (!rc)
		rc = groups_put(store, id, who, err);
	return sql_leave(store, mine, rc, err);
}

static int groups_get(struct store *store, int64_t id, struct identity *who, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int64_t count = 0;
	int rc = sql_number(store, &count, err,
		"SELECT COUNT(*) FROM identity_groups WHERE identity = ?", "i", id);

	if (rc)
		return rc;
	who->groups = calloc((size_t)count + 1, sizeof(*who->groups));
	if (!who->groups)
		return -ENOMEM;
	rc = sql_query(store, &stmt, err,
		"SELECT name FROM identity_groups WHERE identity = ? ORDER BY place", "i", id);
	while (!rc && who->group_count < (size_t)count && (rc = sql_step(store, stmt, err)) == 1) {
		rc = sql_text(stmt, 0, &who->groups[who->group_count]);
		who->group_count += !rc;
	}
	sql_close(store, stmt);
	return rc;
}

/* From a row (id, provider, subject, user). */
static int identity_take(
	struct store *store, sqlite3_stmt *stmt, struct identity *who, struct err *err)
{
	if (sql_text(stmt, 1, &who->provider) || sql_text(stmt, 2, &who->subject) ||
		sql_text(stmt, 3, &who->user))
		return -ENOMEM;
	who->expires = INT64_MAX;
	return groups_get(store, sql_int(stmt, 0), who, err);
}

int identities_by_user(
	struct store *store, const char *user, struct identity **ret, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	struct identity *who = calloc(1, sizeof(*who));

	if (!who)
		return -ENOMEM;
	/* a local user, who got a certificate from an administrator, is preferred to a provider's
	 * user of the same name: this is for certificates signed with the gateway's own key */
	int rc = sql_query(store, &stmt, err,
		"SELECT id, provider, subject, user FROM identities WHERE user = ?1 AND (provider "
		"= 'local' OR NOT EXISTS"
		" (SELECT 1 FROM identities WHERE user = ?1 AND provider = 'local')) LIMIT 2",
		"t", user);
	if (!rc)
		rc = sql_step(store, stmt, err);
	if (rc == 0)
		rc = err_set(err, -ENOENT, "user '%s' was never seen", user);
	if (rc == 1)
		rc = identity_take(store, stmt, who, err);
	if (!rc && (rc = sql_step(store, stmt, err)) == 1)
		rc = err_set(
			err, -ENOTUNIQ, "user '%s' is known from more than one provider", user);
	sql_close(store, stmt);
	if (rc)
		identity_free(who);
	else
		*ret = who;
	return rc;
}

/* ---- certificates ---- */

static int certificate_take(sqlite3_stmt *stmt, uint64_t serial, const char *key_fp,
	struct identity *who, struct err *err)
{
	if (sql_text(stmt, 4, &who->key_fp) || sql_text(stmt, 5, &who->key_id))
		return -ENOMEM;
	if (key_fp && strcmp(key_fp, who->key_fp))
		return err_set(
			err, -EACCES, "certificate %" PRIu64 " was issued for another key", serial);
	who->serial = serial;
	who->expires = sql_int(stmt, 6);
	return 0;
}

int identities_by_serial(struct store *store, uint64_t serial, const char *key_fp,
	struct identity **ret, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	struct identity *who = calloc(1, sizeof(*who));

	if (!who)
		return -ENOMEM;
	/* The user name is that of the certificate: a later change of name does not apply to
	 * certificates already issued. */
	int rc = sql_query(store, &stmt, err,
		"SELECT i.id, i.provider, i.subject, c.user, c.key_fp, c.key_id, c.valid_before "
		"FROM certificates c"
		" JOIN identities i ON i.provider = c.provider AND i.subject = c.subject WHERE "
		"c.serial = ?",
		"i", (int64_t)serial);
	if (!rc)
		rc = sql_step(store, stmt, err);
	if (rc == 0)
		rc = err_set(err, -ENOENT, "certificate %" PRIu64 " was not issued here", serial);
	if (rc == 1)
		rc = identity_take(store, stmt, who, err);
	if (!rc)
		rc = certificate_take(stmt, serial, key_fp, who, err);
	sql_close(store, stmt);
	if (rc)
		identity_free(who);
	else
		*ret = who;
	return rc;
}

/* Refused inside a transaction, which could be rolled back: then a serial would be given twice. */
static int serials_reserve(struct store *store, struct err *err)
{
	int64_t next;

	if (!sqlite3_get_autocommit(store->db))
		return err_set(err, -EBUSY, "database: serials are not taken inside a transaction");
	int rc = sql_exec(store, "PRAGMA synchronous=FULL", err);
	if (!rc)
		rc = sql_number(store, &next, err,
			"UPDATE meta SET value = value + ? WHERE key = 'serial' RETURNING value",
			"i", (int64_t)SERIALS_AT_ONCE);
	int restored = sql_exec(store, "PRAGMA synchronous=NORMAL", rc ? NULL : err);
	if (rc || restored)
		return rc ? rc : restored;
	store->serial_end = (uint64_t)next;
	store->serial = store->serial_end - SERIALS_AT_ONCE;
	return 0;
}

int certificates_next_serial(struct store *store, uint64_t *ret, struct err *err)
{
	int rc = store->serial < store->serial_end ? 0 : serials_reserve(store, err);

	if (!rc)
		*ret = store->serial++;
	return rc;
}

int certificates_put(struct store *store, const struct certificate_row *row, struct err *err)
{
	int rc = sql_run(store, err, "INSERT INTO certificates VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		"itttttiii", (int64_t)row->serial, row->provider, row->subject, row->user,
		row->key_id, row->key_fp, row->valid_after, row->valid_before, row->issued);

	return rc ? err_prefix(err, rc, "certificate %" PRIu64, row->serial) : 0;
}
