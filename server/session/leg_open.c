/* Channel opens and global requests of the client (RFC 4254 sections 4, 5.1, 7): what is relayed,
 * what is a jump, and what is refused with a message. See leg.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/fd.h"
#include "common/text.h"
#include "keys/sshkey.h"
#include "server/session/chan.h"
#include "server/session/conn.h"
#include "server/session/leg.h"
#include "server/session/shuttle.h"

static void refuse(struct leg *leg, ssh_message message, const char *event, const char *what)
{
	char words[512];

	conn_event(leg->conn, leg, event, "%s", what);
	snprintf(words, sizeof(words), "%s is refused: this gateway does not relay it", what);
	transport_enter(&leg->transport);
	leg_reply_default(leg, message);
	leg_notice(leg, words);
}

static void open_session(struct leg *leg, ssh_message message)
{
	struct conn *conn = leg->conn;

	if (conn_count_channels(conn) >= conn->start->conf->channels) {
		refuse(leg, message, "limit-reached", "a further channel (limits.channels)");
		return;
	}
	ssh_channel channel = ssh_message_channel_request_open_reply_accept(message);
	ssh_message_free(message);
	leg->transport.touched = true;
	if (channel && !chan_new(leg, channel))
		ssh_channel_close(channel);
}

/* ---- jump mode ---- */

static struct leg *inner_leg(
	struct leg *outer, ssh_channel channel, const char *host, uint16_t port)
{
	int pair[2];

	if (fd_pair(SOCK_STREAM, pair))
		return NULL;
	int size = 512 * 1024;
	for (int i = 0; i < 2; i++)
		setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	struct leg *leg = leg_new(outer->conn, pair[0], false);
	struct shuttle *shuttle = shuttle_new(outer, channel, pair[1]);
	if (leg && shuttle && (leg->target = strdup(host))) {
		leg->port = port;
		leg->shuttle = shuttle;
		return leg;
	}
	shuttle_free(shuttle);
	if (leg)
		leg_set_state(leg, LEG_DEAD);
	return NULL;
}

static void open_jump(struct leg *leg, ssh_message message, const char *host, uint16_t port)
{
	struct conn *conn = leg->conn;

	if (conn_count_legs(conn) >= conn->start->conf->legs) {
		refuse(leg, message, "limit-reached",
			"a further target (limits.targets_per_connection)");
		return;
	}
	char *name = strdup(host); /* the message's text ends with the message */
	ssh_channel channel = ssh_message_channel_request_open_reply_accept(message);
	ssh_message_free(message);
	leg->transport.touched = true;
	if (channel && (!name || !inner_leg(leg, channel, name, port)))
		ssh_channel_close(channel);
	free(name);
}

static void open_tcpip(struct leg *leg, ssh_message message)
{
	const char *host = ssh_message_channel_request_open_destination(message);
	int port = ssh_message_channel_request_open_destination_port(message);
	char clean[256], what[320];

	if (!host || port <= 0 || port > 65535 || strlen(host) > 512) {
		refuse(leg, message, "forward-refused", "a forward without a valid destination");
	} else if (leg->outer && leg->naming == LEG_NAMELESS) {
		open_jump(leg, message, host, (uint16_t)port);
	} else {
		snprintf(what, sizeof(what), "a forward to %s:%d",
			text_clean(clean, sizeof(clean), host, strlen(host)), port);
		refuse(leg, message, "forward-refused", what);
	}
}

void leg_open_message(struct leg *leg, ssh_message message)
{
	int type = ssh_message_subtype(message);

	leg->last_active = leg->conn->now;
	transport_enter(&leg->transport);
	if (type == SSH_CHANNEL_SESSION)
		open_session(leg, message);
	else if (type == SSH_CHANNEL_DIRECT_TCPIP)
		open_tcpip(leg, message);
	else
		refuse(leg, message,
			type == SSH_CHANNEL_X11 ? "x11-refused" : "unknown-channel-refused",
			"a channel of this type");
}

void leg_global_message(struct leg *leg, ssh_message message)
{
	if (ssh_message_subtype(message) == SSH_GLOBAL_REQUEST_TCPIP_FORWARD) {
		refuse(leg, message, "forward-refused", "a remote forward");
		return;
	}
	transport_enter(&leg->transport);
	leg_reply_default(leg, message); /* keepalive@openssh.com: any answer will do */
}

/* ---- naming ---- */

static int generate(ssh_key *ret)
{
#if LIBSSH_VERSION_INT >= SSH_VERSION_INT(0, 12, 0)
	return ssh_pki_generate_key(SSH_KEYTYPE_ED25519, NULL, ret);
#else
	return ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, ret);
#endif
}

static int make_key(struct leg *leg, struct buf *blob)
{
	char *base64 = NULL;
	int rc = -1;

	if (generate(&leg->key) == SSH_OK &&
		ssh_pki_export_pubkey_base64(leg->key, &base64) == SSH_OK)
		rc = text_base64_decode(blob, base64, strlen(base64));
	ssh_string_free_char(base64);
	return rc;
}

void leg_name(struct leg *leg, unsigned mode)
{
	BUF_CLEANUP struct buf blob = BUF_INIT(SSHKEY_BLOB_MAX);

	if (make_key(leg, &blob)) {
		leg_end(leg, EXIT_GATEWAY, "no key could be made for the outbound session");
		return;
	}
	leg->naming = LEG_ASKED;
	struct msg_leg msg = {
		.leg = leg->id,
		.mode = mode,
		.target = leg->target,
		.port = leg->port,
		.login = leg->login,
		.pubkey = buf_bytes(&blob),
	};
	conn_send(leg->conn, IPC_LEG, &msg);
}

void leg_named(struct leg *leg, const struct msg_leg_answer *answer)
{
	if (leg->naming != LEG_ASKED)
		return;
	leg->naming = answer->ok ? LEG_NAMED : LEG_REFUSED;
	leg->session = strdup(answer->session);
	leg->refusal = strdup(answer->reason);
	leg->refusal_exit = answer->exit;
	for (struct chan *chan = leg->chans; chan; chan = chan->next) {
		if (chan->state != CHAN_ASKED)
			continue;
		if (answer->ok)
			chan_ask(chan);
		else
			chan_refuse(chan, answer->exit, answer->reason);
	}
}
