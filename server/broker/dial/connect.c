/* Connections to targets, made by egress, with a limit for each target: an sshd drops some of a
 * hundred logins at the same time (MaxStartups).
 *
 * A connection counts from its dial until connect_release(), that is until the outbound leg is
 * authenticated, or until the time for a handshake is over, whichever comes first. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/fd.h"
#include "common/log.h"
#include "server/broker/dial/dial.h"

enum connect_state { CONNECT_QUEUED, CONNECT_DIALLING, CONNECT_DONE };

struct connect {
	TAILQ_ENTRY(connect) entry;
	struct broker *broker;
	enum connect_state state;
	char *name, *host, *family;
	uint16_t port;
	struct question *question;
	/* while queued: when to give up; when connected: when it stops counting against the
	 * limit */
	struct event *timer;
	connect_done_fn *done;
	void *context;
	struct connect **slot;
};

static void next_in_line(struct broker *broker);

static void unlink_free(struct connect *connect)
{
	struct broker *broker = connect->broker;

	if (connect->slot)
		*connect->slot = NULL;
	question_cancel(&connect->question);
	TAILQ_REMOVE(&broker->private->connects, connect, entry);
	if (connect->timer)
		event_free(connect->timer);
	free(connect->name), free(connect->host), free(connect->family), free(connect);
	next_in_line(broker);
}

void connect_release(struct connect **slot)
{
	if (*slot)
		unlink_free(*slot);
}

static bool same_place(const struct connect *a, const struct connect *b)
{
	return a->port == b->port && !strcasecmp(a->name, b->name);
}

static bool has_room(struct broker *broker, const struct connect *wanted)
{
	int64_t taken = 0;
	const struct connect *other;

	for (other = TAILQ_FIRST(&broker->private->connects); other;
		other = TAILQ_NEXT(other, entry))
		taken += other->state != CONNECT_QUEUED && same_place(other, wanted);
	return taken < broker->config->conf->dials_per_target;
}

/* The callback may release the connect. Otherwise, if the dial succeeded, it is kept to be
 * counted. */
static void tell(struct connect *connect, int *fd, const char *address, const char *reason)
{
	connect_done_fn *done = connect->done;
	void *context = connect->context;
	if (*fd < 0) {
		unlink_free(connect);
	} else {
		struct timeval wait = timeval_of(connect->broker->config->conf->handshake_time);
		connect->state = CONNECT_DONE;
		evtimer_add(connect->timer, &wait);
	}
	done(context, fd, address, reason);
	fd_closep(fd);
}

static void on_dialed(void *context, const void *data, struct ipc_raw *raw, const char *failure)
{
	struct connect *connect = context;
	const struct msg_dialed *msg = data;
	int fd = -1;

	evtimer_del(connect->timer);
	if (msg && msg->ok && raw->fd_count) {
		fd = raw->fds[0];
		raw->fds[0] = -1;
	}
	if (!failure)
		failure = fd < 0 ? msg->reason : "";
	tell(connect, &fd, msg ? msg->address : "", failure);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct connect *connect = arg;
	int none = -1;
	if (connect->state == CONNECT_DONE)
		unlink_free(connect);
	else
		tell(connect, &none, "",
			connect->state == CONNECT_QUEUED
				? "too many connections to it are being opened"
				: "the gateway's egress process is not running");
}

static int dial(struct connect *connect)
{
	const struct conf *conf = connect->broker->config->conf;
	struct msg_dial msg = {
		.host = connect->host,
		.port = connect->port,
		.family = connect->family,
		.timeout_ms = (uint32_t)conf->connect_time,
	};

	connect->state = CONNECT_DIALLING;
	return ask(connect->broker->private->egress, IPC_DIAL, &msg, conf->connect_time + 2000,
		on_dialed, connect, &connect->question);
}

/* A failure is reported from the loop, never from inside: the timer is set to now. */
static void try_dial(struct connect *connect)
{
	evtimer_del(connect->timer);
	if (dial(connect))
		evtimer_add(connect->timer, &(struct timeval){ 0 });
}

static void next_in_line(struct broker *broker)
{
	struct connect *connect;

	for (connect = TAILQ_FIRST(&broker->private->connects); connect;
		connect = TAILQ_NEXT(connect, entry))
		if (connect->state == CONNECT_QUEUED && has_room(broker, connect))
			try_dial(connect);
}

int connect_start(struct broker *broker, const struct connect_spec *spec, connect_done_fn *done,
	void *context, struct connect **slot, struct err *err)
{
	struct connect *connect = calloc(1, sizeof(*connect));

	if (!connect)
		return err_set(err, -ENOMEM, "out of memory");
	*connect = (struct connect){ .broker = broker,
		.name = strdup(spec->name),
		.host = strdup(spec->host),
		.family = strdup(spec->family),
		.port = spec->port,
		.done = done,
		.context = context,
		.slot = slot };
	connect->timer = evtimer_new(broker->base, on_timer, connect);
	TAILQ_INSERT_TAIL(&broker->private->connects, connect, entry);
	*slot = connect;
	struct timeval wait = timeval_of(2 * broker->config->conf->connect_time);
	if (!connect->name || !connect->host || !connect->family || !connect->timer ||
		evtimer_add(connect->timer, &wait)) {
		connect_release(slot);
		return err_set(err, -ENOMEM, "out of memory");
	}
	if (has_room(broker, connect))
		try_dial(connect);
	return 0;
}
