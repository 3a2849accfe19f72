/* Hours: days, times, and time zones against the C library's for thirty years. */
#include "policy/window.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>

#include "tests/unit/policy_world.h"
#include "policy/zone_rule.h"

#define HOUR 3600
#define FIRST 0            /* 1970 */
#define LAST 4102444800LL  /* 2100 */

static struct zone *zone_of(const char *name)
{
	struct zone *zone = NULL;
	struct err err = { 0 };
	FILES_CLEANUP struct files *files = files_from_disk();
	if (zone_load(files, name, &zone, &err) < 0)
		fail_msg("%s", err.text);
	return zone;
}

static int32_t libc_offset(int64_t now)
{
	time_t t = (time_t)now;
	struct tm tm;
	assert_non_null(localtime_r(&t, &tm));
	return (int32_t)tm.tm_gmtoff;
}

/* Every seven hours and a bit, and around each change of the C library's offset, second by second. */
static void compare(const char *name)
{
	struct zone *zone = zone_of(name);
	int32_t before = 0;
	assert_int_equal(setenv("TZ", name, 1), 0);
	tzset();
	for (int64_t now = FIRST; now < LAST; now += 7 * HOUR + 11) {
		int32_t expected = libc_offset(now);
		if (zone_offset(zone, now) != expected)
			fail_msg("%s at %lld: %d, the C library says %d", name, (long long)now, zone_offset(zone, now), expected);
		if (now > FIRST && expected != before) {
			int64_t low = now - 7 * HOUR - 11, high = now;
			while (high - low > 1) {
				int64_t middle = low + (high - low) / 2;
				if (libc_offset(middle) == before)
					low = middle;
				else
					high = middle;
			}
			assert_int_equal(zone_offset(zone, low), libc_offset(low));
			assert_int_equal(zone_offset(zone, high), libc_offset(high));
		}
		before = expected;
	}
	zone_free(zone);
}

static void test_zones(void **state)
{
	(void)state;
	static const char *const names[] = {
		"Europe/Berlin",
		"America/New_York",
		"Australia/Lord_Howe",
		"Asia/Kolkata",
		"Africa/Casablanca",
		"Europe/Dublin",
		"America/Sao_Paulo",
		"Asia/Tehran",
		"Pacific/Apia",
		"Antarctica/Troll",
		"America/Nuuk",
		"Etc/GMT+12",
		"Asia/Jerusalem",
		"America/Santiago",
		"UTC",
	};
	for (size_t i = 0; i < COUNT(names); i++)
		compare(names[i]);
}

/* Written down from date(1), so that a fault of both sides does not go unseen. */
static void test_known_instants(void **state)
{
	(void)state;
	static const struct { const char *zone; int64_t now; int32_t offset; } cases[] = {
		{ "Europe/Berlin", 1774745999, HOUR },          /* 2026-03-29T00:59:59Z */
		{ "Europe/Berlin", 1774746000, 2 * HOUR },      /* 2026-03-29T01:00:00Z */
		{ "Europe/Berlin", 1792889999, 2 * HOUR },      /* 2026-10-25T00:59:59Z */
		{ "Europe/Berlin", 1792890000, HOUR },          /* 2026-10-25T01:00:00Z */
		{ "Europe/Berlin", 2216250000, 2 * HOUR },      /* 2040-03-25T01:00:00Z */
		{ "Europe/Berlin", 2216249999, HOUR },
		{ "America/New_York", 1772953199, -5 * HOUR },  /* 2026-03-08T06:59:59Z */
		{ "America/New_York", 1772953200, -4 * HOUR },
		{ "Australia/Lord_Howe", 1798761600, 11 * HOUR },
		{ "Asia/Kolkata", 1798761600, 5 * HOUR + 1800 },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct zone *zone = zone_of(cases[i].zone);
		if (zone_offset(zone, cases[i].now) != cases[i].offset)
			fail_msg("%s at %lld: %d", cases[i].zone, (long long)cases[i].now, zone_offset(zone, cases[i].now));
		zone_free(zone);
	}
}

static void test_zone_names(void **state)
{
	(void)state;
	static const char *const bad[] = { "", "/etc/passwd", "../../../etc/passwd", "Europe/../Berlin", "Europe//Berlin", "Europe/",
		"Europe/Berlin\n", "a b", "zone.tab" };
	FILES_CLEANUP struct files *files = files_from_disk();
	struct zone *zone = NULL;
	struct err err = { 0 };
	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_int_equal(zone_load(files, bad[i], &zone, &err), -EINVAL);
		assert_non_null(strstr(err.text, "is not a name of a time zone"));
	}
	char longest[ZONE_NAME_MAX + 2];
	memset(longest, 'x', sizeof(longest));
	longest[ZONE_NAME_MAX + 1] = 0;
	assert_int_equal(zone_load(files, longest, &zone, &err), -EINVAL);
	assert_int_equal(zone_load(files, longest + 1, &zone, &err), -ENOENT);
	assert_int_equal(zone_load(files, "Europe/Berlln", &zone, &err), -ENOENT);
	assert_non_null(strstr(err.text, "is the package tzdata installed?"));
	assert_true(zone_load(files, "Europe", &zone, &err) < 0); /* a folder */
	assert_true(zone_load(files, "leapseconds", &zone, &err) < 0); /* not a zone */
	if (access("/usr/share/zoneinfo/right/Europe/Berlin", R_OK) == 0)
		assert_int_equal(zone_load(files, "right/Europe/Berlin", &zone, &err), -EINVAL);
	assert_null(zone);
}

/* Each truncation and each changed byte of a real file: refused, or read without harm. */
static void test_damaged_zone(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf file = BUF_INIT(65536);
	assert_int_equal(fd_read_file(AT_FDCWD, "/usr/share/zoneinfo/Europe/Berlin", 65536, &file, NULL), 0);
	uint8_t *copy = malloc(file.len);
	for (size_t len = 0; len < file.len; len++) {
		struct zone *zone = NULL;
		assert_true(zone_parse("x", (struct bytes){ buf_data(&file), len }, &zone, NULL) < 0);
	}
	for (size_t i = 0; i < file.len; i++) {
		struct zone *zone = NULL;
		memcpy(copy, buf_data(&file), file.len);
		copy[i] ^= 0xff;
		if (zone_parse("x", (struct bytes){ copy, file.len }, &zone, NULL) == 0)
			(void)zone_offset(zone, 1798761600);
		zone_free(zone);
	}
	free(copy);
}

static void test_rules(void **state)
{
	(void)state;
	struct zone_rule rule;
	static const char *const good[] = { "UTC0", "CET-1CEST,M3.5.0,M10.5.0/3", "<+0330>-3:30", "EST5EDT,0/0,J365/25", "IST-1GMT0,M10.5.0,M3.5.0/1",
		"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "AAA24BBB-24,J60,300/167:59:59" };
	static const char *const bad[] = { "", "U0", "UTC", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,M3.5.0,M10.5.0/3x",
		"CET-1CEST,M13.5.0,M10.5.0", "CET-1CEST,M3.6.0,M10.5.0", "CET-1CEST,M3.0.0,M10.5.0", "CET-1CEST,M3.5.7,M10.5.0", "CET-1CEST,J0,J5",
		"CET-1CEST,J366,J5", "CET-1CEST,366,5", "CET-25", "<+03-3", "<>3", "CET-1:60", "CET-1CEST,1/168,2" };
	for (size_t i = 0; i < COUNT(good); i++)
		if (zone_rule_parse(good[i], &rule) < 0)
			fail_msg("%s", good[i]);
	for (size_t i = 0; i < COUNT(bad); i++)
		if (zone_rule_parse(bad[i], &rule) != -EINVAL)
			fail_msg("%s", bad[i]);
	assert_int_equal(zone_rule_parse("EST5EDT,0/0,J365/25", &rule), 0); /* summer time all year */
	assert_int_equal(zone_rule_offset(&rule, 1798761600), -4 * HOUR);
	assert_int_equal(zone_rule_offset(&rule, 1798761600 + 5 * HOUR), -4 * HOUR);
	assert_int_equal(zone_rule_offset(&rule, INT64_MAX / 4), -5 * HOUR); /* no loop without end */
}

static void test_texts(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int days;
	} days[] = {
		{ "mon", 0x02 },
		{ "mon-fri", 0x3e },
		{ "sat-mon", 0x43 },
		{ "mon,wed-fri", 0x3a },
		{ "sun - sat", -1 },
		{ "mon, wed", 0x0a },
		{ "sun-sat", 0x7f },
		{ "mon-", -1 },
		{ "", -1 },
		{ "Mon", -1 },
		{ "mon,", -1 },
		{ "monday", -1 },
		{ "mon fri", -1 },
		{ "-", -1 },
		{ "mon-fri-sat", -1 },
	};
	for (size_t i = 0; i < COUNT(days); i++) {
		uint8_t got = 0;
		int rc = window_parse_days(days[i].text, &got);
		if ((rc < 0 ? -1 : got) != days[i].days)
			fail_msg("'%s': %d %x", days[i].text, rc, got);
	}
	static const struct {
		const char *text;
		int minutes;
	} times[] = {
		{ "00:00", 0 },
		{ "08:30", 510 },
		{ "24:00", 1440 },
		{ "24:01", -1 },
		{ "25:00", -1 },
		{ "12:60", -1 },
		{ "8:00", -1 },
		{ "08:00:00", -1 },
		{ "0800", -1 },
		{ "", -1 },
		{ "-1:00", -1 },
	};
	for (size_t i = 0; i < COUNT(times); i++) {
		int got = -1;
		assert_int_equal(window_parse_time(times[i].text, &got), times[i].minutes < 0 ? -EINVAL : 0);
		assert_int_equal(got, times[i].minutes);
	}
	for (unsigned set = 1; set < 128; set++) { /* what is written reads back */
		BUF_CLEANUP struct buf out = BUF_INIT(64);
		uint8_t got = 0;
		assert_int_equal(window_put_days(&out, (uint8_t)set), 0);
		assert_int_equal(window_parse_days(buf_cstr(&out), &got), 0);
		assert_int_equal(got, set);
	}
}

static void test_format(void **state)
{
	(void)state;
	char text[WINDOW_TEXT_MAX];
	struct zone *zone = zone_of("Europe/Berlin");
	struct window window = { 0x3e, 480, 1440, zone };
	assert_string_equal(window_format(&window, text), "mon-fri 08:00-24:00 Europe/Berlin");
	assert_string_equal(window_format_now(&window, 1795860000, text), "sat 11:00 Europe/Berlin");
	assert_string_equal(window_format_now(&window, -1, text), "thu 00:59 Europe/Berlin");
	assert_false(window_contains(&window, INT64_MAX));
	assert_false(window_contains(&window, INT64_MIN));
	(void)window_contains(&window, -62135596800);
	zone_free(zone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zones),
		cmocka_unit_test(test_known_instants),
		cmocka_unit_test(test_zone_names),
		cmocka_unit_test(test_damaged_zone),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_format),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
