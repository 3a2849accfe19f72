/* One broker, signer or egress: its start, its messages to the listener, its leave. Who holds which
 * post is server/listener/slots.c. See listener.h. */
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
#include "server/session/session.h"

/* ---- messages of a part ---- */

/* After it was reaped its number may be another's. */
static void part_kill(const struct part *part)
{
	if (part->pid > 0)
		kill(part->pid, SIGKILL);
}

typedef void part_fn(struct part *part, const struct ipc_raw *raw, const void *msg);

int part_introduce(struct part *part)
{
	struct link *broker = roles_broker(part->listener);
	struct msg_role msg = { .role = (char *)(uintptr_t)role_name(part->role) };
	int rc;

	if (part->broker_end < 0 || !broker)
		return -ENOTCONN;
	rc = link_send(broker, IPC_ROLE, 0, &msg, &part->broker_end, 1);
	/* only the broker may hold it: the part ends when that closes it */
	fd_closep(&part->broker_end);
	return rc;
}

static void on_part_ready(struct part *part, const struct ipc_raw *raw, const void *msg)
{
	(void)raw, (void)msg;
	if (part->ready || part->leaving)
		return;
	part->ready = true;
	evtimer_del(part->deadline);
	log_debug("%s %d is ready", role_name(part->role), (int)part->pid);
	if (reload_is_candidate(part)) {
		reload_ready(part);
		return;
	}
	if (part->role != ROLE_BROKER)
		part_introduce(part);
	roles_check(part->listener);
}

/* Before it is ready: it cannot start. Afterwards only the broker has something to refuse: a
 * configuration. */
static void on_part_failed(struct part *part, const struct ipc_raw *raw, const void *msg)
{
	(void)raw;
	struct listener *listener = part->listener;
	const struct msg_reason *failed = msg;
	struct err err;

	err_set(&err, 0, "%s", failed->reason);
	if (part->ready) {
		reload_refuse(listener, failed->reason, false);
		return;
	}
	err_prefix(&err, 0, "%s", role_name(part->role));
	if (reload_is_candidate(part))
		reload_refuse(listener, err.text, true);
	else if (listener->phase == PHASE_STARTING)
		listener_fail(listener, err.text);
	else
		log_error("%s", err.text);
}

static void on_conf_taken(struct part *part, const struct ipc_raw *raw, const void *msg)
{
	(void)raw;
	reload_taken(part->listener, ((const struct msg_conf_taken *)msg)->generation);
}

static void on_authenticated(struct part *part, const struct ipc_raw *raw, const void *msg)
{
	(void)raw;
	conn_authenticated(part->listener, ((const struct msg_connection *)msg)->connection);
}

static void on_kill(struct part *part, const struct ipc_raw *raw, const void *msg)
{
	(void)raw;
	conn_kill(part->listener, ((const struct msg_connection *)msg)->connection);
}

static void on_scan(struct part *part, const struct ipc_raw *raw, const void *msg)
{
	(void)msg;
	conn_scan(part->listener, raw->id);
}

static void on_notify(struct part *part, const struct ipc_raw *raw, const void *msg)
{
	(void)msg;
	int fd = raw->fd_count ? fcntl(raw->fds[0], F_DUPFD_CLOEXEC, 0) : -1;

	if (fd < 0)
		log_error("%s: a notification came without its text", role_name(part->role));
	else
		note_add(part->listener, fd);
}

#define ANY (1u << ROLE_BROKER | 1u << ROLE_SIGNER | 1u << ROLE_EGRESS)
#define BROKER (1u << ROLE_BROKER)

static const struct {
	enum ipc_type type;
	unsigned roles; /* that may say it */
	part_fn *handle;
} messages[] = {
	{ IPC_READY, ANY, on_part_ready },
	{ IPC_FAILED, ANY, on_part_failed },
	{ IPC_CONF_TAKEN, BROKER, on_conf_taken },
	{ IPC_AUTHENTICATED, BROKER, on_authenticated },
	{ IPC_KILL, BROKER, on_kill },
	{ IPC_SCAN, BROKER, on_scan },
	{ IPC_NOTIFY, BROKER, on_notify },
};

static part_fn *message_find(const struct part *part, unsigned type)
{
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
		if (messages[i].type == type && messages[i].roles & 1u << part->role)
			return messages[i].handle;
	return NULL;
}

static void on_message(struct link *link, struct ipc_raw *raw)
{
	struct part *part = link->owner;

	part_fn *handle = message_find(part, raw->type);
	struct err err = { "" };
	union link_msg msg;

	if (!handle || link_decode(raw, &msg, &err) < 0) {
		log_error("%s %d: message '%s' %s; it is killed", role_name(part->role),
			(int)part->pid, ipc_msg_name(raw->type),
			handle ? err.text : "is not for the listener");
		part_kill(part);
		return;
	}
	handle(part, raw, &msg);
	ipc_msg_free(raw->type, &msg);
}

static void on_closed(struct link *link, const char *why)
{
	struct part *part = link->owner;

	log_debug("%s %d: %s", role_name(part->role), (int)part->pid, why);
	link_close(link);
	/* whoever closes his link is about to be gone */
	listener_timer_in(part->deadline, LISTENER_LEAVE_MS);
}

static const struct link_ops part_ops = { .message = on_message, .closed = on_closed };

/* ---- start ---- */

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct part *part = arg;

	log_error("%s %d %s: killed", role_name(part->role), (int)part->pid,
		part->ready ? "does not end" : "is not ready in time");
	part_kill(part);
}

/* In the child. The host key is for sessions only. */
static int part_run(const struct listener *listener, const struct role_start *start, enum role role)
{
	const struct role_mains *mains = listener->options->mains;
	role_main_fn *const table[ROLES] = {
		[ROLE_BROKER] = mains->broker,
		[ROLE_SIGNER] = mains->signer,
		[ROLE_EGRESS] = mains->egress,
	};

	host_key_free(listener->host_key);
	return table[role](start);
}

static pid_t part_fork(
	const struct listener *listener, enum role role, struct role_start *start, struct err *err)
{
	int keep[5] = { start->parent, start->bundle }, count = 2;

	if (start->peer >= 0)
		keep[count++] = start->peer;
	if (role == ROLE_BROKER)
		keep[count++] = start->control = listener->control;
	if (role != ROLE_EGRESS)
		keep[count++] = start->state_dir = listener->state_dir;
	pid_t pid = role_fork(role, keep, (size_t)count, err);
	if (pid == 0)
		_exit(part_run(listener, start, role));
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

void part_free(struct part *part)
{
	TAILQ_REMOVE(&part->listener->parts, part, entry);
	link_close(&part->link);
	fd_closep(&part->broker_end);
	if (part->deadline)
		event_free(part->deadline);
	free(part);
}

static int part_launch(struct part *part, int bundle, uint64_t generation, struct err *err)
{
	struct listener *listener = part->listener;
	int parent[2], peer[2], rc = pairs_open(part->role, parent, peer, err);

	if (rc < 0)
		return rc;
	part->broker_end = peer[0];
	struct role_start start = { .parent = parent[1],
		.peer = peer[1],
		.bundle = bundle,
		.control = -1,
		.state_dir = -1,
		.generation = generation,
		.uid = listener->front->uid,
		.gid = listener->front->gid };
	part->pid = part_fork(listener, part->role, &start, err);
	close(parent[1]);
	fd_closep(&peer[1]);
	if (part->pid < 0) {
		close(parent[0]);
		return (int)part->pid;
	}
	rc = link_open(&part->link, listener->base, parent[0], &part_ops, part);
	if (rc < 0) {
		part_kill(part);
		return err_set(err, rc, "out of memory");
	}
	listener_timer_in(part->deadline, LISTENER_READY_MS);
	return 0;
}

struct part *part_start(
	struct listener *listener, enum role role, int bundle, uint64_t generation, struct err *err)
{
	struct part *part = calloc(1, sizeof(*part));

	if (!part) {
		err_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	*part = (struct part){
		.listener = listener, .role = role, .broker_end = -1, .started = clock_mono_ms()
	};
	TAILQ_INSERT_TAIL(&listener->parts, part, entry);
	part->deadline = listener_timer(listener, on_deadline, part);
	if (!part->deadline || part_launch(part, bundle, generation, err) < 0) {
		part_free(part);
		return NULL;
	}
	return part;
}

void part_install(struct part *part)
{
	struct post *post = &part->listener->posts[part->role];

	if (post->timer)
		evtimer_del(post->timer);
	post->part = part;
}

/* Its parent link closes; a signer or egress that the broker has never met goes by that end, too.
 */
void part_leave(struct part *part, int64_t grace_ms)
{
	if (part->listener->posts[part->role].part == part)
		part->listener->posts[part->role].part = NULL;
	part->leaving = true;
	fd_closep(&part->broker_end);
	link_close(&part->link);
	listener_timer_in(part->deadline, grace_ms);
}
