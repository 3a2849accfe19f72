/* A client: the broker's record of one session process, and its legs.
 *
 * What a session says about itself is never believed: source and process come from the listener,
 * the identity from a certificate that the broker has verified. A client ends when its process has
 * ended; then everything that belongs to it (legs, dials, commands) is undone, and nothing keeps a
 * pointer to it. */
#ifndef BARTIZAN_BROKER_CORE_PEER_H
#define BARTIZAN_BROKER_CORE_PEER_H

#include "common/addr.h"
#include "common/id.h"
#include "common/tally.h"
#include "server/broker/core/impl.h"

#define CLIENT_LEGS_MAX 16384 /* legs in the life of one connection */
#define CLIENT_PROBES_MAX 64  /* plain keys offered before login */
#define CLIENT_COMMANDS_MAX 8 /* commands running at a time */
/* IPC_EVENT of one type written to the audit chain: so many at once, and one more each minute */
#define CLIENT_EVENTS_AT_ONCE 200
#define CLIENT_EVENTS_EVERY_MS 60000
#define CLIENT_EARLY_MAX 16 /* inner transports with evidence whose leg is not named yet */
/* messages have a cost in tokens (client_messages.c): how many can be spent at once, */
#define CLIENT_TOKENS_MAX 20000
#define CLIENT_TOKENS_PER_S 200 /* and how many are added each second */
/* a session that was told to end is killed after this time (it may flush its last messages for 5
 * s) */
#define CLIENT_DISMISS_MS 8000
#define CLIENT_LIMITED_MS 60000 /* how long a client may take to send its token */
#define LEG_CHANNELS_MAX 10000	/* channels in the life of one leg */

/* CLIENT_PROVED: a key is proved, a person is not: a certificate has to follow, or a login at a
 * provider.
 * CLIENT_LIMITED: a key is proved, and all that it may do is to exchange a token for a certificate
 * (`login --token`); nobody has an identity there, whatever `who` holds for messages. */
enum client_state {
	CLIENT_CONNECTED,
	CLIENT_PROVED,
	CLIENT_LIMITED,
	CLIENT_AUTHENTICATED,
	CLIENT_ENDED,
	CLIENT_STATES
};
enum peer_leg_state { LEG_NAMED, LEG_OPEN, LEG_ENDED };

struct dial;	     /* server/broker/dial/dial.h */
struct channel_wait; /* server/broker/access/wait.h */
struct lines;	     /* server/broker/access/lines.c */
struct login;	     /* server/broker/login/login.c */
struct fresh;	     /* server/broker/access/fresh_login.c */
struct auth_seen;
struct running; /* server/broker/command/running.h */
LIST_HEAD(running_list, running);
LIST_HEAD(peer_leg_list, peer_leg);
LIST_HEAD(peer_channel_list, peer_channel);

enum peer_channel_state {
	CHANNEL_NAMED,
	CHANNEL_WAITING,
	CHANNEL_DENIED,
	CHANNEL_OPEN,
	CHANNEL_ENDED
};

struct peer_channel {
	LIST_ENTRY(peer_channel) entry;
	uint32_t number;
	enum peer_channel_state state;
	/* while it waits (server/broker/access/wait.h); owned, NULL: it does not */
	struct channel_wait *wait;
	/* a shell whose lines are judged (server/broker/access/lines.h); owned, NULL: none */
	struct lines *lines;
};

struct peer_leg {
	LIST_ENTRY(peer_leg) entry;
	struct client *client;
	uint32_t number;
	enum peer_leg_state state;
	enum msg_mode mode;
	char session[ID_ULID_LEN + 1];
	char *target, *login; /* as the client asked, after checks of their form */
	uint16_t port;	      /* 0: the target's own */
	struct bytes pubkey;  /* owned */
	struct peer_channel_list channels;
	unsigned channel_count, channels_open;
	struct record *record; /* never NULL */
	struct dial *dial;
	char *dialled;	    /* what was connected to, as text (dial.c); NULL: nothing yet */
	char *dial_failure; /* why the grant failed: later accesses get the same reason */
	int64_t started;    /* wall ms: when it was opened; 0: not yet */
	int64_t deadline;   /* monotonic ms; 0: none */
	int64_t limit;	    /* ms: as configured, for messages */
	/* for the deadline, the warnings before it, and the time to end afterwards */
	struct event *timer;
	unsigned warned;
	bool ending;	    /* it was told to end */
	char *glass_reason; /* the user's reason if this is a break-glass session; else NULL */
	char glass_review[ID_SHORT_LEN + 1];
};

struct client {
	LIST_ENTRY(client) entry;
	struct broker *broker;
	struct link link;
	uint64_t connection;
	struct addr source;
	char source_text[ADDR_TEXT_MAX];
	pid_t pid;
	enum client_state state;
	/* true while a message with DECIDES is handled or a login was just verified: only then may
	 * the state become AUTHENTICATED */
	bool deciding;
	uint32_t seen; /* bits of ONCE rows */
	char *user;    /* the first user name that the client gave */
	/* attempts: refused proofs and certificates; probes: plain keys that were only offered */
	unsigned attempts, probes;
	bool plain_refused; /* one refused plain key is in the audit log; further ones are not */
	bool asked; /* it asked before it signed, whether a plain key would do: it may go on */
	char unknown_fp[SSHKEY_FP_MAX]; /* a plain key that was passed over; "": none */
	/* of the last refusal of a key, as the client was told it; "": none yet */
	char refusal[256];
	/* AUTHENTICATED: the identity; LIMITED: no identity, only a name for messages */
	struct identity *who;
	struct bytes offered; /* owned: the certificate or plain key that was proved */
	struct sshkey *key;   /* of it, plain */
	struct login *login;  /* a login at a provider in progress */
	struct fresh *fresh;  /* accesses that wait for a newer login; NULL: none */
	/* after client_dismiss(): when it is killed; if LIMITED: how long it may stay */
	struct event *end_timer;
	bool leaving; /* it was told to end: nothing new may begin */
	struct peer_leg_list legs;
	unsigned leg_count;
	uint32_t *used; /* numbers of legs ever named */
	size_t used_count, used_size;
	struct {
		uint32_t leg;
		json_t *evidence;
	} early[CLIENT_EARLY_MAX];
	unsigned early_count;
	json_t *outer; /* evidence */
	struct running_list running;
	unsigned running_count;
	struct tally events;	    /* those that are not written one by one */
	struct event *events_timer; /* when their number is written; NULL: not needed yet */
	int64_t tokens, tokens_at;
	/* runs while the link is closed but the listener has not yet reported the end of the
	 * process: until then it may write to its transcripts, and nothing is sealed */
	struct event *gone_timer;
	const char *doomed; /* why it is being killed; NULL: it is not */
};

/* ---- clients ---- */

struct client *client_find(struct broker *broker, uint64_t connection);
/* {"connection", "source", "user"}: the first fields of an audit event */
json_t *client_event(const struct client *client);
/* the only place that changes the state; a transition that is not allowed is logged and not made */
void client_set_state(struct client *client, enum client_state state);
/* the only way to CLIENT_AUTHENTICATED; takes *who */
int client_authenticated(struct client *client, struct identity **who);
/* CONNECTED becomes PROVED or LIMITED, PROVED becomes LIMITED */
int client_proved(struct client *client, enum client_state state);
/* Keeps the key (a plain key or a certificate) that was proved, for the login that follows and for
 * revocations. -EACCES with the reason. */
int client_keep_key(struct client *client, struct bytes offered, struct err *err);
/* it has an identity, and messages can be sent to it */
bool client_reachable(const struct client *client);
/* The session process broke the protocol: writes an audit event and kills it. What belongs to the
 * client ends later, from the loop. */
void client_violation(struct client *client, const char *message, const char *why);
void client_kill(const struct client *client); /* asks the listener to kill the process */
void client_send_end(struct client *client, uint32_t leg, uint32_t exit, const char *reason);

/* ---- legs ---- */

struct peer_leg *peer_leg_find(const struct client *client, uint32_t number);
bool peer_leg_used(const struct client *client, uint32_t number);
/* *ret NULL: the leg was refused or has ended; -EPROTO: it was never named */
int peer_leg_of(
	const struct client *client, uint32_t number, struct peer_leg **ret, struct err *err);
struct peer_channel *peer_leg_channel(struct peer_leg *leg, uint32_t number, bool create);
/* the fields of client_event(), and session, target, login */
json_t *peer_leg_event(const struct peer_leg *leg);
const char *peer_leg_user(const struct peer_leg *leg);

/* ---- time limits: server/broker/core/limit.c ---- */

/* Tells the session process to end, and kills it if it does not. */
void client_dismiss(struct client *client, uint32_t exit, const char *reason);
void client_end_after(struct client *client, int64_t ms); /* client_dismiss() after this time */
/* Tells the session process to end the leg, and kills it if it does not. */
void peer_leg_stop(struct peer_leg *leg, uint32_t exit, const char *reason);
/* Limits the session's time, counted from now; the shortest limit counts. */
void peer_leg_limit(struct peer_leg *leg, int64_t limit_ms);

#endif
