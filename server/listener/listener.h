/* The listener: parent of all. It accepts connections, forks sessions, starts and restarts the
 * other roles, reloads and drains.
 *
 * It reads no network byte, and from its children only typed, bounded messages. It parses no
 * configuration (reader.h) and holds no policy, because sessions are forked from it. This header is
 * for main.c (listener_run) and for listener*.c; nobody else looks inside.
 *
 * listener.c life, phases, signals; server/listener/bind.c sockets and state directory;
 * server/listener/accept.c accept and fork; server/listener/conns.c connections and limits;
 * server/listener/process.c one broker, signer or egress; server/listener/slots.c who holds which
 * slot; server/listener/reload.c SIGHUP; server/listener/drain.c the end; server/listener/hook.c
 * notify.command. */
#ifndef BARTIZAN_LISTENER_LISTENER_H
#define BARTIZAN_LISTENER_LISTENER_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "common/addr.h"
#include "common/err.h"
#include "conf/conf.h"
#include "server/role/link.h"
#include "server/role/listener_conf.h"
#include "server/role/mains.h"
#include "server/role/role.h"

#define LISTENER_READY_MS 60000 /* a role reports within: a broker may have much to recover */
#define LISTENER_LEAVE_MS 10000 /* a role that is to end has ended within, or is killed */
/* a signer or egress that was replaced may answer what it was asked before */
#define LISTENER_RETIRE_MS 60000
#define LISTENER_BACKOFF_MIN_MS 100
#define LISTENER_BACKOFF_MAX_MS 30000
#define LISTENER_STEADY_MS 60000 /* a role that lived so long begins its back-off anew */
/* without descriptors or memory, accept nothing for so long */
#define LISTENER_PAUSE_MS 100
/* sessions of a dead broker end by themselves within, or are killed */
#define LISTENER_ORPHAN_MS 10000
/* between SIGTERM and SIGKILL for sessions that outlived the drain */
#define LISTENER_TERM_MS 6000
#define LISTENER_SCANS_MAX 16
#define LISTENER_ACCEPT_BATCH 32 /* connections taken before other events get their turn */

struct listener_options {
	const char *config; /* path */
	bool debug;
	const struct role_mains *mains;
	int ready_fd; /* gets one line "ready" and is closed; -1: none */
};

int listener_run(const struct listener_options *options); /* exit status of the process */

/* ---- private to listener*.c from here on ---- */

enum listener_phase {
	PHASE_STARTING,
	PHASE_SERVING,
	PHASE_RECOVERING,
	PHASE_DRAINING,
	PHASE_ENDING,
	PHASES
};

struct socket_set { /* listening sockets */
	struct {
		int fd;
		struct addr wanted;
		struct event *event;
	} at[CONF_LISTEN_MAX];
	size_t count;
};

struct role_process { /* one running broker, signer or egress */
	TAILQ_ENTRY(role_process) entry;
	struct listener *listener;
	enum role role;
	pid_t pid;
	struct link link; /* its parent link */
	/* signer, egress: the other end of its link to the broker until that has it; else -1 */
	int broker_end;
	bool ready, leaving;
	int64_t started; /* monotonic ms */
	struct event *deadline;
};

struct role_slot {		      /* who holds a role now, and when it is filled again */
	struct role_process *process; /* NULL: nobody */
	int64_t delay_ms;
	struct event *timer;
};

struct session_process {		    /* one session or scan process */
	TAILQ_ENTRY(session_process) entry; /* unauthenticated ones first */
	uint64_t id;
	pid_t pid;
	struct addr source; /* what the limit per source counts: IPv6 by /64; family 0: exempt */
	unsigned era;	    /* of the broker that knows it */
	bool authenticated, scan, killed;
};

struct shedding { /* refused connections, told at most once a second */
	struct event *timer;
	unsigned count;
	const char *why;
};

enum reload_stage { RELOAD_IDLE, RELOAD_READING, RELOAD_STARTING, RELOAD_TAKING };

struct listener_reload {
	enum reload_stage stage;
	bool again; /* SIGHUP came meanwhile */
	pid_t reader;
	int reader_fd;
	struct event *reader_event;
	struct listener_conf *conf;
	int shares[READER_FDS];
	struct role_process *signer, *egress; /* candidates */
	struct socket_set sockets;
};

struct listener {
	const struct listener_options *options;
	struct event_base *base;
	int signal_fd;
	struct event *signal_event;
	enum listener_phase phase;
	int status;	/* of the process */
	bool announced; /* ready was said once */

	struct listener_conf *conf;
	/* what the other roles may know of the configuration, each in sealed memory; -1: none yet
	 */
	int shares[READER_FDS];
	uint64_t generation;
	struct host_key *host_key;
	int state_dir, control;

	struct socket_set sockets;
	struct event *accept_pause;
	/* given up to take, and close, a connection when descriptors run out */
	int spare_fd;
	struct shedding shedding;
	TAILQ_HEAD(session_process_list, session_process) conns;
	unsigned conn_count, unauthenticated, scans;
	uint64_t conn_last; /* newest id given */
	unsigned era;
	struct event *orphans;

	TAILQ_HEAD(process_list, role_process) processes;
	struct role_slot slots[ROLES]; /* broker, signer, egress are used */
	struct listener_reload reload;
	struct event *drain_timer;
	unsigned drain_step;
	TAILQ_HEAD(note_list, hook_run) notes; /* server/listener/hook.c */
	unsigned note_count, notes_running, notes_dropped;
};

/* listener.c */
void listener_phase_set(struct listener *listener, enum listener_phase phase);
void listener_serve(struct listener *listener); /* all roles are ready */
/* during the start: say why, end with 1 */
void listener_fail(struct listener *listener, const char *reason);
/* -d goes before what the configuration says */
void listener_apply_log(const struct listener *listener, const struct listener_conf *conf);
void shares_close(int shares[READER_FDS]);
/* NULL without memory */
struct event *listener_timer(struct listener *listener, event_callback_fn fn, void *arg);
void listener_timer_in(struct event *timer, int64_t ms);

/* server/listener/bind.c */
int sockets_open(struct socket_set *set, const struct listener_conf *conf,
	const struct socket_set *before,
	struct err *err); /* an address that before has is taken over (dup) */
void sockets_close(struct socket_set *set);
int sockets_watch(struct socket_set *set, struct listener *listener, event_callback_fn fn);
void sockets_enable(struct socket_set *set, bool on);
void sockets_describe(const struct socket_set *set, char *out, size_t size);
int state_dir_open(const struct listener_conf *conf, struct err *err);	    /* fd or -errno */
int control_socket_open(const struct listener_conf *conf, struct err *err); /* fd or -errno */

/* server/listener/accept.c */
int accept_init(struct listener *listener);
void accept_start(struct listener *listener); /* watch the sockets of the set in force */
void accept_enable(struct listener *listener, bool on);
void conn_scan(struct listener *listener, uint32_t question);

/* server/listener/conns.c */
int conns_init(struct listener *listener);
/* NULL without memory */
struct session_process *conn_add(struct listener *listener, const struct addr *source, bool scan);
void conn_remove(struct listener *listener, struct session_process *conn);
struct addr conns_source(const struct addr *peer); /* what the limit per source counts */
/* why one more from there is refused; NULL: it is not */
const char *conns_refusal(const struct listener *listener, const struct addr *source);
void conns_shed(struct listener *listener, const char *why); /* one was closed at once */
void conn_authenticated(struct listener *listener, uint64_t id);
void conn_kill(struct listener *listener, uint64_t id);
bool conn_gone(struct listener *listener, pid_t pid, int status); /* whether it was one */
void conns_signal(struct listener *listener, int sig, bool orphans_only);
void conns_orphaned(struct listener *listener); /* their broker is gone */

/* server/listener/process.c */
/* shares, generation: of the configuration that it starts with */
struct role_process *process_start(struct listener *listener, enum role role,
	const int shares[READER_FDS], uint64_t generation, struct err *err);
void process_install(struct role_process *process);		    /* holds its role from now on */
void process_leave(struct role_process *process, int64_t grace_ms); /* is to end */
int process_introduce(struct role_process *process); /* its link goes to the broker */
void process_free(struct role_process *process);

/* server/listener/slots.c */
bool process_gone(struct listener *listener, pid_t pid, int status); /* whether it was one */
void roles_check(struct listener *listener);			     /* one more is ready */
int roles_start(struct listener *listener, struct err *err);
struct link *roles_broker(struct listener *listener); /* NULL: there is none now */
void roles_fill(struct listener *listener, enum role role, int64_t delay_ms);
void roles_finish(struct listener *listener);
void processes_free(struct listener *listener);

/* server/listener/reload.c */
void reload_request(struct listener *listener);
void reload_next(struct listener *listener);		       /* the one that had to wait */
void reload_reader_gone(struct listener *listener, pid_t pid); /* was reaped */
void reload_ready(struct role_process *candidate);
bool reload_is_candidate(const struct role_process *process);
void reload_taken(struct listener *listener, uint64_t generation);
void reload_refuse(struct listener *listener, const char *reason, bool tell_broker);

/* server/listener/hook.c */
#define NOTE_TIME_MS 10000 /* then its program is killed */
#define NOTES_RUNNING_MAX 32
#define NOTES_MAX 256 /* running, waiting, and to be tried again: each is an open file */
#define NOTE_TRIES 10
#define NOTE_RETRY_MS 1000 /* after the first failure; then doubled, up to */
#define NOTE_RETRY_MS_MAX 60000
void note_add(struct listener *listener, int fd);		  /* fd: the text; taken */
bool note_gone(struct listener *listener, pid_t pid, int status); /* whether it was one */
void notes_free(struct listener *listener);

/* server/listener/drain.c */
struct event *drain_timer_new(struct listener *listener);
void drain_request(struct listener *listener); /* SIGTERM or SIGINT; a second one ends at once */
void drain_check(struct listener *listener);   /* somebody is gone */

#endif
