/* How many events of each type go on, and how many more there were.
 *
 * Each type has an allowance of its own, so that a flood of one hides none of another: so many at
 * once, and one more each time that `every` has passed. Beyond it events are counted, and the count
 * is told when it is `every` old. No clock, no timer: the caller gives the time (monotonic ms), and
 * asks when tally_due() has come. */
#ifndef BARTIZAN_TALLY_H
#define BARTIZAN_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/session_event.h"

#define TALLY_NEVER INT64_MAX

struct tally_row {
	unsigned spent;	 /* of the allowance */
	int64_t since;	 /* when it was last given something back */
	uint64_t more;	 /* counted, and not told yet */
	int64_t counted; /* when the first of those was */
};

struct tally {
	unsigned allowance;
	int64_t every; /* ms */
	struct tally_row rows[SESSION_EVENTS];
};

/* True: the event goes on. Else it was counted. */
bool tally_admit(struct tally *tally, enum session_event event, int64_t now);
/* so many more, of which somebody else has told only the number */
void tally_add(struct tally *tally, enum session_event event, uint64_t more, int64_t now);
/* The next type whose count may be told now, or, with `all`, must be because this is the end.
 * False: none. */
bool tally_take(struct tally *tally, int64_t now, bool all, enum session_event *ret_event,
	uint64_t *ret_more);
int64_t tally_due(const struct tally *tally); /* or TALLY_NEVER */

#endif
