/* Shared by the files sshkey*.c; nobody else includes this.
 *
 * Invariant of struct sshkey: blob is the strictly parsed public half, and pkey (public, or private
 * once a file was read or a key made) belongs to it; sshkey_adopt() is the only place where a
 * private half is put in, and it proves that they fit. */
#ifndef BARTIZAN_KEYS_SSHKEY_IMPL_H
#define BARTIZAN_KEYS_SSHKEY_IMPL_H

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "common/wire.h"
#include "keys/sshkey.h"

#define SSHKEY_ED25519_LEN 32
#define SSHKEY_RSA_BITS_MIN 2048
#define SSHKEY_RSA_BITS_MAX 16384
/* a larger one makes each verification slow, without any use */
#define SSHKEY_RSA_EXPONENT_BITS_MAX 64
#define SSHKEY_EC_POINT_MAX 133	    /* 1 + 2 * 66: P-521 */
#define SSHKEY_EC_UNCOMPRESSED 0x04 /* first byte of a point (SEC 1, 2.3.3) */

struct sshkey_kind {
	const char *name;    /* the algorithm name in the blob */
	const char *openssl; /* "ED25519", "EC", "RSA" */
	const char *curve;   /* RFC 5656 name, EC only */
	const char *group;   /* OpenSSL's name of it */
	size_t coordinate;   /* bytes of x and of y, EC only */
	/* a hardware key: an application string follows, signatures carry flags and a counter */
	bool sk;
	int (*read)(
		const struct sshkey_kind *kind, struct wire *in, EVP_PKEY **ret, struct err *err);
};

struct sshkey {
	const struct sshkey_kind *kind;
	EVP_PKEY *pkey;
	bool has_private;
	struct buf blob;
	struct bytes application; /* sk only: inside blob */
};

/* Returns -EBADMSG with the text, and empties OpenSSL's error queue, which nobody reads. */
int sshkey_refuse(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const struct sshkey_kind *sshkey_kind_find(struct bytes name);
/* A positive mpint in its only encoding, without the leading zero; -EBADMSG. Borrowed. */
int sshkey_get_mpint(struct wire *in, struct bytes *ret);
/* A key of OpenSSL type `type` from the parameters; NULL on failure. selection: EVP_PKEY_PUBLIC_KEY
 * or EVP_PKEY_KEYPAIR. */
EVP_PKEY *sshkey_from_params(const char *type, int selection, OSSL_PARAM_BLD *params);
/* Whether the bytes are the canonical encoding of a point of edwards25519 that is not of small
 * order. */
bool sshkey_ed25519_point_ok(const uint8_t point[static SSHKEY_ED25519_LEN]);
/* OpenSSL's whole check of a public half; slow for a long RSA key. */
bool sshkey_public_ok(EVP_PKEY *pkey);
/* The public blob of an OpenSSL key of a plain kind. */
int sshkey_blob_of(const EVP_PKEY *pkey, struct buf *out, struct err *err);
/* Makes a private key from OpenSSL's key; takes pkey, also on failure. Checks that both halves
 * belong together. */
int sshkey_adopt(EVP_PKEY *pkey, struct sshkey **ret, struct err *err);

static inline void sshkey_bn_freep(BIGNUM **bn)
{
	BN_clear_free(*bn);
}
static inline void sshkey_bn_ctx_freep(BN_CTX **ctx)
{
	BN_CTX_free(*ctx);
}
static inline void sshkey_pkey_freep(EVP_PKEY **pkey)
{
	EVP_PKEY_free(*pkey);
}
static inline void sshkey_bld_freep(OSSL_PARAM_BLD **bld)
{
	OSSL_PARAM_BLD_free(*bld);
}
#define BN_CLEANUP __attribute__((cleanup(sshkey_bn_freep)))
#define BN_CTX_CLEANUP __attribute__((cleanup(sshkey_bn_ctx_freep)))
#define PKEY_CLEANUP __attribute__((cleanup(sshkey_pkey_freep)))
#define BLD_CLEANUP __attribute__((cleanup(sshkey_bld_freep)))
#define BURN_CLEANUP __attribute__((cleanup(buf_burn)))

#endif
