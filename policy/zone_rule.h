/* The POSIX TZ string at the end of a TZif file: the rule for all time after its last transition
 * (RFC 8536 section 3.3.1). */
#ifndef BARTIZAN_ZONE_RULE_H
#define BARTIZAN_ZONE_RULE_H

#include <stdbool.h>
#include <stdint.h>

struct zone_date { /* when a change happens, in a year */
	/* Jn (no 29 February), n (from 0), Mm.w.d */
	enum { ZONE_JULIAN, ZONE_DAY, ZONE_WEEKDAY } form;
	int day, month, week;
	int32_t time; /* seconds of local time from the day's beginning; -167 h to 167 h */
};

struct zone_rule {
	int32_t standard; /* seconds east of UTC */
	bool has_summer;
	int32_t summer;
	struct zone_date begins, ends; /* of summer time */
};

int zone_rule_parse(const char *text, struct zone_rule *ret); /* 0 or -EINVAL */
int32_t zone_rule_offset(const struct zone_rule *rule, int64_t now);

#endif
