/* The live connections, the limits on new ones, and the log lines on those that were refused. See
 * listener.h.
 *
 * Limits on connections that have not logged in yet are what keeps one source from holding all
 * places; a source is an IPv4 address or an IPv6 /64, and a load balancer whose PROXY header is
 * believed is no source at all (the total still counts). */
#include "server/listener/listener.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "common/log.h"

#define SHED_MS 1000

/* ---- what was refused ---- */

static void shed_tell(struct shedding *shedding)
{
	if (shedding->count)
		log_warning("closed %u new connection%s at once: %s", shedding->count,
			shedding->count == 1 ? "" : "s", shedding->why);
	shedding->count = 0;
}

static void on_shed_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct shedding *shedding = arg;
	bool more = shedding->count;

	shed_tell(shedding);
	if (more)
		listener_timer_in(shedding->timer, SHED_MS);
}

void conns_shed(struct listener *listener, const char *why)
{
	struct shedding *shedding = &listener->shedding;

	shedding->count++;
	shedding->why = why;
	if (evtimer_pending(shedding->timer, NULL))
		return;
	shed_tell(shedding);
	listener_timer_in(shedding->timer, SHED_MS);
}

/* ---- the list ---- */

static struct session_process *conn_find(struct listener *listener, uint64_t id)
{
	struct session_process *conn;

	TAILQ_FOREACH(conn, &listener->conns, entry)
	if (conn->id == id)
		return conn;
	return NULL;
}

static struct session_process *conn_of(struct listener *listener, pid_t pid)
{
	struct session_process *conn;

	TAILQ_FOREACH(conn, &listener->conns, entry)
	if (conn->pid == pid)
		return conn;
	return NULL;
}

struct session_process *conn_add(struct listener *listener, const struct addr *source, bool scan)
{
	struct session_process *conn = calloc(1, sizeof(*conn));

	if (!conn)
		return NULL;
	conn->id = ++listener->conn_last;
	conn->era = listener->era;
	conn->scan = scan;
	conn->authenticated = scan;
	if (source)
		conn->source = *source;
	listener->conn_count++;
	if (scan) {
		listener->scans++;
		TAILQ_INSERT_TAIL(&listener->conns, conn, entry);
	} else {
		listener->unauthenticated++;
		TAILQ_INSERT_HEAD(&listener->conns, conn, entry);
	}
	return conn;
}

void conn_remove(struct listener *listener, struct session_process *conn)
{
	TAILQ_REMOVE(&listener->conns, conn, entry);
	listener->conn_count--;
	if (conn->scan)
		listener->scans--;
	else if (!conn->authenticated)
		listener->unauthenticated--;
	free(conn);
}

void conn_authenticated(struct listener *listener, uint64_t id)
{
	struct session_process *conn = conn_find(listener, id);

	if (!conn || conn->authenticated)
		return;
	conn->authenticated = true;
	listener->unauthenticated--;
	TAILQ_REMOVE(&listener->conns, conn, entry);
	TAILQ_INSERT_TAIL(&listener->conns, conn, entry);
}

void conn_kill(struct listener *listener, uint64_t id)
{
	struct session_process *conn = conn_find(listener, id);

	if (!conn)
		return;
	conn->killed = true;
	kill(conn->pid, SIGKILL);
}

void conns_signal(struct listener *listener, int sig, bool orphans_only)
{
	struct session_process *conn = NULL;

	TAILQ_FOREACH(conn, &listener->conns, entry)
	{
		if (orphans_only && conn->era == listener->era)
			continue;
		conn->killed = true;
		kill(conn->pid, sig);
	}
}

static void on_orphans(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;

	conns_signal(arg, SIGKILL, true);
}

void conns_orphaned(struct listener *listener)
{
	listener->era++;
	if (!evtimer_pending(listener->orphans, NULL))
		listener_timer_in(listener->orphans, LISTENER_ORPHAN_MS);
}

/* A session that died of a signal which the gateway did not send is logged: SIGSYS comes from its
 * sandbox, any other is a fault in the program. */
static void conn_log_end(const struct session_process *conn, int status)
{
	if (WIFSIGNALED(status) && !conn->killed)
		log_error("connection %llu: its process %d died of signal %d (%s)",
			(unsigned long long)conn->id, (int)conn->pid, WTERMSIG(status),
			WTERMSIG(status) == SIGSYS ? "a system call that its sandbox forbids"
						   : strsignal(WTERMSIG(status)));
}

bool conn_gone(struct listener *listener, pid_t pid, int status)
{
	struct link *broker = roles_broker(listener);
	struct session_process *conn = conn_of(listener, pid);

	if (!conn)
		return false;
	conn_log_end(conn, status);
	if (broker && conn->era == listener->era)
		link_send(broker, IPC_CLIENT_GONE, 0,
			&(struct msg_client_gone){
				.connection = conn->id, .status = (uint32_t)status },
			NULL, 0);
	conn_remove(listener, conn);
	drain_check(listener);
	return true;
}

/* ---- limits ---- */

struct addr conns_source(const struct addr *peer)
{
	struct addr source = *peer;

	source.port = 0;
	if (source.family == AF_INET6)
		memset(source.ip + 8, 0, 8);
	return source;
}

/* Unauthenticated connections come first in the list, and only they are looked at: their number is
 * limited, however many others there are. */
static unsigned source_count(const struct listener *listener, const struct addr *source)
{
	const struct session_process *conn = NULL;
	unsigned count = 0;

	TAILQ_FOREACH(conn, &listener->conns, entry)
	{
		if (conn->authenticated)
			break;
		count += addr_same_host(&conn->source, source);
	}
	return count;
}

const char *conns_refusal(const struct listener *listener, const struct addr *source)
{
	const struct listener_conf *conf = listener->conf;

	if (listener->conn_count >= conf->connections)
		return "limits.connections is reached";
	if (listener->unauthenticated >= conf->unauthenticated)
		return "limits.unauthenticated is reached";
	if (source->family && source_count(listener, source) >= conf->unauthenticated_per_source)
		return "limits.unauthenticated_per_source is reached by their source";
	return NULL;
}

int conns_init(struct listener *listener)
{
	TAILQ_INIT(&listener->conns);
	listener->shedding.timer = listener_timer(listener, on_shed_timer, &listener->shedding);
	listener->orphans = listener_timer(listener, on_orphans, listener);
	return listener->shedding.timer && listener->orphans ? 0 : -ENOMEM;
}
