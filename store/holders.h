/* Who has come in with which key: one row for each key and person, written when the key was proved.
 *
 * A key is one person's, however many names its certificates have. Whoever asks under one name does
 * not vote under another, and who is revoked by one name does not come in by another. Rows of keys
 * that were not seen for HOLDERS_KEPT_S are removed; workloads have none (they do not vote, and
 * make a key for each run). Times are seconds. */
#ifndef BARTIZAN_HOLDERS_H
#define BARTIZAN_HOLDERS_H

#include "common/access.h"
#include "store/store.h"

#define HOLDERS_KEPT_S (400LL * 24 * 3600)
#define HOLDERS_FRESH_S (24LL * 3600) /* a row is not written again before that */

/* who->key_fp has been proved by who. */
int holders_seen(struct store *store, const struct identity *who, int64_t now, struct err *err);

/* 1: who has come in with a key that also was (provider, subject)'s, or is that one; 0: not;
 * -errno. */
int holders_shared(struct store *store, const char *provider, const char *subject,
	const struct identity *who, struct err *err);

#endif
