/* Windows of time. See window.h. */
#include "policy/window.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DAY 86400
#define DAY_MINUTES 1440

static const char *const day_names[7] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat" };

static int parse_day(const char *text, size_t len)
{
	for (int i = 0; i < 7; i++)
		if (len == 3 && memcmp(text, day_names[i], 3) == 0)
			return i;
	return -1;
}

/* "mon" or "mon-fri" */
static int parse_range(const char *text, size_t len, uint8_t *days)
{
	const char *dash = memchr(text, '-', len);
	int first = parse_day(text, dash ? (size_t)(dash - text) : len);
	int last = dash ? parse_day(dash + 1, len - (size_t)(dash - text) - 1) : first;

	if (first < 0 || last < 0)
		return -EINVAL;
	for (int day = first;; day = (day + 1) % 7) {
		*days |= (uint8_t)(1 << day);
		if (day == last)
			return 0;
	}
}

int window_parse_days(const char *text, uint8_t *ret)
{
	uint8_t days = 0;

	for (;;) {
		text += strspn(text, " ");
		size_t len = strcspn(text, ", ");
		if (parse_range(text, len, &days) < 0)
			return -EINVAL;
		text += len;
		text += strspn(text, " ");
		if (!*text)
			break;
		if (*text++ != ',')
			return -EINVAL;
	}
	*ret = days;
	return 0;
}

static bool two_digits(const char *text, int max, int *ret)
{
	if (!isdigit((unsigned char)text[0]) || !isdigit((unsigned char)text[1]))
		return false;
	*ret = (text[0] - '0') * 10 + text[1] - '0';
	return *ret <= max;
}

int window_parse_time(const char *text, int *ret)
{
	int hours = 0, minutes = 0;

	if (strlen(text) != 5 || text[2] != ':' || !two_digits(text, 24, &hours) ||
		!two_digits(text + 3, 59, &minutes))
		return -EINVAL;
	if (hours == 24 && minutes > 0)
		return -EINVAL;
	*ret = hours * 60 + minutes;
	return 0;
}

static void local(const struct zone *zone, int64_t now, int *ret_day, int *ret_minute)
{
	int64_t seconds = now + zone_offset(zone, now);
	int64_t days = seconds / DAY - (seconds % DAY < 0);

	*ret_day = (int)(((days + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
	*ret_minute = (int)((seconds - days * DAY) / 60);
}

static bool on(const struct window *window, int day)
{
	return window->days & (1 << (day + 7) % 7);
}

bool window_contains(const struct window *window, int64_t now)
{
	int day = 0, minute = 0;

	if (now < -(INT64_MAX / 2) || now > INT64_MAX / 2)
		return false;
	local(window->zone, now, &day, &minute);
	if (window->from < window->to)
		return on(window, day) && minute >= window->from && minute < window->to;
	return (on(window, day) && minute >= window->from) ||
	       (on(window, day - 1) && minute < window->to);
}

/* Runs of three days and more are written as ranges, from Monday on. */
int window_put_days(struct buf *out, uint8_t days)
{
	const char *comma = "";
	int rc = 0;

	for (int i = 0; rc == 0 && i < 7;) {
		int run = 0;
		while (i + run < 7 && days & (1 << (i + run + 1) % 7))
			run++;
		if (run > 2)
			rc = buf_printf(out, "%s%s-%s", comma, day_names[(i + 1) % 7],
				day_names[(i + run) % 7]);
		for (int k = 0; rc == 0 && run <= 2 && k < run; k++)
			rc = buf_printf(
				out, "%s%s", k > 0 ? "," : comma, day_names[(i + k + 1) % 7]);
		comma = run > 0 ? "," : comma;
		i += run > 0 ? run : 1;
	}
	return rc;
}

const char *window_format(const struct window *window, char out[static WINDOW_TEXT_MAX])
{
	BUF_CLEANUP struct buf days = BUF_INIT(64);
	const char *text = window_put_days(&days, window->days) < 0 ? NULL : buf_cstr(&days);

	snprintf(out, WINDOW_TEXT_MAX, "%s %02d:%02d-%02d:%02d %s", text ? text : "?",
		window->from / 60 % 24, window->from % 60, window->to / 60, window->to % 60,
		zone_name(window->zone));
	return out;
}

const char *window_format_now(
	const struct window *window, int64_t now, char out[static WINDOW_TEXT_MAX])
{
	int day = 0, minute = 0;

	local(window->zone, now, &day, &minute);
	snprintf(out, WINDOW_TEXT_MAX, "%s %02d:%02d %s", day_names[day], minute / 60 % 24,
		minute % 60, zone_name(window->zone));
	return out;
}
