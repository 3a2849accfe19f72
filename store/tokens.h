/* ID tokens of persons that have been used: each is accepted once.
 *
 * A token is recognised by the SHA-256 of its signed part, the first two parts: some algorithms
 * allow several signatures of the same text (ES256: r and -s), which would make a used token look
 * new. Times are seconds. */
#ifndef BARTIZAN_TOKENS_H
#define BARTIZAN_TOKENS_H

#include "common/buf.h"
#include "store/store.h"

/* no token is accepted this long after it was issued, even if a clock was set back */
#define TOKEN_KEPT_S (24 * 3600)

/* Marks a token as used, before anything is issued for it. -EEXIST: it was used before. Removes
 * rows older than TOKEN_KEPT_S. */
int tokens_use(struct store *store, struct bytes signed_part, int64_t now, struct err *err);

#endif
