/* A connection: everything a session process knows. One client, its outer leg, inner legs,
 * channels, outbound sessions.
 *
 * The process has one loop (conn_run): poll, then a turn of everything that can move. libssh runs
 * callbacks from inside its own calls, also of the *other* leg when a write flushes; conn->depth is
 * above zero then, and whoever sees it leaves the bytes in the library and lets the next turn fetch
 * them. Nothing is freed outside conn_sweep(), which runs between turns. */
#ifndef BARTIZAN_SESSION_CONN_H
#define BARTIZAN_SESSION_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/access.h"
#include "common/ipc.h"
#include "common/ipc_msg.h"
#include "common/tally.h"
#include "server/session/leg.h"
#include "server/session/session.h"

/* keys that may be asked about before login, however many attempts are configured */
#define CONN_ATTEMPTS_HARD 64
/* Events of one type that are reported one by one: so many at once, and one more each two seconds.
 * With much more the broker would take this process for hostile. */
#define CONN_EVENTS_AT_ONCE 100
#define CONN_EVENTS_EVERY_MS 2000

struct conn {
	const struct session_start *start;
	struct ipc *broker;
	ssh_bind bind;
	struct leg *legs; /* the outer one is the first */
	uint32_t next_leg, next_channel;
	int depth;	  /* libssh callbacks now running: see above */
	bool ended;	  /* the loop ends at the next turn */
	bool told_to_end; /* SIGTERM was handled: the drain is over */
	int64_t now;	  /* monotonic ms, once a turn */

	/* login */
	char *user; /* pinned at the first attempt */
	bool authenticated;
	unsigned rights;     /* SSHCERT_PTY | … */
	char *force_command; /* NULL: none */
	unsigned attempts, probes;
	bool env_told; /* that variables were not passed on was said */
	int64_t login_deadline;
	struct tally events; /* those that were not sent to the broker one by one */
	uint64_t trimmed;    /* bytes relayed when memory was last given back */
};

int conn_run(struct conn *conn); /* exit status of the process */

/* SIGTERM: the drain is over. To be called before the sandbox. */
void conn_catch_signals(void);
/* Ends everything with a reason that the user reads, flushed before the connection is cut. */
void conn_end(struct conn *conn, unsigned exit, const char *reason);
struct leg *conn_leg(struct conn *conn, uint32_t id);
struct chan *conn_channel(struct conn *conn, uint32_t id);
unsigned conn_count_legs(const struct conn *conn);
unsigned conn_count_channels(const struct conn *conn);

/* Sends a message to the broker. The loop notices a broken link: callers need not check. */
void conn_send(struct conn *conn, enum ipc_type type, const void *msg);
/* Reports an event (IPC_EVENT) to the broker: something that this process refused or noticed by
 * itself. The types are those of common/session_event.h; of one that comes too often only the
 * number is reported, but never of a grave one. */
void conn_event(struct conn *conn, const struct leg *leg, const char *type, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Handles messages from the broker (broker_messages.c). Returns false when the link is broken. */
bool session_link_turn(struct conn *conn);

#endif
