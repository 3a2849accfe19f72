/* See broker_lines.h. A line goes: judged -> allow, warn or deny; or held -> the request changes -> judged again. */
#include "server/broker_lines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "common/wire.h"
#include "policy/decide.h"
#include "policy/typed.h"
#include "server/broker_hold.h"
#include "server/broker_need.h"
#include "server/broker_record.h"
#include "server/lineguard.h"

#define SETTLE_TRIES 4
#define WORDS_MAX 2048
#define TEXT_MAX (2 * LINEGUARD_TEXT_MAX + 1) /* of one candidate, joined */

struct lines { /* of one shell */
	LIST_ENTRY(lines) entry; /* while a line waits */
	struct leg *leg;
	uint32_t channel;
	char *rule;
	char *reason;          /* of the approval that opened the shell; "": none was asked for */
	uint32_t number;       /* of the last line */
	enum line_verdict said; /* about it */
	bool waiting, busy;    /* busy: it is being judged again; what that changes in the queue is no news to it */
	struct msg_line asked; /* the question, while it waits: a copy */
	char id[8];            /* the request that it waits for */
	unsigned votes, needed;
	int64_t deadline;      /* lapse ms */
};

struct judging { /* one look at a line */
	struct lines *lines;
	const struct msg_line *msg;
	struct typed_line line;
	const struct guard *guard;
	const struct approval_rule *settings;
	struct typed_judgement found;
	const char *approval; /* that allows it; NULL: none */
	char notice[LINEGUARD_NOTICE_MAX];
};

static struct broker *broker_of(const struct lines *lines)
{
	return lines->leg->client->broker;
}

/* ---- birth and death ---- */

static const char *reason_of(const struct asking *asking)
{
	const char *reason = "";
	for (size_t i = 0; i < asking->grant_count && !*reason; i++)
		reason = asking->grants[i].reason;
	return reason;
}

int lines_begin(struct asking *asking, struct err *err)
{
	if (!asking->decision.guard || asking->access.kind != ACCESS_SHELL || !asking->pty)
		return 0;
	struct lines *lines = calloc(1, sizeof(*lines));
	if (!lines)
		return err_set(err, -ENOMEM, "the gateway is out of memory");
	*lines = (struct lines){ .leg = asking->leg, .channel = asking->number, .rule = strdup(asking->decision.rule), .reason = strdup(reason_of(asking)) };
	if (!lines->rule || !lines->reason) {
		lines_free(lines);
		return err_set(err, -ENOMEM, "the gateway is out of memory");
	}
	asking->channel->lines = lines;
	return 0;
}

static void wait_over(struct lines *lines)
{
	if (!lines->waiting)
		return;
	LIST_REMOVE(lines, entry);
	lines->waiting = false;
	ipc_msg_free(IPC_LINE, &lines->asked);
}

void lines_free(struct lines *lines)
{
	if (!lines)
		return;
	wait_over(lines);
	free(lines->rule), free(lines->reason), free(lines);
}

/* Nobody waits for the request any more: it goes, too, when it is still open. */
static void give_up(struct lines *lines)
{
	struct broker *broker = broker_of(lines);
	struct err why = { 0 };
	char id[8];
	if (!lines->waiting)
		return;
	memcpy(id, lines->id, sizeof(id));
	wait_over(lines);
	if (!holds_waiting(broker, id) && !lines_waiting(broker, id) && queue_cancel(broker, id, lines->leg->client->who, false, "at the terminal", &why))
		log_info("request %s: %s", id, why.text);
}

/* ---- the answer ---- */

static void send_verdict(struct lines *lines, enum line_verdict verdict, const char *notice)
{
	struct msg_line_verdict msg = { lines->leg->number, lines->channel, lines->number, verdict, (char *)notice };
	link_send(&lines->leg->client->link, IPC_LINE_VERDICT, 0, &msg, NULL, 0);
}

static const char *const verdict_names[] = { [LINE_ALLOW] = "allow", [LINE_WARN] = "warn", [LINE_HOLD] = "hold", [LINE_DENY] = "deny" };

static json_t *event_of(const struct lines *lines)
{
	json_t *data = broker_leg_event(lines->leg);
	json_object_set_new(data, "channel", json_integer(lines->channel));
	json_object_set_new(data, "line", json_integer(lines->number));
	return data;
}

static json_t *visible_or_null(struct bytes text)
{
	return text.len ? json_visible(text.data, text.len < RECORD_DETAIL_MAX ? text.len : RECORD_DETAIL_MAX) : json_null();
}

static int audit(const struct judging *judging, enum line_verdict verdict)
{
	const struct lines *lines = judging->lines;
	const struct typed_line *line = &judging->line;
	json_t *data = event_of(lines);
	json_object_set_new(data, "command", line->count ? visible_or_null(line->texts[0].text) : json_null());
	json_object_set_new(data, "confidence", json_string(line_confidence_name(judging->msg->confidence)));
	json_object_set_new(data, "why", line->blind ? json_visible(line->blind, strlen(line->blind)) : json_null());
	json_object_set_new(data, "rule", json_string(lines->rule));
	json_object_set_new(data, "verdict", json_string(verdict_names[verdict]));
	json_object_set_new(data, "reason", json_visible(judging->found.reason, strlen(judging->found.reason)));
	if (judging->approval)
		json_object_set_new(data, "approval", json_string(judging->approval));
	return broker_audit(broker_of(lines), "line-judged", data);
}

/* The event first; what cannot be written down does not run. */
static void answer(struct judging *judging, enum line_verdict verdict)
{
	struct lines *lines = judging->lines;
	if (audit(judging, verdict) && verdict != LINE_DENY) {
		verdict = LINE_DENY;
		snprintf(judging->notice, sizeof(judging->notice), "bartizan: the gateway cannot write its audit log");
	}
	if (verdict != LINE_ALLOW)
		log_info("session %s: channel %u, line %u: %s: %s", lines->leg->session, lines->channel, lines->number, verdict_names[verdict], judging->notice);
	lines->said = verdict;
	send_verdict(lines, verdict, judging->notice);
}

static void refuse(struct judging *judging, const char *words)
{
	char clean[LINEGUARD_NOTICE_MAX - 16];
	snprintf(judging->found.reason, sizeof(judging->found.reason), "%s", text_clean(clean, sizeof(clean), words, strlen(words)));
	snprintf(judging->notice, sizeof(judging->notice), "bartizan: %s", clean);
	wait_over(judging->lines);
	answer(judging, LINE_DENY);
}

/* ---- waiting for people ---- */

static const char *status(const struct lines *lines, char *out, size_t size)
{
	char left[32];
	snprintf(out, size, "bartizan: waiting for %s: %u of %u votes, %s left (Ctrl-C cancels)", lines->id, lines->votes, lines->needed,
		approval_left(broker_of(lines), lines->deadline, left, sizeof(left)));
	return out;
}

static void introduce(const struct lines *lines, const struct approval *approval, bool fresh)
{
	BUF_CLEANUP struct buf text = BUF_INIT(WORDS_MAX);
	char line[256];
	buf_printf(&text, "bartizan: request %s%s: this line on %s as %s needs %u vote%s of ", approval->id, fresh ? "" : " (asked before)", lines->leg->target,
		lines->leg->login, approval->votes_needed, approval->votes_needed == 1 ? "" : "s");
	approval_voters(broker_of(lines), approval->by, &text);
	buf_printf(&text, "\nbartizan: %s approve with: ssh GATEWAY approve %s\n%s", approval->votes_needed == 1 ? "they" : "each of them", approval->id,
		status(lines, line, sizeof(line)));
	send_verdict((struct lines *)(uintptr_t)lines, LINE_HOLD, buf_cstr(&text) ? buf_cstr(&text) : line);
}

static int keep(struct lines *lines, const struct msg_line *msg)
{
	struct msg_line copy = *msg;
	copy.why = strdup(msg->why);
	copy.texts = (struct bytes){ (uint8_t *)text_dup(msg->texts.data, msg->texts.len), msg->texts.len };
	if (!copy.why || !copy.texts.data) {
		free(copy.why), free((void *)(uintptr_t)copy.texts.data);
		return -ENOMEM;
	}
	lines->asked = copy;
	lines->waiting = true;
	LIST_INSERT_HEAD(&broker_of(lines)->private->queue->lines, lines, entry);
	return 0;
}

static void wait_for(struct judging *judging, const struct approval *approval, bool fresh)
{
	struct lines *lines = judging->lines;
	bool news = !lines->waiting || strcmp(lines->id, approval->id);
	char line[256];
	if (!lines->waiting && keep(lines, judging->msg)) {
		refuse(judging, "the gateway is out of memory");
		return;
	}
	memcpy(lines->id, approval->id, sizeof(lines->id));
	lines->votes = approval->votes;
	lines->needed = approval->votes_needed;
	lines->deadline = approval->deadline;
	lines->said = LINE_HOLD;
	if (!news) {
		send_verdict(lines, LINE_HOLD, status(lines, line, sizeof(line)));
		return;
	}
	judging->approval = lines->id;
	audit(judging, LINE_HOLD);
	introduce(lines, approval, fresh);
	queue_live(broker_of(lines));
}

/* ---- approvals ---- */

static int use(struct judging *judging, const struct approval *approval, int64_t lapse, struct err *err)
{
	const struct lines *lines = judging->lines;
	struct broker *broker = broker_of(lines);
	int rc = store_begin(broker->store, err);
	if (rc)
		return rc;
	rc = approvals_use(broker->store, approval->id, lines->leg->session, lines->channel, lapse, clock_wall_ms(), err);
	if (rc)
		store_rollback(broker->store);
	else
		rc = store_commit(broker->store, err);
	if (!rc)
		queue_shown(broker, approval->id);
	return rc;
}

static void go_on(struct judging *judging, const struct approval *approval)
{
	struct lines *lines = judging->lines;
	char words[256];
	snprintf(words, sizeof(words), "bartizan: request %s: approved by %.100s", approval->id, approval->decided_by);
	send_verdict(lines, LINE_HOLD, words);
	snprintf(judging->found.reason, sizeof(judging->found.reason), "request %s approved by %.300s", approval->id, approval->decided_by);
	judging->approval = approval->id;
	wait_over(lines);
	answer(judging, LINE_ALLOW);
}

static int ask_people(struct judging *judging, const struct need *need, const struct approval_scope *scope, struct err *err)
{
	const struct lines *lines = judging->lines;
	struct broker *broker = broker_of(lines);
	struct approval approval = { 0 };
	char fallback[128];
	snprintf(fallback, sizeof(fallback), "typed in session %s", lines->leg->session);
	const struct need_wish wish = { .scope = scope, .source = lines->leg->client->source_text, .reason = *lines->reason ? lines->reason : fallback };
	int rc = need_request(broker, need, &wish, &approval, err);
	if (!rc)
		rc = need_create(broker, &approval, lines->leg->session, err);
	if (!rc)
		wait_for(judging, &approval, true);
	approval_release(&approval);
	return rc;
}

/* One look at the queue. -EALREADY: somebody else took the last use, look again. */
static int look(struct judging *judging, const struct need *need, const struct approval_scope *scope, struct err *err)
{
	struct broker *broker = broker_of(judging->lines);
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

static void approve(struct judging *judging)
{
	const struct leg *leg = judging->lines->leg;
	struct need need;
	struct err err = { 0 };
	int rc = -EALREADY;
	if (!judging->found.by || need_fill(&need, true, judging->found.by, judging->settings, leg->client->broker->config->conf)) {
		refuse(judging, "this line needs an approval, and nobody can be asked");
		return;
	}
	const struct approval_scope scope = { .who = leg->client->who, .target = leg->target, .login = leg->login, .kind = access_kind_name(ACCESS_SHELL),
		.command = judging->line.texts[0].text, .rule = judging->lines->rule, .by = need.by };
	for (int i = 0; rc == -EALREADY && i < SETTLE_TRIES; i++)
		rc = look(judging, &need, &scope, &err);
	if (rc)
		refuse(judging, err.text);
}

/* ---- judging ---- */

static void on_allow(struct judging *judging)
{
	wait_over(judging->lines);
	answer(judging, LINE_ALLOW);
}

static void on_warn(struct judging *judging)
{
	snprintf(judging->notice, sizeof(judging->notice), "bartizan: warning: %.480s", judging->found.reason);
	wait_over(judging->lines);
	answer(judging, LINE_WARN);
}

static void on_deny(struct judging *judging)
{
	char words[JUDGEMENT_REASON_MAX];
	snprintf(words, sizeof(words), "%s", judging->found.reason);
	refuse(judging, words);
}

static void (*const acts[])(struct judging *judging) = {
	[GUARD_ALLOW] = on_allow, [GUARD_WARN] = on_warn, [GUARD_APPROVE] = approve, [GUARD_DENY] = on_deny,
};

/* The shell's own rule must still let it be, when people have thought about it for a while. */
static bool still_allowed(const struct lines *lines, struct decision *decision)
{
	const struct leg *leg = lines->leg;
	const struct config *config = broker_of(lines)->config;
	const struct access access = { .who = leg->client->who, .source = leg->client->source, .target = leg->target, .login = leg->login,
		.kind = ACCESS_SHELL, .now = clock_wall() };
	decide(config->ruleset, targets_find(config->targets, leg->target), &access, decision);
	return decision->verdict != VERDICT_DENY;
}

static void judge(struct judging *judging, bool again)
{
	struct lines *lines = judging->lines;
	struct decision decision;
	char words[512];
	judging->guard = ruleset_guard(broker_of(lines)->config->ruleset, lines->rule, &judging->settings);
	if (!judging->guard) {
		snprintf(words, sizeof(words), "rule '%.200s', by which this shell was opened, has no guard any more: open the shell again", lines->rule);
		refuse(judging, words);
	} else if (again && !still_allowed(lines, &decision)) {
		refuse(judging, decision.reason);
	} else if (typed_judge(judging->guard, &judging->line, &judging->found) || (size_t)judging->found.verdict >= sizeof(acts) / sizeof(acts[0])) {
		refuse(judging, "the guard could not judge this line");
	} else {
		acts[judging->found.verdict](judging);
	}
	typed_release(&judging->found);
}

/* ---- what the session says ---- */

static int unpack(const struct msg_line *msg, struct typed_line *ret, struct err *err)
{
	struct wire in = WIRE_OF(msg->texts.data, msg->texts.len);
	*ret = (struct typed_line){ .continues = msg->continues, .blind = msg->confidence == LINE_BLIND ? *msg->why ? msg->why : "it cannot be read" : NULL };
	while (!wire_done(&in)) {
		uint8_t joined;
		struct bytes text;
		if (ret->count == TYPED_TEXTS_MAX || wire_get_u8(&in, &joined) || joined > 1 || wire_get_string(&in, &text) || text.len > TEXT_MAX)
			return err_set(err, -EPROTO, "the texts of a line are malformed");
		ret->texts[ret->count++] = (struct typed_text){ text, joined };
	}
	if (!ret->count && !ret->blind)
		return err_set(err, -EPROTO, "a line without a text");
	return 0;
}

/* *ret NULL: the channel has ended meanwhile. */
static int lines_of(struct client *client, uint32_t number, uint32_t channel, struct lines **ret, struct err *err)
{
	struct leg *leg;
	int rc = broker_leg_of(client, number, &leg, err);
	const struct leg_channel *found = !rc && leg ? broker_leg_channel(leg, channel, false) : NULL;
	*ret = found && found->state == CHANNEL_OPEN ? found->lines : NULL;
	if (!rc && leg && (!found || (found->state != CHANNEL_ENDED && !*ret)))
		return err_set(err, -EPROTO, "the lines of channel %u are not judged", channel);
	return rc;
}

int handle_line(struct client *client, const void *data, struct err *err)
{
	const struct msg_line *msg = data;
	struct lines *lines;
	struct judging judging = { .msg = msg };
	int rc = lines_of(client, msg->leg, msg->channel, &lines, err);
	if (rc || !lines)
		return rc;
	if (msg->line <= lines->number || msg->confidence > LINE_BLIND)
		return err_set(err, -EPROTO, "line %u is none", msg->line);
	rc = unpack(msg, &judging.line, err);
	if (rc)
		return rc;
	give_up(lines); /* another line stands there now */
	lines->number = msg->line;
	judging.lines = lines;
	judge(&judging, false);
	return 0;
}

/* The analyser is gone, and nothing is judged any more: the guard says what then, as of every line that cannot be read. */
static void analyser_failed(struct lines *lines, const char *why)
{
	const struct approval_rule *ignored;
	const struct guard *guard = ruleset_guard(broker_of(lines)->config->ruleset, lines->rule, &ignored);
	char shown[200];
	log_warning("session %s: channel %u: the guard's analyser failed: %s", lines->leg->session, lines->channel,
		text_clean(shown, sizeof(shown), why, strlen(why)));
	if (!guard || guard_blind(guard) == GUARD_DENY)
		broker_leg_stop(lines->leg, EXIT_OURS, "the lines of this shell cannot be judged any more");
}

int handle_line_end(struct client *client, const void *data, struct err *err)
{
	const struct msg_line_end *msg = data;
	struct lines *lines;
	int rc = lines_of(client, msg->leg, msg->channel, &lines, err);
	if (rc || !lines)
		return rc;
	if (msg->line != lines->number)
		return err_set(err, -EPROTO, "line %u is not the one that was judged", msg->line);
	bool failed = !strcmp(msg->end, "failed");
	if (lines->waiting && !strcmp(msg->end, line_end_name(LINE_CANCELLED)))
		give_up(lines);
	if (lines->said == LINE_ALLOW && !failed)
		return 0;
	json_t *event = event_of(lines);
	json_object_set_new(event, "end", json_visible(msg->end, strlen(msg->end)));
	json_object_set_new(event, "command", visible_or_null(msg->text));
	json_object_set_new(event, "why", *msg->why ? json_visible(msg->why, strlen(msg->why)) : json_null());
	json_object_set_new(event, "took_ms", json_integer(msg->took_us / 1000));
	broker_audit(broker_of(lines), failed ? "guard-failed" : "line-ended", event);
	if (failed)
		analyser_failed(lines, msg->why);
	return 0;
}

/* ---- the request has changed ---- */

static void changed(struct lines *lines)
{
	struct broker *broker = broker_of(lines);
	struct approval approval = { 0 };
	struct err err = { 0 };
	struct msg_line msg = lines->asked; /* belongs to this call now: whatever becomes of the wait */
	struct judging judging = { .lines = lines, .msg = &msg };
	if (approvals_get(broker->store, lines->id, &approval, &err)) {
		log_error("request %s: %s", lines->id, err.text);
		return;
	}
	lines->asked = (struct msg_line){ 0 };
	lines->busy = true;
	if (unpack(&msg, &judging.line, &err) || approval_end(&approval, &err))
		refuse(&judging, err.text);
	else
		judge(&judging, true);
	approval_release(&approval);
	lines->busy = false;
	if (lines->waiting)
		lines->asked = msg;
	else
		ipc_msg_free(IPC_LINE, &msg);
}

static bool reachable(const struct lines *lines)
{
	return link_up(&lines->leg->client->link) && lines->leg->client->state == CLIENT_AUTHENTICATED;
}

void lines_changed(struct broker *broker, const char *id)
{
	struct lines *lines, *next;
	for (lines = LIST_FIRST(&broker->private->queue->lines); lines; lines = next) {
		next = LIST_NEXT(lines, entry);
		if (!strcmp(lines->id, id) && !lines->busy && reachable(lines))
			changed(lines);
	}
}

bool lines_live(struct broker *broker)
{
	struct lines *lines;
	char line[256];
	for (lines = LIST_FIRST(&broker->private->queue->lines); lines; lines = LIST_NEXT(lines, entry))
		if (reachable(lines) && !ipc_pending(lines->leg->client->link.ipc)) /* a slow one is spared */
			send_verdict(lines, LINE_HOLD, status(lines, line, sizeof(line)));
	return !LIST_EMPTY(&broker->private->queue->lines);
}

unsigned lines_waiting(struct broker *broker, const char *id)
{
	unsigned count = 0;
	const struct lines *lines;
	for (lines = LIST_FIRST(&broker->private->queue->lines); lines; lines = LIST_NEXT(lines, entry))
		count += !strcmp(lines->id, id);
	return count;
}
