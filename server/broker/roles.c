/* The links to signer and egress, when they are opened and lost. */
#include "server/broker/broker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/fd.h"
#include "common/log.h"
#include "server/broker/core/impl.h"
#include "server/broker/login/provider.h"

static void ready_if_complete(struct broker *broker)
{
	struct broker_private *private = broker->private;

	if (private->ready || !private->signer || !private->egress || !private->keys.count)
		return;
	private->ready = true;
	link_send(&private->parent, IPC_READY, 0, &(struct msg_empty){ 0 }, NULL, 0);
	log_debug("ready");
}

static void on_keys(void *context, const void *data, struct ipc_raw *raw, const char *failure)
{
	(void)raw;
	struct broker *broker = context;
	const struct msg_keys_answer *msg = data;
	struct err err = { 0 };
	if (!msg || public_keys_load(&broker->private->keys, msg, &err))
		log_error("the signer's keys are not known: %s", failure ? failure : err.text);
	else
		ready_if_complete(broker);
}

struct service *roles_service(struct broker *broker, enum role role, int fd, service_lost_fn *lost)
{
	/* the signer sends only answers */
	return service_new(broker, role, fd, lost, role == ROLE_EGRESS ? issuers_told : NULL);
}

void roles_install(struct service **current, struct service *service)
{
	struct service *old = *current;
	*current = service;
	if (old)
		service_retire(old);
}

static void lost(struct service *service)
{
	struct broker_private *private = service->broker->private;

	if (private->signer == service)
	private->signer = NULL; /* its public keys stay valid */
	if (private->egress == service)
	private->egress = NULL;
}

void roles_arrived(struct broker *broker, const char *name, int fd)
{
	struct broker_private *private = broker->private;
	const bool signer = !strcmp(name, "signer");
	const enum role role = signer ? ROLE_SIGNER : ROLE_EGRESS;

	if (fd < 0 || (!signer && strcmp(name, "egress"))) {
		log_error("the listener sent a link to the unknown role '%s', or none", name);
		fd_closep(&fd);
		return;
	}
	if (reload_role(broker, role, fd))
		return;
	struct service *service = roles_service(broker, role, fd, lost);
	if (!service) {
		log_error("no link to %s: out of memory", name);
		return;
	}
	roles_install(signer ? &private->signer : &private->egress, service);
	question_cancel(&private->keys_question);
	if (private->signer && ask(private->signer, IPC_KEYS, &(struct msg_empty){ 0 },
				       BROKER_SIGN_MS, on_keys, broker, &private->keys_question))
		log_error("the signer cannot be asked for its public keys");
	ready_if_complete(broker);
}
