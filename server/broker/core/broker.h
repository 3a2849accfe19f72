/* The broker: decides. It holds policy, store, transcripts and the control socket; it speaks no SSH
 * and no HTTP, never blocks, and never dies of anybody's message.
 *
 * One libevent loop. This header is what all its rooms share; ARCHITECTURE.md has the map of them.
 */
#ifndef BARTIZAN_BROKER_CORE_BROKER_H
#define BARTIZAN_BROKER_CORE_BROKER_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/access.h"
#include "common/ipc.h"
#include "common/ipc_msg.h"
#include "common/json.h"
#include "keys/sshkey.h"
#include "policy/config.h"
#include "store/store.h"

struct client;	 /* one session process: server/broker/core/peer.h */
struct peer_leg; /* its work on one target */

struct broker_conf_status {  /* of the configuration: shown by `bartizan status` */
	uint64_t generation; /* 1 at start, +1 for each one taken */
	int64_t taken;	     /* ms: when the one in force was taken */
	/* reloads tried, whatever came of them: `status` and the lab wait for it to change */
	uint64_t attempts;
	/* why the last reload was refused; NULL when the last one was taken */
	char *refused;
};

struct broker {
	struct event_base *base;
	/* replaced whole on reload: keep no pointer into it over a return to the loop */
	struct config *config;
	struct store *store;
	struct broker_conf_status conf_status;
	/* the rest is private to broker*.c: see server/broker/core/impl.h */
	struct broker_private *private;
};

/* Audit: written before the act it permits. Fields are the event's data (stolen reference). On
 * failure the act must not happen. */
int broker_audit(struct broker *broker, const char *type, json_t *data);

/* Ends a live session (ULID) with a reason shown to its user; -ENOENT when it is not live. */
int broker_end_session(struct broker *broker, const char *session, const char *reason);
bool broker_session_live(struct broker *broker, const char *session);

/* One call for each live session (a leg on a target that has opened), in no order; all borrowed.
 * Nothing may be ended from inside. */
struct broker_live {
	uint64_t connection;
	const char *session; /* ULID */
	const struct identity *who;
	const char *target, *login, *source; /* source: address:port */
	int64_t started;		     /* ms */
	unsigned channels;		     /* open now */
};
typedef void broker_live_fn(const struct broker_live *live, void *context);
void broker_live_each(struct broker *broker, broker_live_fn *visit, void *context);

struct broker_counts {		/* for `bartizan status` */
	unsigned connections;	/* session processes, scans not counted */
	unsigned authenticated; /* of them */
	unsigned sessions;	/* live ones on targets */
	unsigned commands;	/* running */
	bool signer, egress;	/* the link is there */
	bool draining;
	int64_t started; /* ms: of this broker */
};
void broker_counts(struct broker *broker, struct broker_counts *ret);

/* The public half of a key that the signer holds: "issuing", "audit", a name of `keys`. Borrowed
 * until the next return to the loop; NULL when there is none. */
const struct sshkey *broker_key(struct broker *broker, const char *name);

#endif
