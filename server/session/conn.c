/* See conn.h: the loop, the sweep, the end. */
#include "server/session/conn.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "server/libssh/readahead.h"
#include "server/session/chan.h"
#include "server/session/shuttle.h"
#include "server/session/upstream.h"

#define PASSES 4	      /* turns of everything before poll() is asked again */
#define FDS_MAX (1 + 3 * 129) /* the broker; a leg's transport, shuttle, upstream */
/* bytes relayed since the last trim, after which memory is given back when the connection is
 * quiet */
#define TRIM_BYTES (8 * 1024 * 1024)

static volatile sig_atomic_t terminated; /* set by SIGTERM: the one flag that a handler needs */

static void on_sigterm(int sig)
{
	(void)sig;
	terminated = 1;
}

void conn_catch_signals(void)
{
	/* no SA_RESTART: poll() has to return */
	const struct sigaction action = { .sa_handler = on_sigterm };

	sigaction(SIGTERM, &action, NULL);
}

/* ---- lookups ---- */

struct leg *conn_leg(struct conn *conn, uint32_t id)
{
	struct leg *leg = conn->legs;

	while (leg && leg->id != id)
		leg = leg->next;
	return leg;
}

struct chan *conn_channel(struct conn *conn, uint32_t id)
{
	for (struct leg *leg = conn->legs; leg; leg = leg->next)
		for (struct chan *chan = leg->chans; chan; chan = chan->next)
			if (chan->id == id)
				return chan;
	return NULL;
}

unsigned conn_count_legs(const struct conn *conn)
{
	unsigned count = 0;

	for (const struct leg *leg = conn->legs; leg; leg = leg->next)
		count += !leg->outer;
	return count;
}

unsigned conn_count_channels(const struct conn *conn)
{
	unsigned count = 0;

	for (const struct leg *leg = conn->legs; leg; leg = leg->next)
		for (const struct chan *chan = leg->chans; chan; chan = chan->next)
			count++;
	return count;
}

/* ---- to the broker ---- */

void conn_send(struct conn *conn, enum ipc_type type, const void *msg)
{
	if (!conn->broker)
		return;
	int rc = ipc_send(conn->broker, type, 0, msg, NULL, 0);
	if (rc && rc != -EPIPE) /* the loop sees a dead link by itself */
		log_error("message '%s' could not be sent: %s", ipc_msg_name(type), strerror(-rc));
}

void conn_event(struct conn *conn, const struct leg *leg, const char *type, const char *fmt, ...)
{
	char detail[1024];
	enum session_event event;
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(detail, sizeof(detail), fmt, ap) < 0)
		*detail = 0;
	va_end(ap);
	if (session_event_parse(type, &event)) {
		log_error("there is no event '%s'", type);
		return;
	}
	if (!tally_admit(&conn->events, event, clock_mono_ms()))
		return;
	struct msg_event msg = {
		.leg = leg ? leg->id : 0,
		.type = (char *)type,
		.detail = { (const uint8_t *)detail, strlen(detail) },
	};
	conn_send(conn, IPC_EVENT, &msg);
}

/* The numbers of those that were not reported; all: now, for this is the end. */
static void report_more(struct conn *conn, bool all)
{
	enum session_event event;
	uint64_t more;

	while (tally_take(&conn->events, clock_mono_ms(), all, &event, &more)) {
		struct msg_event msg = { .type = (char *)session_event_name(event), .more = more };
		conn_send(conn, IPC_EVENT, &msg);
	}
}

void conn_end(struct conn *conn, unsigned exit, const char *reason)
{
	for (struct leg *leg = conn->legs; leg; leg = leg->next)
		if (!leg->outer)
			leg_end(leg, exit, reason);
	if (conn->legs && (!conn->legs->next || !conn->legs->outer))
		leg_end(conn->legs, exit, reason);
	else if (conn->legs) /* the outer leg ends after its inner ones: see can_free() */
		conn->legs->linger = conn->now + LEG_LINGER_MS;
}

/* ---- poll ---- */

struct pollset {
	struct pollfd fds[FDS_MAX];
	nfds_t count;
};

static void watch(struct pollset *set, int fd, short events)
{
	if (fd >= 0 && events && set->count < FDS_MAX)
		set->fds[set->count++] = (struct pollfd){ .fd = fd, .events = events };
}

static short revents_of(const struct pollset *set, int fd)
{
	for (nfds_t i = 0; i < set->count; i++)
		if (set->fds[i].fd == fd)
			return set->fds[i].revents;
	return 0;
}

static bool transport_eager(const struct transport *transport)
{
	return transport->session && (transport->touched || readahead_waiting(transport->fd));
}

static bool chan_eager(const struct chan *chan)
{
	return stream_can_move(&chan->in) || stream_can_move(&chan->out) ||
	       stream_can_move(&chan->err);
}

/* An inner leg that has ended may still have bytes in the socketpair: it is freed when the shuttle
 * has carried them. */
static bool can_free(const struct leg *leg)
{
	if (leg->outer || leg->state != LEG_DEAD)
		return false;
	return !leg->shuttle || shuttle_done(leg->shuttle);
}

/* There is something to do without any new input. */
static bool leg_eager(const struct leg *leg)
{
	/* a dead leg waits only for its shuttle's last bytes: poll() tells when they can be sent */
	if (leg->state == LEG_DEAD)
		return leg->outer || leg->transport.session || can_free(leg) ||
		       shuttle_can_move(leg->shuttle);
	if (!leg->kept && transport_eager(&leg->transport))
		return true;
	if (leg->upstream && leg->upstream->state != UPSTREAM_FAILED &&
		transport_eager(&leg->upstream->transport))
		return true;
	if (leg->shuttle && shuttle_can_move(leg->shuttle))
		return true;
	for (const struct chan *chan = leg->chans; chan; chan = chan->next)
		if (chan->state == CHAN_DONE || chan_eager(chan))
			return true;
	return false;
}

static bool has_work(const struct conn *conn)
{
	for (const struct leg *leg = conn->legs; leg; leg = leg->next)
		if (leg_eager(leg))
			return true;
	return false;
}

static void quickack(const struct conn *conn)
{
	for (const struct leg *leg = conn->legs; leg; leg = leg->next) {
		bool busy = leg->state < LEG_READY;
		for (const struct chan *chan = leg->chans; chan && !busy; chan = chan->next)
			busy = chan_busy(chan) || chan->state == CHAN_NEW;
		if (!busy)
			continue;
		transport_quickack(&conn->legs->transport);
		if (leg->upstream && leg->upstream->transport.session)
			transport_quickack(&leg->upstream->transport);
	}
}

static void collect(const struct conn *conn, struct pollset *set)
{
	set->count = 0;
	if (conn->broker) /* without the broker the process only writes its last messages */
		watch(set, ipc_fd(conn->broker),
			(short)(POLLIN | (ipc_pending(conn->broker) ? POLLOUT : 0)));
	for (const struct leg *leg = conn->legs; leg; leg = leg->next) {
		/* while a login is kept, nothing is read; only the end of the connection counts */
		if (leg->transport.session && leg->state != LEG_DEAD)
			watch(set, leg->transport.fd,
				leg->kept ? POLLHUP : transport_events(&leg->transport));
		if (leg->shuttle)
			watch(set, leg->shuttle->fd, shuttle_events(leg->shuttle));
		if (leg->upstream && leg->upstream->transport.session &&
			!transport_dead(&leg->upstream->transport))
			watch(set, leg->upstream->transport.fd,
				transport_events(&leg->upstream->transport));
	}
}

static int timeout_of(const struct conn *conn)
{
	int64_t due = tally_due(&conn->events);

	for (const struct leg *leg = conn->legs; leg; leg = leg->next)
		if (leg_due(leg) < due)
			due = leg_due(leg);
	if (due == INT64_MAX)
		return -1;
	int64_t wait = due - clock_mono_ms();
	if (wait <= 0)
		return 1;
	return wait > 60000 ? 60000 : (int)wait;
}

static void tell_readahead(const struct pollset *set)
{
	for (nfds_t i = 0; i < set->count; i++)
		if (set->fds[i].revents & (POLLIN | POLLHUP | POLLERR))
			readahead_ready(set->fds[i].fd);
}

/* ---- turns ---- */

static void turn(struct conn *conn, const struct pollset *set)
{
	conn->now = clock_mono_ms();
	for (struct leg *leg = conn->legs; leg; leg = leg->next) {
		leg_turn(leg, revents_of(set, leg->transport.fd) != 0 ||
				      readahead_waiting(leg->transport.fd));
		if (leg->shuttle) {
			shuttle_turn(leg->shuttle, revents_of(set, leg->shuttle->fd));
			if (leg->shuttle->not_ssh && leg->state < LEG_ENDING) {
				conn_event(conn, leg, "forward-refused",
					"a jump to '%s' that does not speak SSH", leg->target);
				leg_set_state(leg, LEG_DEAD);
			}
		}
	}
}

static void sweep_channels(struct leg *leg)
{
	for (struct chan **at = &leg->chans; *at;) {
		struct chan *chan = *at;
		bool gone = chan->state == CHAN_DONE ||
			    ((leg->state == LEG_DEAD || transport_dead(&leg->transport)) &&
				    stream_drained(&chan->in)) ||
			    (chan->client_closed && chan->state == CHAN_NEW);
		if (!gone) {
			at = &chan->next;
			continue;
		}
		*at = chan->next;
		chan_free(chan);
	}
}

static void sweep(struct conn *conn)
{
	for (struct leg **at = &conn->legs; *at;) {
		struct leg *leg = *at;
		sweep_channels(leg);
		if (leg->state == LEG_DEAD && leg->transport.session && !leg->outer)
			/* closes its end of the socketpair: the shuttle sees the end */
			transport_free(&leg->transport);
		if (!can_free(leg)) {
			at = &leg->next;
			continue;
		}
		*at = leg->next;
		leg_free(leg);
	}
	struct leg *outer = conn->legs;
	if (!outer || outer->state == LEG_DEAD)
		conn->ended = true;
	else if (outer->linger && !outer->next && outer->state < LEG_ENDING)
		leg_end(outer, 0, "the session has ended");
	else if (outer->linger && conn->now >= outer->linger + LEG_LINGER_MS)
		conn->ended = true;
}

static void passes(struct conn *conn, struct pollset *set)
{
	for (int i = 0; i < PASSES && !conn->ended; i++) {
		turn(conn, set);
		sweep(conn);
		if (!has_work(conn))
			break;
		set->count = 0; /* the results of poll() were for the first pass */
	}
}

/* After a large transfer the heap keeps the memory that it needed (2.3 MiB measured for one
 * session): give it back when nothing moves. */
static void trim(struct conn *conn)
{
	uint64_t bytes = 0;

	for (const struct leg *leg = conn->legs; leg; leg = leg->next) {
		for (const struct chan *chan = leg->chans; chan; chan = chan->next)
			bytes += chan->in.bytes + chan->out.bytes + chan->err.bytes;
		readahead_trim(leg->transport.fd);
		if (leg->upstream)
			readahead_trim(leg->upstream->transport.fd);
	}
	malloc_trim(0);
	conn->trimmed = bytes;
}

static bool worth_trimming(const struct conn *conn)
{
	uint64_t bytes = 0;

	for (const struct leg *leg = conn->legs; leg; leg = leg->next)
		for (const struct chan *chan = leg->chans; chan; chan = chan->next)
			bytes += chan->in.bytes + chan->out.bytes + chan->err.bytes;
	return bytes > conn->trimmed + TRIM_BYTES || (!conn->trimmed && conn->authenticated);
}

static int wait(struct conn *conn, struct pollset *set)
{
	quickack(conn);
	collect(conn, set);
	int timeout = has_work(conn) ? 0 : timeout_of(conn);
	bool quiet = timeout != 0 && worth_trimming(conn);
	int rc = poll(
		set->fds, set->count, quiet && (timeout < 0 || timeout > 1000) ? 1000 : timeout);
	if (rc == 0 && quiet)
		trim(conn);
	if (rc < 0 && errno != EINTR)
		return -errno;
	if (rc < 0)
		for (nfds_t i = 0; i < set->count; i++)
			set->fds[i].revents = 0;
	tell_readahead(set);
	return 0;
}

int conn_run(struct conn *conn)
{
	static struct pollset set; /* large: not on the stack */

	while (!conn->ended) {
		passes(conn, &set);
		report_more(conn, conn->ended);
		if (conn->ended)
			break;
		if (wait(conn, &set))
			return EXIT_GATEWAY;
		conn->now = clock_mono_ms();
		if (terminated && !conn->told_to_end) {
			conn->told_to_end = true;
			conn_end(conn, EXIT_WAIT,
				"the gateway is being restarted and the time for sessions to end "
				"by themselves is over: connect again");
		}
		if (conn->broker && !session_link_turn(conn)) {
			ipc_free(conn->broker);
			conn->broker = NULL;
			conn_end(conn, EXIT_GATEWAY,
				"the gateway lost its policy process: the session ends");
		}
	}
	return 0;
}
