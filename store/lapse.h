/* Time that passes, across restarts: a clock that nobody sets. Deadlines of requests and windows of
 * grants are kept in it.
 *
 * While the machine is up it follows CLOCK_BOOTTIME; across a reboot it adds what the wall clock
 * says has passed, never less than nothing. Milliseconds since the store was made. The reading is
 * stored with each change that uses it, so a killed broker finds it again. */
#ifndef BARTIZAN_LAPSE_H
#define BARTIZAN_LAPSE_H

#include <stdint.h>

#include "store/store.h"

struct lapse_reading {	  /* of the machine's clocks: injected by tests */
	uint8_t boot[16]; /* /proc/sys/kernel/random/boot_id */
	int64_t boottime_ms, wall_ms;
};

int lapse_read(struct lapse_reading *ret); /* the machine's own */
/* Now in lapse time, stored: never less than any earlier answer. */
int lapse_now(
	struct store *store, const struct lapse_reading *reading, int64_t *ret_ms, struct err *err);

#endif
