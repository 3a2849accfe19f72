/* May it happen? IPC_ACCESS becomes one struct access, the policy decides, and the answer goes out with everything it demands.
 *
 * Order for an allow: what must be kept is made first (row, folder, transcript), then the event is written, then the dial starts, and the answer goes
 * last. Whatever of that fails while recording is required turns the allow into a refusal. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/text.h"
#include "policy/decide.h"
#include "server/broker_access.h"
#include "server/broker_dial.h"
#include "server/broker_fresh.h"
#include "server/broker_record.h"

#define FORCED_SFTP "internal-sftp" /* as a forced command: only file transfer */

/* What the gateway can relay and record by now. */
static const bool possible[ACCESS_KINDS] = { [ACCESS_SHELL] = true, [ACCESS_EXEC] = true, [ACCESS_SFTP] = true, [ACCESS_SUBSYSTEM] = true };

struct asking { /* one IPC_ACCESS on its way */
	struct leg *leg;
	const struct msg_access *msg;
	struct access access;
	struct decision decision;
	struct leg_channel *channel;
	unsigned exit;   /* of a refusal */
	int fd;          /* transcript, -1: none */
	uint64_t cast_max;
};

static void refuse_words(struct asking *asking, unsigned exit, const char *words)
{
	asking->decision.verdict = VERDICT_DENY;
	asking->exit = exit;
	text_clean(asking->decision.reason, sizeof(asking->decision.reason), words, strlen(words));
}

static bool forced_ok(const struct asking *asking)
{
	const char *forced = asking->access.who->force_command;
	if (!forced)
		return true;
	if (asking->access.kind == ACCESS_SFTP)
		return !strcmp(forced, FORCED_SFTP);
	struct bytes detail = asking->access.detail;
	return asking->access.kind == ACCESS_EXEC && detail.len == strlen(forced) && !memcmp(detail.data, forced, detail.len);
}

/* Reasons of the gateway itself, before any rule is asked. */
static const char *impossible(const struct asking *asking)
{
	if (!possible[asking->access.kind])
		return "this gateway does not forward that: shell, exec, sftp and subsystems are what it can do";
	if (asking->access.detail.len && memchr(asking->access.detail.data, 0, asking->access.detail.len))
		return "the command holds a NUL byte";
	if (!forced_ok(asking))
		return "the certificate allows its forced command only";
	return NULL;
}

static void judge(struct asking *asking)
{
	const struct config *config = asking->leg->client->broker->config;
	const char *words = impossible(asking);
	if (words) {
		refuse_words(asking, EXIT_DENIED, words);
		return;
	}
	decide(config->ruleset, targets_find(config->targets, asking->leg->target), &asking->access, &asking->decision);
	if (asking->decision.verdict == VERDICT_HOLD && asking->decision.hold != HOLD_LOGIN)
		refuse_words(asking, EXIT_WAIT, "this needs an approval, which this gateway cannot ask for yet");
	else if (asking->decision.verdict == VERDICT_DENY)
		asking->exit = EXIT_DENIED;
	else if (asking->leg->ending || asking->leg->client->leaving)
		refuse_words(asking, EXIT_DENIED, "this session is about to end");
	else if (asking->leg->dial_failure)
		refuse_words(asking, EXIT_UNREACHABLE, asking->leg->dial_failure);
}

/* ---- what an allow needs ---- */

static bool must_record(const struct asking *asking)
{
	return asking->decision.obligations.record && asking->decision.obligations.record_required;
}

static int open_session(struct asking *asking, struct err *err)
{
	struct leg *leg = asking->leg;
	if (leg->state == LEG_NAMED && asking->decision.obligations.record && broker_disk_low(leg->client->broker)
		&& !broker_break_glass(leg->client->broker, leg->client->who))
		return err_set(err, -ENOSPC, "the gateway has no room for transcripts");
	return record_open(leg->record, &asking->decision, err);
}

static int prepare(struct asking *asking, struct err *err)
{
	int rc = open_session(asking, err);
	if (!rc)
		rc = record_channel(asking->leg->record, asking->msg->channel, &asking->access, &asking->decision.obligations, &asking->fd,
			&asking->cast_max, err);
	if (rc && must_record(asking))
		return rc;
	if (rc) {
		log_warning("session %s: goes on without a transcript: %s", asking->leg->session, err->text);
		asking->decision.obligations.record = false;
	}
	return 0;
}

static int audit(struct asking *asking)
{
	const struct decision *decision = &asking->decision;
	const struct bytes detail = asking->access.detail;
	bool allowed = decision->verdict == VERDICT_ALLOW;
	json_t *data = broker_leg_event(asking->leg);
	json_object_set_new(data, "channel", json_integer(asking->msg->channel));
	json_object_set_new(data, "kind", json_string(access_kind_name(asking->access.kind)));
	if (detail.len)
		json_object_set_new(data, "command", json_visible(detail.data, detail.len < RECORD_DETAIL_MAX ? detail.len : RECORD_DETAIL_MAX));
	json_object_set_new(data, "rule", json_string_or_null(decision->rule));
	json_object_set_new(data, "reason", json_visible(decision->reason, strlen(decision->reason)));
	return broker_audit(asking->leg->client->broker, allowed ? "access-allowed" : "access-denied", data);
}

static void log_decision(const struct asking *asking)
{
	const struct leg *leg = asking->leg;
	bool allowed = asking->decision.verdict == VERDICT_ALLOW;
	log_info("session %s: %s %s@%s %s %s: %s", leg->session, broker_leg_user(leg), leg->login, leg->target, access_kind_name(asking->access.kind),
		allowed ? "allowed" : "denied", asking->decision.reason);
}

static int begin(struct asking *asking, struct err *err)
{
	struct leg *leg = asking->leg;
	if (leg->state != LEG_NAMED)
		return 0;
	const struct target *target = targets_find(leg->client->broker->config->targets, leg->target);
	int rc = dial_start(leg, target, err);
	if (!rc)
		rc = record_begin(leg->record, err) && must_record(asking) ? -EIO : 0;
	if (rc)
		dial_cancel(leg);
	else
		leg->state = LEG_OPEN;
	return rc;
}

static void allow(struct asking *asking)
{
	struct err err = { 0 };
	if (prepare(asking, &err)) {
		refuse_words(asking, EXIT_OURS, err.text);
		return;
	}
	if (audit(asking)) {
		refuse_words(asking, EXIT_OURS, "the gateway cannot write its audit log");
		return;
	}
	if (begin(asking, &err)) {
		refuse_words(asking, EXIT_OURS, err.text);
		audit(asking);
		return;
	}
	broker_leg_limit(asking->leg, asking->decision.obligations.session);
	asking->channel->state = CHANNEL_OPEN;
	asking->leg->channels_open++;
}

/* ---- the answer ---- */

static void answer(struct asking *asking)
{
	const struct leg *leg = asking->leg;
	const struct conf *conf = leg->client->broker->config->conf;
	const struct obligations *what = &asking->decision.obligations;
	char title[600];
	snprintf(title, sizeof(title), "%s %s@%s %s", broker_leg_user(leg), leg->login, leg->target, access_kind_name(asking->access.kind));
	struct msg_decision out = {
		.leg = leg->number, .channel = asking->msg->channel, .verdict = asking->decision.verdict, .exit = asking->exit,
		.rule = (char *)asking->decision.rule, .reason = asking->decision.reason, .title = title,
	};
	if (asking->decision.verdict == VERDICT_ALLOW) {
		out.record = asking->fd >= 0;
		out.record_required = out.record && what->record_required;
		out.record_input = what->record_input;
		out.idle = what->idle ? what->idle : conf->idle;
		out.session_time = what->session;
		out.stream_keep = (uint64_t)conf->stream_keep;
		out.cast_max = asking->cast_max;
	}
	link_send(&leg->client->link, IPC_DECISION, 0, &out, &asking->fd, out.record ? 1 : 0);
}

static int ask_for(struct client *client, const struct msg_access *msg, struct asking *asking, struct err *err)
{
	int rc = broker_leg_of(client, msg->leg, &asking->leg, err);
	if (rc)
		return rc;
	if (!asking->leg)
		return err_set(err, -EPROTO, "leg %u has ended or was refused", msg->leg);
	if (msg->kind >= ACCESS_KINDS)
		return err_set(err, -EPROTO, "kind %u is none", msg->kind);
	asking->channel = broker_leg_channel(asking->leg, msg->channel, true);
	if (!asking->channel)
		return err_set(err, -EPROTO, "too many channels");
	if (asking->channel->state != CHANNEL_NAMED && asking->channel->state != CHANNEL_DENIED)
		return err_set(err, -EPROTO, "channel %u was opened before", msg->channel);
	return 0;
}

/* The policy's answer is known, or a refusal of ours: do it, write it, say it. */
static void conclude(struct asking *asking)
{
	if (asking->decision.verdict == VERDICT_ALLOW)
		allow(asking);
	else
		audit(asking);
	if (asking->decision.verdict != VERDICT_ALLOW)
		asking->channel->state = CHANNEL_DENIED;
	log_decision(asking);
	answer(asking);
	fd_closep(&asking->fd);
}

static void audit_held(struct asking *asking)
{
	json_t *data = broker_leg_event(asking->leg);
	json_object_set_new(data, "channel", json_integer(asking->msg->channel));
	json_object_set_new(data, "kind", json_string(access_kind_name(asking->access.kind)));
	json_object_set_new(data, "rule", json_string_or_null(asking->decision.rule));
	json_object_set_new(data, "reason", json_visible(asking->decision.reason, strlen(asking->decision.reason)));
	json_object_set_new(data, "waits_for", json_string(hold_name(asking->decision.hold)));
	broker_audit(asking->leg->client->broker, "access-held", data);
}

/* True: it waits, and is not answered yet. Otherwise the hold became a refusal. */
static bool held_for_login(struct asking *asking)
{
	struct err err = { 0 };
	char why[DECISION_REASON_MAX];
	text_clean(why, sizeof(why), asking->decision.reason, strlen(asking->decision.reason));
	asking->channel->state = CHANNEL_HELD;
	if (fresh_hold(asking->leg, asking->msg, asking->decision.login_within_s, why, &err)) {
		refuse_words(asking, EXIT_DENIED, err.text);
		return false;
	}
	audit_held(asking);
	return true;
}

static void asking_fill(struct asking *asking)
{
	const struct leg *leg = asking->leg;
	asking->access = (struct access){ .who = leg->client->who, .source = leg->client->source, .target = leg->target, .login = leg->login,
		.kind = asking->msg->kind, .detail = asking->msg->detail, .now = clock_wall() };
}

int handle_access(struct client *client, const void *data, struct err *err)
{
	struct asking asking = { .msg = data, .fd = -1 };
	int rc = ask_for(client, asking.msg, &asking, err);
	if (rc)
		return rc;
	asking_fill(&asking);
	judge(&asking);
	if (asking.decision.verdict == VERDICT_HOLD && fresh_already(client)) /* another connection has brought a newer login */
		judge(&asking);
	if (asking.decision.verdict == VERDICT_HOLD && held_for_login(&asking))
		return 0;
	conclude(&asking);
	return 0;
}

/* The channel that msg is about, if it still waits. */
static bool asking_again(struct leg *leg, const struct msg_access *msg, struct asking *asking)
{
	*asking = (struct asking){ .leg = leg, .msg = msg, .fd = -1, .channel = broker_leg_channel(leg, msg->channel, false) };
	if (!asking->channel || asking->channel->state != CHANNEL_HELD)
		return false;
	asking->channel->state = CHANNEL_NAMED;
	asking_fill(asking);
	return true;
}

void access_again(struct leg *leg, const struct msg_access *msg)
{
	struct asking asking;
	if (!asking_again(leg, msg, &asking))
		return;
	judge(&asking);
	if (asking.decision.verdict == VERDICT_HOLD)
		refuse_words(&asking, EXIT_DENIED, "the login was not new enough: log in again, and not by an old session of the provider's");
	conclude(&asking);
}

void access_refuse(struct leg *leg, const struct msg_access *msg, unsigned exit, const char *words)
{
	struct asking asking;
	if (!asking_again(leg, msg, &asking))
		return;
	refuse_words(&asking, exit, words);
	conclude(&asking);
}

int handle_access_cancel(struct client *client, const void *data, struct err *err)
{
	const struct msg_access_cancel *msg = data;
	struct leg *leg;
	int rc = broker_leg_of(client, msg->leg, &leg, err);
	struct leg_channel *channel = !rc && leg ? broker_leg_channel(leg, msg->channel, false) : NULL;
	if (!channel || channel->state != CHANNEL_HELD) /* the decision was on its way */
		return rc;
	channel->state = CHANNEL_DENIED;
	fresh_forget(client, msg->leg, msg->channel);
	return 0;
}
