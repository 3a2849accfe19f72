/* Signer and egress as they come and go, and the public halves of the keys that the signer holds.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/fd.h"
#include "common/log.h"
#include "server/broker/core/impl.h"

void public_keys_release(struct public_keys *keys)
{
	for (size_t i = 0; i < keys->count; i++) {
		free(keys->list[i].name);
		sshkey_free(keys->list[i].key);
	}
	free(keys->list);
	*keys = (struct public_keys){ 0 };
}

int public_keys_load(struct public_keys *keys, const struct msg_keys_answer *msg, struct err *err)
{
	size_t count = 0;
	int rc = 0;

	while (msg->names[count] && msg->lines[count])
		count++;
	if (msg->names[count] || msg->lines[count])
		return err_set(err, -EBADMSG, "the signer's names and keys do not fit together");
	struct public_keys loaded = { calloc(count + 1, sizeof(*loaded.list)), 0 };
	for (size_t i = 0; loaded.list && !rc && i < count; i++, loaded.count++) {
		loaded.list[i].name = strdup(msg->names[i]);
		rc = loaded.list[i].name ? sshkey_from_line(msg->lines[i], &loaded.list[i].key, err)
					 : -ENOMEM;
	}
	if (rc || !loaded.list) {
		public_keys_release(&loaded);
		return rc ? err_prefix(err, rc, "a public key of the signer")
			  : err_set(err, -ENOMEM, "out of memory");
	}
	public_keys_release(keys);
	*keys = loaded;
	return 0;
}

const struct sshkey *public_keys_find(const struct public_keys *keys, const char *name)
{
	for (size_t i = 0; i < keys->count; i++)
		if (!strcmp(keys->list[i].name, name))
			return keys->list[i].key;
	return NULL;
}

const struct sshkey *broker_key(struct broker *broker, const char *name)
{
	return public_keys_find(&broker->private->keys, name);
}

/* ---- coming and going ---- */

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

void roles_install(struct broker *broker, struct service **current, struct service *service)
{
	(void)broker;
	struct service *old = *current;
	*current = service;
	if (old)
		service_retire(old);
}

static void lost(struct service *service)
{
	struct broker_private *private = service->broker->private;

	if (private->signer == service)
	private->signer = NULL; /* its public keys stay known: they have not changed */
	if (private->egress == service)
	private->egress = NULL;
}

void roles_arrived(struct broker *broker, const char *name, int fd)
{
	struct broker_private *private = broker->private;
	const bool signer = !strcmp(name, "signer");
	const enum role role = signer ? ROLE_SIGNER : ROLE_EGRESS;

	if (fd < 0 || (!signer && strcmp(name, "egress"))) {
		log_error("the listener sent a link to '%s'", name);
		fd_closep(&fd);
		return;
	}
	if (reload_role(broker, role, fd))
		return;
	struct service *service = service_new(broker, role, fd, lost);
	if (!service) {
		log_error("no link to %s: out of memory", name);
		return;
	}
	roles_install(broker, signer ? &private->signer : &private->egress, service);
	question_cancel(&private->keys_question);
	if (private->signer && ask(private->signer, IPC_KEYS, &(struct msg_empty){ 0 },
				       BROKER_SIGN_MS, on_keys, broker, &private->keys_question))
		log_error("the signer cannot be asked for its keys");
	ready_if_complete(broker);
}
