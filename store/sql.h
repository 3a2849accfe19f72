/* Statements: the part of SQLite that store/ needs. Private to the .c files of store/, the only
 * ones that contain SQL.
 *
 * Statement texts are string literals, because the cache finds them by address. Types of
 * parameters, one character each: 't' const char * of at most STORE_TEXT_MAX bytes (NULL is NULL),
 * 'l' the same of at most STORE_LONG_TEXT_MAX, 'i' int64_t (also for uint64_t: what is above
 * INT64_MAX is -ERANGE), 'b' struct bytes. Texts and bytes are borrowed until the statement is
 * closed. */
#ifndef BARTIZAN_SQL_H
#define BARTIZAN_SQL_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "store/store.h"

#define SQL_CACHE_MAX 64

struct sql_cached {
	const char *text;
	sqlite3_stmt *stmt;
};

struct store {
	sqlite3 *db;
	int dir, lock; /* descriptors; lock -1 when read only */
	bool read_only;
	int64_t instance; /* number of this opening for writing; 0 when read only */
	/* the folder of transcripts that was used last (transcripts.c); -1: none */
	int day;
	char day_path[sizeof("transcripts/dddd/dd/dd")];
	/* certificate serials that are reserved and not yet used: [serial, serial_end) */
	uint64_t serial, serial_end;
	struct sql_cached cache[SQL_CACHE_MAX];
	size_t cached;
};

/* SQLite's code as -errno, with its message */
int sql_error(struct store *store, int code, struct err *err);
/* several statements without parameters or rows */
int sql_exec(struct store *store, const char *text, struct err *err);

/* Runs a statement that returns no rows. -ENOENT is never returned: ask sql_changes(). */
int sql_run(struct store *store, struct err *err, const char *text, const char *types, ...);
int64_t sql_changes(struct store *store);
/* Begins one that returns rows. sql_step: 1 a row, 0 no more, -errno. sql_close: always, also after
 * an error of sql_step. */
int sql_query(struct store *store, sqlite3_stmt **ret, struct err *err, const char *text,
	const char *types, ...);
/* the same without the cache: text may be built at run time */
int sql_query_once(struct store *store, sqlite3_stmt **ret, struct err *err, const char *text,
	const char *types, ...);
int sql_step(struct store *store, sqlite3_stmt *stmt, struct err *err);
void sql_close(struct store *store, sqlite3_stmt *stmt);
/* The first column of the first row as a number; -ENOENT if there is no row. */
int sql_number(struct store *store, int64_t *ret, struct err *err, const char *text,
	const char *types, ...);

int sql_text(sqlite3_stmt *stmt, int column, char **ret); /* copy; NULL for NULL; -ENOMEM */
int64_t sql_int(sqlite3_stmt *stmt, int column);

/* Joins the open transaction or makes one: `bool mine; rc = sql_enter(store, &mine, err); …; return
 * sql_leave(store, mine, rc, err);` rolls back on rc < 0. */
int sql_enter(struct store *store, bool *ret_mine, struct err *err);
int sql_leave(struct store *store, bool mine, int rc, struct err *err);

int store_migrate(struct store *store, struct err *err); /* migrate.c */
/* store.c: a process holds its lock */
bool store_instance_alive(struct store *store, int64_t instance);

#endif
