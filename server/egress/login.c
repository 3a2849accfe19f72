/* See server/egress/login.h. The flow's own rules are in oidc/device.c; here are its requests, its
 * timer and its id. */
#include "server/egress/login.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "common/url.h"
#include "oidc/device.h"

#define FORM_MAX 65536

struct egress_login {
	TAILQ_ENTRY(egress_login) entry;
	struct logins *logins;
	uint32_t id;
	struct provider *provider;
	bool waiting; /* for the provider's discovery document */
	int64_t max_age;
	struct device device;
	struct event *timer;
	struct http_call *call;
	struct buf userinfo;
};

struct logins {
	struct event_base *base;
	struct providers *providers;
	struct http *http;
	struct logins_ops ops;
	void *context;
	TAILQ_HEAD(egress_login_list, egress_login) list;
	unsigned count;
};

static void login_free(struct egress_login *login)
{
	TAILQ_REMOVE(&login->logins->list, login, entry);
	login->logins->count--;
	http_cancel(&login->call);
	if (login->timer)
		event_free(login->timer);
	device_release(&login->device);
	buf_burn(&login->userinfo);
	free(login);
}

/* ---- answers ---- */

static void answer_failed(struct logins *logins, uint32_t id, const char *kind, const char *reason)
{
	const struct msg_login_done done = {
		.ok = false, .kind = (char *)(uintptr_t)kind, .reason = (char *)(uintptr_t)reason
	};

	log_info("login %u: %s: %s", (unsigned)id, kind, reason);
	logins->ops.done(logins->context, id, &done);
}

static void login_failed(struct egress_login *login, const char *kind, const char *why)
{
	struct logins *logins = login->logins;
	uint32_t id = login->id;
	char reason[640];

	snprintf(reason, sizeof(reason), "%s", why);
	login_free(login);
	answer_failed(logins, id, kind, reason);
}

static void login_done(struct egress_login *login)
{
	struct logins *logins = login->logins;
	const struct msg_login_done done = {
		.ok = true,
		.kind = (char *)(uintptr_t) "",
		.reason = (char *)(uintptr_t) "",
		.id_token = { (const uint8_t *)login->device.id_token,
			strlen(login->device.id_token) },
		.userinfo = buf_bytes(&login->userinfo),
	};

	logins->ops.done(logins->context, login->id, &done);
	login_free(login);
}

/* ---- requests ---- */

static int request_begin(struct egress_login *login, const char *url, struct buf *form,
	const char *bearer, size_t max, http_done_fn *done, struct err *err)
{
	struct provider_view view;
	int rc = 0;

	provider_view(login->provider, &view);
	bool basic = form && view.secret && (view.discovery->basic || !view.discovery->post);
	if (form && view.secret && !basic)
		rc = url_form_put(form, "client_secret", view.secret);
	const char *body = form ? buf_cstr(form) : NULL;
	if (rc < 0 || (form && !body))
		return err_set(err, -ENOMEM, "the request is too large");
	const struct http_request request = {
		.url = url,
		.form = body,
		.user = basic ? view.conf->client_id : NULL,
		.password = view.secret,
		.bearer = bearer,
		.ca = view.conf->ca,
		.allow_http = view.conf->allow_http,
		.connect_ms = view.conf->connect_time,
		.answer_ms = view.conf->answer_time,
		.body_max = max,
	};
	return http_begin(login->logins->http, &request, done, login, &login->call, err);
}

/* ---- userinfo: a second place for groups; without it the ID token has to do ---- */

static void on_userinfo(void *context, const struct http_answer *answer)
{
	struct egress_login *login = context;
	JSON_CLEANUP json_t *json = NULL;
	struct err err = { "" };

	if (http_answer_json(answer, IPC_DOCUMENT_MAX, &json, &err) < 0)
		log_warning("login %u: userinfo: %s", (unsigned)login->id, err.text);
	else if (!json_is_object(json))
		log_warning(
			"login %u: userinfo: the answer is not a JSON object", (unsigned)login->id);
	else if (buf_put(&login->userinfo, answer->body.data, answer->body.len) < 0)
		log_warning("login %u: userinfo: out of memory", (unsigned)login->id);
	login_done(login);
}

static void userinfo_begin(struct egress_login *login)
{
	struct provider_view view;
	struct err err = { "" };

	provider_view(login->provider, &view);
	if (!login->device.access_token || !view.discovery->userinfo) {
		login_done(login);
		return;
	}
	if (request_begin(login, view.discovery->userinfo, NULL, login->device.access_token,
		    IPC_DOCUMENT_MAX, on_userinfo, &err) < 0) {
		log_warning("login %u: userinfo: %s", (unsigned)login->id, err.text);
		login_done(login);
	}
}

/* ---- polling ---- */

static void poll_wait(struct egress_login *login)
{
	int64_t ms = login->device.next - clock_mono_ms();
	const struct timeval wait = { .tv_sec = ms > 0 ? (time_t)(ms / 1000) : 0,
		.tv_usec = ms > 0 ? (suseconds_t)(ms % 1000 * 1000) : 0 };

	evtimer_add(login->timer, &wait);
}

static void device_go_on(struct egress_login *login)
{
	switch (login->device.state) {
	case DEVICE_WAITING: poll_wait(login); break;
	case DEVICE_DONE: userinfo_begin(login); break;
	default: login_failed(login, login->device.kind, login->device.reason);
	}
}

static void on_polled(void *context, const struct http_answer *answer)
{
	struct egress_login *login = context;

	device_polled(&login->device, answer, clock_mono_ms());
	device_go_on(login);
}

static void poll_begin(struct egress_login *login)
{
	struct buf form = BUF_INIT(FORM_MAX);
	struct provider_view view;
	struct err err = { "" };
	int rc;

	provider_view(login->provider, &view);
	rc = device_poll_form(&login->device, view.conf->client_id, &form);
	rc = rc < 0 ? err_set(&err, rc, "the request is too large")
		    : request_begin(login, view.discovery->token, &form, NULL, DEVICE_ANSWER_MAX,
			      on_polled, &err);
	buf_burn(&form);
	if (rc < 0)
		login_failed(login, "refused", err.text);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct egress_login *login = arg;

	if (device_expire(&login->device, clock_mono_ms()))
		device_go_on(login);
	else
		poll_begin(login);
}

/* ---- beginning ---- */

static void on_started(void *context, const struct http_answer *answer)
{
	struct egress_login *login = context;
	struct provider_view view;

	provider_view(login->provider, &view);
	device_started(&login->device, answer, view.conf->allow_http, clock_mono_ms());
	if (login->device.state == DEVICE_WAITING) {
		const char *complete = login->device.uri_complete ? login->device.uri_complete : "";
		const struct msg_login_code code = { .user_code = login->device.user_code,
			.uri = login->device.uri,
			.uri_complete = (char *)(uintptr_t)complete,
			.expires = (uint32_t)login->device.expires_s };
		login->logins->ops.code(login->logins->context, login->id, &code);
	}
	device_go_on(login);
}

static void device_begin(struct egress_login *login)
{
	struct buf form = BUF_INIT(FORM_MAX);
	struct provider_view view;
	struct err err = { "" };
	int rc;

	provider_view(login->provider, &view);
	if (!view.discovery->device) {
		char words[640];
		const char *why = view.discovery->unusable;
		snprintf(words, sizeof(words),
			"the provider has no device flow (device_authorization_endpoint)%s%.512s",
			why ? "; its discovery document says what cannot be used: " : "",
			why ? why : "");
		login_failed(login, "refused", words);
		return;
	}
	rc = device_form(
		&login->device, view.conf->client_id, view.conf->scopes, login->max_age, &form);
	rc = rc < 0 ? err_set(&err, rc, "the request is too large")
		    : request_begin(login, view.discovery->device, &form, NULL, DEVICE_ANSWER_MAX,
			      on_started, &err);
	buf_burn(&form);
	if (rc < 0)
		login_failed(login, "refused", err.text);
}

/* Goes on with what was known before, even when the provider was out of reach a moment ago. */
static void provider_ready(struct egress_login *login)
{
	struct provider_view view;

	provider_view(login->provider, &view);
	login->waiting = false;
	if (view.discovery)
		device_begin(login);
	else
		login_failed(login, "unreachable",
			view.reason[0] ? view.reason : "nothing is known of the provider yet");
}

void logins_provider_changed(struct logins *logins, struct provider *provider)
{
	struct egress_login *login, *next;

	for (login = TAILQ_FIRST(&logins->list); login; login = next) {
		next = TAILQ_NEXT(login, entry);
		if (login->waiting && login->provider == provider)
			provider_ready(login);
	}
}

static struct egress_login *login_find(const struct logins *logins, uint32_t id)
{
	struct egress_login *login;

	TAILQ_FOREACH(login, &logins->list, entry)
	if (login->id == id)
		return login;
	return NULL;
}

static struct egress_login *login_new(
	struct logins *logins, uint32_t id, struct provider *provider, int64_t max_age)
{
	struct egress_login *login = calloc(1, sizeof(*login));

	if (!login)
		return NULL;
	*login = (struct egress_login){
		.logins = logins, .id = id, .provider = provider, .max_age = max_age
	};
	int rc = device_init(&login->device, NULL);
	buf_init(&login->userinfo, IPC_DOCUMENT_MAX);
	TAILQ_INSERT_TAIL(&logins->list, login, entry);
	logins->count++;
	login->timer = evtimer_new(logins->base, on_timer, login);
	if (login->timer && !rc)
		return login;
	login_free(login);
	return NULL;
}

void logins_begin(struct logins *logins, uint32_t id, const struct msg_login_start *start)
{
	struct provider *provider = providers_find(logins->providers, start->provider);
	struct provider_view view;

	if (login_find(logins, id)) {
		log_error("login %u: begun twice", (unsigned)id);
		return;
	}
	if (!provider) {
		answer_failed(logins, id, "refused", "there is no such provider");
		return;
	}
	struct egress_login *login =
		logins->count < LOGINS_MAX ? login_new(logins, id, provider, start->max_age) : NULL;
	if (!login) {
		answer_failed(
			logins, id, "unreachable", "too many logins are under way at this moment");
		return;
	}
	provider_view(provider, &view);
	login->waiting = !view.discovery && provider_poke(provider);
	if (!login->waiting)
		provider_ready(login);
}

void logins_cancel(struct logins *logins, uint32_t id)
{
	struct egress_login *login = login_find(logins, id);

	if (login)
		login_free(login);
}

int logins_new(struct event_base *base, struct providers *providers, struct http *http,
	const struct logins_ops *ops, void *context, struct logins **ret, struct err *err)
{
	struct logins *logins = calloc(1, sizeof(*logins));

	if (!logins)
		return err_set(err, -ENOMEM, "out of memory");
	*logins = (struct logins){
		.base = base, .providers = providers, .http = http, .ops = *ops, .context = context
	};
	TAILQ_INIT(&logins->list);
	*ret = logins;
	return 0;
}

void logins_free(struct logins *logins)
{
	if (!logins)
		return;
	while (!TAILQ_EMPTY(&logins->list))
		login_free(TAILQ_FIRST(&logins->list));
	free(logins);
}
