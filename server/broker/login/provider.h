/* Providers as the broker sees them: their keys as egress pushes them, and checks of ID tokens.
 * Device flows are in server/broker/login/device_flow.h.
 *
 * Everything that egress sends comes from the provider: it is verified here (oidc/token.h) or shown
 * after cleaning, but never trusted. */
#ifndef BARTIZAN_BROKER_LOGIN_PROVIDER_H
#define BARTIZAN_BROKER_LOGIN_PROVIDER_H

#include "common/addr.h"
#include "conf/conf.h"
#include "server/broker/core/impl.h"

#define TOKEN_KEYS_MS 10000 /* how long a token waits for the provider's keys */
/* the greatest age of a person's ID token when it is used (claim iat, which Entra ID sets five
 * minutes back) */
#define TOKEN_FRESH_S 600

struct token_check; /* one ID token being verified */

/* service->on_unsolicited of egress. */
void issuers_told(struct service *service, unsigned type, uint32_t id, const void *msg);

/* NULL: not configured, or not any more */
const struct conf_provider *provider_conf(const struct broker *broker, const char *name);
/* where a person ends the session there; "": unknown */
const char *provider_logout(const struct broker *broker, const char *name);
/* providers for people, in the order of the configuration; returns how many */
size_t providers_human(const struct broker *broker, const struct conf_provider **ret, size_t max);
bool providers_machine(const struct broker *broker);
/* The provider that this token names by its issuer and, where several have the same issuer, by its
 * audience. Nothing is verified. */
const struct conf_provider *provider_of_token(
	const struct broker *broker, struct bytes token, struct err *err);

/* ---- one token ---- */

struct token_spec { /* borrowed for the call */
	const char *provider;
	struct bytes token, userinfo; /* userinfo may be empty */
	int64_t max_age_s;	      /* greatest age of the login; -1: any */
	/* blob of the key that the sender of the token has proved; empty: egress fetched the
	 * token */
	struct bytes key;
};
/* who is taken by the callee, or NULL with the reason. */
typedef void token_checked_fn(void *context, struct identity *who, const char *reason);
/* Verifies a token, and fetches the provider's keys again if it names an unknown one. A person's
 * token cannot be used a second time; if a client sent it and it has a nonce, it must be the nonce
 * of the key (oidc/pkce.h). done is called once, from the loop, unless cancelled. */
int token_check_start(struct broker *broker, const struct token_spec *spec, token_checked_fn *done,
	void *context, struct token_check **slot, struct err *err);
void token_check_cancel(struct token_check **slot); /* nothing to do when *slot is NULL */

#endif
