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
/* after its last channel closed, the client has this long to disconnect */
#define LEG_FAREWELL_MS 300
#define LEG_LINGER_MS 5000 /* how long an ended leg may take to flush its last words */

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

	/* the destination */
	enum leg_naming naming;
	char *login, *target; /* as the client wrote them: hostile */
	uint16_t port;	      /* 0: the target's own */
	char *session;	      /* ULID, once named */
	char *refusal;	      /* why this leg may not go there */
	unsigned refusal_exit;
	/* a key pair made for this leg, certified by the signer and used on the outbound session */
	ssh_key key;

	/* login (leg_auth.c) */
	/* the attempt that the broker is deciding: until it answers, nothing more is read from the
	 * client */
	ssh_message kept;
	/* the client's keyboard-interactive message, answered when the login continues or ends,
	 * which may take minutes */
	ssh_message waiting;
	bool login_begun; /* by keyboard-interactive: once for a connection */
	bool vouched;	  /* a person has logged in; a key has to be proved */
	/* the end of the login, which came before the client's answer to the last prompt */
	struct msg_auth_answer *login_end;
	/* a prompt from the broker that no client message is waiting for yet */
	struct msg_login_prompt *prompt;
	int64_t deadline; /* for key exchange and login; 0: none */

	struct packets *packets; /* server/session/leg_packets.c; NULL: no seam */
	bool no_more_sessions;	 /* the client promised it: a further session is refused */

	/* limits */
	int64_t idle, last_active; /* ms; idle 0: no limit */
	int64_t linger;		   /* LEG_ENDING: cut at this time */
	/* its last channel is closed on both sides: the client may disconnect by itself */
	bool farewell;
	char *end_reason;
};

/* takes fd. NULL on failure (fd is closed) */
struct leg *leg_new(struct conn *conn, int fd, bool outer);
void leg_free(struct leg *leg);
void leg_turn(struct leg *leg, bool readable);
/* when it needs its next turn, monotonic ms; INT64_MAX: never */
int64_t leg_due(const struct leg *leg);
/* Channels are told the reason on stderr and closed with the exit status; then the transport is
 * cut. */
void leg_end(struct leg *leg, unsigned exit, const char *reason);
void leg_say(struct leg *leg, const char *text);    /* before login: a banner (leg_auth.c) */
void leg_notice(struct leg *leg, const char *text); /* a line on the stderr of its terminals */
void leg_set_state(struct leg *leg, enum leg_state state);
/* Every answer to a message of the client ends here: it frees the message, and ends the leg where
 * the library could not send the answer, for the client would wait for it for ever. rc: the
 * library's. */
void leg_replied(struct leg *leg, ssh_message message, int rc);
void leg_reply_default(struct leg *leg, ssh_message message); /* the refusal of its kind */

/* leg_auth.c */
void leg_auth_message(struct leg *leg, ssh_message message); /* takes the message */
struct msg_auth_answer;
/* takes the strings of answer where it has to wait */
void leg_auth_answer(struct leg *leg, struct msg_auth_answer *answer);
struct msg_login_prompt;
/* takes the strings of prompt */
void leg_login_prompt(struct leg *leg, struct msg_login_prompt *prompt);
void leg_auth_release(struct leg *leg);
void leg_authenticated(struct leg *leg);
/* leg_open.c: channel opens and global requests; take the message */
void leg_open_message(struct leg *leg, ssh_message message);
/* leg_packets.c: what libssh drops of this client; once the key exchange is done */
void leg_watch_packets(struct leg *leg);
void leg_global_message(struct leg *leg, ssh_message message);
/* Tells the broker the target of this leg (IPC_LEG), once for each leg; then its answer, for which
 * channels may be waiting. */
void leg_name(struct leg *leg, unsigned mode);
struct msg_leg_answer;
void leg_named(struct leg *leg, const struct msg_leg_answer *answer);

#endif
