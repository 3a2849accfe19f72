/* The growing buffer: the maximum, consuming, and that a failed write changes nothing. */
#include "common/buf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_holds(const struct buf *buf, const char *text)
{
	assert_int_equal(buf->len, strlen(text));
	assert_memory_equal(buf_data(buf), text, strlen(text));
}

static void test_put(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf buf = BUF_INIT(100);
	assert_int_equal(buf_puts(&buf, "ab"), 0);
	assert_int_equal(buf_putc(&buf, 'c'), 0);
	assert_int_equal(buf_printf(&buf, "%d-%s", 12, "x"), 0);
	assert_int_equal(buf_put(&buf, NULL, 0), 0);
	assert_holds(&buf, "abc12-x");
	assert_string_equal(buf_cstr(&buf), "abc12-x");
	assert_int_equal(buf_bytes(&buf).len, 7);
}

static void test_max(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf buf = BUF_INIT(4);
	uint8_t *room = (uint8_t *)"untouched";
	assert_int_equal(buf_puts(&buf, "abcd"), 0);
	assert_int_equal(buf_putc(&buf, 'e'), -EMSGSIZE);
	assert_int_equal(buf_printf(&buf, "%d", 1), -EMSGSIZE);
	assert_int_equal(buf_grow(&buf, 1, &room), -EMSGSIZE);
	assert_int_equal(buf_grow(&buf, SIZE_MAX, &room), -EMSGSIZE);
	assert_string_equal((char *)room, "untouched");
	assert_holds(&buf, "abcd");
	assert_string_equal(buf_cstr(&buf), "abcd"); /* the NUL does not count */
	buf_consume(&buf, 1);
	assert_int_equal(buf_putc(&buf, 'e'), 0);
	assert_holds(&buf, "bcde");
}

static void test_max_by_printf(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf buf = BUF_INIT(5);
	assert_int_equal(buf_printf(&buf, "%s", "123456"), -EMSGSIZE);
	assert_int_equal(buf.len, 0);
	assert_int_equal(buf_printf(&buf, "%s", "12345"), 0);
	assert_holds(&buf, "12345");
}

static void test_zero_max(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf buf = BUF_INIT(0);
	assert_int_equal(buf_putc(&buf, 'x'), -EMSGSIZE);
	assert_int_equal(buf_puts(&buf, ""), 0);
	assert_string_equal(buf_cstr(&buf), "");
}

/* A queue that never holds more than 1000 bytes must not grow with what has passed through it. */
static void test_queue_stays_small(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf buf = BUF_INIT(1000);
	uint8_t next_in = 0, next_out = 0;
	for (int round = 0; round < 5000; round++) {
		size_t size = (size_t)(round * 7 % 300);
		for (size_t i = 0; i < size && buf.len < buf.max; i++)
			assert_int_equal(buf_putc(&buf, next_in++), 0);
		size_t take = buf.len * (size_t)(round % 4) / 3;
		for (size_t i = 0; i < take; i++)
			assert_int_equal(buf_data(&buf)[i], next_out++);
		buf_consume(&buf, take);
	}
	assert_true(buf.cap <= 1001);
}

static void test_grow(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf buf = BUF_INIT(10);
	uint8_t *room;
	assert_int_equal(buf_grow(&buf, 10, &room), 0);
	memcpy(room, "0123456789", 10);
	buf_grow_done(&buf, 3);
	assert_holds(&buf, "012");
	assert_int_equal(buf_grow(&buf, 8, &room), -EMSGSIZE);
	assert_int_equal(buf_grow(&buf, 7, &room), 0);
}

static void test_ends(void **state)
{
	(void)state;
	struct buf buf;
	buf_init(&buf, 50);
	assert_int_equal(buf_puts(&buf, "secret"), 0);
	buf_trim(&buf);
	assert_non_null(buf.base);
	buf_clear(&buf);
	assert_non_null(buf.base);
	buf_trim(&buf);
	assert_null(buf.base);
	assert_int_equal(buf_puts(&buf, "again"), 0);
	buf_burn(&buf);
	assert_null(buf.base);
	assert_int_equal(buf.max, 50);
	assert_int_equal(buf_puts(&buf, "and again"), 0);
	buf_release(&buf);
	assert_int_equal(buf.len, 0);
	assert_int_equal(buf.max, 50);
}

static void test_free_cleanup(void **state)
{
	(void)state;
	FREE_CLEANUP char *text = strdup("freed at the end of the scope: the leak checker says if not");
	assert_non_null(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put), cmocka_unit_test(test_max), cmocka_unit_test(test_max_by_printf), cmocka_unit_test(test_zero_max),
		cmocka_unit_test(test_queue_stays_small), cmocka_unit_test(test_grow), cmocka_unit_test(test_ends), cmocka_unit_test(test_free_cleanup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
