/* Logins at providers over keyboard-interactive, and what a good one brings: a certificate for the
 * key that was proved on the same connection. */
#ifndef BARTIZAN_BROKER_LOGIN_LOGIN_H
#define BARTIZAN_BROKER_LOGIN_LOGIN_H

#include "server/broker/core/peer.h"
#include "server/broker/login/auth.h"
#include "server/broker/login/issue.h"

#define LOGIN_TOKEN_USER "token" /* ssh token@gw: no person, whatever providers there are */
#define LOGIN_BANNER                                                                               \
	"certificate needed: run ssh gw login first where nothing can be asked (BatchMode); else " \
	"log in here"
#define LOGIN_PROGRESS_MS 20000 /* between two texts that show the link again */
#define LOGIN_CHOICES_MAX 3	/* wrong answers to the question for the provider */

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

/* who (borrowed) was verified, by a provider, for somebody who has proved key: checks revocations,
 * audits "login-provider", and has a certificate issued and kept. done is called once, at once or
 * later (issue_forget()). event: what is known of the connection; stolen. */
void login_grant(struct broker *broker, const struct identity *who, const struct sshkey *key,
	json_t *event, const char *by, issue_done_fn *done, void *context);

int handle_login(struct client *client, const void *msg, struct err *err);
int handle_login_input(struct client *client, const void *msg, struct err *err);
void login_cancel(struct client *client);

#endif
