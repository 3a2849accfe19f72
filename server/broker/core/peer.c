/* Peers: looking up clients and legs, the one way to "authenticated", and what may be done to a
 * client without knowing what hangs on it. See server/broker/core/peer.h. */
#include "server/broker/core/peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/text.h"
#include "common/wire.h"
#include "keys/sshcert.h"
#include <stdio.h>
#include "common/clock.h"
#include "policy/decide.h"

static const char *const state_names[] = { "connected", "proved", "vouched", "limited",
	"authenticated", "ended" };

void client_set_state(struct client *client, enum client_state state)
{
	static const unsigned allowed[CLIENT_STATES] = {
		[CLIENT_CONNECTED] = 1u << CLIENT_PROVED | 1u << CLIENT_VOUCHED |
				     1u << CLIENT_LIMITED | 1u << CLIENT_AUTHENTICATED |
				     1u << CLIENT_ENDED,
		[CLIENT_PROVED] =
			1u << CLIENT_LIMITED | 1u << CLIENT_AUTHENTICATED | 1u << CLIENT_ENDED,
		[CLIENT_VOUCHED] = 1u << CLIENT_AUTHENTICATED | 1u << CLIENT_ENDED,
		[CLIENT_LIMITED] = 1u << CLIENT_ENDED,
		[CLIENT_AUTHENTICATED] = 1u << CLIENT_ENDED,
	};

	if (!(allowed[client->state] & 1u << state)) {
		log_error("connection %llu: the state cannot change from %s to %s",
			(unsigned long long)client->connection, state_names[client->state],
			state_names[state]);
		return;
	}
	log_debug("connection %llu: %s -> %s", (unsigned long long)client->connection,
		state_names[client->state], state_names[state]);
	client->state = state;
}

json_t *client_event(const struct client *client)
{
	json_t *data = json_object();

	json_object_set_new(data, "connection", json_integer((json_int_t)client->connection));
	json_object_set_new(data, "source", json_string(client->source_text));
	if (client->who)
		json_object_set_new(data, "user", json_string_or_null(client->who->user));
	return data;
}

struct client *client_find(struct broker *broker, uint64_t connection)
{
	struct client *client;

	for (client = LIST_FIRST(&broker->private->clients); client;
		client = LIST_NEXT(client, entry))
		if (client->connection == connection)
			return client;
	return NULL;
}

/* ---- legs: the number of a leg is used once in the life of a connection ---- */

struct peer_leg *peer_leg_find(const struct client *client, uint32_t number)
{
	struct peer_leg *leg;

	for (leg = LIST_FIRST(&client->legs); leg; leg = LIST_NEXT(leg, entry))
		if (leg->number == number)
			return leg;
	return NULL;
}

bool peer_leg_used(const struct client *client, uint32_t number)
{
	for (size_t i = client->used_count; i > 0; i--)
		if (client->used[i - 1] == number)
			return true;
	return false;
}

int peer_leg_of(
	const struct client *client, uint32_t number, struct peer_leg **ret, struct err *err)
{
	*ret = peer_leg_find(client, number);
	return *ret || peer_leg_used(client, number)
		       ? 0
		       : err_set(err, -EPROTO, "leg %u was never named", number);
}

struct peer_channel *peer_leg_channel(struct peer_leg *leg, uint32_t number, bool create)
{
	struct peer_channel *channel;

	for (channel = LIST_FIRST(&leg->channels); channel; channel = LIST_NEXT(channel, entry))
		if (channel->number == number)
			return channel;
	if (!create || leg->channel_count >= LEG_CHANNELS_MAX ||
		!(channel = calloc(1, sizeof(*channel))))
		return NULL;
	channel->number = number;
	leg->channel_count++;
	LIST_INSERT_HEAD(&leg->channels, channel, entry);
	return channel;
}

const char *peer_leg_user(const struct peer_leg *leg)
{
	return leg->client->who->user;
}

json_t *peer_leg_event(const struct peer_leg *leg)
{
	json_t *data = client_event(leg->client);

	json_object_set_new(data, "session", json_string(leg->session));
	json_object_set_new(data, "target", json_string(leg->target));
	json_object_set_new(data, "login", json_string_or_null(leg->login));
	return data;
}

int client_keep_key(struct client *client, struct bytes offered, struct err *err)
{
	SSHCERT_CLEANUP struct sshcert *cert = NULL;
	struct wire in = WIRE_OF(offered.data, offered.len);
	struct bytes type;
	struct sshkey *key = NULL;
	bool is_cert = !wire_get_string(&in, &type) && sshcert_is_cert_type(type);
	int rc = is_cert ? sshcert_parse(offered, &cert, err) : 0;

	if (!rc)
		rc = sshkey_from_blob(is_cert ? sshkey_blob(cert->key) : offered, &key, err);
	uint8_t *copy = rc ? NULL : (uint8_t *)text_dup(offered.data, offered.len);
	if (rc || !copy) {
		sshkey_free(key);
		return rc ? -EACCES : err_set(err, -EACCES, "the gateway is out of memory");
	}
	sshkey_free(client->key);
	free((void *)client->offered.data);
	client->key = key;
	client->offered = (struct bytes){ copy, offered.len };
	return 0;
}

int client_proved(struct client *client, enum client_state state)
{
	bool from = client->state == CLIENT_CONNECTED ||
		    (client->state == CLIENT_PROVED && state == CLIENT_LIMITED);

	if (!client->deciding || !from || !client->key ||
		(state != CLIENT_PROVED && state != CLIENT_LIMITED))
		return -EPERM;
	client_set_state(client, state);
	return 0;
}

int client_vouched(struct client *client, struct identity **who)
{
	if (!client->login || client->state != CLIENT_CONNECTED || client->key || !*who)
		return -EPERM;
	client_set_state(client, CLIENT_VOUCHED);
	client->vouched = *who;
	*who = NULL;
	return 0;
}

int client_authenticated(struct client *client, struct identity **who)
{
	const unsigned from = 1u << CLIENT_CONNECTED | 1u << CLIENT_PROVED | 1u << CLIENT_VOUCHED;

	if (!client->deciding || !(from & 1u << client->state) || !client->key || !*who)
		return -EPERM;
	client_set_state(client, CLIENT_AUTHENTICATED);
	client->who = *who;
	*who = NULL;
	link_send(&client->broker->private->parent, IPC_AUTHENTICATED, 0,
		&(struct msg_connection){ client->connection }, NULL, 0);
	return 0;
}

void client_send_end(struct client *client, uint32_t leg, uint32_t exit, const char *reason)
{
	link_send(&client->link, IPC_END, 0,
		&(struct msg_end){ .leg = leg, .exit = exit, .reason = (char *)reason }, NULL, 0);
}

bool client_reachable(const struct client *client)
{
	return link_up(&client->link) && client->state == CLIENT_AUTHENTICATED;
}

void client_kill(const struct client *client)
{
	link_send(&client->broker->private->parent, IPC_KILL, 0,
		&(struct msg_connection){ client->connection }, NULL, 0);
}

void client_violation(struct client *client, const char *message, const char *why)
{
	if (client->doomed)
		return;
	json_t *data = client_event(client);
	json_object_set_new(data, "message", json_string(message));
	json_object_set_new(data, "why", json_visible(why, strlen(why)));
	broker_audit(client->broker, "session-violation", data);
	log_warning("connection %llu from %s: session process killed: message '%s': %s",
		(unsigned long long)client->connection, client->source_text, message, why);
	client_kill(client);
	client->doomed = "the session process broke the gateway's protocol";
	link_fail(&client->link, client->doomed);
}
