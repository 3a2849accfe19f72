/* SIGHUP: all or nothing. See listener.h.
 *
 * idle -> reading -> starting -> taking -> idle; from each stage back to idle with a reason, and
 * then the old configuration stays as it was.
 *
 * - reading: a reader child loads and checks the new configuration.
 * - starting: a new signer and egress start from their new slices; the new addresses are bound.
 * - taking: the broker has the new configuration and the new links, and says whether it takes them.
 *
 * Only then do limits, sessions' settings and sockets change. The old signer and egress go when the
 * broker closes its links to them. A SIGHUP that comes in the middle is obeyed afterwards. */
#include "server/listener/listener.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/text.h"
#include "server/listener/reader.h"
#include "server/listener/systemd.h"

bool reload_is_candidate(const struct role_process *process)
{
	const struct listener_reload *reload = &process->listener->reload;

	return process == reload->signer || process == reload->egress;
}

static void reader_end(struct listener_reload *reload)
{
	if (reload->reader > 0)
		kill(reload->reader, SIGKILL); /* answered, or too late */
	reload->reader = 0;
	if (reload->reader_event)
		event_free(reload->reader_event);
	reload->reader_event = NULL;
	fd_closep(&reload->reader_fd);
}

void reload_reader_gone(struct listener *listener, pid_t pid)
{
	if (listener->reload.reader == pid)
		listener->reload.reader = 0;
}

static void candidate_drop(struct role_process **candidate)
{
	struct role_process *process = *candidate;

	*candidate = NULL;
	if (process && !process->leaving)
		process_leave(process, LISTENER_LEAVE_MS);
}

/* Whatever is left of an attempt goes; what was handed on is NULL or -1 by then. */
static void reload_clear(struct listener *listener)
{
	struct listener_reload *reload = &listener->reload;

	reader_end(reload);
	candidate_drop(&reload->signer);
	candidate_drop(&reload->egress);
	sockets_close(&reload->sockets);
	listener_conf_free(reload->conf);
	reload->conf = NULL;
	shares_close(reload->shares);
	reload->stage = RELOAD_IDLE;
}

static void reload_over(struct listener *listener)
{
	reload_clear(listener);
	if (listener->phase < PHASE_DRAINING)
		systemd_ready();
	reload_next(listener);
}

void reload_refuse(struct listener *listener, const char *reason, bool tell_broker)
{
	struct link *broker = roles_broker(listener);

	if (listener->reload.stage == RELOAD_IDLE)
		return;
	log_error("reload refused: %s", reason);
	if (tell_broker && broker)
		link_send(broker, IPC_CONF_REFUSED, 0,
			&(struct msg_reason){ .reason = (char *)(uintptr_t)reason }, NULL, 0);
	reload_over(listener);
	for (enum role role = ROLE_SIGNER;
		role <= ROLE_EGRESS && roles_broker(listener) && listener->phase < PHASE_DRAINING;
		role++)
		if (!listener->slots[role].process)
			roles_fill(listener, role, 0);
}

/* ---- taking ---- */

/* The broker's word. Old processes leave their slots but live on until the broker has closed its
 * links to them. */
void reload_taken(struct listener *listener, uint64_t generation)
{
	struct listener_reload *reload = &listener->reload;
	char where[CONF_LISTEN_MAX * (ADDR_TEXT_MAX + 2)] = "";

	if (reload->stage != RELOAD_TAKING || generation != listener->generation + 1) {
		log_error("broker: took configuration %llu, which nobody offers",
			(unsigned long long)generation);
		return;
	}
	struct role_process *fresh[] = { reload->signer, reload->egress };
	reload->signer = reload->egress = NULL;
	for (size_t i = 0; i < 2; i++) {
		struct role_process *old =
			fresh[i] ? listener->slots[fresh[i]->role].process : NULL;

		if (old)
			process_leave(old, LISTENER_RETIRE_MS);
		if (fresh[i])
			process_install(fresh[i]);
	}
	listener_conf_free(listener->conf);
	listener->conf = reload->conf;
	reload->conf = NULL;
	shares_close(listener->shares);
	for (size_t i = 0; i < READER_FDS; i++) {
		listener->shares[i] = reload->shares[i];
		reload->shares[i] = -1;
	}
	listener->generation = generation;
	sockets_close(&listener->sockets);
	listener->sockets = reload->sockets;
	reload->sockets.count = 0;
	accept_start(listener);
	listener_apply_log(listener, listener->conf);
	sockets_describe(&listener->sockets, where, sizeof(where));
	log_info("reload: configuration %llu is in force, listening on %s",
		(unsigned long long)generation, where);
	reload_over(listener);
}

static void reload_offer(struct listener *listener)
{
	struct listener_reload *reload = &listener->reload;
	struct link *broker = roles_broker(listener);
	struct msg_conf conf = { .generation = listener->generation + 1 };
	struct err err = { "" };

	if (sockets_open(&reload->sockets, reload->conf, &listener->sockets, &err) < 0) {
		reload_refuse(listener, err.text, true);
		return;
	}
	reload->stage = RELOAD_TAKING;
	if (!broker ||
		link_send(broker, IPC_CONF, 0, &conf, &reload->shares[READER_BUNDLE], 1) < 0 ||
		process_introduce(reload->signer) < 0 || process_introduce(reload->egress) < 0)
		reload_refuse(listener, "the broker cannot be reached", false);
}

/* ---- starting ---- */

void reload_ready(struct role_process *candidate)
{
	struct listener_reload *reload = &candidate->listener->reload;

	if (reload->stage == RELOAD_STARTING && reload->signer && reload->signer->ready &&
		reload->egress && reload->egress->ready)
		reload_offer(candidate->listener);
}

static void reload_start(struct listener *listener)
{
	struct listener_reload *reload = &listener->reload;
	struct err err = { "" };

	reload->stage = RELOAD_STARTING;
	reload->signer = process_start(
		listener, ROLE_SIGNER, reload->shares, listener->generation + 1, &err);
	if (reload->signer)
		reload->egress = process_start(
			listener, ROLE_EGRESS, reload->shares, listener->generation + 1, &err);
	if (!reload->egress)
		reload_refuse(listener, err.text, true);
}

/* ---- reading ---- */

static void keep_text(char **fresh, char *const *now, const char *key)
{
	char *copy;

	if (text_equal(*fresh, *now) || !(copy = strdup(*now)))
		return;
	log_warning("reload: '%s' has changed; that needs a restart", key);
	free(*fresh);
	*fresh = copy;
}

/* What cannot change in a running gateway stays as it is. */
static void keep_fixed(struct listener_conf *fresh, const struct listener_conf *now)
{
	keep_text(&fresh->host_key, &now->host_key, "host_key");
	keep_text(&fresh->state_dir, &now->state_dir, "state_dir");
	keep_text(&fresh->control_socket, &now->control_socket, "control_socket");
	keep_text(&fresh->run_as, &now->run_as, "run_as");
	fresh->uid = now->uid;
	fresh->gid = now->gid;
	fresh->control_gid = now->control_gid;
}

static void on_reader(evutil_socket_t fd, short what, void *arg)
{
	struct listener *listener = arg;
	struct listener_reload *reload = &listener->reload;
	struct err err = { "" };
	int rc;

	if (what & EV_TIMEOUT)
		rc = err_set(&err, -ETIMEDOUT, "the reader took longer than %d s",
			READER_TIME_MS / 1000);
	else
		rc = reader_result(fd, &reload->conf, reload->shares, &err);
	reader_end(reload);
	if (rc < 0) {
		reload_refuse(listener, err.text, true);
		return;
	}
	keep_fixed(reload->conf, listener->conf);
	reload_start(listener);
}

static void reload_read(struct listener *listener)
{
	struct listener_reload *reload = &listener->reload;
	const struct timeval limit = { .tv_sec = READER_TIME_MS / 1000 };
	struct err err = { "out of memory" };

	systemd_reloading();
	reload->stage = RELOAD_READING;
	if (reader_start(listener->options->mains, listener->options->config, &reload->reader,
		    &reload->reader_fd, &err) == 0) {
		reload->reader_event =
			event_new(listener->base, reload->reader_fd, EV_READ, on_reader, listener);
		if (reload->reader_event && event_add(reload->reader_event, &limit) == 0)
			return;
	}
	reload_refuse(listener, err.text, true);
}

void reload_next(struct listener *listener)
{
	struct listener_reload *reload = &listener->reload;

	if (!reload->again || listener->phase != PHASE_SERVING || reload->stage != RELOAD_IDLE)
		return;
	reload->again = false;
	reload_read(listener);
}

void reload_request(struct listener *listener)
{
	if (listener->phase >= PHASE_DRAINING) {
		log_warning("reload refused: this instance is ending");
		return;
	}
	listener->reload.again = true;
	reload_next(listener);
}
