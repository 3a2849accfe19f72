/* Revocations. See revocations.h. */
#include "store/revocations.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/sql.h"

#define COLUMNS "id, kind, value, ca, reason, by, at, until"

static const char *const names[REVOKED_KINDS] = {
	[REVOKED_USER] = "user",
	[REVOKED_SERIAL] = "serial",
	[REVOKED_KEY] = "key",
	[REVOKED_KEY_ID] = "key_id",
};

const char *revocation_kind_name(enum revocation_kind kind)
{
	return kind < REVOKED_KINDS ? names[kind] : "unknown";
}

void revocation_release(struct revocation *revocation)
{
	free(revocation->value);
	free(revocation->ca);
	free(revocation->reason);
	free(revocation->by);
	*revocation = (struct revocation){ 0 };
}

static bool complete(const struct revocation *revocation)
{
	return revocation->kind < REVOKED_KINDS && revocation->value && *revocation->value &&
	       strlen(revocation->value) <= REVOCATION_VALUE_MAX && revocation->ca &&
	       revocation->by && revocation->reason &&
	       strlen(revocation->reason) <= REVOCATION_REASON_MAX &&
	       (revocation->kind != REVOKED_SERIAL || *revocation->ca);
}

int revocations_put(
	struct store *store, const struct revocation *revocation, int64_t *ret_id, struct err *err)
{
	if (!complete(revocation))
		return err_set(err, -EINVAL,
			"a revocation needs a value, at most %d bytes of reason, and with a serial "
			"its authority",
			REVOCATION_REASON_MAX);
	return sql_number(store, ret_id, err,
		"INSERT INTO revocations (kind, value, ca, reason, by, at, until) VALUES (?, ?, ?, "
		"?, ?, ?, ?) RETURNING id",
		"tttttii", names[revocation->kind], revocation->value, revocation->ca,
		revocation->reason, revocation->by, revocation->at, revocation->until);
}

static int take(sqlite3_stmt *stmt, struct revocation *ret, struct err *err)
{
	struct revocation row = {
		.id = sql_int(stmt, 0),
		.kind = REVOKED_KINDS,
		.at = sql_int(stmt, 6),
		.until = sql_int(stmt, 7),
	};
	char *kind = NULL;
	int rc = sql_text(stmt, 1, &kind);

	for (unsigned i = 0; !rc && kind && i < REVOKED_KINDS; i++)
		if (!strcmp(kind, names[i]))
			row.kind = (enum revocation_kind)i;
	free(kind);
	if (!rc && (sql_text(stmt, 2, &row.value) || sql_text(stmt, 3, &row.ca) ||
			   sql_text(stmt, 4, &row.reason) || sql_text(stmt, 5, &row.by)))
		rc = -ENOMEM;
	if (!rc && row.kind == REVOKED_KINDS)
		rc = err_set(err, -EBADMSG, "revocation %" PRId64 " is of an unknown kind", row.id);
	if (rc)
		revocation_release(&row);
	else
		*ret = row;
	return rc;
}

/* The first row of a query, whose statement it closes: 1, or 0 without a row. */
static int first(struct store *store, sqlite3_stmt *stmt, struct revocation *ret, struct err *err)
{
	int rc = sql_step(store, stmt, err);

	if (rc == 1)
		rc = take(stmt, ret, err) ? -EIO : 1;
	sql_close(store, stmt);
	return rc;
}

int revocations_remove(struct store *store, int64_t id, struct revocation *ret, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	struct revocation row = { 0 };
	bool mine;
	int rc = sql_enter(store, &mine, err);

	if (rc)
		return rc;
	rc = sql_query(
		store, &stmt, err, "SELECT " COLUMNS " FROM revocations WHERE id = ?", "i", id);
	if (!rc)
		rc = first(store, stmt, &row, err);
	if (rc == 0)
		rc = err_set(err, -ENOENT, "there is no revocation %" PRId64, id);
	if (rc == 1)
		rc = sql_run(store, err, "DELETE FROM revocations WHERE id = ?", "i", id);
	rc = sql_leave(store, mine, rc, err);
	if (!rc && ret)
		*ret = row;
	else
		revocation_release(&row);
	return rc;
}

int revocations_find(struct store *store, const struct revocation_question *question, int64_t now,
	struct revocation *ret, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	char serial[24] = "";

	if (question->ca_fp)
		snprintf(serial, sizeof(serial), "%" PRIu64, question->serial);
	/* NULL is not equal to anything. */
	int rc = sql_query(store, &stmt, err,
		"SELECT " COLUMNS
		" FROM revocations WHERE (until = 0 OR until > ?1) AND (ca = '' OR ca = ?2) AND"
		" ((kind = 'user' AND (value = ?3 COLLATE NOCASE OR EXISTS (SELECT 1 FROM "
		"key_holders "
		"h WHERE h.key_fp = ?4 AND h.user = revocations.value COLLATE NOCASE))) OR (kind = "
		"'key' AND value = ?4) OR (kind = "
		"'serial' AND value = ?5) OR (kind = 'key_id' AND value "
		"= ?6))"
		" ORDER BY id LIMIT 1",
		"ittttl", now, question->ca_fp, question->user, question->key_fp,
		question->ca_fp ? serial : NULL, question->key_id);
	return rc ? rc : first(store, stmt, ret, err);
}

int revocations_each(struct store *store, bool all, int64_t now, revocation_visit_fn *visit,
	void *context, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sql_query(store, &stmt, err,
		"SELECT " COLUMNS
		" FROM revocations WHERE ?1 OR until = 0 OR until > ?2 ORDER BY id",
		"ii", (int64_t)all, now);

	while (!rc && (rc = sql_step(store, stmt, err)) == 1) {
		struct revocation row = { 0 };
		rc = take(stmt, &row, err);
		if (!rc && visit(&row, context))
			rc = 1;
		revocation_release(&row);
		if (rc == 1)
			break;
	}
	sql_close(store, stmt);
	return rc < 0 ? rc : 0;
}
