/* Links in an event loop. See server/role/link.h. */
#include "server/role/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/fd.h"
#include "common/log.h"

struct timeval timeval_of(int64_t ms)
{
	return (struct timeval){ .tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000 };
}

static void fail(struct link *link, const char *why, bool deaf)
{
	if (!link->ipc)
		return;
	if (!link->failed)
		link->failed = why;
	link->deaf |= deaf;
	event_active(link->read, EV_READ, 0);
}

void link_fail(struct link *link, const char *why)
{
	fail(link, why, true);
}

/* The peer is gone: nothing can be sent any more, but its last words may still lie in the socket.
 */
static void peer_lost(struct link *link)
{
	fail(link, "connection lost", false);
}

/* 1: a message; 0: none yet; negative: the link is over. */
static int next(struct link *link, struct ipc_raw *raw)
{
	int rc = link->deaf ? -EPIPE : ipc_recv(link->ipc, raw);

	return rc == 0 && link->failed ? -EPIPE : rc;
}

static void on_read(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct link *link = arg;
	for (int i = 0; i < LINK_BATCH && link->ipc; i++) {
		struct ipc_raw raw = { 0 };
		int rc = next(link, &raw);
		if (rc == 0)
			return;
		if (rc < 0) {
			const char *why = rc == -EPIPE ? "connection lost" : "malformed message";

			link->ops->closed(link, link->failed ? link->failed : why);
			return;
		}
		link->ops->message(link, &raw);
		ipc_raw_close(&raw);
	}
}

static void on_write(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct link *link = arg;
	if (ipc_flush(link->ipc)) {
		peer_lost(link);
		return;
	}
	if (ipc_pending(link->ipc))
		event_add(link->write, NULL);
	else if (link->ops->drained)
		link->ops->drained(link);
}

int link_open(
	struct link *link, struct event_base *base, int fd, const struct link_ops *ops, void *owner)
{
	*link = (struct link){ .ops = ops, .owner = owner };
	link->ipc = ipc_new(fd);
	if (!link->ipc)
		return -ENOMEM;
	link->read = event_new(base, ipc_fd(link->ipc), EV_READ | EV_PERSIST, on_read, link);
	link->write = event_new(base, ipc_fd(link->ipc), EV_WRITE, on_write, link);
	if (link->read && link->write && !event_add(link->read, NULL))
		return 0;
	link_close(link);
	return -ENOMEM;
}

void link_close(struct link *link)
{
	if (link->read)
		event_free(link->read);
	if (link->write)
		event_free(link->write);
	ipc_free(link->ipc);
	link->ipc = NULL;
	link->read = link->write = NULL;
}

bool link_up(const struct link *link)
{
	return link->ipc && !link->failed;
}

int link_send(struct link *link, enum ipc_type type, uint32_t id, const void *msg, const int *fds,
	size_t fd_count)
{
	if (!link_up(link))
		return -EPIPE;
	int rc = ipc_send(link->ipc, type, id, msg, fds, fd_count);
	/* a message that is too large is the caller's mistake, and the link stays; a full queue or
	 * a dead peer ends it */
	if (rc == -ENOBUFS)
		link_fail(link, "does not read what it is sent");
	else if (rc && rc != -EMSGSIZE)
		peer_lost(link);
	else if (ipc_pending(link->ipc))
		event_add(link->write, NULL);
	return rc;
}

void link_drain(struct link *link)
{
	struct ipc_raw raw = { 0 };

	for (int i = 0; i < IPC_QUEUE_MAX && link->ipc && next(link, &raw) == 1; i++) {
		link->ops->message(link, &raw);
		ipc_raw_close(&raw);
	}
}

int link_decode(const struct ipc_raw *raw, union link_msg *ret, struct err *err)
{
	if (!ipc_msg_size(raw->type) || ipc_msg_size(raw->type) > sizeof(*ret))
		return err_set(err, -EBADMSG, "message of unknown type %u", (unsigned)raw->type);
	if (raw->fd_count > ipc_msg_fds_max(raw->type))
		return err_set(err, -EBADMSG, "message '%s' with %zu descriptors",
			ipc_msg_name(raw->type), raw->fd_count);
	return ipc_msg_decode(raw->type, raw->body, ret, err);
}
