/* The identities that were seen, and the certificates that were issued to them. */
#ifndef BARTIZAN_IDENTITIES_H
#define BARTIZAN_IDENTITIES_H

#include "common/access.h"
#include "common/json.h"
#include "store/store.h"

#define IDENTITY_GROUPS_MAX 10000 /* groups of one identity; some providers send 3000 */

struct certificate_row { /* a certificate that the gateway issued */
	uint64_t serial;
	char *provider, *subject, *user, *key_id, *key_fp;
	int64_t valid_after, valid_before; /* seconds */
	int64_t issued;			   /* ms */
};
void certificate_row_release(struct certificate_row *row);

/* Inserts or updates by (provider, subject); groups are replaced, because they belong to the
 * identity, not to a certificate. */
int identities_put(
	struct store *store, const struct identity *who, int64_t now_ms, struct err *err);
/* Find an identity by the serial of its certificate (key_fp must agree), or by its user name, which
 * must be unique. Both fill user, provider, subject, groups; by serial also serial, key_id, key_fp
 * and expires. -ENOENT: never seen, or not issued here; -EACCES: issued for another key; -ENOTUNIQ:
 * several providers have the user, and none of them is "local". */
int identities_by_serial(struct store *store, uint64_t serial, const char *key_fp,
	struct identity **ret, struct err *err);
int identities_by_user(
	struct store *store, const char *user, struct identity **ret, struct err *err);

/* A serial is never given twice, even after crashes and power failures. -EBUSY inside a
 * transaction. */
int certificates_next_serial(struct store *store, uint64_t *ret, struct err *err);
/* The identity must have been put before. */
int certificates_put(struct store *store, const struct certificate_row *row, struct err *err);

#endif
