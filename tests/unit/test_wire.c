/* The wire encoding: what comes out is what went in, and a failed read moves nothing. */
#include "common/wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_integers(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf buf = BUF_INIT(100);
	const uint8_t expected[] = { 0xfe, 0x12, 0x34, 0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4, 5, 6, 7, 8 };
	assert_int_equal(wire_put_u8(&buf, 0xfe) | wire_put_u16(&buf, 0x1234) | wire_put_u32(&buf, 0xdeadbeef), 0);
	assert_int_equal(wire_put_u64(&buf, 0x0102030405060708), 0);
	assert_int_equal(buf.len, sizeof(expected));
	assert_memory_equal(buf_data(&buf), expected, sizeof(expected));

	struct wire in = WIRE_OF(buf_data(&buf), buf.len);
	uint8_t a;
	uint16_t b;
	uint32_t c;
	uint64_t d;
	assert_int_equal(wire_get_u8(&in, &a) | wire_get_u16(&in, &b) | wire_get_u32(&in, &c) | wire_get_u64(&in, &d), 0);
	assert_true(a == 0xfe && b == 0x1234 && c == 0xdeadbeef && d == 0x0102030405060708);
	assert_true(wire_done(&in));
}

static void test_short_integers(void **state)
{
	(void)state;
	const uint8_t bytes[7] = { 0 };
	uint8_t a = 9;
	uint16_t b = 9;
	uint32_t c = 9;
	uint64_t d = 9;
	struct wire in = WIRE_OF(bytes, 0);
	assert_int_equal(wire_get_u8(&in, &a), -EBADMSG);
	in.len = 1;
	assert_int_equal(wire_get_u16(&in, &b), -EBADMSG);
	in.len = 3;
	assert_int_equal(wire_get_u32(&in, &c), -EBADMSG);
	in.len = 7;
	assert_int_equal(wire_get_u64(&in, &d), -EBADMSG);
	assert_true(a == 9 && b == 9 && c == 9 && d == 9);
	assert_true(in.data == bytes && in.len == 7);
}

static void test_strings(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf buf = BUF_INIT(100);
	struct bytes got;
	assert_int_equal(wire_put_cstring(&buf, "one") | wire_put_string(&buf, NULL, 0), 0);
	assert_int_equal(wire_put_bytes(&buf, (struct bytes){ (const uint8_t *)"t\0o", 3 }), 0);
	struct wire in = WIRE_OF(buf_data(&buf), buf.len);
	assert_false(wire_next_is(&in, "on"));
	assert_false(wire_next_is(&in, "ones"));
	assert_true(wire_next_is(&in, "one"));
	assert_int_equal(wire_get_string(&in, &got), 0);
	assert_int_equal(got.len, 0);
	assert_int_equal(wire_get_string(&in, &got), 0);
	assert_true(wire_same(got, (struct bytes){ (const uint8_t *)"t\0o", 3 }));
	assert_false(wire_equal(got, "t"));
	assert_true(wire_done(&in));
}

static void assert_no_string(const uint8_t *bytes, size_t len)
{
	struct wire in = WIRE_OF(bytes, len);
	struct bytes got = { bytes, 99 };
	char *copy = NULL;
	assert_int_equal(wire_get_string(&in, &got), -EBADMSG);
	assert_int_equal(wire_get_cstring(&in, 100, &copy), -EBADMSG);
	assert_false(wire_next_is(&in, ""));
	assert_true(in.data == bytes && in.len == len && got.len == 99 && !copy);
}

static void test_bad_strings(void **state)
{
	(void)state;
	assert_no_string((const uint8_t *)"\0\0\0", 3);
	assert_no_string((const uint8_t *)"\0\0\0\1", 4);
	assert_no_string((const uint8_t *)"\0\0\0\3ab", 6);
	assert_no_string((const uint8_t *)"\xff\xff\xff\xff" "abcd", 8);
	assert_no_string((const uint8_t *)"\x7f\xff\xff\xff" "abcd", 8);
}

static void test_cstring(void **state)
{
	(void)state;
	const uint8_t plain[] = { 0, 0, 0, 3, 'a', 'b', 'c' }, nul[] = { 0, 0, 0, 3, 'a', 0, 'c' };
	char *copy = NULL;
	struct wire in = WIRE_OF(nul, sizeof(nul));
	assert_int_equal(wire_get_cstring(&in, 100, &copy), -EBADMSG);
	assert_int_equal(in.len, sizeof(nul));
	in = WIRE_OF(plain, sizeof(plain));
	assert_int_equal(wire_get_cstring(&in, 2, &copy), -EBADMSG); /* limit + 1 */
	assert_null(copy);
	assert_int_equal(wire_get_cstring(&in, 3, &copy), 0);
	assert_string_equal(copy, "abc");
	free(copy);
}

static void assert_mpint(const char *magnitude, size_t len, const char *expected, size_t expected_len)
{
	BUF_CLEANUP struct buf buf = BUF_INIT(100);
	assert_int_equal(wire_put_mpint(&buf, (const uint8_t *)magnitude, len), 0);
	assert_int_equal(buf.len, expected_len);
	assert_memory_equal(buf_data(&buf), expected, expected_len);
}

static void test_mpint(void **state)
{
	(void)state;
	/* RFC 4251 section 5 */
	assert_mpint("", 0, "\0\0\0\0", 4);
	assert_mpint("\0\0", 2, "\0\0\0\0", 4);
	assert_mpint("\x09\xa3\x78\xf9\xb2\xe3\x32\xa7", 8, "\0\0\0\x08\x09\xa3\x78\xf9\xb2\xe3\x32\xa7", 12);
	assert_mpint("\x80", 1, "\0\0\0\x02\0\x80", 6);
	assert_mpint("\0\0\x7f", 3, "\0\0\0\x01\x7f", 5);
}

static void test_full(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf buf = BUF_INIT(8);
	assert_int_equal(wire_put_cstring(&buf, "12345"), -EMSGSIZE);
	assert_int_equal(wire_put_mpint(&buf, (const uint8_t *)"\x80" "123", 4), -EMSGSIZE);
	assert_int_equal(buf.len, 0); /* no length without its string */
	assert_int_equal(wire_put_cstring(&buf, "1234"), 0);
	assert_int_equal(wire_put_u8(&buf, 1), -EMSGSIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers), cmocka_unit_test(test_short_integers), cmocka_unit_test(test_strings), cmocka_unit_test(test_bad_strings),
		cmocka_unit_test(test_cstring), cmocka_unit_test(test_mpint), cmocka_unit_test(test_full),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
