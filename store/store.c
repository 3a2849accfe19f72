/* Opening and closing the database. SQLite's set-up is decided here and nowhere else.
 *
 * The file is named /proc/self/fd/N/bartizan.db, N being our own copy of the state directory's
 * descriptor, so nothing above that directory need be reachable after privileges are dropped.
 * SQLite would resolve the link N to a path again; its lstat is replaced by stat, which sees no
 * links. */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "store/sql.h"

static void follow_no_links(void)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

	if (vfs && vfs->iVersion >= 3 && vfs->xSetSystemCall)
		vfs->xSetSystemCall(vfs, "lstat", (sqlite3_syscall_ptr)stat);
}

/* ---- instances ---- */

static struct flock byte_lock(int64_t instance)
{
	return (struct flock){
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)instance, .l_len = 1
	};
}

bool store_instance_alive(struct store *store, int64_t instance)
{
	if (instance == store->instance)
		return true;
	struct flock lock = byte_lock(instance);
	/* In doubt it counts as alive, so that nobody's session is closed by mistake. */
	return instance > 0 && (fcntl(store->lock, F_OFD_GETLK, &lock) || lock.l_type != F_UNLCK);
}

static int instance_begin(struct store *store, struct err *err)
{
	store->lock = openat(
		store->dir, STORE_LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (store->lock < 0)
		return err_set(err, -errno, "'%s': %s", STORE_LOCK_FILE, strerror(errno));
	int rc = sql_number(store, &store->instance, err,
		"UPDATE meta SET value = value + 1 WHERE key = 'instance' RETURNING value", "");
	struct flock lock = byte_lock(store->instance);
	if (!rc && fcntl(store->lock, F_OFD_SETLK, &lock))
		rc = err_set(err, -errno, "'%s': %s", STORE_LOCK_FILE, strerror(errno));
	return rc;
}

/* ---- opening ---- */

/* The file is created here, because SQLite would give it the mode 0644; WAL and shared memory take
 * their mode from it. */
static int make_file(int dir, struct err *err)
{
	FD_CLEANUP int fd =
		openat(dir, STORE_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 || fchmod(fd, 0600))
		return err_set(err, -errno, "'%s': %s", STORE_FILE, strerror(errno));
	return 0;
}

/* A database that nobody has open and that was closed properly has no WAL beside it. It is read as
 * immutable: else SQLite would create WAL and shared memory. */
static bool is_at_rest(int dir)
{
	struct stat st;

	return fstatat(dir, STORE_FILE "-wal", &st, AT_SYMLINK_NOFOLLOW) && errno == ENOENT;
}

static int open_file(struct store *store, struct err *err)
{
	char uri[96];
	struct stat st;
	int flags = SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
		    (store->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE);
	int rc = store->read_only ? 0 : make_file(store->dir, err);

	if (!rc && fstatat(store->dir, STORE_FILE, &st, 0))
		rc = err_set(err, -errno, "'%s': %s", STORE_FILE, strerror(errno));
	if (rc)
		return rc;
	snprintf(uri, sizeof(uri), "file:/proc/self/fd/%d/" STORE_FILE "%s", store->dir,
		store->read_only && is_at_rest(store->dir) ? "?immutable=1" : "");
	int code = sqlite3_open_v2(uri, &store->db, flags, NULL);
	return code == SQLITE_OK ? 0 : sql_error(store, code, err);
}

static int set_up(struct store *store, struct err *err)
{
	static const char both[] = "PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF; PRAGMA "
				   "temp_store=MEMORY; PRAGMA cell_size_check=ON;";

	sqlite3_busy_timeout(store->db, STORE_BUSY_MS);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	if (store->read_only) {
		sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
		int rc = sql_exec(store, both, err);
		return rc ? rc : sql_exec(store, "PRAGMA query_only=ON;", err);
	}
	int rc = sql_exec(store, both, err);
	return rc ? rc
		  : sql_exec(store,
			    "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA "
			    "journal_size_limit=67108864;",
			    err);
}

int store_open(int state_dir, bool read_only, struct store **ret, struct err *err)
{
	struct store *store = calloc(1, sizeof(*store));

	if (!store)
		return err_set(err, -ENOMEM, "out of memory to open the database");
	store->lock = store->day = -1;
	store->read_only = read_only;
	store->dir = fcntl(state_dir, F_DUPFD_CLOEXEC, 3);
	int rc = store->dir < 0 ? err_set(err, -errno, "state directory: %s", strerror(errno)) : 0;
	follow_no_links();
	if (!rc)
		rc = open_file(store, err);
	if (!rc)
		rc = set_up(store, err);
	if (!rc)
		rc = store_migrate(store, err);
	if (!rc && !read_only)
		rc = instance_begin(store, err);
	if (rc) {
		store_close(store);
		return rc;
	}
	*ret = store;
	return 0;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	for (size_t i = 0; i < store->cached; i++)
		sqlite3_finalize(store->cache[i].stmt);
	sqlite3_close_v2(store->db); /* before the directory, which is part of SQLite's path */
	fd_closep(&store->lock);
	fd_closep(&store->day);
	fd_closep(&store->dir);
	free(store);
}

int store_dir(const struct store *store)
{
	return store->dir;
}

/* ---- transactions ---- */

int store_begin(struct store *store, struct err *err)
{
	if (!sqlite3_get_autocommit(store->db))
		return err_set(err, -EBUSY, "database: a transaction is open already");
	return sql_run(store, err, "BEGIN IMMEDIATE", "");
}

int store_commit(struct store *store, struct err *err)
{
	return sql_run(store, err, "COMMIT", "");
}

void store_rollback(struct store *store)
{
	if (!sqlite3_get_autocommit(store->db))
		sql_run(store, NULL, "ROLLBACK", "");
}
