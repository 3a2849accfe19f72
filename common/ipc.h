/* A link between two roles: AF_UNIX SOCK_SEQPACKET, non-blocking, with a limited queue of messages
 * that wait to be sent.
 *
 * One datagram is one message: u16 type, u16 zero, u32 id, body (wire encoding, see ipc_msg.h), up
 * to IPC_FDS_MAX descriptors. The link belongs to no event loop: whoever owns it polls ipc_fd() for
 * reading, and for writing while ipc_pending() is true. */
#ifndef BARTIZAN_IPC_H
#define BARTIZAN_IPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

#define IPC_SIZE_MAX (256 * 1024) /* one message with its header */
#define IPC_FDS_MAX 4
#define IPC_QUEUE_MAX 4096 /* messages that wait on one link */
#define IPC_QUEUE_BYTES_MAX (8 * 1024 * 1024)

struct ipc;

struct ipc_raw { /* a received message; fds belong to the receiver, who sets taken ones to -1 */
	uint16_t type;
	uint32_t id;
	struct bytes body; /* borrowed until the next ipc_recv() on this link */
	int fds[IPC_FDS_MAX];
	size_t fd_count;
};

/* takes the fd and makes it non-blocking; NULL without memory (the fd is closed then) */
struct ipc *ipc_new(int fd);
void ipc_free(struct ipc *link); /* closes the fd and everything queued; NULL allowed */
int ipc_fd(const struct ipc *link);
bool ipc_pending(const struct ipc *link);
/* Queues and tries to send at once. Descriptors are dup'ed: they stay the caller's. -EMSGSIZE,
 * -ENOBUFS (queue full), -EPIPE. */
int ipc_send_raw(struct ipc *link, uint16_t type, uint32_t id, struct bytes body, const int *fds,
	size_t fd_count);
int ipc_flush(struct ipc *link); /* 0: all sent or would block; -errno: link is dead */
/* 1: a message; 0: none now; -EPIPE: the other end is gone; -EBADMSG: malformed, the link is to be
 * closed. */
int ipc_recv(struct ipc *link, struct ipc_raw *ret);
void ipc_raw_close(struct ipc_raw *raw); /* closes descriptors that nobody took */

#endif
