/* Hostile text: visible form, valid form, names, base64. */
#include "common/text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BYTES(literal) literal, sizeof(literal) - 1

static void assert_visible(const char *data, size_t len, const char *expected)
{
	BUF_CLEANUP struct buf out = BUF_INIT(4096);
	char array[256];
	assert_int_equal(text_visible(&out, data, len, 4096), 0);
	assert_string_equal(buf_cstr(&out), expected);
	assert_string_equal(text_clean(array, sizeof(array), data, len), expected);
}

static void test_visible(void **state)
{
	(void)state;
	assert_visible(BYTES(""), "");
	assert_visible(BYTES("plain text, ~!"), "plain text, ~!");
	assert_visible(BYTES("gr\xc3\xbc\xc3\x9f dich \xe6\x97\xa5 \xf0\x9f\x98\x80"),
		"gr\xc3\xbc\xc3\x9f dich \xe6\x97\xa5 \xf0\x9f\x98\x80");
	assert_visible(BYTES("a\nb\tc\\d"), "a\\nb\\tc\\\\d");
	assert_visible(BYTES("\x1b[2J\r\0\x7f"), "\\x1b[2J\\x0d\\x00\\x7f");
	assert_visible(BYTES("\xc2\x9b"
			     "31m"),
		"\\u{009B}31m"); /* C1 CSI */
	assert_visible(BYTES("\xe2\x80\xae"
			     "gnp"),
		"\\u{202E}gnp"); /* right-to-left override */
	assert_visible(BYTES("\xe2\x81\xa6\xe2\x81\xa9"), "\\u{2066}\\u{2069}"); /* isolates */
	assert_visible(
		BYTES("\xe2\x80\x8b\xe2\x80\x8d\xef\xbb\xbf"), "\\u{200B}\\u{200D}\\u{FEFF}");
	assert_visible(BYTES("\xe2\x80\xa8\xe2\x80\xa9"), "\\u{2028}\\u{2029}"); /* separators */
	assert_visible(BYTES("\xf3\xa0\x81\x81"), "\\u{E0041}"); /* a tag character */
	assert_visible(
		BYTES("\xef\xbf\xbf\xf4\x8f\xbf\xbf"), "\\u{FFFF}\\u{10FFFF}"); /* noncharacters */
}

static void test_visible_invalid(void **state)
{
	(void)state;
	assert_visible(BYTES("\xff\xfe"), "\\xff\\xfe");
	assert_visible(BYTES("\xc0\xaf"), "\\xc0\\xaf");		   /* overlong */
	assert_visible(BYTES("\xe0\x80\x8a"), "\\xe0\\x80\\x8a");	   /* overlong newline */
	assert_visible(BYTES("\xed\xa0\x80"), "\\xed\\xa0\\x80");	   /* surrogate */
	assert_visible(BYTES("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80"); /* above U+10FFFF */
	assert_visible(BYTES("a\xe6\x97"), "a\\xe6\\x97");		   /* cut at the end */
	assert_visible(BYTES("\xe6\x97x"), "\\xe6\\x97x");
}

/* Nothing that may be shown is ambiguous: a literal backslash never reads like an escape. */
static void test_visible_unambiguous(void **state)
{
	(void)state;
	assert_visible(BYTES("\\x1b"), "\\\\x1b");
	assert_visible(BYTES("\\n"), "\\\\n");
}

static void test_visible_cut(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf out = BUF_INIT(100);
	assert_int_equal(text_visible(&out, "12345678", 8, 8), 0);
	assert_string_equal(buf_cstr(&out), "12345678");
	buf_clear(&out);
	assert_int_equal(text_visible(&out, "123456789", 9, 8), 0);
	assert_string_equal(buf_cstr(&out), "12345\xe2\x80\xa6");
	buf_clear(&out);
	assert_int_equal(text_visible(&out, "1234\x1b\x1b", 6, 8), 0); /* no half escape */
	assert_string_equal(buf_cstr(&out), "1234\xe2\x80\xa6");
	buf_clear(&out);
	assert_int_equal(text_visible(&out, "abc", 3, 2), 0); /* no room for the mark */
	assert_string_equal(buf_cstr(&out), "ab");
	buf_clear(&out);
	assert_int_equal(text_visible(&out, "abc", 3, 0), 0);
	assert_int_equal(out.len, 0);
}

static void test_visible_full(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf out = BUF_INIT(6);
	assert_int_equal(buf_puts(&out, "1234"), 0);
	assert_int_equal(text_visible(&out, "abc", 3, 100), -EMSGSIZE);
	assert_int_equal(out.len, 4);
	assert_int_equal(text_visible(&out, "ab", 2, 100), 0);
}

static void test_clean_sizes(void **state)
{
	(void)state;
	char out[8] = "canary!";
	assert_string_equal(text_clean(out, 1, "abc", 3), "");
	assert_int_equal(out[1], 'a'); /* "canary!": untouched */
	assert_string_equal(text_clean(out, 5, "abcdef", 6), "a\xe2\x80\xa6");
	assert_int_equal(out[5], 'y');
	text_clean(out, 0, "abc", 3);
	assert_int_equal(out[0], 'a');
}

/* ---- valid form ---- */

static void assert_utf8(const char *data, size_t len, const char *expected)
{
	BUF_CLEANUP struct buf whole = BUF_INIT(4096);
	assert_int_equal(text_utf8(&whole, data, len, NULL), 0);
	assert_string_equal(buf_cstr(&whole), expected);
	assert_true(text_utf8_valid(buf_data(&whole), whole.len));
	for (size_t cut = 0; cut <= len; cut++) { /* wherever it is split, the answer is the same */
		BUF_CLEANUP struct buf out = BUF_INIT(4096);
		struct text_carry carry = { .len = 0 };
		assert_int_equal(text_utf8(&out, data, cut, &carry), 0);
		assert_true(text_utf8_valid(buf_data(&out), out.len));
		assert_int_equal(text_utf8(&out, data + cut, len - cut, &carry), 0);
		assert_int_equal(text_utf8(&out, carry.bytes, carry.len, NULL), 0); /* the end */
		assert_string_equal(buf_cstr(&out), expected);
	}
}

#define FFFD "\xef\xbf\xbd"

static void test_utf8(void **state)
{
	(void)state;
	assert_utf8(BYTES("plain \x1b[0m and long enough for words"),
		"plain \x1b[0m and long enough for words");
	assert_utf8(BYTES("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80!"),
		"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80!");
	assert_utf8(BYTES("a\xff"
			  "b\xc3"),
		"a" FFFD "b" FFFD);
	assert_utf8(BYTES("\xe2\x82"
			  "x"),
		FFFD "x");
	assert_utf8(BYTES("\xf0\x9f\x98"), FFFD);
	assert_utf8(BYTES("\xf0\x9f\xc3\xa4"), FFFD "\xc3\xa4");
	assert_utf8(BYTES("\xed\xa0\x80"), FFFD FFFD FFFD);
	assert_utf8(BYTES("\xc0\x80\x80"), FFFD FFFD FFFD);
}

static void test_utf8_byte_by_byte(void **state)
{
	(void)state;
	const char *text = "\xf0\x9f\x98\x80\xe2\x82\xac\xc3\xa4.";
	BUF_CLEANUP struct buf out = BUF_INIT(100);
	struct text_carry carry = { .len = 0 };
	for (size_t i = 0; text[i]; i++)
		assert_int_equal(text_utf8(&out, text + i, 1, &carry), 0);
	assert_int_equal(carry.len, 0);
	assert_string_equal(buf_cstr(&out), text);
}

static void test_utf8_full(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf out = BUF_INIT(4);
	struct text_carry carry = { .len = 0 };
	assert_int_equal(text_utf8(&out, "a\xe2\x82", 3, &carry), 0);
	assert_int_equal(text_utf8(&out,
				 "\xac"
				 "b",
				 2, &carry),
		-EMSGSIZE);
	assert_int_equal(out.len, 1);
	assert_int_equal(carry.len, 2);
	assert_int_equal(text_utf8(&out, "\xac", 1, &carry), 0);
	assert_string_equal(buf_cstr(&out), "a\xe2\x82\xac");
}

/* ---- names ---- */

static void test_names(void **state)
{
	(void)state;
	char longest[256];
	memset(longest, 'a', sizeof(longest));
	assert_true(text_name_ok(longest, 255));
	assert_false(text_name_ok(longest, 256));
	assert_false(text_name_ok("", 0));
	const char *const good[] = { "alice", "bob@example.com", "ca:SHA256:abc", "J\xc3\xb6rg",
		"a-b_c.d+e", "o'brien" };
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(text_name_ok(good[i], strlen(good[i])));
	const char *const bad[] = { "-oProxyCommand", "a b", "a,b", "*", "a*", "../x", "a\\b",
		"a\"b", "a`b", "a\nb", "a\x1b", "a\x7f", "a\xe2\x80\x8b", "a\xe2\x80\xae",
		"a\xc2\xa0"
		"b",
		"a\xe3\x80\x80", "\xff", "a\xc3", "a\xc2\x85", "a\xf3\xa0\x81\x81" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(text_name_ok(bad[i], strlen(bad[i])));
	assert_false(text_name_ok("a\0b", 3));
}

static void test_targets(void **state)
{
	(void)state;
	char longest[254];
	memset(longest, 'a', sizeof(longest));
	assert_true(text_target_ok(longest, 253));
	assert_false(text_target_ok(longest, 254));
	assert_true(text_target_ok("web-1.Example_x.com", 19));
	assert_true(text_target_ok("::1", 3));
	const char *const bad[] = { "", "-x", "a b", "a/b", "a*", "a\n", "a\xc3\xa4", "a;b", "$(x)",
		"a%b", "a@b", "[::1]" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(text_target_ok(bad[i], strlen(bad[i])));
	assert_false(text_target_ok("a\0b", 3));
}

/* ---- small things ---- */

static void test_base64(void **state)
{
	(void)state;
	/* RFC 4648 section 10 */
	const char *const vectors[][2] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" },
		{ "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" }, { "\xfb\xff\xbf", "+/+/" } };
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		BUF_CLEANUP struct buf out = BUF_INIT(100), back = BUF_INIT(strlen(vectors[i][0]));
		assert_int_equal(text_base64(&out, vectors[i][0], strlen(vectors[i][0])), 0);
		assert_string_equal(buf_cstr(&out), vectors[i][1]);
		assert_int_equal(
			text_base64_decode(&back, vectors[i][1], strlen(vectors[i][1])), 0);
		assert_string_equal(buf_cstr(&back), vectors[i][0]);
	}
}

static void test_base64_bad(void **state)
{
	(void)state;
	const char *const bad[] = { "Zg", "Zg=", "Zg===", "=",
		"====", "Z===", "Zh==", "Zm9=", "Zg==Zg==", "Zm 9", "Zm9v\n", "Zm-_", "Zm=v",
		"Zm9v====" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		BUF_CLEANUP struct buf out = BUF_INIT(100);
		assert_int_equal(text_base64_decode(&out, bad[i], strlen(bad[i])), -EBADMSG);
		assert_int_equal(out.len, 0);
	}
	BUF_CLEANUP struct buf out = BUF_INIT(100);
	assert_int_equal(text_base64_decode(&out, "Zm\0v", 4), -EBADMSG);
}

static void test_hex(void **state)
{
	(void)state;
	char out[7] = "";
	assert_int_equal(text_hex(out, 6, "\x00\xaf\x09", 3), -ENOSPC);
	assert_int_equal(text_hex(out, 7, "\x00\xaf\x09", 3), 0);
	assert_string_equal(out, "00af09");
}

static void test_copies(void **state)
{
	(void)state;
	FREE_CLEANUP char *copy = text_dup("abcdef", 3);
	FREE_CLEANUP char *empty = text_dup(NULL, 0);
	assert_string_equal(copy, "abc");
	assert_string_equal(empty, "");
	assert_true(text_equal("a", "a") && text_equal(NULL, NULL));
	assert_false(text_equal("a", "b") || text_equal("a", NULL) || text_equal(NULL, ""));
	text_burn(copy, 3);
	assert_memory_equal(copy, "\0\0\0", 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_visible),
		cmocka_unit_test(test_visible_invalid),
		cmocka_unit_test(test_visible_unambiguous),
		cmocka_unit_test(test_visible_cut),
		cmocka_unit_test(test_visible_full),
		cmocka_unit_test(test_clean_sizes),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_utf8_byte_by_byte),
		cmocka_unit_test(test_utf8_full),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_base64_bad),
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_copies),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
