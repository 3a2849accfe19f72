/* Broker, signer and egress: started, watched, replaced. See listener.h.
 *
 * A part is one process; a post is the office it holds. A signer or egress that dies is replaced
 * after a back-off, and the new one's link goes to the broker. When the broker dies, its sessions
 * end by themselves (their links close), and all three are started anew: signer and egress too,
 * since their links led to the dead one. */
#include "server/listener/listener.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include "common/clock.h"
#include "common/log.h"

static const enum role staffed[] = { ROLE_SIGNER, ROLE_EGRESS, ROLE_BROKER };
#define STAFFED (sizeof(staffed) / sizeof(staffed[0]))

struct link *roles_broker(struct listener *listener)
{
	struct part *part = listener->posts[ROLE_BROKER].part;

	return part && !part->leaving && link_up(&part->link) ? &part->link : NULL;
}

/* ---- posts ---- */

void roles_check(struct listener *listener)
{
	for (size_t i = 0; i < STAFFED; i++) {
		const struct part *part = listener->posts[staffed[i]].part;

		if (!part || !part->ready)
			return;
	}
	listener_serve(listener);
}

static void post_fill(struct listener *listener, enum role role)
{
	struct err err = { "" };
	struct part *part;

	if (listener->posts[role].part)
		return;
	part = part_start(listener, role, listener->bundle, listener->generation, &err);
	if (part) {
		part_install(part);
		return;
	}
	log_error("%s", err.text);
	roles_fill(listener, role, LISTENER_BACKOFF_MAX_MS);
}

static void on_post_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct listener *listener = arg;

	for (size_t i = 0; i < STAFFED && listener->phase < PHASE_DRAINING; i++) {
		struct post *post = &listener->posts[staffed[i]];

		if (!post->part && !(post->timer && evtimer_pending(post->timer, NULL)))
			post_fill(listener, staffed[i]);
	}
}

void roles_fill(struct listener *listener, enum role role, int64_t delay_ms)
{
	struct post *post = &listener->posts[role];

	if (!post->timer)
		post->timer = listener_timer(listener, on_post_timer, listener);
	if (post->timer)
		listener_timer_in(post->timer, delay_ms);
}

int roles_start(struct listener *listener, struct err *err)
{
	for (size_t i = 0; i < STAFFED; i++) {
		struct part *part = part_start(
			listener, staffed[i], listener->bundle, listener->generation, err);

		if (!part)
			return -ECHILD;
		part_install(part);
	}
	return 0;
}

/* ---- ends ---- */

static int64_t post_delay(struct post *post, int64_t lived_ms)
{
	if (lived_ms >= LISTENER_STEADY_MS || !post->delay_ms)
		post->delay_ms = LISTENER_BACKOFF_MIN_MS;
	else if (post->delay_ms < LISTENER_BACKOFF_MAX_MS)
		post->delay_ms = post->delay_ms * 2 < LISTENER_BACKOFF_MAX_MS
					 ? post->delay_ms * 2
					 : LISTENER_BACKOFF_MAX_MS;
	return post->delay_ms;
}

static void describe_end(const struct part *part, int status, struct err *ret)
{
	if (WIFSIGNALED(status))
		err_set(ret, 0, "%s %d died of signal %d (%s)", role_name(part->role),
			(int)part->pid, WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		err_set(ret, 0, "%s %d ended with status %d", role_name(part->role), (int)part->pid,
			WEXITSTATUS(status));
}

/* Sessions see their links close. Whoever was linked to the dead broker goes with it. */
static void broker_lost(struct listener *listener)
{
	for (size_t i = 0; i < STAFFED; i++) {
		struct post *post = &listener->posts[staffed[i]];

		if (post->timer)
			evtimer_del(post->timer);
		if (post->part)
			part_leave(post->part, LISTENER_LEAVE_MS);
	}
	conns_orphaned(listener);
}

static void part_replace(
	struct listener *listener, enum role role, int64_t lived_ms, const char *how)
{
	int64_t delay_ms = post_delay(&listener->posts[role], lived_ms);

	if (role == ROLE_BROKER) {
		broker_lost(listener);
		reload_refuse(listener, "the broker died", false);
		if (listener->phase == PHASE_SERVING)
			listener_phase_set(listener, PHASE_RECOVERING);
	}
	if (listener->phase >= PHASE_DRAINING) {
		log_error("%s", how);
		return;
	}
	log_error("%s; starting %s in %lld ms", how,
		role == ROLE_BROKER ? "all roles again" : "another", (long long)delay_ms);
	roles_fill(listener, role, delay_ms);
	for (size_t i = 0; role == ROLE_BROKER && i < STAFFED; i++)
		if (staffed[i] != ROLE_BROKER)
			roles_fill(listener, staffed[i], delay_ms);
}

/* While a reload is taken, the broker may let the old signer and egress go before we have read that
 * it did; if it refuses in the end, reload_refuse() fills the post. */
static bool end_expected(const struct part *part)
{
	return part->leaving ||
	       (part->listener->reload.stage == RELOAD_TAKING && part->role != ROLE_BROKER);
}

static void part_ended(struct part *part, bool held, const char *how)
{
	struct listener *listener = part->listener;

	if (reload_is_candidate(part)) {
		reload_refuse(listener, how, true);
	} else if (held && listener->phase == PHASE_STARTING) {
		listener_fail(listener, how);
	} else if (held && !end_expected(part)) {
		part_replace(listener, part->role, clock_mono_ms() - part->started, how);
	} else {
		log_debug("%s", how);
	}
}

static struct part *part_of(struct listener *listener, pid_t pid)
{
	struct part *part;

	TAILQ_FOREACH(part, &listener->parts, entry)
	if (part->pid == pid)
		return part;
	return NULL;
}

bool part_gone(struct listener *listener, pid_t pid, int status)
{
	struct part *part = part_of(listener, pid);
	struct err how;
	bool held;

	if (!part)
		return false;
	describe_end(part, status, &how);
	part->pid = 0;
	if (part->link.ipc)
		link_drain(&part->link); /* its last words: the reason, mostly */
	held = listener->posts[part->role].part == part;
	if (held)
		listener->posts[part->role].part = NULL;
	part_ended(part, held, how.text);
	part_free(part);
	drain_check(listener);
	return true;
}

/* The broker goes first: it closes its links to the others, and they end. */
void roles_finish(struct listener *listener)
{
	for (size_t i = 0; i < STAFFED; i++) {
		struct post *post = &listener->posts[staffed[i]];

		if (post->timer)
			evtimer_del(post->timer);
		if (post->part)
			part_leave(post->part, LISTENER_LEAVE_MS);
	}
}

void parts_free(struct listener *listener)
{
	while (!TAILQ_EMPTY(&listener->parts))
		part_free(TAILQ_FIRST(&listener->parts));
	for (size_t i = 0; i < ROLES; i++)
		if (listener->posts[i].timer)
			event_free(listener->posts[i].timer);
}
