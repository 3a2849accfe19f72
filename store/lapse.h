/* Lapse time: time that passes, across restarts, on a clock that nobody can set. Deadlines of
 * requests and windows of grants use it.
 *
 * While the machine is up it follows CLOCK_BOOTTIME; across a reboot it adds the time that passed
 * on the wall clock, if any. It counts milliseconds since the store was made. The reading is stored
 * with each change that uses it, so that it survives a killed broker. */
#ifndef BARTIZAN_LAPSE_H
#define BARTIZAN_LAPSE_H

#include <stdint.h>

#include "store/store.h"

struct lapse_reading {	  /* of the machine's clocks: injected by tests */
	uint8_t boot[16]; /* /proc/sys/kernel/random/boot_id */
	int64_t boottime_ms, wall_ms;
};

int lapse_read(struct lapse_reading *ret); /* the machine's own */
/* Returns and stores the lapse time now; never less than an earlier one. */
int lapse_now(
	struct store *store, const struct lapse_reading *reading, int64_t *ret_ms, struct err *err);

#endif
