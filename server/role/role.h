/* One start recipe for every role.
 *
 * The listener forks, never execs. role_start() makes the links, forks, and in the child: own
 * process name, only the named descriptors, signals to default, death with the parent
 * (PR_SET_PDEATHSIG), then the role's main with what it needs; the role drops privileges by
 * role_drop() as soon as it has opened what needs them, reports IPC_READY or IPC_FAILED on its
 * parent link, and runs until its links close. */
#ifndef BARTIZAN_ROLE_ROLE_H
#define BARTIZAN_ROLE_ROLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"

enum role {
	ROLE_LISTENER,
	ROLE_BROKER,
	ROLE_SIGNER,
	ROLE_EGRESS,
	ROLE_SESSION,
	ROLE_SCAN,
	ROLE_READER,
	ROLE_NOTIFY,
	ROLES
};
const char *role_name(enum role role);

struct role_start { /* what a role's main gets; every fd is its own */
	int parent; /* link to the listener, SEQPACKET; -1 for sessions */
	/* signer, egress: link to the broker; session: link to the broker; broker: -1 */
	int peer;
	int bundle;	     /* broker: the whole configuration (common/files.h); else -1 */
	int slice;	     /* signer, egress: their slice of it (slice.h); else -1 */
	int control;	     /* broker: the listening control socket; else -1 */
	int state_dir;	     /* broker, signer: the state directory's descriptor; else -1 */
	uint64_t generation; /* of the configuration */
	uid_t uid;	     /* to drop to; (uid_t)-1: stay */
	gid_t gid;
};

/* its return value is the process's exit status */
typedef int role_main_fn(const struct role_start *start);

/* Drops to start->uid/gid (when root), clears supplementary groups, empties all capability sets,
 * sets no_new_privs, and forbids core dumps and ptrace of secrets (PR_SET_DUMPABLE 0). Checks that
 * it cannot get them back. */
int role_drop(const struct role_start *start, struct err *err);

/* The listener's own share: as root it keeps uid 0 but only the capabilities that starting roles
 * and binding need; always no_new_privs and not dumpable. */
int role_keep_listener(struct err *err);

/* Remembers where the kernel shows the command line, so that `ps` can say which process is which.
 * Once, at the start of main(). */
void role_title_init(int argc, char **argv);
void role_title_set(const char *title);

/* fork() with the recipe. In the child (0): only stderr, stdin and stdout (both /dev/null by then)
 * and keep[] are open, signals are default but for those a role must outlive (row in role.c), name
 * and command line are set, the log speaks as this role. In the parent the pid, or -errno. */
pid_t role_fork(enum role role, const int *keep, size_t count, struct err *err);

/* What a role tells the listener of its start, once. Waits at most a second. */
int role_report_ready(int parent);
int role_report_failed(int parent, const char *reason);

#endif
