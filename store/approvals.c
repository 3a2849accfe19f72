/* The queue as rows: create, vote, end, expire, find, use. See approvals.h. */
#include "store/approvals.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/env_block.h"
#include "common/id.h"
#include "common/text.h"
#include "store/holders.h"
#include "store/sql.h"

#define ID_TRIES 32
#define COLUMNS                                                                                \
	"id, provider, subject, user, source, target, login, kind, rule, by, command, exact, " \
	"reason, needed, votes, state, created, decided, "                                     \
	"deadline, window, until, "                                                            \
	"uses_max, uses, note, decided_by, env, inside"

/* ---- the state machine ---- */

static const char *const state_names[APPROVAL_STATES] = { "pending", "approved", "denied",
	"expired", "cancelled", "revoked", "used up" };

#define NO (-1)
static const signed char table[APPROVAL_STATES][APPROVAL_EVENTS] = {
	/* quorum, refuse, timeout, cancel, revoke, last use, give back */
	[APPROVAL_PENDING] = { APPROVAL_APPROVED, APPROVAL_DENIED, APPROVAL_EXPIRED,
		APPROVAL_CANCELLED, NO, NO, NO },
	[APPROVAL_APPROVED] = { NO, NO, APPROVAL_EXPIRED, NO, APPROVAL_REVOKED, APPROVAL_USED_UP,
		APPROVAL_APPROVED },
	[APPROVAL_DENIED] = { NO, NO, NO, NO, NO, NO, NO },
	[APPROVAL_EXPIRED] = { NO, NO, NO, NO, NO, NO, NO },
	[APPROVAL_CANCELLED] = { NO, NO, NO, NO, NO, NO, NO },
	[APPROVAL_REVOKED] = { NO, NO, NO, NO, NO, NO, NO },
	[APPROVAL_USED_UP] = { NO, NO, NO, NO, APPROVAL_REVOKED, NO,
		APPROVAL_APPROVED }, /* sessions that it opened may still run */
};

const char *approval_state_name(enum approval_state state)
{
	return (size_t)state < APPROVAL_STATES ? state_names[state] : "unknown";
}

int approval_next(enum approval_state state, enum approval_event event)
{
	if ((size_t)state >= APPROVAL_STATES || (size_t)event >= APPROVAL_EVENTS ||
		table[state][event] == NO)
		return -EPERM;
	return table[state][event];
}

/* ---- rows ---- */

void approval_release(struct approval *approval)
{
	char *texts[] = { approval->provider, approval->subject, approval->user, approval->source,
		approval->target, approval->login, approval->kind, approval->rule, approval->by,
		approval->reason, approval->note, approval->decided_by };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		free(texts[i]);
	buf_release(&approval->command);
	buf_release(&approval->env);
	buf_release(&approval->inside);
	*approval = (struct approval){ 0 };
}

static int read_texts(sqlite3_stmt *stmt, struct approval *ret)
{
	const struct {
		int column;
		char **to;
	} texts[] = {
		{ 1, &ret->provider },
		{ 2, &ret->subject },
		{ 3, &ret->user },
		{ 4, &ret->source },
		{ 5, &ret->target },
		{ 6, &ret->login },
		{ 7, &ret->kind },
		{ 8, &ret->rule },
		{ 9, &ret->by },
		{ 12, &ret->reason },
		{ 23, &ret->note },
		{ 24, &ret->decided_by },
	};
	int rc = 0;

	for (size_t i = 0; !rc && i < sizeof(texts) / sizeof(texts[0]); i++)
		rc = sql_text(stmt, texts[i].column, texts[i].to);
	return rc;
}

static int read_blobs(sqlite3_stmt *stmt, struct approval *ret)
{
	const struct {
		int column;
		struct buf *to;
	} blobs[] = { { 10, &ret->command }, { 25, &ret->env }, { 26, &ret->inside } };
	int rc = 0;

	for (size_t i = 0; !rc && i < sizeof(blobs) / sizeof(blobs[0]); i++) {
		*blobs[i].to = BUF_INIT(APPROVALS_COMMAND_MAX);
		size_t len = (size_t)sqlite3_column_bytes(stmt, blobs[i].column);
		if (len)
			rc = buf_put(blobs[i].to, sqlite3_column_blob(stmt, blobs[i].column), len);
	}
	return rc;
}

static int read_row(sqlite3_stmt *stmt, struct approval *ret)
{
	*ret = (struct approval){ 0 };
	const char *id = (const char *)sqlite3_column_text(stmt, 0);
	int rc = id && id_short_ok(id) ? read_texts(stmt, ret) : -EBADMSG;
	if (!rc)
		rc = read_blobs(stmt, ret);
	if (rc) {
		approval_release(ret);
		return rc;
	}
	memcpy(ret->id, id, ID_SHORT_LEN + 1);
	ret->exact = sql_int(stmt, 11);
	ret->votes_needed = (unsigned)sql_int(stmt, 13);
	ret->votes = (unsigned)sql_int(stmt, 14);
	ret->state = (enum approval_state)sql_int(stmt, 15);
	ret->created = sql_int(stmt, 16);
	ret->decided = sql_int(stmt, 17);
	ret->deadline = sql_int(stmt, 18);
	ret->window = sql_int(stmt, 19);
	ret->until = sql_int(stmt, 20);
	ret->uses_max = (unsigned)sql_int(stmt, 21);
	ret->uses = (unsigned)sql_int(stmt, 22);
	return 0;
}

/* The first row of a statement; closes it. */
static int one_row(struct store *store, sqlite3_stmt *stmt, struct approval *ret, struct err *err)
{
	int rc = sql_step(store, stmt, err);

	if (rc == 1)
		rc = read_row(stmt, ret);
	else if (!rc)
		rc = -ENOENT;
	sql_close(store, stmt);
	return rc;
}

int approvals_get(struct store *store, const char *id, struct approval *ret, struct err *err)
{
	sqlite3_stmt *stmt = NULL;

	if (!id_short_ok(id))
		return err_set(err, -ENOENT,
			"'%.32s' is not the id of a request: 5 letters and digits", id);
	int rc = sql_query(
		store, &stmt, err, "SELECT " COLUMNS " FROM approvals WHERE id = ?", "t", id);
	if (!rc)
		rc = one_row(store, stmt, ret, err);
	return rc == -ENOENT ? err_set(err, rc, "there is no request '%s'", id) : rc;
}

/* ---- create ---- */

static int within_limits(struct store *store, const struct approval *approval,
	const struct approval_limits *limits, struct err *err)
{
	int64_t mine = 0, all = 0;

	if ((approval->reason && strlen(approval->reason) > APPROVALS_REASON_MAX) ||
		approval->command.len > APPROVALS_COMMAND_MAX)
		return err_set(err, -EMSGSIZE, "the reason or the command is too long");
	if (!approval->votes_needed || approval->votes_needed > APPROVALS_VOTES_MAX)
		return err_set(err, -EINVAL, "a request needs 1 to %d votes", APPROVALS_VOTES_MAX);
	int rc = sql_number(store, &mine, err,
		"SELECT COUNT(*) FROM approvals WHERE state = 0 AND provider = ? AND subject = ?",
		"tt", approval->provider, approval->subject);
	if (!rc)
		rc = sql_number(
			store, &all, err, "SELECT COUNT(*) FROM approvals WHERE state = 0", "");
	if (!rc && limits->per_person && mine >= limits->per_person)
		rc = err_set(err, -EDQUOT,
			"you have %" PRId64
			" requests waiting already: cancel one, or wait for a vote",
			mine);
	if (!rc && limits->total && all >= limits->total)
		rc = err_set(err, -EDQUOT,
			"%" PRId64 " requests are waiting already: the queue is full", all);
	return rc;
}

static int free_id(struct store *store, char id[static ID_SHORT_LEN + 1], struct err *err)
{
	int64_t taken = 1;
	int rc = 0;

	for (int i = 0; !rc && taken && i < ID_TRIES; i++) {
		id_short_new(id);
		rc = sql_number(store, &taken, err,
			"SELECT (SELECT COUNT(*) FROM approvals WHERE id = ?1) + (SELECT COUNT(*) "
			"FROM reviews WHERE id = ?1)",
			"t", id);
	}
	return !rc && taken ? err_set(err, -ENOSPC, "no free id was found") : rc;
}

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

int approvals_create(struct store *store, struct approval *approval, int64_t now_ms,
	const struct approval_limits *limits, struct err *err)
{
	bool mine;
	int rc = sql_enter(store, &mine, err);

	if (rc)
		return rc;
	rc = within_limits(store, approval, limits, err);
	if (!rc)
		rc = free_id(store, approval->id, err);
	if (!rc)
		rc = sql_run(store, err,
			"INSERT INTO approvals VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
			"0, 0, ?, 0, ?, ?, 0, ?, 0, '', '', ?, ?)",
			"ttttttttttbitiiiiibb", approval->id, approval->provider, approval->subject,
			approval->user, or_empty(approval->source), approval->target,
			approval->login, approval->kind, or_empty(approval->rule),
			or_empty(approval->by), buf_bytes(&approval->command),
			(int64_t)approval->exact, or_empty(approval->reason),
			(int64_t)approval->votes_needed, now_ms, approval->deadline,
			approval->window, (int64_t)approval->uses_max, buf_bytes(&approval->env),
			buf_bytes(&approval->inside));
	if (!rc) {
		approval->created = now_ms;
		approval->state = APPROVAL_PENDING;
	}
	return sql_leave(store, mine, rc, err);
}

/* ---- changes of state ---- */

/* Changes the state of a row by the table. The WHERE clause lets only one of two concurrent changes
 * succeed. */
static int move(struct store *store, const struct approval *approval, enum approval_event event,
	const char *by, const char *note, int64_t now_ms, struct err *err)
{
	int next = approval_next(approval->state, event);

	if (next < 0)
		return err_set(err, -EALREADY, "request '%s' is %s", approval->id,
			approval_state_name(approval->state));
	int rc = sql_run(store, err,
		"UPDATE approvals SET state = ?, decided = ?, note = ?, decided_by = ? WHERE id = "
		"? AND state = ?",
		"iittti", (int64_t)next, now_ms, or_empty(note), or_empty(by), approval->id,
		(int64_t)approval->state);
	if (!rc && sql_changes(store) != 1)
		rc = err_set(
			err, -EALREADY, "request '%s' was decided by somebody else", approval->id);
	return rc;
}

static int record_vote(struct store *store, const struct approval *approval,
	const struct vote *vote, int64_t now_ms, struct err *err)
{
	int64_t voted = 0, held = 0;
	int rc = holders_shared(store, approval->provider, approval->subject, vote->who, err);

	if (rc > 0)
		return err_set(err, -EPERM, "you cannot vote on your own request%s (asked as '%s')",
			text_equal(approval->subject, vote->who->subject)
				? ""
				: ", and your key was used to ask for this one",
			approval->user);
	if (rc < 0)
		return rc;
	if (vote->note && strlen(vote->note) > APPROVALS_NOTE_MAX)
		return err_set(err, -EMSGSIZE, "the note is too long");
	rc = sql_number(store, &voted, err,
		"SELECT COUNT(*) FROM votes WHERE approval = ? AND provider = ? AND subject = ?",
		"ttt", approval->id, vote->who->provider, vote->who->subject);
	if (!rc && voted)
		rc = err_set(err, -EEXIST, "you have voted on request '%s' already", approval->id);
	if (!rc)
		rc = sql_number(store, &held, err,
			"SELECT COUNT(*) FROM votes v JOIN key_holders a ON a.provider = "
			"v.provider "
			"AND a.subject = v.subject JOIN key_holders b ON b.key_fp = a.key_fp WHERE "
			"v.approval = ? AND b.provider = ? AND b.subject = ?",
			"ttt", approval->id, vote->who->provider, vote->who->subject);
	if (!rc && held)
		rc = err_set(err, -EEXIST,
			"your key has voted on request '%s' already, under another name",
			approval->id);
	if (!rc)
		rc = sql_run(store, err, "INSERT INTO votes VALUES (?, ?, ?, ?, ?, ?, ?)",
			"ttttiti", approval->id, vote->who->provider, vote->who->subject,
			vote->who->user, (int64_t)vote->approve, or_empty(vote->note), now_ms);
	return rc;
}

/* A voter may reduce the window and the uses that were asked for, but not increase them. */
static int count_vote(struct store *store, struct approval *approval, const struct vote *vote,
	int64_t lapse_ms, int64_t now_ms, struct err *err)
{
	if (vote->window > 0 && vote->window < approval->window)
		approval->window = vote->window;
	if (vote->uses && (!approval->uses_max || vote->uses < approval->uses_max))
		approval->uses_max = vote->uses;
	int rc = sql_run(store, err,
		"UPDATE approvals SET votes = votes + 1, window = ?, uses_max = ? WHERE id = ? AND "
		"state = 0",
		"iit", approval->window, (int64_t)approval->uses_max, approval->id);
	if (rc || ++approval->votes < approval->votes_needed)
		return rc;
	rc = move(store, approval, APPROVAL_QUORUM, vote->who->user, vote->note, now_ms, err);
	if (!rc)
		rc = sql_run(store, err, "UPDATE approvals SET until = ? WHERE id = ?", "it",
			lapse_ms + approval->window, approval->id);
	if (!rc)
		approval->state = APPROVAL_APPROVED;
	return rc;
}

static int vote_inside(struct store *store, struct approval *approval, const struct vote *vote,
	int64_t lapse_ms, int64_t now_ms, struct err *err)
{
	if (approval->state != APPROVAL_PENDING)
		return err_set(err, -EALREADY, "request '%s' is %s", approval->id,
			approval_state_name(approval->state));
	if (lapse_ms >= approval->deadline)
		return err_set(err, -EALREADY, "request '%s' has expired", approval->id);
	int rc = record_vote(store, approval, vote, now_ms, err);
	if (!rc && vote->approve)
		return count_vote(store, approval, vote, lapse_ms, now_ms, err);
	if (!rc)
		rc = move(
			store, approval, APPROVAL_REFUSE, vote->who->user, vote->note, now_ms, err);
	if (!rc)
		approval->state = APPROVAL_DENIED;
	return rc;
}

int approvals_vote(struct store *store, const char *id, const struct vote *vote, int64_t lapse_ms,
	int64_t now_ms, enum approval_state *ret_state, struct err *err)
{
	bool mine;
	struct approval approval = { 0 };
	int rc = sql_enter(store, &mine, err);

	if (rc)
		return rc;
	rc = approvals_get(store, id, &approval, err);
	if (!rc)
		rc = vote_inside(store, &approval, vote, lapse_ms, now_ms, err);
	rc = sql_leave(store, mine, rc, err);
	if (!rc)
		*ret_state = approval.state;
	approval_release(&approval);
	return rc;
}

static int end_by(struct store *store, const char *id, enum approval_event event, const char *by,
	const char *note, int64_t now_ms, struct err *err)
{
	bool mine;
	struct approval approval = { 0 };
	int rc = sql_enter(store, &mine, err);

	if (rc)
		return rc;
	if (note && strlen(note) > APPROVALS_NOTE_MAX)
		rc = err_set(err, -EMSGSIZE, "the reason is too long");
	if (!rc)
		rc = approvals_get(store, id, &approval, err);
	if (!rc)
		rc = move(store, &approval, event, by, note, now_ms, err);
	approval_release(&approval);
	return sql_leave(store, mine, rc, err);
}

int approvals_cancel(struct store *store, const char *id, const char *by, const char *note,
	int64_t now_ms, struct err *err)
{
	return end_by(store, id, APPROVAL_CANCEL, by, note, now_ms, err);
}

int approvals_revoke(struct store *store, const char *id, const char *by, const char *note,
	int64_t now_ms, struct err *err)
{
	return end_by(store, id, APPROVAL_REVOKE, by, note, now_ms, err);
}

int approvals_extend(
	struct store *store, const char *id, int64_t more_ms, int64_t lapse_ms, struct err *err)
{
	if (more_ms <= 0)
		return err_set(err, -EINVAL, "the time of an extension must be more than 0");
	int rc = sql_run(store, err,
		"UPDATE approvals SET until = until + ? WHERE id = ? AND state IN (1, 6) AND until "
		"> ?",
		"iti", more_ms, id, lapse_ms);
	if (!rc && sql_changes(store) != 1)
		rc = err_set(err, -EALREADY, "request '%s' has no grant that is still valid", id);
	return rc;
}

/* ---- expiry ---- */

/* Reads one at a time, so that the visitor may use the store. */
static int next_overdue(
	struct store *store, int64_t lapse_ms, struct approval *ret, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sql_query(store, &stmt, err,
		"SELECT " COLUMNS " FROM approvals WHERE (state = 0 AND deadline <= ?1) OR (state "
		"= 1 AND until <= ?1) LIMIT 1",
		"i", lapse_ms);

	return rc ? rc : one_row(store, stmt, ret, err);
}

int approvals_expire(struct store *store, int64_t lapse_ms, int64_t now_ms,
	approval_visit_fn *visit, void *context, int64_t *ret_next, struct err *err)
{
	struct approval approval;
	int rc;

	while (!(rc = next_overdue(store, lapse_ms, &approval, err))) {
		rc = move(store, &approval, APPROVAL_TIMEOUT, "",
			approval.state == APPROVAL_PENDING ? "nobody decided in time"
							   : "the window is over",
			now_ms, err);
		if (!rc && visit)
			rc = visit(&approval, context); /* with the state before the change */
		approval_release(&approval);
		if (rc)
			return rc;
	}
	if (rc != -ENOENT)
		return rc;
	rc = sql_number(store, ret_next, err,
		"SELECT COALESCE(MIN(CASE state WHEN 0 THEN deadline ELSE until END), -1) FROM "
		"approvals WHERE state <= 1",
		"");
	return rc;
}

/* ---- grants ---- */

static const char find_text[] =
	"SELECT " COLUMNS " FROM approvals WHERE provider = ?1 AND subject = ?2 AND target = ?3 "
	"AND login IN (?4, '" APPROVALS_ANY_LOGIN "')"
	" AND kind = ?5 AND exact = ?6 AND (exact = 0 OR (command = ?7 AND env = ?11 AND inside = "
	"?12)) AND (?8 IS NULL OR rule = "
	"?8) AND (?9 IS NULL OR by = ?9)"
	" AND ((state = 1 AND until > ?10 AND (uses_max = 0 OR uses < uses_max)) OR (state = 0 AND "
	"deadline > ?10))"
	" ORDER BY state DESC, created DESC LIMIT 1";

int approvals_find(struct store *store, const struct approval_scope *scope, bool exact,
	int64_t lapse_ms, struct approval *ret, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sql_query(store, &stmt, err, find_text, "tttttibttibb", scope->who->provider,
		scope->who->subject, scope->target, scope->login, scope->kind, (int64_t)exact,
		scope->command, scope->rule, scope->by, lapse_ms, scope->env, scope->inside);

	return rc ? rc : one_row(store, stmt, ret, err);
}

/* Changes only the state: who decided and when stays as it is. */
static int step(struct store *store, const struct approval *approval, enum approval_event event,
	struct err *err)
{
	int next = approval_next(approval->state, event);

	if (next < 0)
		return err_set(err, -EALREADY, "request '%s' is %s", approval->id,
			approval_state_name(approval->state));
	return sql_run(store, err, "UPDATE approvals SET state = ? WHERE id = ?", "it",
		(int64_t)next, approval->id);
}

int approvals_use(struct store *store, const char *id, const char *session, uint32_t channel,
	int64_t lapse_ms, int64_t now_ms, struct err *err)
{
	bool mine;
	struct approval approval = { 0 };
	int rc = sql_enter(store, &mine, err);

	if (rc)
		return rc;
	rc = sql_run(store, err,
		"UPDATE approvals SET uses = uses + 1 WHERE id = ? AND state = 1 AND until > ? AND "
		"(uses_max = 0 OR uses < uses_max)",
		"ti", id, lapse_ms);
	if (!rc && sql_changes(store) != 1)
		rc = err_set(err, -EALREADY, "the grant of request '%.8s' is over or used up", id);
	if (!rc)
		rc = sql_run(store, err, "INSERT INTO uses VALUES (?, ?, ?, ?)", "ttii", id,
			session, (int64_t)channel, now_ms);
	if (!rc)
		rc = approvals_get(store, id, &approval, err);
	if (!rc && approval.uses_max && approval.uses >= approval.uses_max)
		rc = step(store, &approval, APPROVAL_LAST_USE, err);
	approval_release(&approval);
	return sql_leave(store, mine, rc, err);
}

static int take_out(struct store *store, const char *id, const char *session, struct err *err)
{
	int rc = sql_run(store, err, "DELETE FROM uses WHERE approval = ? AND session = ?", "tt",
		id, session);
	int64_t count = rc ? 0 : sql_changes(store);

	if (!rc && !count)
		return err_set(err, -ENOENT, "session '%s' has not used request '%s'", session, id);
	return rc ? rc
		  : sql_run(store, err, "UPDATE approvals SET uses = uses - ? WHERE id = ?", "it",
			    count, id);
}

int approvals_give_back(
	struct store *store, const char *id, const char *session, int64_t lapse_ms, struct err *err)
{
	bool mine;
	struct approval approval = { 0 };
	int rc = sql_enter(store, &mine, err);

	if (rc)
		return rc;
	rc = approvals_get(store, id, &approval, err);
	if (!rc && (approval.until <= lapse_ms ||
			   approval_next(approval.state, APPROVAL_GIVE_BACK) < 0))
		rc = err_set(err, -ENOENT, "the grant of request '%s' is over", id);
	if (!rc)
		rc = take_out(store, id, session, err);
	if (!rc)
		rc = step(store, &approval, APPROVAL_GIVE_BACK, err);
	approval_release(&approval);
	return sql_leave(store, mine, rc, err);
}

int approvals_uses(
	struct store *store, const char *id, approval_use_fn *visit, void *context, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sql_query(
		store, &stmt, err, "SELECT session, channel FROM uses WHERE approval = ?", "t", id);

	while (!rc && (rc = sql_step(store, stmt, err)) == 1)
		rc = visit((const char *)sqlite3_column_text(stmt, 0), (uint32_t)sql_int(stmt, 1),
			context);
	sql_close(store, stmt);
	return rc;
}

/* ---- lists ---- */

int approvals_each(struct store *store, const struct approval_filter *filter, int64_t lapse_ms,
	approval_visit_fn *visit, void *context, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sql_query(store, &stmt, err,
		"SELECT " COLUMNS " FROM approvals WHERE (?1 < 0 OR state = ?1) AND (?2 IS NULL OR "
		"provider = ?2) AND (?3 IS NULL OR subject = ?3) AND"
		" (NOT ?4 OR (state = 0 AND deadline > ?5) OR (state = 1 AND until > ?5)) ORDER BY "
		"created DESC, id LIMIT ?6",
		"ittiii", (int64_t)filter->state, filter->provider, filter->subject,
		(int64_t)filter->open_only, lapse_ms,
		(int64_t)(filter->limit ? filter->limit : INT32_MAX));

	while (!rc && (rc = sql_step(store, stmt, err)) == 1) {
		struct approval approval;
		rc = read_row(stmt, &approval);
		if (!rc)
			rc = visit(&approval, context);
		approval_release(&approval);
	}
	sql_close(store, stmt);
	return rc;
}

static json_t *voters(struct store *store, const char *id)
{
	sqlite3_stmt *stmt = NULL;
	json_t *list = json_array();

	if (sql_query(store, &stmt, NULL,
		    "SELECT user, approve FROM votes WHERE approval = ? ORDER BY at", "t", id))
		return list;
	while (sql_step(store, stmt, NULL) == 1)
		json_array_append_new(
			list, json_sprintf("%s:%s", sql_int(stmt, 1) ? "approve" : "deny",
				      (const char *)sqlite3_column_text(stmt, 0)));
	sql_close(store, stmt);
	return list;
}

json_t *approval_json(
	struct store *store, const struct approval *approval, int64_t lapse_ms, int64_t now_ms)
{
	bool granted = approval->state == APPROVAL_APPROVED;
	int64_t end = granted ? approval->until : approval->deadline;
	bool open = granted || approval->state == APPROVAL_PENDING;

	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:i, s:i, s:s, s:o, "
			 "s:o, s:b, s:i, s:i, s:s, s:o, s:o}",
		"id", approval->id, "state", approval_state_name(approval->state), "requester",
		json_visible(approval->user, strlen(approval->user)), "target",
		json_visible(approval->target, strlen(approval->target)), "login",
		json_visible(approval->login, strlen(approval->login)), "kind", approval->kind,
		"command",
		approval->command.len
			? json_visible(buf_data(&approval->command), approval->command.len)
			: json_null(),
		"reason", json_visible(approval->reason, strlen(approval->reason)), "created",
		json_time_ms(approval->created), "expires",
		open ? json_time_ms(now_ms + end - lapse_ms) : json_null(), "votes",
		(int)approval->votes, "needed", (int)approval->votes_needed, "by", approval->by,
		"voters", voters(store, approval->id), "note",
		json_visible(approval->note, strlen(approval->note)), "exact", (int)approval->exact,
		"uses", (int)approval->uses, "uses_max", (int)approval->uses_max, "rule",
		approval->rule, "env", env_json(buf_bytes(&approval->env), SIZE_MAX), "inside",
		approval->inside.len
			? json_visible(buf_data(&approval->inside), approval->inside.len)
			: json_null());
}
