/* The outbound session of a leg: a fresh SSH session of our own to the target, over the socket that
 * egress has connected.
 *
 * The host key must be one that is pinned; nobody is ever asked. The credential came with the
 * grant: a certificate for a key made in this process, a static key that stays in the signer (agent
 * protocol), or a password. Every step has a deadline; every failure becomes a text and an exit
 * status, which the waiting channels pass on. */
#ifndef BARTIZAN_SESSION_UPSTREAM_H
#define BARTIZAN_SESSION_UPSTREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "server/libssh/crypto_bar.h"
#include "server/libssh/transport.h"

struct leg;
struct msg_grant;

enum upstream_state {
	UPSTREAM_ASKED,
	UPSTREAM_KEX,
	UPSTREAM_AUTH,
	UPSTREAM_READY,
	UPSTREAM_FAILED
};

#define UPSTREAM_FAILURE_MAX 1024

struct upstream {
	struct leg *leg;
	struct transport transport;
	enum upstream_state state;
	struct crypto_bar bar;
	char **host_keys; /* "type base64" */
	char *login, *address;
	char *credential;
	struct buf secret; /* certificate or password: burnt after use */
	bool interactive;  /* the password is being given to keyboard-interactive */
	unsigned answers;  /* prompts answered */
	ssh_key key;	   /* private key with its certificate */
	int agent;	   /* agent socket until libssh takes it; -1 */
	int64_t deadline;
	struct packets *packets; /* server/session/leg_packets.c; NULL: no seam */
	unsigned messages;	 /* of the target, passed on */
	unsigned exit;		 /* UPSTREAM_FAILED */
	char failure[UPSTREAM_FAILURE_MAX];
};

struct upstream *upstream_new(struct leg *leg); /* waits for its grant; NULL without memory */
void upstream_free(struct upstream *upstream);
/* The broker's answer; takes socket and agent (-1: none). */
void upstream_grant(
	struct upstream *upstream, const struct msg_grant *grant, int socket, int agent);
void upstream_turn(struct upstream *upstream, bool readable);
/* Words for a connection to the target that was lost, with what the target said itself. Caller
 * frees; never NULL but without memory. */
char *upstream_loss(const struct upstream *upstream);
/* leg_packets.c: what the target says besides output and answers */
void upstream_watch_packets(struct upstream *upstream);
int64_t upstream_due(const struct upstream *upstream);
void upstream_fail(struct upstream *upstream, unsigned exit, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
