/* What a session process is started with. Plain data: the listener makes it and has no libssh in
 * it.
 */
#ifndef BARTIZAN_ROLE_SESSION_CONF_H
#define BARTIZAN_ROLE_SESSION_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "server/role/role.h"

struct host_key; /* server/libssh/host_key.h */

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

typedef int session_main_fn(const struct session_start *start); /* exit status of the process */

#endif
