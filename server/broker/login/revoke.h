/* Revocations: who comes in is asked here, and who is in already is sent away. */
#ifndef BARTIZAN_BROKER_LOGIN_REVOKE_H
#define BARTIZAN_BROKER_LOGIN_REVOKE_H

#include "common/access.h"
#include "keys/krl.h"
#include "server/broker/core/impl.h"
#include "store/store.h"

/* Whether somebody may not come in: by the store's rows, and by the list of the configuration
 * (NULL: none). who: NULL while only the key is known. offered: the certificate or plain key. 0, or
 * -EACCES with the reason for the user; what cannot be told is a no. */
int revoke_check(struct store *store, const struct krl *krl, const struct identity *who,
	struct bytes offered, int64_t now, struct err *err);

/* The configuration's list, parsed; NULL: none. Borrowed until the next return to the loop. */
const struct krl *revoked_list(struct broker *broker);
/* after broker->config was replaced: -EINVAL where it cannot be read */
int revoked_list_load(struct broker *broker, struct err *err);
void revoked_list_free(struct broker *broker);

/* Everybody who is in, or on the way in, and may not be any more is told why and sent away. Returns
 * how many connections that were. */
unsigned revoke_sweep(struct broker *broker);

#endif
