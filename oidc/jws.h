/* One JWS in compact serialization (RFC 7515), verified against one key. The strict front of facts/identity.md comes before libjwt sees a byte.
 *
 * Length at most JWS_SIZE_MAX, exactly three parts, canonical base64url without padding, header parsed by us with double keys refused, no crit, b64, zip, enc, jku, jwk, x5u, typ absent or JWT (or at+jwt), alg
 * in the caller's list by exact compare, never none or HS*. RS256/384/512, ES256/384 by libjwt; PS256 and EdDSA by OpenSSL (libjwt 1.10 has neither), in the same function. */
#ifndef BARTIZAN_JWS_H
#define BARTIZAN_JWS_H

#include "common/buf.h"
#include "common/err.h"
#include "common/json.h"
#include "oidc/jwk.h"

#define JWS_SIZE_MAX 16384

struct jws { /* parts of a compact JWS whose form is good; nothing is verified yet */
	json_t *header;
	char *alg, *kid;     /* kid NULL: none */
	struct buf payload;  /* decoded */
	struct bytes compact; /* borrowed from the caller */
};

int jws_parse(struct bytes compact, const char *const *algorithms, struct jws *ret, struct err *err); /* the front; algorithms NULL-terminated */
void jws_release(struct jws *jws);
/* 0 only when the signature is good for exactly this key and the algorithm in the header, which must fit the key. -EBADMSG and the reason otherwise. */
int jws_verify(const struct jwk *key, const struct jws *jws, struct err *err);

#endif
