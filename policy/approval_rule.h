/* `approval` of a rule: who must say yes, how many of them, and what their yes gives.
 *
 * Data, read once with the rule. The queue of requests is not here; it asks for votes with
 * approval_votes() and for voters with ruleset_may_vote(). */
#ifndef BARTIZAN_APPROVAL_RULE_H
#define BARTIZAN_APPROVAL_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/pattern.h"
#include "conf/yaml.h"

#define APPROVAL_VOTES_MAX 16
#define APPROVAL_WINDOW_MAX_MS (30LL * 24 * 3600 * 1000)
#define APPROVAL_EXPIRES_MAX_MS (7LL * 24 * 3600 * 1000)
#define APPROVAL_USES_MAX 1000000
#define APPROVAL_WAIT_MAX_MS (3600LL * 1000)
#define APPROVAL_TICKET_MAX 255 /* bytes of the expression */
#define APPROVAL_WAIT_DEFAULT (-1)

struct approval_rule {
	char *by;			/* a role that the ruleset has */
	unsigned votes;			/* 1 to APPROVAL_VOTES_MAX */
	unsigned ticket_votes;		/* with a reason that names a ticket; at most votes */
	char *ticket;			/* as written; NULL: no reason lowers the number */
	struct pattern *ticket_pattern; /* the same as a whole word */
	int64_t window;			/* ms that the grant lasts, from the last vote on */
	int64_t expires;		/* ms that the request lasts */
	int64_t uses;			/* sessions that the grant opens; 0: any number */
	/* ms that somebody without a terminal waits; APPROVAL_WAIT_DEFAULT:
	 * approvals.wait_without_terminal */
	int64_t wait;
	bool reason_required;
	/* on_expiry: sessions go on when the grant ends, and no new one begins */
	bool drain;
};

/* node is the map. That `by` is a role is the ruleset's to check. */
int approval_rule_load(const struct yaml *node, struct approval_rule **ret, struct err *err);
void approval_rule_free(struct approval_rule *approval);
/* in flow style, as parsed */
int approval_rule_dump(const struct approval_rule *approval, struct buf *out);

/* Votes that a request with this reason needs; reason may be NULL. A reason that cannot be matched
 * lowers nothing. */
unsigned approval_votes(const struct approval_rule *approval, const char *reason);

#endif
