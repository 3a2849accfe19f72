/* May it happen? IPC_ACCESS becomes one struct access, the policy decides, and the answer goes out
 * with everything it demands.
 *
 * Policy first, then the guard of the rule, then break-glass, then approvals; a step may refuse, or
 * have the access wait (server/broker/access/wait.c), and whatever wakes it begins anew.
 *
 * Order for an allow: what must be kept is made first (row, folder, transcript), then the event is
 * written, then the dial starts, and the answer goes last. Whatever of that fails while recording
 * is required turns the allow into a refusal. */
#include "server/broker/access/access.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/text.h"
#include "policy/decide.h"
#include "server/broker/core/peer.h"
#include "server/broker/dial/dial.h"
#include "server/broker/access/fresh_login.h"
#include "server/broker/access/wait.h"
#include "server/broker/access/lines.h"
#include "server/broker/record/disk.h"
#include "server/broker/record/record.h"

#define SETTLE_TRIES 4
#define FORCED_SFTP "internal-sftp" /* as a forced command: only file transfer */

/* What the gateway can relay and record by now. */
static const bool possible[ACCESS_KINDS] = {
	[ACCESS_SHELL] = true, [ACCESS_EXEC] = true, [ACCESS_SFTP] = true, [ACCESS_SUBSYSTEM] = true
};

enum step asking_refuse(struct asking *asking, unsigned exit, const char *fmt, ...)
{
	char words[DECISION_REASON_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(words, sizeof(words), fmt, args);
	va_end(args);
	asking->decision.verdict = VERDICT_DENY;
	asking->exit = exit;
	text_clean(asking->decision.reason, sizeof(asking->decision.reason), words, strlen(words));
	return STEP_DENY;
}

static bool forced_ok(const struct asking *asking)
{
	const char *forced = asking->access.who->force_command;

	if (!forced)
		return true;
	if (asking->access.kind == ACCESS_SFTP)
		return !strcmp(forced, FORCED_SFTP);
	struct bytes detail = asking->access.detail;
	return asking->access.kind == ACCESS_EXEC && detail.len == strlen(forced) &&
	       !memcmp(detail.data, forced, detail.len);
}

/* Reasons of the gateway itself, before any rule is asked. */
static const char *impossible(const struct asking *asking)
{
	if (!possible[asking->access.kind])
		return "this gateway does not forward that: shell, exec, sftp and subsystems are "
		       "what it can do";
	if (asking->access.detail.len &&
		memchr(asking->access.detail.data, 0, asking->access.detail.len))
		return "the command holds a NUL byte";
	if (!forced_ok(asking))
		return "the certificate allows its forced command only";
	return NULL;
}

/* A certificate's end keeps nothing that runs from running on; but what a human has just said yes
 * to has not begun. */
static bool expired_meanwhile(const struct asking *asking)
{
	return asking->hold && asking->access.who->expires <= asking->access.now;
}

enum step access_judge(struct asking *asking)
{
	const struct config *config = asking->leg->client->broker->config;
	const char *words = impossible(asking);

	if (words)
		return asking_refuse(asking, EXIT_DENIED, "%s", words);
	decide(config->ruleset, targets_find(config->targets, asking->leg->target), &asking->access,
		&asking->decision);
	asking->exit = asking->decision.verdict == VERDICT_DENY ? EXIT_DENIED : 0;
	if (asking->decision.verdict == VERDICT_DENY)
		return STEP_DENY;
	if (asking->leg->ending || asking->leg->client->leaving)
		return asking_refuse(asking, EXIT_DENIED, "this session is about to end");
	if (asking->leg->dial_failure)
		return asking_refuse(asking, EXIT_UNREACHABLE, "%s", asking->leg->dial_failure);
	if (expired_meanwhile(asking))
		return asking_refuse(asking, EXIT_DENIED,
			"the certificate has expired meanwhile: connect again with a new one");
	return STEP_GO_ON;
}

/* ---- a newer login ---- */

static void audit_held(struct asking *asking)
{
	json_t *data = broker_leg_event(asking->leg);

	json_object_set_new(data, "channel", json_integer(asking->number));
	json_object_set_new(data, "kind", json_string(access_kind_name(asking->access.kind)));
	json_object_set_new(data, "rule", json_string_or_null(asking->decision.rule));
	json_object_set_new(data, "reason",
		json_visible(asking->decision.reason, strlen(asking->decision.reason)));
	json_object_set_new(data, "waits_for", json_string(hold_name(asking->decision.hold)));
	broker_audit(asking->leg->client->broker, "access-held", data);
}

static enum step hold_for_login(struct asking *asking)
{
	struct err err = { 0 };
	char why[DECISION_REASON_MAX];
	const struct msg_access msg = { .leg = asking->leg->number,
		.channel = asking->number,
		.kind = asking->access.kind,
		.detail = asking->access.detail,
		.pty = asking->pty };

	text_clean(why, sizeof(why), asking->decision.reason, strlen(asking->decision.reason));
	if (fresh_hold(asking->leg, &msg, asking->decision.login_within_s, why, &err))
		return asking_refuse(asking, EXIT_DENIED, "%s", err.text);
	asking->channel->state = CHANNEL_HELD;
	audit_held(asking);
	if (asking->hold)
		hold_park(asking->hold);
	return STEP_HOLD;
}

static enum step login_step(struct asking *asking)
{
	/* another connection has brought a newer login */
	if (asking->decision.hold == HOLD_LOGIN && fresh_already(asking->leg->client)) {
		enum step step = access_judge(asking);
		if (step != STEP_GO_ON)
			return step;
	}
	if (asking->decision.hold != HOLD_LOGIN)
		return STEP_GO_ON;
	if (asking->logged_in)
		return asking_refuse(asking, EXIT_DENIED,
			"the login was not new enough: log in again, and not by an old session of "
			"the provider's");
	return hold_for_login(asking);
}

/* ---- what an allow needs ---- */

static bool must_record(const struct asking *asking)
{
	return asking->decision.obligations.record && asking->decision.obligations.record_required;
}

static int open_session(struct asking *asking, struct err *err)
{
	struct leg *leg = asking->leg;

	if (leg->state == LEG_NAMED && asking->decision.obligations.record &&
		disk_low(leg->client->broker) &&
		!disk_exempt(leg->client->broker, leg->client->who))
		return err_set(err, -ENOSPC, "the gateway has no room for transcripts");
	if (!leg->started)
		leg->started = clock_wall_ms();
	return record_open(leg->record, &asking->decision, leg->started, err);
}

static int prepare(struct asking *asking, struct err *err)
{
	int rc = open_session(asking, err);

	if (!rc)
		rc = record_channel(asking->leg->record, asking->number, &asking->access,
			&asking->decision.obligations, &asking->fd, &asking->cast_max, err);
	if (rc && must_record(asking))
		return rc;
	if (rc) {
		log_warning("session %s: goes on without a transcript: %s", asking->leg->session,
			err->text);
		asking->decision.obligations.record = false;
	}
	return 0;
}

/* Who said yes, and what the guard thought. */
static void add_human_part(const struct asking *asking, json_t *data)
{
	json_t *approvals = json_array();

	for (size_t i = 0; i < asking->grant_count; i++)
		json_array_append_new(approvals, json_string(asking->grants[i].id));
	if (json_array_size(approvals))
		json_object_set(data, "approvals", approvals);
	json_decref(approvals);
	if (asking->judgement)
		json_object_set(data, "guard", asking->judgement);
	if (asking->decision.break_glass)
		json_object_set_new(data, "break_glass", json_true());
}

static int audit(struct asking *asking)
{
	const struct decision *decision = &asking->decision;
	const struct bytes detail = asking->access.detail;
	bool allowed = decision->verdict == VERDICT_ALLOW;
	json_t *data = broker_leg_event(asking->leg);

	json_object_set_new(data, "channel", json_integer(asking->number));
	json_object_set_new(data, "kind", json_string(access_kind_name(asking->access.kind)));
	if (detail.len)
		json_object_set_new(data, "command",
			json_visible(detail.data,
				detail.len < RECORD_DETAIL_MAX ? detail.len : RECORD_DETAIL_MAX));
	json_object_set_new(data, "rule", json_string_or_null(decision->rule));
	json_object_set_new(
		data, "reason", json_visible(decision->reason, strlen(decision->reason)));
	add_human_part(asking, data);
	return broker_audit(
		asking->leg->client->broker, allowed ? "access-allowed" : "access-denied", data);
}

static void log_decision(const struct asking *asking)
{
	const struct leg *leg = asking->leg;
	bool allowed = asking->decision.verdict == VERDICT_ALLOW;

	log_info("session %s: %s %s@%s %s %s: %s", leg->session, broker_leg_user(leg), leg->login,
		leg->target, access_kind_name(asking->access.kind), allowed ? "allowed" : "denied",
		asking->decision.reason);
}

static int begin(struct asking *asking, struct err *err)
{
	struct leg *leg = asking->leg;

	if (leg->state != LEG_NAMED)
		return 0;
	const struct target *target =
		targets_find(leg->client->broker->config->targets, leg->target);
	int rc = dial_start(leg, target, err);
	if (!rc)
		rc = record_begin(leg->record, err) && must_record(asking) ? -EIO : 0;
	if (rc)
		dial_cancel(leg);
	else
		leg->state = LEG_OPEN;
	return rc;
}

static void keep_human_part(const struct asking *asking)
{
	JSON_CLEANUP json_t *more = json_object();

	add_human_part(asking, more);
	if (json_object_size(more))
		record_channel_more(asking->leg->record, asking->number, more);
}

static enum step allow(struct asking *asking)
{
	struct err err = { 0 };

	if (prepare(asking, &err))
		return asking_refuse(asking, EXIT_OURS, "%s", err.text);
	keep_human_part(asking);
	if (glass_opened(asking, &err))
		return asking_refuse(asking, EXIT_OURS, "%s", err.text);
	if (lines_begin(asking, &err))
		return asking_refuse(asking, EXIT_OURS, "%s", err.text);
	if (audit(asking))
		return asking_refuse(asking, EXIT_OURS, "the gateway cannot write its audit log");
	if (begin(asking, &err))
		return asking_refuse(asking, EXIT_OURS, "%s", err.text);
	broker_leg_limit(asking->leg, asking->decision.obligations.session);
	asking->channel->state = CHANNEL_OPEN;
	asking->leg->channels_open++;
	for (size_t i = 0; i < asking->grant_count; i++)
		grant_watch(asking->leg, &asking->grants[i], asking->needs[i].drain);
	return STEP_GO_ON;
}

/* ---- the answer ---- */

static void answer(struct asking *asking)
{
	const struct leg *leg = asking->leg;
	const struct conf *conf = leg->client->broker->config->conf;
	const struct obligations *what = &asking->decision.obligations;
	char title[600];

	snprintf(title, sizeof(title), "%s %s@%s %s", broker_leg_user(leg), leg->login, leg->target,
		access_kind_name(asking->access.kind));
	struct msg_decision out = {
		.leg = leg->number,
		.channel = asking->number,
		.verdict = asking->decision.verdict,
		.exit = asking->exit,
		.rule = (char *)asking->decision.rule,
		.reason = asking->decision.reason,
		.title = title,
	};
	if (asking->decision.verdict == VERDICT_ALLOW) {
		out.record = asking->fd >= 0;
		out.record_required = out.record && what->record_required;
		out.record_input = what->record_input;
		out.idle = what->idle ? what->idle : conf->idle;
		out.session_time = what->session;
		out.stream_keep = (uint64_t)conf->stream_keep;
		out.cast_max = asking->cast_max;
		out.guard = asking->channel->lines;
	}
	link_send(&leg->client->link, IPC_DECISION, 0, &out, &asking->fd, out.record ? 1 : 0);
}

/* ---- the order ---- */

static void asking_release(struct asking *asking)
{
	fd_closep(&asking->fd);
	json_decref(asking->judgement);
	for (size_t i = 0; i < NEEDS_MAX; i++)
		approval_release(&asking->grants[i]);
	asking->grant_count = asking->need_count = 0;
	asking->judgement = NULL;
}

/* All that must be true before anything opens, from the beginning. */
static enum step consider(struct asking *asking)
{
	static enum step (*const steps[])(
		struct asking *) = { access_judge, login_step, guard_step, glass_step, need_step };
	enum step step = STEP_GO_ON;

	asking_release(asking);
	for (size_t i = 0; step == STEP_GO_ON && i < sizeof(steps) / sizeof(steps[0]); i++)
		step = steps[i](asking);
	return step;
}

/* Of two that see the last use of a grant one gets it; the other has to think again. */
static enum step settle(struct asking *asking)
{
	struct err err = { 0 };

	for (int i = 0; i < SETTLE_TRIES; i++) {
		enum step step = consider(asking);
		if (step != STEP_GO_ON)
			return step;
		int rc = need_use(asking, &err);
		if (!rc)
			return allow(asking);
		if (rc != -EALREADY)
			return asking_refuse(asking, EXIT_OURS, "%s", err.text);
	}
	return asking_refuse(asking, EXIT_WAIT, "%s", err.text);
}

static void finish(struct asking *asking, enum step step)
{
	struct held *hold = asking->hold;

	if (step == STEP_DENY) {
		asking->channel->state = CHANNEL_DENIED;
		audit(asking);
	}
	log_decision(asking);
	answer(asking);
	asking_release(asking);
	if (hold)
		hold_free(hold);
}

void access_proceed(struct asking *asking)
{
	if (asking->hold)
		asking->hold->busy = true;
	enum step step = settle(asking);
	if (step == STEP_HOLD) {
		asking_release(asking);
		if (asking->hold)
			asking->hold->busy = false;
	} else {
		finish(asking, step);
	}
}

static int ask_for(
	struct client *client, const struct msg_access *msg, struct leg **ret_leg, struct err *err)
{
	int rc = broker_leg_of(client, msg->leg, ret_leg, err);

	if (rc)
		return rc;
	if (!*ret_leg)
		return err_set(err, -EPROTO, "leg %u has ended or was refused", msg->leg);
	if (msg->kind >= ACCESS_KINDS)
		return err_set(err, -EPROTO, "kind %u is none", msg->kind);
	const struct leg_channel *channel = broker_leg_channel(*ret_leg, msg->channel, true);
	if (!channel)
		return err_set(err, -EPROTO, "too many channels");
	if (channel->state != CHANNEL_NAMED && channel->state != CHANNEL_DENIED)
		return err_set(err, -EPROTO, "channel %u was opened before", msg->channel);
	return 0;
}

struct asking access_asking(struct leg *leg, const struct msg_access *msg)
{
	struct access access = { .who = leg->client->who,
		.source = leg->client->source,
		.target = leg->target,
		.login = leg->login,
		.kind = msg->kind,
		.detail = msg->detail,
		.now = clock_wall() };

	return (struct asking){ .leg = leg,
		.number = msg->channel,
		.pty = msg->pty,
		.access = access,
		.fd = -1,
		.channel = broker_leg_channel(leg, msg->channel, false),
		.hold = hold_find(leg, msg->channel) };
}

int handle_access(struct client *client, const void *data, struct err *err)
{
	const struct msg_access *msg = data;
	struct leg *leg = NULL;
	int rc = ask_for(client, msg, &leg, err);

	if (rc)
		return rc;
	struct asking asking = access_asking(leg, msg);
	access_proceed(&asking);
	return 0;
}

void access_again(struct leg *leg, const struct msg_access *msg)
{
	struct asking asking = access_asking(leg, msg);

	if (!asking.channel || asking.channel->state != CHANNEL_HELD)
		return;
	asking.logged_in = true;
	access_proceed(&asking);
}

void access_refuse(struct leg *leg, const struct msg_access *msg, unsigned exit, const char *words)
{
	struct asking asking = access_asking(leg, msg);

	if (asking.channel && asking.channel->state == CHANNEL_HELD)
		finish(&asking, asking_refuse(&asking, exit, "%s", words));
}
