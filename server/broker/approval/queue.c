/* The queue's life: its clock, its deadlines, and who hears of a change. See
 * server/broker/approval/queue.h. */
#include "server/broker/approval/queue.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/env_block.h"
#include "common/log.h"
#include "server/broker/approval/notify.h"
#include "store/lapse.h"

#define RETRY_MS 5000	      /* after the store could not be asked */
#define COMMAND_KEPT_MAX 8192 /* bytes of a command in an event */
#define ENV_KEPT_MAX 32	      /* variables in an event; the rest is counted */

static const struct timeval live_time = { QUEUE_LIVE_MS / 1000, 0 };

static struct queue *queue_of(struct broker *broker)
{
	return broker->private->queue;
}

/* ---- time ---- */

static int64_t boottime_ms(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int queue_lapse(struct broker *broker, int64_t *ret, struct err *err)
{
	struct queue *queue = queue_of(broker);
	struct lapse_reading reading;

	if (lapse_read(&reading))
		return err_set(err, -EIO, "the machine's clocks cannot be read");
	int rc = lapse_now(broker->store, &reading, ret, err);
	if (!rc) {
		queue->lapse = *ret;
		queue->boot = reading.boottime_ms;
	}
	return rc;
}

int64_t queue_lapse_shown(struct broker *broker)
{
	const struct queue *queue = queue_of(broker);
	int64_t passed = boottime_ms() - queue->boot;

	return queue->lapse + (passed > 0 ? passed : 0);
}

/* ---- events ---- */

json_t *queue_event(const struct approval *approval)
{
	json_t *data = json_pack("{s:s, s:o, s:s, s:o, s:o, s:s, s:o, s:s, s:b}", "approval",
		approval->id, "requester", json_visible(approval->user, strlen(approval->user)),
		"provider", approval->provider, "target",
		json_visible(approval->target, strlen(approval->target)), "login",
		json_visible(approval->login, strlen(approval->login)), "kind", approval->kind,
		"rule", json_string_or_null(approval->rule), "role", approval->by, "exact",
		(int)approval->exact);
	size_t shown =
		approval->command.len < COMMAND_KEPT_MAX ? approval->command.len : COMMAND_KEPT_MAX;

	if (data && shown)
		json_object_set_new(
			data, "command", json_visible(buf_data(&approval->command), shown));
	if (data && approval->env.len)
		json_object_set_new(data, "env", env_json(buf_bytes(&approval->env), ENV_KEPT_MAX));
	if (data && approval->inside.len)
		json_object_set_new(data, "inside",
			json_visible(buf_data(&approval->inside),
				approval->inside.len < COMMAND_KEPT_MAX ? approval->inside.len
									: COMMAND_KEPT_MAX));
	return data;
}

int queue_commit(struct broker *broker, int rc, const char *type, json_t *event, struct err *err)
{
	if (rc) {
		json_decref(event);
		store_rollback(broker->store);
		return rc;
	}
	if (broker_audit(broker, type, event)) {
		store_rollback(broker->store);
		return err_set(err, -EIO, "the gateway cannot write its audit log");
	}
	return store_commit(broker->store, err);
}

/* ---- who hears ---- */

static void tell_watchers(struct broker *broker, const struct approval *approval)
{
	struct queue_watch *watch, *next;

	for (watch = LIST_FIRST(&queue_of(broker)->watches); watch; watch = next) {
		next = LIST_NEXT(watch, entry);
		watch->changed(watch, approval);
	}
}

static void shown(struct broker *broker, const char *id, const char *event)
{
	struct approval approval = { 0 };
	struct err err = { 0 };

	if (approvals_get(broker->store, id, &approval, &err)) {
		log_error("request %s: %s", id, err.text);
		return;
	}
	tell_watchers(broker, &approval);
	if (event)
		notify_approval(broker, event, &approval);
	approval_release(&approval);
}

void queue_shown(struct broker *broker, const char *id)
{
	shown(broker, id, NULL);
}

void queue_changed(struct broker *broker, const char *id, const char *event)
{
	shown(broker, id, event);
	waiters_changed(broker, id, WAITER_CHANGED);
	queue_arm(broker);
}

int queue_watch(struct broker *broker, struct queue_watch *watch)
{
	struct queue *queue = queue_of(broker);

	if (queue->watch_count >= QUEUE_WATCHERS_MAX)
		return -EAGAIN;
	queue->watch_count++;
	LIST_INSERT_HEAD(&queue->watches, watch, entry);
	return 0;
}

void queue_unwatch(struct broker *broker, struct queue_watch *watch)
{
	queue_of(broker)->watch_count--;
	LIST_REMOVE(watch, entry);
}

/* ---- ends ---- */

struct overdue {
	struct broker *broker;
	char (*ids)[ID_SHORT_LEN + 1];
	size_t count, size;
};

/* Inside the transaction that ends it: those who wait are told after the commit. */
static int on_overdue(const struct approval *approval, void *context)
{
	struct overdue *overdue = context;

	if (overdue->count == overdue->size) {
		size_t size = overdue->size ? overdue->size * 2 : 16;
		char(*ids)[ID_SHORT_LEN + 1] = reallocarray(overdue->ids, size, sizeof(*ids));
		if (!ids)
			return -ENOMEM;
		overdue->ids = ids;
		overdue->size = size;
	}
	memcpy(overdue->ids[overdue->count++], approval->id, sizeof(approval->id));
	json_t *event = queue_event(approval);
	json_object_set_new(event, "state", json_string(approval_state_name(approval->state)));
	return broker_audit(overdue->broker, "approval-expired", event);
}

static int expire(struct broker *broker, int64_t lapse, struct err *err)
{
	struct overdue overdue = { .broker = broker };
	int64_t next = -1;
	int rc = store_begin(broker->store, err);

	if (!rc) {
		rc = approvals_expire(
			broker->store, lapse, clock_wall_ms(), on_overdue, &overdue, &next, err);
		if (rc)
			store_rollback(broker->store);
		else
			rc = store_commit(broker->store, err);
	}
	for (size_t i = 0; !rc && i < overdue.count; i++) {
		shown(broker, overdue.ids[i], "decided");
		waiters_changed(broker, overdue.ids[i], WAITER_CHANGED);
	}
	free(overdue.ids);
	return rc;
}

static int on_soon(const struct approval *approval, void *context)
{
	notify_approval(context, "expiring", approval);
	return 0;
}

/* Announces what has come within QUEUE_SOON_MS of its end since the last look. A request whose
 * whole life is shorter than that is never announced. */
static int look(struct broker *broker, int64_t lapse, struct err *err)
{
	struct queue *queue = queue_of(broker);
	int rc = queue->looked < 0 ? 0
				   : approvals_ending(broker->store, queue->looked + QUEUE_SOON_MS,
					     lapse + QUEUE_SOON_MS, on_soon, broker, err);

	if (!rc)
		queue->looked = lapse;
	return rc;
}

static void arm_for(struct queue *queue, int64_t lapse, int64_t when)
{
	int64_t wait =
		when < 0 || when - lapse > QUEUE_TIMER_MAX_MS ? QUEUE_TIMER_MAX_MS : when - lapse;
	struct timeval after = timeval_of(wait > 0 ? wait : 0);

	if (evtimer_add(queue->timer, &after))
		log_error("approvals: no timer");
}

static int64_t sooner(int64_t a, int64_t b)
{
	if (a < 0)
		return b;
	return b < 0 || a < b ? a : b;
}

static int turn(
	struct broker *broker, bool ends, int64_t *ret_lapse, int64_t *ret_next, struct err *err)
{
	int64_t end = -1, soon = -1;
	int rc = queue_lapse(broker, ret_lapse, err);

	if (!rc && ends)
		rc = expire(broker, *ret_lapse, err);
	if (!rc)
		rc = look(broker, *ret_lapse, err);
	if (!rc)
		rc = approvals_next_end(broker->store, -1, &end, err);
	if (!rc)
		rc = approvals_next_end(broker->store, *ret_lapse + QUEUE_SOON_MS, &soon, err);
	int64_t grants = grants_turn(broker, rc ? queue_lapse_shown(broker) : *ret_lapse);
	*ret_next = sooner(grants, sooner(end, soon < 0 ? -1 : soon - QUEUE_SOON_MS));
	return rc;
}

static void queue_turn(struct broker *broker, bool ends)
{
	struct err err = { 0 };
	int64_t lapse = 0, next = -1;
	struct timeval retry = timeval_of(RETRY_MS);

	if (!turn(broker, ends, &lapse, &next, &err)) {
		arm_for(queue_of(broker), lapse, next);
		return;
	}
	log_error("approvals: %s", err.text);
	evtimer_add(queue_of(broker)->timer, &retry);
}

void queue_arm(struct broker *broker)
{
	/* nothing is expired now: a caller in the middle of a change must not see others end */
	queue_turn(broker, false);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	queue_turn(arg, true);
}

void queue_live(struct broker *broker)
{
	if (!evtimer_pending(queue_of(broker)->live, NULL))
		evtimer_add(queue_of(broker)->live, &live_time);
}

static void on_live(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct broker *broker = arg;
	if (waiters_refresh(broker))
		evtimer_add(queue_of(broker)->live, &live_time);
}

/* ---- life ---- */

int queue_open(struct broker *broker, struct err *err)
{
	struct queue *queue = calloc(1, sizeof(*queue));

	broker->private->queue = queue;
	if (!queue)
		return err_set(err, -ENOMEM, "out of memory");
	queue->looked = -1;
	queue->timer = evtimer_new(broker->base, on_timer, broker);
	queue->live = evtimer_new(broker->base, on_live, broker);
	if (!queue->timer || !queue->live || waiters_open(broker) ||
		notifier_open(broker, &queue->notifier))
		return err_set(err, -ENOMEM, "out of memory");
	queue_turn(broker, true);
	return 0;
}

void queue_close(struct broker *broker)
{
	struct queue *queue = queue_of(broker);

	if (!queue)
		return;
	notifier_close(queue->notifier);
	waiters_close(broker);
	if (queue->timer)
		event_free(queue->timer);
	if (queue->live)
		event_free(queue->live);
	free(queue);
	broker->private->queue = NULL;
}
