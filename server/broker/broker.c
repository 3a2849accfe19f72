/* The broker: its start, the listener's messages, its end.
 *
 * Start: drop privileges, load the configuration from the bundle, open the store, close sessions
 * that a crash left open, listen on the control socket. IPC_READY is sent when signer and egress
 * are linked and the signer's public keys are known. The broker ends when its link to the listener
 * closes: it closes the record of every session and asks for a last checkpoint. */
#include "server/broker/broker.h"
#include "server/broker/client.h"
#include "server/broker/core/broker.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/fd.h"
#include "common/log.h"
#include "server/broker/access/break_glass.h"
#include "server/broker/approval/queue.h"
#include "server/broker/core/peer.h"
#include "server/broker/dial/scan.h"
#include "server/broker/login/issue.h"
#include "server/broker/login/revoke.h"
#include "server/broker/record/disk.h"
#include "server/broker/record/record.h"

static int take_fd(struct ipc_raw *raw)
{
	int fd = raw->fd_count ? raw->fds[0] : -1;

	if (raw->fd_count)
		raw->fds[0] = -1;
	return fd;
}

/* ---- the listener's messages ---- */

static void on_client(struct broker *broker, const void *data, struct ipc_raw *raw)
{
	const struct msg_client *msg = data;
	int fd = take_fd(raw);
	struct scan *scan = msg->scan ? scan_by_id(broker, raw->id) : NULL;

	if (scan)
		scan_client(scan, msg, fd);
	else if (msg->scan)
		/* nobody waits for this scan any more: its process ends when its link is closed */
		fd_closep(&fd);
	else
		client_arrived(broker, msg, fd);
}

static void on_client_gone(struct broker *broker, const void *data, struct ipc_raw *raw)
{
	(void)raw;
	const struct msg_client_gone *msg = data;
	if (!scan_gone(broker, msg->connection))
		client_gone(broker, msg);
}

static void on_role(struct broker *broker, const void *data, struct ipc_raw *raw)
{
	const struct msg_role *msg = data;

	roles_arrived(broker, msg->role, take_fd(raw));
}

static void on_conf(struct broker *broker, const void *data, struct ipc_raw *raw)
{
	const struct msg_conf *msg = data;

	reload_begin(broker, msg->generation, raw->fd_count ? raw->fds[0] : -1);
}

static void on_conf_refused(struct broker *broker, const void *data, struct ipc_raw *raw)
{
	(void)raw;
	const struct msg_reason *msg = data;
	reload_refused(broker, msg->reason);
}

static void on_drain(struct broker *broker, const void *data, struct ipc_raw *raw)
{
	(void)data, (void)raw;
	broker->private->draining = true;
}

static const struct {
	enum ipc_type type;
	void (*handle)(struct broker *, const void *, struct ipc_raw *);
} rows[] = {
	{ IPC_CLIENT, on_client },
	{ IPC_CLIENT_GONE, on_client_gone },
	{ IPC_ROLE, on_role },
	{ IPC_CONF, on_conf },
	{ IPC_CONF_REFUSED, on_conf_refused },
	{ IPC_DRAIN, on_drain },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void parent_message(struct link *link, struct ipc_raw *raw)
{
	struct broker *broker = link->owner;
	union link_msg msg;
	struct err err = { 0 };
	size_t i = 0;

	while (i < ROWS && rows[i].type != raw->type)
		i++;
	if (i == ROWS || link_decode(raw, &msg, &err)) {
		log_error("listener: message '%s': %s", ipc_msg_name(raw->type),
			*err.text ? err.text : "not a message for the broker");
		return;
	}
	rows[i].handle(broker, &msg, raw);
	ipc_msg_free(raw->type, &msg);
}

/* ---- the end ---- */

static void on_stop_timeout(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct broker *broker = arg;
	event_base_loopbreak(broker->base);
}

/* When the last client has ended: seals the records, asks for the last checkpoint, ends. */
static void stop_check(struct broker *broker)
{
	struct broker_private *private = broker->private;

	if (!private->stopping || !LIST_EMPTY(&private->clients))
		return;
	records_finish(broker);
	checkpoint_if_due(broker, true);
	if (!private->checkpoint)
		event_base_loopexit(broker->base, NULL);
}

/* Tells the sessions to end and gives them a moment. Transcripts that are open afterwards may still
 * be written to: recovery closes them at the next start. */
static void stop(struct broker *broker)
{
	struct broker_private *private = broker->private;
	struct timeval wait = timeval_of(BROKER_STOP_MS);
	struct client *next;

	private->stopping = true;
	control_close(broker);
	waiters_stop(broker);
	scans_close(broker);
	private->stop_timer = evtimer_new(broker->base, on_stop_timeout, broker);
	if (!private->stop_timer || evtimer_add(private->stop_timer, &wait))
		event_base_loopbreak(broker->base);
	for (struct client *client = LIST_FIRST(&private->clients); client; client = next) {
		next = LIST_NEXT(client, entry);
		client_stop(client);
	}
	stop_check(broker);
}

static void parent_closed(struct link *link, const char *why)
{
	struct broker *broker = link->owner;

	log_debug("the listener's link: %s", why);
	link_close(link);
	stop(broker);
}

static const struct link_ops parent_ops = { parent_message, parent_closed, NULL };

static void broker_close(struct broker *broker)
{
	struct broker_private *private = broker->private;

	reload_free(broker);
	issues_close(broker);
	question_cancel(&private->checkpoint);
	question_cancel(&private->keys_question);
	if (private->signer)
		service_close(private->signer);
	if (private->egress)
		service_close(private->egress);
	link_close(&private->parent);
	if (private->stop_timer)
		event_free(private->stop_timer);
	if (private->disk_timer)
		event_free(private->disk_timer);
	event_base_loop(broker->base, EVLOOP_NONBLOCK); /* frees what is to be freed later */
	queue_close(broker);
	glasses_close(broker);
	public_keys_release(&private->keys);
	revoked_list_free(broker);
	store_close(broker->store);
	config_free(broker->config);
	free(broker->conf_status.refused);
	event_base_free(broker->base);
}

/* ---- the start ---- */

static int load_config(const struct role_start *start, struct config **ret, struct err *err)
{
	struct files *files = NULL;
	int rc = files_from_bundle(start->bundle, &files, err);

	if (!rc)
		rc = config_load(files, files_first(files), ret, err);
	files_free(files);
	return rc;
}

/* The broker needs at least one descriptor for each connection. */
static void raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		log_debug("the limit of open files could not be raised");
}

static int recover(struct broker *broker, struct err *err)
{
	unsigned count = 0;
	int rc = store_open(broker->private->start->state_dir, false, &broker->store, err);

	if (!rc)
		rc = transcripts_recover(broker->store, clock_wall_ms(), &count, err);
	if (count)
		log_warning("%u sessions were open when the gateway last stopped: closed as lost",
			count);
	return rc;
}

static int audit_start(struct broker *broker, struct err *err)
{
	json_t *data = json_object();

	json_object_set_new(
		data, "generation", json_integer((json_int_t)broker->conf_status.generation));
	return broker_audit(broker, "broker-started", data)
		       ? err_set(err, -EIO, "the audit log cannot be written")
		       : 0;
}

static int broker_open(struct broker *broker, const struct role_start *start, struct err *err)
{
	struct broker_private *private = broker->private;
	int rc = role_drop(start, err);

	raise_files();
	if (!rc)
		rc = load_config(start, &broker->config, err);
	if (!rc)
		rc = revoked_list_load(broker, err);
	if (!rc)
		rc = recover(broker, err);
	if (rc)
		return rc;
	private->log_forced = (int)log_level() != log_level_parse(broker->config->conf->log_level);
	broker->conf_status.generation = start->generation ? start->generation : 1;
	broker->conf_status.taken = private->started = clock_wall_ms();
	rc = audit_start(broker, err);
	if (!rc && disk_watch(broker))
		rc = err_set(err, -ENOMEM, "a timer could not be set");
	if (!rc && start->control >= 0)
		rc = control_open(broker, start->control, err);
	if (!rc)
		rc = queue_open(broker, err);
	return rc;
}

int broker_main(const struct role_start *start)
{
	struct broker_private private = { .start = start, .on_idle = stop_check };
	struct broker broker = { .private = &private };
	struct err err = { 0 };

	signal(SIGPIPE, SIG_IGN);
	TAILQ_INIT(&private.connects);
	broker.base = event_base_new();
	if (!broker.base ||
		link_open(&private.parent, broker.base, start->parent, &parent_ops, &broker)) {
		log_error("broker: out of memory");
		return 1;
	}
	int rc = broker_open(&broker, start, &err);
	if (rc) {
		log_error("%s", err.text);
		link_send(
			&private.parent, IPC_FAILED, 0, &(struct msg_reason){ err.text }, NULL, 0);
	} else {
		event_base_dispatch(broker.base);
	}
	broker_close(&broker);
	return rc ? 1 : 0;
}
