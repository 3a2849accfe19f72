/* The egress role: the only process that opens connections to elsewhere.
 *
 * It does what the broker asks on its link (IPC_DIAL, IPC_DIAL_CANCEL) and hands connected sockets over; it holds no key, no policy and no
 * database, and reads nothing from the connections it makes. What it does read is hostile: name servers' answers, by libc in threads of this
 * process. It ends when its link closes. */
#include "server/egress.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/files.h"
#include "common/log.h"
#include "policy/config.h"
#include "server/broker_links.h"
#include "server/role.h"
#include "server/sandbox.h"

#define RESOLVER_OPTIONS "timeout:3 attempts:2" /* a resolver thread ends in bounded time, whoever waits for it */

struct egress {
	struct event_base *base;
	struct link broker;
	struct dials *dials;
};

static void answer(struct egress *egress, uint32_t id, int fd, const char *address, const char *reason)
{
	struct msg_dialed dialed = { .ok = fd >= 0, .reason = (char *)(uintptr_t)reason, .address = (char *)(uintptr_t)address };

	link_send(&egress->broker, IPC_DIALED, id, &dialed, &fd, fd >= 0);
}

static void on_dialed(void *context, uint32_t id, int fd, const char *address, const char *reason)
{
	log_debug("dial %u: %s%s", (unsigned)id, fd >= 0 ? "connected to " : "", fd >= 0 ? address : reason);
	answer(context, id, fd, address, reason);
	fd_closep(&fd);
}

static void egress_dial(struct egress *egress, uint32_t id, const void *msg)
{
	struct err err = { "" };

	if (dials_begin(egress->dials, id, msg, &err) < 0)
		answer(egress, id, -1, "", err.text);
}

static void egress_cancel(struct egress *egress, uint32_t id, const void *msg)
{
	(void)msg;
	dials_cancel(egress->dials, id);
}

static const struct {
	enum ipc_type type;
	void (*handle)(struct egress *egress, uint32_t id, const void *msg);
} requests[] = {
	{ IPC_DIAL, egress_dial }, { IPC_DIAL_CANCEL, egress_cancel },
};

static void on_message(struct link *link, struct ipc_raw *raw)
{
	struct egress *egress = link->owner;
	union link_msg msg;
	struct err err = { "" };

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		if (requests[i].type != raw->type)
			continue;
		if (link_decode(raw, &msg, &err) < 0) {
			log_error("broker: %s", err.text);
			answer(egress, raw->id, -1, "", err.text);
			return;
		}
		requests[i].handle(egress, raw->id, &msg);
		ipc_msg_free(raw->type, &msg);
		return;
	}
	log_error("broker: message '%s' is not for egress", ipc_msg_name(raw->type));
}

static void on_closed(struct link *link, const char *why)
{
	struct egress *egress = link->owner;

	log_debug("broker: %s", why);
	link_close(link);
	event_base_loopexit(egress->base, NULL);
}

static const struct link_ops broker_ops = { .message = on_message, .closed = on_closed };

/* One number of the configuration is wanted; the rest is forgotten again at once. */
static int keepalive_read(int bundle, uint32_t *ret, struct err *err)
{
	struct files *files = NULL;
	struct config *config = NULL;
	int rc = files_from_bundle(bundle, &files, err);

	rc = rc < 0 ? rc : config_load(files, files_first(files), &config, err);
	if (rc == 0)
		*ret = (uint32_t)(config->conf->keepalive / 1000);
	config_free(config);
	files_free(files);
	close(bundle);
	return rc;
}

/* curl_global_init() before the sandbox and before any thread. */
static int egress_enter(struct egress *egress, const struct role_start *start, struct err *err)
{
	uint32_t keepalive_s = 0;
	int rc = keepalive_read(start->bundle, &keepalive_s, err);

	clearenv(); /* no proxies, no resolver settings from whoever started us */
	setenv("RES_OPTIONS", RESOLVER_OPTIONS, 1);
	if (rc == 0 && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		rc = err_set(err, -ENOMEM, "libcurl does not start");
	rc = rc < 0 ? rc : role_drop(start, err);
	rc = rc < 0 ? rc : sandbox_egress(err);
	if (rc < 0)
		return rc;
	egress->base = event_base_new();
	if (!egress->base || link_open(&egress->broker, egress->base, start->peer, &broker_ops, egress) < 0)
		return err_set(err, -ENOMEM, "no event loop");
	return dials_new(egress->base, keepalive_s, on_dialed, egress, &egress->dials, err);
}

int egress_main(const struct role_start *start)
{
	struct egress egress = { 0 };
	struct err err = { "" };
	int rc = egress_enter(&egress, start, &err);

	if (rc < 0) {
		role_report_failed(start->parent, err.text);
		return 1;
	}
	if (role_report_ready(start->parent) < 0)
		return 1;
	rc = event_base_dispatch(egress.base);
	dials_free(egress.dials);
	link_close(&egress.broker);
	event_base_free(egress.base);
	return rc < 0;
}
