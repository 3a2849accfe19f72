/* A client: the broker's record of one session process, and its legs.
 *
 * What a session says about itself is never believed: source and process come from the listener,
 * the identity from a certificate that the broker has verified. A client ends when its process is
 * gone; everything that hangs on it (legs, dials, commands) is undone there, and nothing keeps a
 * pointer to it. */
#ifndef BARTIZAN_BROKER_CLIENT_H
#define BARTIZAN_BROKER_CLIENT_H

#include "common/addr.h"
#include "common/id.h"
#include "server/broker_command.h"
#include "server/broker_private.h"

#define CLIENT_LEGS_MAX 16384	/* in the life of one connection */
#define CLIENT_PROBES_MAX 64	/* plain keys offered before login */
#define CLIENT_COMMANDS_MAX 8	/* running at a time */
#define CLIENT_EVENTS_MAX 1000	/* IPC_EVENT written to the audit chain */
#define CLIENT_EARLY_MAX 16	/* evidence of inner transports whose leg is not named yet */
#define CLIENT_TOKENS_MAX 20000 /* cost of messages at once … */
#define CLIENT_TOKENS_PER_S 200 /* … and in the long run: broker_session.c */
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
enum leg_state { LEG_NAMED, LEG_OPEN, LEG_ENDED };

struct dial;  /* broker_dial.h */
struct lines; /* broker_lines.c */
struct login; /* broker_login.c */
struct fresh; /* broker_fresh.c */
struct auth_seen;
LIST_HEAD(leg_list, leg);
LIST_HEAD(leg_channel_list, leg_channel);

enum leg_channel_state { CHANNEL_NAMED, CHANNEL_HELD, CHANNEL_DENIED, CHANNEL_OPEN, CHANNEL_ENDED };

struct leg_channel {
	LIST_ENTRY(leg_channel) entry;
	uint32_t number;
	enum leg_channel_state state;
	/* a shell whose lines are judged (broker_lines.h); owned, NULL: none */
	struct lines *lines;
};

struct leg {
	LIST_ENTRY(leg) entry;
	struct client *client;
	uint32_t number;
	enum leg_state state;
	enum msg_mode mode;
	char session[ID_ULID_LEN + 1];
	char *target, *login; /* as asked, checked */
	uint16_t port;	      /* 0: the target's own */
	struct bytes pubkey;  /* owned */
	struct leg_channel_list channels;
	unsigned channel_count, channels_open;
	struct record *record; /* never NULL */
	struct dial *dial;
	char *dial_failure;  /* the grant has failed: later accesses hear the same */
	int64_t deadline;    /* monotonic ms; 0: none */
	int64_t limit;	     /* ms: as configured, for the words */
	struct event *timer; /* deadline, warnings, grace */
	unsigned warned;
	bool ending;	    /* it was told to end */
	char *glass_reason; /* the glass was broken for it; NULL: it was not */
	char glass_review[8];
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
	/* of the last refusal of a key, as the client was told it; "": none yet */
	char refusal[256];
	/* AUTHENTICATED: who it is; LIMITED: nobody, with a name for messages */
	struct identity *who;
	struct bytes offered; /* owned: the certificate or plain key that was proved */
	struct sshkey *key;   /* of it, plain */
	struct login *login;  /* under way at a provider */
	struct fresh *fresh;  /* accesses wait for a newer login; NULL: none does */
	/* it was told to go: client_dismiss(); or it is LIMITED, and has so long to be done */
	struct event *end_timer;
	bool leaving; /* was told to go: nothing new may begin */
	struct leg_list legs;
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

/* broker_client.c */
void client_arrived(struct broker *broker, const struct msg_client *msg, int fd); /* takes the fd */
void client_gone(struct broker *broker, const struct msg_client_gone *msg);
struct client *client_find(struct broker *broker, uint64_t connection);
/* undoes everything, frees later */
void client_end(struct client *client, const char *reason);
/* audit, kill, end */
void client_violation(struct client *client, const char *message, const char *why);
/* the broker is ending: tells it, or ends it where it is gone already */
void client_stop(struct client *client);
/* the only way to CLIENT_AUTHENTICATED; takes *who */
int client_authenticated(struct client *client, struct identity **who);
/* Proved is what the key blob says: kept for the login that follows and for revocations. -EACCES
 * with the reason. */
int client_keep_key(struct client *client, struct bytes offered, struct err *err);
/* it has an identity, and can be told something */
bool client_reachable(const struct client *client);
/* CONNECTED becomes PROVED or LIMITED */
int client_proved(struct client *client, enum client_state state);
/* tells it to go, and sees to it */
void client_dismiss(struct client *client, uint32_t exit, const char *reason);
void client_end_after(struct client *client, int64_t ms); /* dismisses it then */
void client_send_end(struct client *client, uint32_t leg, uint32_t exit, const char *reason);
/* {"connection", "source", "user"}: begins an audit event's data */
json_t *client_event(const struct client *client);

/* broker_session.c */
void client_message(struct link *link, struct ipc_raw *raw);

/* Handlers of the table: 0, or -EPROTO with the reason when it was a violation. */
int handle_proxy(struct client *client, const void *msg, struct err *err);
int handle_auth(struct client *client, const void *msg, struct err *err);
int handle_leg(struct client *client, const void *msg, struct err *err);
int handle_access(struct client *client, const void *msg, struct err *err);
int handle_access_cancel(struct client *client, const void *msg, struct err *err);
int handle_request(struct client *client, const void *msg, struct err *err);
int handle_channel_end(struct client *client, const void *msg, struct err *err);
int handle_evidence(struct client *client, const void *msg, struct err *err);
int handle_event(struct client *client, const void *msg, struct err *err);
int handle_leg_end(struct client *client, const void *msg, struct err *err);
int handle_command(struct client *client, const void *msg, struct err *err);
int handle_command_stop(struct client *client, const void *msg, struct err *err);

/* broker_auth.c: answers of a login, wherever it was decided */
/* counts, audits, answers; 0 */
int auth_refuse(
	struct client *client, bool proved, const struct auth_seen *seen, const char *reason);
/* The same for a plain key that nobody knows. What can be done about that is a hint, and is not
 * said behind a refusal that has a reason of its own (a certificate that is revoked or expired, a
 * database that is locked): whoever reads both takes the last one for the reason. */
int auth_refuse_unknown(
	struct client *client, bool proved, const struct auth_seen *seen, const char *hint);
/* LOGIN@TARGET, or a person's own name that has an `@`: the part before the last `@` is a login only
 * where what follows is a target (and not one that is a target by a pattern alone, where the whole
 * is the name of who it is). */
bool client_names_target(const struct client *client, const struct identity *who);
bool auth_hint_fits(const struct client *client);
int auth_admit(
	/* takes who; the end of every good login */
	struct client *client, const struct auth_seen *seen, struct identity *who, struct err *err);

/* broker_login.c */
int handle_login(struct client *client, const void *msg, struct err *err);
int handle_login_input(struct client *client, const void *msg, struct err *err);
void login_cancel(struct client *client);

/* broker_gateway.c */
int handle_command_input(struct client *client, const void *msg, struct err *err);

/* broker_leg.c */
struct leg *broker_leg_find(const struct client *client, uint32_t number);
bool broker_leg_used(const struct client *client, uint32_t number);
/* *ret NULL: was refused or has ended; -EPROTO: never named */
int broker_leg_of(const struct client *client, uint32_t number, struct leg **ret, struct err *err);
struct leg_channel *broker_leg_channel(struct leg *leg, uint32_t number, bool create);
void broker_leg_end(struct leg *leg, const char *reason, bool lost); /* frees it */
/* tells the session to end it, and sees to it */
void broker_leg_stop(struct leg *leg, uint32_t exit, const char *reason);
/* the session's whole life from now on, the shortest wins */
void broker_leg_limit(struct leg *leg, int64_t limit_ms);
json_t *broker_leg_event(const struct leg *leg); /* client_event() and session, target, login */
const char *broker_leg_user(const struct leg *leg);

/* broker_evidence.c */
/* on login: the outer transport's evidence is written now */
void evidence_flush(struct client *client);
void evidence_named(struct leg *leg); /* what came before the leg had a name */

#endif
