/* ID tokens of persons that have been used: each counts once.
 *
 * A token is known by the SHA-256 of what its provider signed, its first two parts: some algorithms
 * allow other signatures for the same words (ES256: r and -s), and then a token could be made to
 * look new. Times are seconds. */
#ifndef BARTIZAN_TOKENS_H
#define BARTIZAN_TOKENS_H

#include "common/buf.h"
#include "store/store.h"

/* no token is accepted that long after it was issued, whatever a clock was put back to */
#define TOKEN_KEPT_S (24 * 3600)

/* From now on it is used: in the store before anything is issued for it. -EEXIST: it was before.
 * Removes rows that are older than TOKEN_KEPT_S. */
int tokens_use(struct store *store, struct bytes signed_part, int64_t now, struct err *err);

#endif
