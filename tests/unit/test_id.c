/* Identifiers: form, order, and that two are never the same. */
#include "common/id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/in_range.h"

static void test_ulid_form(void **state)
{
	(void)state;
	const uint8_t zeros[10] = { 0 }, ones[10] = { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255 };
	const uint8_t some[10] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x10, 0x32 };
	char out[ID_ULID_LEN + 1];
	id_ulid(0, zeros, out);
	assert_string_equal(out, "00000000000000000000000000");
	id_ulid(0xffffffffffff, ones, out);
	assert_string_equal(out, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
	id_ulid(1469918176385, some, out); /* the time of the ULID specification's example: 01ARYZ6S41 */
	assert_string_equal(out, "01ARYZ6S4104HMASW9NF6YY41J");
	assert_true(id_ulid_ok(out));
}

static void test_ulid_order(void **state)
{
	(void)state;
	const uint8_t ones[10] = { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255 }, zeros[10] = { 0 };
	char early[ID_ULID_LEN + 1], late[ID_ULID_LEN + 1];
	for (int64_t ms = 1; ms < 1LL << 47; ms *= 3) {
		id_ulid(ms, ones, early);
		id_ulid(ms + 1, zeros, late);
		assert_true(strcmp(early, late) < 0);
	}
}

static void test_ulid_new(void **state)
{
	(void)state;
	char a[ID_ULID_LEN + 1], b[ID_ULID_LEN + 1];
	id_ulid_new(a);
	id_ulid_new(b);
	assert_true(id_ulid_ok(a) && id_ulid_ok(b));
	assert_memory_equal(a, b, 6); /* the same quarter of an hour or so */
	assert_string_not_equal(a + 10, b + 10);
}

static void test_ulid_bad(void **state)
{
	(void)state;
	assert_true(id_ulid_ok("01ARYZ6S4104HMASW9NF6YY41J"));
	const char *const bad[] = { "", "01ARYZ6S4104HMASW9NF6YY41", "01ARYZ6S4104HMASW9NF6YY41JJ", "81ARYZ6S4104HMASW9NF6YY41J", "01ARYZ6S4104HMASW9NF6YY41I",
		"01ARYZ6S4104HMASW9NF6YY41U", "01aryz6s4104hmasw9nf6yy41j", "../../../../../../../etc/x", "01ARYZ6S4104HMASW9NF6YY41\n" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(id_ulid_ok(bad[i]));
}

static void test_short(void **state)
{
	(void)state;
	unsigned seen[128] = { 0 };
	char out[ID_SHORT_LEN + 1];
	for (int i = 0; i < 6000; i++) {
		id_short_new(out);
		assert_true(id_short_ok(out));
		for (int k = 0; k < ID_SHORT_LEN; k++)
			seen[(unsigned char)out[k]]++;
	}
	for (const char *c = "23456789ABCDEFGHJKMNPQRSTVWXYZ"; *c; c++) /* 1000 of each are expected */
		assert_uint_in_range(seen[(unsigned char)*c], 700, 1300);
	const char *const bad[] = { "", "7KQ2", "7KQ2FF", "7KQ20", "7KQ2O", "7KQ2I", "7KQ21", "7kq2f", "7KQ/." };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(id_short_ok(bad[i]));
	assert_true(id_short_ok("7KQ2F"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ulid_form), cmocka_unit_test(test_ulid_order), cmocka_unit_test(test_ulid_new), cmocka_unit_test(test_ulid_bad),
		cmocka_unit_test(test_short),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
