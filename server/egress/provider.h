/* What egress knows of each provider: its discovery document and its keys, fetched at the start,
 * every hour, and when the broker asks.
 *
 * A provider that is out of reach is tried again after 1 s, 2 s, … 5 min; what was known of it
 * before stays. The gateway does not wait for any of it. Client secrets are read before privileges
 * are dropped. */
#ifndef BARTIZAN_EGRESS_PROVIDER_H
#define BARTIZAN_EGRESS_PROVIDER_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "oidc/discovery.h"
#include "oidc/http.h"
#include "server/role/egress_conf.h"

#define PROVIDER_PERIOD_MS 3600000 /* between fetches when all is well */
#define PROVIDER_RETRY_MS 1000	   /* after the first failure; then doubled */
#define PROVIDER_RETRY_MS_MAX 300000
/* a login that finds no keys has them fetched, but not more often than this */
#define PROVIDER_POKE_MS 3000
#define PROVIDER_SECRET_MAX 4096

struct providers;
struct provider;

struct provider_view { /* borrowed until the provider changes */
	const struct egress_provider *conf;
	const char *secret;		   /* NULL: a public client */
	const struct discovery *discovery; /* NULL: never fetched */
	bool ok;			   /* the last fetch succeeded */
	bool fetching;
	const char *reason; /* where it did not, why not; "" otherwise */
	struct bytes jwks;
	int64_t fetched; /* wall clock seconds of jwks; 0: never */
};

/* Told after each fetch, whatever came of it. tell: the broker should hear of it. */
typedef void provider_changed_fn(void *context, struct provider *provider, bool tell);

/* conf stays the caller's and must live on. Reads the client secrets: before role_drop(). */
int providers_new(const struct egress_conf *conf, struct providers **ret, struct err *err);
void providers_free(struct providers *providers); /* NULL allowed; burns secrets */
/* http may be freed after providers only. The first fetches begin from the loop. */
int providers_start(struct providers *providers, struct event_base *base, struct http *http,
	provider_changed_fn *changed, void *context, struct err *err);

/* NULL: none of that name */
struct provider *providers_find(struct providers *providers, const char *name);
void provider_view(const struct provider *provider, struct provider_view *ret);
/* An unknown key was seen. Fetches, or, when that was done too often for such a reason within
 * jwks_refresh (oidc/refresh.h), says what is known: changed() follows in any case. */
void provider_refresh(struct provider *provider);
/* A login needs it and the last fetch failed: fetches unless that was tried a moment ago. True:
 * changed() will follow. */
bool provider_poke(struct provider *provider);

#endif
