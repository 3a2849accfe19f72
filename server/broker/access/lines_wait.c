/* Lines that wait for people: request for an approval, waiting for it, and what becomes of the
 * wait. See server/broker/access/lines.h. */
#include "server/broker/access/lines_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "server/broker/access/need.h"
#include "server/broker/access/wait.h"

#define SETTLE_TRIES 4
#define WORDS_MAX 2048

/* ---- the wait ---- */

void lines_wait_over(struct lines *lines)
{
	if (!lines->waiting)
		return;
	LIST_REMOVE(lines, entry);
	lines->waiting = lines->news = false;
	ipc_msg_free(IPC_LINE, &lines->asked);
}

/* Nobody waits for the request any more: it goes, too, when it is still open. */
void lines_give_up(struct lines *lines)
{
	struct broker *broker = lines_broker(lines);
	struct err why = { 0 };
	char id[8];

	if (!lines->waiting)
		return;
	memcpy(id, lines->id, sizeof(id));
	lines_wait_over(lines);
	if (!holds_waiting(broker, id) && !lines_waiting(broker, id) &&
		queue_cancel(broker, id, lines->leg->client->who, false, "at the terminal", &why))
		log_info("request %s: %s", id, why.text);
}

static const char *status(const struct lines *lines, char *out, size_t size)
{
	char left[32];

	snprintf(out, size, "bartizan: waiting for %s: %u of %u votes, %s left (Ctrl-C cancels)",
		lines->id, lines->votes, lines->needed,
		approval_left(lines_broker(lines), lines->deadline, left, sizeof(left)));
	return out;
}

static void introduce(const struct lines *lines, const struct approval *approval, bool fresh)
{
	BUF_CLEANUP struct buf text = BUF_INIT(WORDS_MAX);
	char line[256];

	buf_printf(&text, "bartizan: request %s%s: this line on %s as %s needs %u vote%s of ",
		approval->id, fresh ? "" : " (asked before)", lines->leg->target, lines->leg->login,
		approval->votes_needed, approval->votes_needed == 1 ? "" : "s");
	approval_voters(lines_broker(lines), approval->by, &text);
	buf_printf(&text, "\nbartizan: %s approve with: ssh GATEWAY approve %s\n%s",
		approval->votes_needed == 1 ? "they" : "each of them", approval->id,
		status(lines, line, sizeof(line)));
	lines_send(lines, LINE_HOLD, buf_cstr(&text) ? buf_cstr(&text) : line);
}

static int keep(struct lines *lines, const struct msg_line *msg)
{
	struct msg_line copy = *msg;

	copy.why = strdup(msg->why);
	copy.texts = (struct bytes){ (uint8_t *)text_dup(msg->texts.data, msg->texts.len),
		msg->texts.len };
	if (!copy.why || !copy.texts.data) {
		free(copy.why), free((void *)(uintptr_t)copy.texts.data);
		return -ENOMEM;
	}
	lines->asked = copy;
	lines->waiting = true;
	LIST_INSERT_HEAD(&lines_broker(lines)->private->queue->lines, lines, entry);
	return 0;
}

static void wait_for(struct judging *judging, const struct approval *approval, bool fresh)
{
	struct lines *lines = judging->lines;
	bool news = !lines->waiting || strcmp(lines->id, approval->id);
	char line[256];

	if (!lines->waiting && keep(lines, judging->msg)) {
		lines_refuse(judging, "the gateway is out of memory");
		return;
	}
	memcpy(lines->id, approval->id, sizeof(lines->id));
	lines->votes = approval->votes;
	lines->needed = approval->votes_needed;
	lines->deadline = approval->deadline;
	lines->said = LINE_HOLD;
	if (!news) {
		lines_send(lines, LINE_HOLD, status(lines, line, sizeof(line)));
		return;
	}
	judging->approval = lines->id;
	lines_audit(judging, LINE_HOLD);
	introduce(lines, approval, fresh);
	queue_live(lines_broker(lines));
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
		.kind = access_kind_name(ACCESS_SHELL),
		.command = judging->line.texts[0].text,
		.rule = judging->lines->rule,
		.by = need.by };
	for (int i = 0; rc == -EALREADY && i < SETTLE_TRIES; i++)
		rc = look(judging, &need, &scope, &err);
	if (rc)
		lines_refuse(judging, err.text);
}

/* ---- the request has changed ---- */

static void changed(struct lines *lines)
{
	struct broker *broker = lines_broker(lines);
	struct approval approval = { 0 };
	struct err err = { 0 };

	/* belongs to this call now: whatever becomes of the wait */
	struct msg_line msg = lines->asked;
	struct judging judging = { .lines = lines, .msg = &msg };
	if (approvals_get(broker->store, lines->id, &approval, &err)) {
		log_error("request %s: %s", lines->id, err.text);
		return;
	}
	lines->asked = (struct msg_line){ 0 };
	lines->busy = true;
	if (lines_unpack(&msg, &judging.line, &err) || approval_end(&approval, &err))
		lines_refuse(&judging, err.text);
	else
		lines_judge(&judging, true);
	approval_release(&approval);
	lines->busy = false;
	if (lines->waiting)
		lines->asked = msg;
	else
		ipc_msg_free(IPC_LINE, &msg);
}

static struct lines *first_news(struct broker *broker)
{
	struct lines *lines = LIST_FIRST(&broker->private->queue->lines);

	while (lines && !lines->news)
		lines = LIST_NEXT(lines, entry);
	return lines;
}

/* As of holds: looked up anew each time. */
void lines_changed(struct broker *broker, const char *id)
{
	struct lines *lines;

	for (lines = LIST_FIRST(&broker->private->queue->lines); lines;
		lines = LIST_NEXT(lines, entry))
		lines->news |= !strcmp(lines->id, id) && !lines->busy &&
			       client_reachable(lines->leg->client);
	while ((lines = first_news(broker))) {
		lines->news = false;
		changed(lines);
	}
}

bool lines_live(struct broker *broker)
{
	struct lines *lines;
	char line[256];

	for (lines = LIST_FIRST(&broker->private->queue->lines); lines;
		lines = LIST_NEXT(lines, entry))
		/* a slow one is spared */
		if (client_reachable(lines->leg->client) &&
			!ipc_pending(lines->leg->client->link.ipc))
			lines_send(lines, LINE_HOLD, status(lines, line, sizeof(line)));
	return !LIST_EMPTY(&broker->private->queue->lines);
}

unsigned lines_waiting(struct broker *broker, const char *id)
{
	unsigned count = 0;
	const struct lines *lines;

	for (lines = LIST_FIRST(&broker->private->queue->lines); lines;
		lines = LIST_NEXT(lines, entry))
		count += !strcmp(lines->id, id);
	return count;
}
