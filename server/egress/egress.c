/* The egress role: the only process that opens connections to elsewhere.
 *
 * It does what the broker asks on its link: connects to targets and hands the sockets over, of
 * which it reads nothing; and asks identity providers on its own (server/egress/provider.c,
 * server/egress/login.c). It holds no key of ours, no policy and no database; the clients' secrets
 * and people's access tokens end here. What it reads is hostile: name servers' answers, by libc in
 * threads of this process, and what providers send. It ends when its link closes. */
#include "server/egress/egress.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/json.h"
#include "common/log.h"
#include "common/text.h"
#include "server/egress/dial.h"
#include "server/egress/http.h"
#include "server/egress/login.h"
#include "server/egress/provider.h"
#include "server/egress/webhook.h"
#include "server/role/egress_conf.h"
#include "server/role/link.h"
#include "server/role/role.h"
#include "server/role/sandbox.h"

/* a resolver thread ends in bounded time, whoever waits for it */
#define RESOLVER_OPTIONS "timeout:3 attempts:2"

struct egress {
	struct event_base *base;
	struct link broker;
	struct egress_conf *conf;
	struct dials *dials;
	struct http_loop *http;
	struct providers *providers;
	struct logins *logins;
	struct posts *posts;
};

static void answer(
	struct egress *egress, uint32_t id, int fd, const char *address, const char *reason)
{
	struct msg_dialed dialed = { .ok = fd >= 0,
		.reason = (char *)(uintptr_t)reason,
		.address = (char *)(uintptr_t)address };

	link_send(&egress->broker, IPC_DIALED, id, &dialed, &fd, fd >= 0);
}

static void on_dialed(void *context, uint32_t id, int fd, const char *address, const char *reason)
{
	log_debug("dial %u: %s%s", (unsigned)id, fd >= 0 ? "connected to " : "",
		fd >= 0 ? address : reason);
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

/* ---- providers and logins ---- */

static void on_provider_changed(void *context, struct provider *provider, bool tell)
{
	struct egress *egress = context;
	struct provider_view view;

	provider_view(provider, &view);
	const struct msg_provider_state state = {
		.provider = view.conf->name,
		.ok = view.ok,
		.reason = (char *)(uintptr_t)view.reason,
		.jwks = view.jwks,
		.fetched = view.fetched,
		.logout = view.discovery ? view.discovery->logout : NULL,
	};
	if (tell)
		link_send(&egress->broker, IPC_PROVIDER_STATE, 0, &state, NULL, 0);
	logins_provider_changed(egress->logins, provider);
}

static void on_login_code(void *context, uint32_t id, const struct msg_login_code *code)
{
	struct egress *egress = context;

	link_send(&egress->broker, IPC_LOGIN_CODE, id, code, NULL, 0);
}

static void on_login_done(void *context, uint32_t id, const struct msg_login_done *done)
{
	struct egress *egress = context;

	link_send(&egress->broker, IPC_LOGIN_DONE, id, done, NULL, 0);
}

static void egress_login(struct egress *egress, uint32_t id, const void *msg)
{
	logins_begin(egress->logins, id, msg);
}

static void egress_login_cancel(struct egress *egress, uint32_t id, const void *msg)
{
	(void)msg;
	logins_cancel(egress->logins, id);
}

static void egress_provider_refresh(struct egress *egress, uint32_t id, const void *msg)
{
	(void)id;
	const struct msg_provider *ask = msg;
	struct provider *provider = providers_find(egress->providers, ask->provider);

	if (provider)
		provider_refresh(provider);
}

static void on_posted(void *context, uint32_t id, bool ok, const char *reason)
{
	struct egress *egress = context;
	const struct msg_webhook_done done = { ok, (char *)(uintptr_t)reason };

	link_send(&egress->broker, IPC_WEBHOOK_DONE, id, &done, NULL, 0);
}

static void egress_post(struct egress *egress, uint32_t id, const void *msg)
{
	posts_begin(egress->posts, id, ((const struct msg_webhook *)msg)->json);
}

static const struct {
	enum ipc_type type;
	void (*handle)(struct egress *egress, uint32_t id, const void *msg);
} requests[] = {
	{ IPC_DIAL, egress_dial },
	{ IPC_DIAL_CANCEL, egress_cancel },
	{ IPC_LOGIN_START, egress_login },
	{ IPC_LOGIN_CANCEL, egress_login_cancel },
	{ IPC_PROVIDER_REFRESH, egress_provider_refresh },
	{ IPC_WEBHOOK, egress_post },
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
			if (raw->type == IPC_DIAL)
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

/* ---- start and end ---- */

static int conf_read(struct egress *egress, int slice, struct err *err)
{
	int rc = egress_conf_open(slice, &egress->conf, err);

	close(slice);
	rc = rc < 0 ? rc : posts_new(egress->conf, &egress->posts, err);
	return rc < 0 ? rc : providers_new(egress->conf, &egress->providers, err);
}

/* jansson's copies of tokens and secrets do not outlive their use either. */
static void free_burnt(void *memory)
{
	if (memory)
		text_burn(memory, malloc_usable_size(memory));
	free(memory);
}

static int loop_start(struct egress *egress, int peer, struct err *err)
{
	static const struct logins_ops ops = { .code = on_login_code, .done = on_login_done };
	int rc;

	egress->base = event_base_new();
	if (!egress->base ||
		link_open(&egress->broker, egress->base, peer, &broker_ops, egress) < 0)
		return err_set(err, -ENOMEM, "no event loop");
	rc = dials_new(
		egress->base, egress->conf->keepalive_s, on_dialed, egress, &egress->dials, err);
	rc = rc < 0 ? rc : http_loop_new(egress->base, &egress->http, err);
	if (rc < 0)
		return rc;
	struct http *http = http_loop_http(egress->http);
	posts_start(egress->posts, http, on_posted, egress);
	rc = logins_new(egress->base, egress->providers, http, &ops, egress, &egress->logins, err);
	return rc < 0 ? rc
		      : providers_start(egress->providers, egress->base, http, on_provider_changed,
				egress, err);
}

/* http_global_init() before the sandbox and before any thread; the clients' secrets while their
 * files can be opened. */
static int egress_enter(struct egress *egress, const struct role_start *start, struct err *err)
{
	json_set_alloc_funcs(malloc, free_burnt);
	clearenv(); /* no proxies, no resolver settings from whoever started us */
	setenv("RES_OPTIONS", RESOLVER_OPTIONS, 1);
	int rc = conf_read(egress, start->slice, err);
	rc = rc < 0 ? rc : http_global_init(err);
	rc = rc < 0 ? rc : role_drop(start, err);
	rc = rc < 0 ? rc : sandbox_egress(err);
	return rc < 0 ? rc : loop_start(egress, start->peer, err);
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
	logins_free(egress.logins);
	posts_free(egress.posts);
	providers_free(egress.providers);
	http_loop_free(egress.http);
	dials_free(egress.dials);
	egress_conf_free(egress.conf);
	link_close(&egress.broker);
	event_base_free(egress.base);
	return rc < 0;
}
