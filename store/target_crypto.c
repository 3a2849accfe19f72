/* See target_crypto.h. */
#include "store/target_crypto.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/sql.h"

static bool name_ok(const char *name)
{
	size_t len = strnlen(name, TARGET_CRYPTO_NAME_MAX + 1);

	if (!len || len > TARGET_CRYPTO_NAME_MAX)
		return false;
	for (; *name; name++)
		if (*name <= ' ' || *name > '~' || *name == ',')
			return false;
	return true;
}

/* Whether the row says the same already and is new enough. A clock that was set back makes it be
 * written again. */
static int is_fresh(struct store *store, const struct target_crypto *facts, struct err *err)
{
	int64_t count = 0;
	int rc = sql_number(store, &count, err,
		"SELECT COUNT(*) FROM target_crypto WHERE target = ? AND port = ? AND kex = ?"
		" AND host_key IS ? AND cipher IS ? AND post_quantum = ? AND scanned = ?"
		" AND seen > ? AND seen <= ?",
		"titttiiii", facts->target, (int64_t)facts->port, facts->kex, facts->host_key,
		facts->cipher, (int64_t)facts->post_quantum, (int64_t)facts->scanned,
		facts->seen - TARGET_CRYPTO_FRESH_MS, facts->seen);

	return rc ? rc : count > 0;
}

static int insert(struct store *store, const struct target_crypto *facts, struct err *err)
{
	int rc = sql_run(store, err, "INSERT INTO target_crypto VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		"titttiii", facts->target, (int64_t)facts->port, facts->kex, facts->host_key,
		facts->cipher, (int64_t)facts->post_quantum, (int64_t)facts->scanned, facts->seen);

	if (rc)
		return rc;
	return sql_run(store, err,
		"DELETE FROM target_crypto WHERE (target, port) IN (SELECT target, port FROM"
		" target_crypto ORDER BY seen DESC LIMIT -1 OFFSET ?)",
		"i", (int64_t)TARGET_CRYPTO_MAX);
}

static int write_row(struct store *store, const struct target_crypto *facts, struct err *err)
{
	int rc = sql_run(store, err,
		"UPDATE target_crypto SET kex = ?, host_key = ?, cipher = ?, post_quantum = ?,"
		" scanned = ?, seen = ? WHERE target = ? AND port = ?",
		"tttiiiti", facts->kex, facts->host_key, facts->cipher,
		(int64_t)facts->post_quantum, (int64_t)facts->scanned, facts->seen, facts->target,
		(int64_t)facts->port);

	return rc || sql_changes(store) ? rc : insert(store, facts, err);
}

int target_crypto_seen(struct store *store, const struct target_crypto *facts, struct err *err)
{
	bool mine;

	if (!name_ok(facts->kex) || (facts->host_key && !name_ok(facts->host_key)) ||
		(facts->cipher && !name_ok(facts->cipher)))
		return err_set(err, -EINVAL, "what '%s' agreed on is no name of an algorithm",
			facts->target);
	int rc = is_fresh(store, facts, err);
	if (rc)
		return rc < 0 ? rc : 0;
	rc = sql_enter(store, &mine, err);
	if (rc)
		return rc;
	return sql_leave(store, mine, write_row(store, facts, err), err);
}

static const char *text_of(sqlite3_stmt *stmt, int column)
{
	return (const char *)sqlite3_column_text(stmt, column);
}

int target_crypto_each(struct store *store,
	int (*each)(const struct target_crypto *row, void *context), void *context, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sql_query(store, &stmt, err,
		"SELECT target, port, kex, host_key, cipher, post_quantum, scanned, seen FROM"
		" target_crypto ORDER BY target, port",
		"");

	while (!rc && (rc = sql_step(store, stmt, err)) > 0) {
		struct target_crypto row = {
			.target = text_of(stmt, 0),
			.port = (uint16_t)sql_int(stmt, 1),
			.kex = text_of(stmt, 2),
			.host_key = text_of(stmt, 3),
			.cipher = text_of(stmt, 4),
			.post_quantum = sql_int(stmt, 5) != 0,
			.scanned = sql_int(stmt, 6) != 0,
			.seen = sql_int(stmt, 7),
		};
		rc = each(&row, context);
	}
	sql_close(store, stmt);
	return rc;
}
