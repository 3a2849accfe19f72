/* Time, injectable. Pure code takes `now` as a parameter; the edges read it here.
 *
 * Wall time is for records and validity (seconds or milliseconds since the epoch, UTC); monotonic
 * time is for timers and transcripts. */
#ifndef BARTIZAN_CLOCK_H
#define BARTIZAN_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define CLOCK_RFC3339_MAX 32

int64_t clock_wall(void);    /* seconds since the epoch */
int64_t clock_wall_ms(void); /* milliseconds since the epoch */
int64_t clock_mono_ms(void); /* milliseconds, never backwards */
int64_t clock_mono_us(void);

/* RFC 3339 in UTC with a `Z`: seconds ("2026-11-23T10:00:00Z") or milliseconds. Returns out. */
const char *clock_format(int64_t seconds, char out[static CLOCK_RFC3339_MAX]);
const char *clock_format_ms(int64_t ms, char out[static CLOCK_RFC3339_MAX]);
/* RFC 3339 with any offset */
int clock_parse(const char *text, int64_t *ret_seconds, struct err *err);

/* Durations as people write them: 90s, 15m, 10h, 2d, 1h30m, 250ms. In milliseconds, never negative.
 */
int clock_duration_parse(const char *text, int64_t *ret_ms, struct err *err);
/* "3 minutes", "10 hours", for people */
const char *clock_duration_format(int64_t ms, char *out, size_t size);

#endif
