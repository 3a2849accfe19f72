/* Key revocation lists: ours and ssh-keygen's answers agree on lists that ssh-keygen made; what is malformed, too large or not understood is refused. */
#include "keys/krl.h"

#include <errno.h>

#include "keys/sshcert.h"
#include "common/wire.h"
#include "tests/unit/keygen.h"

static struct krl *list_of(const char *file)
{
	BUF_CLEANUP struct buf bytes = BUF_INIT(FILE_MAX);
	struct krl *krl = NULL;
	struct err err = { "" };
	keygen_read(file, &bytes);
	if (krl_parse(buf_bytes(&bytes), &krl, &err))
		fail_msg("%s: %s", file, err.text);
	return krl;
}

/* ---- against ssh-keygen ---- */

static void blob_of(const char *file, struct buf *blob)
{
	BUF_CLEANUP struct buf text = BUF_INIT(FILE_MAX);
	keygen_read(file, &text);
	char *line = (char *)buf_cstr(&text), *base64 = strchr(line, ' ') + 1;
	base64[strcspn(base64, " \n")] = 0;
	assert_int_equal(text_base64_decode(blob, base64, strlen(base64)), 0);
}

/* What we say of a certificate or key file; *ret_by as krl_revoked() has it. */
static bool ours(const struct krl *krl, const char *file, const char **ret_by)
{
	BUF_CLEANUP struct buf blob = BUF_INIT(SSHKEY_BLOB_MAX);
	SSHCERT_CLEANUP struct sshcert *cert = NULL;
	blob_of(file, &blob);
	if (!strstr(file, "-cert.pub"))
		return krl_revoked(krl, &(struct krl_question){ .key = buf_bytes(&blob) }, ret_by);
	assert_int_equal(sshcert_parse(buf_bytes(&blob), &cert, NULL), 0);
	const struct krl_question question = { sshkey_blob(cert->key), sshkey_blob(cert->ca), cert->serial, cert->key_id };
	return krl_revoked(krl, &question, ret_by);
}

static bool theirs(const char *list, const char *file)
{
	char command[512];
	snprintf(command, sizeof(command), "cd %s && ssh-keygen -Q -f %s %s >log 2>&1", keygen_dir, list, file);
	return system(command) != 0;
}

static void agree(const char *list, const char *file, const char *by)
{
	struct krl *krl = list_of(list);
	const char *said = NULL;
	bool revoked = ours(krl, file, &said);
	if (revoked != (by != NULL) || theirs(list, file) != revoked || (by && strcmp(said, by)))
		fail_msg("%s in %s: we say %s, ssh-keygen %d, expected %s", file, list, revoked ? said : "no", theirs(list, file), by ? by : "no");
	krl_free(krl);
}

static void make(void **state)
{
	(void)state;
	keygen_run("ssh-keygen -q -t ed25519 -N '' -f ca && ssh-keygen -q -t ed25519 -N '' -f other");
	for (int serial = 1; serial <= 24; serial++)
		keygen_run("ssh-keygen -q -t ed25519 -N '' -f k%d && ssh-keygen -q -s ca -z %d -I 'id %d' -n alice k%d.pub", serial, serial, serial, serial);
	keygen_run("ssh-keygen -q -t ed25519 -N '' -f o5 && ssh-keygen -q -s other -z 5 -I 'id 5' -n alice o5.pub");
	keygen_run("printf 'serial: 5\\nserial: 7-9\\nserial: 20\\nserial: 22\\nserial: 18446744073709551615\\n' >serials; ssh-keygen -q -k -z 42 -f serials.krl -s ca.pub serials");
	keygen_run("for i in $(seq 2 2 400); do echo serial: $i; done >bits; ssh-keygen -q -k -f bits.krl -s ca.pub bits");
	keygen_run("printf 'id: id 6\\nid: id 1\\nid: zz\\n' >ids; ssh-keygen -q -k -f ids.krl -s ca.pub ids");
	keygen_run("ssh-keygen -q -k -f keys.krl k3.pub; ssh-keygen -q -k -f cas.krl ca.pub");
	keygen_run("printf 'sha1: %%s\\n' \"$(cat k3.pub)\" >s1; ssh-keygen -q -k -f sha1.krl s1");
	keygen_run("printf 'hash: %%s\\n' \"$(ssh-keygen -lf k3.pub | cut -d' ' -f2)\" >h; ssh-keygen -q -k -f hash.krl h");
	keygen_run("ssh-keygen -q -k -f empty.krl");
}

static void test_serials(void **state)
{
	(void)state;
	char file[32];
	for (int serial = 1; serial <= 24; serial++) {
		bool listed = serial == 5 || (serial >= 7 && serial <= 9) || serial == 20 || serial == 22;
		snprintf(file, sizeof(file), "k%d-cert.pub", serial);
		agree("serials.krl", file, listed ? "its serial" : NULL);
		agree("bits.krl", file, serial % 2 ? NULL : "its serial");
	}
	agree("serials.krl", "o5-cert.pub", NULL); /* the same serial of another authority */
	agree("serials.krl", "k5.pub", NULL);      /* the key alone is fine */
	struct krl *krl = list_of("serials.krl");
	assert_int_equal(krl_version(krl), 42);
	assert_true(krl_entries(krl) >= 5);
	krl_free(krl);
}

static void test_ids_and_keys(void **state)
{
	(void)state;
	agree("ids.krl", "k6-cert.pub", "its key id");
	agree("ids.krl", "k1-cert.pub", "its key id");
	agree("ids.krl", "k2-cert.pub", NULL);
	static const char *const lists[] = { "keys.krl", "sha1.krl", "hash.krl" };
	for (size_t i = 0; i < COUNT(lists); i++) {
		agree(lists[i], "k3.pub", "its key");
		agree(lists[i], "k3-cert.pub", "its key");
		agree(lists[i], "k4.pub", NULL);
		agree(lists[i], "k4-cert.pub", NULL);
	}
	agree("cas.krl", "k4-cert.pub", "the key of its authority");
	agree("cas.krl", "o5-cert.pub", NULL);
	agree("cas.krl", "k4.pub", NULL);
	agree("empty.krl", "k3-cert.pub", NULL);
}

/* ---- by hand ---- */

static void head(struct buf *out)
{
	assert_int_equal(wire_put_u64(out, 0x5353484b524c0a00ULL), 0);
	assert_int_equal(wire_put_u32(out, 1), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(wire_put_u64(out, 0), 0);
	assert_int_equal(wire_put_cstring(out, ""), 0);
	assert_int_equal(wire_put_cstring(out, "comment"), 0);
}

static void section(struct buf *out, uint8_t type, const struct buf *contents)
{
	assert_int_equal(wire_put_u8(out, type), 0);
	assert_int_equal(wire_put_bytes(out, buf_bytes(contents)), 0);
}

static struct krl *parsed(const struct buf *bytes, const char *words)
{
	struct krl *krl = NULL;
	struct err err = { "" };
	int rc = krl_parse(buf_bytes(bytes), &krl, &err);
	if (!words && rc)
		fail_msg("%s", err.text);
	if (words && (!rc || !strstr(err.text, words)))
		fail_msg("expected '%s', got '%s'", words, err.text);
	return krl;
}

/* A list with one section of certificates of any authority, which holds one part. */
static struct krl *with_part(uint8_t type, const struct buf *part, const char *words)
{
	BUF_CLEANUP struct buf out = BUF_INIT(64 << 20), contents = BUF_INIT(32 << 20);
	head(&out);
	wire_put_cstring(&contents, "");
	wire_put_cstring(&contents, "");
	section(&contents, type, part);
	section(&out, 1, &contents);
	return parsed(&out, words);
}

static bool serial_in(const struct krl *krl, uint64_t serial)
{
	const char *by;
	static const uint8_t some[] = { 1, 2, 3 };
	return krl_revoked(krl, &(struct krl_question){ .key = { some, 3 }, .ca = { some, 2 }, .serial = serial }, &by);
}

static void test_ranges(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf part = BUF_INIT(1000);
	wire_put_u64(&part, UINT64_MAX - 1), wire_put_u64(&part, UINT64_MAX);
	struct krl *krl = with_part(0x21, &part, NULL); /* no authority named: any */
	assert_true(serial_in(krl, UINT64_MAX) && serial_in(krl, UINT64_MAX - 1));
	assert_false(serial_in(krl, UINT64_MAX - 2) || serial_in(krl, 0));
	krl_free(krl);
	buf_clear(&part);
	wire_put_u64(&part, 9), wire_put_u64(&part, 8);
	with_part(0x21, &part, "ends before it begins");
	buf_clear(&part);
	wire_put_u64(&part, 9), wire_put_u32(&part, 8);
	with_part(0x21, &part, "range of serials is malformed");
	with_part(0x20, &part, "ends in the middle");
}

static void bitmap(struct buf *part, uint64_t offset, const void *map, size_t len)
{
	buf_clear(part);
	assert_int_equal(wire_put_u64(part, offset), 0);
	assert_int_equal(wire_put_string(part, map, len), 0);
}

static void test_bitmaps(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf part = BUF_INIT(4 << 20);
	bitmap(&part, 1000, "\x01\x80\x03", 3); /* bits 0, 1, 15, 16 */
	struct krl *krl = with_part(0x22, &part, NULL);
	assert_true(serial_in(krl, 1000) && serial_in(krl, 1001) && serial_in(krl, 1015) && serial_in(krl, 1016));
	assert_false(serial_in(krl, 999) || serial_in(krl, 1002) || serial_in(krl, 1014) || serial_in(krl, 1017));
	assert_int_equal(krl_entries(krl), 2); /* neighbours are one */
	krl_free(krl);
	bitmap(&part, 0, "\x80", 1);
	with_part(0x22, &part, "negative");
	bitmap(&part, UINT64_MAX - 7, "\x01", 1);
	with_part(0x22, &part, "beyond the largest");
	bitmap(&part, 5, "", 0);
	krl_free(with_part(0x22, &part, NULL));
	uint8_t *large = calloc(1, KRL_BITMAP_MAX + 1);
	assert_non_null(large);
	bitmap(&part, 0, large, KRL_BITMAP_MAX);
	krl_free(with_part(0x22, &part, NULL));
	bitmap(&part, 0, large, KRL_BITMAP_MAX + 1);
	with_part(0x22, &part, "bitmap of serials is longer");
	memset(large, 0x55, KRL_BITMAP_MAX); /* every second bit: more ranges than there may be */
	bitmap(&part, 0, large, KRL_BITMAP_MAX);
	with_part(0x22, &part, "more than 1000000 entries");
	free(large);
}

static void test_limits(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf part = BUF_INIT(16 << 20), out = BUF_INIT(64 << 20), contents = BUF_INIT(1000);
	char *id = calloc(1, KRL_KEY_ID_MAX + 2);
	assert_non_null(id);
	memset(id, 'x', KRL_KEY_ID_MAX);
	wire_put_cstring(&part, id);
	krl_free(with_part(0x23, &part, NULL));
	id[KRL_KEY_ID_MAX] = 'x';
	buf_clear(&part);
	wire_put_cstring(&part, id);
	with_part(0x23, &part, "key id is longer");
	free(id);
	for (int more = 0; more < 2; more++) {
		buf_clear(&out), buf_clear(&contents);
		head(&out);
		wire_put_cstring(&contents, ""), wire_put_cstring(&contents, "");
		for (int i = 0; i < KRL_SECTIONS_MAX + more; i++)
			section(&out, 1, &contents);
		krl_free(parsed(&out, more ? "sections of certificates" : NULL));
	}
	struct krl *krl = NULL;
	struct err err;
	assert_int_equal(krl_parse((struct bytes){ (const uint8_t *)"", KRL_SIZE_MAX + 1 }, &krl, &err), -EMSGSIZE);
}

static void test_not_understood(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf part = BUF_INIT(1000), out = BUF_INIT(2000);
	with_part(0x24, &part, "part of unknown type 36");
	wire_put_cstring(&part, "new@openssh.com"), wire_put_u8(&part, 1), wire_put_cstring(&part, "");
	with_part(0x39, &part, "'new@openssh.com' is critical");
	head(&out);
	section(&out, 255, &part);
	parsed(&out, "is critical");
	buf_clear(&part), buf_clear(&out);
	wire_put_cstring(&part, "new@openssh.com"), wire_put_u8(&part, 0), wire_put_cstring(&part, "");
	krl_free(with_part(0x39, &part, NULL));
	head(&out);
	section(&out, 255, &part);
	krl_free(parsed(&out, NULL));
	section(&out, 4, &part);
	parsed(&out, "signed lists");
	buf_clear(&out);
	head(&out);
	section(&out, 9, &part);
	parsed(&out, "unknown type 9");
	buf_clear(&part), buf_clear(&out);
	head(&out);
	wire_put_cstring(&part, "nineteen bytes long");
	section(&out, 3, &part);
	parsed(&out, "list of fingerprints is malformed");
}

/* Every beginning of a good list is refused, or is a list itself (cut between sections); never more than the whole is revoked. */
static void test_cut(void **state)
{
	(void)state;
	static const char *const files[] = { "serials.krl", "bits.krl", "ids.krl", "keys.krl", "sha1.krl", "hash.krl" };
	for (size_t i = 0; i < COUNT(files); i++) {
		BUF_CLEANUP struct buf bytes = BUF_INIT(FILE_MAX);
		keygen_read(files[i], &bytes);
		for (size_t len = 0; len < bytes.len; len++) {
			struct krl *krl = NULL;
			struct err err = { "" };
			uint8_t *copy = malloc(len + 1); /* so that a sanitizer sees a read beyond the end */
			memcpy(copy, buf_data(&bytes), len);
			if (!krl_parse((struct bytes){ copy, len }, &krl, &err))
				assert_true(krl_entries(krl) == 0);
			else
				assert_true(*err.text && !krl);
			krl_free(krl);
			free(copy);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(make), cmocka_unit_test(test_serials), cmocka_unit_test(test_ids_and_keys), cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_bitmaps), cmocka_unit_test(test_limits), cmocka_unit_test(test_not_understood), cmocka_unit_test(test_cut),
	};
	return cmocka_run_group_tests(tests, keygen_setup, keygen_teardown);
}
