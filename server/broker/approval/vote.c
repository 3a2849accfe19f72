/* What people do to requests: vote, cancel, revoke, extend. Who may is asked of the policy in
 * force, whose request it is of the store.
 *
 * You cannot vote on your own request. The store compares provider and subject; here the name
 * counts as well, in any spelling: an account at a second provider, or on this machine, is not a
 * second person. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "server/broker/approval/queue.h"

#define LOCAL "local:"

/* ---- rights ---- */

static const char *plain_name(const char *user)
{
	return strncmp(user, LOCAL, sizeof(LOCAL) - 1) ? user : user + sizeof(LOCAL) - 1;
}

static bool is_requester(const struct approval *approval, const struct identity *who)
{
	return text_equal(approval->provider, who->provider) &&
	       text_equal(approval->subject, who->subject);
}

bool queue_may_vote(
	struct broker *broker, const struct approval *approval, const struct identity *who)
{
	char role[256];

	if (who->machine)
		return false;
	for (const char *at = approval->by; *at;) {
		size_t len = strcspn(at, ",");
		snprintf(role, sizeof(role), "%.*s",
			(int)(len < sizeof(role) ? len : sizeof(role) - 1), at);
		if (len < sizeof(role) && ruleset_in_role(broker->config->ruleset, role, who))
			return true;
		at += len + (at[len] == ',');
	}
	return false;
}

bool queue_may_see(struct broker *broker, const struct approval *approval,
	const struct identity *who, bool all)
{
	return all || is_requester(approval, who) || queue_may_vote(broker, approval, who);
}

static int check_voter(struct broker *broker, const struct approval *approval,
	const struct identity *who, struct err *err)
{
	if (is_requester(approval, who) ||
		!strcasecmp(plain_name(approval->user), plain_name(who->user)))
		return err_set(err, -EPERM, "you cannot vote on your own request");
	if (!queue_may_vote(broker, approval, who))
		return err_set(err, -EACCES,
			"request '%s' is decided by role '%s', which you do not have%s",
			approval->id, approval->by, who->machine ? ": a machine has no vote" : "");
	if (who->expires <= clock_wall())
		return err_set(
			err, -EACCES, "your certificate has expired: connect again with a new one");
	return 0;
}

/* ---- votes ---- */

int queue_withdraw(struct broker *broker, const char *id, const char *note, struct err *err)
{
	struct approval approval = { 0 };
	int rc = approvals_get(broker->store, id, &approval, err);

	if (rc)
		return rc;
	bool pending = approval.state == APPROVAL_PENDING;
	json_t *event = queue_event(&approval);
	json_object_set_new(event, "by", json_string("the policy"));
	json_object_set_new(event, "note", json_visible(note, strlen(note)));
	approval_release(&approval);
	rc = store_begin(broker->store, err);
	if (rc) {
		json_decref(event);
		return rc;
	}
	rc = pending ? approvals_cancel(broker->store, id, "the policy", note, clock_wall_ms(), err)
		     : approvals_revoke(
			       broker->store, id, "the policy", note, clock_wall_ms(), err);
	rc = queue_commit(
		broker, rc, pending ? "approval-cancelled" : "approval-revoked", event, err);
	if (!rc) {
		waiters_changed(broker, id, WAITER_WITHDRAWN);
		queue_changed(broker, id, "decided");
	}
	return rc;
}

static json_t *vote_event(const struct approval *approval, const struct vote *vote)
{
	json_t *event = queue_event(approval);

	json_object_set_new(event, "by", json_string(vote->who->user));
	json_object_set_new(event, "by_provider", json_string(vote->who->provider));
	json_object_set_new(event, "vote", json_string(vote->approve ? "approve" : "deny"));
	json_object_set_new(event, "note",
		vote->note ? json_visible(vote->note, strlen(vote->note)) : json_null());
	return event;
}

static int count(struct broker *broker, const struct approval *approval, const struct vote *vote,
	enum approval_state *ret_state, struct err *err)
{
	int64_t lapse = 0;
	json_t *event = vote_event(approval, vote);

	/* old ends are dealt with first, as in need_create(): the grant that this vote may make is
	 * not to be announced as about to expire */
	queue_arm(broker);
	int rc = queue_lapse(broker, &lapse, err);
	if (!rc)
		rc = store_begin(broker->store, err);
	if (rc) {
		json_decref(event);
		return rc;
	}
	rc = approvals_vote(
		broker->store, approval->id, vote, lapse, clock_wall_ms(), ret_state, err);
	if (!rc)
		json_object_set_new(event, "state", json_string(approval_state_name(*ret_state)));
	return queue_commit(broker, rc, "approval-vote", event, err);
}

/* Before the deciding vote counts, the policy is asked again for everybody who waits for the
 * request, and where it denies one of them the request is withdrawn. An access that does not wait
 * now is judged when it comes. */
static int last_look(struct broker *broker, const struct approval *approval, struct err *err)
{
	struct err why = { 0 }, ignored = { 0 };

	if (approval->state != APPROVAL_PENDING || approval->votes + 1 < approval->votes_needed ||
		!waiters_recheck(broker, approval->id, &why))
		return 0;
	if (queue_withdraw(broker, approval->id, why.text, &ignored))
		log_error("request %s: %s", approval->id, ignored.text);
	return err_set(err, -ECANCELED,
		"request '%s' is cancelled, for the policy does not allow it now: %s", approval->id,
		why.text);
}

int queue_vote(struct broker *broker, const char *id, const struct vote *vote,
	enum approval_state *ret_state, struct err *err)
{
	struct approval approval = { 0 };
	int rc = approvals_get(broker->store, id, &approval, err);

	if (!rc)
		rc = check_voter(broker, &approval, vote->who, err);
	if (!rc && vote->approve)
		rc = last_look(broker, &approval, err);
	if (!rc)
		rc = count(broker, &approval, vote, ret_state, err);
	if (!rc) {
		log_info("request %s: %s votes %s: %s", approval.id, vote->who->user,
			vote->approve ? "for it" : "against it", approval_state_name(*ret_state));
		queue_changed(
			broker, approval.id, *ret_state == APPROVAL_PENDING ? NULL : "decided");
	}
	approval_release(&approval);
	return rc;
}

/* ---- the rest ---- */

typedef int change_fn(struct store *store, const char *id, const char *by, const char *note,
	int64_t now_ms, struct err *err);

static int change(struct broker *broker, const struct approval *approval, change_fn *fn,
	const char *type, const struct identity *who, const char *note, struct err *err)
{
	json_t *event = queue_event(approval);

	json_object_set_new(event, "by", json_string(who->user));
	json_object_set_new(event, "by_provider", json_string(who->provider));
	json_object_set_new(event, "note", note ? json_visible(note, strlen(note)) : json_null());
	int rc = store_begin(broker->store, err);
	if (rc) {
		json_decref(event);
		return rc;
	}
	rc = queue_commit(broker,
		fn(broker->store, approval->id, who->user, note, clock_wall_ms(), err), type, event,
		err);
	if (!rc)
		log_info("request %s: %s by %s", approval->id, type, who->user);
	return rc;
}

int queue_cancel(struct broker *broker, const char *id, const struct identity *who, bool right,
	const char *note, struct err *err)
{
	struct approval approval = { 0 };
	int rc = approvals_get(broker->store, id, &approval, err);

	if (!rc && !right && !is_requester(&approval, who))
		rc = err_set(err, -EACCES,
			"request '%s' is not yours: who may vote denies it (deny %s --reason …)",
			approval.id, approval.id);
	if (!rc)
		rc = change(
			broker, &approval, approvals_cancel, "approval-cancelled", who, note, err);
	if (!rc)
		queue_changed(broker, approval.id, "decided");
	approval_release(&approval);
	return rc;
}

struct ending {
	struct broker *broker;
	const char *reason;
	unsigned count;
};

static int end_use(const char *session, uint32_t channel, void *context)
{
	(void)channel;
	struct ending *ending = context;
	if (session && broker_session_live(ending->broker, session))
		ending->count += !broker_end_session(ending->broker, session, ending->reason);
	return 0;
}

int queue_revoke(struct broker *broker, const char *id, const struct identity *who, bool right,
	const char *note, unsigned *ret_ended, struct err *err)
{
	struct approval approval = { 0 };
	char reason[512], shown[300];
	int rc = approvals_get(broker->store, id, &approval, err);

	if (!rc && !right && !is_requester(&approval, who) &&
		!queue_may_vote(broker, &approval, who))
		rc = err_set(err, -EACCES,
			"revoking approval '%s' needs the right 'revoke', or role '%s'",
			approval.id, approval.by);
	if (!rc)
		rc = change(
			broker, &approval, approvals_revoke, "approval-revoked", who, note, err);
	if (!rc) {
		snprintf(reason, sizeof(reason), "approval %s was revoked by %.100s%s%s",
			approval.id, who->user, note && *note ? ": " : "",
			note ? text_clean(shown, sizeof(shown), note, strlen(note)) : "");
		struct ending ending = { broker, reason, 0 };
		rc = approvals_uses(broker->store, approval.id, end_use, &ending, err);
		*ret_ended = ending.count;
		queue_changed(broker, approval.id, "decided");
	}
	approval_release(&approval);
	return rc;
}

static int extend(struct broker *broker, const struct approval *approval,
	const struct identity *who, int64_t more_ms, struct err *err)
{
	int64_t lapse = 0;
	int rc = queue_lapse(broker, &lapse, err);

	if (!rc)
		rc = store_begin(broker->store, err);
	if (rc)
		return rc;
	json_t *event = queue_event(approval);
	json_object_set_new(event, "by", json_string(who->user));
	json_object_set_new(event, "by_provider", json_string(who->provider));
	json_object_set_new(event, "more_ms", json_integer(more_ms));
	return queue_commit(broker,
		approvals_extend(broker->store, approval->id, more_ms, lapse, err),
		"approval-extended", event, err);
}

/* Needs the right to vote, for it gives more of what the votes gave; and adds no more at a time
 * than the window that they agreed on. */
int queue_extend(struct broker *broker, const char *id, const struct identity *who, int64_t more_ms,
	struct err *err)
{
	struct approval approval = { 0 };
	char window[64];
	int rc = approvals_get(broker->store, id, &approval, err);

	if (!rc)
		rc = check_voter(broker, &approval, who, err);
	if (!rc && more_ms > approval.window)
		rc = err_set(err, -EINVAL,
			"the window of '%s' is %s: no more can be added at a time", approval.id,
			clock_duration_format(approval.window, window, sizeof(window)));
	if (!rc)
		rc = extend(broker, &approval, who, more_ms, err);
	if (!rc) {
		grants_extended(broker, approval.id, more_ms);
		queue_changed(broker, approval.id, NULL);
	}
	approval_release(&approval);
	return rc;
}
