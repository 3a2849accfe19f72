/* Links of the broker in its event loop, and questions to signer and egress that are answered
 * later.
 *
 * A link is embedded in its owner. ops->closed() is called from the loop only, never from inside
 * link_send(), so a sender need not fear for its owner. After link_close() nothing is called any
 * more. An owner is freed by broker_later(), never inside its own callback. */
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

#define LINK_BATCH 64	    /* messages of one link before the others get their turn */
#define QUESTIONS_MAX 16384 /* open ones on one service */

struct broker;
struct link;

struct link_ops {
	void (*message)(struct link *link, struct ipc_raw *raw);
	/* the other end is gone or talks nonsense; the owner calls link_close() */
	void (*closed)(struct link *link, const char *why);
	/* everything queued was sent; may be NULL */
	void (*drained)(struct link *link);
};

struct link {
	struct ipc *ipc; /* NULL: closed */
	struct event *read, *write;
	const struct link_ops *ops;
	void *owner;
	const char *failed; /* a send failed: closed() follows */
};

/* takes the fd, also on failure */
int link_open(struct link *link, struct event_base *base, int fd, const struct link_ops *ops,
	void *owner);
void link_close(struct link *link);
bool link_up(const struct link *link);
int link_send(struct link *link, enum ipc_type type, uint32_t id, const void *msg, const int *fds,
	size_t fd_count);
void link_drain(struct link *link); /* handles what has already arrived */

union link_msg {
	char bytes[IPC_STRUCT_MAX];
	max_align_t align;
};
/* Known type, no more descriptors than the table says, well formed. To be freed with
 * ipc_msg_free(raw->type, msg). */
int link_decode(const struct ipc_raw *raw, union link_msg *ret, struct err *err);

/* ---- questions ---- */

struct service; /* signer or egress */
struct question;
struct issuers;
LIST_HEAD(question_list, question);

struct service {
	struct broker *broker;
	enum role role;
	struct link link;
	struct question_list questions;
	unsigned count;
	unsigned holds; /* by service_hold() */
	/* replaced: closed when the last question is answered and nobody holds it */
	bool retired;
	/* A message that answers no question; type 0: the link is gone, which is said once. May be
	 * NULL. */
	void (*told)(struct service *service, unsigned type, uint32_t id, const void *msg);
	struct issuers *issuers; /* of egress: server/broker/login/provider.c */
	/* the link is gone: forget it; it closes itself right after */
	void (*lost)(struct service *service);
};

/* One of msg and failure is NULL. raw's descriptors may be taken. */
typedef void answer_fn(void *context, const void *msg, struct ipc_raw *raw, const char *failure);

/* takes the fd */
struct service *service_new(
	struct broker *broker, enum role role, int fd, void (*lost)(struct service *));
void service_close(struct service *service); /* now; open questions fail */
/* when the last question is answered, and the last hold let go */
void service_retire(struct service *service);
void service_hold(struct service *service);
void service_let_go(struct service *service);

/* *slot holds the question until it is answered, failed or cancelled, and is NULL then, before fn
 * is called. fn is never called from inside ask(). -ENOTCONN: no such role now. */
int ask(struct service *service, enum ipc_type type, const void *msg, int64_t timeout_ms,
	answer_fn *fn, void *context, struct question **slot);
void question_cancel(struct question **slot);

/* fn(arg) from the loop, soon. */
void broker_later(struct broker *broker, void (*fn)(void *arg), void *arg);
struct timeval timeval_of(int64_t ms);

#endif
