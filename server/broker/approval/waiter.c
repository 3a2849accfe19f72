/* See server/broker/approval/waiter.h. */
#include "server/broker/approval/waiter.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "server/broker/approval/queue.h"

static struct broker *broker_of(const struct waiter *waiter)
{
	return waiter->leg->client->broker;
}

/* ---- walks ---- */

struct waiter_walk {
	struct waiter_walk *outer; /* that this one was begun from inside of */
	struct waiter *next;
};

void waiters_each(struct broker *broker, waiter_visit_fn *visit, void *context)
{
	struct queue *queue = broker->private->queue;
	struct waiter_walk walk = { queue->walk, LIST_FIRST(&queue->waiters) };
	struct waiter *waiter;

	queue->walk = &walk;
	while ((waiter = walk.next)) {
		walk.next = LIST_NEXT(waiter, entry);
		visit(waiter, context);
	}
	queue->walk = walk.outer;
}

void waiter_end(struct waiter *waiter)
{
	struct waiter_walk *walk;

	for (walk = broker_of(waiter)->private->queue->walk; walk; walk = walk->outer)
		if (walk->next == waiter)
			walk->next = LIST_NEXT(waiter, entry);
	LIST_REMOVE(waiter, entry);
}

/* ---- beginning to wait ---- */

static unsigned count_of(const struct client *client)
{
	const struct waiter *waiter;
	unsigned count = 0;

	for (waiter = LIST_FIRST(&client->broker->private->queue->waiters); waiter;
		waiter = LIST_NEXT(waiter, entry))
		count += waiter->leg->client == client;
	return count;
}

int waiter_begin(
	struct waiter *waiter, const struct waiter_ops *ops, struct peer_leg *leg, uint32_t channel)
{
	struct broker *broker = leg->client->broker;

	if (count_of(leg->client) >= WAITERS_PER_CLIENT_MAX)
		return -EAGAIN;
	*waiter = (struct waiter){ .ops = ops, .leg = leg, .channel = channel };
	LIST_INSERT_HEAD(&broker->private->queue->waiters, waiter, entry);
	queue_live(broker);
	return 0;
}

void waiter_clear(struct waiter *waiter)
{
	*waiter->id = 0;
	waiter->news = WAITER_NO_NEWS;
}

bool waiter_set(struct waiter *waiter, const struct approval *approval)
{
	bool other = strcmp(waiter->id, approval->id);

	if (other) /* what is marked is news of the other one */
		waiter->news = WAITER_NO_NEWS;
	memcpy(waiter->id, approval->id, sizeof(waiter->id));
	waiter->votes = approval->votes;
	waiter->needed = approval->votes_needed;
	waiter->deadline = approval->deadline;
	return other;
}

void waiter_cancel(struct waiter *waiter)
{
	const struct client *client = waiter->leg->client;
	struct err why = { 0 };
	char id[sizeof(waiter->id)];

	memcpy(id, waiter->id, sizeof(id));
	waiter->ops->drop(waiter);
	if (*id && !waiters_count(client->broker, id) &&
		queue_cancel(client->broker, id, client->who, false, "at the terminal", &why))
		log_info("request %s: %s", id, why.text);
}

/* ---- what the user is shown ---- */

void waiter_introduce(const struct waiter *waiter, const struct approval *approval,
	const char *what, bool fresh, struct buf *out)
{
	buf_printf(out, "request %s%s: %s on %s as %s needs %u vote%s of ", approval->id,
		fresh ? "" : " (asked before)", what, waiter->leg->target, waiter->leg->login,
		approval->votes_needed, approval->votes_needed == 1 ? "" : "s");
	approval_voters(broker_of(waiter), approval->by, out);
}

const char *waiter_who_votes(const struct approval *approval)
{
	return approval->votes_needed == 1 ? "they" : "each of them";
}

const char *waiter_status(const struct waiter *waiter, char *out, size_t size)
{
	char left[32];

	snprintf(out, size, "waiting for %s: %u of %u votes, %s left (Ctrl-C cancels)", waiter->id,
		waiter->votes, waiter->needed,
		approval_left(broker_of(waiter), waiter->deadline, left, sizeof(left)));
	return out;
}

/* ---- waking ---- */

static void wake_one(struct waiter *waiter, void *context)
{
	(void)context;
	struct approval approval = { 0 };
	struct refusal refusal;
	struct err err = { 0 };
	enum waiter_news news = waiter->news;

	waiter->news = WAITER_NO_NEWS;
	if (news == WAITER_NO_NEWS || !client_reachable(waiter->leg->client))
		return;
	if (news == WAITER_WITHDRAWN) {
		waiter->ops->changed(waiter, NULL);
		return;
	}
	if (approvals_get(broker_of(waiter)->store, waiter->id, &approval, &err))
		log_error("request %s: %s", waiter->id, err.text);
	else if (approval_end(&approval, &refusal))
		waiter->ops->give_up(waiter, &refusal, &approval);
	else
		waiter->ops->changed(waiter, &approval);
	approval_release(&approval);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	waiters_each(arg, wake_one, NULL);
}

void waiters_changed(struct broker *broker, const char *id, enum waiter_news news)
{
	struct queue *queue = broker->private->queue;
	struct waiter *waiter;

	for (waiter = LIST_FIRST(&queue->waiters); waiter; waiter = LIST_NEXT(waiter, entry)) {
		if (strcmp(waiter->id, id) != 0)
			continue;
		if (waiter->news < news)
			waiter->news = news;
		event_active(queue->wake, EV_TIMEOUT, 0);
	}
}

int waiters_open(struct broker *broker)
{
	struct queue *queue = broker->private->queue;

	LIST_INIT(&queue->waiters);
	queue->wake = evtimer_new(broker->base, on_wake, broker);
	return queue->wake ? 0 : -ENOMEM;
}

void waiters_close(struct broker *broker)
{
	struct queue *queue = broker->private->queue;

	if (queue->wake)
		event_free(queue->wake);
	queue->wake = NULL;
}

/* ---- the other operations, for all whom they concern ---- */

static void refresh_one(struct waiter *waiter, void *context)
{
	(void)context;
	const struct client *client = waiter->leg->client;

	/* whoever does not keep up with what it is sent is spared */
	if (client_reachable(client) && !ipc_pending(client->link.ipc))
		waiter->ops->refresh(waiter);
}

bool waiters_refresh(struct broker *broker)
{
	waiters_each(broker, refresh_one, NULL);
	return !LIST_EMPTY(&broker->private->queue->waiters);
}

struct recheck {
	const char *id;
	struct err *err;
	int rc;
};

static void recheck_one(struct waiter *waiter, void *context)
{
	struct recheck *recheck = context;

	if (!recheck->rc && !strcmp(waiter->id, recheck->id) &&
		client_reachable(waiter->leg->client))
		recheck->rc = waiter->ops->recheck(waiter, recheck->err);
}

int waiters_recheck(struct broker *broker, const char *id, struct err *err)
{
	struct recheck recheck = { id, err, 0 };

	waiters_each(broker, recheck_one, &recheck);
	return recheck.rc;
}

unsigned waiters_count(struct broker *broker, const char *id)
{
	const struct waiter *waiter;
	unsigned count = 0;

	for (waiter = LIST_FIRST(&broker->private->queue->waiters); waiter;
		waiter = LIST_NEXT(waiter, entry))
		count += !strcmp(waiter->id, id);
	return count;
}

struct leaving {
	const struct peer_leg *leg;
	const uint32_t *channel; /* NULL: all */
};

static void leave_one(struct waiter *waiter, void *context)
{
	const struct leaving *leaving = context;

	if (waiter->leg == leaving->leg &&
		(!leaving->channel || waiter->channel == *leaving->channel))
		waiter->ops->drop(waiter);
}

void waiters_leave(struct peer_leg *leg)
{
	waiters_each(leg->client->broker, leave_one, &(struct leaving){ leg, NULL });
}

void waiters_leave_channel(struct peer_leg *leg, uint32_t channel)
{
	waiters_each(leg->client->broker, leave_one, &(struct leaving){ leg, &channel });
}

static void stop_one(struct waiter *waiter, void *context)
{
	(void)context;
	struct refusal refusal;

	refusal_set(&refusal, EXIT_WAIT,
		"the gateway was stopped%s%s%s: run the same command again",
		*waiter->id ? "; request " : "", waiter->id, *waiter->id ? " stays" : "");
	waiter->ops->give_up(waiter, &refusal, NULL);
}

void waiters_stop(struct broker *broker)
{
	waiters_each(broker, stop_one, NULL);
}
