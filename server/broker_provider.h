/* Providers as the broker sees them: their keys as egress pushes them, and checks of ID tokens.
 * Device flows are in broker_flow.h.
 *
 * Everything that comes from egress is the provider's word: it is verified here (oidc/token.h), or
 * shown after cleaning, never believed. */
#ifndef BARTIZAN_BROKER_PROVIDER_H
#define BARTIZAN_BROKER_PROVIDER_H

#include "common/addr.h"
#include "common/conf.h"
#include "server/broker_private.h"

#define TOKEN_KEYS_MS 10000 /* how long a token waits for the provider's keys */
/* the age of a person's ID token when it is used (claim iat, which Entra ID dates back by five
 * minutes) */
#define TOKEN_FRESH_S 600

struct token_check; /* one ID token being verified */

/* service->told of egress. */
void issuers_told(struct service *service, unsigned type, uint32_t id, const void *msg);

/* NULL: not configured (any more) */
const struct conf_provider *provider_conf(const struct broker *broker, const char *name);
/* where a person ends the session there; "": unknown */
const char *provider_logout(const struct broker *broker, const char *name);
/* those for people, in order; returns how many */
size_t providers_human(const struct broker *broker, const struct conf_provider **ret, size_t max);
bool providers_machine(const struct broker *broker);
/* Which provider this token names by its issuer and, where several have that one, its audience;
 * nothing about it is verified. */
const struct conf_provider *provider_of_token(
	const struct broker *broker, struct bytes token, struct err *err);

/* ---- one token ---- */

struct token_spec { /* borrowed for the call */
	const char *provider;
	struct bytes token, userinfo; /* userinfo may be empty */
	int64_t max_age_s;	      /* -1: any */
	/* proved by who handed it over: its blob; empty: egress fetched it */
	struct bytes key;
};
/* who: taken by the callee; NULL with the reason in words. */
typedef void token_checked_fn(void *context, struct identity *who, const char *reason);
/* Verifies it; asks for the provider's keys once more where the token names a key that is not
 * known. A person's token is used up by that, and one that was handed over and has a nonce must
 * have the nonce of that key (oidc/pkce.h). done is called once, from the loop, unless cancelled.
 */
int token_check_start(struct broker *broker, const struct token_spec *spec, token_checked_fn *done,
	void *context, struct token_check **slot, struct err *err);
void token_check_cancel(struct token_check **slot); /* *slot NULL: nothing to do */

#endif
