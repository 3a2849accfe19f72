/* From an allowed access to a grant: connected socket, pinned keys, credential. */
#ifndef BARTIZAN_BROKER_DIAL_DIAL_H
#define BARTIZAN_BROKER_DIAL_DIAL_H

#include "server/broker/core/peer.h"

/* ---- server/broker/dial/connect.c: connections by egress, so many to one target at a time ---- */
struct connect;
/* fd: connected, to be taken (set to -1) or closed afterwards; on failure -1 with the reason. Never
 * called from inside connect_start(). */
typedef void connect_done_fn(void *context, int *fd, const char *address, const char *reason);
struct connect_spec {
	const char *name, *host, *family;
	uint16_t port;
};
/* Queues it. *slot holds it until connect_release(): the place at the target stays taken until
 * then, or until handshake time is over. */
int connect_start(struct broker *broker, const struct connect_spec *spec, connect_done_fn *done,
	void *context, struct connect **slot, struct err *err);
void connect_release(struct connect **slot); /* cancels, or gives the place to the next */

/* ---- server/broker/dial/dial.c ---- */
struct dial;
/* answers by IPC_GRANT, also its own failures later */
int dial_start(struct peer_leg *leg, const struct target *target, struct err *err);
/* the outbound leg is up: the place at the target is free again */
void dial_established(struct peer_leg *leg);
void dial_cancel(struct peer_leg *leg);

/* ---- server/broker/dial/agent.c: one static key, one signature ---- */
struct agent;
/* *ret_fd: the session's end */
int agent_open(struct broker *broker, const char *key_name, const char *login, struct agent **ret,
	int *ret_fd, struct err *err);
void agent_close(struct agent *agent);

#endif
