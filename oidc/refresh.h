/* How often unknown keys may have a provider asked again. Once in a period is enough for a planned
 * rotation; in an emergency keys change twice in minutes, and good tokens must not wait until the
 * period is over. So: REFRESH_MAX times in each period, REFRESH_GAP_MS apart at the least (or the
 * period, where that is shorter). Whoever sends nonsense causes no more than that. */
#ifndef BARTIZAN_REFRESH_H
#define BARTIZAN_REFRESH_H

#include <stdbool.h>
#include <stdint.h>

#define REFRESH_MAX 4
#define REFRESH_GAP_MS 5000

struct refresh { /* all zero: nothing was asked yet */
	unsigned count;
	int64_t at[REFRESH_MAX]; /* monotonic ms, a ring */
};

/* Whether it may be asked now; counts it if so. */
bool refresh_take(struct refresh *refresh, int64_t now, int64_t period);

#endif
