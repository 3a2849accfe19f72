/* The folders of transcripts. See transcripts.h. Every step from the state directory down is opened
 * by descriptor and never through a link. The folder of the day is kept open, because nearly every
 * walk goes there. */
#include "store/transcripts.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/id.h"
#include "common/text.h"
#include "store/sql.h"

#define JSON_NAME "session.json"
#define JSON_NEW_NAME "session.json.new"
#define ROOT "transcripts"
#define DAY_LEN (sizeof(ROOT "/dddd/dd/dd") - 1)
#define DIGEST_CHUNK 65536

/* ---- names ---- */

/* Whether the path is transcripts/YYYY/MM/DD/ULID: rows and events are not trusted to hold a valid
 * one. */
static bool path_ok(const char *path)
{
	static const char form[] = ROOT "/dddd/dd/dd/";

	for (size_t i = sizeof(ROOT); form[i]; i++)
		if (strnlen(path, i + 1) <= i ||
			(form[i] == 'd' ? path[i] < '0' || path[i] > '9' : path[i] != form[i]))
			return false;
	return !strncmp(path, form, sizeof(ROOT)) && id_ulid_ok(path + sizeof(form) - 1);
}

static bool name_ok(const char *name)
{
	size_t len = strnlen(name, TRANSCRIPT_NAME_MAX + 1);

	return len && len <= TRANSCRIPT_NAME_MAX &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") == len && name[0] != '.';
}

static int open_dir(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Opens a path folder by folder. With create, makes the missing ones. */
static int walk(int at, const char *path, bool create)
{
	char part[TRANSCRIPT_PATH_MAX];
	int dir = -1, rc = 0;

	while (!rc && *path) {
		size_t len = strcspn(path, "/");
		memcpy(part, path, len);
		part[len] = 0;
		path += len + (path[len] == '/');
		if (create && mkdirat(dir < 0 ? at : dir, part, 0700) && errno != EEXIST)
			rc = -errno;
		if (!rc)
			rc = open_dir(dir < 0 ? at : dir, part);
		fd_closep(&dir);
		dir = rc;
		rc = dir < 0 ? dir : 0;
	}
	return rc ? rc : dir;
}

/* Whether the folder that is kept open is still the one that has this name: somebody may have moved
 * it away or removed it. */
static bool day_stands(const struct store *store, const char *day)
{
	struct stat held, named;

	return store->day >= 0 && !strcmp(store->day_path, day) && !fstat(store->day, &held) &&
	       !fstatat(store->dir, day, &named, AT_SYMLINK_NOFOLLOW) &&
	       held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

/* The folder of the day in which a session's folder lies: borrowed until the next call. */
static int day_of(struct store *store, const char *path, bool create)
{
	char day[DAY_LEN + 1];

	memcpy(day, path, DAY_LEN);
	day[DAY_LEN] = 0;
	if (day_stands(store, day))
		return store->day;
	int fd = walk(store->dir, day, create);
	if (fd < 0)
		return fd;
	fd_closep(&store->day);
	store->day = fd;
	memcpy(store->day_path, day, sizeof(day));
	return fd;
}

int transcripts_folder(struct store *store, const char *path, struct err *err)
{
	if (!path_ok(path))
		return err_set(err, -EINVAL, "'%.*s' is not the folder of a session",
			TRANSCRIPT_PATH_MAX, path);
	int fd = day_of(store, path, false);
	if (fd >= 0)
		fd = open_dir(fd, path + DAY_LEN + 1);
	return fd < 0 ? err_set(err, fd, "'%s': %s", path, strerror(-fd)) : fd;
}

int transcripts_create(struct store *store, const char *session, int64_t started_ms,
	char path[static TRANSCRIPT_PATH_MAX], struct err *err)
{
	time_t seconds = (time_t)(started_ms / 1000);
	struct tm day;

	if (!id_ulid_ok(session) || started_ms < 0 || !gmtime_r(&seconds, &day) ||
		day.tm_year > 9999 - 1900)
		return err_set(err, -EINVAL, "the id or the time of the session is not valid");
	char made[TRANSCRIPT_PATH_MAX];
	snprintf(made, sizeof(made), ROOT "/%04d/%02d/%02d/%s", (day.tm_year + 1900) % 10000,
		day.tm_mon % 12 + 1, day.tm_mday % 32, session);
	int rc = day_of(store, made, true);
	if (rc >= 0)
		rc = mkdirat(rc, session, 0700) ? -errno : 0;
	if (rc)
		return err_set(err, rc, "'%s': %s", made, strerror(-rc));
	memcpy(path, made, sizeof(made));
	return 0;
}

/* ---- files ---- */

static int open_in(int folder, const char *name, int flags, struct err *err)
{
	if (!name_ok(name))
		return err_set(err, -EINVAL, "'%.*s' is not the name of a transcript",
			TRANSCRIPT_NAME_MAX, name);
	int fd = openat(folder, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	return fd < 0 ? err_set(err, -errno, "'%s': %s", name, strerror(errno)) : fd;
}

int transcript_file(int folder, const char *name, struct err *err)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open_in(folder, name, O_RDWR | O_APPEND | O_CREAT | O_EXCL, err);

	if (fd < 0 || !fcntl(fd, F_OFD_SETLK, &lock))
		return fd;
	int rc = err_set(err, -errno, "'%s' cannot be locked: %s", name, strerror(errno));
	fd_closep(&fd);
	return rc;
}

static int open_regular(int folder, const char *name, int flags, struct err *err)
{
	struct stat st;
	int fd = open_in(folder, name, flags, err);

	if (fd < 0 || (!fstat(fd, &st) && S_ISREG(st.st_mode)))
		return fd;
	fd_closep(&fd);
	return err_set(err, -EINVAL, "'%s' is not a regular file", name);
}

int transcript_read(int folder, const char *name, struct err *err)
{
	return open_regular(folder, name, O_RDONLY, err);
}

int transcript_mend(int folder, const char *name, struct err *err)
{
	return open_regular(folder, name, O_RDWR, err);
}

static int replace(int dir, const struct buf *text)
{
	FD_CLEANUP int fd = openat(
		dir, JSON_NEW_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	int rc = fd < 0 ? -errno : fd_write_all(fd, buf_data(text), text->len);

	if (!rc && (fsync(fd) || renameat(dir, JSON_NEW_NAME, dir, JSON_NAME) || fsync(dir)))
		rc = -errno;
	return rc;
}

int transcript_write_json(int folder, json_t *session, struct err *err)
{
	BUF_CLEANUP struct buf text = BUF_INIT(TRANSCRIPT_JSON_MAX);
	int rc = json_pretty(session, &text);

	if (!rc)
		rc = replace(folder, &text);
	return rc ? err_set(err, rc, "'" JSON_NAME "': %s", strerror(-rc)) : 0;
}

int transcripts_read_json(struct store *store, const char *path, json_t **ret, struct err *err)
{
	BUF_CLEANUP struct buf text = BUF_INIT(TRANSCRIPT_JSON_MAX);
	FD_CLEANUP int fd = transcripts_read(store, path, JSON_NAME, err);

	if (fd < 0)
		return fd;
	int rc = fd_read_all(fd, TRANSCRIPT_JSON_MAX, &text, err);
	if (!rc)
		rc = json_parse(buf_bytes(&text), TRANSCRIPT_JSON_MAX, ret, err);
	return rc ? err_prefix(err, rc, "'%s/" JSON_NAME "'", path) : 0;
}

static int digest_fd(int fd, uint8_t ret[static EVP_MAX_MD_SIZE])
{
	uint8_t chunk[DIGEST_CHUNK];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int rc = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 ? 0 : -ENOMEM;

	while (!rc) {
		ssize_t got = read(fd, chunk, sizeof(chunk));
		if (!got)
			break;
		if (got < 0 && errno != EINTR)
			rc = -errno;
		else if (got > 0 && EVP_DigestUpdate(ctx, chunk, (size_t)got) != 1)
			rc = -EIO;
	}
	if (!rc && EVP_DigestFinal_ex(ctx, ret, NULL) != 1)
		rc = -EIO;
	EVP_MD_CTX_free(ctx);
	return rc;
}

int transcript_digest(int folder, const char *name, char hex[static 65], struct err *err)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	FD_CLEANUP int fd = transcript_read(folder, name, err);

	if (fd < 0)
		return fd;
	int rc = digest_fd(fd, digest);
	if (!rc)
		rc = text_hex(hex, 65, digest, 32);
	return rc ? err_set(err, rc, "'%s': %s", name, strerror(-rc)) : 0;
}

/* ---- the same by path ---- */

/* "'0-shell.cast': …" becomes "'transcripts/…/0-shell.cast': …". */
static int in_folder(struct err *err, int rc, const char *path)
{
	struct err inner = err ? *err : (struct err){ "" };

	return err_set(err, rc, "'%s/%s", path, inner.text + (*inner.text == '\''));
}

int transcripts_read(struct store *store, const char *path, const char *name, struct err *err)
{
	FD_CLEANUP int folder = transcripts_folder(store, path, err);
	int fd = folder < 0 ? folder : transcript_read(folder, name, err);

	return fd < 0 && folder >= 0 ? in_folder(err, fd, path) : fd;
}

int transcripts_mend(struct store *store, const char *path, const char *name, struct err *err)
{
	FD_CLEANUP int folder = transcripts_folder(store, path, err);
	int fd = folder < 0 ? folder : transcript_mend(folder, name, err);

	return fd < 0 && folder >= 0 ? in_folder(err, fd, path) : fd;
}

int transcripts_write_json(struct store *store, const char *path, json_t *session, struct err *err)
{
	FD_CLEANUP int folder = transcripts_folder(store, path, err);
	int rc = folder < 0 ? folder : transcript_write_json(folder, session, err);

	return rc < 0 && folder >= 0 ? in_folder(err, rc, path) : rc;
}

int transcripts_digest(struct store *store, const char *path, const char *name, char hex[static 65],
	struct err *err)
{
	FD_CLEANUP int folder = transcripts_folder(store, path, err);
	int rc = folder < 0 ? folder : transcript_digest(folder, name, hex, err);

	return rc < 0 && folder >= 0 ? in_folder(err, rc, path) : rc;
}

int transcripts_free_bytes(struct store *store, uint64_t *ret, struct err *err)
{
	struct statvfs st;

	if (fstatvfs(store_dir(store), &st))
		return err_set(err, -errno, "state directory: %s", strerror(errno));
	*ret = (uint64_t)st.f_bavail * st.f_frsize;
	return 0;
}
