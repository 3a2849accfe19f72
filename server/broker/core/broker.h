/* The broker: decides. It holds policy, store, transcripts and the control socket; it speaks no SSH
 * and no HTTP, never blocks, and never dies of anybody's message.
 *
 * One libevent loop. Files: broker.c (life), server/role/link.c (links and questions to other roles),
 * server/broker/roles.c (signer, egress), server/broker/reload.c (configuration), server/broker/client.c (one session
 * process), server/broker/client_messages.c (table of a session's messages), server/broker/login/auth.c and server/broker/login/identify.c
 * (who), server/broker/leg.c (where to), server/broker/access/access.c (may), server/broker/reports.c (what sessions report),
 * server/broker/dial/connect.c and server/broker/dial/dial.c (grants), server/broker/dial/agent.c (agent protocol for static keys),
 * server/broker/record/record.c (rows, session.json), server/broker/record/transcript.c (channels), server/broker/record/seal.c (digests),
 * server/broker/core/audit.c (events, checkpoints), server/broker/record/disk.c (free space), server/broker/login/issue.c, server/broker/dial/scan.c,
 * server/broker/control.c (control socket), server/broker/command/running.c (running commands), server/broker/gateway.c (those
 * of sessions), server/broker/core/live.c (what is going on), command*.c (the commands). */
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

struct client; /* one session process: server/broker/core/peer.h */
struct leg;    /* its work on one target */

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

/* Asks the signer for a user certificate and stores it. done is called once, later or at once; cert
 * is the "type base64 comment" line when ok. lifetime_s 0: as the configuration says. A longer one
 * than certificates.lifetime is cut to it, unless local_admin: then BROKER_ISSUE_MAX_S is the most.
 */
#define BROKER_ISSUE_MAX_S (7 * 24 * 3600)
struct issue_spec {
	const struct identity *who; /* of a provider: the login is kept with it (user, groups and
				       local_admin are not looked at); NULL: a local user */
	const char *user;
	char *const *groups;
	const struct sshkey *key;
	int64_t lifetime_s;
	const char *source_address;
	unsigned rights;
	const char *force_command;
	bool local_admin;
};
typedef void broker_issued_fn(void *context, bool ok, const char *line_or_reason);
void broker_issue(struct broker *broker, const struct issue_spec *spec, const char *by,
	broker_issued_fn *done, void *context);
/* Forgets the caller of issues and scans under way with this context: done is not called any more.
 * Whoever may go away before done calls it. */
void broker_forget(struct broker *broker, void *context);

/* Connects to a target and reads its host keys, in a sandboxed process of its own. done is called
 * once. keys: NULL-terminated "type base64" lines, borrowed; NULL on failure with the reason.
 * target is borrowed for the call only. port 0: the target's own. */
typedef void broker_scanned_fn(void *context, char *const *keys, const char *reason);
void broker_scan(struct broker *broker, const struct target *target, const char *name,
	uint16_t port, broker_scanned_fn *done, void *context);

#endif
