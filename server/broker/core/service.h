/* Signer and egress as the broker sees them: a link with open questions that are answered later. */
#ifndef BARTIZAN_BROKER_CORE_SERVICE_H
#define BARTIZAN_BROKER_CORE_SERVICE_H

#include "server/role/link.h"

#define QUESTIONS_MAX 16384 /* open ones on one service */

struct broker;
struct service; /* signer or egress */
struct question;
struct issuers;
LIST_HEAD(question_list, question);

typedef void service_lost_fn(struct service *service);
typedef void service_unsolicited_fn(
	struct service *service, unsigned type, uint32_t id, const void *msg);

struct service {
	struct broker *broker;
	enum role role;
	struct link link;
	struct question_list questions;
	unsigned count;
	unsigned refs; /* by service_ref() */
	/* replaced: closed when the last question is answered and the last ref given back */
	bool retired;
	/* Called for a message that answers no question, and once with type 0 when the link is
	 * lost. May be NULL. */
	service_unsolicited_fn *on_unsolicited;
	struct issuers *issuers; /* for egress only: server/broker/login/provider.c */
	/* the link is lost: forget the service, which closes itself afterwards */
	service_lost_fn *lost;
};

/* One of msg and failure is NULL. raw's descriptors may be taken. */
typedef void answer_fn(void *context, const void *msg, struct ipc_raw *raw, const char *failure);

/* takes the fd */
struct service *service_new(struct broker *broker, enum role role, int fd, service_lost_fn *lost,
	service_unsolicited_fn *on_unsolicited);
void service_close(struct service *service); /* closes at once; open questions fail */
/* when the last question is answered and the last ref is given back */
void service_retire(struct service *service);
void service_ref(struct service *service);
void service_unref(struct service *service);

/* *slot holds the question until it is answered, failed or cancelled, and is NULL then, before fn
 * is called. fn is never called from inside ask(). -ENOTCONN: no such role now. */
int ask(struct service *service, enum ipc_type type, const void *msg, int64_t timeout_ms,
	answer_fn *fn, void *context, struct question **slot);
/* why there is no signature (msg may be NULL): failure, the signer's reason, or `otherwise` */
const char *signed_failure(
	const struct msg_signed *msg, const char *failure, const char *otherwise);
void question_cancel(struct question **slot);

/* fn(arg) from the loop, soon. */
void broker_later(struct broker *broker, void (*fn)(void *arg), void *arg);

#endif
