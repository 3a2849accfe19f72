/* Broker, signer and egress: started, watched, replaced. See listener.h.
 *
 * A role_process is one process; a role_slot says which process has a role now. A signer or egress
 * that dies is replaced after a back-off, and the new one's link goes to the broker. When the
 * broker dies, its sessions end by themselves (their links close), and all three are started anew:
 * signer and egress too, since their links led to the dead one. */
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
	struct role_process *process = listener->slots[ROLE_BROKER].process;

	return process && !process->leaving && link_up(&process->link) ? &process->link : NULL;
}

/* ---- slots ---- */

void roles_check(struct listener *listener)
{
	for (size_t i = 0; i < STAFFED; i++) {
		const struct role_process *process = listener->slots[staffed[i]].process;

		if (!process || !process->ready)
			return;
	}
	listener_serve(listener);
}

static void slot_fill(struct listener *listener, enum role role)
{
	struct err err = { "" };
	struct role_process *process;

	if (listener->slots[role].process)
		return;
	process = process_start(listener, role, listener->shares, listener->generation, &err);
	if (process) {
		process_install(process);
		return;
	}
	log_error("%s", err.text);
	roles_fill(listener, role, LISTENER_BACKOFF_MAX_MS);
}

static void on_slot_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct listener *listener = arg;

	for (size_t i = 0; i < STAFFED && listener->phase < PHASE_DRAINING; i++) {
		struct role_slot *slot = &listener->slots[staffed[i]];

		if (!slot->process && !(slot->timer && evtimer_pending(slot->timer, NULL)))
			slot_fill(listener, staffed[i]);
	}
}

void roles_fill(struct listener *listener, enum role role, int64_t delay_ms)
{
	struct role_slot *slot = &listener->slots[role];

	if (!slot->timer)
		slot->timer = listener_timer(listener, on_slot_timer, listener);
	if (slot->timer)
		listener_timer_in(slot->timer, delay_ms);
}

int roles_start(struct listener *listener, struct err *err)
{
	for (size_t i = 0; i < STAFFED; i++) {
		struct role_process *process = process_start(
			listener, staffed[i], listener->shares, listener->generation, err);

		if (!process)
			return -ECHILD;
		process_install(process);
	}
	return 0;
}

/* ---- ends ---- */

static int64_t slot_delay(struct role_slot *slot, int64_t lived_ms)
{
	if (lived_ms >= LISTENER_STEADY_MS || !slot->delay_ms)
		slot->delay_ms = LISTENER_BACKOFF_MIN_MS;
	else if (slot->delay_ms < LISTENER_BACKOFF_MAX_MS)
		slot->delay_ms = slot->delay_ms * 2 < LISTENER_BACKOFF_MAX_MS
					 ? slot->delay_ms * 2
					 : LISTENER_BACKOFF_MAX_MS;
	return slot->delay_ms;
}

static void describe_end(const struct role_process *process, int status, struct err *ret)
{
	if (WIFSIGNALED(status))
		err_set(ret, 0, "%s %d died of signal %d (%s)", role_name(process->role),
			(int)process->pid, WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		err_set(ret, 0, "%s %d ended with status %d", role_name(process->role),
			(int)process->pid, WEXITSTATUS(status));
}

/* Sessions see their links close. Whoever was linked to the dead broker goes with it. */
static void broker_lost(struct listener *listener)
{
	for (size_t i = 0; i < STAFFED; i++) {
		struct role_slot *slot = &listener->slots[staffed[i]];

		if (slot->timer)
			evtimer_del(slot->timer);
		if (slot->process)
			process_leave(slot->process, LISTENER_LEAVE_MS);
	}
	conns_orphaned(listener);
}

static void process_replace(
	struct listener *listener, enum role role, int64_t lived_ms, const char *how)
{
	int64_t delay_ms = slot_delay(&listener->slots[role], lived_ms);

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
 * it did; if it refuses in the end, reload_refuse() fills the slot. */
static bool end_expected(const struct role_process *process)
{
	return process->leaving ||
	       (process->listener->reload.stage == RELOAD_TAKING && process->role != ROLE_BROKER);
}

static void process_ended(struct role_process *process, bool in_office, const char *how)
{
	struct listener *listener = process->listener;

	if (reload_is_candidate(process)) {
		reload_refuse(listener, how, true);
	} else if (in_office && listener->phase == PHASE_STARTING) {
		listener_fail(listener, how);
	} else if (in_office && !end_expected(process)) {
		process_replace(listener, process->role, clock_mono_ms() - process->started, how);
	} else {
		log_debug("%s", how);
	}
}

static struct role_process *process_of(struct listener *listener, pid_t pid)
{
	struct role_process *process;

	TAILQ_FOREACH(process, &listener->processes, entry)
	if (process->pid == pid)
		return process;
	return NULL;
}

bool process_gone(struct listener *listener, pid_t pid, int status)
{
	struct role_process *process = process_of(listener, pid);
	struct err how;
	bool in_office;

	if (!process)
		return false;
	describe_end(process, status, &how);
	process->pid = 0;
	if (process->link.ipc)
		link_drain(&process->link); /* what it still had to say: mostly the reason */
	in_office = listener->slots[process->role].process == process;
	if (in_office)
		listener->slots[process->role].process = NULL;
	process_ended(process, in_office, how.text);
	process_free(process);
	drain_check(listener);
	return true;
}

/* The broker goes first: it closes its links to the others, and they end. */
void roles_finish(struct listener *listener)
{
	for (size_t i = 0; i < STAFFED; i++) {
		struct role_slot *slot = &listener->slots[staffed[i]];

		if (slot->timer)
			evtimer_del(slot->timer);
		if (slot->process)
			process_leave(slot->process, LISTENER_LEAVE_MS);
	}
}

void processes_free(struct listener *listener)
{
	while (!TAILQ_EMPTY(&listener->processes))
		process_free(TAILQ_FIRST(&listener->processes));
	for (size_t i = 0; i < ROLES; i++)
		if (listener->slots[i].timer)
			event_free(listener->slots[i].timer);
}
