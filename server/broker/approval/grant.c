/* Sessions that a grant has opened: warned before its end, and ended with it unless the rule lets
 * them drain.
 *
 * In memory only: a session does not outlive its broker. A session that two grants have opened ends
 * with the first of them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "server/broker/approval/queue.h"
#include "server/broker/core/peer.h"

struct grant {
	LIST_ENTRY(grant) entry;
	struct peer_leg *leg;
	char id[ID_SHORT_LEN + 1];
	int64_t until; /* lapse ms */
	bool drain;
	unsigned warned;
};

static const struct {
	int64_t before;
	const char *words;
} warnings[] = { { 300000, "5 minutes" }, { 60000, "1 minute" } };
#define WARNINGS (sizeof(warnings) / sizeof(warnings[0]))

static void skip_past(struct grant *grant, int64_t lapse)
{
	grant->warned = 0;
	while (grant->warned < WARNINGS && grant->until - lapse <= warnings[grant->warned].before)
		grant->warned++;
}

static struct grant *find(const struct peer_leg *leg, const char *id)
{
	struct grant *grant;

	for (grant = LIST_FIRST(&leg->client->broker->private->queue->grants); grant;
		grant = LIST_NEXT(grant, entry))
		if (grant->leg == leg && !strcmp(grant->id, id))
			return grant;
	return NULL;
}

int grant_watch(struct peer_leg *leg, const struct approval *approval, bool drain)
{
	struct broker *broker = leg->client->broker;

	if (find(leg, approval->id))
		return 0;
	struct grant *grant = calloc(1, sizeof(*grant));
	if (!grant)
		return -ENOMEM;
	*grant = (struct grant){ .leg = leg, .until = approval->until, .drain = drain };
	memcpy(grant->id, approval->id, sizeof(grant->id));
	skip_past(grant, queue_lapse_shown(broker));
	LIST_INSERT_HEAD(&broker->private->queue->grants, grant, entry);
	queue_arm(broker);
	return 0;
}

static void drop(struct grant *grant)
{
	LIST_REMOVE(grant, entry);
	free(grant);
}

void grants_forget(struct peer_leg *leg)
{
	struct grant *grant, *next;

	for (grant = LIST_FIRST(&leg->client->broker->private->queue->grants); grant;
		grant = next) {
		next = LIST_NEXT(grant, entry);
		if (grant->leg == leg)
			drop(grant);
	}
}

static int give_back(const struct grant *grant, struct err *err)
{
	struct broker *broker = grant->leg->client->broker;
	int64_t lapse = 0;
	int rc = queue_lapse(broker, &lapse, err);

	if (!rc)
		rc = store_begin(broker->store, err);
	if (rc)
		return rc;
	json_t *event = peer_leg_event(grant->leg);
	json_object_set_new(event, "approval", json_string(grant->id));
	rc = approvals_give_back(broker->store, grant->id, grant->leg->session, lapse, err);
	return queue_commit(broker, rc, "approval-given-back", event, err);
}

void grants_return(struct peer_leg *leg)
{
	struct broker *broker = leg->client->broker;
	struct grant *grant, *next;

	for (grant = LIST_FIRST(&broker->private->queue->grants); grant; grant = next) {
		struct err err = { "" };
		next = LIST_NEXT(grant, entry);
		if (grant->leg != leg)
			continue;
		int rc = give_back(grant, &err);
		if (!rc)
			queue_shown(broker, grant->id);
		else if (rc != -ENOENT)
			log_error("request %s: %s", grant->id, err.text);
		drop(grant);
	}
	queue_arm(broker); /* a window that was used up has an end again */
}

static void notice(const struct grant *grant, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void notice(const struct grant *grant, const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	link_send(&grant->leg->client->link, IPC_NOTICE, 0,
		&(struct msg_notice){ grant->leg->number, text }, NULL, 0);
}

void grants_extended(struct broker *broker, const char *id, int64_t more_ms)
{
	struct grant *grant;

	for (grant = LIST_FIRST(&broker->private->queue->grants); grant;
		grant = LIST_NEXT(grant, entry)) {
		if (strcmp(grant->id, id) != 0)
			continue;
		grant->until += more_ms;
		skip_past(grant, queue_lapse_shown(broker));
		notice(grant, "approval %s was extended", id);
	}
}

/* Lapse time of the next thing to do for it; -1: nothing any more. */
static int64_t turn(struct grant *grant, int64_t lapse)
{
	while (grant->warned < WARNINGS && grant->until - lapse <= warnings[grant->warned].before) {
		notice(grant,
			grant->drain ? "approval %s ends in %s: this session may go on, what is "
				       "new needs another"
				     : "approval %s ends in %s, and this session with it",
			grant->id, warnings[grant->warned].words);
		grant->warned++;
	}
	if (grant->until > lapse)
		return grant->warned < WARNINGS ? grant->until - warnings[grant->warned].before
						: grant->until;
	if (!grant->drain) {
		char reason[64];
		snprintf(reason, sizeof(reason), "the window of approval %s is over", grant->id);
		peer_leg_stop(grant->leg, EXIT_DENIED, reason);
	}
	drop(grant);
	return -1;
}

int64_t grants_turn(struct broker *broker, int64_t lapse)
{
	struct grant *grant, *following;
	int64_t next = -1;

	for (grant = LIST_FIRST(&broker->private->queue->grants); grant; grant = following) {
		following = LIST_NEXT(grant, entry);
		int64_t when = turn(grant, lapse);
		if (when >= 0 && (next < 0 || when < next))
			next = when;
	}
	return next;
}
