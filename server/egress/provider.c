/* See server/egress/provider.h. A fetch is two requests, discovery document and keys; the first
 * failure ends it. */
#include "server/egress/provider.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/fd.h"
#include "common/ipc_msg.h"
#include "common/json.h"
#include "common/log.h"
#include "common/text.h"
#include "common/url.h"
#include "oidc/refresh.h"

struct provider {
	struct providers *all;
	const struct egress_provider *conf;
	char *secret;
	struct event *timer;
	struct http_call *call;
	struct discovery *discovery;
	struct discovery *fresh; /* of the fetch under way */
	struct buf jwks;
	int64_t fetched;
	bool ok, fetching;
	bool asked;		/* the broker waits for this fetch */
	unsigned failures;	/* in a row */
	int64_t tried;		/* monotonic ms of the last fetch; -1: never */
	struct refresh refresh; /* fetches that the broker caused */
	char reason[512];
};

struct providers {
	struct http *http;
	provider_changed_fn *changed;
	void *context;
	size_t count;
	struct provider provider[EGRESS_PROVIDERS_MAX];
};

/* ---- secrets ---- */

static int secret_take(struct provider *provider, struct buf *file, struct err *err)
{
	const char *text = buf_cstr(file);
	size_t len = text ? strcspn(text, "\r\n") : 0;

	if (!len)
		return err_set(err, -EINVAL, "'%s' has no secret in its first line",
			provider->conf->client_secret_file);
	provider->secret = strndup(text, len);
	return provider->secret ? 0 : err_set(err, -ENOMEM, "out of memory");
}

static int secret_read(struct provider *provider, struct err *err)
{
	struct buf file = BUF_INIT(PROVIDER_SECRET_MAX + 1);
	const char *path = provider->conf->client_secret_file;
	struct stat st;
	int rc = 0;

	if (!path)
		return 0;
	if (stat(path, &st) == 0 && (st.st_mode & 0007))
		rc = err_set(err, -EPERM, "'%s': permissions %04o let everybody at it; chmod o= it",
			path, (unsigned)st.st_mode & 07777);
	rc = rc < 0 ? rc : fd_read_file(AT_FDCWD, path, PROVIDER_SECRET_MAX, &file, err);
	rc = rc < 0 ? rc : secret_take(provider, &file, err);
	buf_burn(&file);
	return rc < 0 ? err_prefix(
				err, rc, "provider '%s': client_secret_file", provider->conf->name)
		      : 0;
}

/* ---- fetching ---- */

static void timer_set(struct provider *provider, int64_t ms)
{
	const struct timeval wait = { .tv_sec = (time_t)(ms / 1000),
		.tv_usec = (suseconds_t)(ms % 1000 * 1000) };

	evtimer_add(provider->timer, &wait);
}

static int64_t retry_ms(unsigned failures)
{
	int64_t ms = PROVIDER_RETRY_MS;

	for (unsigned i = 1; i < failures && ms < PROVIDER_RETRY_MS_MAX; i++)
		ms *= 2;
	return ms < PROVIDER_RETRY_MS_MAX ? ms : PROVIDER_RETRY_MS_MAX;
}

static void fetch_end(struct provider *provider, bool news)
{
	bool tell = news || provider->asked;

	discovery_free(provider->fresh);
	provider->fresh = NULL;
	provider->fetching = provider->asked = false;
	timer_set(provider, provider->ok ? PROVIDER_PERIOD_MS : retry_ms(provider->failures));
	provider->all->changed(provider->all->context, provider, tell);
}

static void fetch_failed(struct provider *provider, const char *what, const char *why)
{
	char reason[sizeof(provider->reason)];
	bool news;

	snprintf(reason, sizeof(reason), "%s: %s", what, why);
	news = provider->ok || strcmp(reason, provider->reason) != 0;
	memcpy(provider->reason, reason, sizeof(reason));
	provider->ok = false;
	provider->failures++;
	if (news)
		log_warning("provider '%s': %s", provider->conf->name, reason);
	fetch_end(provider, news);
}

static void fetch_done(struct provider *provider, struct bytes jwks)
{
	bool changed = jwks.len != provider->jwks.len ||
		       memcmp(jwks.data, buf_data(&provider->jwks), jwks.len) != 0;

	buf_clear(&provider->jwks);
	if (buf_put(&provider->jwks, jwks.data, jwks.len) < 0) {
		fetch_failed(provider, "keys", "out of memory");
		return;
	}
	if (!provider->ok || changed)
		log_info("provider '%s': %s", provider->conf->name,
			provider->ok ? "has other keys now" : "is there");
	if (!provider->ok && provider->fresh->unusable)
		log_warning("provider '%s': discovery: ignored: %s", provider->conf->name,
			provider->fresh->unusable);
	discovery_free(provider->discovery);
	provider->discovery = provider->fresh;
	provider->fresh = NULL;
	provider->fetched = clock_wall();
	provider->ok = true;
	provider->failures = 0;
	provider->reason[0] = '\0';
	fetch_end(provider, true);
}

static void request_of(
	const struct provider *provider, const char *url, size_t max, struct http_request *ret)
{
	*ret = (struct http_request){
		.url = url,
		.ca = provider->conf->ca,
		.allow_http = provider->conf->allow_http,
		.connect_ms = provider->conf->connect_time,
		.answer_ms = provider->conf->answer_time,
		.body_max = max,
	};
}

/* Only the outermost form is looked at here; each key is checked by the broker (oidc/jwk.h). */
static void on_jwks(void *context, const struct http_answer *answer)
{
	struct provider *provider = context;
	JSON_CLEANUP json_t *jwks = NULL;
	struct err err = { "" };

	if (http_answer_json(answer, IPC_DOCUMENT_MAX, &jwks, &err) < 0)
		fetch_failed(provider, "keys", err.text);
	else if (!json_is_array(json_object_get(jwks, "keys")))
		fetch_failed(provider, "keys", "the answer is not a set of keys");
	else
		fetch_done(provider, answer->body);
}

static void on_discovery(void *context, const struct http_answer *answer)
{
	struct provider *provider = context;
	const struct egress_provider *conf = provider->conf;
	JSON_CLEANUP json_t *json = NULL;
	struct http_request request;
	struct err err = { "" };

	if (http_answer_json(answer, DISCOVERY_SIZE_MAX, &json, &err) < 0 ||
		discovery_parse(
			answer->body, conf->issuer, conf->allow_http, &provider->fresh, &err) < 0) {
		fetch_failed(provider, "discovery", err.text);
		return;
	}
	request_of(provider, provider->fresh->jwks, IPC_DOCUMENT_MAX, &request);
	if (http_begin(provider->all->http, &request, on_jwks, provider, &provider->call, &err) < 0)
		fetch_failed(provider, "keys", err.text);
}

static void fetch_begin(struct provider *provider)
{
	BUF_CLEANUP struct buf url = BUF_INIT(URL_MAX);
	struct http_request request;
	struct err err = { "" };

	if (provider->fetching)
		return;
	provider->fetching = true;
	provider->tried = clock_mono_ms();
	evtimer_del(provider->timer);
	if (discovery_url(provider->conf->issuer, &url) < 0 || !buf_cstr(&url)) {
		fetch_failed(provider, "discovery", "the issuer is too long");
		return;
	}
	request_of(provider, buf_cstr(&url), DISCOVERY_SIZE_MAX, &request);
	if (http_begin(provider->all->http, &request, on_discovery, provider, &provider->call,
		    &err) < 0)
		fetch_failed(provider, "discovery", err.text);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	fetch_begin(arg);
}

/* ---- what others ask ---- */

void provider_refresh(struct provider *provider)
{
	int64_t now = clock_mono_ms();

	provider->asked = true;
	if (provider->fetching)
		return;
	if (!refresh_take(&provider->refresh, now, provider->conf->jwks_refresh)) {
		provider->asked = false;
		provider->all->changed(provider->all->context, provider, true);
		return;
	}
	fetch_begin(provider);
}

bool provider_poke(struct provider *provider)
{
	if (!provider->fetching && !provider->ok &&
		clock_mono_ms() - provider->tried >= PROVIDER_POKE_MS)
		timer_set(provider, 0);
	else if (!provider->fetching)
		return false;
	return true;
}

struct provider *providers_find(struct providers *providers, const char *name)
{
	for (size_t i = 0; i < providers->count; i++)
		if (strcmp(providers->provider[i].conf->name, name) == 0)
			return &providers->provider[i];
	return NULL;
}

void provider_view(const struct provider *provider, struct provider_view *ret)
{
	*ret = (struct provider_view){
		.conf = provider->conf,
		.secret = provider->secret,
		.discovery = provider->discovery,
		.ok = provider->ok,
		.fetching = provider->fetching,
		.reason = provider->reason,
		.jwks = buf_bytes(&provider->jwks),
		.fetched = provider->fetched,
	};
}

/* ---- life ---- */

int providers_new(const struct egress_conf *conf, struct providers **ret, struct err *err)
{
	struct providers *providers = calloc(1, sizeof(*providers));
	int rc = 0;

	if (!providers)
		return err_set(err, -ENOMEM, "out of memory");
	for (; rc == 0 && providers->count < conf->provider_count; providers->count++) {
		struct provider *provider = &providers->provider[providers->count];
		*provider = (struct provider){
			.all = providers, .conf = &conf->providers[providers->count], .tried = -1
		};
		buf_init(&provider->jwks, IPC_DOCUMENT_MAX);
		rc = secret_read(provider, err);
	}
	if (rc < 0) {
		providers_free(providers);
		return rc;
	}
	*ret = providers;
	return 0;
}

int providers_start(struct providers *providers, struct event_base *base, struct http *http,
	provider_changed_fn *changed, void *context, struct err *err)
{
	providers->http = http;
	providers->changed = changed;
	providers->context = context;
	for (size_t i = 0; i < providers->count; i++) {
		struct provider *provider = &providers->provider[i];
		provider->timer = evtimer_new(base, on_timer, provider);
		if (!provider->timer)
			return err_set(err, -ENOMEM, "out of memory");
		timer_set(provider, 0);
	}
	return 0;
}

void providers_free(struct providers *providers)
{
	if (!providers)
		return;
	for (size_t i = 0; i < providers->count; i++) {
		struct provider *provider = &providers->provider[i];
		http_cancel(&provider->call);
		if (provider->timer)
			event_free(provider->timer);
		if (provider->secret)
			text_burn(provider->secret, strlen(provider->secret));
		free(provider->secret);
		discovery_free(provider->discovery);
		discovery_free(provider->fresh);
		buf_release(&provider->jwks);
	}
	free(providers);
}
