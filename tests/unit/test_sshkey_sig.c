/* Signatures: ours hold, damaged, misnamed and foreign ones do not; hardware keys are played by ordinary ones. */
#include "keys/sshkey.h"

#include <errno.h>

#include <openssl/evp.h>

#include "common/wire.h"
#include "tests/unit/keygen_made.h"

static const struct bytes message = { (const uint8_t *)"what is signed", 14 };

static void check_refused_signature(const struct sshkey *key, struct bytes sig, const char *name, const char *words)
{
	struct err err = { "" };

	assert_int_equal(sshkey_verify(key, sig, message, &err), -EBADMSG);
	assert_words(name, &err, words);
}

static void check_damaged_signature(const struct sshkey *key, struct buf *sig)
{
	uint8_t *bytes = (uint8_t *)(uintptr_t)buf_data(sig);

	for (size_t i = 0; i < sig->len; i++) {
		bytes[i] ^= 1;
		check_refused_signature(key, buf_bytes(sig), "bit turned", "");
		bytes[i] ^= 1;
		check_refused_signature(key, (struct bytes){ bytes, i }, "cut", "truncated");
	}
	assert_int_equal(sshkey_verify(key, buf_bytes(sig), message, NULL), 0);
	buf_putc(sig, 0);
	check_refused_signature(key, buf_bytes(sig), "longer", "1 trailing bytes");
}

static void signatures_hold_and_damaged_ones_do_not(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(made); i++) {
		SSHKEY_CLEANUP struct sshkey *private_half = keygen_private(made[i].name), *public_half = public_of(made[i].name);

		for (size_t j = 0; made[i].algorithms[j]; j++) {
			BUF_CLEANUP struct buf sig = BUF_INIT(SSHKEY_SIG_MAX);

			assert_int_equal(sshkey_sign(private_half, made[i].algorithms[j], message, &sig, NULL), 0);
			assert_int_equal(sshkey_verify(public_half, buf_bytes(&sig), message, NULL), 0);
			assert_int_equal(sshkey_verify(public_half, buf_bytes(&sig), (struct bytes){ message.data, 13 }, NULL), -EBADMSG);
			check_damaged_signature(public_half, &sig);
		}
	}
}

/* A signature of the first key, said to be of the second: the algorithm must fit, and then it is still wrong. */
static void signatures_fit_their_key_only(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(made); i++) {
		SSHKEY_CLEANUP struct sshkey *signer = keygen_private(made[i].name);
		BUF_CLEANUP struct buf sig = BUF_INIT(SSHKEY_SIG_MAX);

		assert_int_equal(sshkey_sign(signer, NULL, message, &sig, NULL), 0);
		for (size_t j = 0; j < COUNT(made); j++) {
			SSHKEY_CLEANUP struct sshkey *other = public_of(made[j].name);

			if (i != j)
				check_refused_signature(other, buf_bytes(&sig), made[j].name,
				                        strcmp(made[i].type, made[j].type) == 0 ? "signature is wrong" : "does not fit a key");
		}
	}
}

static void put_signature(struct buf *out, const char *algorithm, const void *body, size_t len)
{
	buf_clear(out);
	assert_int_equal(wire_put_cstring(out, algorithm), 0);
	assert_int_equal(wire_put_string(out, body, len), 0);
}

static void algorithms_are_refused_by_name(void **state)
{
	static const struct {
		const char *algorithm, *words;
	} rows[] = {
		{ "ssh-rsa", "uses SHA-1" },
		{ "ssh-rsa-cert-v01@openssh.com", "name of a certificate type" },
		{ "rsa-sha2-512-cert-v01@openssh.com", "name of a certificate type" },
		{ "ssh-ed25519", "does not fit a key of type ssh-rsa" },
		{ "sk-ssh-ed25519@openssh.com", "does not fit a key of type ssh-rsa" },
		{ "ssh-dss", "'ssh-dss' is not supported" },
		{ "RSA-SHA2-512", "'RSA-SHA2-512' is not supported" },
		{ "", "'' is not supported" },
		{ "x\033]0;title\007", "\\x1b" },
	};
	SSHKEY_CLEANUP struct sshkey *key = public_of("rsa"), *private_half = keygen_private("rsa");
	BUF_CLEANUP struct buf sig = BUF_INIT(2 * SSHKEY_SIG_MAX), none = BUF_INIT(100);
	uint8_t body[256] = { 1 };
	struct err err = { "" };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		put_signature(&sig, rows[i].algorithm, body, sizeof(body));
		check_refused_signature(key, buf_bytes(&sig), rows[i].algorithm, rows[i].words);
	}
	check_refused_signature(key, (struct bytes){ NULL, 0 }, "empty", "empty or truncated");
	put_signature(&sig, "rsa-sha2-512", body, 0);
	check_refused_signature(key, buf_bytes(&sig), "empty body", "0 bytes, not 256");
	put_signature(&sig, "rsa-sha2-512", body, 255);
	check_refused_signature(key, buf_bytes(&sig), "short body", "255 bytes, not 256");
	while (sig.len <= SSHKEY_SIG_MAX)
		buf_putc(&sig, 0);
	check_refused_signature(key, buf_bytes(&sig), "limit", "longer than 8192");
	assert_int_equal(sshkey_sign(private_half, "ssh-rsa", message, &none, &err), -EINVAL);
	assert_words("sign", &err, "'ssh-rsa' is not supported");
	assert_int_equal(sshkey_sign(key, NULL, message, &none, &err), -EINVAL);
	assert_words("sign", &err, "no private half");
	assert_int_equal(none.len, 0);
}

static void ecdsa_numbers_have_one_form(void **state)
{
	static const struct {
		const char *name, *body;
		size_t len;
		const char *words;
	} rows[] = {
		{ "zero", "\0\0\0\0\0\0\0\1\1", 9, "not two positive numbers" },
		{ "negative", "\0\0\0\1\xff\0\0\0\1\1", 10, "not two positive numbers" },
		{ "padded", "\0\0\0\2\0\1\0\0\0\1\1", 11, "not two positive numbers" },
		{ "one only", "\0\0\0\1\1", 5, "not two positive numbers" },
		{ "three", "\0\0\0\1\1\0\0\0\1\1\0\0\0\1\1", 15, "not two positive numbers" },
		{ "length beyond the end", "\0\0\0\1\1\377\377\377\377\1", 10, "not two positive numbers" },
		{ "wrong", "\0\0\0\1\1\0\0\0\1\1", 10, "signature is wrong" },
		{ "long", "\0\0\0\x21\1aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb\0\0\0\1\1", 42, "longer than 32 bytes" },
	};
	SSHKEY_CLEANUP struct sshkey *key = public_of("ec256");
	BUF_CLEANUP struct buf sig = BUF_INIT(SSHKEY_SIG_MAX);

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		put_signature(&sig, "ecdsa-sha2-nistp256", rows[i].body, rows[i].len);
		check_refused_signature(key, buf_bytes(&sig), rows[i].name, rows[i].words);
	}
}

/* --- hardware keys: a token played by an ordinary key --- */

struct token {
	const char *file, *type, *application;
};
static const struct token tokens[] = {
	{ "ed", "sk-ssh-ed25519@openssh.com", "ssh:" },
	{ "ec256", "sk-ecdsa-sha2-nistp256@openssh.com", "ssh:lab" },
};

static struct sshkey *token_public(const struct token *token)
{
	SSHKEY_CLEANUP struct sshkey *plain = public_of(token->file);
	BUF_CLEANUP struct buf blob = BUF_INIT(SSHKEY_BLOB_MAX);
	struct wire in = WIRE_OF(sshkey_blob(plain).data, sshkey_blob(plain).len);
	struct sshkey *key = NULL;
	struct bytes skip;
	struct err err = { "" };

	assert_int_equal(wire_get_string(&in, &skip), 0);
	wire_put_cstring(&blob, token->type);
	buf_put(&blob, in.data, in.len);
	wire_put_cstring(&blob, token->application);
	if (sshkey_from_blob(buf_bytes(&blob), &key, &err) < 0)
		fail_msg("%s: %s", token->type, err.text);
	return key;
}

static void token_sign(const struct token *token, const char *application, uint8_t flags, uint32_t counter, struct buf *out)
{
	SSHKEY_CLEANUP struct sshkey *plain = keygen_private(token->file);
	BUF_CLEANUP struct buf data = BUF_INIT(100), sig = BUF_INIT(SSHKEY_SIG_MAX);
	uint8_t digest[32];
	struct bytes algorithm, body;
	struct wire in;

	EVP_Q_digest(NULL, "SHA256", NULL, application, strlen(application), digest, NULL);
	buf_put(&data, digest, sizeof(digest));
	wire_put_u8(&data, flags);
	wire_put_u32(&data, counter);
	EVP_Q_digest(NULL, "SHA256", NULL, message.data, message.len, digest, NULL);
	buf_put(&data, digest, sizeof(digest));
	assert_int_equal(sshkey_sign(plain, NULL, buf_bytes(&data), &sig, NULL), 0);
	in = WIRE_OF(buf_data(&sig), sig.len);
	assert_int_equal(wire_get_string(&in, &algorithm), 0);
	assert_int_equal(wire_get_string(&in, &body), 0);
	put_signature(out, token->type, body.data, body.len);
	wire_put_u8(out, flags);
	wire_put_u32(out, counter);
}

static void hardware_signatures(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(tokens); i++) {
		SSHKEY_CLEANUP struct sshkey *key = token_public(&tokens[i]);
		BUF_CLEANUP struct buf sig = BUF_INIT(SSHKEY_SIG_MAX), none = BUF_INIT(100);

		token_sign(&tokens[i], tokens[i].application, 1, 7, &sig);
		assert_int_equal(sshkey_verify(key, buf_bytes(&sig), message, NULL), 0);
		check_damaged_signature(key, &sig); /* flags and counter too: they are signed */
		token_sign(&tokens[i], tokens[i].application, 5, 8, &sig);
		assert_int_equal(sshkey_verify(key, buf_bytes(&sig), message, NULL), 0);
		token_sign(&tokens[i], tokens[i].application, 4, 8, &sig);
		check_refused_signature(key, buf_bytes(&sig), "no touch", "without the user's touch");
		token_sign(&tokens[i], "ssh:other", 1, 9, &sig);
		check_refused_signature(key, buf_bytes(&sig), "other application", "signature is wrong");
		assert_int_equal(sshkey_sign(key, NULL, message, &none, NULL), -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signatures_hold_and_damaged_ones_do_not),
		cmocka_unit_test(signatures_fit_their_key_only),
		cmocka_unit_test(algorithms_are_refused_by_name),
		cmocka_unit_test(ecdsa_numbers_have_one_form),
		cmocka_unit_test(hardware_signatures),
	};

	return cmocka_run_group_tests_name("sshkey_sig", tests, make_keys, keygen_teardown);
}
