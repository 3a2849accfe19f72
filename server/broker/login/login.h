/* Logins at providers over keyboard-interactive. A successful one gives a certificate for the key
 * that was proved on the same connection. */
#ifndef BARTIZAN_BROKER_LOGIN_LOGIN_H
#define BARTIZAN_BROKER_LOGIN_LOGIN_H

#include "server/broker/core/peer.h"
#include "server/broker/login/auth.h"
#include "server/broker/login/issue.h"

/* ssh token@gw: exchanges a token, even if there are providers for people */
#define LOGIN_TOKEN_USER "token"
#define LOGIN_BANNER                                                                               \
	"certificate needed: run ssh gw login first where nothing can be asked (BatchMode); else " \
	"log in here"
#define LOGIN_PROGRESS_MS 20000 /* time between two texts that show the address again */
#define LOGIN_CHOICES_MAX 3	/* wrong answers to the question which provider to use */

/* A plain key without a login was offered or proved: says what can be done about it, or refuses
 * with why. A handler's answer: 0 or -EPROTO.
 *
 * A certificate may follow a plain key (OpenSSH offers it behind the key that it is made for), so
 * nothing is said or begun before the client has nothing left. OpenSSH never comes back to keys
 * when all were refused, but goes on with them, in a circle, behind a partial success. So the first
 * unknown key is let prove itself, and the client asked for more: when the same key comes again,
 * all others have been seen, and a login by keyboard-interactive is what is left. */
int login_offer(struct client *client, const struct msg_auth *msg, const struct auth_seen *seen,
	const char *why);

/* A provider has verified who (borrowed) for somebody who has proved key: checks revocations,
 * audits "login-provider", and issues and stores a certificate. done is called once, at once or
 * later (see issue_forget()). event: fields about the connection; stolen. */
void login_grant(struct broker *broker, const struct identity *who, const struct sshkey *key,
	json_t *event, const char *by, issue_done_fn *done, void *context);

int handle_login(struct client *client, const void *msg, struct err *err);
int handle_login_input(struct client *client, const void *msg, struct err *err);
void login_cancel(struct client *client);

#endif
