/* The second opinion: libjwt on tokens that OpenSSL has found good already. jws.h says why in this
 * order.
 *
 * jwt_decode() is called here only, and never without a key: with none, it takes what it is given.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jwt.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "common/text.h"
#include "oidc/jws_impl.h"

static const struct {
	const char *name;
	jwt_alg_t alg;
} known[] = {
	{ "RS256", JWT_ALG_RS256 },
	{ "RS384", JWT_ALG_RS384 },
	{ "RS512", JWT_ALG_RS512 },
	{ "ES256", JWT_ALG_ES256 },
	{ "ES384", JWT_ALG_ES384 },
};

static jwt_alg_t alg_of(const char *name)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(known[i].name, name))
			return known[i].alg;
	return JWT_ALG_NONE;
}

/* libjwt parses the payload with jansson's own bounds: what it sees has passed ours. */
static bool can_judge(const struct jws *jws)
{
	JSON_CLEANUP json_t *payload = NULL;
	const char *typ = json_get_string(jws->header, "typ");

	return alg_of(jws->alg) != JWT_ALG_NONE && (!typ || !strcmp(typ, "JWT")) &&
	       !json_parse(buf_bytes(&jws->payload), JWS_SIZE_MAX, &payload, NULL) &&
	       json_is_object(payload);
}

/* PEM of exactly this key; caller frees. */
static char *pem_of(EVP_PKEY *pkey)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL, *data;
	long len = bio && PEM_write_bio_PUBKEY(bio, pkey) == 1 ? BIO_get_mem_data(bio, &data) : 0;

	if (len > 0)
		text = text_dup(data, (size_t)len);
	BIO_free(bio);
	return text;
}

int jws_libjwt(const struct jwk *key, const struct jws *jws, struct err *err)
{
	jwt_t *jwt = NULL;

	if (!can_judge(jws))
		return 0;
	FREE_CLEANUP char *pem = pem_of(key->pkey),
			  *compact = text_dup(jws->compact.data, jws->compact.len);
	if (!pem || !compact || !*pem)
		return err_set(err, -ENOMEM, "out of memory");
	int rc = jwt_decode(&jwt, compact, (const unsigned char *)pem, (int)strlen(pem));
	bool same = !rc && jwt_get_alg(jwt) == alg_of(jws->alg);
	jwt_free(jwt);
	ERR_clear_error();
	if (!same)
		return err_set(err, -EBADMSG, "signature: the second verifier does not agree");
	return 1;
}
