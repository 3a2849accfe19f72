/* Links between roles. The other end may be hostile: its datagrams are limited and checked before
 * anybody sees them.
 *
 * Used under a session's seccomp: recvmsg, sendmsg, fcntl and close are all it calls after
 * ipc_new(). A link that failed once cannot send any more; data already in its socket can still be
 * read. Messages may contain secrets: buffers are overwritten before they are freed. */
#include "common/ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/text.h"

#define HEADER_SIZE 8
#define SEND_BUFFER (4 * IPC_SIZE_MAX)

struct queued { /* a message that waits; owns its descriptors */
	struct queued *next;
	size_t len;
	size_t fd_count;
	int fds[IPC_FDS_MAX];
	uint8_t data[];
};

struct ipc {
	int fd;
	int dead; /* -errno of the failure that ended sending, 0 while alive */
	struct queued *head, **tail;
	size_t count, bytes; /* of the queue */
	/* most bytes received so far: this much of `in` is overwritten at the end */
	size_t in_used;
	uint8_t *in; /* IPC_SIZE_MAX */
};

static void close_fds(int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		fd_closep(&fds[i]);
}

static void queued_free(struct queued *message)
{
	close_fds(message->fds, message->fd_count);
	text_burn(message->data, message->len);
	free(message);
}

static void drop_head(struct ipc *link)
{
	struct queued *head = link->head;

	link->head = head->next;
	if (!link->head)
		link->tail = &link->head;
	link->count--;
	link->bytes -= head->len;
	queued_free(head);
}

/* Empties the queue of a dead link, so that its owner does not poll for writing. */
static int die(struct ipc *link, int rc)
{
	link->dead = rc;
	while (link->head)
		drop_head(link);
	return rc;
}

struct ipc *ipc_new(int fd)
{
	int size = SEND_BUFFER;
	struct ipc *link = calloc(1, sizeof(*link));
	uint8_t *in = malloc(IPC_SIZE_MAX);

	if (!link || !in || fd_nonblock(fd)) {
		free(link);
		free(in);
		fd_closep(&fd);
		return NULL;
	}
	/* may fail: the default size takes one message of full size */
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	link->fd = fd;
	link->in = in;
	link->tail = &link->head;
	return link;
}

void ipc_free(struct ipc *link)
{
	if (!link)
		return;
	die(link, -EPIPE);
	fd_closep(&link->fd);
	text_burn(link->in, link->in_used);
	free(link->in);
	free(link);
}

int ipc_fd(const struct ipc *link)
{
	return link->fd;
}

bool ipc_pending(const struct ipc *link)
{
	return link->head;
}

/* ---- sending ---- */

union control { /* aligned room for the descriptors of one message */
	char bytes[CMSG_SPACE(sizeof(int) * IPC_FDS_MAX)];
	struct cmsghdr header;
};

static void attach_fds(struct msghdr *msg, union control *control, const int *fds, size_t count)
{
	if (!count)
		return;
	memset(control, 0, sizeof(*control));
	msg->msg_control = control->bytes;
	msg->msg_controllen = CMSG_SPACE(sizeof(int) * count);
	struct cmsghdr *header = CMSG_FIRSTHDR(msg);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int) * count);
	memcpy(CMSG_DATA(header), fds, sizeof(int) * count);
}

/* 0, -EAGAIN, or the error that ends the link. */
static int transmit(const struct ipc *link, struct iovec *iov, size_t iov_count, const int *fds,
	size_t fd_count)
{
	union control control;
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = iov_count };
	ssize_t n;

	attach_fds(&msg, &control, fds, fd_count);
	do
		n = sendmsg(link->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0;
	if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM)
		return -EAGAIN;
	return errno == ECONNRESET || errno == ENOTCONN ? -EPIPE : -errno;
}

int ipc_flush(struct ipc *link)
{
	int rc = link->dead;

	while (!rc && link->head) {
		struct queued *head = link->head;
		struct iovec iov = { head->data, head->len };
		rc = transmit(link, &iov, 1, head->fds, head->fd_count);
		if (!rc)
			drop_head(link);
	}
	if (rc == -EAGAIN)
		return 0;
	return rc ? die(link, rc) : 0;
}

static int dup_fds(const int *fds, size_t count, struct queued *message)
{
	for (size_t i = 0; i < count; i++) {
		int copy = fcntl(fds[i], F_DUPFD_CLOEXEC, 0); /* dup(2) is not in the sandbox */
		if (copy < 0)
			return -errno;
		message->fds[message->fd_count++] = copy;
	}
	return 0;
}

static int enqueue(
	struct ipc *link, const uint8_t *header, struct bytes body, const int *fds, size_t fd_count)
{
	size_t len = HEADER_SIZE + body.len;

	if (link->count >= IPC_QUEUE_MAX || len > IPC_QUEUE_BYTES_MAX - link->bytes)
		return -ENOBUFS;
	struct queued *message = malloc(sizeof(*message) + len);
	if (!message)
		return -ENOMEM;
	*message = (struct queued){ .len = len };
	memcpy(message->data, header, HEADER_SIZE);
	if (body.len)
		memcpy(message->data + HEADER_SIZE, body.data, body.len);
	int rc = dup_fds(fds, fd_count, message);
	if (rc) {
		queued_free(message);
		return rc;
	}
	*link->tail = message;
	link->tail = &message->next;
	link->count++;
	link->bytes += len;
	return 0;
}

int ipc_send_raw(struct ipc *link, uint16_t type, uint32_t id, struct bytes body, const int *fds,
	size_t fd_count)
{
	uint8_t header[HEADER_SIZE] = { type >> 8, type & 0xff, 0, 0, id >> 24, id >> 16 & 0xff,
		id >> 8 & 0xff, id & 0xff };
	struct iovec iov[] = { { header, HEADER_SIZE }, { (void *)body.data, body.len } };

	if (body.len > IPC_SIZE_MAX - HEADER_SIZE)
		return -EMSGSIZE;
	if (fd_count > IPC_FDS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < fd_count; i++)
		if (fds[i] < 0)
			return -EBADF;
	int rc = ipc_flush(link);
	if (rc)
		return -EPIPE;
	rc = link->head ? -EAGAIN : transmit(link, iov, 2, fds, fd_count);
	if (rc == -EAGAIN)
		return enqueue(link, header, body, fds, fd_count);
	if (rc == -EBADF || rc == -EMSGSIZE)
		return rc; /* a fault of this message, not of the link */
	if (rc) {
		die(link, rc);
		return -EPIPE;
	}
	return 0;
}

/* ---- receiving ---- */

/* Collects every descriptor that was received, also of a message that will be refused. */
static void collect_fds(struct msghdr *msg, struct ipc_raw *raw)
{
	for (struct cmsghdr *header = CMSG_FIRSTHDR(msg); header;
		header = CMSG_NXTHDR(msg, header)) {
		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(fd));
			if (raw->fd_count < IPC_FDS_MAX)
				raw->fds[raw->fd_count++] = fd;
			else
				fd_closep(&fd);
		}
	}
}

/* 1 with *ret_len, 0, -EPIPE or -EBADMSG. raw holds the descriptors whatever the answer. */
static int receive(struct ipc *link, struct ipc_raw *raw, size_t *ret_len)
{
	union control control;
	struct iovec iov = { link->in, IPC_SIZE_MAX };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	errno = 0;
	bool reset = false; /* said once, before what lies in the socket: the peer left without
			       reading */
	ssize_t n;

	do {
		reset |= errno == ECONNRESET;
		errno = 0;
		n = recvmsg(link->fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	} while (n < 0 && (errno == EINTR || (errno == ECONNRESET && !reset)));
	if (n < 0)
		return errno == EAGAIN ? 0 : -EPIPE;
	collect_fds(&msg, raw);
	if ((size_t)n > link->in_used)
		link->in_used = (size_t)n;
	*ret_len = (size_t)n;
	if (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		return -EBADMSG;
	return n ? 1 : -EPIPE;
}

int ipc_recv(struct ipc *link, struct ipc_raw *ret)
{
	struct ipc_raw raw = { .fds = { -1, -1, -1, -1 } };
	const uint8_t *in = link->in;
	size_t len;
	int rc = receive(link, &raw, &len);

	if (rc == 1 && (len < HEADER_SIZE || in[2] || in[3]))
		rc = -EBADMSG;
	if (rc != 1) {
		ipc_raw_close(&raw);
		return rc;
	}
	raw.type = (uint16_t)(in[0] << 8 | in[1]);
	raw.id = (uint32_t)in[4] << 24 | (uint32_t)in[5] << 16 | (uint32_t)in[6] << 8 | in[7];
	raw.body = (struct bytes){ in + HEADER_SIZE, len - HEADER_SIZE };
	*ret = raw;
	return 1;
}

void ipc_raw_close(struct ipc_raw *raw)
{
	close_fds(raw->fds, raw->fd_count);
	raw->fd_count = 0;
}
