/* What the files of jwk and jws share among themselves; nobody else includes it.
 *
 * Invariant of struct jwk: pkey is a public key of type kty (and curve crv) that passed every check
 * of jwk.c, or NULL in a set's row that is not usable, which then says why. */
#ifndef BARTIZAN_JWK_IMPL_H
#define BARTIZAN_JWK_IMPL_H

#include <openssl/evp.h>

#include "common/json.h"
#include "oidc/jwa.h"
#include "oidc/jwk.h"

#define JWK_RSA_BITS_MIN 2048
#define JWK_RSA_BITS_MAX 8192
#define JWK_RSA_EXPONENT_BITS_MAX                                      \
	64 /* a larger one makes each verification slow and has no use \
	    */
#define JWK_WHY_MAX 160

struct jwk {
	EVP_PKEY *pkey;
	const char *kty, *crv; /* of jwk_kinds[]; crv NULL: RSA */
	char *kid, *alg;       /* NULL: not said */
	char why[JWK_WHY_MAX]; /* in a set: why it is not usable; empty when it is */
};

/* Whether this key may verify a signature of this algorithm: type, curve, and what the key says it
 * is for. -EINVAL and the reason, for callers to put the key's name in front. */
int jwk_fits(const struct jwk *jwk, const struct jwa *jwa, struct err *err);
/* The public half in OpenSSL's form from the members of a JWK. In jwk_key.c. */
int jwk_public(const json_t *object, EVP_PKEY **ret, const char **ret_kty, const char **ret_crv,
	struct err *err);

static inline void jwk_freep(struct jwk **jwk)
{
	jwk_free(*jwk);
}
#define JWK_CLEANUP __attribute__((cleanup(jwk_freep)))

#endif
