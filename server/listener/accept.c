/* New connections: accepted, and each handed to a process of its own. See listener.h.
 *
 * No error of accept() ends the listener. A connection beyond a limit is closed at once, without a
 * byte sent, and counted (server/listener/conns.c). */
#include "server/listener/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/log.h"

struct entry {	    /* what a session's process begins with */
	int client; /* -1: a scan */
	bool proxy;
	const char *source, *local;
};

/* In the child, from here on: never returns to the listener's loop. */
static int session_run(const struct listener *listener, const struct entry *entry, int peer)
{
	struct session_conf conf = listener->conf->session;
	const struct session_start start = {
		.role = { .parent = -1,
			.peer = peer,
			.bundle = -1,
			.slice = -1,
			.control = -1,
			.state_dir = -1,
			.generation = listener->generation,
			.uid = listener->conf->uid,
			.gid = listener->conf->gid },
		.client = entry->client,
		.conf = &conf,
		.host_key = listener->host_key,
	};

	conf.proxy = entry->proxy;
	conf.verbose = log_level() == LOG_DEBUG_;
	return (entry->client < 0 ? listener->options->mains->scan
				  : listener->options->mains->session)(&start);
}

static int session_fork(struct listener *listener, struct session_process *conn,
	const struct entry *entry, uint32_t question, struct err *err)
{
	const enum role role = conn->scan ? ROLE_SCAN : ROLE_SESSION;
	struct link *broker = roles_broker(listener);
	int pair[2], rc = broker ? fd_pair(SOCK_SEQPACKET, pair) : -EPIPE;

	if (rc < 0)
		return err_set(err, rc, "cannot reach the broker: %s", strerror(-rc));
	const int keep[] = { pair[1], entry->client };
	conn->pid = role_fork(role, keep, entry->client < 0 ? 1 : 2, err);
	if (conn->pid == 0)
		_exit(session_run(listener, entry, pair[1]));
	close(pair[1]);
	rc = conn->pid < 0 ? (int)conn->pid : 0;
	if (rc == 0) {
		struct msg_client msg = { .connection = conn->id,
			.source = (char *)(uintptr_t)entry->source,
			.local = (char *)(uintptr_t)entry->local,
			.pid = (uint32_t)conn->pid,
			.scan = conn->scan };

		if (link_send(broker, IPC_CLIENT, question, &msg, &pair[0], 1) < 0)
			/* a session that the broker does not know must not live; its end is
			 * reported as any other */
			kill(conn->pid, SIGKILL);
	}
	close(pair[0]);
	return rc;
}

/* The broker asked for a scan, and waits for a client with the number of its question. It gets one
 * in any case; where no process can be started, the client is gone again at once. */
void conn_scan(struct listener *listener, uint32_t question)
{
	const struct entry entry = { .client = -1, .source = "", .local = "" };
	struct session_process *conn =
		listener->scans < LISTENER_SCANS_MAX ? conn_add(listener, NULL, true) : NULL;
	struct err err = { "too many at one time" };

	if (conn && session_fork(listener, conn, &entry, question, &err) == 0)
		return;
	log_warning(
		"cannot start a scan: %s", conn || listener->scans ? err.text : "out of memory");
	if (conn)
		conn_remove(listener, conn);
	int pair[2];
	if (!roles_broker(listener) || fd_pair(SOCK_SEQPACKET, pair) < 0)
		return;
	struct msg_client gone = { .connection = ++listener->conn_last,
		.source = (char[]){ "" },
		.local = (char[]){ "" },
		.scan = true };
	link_send(roles_broker(listener), IPC_CLIENT, question, &gone, &pair[0], 1);
	link_send(roles_broker(listener), IPC_CLIENT_GONE, 0,
		&(struct msg_client_gone){
			.connection = gone.connection, .status = W_EXITCODE(1, 0) },
		NULL, 0);
	close(pair[0]);
	close(pair[1]);
}

static void tcp_option(int fd, int level, int name, int value)
{
	setsockopt(fd, level, name, &value,
		sizeof(value)); /* where it fails, the connection is slower, not wrong */
}

static void client_options(int fd, const struct session_conf *conf)
{
	tcp_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (!conf->keepalive_s)
		return;
	tcp_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	tcp_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, (int)conf->keepalive_s);
	tcp_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 15);
	tcp_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 4);
}

static void accept_pause_begin(struct listener *listener)
{
	accept_enable(listener, false);
	listener_timer_in(listener->accept_pause, LISTENER_PAUSE_MS);
}

/* The socket is its own from here on. */
static void client_take(struct listener *listener, int client, const struct addr *peer)
{
	int fd FD_CLEANUP = client;
	char source_text[ADDR_TEXT_MAX], local_text[ADDR_TEXT_MAX];
	const bool proxy = listener_conf_proxy(listener->conf, peer);
	const struct addr exempt = { 0 }, source = proxy ? exempt : conns_source(peer);
	const char *why = conns_refusal(listener, &source);
	struct sockaddr_storage at;
	socklen_t len = sizeof(at);
	struct addr local = { 0 };
	struct err err = { "out of memory" };

	if (why) {
		conns_shed(listener, why);
		return;
	}
	if (getsockname(fd, (struct sockaddr *)&at, &len) == 0)
		addr_from_sockaddr((struct sockaddr *)&at, len, &local);
	client_options(fd, &listener->conf->session);
	const struct entry entry = {
		.client = fd,
		.proxy = proxy,
		.source = addr_format_port(peer, source_text),
		.local = addr_format_port(&local, local_text),
	};
	struct session_process *conn = conn_add(listener, &source, false);
	if (conn && session_fork(listener, conn, &entry, 0, &err) == 0)
		return;
	if (conn)
		conn_remove(listener, conn);
	log_debug("%s", err.text);
	conns_shed(listener, "no process could be started for them");
	accept_pause_begin(listener);
}

/* Out of descriptors: the spare one is given up to accept the connection, and that is closed, so
 * that its client does not wait for nothing. Then no more is accepted for LISTENER_PAUSE_MS. */
static void accept_starved(struct listener *listener, int fd)
{
	fd_closep(&listener->spare_fd);
	int client FD_CLEANUP = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	if (client >= 0)
		conns_shed(listener, "out of file descriptors");
	fd_closep(&client);
	listener->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	accept_pause_begin(listener);
}

/* Whether to go on accepting. */
static bool accept_error(struct listener *listener, int fd, int error)
{
	if (error == EAGAIN)
		return false;
	if (error == EMFILE || error == ENFILE) {
		accept_starved(listener, fd);
		return false;
	}
	if (error == ENOMEM || error == ENOBUFS || error == EBADF || error == EINVAL ||
		error == ENOTSOCK || error == EOPNOTSUPP) {
		log_error("accept: %s", strerror(error));
		accept_pause_begin(listener);
		return false;
	}
	return true; /* only this client is gone: ECONNABORTED, EPROTO, or an error of the network
		      */
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	struct listener *listener = arg;

	for (int i = 0; i < LISTENER_ACCEPT_BATCH && listener->phase == PHASE_SERVING &&
			!evtimer_pending(listener->accept_pause, NULL);
		i++) {
		struct sockaddr_storage from;
		socklen_t len = sizeof(from);
		struct addr peer;
		int client =
			accept4(fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (client < 0) {
			if (!accept_error(listener, fd, errno))
				return;
		} else if (addr_from_sockaddr((struct sockaddr *)&from, len, &peer) < 0) {
			close(client);
		} else {
			client_take(listener, client, &peer);
		}
	}
}

static void on_pause_over(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct listener *listener = arg;

	accept_enable(listener, listener->phase == PHASE_SERVING);
}

void accept_enable(struct listener *listener, bool on)
{
	sockets_enable(&listener->sockets, on);
}

void accept_start(struct listener *listener)
{
	if (sockets_watch(&listener->sockets, listener, on_accept) < 0)
		log_error("out of memory: not every address is listened on");
	accept_enable(listener,
		listener->phase == PHASE_SERVING && !evtimer_pending(listener->accept_pause, NULL));
}

int accept_init(struct listener *listener)
{
	listener->accept_pause = listener_timer(listener, on_pause_over, listener);
	listener->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return listener->accept_pause && listener->spare_fd >= 0 ? conns_init(listener) : -ENOMEM;
}
