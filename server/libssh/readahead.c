/* See readahead.h. The two wrapped calls keep the semantics that libssh relies on: end of file and
 * errors are reported after the bytes that came before them. */
#include "server/libssh/readahead.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* libssh takes EAGAIN for a broken connection, so a descriptor is reported readable only after the
 * kernel has reported it. */
enum readiness { UNKNOWN, READABLE, DRAINED };

struct read_ahead {
	int fd;
	enum readiness ready;
	/* the last send() was taken whole: the next may be tried without asking the kernel */
	bool writable;
	uint8_t *data;
	size_t off, len;
};

static struct read_ahead table[READAHEAD_FDS];
/* 0: every call goes directly to the kernel, as in all roles but the session */
static unsigned watched;

static struct read_ahead *find(int fd)
{
	for (unsigned i = 0; i < watched; i++)
		if (table[i].fd == fd)
			return &table[i];
	return NULL;
}

void readahead_watch(int fd)
{
	if (fd >= 0 && watched < READAHEAD_FDS && !find(fd))
		table[watched++] = (struct read_ahead){ .fd = fd };
}

void readahead_forget(int fd)
{
	struct read_ahead *ahead = find(fd);

	if (!ahead)
		return;
	free(ahead->data);
	*ahead = table[--watched];
}

bool readahead_waiting(int fd)
{
	const struct read_ahead *ahead = find(fd);

	return ahead && ahead->len;
}

void readahead_ready(int fd)
{
	struct read_ahead *ahead = find(fd);

	if (ahead)
		ahead->ready = READABLE;
}

void readahead_trim(int fd)
{
	struct read_ahead *ahead = find(fd);

	if (ahead && !ahead->len && ahead->data) {
		free(ahead->data);
		ahead->data = NULL;
	}
}

static ssize_t kernel_recv(int fd, void *data, size_t len, int flags)
{
	return syscall(SYS_recvfrom, fd, data, len, flags, NULL, NULL);
}

static ssize_t hand_out(struct read_ahead *ahead, void *data, size_t len)
{
	size_t n = ahead->len < len ? ahead->len : len;

	memcpy(data, ahead->data + ahead->off, n);
	ahead->off += n;
	ahead->len -= n;
	return (ssize_t)n;
}

static ssize_t fetch(struct read_ahead *ahead, void *data, size_t len)
{
	if (!ahead->data && !(ahead->data = malloc(READAHEAD_SIZE)))
		return kernel_recv(ahead->fd, data, len, 0);
	ssize_t got = kernel_recv(ahead->fd, ahead->data, READAHEAD_SIZE, 0);
	/* end of file and errors show again at the next poll() */
	ahead->ready = got > 0 && got < READAHEAD_SIZE ? DRAINED : UNKNOWN;
	if (got <= 0)
		return got;
	ahead->off = 0;
	ahead->len = (size_t)got;
	return hand_out(ahead, data, len);
}

ssize_t recv(int fd, void *data, size_t len, int flags)
{
	struct read_ahead *ahead = watched && !flags ? find(fd) : NULL;

	if (!ahead)
		return kernel_recv(fd, data, len, flags);
	return ahead->len ? hand_out(ahead, data, len) : fetch(ahead, data, len);
}

static int kernel_poll(struct pollfd *fds, nfds_t count, int timeout)
{
	return (int)syscall(SYS_poll, fds, count, timeout);
}

/* libssh polls one descriptor with time-out 0 before each read. Answered without the kernel when
 * bytes were read ahead, when nothing was reported since the last short read, or when poll() has
 * just reported it readable. */
static int answer(struct pollfd *one, const struct read_ahead *ahead)
{
	const bool out = one->events & POLLOUT;

	if ((out && !ahead->writable) || (!ahead->len && ahead->ready == UNKNOWN)) {
		int rc = kernel_poll(one, 1, 0);
		if (rc >= 0 && ahead->len) {
			one->revents |= POLLIN;
			rc = 1;
		}
		return rc;
	}
	one->revents = ahead->len || ahead->ready == READABLE ? POLLIN : 0;
	if (out)
		one->revents |= POLLOUT;
	return one->revents ? 1 : 0;
}

/* libssh forgets after each packet that the socket took it, and asks for POLLOUT before the next. A
 * socket that is full would break its connection (it takes EAGAIN for an error): "nothing written"
 * has it wait for POLLOUT instead. */
ssize_t send(int fd, const void *data, size_t len, int flags)
{
	struct read_ahead *ahead = watched ? find(fd) : NULL;
	ssize_t sent = syscall(SYS_sendto, fd, data, len, flags, NULL, 0);

	if (!ahead)
		return sent;
	ahead->writable = sent == (ssize_t)len;
	return sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? 0 : sent;
}

int poll(struct pollfd *fds, nfds_t count, int timeout)
{
	struct pollfd *one = watched && count == 1 && timeout == 0 ? fds : NULL;

#pragma GCC diagnostic push
/* glibc declares poll() as one that only writes to fds */
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
	const struct read_ahead *ahead = one && (one->events & POLLIN) ? find(one->fd) : NULL;
#pragma GCC diagnostic pop
	return ahead ? answer(one, ahead) : kernel_poll(fds, count, timeout);
}
