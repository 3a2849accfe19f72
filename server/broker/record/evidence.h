/* The cryptographic facts of the transports of a connection. */
#ifndef BARTIZAN_BROKER_RECORD_EVIDENCE_H
#define BARTIZAN_BROKER_RECORD_EVIDENCE_H

#include "server/broker/core/peer.h"

json_t *evidence_json(const struct msg_evidence *msg); /* caller owns it */
void evidence_audit(
	struct client *client, const struct peer_leg *leg, const char *transport, json_t *evidence);
void evidence_outer(struct client *client, json_t *evidence);
/* keeps the evidence of an inner transport whose leg is not named yet */
void evidence_early(struct client *client, uint32_t number, json_t *evidence);
/* on login: writes the evidence of the outer transport to the audit log */
void evidence_flush(struct client *client);
/* adds evidence that was received before the leg was named */
void evidence_named(struct peer_leg *leg);

#endif
