/* Keeps how a target was last connected to (store/target_crypto.h), for `targets --crypto`. A row
 * that cannot be written is logged and stops nothing. */
#ifndef BARTIZAN_BROKER_RECORD_TARGET_CRYPTO_H
#define BARTIZAN_BROKER_RECORD_TARGET_CRYPTO_H

#include "server/broker/core/peer.h"

/* from the evidence of a leg's outbound transport */
void target_crypto_of_leg(const struct peer_leg *leg, const json_t *evidence);
/* from a scan; kex "": none was agreed on, and nothing is kept */
void target_crypto_of_scan(struct broker *broker, const char *name, uint16_t port, const char *kex);

#endif
