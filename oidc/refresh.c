/* See refresh.h. */
#include "oidc/refresh.h"

bool refresh_take(struct refresh *refresh, int64_t now, int64_t period)
{
	const int64_t gap = period < REFRESH_GAP_MS ? period : REFRESH_GAP_MS;
	unsigned next = refresh->count % REFRESH_MAX,
		 last = (refresh->count + REFRESH_MAX - 1) % REFRESH_MAX;

	if (refresh->count > 0 && now - refresh->at[last] < gap)
		return false;
	if (refresh->count >= REFRESH_MAX && now - refresh->at[next] < period)
		return false;
	refresh->at[next] = now;
	/* never zero again; stays in step with the ring */
	refresh->count = refresh->count + 1 < 2 * REFRESH_MAX ? refresh->count + 1 : REFRESH_MAX;
	return true;
}
