/* Packets that libssh drops or answers by itself, seen before it does: a seam of the static
 * library.
 *
 * libssh walks a list of packet callbacks (packet.c: ssh_packet_process) and its own come last in
 * the part of the protocol that is spoken after the key exchange. packets_watch() puts one in
 * front: it sees the body of each packet of a few types, and says whether libssh shall see it, too.
 * What has no function in libssh's interface is sent from here as well.
 *
 * Without the static library (LIBSSH=system) nothing is seen, and nothing can be sent: -ENOTSUP. */
#ifndef BARTIZAN_LIBSSH_PACKETS_H
#define BARTIZAN_LIBSSH_PACKETS_H

#include <libssh/libssh.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"

enum packet_type { /* RFC 4250 section 4.1.2 */
	PACKET_DEBUG = 4,
	PACKET_GLOBAL_REQUEST = 80,
	PACKET_CHANNEL_OPEN = 90,
	PACKET_CHANNEL_REQUEST = 98,
};

struct packets;

/* body: without the type byte, borrowed for the call. True: libssh does not see the packet. */
typedef bool packets_seen_fn(void *owner, enum packet_type type, struct bytes body);

/* To be called when the key exchange is done. NULL: no memory, or no seam. */
struct packets *packets_watch(ssh_session session, packets_seen_fn *seen, void *owner);
void packets_free(struct packets *packets); /* after the session was freed; NULL: nothing */

/* The number by which the peer's packets name the channel. */
uint32_t packets_channel_number(ssh_channel channel);

/* A channel request that needs no answer (RFC 4254 section 5.4); data follows its name. 0 or
 * -errno. */
int packets_channel_request(ssh_channel channel, const char *name, struct bytes data);
/* The encoded terminal modes of a pty-req (RFC 4254 section 8), borrowed from the message. */
struct bytes packets_pty_modes(ssh_message message);
/* The answer to a channel request that libssh has not seen. */
int packets_channel_reply(ssh_channel channel, bool granted);
/* The answer to a channel open that libssh has not seen (RFC 4254 section 5.1); sender: the peer's
 * number. */
int packets_open_refuse(ssh_session session, uint32_t sender, const char *words);
/* The answer to a global request that libssh has not seen. */
int packets_global_reply(ssh_session session, bool granted);

#endif
