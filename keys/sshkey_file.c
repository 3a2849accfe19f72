/* Private keys: from files, new ones, and the file of an ed25519 key.
 *
 * openssh-key-v1 (PROTOCOL.key) is read here, PEM and PKCS#8 by OpenSSL. A passphrase is never
 * asked for: such a key is refused with that reason. Both ways end in sshkey_adopt(), which derives
 * the public half from the private one and proves by a signature that they belong together. Copies
 * of private bytes are in buffers that are overwritten at the end. Only the signer, the listener
 * (host key) and the CLI call this. */
#include "keys/sshkey_impl.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include "common/text.h"

#define BEGIN_MARK "-----BEGIN OPENSSH PRIVATE KEY-----"
#define END_MARK "-----END OPENSSH PRIVATE KEY-----"
#define MAGIC "openssh-key-v1" /* with its NUL */
#define PAD_BLOCK 8	       /* block size of the cipher "none" */
#define LINE_WIDTH 70
#define COMMENT_MAX 1024

static const char passphrase_text[] =
	"private key has a passphrase; keys are read without one (ssh-keygen -p removes it)";

static bool halves_fit(EVP_PKEY *private_half, const struct sshkey *key, struct err *err)
{
	static const char probe[] = "do both halves of this key fit?";
	BUF_CLEANUP struct buf sig = BUF_INIT(SSHKEY_SIG_MAX);
	struct bytes data = { (const uint8_t *)probe, sizeof(probe) };
	struct sshkey signer = { .kind = key->kind, .pkey = private_half, .has_private = true };

	return sshkey_sign(&signer, NULL, data, &sig, err) == 0 &&
	       sshkey_verify(key, buf_bytes(&sig), data, err) == 0;
}

int sshkey_adopt(EVP_PKEY *pkey, struct sshkey **ret, struct err *err)
{
	PKEY_CLEANUP EVP_PKEY *owned = pkey;
	BUF_CLEANUP struct buf blob = BUF_INIT(SSHKEY_BLOB_MAX);
	SSHKEY_CLEANUP struct sshkey *key = NULL;
	int rc;

	rc = sshkey_blob_of(owned, &blob, err);
	if (rc == 0)
		rc = sshkey_from_blob(buf_bytes(&blob), &key, err);
	if (rc < 0)
		return rc;
	if (EVP_PKEY_is_a(owned, "RSA") && !sshkey_public_ok(owned))
		return sshkey_refuse(
			err, "RSA key has a modulus that is not a product of two primes");
	if (!halves_fit(owned, key, err))
		return sshkey_refuse(err, "private half of the %s key does not fit its public half",
			key->kind->name);
	EVP_PKEY_free(key->pkey);
	key->pkey = owned;
	key->has_private = true;
	owned = NULL;
	*ret = key;
	key = NULL;
	return 0;
}

int sshkey_generate_ed25519(struct sshkey **ret, struct err *err)
{
	EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

	if (!pkey)
		return err_set(err, -EIO, "OpenSSL could not make a new key");
	return sshkey_adopt(pkey, ret, err);
}

/* --- the private section of openssh-key-v1, by kind --- */

static int open_ed25519(const struct sshkey_kind *kind, struct wire *in, EVP_PKEY **ret)
{
	struct bytes point, secret;

	(void)kind;
	if (wire_get_string(in, &point) < 0 || wire_get_string(in, &secret) < 0 ||
		point.len != SSHKEY_ED25519_LEN || secret.len != 64 ||
		memcmp(secret.data + 32, point.data, point.len) != 0)
		return -EBADMSG;
	*ret = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret.data, 32);
	return *ret ? 0 : -EBADMSG;
}

/* Reads a secret number into memory that OpenSSL clears. NULL: not an mpint. */
static BIGNUM *get_secret(struct wire *in)
{
	BIGNUM *bn = BN_secure_new();
	struct bytes value;

	if (bn && sshkey_get_mpint(in, &value) == 0 && BN_bin2bn(value.data, (int)value.len, bn)) {
		BN_set_flags(bn, BN_FLG_CONSTTIME);
		return bn;
	}
	BN_clear_free(bn);
	return NULL;
}

static int open_ec(const struct sshkey_kind *kind, struct wire *in, EVP_PKEY **ret)
{
	BLD_CLEANUP OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	BN_CLEANUP BIGNUM *secret = NULL;
	struct bytes curve, point;

	if (wire_get_string(in, &curve) < 0 || wire_get_string(in, &point) < 0 ||
		!wire_equal(curve, kind->curve))
		return -EBADMSG;
	secret = get_secret(in);
	if (!bld || !secret ||
		!OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, kind->group, 0) ||
		!OSSL_PARAM_BLD_push_octet_string(
			bld, OSSL_PKEY_PARAM_PUB_KEY, point.data, point.len) ||
		!OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PRIV_KEY, secret))
		return -EBADMSG;
	*ret = sshkey_from_params("EC", EVP_PKEY_KEYPAIR, bld);
	return *ret ? 0 : -EBADMSG;
}

/* d mod (prime - 1), which the file does not contain but OpenSSL needs. */
static BIGNUM *crt_exponent(const BIGNUM *d, const BIGNUM *prime)
{
	BN_CTX_CLEANUP BN_CTX *ctx = BN_CTX_secure_new();
	BN_CLEANUP BIGNUM *less = BN_secure_new();
	BIGNUM *exponent = BN_secure_new();

	if (ctx && less && exponent && BN_copy(less, prime) && BN_sub_word(less, 1) &&
		!BN_is_zero(less)) {
		BN_set_flags(less, BN_FLG_CONSTTIME);
		if (BN_mod(exponent, d, less, ctx))
			return exponent;
	}
	BN_clear_free(exponent);
	return NULL;
}

enum rsa_number {
	RSA_NUM_N,
	RSA_NUM_E,
	RSA_NUM_D,
	RSA_NUM_COEFFICIENT,
	RSA_NUM_P,
	RSA_NUM_Q,
	RSA_NUM_DP,
	RSA_NUM_DQ,
	RSA_NUMBERS
};

static const char *const rsa_params[RSA_NUMBERS] = {
	OSSL_PKEY_PARAM_RSA_N,
	OSSL_PKEY_PARAM_RSA_E,
	OSSL_PKEY_PARAM_RSA_D,
	OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
	OSSL_PKEY_PARAM_RSA_FACTOR1,
	OSSL_PKEY_PARAM_RSA_FACTOR2,
	OSSL_PKEY_PARAM_RSA_EXPONENT1,
	OSSL_PKEY_PARAM_RSA_EXPONENT2,
};

static int open_rsa(const struct sshkey_kind *kind, struct wire *in, EVP_PKEY **ret)
{
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	BIGNUM *numbers[RSA_NUMBERS] = { NULL };
	bool ok = bld != NULL;

	(void)kind;
	for (size_t i = 0; ok && i <= RSA_NUM_Q; i++)
		ok = (numbers[i] = get_secret(in)) != NULL &&
		     BN_num_bits(numbers[i]) <= SSHKEY_RSA_BITS_MAX;
	if (ok)
		numbers[RSA_NUM_DP] = crt_exponent(numbers[RSA_NUM_D], numbers[RSA_NUM_P]);
	if (ok)
		numbers[RSA_NUM_DQ] = crt_exponent(numbers[RSA_NUM_D], numbers[RSA_NUM_Q]);
	for (size_t i = 0; ok && i < RSA_NUMBERS; i++)
		ok = numbers[i] && OSSL_PARAM_BLD_push_BN(bld, rsa_params[i], numbers[i]);
	if (ok)
		*ret = sshkey_from_params("RSA", EVP_PKEY_KEYPAIR, bld);
	OSSL_PARAM_BLD_free(bld);
	for (size_t i = 0; i < RSA_NUMBERS; i++)
		BN_clear_free(numbers[i]);
	return ok && *ret ? 0 : -EBADMSG;
}

static int open_body(const struct sshkey_kind *kind, struct wire *in, EVP_PKEY **ret)
{
	static const struct {
		const char *openssl;
		int (*open)(const struct sshkey_kind *kind, struct wire *in, EVP_PKEY **ret);
	} rows[] = { { "ED25519", open_ed25519 }, { "EC", open_ec }, { "RSA", open_rsa } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].openssl, kind->openssl) == 0)
			return rows[i].open(kind, in, ret);
	return -EBADMSG;
}

static bool padding_ok(const struct wire *in)
{
	for (size_t i = 0; i < in->len; i++)
		if (in->data[i] != i + 1)
			return false;
	return in->len < PAD_BLOCK;
}

static int open_section(struct bytes section, EVP_PKEY **ret, struct err *err)
{
	PKEY_CLEANUP EVP_PKEY *pkey = NULL;
	struct wire in = WIRE_OF(section.data, section.len);
	const struct sshkey_kind *kind;
	struct bytes name, comment;
	uint32_t check1, check2;

	if (section.len % PAD_BLOCK != 0 || wire_get_u32(&in, &check1) < 0 ||
		wire_get_u32(&in, &check2) < 0 || check1 != check2 ||
		wire_get_string(&in, &name) < 0)
		return sshkey_refuse(err, "private key file is damaged");
	kind = sshkey_kind_find(name);
	if (!kind)
		return sshkey_refuse(err, "private key is of a type that is not supported");
	if (kind->sk)
		return sshkey_refuse(err,
			"private key is of type %s: its secret is in a hardware token, it cannot "
			"sign here",
			kind->name);
	if (open_body(kind, &in, &pkey) < 0 || wire_get_string(&in, &comment) < 0 ||
		!padding_ok(&in))
		return sshkey_refuse(err, "private %s key is damaged", kind->name);
	*ret = pkey;
	pkey = NULL;
	return 0;
}

static int open_openssh(struct bytes raw, struct sshkey **ret, struct err *err)
{
	SSHKEY_CLEANUP struct sshkey *key = NULL;
	struct wire in = WIRE_OF(raw.data, raw.len);
	struct bytes cipher, kdf, options, public_half, section;
	EVP_PKEY *pkey = NULL;
	uint32_t count;
	int rc;

	if (in.len < sizeof(MAGIC) || memcmp(in.data, MAGIC, sizeof(MAGIC)) != 0)
		return sshkey_refuse(err, "private key file is not of version openssh-key-v1");
	in = WIRE_OF(in.data + sizeof(MAGIC), in.len - sizeof(MAGIC));
	if (wire_get_string(&in, &cipher) < 0 || wire_get_string(&in, &kdf) < 0 ||
		wire_get_string(&in, &options) < 0)
		return sshkey_refuse(err, "private key file is damaged");
	if (!wire_equal(cipher, "none") || !wire_equal(kdf, "none"))
		return sshkey_refuse(err, "%s", passphrase_text);
	if (wire_get_u32(&in, &count) < 0 || count != 1 || wire_get_string(&in, &public_half) < 0 ||
		wire_get_string(&in, &section) < 0 || !wire_done(&in))
		return sshkey_refuse(
			err, "private key file is damaged, or holds more than one key");
	rc = open_section(section, &pkey, err);
	if (rc == 0)
		rc = sshkey_adopt(pkey, &key, err);
	if (rc < 0)
		return rc;
	if (!wire_same(sshkey_blob(key), public_half))
		return sshkey_refuse(err, "private half of the %s key does not fit its public half",
			key->kind->name);
	*ret = key;
	key = NULL;
	return 0;
}

/* Extracts the base64 between the marks without line ends. The buffer is allocated at once, so that
 * growing leaves no copy behind. */
static int strip_armor(struct bytes file, struct buf *base64, struct err *err)
{
	const char *text = (const char *)file.data + strlen(BEGIN_MARK);
	size_t left = file.len - strlen(BEGIN_MARK);
	const char *end = memmem(text, left, END_MARK, strlen(END_MARK));
	uint8_t *room;
	size_t used = 0;

	if (!end)
		return sshkey_refuse(err, "private key file has no end mark");
	for (size_t i = (size_t)(end - text) + strlen(END_MARK); i < left; i++)
		if (!isspace((unsigned char)text[i]))
			return sshkey_refuse(err, "private key file has text after its end mark");
	if (buf_grow(base64, (size_t)(end - text) + 1, &room) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	for (const char *p = text; p < end; p++)
		if (*p != '\n' && *p != '\r')
			room[used++] = (uint8_t)*p;
	buf_grow_done(base64, used);
	return 0;
}

static int from_openssh(struct bytes file, struct sshkey **ret, struct err *err)
{
	BURN_CLEANUP struct buf base64 = BUF_INIT(SSHKEY_FILE_MAX), raw = BUF_INIT(SSHKEY_FILE_MAX);
	uint8_t *room;
	int rc;

	rc = strip_armor(file, &base64, err);
	if (rc < 0)
		return rc;
	if (buf_grow(&raw, base64.len + 1, &room) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	buf_grow_done(&raw, 0);
	if (text_base64_decode(&raw, (const char *)buf_data(&base64), base64.len) < 0)
		return sshkey_refuse(err, "private key file is not base64");
	return open_openssh(buf_bytes(&raw), ret, err);
}

static int no_passphrase(char *out, int size, int writing, void *asked)
{
	(void)out;
	(void)size;
	(void)writing;
	*(bool *)asked = true;
	return -1;
}

static int from_pem(struct bytes file, struct sshkey **ret, struct err *err)
{
	BIO *bio = BIO_new_mem_buf(file.data, (int)file.len);
	EVP_PKEY *pkey;
	bool asked = false;

	if (!bio)
		return err_set(err, -ENOMEM, "out of memory");
	pkey = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &asked);
	BIO_free(bio);
	if (!pkey && asked)
		return sshkey_refuse(err, "%s", passphrase_text);
	if (!pkey)
		return sshkey_refuse(err, "not a private key in OpenSSH or PEM form");
	return sshkey_adopt(pkey, ret, err);
}

int sshkey_from_private(struct bytes file, struct sshkey **ret, struct err *err)
{
	if (file.len > SSHKEY_FILE_MAX)
		return sshkey_refuse(err, "private key file of %zu bytes is longer than %d",
			file.len, SSHKEY_FILE_MAX);
	while (file.len > 0 && isspace(*file.data))
		file = (struct bytes){ file.data + 1, file.len - 1 };
	if (file.len == 0)
		return sshkey_refuse(err, "private key file is empty");
	if (file.len >= strlen(BEGIN_MARK) &&
		memcmp(file.data, BEGIN_MARK, strlen(BEGIN_MARK)) == 0)
		return from_openssh(file, ret, err);
	return from_pem(file, ret, err);
}

/* --- writing --- */

static int put_section(const struct sshkey *key, const char *comment, struct buf *out)
{
	uint8_t seed[32], check[4], pair[64];
	struct bytes blob = sshkey_blob(key);
	size_t len = sizeof(seed);
	int rc = -EIO;

	if (EVP_PKEY_get_raw_private_key(key->pkey, seed, &len) != 1 || len != sizeof(seed) ||
		RAND_bytes(check, sizeof(check)) != 1)
		return rc;
	memcpy(pair, seed, 32);
	memcpy(pair + 32, blob.data + blob.len - 32, 32); /* the public point ends the blob */
	rc = buf_put(out, check, sizeof(check));
	if (rc == 0)
		rc = buf_put(out, check, sizeof(check));
	if (rc == 0)
		rc = buf_put(out, blob.data, blob.len); /* type and point, as in the public blob */
	if (rc == 0)
		rc = wire_put_string(out, pair, sizeof(pair));
	if (rc == 0)
		rc = wire_put_cstring(out, comment);
	for (uint8_t pad = 1; rc == 0 && out->len % PAD_BLOCK != 0; pad++)
		rc = wire_put_u8(out, pad);
	text_burn(seed, sizeof(seed));
	text_burn(pair, sizeof(pair));
	return rc;
}

static int put_container(const struct sshkey *key, struct bytes section, struct buf *out)
{
	int rc = buf_put(out, MAGIC, sizeof(MAGIC));

	for (int i = 0; rc == 0 && i < 2; i++)
		rc = wire_put_cstring(out, "none"); /* cipher and kdf */
	if (rc == 0)
		rc = wire_put_cstring(out, ""); /* options of the kdf */
	if (rc == 0)
		rc = wire_put_u32(out, 1);
	if (rc == 0)
		rc = wire_put_bytes(out, sshkey_blob(key));
	return rc < 0 ? rc : wire_put_bytes(out, section);
}

static int put_armor(struct bytes base64, struct buf *out)
{
	int rc = buf_puts(out, BEGIN_MARK "\n");

	for (size_t at = 0; rc == 0 && at < base64.len; at += LINE_WIDTH) {
		size_t len = base64.len - at < LINE_WIDTH ? base64.len - at : LINE_WIDTH;

		rc = buf_put(out, base64.data + at, len);
		if (rc == 0)
			rc = buf_putc(out, '\n');
	}
	return rc < 0 ? rc : buf_puts(out, END_MARK "\n");
}

int sshkey_private_file(const struct sshkey *key, const char *comment, struct buf *out)
{
	BURN_CLEANUP struct buf section = BUF_INIT(SSHKEY_FILE_MAX),
				raw = BUF_INIT(SSHKEY_FILE_MAX), base64 = BUF_INIT(SSHKEY_FILE_MAX);
	uint8_t *room;
	int rc = 0;

	if (!key->has_private || strcmp(key->kind->name, "ssh-ed25519") != 0)
		return -EINVAL;
	if (!comment)
		comment = "";
	if (strlen(comment) > COMMENT_MAX)
		return -EMSGSIZE;
	/* Allocated at once: a buffer that grows leaves its old bytes behind. */
	if (buf_grow(&section, 2 * COMMENT_MAX, &room) < 0 ||
		buf_grow(&raw, 4 * COMMENT_MAX, &room) < 0 ||
		buf_grow(&base64, 8 * COMMENT_MAX, &room) < 0)
		return -ENOMEM;
	rc = put_section(key, comment, &section);
	if (rc == 0)
		rc = put_container(key, buf_bytes(&section), &raw);
	if (rc == 0)
		rc = text_base64(&base64, buf_data(&raw), raw.len);
	return rc < 0 ? rc : put_armor(buf_bytes(&base64), out);
}
