/* Certificates built by hand, one row for each thing that must be refused (and a few that must not), with the words of the refusal. */
#include "keys/sshcert.h"

#include <errno.h>
#include <stdbool.h>

#include "common/wire.h"
#include "tests/unit/keygen.h"

#define NOW 1800000000 /* 2027-01-15T08:00:00Z */

static struct sshkey *user_key, *other_key, *ca_key, *rsa_ca; /* two of ed25519, ecdsa, rsa */
static struct addr here;
static const uint8_t zeros[256];

static int make_keys(void **state)
{
	if (keygen_setup(state) < 0 || addr_parse("10.1.2.3", &here, NULL) < 0)
		return -1;
	keygen_run("ssh-keygen -q -t ecdsa -b 256 -N '' -f ec256 && ssh-keygen -q -t rsa -b 2048 -N '' -f rsa");
	ca_key = keygen_private("ec256");
	rsa_ca = keygen_private("rsa");
	return sshkey_generate_ed25519(&user_key, NULL) < 0 || sshkey_generate_ed25519(&other_key, NULL) < 0 ? -1 : 0;
}

static int drop_keys(void **state)
{
	sshkey_freep(&user_key);
	sshkey_freep(&other_key);
	sshkey_freep(&ca_key);
	sshkey_freep(&rsa_ca);
	return keygen_teardown(state);
}

struct draft {
	const char *type_name;
	struct buf body, principals, critical, extensions, ca; /* as they stand in the certificate, without their length */
	struct buf key_id, signature, tail;                    /* signature: instead of the right one, when not empty */
	uint64_t valid_after, valid_before;
	uint32_t type;
	const struct sshkey *signer;
};

static void draft_release(struct draft *draft)
{
	struct buf *bufs[] = { &draft->body, &draft->principals, &draft->critical, &draft->extensions, &draft->ca, &draft->key_id,
	                       &draft->signature, &draft->tail };

	for (size_t i = 0; i < COUNT(bufs); i++)
		buf_release(bufs[i]);
}
#define DRAFT_CLEANUP __attribute__((cleanup(draft_release)))

static struct draft draft_good(void)
{
	const struct buf empty = BUF_INIT(2 * SSHKEY_BLOB_MAX);
	struct draft draft = {
		.type_name = "ssh-ed25519-cert-v01@openssh.com", .type = SSHCERT_TYPE_USER, .signer = ca_key,
		.valid_after = NOW - 300, .valid_before = NOW + 300,
		.body = empty, .principals = empty, .critical = empty, .extensions = empty, .ca = empty,
		.key_id = empty, .signature = empty, .tail = empty,
	};
	struct wire in = WIRE_OF(sshkey_blob(user_key).data, sshkey_blob(user_key).len);
	struct bytes type;

	assert_int_equal(wire_get_string(&in, &type), 0);
	buf_put(&draft.body, in.data, in.len);
	buf_puts(&draft.key_id, "built");
	wire_put_cstring(&draft.principals, "alice");
	buf_put(&draft.ca, sshkey_blob(ca_key).data, sshkey_blob(ca_key).len);
	return draft;
}

static void draft_build(const struct draft *draft, struct buf *out)
{
	BUF_CLEANUP struct buf signature = BUF_INIT(SSHKEY_SIG_MAX);

	wire_put_cstring(out, draft->type_name);
	wire_put_cstring(out, "nonce");
	buf_put(out, buf_data(&draft->body), draft->body.len);
	wire_put_u64(out, 7);
	wire_put_u32(out, draft->type);
	wire_put_bytes(out, buf_bytes(&draft->key_id));
	wire_put_bytes(out, buf_bytes(&draft->principals));
	wire_put_u64(out, draft->valid_after);
	wire_put_u64(out, draft->valid_before);
	wire_put_bytes(out, buf_bytes(&draft->critical));
	wire_put_bytes(out, buf_bytes(&draft->extensions));
	wire_put_cstring(out, "");
	wire_put_bytes(out, buf_bytes(&draft->ca));
	assert_int_equal(sshkey_sign(draft->signer, NULL, buf_bytes(out), &signature, NULL), 0);
	wire_put_bytes(out, draft->signature.len > 0 ? buf_bytes(&draft->signature) : buf_bytes(&signature));
	assert_int_equal(buf_put(out, buf_data(&draft->tail), draft->tail.len), 0);
}

static void put_option(struct buf *list, const char *name, const char *value)
{
	BUF_CLEANUP struct buf data = BUF_INIT(SSHKEY_BLOB_MAX);

	wire_put_cstring(&data, value);
	wire_put_cstring(list, name);
	assert_int_equal(wire_put_bytes(list, buf_bytes(&data)), 0);
}

static void put_flag(struct buf *list, const char *name)
{
	wire_put_cstring(list, name);
	assert_int_equal(wire_put_cstring(list, ""), 0);
}

static void use_ca(struct draft *draft, const struct sshkey *ca)
{
	buf_clear(&draft->ca);
	buf_put(&draft->ca, sshkey_blob(ca).data, sshkey_blob(ca).len);
	draft->signer = ca;
}

static void use_signature(struct draft *draft, const char *algorithm, const void *body, size_t len)
{
	wire_put_cstring(&draft->signature, algorithm);
	assert_int_equal(wire_put_string(&draft->signature, body, len), 0);
}

/* The CA's place holds a certificate, and the key inside it made the signature (CVE-2025-49825). */
static void nested_ca(struct draft *d)
{
	DRAFT_CLEANUP struct draft inner = draft_good();

	buf_clear(&d->ca);
	draft_build(&inner, &d->ca);
	d->signer = user_key;
}

static void sk_ca(struct draft *d)
{
	buf_clear(&d->ca);
	wire_put_cstring(&d->ca, "sk-ssh-ed25519@openssh.com");
	buf_put(&d->ca, buf_data(&d->body), d->body.len);
	wire_put_cstring(&d->ca, "ssh:");
}

static void many(struct buf *list, int count, bool principals)
{
	char name[32];

	buf_clear(list);
	for (int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "name%d", i);
		principals ? (void)wire_put_cstring(list, name) : put_flag(list, name);
	}
}

static void good(struct draft *d) { (void)d; }
static void type_unknown(struct draft *d) { d->type_name = "ssh-dss-cert-v01@openssh.com"; }
static void type_plain(struct draft *d) { d->type_name = "ssh-ed25519"; }
static void type_signature_name(struct draft *d) { d->type_name = "rsa-sha2-512-cert-v01@openssh.com"; }
static void type_version(struct draft *d) { d->type_name = "ssh-ed25519-cert-v00@openssh.com"; }
static void type_of_other(struct draft *d) { d->type_name = "ssh-rsa-cert-v01@openssh.com"; }
static void type_of_curve(struct draft *d) { d->type_name = "ecdsa-sha2-nistp256-cert-v01@openssh.com"; }
static void type_hostile(struct draft *d) { d->type_name = "\033[2J-cert-v01@openssh.com"; }
static void number_zero(struct draft *d) { d->type = 0; }
static void number_three(struct draft *d) { d->type = 3; }
static void tail(struct draft *d) { buf_putc(&d->tail, 0); }
static void body_small_order(struct draft *d) { memset((uint8_t *)(uintptr_t)buf_data(&d->body) + 4, 0, 32); }
static void body_short(struct draft *d) { buf_clear(&d->body), wire_put_string(&d->body, "short", 5); }
static void body_beyond(struct draft *d) { ((uint8_t *)(uintptr_t)buf_data(&d->body))[0] = 0x7f; }
static void key_id_nul(struct draft *d) { buf_putc(&d->key_id, 0); }
static void principal_nul(struct draft *d) { wire_put_string(&d->principals, "root\0alice", 10); }
static void principal_beyond(struct draft *d) { wire_put_u32(&d->principals, 100), buf_putc(&d->principals, 'a'); }
static void principal_huge(struct draft *d) { wire_put_u32(&d->principals, UINT32_MAX); }
static void principal_cut(struct draft *d) { buf_puts(&d->principals, "abc"); }
static void principals_257(struct draft *d) { many(&d->principals, SSHCERT_PRINCIPALS_MAX + 1, true); }
static void principals_256(struct draft *d) { many(&d->principals, SSHCERT_PRINCIPALS_MAX, true); }
static void options_65(struct draft *d) { many(&d->extensions, SSHCERT_OPTIONS_MAX + 1, false); }
static void options_64(struct draft *d) { many(&d->extensions, SSHCERT_OPTIONS_MAX, false); }
static void critical_65(struct draft *d) { many(&d->critical, SSHCERT_OPTIONS_MAX + 1, false); }
static void two_commands(struct draft *d) { put_option(&d->critical, "force-command", "a"), put_option(&d->critical, "force-command", "b"); }
static void two_sources(struct draft *d) { put_option(&d->critical, "source-address", "::/0"), put_option(&d->critical, "source-address", "::"); }
static void two_rights(struct draft *d) { put_flag(&d->extensions, "permit-pty"), put_flag(&d->extensions, "permit-pty"); }
static void two_unknown(struct draft *d) { put_flag(&d->extensions, "x@y"), put_flag(&d->extensions, "x@y"); }
static void option_nameless(struct draft *d) { put_flag(&d->critical, ""); }
static void option_cut(struct draft *d) { wire_put_cstring(&d->critical, "force-command"); }
static void option_data_cut(struct draft *d) { wire_put_cstring(&d->critical, "force-command"), wire_put_cstring(&d->critical, "abc"); }
static void option_data_bare(struct draft *d) { put_flag(&d->critical, "force-command"); }
static void option_empty(struct draft *d) { put_option(&d->critical, "force-command", ""); }
static void source_empty(struct draft *d) { put_option(&d->critical, "source-address", ""); }
static void option_extra(struct draft *d) { wire_put_cstring(&d->critical, "force-command"), wire_put_string(&d->critical, "\0\0\0\1ax", 6); }
static void option_nul(struct draft *d) { wire_put_cstring(&d->critical, "force-command"), wire_put_string(&d->critical, "\0\0\0\3a\0b", 7); }
static void right_with_data(struct draft *d) { put_option(&d->extensions, "permit-pty", "yes"); }
static void verify_with_data(struct draft *d) { put_option(&d->critical, "verify-required", "no"); }
static void extensions_cut(struct draft *d) { buf_puts(&d->extensions, "ab"); }
static void ca_garbage(struct draft *d) { buf_clear(&d->ca), wire_put_cstring(&d->ca, "ssh-dss"); }
static void ca_empty(struct draft *d) { buf_clear(&d->ca); }
static void ca_tail(struct draft *d) { buf_putc(&d->ca, 0); }
static void other_signer(struct draft *d) { d->signer = rsa_ca; }
static void signature_of_other(struct draft *d) { use_ca(d, user_key), d->signer = other_key; }
static void signature_empty(struct draft *d) { use_signature(d, "ecdsa-sha2-nistp256", "", 0); }
static void signature_cut(struct draft *d) { buf_puts(&d->signature, "abc"); }
static void signature_sha1(struct draft *d) { use_ca(d, rsa_ca), use_signature(d, "ssh-rsa", zeros, sizeof(zeros)); }
static void signature_cert_name(struct draft *d) { use_ca(d, rsa_ca), use_signature(d, "rsa-sha2-512-cert-v01@openssh.com", zeros, sizeof(zeros)); }
static void signature_length(struct draft *d) { use_ca(d, rsa_ca), use_signature(d, "rsa-sha2-512", zeros, sizeof(zeros) - 1); }
static void window_reversed(struct draft *d) { d->valid_after = NOW, d->valid_before = NOW - 1; }
static void window_empty(struct draft *d) { d->valid_after = d->valid_before = NOW; }
static void window_far(struct draft *d) { d->valid_after = UINT64_MAX - 1, d->valid_before = UINT64_MAX; }
static void window_signed(struct draft *d) { d->valid_after = 0, d->valid_before = 1; }
static void no_principal(struct draft *d) { buf_clear(&d->principals); }
static void second_principal(struct draft *d) { wire_put_cstring(&d->principals, "bob\nroot"); }
static void empty_principal(struct draft *d) { wire_put_cstring(&d->principals, ""); }
static void source_garbage(struct draft *d) { put_option(&d->critical, "source-address", "10.0.0.0/8,web1"); }
static void source_hidden(struct draft *d) { put_option(&d->critical, "source-address", "10.1.2.3/32,10.0.0.1/8"); }
static void source_hole(struct draft *d) { put_option(&d->critical, "source-address", "10.0.0.0/8,"); }
static void source_mask(struct draft *d) { put_option(&d->critical, "source-address", "10.0.0.0/33"); }
static void critical_unknown(struct draft *d) { put_flag(&d->critical, "aaa"), put_option(&d->critical, "force-command", "x"); }
static void critical_right(struct draft *d) { put_flag(&d->critical, "permit-pty"); }
static void not_in_order(struct draft *d) { put_option(&d->critical, "source-address", "10.1.2.3"), put_option(&d->critical, "force-command", "x"); }
static void extension_command(struct draft *d) { put_option(&d->extensions, "force-command", "x"); }

enum stage { PASSES, PARSE, CHECK };

static const struct {
	const char *name;
	void (*change)(struct draft *draft);
	enum stage stage;
	const char *words;
} rows[] = {
#define ROW(change, stage, words) { #change, change, stage, words }
	ROW(good, PASSES, ""),
	ROW(not_in_order, PASSES, ""),      /* as OpenSSH */
	ROW(extension_command, PASSES, ""), /* an unknown extension */
	ROW(principals_256, PASSES, ""),
	ROW(options_64, PASSES, ""),
	ROW(type_unknown, PARSE, "certificate type 'ssh-dss-cert-v01@openssh.com' is not supported"),
	ROW(type_plain, PARSE, "'ssh-ed25519' is not the type of a certificate"),
	ROW(type_signature_name, PARSE, "certificate type 'rsa-sha2-512-cert-v01@openssh.com' is not supported"),
	ROW(type_version, PARSE, "certificate type 'ssh-ed25519-cert-v00@openssh.com' is not supported"),
	ROW(type_of_other, PARSE, "certificate's key: RSA key"),
	ROW(type_of_curve, PARSE, "certificate's key: ecdsa-sha2-nistp256 key names another curve"),
	ROW(type_hostile, PARSE, "'\\x1b[2J-cert-v01@openssh.com'"),
	ROW(number_zero, PARSE, "unknown type number 0"),
	ROW(number_three, PARSE, "unknown type number 3"),
	ROW(tail, PARSE, "certificate has 1 trailing bytes"),
	ROW(body_small_order, PARSE, "certificate's key: ssh-ed25519 key is not a usable point"),
	ROW(body_short, PARSE, "certificate's key: ssh-ed25519 key has 5 bytes, not 32"),
	ROW(body_beyond, PARSE, "certificate is truncated in its key"),
	ROW(key_id_nul, PARSE, "certificate has a NUL byte in its key id"),
	ROW(principal_nul, PARSE, "certificate has a NUL byte in its principals"),
	ROW(principal_beyond, PARSE, "certificate is truncated in its list of principals"),
	ROW(principal_huge, PARSE, "certificate is truncated in its list of principals"),
	ROW(principal_cut, PARSE, "certificate is truncated in its list of principals"),
	ROW(principals_257, PARSE, "certificate has more than 256 principals"),
	ROW(options_65, PARSE, "certificate has more than 64 extensions"),
	ROW(critical_65, PARSE, "certificate has more than 64 critical options"),
	ROW(two_commands, PARSE, "certificate has 'force-command' twice among its critical options"),
	ROW(two_sources, PARSE, "certificate has 'source-address' twice among its critical options"),
	ROW(two_rights, PARSE, "certificate has 'permit-pty' twice among its extensions"),
	ROW(two_unknown, PARSE, "certificate has 'x@y' twice among its extensions"),
	ROW(option_nameless, PARSE, "certificate has an option without a name"),
	ROW(option_cut, PARSE, "certificate is truncated in its list of critical options"),
	ROW(option_data_cut, PARSE, "certificate option 'force-command' is truncated"),
	ROW(option_data_bare, PARSE, "certificate option 'force-command' is truncated"),
	ROW(option_empty, PARSE, "certificate option 'force-command' is empty"),
	ROW(source_empty, PARSE, "certificate option 'source-address' is empty"),
	ROW(option_extra, PARSE, "certificate option 'force-command' has trailing bytes"),
	ROW(option_nul, PARSE, "certificate has a NUL byte in its force-command"),
	ROW(right_with_data, PARSE, "certificate option 'permit-pty' has data"),
	ROW(verify_with_data, PARSE, "certificate option 'verify-required' has data"),
	ROW(extensions_cut, PARSE, "certificate is truncated in its list of extensions"),
	ROW(nested_ca, PARSE, "certificate's CA key is itself a certificate"),
	ROW(sk_ca, PARSE, "certificate's CA key is of type sk-ssh-ed25519@openssh.com, which is not accepted"),
	ROW(ca_garbage, PARSE, "certificate's CA key: key type 'ssh-dss' is not supported"),
	ROW(ca_empty, PARSE, "certificate's CA key: key is truncated"),
	ROW(ca_tail, PARSE, "certificate's CA key: ecdsa-sha2-nistp256 key has 1 trailing bytes"),
	ROW(other_signer, PARSE, "signature algorithm 'rsa-sha2-512' does not fit a key of type ecdsa-sha2-nistp256"),
	ROW(signature_of_other, PARSE, "certificate's signature by its CA: signature is wrong"),
	ROW(signature_empty, PARSE, "certificate's signature by its CA: ECDSA signature is not two positive numbers"),
	ROW(signature_cut, PARSE, "certificate's signature by its CA: signature is empty or truncated"),
	ROW(signature_sha1, PARSE, "certificate's signature by its CA: signature algorithm 'ssh-rsa' uses SHA-1"),
	ROW(signature_cert_name, PARSE, "signature algorithm 'rsa-sha2-512-cert-v01@openssh.com' is the name of a certificate type"),
	ROW(signature_length, PARSE, "certificate's signature by its CA: signature has 255 bytes, not 256"),
	ROW(window_reversed, CHECK, "certificate is never valid: it begins 2027-01-15T08:00:00Z and ends 2027-01-15T07:59:59Z"),
	ROW(window_empty, CHECK, "certificate is never valid"),
	ROW(window_far, CHECK, "certificate is not valid before the year 10000 or later"),
	ROW(window_signed, CHECK, "certificate expired"),
	ROW(no_principal, CHECK, "certificate names no principal"),
	ROW(second_principal, CHECK, "certificate has a principal that is not a valid name: 'bob\\"),
	ROW(empty_principal, CHECK, "certificate has a principal that is not a valid name: ''"),
	ROW(source_garbage, CHECK, "certificate's source-address cannot be read at 'web1'"),
	ROW(source_hidden, CHECK, "certificate's source-address cannot be read at '10.0.0.1/8'"),
	ROW(source_hole, CHECK, "certificate's source-address cannot be read at ''"),
	ROW(source_mask, CHECK, "certificate's source-address cannot be read at '10.0.0.0/33'"),
	ROW(critical_unknown, CHECK, "certificate has the unknown critical option 'aaa'"),
	ROW(critical_right, CHECK, "certificate has the unknown critical option 'permit-pty'"),
};

static void built_certificates(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		DRAFT_CLEANUP struct draft draft = draft_good();
		BUF_CLEANUP struct buf blob = BUF_INIT(4 * SSHKEY_BLOB_MAX);
		SSHCERT_CLEANUP struct sshcert *cert = NULL;
		struct err err = { "" };
		int parsed, checked = 0;

		rows[i].change(&draft);
		draft_build(&draft, &blob);
		parsed = sshcert_parse(buf_bytes(&blob), &cert, &err);
		if (parsed != (rows[i].stage == PARSE ? -EBADMSG : 0))
			fail_msg("%s: parse: %d %s", rows[i].name, parsed, err.text);
		if (parsed == 0)
			checked = sshcert_check(cert, NOW, &here, &err);
		if (checked != (rows[i].stage == CHECK ? -EACCES : 0))
			fail_msg("%s: check: %d %s", rows[i].name, checked, err.text);
		assert_words(rows[i].name, &err, rows[i].words);
	}
}

/* The right key, asked without an address: a restriction that cannot be checked is not met. */
static void source_must_be_known(void **state)
{
	static const struct addr unknown;
	const struct addr *const sources[] = { NULL, &unknown };

	(void)state;
	for (size_t i = 0; i < COUNT(sources); i++) {
		DRAFT_CLEANUP struct draft draft = draft_good();
		BUF_CLEANUP struct buf blob = BUF_INIT(SSHKEY_BLOB_MAX);
		SSHCERT_CLEANUP struct sshcert *cert = NULL;
		struct err err = { "" };

		put_option(&draft.critical, "source-address", "0.0.0.0/0,::/0");
		draft_build(&draft, &blob);
		assert_int_equal(sshcert_parse(buf_bytes(&blob), &cert, NULL), 0);
		assert_int_equal(sshcert_check(cert, NOW, &here, NULL), 0);
		assert_int_equal(sshcert_check(cert, NOW, sources[i], &err), -EACCES);
		assert_words("unknown", &err, "yours is not known");
	}
}

/* A clock before 1970 must not read as one far in the future, where a certificate without end is still valid. */
static void clock_before_1970_is_refused(void **state)
{
	DRAFT_CLEANUP struct draft draft = draft_good();
	BUF_CLEANUP struct buf blob = BUF_INIT(SSHKEY_BLOB_MAX);
	SSHCERT_CLEANUP struct sshcert *cert = NULL;
	struct err err = { "" };

	(void)state;
	draft.valid_after = 0;
	draft.valid_before = SSHCERT_FOREVER;
	draft_build(&draft, &blob);
	assert_int_equal(sshcert_parse(buf_bytes(&blob), &cert, NULL), 0);
	assert_int_equal(sshcert_check(cert, 0, &here, NULL), 0);
	assert_int_equal(sshcert_check(cert, INT64_MAX, &here, NULL), 0);
	assert_int_equal(sshcert_check(cert, -1, &here, &err), -EACCES);
	assert_words("clock", &err, "the clock stands before 1970");
}

static void blob_has_a_limit(void **state)
{
	DRAFT_CLEANUP struct draft draft = draft_good();
	BUF_CLEANUP struct buf blob = BUF_INIT(4 * SSHKEY_BLOB_MAX);
	SSHCERT_CLEANUP struct sshcert *cert = NULL;
	struct err err = { "" };

	(void)state;
	use_ca(&draft, other_key); /* its signatures have one length */
	draft_build(&draft, &blob);
	for (size_t room = SSHKEY_BLOB_MAX - blob.len; room > 0; room--)
		buf_putc(&draft.key_id, '\r');
	buf_clear(&blob);
	draft_build(&draft, &blob);
	assert_int_equal(blob.len, SSHKEY_BLOB_MAX);
	assert_int_equal(sshcert_parse(buf_bytes(&blob), &cert, NULL), 0);
	assert_int_equal(strlen(cert->key_id), draft.key_id.len);
	buf_putc(&draft.key_id, 'x');
	buf_clear(&blob);
	draft_build(&draft, &blob);
	sshcert_freep(&cert);
	assert_int_equal(sshcert_parse(buf_bytes(&blob), &cert, &err), -EBADMSG);
	assert_words("limit", &err, "certificate of 16385 bytes is longer than 16384");
}

static void types_of_certificates(void **state)
{
	static const struct {
		const char *name;
		bool is;
	} types[] = {
		{ "ssh-ed25519-cert-v01@openssh.com", true }, { "rsa-sha2-256-cert-v01@openssh.com", true }, { "ssh-dss-cert-v00@openssh.com", true },
		{ "x-cert-v09@openssh.com", true }, { "-cert-v01@openssh.com", false }, { "ssh-ed25519", false }, { "", false },
		{ "ssh-ed25519-cert-v01@openssh.com ", false }, { "ssh-ed25519-cert-vX1@openssh.com", false },
		{ "ssh-ed25519-cert-v0a@openssh.com", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(types); i++)
		assert_int_equal(sshcert_is_cert_type((struct bytes){ (const uint8_t *)types[i].name, strlen(types[i].name) }), types[i].is);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(built_certificates),
		cmocka_unit_test(source_must_be_known),
		cmocka_unit_test(clock_before_1970_is_refused),
		cmocka_unit_test(blob_has_a_limit),
		cmocka_unit_test(types_of_certificates),
	};

	return cmocka_run_group_tests_name("sshcert_built", tests, make_keys, drop_keys);
}
