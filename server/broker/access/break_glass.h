/* Break-glass: a rule that opens at once and loudly. A reason is asked, recording is required,
 * everybody is notified, and a review stays open until somebody else has signed it (`bartizan
 * reviews`).
 *
 * Where no terminal can be asked the reason is given before: `break-glass TARGET --reason …`, good
 * for GLASS_MS, in memory only. */
#ifndef BARTIZAN_BROKER_ACCESS_BREAK_GLASS_H
#define BARTIZAN_BROKER_ACCESS_BREAK_GLASS_H

#include "server/broker/core/impl.h"

#define GLASS_MS (15 * 60000LL)
#define GLASSES_MAX 256

/* Keeps a reason for this person and target; a newer one replaces it. -EDQUOT: too many of them. */
int glass_announce(struct broker *broker, const struct identity *who, const char *target,
	const char *reason, struct err *err);
void glasses_close(struct broker *broker);

#endif
