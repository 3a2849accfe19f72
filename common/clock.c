/* Reading clocks, and dates by arithmetic: no time zone file is ever opened, so it works inside a
 * session's sandbox.
 *
 * Dates are proleptic Gregorian, years 0000 to 9999; what lies outside is shown as the nearest end.
 */
#include "common/clock.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SECONDS_FIRST (-62167219200LL) /* 0000-01-01T00:00:00Z */
#define SECONDS_LAST 253402300799LL    /* 9999-12-31T23:59:59Z */
#define DAY 86400

static int64_t clock_read(clockid_t id, int64_t per_second)
{
	struct timespec ts = { 0 };

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * per_second + ts.tv_nsec / (1000000000 / per_second);
}

int64_t clock_wall(void)
{
	return clock_read(CLOCK_REALTIME, 1);
}

int64_t clock_wall_ms(void)
{
	return clock_read(CLOCK_REALTIME, 1000);
}

int64_t clock_mono_ms(void)
{
	return clock_read(CLOCK_MONOTONIC, 1000);
}

int64_t clock_mono_us(void)
{
	return clock_read(CLOCK_MONOTONIC, 1000000);
}

/* ---- dates ---- */

/* Days since 1970-01-01. Years are counted from March, so that the leap day is a year's last. */
static int64_t days_from_civil(int64_t year, unsigned month, unsigned day)
{
	year -= month <= 2;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t of_era = year - era * 400;
	int64_t of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void civil_from_days(int64_t days, int *year, unsigned *month, unsigned *day)
{
	days += 719468;
	int64_t era = (days >= 0 ? days : days - 146096) / 146097;
	int64_t of_era = days - era * 146097;
	int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
	int64_t m = (5 * of_year + 2) / 153; /* 0 is March */

	*day = (unsigned)(of_year - (153 * m + 2) / 5 + 1);
	*month = (unsigned)(m < 10 ? m + 3 : m - 9);
	*year = (int)(y + era * 400 + (*month <= 2));
}

static const char *format(int64_t seconds, int ms, char *out)
{
	char fraction[8] = "";
	int year;
	unsigned month, day;

	if (seconds < SECONDS_FIRST)
		seconds = SECONDS_FIRST;
	if (seconds > SECONDS_LAST)
		seconds = SECONDS_LAST;
	int64_t days = seconds / DAY - (seconds % DAY < 0);
	unsigned rest = (unsigned)(seconds - days * DAY);
	civil_from_days(days, &year, &month, &day);
	if (ms >= 0)
		snprintf(fraction, sizeof(fraction), ".%03d", ms % 1000);
	snprintf(out, CLOCK_RFC3339_MAX, "%04d-%02u-%02uT%02u:%02u:%02u%sZ", year % 10000,
		month % 100, day % 100, rest / 3600 % 24, rest / 60 % 60, rest % 60, fraction);
	return out;
}

const char *clock_format(int64_t seconds, char out[static CLOCK_RFC3339_MAX])
{
	return format(seconds, -1, out);
}

const char *clock_format_ms(int64_t ms, char out[static CLOCK_RFC3339_MAX])
{
	int rest = (int)(ms % 1000);

	return format(ms / 1000 - (rest < 0), rest < 0 ? rest + 1000 : rest, out);
}

/* Exactly count digits. */
static bool take_digits(const char **text, unsigned count, int *ret)
{
	int value = 0;

	for (unsigned i = 0; i < count; i++) {
		char c = (*text)[i];
		if (c < '0' || c > '9')
			return false;
		value = value * 10 + (c - '0');
	}
	*text += count;
	*ret = value;
	return true;
}

static bool take_char(const char **text, const char *any_of)
{
	if (!**text || !strchr(any_of, **text))
		return false;
	(*text)++;
	return true;
}

static int days_in(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

static bool take_date(const char **text, int64_t *ret_days)
{
	int year, month, day;

	if (!take_digits(text, 4, &year) || !take_char(text, "-") ||
		!take_digits(text, 2, &month) || !take_char(text, "-") ||
		!take_digits(text, 2, &day))
		return false;
	if (month < 1 || month > 12 || day < 1 || day > days_in(year, month))
		return false;
	*ret_days = days_from_civil(year, (unsigned)month, (unsigned)day);
	return true;
}

/* A leap second (60) counts as the first second of the next minute. Fractions are dropped. */
static bool take_time(const char **text, int64_t *ret_seconds)
{
	int hour, minute, second, digit;

	if (!take_digits(text, 2, &hour) || !take_char(text, ":") ||
		!take_digits(text, 2, &minute) || !take_char(text, ":") ||
		!take_digits(text, 2, &second))
		return false;
	if (hour > 23 || minute > 59 || second > 60)
		return false;
	if (take_char(text, ".")) {
		if (!take_digits(text, 1, &digit))
			return false;
		while (take_digits(text, 1, &digit))
			;
	}
	*ret_seconds = hour * 3600 + minute * 60 + second;
	return true;
}

static bool take_offset(const char **text, int64_t *ret_seconds)
{
	int hour, minute;
	char sign = **text;

	*ret_seconds = 0;
	if (take_char(text, "Zz"))
		return true;
	if (!take_char(text, "+-") || !take_digits(text, 2, &hour) || !take_char(text, ":") ||
		!take_digits(text, 2, &minute))
		return false;
	if (hour > 23 || minute > 59)
		return false;
	*ret_seconds = (sign == '-' ? -1 : 1) * (hour * 3600 + minute * 60);
	return true;
}

int clock_parse(const char *text, int64_t *ret_seconds, struct err *err)
{
	const char *at = text;
	int64_t days, seconds, offset;

	if (!take_date(&at, &days) || !take_char(&at, "Tt ") || !take_time(&at, &seconds) ||
		!take_offset(&at, &offset) || *at)
		return err_set(
			err, -EINVAL, "'%.64s' is not a time such as 2026-11-23T10:00:00Z", text);
	*ret_seconds = days * DAY + seconds - offset;
	return 0;
}

/* ---- durations ---- */

static const struct unit {
	const char *suffix;
	const char *name;
	int64_t ms;
} units[] = {
	/* largest first: "1h30m", never "30m1h" */
	{ "d", "day", 86400000 },
	{ "h", "hour", 3600000 },
	{ "m", "minute", 60000 },
	{ "s", "second", 1000 },
	{ "ms", "millisecond", 1 },
};
#define UNITS (sizeof(units) / sizeof(units[0]))

static bool take_number(const char **text, int64_t *ret)
{
	int64_t value = 0;
	int digit;
	const char *start = *text;

	while (take_digits(text, 1, &digit))
		if (__builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, digit, &value))
			return false;
	*ret = value;
	return *text > start;
}

/* The unit at *text, not above units[*first]; the next one must be smaller. */
static const struct unit *take_unit(const char **text, size_t *first)
{
	size_t len = strspn(*text, "abcdefghijklmnopqrstuvwxyz");

	for (size_t i = *first; i < UNITS; i++)
		if (strlen(units[i].suffix) == len && !memcmp(units[i].suffix, *text, len)) {
			*text += len;
			*first = i + 1;
			return &units[i];
		}
	return NULL;
}

int clock_duration_parse(const char *text, int64_t *ret_ms, struct err *err)
{
	const char *at = text;
	int64_t total = 0, part;
	size_t first = 0;

	if (!strcmp(text, "0")) {
		*ret_ms = 0;
		return 0;
	}
	do {
		const struct unit *unit = take_number(&at, &part) ? take_unit(&at, &first) : NULL;
		if (!unit)
			return err_set(err, -EINVAL,
				"'%.64s' is not a duration such as 90s, 15m, 1h30m or 2d", text);
		if (__builtin_mul_overflow(part, unit->ms, &part) ||
			__builtin_add_overflow(total, part, &total))
			return err_set(err, -ERANGE, "duration '%.64s' is too long", text);
	} while (*at);
	*ret_ms = total;
	return 0;
}

/* One unit if it is exact enough ("3 minutes"), else two ("1 minute 30 seconds"). */
const char *clock_duration_format(int64_t ms, char *out, size_t size)
{
	size_t i = 0;

	ms = ms < 0 ? 0 : ms;
	while (i < UNITS - 1 && ms < units[i].ms)
		i++;
	if (!ms)
		i = UNITS - 2; /* "0 seconds" */
	int64_t count = ms / units[i].ms;
	int64_t rest = i + 2 < UNITS && count < 3 ? ms % units[i].ms / units[i + 1].ms : 0;
	if (rest)
		snprintf(out, size, "%lld %s%s %lld %s%s", (long long)count, units[i].name,
			count == 1 ? "" : "s", (long long)rest, units[i + 1].name,
			rest == 1 ? "" : "s");
	else
		snprintf(out, size, "%lld %s%s", (long long)count, units[i].name,
			count == 1 ? "" : "s");
	return out;
}
