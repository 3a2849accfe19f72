/* Packets seen in front of libssh's own handlers. For what the library answers by itself and tells
 * nobody: an agent's request (it logged it at the level that is kept on until 0.11).
 *
 * Meets ssh_packet_process() (packet.c), which walks session->packet_callbacks in order; libssh
 * appends its own when the handshake begins, so what was there before comes first. */
#ifndef BARTIZAN_LIBSSH_WATCH_H
#define BARTIZAN_LIBSSH_WATCH_H

#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <stdbool.h>

struct watch {
	bool agent_asked; /* "auth-agent-req@openssh.com" came; whoever looks takes it back */
	struct ssh_packet_callbacks_struct callbacks;
};

/* Before the session's handshake. The watch is borrowed until ssh_free(). */
void watch_begin(struct watch *watch, ssh_session session);

#endif
