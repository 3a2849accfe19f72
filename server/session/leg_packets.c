/* What a client sends and libssh would drop: the end of a reader, break, forwards of sockets, the
 * promise to open no more sessions; and what a target says that is neither output nor answer.
 * Parsed here, bounded, and passed on as sshd itself would understand it. See leg.h and packets.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "common/wire.h"
#include "server/libssh/packets.h"
#include "server/session/chan.h"
#include "server/session/conn.h"
#include "server/session/leg.h"
#include "server/session/upstream.h"

#define NAME_MAX_SHOWN 256
#define TARGET_MESSAGES_MAX 64 /* SSH_MSG_DEBUG of one target that are passed on */
#define BREAK_MS_MAX 3000      /* RFC 4335 section 3 */

/* ---- channel requests (RFC 4254 section 5.4): recipient, name, want reply, data ---- */

static struct chan *chan_numbered(const struct leg *leg, uint32_t number)
{
	struct chan *chan = leg->chans;

	while (chan && (!chan->client || packets_channel_number(chan->client) != number))
		chan = chan->next;
	return chan;
}

/* PROTOCOL section 2.1: the client's reader is gone. The target's sshd closes the program's output
 * when it hears that, and the program ends by SIGPIPE, as it would without us. */
static bool on_end_of_write(struct chan *chan, struct wire *data)
{
	(void)data;
	chan->end_of_write = true;
	return true;
}

static bool on_break(struct chan *chan, struct wire *data)
{
	uint32_t length = 0;

	if (wire_get_u32(data, &length) || !chan->pty || chan->state != CHAN_RELAY)
		return false;
	chan->breaks = true;
	chan->break_ms = length > BREAK_MS_MAX ? BREAK_MS_MAX : length;
	return true;
}

/* It is refused like a kind of access that no rule allows; the leg's turn says so. */
static bool on_agent(struct chan *chan, struct wire *data)
{
	(void)data;
	chan->leg->transport.agent_asked = true;
	return false;
}

static const struct {
	const char *name;
	bool (*handler)(struct chan *chan, struct wire *data); /* whether it is granted */
} channel_requests[] = {
	{ "eow@openssh.com", on_end_of_write },
	{ "break", on_break },
	{ "auth-agent-req@openssh.com", on_agent },
};

static bool channel_request(struct leg *leg, struct wire *in)
{
	struct bytes name;
	uint32_t number;
	uint8_t want_reply;

	if (wire_get_u32(in, &number) || wire_get_string(in, &name) || wire_get_u8(in, &want_reply))
		return false;
	for (size_t i = 0; i < sizeof(channel_requests) / sizeof(channel_requests[0]); i++) {
		struct chan *chan = wire_equal(name, channel_requests[i].name)
					    ? chan_numbered(leg, number)
					    : NULL;
		if (!chan)
			continue;
		bool granted = channel_requests[i].handler(chan, in);
		leg->transport.touched = true;
		return !want_reply || !packets_channel_reply(chan->client, granted);
	}
	return false;
}

/* ---- channel opens (RFC 4254 section 5.1): type, sender, window, packet, data ---- */

static void shown(struct bytes text, char *out, size_t size)
{
	text_clean(out, size, (const char *)text.data, text.len < size ? text.len : size - 1);
}

static bool channel_open(struct leg *leg, struct wire *in)
{
	struct bytes type, path;
	uint32_t sender, window, packet;
	char what[NAME_MAX_SHOWN], words[NAME_MAX_SHOWN + 80];

	if (wire_get_string(in, &type) || wire_get_u32(in, &sender) || wire_get_u32(in, &window) ||
		wire_get_u32(in, &packet))
		return false;
	if (leg->no_more_sessions && wire_equal(type, "session")) {
		conn_event(leg->conn, leg, "request-refused", "a session after no-more-sessions");
		return !packets_open_refuse(leg->transport.session, sender,
			"no further session: the client has promised to open none");
	}
	if (!wire_equal(type, "direct-streamlocal@openssh.com"))
		return false;
	if (wire_get_string(in, &path))
		path = (struct bytes){ (const uint8_t *)"", 0 };
	shown(path, what, sizeof(what));
	snprintf(words, sizeof(words),
		"a forward to the socket '%s' is refused: this gateway does not relay it", what);
	conn_event(leg->conn, leg, "streamlocal-refused", "a forward to the socket '%s'", what);
	leg_notice(leg, words);
	return !packets_open_refuse(leg->transport.session, sender, words);
}

/* ---- global requests (RFC 4254 section 4): name, want reply, data ---- */

static bool global_request(struct leg *leg, struct wire *in)
{
	struct bytes name, path = { (const uint8_t *)"", 0 };
	uint8_t want_reply;
	char what[NAME_MAX_SHOWN];

	if (wire_get_string(in, &name) || wire_get_u8(in, &want_reply))
		return false;
	if (wire_equal(name, "no-more-sessions@openssh.com")) {
		leg->no_more_sessions = true; /* PROTOCOL section 2.2 */
		return !want_reply || !packets_global_reply(leg->transport.session, true);
	}
	if (!wire_equal(name, "streamlocal-forward@openssh.com"))
		return false;
	wire_get_string(in, &path);
	shown(path, what, sizeof(what));
	conn_event(
		leg->conn, leg, "streamlocal-refused", "a remote forward of the socket '%s'", what);
	return !want_reply || !packets_global_reply(leg->transport.session, false);
}

/* At the moment when the packet comes; libssh's messages wait in a queue. So what a packet changes
 * for those behind it is decided here, and not where messages are handled. */
static bool seen(void *owner, enum packet_type type, struct bytes body)
{
	struct leg *leg = owner;
	struct wire in = WIRE_OF(body.data, body.len);

	if (leg->state != LEG_READY)
		return false;
	switch (type) {
	case PACKET_CHANNEL_REQUEST: return channel_request(leg, &in);
	case PACKET_CHANNEL_OPEN: return channel_open(leg, &in);
	case PACKET_GLOBAL_REQUEST: return global_request(leg, &in);
	default: return false;
	}
}

void leg_watch_packets(struct leg *leg)
{
	leg->packets = packets_watch(leg->transport.session, seen, leg);
}

/* ---- the target's side ---- */

/* Nothing that a target opens towards us was asked for: refused, each with its own event. Kept from
 * libssh, which hands on a number instead of the name, and drops what it cannot read without an
 * answer. */
static bool target_opens(struct upstream *upstream, struct wire *in)
{
	static const struct {
		const char *type, *event;
	} events[] = {
		{ "x11", "x11-refused" },
		{ "auth-agent@openssh.com", "agent-refused" },
		{ "forwarded-tcpip", "forward-refused" },
		{ "forwarded-streamlocal@openssh.com", "streamlocal-refused" },
		{ "tun@openssh.com", "tunnel-refused" },
	};
	const char *event = "unknown-channel-refused";
	struct bytes type;
	uint32_t sender;
	char what[NAME_MAX_SHOWN];

	if (wire_get_string(in, &type) || wire_get_u32(in, &sender))
		return false;
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (wire_equal(type, events[i].type))
			event = events[i].event;
	shown(type, what, sizeof(what));
	conn_event(upstream->leg->conn, upstream->leg, event,
		"the target opened a channel of type '%s'", what);
	upstream->transport.touched = true;
	return !packets_open_refuse(
		upstream->transport.session, sender, "the gateway has asked for no such channel");
}

/* SSH_MSG_DEBUG (RFC 4253 section 11.3): what the target says to its user is said to ours, by the
 * same message, and in the record. */
static bool target_said(void *owner, enum packet_type type, struct bytes body)
{
	struct upstream *upstream = owner;
	struct wire in = WIRE_OF(body.data, body.len);
	struct leg *leg = upstream->leg;
	struct bytes text;
	uint8_t display;
	char clean[1024];

	if (type == PACKET_CHANNEL_OPEN)
		return target_opens(upstream, &in);
	if (type != PACKET_DEBUG || wire_get_u8(&in, &display) || wire_get_string(&in, &text) ||
		upstream->messages >= TARGET_MESSAGES_MAX)
		return false;
	upstream->messages++;
	shown(text, clean, sizeof(clean));
	ssh_send_debug(leg->transport.session, clean, display);
	leg->transport.touched = true;
	if (display)
		conn_event(leg->conn, leg, "target-message", "%s", clean);
	return true;
}

void upstream_watch_packets(struct upstream *upstream)
{
	upstream->packets = packets_watch(upstream->transport.session, target_said, upstream);
}
