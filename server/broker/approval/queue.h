/* The approval queue in the broker: deadlines, votes by people, and whoever waits for them
 * (ARCHITECTURE.md, "Approvals").
 *
 * The rows and their state machine are the store's (store/approvals.h). Here every change is
 * audited in the transaction that makes it, rights are asked of the policy in force, whoever waits
 * is woken, notifications go out, and sessions end with the grant that opened them. Time is lapse
 * time throughout. server/broker/approval/queue.c life, deadlines, changes;
 * server/broker/approval/vote.c what people do; server/broker/approval/waiter.c whoever waits;
 * server/broker/approval/grant.c sessions that a grant has opened; server/broker/approval/notify.c
 * notifications. Which approval an access needs is server/broker/access/need.c's to say. */
#ifndef BARTIZAN_BROKER_APPROVAL_QUEUE_H
#define BARTIZAN_BROKER_APPROVAL_QUEUE_H

#include "server/broker/approval/waiter.h"
#include "server/broker/core/impl.h"
#include "store/approvals.h"

#define QUEUE_SOON_MS 300000 /* so long before its end a request is announced as expiring */
/* The timer looks again after this time at the latest: it stands still while the machine sleeps,
 * and lapse time does not. */
#define QUEUE_TIMER_MAX_MS 60000
#define QUEUE_LIVE_MS 1000     /* between two states of a status line */
#define QUEUE_WATCHERS_MAX 256 /* `requests --watch` at one time */

struct grant; /* server/broker/approval/grant.c */
LIST_HEAD(grant_list, grant);
LIST_HEAD(queue_watch_list, queue_watch);

/* told of every change; embedded in its owner, who calls queue_unwatch() before freeing it */
struct queue_watch {
	LIST_ENTRY(queue_watch) entry;
	void (*changed)(struct queue_watch *watch, const struct approval *approval);
};

struct queue {
	struct event *timer; /* the next end, or warning of one */
	struct event *live;  /* while anybody waits: keeps the status lines up to date */
	int64_t lapse, boot; /* the last reading: lapse time, and CLOCK_BOOTTIME then */
	int64_t looked;	     /* lapse time of the last look at what ends soon; -1: never */
	/* server/broker/approval/waiter.c: who waits, the walks over them, and the event that wakes
	 * those whose request has changed */
	struct waiter_list waiters;
	struct waiter_walk *walk;
	struct event *wake;
	struct grant_list grants;
	struct queue_watch_list watches;
	unsigned watch_count;
	struct notifier *notifier;
};

/* the store is open: what ended meanwhile is told now */
int queue_open(struct broker *broker, struct err *err);
void queue_close(struct broker *broker);

/* Lapse time now: stored, for changes; or only reckoned, for display. */
int queue_lapse(struct broker *broker, int64_t *ret, struct err *err);
int64_t queue_lapse_shown(struct broker *broker);

/* A request was created, voted on, or has ended: tells watchers, sends a notification where `event`
 * is not NULL, and has those who wait for it woken soon (never from inside this call). */
void queue_changed(struct broker *broker, const char *id, const char *event);
/* its numbers have changed: watchers are told, nobody is woken */
void queue_shown(struct broker *broker, const char *id);
void queue_arm(struct broker *broker);	/* deadlines have changed */
void queue_live(struct broker *broker); /* somebody waits: waiters are refreshed every second */
int queue_watch(struct broker *broker, struct queue_watch *watch); /* -EAGAIN: too many */
void queue_unwatch(struct broker *broker, struct queue_watch *watch);

/* Begins an audit event about a request: {"approval", "requester", "target", "login", "kind",
 * "command", "rule"}. */
json_t *queue_event(const struct approval *approval);
/* One change and its event, both or neither: begin; change; then this, with the change's result. It
 * ends the transaction. */
int queue_commit(struct broker *broker, int rc, const char *type, json_t *event, struct err *err);

/* ---- server/broker/approval/words.c: for whoever waits ---- */

/* until this lapse time: "14:59" */
const char *approval_left(struct broker *broker, int64_t deadline, char *out, size_t size);
/* True: the request has come to an end that gives whoever waited for it nothing, and this is what
 * they are told. False: it is pending or approved. */
bool approval_end(const struct approval *approval, struct refusal *refusal);
/* "role 'lead' (bob, carol)": the names that the policy itself knows */
void approval_voters(struct broker *broker, const char *by, struct buf *out);

/* ---- server/broker/approval/vote.c: what people do. Errors are -EACCES where they have no right,
 * and as store/approvals.h says; words in err ---- */

/* not counting whose request it is */
bool queue_may_vote(
	struct broker *broker, const struct approval *approval, const struct identity *who);
/* all: may see everybody's */
bool queue_may_see(struct broker *broker, const struct approval *approval,
	const struct identity *who, bool all);
int queue_vote(struct broker *broker, const char *id, const struct vote *vote,
	enum approval_state *ret_state, struct err *err);
/* right: an administrator of this machine (control socket). Whose request it is needs none. */
int queue_cancel(struct broker *broker, const char *id, const struct identity *who, bool right,
	const char *note, struct err *err);
int queue_revoke(struct broker *broker, const char *id, const struct identity *who, bool right,
	const char *note, unsigned *ret_ended, struct err *err);
int queue_extend(struct broker *broker, const char *id, const struct identity *who, int64_t more_ms,
	struct err *err);
/* The gateway itself takes the request (or the grant) back, because the policy does not allow it
 * any more, or not on these terms. Whoever waits for it is judged anew: refused by the policy in
 * its own words, or waiting for a new request. */
int queue_withdraw(struct broker *broker, const char *id, const char *note, struct err *err);

/* ---- server/broker/approval/grant.c ---- */

/* leg was opened by it: ends with it, warned before, unless it may drain */
int grant_watch(struct peer_leg *leg, const struct approval *approval, bool drain);
void grants_forget(struct peer_leg *leg);
/* the leg never reached its target: the uses of grants that it took are given back */
void grants_return(struct peer_leg *leg);
void grants_extended(struct broker *broker, const char *id, int64_t more_ms);
/* warns and ends; lapse time of the next thing to do, -1: none */
int64_t grants_turn(struct broker *broker, int64_t lapse);

#endif
