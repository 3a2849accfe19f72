/* Certificates of ssh-keygen are read as they were meant; invalid ones are refused in words; what we issue OpenSSH reads. */
#include "keys/sshcert.h"

#include <errno.h>
#include <time.h>

#include "common/wire.h"
#include "tests/unit/keygen.h"

#define ALL_RIGHTS (SSHCERT_PTY | SSHCERT_PORT_FORWARDING | SSHCERT_AGENT_FORWARDING | SSHCERT_X11_FORWARDING | SSHCERT_USER_RC)
#define NOW 1800000000 /* 2027-01-15T08:00:00Z: with fixed times */

static const struct {
	const char *name, *type, *certificate;
} keys[] = {
	{ "ed", "-t ed25519", "ssh-ed25519-cert-v01@openssh.com" },
	{ "ec256", "-t ecdsa -b 256", "ecdsa-sha2-nistp256-cert-v01@openssh.com" },
	{ "ec384", "-t ecdsa -b 384", "ecdsa-sha2-nistp384-cert-v01@openssh.com" },
	{ "ec521", "-t ecdsa -b 521", "ecdsa-sha2-nistp521-cert-v01@openssh.com" },
	{ "rsa", "-t rsa -b 2048", "ssh-rsa-cert-v01@openssh.com" },
};

static struct sshkey *user_key, *ca_key, *rsa_ca; /* ed, ec256, rsa */
static struct addr here;

static int make_keys(void **state)
{
	if (keygen_setup(state) < 0 || addr_parse("10.1.2.3", &here, NULL) < 0)
		return -1;
	for (size_t i = 0; i < COUNT(keys); i++)
		keygen_run("ssh-keygen -q %s -N '' -f %s", keys[i].type, keys[i].name);
	user_key = keygen_private("ed");
	ca_key = keygen_private("ec256");
	rsa_ca = keygen_private("rsa");
	return 0;
}

static int drop_keys(void **state)
{
	sshkey_freep(&user_key);
	sshkey_freep(&ca_key);
	sshkey_freep(&rsa_ca);
	return keygen_teardown(state);
}

static struct sshcert *parse(struct bytes blob)
{
	struct sshcert *cert = NULL;
	struct err err = { "" };

	if (sshcert_parse(blob, &cert, &err) < 0)
		fail_msg("refused: %s", err.text);
	return cert;
}

/* ssh-keygen's certificate for a key: KEY-cert.pub. */
static void issue(const char *ca, const char *options, const char *key, struct buf *blob)
{
	char path[64];

	keygen_run("ssh-keygen -q -s %s %s %s.pub", ca, options, key);
	snprintf(path, sizeof(path), "%s-cert.pub", key);
	keygen_blob(path, blob);
}

/* --- of ssh-keygen --- */

static void every_key_and_ca_of_openssh(void **state)
{
	static const char options[] = "-I some-id -n alice,bob -z 18446744073709551615 -V 20200101000000Z:20300101000000Z";

	(void)state;
	for (size_t i = 0; i < COUNT(keys); i++) {
		for (size_t j = 0; j < COUNT(keys); j++) {
			BUF_CLEANUP struct buf blob = BUF_INIT(SSHKEY_BLOB_MAX);
			SSHKEY_CLEANUP struct sshkey *key = keygen_private(keys[i].name), *ca = keygen_private(keys[j].name);
			SSHCERT_CLEANUP struct sshcert *cert = NULL;

			issue(keys[j].name, options, keys[i].name, &blob);
			cert = parse(buf_bytes(&blob));
			assert_string_equal(cert->type_name, keys[i].certificate);
			assert_true(sshkey_same(cert->key, key));
			assert_true(sshkey_same(cert->ca, ca));
			assert_true(cert->serial == UINT64_MAX);
			assert_int_equal(cert->type, SSHCERT_TYPE_USER);
			assert_string_equal(cert->key_id, "some-id");
			assert_int_equal(cert->principal_count, 2);
			assert_string_equal(cert->principals[0], "alice");
			assert_string_equal(cert->principals[1], "bob");
			assert_null(cert->principals[2]);
			assert_true(cert->valid_after == 1577836800 && cert->valid_before == 1893456000);
			assert_int_equal(cert->rights, ALL_RIGHTS);
			assert_null(cert->force_command);
			assert_null(cert->source_address);
			assert_null(cert->unknown_critical);
			assert_false(cert->verify_required);
			assert_int_equal(sshcert_check(cert, NOW, &here, NULL), 0);
		}
	}
}

static void options_of_openssh(void **state)
{
	BUF_CLEANUP struct buf blob = BUF_INIT(SSHKEY_BLOB_MAX);
	SSHCERT_CLEANUP struct sshcert *cert = NULL;

	(void)state;
	issue("ec256", "-I x -n alice -O clear -O permit-pty -O force-command='echo \"a b\"' -O source-address=10.0.0.0/8,::1/128 "
	               "-O extension:login@github.com=alice", "ed", &blob);
	cert = parse(buf_bytes(&blob));
	assert_string_equal(cert->force_command, "echo \"a b\"");
	assert_string_equal(cert->source_address, "10.0.0.0/8,::1/128");
	assert_int_equal(cert->rights, SSHCERT_PTY);
	assert_true(cert->valid_after == 0 && cert->valid_before == SSHCERT_FOREVER);
	assert_int_equal(sshcert_check(cert, time(NULL), &here, NULL), 0);
}

static void certificates_of_openssh_are_refused(void **state)
{
	static const struct {
		const char *options, *words;
	} rows[] = {
		{ "-n alice -V 20200101000000Z:20270115075700Z", "certificate expired 3 minutes ago" },
		{ "-n alice -V 20200101000000Z:20270115055900Z", "certificate expired 2 hours 1 minute ago" },
		{ "-n alice -V 20200101000000Z:20270115080000Z", "certificate expired just now" },
		{ "-n alice -V 20270115080001Z:20280101000000Z", "certificate is not valid before 2027-01-15T08:00:01Z" },
		{ "-h -n web1", "certificate is of type host, not user" },
		{ "", "certificate names no principal" },
		{ "-n '*'", "certificate has a principal that is not a valid name: '*'" },
		{ "-n 'a b'", "not a valid name: 'a b'" },
		{ "-n \"$(printf 'a\\033[2Jb')\"", "not a valid name: 'a\\x1b[2Jb'" },
		{ "-n alice -O critical:frob@example.com=1", "unknown critical option 'frob@example.com'" },
		{ "-n alice -O critical:\"$(printf 'a\\nb')\"=1", "critical option 'a\\" },
		{ "-n alice -O verify-required", "demands verify-required" },
		{ "-n alice -O source-address=10.1.2.0/30,192.168.0.0/16", NULL },
		{ "-n alice -O source-address=10.0.0.0/24", "certificate may not be used from 10.1.2.3 (source-address 10.0.0.0/24)" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		BUF_CLEANUP struct buf blob = BUF_INIT(SSHKEY_BLOB_MAX);
		SSHCERT_CLEANUP struct sshcert *cert = NULL;
		struct err err = { "" };
		char options[256];
		int rc;

		snprintf(options, sizeof(options), "-I x %s", rows[i].options);
		issue("ec256", options, "ed", &blob);
		cert = parse(buf_bytes(&blob));
		rc = sshcert_check(cert, NOW, &here, &err);
		if (rc != (rows[i].words ? -EACCES : 0))
			fail_msg("%s: %d %s", rows[i].options, rc, err.text);
		if (rows[i].words)
			assert_words(rows[i].options, &err, rows[i].words);
	}
}

static void sha1_signature_of_openssh_is_refused(void **state)
{
	BUF_CLEANUP struct buf blob = BUF_INIT(SSHKEY_BLOB_MAX);
	struct sshcert *cert = NULL;
	struct err err = { "" };

	(void)state;
	issue("rsa", "-I x -n alice -t ssh-rsa", "ed", &blob);
	assert_int_equal(sshcert_parse(buf_bytes(&blob), &cert, &err), -EBADMSG);
	assert_words("sha1", &err, "certificate's signature by its CA: signature algorithm 'ssh-rsa' uses SHA-1");
}

/* Nothing of a real certificate can be changed or left away. */
static void every_bit_and_prefix_counts(void **state)
{
	BUF_CLEANUP struct buf blob = BUF_INIT(SSHKEY_BLOB_MAX);
	struct sshcert *cert = NULL;
	uint8_t *bytes;

	(void)state;
	issue("ed", "-I some-id -n alice -O force-command=true -O source-address=10.0.0.0/8", "ec256", &blob);
	bytes = (uint8_t *)(uintptr_t)buf_data(&blob);
	sshcert_free(parse(buf_bytes(&blob)));
	for (size_t i = 0; i < blob.len; i++) {
		struct err err = { "" };

		assert_int_equal(sshcert_parse((struct bytes){ bytes, i }, &cert, &err), -EBADMSG);
		assert_words("prefix", &err, "certificate is truncated in its ");
		for (int bit = 0; bit < 8; bit += 7) {
			bytes[i] ^= (uint8_t)(1 << bit);
			assert_int_equal(sshcert_parse(buf_bytes(&blob), &cert, &err), -EBADMSG);
			bytes[i] ^= (uint8_t)(1 << bit);
		}
	}
	assert_null(cert);
}

/* --- ours --- */

static const uint8_t nonce[32] = { 1, 2, 3 };
static const char *const alice[] = { "alice", NULL };

static struct sshcert_spec spec_good(const struct sshkey *key)
{
	return (struct sshcert_spec){
		.key = key, .serial = 42, .key_id = "alice 42", .principals = alice, .valid_after = NOW - 300, .valid_before = NOW + 36000,
		.force_command = "echo hello", .source_address = "10.0.0.0/8,2001:db8::/32", .rights = SSHCERT_PTY | SSHCERT_X11_FORWARDING,
	};
}

/* A hardware key's public half: the point of a plain one and an application. */
static struct sshkey *hardware_key(const struct sshkey *plain, const char *type)
{
	BUF_CLEANUP struct buf blob = BUF_INIT(SSHKEY_BLOB_MAX);
	struct wire in = WIRE_OF(sshkey_blob(plain).data, sshkey_blob(plain).len);
	struct sshkey *key = NULL;
	struct bytes skip;

	assert_int_equal(wire_get_string(&in, &skip), 0);
	wire_put_cstring(&blob, type);
	buf_put(&blob, in.data, in.len);
	wire_put_cstring(&blob, "ssh:");
	assert_int_equal(sshkey_from_blob(buf_bytes(&blob), &key, NULL), 0);
	return key;
}

static void check_issued(const struct sshkey *key, const struct sshkey *ca)
{
	BUF_CLEANUP struct buf blob = BUF_INIT(SSHKEY_BLOB_MAX), line = BUF_INIT(SSHKEY_FILE_MAX);
	SSHCERT_CLEANUP struct sshcert *cert = NULL;
	struct sshcert_spec spec = spec_good(key);
	char print[SSHKEY_FP_MAX], ca_print[SSHKEY_FP_MAX];
	struct err err = { "" };

	if (sshcert_sign(&spec, ca, nonce, &blob, &err) < 0)
		fail_msg("%s by %s: %s", sshkey_type(key), sshkey_type(ca), err.text);
	cert = parse(buf_bytes(&blob));
	assert_true(sshkey_same(cert->key, key) && sshkey_same(cert->ca, ca));
	assert_int_equal(cert->serial, 42);
	assert_string_equal(cert->key_id, "alice 42");
	assert_string_equal(cert->force_command, spec.force_command);
	assert_string_equal(cert->source_address, spec.source_address);
	assert_int_equal(cert->rights, spec.rights);
	assert_int_equal(sshcert_check(cert, NOW, &here, NULL), 0);

	buf_printf(&line, "%s ", cert->type_name);
	text_base64(&line, buf_data(&blob), blob.len);
	buf_puts(&line, " ours\n");
	keygen_write("ours-cert.pub", buf_bytes(&line));
	sshkey_fingerprint(key, print);
	sshkey_fingerprint(ca, ca_print);
	keygen_run("TZ=UTC ssh-keygen -L -f ours-cert.pub > seen; for w in 'Type: %s user certificate' 'Public key: .*-CERT %s' "
	           "'Signing CA: .* %s (using ' 'Key ID: \"alice 42\"' 'Serial: 42$' 'Valid: from 2027-01-15T07:55:00 to 2027-01-15T18:00:00' "
	           "'^ *alice$' 'force-command echo hello$' 'source-address 10.0.0.0/8,2001:db8::/32$' 'permit-X11-forwarding$' 'permit-pty$'; "
	           "do grep -q -- \"$w\" seen || { echo \"$w\"; exit 1; }; done; "
	           "! grep -q -e permit-agent -e permit-port -e permit-user-rc -e UNKNOWN seen", cert->type_name, print, ca_print);
}

static void issued_certificates_are_read_by_openssh(void **state)
{
	SSHKEY_CLEANUP struct sshkey *sk = hardware_key(user_key, "sk-ssh-ed25519@openssh.com");
	SSHKEY_CLEANUP struct sshkey *sk_ec = hardware_key(ca_key, "sk-ecdsa-sha2-nistp256@openssh.com");

	(void)state;
	for (size_t i = 0; i < COUNT(keys); i++) {
		SSHKEY_CLEANUP struct sshkey *key = keygen_private(keys[i].name);

		check_issued(key, ca_key);
		check_issued(user_key, key);
	}
	check_issued(sk, user_key);
	check_issued(sk_ec, rsa_ca);
}

static void issuing_is_refused(void **state)
{
	static const char *const none[] = { NULL }, *const star[] = { "*", NULL }, *const comma[] = { "alice", "bob,root", NULL },
	                         *const space[] = { "a b", NULL }, *const line[] = { "a\nb", NULL }, *const empty[] = { "", NULL };
	static const struct {
		const char *name;
		const char *const *principals;
		const char *source;
		uint64_t after, before;
		const char *key_id, *words;
	} rows[] = {
		{ "none", none, NULL, 1, 2, "x", "names no principal" },
		{ "no list", NULL, NULL, 1, 2, "x", "needs a key, a key id and principals" },
		{ "star", star, NULL, 1, 2, "x", "not a valid name: '*'" },
		{ "comma", comma, NULL, 1, 2, "x", "not a valid name: 'bob,root'" },
		{ "space", space, NULL, 1, 2, "x", "not a valid name: 'a b'" },
		{ "line", line, NULL, 1, 2, "x", "not a valid name: 'a\\" },
		{ "empty", empty, NULL, 1, 2, "x", "not a valid name: ''" },
		{ "reversed", alice, NULL, 2, 1, "x", "never valid" },
		{ "no time", alice, NULL, 2, 2, "x", "never valid" },
		{ "source", alice, "web1", 1, 2, "x", "source-address cannot be read at 'web1'" },
		{ "source with host bits", alice, "10.0.0.1/8", 1, 2, "x", "source-address cannot be read" },
		{ "no key id", alice, NULL, 1, 2, NULL, "needs a key, a key id" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		BUF_CLEANUP struct buf blob = BUF_INIT(SSHKEY_BLOB_MAX);
		struct sshcert_spec spec = { .key = user_key, .key_id = rows[i].key_id, .principals = rows[i].principals,
		                             .valid_after = rows[i].after, .valid_before = rows[i].before, .source_address = rows[i].source };
		struct err err = { "" };

		assert_true(sshcert_sign(&spec, ca_key, nonce, &blob, &err) < 0);
		assert_int_equal(blob.len, 0);
		assert_words(rows[i].name, &err, rows[i].words);
	}
}

static void issuing_has_limits(void **state)
{
	static const char *names[SSHCERT_PRINCIPALS_MAX + 2];
	static char long_text[SSHKEY_BLOB_MAX + 1];
	SSHKEY_CLEANUP struct sshkey *half = NULL, *sk = hardware_key(user_key, "sk-ssh-ed25519@openssh.com");
	struct sshcert_spec spec = spec_good(user_key);
	struct { const char *id; const struct sshkey *ca; size_t names; int rc; const char *words; } cases[] = {
		{ "x", ca_key, SSHCERT_PRINCIPALS_MAX, 0, "" },
		{ "x", ca_key, SSHCERT_PRINCIPALS_MAX + 1, -EINVAL, "at most 256 principals" },
		{ long_text, ca_key, 1, -EMSGSIZE, "longer than 16384" },
		{ "x", NULL, 1, -EINVAL, "no private half" },
		{ "x", sk, 1, -EINVAL, "no private half" },
	};

	(void)state;
	memset(long_text, 'x', SSHKEY_BLOB_MAX);
	assert_int_equal(sshkey_from_blob(sshkey_blob(ca_key), &half, NULL), 0);
	cases[3].ca = half;
	spec.principals = names;
	for (size_t i = 0; i < COUNT(cases); i++) {
		BUF_CLEANUP struct buf blob = BUF_INIT(SSHKEY_BLOB_MAX);
		struct err err = { "" };

		for (size_t j = 0; j < COUNT(names); j++)
			names[j] = j < cases[i].names ? "alice" : NULL;
		spec.key_id = cases[i].id;
		assert_int_equal(sshcert_sign(&spec, cases[i].ca, nonce, &blob, &err), cases[i].rc);
		assert_words(cases[i].id, &err, cases[i].words);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_and_ca_of_openssh),
		cmocka_unit_test(options_of_openssh),
		cmocka_unit_test(certificates_of_openssh_are_refused),
		cmocka_unit_test(sha1_signature_of_openssh_is_refused),
		cmocka_unit_test(every_bit_and_prefix_counts),
		cmocka_unit_test(issued_certificates_are_read_by_openssh),
		cmocka_unit_test(issuing_is_refused),
		cmocka_unit_test(issuing_has_limits),
	};

	return cmocka_run_group_tests_name("sshcert", tests, make_keys, drop_keys);
}
