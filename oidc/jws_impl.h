/* The two verifiers behind jws_verify(); nobody else includes it. */
#ifndef BARTIZAN_JWS_IMPL_H
#define BARTIZAN_JWS_IMPL_H

#include "oidc/jwa.h"
#include "oidc/jwk_impl.h"
#include "oidc/jws.h"

/* 0: good. -EBADMSG: the signature is wrong, or not of the one length it can have. */
int jws_openssl(
	const struct jwk *key, const struct jwa *jwa, const struct jws *jws, struct err *err);
/* 1: good; 0: libjwt cannot judge this one (algorithm, typ, or a payload that is not a JSON
 * object); -EBADMSG: libjwt refuses. To be asked only after jws_openssl() said yes. */
int jws_libjwt(const struct jwk *key, const struct jws *jws, struct err *err);

#endif
