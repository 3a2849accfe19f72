/* What a session reports for the record: requests, ends of channels, evidence, and what it refused
 * by itself. */
#include "server/broker/client.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "server/broker/access/lines.h"
#include "server/broker/approval/waiter.h"
#include "server/broker/core/peer.h"
#include "server/broker/dial/dial.h"
#include "server/broker/record/evidence.h"
#include "server/broker/record/record.h"
#include "server/broker/record/target_crypto.h"

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
	if (!inner)
		target_crypto_of_leg(leg, evidence);
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

static void write_event(struct client *client, const char *type, json_t *event, const char *detail)
{
	if (client->user && !client->who)
		json_object_set_new(
			event, "name", json_visible(client->user, strlen(client->user)));
	broker_audit(client->broker, type, event);
	log_info("connection %llu from %s: %s: %s", (unsigned long long)client->connection,
		client->source_text, type, detail);
}

/* "x11-refused: 1240 more" */
static void write_more(struct client *client, enum session_event type, uint64_t more)
{
	char detail[128];
	json_t *event = client_event(client);

	snprintf(detail, sizeof(detail), "%s: %" PRIu64 " more", session_event_name(type), more);
	json_object_set_new(event, "suppressed", json_string(session_event_name(type)));
	json_object_set_new(event, "more", json_integer((json_int_t)(more & INT64_MAX)));
	json_object_set_new(event, "detail", json_string(detail));
	write_event(client, "events-suppressed", event, detail);
}

static void on_more(evutil_socket_t fd, short what, void *arg);

/* Writes the numbers whose time has come, and comes back for the others. */
static void tell_more(struct client *client, bool all)
{
	enum session_event type;
	uint64_t more;

	while (tally_take(&client->events, clock_mono_ms(), all, &type, &more))
		write_more(client, type, more);
	int64_t due = tally_due(&client->events), now = clock_mono_ms();
	if (due == TALLY_NEVER)
		return;
	if (!client->events_timer)
		client->events_timer = evtimer_new(client->broker->base, on_more, client);
	struct timeval wait = timeval_of(due > now ? due - now : 1);
	if (!client->events_timer || evtimer_add(client->events_timer, &wait))
		log_error("events: no timer");
}

static void on_more(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	tell_more(arg, false);
}

void reports_end(struct client *client)
{
	tell_more(client, true);
	if (client->events_timer)
		event_free(client->events_timer);
	client->events_timer = NULL;
}

int handle_event(struct client *client, const void *data, struct err *err)
{
	const struct msg_event *msg = data;
	enum session_event type;
	char shown[1024];

	if (session_event_parse(msg->type, &type))
		return err_set(err, -EPROTO, "unknown event");
	if (msg->more) {
		tally_add(&client->events, type, msg->more, clock_mono_ms());
		tell_more(client, false);
		return 0;
	}
	if (!tally_admit(&client->events, type, clock_mono_ms())) {
		tell_more(client, false);
		return 0;
	}
	const struct peer_leg *leg = peer_leg_find(client, msg->leg);
	json_t *event = leg ? peer_leg_event(leg) : client_event(client);
	json_object_set_new(event, "detail", json_visible(msg->detail.data, msg->detail.len));
	write_event(client, session_event_name(type), event,
		text_clean(shown, sizeof(shown), msg->detail.data, msg->detail.len));
	return 0;
}
