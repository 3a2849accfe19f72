/* Revocations: users, keys and certificates that are refused, with reason, author and end. A row
 * has no effect after its end; revocations_remove() deletes it.
 *
 * A serial is unique only within its authority: rows of kind serial have the fingerprint of their
 * CA. Times are seconds. */
#ifndef BARTIZAN_REVOCATIONS_H
#define BARTIZAN_REVOCATIONS_H

#include <stddef.h>

#include "store/store.h"

enum revocation_kind { REVOKED_USER, REVOKED_SERIAL, REVOKED_KEY, REVOKED_KEY_ID, REVOKED_KINDS };
const char *revocation_kind_name(enum revocation_kind kind); /* "user", "serial", "key", "key_id" */

#define REVOCATION_REASON_MAX 512
#define REVOCATION_VALUE_MAX 4096

struct revocation {
	int64_t id;
	enum revocation_kind kind;
	char *value; /* user, serial as decimal digits, SHA256:… of the key, key id */
	char *ca;    /* SHA256:… of the authority that value belongs to; "": any */
	char *reason, *by;
	int64_t at, until; /* until 0: for ever */
};
void revocation_release(struct revocation *revocation);

/* Strings are borrowed; id is ignored. */
int revocations_put(
	struct store *store, const struct revocation *revocation, int64_t *ret_id, struct err *err);
/* *ret (may be NULL): the removed row. -ENOENT */
int revocations_remove(struct store *store, int64_t id, struct revocation *ret, struct err *err);

/* all that is known about a client; NULL: not known, or does not apply */
struct revocation_question {
	const char *user, *key_fp;
	const char *ca_fp, *key_id; /* of the certificate */
	uint64_t serial;	    /* used only together with ca_fp */
};
/* A user is found by name in any spelling of ASCII letters, and by every name that the key has come
 * in with (store/holders.h). 1: revoked, *ret says by what; 0: not; -errno: cannot be told, so
 * nobody comes in. */
int revocations_find(struct store *store, const struct revocation_question *question, int64_t now,
	struct revocation *ret, struct err *err);

/* borrowed; non-zero stops */
typedef int revocation_visit_fn(const struct revocation *revocation, void *context);
/* Those in effect now, or all; oldest first. */
int revocations_each(struct store *store, bool all, int64_t now, revocation_visit_fn *visit,
	void *context, struct err *err);

#endif
