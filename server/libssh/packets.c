/* The seam in front of libssh's packet callbacks. See packets.h.
 *
 * It stands on names that libssh does not export (private headers of its source, the static
 * archive): session->packet_callbacks and ssh_packet_process() in packet.c, ssh_buffer_pack() in
 * buffer.c, ssh_packet_send() in packet.c. tests/unit/test_packets.c fails when a newer libssh
 * moves them. */
#include "server/libssh/packets.h"

#include <errno.h>
#include <stdlib.h>

#ifdef BARTIZAN_LIBSSH_STATIC

#include <config.h>

#include <libssh/priv.h>

#include <libssh/buffer.h>
#include <libssh/channels.h>
#include <libssh/messages.h>
#include <libssh/packet.h>
#include <libssh/session.h>
#include <libssh/ssh2.h>

#define FIRST PACKET_DEBUG
#define COUNT (PACKET_CHANNEL_REQUEST - PACKET_DEBUG + 1)
#define ADMINISTRATIVELY_PROHIBITED 1 /* RFC 4254 section 5.1 */

struct packets {
	struct ssh_packet_callbacks_struct callbacks;
	ssh_packet_callback table[COUNT];
	packets_seen_fn *seen;
	void *owner;
};

/* The buffer is only looked at: its read position stays where libssh's own callback expects it. */
static int on_packet(ssh_session session, uint8_t type, ssh_buffer packet, void *user)
{
	struct packets *packets = user;
	const struct bytes body = { ssh_buffer_get(packet), ssh_buffer_get_len(packet) };

	(void)session;
	return packets->seen(packets->owner, (enum packet_type)type, body) ? SSH_PACKET_USED
									   : SSH_PACKET_NOT_USED;
}

struct packets *packets_watch(ssh_session session, packets_seen_fn *seen, void *owner)
{
	static const enum packet_type types[] = { PACKET_DEBUG, PACKET_GLOBAL_REQUEST,
		PACKET_CHANNEL_OPEN, PACKET_CHANNEL_REQUEST };
	struct packets *packets = session->packet_callbacks ? calloc(1, sizeof(*packets)) : NULL;

	if (!packets)
		return NULL;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		packets->table[types[i] - FIRST] = on_packet;
	packets->seen = seen;
	packets->owner = owner;
	packets->callbacks = (struct ssh_packet_callbacks_struct){
		.start = FIRST, .n_callbacks = COUNT, .callbacks = packets->table, .user = packets
	};
	if (ssh_list_prepend(session->packet_callbacks, &packets->callbacks) == SSH_OK)
		return packets;
	free(packets);
	return NULL;
}

void packets_free(struct packets *packets)
{
	free(packets);
}

uint32_t packets_channel_number(ssh_channel channel)
{
	return channel->local_channel;
}

static int send_packed(ssh_session session, int packed)
{
	if (packed != SSH_OK) {
		ssh_buffer_reinit(session->out_buffer);
		return -ENOMEM;
	}
	return ssh_packet_send(session) == SSH_OK ? 0 : -EPIPE;
}

int packets_channel_request(ssh_channel channel, const char *name, struct bytes data)
{
	ssh_session session = channel->session;

	return send_packed(
		session, ssh_buffer_pack(session->out_buffer, "bdsbP", SSH2_MSG_CHANNEL_REQUEST,
				 channel->remote_channel, name, 0, data.len, data.data));
}

struct bytes packets_pty_modes(ssh_message message)
{
	ssh_string modes = message->channel_request.modes;

	return modes ? (struct bytes){ ssh_string_data(modes), ssh_string_len(modes) }
		     : (struct bytes){ NULL, 0 };
}

int packets_channel_reply(ssh_channel channel, bool granted)
{
	ssh_session session = channel->session;

	return send_packed(
		session, ssh_buffer_pack(session->out_buffer, "bd",
				 granted ? SSH2_MSG_CHANNEL_SUCCESS : SSH2_MSG_CHANNEL_FAILURE,
				 channel->remote_channel));
}

int packets_open_refuse(ssh_session session, uint32_t sender, const char *words)
{
	return send_packed(session,
		ssh_buffer_pack(session->out_buffer, "bddss", SSH2_MSG_CHANNEL_OPEN_FAILURE, sender,
			ADMINISTRATIVELY_PROHIBITED, words, ""));
}

int packets_global_reply(ssh_session session, bool granted)
{
	return send_packed(
		session, ssh_buffer_pack(session->out_buffer, "b",
				 granted ? SSH2_MSG_REQUEST_SUCCESS : SSH2_MSG_REQUEST_FAILURE));
}

#else

struct packets *packets_watch(ssh_session session, packets_seen_fn *seen, void *owner)
{
	(void)session, (void)seen, (void)owner;
	return NULL;
}

void packets_free(struct packets *packets)
{
	(void)packets;
}

uint32_t packets_channel_number(ssh_channel channel)
{
	(void)channel;
	return UINT32_MAX;
}

int packets_channel_request(ssh_channel channel, const char *name, struct bytes data)
{
	(void)channel, (void)name, (void)data;
	return -ENOTSUP;
}

struct bytes packets_pty_modes(ssh_message message)
{
	(void)message;
	return (struct bytes){ NULL, 0 };
}

int packets_channel_reply(ssh_channel channel, bool granted)
{
	(void)channel, (void)granted;
	return -ENOTSUP;
}

int packets_open_refuse(ssh_session session, uint32_t sender, const char *words)
{
	(void)session, (void)sender, (void)words;
	return -ENOTSUP;
}

int packets_global_reply(ssh_session session, bool granted)
{
	(void)session, (void)granted;
	return -ENOTSUP;
}

#endif
