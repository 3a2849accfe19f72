/* See tally.h. */
#include "common/tally.h"

static void give_back(const struct tally *tally, struct tally_row *row, int64_t now)
{
	int64_t times = row->spent ? (now - row->since) / tally->every : 0;

	if (!row->spent || times >= row->spent) {
		row->spent = 0;
		row->since = now;
	} else if (times > 0) {
		row->spent -= (unsigned)times;
		row->since += times * tally->every;
	}
}

static bool spend(const struct tally *tally, struct tally_row *row, int64_t now)
{
	give_back(tally, row, now);
	if (row->spent >= tally->allowance)
		return false;
	row->spent++;
	return true;
}

/* What was counted is told before what comes after it. */
bool tally_admit(struct tally *tally, enum session_event event, int64_t now)
{
	struct tally_row *row = &tally->rows[event];

	if (session_event_grave(event))
		return true;
	if (!row->more && spend(tally, row, now))
		return true;
	tally_add(tally, event, 1, now);
	return false;
}

void tally_add(struct tally *tally, enum session_event event, uint64_t more, int64_t now)
{
	struct tally_row *row = &tally->rows[event];

	if (!row->more)
		row->counted = now;
	if (__builtin_add_overflow(row->more, more, &row->more))
		row->more = UINT64_MAX;
}

bool tally_take(struct tally *tally, int64_t now, bool all, enum session_event *ret_event,
	uint64_t *ret_more)
{
	for (unsigned i = 0; i < SESSION_EVENTS; i++) {
		struct tally_row *row = &tally->rows[i];
		if (!row->more || (!all && now < row->counted + tally->every))
			continue;
		*ret_event = (enum session_event)i;
		*ret_more = row->more;
		row->more = 0;
		return true;
	}
	return false;
}

int64_t tally_due(const struct tally *tally)
{
	int64_t due = TALLY_NEVER;

	for (unsigned i = 0; i < SESSION_EVENTS; i++) {
		const struct tally_row *row = &tally->rows[i];
		if (row->more && row->counted + tally->every < due)
			due = row->counted + tally->every;
	}
	return due;
}
