/* JSON Web Keys (RFC 7517, 7518, 8037): public keys of a provider, parsed strictly into OpenSSL's
 * form.
 *
 * RSA 2048 to 8192 bits, EC P-256 and P-384, Ed25519. A key that does not fit is skipped with its
 * reason, not fatal to the set; double kids make both unusable. */
#ifndef BARTIZAN_JWK_H
#define BARTIZAN_JWK_H

#include "common/buf.h"
#include "common/err.h"

#define JWKS_SIZE_MAX 98304
#define JWKS_KEYS_MAX 100
#define JWK_KID_MAX 256
#define JWKS_RSA_COST_MAX                                                                         \
	256 /* of checking the RSA keys of a set: 1 for 2048 bits, 8 for 4096, 64 for 8192; about \
	       a second. What is beyond is skipped */

struct jwk;  /* one key */
struct jwks; /* a set */

int jwk_parse(struct bytes json, struct jwk **ret, struct err *err);
void jwk_free(struct jwk *jwk);
int jwks_parse(struct bytes json, struct jwks **ret, struct err *err);
void jwks_free(struct jwks *jwks);
size_t jwks_count(const struct jwks *jwks); /* usable ones */
/* Exactly one key with this kid (NULL: none was named; then the set must hold only one that can be
 * used) whose kty, crv, alg, use and key_ops allow verifying with alg. Borrowed; -ENOENT: unknown
 * kid (worth a refetch); -EINVAL with the reason otherwise. */
int jwks_find(const struct jwks *jwks, const char *kid, const char *alg, const struct jwk **ret,
	struct err *err);

#endif
