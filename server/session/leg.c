/* See leg.h: birth, key exchange, dispatch, end. */
#include "server/session/leg.h"

#include <stdlib.h>
#include <string.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/text.h"
#include "server/libssh/crypto_bar.h"
#include "server/libssh/host_key.h"
#include "server/libssh/packets.h"
#include "server/libssh/readahead.h"
#include "server/session/chan.h"
#include "server/session/conn.h"
#include "server/session/shuttle.h"
#include "server/session/upstream.h"

static const char *const state_names[] = { "kex", "auth", "ready", "ending", "dead" };

void leg_set_state(struct leg *leg, enum leg_state state)
{
	if (state <= leg->state)
		return; /* a leg only goes forward */
	log_debug("leg %u: %s -> %s", leg->id, state_names[leg->state], state_names[state]);
	leg->state = state;
	leg->transport.handshake = state < LEG_READY;
	if (state == LEG_READY)
		leg->deadline = 0;
}

static int begin(struct leg *leg, int fd)
{
	leg->transport.session = ssh_new();
	if (!leg->transport.session)
		return -1;
	ssh_set_blocking(leg->transport.session, 0);
	if (ssh_bind_accept_fd(leg->conn->bind, leg->transport.session, fd) != SSH_OK)
		return -1;
	leg->transport.fd = fd;
	leg->transport.handshake = true;
	leg->transport.tcp = leg->outer;
	ssh_set_auth_methods(leg->transport.session,
		leg->outer ? SSH_AUTH_METHOD_PUBLICKEY : SSH_AUTH_METHOD_NONE);
	readahead_watch(fd);
	return 0;
}

struct leg *leg_new(struct conn *conn, int fd, bool outer)
{
	struct leg *leg = calloc(1, sizeof(*leg));

	if (!leg) {
		fd_closep(&fd);
		return NULL;
	}
	leg->conn = conn;
	leg->outer = outer;
	leg->id = conn->next_leg++;
	leg->deadline = conn->now + conn->start->conf->login_time_ms;
	leg->last_active = conn->now;
	leg->transport.fd = -1;
	if (begin(leg, fd)) {
		if (leg->transport.fd < 0)
			fd_closep(&fd);
		transport_free(&leg->transport);
		free(leg);
		return NULL;
	}
	struct leg **last = &conn->legs;
	while (*last)
		last = &(*last)->next;
	*last = leg;
	return leg;
}

void leg_free(struct leg *leg)
{
	while (leg->chans) {
		struct chan *chan = leg->chans;
		leg->chans = chan->next;
		chan_free(chan);
	}
	upstream_free(leg->upstream);
	if (leg->kept)
		ssh_message_free(leg->kept);
	if (leg->waiting)
		ssh_message_free(leg->waiting);
	leg_auth_release(leg);
	if (leg->naming == LEG_NAMED) {
		struct msg_leg_end msg = { leg->id, leg->end_reason };
		conn_send(leg->conn, IPC_LEG_END, &msg);
	}
	transport_free(&leg->transport);
	packets_free(leg->packets);
	shuttle_free(leg->shuttle);
	ssh_key_free(leg->key);
	free(leg->login);
	free(leg->target);
	free(leg->session);
	free(leg->refusal);
	free(leg->end_reason);
	free(leg);
}

/* ---- key exchange ---- */

static void evidence(struct leg *leg)
{
	struct msg_evidence msg;

	transport_evidence(&leg->transport, true, host_key_line(leg->conn->start->host_key), &msg);
	msg.leg = leg->id;
	msg.transport = strdup(leg->outer ? "outer" : "inner");
	conn_send(leg->conn, IPC_EVIDENCE, &msg);
	ipc_msg_free(IPC_EVIDENCE, &msg);
}

static void kex_failed(struct leg *leg)
{
	char error[800];

	transport_error(&leg->transport, error, sizeof(error));
	conn_event(leg->conn, leg,
		strstr(error, "no match for method") ? "crypto-refused" : "handshake-failed",
		"%s: %s", leg->outer ? "outer" : "inner", error);
	leg_set_state(leg, LEG_DEAD);
}

static void turn_kex(struct leg *leg)
{
	struct err err;
	struct crypto_bar bar;
	int rc = ssh_handle_key_exchange(leg->transport.session);

	if (rc == SSH_AGAIN && !transport_dead(&leg->transport))
		return;
	if (rc != SSH_OK) {
		kex_failed(leg);
		return;
	}
	fd_nonblock(leg->transport.fd); /* see turn_kex in upstream.c */
	if (crypto_bar_make((enum conf_crypto)leg->conn->start->conf->crypto, NULL, &bar, &err) ||
		crypto_bar_check(&bar, leg->transport.session, &err)) {
		conn_event(leg->conn, leg, "crypto-refused", "%s", err.text);
		leg_set_state(leg, LEG_DEAD);
		return;
	}
	evidence(leg);
	leg_watch_packets(leg);
	leg->transport.touched = true;
	leg_set_state(leg, LEG_AUTH);
}

/* ---- messages ---- */

void leg_replied(struct leg *leg, ssh_message message, int rc)
{
	ssh_message_free(message);
	leg->transport.touched = true;
	if (rc == SSH_OK || rc == SSH_AGAIN || transport_dead(&leg->transport))
		return;
	conn_event(leg->conn, leg, "handshake-failed", "an answer to the client could not be sent");
	leg_end(leg, EXIT_GATEWAY, "the gateway could not send an answer");
}

void leg_reply_default(struct leg *leg, ssh_message message)
{
	leg_replied(leg, message, ssh_message_reply_default(message));
}

static void service(struct leg *leg, ssh_message message)
{
	if (!strcmp(ssh_message_service_service(message), "ssh-userauth"))
		leg_replied(leg, message, ssh_message_service_reply_success(message));
	else
		leg_reply_default(leg, message);
}

static struct chan *chan_of(const struct leg *leg, ssh_channel channel)
{
	struct chan *chan = leg->chans;

	while (chan && chan->client != channel)
		chan = chan->next;
	return chan;
}

static void channel_message(struct leg *leg, ssh_message message)
{
	struct chan *chan = leg->state == LEG_READY
				    ? chan_of(leg, ssh_message_channel_request_channel(message))
				    : NULL;

	if (chan) {
		chan_request(chan, message);
		return;
	}
	leg_reply_default(leg, message);
}

static void dispatch(struct leg *leg, ssh_message message)
{
	bool ready = leg->state == LEG_READY;

	switch (ssh_message_type(message)) {
	case SSH_REQUEST_SERVICE: service(leg, message); return;
	case SSH_REQUEST_AUTH: leg_auth_message(leg, message); return;
	case SSH_REQUEST_CHANNEL: channel_message(leg, message); return;
	case SSH_REQUEST_CHANNEL_OPEN:
		if (ready) {
			leg_open_message(leg, message);
			return;
		}
		break;
	case SSH_REQUEST_GLOBAL:
		if (ready) {
			leg_global_message(leg, message);
			return;
		}
		break;
	default: break;
	}
	leg_reply_default(leg, message);
}

static void pump(struct leg *leg)
{
	leg->transport.touched = false;
	do {
		ssh_message message;
		transport_enter(&leg->transport);
		while (!leg->kept && leg->state < LEG_DEAD &&
			(message = ssh_message_get(leg->transport.session)))
			dispatch(leg, message);
		if (leg->kept) /* one attempt at a time: the client waits for its answer */
			return;
	} while (readahead_waiting(leg->transport.fd) && !transport_dead(&leg->transport));
}

static void witnesses(struct leg *leg)
{
	if (leg->transport.bad_signature && leg->state == LEG_AUTH) {
		/* libssh sends no answer: the client would wait for ever */
		conn_event(leg->conn, leg, "bad-signature",
			"the signature of a login attempt is not valid");
		leg_end(leg, EXIT_DENIED, "the signature of the login is not valid");
	}
	if (leg->transport.agent_asked) {
		leg->transport.agent_asked = false;
		conn_event(leg->conn, leg, "agent-refused", "agent forwarding is not relayed");
		leg_notice(leg, "agent forwarding is refused: this gateway does not relay it");
	}
}

/* ---- the turn ---- */

static void limits(struct leg *leg)
{
	int64_t now = leg->conn->now;

	if (leg->deadline && now >= leg->deadline && leg->state < LEG_READY) {
		conn_event(leg->conn, leg, "login-timeout", "no login within %u s",
			leg->conn->start->conf->login_time_ms / 1000);
		leg_end(leg, EXIT_DENIED, "the login took too long");
	}
	if (leg->idle && leg->state == LEG_READY && now - leg->last_active >= leg->idle) {
		conn_event(leg->conn, leg, "limit-reached", "idle");
		leg_end(leg, EXIT_DENIED, "the session was idle too long");
	}
}

/* ssh_disconnect() frees every channel of its session: nobody may hold one afterwards. */
static void disconnect(struct leg *leg)
{
	transport_enter(&leg->transport);
	if (leg->end_reason)
		ssh_session_set_disconnect_message(leg->transport.session, leg->end_reason);
	ssh_disconnect(leg->transport.session);
	for (struct chan *chan = leg->chans; chan; chan = chan->next) {
		chan->client = NULL;
		chan->in.src = chan->out.dst = chan->err.dst = NULL;
	}
	for (struct leg *other = leg->conn->legs; other; other = other->next)
		if (other->shuttle && other->shuttle->outer == leg)
			shuttle_orphan(other->shuttle);
	leg_set_state(leg, LEG_DEAD);
}

static void ending(struct leg *leg)
{
	int64_t now = leg->conn->now;

	/* a client without open channels disconnects by itself, with the exit status that it was
	 * given: let it */
	if (!leg->chans && !leg->farewell) {
		leg->farewell = true;
		leg->linger = now + LEG_FAREWELL_MS;
	}
	if (now >= leg->linger)
		disconnect(leg);
}

void leg_turn(struct leg *leg, bool readable)
{
	if (leg->state == LEG_DEAD)
		return;
	transport_enter(&leg->transport);
	if (leg->state == LEG_KEX)
		turn_kex(leg);
	if (leg->state > LEG_KEX && leg->state < LEG_DEAD && (readable || leg->transport.touched))
		pump(leg);
	witnesses(leg);
	if (leg->upstream)
		upstream_turn(leg->upstream, true);
	for (struct chan *chan = leg->chans; chan; chan = chan->next)
		chan_turn(chan);
	limits(leg);
	if (leg->state == LEG_ENDING)
		ending(leg);
	if (transport_dead(&leg->transport))
		leg_set_state(leg, LEG_DEAD);
}

int64_t leg_due(const struct leg *leg)
{
	int64_t due = leg->state < LEG_READY && leg->deadline ? leg->deadline : INT64_MAX;

	if (leg->state == LEG_READY && leg->idle && leg->last_active + leg->idle < due)
		due = leg->last_active + leg->idle;
	if (leg->state == LEG_ENDING && leg->linger < due)
		due = leg->linger;
	if (leg->upstream && upstream_due(leg->upstream) < due)
		due = upstream_due(leg->upstream);
	for (const struct chan *chan = leg->chans; chan; chan = chan->next)
		if (chan_due(chan) < due)
			due = chan_due(chan);
	return due;
}

void leg_end(struct leg *leg, unsigned exit, const char *reason)
{
	if (leg->state >= LEG_ENDING)
		return;
	char clean[512];
	leg->end_reason = strdup(text_clean(clean, sizeof(clean), reason, strlen(reason)));
	if (leg->state == LEG_AUTH && !transport_dead(&leg->transport))
		leg_say(leg, reason);
	for (struct chan *chan = leg->chans; chan; chan = chan->next)
		if ((exit != EXIT_GATEWAY && exit != EXIT_WAIT) || !chan_wait_lost(chan, reason))
			chan_refuse(chan, exit, reason);
	leg->linger = leg->conn->now + LEG_LINGER_MS;
	leg_set_state(leg, LEG_ENDING);
}

void leg_notice(struct leg *leg, const char *text)
{
	for (struct chan *chan = leg->chans; chan; chan = chan->next)
		chan_notice(chan, text);
}
