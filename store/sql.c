/* Statements, prepared once and kept. See sql.h. */
#include "store/sql.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

struct code {
	int sqlite, rc;
};

static const struct code codes[] = {
	{ SQLITE_BUSY, -EBUSY },
	{ SQLITE_LOCKED, -EBUSY },
	{ SQLITE_FULL, -ENOSPC },
	{ SQLITE_NOMEM, -ENOMEM },
	{ SQLITE_READONLY, -EROFS },
	{ SQLITE_CORRUPT, -EBADMSG },
	{ SQLITE_NOTADB, -EBADMSG },
	{ SQLITE_CONSTRAINT, -EEXIST },
	{ SQLITE_TOOBIG, -EMSGSIZE },
	{ SQLITE_CANTOPEN, -EACCES },
	{ SQLITE_PERM, -EACCES },
	{ SQLITE_AUTH, -EACCES },
};

int sql_error(struct store *store, int code, struct err *err)
{
	int rc = -EIO;

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].sqlite == (code & 0xff))
			rc = codes[i].rc;
	if ((code & 0xff) == SQLITE_IOERR && store->db && sqlite3_system_errno(store->db) == ENOSPC)
		rc = -ENOSPC;
	return err_set(err, rc, "database: %s",
		store->db ? sqlite3_errmsg(store->db) : sqlite3_errstr(code));
}

int sql_exec(struct store *store, const char *text, struct err *err)
{
	int code = sqlite3_exec(store->db, text, NULL, NULL, NULL);

	return code == SQLITE_OK ? 0 : sql_error(store, code, err);
}

/* A kept statement that is not running; otherwise a new one, kept while there is room. */
static int prepare(struct store *store, const char *text, sqlite3_stmt **ret, struct err *err)
{
	for (size_t i = 0; i < store->cached; i++) {
		if (store->cache[i].text == text && !sqlite3_stmt_busy(store->cache[i].stmt)) {
			*ret = store->cache[i].stmt;
			return 0;
		}
	}
	int code = sqlite3_prepare_v3(store->db, text, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);
	if (code != SQLITE_OK)
		return sql_error(store, code, err);
	if (store->cached < SQL_CACHE_MAX)
		store->cache[store->cached++] = (struct sql_cached){ text, *ret };
	return 0;
}

void sql_close(struct store *store, sqlite3_stmt *stmt)
{
	if (!stmt)
		return;
	for (size_t i = 0; i < store->cached; i++) {
		if (store->cache[i].stmt == stmt) {
			sqlite3_reset(stmt);
			sqlite3_clear_bindings(stmt);
			return;
		}
	}
	sqlite3_finalize(stmt);
}

static int bind_text(sqlite3_stmt *stmt, int at, const char *text, size_t max)
{
	if (!text)
		return SQLITE_OK; /* an unbound parameter is NULL */
	size_t len = strnlen(text, max + 1);
	return len > max ? SQLITE_TOOBIG
			 : sqlite3_bind_text(stmt, at, text, (int)len, SQLITE_STATIC);
}

static int bind_bytes(sqlite3_stmt *stmt, int at, struct bytes bytes)
{
	const void *data = bytes.data ? bytes.data : (const void *)"";

	if (bytes.len > STORE_TEXT_MAX)
		return SQLITE_TOOBIG;
	return sqlite3_bind_blob(stmt, at, data, (int)bytes.len, SQLITE_STATIC);
}

static int bind_one(sqlite3_stmt *stmt, int at, char type, va_list *args)
{
	switch (type) {
	case 't': return bind_text(stmt, at, va_arg(*args, const char *), STORE_TEXT_MAX);
	case 'l': return bind_text(stmt, at, va_arg(*args, const char *), STORE_LONG_TEXT_MAX);
	case 'i': return sqlite3_bind_int64(stmt, at, va_arg(*args, int64_t));
	case 'b': return bind_bytes(stmt, at, va_arg(*args, struct bytes));
	default: return SQLITE_MISUSE;
	}
}

/* Takes the statement: closes it when a value does not fit. */
static int bind(
	struct store *store, sqlite3_stmt *stmt, struct err *err, const char *types, va_list *args)
{
	int code = SQLITE_OK;

	for (int at = 1; code == SQLITE_OK && types[at - 1]; at++)
		code = bind_one(stmt, at, types[at - 1], args);
	if (code == SQLITE_OK)
		return 0;
	int rc = code == SQLITE_TOOBIG ? err_set(err, -EMSGSIZE, "database: a value is too long")
				       : sql_error(store, code, err);
	sql_close(store, stmt);
	return rc;
}

static int query(struct store *store, sqlite3_stmt **ret, struct err *err, const char *text,
	const char *types, va_list *args)
{
	sqlite3_stmt *stmt = NULL;
	int rc = prepare(store, text, &stmt, err);

	if (!rc)
		rc = bind(store, stmt, err, types, args);
	if (!rc)
		*ret = stmt;
	return rc;
}

int sql_query(struct store *store, sqlite3_stmt **ret, struct err *err, const char *text,
	const char *types, ...)
{
	va_list args;

	va_start(args, types);
	int rc = query(store, ret, err, text, types, &args);
	va_end(args);
	return rc;
}

int sql_query_once(struct store *store, sqlite3_stmt **ret, struct err *err, const char *text,
	const char *types, ...)
{
	va_list args;
	sqlite3_stmt *stmt = NULL;
	int code = sqlite3_prepare_v2(store->db, text, -1, &stmt, NULL);

	if (code != SQLITE_OK)
		return sql_error(store, code, err);
	va_start(args, types);
	int rc = bind(store, stmt, err, types, &args);
	va_end(args);
	if (!rc)
		*ret = stmt;
	return rc;
}

int sql_step(struct store *store, sqlite3_stmt *stmt, struct err *err)
{
	int code = sqlite3_step(stmt);

	if (code == SQLITE_ROW)
		return 1;
	return code == SQLITE_DONE ? 0 : sql_error(store, code, err);
}

int sql_run(struct store *store, struct err *err, const char *text, const char *types, ...)
{
	va_list args;
	sqlite3_stmt *stmt = NULL;

	va_start(args, types);
	int rc = query(store, &stmt, err, text, types, &args);
	va_end(args);
	if (rc)
		return rc;
	rc = sql_step(store, stmt, err);
	sql_close(store, stmt);
	return rc < 0 ? rc : 0;
}

int64_t sql_changes(struct store *store)
{
	return sqlite3_changes64(store->db);
}

int sql_number(struct store *store, int64_t *ret, struct err *err, const char *text,
	const char *types, ...)
{
	va_list args;
	sqlite3_stmt *stmt = NULL;

	va_start(args, types);
	int rc = query(store, &stmt, err, text, types, &args);
	va_end(args);
	if (rc)
		return rc;
	rc = sql_step(store, stmt, err);
	if (!rc)
		rc = err_set(err, -ENOENT, "database: no such row");
	if (rc == 1) {
		int64_t number = sql_int(stmt, 0);
		/* run to its end, because a statement that changes something commits there */
		rc = sql_step(store, stmt, err);
		if (rc >= 0)
			*ret = number;
	}
	sql_close(store, stmt);
	return rc < 0 ? rc : 0;
}

int sql_text(sqlite3_stmt *stmt, int column, char **ret)
{
	const unsigned char *text = sqlite3_column_text(stmt, column);

	if (!text) {
		*ret = NULL;
		return sqlite3_column_type(stmt, column) == SQLITE_NULL ? 0 : -ENOMEM;
	}
	*ret = strdup((const char *)text);
	return *ret ? 0 : -ENOMEM;
}

int64_t sql_int(sqlite3_stmt *stmt, int column)
{
	return sqlite3_column_int64(stmt, column);
}

int sql_enter(struct store *store, bool *ret_mine, struct err *err)
{
	*ret_mine = sqlite3_get_autocommit(store->db);
	return *ret_mine ? sql_run(store, err, "BEGIN IMMEDIATE", "") : 0;
}

int sql_leave(struct store *store, bool mine, int rc, struct err *err)
{
	if (!mine)
		return rc;
	if (rc >= 0) {
		int done = sql_run(store, err, "COMMIT", "");
		if (!done)
			return rc;
		rc = done;
	}
	store_rollback(store);
	return rc;
}
