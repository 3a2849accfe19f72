/* JSON with bounds: what is refused, and that what we print is valid, sorted and one line. */
#include "common/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int parse(const char *text, size_t len, size_t max, json_t **ret, struct err *err)
{
	return json_parse((struct bytes){ (const uint8_t *)text, len }, max, ret, err);
}

static void test_round(void **state)
{
	(void)state;
	const char *text = "{ \"b\": [1, true, null, \"\xc3\xa4\\n\"], \"a\": {} }";
	JSON_CLEANUP json_t *json = NULL;
	BUF_CLEANUP struct buf out = BUF_INIT(1000);
	assert_int_equal(parse(text, strlen(text), strlen(text), &json, NULL), 0);
	assert_int_equal(json_text(json, &out), 0);
	assert_string_equal(buf_cstr(&out), "{\"a\":{},\"b\":[1,true,null,\"\xc3\xa4\\n\"]}");
	buf_clear(&out);
	assert_int_equal(json_pretty(json, &out), 0);
	assert_string_equal(buf_cstr(&out), "{\n  \"a\": {},\n  \"b\": [\n    1,\n    true,\n    null,\n    \"\xc3\xa4\\n\"\n  ]\n}\n");
}

static void test_refused(void **state)
{
	(void)state;
	const struct {
		const char *text;
		size_t len;
	} bad[] = {
#define T(literal) { literal, sizeof(literal) - 1 }
		T(""), T(" "), T("{"), T("[1,]"), T("{} x"), T("{}{}"), T("1"), T("\"x\""), T("{\"a\":1,\"a\":2}"), T("[\"\xff\"]"), T("[\"a\0b\"]"), T("[\"\\u0000\"]"),
		T("[\"\\ud800\"]"), T("['a']"), T("[NaN]"), T("[1]\0"), T("]"), T("[\"a\nb\"]"), T("[1e999]"),
#undef T
	};
	for (size_t i = 0; i < COUNT(bad); i++) {
		json_t *json = NULL;
		struct err err;
		if (parse(bad[i].text, bad[i].len, 1000, &json, &err) != -EBADMSG)
			fail_msg("'%s' was taken", bad[i].text);
		assert_null(json);
		assert_non_null(strstr(err.text, "JSON"));
	}
}

/* The parser quotes what it stumbled over: that must not reach a terminal as it is. */
static void test_error_is_clean(void **state)
{
	(void)state;
	const char *text = "[\x1b[31m]";
	json_t *json;
	struct err err;
	assert_int_equal(parse(text, strlen(text), 100, &json, &err), -EBADMSG);
	assert_null(strchr(err.text, '\x1b'));
}

static void test_limits(void **state)
{
	(void)state;
	JSON_CLEANUP json_t *json = NULL;
	char deep[2 * JSON_DEPTH_MAX + 3];
	assert_int_equal(parse("[1]", 3, 2, &json, NULL), -EMSGSIZE);
	memset(deep, '[', JSON_DEPTH_MAX + 1);
	memset(deep + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
	assert_int_equal(parse(deep, 2 * JSON_DEPTH_MAX + 2, 1000, &json, NULL), -EBADMSG);
	assert_int_equal(parse(deep + 1, 2 * JSON_DEPTH_MAX, 1000, &json, NULL), 0);
}

static void test_brackets_in_strings(void **state)
{
	(void)state;
	JSON_CLEANUP json_t *json = NULL;
	BUF_CLEANUP struct buf text = BUF_INIT(1000);
	assert_int_equal(buf_puts(&text, "[\"\\\""), 0);
	for (int i = 0; i < JSON_DEPTH_MAX * 2; i++)
		assert_int_equal(buf_putc(&text, i % 2 ? '[' : '{'), 0);
	assert_int_equal(buf_puts(&text, "\"]"), 0);
	assert_int_equal(json_parse(buf_bytes(&text), 1000, &json, NULL), 0);
}

static void test_full(void **state)
{
	(void)state;
	JSON_CLEANUP json_t *json = json_pack("{s:s}", "key", "value");
	BUF_CLEANUP struct buf out = BUF_INIT(15);
	assert_int_equal(buf_putc(&out, '>'), 0);
	assert_int_equal(json_text(json, &out), -EMSGSIZE);
	assert_int_equal(json_pretty(json, &out), -EMSGSIZE);
	assert_int_equal(out.len, 1);
}

static void assert_string(json_t *json, const char *expected)
{
	if (expected)
		assert_string_equal(json_string_value(json), expected);
	else
		assert_true(json_is_null(json));
	json_decref(json);
}

static void test_strings(void **state)
{
	(void)state;
	assert_string(json_visible("a\x1b\xff\0", 4), "a\\x1b\\xff\\x00");
	assert_string(json_visible(NULL, 0), "");
	assert_string(json_string_or_null(NULL), NULL);
	assert_string(json_string_or_null("\xc3\xa4"), "\xc3\xa4");
	assert_string(json_string_or_null("a\xff" "b"), "a\xef\xbf\xbd" "b");
	assert_string(json_time_ms(0), NULL);
	assert_string(json_time_ms(1795428000123), "2026-11-23T10:00:00.123Z");
}

static void test_visible_longest(void **state)
{
	(void)state;
	size_t len = 65537;
	FREE_CLEANUP char *data = malloc(len);
	memset(data, 'a', len);
	JSON_CLEANUP json_t *fits = json_visible(data, len - 1);
	JSON_CLEANUP json_t *cut = json_visible(data, len);
	assert_int_equal(json_string_length(fits), 65536);
	assert_string_equal(json_string_value(cut) + 65536 - 3, "\xe2\x80\xa6");
}

static void test_get_string(void **state)
{
	(void)state;
	JSON_CLEANUP json_t *json = json_pack("{s:s,s:i}", "a", "b", "n", 1);
	assert_string_equal(json_get_string(json, "a"), "b");
	assert_null(json_get_string(json, "n"));
	assert_null(json_get_string(json, "x"));
	assert_null(json_get_string(NULL, "x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round), cmocka_unit_test(test_refused), cmocka_unit_test(test_error_is_clean), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_brackets_in_strings), cmocka_unit_test(test_full), cmocka_unit_test(test_strings), cmocka_unit_test(test_visible_longest),
		cmocka_unit_test(test_get_string),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
