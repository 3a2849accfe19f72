/* A grant, used once: a connected socket with the pinned host keys and a credential for one login,
 * for one leg.
 *
 * Connection and credential are fetched at the same time; the grant is sent when both are ready or
 * one has failed. Everything needed of the target is copied, so that the configuration may be
 * replaced meanwhile. When the leg ends, work in progress is dropped. */
#include "server/broker/dial/dial.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/clock.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/text.h"
#include "common/wire.h"
#include "keys/sshcert.h"
#include "server/broker/approval/queue.h"
#include "server/broker/core/refusal.h"
#include "server/broker/record/record.h"

/* a certificate is valid from this long ago, because the clock of a target may be slow */
#define CERT_BACK_S 300

struct dial {
	struct peer_leg *leg;
	struct broker *broker;
	enum target_credential credential;
	char *credential_name;
	char **host_keys, **allow;
	struct connect *connect;
	struct question *question;
	struct agent *agent;
	int socket, agent_fd;
	char *address;
	struct buf secret;
	bool connected, ready; /* the socket is connected, the credential is ready */
	struct event *failing;
	struct refusal failure; /* that on_failing() tells */
	uint64_t serial;
};

static const char *const credential_names[] = {
	[TARGET_CERTIFICATE] = "certificate", [TARGET_KEY] = "key", [TARGET_PASSWORD] = "password"
};

/* Frees the one-time socket and secret; keeps the connection's slot at the target and the agent
 * until the handshake ends. */
static void drop_material(struct dial *dial)
{
	question_cancel(&dial->question);
	fd_closep(&dial->socket);
	fd_closep(&dial->agent_fd);
	buf_burn(&dial->secret);
}

static void dial_free(void *arg)
{
	struct dial *dial = arg;

	free(dial->credential_name);
	free(dial->address);
	text_list_free(dial->host_keys);
	text_list_free(dial->allow);
	free(dial);
}

void dial_cancel(struct peer_leg *leg)
{
	struct dial *dial = leg->dial;

	if (!dial)
		return;
	leg->dial = NULL;
	drop_material(dial);
	connect_release(&dial->connect);
	agent_close(dial->agent);
	if (dial->failing)
		event_free(dial->failing);
	/* freed later, because this may be called from one of its own callbacks */
	broker_later(dial->broker, dial_free, dial);
}

void dial_established(struct peer_leg *leg)
{
	if (leg->dial)
		connect_release(&leg->dial->connect);
}

/* ---- the grant ---- */

static void fail(struct dial *dial, const struct refusal *failure)
{
	struct peer_leg *leg = dial->leg;
	struct refusal kept = *failure; /* it may go with the dial */
	char *reason = kept.words;

	log_info("session %s: no connection to '%s': %s", leg->session, leg->target, reason);
	json_t *data = peer_leg_event(leg);
	json_object_set_new(data, "reason", json_visible(reason, strlen(reason)));
	broker_audit(dial->broker, "dial-failed", data);
	free(leg->dial_failure);
	leg->dial_failure = strdup(reason);
	grants_return(leg); /* the session got neither socket nor credential */
	struct msg_grant out = { .leg = leg->number, .exit = kept.exit, .reason = reason };
	link_send(&leg->client->link, IPC_GRANT, 0, &out, NULL, 0);
	dial_cancel(leg);
}

static void fail_here(struct dial *dial, const char *words)
{
	struct refusal failure;

	refusal_set(&failure, EXIT_GATEWAY, "%s", words);
	fail(dial, &failure);
}

static void grant(struct dial *dial)
{
	struct peer_leg *leg = dial->leg;
	const struct sshkey *ca = broker_key(dial->broker, dial->credential_name);
	char ca_fp[SSHKEY_FP_MAX] = "";
	const int fds[2] = { dial->socket, dial->agent_fd };
	struct msg_grant out = {
		.leg = leg->number,
		.ok = true,
		.host_keys = dial->host_keys,
		.login = leg->login,
		.allow = dial->allow,
		.credential = (char *)credential_names[dial->credential],
		.secret = buf_bytes(&dial->secret),
		.address = dial->address,
		.handshake_ms = (uint32_t)dial->broker->config->conf->handshake_time,
	};

	if (dial->serial && ca)
		sshkey_fingerprint(ca, ca_fp);
	record_grant(leg->record, dial->address, dial->serial, ca_fp);
	if (link_send(&leg->client->link, IPC_GRANT, 0, &out, fds, dial->agent_fd >= 0 ? 2 : 1) ==
		-EMSGSIZE)
		fail_here(dial, "the target's keys and credential are too long");
	else
		drop_material(dial);
}

static void grant_if_complete(struct dial *dial)
{
	if (dial->connected && dial->ready)
		grant(dial);
}

static void on_connected(void *context, int *fd, const char *address, const char *reason)
{
	struct dial *dial = context;

	if (*fd < 0) {
		struct refusal failure;
		refusal_set(&failure, EXIT_UNREACHABLE, "target '%s' cannot be reached: %s",
			dial->leg->target, reason);
		fail(dial, &failure);
		return;
	}
	dial->socket = *fd;
	*fd = -1;
	dial->address = text_dup(address, strlen(address));
	dial->connected = true;
	grant_if_complete(dial);
}

/* ---- credentials ---- */

static void on_secret(void *context, const void *data, struct ipc_raw *raw, const char *failure)
{
	(void)raw;
	struct dial *dial = context;
	const struct msg_signed *msg = data;
	if (!msg || !msg->ok) {
		log_error("session %s: credential of target '%s': %s", dial->leg->session,
			dial->leg->target, failure ? failure : msg->reason);
		fail_here(dial,
			"the gateway could not make its credential for this target; its log says "
			"why");
		return;
	}
	if (buf_put(&dial->secret, msg->data.data, msg->data.len)) {
		fail_here(dial, "the gateway is out of memory");
		return;
	}
	text_burn((void *)msg->data.data, msg->data.len);
	dial->ready = true;
	grant_if_complete(dial);
}

static uint64_t random_serial(void)
{
	uint64_t serial = 0;

	while (getrandom(&serial, sizeof(serial), 0) != (ssize_t)sizeof(serial) || !(serial >>= 1))
		;
	return serial;
}

/* A certificate for the key that the session process made: its principal is the login, it is valid
 * for minutes, and it has only the right to a terminal, because the gateway asks the target for
 * nothing else so far. */
static int want_certificate(struct dial *dial, struct err *err)
{
	struct peer_leg *leg = dial->leg;
	int64_t now = clock_wall();
	char key_id[400];
	char *principals[] = { leg->login, NULL };
	SSHKEY_CLEANUP struct sshkey *key = NULL;

	if (sshkey_from_blob(leg->pubkey, &key, err))
		return err_prefix(err, -EINVAL, "the session's own key");
	snprintf(key_id, sizeof(key_id), "%s session %s", peer_leg_user(leg), leg->session);
	dial->serial = random_serial();
	struct msg_sign_cert msg = {
		.key = dial->credential_name,
		.pubkey = leg->pubkey,
		.serial = dial->serial,
		.key_id = key_id,
		.principals = principals,
		.valid_after = (uint64_t)(now - CERT_BACK_S),
		.valid_before =
			(uint64_t)(now + dial->broker->config->conf->credential_lifetime / 1000),
		.rights = leg->client->who->rights & SSHCERT_PTY,
	};
	return ask(dial->broker->private->signer, IPC_SIGN_CERT, &msg, BROKER_SIGN_MS, on_secret,
		dial, &dial->question);
}

static int want_key(struct dial *dial, struct err *err)
{
	const struct sshkey *key = broker_key(dial->broker, dial->credential_name);

	if (!key)
		return err_set(
			err, -ENOENT, "the signer does not hold key '%s'", dial->credential_name);
	int rc = agent_open(dial->broker, dial->credential_name, dial->leg->login, &dial->agent,
		&dial->agent_fd, err);
	struct bytes blob = sshkey_blob(key);
	if (!rc)
		rc = buf_put(&dial->secret, blob.data, blob.len);
	dial->ready = !rc;
	return rc;
}

static int want_password(struct dial *dial, struct err *err)
{
	(void)err;
	return ask(dial->broker->private->signer, IPC_PASSWORD,
		&(struct msg_password){ dial->credential_name }, BROKER_SIGN_MS, on_secret, dial,
		&dial->question);
}

static int (*const want[])(struct dial *, struct err *) = {
	[TARGET_CERTIFICATE] = want_certificate,
	[TARGET_KEY] = want_key,
	[TARGET_PASSWORD] = want_password,
};

/* ---- the start ---- */

static void on_failing(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct dial *dial = arg;
	fail(dial, &dial->failure);
}

/* The access is not answered yet: a failure at this point is reported a moment later, as a failed
 * grant. */
static int fail_later(struct dial *dial, unsigned exit, const char *words)
{
	refusal_set(&dial->failure, exit, "%s", words);
	connect_release(&dial->connect);
	return dial->failing && !evtimer_add(dial->failing, &(struct timeval){ 0 }) ? 0 : -ENOMEM;
}

static char **strings_copy(char *const *list)
{
	size_t count = 0;

	while (list && list[count])
		count++;
	char **copy = calloc(count + 1, sizeof(*copy));
	for (size_t i = 0; copy && i < count; i++)
		if (!(copy[i] = strdup(list[i]))) {
			text_list_free(copy);
			return NULL;
		}
	return copy;
}

static struct dial *dial_new(struct peer_leg *leg, const struct target *target)
{
	struct dial *dial = calloc(1, sizeof(*dial));

	if (!dial)
		return NULL;
	*dial = (struct dial){ .leg = leg,
		.broker = leg->client->broker,
		.credential = target->credential,
		.socket = -1,
		.agent_fd = -1,
		.secret = BUF_INIT(IPC_BLOB_MAX) };
	dial->credential_name = strdup(target->credential_name ? target->credential_name : "");
	dial->allow = strings_copy(target->crypto_allow);
	dial->failing = evtimer_new(dial->broker->base, on_failing, dial);
	if (dial->credential_name && dial->allow && dial->failing)
		return dial;
	if (dial->failing)
		event_free(dial->failing);
	dial_free(dial);
	return NULL;
}

static int pinned(struct dial *dial, const struct target *target, uint16_t port, struct err *err)
{
	const char *name = dial->leg->target;

	if (target_host_keys(target, name, port, &dial->host_keys, err))
		return err_prefix(err, -EINVAL, "target '%s'", name);
	if (dial->host_keys && dial->host_keys[0])
		return 0;
	return err_set(err, -ENOENT,
		"target '%s' has no pinned host key: an administrator can add it with: bartizan "
		"hosts scan %s",
		name, name);
}

/* ---- what was connected to ---- */

static int put_line(struct buf *out, const char *text)
{
	return buf_printf(out, "%s\n", text ? text : "");
}

/* All of the target that says which machine it is and how to log in there; its labels are the
 * policy's. NULL: no memory, or host keys that cannot be read. */
static char *description(const struct peer_leg *leg, const struct target *target)
{
	BUF_CLEANUP struct buf out = BUF_INIT(TARGET_KNOWN_HOSTS_MAX);
	char **keys = NULL;
	struct err err;
	const uint16_t port = leg->port ? leg->port : target->port;
	int rc = target_host_keys(target, leg->target, port, &keys, &err);

	if (!rc)
		rc = buf_printf(&out, "%s:%u %s\n", target->host ? target->host : leg->target, port,
			credential_names[target->credential]);
	if (!rc)
		rc = put_line(&out, target->credential_name);
	for (char **key = keys; !rc && key && *key; key++)
		rc = put_line(&out, *key);
	text_list_free(keys);
	return rc ? NULL : text_dup(buf_data(&out), out.len);
}

bool dial_same(const struct peer_leg *leg, const struct target *target)
{
	if (!leg->dialled)
		return true;
	FREE_CLEANUP char *now = target ? description(leg, target) : NULL;
	return now && !strcmp(now, leg->dialled);
}

int dial_start(struct peer_leg *leg, const struct target *target, struct err *err)
{
	struct broker *broker = leg->client->broker;
	struct err why = { 0 };
	struct dial *dial = dial_new(leg, target);

	if (!dial)
		return err_set(err, -ENOMEM, "the gateway is out of memory");
	leg->dial = dial;
	free(leg->dialled);
	leg->dialled = description(leg, target);
	const uint16_t port = leg->port ? leg->port : target->port;
	const char *family = target->family ? target->family : broker->config->conf->resolve_family;
	const struct connect_spec spec = { leg->target, target->host ? target->host : leg->target,
		family, port };
	if (pinned(dial, target, port, &why))
		return fail_later(dial, EXIT_UNREACHABLE, why.text);
	int rc = connect_start(broker, &spec, on_connected, dial, &dial->connect, &why);
	if (!rc)
		rc = want[dial->credential](dial, &why);
	if (!rc)
		return 0;
	log_error("session %s: target '%s': %s", leg->session, leg->target,
		*why.text ? why.text : "the signer is not running");
	return fail_later(dial, EXIT_GATEWAY,
		"the gateway could not make its credential for this target; its log says why");
}
