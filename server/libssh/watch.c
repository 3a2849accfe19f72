/* See watch.h. The packet's buffer is looked at and never read from: the handlers behind this one
 * find it untouched. */
#include "server/libssh/watch.h"

#include <config.h> /* libssh's own, before everything of its inside */

#include <libssh/packet.h>
#include <libssh/ssh2.h>

#include "common/wire.h"

static int channel_request(ssh_session session, uint8_t type, ssh_buffer packet, void *user)
{
	struct watch *watch = user;
	struct wire in = WIRE_OF(ssh_buffer_get(packet), ssh_buffer_get_len(packet));
	uint32_t channel;

	(void)session;
	(void)type;
	if (wire_get_u32(&in, &channel) == 0 && wire_next_is(&in, "auth-agent-req@openssh.com"))
		watch->agent_asked = true;
	return SSH_PACKET_NOT_USED;
}

static ssh_packet_callback handlers[] = { channel_request };

void watch_begin(struct watch *watch, ssh_session session)
{
	*watch = (struct watch){ .callbacks = {
					 .start = SSH2_MSG_CHANNEL_REQUEST,
					 .n_callbacks = 1,
					 .callbacks = handlers,
					 .user = watch,
				 } };
	ssh_packet_set_callbacks(session, &watch->callbacks);
}
