/* How each target was last connected to: one row for each target and port, written when a session
 * or a scan has agreed on its algorithms. Texts are names of algorithms and nothing else: a session
 * process reports them, and is not believed further than that.
 *
 * Facts that did not change are written again after TARGET_CRYPTO_FRESH_MS only. The rows that are
 * oldest give way when there are more than TARGET_CRYPTO_MAX: a pattern among the targets may have
 * any number of names. */
#ifndef BARTIZAN_TARGET_CRYPTO_H
#define BARTIZAN_TARGET_CRYPTO_H

#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

#define TARGET_CRYPTO_MAX 20000
#define TARGET_CRYPTO_FRESH_MS 60000
#define TARGET_CRYPTO_NAME_MAX 64 /* bytes of a name of an algorithm: RFC 4251 section 6 */

struct target_crypto {
	const char *target; /* case does not matter */
	uint16_t port;
	const char *kex, *host_key, *cipher; /* host_key and cipher NULL: not known, of a scan */
	bool post_quantum;
	bool scanned; /* by a scan, else by a session */
	int64_t seen; /* wall ms */
};

/* -EINVAL: one of the texts is no name of an algorithm; nothing is written. */
int target_crypto_seen(struct store *store, const struct target_crypto *facts, struct err *err);

/* Calls each(row, context) for every row, by name and port; ends early when it returns non-zero,
 * and returns that. The row is borrowed for the call. */
int target_crypto_each(struct store *store,
	int (*each)(const struct target_crypto *row, void *context), void *context,
	struct err *err);

#endif
