/* What a session reports for the record: requests, ends of channels, evidence, and what it refused
 * by itself. */
#include <errno.h>
#include <string.h>

#include "common/log.h"
#include "server/broker/core/peer.h"
#include "server/broker/dial/dial.h"
#include "server/broker/access/wait.h"
#include "server/broker/access/lines.h"
#include "server/broker/record/record.h"

int handle_request(struct client *client, const void *data, struct err *err)
{
	const struct msg_request *msg = data;
	struct leg *leg;

	if (msg->leg == IPC_LEG_ALL) /* of a gateway command */
		return 0;
	int rc = broker_leg_of(client, msg->leg, &leg, err);
	if (!rc && leg)
		record_request(leg->record, msg);
	return rc;
}

int handle_channel_end(struct client *client, const void *data, struct err *err)
{
	const struct msg_channel_end *msg = data;
	struct leg *leg;
	int rc = msg->leg == IPC_LEG_ALL ? 0 : broker_leg_of(client, msg->leg, &leg, err);

	if (rc || msg->leg == IPC_LEG_ALL || !leg)
		return rc;
	struct leg_channel *channel = broker_leg_channel(leg, msg->channel, false);
	if (!channel)
		return 0; /* it never asked for anything */
	if (channel->state == CHANNEL_ENDED)
		return err_set(err, -EPROTO, "channel %u ended before", msg->channel);
	bool open = channel->state == CHANNEL_OPEN;
	if (channel->state == CHANNEL_HELD)
		/* the request stays: whoever lost his connection runs the command again */
		hold_over(leg, msg->channel);
	channel->state = CHANNEL_ENDED;
	lines_free(channel->lines);
	channel->lines = NULL;
	if (!open)
		return 0;
	leg->channels_open--;
	record_channel_end(leg->record, msg);
	json_t *event = broker_leg_event(leg);
	json_object_set_new(event, "channel", json_integer(msg->channel));
	json_object_set_new(event, "exit_status",
		msg->exit_status < 0 ? json_null() : json_integer(msg->exit_status));
	if (*msg->exit_signal)
		json_object_set_new(event, "exit_signal",
			json_visible(msg->exit_signal, strlen(msg->exit_signal)));
	json_object_set_new(event, "bytes_in", json_integer((json_int_t)msg->bytes_in));
	json_object_set_new(event, "bytes_out", json_integer((json_int_t)msg->bytes_out));
	json_object_set_new(event, "bytes_err", json_integer((json_int_t)msg->bytes_err));
	json_object_set_new(event, "reason", json_visible(msg->reason, strlen(msg->reason)));
	broker_audit(client->broker, "channel-end", event);
	return 0;
}

/* ---- evidence ---- */

static json_t *visible(const char *text)
{
	return json_visible(text, strlen(text));
}

static json_t *evidence_json(const struct msg_evidence *msg)
{
	json_t *out = json_object();

	json_object_set_new(out, "kex", visible(msg->kex));
	json_object_set_new(out, "host_key_algorithm", visible(msg->host_key_algorithm));
	json_object_set_new(out, "host_key_fingerprint", visible(msg->host_key_fingerprint));
	json_object_set_new(out, "cipher_in", visible(msg->cipher_in));
	json_object_set_new(out, "cipher_out", visible(msg->cipher_out));
	json_object_set_new(out, "mac_in", visible(msg->mac_in));
	json_object_set_new(out, "mac_out", visible(msg->mac_out));
	json_object_set_new(out, "banner", visible(msg->banner));
	json_object_set_new(out, "strict_kex", json_boolean(msg->strict_kex));
	return out;
}

static void audit_evidence(
	struct client *client, const struct leg *leg, const char *transport, json_t *evidence)
{
	json_t *data = leg ? broker_leg_event(leg) : client_event(client);

	json_object_set_new(data, "transport", json_string(transport));
	json_object_update(data, evidence);
	broker_audit(client->broker, "evidence", data);
}

void evidence_flush(struct client *client)
{
	if (client->outer)
		audit_evidence(client, NULL, "outer", client->outer);
}

static int outer_evidence(struct client *client, json_t *evidence)
{
	json_decref(client->outer);
	client->outer = json_incref(evidence);
	if (client->state == CLIENT_AUTHENTICATED)
		audit_evidence(client, NULL, "outer", evidence);
	struct leg *leg;
	for (leg = LIST_FIRST(&client->legs); leg; leg = LIST_NEXT(leg, entry)) {
		record_evidence(leg->record, "outer", evidence);
	}
	return 0;
}

static void remember_early(struct client *client, uint32_t number, json_t *evidence)
{
	unsigned i = 0;

	while (i < client->early_count && client->early[i].leg != number)
		i++;
	if (i == CLIENT_EARLY_MAX)
		return;
	if (i == client->early_count)
		client->early_count++;
	else
		json_decref(client->early[i].evidence);
	client->early[i].leg = number;
	client->early[i].evidence = json_incref(evidence);
}

void evidence_named(struct leg *leg)
{
	struct client *client = leg->client;

	if (client->outer)
		record_evidence(leg->record, "outer", client->outer);
	for (unsigned i = 0; i < client->early_count; i++)
		if (client->early[i].leg == leg->number) {
			JSON_CLEANUP json_t *evidence = client->early[i].evidence;
			client->early[i] = client->early[--client->early_count];
			record_evidence(leg->record, "inner", evidence);
			audit_evidence(client, leg, "inner", evidence);
			return;
		}
}

static int leg_evidence(struct client *client, uint32_t number, const char *transport,
	json_t *evidence, struct err *err)
{
	struct leg *leg = broker_leg_find(client, number);
	bool inner = !strcmp(transport, "inner");

	if (!leg && !broker_leg_used(client, number)) {
		/* it will be refused in words */
		if (!inner ||
			(client->state != CLIENT_AUTHENTICATED && client->state != CLIENT_LIMITED))
			return err_set(err, -EPROTO, "leg %u was never named", number);
		remember_early(client, number, evidence);
		return 0;
	}
	if (!leg)
		return 0;
	if (!inner && leg->state != LEG_OPEN)
		return err_set(err, -EPROTO, "leg %u has no outbound connection", number);
	if (!inner)
		dial_established(leg);
	record_evidence(leg->record, transport, evidence);
	audit_evidence(client, leg, transport, evidence);
	return 0;
}

int handle_evidence(struct client *client, const void *data, struct err *err)
{
	const struct msg_evidence *msg = data;
	static const char *const transports[] = { "outer", "inner", "outbound" };
	size_t i = 0;

	while (i < 3 && strcmp(transports[i], msg->transport))
		i++;
	if (i == 3)
		return err_set(err, -EPROTO, "no such transport");
	JSON_CLEANUP json_t *evidence = evidence_json(msg);
	return i == 0 ? outer_evidence(client, evidence)
		      : leg_evidence(client, msg->leg, transports[i], evidence, err);
}

/* ---- what the session refused by itself ---- */

static const char *const event_types[] = {
	"forward-refused",
	"agent-refused",
	"x11-refused",
	"streamlocal-refused",
	"tunnel-refused",
	"request-refused",
	"login-timeout",
	"bad-signature",
	"handshake-failed",
	"crypto-refused",
	"host-key-mismatch",
	"backend-auth-failed",
	"backend-lost",
	"transcript-failed",
	"limit-reached",
	"unknown-channel-refused",
};
#define EVENT_TYPES (sizeof(event_types) / sizeof(event_types[0]))

static const char *event_type(const char *type)
{
	for (size_t i = 0; i < EVENT_TYPES; i++)
		if (!strcmp(event_types[i], type))
			return event_types[i];
	return NULL;
}

int handle_event(struct client *client, const void *data, struct err *err)
{
	const struct msg_event *msg = data;
	const char *type = event_type(msg->type);

	if (!type)
		return err_set(err, -EPROTO, "no such event");
	if (client->events > CLIENT_EVENTS_MAX)
		return 0;
	bool last = client->events++ == CLIENT_EVENTS_MAX;
	const struct leg *leg = broker_leg_find(client, msg->leg);
	json_t *event = leg ? broker_leg_event(leg) : client_event(client);
	json_object_set_new(event, "detail", json_visible(msg->detail.data, msg->detail.len));
	if (client->user && !client->who)
		json_object_set_new(event, "name", visible(client->user));
	broker_audit(client->broker, last ? "events-suppressed" : type, event);
	log_info("connection %llu from %s: %s: %.*s", (unsigned long long)client->connection,
		client->source_text, last ? "events-suppressed" : type, (int)msg->detail.len,
		(const char *)msg->detail.data);
	return 0;
}
