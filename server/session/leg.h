/* A leg: one SSH session in which we are the server. The outer leg is the client's own connection;
 * inner legs are ended here inside its direct-tcpip channels (jump mode).
 *
 * A leg with a target is what the design calls a session: it has a ULID, an outbound session
 * (upstream), and channels that are relayed. The outer leg without a target serves the gateway's
 * own commands and the jumps. */
#ifndef BARTIZAN_SESSION_LEG_H
#define BARTIZAN_SESSION_LEG_H

#include <libssh/libssh.h>
#include <libssh/server.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/libssh/transport.h"

struct chan;
struct conn;
struct shuttle;
struct upstream;

enum leg_state { LEG_KEX, LEG_AUTH, LEG_READY, LEG_ENDING, LEG_DEAD };
enum leg_naming { LEG_NAMELESS, LEG_ASKED, LEG_NAMED, LEG_REFUSED };

#define LOGIN_MAX_MS (30 * 60 * 1000) /* a login at a provider: its codes live shorter */
#define LEG_FAREWELL_MS 300	      /* and then to go by itself */
#define LEG_LINGER_MS 5000	      /* how long an ended leg may take to flush its last words */

struct leg {
	struct conn *conn;
	struct leg *next;
	struct transport transport;
	uint32_t id;
	enum leg_state state;
	bool outer;
	struct shuttle *shuttle;   /* inner leg: its way to the client; owned */
	struct upstream *upstream; /* owned; NULL until the first channel was allowed */
	struct chan *chans;	   /* owned */

	/* whereto */
	enum leg_naming naming;
	char *login, *target; /* as the client wrote them: hostile */
	uint16_t port;	      /* 0: the target's own */
	char *session;	      /* ULID, once named */
	char *refusal;	      /* why this leg may not go there */
	unsigned refusal_exit;
	/* made for this leg: certified by the signer, used on the outbound session */
	ssh_key key;

	/* login (leg_auth.c) */
	/* the attempt that the broker is asked about: until it answers, nothing else of the client
	 * is read */
	ssh_message kept;
	/* keyboard-interactive: answered when the login goes on or ends, which may take minutes */
	ssh_message waiting;
	bool partial;			 /* a key was proved, and a person has to follow */
	struct msg_login_prompt *prompt; /* came while no message of the client waited for it */
	int64_t deadline;		 /* of key exchange and login; 0: none */

	/* limits */
	int64_t idle, last_active; /* ms; idle 0: no limit */
	int64_t linger;		   /* LEG_ENDING: cut at this time */
	bool farewell;		   /* its last channel is closed on both sides */
	char *end_reason;
};

/* takes fd. NULL on failure (fd is closed) */
struct leg *leg_new(struct conn *conn, int fd, bool outer);
void leg_free(struct leg *leg);
void leg_turn(struct leg *leg, bool readable);
/* next time it wants a turn, monotonic ms; INT64_MAX: none */
int64_t leg_due(const struct leg *leg);
/* Channels are told the reason on stderr and closed with the exit status; then the transport is
 * cut. */
void leg_end(struct leg *leg, unsigned exit, const char *reason);
void leg_say(struct leg *leg, const char *text);    /* before login: a banner (leg_auth.c) */
void leg_notice(struct leg *leg, const char *text); /* a line on the stderr of its terminals */
void leg_set_state(struct leg *leg, enum leg_state state);

/* leg_auth.c */
void leg_auth_message(struct leg *leg, ssh_message message); /* takes the message */
struct msg_auth_answer;
void leg_auth_answer(struct leg *leg, const struct msg_auth_answer *answer);
struct msg_login_prompt;
/* takes the strings of prompt */
void leg_login_prompt(struct leg *leg, struct msg_login_prompt *prompt);
void leg_authenticated(struct leg *leg);
/* leg_open.c: channel opens and global requests; take the message */
void leg_open_message(struct leg *leg, ssh_message message);
void leg_global_message(struct leg *leg, ssh_message message);
/* Names the target (IPC_LEG): once a leg; and the broker's answer, for which channels may be
 * waiting. */
void leg_name(struct leg *leg, unsigned mode);
struct msg_leg_answer;
void leg_named(struct leg *leg, const struct msg_leg_answer *answer);

#endif
