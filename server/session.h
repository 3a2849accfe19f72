/* The session role: one client connection, SSH on both legs. Started by the listener's fork for
 * each accepted connection. */
#ifndef BARTIZAN_SESSION_H
#define BARTIZAN_SESSION_H

#include <libssh/libssh.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/conf.h"
#include "server/role.h"

/* the part of the configuration that a session may know; copied out by the reader child, never the
 * whole */
struct session_conf {
	uint32_t login_time_ms, login_attempts, channels, legs;
	uint32_t keepalive_s;
	uint32_t crypto; /* enum conf_crypto: the bar for the user's leg */
	/* this connection begins with a PROXY header (its peer is in proxy_protocol.from) */
	bool proxy;
	bool verbose; /* log level debug */
};

struct session_start {
	struct role_start role; /* peer: link to the broker; uid, gid */
	int client;		/* the accepted socket */
	const struct session_conf *conf;
	const struct host_key *host_key; /* loaded once in the listener, inherited */
};

/* The host key: kept by the listener in libssh's form so that sessions inherit it. */
struct host_key;
int host_key_load(
	/* exactly one ed25519 key, for there is no getter for the algorithm used */
	const char *path, struct host_key **ret, struct err *err);
void host_key_free(struct host_key *key);
const char *host_key_line(const struct host_key *key); /* "ssh-ed25519 AAAA…" for known_hosts */

/* Initialise OpenSSL and libssh once, before any fork: afterwards a sandboxed session opens no
 * file. Also logs which they are, and refuses a libssh that misses security fixes. */
int session_library_init(struct err *err);

int session_main(const struct session_start *start); /* exit status of the process */
/* IPC_GRANT with a socket comes, IPC_SCANNED goes */
int session_scan_main(const struct session_start *start);

#endif
