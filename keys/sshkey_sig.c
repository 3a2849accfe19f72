/* Signatures of plain keys: made and verified.
 *
 * The algorithm must be a row of the table, and the row must have the type of the key: nothing else
 * in a signature decides how it is checked. ssh-rsa (SHA-1), all certificate names and webauthn
 * have no row and are never accepted. Signatures have exactly one length or encoding. */
#include "keys/sshkey_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/err.h>

#include "common/text.h"
#include "keys/sshcert.h"

#define SK_USER_PRESENT 0x01 /* PROTOCOL.u2f, flags of a signature */
#define SHA256_LEN 32
#define ECDSA_DER_MAX 160

struct algorithm {
	const char *name;
	const char *key_type;
	const char *digest; /* NULL: the message itself is signed */
	/* Convert the contents of the signature string to OpenSSL's form, and back. */
	int (*decode)(
		const struct sshkey *key, struct bytes body, struct buf *raw, struct err *err);
	int (*encode)(struct bytes raw, struct buf *body);
};

static int decode_ed25519(
	const struct sshkey *key, struct bytes body, struct buf *raw, struct err *err);
static int decode_ecdsa(
	const struct sshkey *key, struct bytes body, struct buf *raw, struct err *err);
static int decode_rsa(
	const struct sshkey *key, struct bytes body, struct buf *raw, struct err *err);
static int encode_plain(struct bytes raw, struct buf *body);
static int encode_ecdsa(struct bytes raw, struct buf *body);

/* The first row of a key type is its best algorithm. sk rows cannot encode: the private half is in
 * a hardware token. */
static const struct algorithm algorithms[] = {
	{ "ssh-ed25519", "ssh-ed25519", NULL, decode_ed25519, encode_plain },
	{ "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", "SHA256", decode_ecdsa, encode_ecdsa },
	{ "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384", "SHA384", decode_ecdsa, encode_ecdsa },
	{ "ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521", "SHA512", decode_ecdsa, encode_ecdsa },
	{ "rsa-sha2-512", "ssh-rsa", "SHA512", decode_rsa, encode_plain },
	{ "rsa-sha2-256", "ssh-rsa", "SHA256", decode_rsa, encode_plain },
	{ "sk-ssh-ed25519@openssh.com", "sk-ssh-ed25519@openssh.com", NULL, decode_ed25519, NULL },
	{ "sk-ecdsa-sha2-nistp256@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com", "SHA256",
		decode_ecdsa, NULL },
};
#define ALGORITHMS (sizeof(algorithms) / sizeof(algorithms[0]))

static int decode_fixed(struct bytes body, size_t len, struct buf *raw, struct err *err)
{
	if (body.len != len)
		return sshkey_refuse(err, "signature has %zu bytes, not %zu", body.len, len);
	return buf_put(raw, body.data, body.len);
}

static int decode_ed25519(
	const struct sshkey *key, struct bytes body, struct buf *raw, struct err *err)
{
	(void)key;
	return decode_fixed(body, 64, raw, err);
}

static int decode_rsa(const struct sshkey *key, struct bytes body, struct buf *raw, struct err *err)
{
	return decode_fixed(body, (size_t)EVP_PKEY_get_size(key->pkey), raw, err);
}

static int ecdsa_to_der(struct bytes r, struct bytes s, struct buf *raw)
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *bn_r = BN_bin2bn(r.data, (int)r.len, NULL),
	       *bn_s = BN_bin2bn(s.data, (int)s.len, NULL);
	uint8_t der[ECDSA_DER_MAX], *end = der;
	int len, rc = -ENOMEM;

	if (!sig || !bn_r || !bn_s || ECDSA_SIG_set0(sig, bn_r, bn_s) != 1)
		goto out;
	bn_r = bn_s = NULL; /* sig owns them */
	len = i2d_ECDSA_SIG(sig, NULL);
	if (len > 0 && len <= (int)sizeof(der) && i2d_ECDSA_SIG(sig, &end) == len)
		rc = buf_put(raw, der, (size_t)len);
out:
	BN_free(bn_r);
	BN_free(bn_s);
	ECDSA_SIG_free(sig);
	return rc;
}

static int decode_ecdsa(
	const struct sshkey *key, struct bytes body, struct buf *raw, struct err *err)
{
	struct wire in = WIRE_OF(body.data, body.len);
	struct bytes r, s;

	if (sshkey_get_mpint(&in, &r) < 0 || sshkey_get_mpint(&in, &s) < 0 || !wire_done(&in))
		return sshkey_refuse(err, "ECDSA signature is not two positive numbers");
	if (r.len > key->kind->coordinate || s.len > key->kind->coordinate)
		return sshkey_refuse(err, "ECDSA signature has a number longer than %zu bytes",
			key->kind->coordinate);
	return ecdsa_to_der(r, s, raw);
}

static int encode_plain(struct bytes raw, struct buf *body)
{
	return buf_put(body, raw.data, raw.len);
}

static int put_bn(struct buf *out, const BIGNUM *bn)
{
	uint8_t bytes[SSHKEY_EC_POINT_MAX];

	if (BN_num_bytes(bn) > (int)sizeof(bytes))
		return -EBADMSG;
	return wire_put_mpint(out, bytes, (size_t)BN_bn2bin(bn, bytes));
}

static int encode_ecdsa(struct bytes raw, struct buf *body)
{
	const uint8_t *der = raw.data;

	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)raw.len);
	int rc = -EBADMSG;

	if (sig)
		rc = put_bn(body, ECDSA_SIG_get0_r(sig));
	if (rc == 0)
		rc = put_bn(body, ECDSA_SIG_get0_s(sig));
	ECDSA_SIG_free(sig);
	return rc;
}

static const struct algorithm *find_for_key(const struct sshkey *key, const char *name)
{
	for (size_t i = 0; i < ALGORITHMS; i++)
		if (strcmp(algorithms[i].key_type, key->kind->name) == 0 &&
			(!name || strcmp(algorithms[i].name, name) == 0))
			return &algorithms[i];
	return NULL;
}

static int evp_sign(const struct sshkey *key, const struct algorithm *algorithm, struct bytes data,
	struct buf *raw)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t len = (size_t)EVP_PKEY_get_size(key->pkey);
	uint8_t *room;
	int rc = buf_grow(raw, len, &room);

	if (rc == 0 && (!ctx ||
			       EVP_DigestSignInit_ex(ctx, NULL, algorithm->digest, NULL, NULL,
				       key->pkey, NULL) != 1 ||
			       EVP_DigestSign(ctx, room, &len, data.data, data.len) != 1))
		rc = -EIO;
	if (rc == 0)
		buf_grow_done(raw, len);
	EVP_MD_CTX_free(ctx);
	return rc;
}

int sshkey_sign(const struct sshkey *key, const char *name, struct bytes data, struct buf *out,
	struct err *err)
{
	BUF_CLEANUP struct buf raw = BUF_INIT(SSHKEY_SIG_MAX), body = BUF_INIT(SSHKEY_SIG_MAX),
			       sig = BUF_INIT(SSHKEY_SIG_MAX);
	const struct algorithm *algorithm = find_for_key(key, name);
	char shown[96];
	int rc;

	if (!algorithm)
		return err_set(err, -EINVAL,
			"signature algorithm '%s' is not supported with a key of type %s",
			text_clean(shown, sizeof(shown), name, strlen(name)), key->kind->name);
	if (!key->has_private || !algorithm->encode)
		return err_set(
			err, -EINVAL, "key of type %s has no private half here", key->kind->name);
	rc = evp_sign(key, algorithm, data, &raw);
	if (rc == 0)
		rc = algorithm->encode(buf_bytes(&raw), &body);
	if (rc == 0)
		rc = wire_put_cstring(&sig, algorithm->name);
	if (rc == 0)
		rc = wire_put_bytes(&sig, buf_bytes(&body));
	if (rc == 0)
		rc = buf_put(out, buf_data(&sig), sig.len);
	ERR_clear_error();
	return rc == 0 ? 0
		       : err_set(err, rc, "signing with a key of type %s failed: %s",
				 key->kind->name, strerror(-rc));
}

static int find_for_signature(
	const struct sshkey *key, struct bytes name, const struct algorithm **ret, struct err *err)
{
	char shown[96];
	bool known = false;

	for (size_t i = 0; i < ALGORITHMS; i++) {
		if (!wire_equal(name, algorithms[i].name))
			continue;
		known = true;
		*ret = &algorithms[i];
		if (strcmp(algorithms[i].key_type, key->kind->name) == 0)
			return 0;
	}
	text_clean(shown, sizeof(shown), name.data, name.len);
	if (known)
		return sshkey_refuse(err, "signature algorithm '%s' does not fit a key of type %s",
			shown, key->kind->name);
	if (wire_equal(name, "ssh-rsa"))
		return sshkey_refuse(
			err, "signature algorithm 'ssh-rsa' uses SHA-1 and is refused");
	if (sshcert_is_cert_type(name))
		return sshkey_refuse(
			err, "signature algorithm '%s' is the name of a certificate type", shown);
	return sshkey_refuse(err, "signature algorithm '%s' is not supported", shown);
}

/* What a token signs (PROTOCOL.u2f): digest of the application, flags, counter, digest of the
 * message. */
static int sk_message(const struct sshkey *key, struct wire *in, struct bytes data, struct buf *out,
	struct err *err)
{
	uint8_t application[SHA256_LEN], message[SHA256_LEN], flags;
	uint32_t counter;
	int rc;

	if (wire_get_u8(in, &flags) < 0 || wire_get_u32(in, &counter) < 0)
		return sshkey_refuse(
			err, "signature of a hardware key is truncated in its flags or counter");
	if (!(flags & SK_USER_PRESENT))
		return sshkey_refuse(
			err, "signature of a hardware key was made without the user's touch");
	if (!EVP_Q_digest(NULL, "SHA256", NULL, key->application.data, key->application.len,
		    application, NULL) ||
		!EVP_Q_digest(NULL, "SHA256", NULL, data.data, data.len, message, NULL))
		return sshkey_refuse(
			err, "signature of a hardware key: the digest could not be computed");
	rc = buf_put(out, application, sizeof(application));
	if (rc == 0)
		rc = wire_put_u8(out, flags);
	if (rc == 0)
		rc = wire_put_u32(out, counter);
	return rc < 0 ? rc : buf_put(out, message, sizeof(message));
}

static int evp_verify(const struct sshkey *key, const struct algorithm *algorithm, struct bytes raw,
	struct bytes data, struct err *err)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx &&
		  EVP_DigestVerifyInit_ex(
			  ctx, NULL, algorithm->digest, NULL, NULL, key->pkey, NULL) == 1 &&
		  EVP_DigestVerify(ctx, raw.data, raw.len, data.data, data.len) == 1;

	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return ok ? 0 : sshkey_refuse(err, "signature is wrong");
}

int sshkey_verify(
	const struct sshkey *key, struct bytes signature, struct bytes data, struct err *err)
{
	BUF_CLEANUP struct buf raw = BUF_INIT(SSHKEY_SIG_MAX), message = BUF_INIT(128);
	struct wire in = WIRE_OF(signature.data, signature.len);
	const struct algorithm *algorithm = NULL;
	struct bytes name, body;
	int rc;

	if (signature.len > SSHKEY_SIG_MAX)
		return sshkey_refuse(err, "signature of %zu bytes is longer than %d", signature.len,
			SSHKEY_SIG_MAX);
	if (wire_get_string(&in, &name) < 0 || wire_get_string(&in, &body) < 0)
		return sshkey_refuse(err, "signature is empty or truncated");
	rc = find_for_signature(key, name, &algorithm, err);
	if (rc == 0)
		rc = algorithm->decode(key, body, &raw, err);
	if (rc == 0 && key->kind->sk) {
		rc = sk_message(key, &in, data, &message, err);
		data = buf_bytes(&message);
	}
	if (rc < 0)
		return rc == -EBADMSG ? rc
				      : sshkey_refuse(err, "signature cannot be checked: %s",
						strerror(-rc));
	if (!wire_done(&in))
		return sshkey_refuse(err, "signature has %zu trailing bytes", in.len);
	return evp_verify(key, algorithm, buf_bytes(&raw), data, err);
}
