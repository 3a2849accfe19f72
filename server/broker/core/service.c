/* Questions to signer and egress that are answered later. See server/broker/core/service.h. */
#include "server/broker/core/service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/fd.h"
#include "common/log.h"
#include "server/broker/core/broker.h"

struct later {
	void (*fn)(void *arg);
	void *arg;
};

static void on_later(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct later *later = arg;
	later->fn(later->arg);
	free(later);
}

void broker_later(struct broker *broker, void (*fn)(void *arg), void *arg)
{
	struct later *later = malloc(sizeof(*later));

	if (later)
		*later = (struct later){ fn, arg };
	if (!later || event_base_once(broker->base, -1, EV_TIMEOUT, on_later, later,
			      &(struct timeval){ 0 })) {
		log_error("out of memory: an object that has ended is never freed");
		free(later);
	}
}

struct question {
	LIST_ENTRY(question) entry;
	struct service *service;
	uint32_t id;
	enum ipc_type type;
	struct event *timer;
	answer_fn *fn;
	void *context;
	struct question **slot;
};

static void service_free(void *arg)
{
	free(arg);
}

static void service_check_retired(struct service *service)
{
	if (service->retired && !service->count && !service->refs && link_up(&service->link))
		service_close(service);
}

static void question_unlink(struct question *question)
{
	LIST_REMOVE(question, entry);
	question->service->count--;
	*question->slot = NULL;
	if (question->timer)
		event_free(question->timer);
}

static void question_done(
	struct question *question, const void *msg, struct ipc_raw *raw, const char *failure)
{
	struct service *service = question->service;

	question_unlink(question);
	question->fn(question->context, msg, raw, failure);
	free(question);
	/* may close the service, which is freed later from the loop */
	service_check_retired(service);
}

const char *signed_failure(const struct msg_signed *msg, const char *failure, const char *otherwise)
{
	if (failure)
		return failure;
	return msg && !msg->ok ? msg->reason : otherwise;
}

void question_cancel(struct question **slot)
{
	struct question *question = *slot;

	if (!question)
		return;
	struct service *service = question->service;
	if (question->type == IPC_DIAL)
		link_send(&service->link, IPC_DIAL_CANCEL, question->id, &(struct msg_empty){ 0 },
			NULL, 0);
	question_unlink(question);
	free(question);
	service_check_retired(service);
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct question *question = arg;
	struct service *service = question->service;
	if (question->type == IPC_DIAL)
		link_send(&service->link, IPC_DIAL_CANCEL, question->id, &(struct msg_empty){ 0 },
			NULL, 0);
	question_done(question, NULL, NULL,
		service->role == ROLE_SIGNER ? "the signer did not answer in time" : "time-out");
}

int ask(struct service *service, enum ipc_type type, const void *msg, int64_t timeout_ms,
	answer_fn *fn, void *context, struct question **slot)
{
	/* unique over all services, so that an old service cannot answer a new question */
	static uint32_t last_id;

	if (!service || !link_up(&service->link))
		return -ENOTCONN;
	if (service->count >= QUESTIONS_MAX)
		return -EAGAIN;
	struct question *question = calloc(1, sizeof(*question));
	if (!question)
		return -ENOMEM;
	*question = (struct question){ .service = service,
		.id = ++last_id,
		.type = type,
		.fn = fn,
		.context = context,
		.slot = slot };
	question->timer = evtimer_new(service->broker->base, on_timeout, question);
	struct timeval timeout = timeval_of(timeout_ms);
	int rc = question->timer && !evtimer_add(question->timer, &timeout)
			 ? link_send(&service->link, type, question->id, msg, NULL, 0)
			 : -ENOMEM;
	if (rc) {
		if (question->timer)
			event_free(question->timer);
		free(question);
		return rc;
	}
	LIST_INSERT_HEAD(&service->questions, question, entry);
	service->count++;
	*slot = question;
	return 0;
}

static struct question *question_find(const struct service *service, const struct ipc_raw *raw)
{
	struct question *question;

	for (question = LIST_FIRST(&service->questions); question;
		question = LIST_NEXT(question, entry)) {
		if (question->id == raw->id && ipc_msg_answer(question->type) == raw->type)
			return question;
	}
	return NULL;
}

static void service_message(struct link *link, struct ipc_raw *raw)
{
	struct service *service = link->owner;
	union link_msg msg;
	struct err err;

	if (link_decode(raw, &msg, &err)) {
		log_error("%s: %s", role_name(service->role), err.text);
		return;
	}
	struct question *question = question_find(service, raw);
	if (question)
		/* the caller closes descriptors that the answer function did not take */
		question_done(question, &msg, raw, NULL);
	else if (service->on_unsolicited)
		service->on_unsolicited(service, raw->type, raw->id, &msg);
	ipc_msg_free(raw->type, &msg);
}

static void service_fail_all(struct service *service)
{
	const char *why = service->role == ROLE_SIGNER
				  ? "the gateway's signer is not running"
				  : "the gateway's egress process is not running";
	struct question *question;

	while ((question = LIST_FIRST(&service->questions)))
		question_done(question, NULL, NULL, why);
}

static void service_closed(struct link *link, const char *why)
{
	struct service *service = link->owner;

	log_warning("%s: %s", role_name(service->role), why);
	service->lost(service);
	service_close(service);
}

static const struct link_ops service_ops = { service_message, service_closed, NULL };

struct service *service_new(struct broker *broker, enum role role, int fd, service_lost_fn *lost,
	service_unsolicited_fn *on_unsolicited)
{
	struct service *service = calloc(1, sizeof(*service));

	if (!service) {
		fd_closep(&fd);
		return NULL;
	}
	*service = (struct service){
		.broker = broker, .role = role, .lost = lost, .on_unsolicited = on_unsolicited
	};
	LIST_INIT(&service->questions);
	if (link_open(&service->link, broker->base, fd, &service_ops, service)) {
		free(service);
		return NULL;
	}
	return service;
}

void service_close(struct service *service)
{
	if (!service->link.ipc)
		return;
	link_close(&service->link);
	service->retired = false;
	service_fail_all(service);
	if (service->on_unsolicited)
		service->on_unsolicited(service, 0, 0, NULL);
	broker_later(service->broker, service_free, service);
}

void service_retire(struct service *service)
{
	service->retired = true;
	service_check_retired(service);
}

void service_ref(struct service *service)
{
	service->refs++;
}

void service_unref(struct service *service)
{
	service->refs--;
	service_check_retired(service);
}
