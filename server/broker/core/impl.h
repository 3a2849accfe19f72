/* What broker*.c share with each other and with nobody else. */
#ifndef BARTIZAN_BROKER_CORE_IMPL_H
#define BARTIZAN_BROKER_CORE_IMPL_H

#include <sys/queue.h>

#include "keys/sshkey.h"
#include "server/broker/core/broker.h"
#include "server/role/link.h"
#include "server/role/role.h"

#define BROKER_SIGN_MS 10000 /* the signer answers within */
/* new signer and egress are there within, after a reload was accepted */
#define BROKER_ROLES_MS 60000
#define BROKER_DISK_MS 2000   /* between looks at the free space */
#define BROKER_STOP_MS 3000   /* at the end: for sessions to close, and for the last checkpoint */
#define BROKER_GRACE_MS 20000 /* a session that was told to end has ended within, or is killed */

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
LIST_HEAD(client_list, client);
LIST_HEAD(record_list, record);
TAILQ_HEAD(connect_list, connect);
LIST_HEAD(scan_list, scan);
LIST_HEAD(issue_list, issue);
LIST_HEAD(flow_list, flow);
LIST_HEAD(token_check_list, token_check);

struct public_key {
	char *name;
	struct sshkey *key;
};
struct public_keys {
	struct public_key *list;
	size_t count;
};

struct broker_private {
	const struct role_start *start;
	struct link parent;
	struct service *signer, *egress; /* NULL: not there now */
	struct public_keys keys;	 /* public halves of what the signer holds */
	struct question *keys_question;
	struct reload *reload; /* under way, else NULL */
	/* bits of roles whose next link belongs to a configuration that was refused */
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
	struct krl *krl;     /* certificates.revoked; NULL: none */
	struct queue *queue; /* server/broker/approval/queue.c */
	unsigned commands;
	struct question *checkpoint; /* never two in flight */
	uint64_t checkpoint_seq;
	struct event *disk_timer, *stop_timer;
	bool disk_low;
	bool ready, draining, stopping;
	/* the level is not the configuration's: a reload does not change it */
	bool log_forced;
	int64_t started;
};

/* broker.c */
void broker_stop_check(struct broker *broker); /* a client is gone: perhaps the last one */

/* server/broker/roles.c: signer and egress, their keys. */
void roles_arrived(struct broker *broker, const char *role, int fd); /* takes the fd */
int public_keys_load(struct public_keys *keys, const struct msg_keys_answer *msg, struct err *err);
void public_keys_release(struct public_keys *keys);
const struct sshkey *public_keys_find(const struct public_keys *keys, const char *name);
/* service replaces *current, which is retired */
void roles_install(struct broker *broker, struct service **current, struct service *service);

/* server/broker/reload.c */
/* fd: borrowed; refuses by IPC_FAILED */
int reload_begin(struct broker *broker, uint64_t generation, int fd);
void reload_refused(struct broker *broker, const char *reason); /* the reader or a role said no */
/* whether a reload waits for it and took the fd */
bool reload_role(struct broker *broker, enum role role, int fd);
void reload_free(struct broker *broker);

/* server/broker/core/audit.c */
void checkpoint_if_due(struct broker *broker, bool now);

/* server/broker/record/disk.c: free space of the state directory. */
uint64_t broker_free_bytes(struct broker *broker);
bool broker_disk_low(struct broker *broker);
bool broker_break_glass(struct broker *broker, const struct identity *who);
int broker_disk_watch(struct broker *broker);

/* server/broker/control.c */
int control_open(struct broker *broker, int fd, struct err *err);
void control_close(struct broker *broker);

/* server/broker/dial/scan.c, server/broker/login/issue.c: at the end of the broker. */
void scans_close(struct broker *broker);
void issues_close(struct broker *broker);
struct scan *scan_by_id(struct broker *broker, uint32_t id);
void scan_client(struct scan *scan, const struct msg_client *msg, int fd); /* takes the fd */
bool scan_gone(struct broker *broker, uint64_t connection);
void scan_forget(struct broker *broker, void *context);
void issue_forget(struct broker *broker, void *context);

#endif
