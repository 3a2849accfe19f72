/* Channels that wait for a human. See server/broker/access/wait.h. */
#include "server/broker/access/wait.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "policy/approval_rule.h"
#include "policy/decide.h"
#include "server/broker/access/fresh_login.h"

#define WORDS_MAX 2048

static struct queue *queue_of(const struct held *hold)
{
	return hold->leg->client->broker->private->queue;
}

/* ---- birth and death ---- */

static unsigned holds_of(const struct client *client)
{
	unsigned count = 0;
	const struct held *hold;

	for (hold = LIST_FIRST(&client->broker->private->queue->holds); hold;
		hold = LIST_NEXT(hold, entry))
		count += hold->leg->client == client;
	return count;
}

static struct held *hold_new(const struct access_request *request)
{
	struct queue *queue = request->leg->client->broker->private->queue;
	struct held *hold = holds_of(request->leg->client) < HOLDS_PER_CLIENT_MAX
				    ? calloc(1, sizeof(*hold))
				    : NULL;

	if (!hold)
		return NULL;
	*hold = (struct held){ .leg = request->leg,
		.channel = request->channel,
		.number = request->number,
		.kind = request->access.kind,
		.pty = request->pty,
		.confirmed = request->warned,
		.detail_len = request->access.detail.len };
	hold->detail = (uint8_t *)text_dup(request->access.detail.data, request->access.detail.len);
	if (!hold->detail) {
		free(hold);
		return NULL;
	}
	LIST_INSERT_HEAD(&queue->holds, hold, entry);
	queue->hold_count++;
	hold->channel->state = CHANNEL_WAITING;
	return hold;
}

void hold_park(struct held *hold)
{
	if (hold->patience)
		event_free(hold->patience);
	hold->patience = NULL;
	hold->asks = ASKS_NOTHING;
	*hold->id = 0;
}

void hold_free(struct held *hold)
{
	LIST_REMOVE(hold, entry);
	queue_of(hold)->hold_count--;
	if (hold->patience)
		event_free(hold->patience);
	free(hold->detail), free(hold->reason), free(hold);
}

struct held *hold_find(const struct peer_leg *leg, uint32_t channel)
{
	struct held *hold;

	for (hold = LIST_FIRST(&leg->client->broker->private->queue->holds); hold;
		hold = LIST_NEXT(hold, entry))
		if (hold->leg == leg && hold->number == channel)
			return hold;
	return NULL;
}

void hold_over(struct peer_leg *leg, uint32_t channel)
{
	struct held *hold = hold_find(leg, channel);

	if (hold)
		hold_free(hold);
	fresh_forget(leg->client, leg->number, channel);
}

void holds_leave(struct peer_leg *leg)
{
	struct held *hold, *next;

	for (hold = LIST_FIRST(&leg->client->broker->private->queue->holds); hold; hold = next) {
		next = LIST_NEXT(hold, entry);
		if (hold->leg == leg)
			hold_free(hold);
	}
}

/* ---- what the person sees ---- */

static void send_hold(
	const struct peer_leg *leg, uint32_t channel, const char *text, const char *status)
{
	struct msg_wait msg = { leg->number, channel, (char *)text, (char *)status };

	link_send(&leg->client->link, IPC_WAIT, 0, &msg, NULL, 0);
}

void hold_say(const struct access_request *request, const char *fmt, ...)
{
	char words[WORDS_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(words, sizeof(words), fmt, args);
	va_end(args);
	send_hold(request->leg, request->number, words, "");
}

static void show_status(const struct held *hold, const char *text)
{
	char status[256], left[32];

	snprintf(status, sizeof(status), "waiting for %s: %u of %u votes, %s left (Ctrl-C cancels)",
		hold->id, hold->votes, hold->needed,
		approval_left(hold->leg->client->broker, hold->deadline, left, sizeof(left)));
	send_hold(hold->leg, hold->number, text, status);
}

static void put_what(const struct held *hold, const struct approval *approval, struct buf *out)
{
	const struct peer_leg *leg = hold->leg;

	buf_printf(out, "%s on %s as %s", approval->exact ? "this command" : approval->kind,
		leg->target, leg->login);
	buf_printf(out, " needs %u vote%s of ", approval->votes_needed,
		approval->votes_needed == 1 ? "" : "s");
	approval_voters(hold->leg->client->broker, approval->by, out);
}

static void introduce(struct held *hold, const struct approval *approval, bool fresh, int64_t wait)
{
	BUF_CLEANUP struct buf text = BUF_INIT(WORDS_MAX);
	char patience[64], status[256];

	buf_printf(&text, "request %s%s: ", approval->id, fresh ? "" : " (asked before)");
	put_what(hold, approval, &text);
	if (hold->pty) {
		buf_printf(&text, "\n%s approve with: ssh GATEWAY approve %s",
			approval->votes_needed == 1 ? "they" : "each of them", approval->id);
		show_status(hold, buf_cstr(&text) ? buf_cstr(&text) : "");
		return;
	}
	snprintf(status, sizeof(status), "approve with: ssh GATEWAY approve %s; waiting %s at most",
		approval->id, clock_duration_format(wait, patience, sizeof(patience)));
	send_hold(hold->leg, hold->number, buf_cstr(&text) ? buf_cstr(&text) : "", status);
}

static bool is_live(const struct held *hold)
{
	return hold->pty && *hold->id && !hold->asks && link_up(&hold->leg->client->link);
}

bool holds_live(struct broker *broker)
{
	const struct held *hold;
	bool any = false;

	for (hold = LIST_FIRST(&broker->private->queue->holds); hold;
		hold = LIST_NEXT(hold, entry)) {
		if (!is_live(hold))
			continue;
		any = true;
		if (!ipc_pending(hold->leg->client->link.ipc)) /* a slow one is spared */
			show_status(hold, "");
	}
	return any;
}

/* ---- going on ---- */

static struct access_request request_of(struct held *hold)
{
	const struct msg_access msg = { .leg = hold->leg->number,
		.channel = hold->number,
		.kind = hold->kind,
		.pty = hold->pty,
		.detail = { hold->detail, hold->detail_len } };

	return access_request_init(hold->leg, &msg);
}

static void resume(struct held *hold)
{
	struct access_request request = request_of(hold);

	if (client_reachable(hold->leg->client))
		access_proceed(&request);
}

static void give_up(struct held *hold, unsigned exit, const char *words)
{
	struct msg_decision out = { .leg = hold->leg->number,
		.channel = hold->number,
		.verdict = VERDICT_DENY,
		.exit = exit,
		.rule = (char *)"",
		.reason = (char *)words,
		.title = (char *)"" };

	hold->channel->state = CHANNEL_DENIED;
	log_info("session %s: channel %u waits no longer: %s", hold->leg->session, hold->number,
		words);
	link_send(&hold->leg->client->link, IPC_DECISION, 0, &out, NULL, 0);
	hold_free(hold);
}

static void on_patience(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct held *hold = arg;
	char words[256];
	snprintf(words, sizeof(words),
		"request %s is not decided yet: run the same command again, it waits for the same "
		"request",
		hold->id);
	give_up(hold, EXIT_WAIT, words);
}

void holds_stop(struct broker *broker)
{
	struct held *hold, *next;
	char words[256];

	for (hold = LIST_FIRST(&broker->private->queue->holds); hold; hold = next) {
		next = LIST_NEXT(hold, entry);
		snprintf(words, sizeof(words),
			"the gateway was stopped; request %s stays: run the same command again",
			hold->id);
		give_up(hold, EXIT_WAIT,
			*hold->id ? words : "the gateway was stopped: run the same command again");
	}
}

/* ---- beginning to wait ---- */

static enum step too_many(struct access_request *request)
{
	return access_request_refuse(
		request, EXIT_WAIT, "too many channels of this connection wait already");
}

enum step hold_ask(
	struct access_request *request, enum hold_question question, size_t max, const char *prompt)
{
	struct held *hold = request->hold ? request->hold : hold_new(request);

	if (!hold)
		return too_many(request);
	request->hold = hold;
	if (hold->asks == question)
		return STEP_HOLD; /* woken by something else while the question stands */
	hold->asks = question;
	hold->asked++;
	*hold->id = 0;
	struct msg_ask msg = { request->leg->number, request->number, (char *)prompt,
		(uint32_t)max };
	link_send(&request->leg->client->link, IPC_ASK, 0, &msg, NULL, 0);
	return STEP_HOLD;
}

static int be_patient(struct held *hold, int64_t wait)
{
	struct timeval when = timeval_of(wait);

	if (hold->pty || hold->patience)
		return 0;
	hold->patience = evtimer_new(hold->leg->client->broker->base, on_patience, hold);
	return hold->patience && !evtimer_add(hold->patience, &when) ? 0 : -ENOMEM;
}

enum step hold_wait(struct access_request *request, const struct need *need,
	const struct approval *approval, bool fresh)
{
	struct held *hold = request->hold ? request->hold : hold_new(request);
	struct broker *broker = request->leg->client->broker;

	if (!hold)
		return too_many(request);
	request->hold = hold;
	bool news = strcmp(hold->id, approval->id), voted = !news && hold->votes != approval->votes;
	hold->asks = ASKS_NOTHING;
	memcpy(hold->id, approval->id, sizeof(hold->id));
	hold->votes = approval->votes;
	hold->needed = approval->votes_needed;
	hold->deadline = approval->deadline;
	if (be_patient(hold, need->wait))
		return access_request_refuse(request, EXIT_GATEWAY, "the gateway is out of memory");
	if (news)
		introduce(hold, approval, fresh, need->wait);
	else if (voted && hold->pty)
		show_status(hold, "");
	if (hold->pty)
		queue_live(broker);
	return STEP_HOLD;
}

/* ---- the request has changed ---- */

static void changed(struct held *hold)
{
	struct broker *broker = hold->leg->client->broker;
	struct approval approval = { 0 };
	struct err err = { 0 };

	if (approvals_get(broker->store, hold->id, &approval, &err)) {
		log_error("request %s: %s", hold->id, err.text);
		return;
	}
	unsigned exit = approval_end(&approval, &err);
	if (exit) {
		struct access_request request = request_of(hold);
		json_t *event = queue_event(&approval);
		json_object_set_new(event, "reason", json_visible(err.text, strlen(err.text)));
		json_object_set_new(event, "session", json_string(request.leg->session));
		broker_audit(broker, "access-denied", event);
		give_up(hold, exit, err.text);
	} else {
		if (approval.state == APPROVAL_APPROVED) {
			struct access_request request = request_of(hold);
			hold_say(&request, "request %s: approved by %s", approval.id,
				approval.decided_by);
		}
		resume(hold);
	}
	approval_release(&approval);
}

static struct held *first_news(struct broker *broker)
{
	struct held *hold = LIST_FIRST(&broker->private->queue->holds);

	while (hold && !hold->news)
		hold = LIST_NEXT(hold, entry);
	return hold;
}

/* Each is looked up anew, from the beginning: going on may change the queue again, which ends
 * others that wait for the same request. */
void holds_changed(struct broker *broker, const char *id)
{
	struct held *hold;

	for (hold = LIST_FIRST(&broker->private->queue->holds); hold; hold = LIST_NEXT(hold, entry))
		hold->news |=
			!strcmp(hold->id, id) && !hold->busy && client_reachable(hold->leg->client);
	while ((hold = first_news(broker))) {
		hold->news = false;
		changed(hold);
	}
}

unsigned holds_waiting(struct broker *broker, const char *id)
{
	unsigned count = 0;
	const struct held *hold;

	for (hold = LIST_FIRST(&broker->private->queue->holds); hold; hold = LIST_NEXT(hold, entry))
		count += !strcmp(hold->id, id);
	return count;
}

int hold_recheck(struct broker *broker, const char *id, struct err *err)
{
	struct held *hold;

	for (hold = LIST_FIRST(&broker->private->queue->holds); hold;
		hold = LIST_NEXT(hold, entry)) {
		if (strcmp(hold->id, id) != 0 || !client_reachable(hold->leg->client))
			continue;
		struct access_request request = request_of(hold);
		if (access_judge(&request) == STEP_DENY)
			return err_set(err, -EACCES, "%s", request.decision.reason);
	}
	return 0;
}

/* ---- what the session says ---- */

static int hold_of(struct client *client, uint32_t number, uint32_t channel, struct held **ret,
	struct err *err)
{
	struct peer_leg *leg;
	int rc = peer_leg_of(client, number, &leg, err);

	*ret = !rc && leg ? hold_find(leg, channel)
			  : NULL; /* none: it was answered while this was on its way */
	return rc;
}

static bool says_yes(struct bytes text)
{
	const char *word = text.len == 1 ? "y" : text.len == 3 ? "yes" : NULL;

	return word && !strncasecmp((const char *)text.data, word, text.len);
}

int handle_ask_answer(struct client *client, const void *data, struct err *err)
{
	const struct msg_ask_answer *msg = data;
	struct held *hold;
	int rc = hold_of(client, msg->leg, msg->channel, &hold, err);

	if (rc || !hold || !hold->asks)
		return rc;
	bool confirm = hold->asks == ASKS_GO_ON;
	hold->asks = ASKS_NOTHING;
	if (!msg->given) {
		give_up(hold, EXIT_DENIED, "the question was not answered");
		return 0;
	}
	if (confirm) {
		hold->confirmed = says_yes(msg->text);
		hold->refused = !hold->confirmed;
	} else {
		free(hold->reason);
		hold->reason = text_dup(msg->text.data, msg->text.len);
	}
	resume(hold);
	return 0;
}

int handle_access_cancel(struct client *client, const void *data, struct err *err)
{
	const struct msg_access_cancel *msg = data;
	struct broker *broker = client->broker;
	struct held *hold;
	struct peer_leg *leg;
	struct err why = { 0 };
	char id[8] = "";
	int rc = peer_leg_of(client, msg->leg, &leg, err);
	struct peer_channel *channel =
		!rc && leg ? peer_leg_channel(leg, msg->channel, false) : NULL;

	if (!channel || channel->state != CHANNEL_WAITING) /* the decision was on its way */
		return rc;
	hold = hold_find(leg, msg->channel);
	if (hold)
		memcpy(id, hold->id, sizeof(id));
	channel->state = CHANNEL_DENIED;
	log_info("session %s: channel %u: cancelled at the terminal", leg->session, msg->channel);
	hold_over(leg, msg->channel);
	if (*id && !holds_waiting(broker, id) &&
		queue_cancel(broker, id, client->who, false, "at the terminal", &why))
		log_info("request %s: %s", id, why.text);
	return 0;
}
