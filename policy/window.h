/* `hours` of a rule: days of the week and times of the day in a time zone.
 *
 * A window whose end is before its beginning runs over midnight and belongs to the day on which it
 * begins: `fri 22:00-06:00` holds on Saturday at five. The end is not part of it. */
#ifndef BARTIZAN_WINDOW_H
#define BARTIZAN_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "policy/zone.h"

#define WINDOW_TEXT_MAX 160
#define WINDOW_EVERY_DAY 0x7f

struct window {
	uint8_t days;		 /* bit 0 is Sunday */
	int from, to;		 /* minutes of the day; to is at most 1440 */
	const struct zone *zone; /* borrowed */
};

/* "mon-fri", "mon,wed-fri", "sat-mon"; -EINVAL */
int window_parse_days(const char *text, uint8_t *ret);
int window_parse_time(const char *text, int *ret); /* "08:00", "24:00"; -EINVAL */
bool window_contains(const struct window *window, int64_t now);
/* "mon-fri 08:00-20:00 Europe/Berlin" */
const char *window_format(const struct window *window, char out[static WINDOW_TEXT_MAX]);
/* "sat 12:30 Europe/Berlin" */
const char *window_format_now(
	const struct window *window, int64_t now, char out[static WINDOW_TEXT_MAX]);
int window_put_days(struct buf *out, uint8_t days); /* "mon-fri" */

#endif
