/* Logins at providers: the key that a person (or a workload) proved when the provider identified
 * them, how long that is valid, and the provider's claims.
 *
 * One row for each login, by the serial of the certificate that was issued for it. While a login is
 * not expired or forgotten, its key is accepted with or without the certificate. It expires with
 * the certificate. Times are seconds. */
#ifndef BARTIZAN_LOGINS_H
#define BARTIZAN_LOGINS_H

#include "common/access.h"
#include "store/store.h"

#define LOGIN_KEPT_S (30 * 24 * 3600) /* expired rows are removed after this time */
#define LOGIN_CLAIM_MAX 1024	      /* bytes of one claim's value, and of its name */

/* Stores a login from these fields of who: provider, subject, user, serial, key_fp, expires,
 * login_time, machine, claims. The certificate's row must be stored already; certificate is its
 * line "type base64 comment". Removes rows that expired long ago. */
int logins_put(struct store *store, const struct identity *who, const char *certificate,
	int64_t now, struct err *err);

/* The newest valid login of this key: fills *ret as identities_by_serial() does, and login_time,
 * machine, claims; *ret_certificate (may be NULL): the line, caller frees. -ENOENT: none. */
int logins_by_key(struct store *store, const char *key_fp, int64_t now, struct identity **ret,
	char **ret_certificate, struct err *err);

/* The user who logged in last with this key, whether the login is still valid or not. Caller frees.
 * -ENOENT: nobody did, or too long ago. */
int logins_owner(struct store *store, const char *key_fp, char **ret_user, struct err *err);

/* Adds the fields of the certificate's login to its identity: login_time, machine, claims. If there
 * is no login, nothing changes and the result is 0. -EACCES: the login was forgotten, because the
 * person has logged out. */
int logins_complete(struct store *store, struct identity *who, struct err *err);

/* Sets login_time of a login, after the person has logged in again. -ENOENT. */
int logins_refresh(struct store *store, uint64_t serial, int64_t login_time, struct err *err);

/* Make logins invalid; the rows stay until they expire, so that their certificates are refused,
 * too. *ret_count (may be NULL): how many they were. */
int logins_forget_key(
	struct store *store, const char *key_fp, uint64_t *ret_count, struct err *err);
int logins_forget_user(struct store *store, const char *user, uint64_t *ret_count, struct err *err);
int logins_forget_serial(
	struct store *store, uint64_t serial, uint64_t *ret_count, struct err *err);

#endif
