/* Whoever waits for people, of whatever kind: one table of operations, one list in the queue.
 *
 * A waiter is a channel that waits for a request of the queue, for an answer at its terminal or for
 * a newer login, or a typed line that waits for a request. It is embedded in its owner, belongs to
 * a leg and goes with it; the request that it waits for is the store's, and stays.
 *
 * Nobody is woken from inside a change of the queue: waiters_changed() marks those whom it
 * concerns, and the loop wakes them one by one. So a waiter that is judged again, and changes the
 * queue by that, has been answered or waits properly before the next one has its turn. Every walk
 * over the list is kept right by waiter_end(): an operation may end its own waiter, end others, and
 * begin new ones. */
#ifndef BARTIZAN_BROKER_APPROVAL_WAITER_H
#define BARTIZAN_BROKER_APPROVAL_WAITER_H

#include "common/id.h"
#include "server/broker/core/peer.h"
#include "server/broker/core/refusal.h"
#include "store/approvals.h"

#define WAITERS_PER_CLIENT_MAX 256

struct waiter;
struct waiter_walk;
LIST_HEAD(waiter_list, waiter);

struct waiter_ops {
	/* The request is new to it, has a vote more, or is approved. NULL: the policy has withdrawn
	 * the request, which is no answer yet. Either way everything is judged again from the
	 * beginning; that ends in an answer, or in a wait for this or another request. */
	void (*changed)(struct waiter *waiter, const struct approval *approval);
	void (*refresh)(struct waiter *waiter); /* a second has passed: shows how it stands */
	/* Would the policy still let it be? 0, or -EACCES with the reason. Changes nothing. */
	int (*recheck)(struct waiter *waiter, struct err *err);
	/* Tells the user, and ends the wait. approval: the request that came to an end; NULL: the
	 * request stays, or there is none. */
	void (*give_up)(struct waiter *waiter, const struct refusal *refusal,
		const struct approval *approval);
	void (*drop)(struct waiter *waiter); /* ends the wait; nobody is told */
};

struct waiter {
	LIST_ENTRY(waiter) entry;
	const struct waiter_ops *ops; /* may be replaced while it waits */
	struct peer_leg *leg;
	uint32_t channel;
	/* The request that it waits for; "": none, and then neither changed() nor recheck() is
	 * called. */
	char id[ID_SHORT_LEN + 1];
	enum waiter_news { WAITER_NO_NEWS, WAITER_CHANGED, WAITER_WITHDRAWN } news;
	unsigned votes, needed; /* as last shown */
	int64_t deadline;	/* lapse ms: of the request */
};

/* ---- for their owners ---- */

/* -EAGAIN: too many of this connection wait already */
int waiter_begin(struct waiter *waiter, const struct waiter_ops *ops, struct peer_leg *leg,
	uint32_t channel);
/* It waits for this request from now on. True: it waited for another one before, or for none. */
bool waiter_set(struct waiter *waiter, const struct approval *approval);
void waiter_clear(struct waiter *waiter); /* … for no request */
void waiter_end(struct waiter *waiter);
/* The user has given it up: drops it, and cancels the request unless somebody else waits for it. */
void waiter_cancel(struct waiter *waiter);

/* "request ID: WHAT on TARGET as LOGIN needs 2 votes of role 'lead'". fresh: it was made just now
 */
void waiter_introduce(const struct waiter *waiter, const struct approval *approval,
	const char *what, bool fresh, struct buf *out);
/* "they", "each of them": who votes on it, as the beginning of a sentence */
const char *waiter_who_votes(const struct approval *approval);
/* "waiting for ID: 1 of 2 votes, 14:59 left (Ctrl-C cancels)" */
const char *waiter_status(const struct waiter *waiter, char *out, size_t size);

/* One call for each, of those that are there now and still there at their turn. */
typedef void waiter_visit_fn(struct waiter *waiter, void *context);
void waiters_each(struct broker *broker, waiter_visit_fn *visit, void *context);

/* ---- for the queue, and for the ends of legs and channels ---- */

int waiters_open(struct broker *broker);
void waiters_close(struct broker *broker); /* nobody waits any more */
/* Something happened to the request: those who wait for it are woken soon. */
void waiters_changed(struct broker *broker, const char *id, enum waiter_news news);
/* false: nobody waits */
bool waiters_refresh(struct broker *broker);
/* The policy asked again for each who waits for this request. -EACCES: not for this one, with the
 * reason. */
int waiters_recheck(struct broker *broker, const char *id, struct err *err);
unsigned waiters_count(struct broker *broker, const char *id);
void waiters_leave(struct peer_leg *leg); /* the leg is ending: all are dropped */
void waiters_leave_channel(struct peer_leg *leg, uint32_t channel);
/* The broker is ending: everybody is told to come again. */
void waiters_stop(struct broker *broker);

#endif
