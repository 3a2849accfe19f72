/* Which approvals an access needs, whether they are there, and requests for those that are not. See
 * server/broker/access/access.h.
 *
 * A grant counts only under the rule and the roles that it was asked under, and only while the
 * policy asks for no more votes than it has got. */
#include "server/broker/access/need.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "policy/approval_rule.h"
#include "server/broker/access/wait.h"

#define GUARD_WINDOW_MS (15 * 60000LL) /* of an exact approval in a rule without `approval` */
#define GUARD_EXPIRES_MS (15 * 60000LL)
#define GUARD_USES 1
#define STALE_MAX 16 /* requests on terms that have changed: as many are withdrawn at one look */

/* ---- what is needed ---- */

static int join(const char *const *roles, char *out, size_t size)
{
	size_t len = 0;

	for (size_t i = 0; roles[i]; i++) {
		int n = snprintf(out + len, size - len, "%s%s", i ? "," : "", roles[i]);
		if (n < 0 || (size_t)n >= size - len)
			return -E2BIG;
		len += (size_t)n;
	}
	return len ? 0 : -EINVAL;
}

int need_fill(struct need *need, bool exact, const char *const *roles,
	const struct approval_rule *settings, const struct conf *conf)
{
	*need = (struct need){ .exact = exact,
		.settings = settings,
		.window = GUARD_WINDOW_MS,
		.expires = GUARD_EXPIRES_MS,
		.uses = GUARD_USES,
		.wait = conf->wait_without_terminal,
		.drain = true };
	if (settings) {
		need->window = settings->window;
		need->expires = settings->expires;
		need->uses = (unsigned)settings->uses;
		need->drain = settings->drain;
		if (settings->wait != APPROVAL_WAIT_DEFAULT)
			need->wait = settings->wait;
	}
	return join(roles, need->by, sizeof(need->by));
}

int need_add(struct access_request *request, bool exact, const char *const *roles,
	const struct approval_rule *settings)
{
	if (request->need_count == NEEDS_MAX)
		return -E2BIG;
	return need_fill(&request->needs[request->need_count++], exact, roles, settings,
		request->leg->client->broker->config->conf);
}

/* Votes for these very bytes, which a guard asks of a role, count for the rule as well where it
 * asks the same role. */
static bool covered(const struct access_request *request, const char *role)
{
	size_t len = strlen(role);

	for (size_t i = 0; i < request->need_count; i++)
		if (!strncmp(request->needs[i].by, role, len) && !request->needs[i].by[len])
			return true;
	return false;
}

/* ---- is it there ---- */

unsigned need_votes(const struct need *need, const char *reason)
{
	return need->settings ? approval_votes(need->settings, reason) : 1;
}

static const char *stale_words(const struct need *need, const struct approval *found)
{
	return found->votes_needed < need_votes(need, found->reason)
		       ? "the policy asks for more votes now"
		       : NULL;
}

int need_find(struct broker *broker, const struct need *need, const struct approval_scope *scope,
	int64_t lapse, struct approval *ret, struct err *err)
{
	for (int i = 0; i < STALE_MAX; i++) {
		int rc = approvals_find(broker->store, scope, need->exact, lapse, ret, err);
		const char *words = rc ? NULL : stale_words(need, ret);
		if (rc || !words)
			return rc;
		rc = queue_withdraw(broker, ret->id, words, err);
		approval_release(ret);
		if (rc)
			return rc;
	}
	return -ENOENT;
}

/* ---- request ---- */

static int copy(char **to, const char *from)
{
	*to = strdup(from ? from : "");
	return *to ? 0 : -ENOMEM;
}

int need_request(struct broker *broker, const struct need *need, const struct need_wish *wish,
	struct approval *ret, struct err *err)
{
	const struct approval_scope *scope = wish->scope;
	int64_t lapse = 0;

	*ret = (struct approval){ .exact = need->exact,
		.votes_needed = need_votes(need, wish->reason),
		.uses_max = need->uses,
		.window = wish->window && wish->window < need->window ? wish->window : need->window,
		.command = BUF_INIT(APPROVALS_COMMAND_MAX),
		.env = BUF_INIT(APPROVALS_COMMAND_MAX),
		.inside = BUF_INIT(APPROVALS_COMMAND_MAX) };
	const struct {
		char **to;
		const char *from;
	} texts[] = {
		{ &ret->provider, scope->who->provider },
		{ &ret->subject, scope->who->subject },
		{ &ret->user, scope->who->user },
		{ &ret->source, wish->source },
		{ &ret->target, scope->target },
		{ &ret->login, scope->login },
		{ &ret->kind, scope->kind },
		{ &ret->rule, scope->rule },
		{ &ret->by, need->by },
		{ &ret->reason, wish->reason },
		{ &ret->note, "" },
		{ &ret->decided_by, "" },
	};
	int rc = queue_lapse(broker, &lapse, err);
	for (size_t i = 0; !rc && i < sizeof(texts) / sizeof(texts[0]); i++)
		rc = copy(texts[i].to, texts[i].from);
	if (!rc)
		rc = buf_put(&ret->command, scope->command.data, scope->command.len);
	if (!rc)
		rc = buf_put(&ret->env, scope->env.data, scope->env.len);
	if (!rc)
		rc = buf_put(&ret->inside, scope->inside.data, scope->inside.len);
	ret->deadline = lapse + need->expires;
	if (rc && !*err->text)
		err_set(err, rc, "%s",
			rc == -ENOMEM ? "the gateway is out of memory"
				      : "the command is too long to be approved");
	return rc;
}

int need_create(
	struct broker *broker, struct approval *approval, const char *session, struct err *err)
{
	const struct conf *conf = broker->config->conf;
	const struct approval_limits limits = { (unsigned)conf->pending_per_person,
		(unsigned)conf->pending_total };

	/* old requests are expired first, so that the new one is not announced as about to expire
	 */
	queue_arm(broker);
	if (strlen(approval->reason) > (size_t)conf->reason_max)
		return err_set(err, -EMSGSIZE, "the reason is longer than %lld bytes",
			(long long)conf->reason_max);
	int rc = store_begin(broker->store, err);
	if (rc)
		return rc;
	rc = approvals_create(broker->store, approval, clock_wall_ms(), &limits, err);
	json_t *event = queue_event(approval);
	json_object_set_new(
		event, "reason", json_visible(approval->reason, strlen(approval->reason)));
	json_object_set_new(event, "source", json_string(approval->source));
	json_object_set_new(event, "session", json_string_or_null(session));
	json_object_set_new(event, "needed", json_integer(approval->votes_needed));
	rc = queue_commit(broker, rc, "approval-requested", event, err);
	if (!rc) {
		log_info("request %s: %s asks for %s on %s as %s: %u votes of '%s'", approval->id,
			approval->user, approval->kind, approval->target, approval->login,
			approval->votes_needed, approval->by);
		queue_changed(broker, approval->id, "created");
	}
	return rc;
}

/* ---- the step of an access ---- */

static struct approval_scope scope_of(const struct access_request *request, const struct need *need)
{
	const struct access *access = &request->access;

	return (struct approval_scope){ .who = access->who,
		.target = access->target,
		.login = access->login,
		.kind = access_kind_name(access->kind),
		.command = access->detail,
		.env = buf_bytes(&request->env),
		.rule = request->decision.rule ? request->decision.rule : "",
		.by = need->by };
}

static bool blank(const char *text)
{
	return !text || !text[strspn(text, " \t")];
}

/* True: the person has to be asked for a reason first. */
static bool reason_wanted(const struct access_request *request, const struct need *need)
{
	const struct channel_wait *wait = request->wait;

	if (!need->settings || (wait && !blank(wait->reason)))
		return false;
	if (need->settings->reason_required)
		return true;
	/* a ticket may lower the number of votes: asked for once, and an empty answer is taken */
	return need->settings->ticket && request->pty && !(wait && wait->reason);
}

static enum step ask_reason(struct access_request *request, const struct need *need)
{
	const struct access *access = &request->access;
	char prompt[300];

	if (!request->pty)
		return access_request_refuse(request, EXIT_DENIED,
			"a reason is required: ssh GATEWAY request %s --kind %s --login %s "
			"--reason '…', then run this again",
			access->target, access_kind_name(access->kind), access->login);
	if (request->wait && request->wait->asked >= ACCESS_QUESTIONS_MAX)
		return access_request_refuse(
			request, EXIT_DENIED, "a reason is required, and none was given");
	snprintf(prompt, sizeof(prompt), "reason for this request%s%.200s:",
		need->settings->ticket ? ", with a ticket " : "",
		need->settings->ticket ? need->settings->ticket : "");
	return channel_wait_ask(request, ASKS_REASON,
		(size_t)request->leg->client->broker->config->conf->reason_max, prompt);
}

/* What is said of a request that could not be made. */
static unsigned exit_of(int rc)
{
	if (rc == -EDQUOT)
		return EXIT_WAIT;
	return rc == -EMSGSIZE ? EXIT_DENIED : EXIT_GATEWAY;
}

static enum step need_request_new(
	struct access_request *request, const struct need *need, const struct approval_scope *scope)
{
	struct broker *broker = request->leg->client->broker;
	struct approval approval = { 0 };
	struct err err = { 0 };
	const struct need_wish wish = { .scope = scope,
		.source = request->leg->client->source_text,
		.reason = request->wait ? request->wait->reason : NULL };

	if (reason_wanted(request, need))
		return ask_reason(request, need);
	int rc = need_request(broker, need, &wish, &approval, &err);
	if (!rc)
		rc = need_create(broker, &approval, request->leg->session, &err);
	enum step step;
	if (rc)
		step = access_request_refuse(request, exit_of(rc), "%s", err.text);
	else
		step = channel_wait_for(request, need, &approval, true);
	approval_release(&approval);
	return step;
}

static enum step meet(struct access_request *request, const struct need *need, int64_t lapse)
{
	struct approval_scope scope = scope_of(request, need);
	struct approval *approval = &request->grants[request->grant_count];
	struct err err = { 0 };
	int rc = need_find(request->leg->client->broker, need, &scope, lapse, approval, &err);

	if (rc == -ENOENT)
		return need_request_new(request, need, &scope);
	if (rc)
		return access_request_refuse(
			request, EXIT_GATEWAY, "the approval queue cannot be read: %s", err.text);
	if (approval->state == APPROVAL_APPROVED) {
		request->grant_count++;
		return STEP_GO_ON;
	}
	enum step step = channel_wait_for(request, need, approval, false);
	approval_release(approval);
	return step;
}

static void tell_who(struct access_request *request)
{
	struct decision *decision = &request->decision;
	size_t len = 0;

	decision->verdict = VERDICT_ALLOW;
	decision->hold = HOLD_NONE;
	for (size_t i = 0; i < request->grant_count && len < sizeof(decision->reason); i++)
		len += (size_t)snprintf(decision->reason + len, sizeof(decision->reason) - len,
			"%s%.100s approved by %.300s", i ? ", " : "request ", request->grants[i].id,
			request->grants[i].decided_by);
}

enum step need_step(struct access_request *request)
{
	const struct approval_rule *rule =
		request->decision.hold == HOLD_APPROVAL ? request->decision.approval : NULL;
	struct err err = { 0 };
	int64_t lapse = 0;
	enum step step = STEP_GO_ON;

	if (rule && !covered(request, rule->by) &&
		need_add(request, false, (const char *const[]){ rule->by, NULL }, rule))
		return access_request_refuse(
			request, EXIT_GATEWAY, "this needs more approvals than can be asked for");
	if (!request->need_count)
		return STEP_GO_ON;
	if (queue_lapse(request->leg->client->broker, &lapse, &err))
		return access_request_refuse(request, EXIT_GATEWAY, "%s", err.text);
	for (size_t i = 0; step == STEP_GO_ON && i < request->need_count; i++)
		step = meet(request, &request->needs[i], lapse);
	if (step == STEP_GO_ON)
		tell_who(request);
	return step;
}

int need_use(struct access_request *request, struct err *err)
{
	struct broker *broker = request->leg->client->broker;
	int64_t lapse = 0;
	int rc = request->grant_count ? queue_lapse(broker, &lapse, err) : 0;

	if (rc || !request->grant_count)
		return rc;
	rc = store_begin(broker->store, err);
	if (rc)
		return rc;
	for (size_t i = 0; !rc && i < request->grant_count; i++)
		rc = approvals_use(broker->store, request->grants[i].id, request->leg->session,
			request->number, lapse, clock_wall_ms(), err);
	if (rc)
		store_rollback(broker->store);
	else
		rc = store_commit(broker->store, err);
	for (size_t i = 0; !rc && i < request->grant_count; i++)
		queue_shown(broker, request->grants[i].id);
	return rc;
}
