/* Reading a target's host keys: egress connects, a sandboxed process of its own (IPC_SCAN to the
 * listener) speaks SSH and reports the keys.
 *
 * One connection for each type of host key: leg 0 ed25519, 1 ecdsa, 2 rsa. The process answers each
 * grant with one IPC_SCANNED. Its answers are as untrusted as the target. */
#include "server/broker/dial/scan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/text.h"
#include "keys/sshkey.h"
#include "policy/target.h"
#include "server/broker/dial/dial.h"

#define SCAN_TYPES 3
#define SCAN_KEYS_MAX 16
#define SCANS_MAX 16

struct scan_part {
	struct scan *scan;
	uint32_t number;
	struct connect *connect;
	bool answered;
};

struct scan {
	LIST_ENTRY(scan) entry;
	struct broker *broker;
	uint32_t id;
	uint64_t connection; /* of its process, when it has arrived */
	struct link link;
	bool arrived, finished;
	char *name, *host, *family;
	uint16_t port;
	struct scan_part parts[SCAN_TYPES];
	char *keys[SCAN_KEYS_MAX + 1];
	size_t key_count;
	char reason[512];
	struct event *timer;
	scan_done_fn *done;
	void *context;
};

static void scan_free(void *arg)
{
	struct scan *scan = arg;

	for (size_t i = 0; i < scan->key_count; i++)
		free(scan->keys[i]);
	free(scan->name), free(scan->host), free(scan->family), free(scan);
}

static void finish(struct scan *scan)
{
	if (scan->finished)
		return;
	scan->finished = true;
	LIST_REMOVE(scan, entry);
	for (int i = 0; i < SCAN_TYPES; i++)
		connect_release(&scan->parts[i].connect);
	if (scan->arrived) {
		link_close(&scan->link);
		link_send(&scan->broker->private->parent, IPC_KILL, 0,
			&(struct msg_connection){ scan->connection }, NULL, 0);
	}
	if (scan->timer)
		event_free(scan->timer);
	if (!*scan->reason)
		snprintf(scan->reason, sizeof(scan->reason), "it showed no host key");
	if (scan->done)
		scan->done(scan->context, scan->key_count ? scan->keys : NULL,
			scan->key_count ? "" : scan->reason);
	broker_later(scan->broker, scan_free, scan);
}

static void part_done(struct scan_part *part, const char *reason)
{
	struct scan *scan = part->scan;
	bool all = true;

	part->answered = true;
	connect_release(&part->connect);
	if (*reason && !*scan->reason)
		text_clean(scan->reason, sizeof(scan->reason), reason, strlen(reason));
	for (int i = 0; i < SCAN_TYPES; i++)
		all = all && scan->parts[i].answered;
	if (all)
		finish(scan);
}

static void add_key(struct scan *scan, const char *line)
{
	SSHKEY_CLEANUP struct sshkey *key = NULL;
	BUF_CLEANUP struct buf clean = BUF_INIT(2 * SSHKEY_BLOB_MAX);
	struct err err;

	if (scan->key_count == SCAN_KEYS_MAX || sshkey_from_line(line, &key, &err) ||
		buf_puts(&clean, sshkey_type(key)) || buf_putc(&clean, ' '))
		return;
	struct bytes blob = sshkey_blob(key);
	if (text_base64(&clean, blob.data, blob.len) || !buf_cstr(&clean))
		return;
	for (size_t i = 0; i < scan->key_count; i++)
		if (!strcmp(scan->keys[i], buf_cstr(&clean)))
			return;
	if ((scan->keys[scan->key_count] = strdup(buf_cstr(&clean))))
		scan->key_count++;
}

static struct scan_part *waiting(struct scan *scan)
{
	for (int i = 0; i < SCAN_TYPES; i++)
		if (!scan->parts[i].answered)
			return &scan->parts[i];
	return NULL;
}

/* Answers are only counted: it does not matter to which grant one belongs. */
static void scan_message(struct link *link, struct ipc_raw *raw)
{
	struct scan *scan = link->owner;
	union link_msg msg;
	struct err err = { 0 };

	if (raw->type != IPC_SCANNED || link_decode(raw, &msg, &err)) {
		log_warning("scan of '%s': message '%s': %s", scan->name, ipc_msg_name(raw->type),
			*err.text ? err.text : "not allowed");
		finish(scan);
		return;
	}
	const struct msg_scanned *scanned = (const struct msg_scanned *)&msg;
	for (char **line = scanned->keys; *line; line++)
		add_key(scan, *line);
	struct scan_part *part = waiting(scan);
	if (part)
		part_done(part, scanned->reason);
	ipc_msg_free(raw->type, &msg);
}

static void scan_closed(struct link *link, const char *why)
{
	(void)why;
	finish(link->owner);
}

static const struct link_ops scan_ops = { scan_message, scan_closed, NULL };

static void on_connected(void *context, int *fd, const char *address, const char *reason)
{
	struct scan_part *part = context;
	struct scan *scan = part->scan;

	if (*fd < 0) {
		part_done(part, reason);
		return;
	}
	struct msg_grant out = {
		.leg = part->number,
		.ok = true,
		.address = (char *)address,
		.handshake_ms = (uint32_t)scan->broker->config->conf->handshake_time,
	};
	link_send(&scan->link, IPC_GRANT, 0, &out, fd, 1);
}

void scan_client(struct scan *scan, const struct msg_client *msg, int fd)
{
	const struct connect_spec spec = { scan->name, scan->host, scan->family, scan->port };
	struct err err;

	if (scan->arrived || fd < 0 ||
		link_open(&scan->link, scan->broker->base, fd, &scan_ops, scan)) {
		finish(scan);
		return;
	}
	scan->arrived = true;
	scan->connection = msg->connection;
	for (uint32_t i = 0; i < SCAN_TYPES && !scan->finished; i++)
		if (connect_start(scan->broker, &spec, on_connected, &scan->parts[i],
			    &scan->parts[i].connect, &err))
			part_done(&scan->parts[i], err.text);
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct scan *scan = arg;
	if (!*scan->reason)
		snprintf(scan->reason, sizeof(scan->reason), "it did not answer in time");
	finish(scan);
}

struct scan *scan_by_id(struct broker *broker, uint32_t id)
{
	struct scan *scan;

	for (scan = LIST_FIRST(&broker->private->scans); scan; scan = LIST_NEXT(scan, entry))
		if (scan->id == id)
			break;
	return scan;
}

bool scan_gone(struct broker *broker, uint64_t connection)
{
	struct scan *scan;

	for (scan = LIST_FIRST(&broker->private->scans); scan; scan = LIST_NEXT(scan, entry))
		if (scan->arrived && scan->connection == connection)
			break;
	if (!scan)
		return false;
	link_drain(&scan->link);
	finish(scan);
	return true;
}

static int begin(struct scan *scan)
{
	const struct conf *conf = scan->broker->config->conf;
	struct timeval wait = timeval_of(3 * (conf->connect_time + conf->handshake_time) + 5000);

	scan->timer = evtimer_new(scan->broker->base, on_timeout, scan);
	if (!scan->name || !scan->host || !scan->family || !scan->timer ||
		evtimer_add(scan->timer, &wait))
		return -ENOMEM;
	return link_send(&scan->broker->private->parent, IPC_SCAN, scan->id,
		&(struct msg_empty){ 0 }, NULL, 0);
}

static unsigned count(const struct broker *broker)
{
	unsigned n = 0;
	const struct scan *scan;

	for (scan = LIST_FIRST(&broker->private->scans); scan; scan = LIST_NEXT(scan, entry))
		n++;
	return n;
}

void scan_start(struct broker *broker, const struct target *target, const char *name, uint16_t port,
	scan_done_fn *done, void *context)
{
	static uint32_t last_id;
	struct scan *scan = count(broker) < SCANS_MAX ? calloc(1, sizeof(*scan)) : NULL;

	if (!scan) {
		done(context, NULL, "too many scans are running");
		return;
	}
	const char *family =
		target && target->family ? target->family : broker->config->conf->resolve_family;
	uint16_t default_port = target ? target->port : 22;
	*scan = (struct scan){ .broker = broker,
		.id = ++last_id,
		.name = strdup(name),
		.host = strdup(target && target->host ? target->host : name),
		.family = strdup(family),
		.port = port ? port : default_port,
		.done = done,
		.context = context };
	for (uint32_t i = 0; i < SCAN_TYPES; i++)
		scan->parts[i] = (struct scan_part){ .scan = scan, .number = i };
	LIST_INSERT_HEAD(&broker->private->scans, scan, entry);
	if (begin(scan)) {
		snprintf(scan->reason, sizeof(scan->reason), "the scan could not be started");
		finish(scan);
	}
}

void scan_forget(struct broker *broker, void *context)
{
	struct scan *next;

	for (struct scan *scan = LIST_FIRST(&broker->private->scans); scan; scan = next) {
		next = LIST_NEXT(scan, entry);
		if (scan->context == context) {
			scan->done = NULL;
			finish(scan);
		}
	}
}

void scans_close(struct broker *broker)
{
	struct scan *scan;

	while ((scan = LIST_FIRST(&broker->private->scans))) {
		scan->done = NULL;
		finish(scan);
	}
}
