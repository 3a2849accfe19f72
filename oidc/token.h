/* ID tokens (OIDC Core 2, 3.1.3.7): claims checked, and an identity made of them. Pure: time and
 * keys are parameters. */
#ifndef BARTIZAN_TOKEN_H
#define BARTIZAN_TOKEN_H

#include <stdint.h>

#include "common/access.h"
#include "common/json.h"
#include "common/name.h"
#include "oidc/jwk.h"

#define TOKEN_GROUPS_MAX 4096
#define TOKEN_SKEW_MAX 60

struct token_rules {		       /* borrowed */
	const char *issuer, *audience; /* exact */
	const char *const *algorithms; /* NULL-terminated */
	int64_t skew_s;		       /* 0..60, at either end */
	int64_t lifetime_max_s;	       /* exp - iat at most this; 0: 24 h */
	/* -1: none; else auth_time, or iat where the provider sends none, must be that young */
	int64_t max_age_s;
	const char *nonce; /* NULL: none expected */
	bool machine;	   /* tokens of workloads are wanted (oidc/token_kind.h) */
	/* claims that an ID token of this provider always has, NULL-terminated; NULL: none */
	const char *const *require;
};

struct token_claims { /* which claims make an identity; borrowed */
	/* claim path "email", "preferred_username", "a.b", or the whole name of a claim that has
	 * dots */
	const char *user;
	/* claim path; NULL: none. one name, array of names, array of objects with name */
	const char *groups;
	bool groups_keys;    /* the claim is an object, and its keys are the names */
	unsigned name_flags; /* NAME_* of common/name.h */
	/* further top-level claims that roles match, NULL-terminated: kept as text; NULL: none */
	const char *const *keep;
};

/* Everything: front, key choice, signature, claims. *ret is the payload object (new reference).
 * -EBADMSG refused with the reason; -ESTALE: good, but for a login that is older than max_age_s;
 * -ENOENT: kid unknown, or there is none and the signature does
 * not fit: worth a refetch. */
int token_verify(struct bytes compact, const struct jwks *jwks, const struct token_rules *rules,
	int64_t now, json_t **ret, struct err *err);
/* What a person can do about -ESTALE in the device flow, where providers do not ask again
 * (Keycloak, whatever max_age and prompt say) while the browser still has a session there: appended
 * to err. logout: the provider's end_session_endpoint; NULL or "": unknown. Returns -ESTALE. */
int token_stale(struct err *err, const char *logout);

/* What was left out of the groups: how many, and the first of them in words: "'/sre' (it holds
 * '/'), …", harmless to show. */
#define TOKEN_DROPPED_SHOWN 8
struct token_dropped {
	size_t count;
	char words[1024];
};

/* userinfo: a second place to look for user and groups (NULL: none); its sub must equal the
 * token's. provider: the configured name. email counts only with email_verified true. Names are
 * held to name_ok(); a group that is none is dropped and told in *ret_dropped (may be NULL). Fills
 * user, provider, subject (issuer + " " + sub), groups, login_time (auth_time, else iat), claims.
 */
int token_identity(const json_t *payload, const json_t *userinfo, const struct token_claims *claims,
	const char *provider, struct identity **ret, struct token_dropped *ret_dropped,
	struct err *err);

#endif
