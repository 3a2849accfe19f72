/* POSIX TZ rules: "CET-1CEST,M3.5.0,M10.5.0/3", "<+0330>-3:30", "EST5EDT,0/0,J365/25". See
 * zone_rule.h. */
#include "policy/zone_rule.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define HOUR 3600
#define DAY 86400
/* beyond it a calendar makes no sense, and arithmetic stays far from its ends */
#define YEAR_LIMIT 400000000LL

static bool number(const char **p, int min, int max, int *ret)
{
	int value = 0, digits = 0;

	while (isdigit((unsigned char)**p) && digits++ < 4)
		value = value * 10 + (*(*p)++ - '0');
	*ret = value;
	return digits > 0 && value >= min && value <= max;
}

static bool accept(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

/* [+-]hh[:mm[:ss]] */
static bool clock_text(const char **p, int hours_max, int32_t *ret)
{
	int sign = accept(p, '-') ? -1 : 1, hours = 0, minutes = 0, seconds = 0;

	if (sign == 1)
		accept(p, '+');
	if (!number(p, 0, hours_max, &hours))
		return false;
	if (accept(p, ':') && !number(p, 0, 59, &minutes))
		return false;
	if (minutes >= 0 && accept(p, ':') && !number(p, 0, 59, &seconds))
		return false;
	*ret = sign * (hours * HOUR + minutes * 60 + seconds);
	return true;
}

static bool name(const char **p)
{
	size_t len = 0;

	if (accept(p, '<')) {
		len = strcspn(*p, ">");
		*p += len;
		return len > 0 && accept(p, '>');
	}
	while (isalpha((unsigned char)(*p)[len]))
		len++;
	*p += len;
	return len >= 3;
}

static bool date(const char **p, struct zone_date *ret)
{
	bool ok = false;

	ret->time = 2 * HOUR;
	if (accept(p, 'M')) {
		ret->form = ZONE_WEEKDAY;
		ok = number(p, 1, 12, &ret->month) && accept(p, '.') &&
		     number(p, 1, 5, &ret->week) && accept(p, '.') && number(p, 0, 6, &ret->day);
	} else if (accept(p, 'J')) {
		ret->form = ZONE_JULIAN;
		ok = number(p, 1, 365, &ret->day);
	} else {
		ret->form = ZONE_DAY;
		ok = number(p, 0, 365, &ret->day);
	}
	return ok && (!accept(p, '/') || clock_text(p, 167, &ret->time));
}

int zone_rule_parse(const char *text, struct zone_rule *ret)
{
	struct zone_rule rule = { 0 };
	const char *p = text;
	int32_t west = 0;

	if (!name(&p) || !clock_text(&p, 24, &west))
		return -EINVAL;
	rule.standard = -west; /* POSIX counts westwards */
	rule.summer = rule.standard + HOUR;
	if (*p) {
		rule.has_summer = true;
		if (!name(&p))
			return -EINVAL;
		if (*p != ',') {
			if (!clock_text(&p, 24, &west))
				return -EINVAL;
			rule.summer = -west;
		}
		if (!accept(&p, ',') || !date(&p, &rule.begins) || !accept(&p, ',') ||
			!date(&p, &rule.ends) || *p)
			return -EINVAL;
	}
	*ret = rule;
	return 0;
}

static bool leap(int64_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days from 1970-01-01 to the first of January of that year. */
static int64_t year_begins(int64_t year)
{
	int64_t y = year - 1;

	return y * 365 + y / 4 - y / 100 + y / 400 - 719162;
}

static int64_t year_of(int64_t days)
{
	int64_t year = 1970 + days / 366;

	while (year_begins(year + 1) <= days)
		year++;
	return year;
}

static int64_t month_begins(int64_t year, int month)
{
	static const int before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365 };

	return year_begins(year) + before[month - 1] + (month > 2 && leap(year));
}

static int64_t weekday_date(const struct zone_date *date, int64_t year)
{
	int64_t first = month_begins(year, date->month);
	int64_t next =
		date->month == 12 ? year_begins(year + 1) : month_begins(year, date->month + 1);

	/* 1970-01-01 was a Thursday: 4 */
	int64_t day = first + (date->day - (first + 4) % 7 + 7) % 7 + 7 * (date->week - 1);
	return day < next ? day : day - 7; /* week 5 is the last one */
}

/* Seconds of local time, as if the offset were zero. */
static int64_t change(const struct zone_date *date, int64_t year)
{
	int64_t day = 0;

	if (date->form == ZONE_WEEKDAY)
		day = weekday_date(date, year);
	else if (date->form == ZONE_DAY)
		day = year_begins(year) + date->day;
	else
		day = year_begins(year) + date->day - 1 + (leap(year) && date->day >= 60);
	return day * DAY + date->time;
}

int32_t zone_rule_offset(const struct zone_rule *rule, int64_t now)
{
	if (!rule->has_summer || now < 0 || now > YEAR_LIMIT * DAY)
		return rule->standard;
	int64_t local = now + rule->standard;
	int64_t year = year_of(local < 0 ? 0 : local / DAY);
	int64_t begins = change(&rule->begins, year) - rule->standard;
	int64_t ends = change(&rule->ends, year) - rule->summer;
	bool summer = begins < ends ? now >= begins && now < ends : !(now >= ends && now < begins);
	return summer ? rule->summer : rule->standard;
}
