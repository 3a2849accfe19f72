/* Device flows (RFC 8628): egress speaks with the provider, a person with its browser, and here
 * somebody waits for both.
 *
 * A flow belongs to one owner and dies with it. Answers are matched by service and id, which is
 * never used twice, so that two flows cannot cross. A flow that ends well has a verified identity;
 * whether that identity may do anything is the owner's to ask. */
#ifndef BARTIZAN_BROKER_LOGIN_DEVICE_FLOW_H
#define BARTIZAN_BROKER_LOGIN_DEVICE_FLOW_H

#include "common/addr.h"
#include "common/buf.h"
#include "server/broker/core/impl.h"

#define FLOWS_MAX 200
#define FLOWS_PER_SOURCE 4
#define FLOW_CODE_MAX 64     /* bytes of a user code */
#define FLOW_URI_MAX 1536    /* two of them and words fit into one prompt */
#define FLOW_LIFE_MAX_S 1800 /* a code is not waited for longer, whatever the provider says */
/* until there is a code: egress has time-outs of its own, this is for one that does not answer */
#define FLOW_CODE_MS 60000
#define FLOW_GRACE_MS 15000 /* after the code's end, for egress to say so */

struct flow;

struct flow_ops {
	void (*code)(void *context); /* the provider gave a code: flow_words() says what to show */
	/* Once, and *slot is NULL then. who (taken by the callee), or kind and reason in words:
	 * "denied", "expired", "unreachable", "refused". */
	void (*done)(void *context, struct identity *who, const char *kind, const char *reason);
};

struct flow_spec { /* borrowed for the call */
	const char *provider;
	struct addr source; /* of the connection that logs in */
	/* -1: none; else the person has to have logged in so short a time ago, and is asked to */
	int64_t max_age_s;
};

/* -EAGAIN: too many, with words for the user. ops' functions are called from the loop only. */
int flow_start(struct broker *broker, const struct flow_spec *spec, const struct flow_ops *ops,
	void *context, struct flow **slot, struct err *err);
void flow_cancel(struct flow **slot); /* *slot NULL: nothing to do */
/* Clean text. Lines to show once: "Open https://… and enter the code ABCD-EFGH …"; and one line
 * that tells how long that is good. */
int flow_words(const struct flow *flow, struct buf *out);
int flow_progress(const struct flow *flow, struct buf *out);
const char *flow_left(const struct flow *flow, char *out, size_t size); /* "8 minutes" */

/* What egress says: server/broker/login/provider.c. */
void flow_code(struct service *egress, uint32_t id, const struct msg_login_code *msg);
void flow_done(struct service *egress, uint32_t id, const struct msg_login_done *msg);
void flows_lost(struct service *egress);

#endif
