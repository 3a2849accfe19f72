/* Dates and durations, against values from outside of this code (GNU date). */
#include "common/clock.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static const struct {
	int64_t seconds;
	const char *text;
} moments[] = {
	{ 0, "1970-01-01T00:00:00Z" }, { -1, "1969-12-31T23:59:59Z" }, { 951782400, "2000-02-29T00:00:00Z" }, { 951868800, "2000-03-01T00:00:00Z" },
	{ 1795427999, "2026-11-23T09:59:59Z" }, { 2147483648, "2038-01-19T03:14:08Z" }, { 4107542400, "2100-03-01T00:00:00Z" },
	{ 253402300799, "9999-12-31T23:59:59Z" }, { -62167219200, "0000-01-01T00:00:00Z" }, { -2203977600, "1900-02-28T00:00:00Z" },
};

static void test_format_and_parse(void **state)
{
	(void)state;
	char out[CLOCK_RFC3339_MAX];
	for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
		int64_t back = 1;
		assert_string_equal(clock_format(moments[i].seconds, out), moments[i].text);
		assert_int_equal(clock_parse(moments[i].text, &back, NULL), 0);
		assert_int_equal(back, moments[i].seconds);
	}
}

/* Every day of eight centuries and more, against the C library. */
static void test_every_day(void **state)
{
	(void)state;
	for (int64_t day = -150000; day < 150000; day++) {
		char out[CLOCK_RFC3339_MAX], expected[64];
		time_t when = day * 86400 + 45296;
		struct tm tm;
		gmtime_r(&when, &tm);
		strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%SZ", &tm);
		if (strcmp(clock_format(when, out), expected))
			fail_msg("%s instead of %s", out, expected);
		int64_t back;
		if (clock_parse(out, &back, NULL) || back != when)
			fail_msg("%s was not read back", out);
	}
}

static void test_milliseconds(void **state)
{
	(void)state;
	char out[CLOCK_RFC3339_MAX];
	assert_string_equal(clock_format_ms(1795428000123, out), "2026-11-23T10:00:00.123Z");
	assert_string_equal(clock_format_ms(5, out), "1970-01-01T00:00:00.005Z");
	assert_string_equal(clock_format_ms(-1, out), "1969-12-31T23:59:59.999Z");
}

static void test_far_away(void **state)
{
	(void)state;
	char out[CLOCK_RFC3339_MAX];
	assert_string_equal(clock_format(INT64_MAX, out), "9999-12-31T23:59:59Z");
	assert_string_equal(clock_format(INT64_MIN, out), "0000-01-01T00:00:00Z");
	clock_format_ms(INT64_MAX, out);
	assert_memory_equal(out, "9999-", 5);
	clock_format_ms(INT64_MIN, out);
	assert_memory_equal(out, "0000-", 5);
}

static void test_offsets(void **state)
{
	(void)state;
	const char *const same[] = { "2026-11-23T10:00:00Z", "2026-11-23t10:00:00z", "2026-11-23T11:30:00+01:30", "2026-11-22T23:59:00-10:01",
		"2026-11-23T10:00:00.999999Z", "2026-11-23 10:00:00+00:00", "2026-11-23T09:59:60Z" };
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		int64_t got = 0;
		assert_int_equal(clock_parse(same[i], &got, NULL), 0);
		assert_int_equal(got, 1795428000);
	}
}

static void test_bad_times(void **state)
{
	(void)state;
	const char *const bad[] = { "", "now", "2026-11-23", "2026-11-23T10:00:00", "2026-11-23T10:00Z", "2026-11-23T10:00:00Zx", "2026-13-01T00:00:00Z",
		"2026-00-01T00:00:00Z", "2026-11-31T00:00:00Z", "2025-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2026-11-23T24:00:00Z", "2026-11-23T10:60:00Z",
		"2026-11-23T10:00:61Z", "2026-11-23T10:00:00.Z", "2026-11-23T10:00:00+0100", "2026-11-23T10:00:00+24:00", " 2026-11-23T10:00:00Z",
		"+026-11-23T10:00:00Z", "2026-1-23T10:00:00Z", "2026-11-23X10:00:00Z", "2026-11-23T10:00:00+01:", "-2026-11-23T10:00:00Z" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int64_t got = 77;
		struct err err;
		if (clock_parse(bad[i], &got, &err) != -EINVAL)
			fail_msg("'%s' was taken", bad[i]);
		assert_int_equal(got, 77);
		assert_non_null(strstr(err.text, "is not a time"));
	}
}

static void test_durations(void **state)
{
	(void)state;
	const struct {
		const char *text;
		int64_t ms;
	} good[] = { { "0", 0 }, { "0s", 0 }, { "90s", 90000 }, { "15m", 900000 }, { "10h", 36000000 }, { "2d", 172800000 }, { "1h30m", 5400000 },
		{ "250ms", 250 }, { "1d2h3m4s5ms", 93784005 }, { "106751991167d", 9223372036828800000 } };
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		int64_t got = -1;
		assert_int_equal(clock_duration_parse(good[i].text, &got, NULL), 0);
		assert_int_equal(got, good[i].ms);
	}
}

static void test_bad_durations(void **state)
{
	(void)state;
	const char *const bad[] = { "", "10", "s", "-5s", "+5s", "5 s", "5s ", "1.5h", "5S", "5w", "30m1h", "5s5s", "1h30", "5mss", "106751991168d",
		"99999999999999999999s", "9223372036854775807ms1ms", "106751991167d9999999999999h" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int64_t got = 77;
		if (!clock_duration_parse(bad[i], &got, NULL))
			fail_msg("'%s' was taken", bad[i]);
		assert_int_equal(got, 77);
	}
}

static void test_duration_format(void **state)
{
	(void)state;
	const struct {
		int64_t ms;
		const char *text;
	} cases[] = { { 0, "0 seconds" }, { -5, "0 seconds" }, { 250, "250 milliseconds" }, { 1000, "1 second" }, { 1500, "1 second" },
		{ 59999, "59 seconds" }, { 60000, "1 minute" }, { 90000, "1 minute 30 seconds" }, { 121000, "2 minutes 1 second" }, { 185000, "3 minutes" },
		{ 36000000, "10 hours" }, { 5400000, "1 hour 30 minutes" }, { 129600000, "1 day 12 hours" }, { 864000000, "10 days" } };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char out[64];
		assert_string_equal(clock_duration_format(cases[i].ms, out, sizeof(out)), cases[i].text);
	}
	char small[5];
	assert_string_equal(clock_duration_format(36000000, small, sizeof(small)), "10 h");
}

static void test_clocks(void **state)
{
	(void)state;
	int64_t us = clock_mono_us(), ms = clock_mono_ms(), wall = clock_wall(), wall_ms = clock_wall_ms();
	assert_true(us > 0 && ms >= us / 1000 && clock_mono_us() >= us);
	assert_true(wall > 1700000000 && wall_ms / 1000 - wall <= 1 && wall_ms / 1000 >= wall);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format_and_parse), cmocka_unit_test(test_every_day), cmocka_unit_test(test_milliseconds), cmocka_unit_test(test_far_away),
		cmocka_unit_test(test_offsets), cmocka_unit_test(test_bad_times), cmocka_unit_test(test_durations), cmocka_unit_test(test_bad_durations),
		cmocka_unit_test(test_duration_format), cmocka_unit_test(test_clocks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
