/* Authentication of a client: its attempts, and the answers that it gets. */
#ifndef BARTIZAN_BROKER_LOGIN_AUTH_H
#define BARTIZAN_BROKER_LOGIN_AUTH_H

#include "server/broker/core/peer.h"
#include "server/broker/login/identify.h"

int handle_proxy(struct client *client, const void *msg, struct err *err);
int handle_auth(struct client *client, const void *msg, struct err *err);

/* The answers to a login, wherever it was decided. */

/* Counts, audits and answers a refusal. Returns 0. */
int auth_refuse(
	struct client *client, bool proved, const struct auth_seen *seen, const char *reason);
/* The end of every successful login; takes who. */
int auth_admit(
	struct client *client, const struct auth_seen *seen, struct identity *who, struct err *err);

#endif
