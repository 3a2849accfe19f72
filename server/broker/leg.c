/* Legs: where a client wants to go. IPC_LEG and IPC_LEG_END.
 *
 * A leg's number is used once in the life of a connection. */
#include "server/broker/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "policy/decide.h"
#include "server/broker/access/lines.h"
#include "server/broker/approval/queue.h"
#include "server/broker/core/peer.h"
#include "server/broker/dial/dial.h"
#include "server/broker/record/disk.h"
#include "server/broker/record/evidence.h"
#include "server/broker/record/record.h"

/* ---- naming ---- */

static int use_number(struct client *client, uint32_t number)
{
	if (client->used_count == client->used_size) {
		size_t size = client->used_size ? client->used_size * 2 : 8;
		uint32_t *used = reallocarray(client->used, size, sizeof(*used));
		if (!used)
			return -ENOMEM;
		client->used = used;
		client->used_size = size;
	}
	client->used[client->used_count++] = number;
	return 0;
}

static void leg_answer(struct client *client, const struct msg_leg *msg,
	const struct refusal *refusal, const char *session)
{
	struct msg_leg_answer out = { .leg = msg->leg,
		.ok = !refusal,
		.exit = refusal ? refusal->exit : 0,
		.reason = (char *)(refusal ? refusal->words : ""),
		.session = (char *)session };

	link_send(&client->link, IPC_LEG_ANSWER, 0, &out, NULL, 0);
}

static int leg_refuse(struct client *client, const struct msg_leg *msg,
	const struct refusal *refusal, const char *rule)
{
	const char *reason = refusal->words;
	char target[256], login[256];
	json_t *data = client_event(client);

	json_object_set_new(data, "target", json_visible(msg->target, strlen(msg->target)));
	json_object_set_new(data, "login", json_visible(msg->login, strlen(msg->login)));
	json_object_set_new(data, "rule", json_string_or_null(rule));
	json_object_set_new(data, "reason", json_visible(reason, strlen(reason)));
	broker_audit(client->broker, "access-denied", data);
	log_info("connection %llu: %s may not go to %s as %s: %s",
		(unsigned long long)client->connection, client->who->user,
		text_clean(target, sizeof(target), msg->target, strlen(msg->target)),
		text_clean(login, sizeof(login), msg->login, strlen(msg->login)), reason);
	leg_answer(client, msg, refusal, NULL);
	return 0;
}

static bool port_ok(const struct target *target, uint32_t port)
{
	return port == 0 || port == 22 || port == target->port ||
	       (target->is_pattern && !target->host && port < 65536);
}

/* A connection may outlive its certificate, and so may the sessions on it; new ones may not begin.
 */
static bool client_refused(const struct client *client, struct refusal *why)
{
	int64_t since = clock_wall() - client->who->expires;
	char ago[64];

	if (client->state == CLIENT_LIMITED)
		return refusal_set(why, EXIT_DENIED,
			"log in first: ssh gw login --token < TOKEN, and use the certificate that "
			"it prints");
	if (client->leaving)
		return refusal_set(why, EXIT_DENIED, "this connection is about to end");
	if (since >= 0)
		return refusal_set(why, EXIT_DENIED,
			"certificate expired %s ago: connect again with a new one",
			clock_duration_format(since * 1000, ago, sizeof(ago)));
	return false;
}

static bool target_refused(const struct client *client, const struct msg_leg *msg,
	struct decision *decision, struct refusal *why)
{
	const struct config *config = client->broker->config;
	const struct target *target = text_target_ok(msg->target, strlen(msg->target))
					      ? targets_find(config->targets, msg->target)
					      : NULL;
	struct access access = {
		.who = client->who,
		.source = client->source,
		.target = msg->target,
		.login = msg->login,
		.now = clock_wall(),
	};
	char name[256];

	if (!target)
		return refusal_set(why, EXIT_DENIED, "no target '%s' (see: ssh gw targets)",
			text_clean(name, sizeof(name), msg->target, strlen(msg->target)));
	if (!decide_any(config->ruleset, target, &access, decision))
		return refusal_set(why, EXIT_DENIED, "%s", decision->reason);
	if (!port_ok(target, msg->port))
		return refusal_set(why, EXIT_DENIED, "target '%s' is not reached at port %u",
			msg->target, msg->port);
	return false;
}

/* Whether the identity can have no business there, whatever it will ask for. */
static bool leg_refused(struct client *client, const struct msg_leg *msg, struct decision *decision,
	struct refusal *why)
{
	const struct conf *conf = client->broker->config->conf;

	if (!text_name_ok(msg->login, strlen(msg->login)))
		return refusal_set(why, EXIT_DENIED, "the login on the target is not a user name");
	if (client_refused(client, why) || target_refused(client, msg, decision, why))
		return true;
	if (client->leg_count >= (uint64_t)conf->targets_per_connection)
		return refusal_set(why, EXIT_DENIED,
			"too many targets on one connection (limits.targets_per_connection)");
	if (disk_low(client->broker) && !disk_exempt(client->broker, client->who))
		return refusal_set(why, EXIT_GATEWAY, "the gateway has no room for transcripts");
	return false;
}

static void leg_free(struct peer_leg *leg)
{
	struct peer_channel *channel;

	while ((channel = LIST_FIRST(&leg->channels))) {
		LIST_REMOVE(channel, entry);
		lines_free(channel->lines);
		free(channel);
	}
	if (leg->timer)
		event_free(leg->timer);
	free(leg->dialled), free(leg->dial_failure), free(leg->glass_reason);
	free(leg->target), free(leg->login), free((void *)leg->pubkey.data);
	free(leg);
}

static struct peer_leg *leg_new(struct client *client, const struct msg_leg *msg)
{
	const struct target *target = targets_find(client->broker->config->targets, msg->target);
	struct peer_leg *leg = calloc(1, sizeof(*leg));

	if (!leg)
		return NULL;
	*leg = (struct peer_leg){ .client = client, .number = msg->leg, .mode = msg->mode };
	LIST_INIT(&leg->channels);
	id_ulid_new(leg->session);
	leg->target = text_dup(msg->target, strlen(msg->target));
	leg->login = text_dup(msg->login, strlen(msg->login));
	leg->pubkey = (struct bytes){ (const uint8_t *)text_dup(msg->pubkey.data, msg->pubkey.len),
		msg->pubkey.len };
	leg->port = target->is_pattern && !target->host ? (uint16_t)msg->port : 0;
	if (leg->target && leg->login && leg->pubkey.data)
		leg->record = record_new(leg);
	if (!leg->record) {
		leg_free(leg);
		return NULL;
	}
	LIST_INSERT_HEAD(&client->legs, leg, entry);
	client->leg_count++;
	evidence_named(leg);
	return leg;
}

int handle_leg(struct client *client, const void *data, struct err *err)
{
	const struct msg_leg *msg = data;
	struct decision decision = { 0 };
	struct refusal why;

	if (msg->leg == IPC_LEG_ALL || peer_leg_used(client, msg->leg))
		return err_set(err, -EPROTO, "leg %u was named before", msg->leg);
	if (msg->mode != MODE_JUMP && msg->mode != MODE_DIRECT)
		return err_set(err, -EPROTO, "unknown mode %u", msg->mode);
	if (client->used_count >= CLIENT_LEGS_MAX || use_number(client, msg->leg))
		return err_set(err, -EPROTO, "too many legs");
	if (leg_refused(client, msg, &decision, &why))
		return leg_refuse(client, msg, &why, decision.rule);
	struct peer_leg *leg = leg_new(client, msg);
	if (!leg) {
		refusal_set(&why, EXIT_GATEWAY, "the gateway is out of memory");
		return leg_refuse(client, msg, &why, NULL);
	}
	leg_answer(client, msg, NULL, leg->session);
	return 0;
}

/* ---- the end ---- */

void peer_leg_end(struct peer_leg *leg, const char *reason, bool lost)
{
	struct client *client = leg->client;

	leg->state = LEG_ENDED;
	LIST_REMOVE(leg, entry);
	client->leg_count--;
	waiters_leave(leg);
	grants_forget(leg);
	dial_cancel(leg);
	record_end(leg->record, reason, lost);
	leg_free(leg);
}

int handle_leg_end(struct client *client, const void *data, struct err *err)
{
	const struct msg_leg_end *msg = data;
	struct peer_leg *leg;
	int rc = peer_leg_of(client, msg->leg, &leg, err);

	if (!rc && leg)
		peer_leg_end(leg, msg->reason, false);
	return rc;
}
