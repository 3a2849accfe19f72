/* One JWS in compact serialization (RFC 7515), verified against one key. The strict front of
 * facts/identity.md comes before any verifier sees a byte.
 *
 * Length at most JWS_SIZE_MAX, exactly three parts, canonical base64url without padding, header
 * parsed by us with double keys refused, no crit, b64, zip, enc, jku, jwk, x5u, typ absent or JWT
 * (or at+jwt), alg in the caller's list by exact compare, never none or HS*.
 *
 * Who decides: OpenSSL (EVP_DigestVerify), for every algorithm, over the bytes as they came. libjwt
 * is asked second, and both must agree: RS256/384/512 and ES256/384 whose payload is a JSON object.
 * This order, because libjwt 1.10 can verify neither PS256 and EdDSA nor a payload that is not
 * JSON, takes the algorithm from the token and uses its parts as C strings: it may turn a yes into
 * a no, never a no into a yes, and sees only bytes that the key's owner has signed. */
#ifndef BARTIZAN_JWS_H
#define BARTIZAN_JWS_H

#include "common/buf.h"
#include "common/err.h"
#include "common/json.h"
#include "oidc/jwk.h"

#define JWS_SIZE_MAX 16384

struct jws { /* parts of a compact JWS whose form is good; nothing is verified yet */
	json_t *header;
	char *alg, *kid;      /* kid NULL: none */
	struct buf payload;   /* decoded; may be empty */
	struct buf signature; /* decoded; never empty */
	struct bytes compact; /* borrowed from the caller */
	struct bytes input;   /* what is signed: compact without its third part */
};

/* The front. algorithms is NULL-terminated; NULL itself: every algorithm of oidc/jwa.h (for a bare
 * JWS; a token always has its provider's list). -EBADMSG and the reason; *ret is then untouched. */
int jws_parse(
	struct bytes compact, const char *const *algorithms, struct jws *ret, struct err *err);
void jws_release(struct jws *jws);
#define JWS_CLEANUP __attribute__((cleanup(jws_release)))
/* 0 only when the signature is good for exactly this key and the algorithm in the header, which
 * must fit the key. -EBADMSG and the reason otherwise.
 */
int jws_verify(const struct jwk *key, const struct jws *jws, struct err *err);

#endif
