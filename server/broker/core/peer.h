/* A client: the broker's record of one session process, and its legs.
 *
 * What a session says about itself is never believed: source and process come from the listener,
 * the identity from a certificate that the broker has verified. A client ends when its process is
 * gone; everything that hangs on it (legs, dials, commands) is undone there, and nothing keeps a
 * pointer to it. */
#ifndef BARTIZAN_BROKER_CORE_PEER_H
#define BARTIZAN_BROKER_CORE_PEER_H

#include "common/addr.h"
#include "common/id.h"
#include "server/broker/core/impl.h"

#define CLIENT_LEGS_MAX 16384	/* in the life of one connection */
#define CLIENT_PROBES_MAX 64	/* plain keys offered before login */
#define CLIENT_COMMANDS_MAX 8	/* running at a time */
#define CLIENT_EVENTS_MAX 1000	/* IPC_EVENT written to the audit chain */
#define CLIENT_EARLY_MAX 16	/* evidence of inner transports whose leg is not named yet */
#define CLIENT_TOKENS_MAX 20000 /* cost of messages at once … */
#define CLIENT_TOKENS_PER_S 200 /* … and in the long run: server/broker/client_messages.c */
/* a session that was told to go has gone within (it flushes its last words for 5 s), or is killed
 */
#define CLIENT_DISMISS_MS 8000
#define CLIENT_LIMITED_MS 60000 /* for a token to come */
#define LEG_CHANNELS_MAX 10000	/* in the life of one leg */

/* CLIENT_PROVED: a key is proved, a person is not: a login at a provider has to follow.
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
	char *target, *login; /* as asked, checked */
	uint16_t port;	      /* 0: the target's own */
	struct bytes pubkey;  /* owned */
	struct peer_channel_list channels;
	unsigned channel_count, channels_open;
	struct record *record; /* never NULL */
	struct dial *dial;
	char *dial_failure;  /* the grant has failed: later accesses hear the same */
	int64_t started;     /* wall ms: when it was opened; 0: not yet */
	int64_t deadline;    /* monotonic ms; 0: none */
	int64_t limit;	     /* ms: as configured, for the words */
	struct event *timer; /* deadline, warnings, grace */
	unsigned warned;
	bool ending;	    /* it was told to end */
	char *glass_reason; /* the glass was broken for it; NULL: it was not */
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
	/* a row with DECIDES is being handled, or its login has just been verified: only then may
	 * the state become AUTHENTICATED */
	bool deciding;
	uint32_t seen;		   /* bits of ONCE rows */
	char *user;		   /* as the client named it first */
	unsigned attempts, probes; /* refused: proofs and certificates; plain keys only offered */
	bool plain_refused;	   /* a plain key is not worth an audit event any more */
	/* AUTHENTICATED: who it is; LIMITED: nobody, with a name for messages */
	struct identity *who;
	struct bytes offered; /* owned: the certificate or plain key that was proved */
	struct sshkey *key;   /* of it, plain */
	struct login *login;  /* under way at a provider */
	struct fresh *fresh;  /* accesses wait for a newer login; NULL: none does */
	/* it was told to go: client_dismiss(); or it is LIMITED, and has so long to be done */
	struct event *end_timer;
	bool leaving; /* was told to go: nothing new may begin */
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
	unsigned events;
	int64_t tokens, tokens_at;
	/* the link is closed, the listener has not yet said how the process ended: until then it
	 * may write to its transcripts; nothing is sealed */
	struct event *gone_timer;
	const char *doomed; /* it is being killed, for this reason */
};

/* ---- clients ---- */

struct client *client_find(struct broker *broker, uint64_t connection);
/* {"connection", "source", "user"}: begins an audit event's data */
json_t *client_event(const struct client *client);
/* the one setter: an unknown transition is logged and not made */
void client_set_state(struct client *client, enum client_state state);
/* the only way to CLIENT_AUTHENTICATED; takes *who */
int client_authenticated(struct client *client, struct identity **who);
/* CONNECTED becomes PROVED or LIMITED */
int client_proved(struct client *client, enum client_state state);
/* Proved is what the key blob says: kept for the login that follows and for revocations. -EACCES
 * with the reason. */
int client_keep_key(struct client *client, struct bytes offered, struct err *err);
/* it has an identity, and can be told something */
bool client_reachable(const struct client *client);
/* It broke the protocol: audited, its process killed; what hangs on it ends later, from the loop.
 */
void client_violation(struct client *client, const char *message, const char *why);
void client_kill(const struct client *client); /* the process, by the listener */
void client_send_end(struct client *client, uint32_t leg, uint32_t exit, const char *reason);

/* ---- legs ---- */

struct peer_leg *peer_leg_find(const struct client *client, uint32_t number);
bool peer_leg_used(const struct client *client, uint32_t number);
/* *ret NULL: was refused or has ended; -EPROTO: never named */
int peer_leg_of(
	const struct client *client, uint32_t number, struct peer_leg **ret, struct err *err);
struct peer_channel *peer_leg_channel(struct peer_leg *leg, uint32_t number, bool create);
json_t *peer_leg_event(const struct peer_leg *leg); /* client_event() and session, target, login */
const char *peer_leg_user(const struct peer_leg *leg);

/* ---- time limits: server/broker/core/limit.c ---- */

/* tells it to go, and sees to it */
void client_dismiss(struct client *client, uint32_t exit, const char *reason);
void client_end_after(struct client *client, int64_t ms); /* dismisses it then */
/* tells the session to end it, and sees to it */
void peer_leg_stop(struct peer_leg *leg, uint32_t exit, const char *reason);
/* the session's whole life from now on, the shortest wins */
void peer_leg_limit(struct peer_leg *leg, int64_t limit_ms);

#endif
