/* The inside of the broker: its state, for its own rooms only. The state of each room is listed
 * here, but only that room uses it. */
#ifndef BARTIZAN_BROKER_CORE_IMPL_H
#define BARTIZAN_BROKER_CORE_IMPL_H

#include <sys/queue.h>

#include "keys/sshkey.h"
#include "server/broker/core/broker.h"
#include "server/broker/core/service.h"
#include "server/role/role.h"

#define BROKER_SIGN_MS 10000 /* how long the signer may take to answer */
/* how long new signer and egress processes may take to connect after a reload */
#define BROKER_ROLES_MS 60000
#define BROKER_DISK_MS 2000 /* time between checks of the free space */
/* when the broker ends: time for sessions to close, and for the last checkpoint */
#define BROKER_STOP_MS 3000
#define BROKER_GRACE_MS 20000 /* a session that was told to end is killed after this time */

struct reload;
struct control;
struct record;
struct connect;
struct scan;
struct issue;
struct flow;
struct token_check;
struct krl;
struct queue;
struct glass;
LIST_HEAD(client_list, client);
LIST_HEAD(record_list, record);
TAILQ_HEAD(connect_list, connect);
LIST_HEAD(scan_list, scan);
LIST_HEAD(issue_list, issue);
LIST_HEAD(flow_list, flow);
LIST_HEAD(token_check_list, token_check);
LIST_HEAD(glass_list, glass);

struct public_key {
	char *name;
	struct sshkey *key;
};
struct public_keys {
	struct public_key *list;
	size_t count;
};

struct broker_private {
	/* called when a client or the last question has ended: the broker may be able to end. Set
	 * in server/broker/broker.c */
	void (*on_idle)(struct broker *broker);
	const struct role_start *start;
	struct link parent;
	struct service *signer, *egress; /* NULL: no link now */
	struct public_keys keys;	 /* public halves of what the signer holds */
	struct question *keys_question;
	struct reload *reload; /* NULL: no reload is in progress */
	/* bit mask: drop the next link of these roles, for their reload was refused */
	unsigned skip;
	struct control *control;
	struct client_list clients;
	unsigned client_count;
	struct record_list records;
	struct connect_list connects;
	struct scan_list scans;
	struct issue_list issues;
	struct flow_list flows; /* server/broker/login/provider.c */
	unsigned flow_count;
	struct token_check_list token_checks;
	struct krl *krl;	   /* certificates.revoked; NULL: none */
	struct queue *queue;	   /* server/broker/approval/queue.c */
	struct glass_list glasses; /* server/broker/access/break_glass.c */
	unsigned glass_count;
	unsigned commands;
	struct question *checkpoint; /* at most one is signed at a time */
	uint64_t checkpoint_seq;
	struct event *disk_timer, *stop_timer;
	bool disk_low;
	bool ready, draining, stopping;
	/* the log level was given on the command line: a reload does not change it */
	bool log_forced;
	int64_t started;
};

/* server/broker/core/keys.c */
int public_keys_load(struct public_keys *keys, const struct msg_keys_answer *msg, struct err *err);
void public_keys_release(struct public_keys *keys);
const struct sshkey *public_keys_find(const struct public_keys *keys, const char *name);

/* server/broker/core/audit.c */
void checkpoint_if_due(struct broker *broker, bool now);

#endif
