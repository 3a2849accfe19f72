/* Keys of providers, and tokens verified with them. See server/broker/login/provider.h; device
 * flows are in server/broker/login/device_flow.c. */
#include "server/broker/login/provider.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "common/text.h"
#include "common/url.h"
#include "oidc/claims.h"
#include "oidc/jws.h"
#include "oidc/pkce.h"
#include "oidc/token.h"
#include "server/broker/login/device_flow.h"
#include "store/tokens.h"

struct issuer { /* what one egress process reported about one provider */
	LIST_ENTRY(issuer) entry;
	char *name;
	char *reason;	   /* why it is not reachable; "" when it is */
	char *logout;	   /* address for people, clean; "": unknown */
	struct jwks *jwks; /* NULL: never seen */
	int64_t fetched;   /* seconds */
};
struct issuers {
	LIST_HEAD(issuer_list, issuer) list;
};

struct token_check {
	LIST_ENTRY(token_check) entry;
	struct broker *broker;
	char *provider;
	struct buf token, userinfo;
	int64_t max_age_s;
	/* expected nonce, of the sender's key; "": egress fetched the token */
	char nonce[PKCE_TEXT];
	bool refreshed; /* the keys were fetched again */
	struct event *timer;
	token_checked_fn *done;
	void *context;
	struct token_check **slot;
};

/* ---- configuration ---- */

const struct conf_provider *provider_conf(const struct broker *broker, const char *name)
{
	const struct conf *conf = broker->config->conf;

	for (size_t i = 0; i < conf->provider_count; i++)
		if (!strcmp(conf->providers[i].name, name))
			return &conf->providers[i];
	return NULL;
}

size_t providers_human(const struct broker *broker, const struct conf_provider **ret, size_t max)
{
	const struct conf *conf = broker->config->conf;
	size_t count = 0;

	for (size_t i = 0; i < conf->provider_count; i++)
		if (!conf->providers[i].machine && count++ < max)
			ret[count - 1] = &conf->providers[i];
	return count;
}

bool providers_machine(const struct broker *broker)
{
	const struct conf *conf = broker->config->conf;

	for (size_t i = 0; i < conf->provider_count; i++)
		if (conf->providers[i].machine)
			return true;
	return false;
}

static const char *audience_of(const struct conf_provider *conf)
{
	return conf->audience ? conf->audience : conf->client_id;
}

static bool is_for(const json_t *aud, const char *audience)
{
	for (size_t i = 0; json_is_array(aud) && i < json_array_size(aud); i++)
		if (text_equal(json_string_value(json_array_get(aud, i)), audience))
			return true;
	return text_equal(json_string_value(aud), audience);
}

const struct conf_provider *provider_of_token(
	const struct broker *broker, struct bytes token, struct err *err)
{
	JWS_CLEANUP struct jws jws = { 0 };
	JSON_CLEANUP json_t *payload = NULL;
	const struct conf *conf = broker->config->conf;
	const struct conf_provider *found = NULL;
	bool found_for_it = false;

	if (jws_parse(token, NULL, &jws, err) ||
		json_parse(buf_bytes(&jws.payload), JWS_SIZE_MAX, &payload, err))
		return NULL;
	const char *issuer = json_get_string(payload, "iss");
	for (size_t i = 0; issuer && i < conf->provider_count; i++) {
		const struct conf_provider *provider = &conf->providers[i];
		bool for_it = is_for(json_object_get(payload, "aud"), audience_of(provider));
		if (strcmp(provider->issuer, issuer))
			continue;
		if (!found || (for_it && !found_for_it))
			found = provider;
		found_for_it = found_for_it || for_it;
	}
	const char *named = issuer ? issuer : "";
	char show[256];
	if (!found)
		err_set(err, -EACCES, "no provider here has the issuer '%s'",
			text_clean(show, sizeof(show), named, strlen(named)));
	return found;
}

/* ---- messages of egress ---- */

static struct issuer *issuer_find(const struct service *egress, const char *name)
{
	struct issuer *issuer;

	if (!egress || !egress->issuers)
		return NULL;
	LIST_FOREACH(issuer, &egress->issuers->list, entry)
	if (!strcmp(issuer->name, name))
		return issuer;
	return NULL;
}

static struct issuer *issuer_new(struct service *egress, const char *name)
{
	if (!egress->issuers)
		egress->issuers = calloc(1, sizeof(*egress->issuers));
	struct issuer *issuer = egress->issuers ? calloc(1, sizeof(*issuer)) : NULL;
	if (issuer && !(issuer->name = strdup(name))) {
		free(issuer);
		return NULL;
	}
	if (issuer)
		LIST_INSERT_HEAD(&egress->issuers->list, issuer, entry);
	return issuer;
}

static void issuers_free(struct service *egress)
{
	struct issuer *issuer;

	while (egress->issuers && (issuer = LIST_FIRST(&egress->issuers->list))) {
		LIST_REMOVE(issuer, entry);
		jwks_free(issuer->jwks);
		free(issuer->name), free(issuer->reason), free(issuer->logout);
		free(issuer);
	}
	free(egress->issuers);
	egress->issuers = NULL;
}

/* New keys replace the old ones only if they can be parsed. */
static void take_keys(struct issuer *issuer, const struct msg_provider_state *msg)
{
	struct jwks *jwks = NULL;
	struct err err = { 0 };

	if (!msg->jwks.len)
		return;
	if (jwks_parse(msg->jwks, &jwks, &err)) {
		log_warning("provider '%s': its keys cannot be used: %s", issuer->name, err.text);
		return;
	}
	jwks_free(issuer->jwks);
	issuer->jwks = jwks;
	issuer->fetched = msg->fetched;
}

/* Cleaning changes nothing of an address that can be shown. */
static void take_logout(struct issuer *issuer, const char *address)
{
	char clean[URL_MAX + 1];

	text_clean(clean, sizeof(clean), address, strlen(address));
	bool usable = !strcmp(clean, address) && url_check(address, true, NULL, NULL) == 0;
	if (!usable && *address)
		return;
	free(issuer->logout);
	issuer->logout = strdup(clean);
}

const char *provider_logout(const struct broker *broker, const char *name)
{
	const struct issuer *issuer = issuer_find(broker->private->egress, name);

	return issuer && issuer->logout ? issuer->logout : "";
}

static void wake(struct token_check *check)
{
	evtimer_add(check->timer, &(struct timeval){ 0 });
}

static void on_state(struct service *egress, const struct msg_provider_state *msg)
{
	struct issuer *issuer = issuer_find(egress, msg->provider);
	struct token_check *check;
	char reason[512];

	if (!issuer && !(issuer = issuer_new(egress, msg->provider)))
		return;
	text_clean(reason, sizeof(reason), msg->reason, strlen(msg->reason));
	if (!msg->ok && !text_equal(issuer->reason, reason))
		log_warning("provider '%s': %s", issuer->name, reason);
	free(issuer->reason);
	issuer->reason = strdup(msg->ok ? "" : reason);
	take_keys(issuer, msg);
	take_logout(issuer, msg->logout);
	if (egress->broker->private->egress != egress)
		return;
	LIST_FOREACH(check, &egress->broker->private->token_checks, entry)
	if (!strcmp(check->provider, msg->provider))
		wake(check);
}

void issuers_told(struct service *service, unsigned type, uint32_t id, const void *msg)
{
	if (type == IPC_PROVIDER_STATE)
		on_state(service, msg);
	else if (type == IPC_LOGIN_CODE)
		flow_code(service, id, msg);
	else if (type == IPC_LOGIN_DONE)
		flow_done(service, id, msg);
	else if (!type)
		flows_lost(service);
	if (!type)
		issuers_free(service);
}

/* ---- one token ---- */

static void check_free(struct token_check *check)
{
	*check->slot = NULL;
	LIST_REMOVE(check, entry);
	if (check->timer)
		event_free(check->timer);
	buf_burn(&check->token);
	buf_burn(&check->userinfo);
	free(check->provider);
	free(check);
}

static void check_end(struct token_check *check, struct identity *who, const char *reason)
{
	token_checked_fn *done = check->done;
	void *context = check->context;
	check_free(check);
	done(context, who, reason);
}

/* Egress always answers with a state; the timer is for an egress that does not. */
static void ask_for_keys(struct token_check *check)
{
	struct service *egress = check->broker->private->egress;
	struct timeval wait = timeval_of(TOKEN_KEYS_MS);

	check->refreshed = true;
	evtimer_add(check->timer, &wait);
	if (egress)
		link_send(&egress->link, IPC_PROVIDER_REFRESH, 0,
			&(struct msg_provider){ check->provider }, NULL, 0);
}

static const struct jwks *usable(
	const struct issuer *issuer, const struct conf_provider *conf, int64_t now, struct err *err)
{
	const char *reason = issuer ? issuer->reason : "";

	if (!issuer || !issuer->jwks)
		err_set(err, -EAGAIN, "the keys of provider '%s' are not known%s%s", conf->name,
			*reason ? ": " : "", reason);
	else if (now - issuer->fetched > conf->jwks_max_age / 1000)
		err_set(err, -EAGAIN, "the keys of provider '%s' are too old%s%s", conf->name,
			*reason ? ": " : "", reason);
	else
		return issuer->jwks;
	return NULL;
}

static int identify(const struct token_check *check, const struct conf_provider *conf,
	const json_t *payload, struct identity **ret, struct err *err)
{
	JSON_CLEANUP json_t *userinfo = NULL;
	const struct token_claims claims = { .user = conf->user,
		.groups = conf->groups,
		.groups_keys = conf->groups_keys,
		.name_flags = conf_provider_names(conf),
		.keep = ruleset_claim_names(check->broker->config->ruleset) };
	struct token_dropped dropped = { 0, "" };

	if (check->userinfo.len &&
		json_parse(buf_bytes(&check->userinfo), IPC_DOCUMENT_MAX, &userinfo, err))
		return err_prefix(err, -EBADMSG, "userinfo");
	int rc = token_identity(payload, userinfo, &claims, conf->name, ret, &dropped, err);
	if (rc)
		return rc;
	(*ret)->machine = conf->machine;
	if (dropped.count)
		log_warning("provider '%s': of the groups of %s %zu are no names here and were "
			    "dropped: %s%s",
			conf->name, (*ret)->user, dropped.count, dropped.words,
			dropped.count > TOKEN_DROPPED_SHOWN ? ", …" : "");
	return 0;
}

/* A person's token must come from a login a moment ago, by the device flow or on the person's own
 * machine, so that an old one is worth nothing. The lifetime of a workload's token is decided by
 * its provider alone. */
static int fresh(const json_t *payload, int64_t now, struct err *err)
{
	char ago[64];
	int64_t iat = 0;

	if (claims_time(payload, "iat", &iat, err))
		return err_set(err, -EBADMSG, "token does not say when it was issued");
	if (now - iat <= TOKEN_FRESH_S)
		return 0;
	clock_duration_format((now - iat) * 1000, ago, sizeof(ago));
	return err_set(err, -EBADMSG,
		"token was issued %s ago: a person's token is valid for %d minutes only", ago,
		TOKEN_FRESH_S / 60);
}

/* `bartizan login` gets a token with the nonce of its key; a token of the device flow has none, and
 * nothing is compared. */
static int bound(const struct token_check *check, const json_t *payload, struct err *err)
{
	const json_t *nonce = json_object_get(payload, "nonce");

	if (!nonce || json_is_null(nonce) || !*check->nonce ||
		text_equal(json_string_value(nonce), check->nonce))
		return 0;
	return err_set(err, -EBADMSG,
		"token is for another key (its nonce does not belong to the key of this "
		"connection)");
}

/* A token is used once: it is stored as used before anything is issued for it, so that it is worth
 * nothing to anybody who finds it later. */
static int use_up(const struct token_check *check, int64_t now, struct err *err)
{
	struct bytes token = buf_bytes(&check->token);
	const uint8_t *dot = memrchr(token.data, '.', token.len);
	int rc = tokens_use(check->broker->store,
		(struct bytes){ token.data, (size_t)(dot - token.data) }, now, err);

	if (rc == -EEXIST)
		return err_set(err, -EBADMSG,
			"token has been used already: a person's token counts once, log in again");
	return rc ? -EIO : 0;
}

static int person_ok(
	const struct token_check *check, const json_t *payload, int64_t now, struct err *err)
{
	int rc = fresh(payload, now, err);

	if (!rc)
		rc = bound(check, payload, err);
	return rc ? rc : use_up(check, now, err);
}

/* 0; -EAGAIN or -ENOENT: newer keys of the provider may help. */
static int verify(struct token_check *check, struct identity **ret, struct err *err)
{
	const struct conf_provider *conf = provider_conf(check->broker, check->provider);
	JSON_CLEANUP json_t *payload = NULL;
	int64_t now = clock_wall();

	if (!conf)
		return err_set(
			err, -EACCES, "provider '%s' is not configured any more", check->provider);
	const struct jwks *jwks =
		usable(issuer_find(check->broker->private->egress, conf->name), conf, now, err);
	if (!jwks)
		return -EAGAIN;
	const struct token_rules rules = { .issuer = conf->issuer,
		.audience = audience_of(conf),
		.algorithms = (const char *const *)conf->algorithms,
		.skew_s = conf->skew / 1000,
		.lifetime_max_s = conf->token_lifetime / 1000,
		.max_age_s = check->max_age_s,
		.machine = conf->machine,
		.require = (const char *const *)conf->require };
	int rc = token_verify(buf_bytes(&check->token), jwks, &rules, now, &payload, err);
	if (rc == -ESTALE && !*check->nonce) /* of a device flow */
		rc = token_stale(err, provider_logout(check->broker, conf->name));
	if (!rc && !conf->machine)
		rc = person_ok(check, payload, now, err);
	return rc ? rc : identify(check, conf, payload, ret, err);
}

static void on_check(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct token_check *check = arg;
	struct identity *who = NULL;
	struct err err = { 0 };
	int rc = verify(check, &who, &err);
	if (!rc)
		check_end(check, who, NULL);
	else if ((rc == -EAGAIN || rc == -ENOENT) && !check->refreshed)
		ask_for_keys(check);
	else
		check_end(check, NULL, err.text);
}

int token_check_start(struct broker *broker, const struct token_spec *spec, token_checked_fn *done,
	void *context, struct token_check **slot, struct err *err)
{
	struct token_check *check = calloc(1, sizeof(*check));

	if (!check)
		return err_set(err, -ENOMEM, "the gateway is out of memory");
	*check = (struct token_check){ .broker = broker,
		.token = BUF_INIT(IPC_TOKEN_MAX),
		.userinfo = BUF_INIT(IPC_DOCUMENT_MAX),
		.max_age_s = spec->max_age_s,
		.done = done,
		.context = context,
		.slot = slot };
	LIST_INSERT_HEAD(&broker->private->token_checks, check, entry);
	*slot = check;
	check->provider = strdup(spec->provider);
	check->timer = evtimer_new(broker->base, on_check, check);
	int rc = check->provider && check->timer
			 ? buf_put(&check->token, spec->token.data, spec->token.len)
			 : -ENOMEM;
	if (!rc)
		rc = buf_put(&check->userinfo, spec->userinfo.data, spec->userinfo.len);
	if (!rc && spec->key.len)
		rc = pkce_nonce(spec->key, check->nonce);
	if (rc) {
		check_free(check);
		return err_set(err, rc,
			rc == -EMSGSIZE ? "the token is longer than %d bytes"
					: "the gateway is out of memory",
			IPC_TOKEN_MAX);
	}
	wake(check);
	return 0;
}

void token_check_cancel(struct token_check **slot)
{
	if (*slot)
		check_free(*slot);
}
