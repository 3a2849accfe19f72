/* The broker: decides. It holds policy, store, transcripts and the control socket; it speaks no SSH and no HTTP, never blocks, and never dies of anybody's message.
 *
 * One libevent loop. Files: broker.c (life, links), broker_session.c (table of a session's messages), broker_auth.c (who), broker_access.c (may), broker_dial.c (grants),
 * broker_record.c (rows, session.json, sealing), broker_control.c (control socket), broker_agent.c (agent protocol for static keys), command*.c (commands). */
#ifndef BARTIZAN_BROKER_H
#define BARTIZAN_BROKER_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/access.h"
#include "common/ipc.h"
#include "common/ipc_msg.h"
#include "common/json.h"
#include "policy/config.h"
#include "store/store.h"

struct client; /* one session process: broker_client.h */
struct leg;    /* its work on one target */

struct broker_conf_status { /* of the configuration: shown by `bartizan status` */
	uint64_t generation;   /* 1 at start, +1 for each one taken */
	int64_t taken;         /* ms: when the one in force was taken */
	uint64_t attempts;     /* reloads tried, whatever came of them: `status` and the lab wait for it to change */
	char *refused;         /* why the last reload was refused; NULL when the last one was taken */
};

struct broker {
	struct event_base *base;
	struct config *config;       /* replaced whole on reload */
	struct store *store;
	struct broker_conf_status conf_status;
	/* the rest is private to broker*.c: see broker_private.h */
	struct broker_private *private;
};

/* Audit: written before the act it permits. Fields are the event's data (stolen reference). On failure the act must not happen. */
int broker_audit(struct broker *broker, const char *type, json_t *data);

/* Ends a live session (ULID) with a reason shown to its user; -ENOENT when it is not live. */
int broker_end_session(struct broker *broker, const char *session, const char *reason);
/* One flat object for each live client and leg, for `sessions`, or NULL. */
bool broker_session_live(struct broker *broker, const char *session);

/* Asks the signer for a user certificate and stores it. done is called once, later or at once; cert is the "type base64 comment" line when ok. */
struct issue_spec { const char *user; char *const *groups; const struct sshkey *key; int64_t lifetime_s; const char *source_address; unsigned rights; const char *force_command; };
typedef void broker_issued_fn(void *context, bool ok, const char *line_or_reason);
void broker_issue(struct broker *broker, const struct issue_spec *spec, const char *by, broker_issued_fn *done, void *context);

/* Connects to a target and reads its host keys, in a sandboxed process of its own. done is called once. keys: NULL-terminated "type base64" lines, borrowed. */
typedef void broker_scanned_fn(void *context, char *const *keys, const char *reason);
void broker_scan(struct broker *broker, const struct target *target, const char *name, uint16_t port, broker_scanned_fn *done, void *context);

#endif
