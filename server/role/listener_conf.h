/* The listener's slice of the configuration (server/role/slice.h): what to listen on, whom to run
 * as, how many to admit, and what a session is told.
 *
 * Handed over as one message, so that no policy, no target and no key ever lies in the memory that
 * sessions are forked from. */
#ifndef BARTIZAN_ROLE_LISTENER_CONF_H
#define BARTIZAN_ROLE_LISTENER_CONF_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/addr.h"
#include "common/buf.h"
#include "common/err.h"
#include "conf/conf.h"
#include "server/role/session_conf.h"
#include "server/role/slice.h"

#define LISTENER_CONF_SIZE_MAX 65536
#define LISTENER_CONF_TEXT_MAX SLICE_TEXT_MAX

struct listener_conf {
	struct addr listen[CONF_LISTEN_MAX];
	size_t listen_count;
	/* run_as "": no change; these and the ids below change only with a restart */
	char *host_key, *state_dir, *control_socket, *run_as;
	uint32_t uid, gid;    /* UINT32_MAX: stay */
	uint32_t control_gid; /* group of the control socket; UINT32_MAX: none */
	uint32_t unauthenticated, unauthenticated_per_source, connections;
	int64_t drain_ms;
	uint32_t log_level;
	struct session_conf session;
	char **notify; /* notify.command, NULL-terminated; never NULL */
	struct net proxy[CONF_NETS_MAX];
	size_t proxy_count;
};

int listener_conf_encode(const struct listener_conf *conf, struct buf *out);
/* -EBADMSG: malformed; caller frees */
int listener_conf_decode(struct bytes in, struct listener_conf **ret);
void listener_conf_free(struct listener_conf *conf);
/* whether its PROXY header is believed */
bool listener_conf_proxy(const struct listener_conf *conf, const struct addr *peer);

#endif
