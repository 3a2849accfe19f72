/* See server/broker/access/lines.h. A line is judged: allow, warn or deny; or hold, then it waits
 * (server/broker/access/lines_wait.c), its request changes, and it is judged again. */
#include "server/broker/access/lines_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "common/typed_line.h"
#include "common/wire.h"
#include "policy/decide.h"
#include "server/broker/access/wait.h"
#include "server/broker/record/record.h"

#define TEXT_MAX (2 * LINE_TEXT_MAX + 1) /* of one candidate: two readings joined */

/* ---- birth and death ---- */

static const char *reason_of(const struct access_request *request)
{
	const char *reason = "";

	for (size_t i = 0; i < request->grant_count && !*reason; i++)
		reason = request->grants[i].reason;
	return reason;
}

int lines_begin(struct access_request *request, struct err *err)
{
	if (!request->decision.guard || !request->pty)
		return 0;
	struct lines *lines = calloc(1, sizeof(*lines));
	if (!lines)
		return err_set(err, -ENOMEM, "the gateway is out of memory");
	*lines = (struct lines){ .leg = request->leg,
		.channel = request->number,
		.kind = request->access.kind,
		.inside = BUF_INIT(IPC_DETAIL_MAX),
		.env = BUF_INIT(IPC_ENV_MAX),
		.rule = strdup(request->decision.rule),
		.reason = strdup(reason_of(request)) };
	const struct bytes inside = request->access.detail, env = buf_bytes(&request->env);
	if (!lines->rule || !lines->reason || buf_put(&lines->inside, inside.data, inside.len) ||
		buf_put(&lines->env, env.data, env.len)) {
		lines_free(lines);
		return err_set(err, -ENOMEM, "the gateway is out of memory");
	}
	request->channel->lines = lines;
	return 0;
}

void lines_free(struct lines *lines)
{
	if (!lines)
		return;
	lines_wait_end(lines);
	buf_release(&lines->inside), buf_release(&lines->env);
	free(lines->rule), free(lines->reason), free(lines);
}

/* ---- the answer ---- */

void lines_send(const struct lines *lines, enum line_verdict verdict, const char *notice)
{
	struct msg_line_verdict msg = { lines->leg->number, lines->channel, lines->number, verdict,
		(char *)notice };

	link_send(&lines->leg->client->link, IPC_LINE_VERDICT, 0, &msg, NULL, 0);
}

static const char *const verdict_names[] = {
	[LINE_ALLOW] = "allow", [LINE_WARN] = "warn", [LINE_HOLD] = "hold", [LINE_DENY] = "deny"
};

static json_t *event_of(const struct lines *lines)
{
	json_t *data = peer_leg_event(lines->leg);

	json_object_set_new(data, "channel", json_integer(lines->channel));
	json_object_set_new(data, "line", json_integer(lines->number));
	return data;
}

static json_t *visible_or_null(struct bytes text)
{
	size_t shown = text.len < RECORD_DETAIL_MAX ? text.len : RECORD_DETAIL_MAX;

	return shown ? json_visible(text.data, shown) : json_null();
}

int lines_audit(const struct judging *judging, enum line_verdict verdict)
{
	const struct lines *lines = judging->lines;
	const struct typed_line *line = &judging->line;
	json_t *data = event_of(lines);

	json_object_set_new(
		data, "command", line->count ? visible_or_null(line->texts[0].text) : json_null());
	json_object_set_new(
		data, "confidence", json_string(line_confidence_name(judging->msg->confidence)));
	json_object_set_new(data, "why",
		line->blind ? json_visible(line->blind, strlen(line->blind)) : json_null());
	json_object_set_new(data, "rule", json_string(lines->rule));
	json_object_set_new(data, "verdict", json_string(verdict_names[verdict]));
	json_object_set_new(
		data, "reason", json_visible(judging->found.reason, strlen(judging->found.reason)));
	if (judging->approval)
		json_object_set_new(data, "approval", json_string(judging->approval));
	return broker_audit(lines_broker(lines), "line-judged", data);
}

/* The event is written first: a line that cannot be written down does not run. */
void lines_answer(struct judging *judging, enum line_verdict verdict)
{
	struct lines *lines = judging->lines;

	lines_wait_end(lines);
	if (lines_audit(judging, verdict) && verdict != LINE_DENY) {
		verdict = LINE_DENY;
		snprintf(judging->notice, sizeof(judging->notice),
			"bartizan: the gateway cannot write its audit log");
	}
	if (verdict != LINE_ALLOW)
		log_info("session %s: channel %u, line %u: %s: %s", lines->leg->session,
			lines->channel, lines->number, verdict_names[verdict], judging->notice);
	lines->said = verdict;
	lines_send(lines, verdict, judging->notice);
}

void lines_refuse(struct judging *judging, const char *words)
{
	char clean[LINE_NOTICE_MAX - 16];

	snprintf(judging->found.reason, sizeof(judging->found.reason), "%s",
		text_clean(clean, sizeof(clean), words, strlen(words)));
	snprintf(judging->notice, sizeof(judging->notice), "bartizan: %s", clean);
	lines_answer(judging, LINE_DENY);
}

/* ---- judging ---- */

static void on_allow(struct judging *judging)
{
	lines_answer(judging, LINE_ALLOW);
}

static void on_warn(struct judging *judging)
{
	snprintf(judging->notice, sizeof(judging->notice), "bartizan: warning: %.480s",
		judging->found.reason);
	lines_answer(judging, LINE_WARN);
}

static void on_deny(struct judging *judging)
{
	char words[JUDGEMENT_REASON_MAX];

	snprintf(words, sizeof(words), "%s", judging->found.reason);
	lines_refuse(judging, words);
}

static void (*const acts[])(struct judging *judging) = {
	[GUARD_ALLOW] = on_allow,
	[GUARD_WARN] = on_warn,
	[GUARD_APPROVE] = lines_approve,
	[GUARD_DENY] = on_deny,
};

/* Does the policy still allow what the line was typed in? Asked when a line has waited, for that
 * may have been long. */
static bool still_allowed(const struct lines *lines, struct decision *decision)
{
	const struct peer_leg *leg = lines->leg;
	const struct config *config = lines_broker(lines)->config;
	const struct access access = { .who = leg->client->who,
		.source = leg->client->source,
		.target = leg->target,
		.login = leg->login,
		.kind = lines->kind,
		.detail = buf_bytes(&lines->inside),
		.now = clock_wall() };

	decide(config->ruleset, targets_find(config->targets, leg->target), &access, decision);
	return decision->verdict != VERDICT_DENY;
}

int lines_recheck(const struct lines *lines, const struct typed_line *line, struct err *err)
{
	struct typed_judgement found = { 0 };
	const struct approval_rule *ignored;
	struct decision decision;
	const struct guard *guard =
		ruleset_guard(lines_broker(lines)->config->ruleset, lines->rule, &ignored);
	int rc = 0;

	if (!guard)
		return err_set(err, -EACCES, "rule '%.200s' has no guard any more", lines->rule);
	if (!still_allowed(lines, &decision))
		return err_set(err, -EACCES, "%s", decision.reason);
	if (typed_judge(guard, line, &found))
		rc = err_set(err, -EACCES, "the guard could not judge this line");
	else if (found.verdict == GUARD_DENY)
		rc = err_set(err, -EACCES, "%s", found.reason);
	typed_release(&found);
	return rc;
}

void lines_judge(struct judging *judging, bool again)
{
	struct lines *lines = judging->lines;
	struct decision decision;
	char words[512];
	const struct guard *guard = ruleset_guard(
		lines_broker(lines)->config->ruleset, lines->rule, &judging->settings);

	judging->line.shells = ruleset_shells(lines_broker(lines)->config->ruleset, lines->rule);
	if (!guard) {
		snprintf(words, sizeof(words),
			"rule '%.200s', by which this %s was opened, has no guard any more: "
			"open the %s again",
			lines->rule, access_kind_name(lines->kind), access_kind_name(lines->kind));
		lines_refuse(judging, words);
	} else if (again && !still_allowed(lines, &decision)) {
		lines_refuse(judging, decision.reason);
	} else if (typed_judge(guard, &judging->line, &judging->found) ||
		   (size_t)judging->found.verdict >= sizeof(acts) / sizeof(acts[0])) {
		lines_refuse(judging, "the guard could not judge this line");
	} else {
		acts[judging->found.verdict](judging);
	}
	typed_release(&judging->found);
}

/* ---- what the session says ---- */

/* How programs that read lines themselves (ed, less, vi, psql, mysql, ftp) are told to run a
 * command of the shell. */
static const char *const shell_escapes[] = { "!", ":!", "\\!", "\\system ", "system " };

/* What is behind an escape is one more text that the line may be. */
static void add_escaped(struct typed_line *line)
{
	for (size_t i = 0, count = line->count; i < count; i++) {
		struct bytes text = line->texts[i].text;
		while (text.len && *text.data == ' ')
			text = (struct bytes){ text.data + 1, text.len - 1 };
		for (size_t e = 0; e < sizeof(shell_escapes) / sizeof(shell_escapes[0]); e++) {
			size_t len = strlen(shell_escapes[e]);
			if (line->count == TYPED_TEXTS_MAX || text.len <= len ||
				memcmp(text.data, shell_escapes[e], len) != 0)
				continue;
			line->texts[line->count++] =
				(struct typed_text){ { text.data + len, text.len - len },
					line->texts[i].joined };
			break;
		}
	}
}

int lines_unpack(const struct msg_line *msg, struct typed_line *ret, struct err *err)
{
	struct wire in = WIRE_OF(msg->texts.data, msg->texts.len);
	const char *blind = *msg->why ? msg->why : "it cannot be read";

	*ret = (struct typed_line){ .continues = msg->continues,
		.blind = msg->confidence == LINE_BLIND ? blind : NULL };
	while (!wire_done(&in)) {
		uint8_t joined;
		struct bytes text;
		if (ret->count == TYPED_TEXTS_MAX || wire_get_u8(&in, &joined) || joined > 1 ||
			wire_get_string(&in, &text) || text.len > TEXT_MAX)
			return err_set(err, -EPROTO, "the texts of a line are malformed");
		ret->texts[ret->count++] = (struct typed_text){ text, joined };
	}
	if (!ret->count && !ret->blind)
		return err_set(
			err, -EPROTO, "the line has no text, and is not said to be unreadable");
	add_escaped(ret);
	return 0;
}

/* *ret NULL: the channel has ended meanwhile. */
static int lines_of(struct client *client, uint32_t number, uint32_t channel, struct lines **ret,
	struct err *err)
{
	struct peer_leg *leg;
	int rc = peer_leg_of(client, number, &leg, err);
	const struct peer_channel *found =
		!rc && leg ? peer_leg_channel(leg, channel, false) : NULL;

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
	if (msg->line <= lines->number)
		return err_set(err, -EPROTO, "line %u is not newer than line %u", msg->line,
			lines->number);
	if (msg->confidence > LINE_BLIND)
		return err_set(err, -EPROTO, "unknown confidence %u", msg->confidence);
	rc = lines_unpack(msg, &judging.line, err);
	if (rc)
		return rc;
	lines_wait_cancel(lines); /* the one that waited has been replaced by this one */
	lines->number = msg->line;
	judging.lines = lines;
	lines_judge(&judging, false);
	return 0;
}

/* The session's analyser has failed, and no line of this shell can be read any more: the guard says
 * what happens to lines that cannot be read. */
static void analyser_failed(struct lines *lines, const char *why)
{
	const struct approval_rule *ignored;
	const struct guard *guard =
		ruleset_guard(lines_broker(lines)->config->ruleset, lines->rule, &ignored);
	char shown[200];

	log_warning("session %s: channel %u: the guard's analyser failed: %s", lines->leg->session,
		lines->channel, text_clean(shown, sizeof(shown), why, strlen(why)));
	if (!guard || guard_blind(guard) == GUARD_DENY)
		peer_leg_stop(
			lines->leg, EXIT_GATEWAY, "the lines typed here cannot be judged any more");
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
		lines_wait_cancel(lines);
	if (lines->said == LINE_ALLOW && !failed)
		return 0;
	json_t *event = event_of(lines);
	json_object_set_new(event, "end", json_visible(msg->end, strlen(msg->end)));
	json_object_set_new(event, "command", visible_or_null(msg->text));
	json_object_set_new(
		event, "why", *msg->why ? json_visible(msg->why, strlen(msg->why)) : json_null());
	json_object_set_new(event, "took_ms", json_integer(msg->took_us / 1000));
	broker_audit(lines_broker(lines), failed ? "guard-failed" : "line-ended", event);
	if (failed)
		analyser_failed(lines, msg->why);
	return 0;
}
