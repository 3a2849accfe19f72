/* The approval queue in the broker: deadlines, votes by people, and whoever waits for them
 * (design.md section 8).
 *
 * The rows and their state machine are the store's (store/approvals.h). Here every change is
 * audited in the transaction that makes it, rights are asked of the policy in force, channels that
 * wait are waked, notifications go out, and sessions end with the grant that opened them. Time is
 * lapse time throughout. server/broker/approval/queue.c life, deadlines, changes;
 * server/broker/approval/vote.c what people do; server/broker/access/wait.c channels that wait;
 * server/broker/access/need.c which approval an access needs; server/broker/access/lines.c lines of
 * a shell that wait; server/broker/approval/grant.c sessions that a grant has opened;
 * server/broker/approval/notify.c notifications. */
#ifndef BARTIZAN_BROKER_APPROVAL_QUEUE_H
#define BARTIZAN_BROKER_APPROVAL_QUEUE_H

#include "server/broker/core/impl.h"
#include "store/approvals.h"

#define QUEUE_SOON_MS 300000 /* so long before its end somebody is told */
/* the timer looks again at the latest: it does not run while the machine sleeps, lapse time does */
#define QUEUE_TIMER_MAX_MS 60000
#define QUEUE_LIVE_MS 1000     /* between two states of a status line */
#define QUEUE_WATCHERS_MAX 256 /* `requests --watch` at one time */

struct held;  /* server/broker/access/wait.h */
struct grant; /* server/broker/approval/grant.c */
struct glass; /* server/broker/access/break_glass.c */
struct lines; /* server/broker/access/lines.c */
LIST_HEAD(hold_list, held);
LIST_HEAD(grant_list, grant);
LIST_HEAD(glass_list, glass);
LIST_HEAD(lines_list, lines);
LIST_HEAD(queue_watch_list, queue_watch);

/* told of every change; embedded in its owner, who calls queue_unwatch() before he goes */
struct queue_watch {
	LIST_ENTRY(queue_watch) entry;
	void (*changed)(struct queue_watch *watch, const struct approval *approval);
};

struct queue {
	struct event *timer; /* the next end, or warning of one */
	struct event *live;  /* while a terminal shows a status line */
	int64_t lapse, boot; /* the last reading: lapse time, and CLOCK_BOOTTIME then */
	int64_t looked;	     /* lapse time of the last look at what ends soon; -1: never */
	struct hold_list holds;
	unsigned hold_count;
	struct lines_list lines; /* those with a line that waits */
	struct grant_list grants;
	struct glass_list glasses;
	unsigned glass_count;
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

/* A request was created, voted on, or has ended: wakes whoever waits, tells watchers, and, where
 * `event` is not NULL, sends a notification. */
void queue_changed(struct broker *broker, const char *id, const char *event);
/* its numbers have changed: watchers are told, nobody is waked */
void queue_shown(struct broker *broker, const char *id);
void queue_arm(struct broker *broker);	/* deadlines have changed */
void queue_live(struct broker *broker); /* a terminal shows a status line: it is kept up to date */
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
/* The end that a request came to, for those who waited: the exit status, with words, or 0 when
 * there is something to go on with. */
unsigned approval_end(const struct approval *approval, struct err *words);
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
/* The gateway's own: the policy no longer lets it be. */
int queue_withdraw(struct broker *broker, const char *id, const char *note, struct err *err);

/* ---- server/broker/approval/grant.c ---- */

struct peer_leg;
/* leg was opened by it: ends with it, warned before, unless it may drain */
int grant_watch(struct peer_leg *leg, const struct approval *approval, bool drain);
void grants_forget(struct peer_leg *leg);
/* nothing was opened: what it took of its grants is given back */
void grants_return(struct peer_leg *leg);
void grants_extended(struct broker *broker, const char *id, int64_t more_ms);
/* warns and ends; lapse time of the next thing to do, -1: none */
int64_t grants_turn(struct broker *broker, int64_t lapse);

#endif
