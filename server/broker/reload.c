/* A new configuration: taken whole, with a new signer and a new egress that know it, or not at all.
 *
 * IPC_CONF carries the bundle; the configuration is loaded and kept aside. When both new roles are
 * linked and the new signer has sent its public keys, everything is swapped at once and
 * IPC_CONF_TAKEN is sent. Old links are closed when their last question is answered. Until the
 * swap, and after any failure, the old configuration is in force. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/fd.h"
#include "common/log.h"
#include "server/broker/broker.h"
#include "server/broker/core/impl.h"
#include "server/broker/login/revoke.h"

struct reload {
	struct broker *broker;
	struct config *config;
	uint64_t generation;
	struct service *signer, *egress;
	struct question *question;
	struct event *timer;
};

static void reload_drop(void *arg)
{
	struct reload *reload = arg;

	if (reload->timer)
		event_free(reload->timer);
	config_free(reload->config);
	free(reload);
}

void reload_free(struct broker *broker)
{
	struct reload *reload = broker->private->reload;

	if (!reload)
		return;
	broker->private->reload = NULL;
	question_cancel(&reload->question);
	if (reload->signer)
		service_close(reload->signer);
	if (reload->egress)
		service_close(reload->egress);
	if (reload->timer)
		evtimer_del(reload->timer);
	broker_later(broker, reload_drop, reload);
}

void reload_refused(struct broker *broker, const char *reason)
{
	broker->conf_status.attempts++;
	free(broker->conf_status.refused);
	broker->conf_status.refused = strdup(reason);
	log_error("the new configuration is refused: %s", reason);
	reload_free(broker);
}

static void refuse(struct broker *broker, const char *reason)
{
	link_send(&broker->private->parent, IPC_FAILED, 0, &(struct msg_reason){ (char *)reason },
		NULL, 0);
	reload_refused(broker, reason);
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	refuse(arg, "the new signer and egress were not ready in time");
}

static void audit_taken(struct broker *broker)
{
	json_t *data = json_object();

	json_object_set_new(
		data, "generation", json_integer((json_int_t)broker->conf_status.generation));
	broker_audit(broker, "configuration-taken", data);
	log_info("configuration %llu is in force",
		(unsigned long long)broker->conf_status.generation);
}

/* Other parts of the broker read broker->config again at each event, so that the old one can be
 * freed. */
static void swap(struct reload *reload)
{
	struct broker *broker = reload->broker;
	struct broker_private *private = broker->private;
	struct config *old = broker->config;
	struct err err = { 0 };

	broker->config = reload->config;
	reload->config = NULL;
	/* unlikely: it was parsed when the configuration was checked */
	if (revoked_list_load(broker, &err))
		log_error("the old revocation list stays in force: %s", err.text);
	config_free(old);
	roles_install(&private->signer, reload->signer);
	roles_install(&private->egress, reload->egress);
	reload->signer = reload->egress = NULL;
	broker->conf_status.generation = reload->generation;
	broker->conf_status.taken = clock_wall_ms();
	broker->conf_status.attempts++;
	free(broker->conf_status.refused);
	broker->conf_status.refused = NULL;
	if (!private->log_forced)
		log_level_set((enum log_level)log_level_parse(broker->config->conf->log_level));
	link_send(&private->parent, IPC_CONF_TAKEN, 0,
		&(struct msg_conf_taken){ reload->generation }, NULL, 0);
	audit_taken(broker);
	revoke_sweep(broker);
	reload_free(broker);
}

static void on_keys(void *context, const void *data, struct ipc_raw *raw, const char *failure)
{
	(void)raw;
	struct broker *broker = context;
	const struct msg_keys_answer *msg = data;
	struct err err = { 0 };
	if (!msg || public_keys_load(&broker->private->keys, msg, &err))
		refuse(broker, failure ? failure : err.text);
	else
		swap(broker->private->reload);
}

static void lost(struct service *service)
{
	struct broker *broker = service->broker;
	struct reload *reload = broker->private->reload;

	if (reload && (reload->signer == service || reload->egress == service)) {
		/* the service closes itself; the listener reports the end of the role and refuses
		 * the reload */
		*(reload->signer == service ? &reload->signer : &reload->egress) = NULL;
	} else if (broker->private->signer == service) {
		broker->private->signer = NULL;
	} else if (broker->private->egress == service) {
		broker->private->egress = NULL;
	}
}

bool reload_role(struct broker *broker, enum role role, int fd)
{
	if (broker->private->skip & 1u << role) {
		broker->private->skip &= ~(1u << role);
		fd_closep(&fd);
		return true;
	}
	struct reload *reload = broker->private->reload;
	struct service **slot = NULL;
	if (reload)
		slot = role == ROLE_SIGNER ? &reload->signer : &reload->egress;
	if (!slot || *slot)
		return false;
	*slot = roles_service(broker, role, fd, lost);
	if (!*slot || (reload->signer && reload->egress &&
			      ask(reload->signer, IPC_KEYS, &(struct msg_empty){ 0 },
				      BROKER_SIGN_MS, on_keys, broker, &reload->question)))
		refuse(broker, "out of memory");
	return true;
}

static int load(int fd, struct config **ret, struct err *err)
{
	struct files *files = NULL;
	int rc = fd >= 0 ? files_from_bundle(fd, &files, err)
			 : err_set(err, -EINVAL, "the message has no bundle");

	if (!rc)
		rc = config_load(files, files_first(files), ret, err);
	files_free(files);
	return rc;
}

int reload_begin(struct broker *broker, uint64_t generation, int fd)
{
	struct err err = { 0 };
	struct reload *reload = calloc(1, sizeof(*reload));

	if (broker->private->reload)
		reload_free(broker); /* the newer reload replaces it */
	struct config *config = NULL;
	int rc = reload ? load(fd, &config, &err) : err_set(&err, -ENOMEM, "out of memory");
	if (rc) {
		free(reload);
		/* the links of the new roles will still arrive */
		broker->private->skip = 1u << ROLE_SIGNER | 1u << ROLE_EGRESS;
		refuse(broker, err.text);
		return rc;
	}
	*reload = (struct reload){ .broker = broker, .config = config, .generation = generation };
	broker->private->reload = reload;
	struct timeval wait = timeval_of(BROKER_ROLES_MS);
	reload->timer = evtimer_new(broker->base, on_timeout, broker);
	if (!reload->timer || evtimer_add(reload->timer, &wait))
		refuse(broker, "out of memory");
	return 0;
}
