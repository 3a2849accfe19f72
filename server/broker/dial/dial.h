/* From an allowed access to a grant: connected socket, pinned keys, credential. */
#ifndef BARTIZAN_BROKER_DIAL_DIAL_H
#define BARTIZAN_BROKER_DIAL_DIAL_H

#include "server/broker/core/peer.h"

/* ---- server/broker/dial/connect.c: connections by egress, limited for each target ---- */
struct connect;
/* *fd is the connected socket, which the callee takes by setting it to -1 (else it is closed), or
 * -1 with the reason. Never called from inside connect_start(). */
typedef void connect_done_fn(void *context, int *fd, const char *address, const char *reason);
struct connect_spec {
	const char *name, *host, *family;
	uint16_t port;
};
/* Queues a connection. *slot holds it until connect_release(). It counts against the target's limit
 * until then, or until the time for a handshake is over. */
int connect_start(struct broker *broker, const struct connect_spec *spec, connect_done_fn *done,
	void *context, struct connect **slot, struct err *err);
void connect_release(struct connect **slot); /* cancels it, or lets the next one begin */

/* ---- server/broker/dial/dial.c ---- */
struct dial;
/* Is the target what it was when this leg's connection was made: its address, its host keys, how to
 * log in there? True also where it was never made. target NULL: there is none any more */
bool dial_same(const struct peer_leg *leg, const struct target *target);
/* The answer, also for a later failure, is IPC_GRANT. */
int dial_start(struct peer_leg *leg, const struct target *target, struct err *err);
/* the outbound leg is authenticated: the next connection to the target may begin */
void dial_established(struct peer_leg *leg);
void dial_cancel(struct peer_leg *leg);

/* ---- server/broker/dial/agent.c: one static key, one signature ---- */
struct agent;
/* *ret_fd: the socket for the session process */
int agent_open(struct broker *broker, const char *key_name, const char *login, struct agent **ret,
	int *ret_fd, struct err *err);
void agent_close(struct agent *agent);

#endif
