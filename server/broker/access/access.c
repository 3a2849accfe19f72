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
#include "common/env_block.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/text.h"
#include "common/wire.h"
#include "policy/decide.h"
#include "server/broker/access/fresh_login.h"
#include "server/broker/access/lines.h"
#include "server/broker/access/wait.h"
#include "server/broker/core/peer.h"
#include "server/broker/dial/dial.h"
#include "server/broker/record/disk.h"
#include "server/broker/record/record.h"

#define SETTLE_TRIES 4
#define ENV_KEPT_MAX 32		    /* variables in an event; the rest is counted */
#define FORCED_SFTP "internal-sftp" /* as a forced command: only file transfer */

/* What the gateway can relay and record so far. */
static const bool possible[ACCESS_KINDS] = {
	[ACCESS_SHELL] = true, [ACCESS_EXEC] = true, [ACCESS_SFTP] = true, [ACCESS_SUBSYSTEM] = true
};

enum step access_request_refuse(struct access_request *request, unsigned exit, const char *fmt, ...)
{
	char words[DECISION_REASON_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(words, sizeof(words), fmt, args);
	va_end(args);
	request->decision.verdict = VERDICT_DENY;
	request->exit = exit;
	text_clean(
		request->decision.reason, sizeof(request->decision.reason), words, strlen(words));
	return STEP_DENY;
}

static bool forced_ok(const struct access_request *request)
{
	const char *forced = request->access.who->force_command;

	if (!forced)
		return true;
	if (request->access.kind == ACCESS_SFTP)
		return !strcmp(forced, FORCED_SFTP);
	struct bytes detail = request->access.detail;
	return request->access.kind == ACCESS_EXEC && detail.len == strlen(forced) &&
	       !memcmp(detail.data, forced, detail.len);
}

/* Reasons of the gateway itself, before any rule is asked. */
static const char *impossible(const struct access_request *request)
{
	if (!possible[request->access.kind])
		return "this gateway does not forward that: shell, exec, sftp and subsystems are "
		       "what it can do";
	if (request->access.detail.len &&
		memchr(request->access.detail.data, 0, request->access.detail.len))
		return "the command holds a NUL byte";
	if (!forced_ok(request))
		return "the certificate allows its forced command only";
	return NULL;
}

/* What runs when its certificate ends may run on. What has not begun may not begin any more:
 * neither what waited for a human, nor one more channel of a connection that is kept open. */
static bool expired(const struct access_request *request)
{
	return request->access.who->expires <= request->access.now;
}

/* The channels of a leg share its connection: one more of them goes where the first has gone, and
 * is judged by what the configuration says of the target now. So both must be the same still. */
static bool moved(const struct access_request *request, const struct target *target)
{
	const struct peer_leg *leg = request->leg;

	return leg->state == LEG_OPEN && !dial_same(leg, target);
}

enum step access_policy(struct access_request *request)
{
	const struct config *config = request->leg->client->broker->config;
	const char *words = impossible(request);

	if (words)
		return access_request_refuse(request, EXIT_DENIED, "%s", words);
	decide(config->ruleset, targets_find(config->targets, request->leg->target),
		&request->access, &request->decision);
	request->exit = request->decision.verdict == VERDICT_DENY ? EXIT_DENIED : 0;
	return request->decision.verdict == VERDICT_DENY ? STEP_DENY : STEP_GO_ON;
}

enum step access_judge(struct access_request *request)
{
	const struct config *config = request->leg->client->broker->config;
	enum step step = access_policy(request);

	if (step == STEP_DENY)
		return step;
	if (request->leg->ending || request->leg->client->leaving)
		return access_request_refuse(request, EXIT_DENIED, "this session is about to end");
	if (request->leg->dial_failure)
		return access_request_refuse(
			request, EXIT_UNREACHABLE, "%s", request->leg->dial_failure);
	if (expired(request))
		return access_request_refuse(request, EXIT_DENIED,
			"the certificate has expired meanwhile: connect again with a new one");
	if (moved(request, targets_find(config->targets, request->leg->target)))
		return access_request_refuse(request, EXIT_WAIT,
			"target '%s' was changed in the configuration since this connection was "
			"made: connect again",
			request->leg->target);
	return STEP_GO_ON;
}

/* ---- a newer login ---- */

static void audit_wait(struct access_request *request)
{
	json_t *data = peer_leg_event(request->leg);

	json_object_set_new(data, "channel", json_integer(request->number));
	json_object_set_new(data, "kind", json_string(access_kind_name(request->access.kind)));
	json_object_set_new(data, "rule", json_string_or_null(request->decision.rule));
	json_object_set_new(data, "reason",
		json_visible(request->decision.reason, strlen(request->decision.reason)));
	json_object_set_new(data, "waits_for", json_string(hold_name(request->decision.hold)));
	broker_audit(request->leg->client->broker, "access-held", data);
}

static enum step wait_for_login(struct access_request *request)
{
	struct err err = { 0 };
	char why[DECISION_REASON_MAX];

	text_clean(why, sizeof(why), request->decision.reason, strlen(request->decision.reason));
	if (fresh_wait(request, why, &err))
		return access_request_refuse(request, EXIT_DENIED, "%s", err.text);
	audit_wait(request);
	return STEP_WAIT;
}

static enum step login_step(struct access_request *request)
{
	/* another connection has brought a newer login */
	if (request->decision.hold == HOLD_LOGIN && fresh_already(request->leg->client)) {
		enum step step = access_judge(request);
		if (step != STEP_GO_ON)
			return step;
	}
	if (request->decision.hold != HOLD_LOGIN)
		return STEP_GO_ON;
	if (request->logged_in)
		return access_request_refuse(request, EXIT_DENIED,
			"the login was not new enough: log in again, and not by an old session of "
			"the provider's");
	return wait_for_login(request);
}

/* ---- what an allow needs ---- */

static bool must_record(const struct access_request *request)
{
	return request->decision.obligations.record &&
	       request->decision.obligations.record_required;
}

static int open_session(struct access_request *request, struct err *err)
{
	struct peer_leg *leg = request->leg;

	if (leg->state == LEG_NAMED && request->decision.obligations.record &&
		disk_low(leg->client->broker) &&
		!disk_exempt(leg->client->broker, leg->client->who))
		return err_set(err, -ENOSPC, "the gateway has no room for transcripts");
	if (!leg->started)
		leg->started = clock_wall_ms();
	return record_open(leg->record, &request->decision, leg->started, err);
}

static int prepare(struct access_request *request, struct err *err)
{
	int rc = open_session(request, err);

	if (!rc)
		rc = record_channel(request->leg->record, request->number, &request->access,
			&request->decision.obligations, &request->fd, &request->cast_max, err);
	if (rc && must_record(request))
		return rc;
	if (rc) {
		log_warning("session %s: goes on without a transcript: %s", request->leg->session,
			err->text);
		request->decision.obligations.record = false;
	}
	return 0;
}

/* Who said yes, and what the guard thought. */
static void add_human_part(const struct access_request *request, json_t *data)
{
	json_t *approvals = json_array();

	for (size_t i = 0; i < request->grant_count; i++)
		json_array_append_new(approvals, json_string(request->grants[i].id));
	if (json_array_size(approvals))
		json_object_set(data, "approvals", approvals);
	json_decref(approvals);
	if (request->judgement)
		json_object_set(data, "guard", request->judgement);
	if (request->decision.break_glass)
		json_object_set_new(data, "break_glass", json_true());
	if (request->env.len)
		json_object_set_new(data, "env", env_json(buf_bytes(&request->env), ENV_KEPT_MAX));
}

static int audit(struct access_request *request)
{
	const struct decision *decision = &request->decision;
	const struct bytes detail = request->access.detail;
	bool allowed = decision->verdict == VERDICT_ALLOW;
	json_t *data = peer_leg_event(request->leg);

	json_object_set_new(data, "channel", json_integer(request->number));
	json_object_set_new(data, "kind", json_string(access_kind_name(request->access.kind)));
	if (detail.len)
		json_object_set_new(data, "command",
			json_visible(detail.data,
				detail.len < RECORD_DETAIL_MAX ? detail.len : RECORD_DETAIL_MAX));
	json_object_set_new(data, "rule", json_string_or_null(decision->rule));
	json_object_set_new(
		data, "reason", json_visible(decision->reason, strlen(decision->reason)));
	add_human_part(request, data);
	return broker_audit(
		request->leg->client->broker, allowed ? "access-allowed" : "access-denied", data);
}

static void log_decision(const struct access_request *request)
{
	const struct peer_leg *leg = request->leg;
	bool allowed = request->decision.verdict == VERDICT_ALLOW;

	log_info("session %s: %s %s@%s %s %s: %s", leg->session, peer_leg_user(leg), leg->login,
		leg->target, access_kind_name(request->access.kind), allowed ? "allowed" : "denied",
		request->decision.reason);
}

static int begin(struct access_request *request, struct err *err)
{
	struct peer_leg *leg = request->leg;

	if (leg->state != LEG_NAMED)
		return 0;
	const struct target *target =
		targets_find(leg->client->broker->config->targets, leg->target);
	int rc = dial_start(leg, target, err);
	if (!rc)
		rc = record_begin(leg->record, err) && must_record(request) ? -EIO : 0;
	if (rc)
		dial_cancel(leg);
	else
		leg->state = LEG_OPEN;
	return rc;
}

static void keep_human_part(const struct access_request *request)
{
	JSON_CLEANUP json_t *more = json_object();

	add_human_part(request, more);
	if (json_object_size(more))
		record_channel_more(request->leg->record, request->number, more);
}

static enum step allow(struct access_request *request)
{
	struct err err = { 0 };

	if (prepare(request, &err))
		return access_request_refuse(request, EXIT_GATEWAY, "%s", err.text);
	keep_human_part(request);
	if (glass_opened(request, &err))
		return access_request_refuse(request, EXIT_GATEWAY, "%s", err.text);
	if (lines_begin(request, &err))
		return access_request_refuse(request, EXIT_GATEWAY, "%s", err.text);
	if (audit(request))
		return access_request_refuse(
			request, EXIT_GATEWAY, "the gateway cannot write its audit log");
	if (begin(request, &err))
		return access_request_refuse(request, EXIT_GATEWAY, "%s", err.text);
	peer_leg_limit(request->leg, request->decision.obligations.session);
	request->channel->state = CHANNEL_OPEN;
	request->leg->channels_open++;
	for (size_t i = 0; i < request->grant_count; i++)
		grant_watch(request->leg, &request->grants[i], request->needs[i].drain);
	return STEP_GO_ON;
}

/* ---- the answer ---- */

static void answer(struct access_request *request)
{
	const struct peer_leg *leg = request->leg;
	const struct conf *conf = leg->client->broker->config->conf;
	const struct obligations *what = &request->decision.obligations;
	char title[600];

	snprintf(title, sizeof(title), "%s %s@%s %s", peer_leg_user(leg), leg->login, leg->target,
		access_kind_name(request->access.kind));
	struct msg_decision out = {
		.leg = leg->number,
		.channel = request->number,
		.verdict = request->decision.verdict,
		.exit = request->exit,
		.rule = (char *)request->decision.rule,
		.reason = request->decision.reason,
		.title = title,
	};
	if (request->decision.verdict == VERDICT_ALLOW) {
		out.record = request->fd >= 0;
		out.record_required = out.record && what->record_required;
		out.record_input = what->record_input;
		out.idle = what->idle ? what->idle : conf->idle;
		out.session_time = what->session;
		out.stream_keep = (uint64_t)conf->stream_keep;
		out.cast_max = request->cast_max;
		out.guard = request->channel->lines;
		out.env = buf_bytes(&request->env);
	}
	link_send(&leg->client->link, IPC_DECISION, 0, &out, &request->fd, out.record ? 1 : 0);
}

/* ---- the order ---- */

static void access_request_release(struct access_request *request)
{
	fd_closep(&request->fd);
	json_decref(request->judgement);
	buf_release(&request->env);
	for (size_t i = 0; i < NEEDS_MAX; i++)
		approval_release(&request->grants[i]);
	request->grant_count = request->need_count = 0;
	request->judgement = NULL;
}

/* All that must be true before anything opens, from the beginning. */
static enum step consider(struct access_request *request)
{
	static enum step (*const steps[])(struct access_request *) = { access_judge, login_step,
		env_step, guard_step, glass_step, need_step };
	enum step step = STEP_GO_ON;

	access_request_release(request);
	for (size_t i = 0; step == STEP_GO_ON && i < sizeof(steps) / sizeof(steps[0]); i++)
		step = steps[i](request);
	return step;
}

/* Of two that see the last use of a grant one gets it; the other has to think again. */
static enum step settle(struct access_request *request)
{
	struct err err = { 0 };

	for (int i = 0; i < SETTLE_TRIES; i++) {
		enum step step = consider(request);
		if (step != STEP_GO_ON)
			return step;
		int rc = need_use(request, &err);
		if (!rc)
			return allow(request);
		if (rc != -EALREADY)
			return access_request_refuse(request, EXIT_GATEWAY, "%s", err.text);
	}
	return access_request_refuse(request, EXIT_WAIT, "%s", err.text);
}

static void finish(struct access_request *request, enum step step)
{
	struct channel_wait *wait = request->wait;

	if (step == STEP_DENY) {
		request->channel->state = CHANNEL_DENIED;
		audit(request);
	}
	log_decision(request);
	answer(request);
	access_request_release(request);
	if (wait)
		channel_wait_free(wait);
}

void access_proceed(struct access_request *request)
{
	enum step step = settle(request);

	if (step == STEP_WAIT)
		access_request_release(request);
	else
		finish(request, step);
}

/* Rules name kinds, so the kind has to be the one that will be requested of the target. */
static bool detail_ok(const struct msg_access *msg)
{
	bool sftp = wire_equal(msg->detail, "sftp");

	if (msg->kind == ACCESS_SFTP)
		return sftp;
	if (msg->kind == ACCESS_SUBSYSTEM)
		return !sftp;
	return msg->kind != ACCESS_SHELL || !msg->detail.len;
}

static int ask_for(struct client *client, const struct msg_access *msg, struct peer_leg **ret_leg,
	struct err *err)
{
	int rc = peer_leg_of(client, msg->leg, ret_leg, err);

	if (rc)
		return rc;
	if (!*ret_leg)
		return err_set(err, -EPROTO, "leg %u has ended or was refused", msg->leg);
	if (msg->kind >= ACCESS_KINDS)
		return err_set(err, -EPROTO, "unknown kind %u", msg->kind);
	if (!detail_ok(msg))
		return err_set(err, -EPROTO, "that is no %s", access_kind_name(msg->kind));
	if (!env_ok(msg->env))
		return err_set(err, -EPROTO, "the environment is malformed");
	const struct peer_channel *channel = peer_leg_channel(*ret_leg, msg->channel, true);
	if (!channel)
		return err_set(err, -EPROTO, "too many channels");
	if (channel->state != CHANNEL_NAMED && channel->state != CHANNEL_DENIED)
		return err_set(err, -EPROTO, "channel %u was opened before", msg->channel);
	return 0;
}

struct access_request access_request_init(struct peer_leg *leg, const struct msg_access *msg)
{
	struct access access = { .who = leg->client->who,
		.source = leg->client->source,
		.target = leg->target,
		.login = leg->login,
		.kind = msg->kind,
		.detail = msg->detail,
		.now = clock_wall() };

	struct peer_channel *channel = peer_leg_channel(leg, msg->channel, false);

	return (struct access_request){ .leg = leg,
		.number = msg->channel,
		.pty = msg->pty,
		.asked_env = msg->env,
		.env = BUF_INIT(IPC_ENV_MAX),
		.access = access,
		.fd = -1,
		.channel = channel,
		.wait = channel ? channel->wait : NULL };
}

int handle_access(struct client *client, const void *data, struct err *err)
{
	const struct msg_access *msg = data;
	struct peer_leg *leg = NULL;
	int rc = ask_for(client, msg, &leg, err);

	if (rc)
		return rc;
	struct access_request request = access_request_init(leg, msg);
	access_proceed(&request);
	return 0;
}

void access_refuse(struct channel_wait *wait, const struct refusal *refusal)
{
	struct access_request request = channel_wait_request(wait);

	finish(&request, access_request_refuse(&request, refusal->exit, "%s", refusal->words));
}
