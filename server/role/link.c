/* Links of the broker and questions on them. See server/role/link.h. */
#include "server/role/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/fd.h"
#include "common/log.h"
#include "server/broker/core/broker.h"
#include "server/broker/login/provider.h"

struct timeval timeval_of(int64_t ms)
{
	return (struct timeval){ .tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000 };
}

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
		log_error("out of memory: something stays unfreed");
		free(later);
	}
}

/* ---- links ---- */

static void link_fail(struct link *link, const char *why)
{
	if (!link->failed)
		link->failed = why;
	event_active(link->read, EV_READ, 0);
}

static void on_read(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct link *link = arg;
	for (int i = 0; i < LINK_BATCH && link->ipc; i++) {
		struct ipc_raw raw = { 0 };
		int rc = link->failed ? -EPIPE : ipc_recv(link->ipc, &raw);
		if (rc == 0)
			return;
		if (rc < 0) {
			link->ops->closed(link, link->failed   ? link->failed
						: rc == -EPIPE ? "connection lost"
							       : "malformed message");
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
		link_fail(link, "connection lost");
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
	/* one message too large is the caller's affair; a full queue or a dead peer is the end */
	if (rc && rc != -EMSGSIZE)
		link_fail(
			link, rc == -ENOBUFS ? "does not read what it is sent" : "connection lost");
	else if (ipc_pending(link->ipc))
		event_add(link->write, NULL);
	return rc;
}

void link_drain(struct link *link)
{
	struct ipc_raw raw = { 0 };

	for (int i = 0; i < IPC_QUEUE_MAX && link_up(link) && ipc_recv(link->ipc, &raw) == 1; i++) {
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

/* ---- questions ---- */

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

static const enum ipc_type answer_of[IPC_TYPES] = {
	[IPC_SIGN_CERT] = IPC_SIGNED,
	[IPC_SIGN_AUDIT] = IPC_SIGNED,
	[IPC_SIGN_AGENT] = IPC_SIGNED,
	[IPC_PASSWORD] = IPC_SIGNED,
	[IPC_KEYS] = IPC_KEYS_ANSWER,
	[IPC_DIAL] = IPC_DIALED,
	[IPC_WEBHOOK] = IPC_WEBHOOK_DONE,
};

static void service_free(void *arg)
{
	free(arg);
}

static void service_check_retired(struct service *service)
{
	if (service->retired && !service->count && !service->holds && link_up(&service->link))
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
	service_check_retired(service); /* service_close() frees later only */
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
	/* unique over all services: an answer of an old one never fits a new question */
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
		if (question->id == raw->id && answer_of[question->type] == raw->type)
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
		/* an answer nobody waits for any more: its descriptors are closed by the caller */
		question_done(question, &msg, raw, NULL);
	else if (service->told)
		service->told(service, raw->type, raw->id, &msg);
	ipc_msg_free(raw->type, &msg);
}

static void service_fail_all(struct service *service)
{
	const char *why = service->role == ROLE_SIGNER ? "the gateway's signer is not there"
						       : "the gateway's way out is not there";
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

struct service *service_new(
	struct broker *broker, enum role role, int fd, void (*lost)(struct service *))
{
	struct service *service = calloc(1, sizeof(*service));

	if (!service) {
		fd_closep(&fd);
		return NULL;
	}
	*service = (struct service){ .broker = broker,
		.role = role,
		.lost = lost,
		.told = role == ROLE_EGRESS ? issuers_told : NULL };
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
	if (service->told)
		service->told(service, 0, 0, NULL);
	broker_later(service->broker, service_free, service);
}

void service_retire(struct service *service)
{
	service->retired = true;
	service_check_retired(service);
}

void service_hold(struct service *service)
{
	service->holds++;
}

void service_let_go(struct service *service)
{
	service->holds--;
	service_check_retired(service);
}
