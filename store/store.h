/* The store: one SQLite database (WAL, one writer: the broker) and the transcripts beside it. All
 * SQL is in store/.
 *
 * Everything is opened relative to the state directory's descriptor, taken before privileges are
 * dropped, so the path above it need not be reachable afterwards. sqlite3.h stays inside store/.
 * Functions return 0 or -errno with the reason; -ENOENT: no such row. Strings in returned rows are
 * owned by the row (…_release). Times are milliseconds of wall time unless a name says
 * otherwise. */
#ifndef BARTIZAN_STORE_H
#define BARTIZAN_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

struct store;

#define STORE_FILE "bartizan.db"

#define STORE_LOCK_FILE "bartizan.lock"
#define STORE_TEXT_MAX 65536 /* bytes of one text in a row: longer is -EMSGSIZE */
/* a channel's detail: 64 KiB of a command in visible form */
#define STORE_LONG_TEXT_MAX (512 * 1024)
/* how long to wait for another writer (a draining broker) */
#define STORE_BUSY_MS 250

/* state_dir: a directory's descriptor, kept open by the store (dup). Creates and migrates: each
 * schema version is one step in a transaction; a database of a newer version is refused. read_only:
 * for the CLI's offline audit; works while a broker runs, and creates nothing.
 *
 * A store opened for writing is an instance: it holds a lock on one byte of STORE_LOCK_FILE for as
 * long as its process lives, so that transcripts_recover() does not touch the sessions of a broker
 * that is still draining. The lock ends with the last copy of its descriptor: a forked child must
 * close it (it is CLOEXEC). */
int store_open(int state_dir, bool read_only, struct store **ret, struct err *err);
void store_close(struct store *store);
int store_dir(const struct store *store); /* the state directory's descriptor, borrowed */

/* A transaction: all changes or none. They cannot be nested (-EBUSY). Functions of store/ that
 * change several rows join an open transaction, or begin one. */
int store_begin(struct store *store, struct err *err);
int store_commit(struct store *store, struct err *err);
void store_rollback(struct store *store);

#endif
