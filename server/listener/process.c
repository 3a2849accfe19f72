/* One broker, signer or egress: its start, its messages to the listener, its leave. Who holds which
 * slot is server/listener/slots.c. See listener.h. */
#include "server/libssh/host_key.h"
#include "server/listener/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/fd.h"
#include "common/log.h"

/* ---- messages of a process ---- */

/* Once it was reaped (pid 0) its number may belong to another process. */
static void process_kill(const struct role_process *process)
{
	if (process->pid > 0)
		kill(process->pid, SIGKILL);
}

typedef void process_fn(struct role_process *process, const struct ipc_raw *raw, const void *msg);

int process_introduce(struct role_process *process)
{
	struct link *broker = roles_broker(process->listener);
	struct msg_role msg = { .role = (char *)(uintptr_t)role_name(process->role) };
	int rc;

	if (process->broker_end < 0 || !broker)
		return -ENOTCONN;
	rc = link_send(broker, IPC_ROLE, 0, &msg, &process->broker_end, 1);
	/* the broker alone holds this end now: the process ends when the broker closes it */
	fd_closep(&process->broker_end);
	return rc;
}

static void on_process_ready(
	struct role_process *process, const struct ipc_raw *raw, const void *msg)
{
	(void)raw, (void)msg;
	if (process->ready || process->leaving)
		return;
	process->ready = true;
	evtimer_del(process->deadline);
	log_debug("%s %d is ready", role_name(process->role), (int)process->pid);
	if (reload_is_candidate(process)) {
		reload_ready(process);
		return;
	}
	if (process->role != ROLE_BROKER)
		process_introduce(process);
	roles_check(process->listener);
}

/* Before it is ready: it cannot start. Afterwards only the broker has something to refuse: a
 * configuration. */
static void on_process_failed(
	struct role_process *process, const struct ipc_raw *raw, const void *msg)
{
	(void)raw;
	struct listener *listener = process->listener;
	const struct msg_reason *failed = msg;
	struct err err;

	err_set(&err, 0, "%s", failed->reason);
	if (process->ready) {
		reload_refuse(listener, failed->reason, false);
		return;
	}
	err_prefix(&err, 0, "%s", role_name(process->role));
	if (reload_is_candidate(process))
		reload_refuse(listener, err.text, true);
	else if (listener->phase == PHASE_STARTING)
		listener_fail(listener, err.text);
	else
		log_error("%s", err.text);
}

static void on_conf_taken(struct role_process *process, const struct ipc_raw *raw, const void *msg)
{
	(void)raw;
	reload_taken(process->listener, ((const struct msg_conf_taken *)msg)->generation);
}

static void on_authenticated(
	struct role_process *process, const struct ipc_raw *raw, const void *msg)
{
	(void)raw;
	conn_authenticated(process->listener, ((const struct msg_connection *)msg)->connection);
}

static void on_kill(struct role_process *process, const struct ipc_raw *raw, const void *msg)
{
	(void)raw;
	conn_kill(process->listener, ((const struct msg_connection *)msg)->connection);
}

static void on_scan(struct role_process *process, const struct ipc_raw *raw, const void *msg)
{
	(void)msg;
	conn_scan(process->listener, raw->id);
}

static void on_notify(struct role_process *process, const struct ipc_raw *raw, const void *msg)
{
	(void)msg;
	int fd = raw->fd_count ? fcntl(raw->fds[0], F_DUPFD_CLOEXEC, 0) : -1;

	if (fd < 0)
		log_error("%s: a notification came without its text", role_name(process->role));
	else
		note_add(process->listener, fd);
}

#define ANY (1u << ROLE_BROKER | 1u << ROLE_SIGNER | 1u << ROLE_EGRESS)
#define BROKER (1u << ROLE_BROKER)

static const struct {
	enum ipc_type type;
	unsigned roles; /* that may say it */
	process_fn *handle;
} messages[] = {
	{ IPC_READY, ANY, on_process_ready },
	{ IPC_FAILED, ANY, on_process_failed },
	{ IPC_CONF_TAKEN, BROKER, on_conf_taken },
	{ IPC_AUTHENTICATED, BROKER, on_authenticated },
	{ IPC_KILL, BROKER, on_kill },
	{ IPC_SCAN, BROKER, on_scan },
	{ IPC_NOTIFY, BROKER, on_notify },
};

static process_fn *message_find(const struct role_process *process, unsigned type)
{
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
		if (messages[i].type == type && messages[i].roles & 1u << process->role)
			return messages[i].handle;
	return NULL;
}

static void on_message(struct link *link, struct ipc_raw *raw)
{
	struct role_process *process = link->owner;

	process_fn *handle = message_find(process, raw->type);
	struct err err = { "" };
	union link_msg msg;

	if (!handle || link_decode(raw, &msg, &err) < 0) {
		log_error("%s %d: message '%s' %s; it is killed", role_name(process->role),
			(int)process->pid, ipc_msg_name(raw->type),
			handle ? err.text : "is not for the listener");
		process_kill(process);
		return;
	}
	handle(process, raw, &msg);
	ipc_msg_free(raw->type, &msg);
}

static void on_closed(struct link *link, const char *why)
{
	struct role_process *process = link->owner;

	log_debug("%s %d: %s", role_name(process->role), (int)process->pid, why);
	link_close(link);
	/* a process that has closed its link is about to end */
	listener_timer_in(process->deadline, LISTENER_LEAVE_MS);
}

static const struct link_ops process_ops = { .message = on_message, .closed = on_closed };

/* ---- start ---- */

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct role_process *process = arg;

	log_error("%s %d %s: it is killed", role_name(process->role), (int)process->pid,
		process->ready ? "does not end" : "is not ready in time");
	process_kill(process);
}

/* In the child. The host key is for sessions only. */
static int process_run(
	const struct listener *listener, const struct role_start *start, enum role role)
{
	const struct role_mains *mains = listener->options->mains;
	role_main_fn *const table[ROLES] = {
		[ROLE_BROKER] = mains->broker,
		[ROLE_SIGNER] = mains->signer,
		[ROLE_EGRESS] = mains->egress,
	};

	/* a candidate of a reload is started before that configuration is in force */
	bool fresh = start->generation != listener->generation;
	listener_apply_log(listener, fresh ? listener->reload.conf : listener->conf);
	host_key_free(listener->host_key);
	return table[role](start);
}

static pid_t process_fork(
	const struct listener *listener, enum role role, struct role_start *start, struct err *err)
{
	int keep[5] = { start->parent }, count = 1;

	if (role == ROLE_BROKER)
		start->control = listener->control;
	if (role != ROLE_EGRESS)
		start->state_dir = listener->state_dir;
	const int others[] = { start->peer, start->bundle, start->slice, start->control,
		start->state_dir };
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (others[i] >= 0)
			keep[count++] = others[i];
	pid_t pid = role_fork(role, keep, (size_t)count, err);
	if (pid == 0)
		_exit(process_run(listener, start, role));
	return pid;
}

/* Both ends of both links; [0] stays here, [1] goes to the child. A broker has no peer: its links
 * to the others come by message. */
static int pairs_open(enum role role, int parent[2], int peer[2], struct err *err)
{
	int rc = fd_pair(SOCK_SEQPACKET, parent);

	peer[0] = peer[1] = -1;
	if (rc == 0 && role != ROLE_BROKER) {
		rc = fd_pair(SOCK_SEQPACKET, peer);
		if (rc < 0) {
			close(parent[0]);
			close(parent[1]);
		}
	}
	return rc < 0 ? err_set(err, rc, "cannot make links for a %s: %s", role_name(role),
				strerror(-rc))
		      : 0;
}

void process_free(struct role_process *process)
{
	TAILQ_REMOVE(&process->listener->processes, process, entry);
	link_close(&process->link);
	fd_closep(&process->broker_end);
	if (process->deadline)
		event_free(process->deadline);
	free(process);
}

static int slice_of(enum role role, const int shares[READER_FDS])
{
	if (role == ROLE_SIGNER)
		return shares[READER_SIGNER];
	return role == ROLE_EGRESS ? shares[READER_EGRESS] : -1;
}

static int process_launch(struct role_process *process, const int shares[READER_FDS],
	uint64_t generation, struct err *err)
{
	struct listener *listener = process->listener;
	int parent[2], peer[2], rc = pairs_open(process->role, parent, peer, err);

	if (rc < 0)
		return rc;
	process->broker_end = peer[0];
	struct role_start start = { .parent = parent[1],
		.peer = peer[1],
		.bundle = process->role == ROLE_BROKER ? shares[READER_BUNDLE] : -1,
		.slice = slice_of(process->role, shares),
		.control = -1,
		.state_dir = -1,
		.generation = generation,
		.uid = listener->conf->uid,
		.gid = listener->conf->gid };
	process->pid = process_fork(listener, process->role, &start, err);
	close(parent[1]);
	fd_closep(&peer[1]);
	if (process->pid < 0) {
		close(parent[0]);
		return (int)process->pid;
	}
	rc = link_open(&process->link, listener->base, parent[0], &process_ops, process);
	if (rc < 0) {
		process_kill(process);
		return err_set(err, rc, "out of memory");
	}
	listener_timer_in(process->deadline, LISTENER_READY_MS);
	return 0;
}

struct role_process *process_start(struct listener *listener, enum role role,
	const int shares[READER_FDS], uint64_t generation, struct err *err)
{
	struct role_process *process = calloc(1, sizeof(*process));

	if (!process) {
		err_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	*process = (struct role_process){
		.listener = listener, .role = role, .broker_end = -1, .started = clock_mono_ms()
	};
	TAILQ_INSERT_TAIL(&listener->processes, process, entry);
	process->deadline = listener_timer(listener, on_deadline, process);
	if (!process->deadline || process_launch(process, shares, generation, err) < 0) {
		process_free(process);
		return NULL;
	}
	return process;
}

void process_install(struct role_process *process)
{
	struct role_slot *slot = &process->listener->slots[process->role];

	if (slot->timer)
		evtimer_del(slot->timer);
	slot->process = process;
}

/* Its parent link is closed. broker_end is closed as well, so that a signer or egress which the
 * broker never got a link to ends, too. */
void process_leave(struct role_process *process, int64_t grace_ms)
{
	if (process->listener->slots[process->role].process == process)
		process->listener->slots[process->role].process = NULL;
	process->leaving = true;
	fd_closep(&process->broker_end);
	link_close(&process->link);
	listener_timer_in(process->deadline, grace_ms);
}
