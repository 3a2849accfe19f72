/* The laptop's requests to the provider: discovery and keys, with the same code and limits as in
 * the gateway's egress process. */
#include "cli/login.h"

#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "common/url.h"
#include "oidc/jwa.h"
#include "oidc/token.h"

#define CONNECT_MS 10000
#define ANSWER_MS 15000
#define ALGORITHMS_MAX 32

struct fetch { /* one document in JSON */
	size_t max;
	struct buf text;
	int rc;
	struct err err;
};

int login_provider_ask(struct login_provider *provider, const char *url, const char *form,
	http_done_fn *done, void *context, struct err *err)
{
	struct http_call *call = NULL;
	const struct http_request request = {
		.url = url,
		.form = form,
		.ca = provider->conf->ca.len ? (const char *)buf_data(&provider->conf->ca) : NULL,
		.connect_ms = CONNECT_MS,
		.answer_ms = ANSWER_MS,
	};
	int rc = http_begin(provider->http, &request, done, context, &call, err);

	return rc ? rc : http_run(provider->http, &call, err);
}

static void on_document(void *context, const struct http_answer *answer)
{
	struct fetch *fetch = context;
	JSON_CLEANUP json_t *json = NULL;

	fetch->rc = http_answer_json(answer, fetch->max, &json, &fetch->err);
	if (!fetch->rc)
		fetch->rc = buf_put(&fetch->text, answer->body.data, answer->body.len);
}

static int fetch_text(
	struct login_provider *provider, const char *url, struct fetch *fetch, struct err *err)
{
	fetch->text = BUF_INIT(fetch->max);
	int rc = login_provider_ask(provider, url, NULL, on_document, fetch, err);
	if (rc || !fetch->rc)
		return rc;
	return err_set(err, fetch->rc, "%s", fetch->err.text);
}

static int discover(struct login_provider *provider, struct err *err)
{
	BUF_CLEANUP struct buf url = BUF_INIT(URL_MAX + 64);
	struct fetch fetch = { .max = DISCOVERY_SIZE_MAX };
	int rc = discovery_url(provider->conf->issuer, &url);

	if (rc || !buf_cstr(&url))
		return err_set(err, -EINVAL, "the issuer's name is too long");
	rc = fetch_text(provider, buf_cstr(&url), &fetch, err);
	if (!rc)
		rc = discovery_parse(buf_bytes(&fetch.text), provider->conf->issuer, false,
			&provider->discovery, err);
	buf_release(&fetch.text);
	return rc ? err_prefix(err, rc, "provider '%s'", provider->conf->issuer) : 0;
}

int login_provider_open(const struct login_conf *conf, int64_t max_age_s,
	struct login_provider *ret, struct err *err)
{
	*ret = (struct login_provider){ .conf = conf, .max_age_s = max_age_s };
	int rc = http_global_init(err);
	if (!rc)
		rc = http_new(NULL, NULL, &ret->http, err);
	if (!rc)
		rc = discover(ret, err);
	if (rc)
		login_provider_close(ret);
	return rc;
}

void login_provider_close(struct login_provider *provider)
{
	http_free(provider->http);
	discovery_free(provider->discovery);
	*provider = (struct login_provider){ 0 };
}

/* Accepts every algorithm known here; the gateway's configuration says which of them the provider
 * may use. */
static int verify(struct login_provider *provider, struct bytes token, const struct jwks *jwks,
	const char *nonce, struct err *err)
{
	const char *algorithms[ALGORITHMS_MAX + 1] = { NULL };
	JSON_CLEANUP json_t *payload = NULL;

	for (size_t i = 0; i < ALGORITHMS_MAX && jwa_table[i].name; i++)
		algorithms[i] = jwa_table[i].name;
	const struct token_rules rules = {
		.issuer = provider->conf->issuer,
		.audience = provider->conf->client_id,
		.algorithms = algorithms,
		.skew_s = TOKEN_SKEW_MAX,
		.max_age_s = provider->max_age_s,
		.nonce = nonce,
	};
	return token_verify(token, jwks, &rules, clock_wall(), &payload, err);
}

int login_provider_check(
	struct login_provider *provider, struct bytes token, const char *nonce, struct err *err)
{
	struct fetch fetch = { .max = JWKS_SIZE_MAX };
	struct jwks *jwks = NULL;
	int rc = fetch_text(provider, provider->discovery->jwks, &fetch, err);

	if (!rc)
		rc = jwks_parse(buf_bytes(&fetch.text), &jwks, err);
	buf_release(&fetch.text);
	if (rc)
		return err_prefix(err, rc, "the provider's keys");
	rc = verify(provider, token, jwks, nonce, err);
	if (rc == -ESTALE && !nonce) /* the device flow */
		rc = token_stale(err, provider->discovery->logout);
	jwks_free(jwks);
	return rc ? err_prefix(err, rc, "the provider's ID token") : 0;
}
