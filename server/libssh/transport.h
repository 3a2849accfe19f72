/* A transport: one libssh session, with facts that the library tells only in its log.
 *
 * libssh has no getter for strict key exchange, gives no answer to a bad signature and refuses
 * agent forwarding without a word: its log callback is the only way to notice. A log line does not
 * tell its session, so the transport in use is noted before each call into the library
 * (transport_enter). */
#ifndef BARTIZAN_LIBSSH_TRANSPORT_H
#define BARTIZAN_LIBSSH_TRANSPORT_H

#include <libssh/libssh.h>
#include <stdbool.h>
#include <stdint.h>

struct msg_evidence;

struct transport {
	ssh_session session; /* NULL before it is created and after it is freed */
	int fd;		     /* the session's; closed by it */
	/* during key exchange and authentication: detailed log, quick acknowledgements */
	bool handshake;
	/* something was written or may be queued: it needs a turn even if poll() reports nothing */
	bool touched;
	bool strict_kex;
	bool bad_signature;
	bool agent_asked;
	bool tcp; /* a TCP socket: TCP_QUICKACK can be set */
};

void transport_log_setup(void);			   /* once a process: the log callback */
void transport_enter(struct transport *transport); /* NULL: none */
/* The library's output buffer, which has no limit, is empty. */
bool transport_writable(const struct transport *transport);
bool transport_dead(const struct transport *transport);
short transport_events(const struct transport *transport);
void transport_quickack(const struct transport *transport);
void transport_free(struct transport *transport); /* closes without a disconnect message */
/* libssh's last error, cleaned */
const char *transport_error(const struct transport *transport, char *out, size_t size);

/* The algorithms that both sides agreed on (RFC 4253 section 7.1). The strings are allocated: free
 * with ipc_msg_free(IPC_EVIDENCE, ret). server: this process is the SSH server. */
void transport_evidence(const struct transport *transport, bool server, const char *host_key_line,
	struct msg_evidence *ret);

#endif
