/* Logins at providers: which key a person (or a workload) proved when the provider said who they
 * are, until when that counts, and what it said.
 *
 * One row a login, by the serial of the certificate that was issued for it. The key of an unexpired
 * login that was not forgotten is silent: it comes in with or without the certificate. Expiry is
 * the certificate's. Times are seconds. */
#ifndef BARTIZAN_LOGINS_H
#define BARTIZAN_LOGINS_H

#include "common/access.h"
#include "store/store.h"

#define LOGIN_KEPT_S (30 * 24 * 3600) /* expired rows are removed after that */
#define LOGIN_CLAIM_MAX 1024	      /* bytes of one claim's value, and of its name */

/* who: provider, subject, user, serial, key_fp, expires, login_time, machine, claims. The
 * certificate's row must have been put before; certificate is its line "type base64 comment".
 * Removes rows that expired long ago. */
int logins_put(struct store *store, const struct identity *who, const char *certificate,
	int64_t now, struct err *err);

/* The newest login of this key that still counts: fills *ret as identities_by_serial() does, and
 * login_time, machine, claims; *ret_certificate (may be NULL): the line, caller frees. -ENOENT:
 * none. */
int logins_by_key(struct store *store, const char *key_fp, int64_t now, struct identity **ret,
	char **ret_certificate, struct err *err);

/* Who logged in last with this key, whether it still counts or not. Caller frees. -ENOENT: nobody
 * ever did, or it is too long ago. */
int logins_owner(struct store *store, const char *key_fp, char **ret_user, struct err *err);

/* What the login of a certificate adds to its identity: login_time, machine, claims (replaced). No
 * such login: they stay, and 0. -EACCES where it was forgotten: the person has logged out. */
int logins_complete(struct store *store, struct identity *who, struct err *err);

/* The person has proved again who they are: login_time of this login from now on. -ENOENT. */
int logins_refresh(struct store *store, uint64_t serial, int64_t login_time, struct err *err);

/* They no longer count; rows stay until they expire, so that their certificates are refused, too.
 * *ret_count (may be NULL): how many it were. */
int logins_forget_key(
	struct store *store, const char *key_fp, uint64_t *ret_count, struct err *err);
int logins_forget_user(struct store *store, const char *user, uint64_t *ret_count, struct err *err);
int logins_forget_serial(
	struct store *store, uint64_t serial, uint64_t *ret_count, struct err *err);

#endif
