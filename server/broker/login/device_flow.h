/* Device flows (RFC 8628): egress talks to the provider, the person uses a browser, and a flow
 * waits for both.
 *
 * A flow belongs to one owner and ends with it. Answers are matched by service and id; an id is
 * never used twice, so that answers cannot be mixed up. A flow that succeeds has a verified
 * identity; the owner checks what that identity may do. */
#ifndef BARTIZAN_BROKER_LOGIN_DEVICE_FLOW_H
#define BARTIZAN_BROKER_LOGIN_DEVICE_FLOW_H

#include "common/addr.h"
#include "common/buf.h"
#include "server/broker/core/impl.h"

#define FLOWS_MAX 200
#define FLOWS_PER_SOURCE 4
#define FLOW_CODE_MAX 64     /* bytes of a user code */
#define FLOW_URI_MAX 1536    /* so that two addresses and the text fit into one prompt */
#define FLOW_LIFE_MAX_S 1800 /* a code is valid at most this long, whatever the provider says */
/* how long egress may take to get a code; it has time-outs of its own, this one is for an egress
 * that does not answer */
#define FLOW_CODE_MS 60000
#define FLOW_GRACE_MS 15000 /* how long after its end egress may take to report an expired code */

struct flow;

struct flow_ops {
	void (*code)(void *context); /* a code has arrived: flow_words() makes the text to show */
	/* Called once; *slot is NULL by then. Either who (taken by the callee), or a kind
	 * ("denied", "expired", "unreachable", "refused") and the reason. */
	void (*done)(void *context, struct identity *who, const char *kind, const char *reason);
};

struct flow_spec { /* borrowed for the call */
	const char *provider;
	struct addr source; /* address of the client that logs in */
	/* the login at the provider may be at most this old, else the person must log in again; -1:
	 * any age */
	int64_t max_age_s;
};

/* -EAGAIN: too many logins wait; err is for the user. The functions of ops are called from the loop
 * only. */
int flow_start(struct broker *broker, const struct flow_spec *spec, const struct flow_ops *ops,
	void *context, struct flow **slot, struct err *err);
void flow_cancel(struct flow **slot); /* nothing to do when *slot is NULL */
/* Printable text: flow_words() makes the lines to show once, "Open https://… and enter the code
 * ABCD-EFGH …"; flow_progress() one line with the time that is left. */
int flow_words(const struct flow *flow, struct buf *out);
int flow_progress(const struct flow *flow, struct buf *out);
const char *flow_left(const struct flow *flow, char *out, size_t size); /* "8 minutes" */

/* ---- messages of egress, passed on by server/broker/login/provider.c ---- */
void flow_code(struct service *egress, uint32_t id, const struct msg_login_code *msg);
void flow_done(struct service *egress, uint32_t id, const struct msg_login_done *msg);
void flows_lost(struct service *egress);

#endif
