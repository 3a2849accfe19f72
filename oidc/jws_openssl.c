/* Signatures by OpenSSL. The algorithm's row says everything: key type, digest, padding, length;
 * the token has only chosen the row, from the caller's list. */
#include <errno.h>
#include <string.h>

#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include "oidc/jws_impl.h"

#define ECDSA_DER_MAX 160

/* r and s side by side, as JWS has them (RFC 7518 section 3.4), into DER, as OpenSSL wants them. */
static int ecdsa_der(const struct buf *raw, uint8_t der[static ECDSA_DER_MAX], size_t *ret_len)
{
	size_t half = raw->len / 2;

	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(buf_data(raw), (int)half, NULL),
	       *s = BN_bin2bn(buf_data(raw) + half, (int)half, NULL);
	int len = 0;

	if (sig && r && s && ECDSA_SIG_set0(sig, r, s)) {
		r = s = NULL; /* sig owns them */
		len = i2d_ECDSA_SIG(sig, NULL);
		if (len > 0 && len <= ECDSA_DER_MAX)
			len = i2d_ECDSA_SIG(sig, &(uint8_t *){ der });
		else
			len = 0;
	}
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(sig);
	*ret_len = (size_t)len;
	return len > 0 ? 0 : -ENOMEM;
}

/* The salt is as long as the digest (RFC 7518 section 3.5), and MGF1 uses the same digest:
 * OpenSSL's default, said here again. */
static bool set_padding(EVP_PKEY_CTX *ctx, const struct jwa *jwa)
{
	if (!jwa->pss)
		return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0;
	return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) > 0 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) > 0 &&
	       EVP_PKEY_CTX_set_rsa_mgf1_md_name(ctx, jwa->digest, NULL) > 0;
}

static bool verify(
	EVP_PKEY *pkey, const struct jwa *jwa, struct bytes signature, struct bytes input)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	EVP_PKEY_CTX *ctx = NULL; /* md owns it */
	bool good = md &&
		    EVP_DigestVerifyInit_ex(md, &ctx, jwa->digest, NULL, NULL, pkey, NULL) == 1 &&
		    (strcmp(jwa->kty, "RSA") || set_padding(ctx, jwa)) &&
		    EVP_DigestVerify(md, signature.data, signature.len, input.data, input.len) == 1;

	EVP_MD_CTX_free(md);
	ERR_clear_error();
	return good;
}

int jws_openssl(
	const struct jwk *key, const struct jwa *jwa, const struct jws *jws, struct err *err)
{
	size_t want = jwa->signature ? jwa->signature : (size_t)EVP_PKEY_get_size(key->pkey);
	struct bytes signature = buf_bytes(&jws->signature);
	uint8_t der[ECDSA_DER_MAX];

	if (signature.len != want)
		return err_set(
			err, -EBADMSG, "signature has %zu bytes, not %zu", signature.len, want);
	if (!strcmp(jwa->kty, "EC")) {
		signature.data = der;
		if (ecdsa_der(&jws->signature, der, &signature.len))
			return err_set(err, -ENOMEM, "out of memory");
	}
	if (!verify(key->pkey, jwa, signature, jws->input))
		return err_set(err, -EBADMSG, "signature does not fit the token and the key");
	return 0;
}
