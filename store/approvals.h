/* The approval queue: requests, votes, uses, and the reviews that break-glass sessions need.
 *
 * The state machine is one table (approvals.c); each change is one transaction, and of two at the
 * same time one succeeds: the other fails with -EALREADY and the new state. Deadlines and windows
 * are lapse time (lapse.h), so that setting the wall clock changes nothing; wall time is kept too,
 * for people. Nobody may vote on their own request: identities are compared by provider and
 * subject. The caller asks the policy whether somebody may vote at all. */
#ifndef BARTIZAN_APPROVALS_H
#define BARTIZAN_APPROVALS_H

#include <stdbool.h>

#include "common/access.h"
#include "common/id.h"
#include "common/json.h"
#include "store/store.h"

#define APPROVALS_REASON_MAX 1024
#define APPROVALS_NOTE_MAX 1024
#define APPROVALS_COMMAND_MAX 65536
#define APPROVALS_VOTES_MAX 16
#define APPROVALS_ANY_LOGIN "*" /* never a user name: text_name_ok() */

enum approval_state {
	APPROVAL_PENDING,
	APPROVAL_APPROVED,
	APPROVAL_DENIED,
	APPROVAL_EXPIRED,
	APPROVAL_CANCELLED,
	APPROVAL_REVOKED,
	APPROVAL_USED_UP,
	APPROVAL_STATES
};
enum approval_event {
	APPROVAL_QUORUM,
	APPROVAL_REFUSE,
	APPROVAL_TIMEOUT,
	APPROVAL_CANCEL,
	APPROVAL_REVOKE,
	APPROVAL_LAST_USE,
	APPROVAL_GIVE_BACK,
	APPROVAL_EVENTS
};
const char *approval_state_name(enum approval_state state); /* "pending", …, "used up" */
/* The table: the state after the event, or -EPERM if the event is not possible in that state. */
int approval_next(enum approval_state state, enum approval_event event);

struct approval { /* one request; strings owned, released by approval_release() */
	char id[ID_SHORT_LEN + 1];
	char *provider, *subject, *user; /* the requester */
	char *source, *target, *login, *kind;
	char *rule, *by; /* the rule that requires approval; the role that votes */
	/* exact bytes; empty: the whole kind on that target as that login */
	struct buf command;
	/* the environment that goes with it (common/env_block.h), as the rule lets it through */
	struct buf env;
	struct buf inside; /* a typed line: the command at whose terminal; empty: a shell's */
	/* the grant is for these bytes, in this environment, inside of that only (a guard's) */
	bool exact;
	char *reason;		      /* given by the requester; "" : none */
	unsigned votes_needed, votes; /* votes: approvals so far */
	enum approval_state state;
	int64_t created, decided; /* wall ms; decided 0: not yet */
	int64_t deadline;	  /* lapse ms: pending until then */
	int64_t window;		  /* ms that the grant lasts, counted from the last vote */
	int64_t until;		  /* lapse ms: end of the grant; 0 while there is none */
	unsigned uses_max, uses;  /* uses_max 0: unlimited */
	char *note;		  /* of the last vote, denial, cancellation or revocation */
	/* user who gave the deciding vote, cancelled or revoked */
	char *decided_by;
};
void approval_release(struct approval *approval);

struct approval_limits {
	unsigned per_person, total;
}; /* pending at one time */

/* Fills id, created, state. -EDQUOT: too many pending (err says whose limit); -EMSGSIZE: reason or
 * command too long. */
int approvals_create(struct store *store, struct approval *approval, int64_t now_ms,
	const struct approval_limits *limits, struct err *err);
/* -ENOENT */
int approvals_get(struct store *store, const char *id, struct approval *ret, struct err *err);

struct vote {
	const struct identity *who;
	bool approve;
	const char *note;
	int64_t window;
	unsigned uses;
}; /* window, uses: the voter's, narrowing; 0: as asked */
/* Adds one vote. *ret_state is the state afterwards. -EPERM: it is the voter's own request;
 * -EEXIST: has voted already; -EALREADY: not pending any more (its state in err). The vote that
 * completes the quorum begins the window; a denial decides at once. */
int approvals_vote(struct store *store, const char *id, const struct vote *vote, int64_t lapse_ms,
	int64_t now_ms, enum approval_state *ret_state, struct err *err);
/* Cancel (requester or local), revoke (an approved one), extend (lapse ms more). */
int approvals_cancel(struct store *store, const char *id, const char *by, const char *note,
	int64_t now_ms, struct err *err);
int approvals_revoke(struct store *store, const char *id, const char *by, const char *note,
	int64_t now_ms, struct err *err);
/* Extends a grant, also a used up one, whose sessions continue. */
int approvals_extend(
	struct store *store, const char *id, int64_t more_ms, int64_t lapse_ms, struct err *err);
/* Requests whose deadline has passed become expired, grants whose window is over end; visit is
 * called for each. *ret_next: lapse time of the next deadline, -1: none. */
typedef int approval_visit_fn(const struct approval *approval, void *context);
int approvals_expire(struct store *store, int64_t lapse_ms, int64_t now_ms,
	approval_visit_fn *visit, void *context, int64_t *ret_next, struct err *err);

/* ---- requests and grants that end soon (approvals_due.c) ---- */
/* Calls visit for requests and grants whose end is in (after, upto]: once for each, if the caller's
 * bounds follow each other. */
int approvals_ending(struct store *store, int64_t after, int64_t upto, approval_visit_fn *visit,
	void *context, struct err *err);
/* lapse time of the first end later than after; -1: none */
int approvals_next_end(struct store *store, int64_t after, int64_t *ret, struct err *err);

struct approval_scope {
	const struct identity *who;
	const char *target, *login, *kind;
	struct bytes command, env, inside; /* as of struct approval */
	/* NULL: any. A grant counts only if the rule that required it still does */
	const char *rule, *by;
};
/* An open request of the same scope (so that the same command picks it up again), or a grant that
 * covers it now: exact ones by their bytes, environment and place; one that was requested ahead for
 * the login APPROVALS_ANY_LOGIN covers every login. Returns a grant if there is one, else a pending
 * request, else -ENOENT. */
int approvals_find(struct store *store, const struct approval_scope *scope, bool exact,
	int64_t lapse_ms, struct approval *ret, struct err *err);
/* Takes one use of a grant, for a session's channel. -EALREADY: it has no use left (another one may
 * have been faster), is over or revoked. */
int approvals_use(struct store *store, const char *id, const char *session, uint32_t channel,
	int64_t lapse_ms, int64_t now_ms, struct err *err);

/* Gives back the uses that this session took, because nothing was opened. -ENOENT: it took none, or
 * the grant is over or revoked. */
int approvals_give_back(struct store *store, const char *id, const char *session, int64_t lapse_ms,
	struct err *err);

struct approval_filter {
	int state;
	const char *provider, *subject;
	bool open_only;
	unsigned limit;
}; /* state -1: any; open_only: pending, and approved with a window that lasts */
int approvals_each(struct store *store, const struct approval_filter *filter, int64_t lapse_ms,
	approval_visit_fn *visit, void *context, struct err *err); /* newest first */
/* {"id","state","requester","target","login","kind","command","reason","created","expires","votes",
 * "needed","by","voters","note"}:
 * command in visible form. */
json_t *approval_json(
	struct store *store, const struct approval *approval, int64_t lapse_ms, int64_t now_ms);

/* Sessions that an approval opened, for its revocation. */
typedef int approval_use_fn(const char *session, uint32_t channel, void *context);
int approvals_uses(struct store *store, const char *id, approval_use_fn *visit, void *context,
	struct err *err);

/* ---- reviews: a break-glass session stays on this list until somebody else has signed it ---- */
struct review {
	char id[ID_SHORT_LEN + 1];
	char *session, *provider, *subject, *user, *target, *reason, *signed_by, *note;
	int64_t created, signed_at;
};
void review_release(struct review *review);
int reviews_create(struct store *store, const struct identity *who, const char *session,
	const char *target, const char *reason, int64_t now_ms,
	char ret_id[static ID_SHORT_LEN + 1], struct err *err);
/* -EPERM: it is the signer's own session; -EALREADY: signed already. */
int reviews_sign(struct store *store, const char *id, const struct identity *who, const char *note,
	int64_t now_ms, struct err *err);
typedef int review_visit_fn(const struct review *review, void *context);
int reviews_each(struct store *store, bool open_only, review_visit_fn *visit, void *context,
	struct err *err);
json_t *review_json(const struct review *review);

#endif
