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
/* The same for a plain key that nobody knows. What can be done about that is a hint, and is not
 * said behind a refusal that has a reason of its own (a certificate that is revoked or expired, a
 * database that is locked): whoever reads both takes the last one for the reason. */
int auth_refuse_unknown(
	struct client *client, bool proved, const struct auth_seen *seen, const char *hint);
bool auth_hint_fits(const struct client *client);
/* A plain key that nobody knows is passed over: the client goes on to its next key, which may be
 * the certificate. words: said where a hint fits; "": nothing is. 0 */
int auth_pass_over(
	struct client *client, bool proved, const struct auth_seen *seen, const char *words);
/* before the state ENDED: who came with unknown keys only, and left, is told of once */
void auth_ended(struct client *client);
/* The end of every successful login; takes who. */
int auth_admit(
	struct client *client, const struct auth_seen *seen, struct identity *who, struct err *err);

/* LOGIN@TARGET, or a person's own name that has an `@`: the part before the last `@` is a login
 * only where what follows is a target (and not one that is a target by a pattern alone, where the
 * whole is the name of who it is). */
bool client_names_target(const struct client *client, const struct identity *who);

#endif
