/* What a session reports for the record: requests, ends of channels, evidence, and what it refused
 * by itself. */
#include "server/broker/client.h"

#include <errno.h>
#include <string.h>

#include "common/log.h"
#include "server/broker/access/lines.h"
#include "server/broker/approval/waiter.h"
#include "server/broker/core/peer.h"
#include "server/broker/dial/dial.h"
#include "server/broker/record/evidence.h"
#include "server/broker/record/record.h"

int handle_request(struct client *client, const void *data, struct err *err)
{
	const struct msg_request *msg = data;
	struct peer_leg *leg;

	if (msg->leg == IPC_LEG_ALL) /* of a gateway command */
		return 0;
	int rc = peer_leg_of(client, msg->leg, &leg, err);
	if (!rc && leg)
		record_request(leg->record, msg);
	return rc;
}

static void audit_channel_end(const struct peer_leg *leg, const struct msg_channel_end *msg)
{
	json_t *event = peer_leg_event(leg);

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
	broker_audit(leg->client->broker, "channel-end", event);
}

int handle_channel_end(struct client *client, const void *data, struct err *err)
{
	const struct msg_channel_end *msg = data;
	struct peer_leg *leg;
	int rc = msg->leg == IPC_LEG_ALL ? 0 : peer_leg_of(client, msg->leg, &leg, err);

	if (rc || msg->leg == IPC_LEG_ALL || !leg)
		return rc;
	struct peer_channel *channel = peer_leg_channel(leg, msg->channel, false);
	if (!channel)
		return 0; /* it never asked for anything */
	if (channel->state == CHANNEL_ENDED)
		return err_set(err, -EPROTO, "channel %u ended before", msg->channel);
	bool open = channel->state == CHANNEL_OPEN;
	/* a request that it waits for stays: after a lost connection the same command picks it up
	 */
	waiters_leave_channel(leg, msg->channel);
	channel->state = CHANNEL_ENDED;
	lines_free(channel->lines);
	channel->lines = NULL;
	if (!open)
		return 0;
	leg->channels_open--;
	record_channel_end(leg->record, msg);
	audit_channel_end(leg, msg);
	return 0;
}

static int leg_evidence(struct client *client, uint32_t number, const char *transport,
	json_t *evidence, struct err *err)
{
	struct peer_leg *leg = peer_leg_find(client, number);
	bool inner = !strcmp(transport, "inner");

	if (!leg && !peer_leg_used(client, number)) {
		/* An inner transport is up before its leg is named. A client that is LIMITED gets
		 * so far, too: its leg will be refused in words. */
		if (!inner ||
			(client->state != CLIENT_AUTHENTICATED && client->state != CLIENT_LIMITED))
			return err_set(err, -EPROTO, "leg %u was never named", number);
		evidence_early(client, number, evidence);
		return 0;
	}
	if (!leg)
		return 0;
	if (!inner && leg->state != LEG_OPEN)
		return err_set(err, -EPROTO, "leg %u has no outbound connection", number);
	if (!inner)
		dial_established(leg);
	record_evidence(leg->record, transport, evidence);
	evidence_audit(client, leg, transport, evidence);
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
		return err_set(err, -EPROTO, "unknown transport");
	JSON_CLEANUP json_t *evidence = evidence_json(msg);
	if (i > 0)
		return leg_evidence(client, msg->leg, transports[i], evidence, err);
	evidence_outer(client, evidence);
	return 0;
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
	"target-message",
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
		return err_set(err, -EPROTO, "unknown event");
	if (client->events > CLIENT_EVENTS_MAX)
		return 0;
	bool last = client->events++ == CLIENT_EVENTS_MAX;
	const struct peer_leg *leg = peer_leg_find(client, msg->leg);
	json_t *event = leg ? peer_leg_event(leg) : client_event(client);
	json_object_set_new(event, "detail", json_visible(msg->detail.data, msg->detail.len));
	if (client->user && !client->who)
		json_object_set_new(
			event, "name", json_visible(client->user, strlen(client->user)));
	broker_audit(client->broker, last ? "events-suppressed" : type, event);
	log_info("connection %llu from %s: %s: %.*s", (unsigned long long)client->connection,
		client->source_text, last ? "events-suppressed" : type, (int)msg->detail.len,
		(const char *)msg->detail.data);
	return 0;
}
