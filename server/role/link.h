/* A link to another process in a libevent loop.
 *
 * A link is embedded in its owner. ops->closed() is called from the loop only, never from inside
 * link_send() or link_fail(), so whoever sends need not expect that the owner is gone afterwards.
 * After link_close() nothing is called any more. An owner is never freed inside its own callback.
 */
#ifndef BARTIZAN_ROLE_LINK_H
#define BARTIZAN_ROLE_LINK_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/err.h"
#include "common/ipc.h"
#include "common/ipc_msg.h"
#include "server/role/role.h"

#define LINK_BATCH 64 /* messages of one link before the others get their turn */

struct link;

struct link_ops {
	void (*message)(struct link *link, struct ipc_raw *raw);
	/* the other end is gone, or sent something malformed; the owner calls link_close() */
	void (*closed)(struct link *link, const char *why);
	/* everything queued was sent; may be NULL */
	void (*drained)(struct link *link);
};

struct link {
	struct ipc *ipc; /* NULL: closed */
	struct event *read, *write;
	const struct link_ops *ops;
	void *owner;
	const char *failed; /* nothing is sent any more; closed() follows, with this reason */
	bool deaf;	    /* nothing is read any more, either: link_fail() */
};

/* takes the fd, also on failure */
int link_open(struct link *link, struct event_base *base, int fd, const struct link_ops *ops,
	void *owner);
void link_close(struct link *link);
bool link_up(const struct link *link);
int link_send(struct link *link, enum ipc_type type, uint32_t id, const void *msg, const int *fds,
	size_t fd_count);
void link_drain(struct link *link); /* handles what has already arrived */
/* nothing more is read or sent; ops->closed() follows from the loop, with this reason */
void link_fail(struct link *link, const char *why);

union link_msg {
	char bytes[IPC_STRUCT_MAX];
	max_align_t align;
};
/* Known type, no more descriptors than the table says, well formed. To be freed with
 * ipc_msg_free(raw->type, msg). */
int link_decode(const struct ipc_raw *raw, union link_msg *ret, struct err *err);

struct timeval timeval_of(int64_t ms);

#endif
