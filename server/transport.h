/* A transport: one libssh session with what the library does not tell but logs.
 *
 * libssh has no getter for strict key exchange, gives no answer to a bad signature and refuses
 * agent forwarding without a word: its log callback is the only witness. The log carries no
 * session, so the transport that is being pumped is noted before each call into the library
 * (transport_enter).
 */
#ifndef BARTIZAN_TRANSPORT_H
#define BARTIZAN_TRANSPORT_H

#include <libssh/libssh.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef BARTIZAN_LIBSSH_STATIC
#include "server/libssh/watch.h"
#endif

struct conn;
struct msg_evidence;

struct transport {
	ssh_session session; /* NULL before birth and after death */
	int fd;		     /* the session's; closed by it */
	/* key exchange or authentication under way: log closely, acknowledge quickly */
	bool handshake;
	/* something was written or may be queued: give it a turn although poll() said nothing */
	bool touched;
	bool strict_kex;
	bool bad_signature;
	bool agent_asked;
#ifdef BARTIZAN_LIBSSH_STATIC
	struct watch watch;
#endif
	bool tcp; /* a TCP socket: TCP_QUICKACK means something */
};

void transport_log_setup(void);			   /* once a process: the log callback */
void transport_enter(struct transport *transport); /* NULL: none */
/* the library's out buffer is empty: it has no cap of its own */
bool transport_writable(const struct transport *transport);
bool transport_dead(const struct transport *transport);
short transport_events(const struct transport *transport);
void transport_quickack(const struct transport *transport);
void transport_free(struct transport *transport); /* closes without ceremony */
/* libssh's last error, cleaned */
const char *transport_error(const struct transport *transport, char *out, size_t size);

/* What both sides agreed on, as it came out (RFC 4253 section 7.1). Strings of msg are allocated:
 * free with ipc_msg_free(IPC_EVIDENCE, msg). server: we are the server. */
void transport_evidence(const struct transport *transport, bool server, const char *host_key_line,
	struct msg_evidence *ret);

#endif
