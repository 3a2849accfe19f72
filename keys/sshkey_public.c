/* Public halves: the table of kinds, from wire fields to OpenSSL keys and back.
 *
 * The numbers come from others and are not trusted. EC points are checked by OpenSSL (on the curve,
 * in the group); ed25519 points here, since OpenSSL takes any 32 bytes: they must be canonical, on
 * the curve, and not of small order (with such a key one signature can fit any message). RSA: size,
 * odd, small exponent. OpenSSL's own check of an RSA modulus takes up to a second for 16384 bits,
 * with which a stranger could block the broker, and finds only faults that harm the owner of the
 * key; so it is made only for private keys. */
#include "keys/sshkey_impl.h"

#include <errno.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>

#include "common/text.h"

static int read_ed25519(
	const struct sshkey_kind *kind, struct wire *in, EVP_PKEY **ret, struct err *err);
static int read_ec(
	const struct sshkey_kind *kind, struct wire *in, EVP_PKEY **ret, struct err *err);
static int read_rsa(
	const struct sshkey_kind *kind, struct wire *in, EVP_PKEY **ret, struct err *err);

static const struct sshkey_kind kinds[] = {
	{ "ssh-ed25519", "ED25519", NULL, NULL, 0, false, read_ed25519 },
	{ "ecdsa-sha2-nistp256", "EC", "nistp256", "prime256v1", 32, false, read_ec },
	{ "ecdsa-sha2-nistp384", "EC", "nistp384", "secp384r1", 48, false, read_ec },
	{ "ecdsa-sha2-nistp521", "EC", "nistp521", "secp521r1", 66, false, read_ec },
	{ "ssh-rsa", "RSA", NULL, NULL, 0, false, read_rsa },
	{ "sk-ssh-ed25519@openssh.com", "ED25519", NULL, NULL, 0, true, read_ed25519 },
	{ "sk-ecdsa-sha2-nistp256@openssh.com", "EC", "nistp256", "prime256v1", 32, true, read_ec },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

const struct sshkey_kind *sshkey_kind_find(struct bytes name)
{
	for (size_t i = 0; i < KINDS; i++)
		if (wire_equal(name, kinds[i].name))
			return &kinds[i];
	return NULL;
}

int sshkey_get_mpint(struct wire *in, struct bytes *ret)
{
	struct wire look = *in;
	struct bytes value;

	if (wire_get_string(&look, &value) < 0 || value.len == 0 || (value.data[0] & 0x80))
		return -EBADMSG;
	if (value.data[0] == 0) {
		if (value.len == 1 || !(value.data[1] & 0x80))
			return -EBADMSG;
		value = (struct bytes){ value.data + 1, value.len - 1 };
	}
	*in = look;
	*ret = value;
	return 0;
}

EVP_PKEY *sshkey_from_params(const char *type, int selection, OSSL_PARAM_BLD *bld)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *pkey = NULL;

	if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
		EVP_PKEY_fromdata(ctx, &pkey, selection, params) != 1)
		pkey = NULL;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	return pkey;
}

/* (y^2 - 1) * (d y^2 + 1) is a square (or zero) exactly when some x makes (x, y) a point: Euler's
 * criterion. */
static int x_exists(const BIGNUM *y, const BIGNUM *p, const BIGNUM *d, BN_CTX *ctx)
{
	BN_CLEANUP BIGNUM *u = BN_new(), *v = BN_new(), *e = BN_dup(p);

	if (!u || !v || !e)
		return 0;
	if (!BN_mod_sqr(u, y, p, ctx) || !BN_mod_mul(v, u, d, p, ctx) || !BN_add_word(v, 1) ||
		!BN_sub_word(u, 1) || !BN_mod_mul(u, u, v, p, ctx) || !BN_sub_word(e, 1) ||
		!BN_rshift1(e, e) || !BN_mod_exp(v, u, e, p, ctx))
		return 0;
	return BN_is_one(v) || BN_is_zero(v);
}

/* The points whose order divides 8 have y = 0, 1, -1, or plus or minus a root: the y of order 8 is
 * given, with p - y for the other. */
static bool small_order(const BIGNUM *y, const BIGNUM *p)
{
	static const char root_hex[] =
		"7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7";
	BN_CLEANUP BIGNUM *minus = BN_new(), *root = NULL;

	if (!minus || !BN_hex2bn(&root, root_hex) || !BN_sub(minus, p, y))
		return true;
	return BN_is_zero(y) || BN_is_one(y) || BN_is_one(minus) || BN_cmp(y, root) == 0 ||
	       BN_cmp(minus, root) == 0;
}

bool sshkey_ed25519_point_ok(const uint8_t point[static SSHKEY_ED25519_LEN])
{
	static const char p_hex[] =
		"7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed";
	static const char d_hex[] =
		"52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3";
	uint8_t bytes[SSHKEY_ED25519_LEN];
	BN_CTX_CLEANUP BN_CTX *ctx = BN_CTX_new();
	BN_CLEANUP BIGNUM *p = NULL, *d = NULL, *y = NULL;

	memcpy(bytes, point, sizeof(bytes));
	bytes[SSHKEY_ED25519_LEN - 1] &= 0x7f; /* the sign of x */
	y = BN_lebin2bn(bytes, sizeof(bytes), NULL);
	if (!ctx || !y || !BN_hex2bn(&p, p_hex) || !BN_hex2bn(&d, d_hex))
		return false;
	return BN_cmp(y, p) < 0 && !small_order(y, p) && x_exists(y, p, d, ctx);
}

static int read_ed25519(
	const struct sshkey_kind *kind, struct wire *in, EVP_PKEY **ret, struct err *err)
{
	struct bytes point;

	if (wire_get_string(in, &point) < 0)
		return sshkey_refuse(err, "%s key is truncated", kind->name);
	if (point.len != SSHKEY_ED25519_LEN)
		return sshkey_refuse(err, "%s key has %zu bytes, not %d", kind->name, point.len,
			SSHKEY_ED25519_LEN);
	if (!sshkey_ed25519_point_ok(point.data))
		return sshkey_refuse(err, "%s key is not a usable point of its curve", kind->name);
	*ret = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, point.data, point.len);
	return *ret ? 0 : sshkey_refuse(err, "%s key is not accepted", kind->name);
}

bool sshkey_public_ok(EVP_PKEY *pkey)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	bool ok = ctx && EVP_PKEY_public_check(ctx) == 1;

	EVP_PKEY_CTX_free(ctx);
	return ok;
}

static int read_ec(const struct sshkey_kind *kind, struct wire *in, EVP_PKEY **ret, struct err *err)
{
	BLD_CLEANUP OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	PKEY_CLEANUP EVP_PKEY *pkey = NULL;
	struct bytes curve, point;

	if (wire_get_string(in, &curve) < 0 || wire_get_string(in, &point) < 0)
		return sshkey_refuse(err, "%s key is truncated", kind->name);
	if (!wire_equal(curve, kind->curve))
		return sshkey_refuse(err, "%s key names another curve", kind->name);
	if (point.len != 1 + 2 * kind->coordinate || point.data[0] != SSHKEY_EC_UNCOMPRESSED)
		return sshkey_refuse(
			err, "%s key is not an uncompressed point of its curve", kind->name);
	if (!bld ||
		!OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, kind->group, 0) ||
		!OSSL_PARAM_BLD_push_octet_string(
			bld, OSSL_PKEY_PARAM_PUB_KEY, point.data, point.len))
		return err_set(err, -ENOMEM, "out of memory");
	pkey = sshkey_from_params("EC", EVP_PKEY_PUBLIC_KEY, bld);
	if (!pkey || !sshkey_public_ok(pkey))
		return sshkey_refuse(err, "%s key is not a point of its curve", kind->name);
	*ret = pkey;
	pkey = NULL;
	return 0;
}

static int rsa_numbers_ok(const BIGNUM *n, const BIGNUM *e, struct err *err)
{
	int bits = BN_num_bits(n);

	if (bits < SSHKEY_RSA_BITS_MIN || bits > SSHKEY_RSA_BITS_MAX)
		return sshkey_refuse(err, "RSA key has %d bits; %d to %d are accepted", bits,
			SSHKEY_RSA_BITS_MIN, SSHKEY_RSA_BITS_MAX);
	if (!BN_is_odd(n))
		return sshkey_refuse(err, "RSA key has an even modulus");
	if (!BN_is_odd(e) || BN_is_one(e) || BN_num_bits(e) > SSHKEY_RSA_EXPONENT_BITS_MAX)
		return sshkey_refuse(err,
			"RSA key has an exponent that is even, 1, or longer than %d bits",
			SSHKEY_RSA_EXPONENT_BITS_MAX);
	return 0;
}

static int read_rsa(
	const struct sshkey_kind *kind, struct wire *in, EVP_PKEY **ret, struct err *err)
{
	BLD_CLEANUP OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	BN_CLEANUP BIGNUM *n = NULL, *e = NULL;
	struct bytes modulus, exponent;
	int rc;

	(void)kind;
	if (sshkey_get_mpint(in, &exponent) < 0 || sshkey_get_mpint(in, &modulus) < 0)
		return sshkey_refuse(
			err, "RSA key is truncated, or a number of it is not a positive mpint");
	e = BN_bin2bn(exponent.data, (int)exponent.len, NULL);
	n = BN_bin2bn(modulus.data, (int)modulus.len, NULL);
	if (!bld || !e || !n)
		return err_set(err, -ENOMEM, "out of memory");
	rc = rsa_numbers_ok(n, e, err);
	if (rc < 0)
		return rc;
	if (!OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) ||
		!OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e))
		return err_set(err, -ENOMEM, "out of memory");
	*ret = sshkey_from_params("RSA", EVP_PKEY_PUBLIC_KEY, bld);
	return *ret ? 0 : sshkey_refuse(err, "RSA key is not accepted");
}

static int put_number(const EVP_PKEY *pkey, const char *param, struct buf *out)
{
	BN_CLEANUP BIGNUM *number = NULL;
	uint8_t bytes[SSHKEY_RSA_BITS_MAX / 8];

	if (!EVP_PKEY_get_bn_param(pkey, param, &number) ||
		BN_num_bytes(number) > (int)sizeof(bytes))
		return -EBADMSG;
	return wire_put_mpint(out, bytes, (size_t)BN_bn2bin(number, bytes));
}

static int put_ed25519(const EVP_PKEY *pkey, struct buf *out)
{
	uint8_t point[SSHKEY_ED25519_LEN];
	size_t len = sizeof(point);
	int rc;

	if (EVP_PKEY_get_raw_public_key(pkey, point, &len) != 1 || len != sizeof(point))
		return -EBADMSG;
	rc = wire_put_cstring(out, "ssh-ed25519");
	return rc < 0 ? rc : wire_put_string(out, point, len);
}

static int put_rsa(const EVP_PKEY *pkey, struct buf *out)
{
	int rc = wire_put_cstring(out, "ssh-rsa");

	if (rc == 0)
		rc = put_number(pkey, OSSL_PKEY_PARAM_RSA_E, out);
	return rc < 0 ? rc : put_number(pkey, OSSL_PKEY_PARAM_RSA_N, out);
}

/* Writes x and y separately: OpenSSL would give the point in the form that its file had, which may
 * be compressed. */
static int put_point(const EVP_PKEY *pkey, const struct sshkey_kind *kind, struct buf *out)
{
	BN_CLEANUP BIGNUM *x = NULL, *y = NULL;
	uint8_t point[SSHKEY_EC_POINT_MAX] = { SSHKEY_EC_UNCOMPRESSED };
	int coordinate = (int)kind->coordinate;

	if (!EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_EC_PUB_X, &x) ||
		!EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, &y) ||
		BN_bn2binpad(x, point + 1, coordinate) != coordinate ||
		BN_bn2binpad(y, point + 1 + coordinate, coordinate) != coordinate)
		return -EBADMSG;
	return wire_put_string(out, point, 1 + 2 * kind->coordinate);
}

static int put_ec(const EVP_PKEY *pkey, struct buf *out)
{
	char group[64];
	size_t len = 0;
	int rc;

	if (EVP_PKEY_get_utf8_string_param(
		    pkey, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group), &len) != 1)
		return -EBADMSG;
	for (size_t i = 0; i < KINDS; i++) {
		if (!kinds[i].group || kinds[i].sk || strcmp(kinds[i].group, group) != 0)
			continue;
		rc = wire_put_cstring(out, kinds[i].name);
		if (rc == 0)
			rc = wire_put_cstring(out, kinds[i].curve);
		return rc < 0 ? rc : put_point(pkey, &kinds[i], out);
	}
	return -EBADMSG;
}

int sshkey_blob_of(const EVP_PKEY *pkey, struct buf *out, struct err *err)
{
	static const struct {
		const char *openssl;
		int (*put)(const EVP_PKEY *pkey, struct buf *out);
	} rows[] = { { "ED25519", put_ed25519 }, { "EC", put_ec }, { "RSA", put_rsa } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!EVP_PKEY_is_a(pkey, rows[i].openssl))
			continue;
		if (rows[i].put(pkey, out) == 0)
			return 0;
		break;
	}
	return sshkey_refuse(err, "key is of a type or curve that is not supported");
}
