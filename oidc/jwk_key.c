/* From the members of a JSON Web Key to a public key of OpenSSL (RFC 7518 section 6, RFC 8037
 * section 2).
 *
 * Numbers have one spelling: canonical base64url, coordinates and points of exact length, no
 * leading zeros in n and e. One departure from RFC 7518 is forgiven, because it is common and can
 * be read in one way only: the octet of zero bits that two's complement wants in front of a number
 * whose first bit is set (Java's BigInteger; seen at Jenkins and Firebase). Every key is checked by
 * OpenSSL before it is used. Primes as moduli are refused first: OpenSSL would spend seconds on
 * proving one, and it has no use but to stop us. */
#include "oidc/jwk_impl.h"

#include <errno.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

#include "common/text.h"
#include "common/wire.h"
#include "keys/sshkey.h"
#include "oidc/base64url.h"

#define EC_UNCOMPRESSED 0x04 /* first byte of a point (SEC 1, 2.3.3) */
#define ED25519_LEN 32

static void bn_freep(BIGNUM **bn)
{
	BN_free(*bn);
}
static void bld_freep(OSSL_PARAM_BLD **bld)
{
	OSSL_PARAM_BLD_free(*bld);
}
#define BN_CLEANUP __attribute__((cleanup(bn_freep)))
#define BLD_CLEANUP __attribute__((cleanup(bld_freep)))

struct kind {
	const char *kty, *crv;
	const char *group; /* OpenSSL's name of the curve, EC only */
	size_t len;	   /* of a coordinate or point; 0: RSA */
	int (*read)(const struct kind *kind, const json_t *object, EVP_PKEY **ret, struct err *err);
};

static int read_rsa(const struct kind *kind, const json_t *object, EVP_PKEY **ret, struct err *err);
static int read_ec(const struct kind *kind, const json_t *object, EVP_PKEY **ret, struct err *err);
static int read_ed25519(
	const struct kind *kind, const json_t *object, EVP_PKEY **ret, struct err *err);

static const struct kind kinds[] = {
	{ "RSA", NULL, NULL, 0, read_rsa },
	{ "EC", "P-256", "prime256v1", 32, read_ec },
	{ "EC", "P-384", "secp384r1", 48, read_ec },
	{ "OKP", "Ed25519", NULL, ED25519_LEN, read_ed25519 },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* Takes away the one octet that a signed number has in front. */
static void drop_sign(struct buf *number)
{
	const uint8_t *data = buf_data(number);

	if (number->len > 1 && data[0] == 0 && data[1] & 0x80)
		buf_consume(number, 1);
}

/* The bytes of member `name`; len 0: any length, as a number without leading zeros. */
static int member(
	const json_t *object, const char *name, size_t len, struct buf *ret, struct err *err)
{
	const char *text = json_get_string(object, name);

	if (!text)
		return err_set(err, -EBADMSG, "'%s' is missing or not a string", name);
	int rc = base64url_decode((struct bytes){ (const uint8_t *)text, strlen(text) }, ret, err);
	if (rc)
		return err_prefix(err, rc, "'%s'", name);
	if (!len || ret->len == len + 1)
		drop_sign(ret);
	if (len && ret->len != len)
		return err_set(err, -EBADMSG, "'%s' has %zu bytes, not %zu", name, ret->len, len);
	if (!len && (!ret->len || !*buf_data(ret)))
		return err_set(err, -EBADMSG, "'%s' is empty or has leading zeros", name);
	return 0;
}

static EVP_PKEY *from_params(const char *type, OSSL_PARAM_BLD *bld)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *pkey = NULL;

	if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
		EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
		pkey = NULL;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	return pkey;
}

/* Takes pkey over where it is good. */
static int checked(EVP_PKEY *pkey, const char *why, EVP_PKEY **ret, struct err *err)
{
	EVP_PKEY_CTX *ctx = pkey ? EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL) : NULL;
	bool good = ctx && EVP_PKEY_public_check(ctx) == 1;

	EVP_PKEY_CTX_free(ctx);
	if (good) {
		*ret = pkey;
		return 0;
	}
	EVP_PKEY_free(pkey);
	return err_set(err, -EBADMSG, "%s", why);
}

/* A product of two primes passes Fermat's test for one base about never. */
static bool looks_prime(const BIGNUM *n)
{
	BN_CTX *ctx = BN_CTX_new();
	BN_CLEANUP BIGNUM *base = BN_new(), *power = BN_dup(n);
	bool prime = !ctx || !base || !power || !BN_set_word(base, 2) || !BN_sub_word(power, 1) ||
		     !BN_mod_exp(power, base, power, n, ctx) || BN_is_one(power);

	BN_CTX_free(ctx);
	return prime;
}

/* Whether n is of the form that a widespread library for chips gave all its keys, which lets them
 * be factored (ROCA, CVE-2017-15361): modulo each small prime it is a power of 65537. Of other
 * moduli less than one in a hundred million is. */
static bool is_roca(const BIGNUM *n)
{
	static const unsigned primes[] = { 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53,
		59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139,
		149, 151, 157, 163, 167 };

	for (size_t i = 0; i < sizeof(primes) / sizeof(primes[0]); i++) {
		BN_ULONG rest = BN_mod_word(n, primes[i]);
		unsigned power = 1, step = 65537 % primes[i];
		do
			power = power * step % primes[i];
		while (power != 1 && power != rest);
		if (power != rest)
			return false;
	}
	return true;
}

static int rsa_numbers_ok(const BIGNUM *n, const BIGNUM *e, struct err *err)
{
	int bits = BN_num_bits(n);

	if (bits < JWK_RSA_BITS_MIN || bits > JWK_RSA_BITS_MAX)
		return err_set(err, -EBADMSG, "RSA key has %d bits; %d to %d are accepted", bits,
			JWK_RSA_BITS_MIN, JWK_RSA_BITS_MAX);
	if (!BN_is_odd(e) || BN_is_one(e) || BN_num_bits(e) > JWK_RSA_EXPONENT_BITS_MAX)
		return err_set(err, -EBADMSG,
			"RSA key has an exponent that is even, 1, or longer than %d bits",
			JWK_RSA_EXPONENT_BITS_MAX);
	if (!BN_is_odd(n) || looks_prime(n))
		return err_set(err, -EBADMSG, "RSA key has a modulus that is even or a prime");
	if (is_roca(n))
		return err_set(err, -EBADMSG,
			"RSA key was made by a library whose keys can be factored (ROCA)");
	return 0;
}

static int read_rsa(const struct kind *kind, const json_t *object, EVP_PKEY **ret, struct err *err)
{
	BUF_CLEANUP struct buf modulus = BUF_INIT(JWK_RSA_BITS_MAX / 4),
			       exponent = BUF_INIT(JWK_RSA_BITS_MAX / 4);
	BLD_CLEANUP OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	int rc = member(object, "n", kind->len, &modulus, err);

	if (!rc)
		rc = member(object, "e", kind->len, &exponent, err);
	if (rc)
		return rc;
	BN_CLEANUP BIGNUM *n = BN_bin2bn(buf_data(&modulus), (int)modulus.len, NULL),
			  *e = BN_bin2bn(buf_data(&exponent), (int)exponent.len, NULL);
	if (!bld || !n || !e)
		return err_set(err, -ENOMEM, "out of memory");
	rc = rsa_numbers_ok(n, e, err);
	if (rc)
		return rc;
	if (!OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) ||
		!OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e))
		return err_set(err, -ENOMEM, "out of memory");
	return checked(from_params("RSA", bld),
		"RSA key is not accepted: its modulus has a small factor or its exponent does not "
		"fit",
		ret, err);
}

static int read_ec(const struct kind *kind, const json_t *object, EVP_PKEY **ret, struct err *err)
{
	BUF_CLEANUP struct buf x = BUF_INIT(1024), y = BUF_INIT(1024), point = BUF_INIT(256);
	BLD_CLEANUP OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	int rc = member(object, "x", kind->len, &x, err);

	if (!rc)
		rc = member(object, "y", kind->len, &y, err);
	if (rc)
		return rc;
	if (!bld || buf_putc(&point, EC_UNCOMPRESSED) || buf_put(&point, buf_data(&x), x.len) ||
		buf_put(&point, buf_data(&y), y.len) ||
		!OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, kind->group, 0) ||
		!OSSL_PARAM_BLD_push_octet_string(
			bld, OSSL_PKEY_PARAM_PUB_KEY, buf_data(&point), point.len))
		return err_set(err, -ENOMEM, "out of memory");
	return checked(from_params("EC", bld), "EC key is not a point of its curve", ret, err);
}

/* OpenSSL takes any 32 bytes; our own reader of SSH keys refuses what is not a point, not
 * canonical, or of small order, so the key goes through it.
 */
static int read_ed25519(
	const struct kind *kind, const json_t *object, EVP_PKEY **ret, struct err *err)
{
	BUF_CLEANUP struct buf point = BUF_INIT(1024), blob = BUF_INIT(256);
	SSHKEY_CLEANUP struct sshkey *key = NULL;
	int rc = member(object, "x", kind->len, &point, err);

	if (rc)
		return rc;
	if (wire_put_cstring(&blob, "ssh-ed25519") || wire_put_bytes(&blob, buf_bytes(&point)))
		return err_set(err, -ENOMEM, "out of memory");
	if (sshkey_from_blob(buf_bytes(&blob), &key, NULL))
		return err_set(err, -EBADMSG, "Ed25519 key is not a usable point of its curve");
	return checked(
		EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, buf_data(&point), point.len),
		"Ed25519 key is not accepted", ret, err);
}

static int not_supported(const char *kty, const char *crv, struct err *err)
{
	char clean[64];

	for (size_t i = 0; i < KINDS; i++)
		if (!strcmp(kinds[i].kty, kty))
			return err_set(err, -EBADMSG, "curve '%s' is not supported",
				crv ? text_clean(clean, sizeof(clean), crv, strlen(crv)) : "");
	if (!strcmp(kty, "oct"))
		return err_set(err, -EBADMSG, "a shared secret, not a public key");
	return err_set(err, -EBADMSG, "key type '%s' is not supported",
		text_clean(clean, sizeof(clean), kty, strlen(kty)));
}

int jwk_public(const json_t *object, EVP_PKEY **ret, const char **ret_kty, const char **ret_crv,
	struct err *err)
{
	const char *kty = json_get_string(object, "kty"), *crv = json_get_string(object, "crv");

	if (!kty)
		return err_set(err, -EBADMSG, "'kty' is missing or not a string");
	for (size_t i = 0; i < KINDS; i++) {
		if (strcmp(kinds[i].kty, kty) || (kinds[i].crv && !text_equal(kinds[i].crv, crv)))
			continue;
		int rc = kinds[i].read(&kinds[i], object, ret, err);
		ERR_clear_error();
		if (!rc) {
			*ret_kty = kinds[i].kty;
			*ret_crv = kinds[i].crv;
		}
		return rc;
	}
	return not_supported(kty, crv, err);
}
