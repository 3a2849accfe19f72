/* Freshness: a rule or role asks for a login within 15 minutes, say, and this one is older. The
 * channel waits while the person logs in again (a device flow with max_age); then it is judged
 * anew. All channels of a connection that wait for a login share one flow. */
#ifndef BARTIZAN_BROKER_ACCESS_FRESH_LOGIN_H
#define BARTIZAN_BROKER_ACCESS_FRESH_LOGIN_H

#include "server/broker/access/access.h"

#define FRESH_WAITING_MAX 64 /* channels of one connection that wait for its login */

/* Reads the identity from the store again: another connection may have brought a newer login. True:
 * it is newer than before. */
bool fresh_already(struct client *client);
/* Has the access wait until its user has logged in again. why: said to the user first. 0, or -errno
 * with words for a refusal. */
int fresh_wait(struct access_request *request, const char *why, struct err *err);

#endif
