/* Channels that wait for a human. See server/broker/access/wait.h. */
#include "server/broker/access/wait.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "policy/approval_rule.h"
#include "policy/decide.h"

#define WORDS_MAX 2048

static const struct waiter_ops channel_wait_ops;

static struct channel_wait *wait_of(struct waiter *waiter)
{
	return (struct channel_wait *)(void *)((char *)waiter -
					       offsetof(struct channel_wait, waiter));
}

/* ---- birth and death ---- */

static struct channel_wait *wait_new(const struct access_request *request)
{
	struct channel_wait *wait = calloc(1, sizeof(*wait));

	if (!wait)
		return NULL;
	*wait = (struct channel_wait){ .channel = request->channel,
		.kind = request->access.kind,
		.pty = request->pty,
		.detail_len = request->access.detail.len,
		.env_len = request->asked_env.len };
	wait->detail = (uint8_t *)text_dup(request->access.detail.data, request->access.detail.len);
	wait->env = (uint8_t *)text_dup(request->asked_env.data, request->asked_env.len);
	if (!wait->detail || !wait->env ||
		waiter_begin(&wait->waiter, &channel_wait_ops, request->leg, request->number)) {
		free(wait->detail), free(wait->env), free(wait);
		return NULL;
	}
	wait->channel->wait = wait;
	wait->channel->state = CHANNEL_WAITING;
	return wait;
}

struct channel_wait *channel_wait_of(struct access_request *request)
{
	if (!request->wait)
		request->wait = wait_new(request);
	if (request->wait)
		request->wait->confirmed |= request->warned;
	return request->wait;
}

static void patience_end(struct channel_wait *wait)
{
	if (wait->patience)
		event_free(wait->patience);
	wait->patience = NULL;
}

void channel_wait_reset(struct channel_wait *wait, const struct waiter_ops *ops)
{
	patience_end(wait);
	wait->asks = ASKS_NOTHING;
	waiter_clear(&wait->waiter);
	wait->waiter.ops = ops;
}

void channel_wait_free(struct channel_wait *wait)
{
	waiter_end(&wait->waiter);
	wait->channel->wait = NULL;
	patience_end(wait);
	free(wait->detail), free(wait->env), free(wait->reason), free(wait);
}

void channel_wait_drop(struct waiter *waiter)
{
	channel_wait_free(wait_of(waiter));
}

/* ---- what the person sees ---- */

static void send_wait(
	const struct peer_leg *leg, uint32_t channel, const char *text, const char *status)
{
	struct msg_wait msg = { leg->number, channel, (char *)text, (char *)status };

	link_send(&leg->client->link, IPC_WAIT, 0, &msg, NULL, 0);
}

void access_say(const struct access_request *request, const char *fmt, ...)
{
	char words[WORDS_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(words, sizeof(words), fmt, args);
	va_end(args);
	send_wait(request->leg, request->number, words, "");
}

void channel_wait_show(const struct channel_wait *wait, const char *text, const char *status)
{
	send_wait(wait->waiter.leg, wait->waiter.channel, text, status);
}

static void show_status(const struct channel_wait *wait, const char *text)
{
	char status[256];

	channel_wait_show(wait, text, waiter_status(&wait->waiter, status, sizeof(status)));
}

static void introduce(
	struct channel_wait *wait, const struct approval *approval, bool fresh, int64_t patience)
{
	BUF_CLEANUP struct buf text = BUF_INIT(WORDS_MAX);
	char most[64], status[256];

	waiter_introduce(&wait->waiter, approval, approval->exact ? "this command" : approval->kind,
		fresh, &text);
	if (wait->pty) {
		buf_printf(&text, "\n%s approve with: ssh GATEWAY approve %s",
			waiter_who_votes(approval), approval->id);
		show_status(wait, buf_cstr(&text) ? buf_cstr(&text) : "");
		return;
	}
	snprintf(status, sizeof(status), "approve with: ssh GATEWAY approve %s; waiting %s at most",
		approval->id, clock_duration_format(patience, most, sizeof(most)));
	channel_wait_show(wait, buf_cstr(&text) ? buf_cstr(&text) : "", status);
}

static void refresh(struct waiter *waiter)
{
	const struct channel_wait *wait = wait_of(waiter);

	if (wait->pty && *waiter->id)
		show_status(wait, "");
}

/* ---- judged anew ---- */

struct access_request channel_wait_request(const struct channel_wait *wait)
{
	const struct msg_access msg = { .leg = wait->waiter.leg->number,
		.channel = wait->waiter.channel,
		.kind = wait->kind,
		.pty = wait->pty,
		.detail = { wait->detail, wait->detail_len },
		.env = { wait->env, wait->env_len } };

	return access_request_init(wait->waiter.leg, &msg);
}

void channel_wait_resume(struct channel_wait *wait, bool logged_in)
{
	struct access_request request = channel_wait_request(wait);

	request.logged_in = logged_in;
	if (client_reachable(wait->waiter.leg->client))
		access_proceed(&request);
}

static void changed(struct waiter *waiter, const struct approval *approval)
{
	struct channel_wait *wait = wait_of(waiter);

	if (approval && approval->state == APPROVAL_APPROVED) {
		const struct access_request request = channel_wait_request(wait);
		access_say(
			&request, "request %s: approved by %s", approval->id, approval->decided_by);
	}
	channel_wait_resume(wait, false);
}

/* Of a vote that is for all who wait: a connection that is about to end says nothing about it. */
static int recheck(struct waiter *waiter, struct err *err)
{
	struct access_request request = channel_wait_request(wait_of(waiter));

	return access_policy(&request) == STEP_DENY
		       ? err_set(err, -EACCES, "%s", request.decision.reason)
		       : 0;
}

/* ---- it waits no longer ---- */

static void audit_end(const struct peer_leg *leg, const struct approval *approval, const char *why)
{
	json_t *event = queue_event(approval);

	json_object_set_new(event, "reason", json_visible(why, strlen(why)));
	json_object_set_new(event, "session", json_string(leg->session));
	broker_audit(leg->client->broker, "access-denied", event);
}

void channel_wait_give_up(
	struct waiter *waiter, const struct refusal *refusal, const struct approval *approval)
{
	struct channel_wait *wait = wait_of(waiter);
	const struct peer_leg *leg = waiter->leg;
	struct msg_decision out = { .leg = leg->number,
		.channel = waiter->channel,
		.verdict = VERDICT_DENY,
		.exit = refusal->exit,
		.rule = (char *)"",
		.reason = (char *)refusal->words,
		.title = (char *)"" };

	if (approval)
		audit_end(leg, approval, refusal->words);
	wait->channel->state = CHANNEL_DENIED;
	log_info("session %s: channel %u waits no longer: %s", leg->session, waiter->channel,
		refusal->words);
	link_send(&leg->client->link, IPC_DECISION, 0, &out, NULL, 0);
	channel_wait_free(wait);
}

static const struct waiter_ops channel_wait_ops = {
	.changed = changed,
	.refresh = refresh,
	.recheck = recheck,
	.give_up = channel_wait_give_up,
	.drop = channel_wait_drop,
};

static void on_patience(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct channel_wait *wait = arg;
	struct refusal refusal;
	refusal_set(&refusal, EXIT_WAIT,
		"request %s is not decided yet: run the same command again, it waits for the same "
		"request",
		wait->waiter.id);
	channel_wait_give_up(&wait->waiter, &refusal, NULL);
}

/* ---- beginning to wait ---- */

static enum step too_many(struct access_request *request)
{
	return access_request_refuse(
		request, EXIT_WAIT, "too many channels of this connection wait already");
}

enum step channel_wait_ask(
	struct access_request *request, enum wait_question question, size_t max, const char *prompt)
{
	struct channel_wait *wait = channel_wait_of(request);
	struct msg_ask msg = { request->leg->number, request->number, (char *)prompt,
		(uint32_t)max };

	if (!wait)
		return too_many(request);
	if (wait->asks == question) /* it was woken while the question stands */
		return STEP_WAIT;
	channel_wait_reset(wait, &channel_wait_ops);
	wait->asks = question;
	wait->asked++;
	link_send(&request->leg->client->link, IPC_ASK, 0, &msg, NULL, 0);
	return STEP_WAIT;
}

static int be_patient(struct channel_wait *wait, int64_t patience)
{
	struct timeval when = timeval_of(patience);

	if (wait->pty || wait->patience)
		return 0;
	wait->patience = evtimer_new(wait->waiter.leg->client->broker->base, on_patience, wait);
	return wait->patience && !evtimer_add(wait->patience, &when) ? 0 : -ENOMEM;
}

enum step channel_wait_for(struct access_request *request, const struct need *need,
	const struct approval *approval, bool fresh)
{
	struct channel_wait *wait = channel_wait_of(request);

	if (!wait)
		return too_many(request);
	if (be_patient(wait, need->wait))
		return access_request_refuse(request, EXIT_GATEWAY, "the gateway is out of memory");
	wait->asks = ASKS_NOTHING;
	wait->waiter.ops = &channel_wait_ops;
	if (waiter_set(&wait->waiter, approval))
		introduce(wait, approval, fresh, need->wait);
	else if (wait->pty)
		show_status(wait, "");
	return STEP_WAIT;
}

/* ---- what the session says ---- */

/* *ret NULL: the channel does not wait. Its answer was on its way while the session spoke. */
static int find(struct client *client, uint32_t number, uint32_t channel, struct channel_wait **ret,
	struct err *err)
{
	struct peer_leg *leg;
	int rc = peer_leg_of(client, number, &leg, err);
	struct peer_channel *found = !rc && leg ? peer_leg_channel(leg, channel, false) : NULL;

	*ret = found ? found->wait : NULL;
	return rc;
}

static bool says_yes(struct bytes text)
{
	static const char *const words[] = { "y", "yes" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (text.len == strlen(words[i]) &&
			!strncasecmp((const char *)text.data, words[i], text.len))
			return true;
	return false;
}

int handle_ask_answer(struct client *client, const void *data, struct err *err)
{
	const struct msg_ask_answer *msg = data;
	struct channel_wait *wait;
	struct refusal refusal;
	int rc = find(client, msg->leg, msg->channel, &wait, err);

	if (rc || !wait || !wait->asks)
		return rc;
	bool confirm = wait->asks == ASKS_GO_ON;
	wait->asks = ASKS_NOTHING;
	if (!msg->given) {
		refusal_set(&refusal, EXIT_DENIED, "the question was not answered");
		channel_wait_give_up(&wait->waiter, &refusal, NULL);
		return 0;
	}
	if (confirm) {
		wait->confirmed = says_yes(msg->text);
		wait->refused = !wait->confirmed;
	} else {
		free(wait->reason);
		wait->reason = text_dup(msg->text.data, msg->text.len);
	}
	channel_wait_resume(wait, false);
	return 0;
}

int handle_access_cancel(struct client *client, const void *data, struct err *err)
{
	const struct msg_access_cancel *msg = data;
	struct channel_wait *wait;
	int rc = find(client, msg->leg, msg->channel, &wait, err);

	if (rc || !wait)
		return rc;
	log_info("session %s: channel %u: cancelled at the terminal", wait->waiter.leg->session,
		msg->channel);
	wait->channel->state = CHANNEL_DENIED;
	waiter_cancel(&wait->waiter);
	return 0;
}
