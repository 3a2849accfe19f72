/* Lines that wait for people: the request for an approval, the wait for it, and what becomes of
 * that. See server/broker/access/lines.h. */
#include "server/broker/access/lines_impl.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "server/broker/access/need.h"

#define SETTLE_TRIES 4
#define WORDS_MAX 2048

static const struct waiter_ops lines_wait_ops;

static struct lines *lines_of(struct waiter *waiter)
{
	return (struct lines *)(void *)((char *)waiter - offsetof(struct lines, waiter));
}

/* ---- the wait ---- */

void lines_wait_end(struct lines *lines)
{
	if (!lines->waiting)
		return;
	waiter_end(&lines->waiter);
	lines->waiting = false;
	ipc_msg_free(IPC_LINE, &lines->asked);
	lines->asked = (struct msg_line){ 0 };
}

void lines_wait_cancel(struct lines *lines)
{
	if (lines->waiting)
		waiter_cancel(&lines->waiter);
}

static void show_status(const struct lines *lines)
{
	char words[256], line[288];

	snprintf(line, sizeof(line), "bartizan: %s",
		waiter_status(&lines->waiter, words, sizeof(words)));
	lines_send(lines, LINE_HOLD, line);
}

static void introduce(const struct lines *lines, const struct approval *approval, bool fresh)
{
	BUF_CLEANUP struct buf text = BUF_INIT(WORDS_MAX);
	char words[256];

	buf_puts(&text, "bartizan: ");
	waiter_introduce(&lines->waiter, approval, "this line", fresh, &text);
	buf_printf(&text, "\nbartizan: %s approve with: ssh GATEWAY approve %s\nbartizan: %s",
		waiter_who_votes(approval), approval->id,
		waiter_status(&lines->waiter, words, sizeof(words)));
	if (buf_cstr(&text))
		lines_send(lines, LINE_HOLD, buf_cstr(&text));
	else
		show_status(lines);
}

static int keep(struct lines *lines, const struct msg_line *msg)
{
	struct msg_line copy = *msg;

	copy.why = strdup(msg->why);
	copy.texts = (struct bytes){ (uint8_t *)text_dup(msg->texts.data, msg->texts.len),
		msg->texts.len };
	int rc = copy.why && copy.texts.data ? 0 : -ENOMEM;
	if (!rc)
		rc = waiter_begin(&lines->waiter, &lines_wait_ops, lines->leg, lines->channel);
	if (rc) {
		free(copy.why), free((void *)(uintptr_t)copy.texts.data);
		return rc;
	}
	lines->asked = copy;
	lines->waiting = true;
	return 0;
}

static void wait_for(struct judging *judging, const struct approval *approval, bool fresh)
{
	struct lines *lines = judging->lines;
	int rc = lines->waiting ? 0 : keep(lines, judging->msg);

	if (rc) {
		lines_refuse(judging,
			rc == -EAGAIN
				? "too many channels and lines of this connection wait already"
				: "the gateway is out of memory");
		return;
	}
	lines->said = LINE_HOLD;
	if (!waiter_set(&lines->waiter, approval)) {
		show_status(lines);
		return;
	}
	judging->approval = lines->waiter.id;
	lines_audit(judging, LINE_HOLD);
	introduce(lines, approval, fresh);
}

/* ---- approvals ---- */

static int use(
	struct judging *judging, const struct approval *approval, int64_t lapse, struct err *err)
{
	const struct lines *lines = judging->lines;
	struct broker *broker = lines_broker(lines);
	int rc = approvals_use(broker->store, approval->id, lines->leg->session, lines->channel,
		lapse, clock_wall_ms(), err);

	if (!rc)
		queue_shown(broker, approval->id);
	return rc;
}

static void go_on(struct judging *judging, const struct approval *approval)
{
	struct lines *lines = judging->lines;
	char words[256];

	snprintf(words, sizeof(words), "bartizan: request %s: approved by %.100s", approval->id,
		approval->decided_by);
	lines_send(lines, LINE_HOLD, words);
	snprintf(judging->found.reason, sizeof(judging->found.reason),
		"request %s approved by %.300s", approval->id, approval->decided_by);
	judging->approval = approval->id;
	lines_answer(judging, LINE_ALLOW);
}

static int ask_people(struct judging *judging, const struct need *need,
	const struct approval_scope *scope, struct err *err)
{
	const struct lines *lines = judging->lines;
	struct broker *broker = lines_broker(lines);
	struct approval approval = { 0 };
	char fallback[128];

	snprintf(fallback, sizeof(fallback), "typed in session %s", lines->leg->session);
	const struct need_wish wish = { .scope = scope,
		.source = lines->leg->client->source_text,
		.reason = *lines->reason ? lines->reason : fallback };
	int rc = need_request(broker, need, &wish, &approval, err);
	if (!rc)
		rc = need_create(broker, &approval, lines->leg->session, err);
	if (!rc)
		wait_for(judging, &approval, true);
	approval_release(&approval);
	return rc;
}

/* One look at the queue. -EALREADY: somebody else took the last use, look again. */
static int look(struct judging *judging, const struct need *need,
	const struct approval_scope *scope, struct err *err)
{
	struct broker *broker = lines_broker(judging->lines);
	struct approval approval = { 0 };
	int64_t lapse = 0;
	int rc = queue_lapse(broker, &lapse, err);

	if (!rc)
		rc = need_find(broker, need, scope, lapse, &approval, err);
	if (rc == -ENOENT)
		return ask_people(judging, need, scope, err);
	if (rc)
		return rc;
	bool granted = approval.state == APPROVAL_APPROVED;
	if (granted)
		rc = use(judging, &approval, lapse, err);
	if (granted && !rc)
		go_on(judging, &approval);
	else if (!granted)
		wait_for(judging, &approval, false);
	approval_release(&approval);
	return rc;
}

void lines_approve(struct judging *judging)
{
	const struct peer_leg *leg = judging->lines->leg;
	struct need need;
	struct err err = { 0 };
	int rc = -EALREADY;

	if (!judging->found.by || need_fill(&need, true, judging->found.by, judging->settings,
					  leg->client->broker->config->conf)) {
		lines_refuse(judging, "this line needs an approval, and nobody can be asked");
		return;
	}
	const struct approval_scope scope = { .who = leg->client->who,
		.target = leg->target,
		.login = leg->login,
		.kind = access_kind_name(judging->lines->kind),
		.command = judging->line.texts[0].text,
		.env = buf_bytes(&judging->lines->env),
		.inside = buf_bytes(&judging->lines->inside),
		.rule = judging->lines->rule,
		.by = need.by };
	for (int i = 0; rc == -EALREADY && i < SETTLE_TRIES; i++)
		rc = look(judging, &need, &scope, &err);
	if (rc)
		lines_refuse(judging, err.text);
}

/* ---- operations of its waiter ---- */

/* Judges the line that waits with act(). The question belongs to this call meanwhile, for an answer
 * ends the wait and frees what the wait has kept. */
static void judge_kept(struct lines *lines,
	void (*act)(struct judging *judging, const void *context), const void *context)
{
	struct msg_line msg = lines->asked;
	struct judging judging = { .lines = lines, .msg = &msg };
	struct err err = { 0 };

	lines->asked = (struct msg_line){ 0 };
	if (lines_unpack(&msg, &judging.line, &err))
		lines_refuse(&judging, err.text);
	else
		act(&judging, context);
	if (lines->waiting)
		lines->asked = msg;
	else
		ipc_msg_free(IPC_LINE, &msg);
}

static void judge_again(struct judging *judging, const void *context)
{
	(void)context;
	lines_judge(judging, true);
}

static void refuse(struct judging *judging, const void *context)
{
	lines_refuse(judging, context);
}

static void changed(struct waiter *waiter, const struct approval *approval)
{
	(void)approval;
	judge_kept(lines_of(waiter), judge_again, NULL);
}

static void give_up(
	struct waiter *waiter, const struct refusal *refusal, const struct approval *approval)
{
	(void)approval;
	judge_kept(lines_of(waiter), refuse, refusal->words);
}

static void refresh(struct waiter *waiter)
{
	show_status(lines_of(waiter));
}

static int recheck(struct waiter *waiter, struct err *err)
{
	const struct lines *lines = lines_of(waiter);
	struct typed_line line;
	int rc = lines_unpack(&lines->asked, &line, err);

	return rc ? rc : lines_recheck(lines, &line, err);
}

static void drop(struct waiter *waiter)
{
	lines_wait_end(lines_of(waiter));
}

static const struct waiter_ops lines_wait_ops = {
	.changed = changed,
	.refresh = refresh,
	.recheck = recheck,
	.give_up = give_up,
	.drop = drop,
};
