/* Dials of the egress role: resolve and connect by libcurl in an event loop, and hand the socket
 * over. For egress.c only. */
#ifndef BARTIZAN_EGRESS_DIAL_H
#define BARTIZAN_EGRESS_DIAL_H

#include <event2/event.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/err.h"
#include "common/ipc_msg.h"

#define EGRESS_DIALS_MAX 256	  /* at one time; the broker's own limit per target is far below */
#define EGRESS_DIAL_MS_MAX 300000 /* longest deadline that is taken */

struct dials;

/* Called once for each dial that was begun, unless it was cancelled: fd >= 0 and the address
 * connected to, or a reason. The fd is the callee's. */
typedef void dial_done_fn(
	void *context, uint32_t id, int fd, const char *address, const char *reason);

/* keepalive_s: TCP keepalive idle time on the sockets, 0: none. */
int dials_new(struct event_base *base, uint32_t keepalive_s, dial_done_fn *done, void *context,
	struct dials **ret, struct err *err);
void dials_free(struct dials *dials); /* cancels all */
/* -errno with the reason when it cannot even begin: malformed host, too many. */
int dials_begin(struct dials *dials, uint32_t id, const struct msg_dial *ask, struct err *err);
void dials_cancel(
	struct dials *dials, uint32_t id); /* an id that is unknown: that dial is over already */

#endif
