/* Descriptors: flags, whole reads and writes, sealed memory, and closing what a role must not
 * inherit. */
#include "common/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_STEP 16384
#define FD_FALLBACK_MAX (1 << 20) /* where close_range(2) is missing */

void fd_closep(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

int fd_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || (!(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0))
		return -errno;
	return 0;
}

int fd_write_all(int fd, const void *data, size_t len)
{
	const uint8_t *at = data;

	while (len) {
		ssize_t n = write(fd, at, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

/* One step. 1: something was read; 0: end of file; -errno. Reads one byte beyond the limit, to
 * notice a file that is too long. */
static int read_step(int fd, size_t start, size_t max, struct buf *ret)
{
	uint8_t *room;
	uint8_t extra;
	size_t left = max - (ret->len - start);
	size_t step = left < READ_STEP ? left : READ_STEP;
	int rc = step ? buf_grow(ret, step, &room) : 0;

	if (rc)
		return rc == -EMSGSIZE ? -EFBIG : rc;
	ssize_t n;
	do
		n = step ? read(fd, room, step) : read(fd, &extra, 1);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (n && !step)
		return -EFBIG;
	if (n)
		buf_grow_done(ret, (size_t)n);
	return n > 0;
}

static int read_all(int fd, size_t max, struct buf *ret)
{
	size_t start = ret->len;
	int rc;

	if (max > ret->max - start)
		max = ret->max - start;
	while ((rc = read_step(fd, start, max, ret)) > 0)
		;
	if (rc)
		ret->len = start;
	return rc;
}

int fd_read_all(int fd, size_t max, struct buf *ret, struct err *err)
{
	int rc = read_all(fd, max, ret);

	if (rc == -EFBIG)
		return err_set(err, rc, "is longer than %zu bytes", max);
	return rc ? err_set(err, rc, "cannot be read: %s", strerror(-rc)) : 0;
}

/* O_NONBLOCK: a FIFO in place of a file must not block before fstat() tells what it is. */
int fd_read_file(int dir, const char *path, size_t max, struct buf *ret, struct err *err)
{
	struct stat st;
	FD_CLEANUP int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0 || fstat(fd, &st) < 0) {
		int rc = -errno;
		return err_set(err, rc, "'%s': %s", path, strerror(-rc));
	}
	if (!S_ISREG(st.st_mode))
		return err_set(err, S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL,
			"'%s': is not a regular file", path);
	int rc = fd_read_all(fd, max, ret, err);
	return rc ? err_prefix(err, rc, "'%s'", path) : 0;
}

int fd_pair(int type, int ret[2])
{
	return socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ret) < 0 ? -errno : 0;
}

int fd_memfd(const char *name, const void *data, size_t len)
{
	FD_CLEANUP int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	int rc = fd_write_all(fd, data, len);
	if (rc)
		return rc;
	if (lseek(fd, 0, SEEK_SET) < 0 ||
		fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) <
			0)
		return -errno;
	int sealed = fd;
	fd = -1;
	return sealed;
}

/* By position: processes that share the memory share its offset as well. */
int fd_read_memfd(int fd, size_t max, struct buf *ret)
{
	struct stat st;
	uint8_t *room = NULL;
	size_t done = 0;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size <= 0 || (size_t)st.st_size > max)
		return -EBADMSG;
	int rc = buf_grow(ret, (size_t)st.st_size, &room);
	while (rc == 0 && done < (size_t)st.st_size) {
		ssize_t n = pread(fd, room + done, (size_t)st.st_size - done, (off_t)done);
		if (n <= 0)
			return n < 0 ? -errno : -EBADMSG;
		done += (size_t)n;
	}
	buf_grow_done(ret, done);
	return rc;
}

/* Inclusive. A sanitizer or an old kernel may lack the call. */
static void close_gap(unsigned first, unsigned last)
{
	struct rlimit limit;

	if (first > last || !close_range(first, last, 0))
		return;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_max > FD_FALLBACK_MAX)
		limit.rlim_max = FD_FALLBACK_MAX;
	for (unsigned fd = first; fd <= last && fd < limit.rlim_max; fd++)
		close((int)fd);
}

static int lowest_kept(const int *keep, size_t count, int from)
{
	int lowest = -1;

	for (size_t i = 0; i < count; i++)
		if (keep[i] >= from && (lowest < 0 || keep[i] < lowest))
			lowest = keep[i];
	return lowest;
}

void fd_close_others(const int *keep, size_t count)
{
	int from = STDERR_FILENO + 1;
	int next;

	while ((next = lowest_kept(keep, count, from)) >= 0) {
		close_gap((unsigned)from, (unsigned)next - 1);
		from = next + 1;
	}
	close_gap((unsigned)from, UINT_MAX);
}
