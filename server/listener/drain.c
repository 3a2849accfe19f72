/* How the listener ends. See listener.h.
 *
 * The first SIGTERM or SIGINT: nothing new is accepted. Live sessions go on, with their broker,
 * signer and egress, until they end or `drain` has passed; then they get SIGTERM, and SIGKILL after
 * that. The second signal: the broker ends at once, and with it every session.
 *
 * When no session is left the broker ends (it seals the transcripts and closes the store), and then
 * signer and egress, which end when the broker closes its links to them. */
#include "server/listener/listener.h"

#include <signal.h>

#include "common/clock.h"
#include "common/log.h"
#include "server/listener/systemd.h"

static const struct {
	int sig;	 /* to every session process; 0: none */
	int64_t then_ms; /* until the next step */
} steps[] = {
	{ SIGTERM, LISTENER_TERM_MS },
	{ SIGKILL, LISTENER_LEAVE_MS },
};

static void on_drain_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct listener *listener = arg;
	unsigned step = listener->drain_step < 2 ? listener->drain_step++ : 1;

	if (listener->conn_count && step == 0)
		log_warning(
			"%u connections are ended: they outlived the drain", listener->conn_count);
	conns_signal(listener, steps[step].sig, false);
	listener_timer_in(listener->drain_timer, steps[step].then_ms);
}

struct event *drain_timer_new(struct listener *listener)
{
	return listener_timer(listener, on_drain_timer, listener);
}

/* A broker that does not end in time is killed (process_leave). Sessions that are left see their
 * links close and end by themselves; if not, they are ended as after a drain. */
static void drain_finish(struct listener *listener)
{
	if (listener->phase != PHASE_ENDING)
		listener_phase_set(listener, PHASE_ENDING);
	roles_finish(listener);
	listener->drain_step = 0;
	listener_timer_in(listener->drain_timer, LISTENER_TERM_MS);
}

/* Scans do not count: they are no person's session, and nothing is lost with them. */
static unsigned live(const struct listener *listener)
{
	return listener->conn_count - listener->scans;
}

void drain_check(struct listener *listener)
{
	if (listener->phase == PHASE_DRAINING && (live(listener) == 0 || !roles_broker(listener)))
		drain_finish(listener);
	if (listener->phase == PHASE_ENDING && listener->conn_count == 0 &&
		TAILQ_EMPTY(&listener->processes))
		event_base_loopexit(listener->base, NULL);
}

static void drain_begin(struct listener *listener)
{
	char how_long[64];

	listener_phase_set(listener, PHASE_DRAINING);
	systemd_stopping();
	sockets_close(&listener->sockets);
	reload_refuse(listener, "this instance is ending", true);
	if (roles_broker(listener))
		link_send(roles_broker(listener), IPC_DRAIN, 0, &(struct msg_empty){ 0 }, NULL, 0);
	if (live(listener))
		log_info("draining: %u connections may go on for %s", live(listener),
			clock_duration_format(
				listener->conf->drain_ms, how_long, sizeof(how_long)));
	listener_timer_in(listener->drain_timer, listener->conf->drain_ms);
	drain_check(listener);
}

static void drain_now(struct listener *listener)
{
	if (live(listener))
		log_warning("ending at once with %u connections", live(listener));
	if (listener->phase < PHASE_DRAINING) {
		systemd_stopping();
		sockets_close(&listener->sockets);
	}
	drain_finish(listener);
	drain_check(listener);
}

void drain_request(struct listener *listener)
{
	if (listener->phase == PHASE_SERVING ||
		(listener->phase == PHASE_RECOVERING && listener->conn_count))
		drain_begin(listener);
	else
		drain_now(listener);
}
