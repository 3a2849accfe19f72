/* Keys, lines and private files against what ssh-keygen and openssl make, and against what an attacker would. */
#include "keys/sshkey.h"

#include <errno.h>

#include "common/wire.h"
#include "tests/unit/keygen_made.h"

static void files_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(made); i++) {
		SSHKEY_CLEANUP struct sshkey *private_half = keygen_private(made[i].name), *public_half = public_of(made[i].name);

		assert_string_equal(sshkey_type(public_half), made[i].type);
		assert_string_equal(sshkey_type(private_half), made[i].type);
		if (!sshkey_same(private_half, public_half))
			fail_msg("%s: halves differ", made[i].name);
	}
}

static void fingerprints_are_those_of_openssh(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(made); i++) {
		SSHKEY_CLEANUP struct sshkey *key = public_of(made[i].name);
		char print[SSHKEY_FP_MAX];

		sshkey_fingerprint(key, print);
		assert_int_equal(strlen(print), 7 + 43);
		keygen_run("ssh-keygen -l -f %s.pub | grep -F ' %s '", made[i].name, print);
	}
}

static void lines_round_trip(void **state)
{
	SSHKEY_CLEANUP struct sshkey *key = public_of("ed"), *again = NULL;
	BUF_CLEANUP struct buf line = BUF_INIT(4096), file = BUF_INIT(FILE_MAX + 1), nothing = BUF_INIT(4096);

	(void)state;
	assert_int_equal(sshkey_line(key, "a comment", &line), 0);
	keygen_read("ed.pub", &file);
	buf_putc(&line, '\n');
	assert_string_equal(buf_cstr(&line), buf_cstr(&file));
	assert_int_equal(sshkey_from_line(buf_cstr(&line), &again, NULL), 0);
	assert_true(sshkey_same(key, again));
	assert_int_equal(sshkey_line(key, "two\nlines", &nothing), -EINVAL);
	assert_int_equal(nothing.len, 0);
}

/* --- blobs --- */

static void put_mpint_of(struct buf *out, size_t bits, uint8_t low)
{
	uint8_t bytes[2100] = { 0 };
	size_t len = (bits + 7) / 8;

	bytes[0] = (uint8_t)(1u << ((bits - 1) % 8));
	bytes[len - 1] |= low;
	assert_int_equal(wire_put_mpint(out, bytes, len), 0);
}

static void rsa_sizes_have_limits(void **state)
{
	static const struct {
		size_t n_bits, e_bits;
		uint8_t n_low, e_low;
		const char *words; /* NULL: accepted */
	} rows[] = {
		{ 2048, 17, 1, 1, NULL }, { 16384, 17, 1, 1, NULL }, { 2048, 2, 1, 1, NULL }, { 2048, 64, 1, 1, NULL },
		{ 2047, 17, 1, 1, "2047 bits; 2048 to 16384" }, { 16385, 17, 1, 1, "16385 bits" }, { 2048, 17, 0, 1, "even modulus" },
		{ 2048, 17, 1, 0, "exponent that is even" }, { 2048, 1, 1, 1, "exponent that is even, 1" }, { 2048, 65, 1, 1, "longer than 64 bits" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		BUF_CLEANUP struct buf blob = BUF_INIT(SSHKEY_BLOB_MAX);
		SSHKEY_CLEANUP struct sshkey *key = NULL;
		struct err err = { "" };

		wire_put_cstring(&blob, "ssh-rsa");
		put_mpint_of(&blob, rows[i].e_bits, rows[i].e_low);
		put_mpint_of(&blob, rows[i].n_bits, rows[i].n_low);
		assert_int_equal(sshkey_from_blob(buf_bytes(&blob), &key, &err), rows[i].words ? -EBADMSG : 0);
		if (rows[i].words)
			assert_words("rsa", &err, rows[i].words);
	}
}

static void ed25519_points_are_checked(void **state)
{
	static const struct {
		const char *name;
		uint8_t first, middle, last;
	} rows[] = { /* y little-endian: first byte, bytes 1 to 30, last byte */
		{ "y 0, order 4", 0x00, 0x00, 0x00 }, { "y 0, other sign", 0x00, 0x00, 0x80 }, { "y 1, neutral", 0x01, 0x00, 0x00 },
		{ "y -1, order 2", 0xec, 0xff, 0x7f }, { "y p, not canonical", 0xed, 0xff, 0x7f }, { "y p + 1", 0xee, 0xff, 0x7f },
		{ "all ones", 0xff, 0xff, 0xff }, { "y 2, not on the curve", 0x02, 0x00, 0x00 },
	};
	static const uint8_t order8[32] = { 0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
	                                    0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a };
	uint8_t point[32];
	struct err err = { "" };
	struct sshkey *key = NULL;

	(void)state;
	for (size_t i = 0; i <= COUNT(rows); i++) {
		BUF_CLEANUP struct buf blob = BUF_INIT(SSHKEY_BLOB_MAX);

		memcpy(point, order8, sizeof(point));
		if (i < COUNT(rows)) {
			memset(point, rows[i].middle, sizeof(point));
			point[0] = rows[i].first;
			point[31] = rows[i].last;
		}
		wire_put_cstring(&blob, "ssh-ed25519");
		wire_put_string(&blob, point, sizeof(point));
		if (sshkey_from_blob(buf_bytes(&blob), &key, &err) != -EBADMSG)
			fail_msg("accepted: %s", i < COUNT(rows) ? rows[i].name : "order 8");
		assert_words("point", &err, "not a usable point");
	}
}

enum change { CUT, TRAIL, TYPE_OF_OTHER, CURVE_OF_OTHER, OFF_CURVE, COMPRESSED, BEYOND };

static void apply(struct buf *blob, enum change change)
{
	uint8_t *bytes = (uint8_t *)(uintptr_t)buf_data(blob);
	static const char other[] = "ecdsa-sha2-nistp384";

	if (change == CUT)
		blob->len--;
	else if (change == TRAIL)
		buf_putc(blob, 0);
	else if (change == TYPE_OF_OTHER) /* the names of the curves' types are equally long */
		memcpy(bytes + 4, other, strlen(other));
	else if (change == CURVE_OF_OTHER)
		memcpy(bytes + 4 + strlen(other) + 4, "nistp384", 8);
	else if (change == OFF_CURVE)
		bytes[blob->len - 1] ^= 1;
	else if (change == COMPRESSED)
		bytes[blob->len - 65] = 2;
	else
		bytes[0] = 0xff;
}

static void blobs_are_refused(void **state)
{
	static const struct {
		const char *name;
		enum change change;
		const char *words;
	} rows[] = {
		{ "ec256", CUT, "truncated" }, { "ec256", TRAIL, "1 trailing bytes" }, { "ec256", TYPE_OF_OTHER, "names another curve" },
		{ "ec256", CURVE_OF_OTHER, "names another curve" }, { "ec256", OFF_CURVE, "not a point of its curve" },
		{ "ec256", COMPRESSED, "not an uncompressed point" }, { "ec256", BEYOND, "truncated in its type" },
		{ "ed", CUT, "truncated" }, { "ed", TRAIL, "1 trailing bytes" }, { "rsa", CUT, "truncated" }, { "rsa", TRAIL, "1 trailing bytes" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		BUF_CLEANUP struct buf blob = BUF_INIT(SSHKEY_BLOB_MAX);
		struct err err = { "" };
		struct sshkey *key = NULL;
		char path[64];

		snprintf(path, sizeof(path), "%s.pub", rows[i].name);
		keygen_blob(path, &blob);
		apply(&blob, rows[i].change);
		assert_int_equal(sshkey_from_blob(buf_bytes(&blob), &key, &err), -EBADMSG);
		assert_null(key);
		assert_words(rows[i].name, &err, rows[i].words);
	}
}

static void every_prefix_of_a_blob_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < 5; i++) {
		SSHKEY_CLEANUP struct sshkey *key = public_of(made[i].name);
		struct bytes blob = sshkey_blob(key);
		struct sshkey *none = NULL;

		for (size_t len = 0; len < blob.len; len++)
			assert_int_equal(sshkey_from_blob((struct bytes){ blob.data, len }, &none, NULL), -EBADMSG);
	}
}

static void blob_has_a_limit(void **state)
{
	BUF_CLEANUP struct buf blob = BUF_INIT(SSHKEY_BLOB_MAX + 1);
	struct err err = { "" };
	struct sshkey *key = NULL;
	uint8_t *room;

	(void)state;
	assert_int_equal(buf_grow(&blob, SSHKEY_BLOB_MAX + 1, &room), 0);
	memset(room, 0, SSHKEY_BLOB_MAX + 1);
	buf_grow_done(&blob, SSHKEY_BLOB_MAX + 1);
	assert_int_equal(sshkey_from_blob(buf_bytes(&blob), &key, &err), -EBADMSG);
	assert_words("limit", &err, "longer than 16384");
}

static void lines_are_refused(void **state)
{
	static const struct {
		const char *line, *words;
	} rows[] = {
		{ "", "'' is not a key type" },
		{ "ssh-ed25519", "not base64" },
		{ "ssh-ed25519 !!!", "not base64" },
		{ "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA", "truncated" },
		{ "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAA", "does not fit what follows" },
		{ "ssh-dss AAAA", "'ssh-dss' is not a key type" },
		{ "command=\"x\" ssh-ed25519 AAAA", "is not a key type" },
		{ "\033[2J AAAA", "\\x1b" },
		{ "ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29t", "is a certificate, not a key" },
		{ "ssh-ed25519 AAAA\nssh-ed25519 AAAA", "more than one line" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err err = { "" };
		struct sshkey *key = NULL;

		assert_int_equal(sshkey_from_line(rows[i].line, &key, &err), -EBADMSG);
		assert_words(rows[i].line, &err, rows[i].words);
	}
}

/* --- private files --- */

static void private_files_are_refused(void **state)
{
	static const struct {
		const char *name, *command, *words;
	} rows[] = {
		{ "a passphrase", "ssh-keygen -q -t ed25519 -N 12345 -f F", "has a passphrase" },
		{ "a passphrase, PEM", "ssh-keygen -q -t rsa -b 2048 -m PEM -N 12345 -f F", "has a passphrase" },
		{ "a passphrase, PKCS8", "ssh-keygen -q -t ecdsa -m PKCS8 -N 12345 -f F", "has a passphrase" },
		{ "short RSA", "openssl genrsa -traditional -out F 1024", "RSA key has 1024 bits" },
		{ "other curve", "openssl ecparam -name secp256k1 -genkey -noout -out F", "type or curve that is not supported" },
		{ "other type", "openssl genpkey -algorithm ed448 -out F", "not supported" },
		{ "a public key", "cp ed.pub F", "not a private key" },
		{ "nothing", ": > F", "empty" },
		{ "blanks", "echo > F", "empty" },
		{ "garbage", "head -c 2000 /dev/urandom > F", "not a private key" },
		{ "no end", "sed '$d' ed > F", "no end mark" },
		{ "more after the end", "cat ed ec256 > F", "has text after its end" },
		{ "not base64", "sed '2s/./!/' ed > F", "not base64" },
		{ "other version", "sed '2s/b3BlbnNz/b3BlbnNZ/' ed > F", "not of version openssh-key-v1" },
		{ "cut", "(sed -n 1,2p ed; tail -n 1 ed) > F", "" },
		{ "64 KiB and one byte", "head -c 65537 /dev/zero > F", "longer than 65536" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		BUF_CLEANUP struct buf file = BUF_INIT(FILE_MAX);
		struct err err = { "" };
		struct sshkey *key = NULL;

		keygen_run("rm -f F F.pub; %s", rows[i].command);
		keygen_read("F", &file);
		if (sshkey_from_private(buf_bytes(&file), &key, &err) != -EBADMSG)
			fail_msg("accepted: %s", rows[i].name);
		assert_null(key);
		assert_words(rows[i].name, &err, rows[i].words);
	}
}

/* Every byte of the inside turned, one at a time: either refused, or (comment) the same key. Never another one. */
static void damaged_private_files_never_give_another_key(void **state)
{
	BUF_CLEANUP struct buf raw = BUF_INIT(FILE_MAX);
	SSHKEY_CLEANUP struct sshkey *right = keygen_private("ec256");
	const struct bytes probe = { (const uint8_t *)"probe", 5 };
	size_t accepted = 0;

	(void)state;
	keygen_run("sed -e '/^---/d' ec256 | tr -d '\\n' | sed 's/^/x /' > inner");
	keygen_blob("inner", &raw);
	for (size_t i = 0; i < raw.len; i++) {
		BUF_CLEANUP struct buf armored = BUF_INIT(FILE_MAX);
		SSHKEY_CLEANUP struct sshkey *key = NULL;
		uint8_t *bytes = (uint8_t *)(uintptr_t)buf_data(&raw);
		BUF_CLEANUP struct buf sig = BUF_INIT(SSHKEY_SIG_MAX);

		bytes[i] ^= 1;
		buf_puts(&armored, "-----BEGIN OPENSSH PRIVATE KEY-----\n");
		text_base64(&armored, bytes, raw.len);
		buf_puts(&armored, "\n-----END OPENSSH PRIVATE KEY-----\n");
		bytes[i] ^= 1;
		if (sshkey_from_private(buf_bytes(&armored), &key, NULL) < 0)
			continue;
		accepted++;
		assert_true(sshkey_same(key, right));
		assert_int_equal(sshkey_sign(key, NULL, probe, &sig, NULL), 0);
		assert_int_equal(sshkey_verify(right, buf_bytes(&sig), probe, NULL), 0);
	}
	assert_int_equal(accepted, strlen("comment"));
}

static void hardware_private_file_is_refused(void **state)
{
	static const char section[] = "\0\0\0\7\0\0\0\7\0\0\0\32sk-ssh-ed25519@openssh.com\1\2";
	BUF_CLEANUP struct buf raw = BUF_INIT(4096), file = BUF_INIT(4096);
	struct sshkey *key = NULL;
	struct err err = { "" };

	(void)state;
	buf_put(&raw, "openssh-key-v1", 15);
	wire_put_cstring(&raw, "none");
	wire_put_cstring(&raw, "none");
	wire_put_cstring(&raw, "");
	wire_put_u32(&raw, 1);
	wire_put_cstring(&raw, "");
	wire_put_string(&raw, section, sizeof(section) - 1);
	buf_puts(&file, "-----BEGIN OPENSSH PRIVATE KEY-----\n");
	text_base64(&file, buf_data(&raw), raw.len);
	buf_puts(&file, "\n-----END OPENSSH PRIVATE KEY-----\n");
	assert_int_equal(sshkey_from_private(buf_bytes(&file), &key, &err), -EBADMSG);
	assert_words("sk", &err, "its secret is in a hardware token");
}

static void private_file_is_read_by_openssh(void **state)
{
	SSHKEY_CLEANUP struct sshkey *key = NULL, *again = NULL;
	BUF_CLEANUP struct buf file = BUF_INIT(SSHKEY_FILE_MAX), line = BUF_INIT(4096), seen = BUF_INIT(FILE_MAX + 1);
	static char comment[1030];

	(void)state;
	assert_int_equal(sshkey_generate_ed25519(&key, NULL), 0);
	for (size_t len = 0; len <= 1024; len += len < 10 ? 1 : 169) { /* each padding, and the longest comment */
		buf_clear(&file);
		memset(comment, 'c', len);
		comment[len] = '\0';
		assert_int_equal(sshkey_private_file(key, comment, &file), 0);
		sshkey_freep(&again);
		assert_int_equal(sshkey_from_private(buf_bytes(&file), &again, NULL), 0);
		assert_true(sshkey_same(key, again));
	}
	memset(comment, 'c', 1025);
	assert_int_equal(sshkey_private_file(key, comment, &file), -EMSGSIZE);
	buf_clear(&file);
	assert_int_equal(sshkey_private_file(key, "made here", &file), 0);
	keygen_write("ours", buf_bytes(&file));
	keygen_run("ssh-keygen -y -f ours > ours.seen");
	keygen_read("ours.seen", &seen);
	assert_int_equal(sshkey_line(key, "made here", &line), 0);
	buf_putc(&line, '\n');
	assert_string_equal(buf_cstr(&seen), buf_cstr(&line));
}

static void private_file_is_for_ed25519_only(void **state)
{
	SSHKEY_CLEANUP struct sshkey *rsa = keygen_private("rsa"), *half = public_of("ed");
	BUF_CLEANUP struct buf file = BUF_INIT(SSHKEY_FILE_MAX);

	(void)state;
	assert_int_equal(sshkey_private_file(rsa, "", &file), -EINVAL);
	assert_int_equal(sshkey_private_file(half, "", &file), -EINVAL);
	assert_int_equal(file.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_read),
		cmocka_unit_test(fingerprints_are_those_of_openssh),
		cmocka_unit_test(lines_round_trip),
		cmocka_unit_test(rsa_sizes_have_limits),
		cmocka_unit_test(ed25519_points_are_checked),
		cmocka_unit_test(blobs_are_refused),
		cmocka_unit_test(every_prefix_of_a_blob_is_refused),
		cmocka_unit_test(blob_has_a_limit),
		cmocka_unit_test(lines_are_refused),
		cmocka_unit_test(private_files_are_refused),
		cmocka_unit_test(damaged_private_files_never_give_another_key),
		cmocka_unit_test(hardware_private_file_is_refused),
		cmocka_unit_test(private_file_is_read_by_openssh),
		cmocka_unit_test(private_file_is_for_ed25519_only),
	};

	return cmocka_run_group_tests_name("sshkey", tests, make_keys, keygen_teardown);
}
