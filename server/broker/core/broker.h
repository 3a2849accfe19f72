/* The broker: decides. It holds policy, store, transcripts and the control socket; it speaks no SSH
 * and no HTTP, never blocks, and no message can make it exit.
 *
 * One libevent loop. All its rooms share this header; ARCHITECTURE.md has a map of them. */
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
	uint64_t generation; /* 1 at start, +1 for each reload that was accepted */
	int64_t taken;	     /* ms: when the configuration in force was accepted */
	/* number of reloads tried, with any result: `status` and the lab wait for it to change */
	uint64_t attempts;
	/* why the last reload was refused; NULL if it was accepted */
	char *refused;
};

struct broker {
	struct event_base *base;
	/* replaced whole on reload: keep no pointer into it over a return to the loop */
	struct config *config;
	struct store *store;
	struct broker_conf_status conf_status;
	/* private to server/broker: see server/broker/core/impl.h */
	struct broker_private *private;
};

/* Writes an audit event, before the act that it permits: if this fails, the act must not happen.
 * data is the event's own fields (stolen reference). */
int broker_audit(struct broker *broker, const char *type, json_t *data);

/* Ends a live session (ULID) with a reason that its user sees; -ENOENT when it is not live. */
int broker_end_session(struct broker *broker, const char *session, const char *reason);
bool broker_session_live(struct broker *broker, const char *session);

/* Calls visit for each live session (an open leg on a target), in no particular order; everything
 * in it is borrowed. visit must not end anything. */
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
	unsigned authenticated; /* connections with an identity */
	unsigned sessions;	/* live ones on targets */
	unsigned commands;	/* running */
	bool signer, egress;	/* true: there is a link to the role */
	bool draining;
	int64_t started; /* ms: of this broker */
};
void broker_counts(struct broker *broker, struct broker_counts *ret);

/* The public half of a key that the signer holds: "issuing", "audit", or a name from `keys`.
 * Borrowed until the next return to the loop; NULL when there is none. */
const struct sshkey *broker_key(struct broker *broker, const char *name);

#endif
