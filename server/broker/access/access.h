/* One IPC_ACCESS on its way from question to answer. Shared by server/broker/access/access.c, which
 * owns the order, and by the steps: server/broker/access/guard.c,
 * server/broker/access/break_glass.c, server/broker/access/need.c; and by
 * server/broker/access/wait.c, which keeps it while a human is waited for.
 *
 * Whatever wakes an access that waits begins at the beginning: policy first, then guard, then
 * approvals. Nothing decided before is believed later. */
#ifndef BARTIZAN_BROKER_ACCESS_ACCESS_H
#define BARTIZAN_BROKER_ACCESS_ACCESS_H

#include "server/broker/core/peer.h"
#include "server/broker/core/refusal.h"
#include "store/approvals.h"

#define NEEDS_MAX 2 /* of one access: its rule's and its guard's */
#define NEED_BY_MAX 4096
#define ACCESS_QUESTIONS_MAX 3 /* an empty answer is asked for again, so often at most */

enum step { STEP_GO_ON, STEP_DENY, STEP_WAIT };

struct channel_wait; /* server/broker/access/wait.h */

struct need { /* an approval that an access cannot do without */
	bool exact;
	const struct approval_rule *settings; /* of the rule; NULL: a guard's defaults */
	char by[NEED_BY_MAX];		      /* roles, any of which votes, joined by commas */
	int64_t window, expires, wait;
	unsigned uses;
	bool drain;
};

struct access_request {
	struct peer_leg *leg;
	uint32_t number; /* of the channel */
	bool pty;
	struct bytes asked_env; /* as the client sent it; borrowed as access is */
	struct buf env;		/* what of it goes to the target, and is approved */
	struct access access;	/* borrowed from the message or the wait */
	struct decision decision;
	struct peer_channel *channel;
	struct channel_wait *wait; /* NULL: it has not had to wait */
	bool logged_in;		   /* just now, because a rule asked for it */
	bool warned;		   /* a guard's warning was said, where nobody could be asked */
	unsigned exit;		   /* of a refusal */
	int fd;			   /* transcript, -1: none */
	uint64_t cast_max;
	json_t *judgement; /* the guard's, NULL: none */
	struct need needs[NEEDS_MAX];
	size_t need_count;
	struct approval grants[NEEDS_MAX]; /* one for each need, when all are met */
	size_t grant_count;
};

/* server/broker/access/access.c */
/* Sets the refusal that the access is answered with, and returns STEP_DENY. */
enum step access_request_refuse(struct access_request *request, unsigned exit, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* what the policy says, whoever asks: it holds for all connections of that person */
enum step access_policy(struct access_request *request);
/* the policy, and whether this very connection can still carry it out */
enum step access_judge(struct access_request *request);
/* msg is borrowed for as long as the request lives */
struct access_request access_request_init(struct peer_leg *leg, const struct msg_access *msg);
/* from the beginning to an answer, or to a wait; releases what request owns */
void access_proceed(struct access_request *request);

/* What it waited for did not come: refused with these words, audited, and its wait freed. */
void access_refuse(struct channel_wait *wait, const struct refusal *refusal);

/* server/broker/access/env.c: what goes to the target of the environment, by the rule that decided
 */
enum step env_step(struct access_request *request);
/* a variable that goes on whatever the rule says; NULL: none */
const char *env_always(const struct identity *who);
/* server/broker/access/guard.c: the guard's word on a command line. May add a need, ask at the
 * terminal, or refuse. */
enum step guard_step(struct access_request *request);
/* server/broker/access/break_glass.c: sees that a reason is given */
enum step glass_step(struct access_request *request);
/* The access is allowed: writes the event and opens the review, before anything opens. */
int glass_opened(struct access_request *request, struct err *err);
/* server/broker/access/need.c: finds an approval for each need, or waits for one */
enum step need_step(struct access_request *request);
/* -E2BIG: more needs, or longer lists of roles, than an access can have */
int need_add(struct access_request *request, bool exact, const char *const *roles,
	const struct approval_rule *settings);
/* Takes one use of each grant. -EALREADY: another connection has taken the last one meanwhile. */
int need_use(struct access_request *request, struct err *err);

int handle_access(struct client *client, const void *msg, struct err *err);

#endif
