/* Freshness: a rule or role asks for a login within 15 minutes, and this one is older. The channel
 * is held while the person logs in again (a device flow with max_age); then it is decided anew. */
#ifndef BARTIZAN_BROKER_ACCESS_FRESH_LOGIN_H
#define BARTIZAN_BROKER_ACCESS_FRESH_LOGIN_H

#include "server/broker/core/peer.h"

#define FRESH_STATUS_MS 5000 /* between looks at the time that is left */
#define FRESH_WAITING_MAX 64 /* channels of one connection that wait for its one login */

/* The identity as the store has it by now: another connection may have brought a newer login. True:
 * it is newer than before. */
bool fresh_already(struct client *client);
/* Holds msg's access (copied) until the person has logged in again; all that wait on one connection
 * share one flow. 0, or -errno with words for a refusal. */
int fresh_hold(struct peer_leg *leg, const struct msg_access *msg, int64_t within_s,
	const char *why, struct err *err);
/* It waits no longer: cancelled, or ended; with nobody left the flow ends. */
void fresh_forget(struct client *client, uint32_t leg, uint32_t channel);
void fresh_cancel(struct client *client); /* all of them: the client is going */

#endif
