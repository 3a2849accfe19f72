/* Revocations: checked when somebody logs in, and applied to those who are connected. */
#ifndef BARTIZAN_BROKER_LOGIN_REVOKE_H
#define BARTIZAN_BROKER_LOGIN_REVOKE_H

#include "common/access.h"
#include "keys/krl.h"
#include "server/broker/core/impl.h"
#include "store/store.h"

/* Checks an identity and its key against the rows of the store and the list of the configuration
 * (NULL: none). who: NULL while only the key is known. offered: the certificate or plain key. 0, or
 * -EACCES with the reason for the user, also when the check itself fails. */
int revoke_check(struct store *store, const struct krl *krl, const struct identity *who,
	struct bytes offered, int64_t now, struct err *err);

/* The configuration's list, parsed; NULL: none. Borrowed until the next return to the loop. */
const struct krl *revoked_list(struct broker *broker);
/* after broker->config was replaced; -EINVAL: the list cannot be parsed */
int revoked_list_load(struct broker *broker, struct err *err);
void revoked_list_free(struct broker *broker);

/* Ends the connections of everybody who is revoked now, with the reason, also during a login.
 * Returns how many. */
unsigned revoke_sweep(struct broker *broker);

#endif
