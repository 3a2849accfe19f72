/* May it happen? Pure: the same access always gives the same decision; no clock, file, database or
 * network. */
#ifndef BARTIZAN_DECIDE_H
#define BARTIZAN_DECIDE_H

#include "common/access.h"
#include "common/buf.h"
#include "policy/ruleset.h"
#include "policy/target.h"

/* The first rule that matches decides; none: deny. A rule that allows may hold: for a recent login
 * first (HOLD_LOGIN), then for votes (HOLD_APPROVAL); who has got either asks again. A predicate
 * that cannot be evaluated is a deny, with the error as the reason. target NULL: no such target,
 * deny. Certificate rights are part of it: a kind whose right the certificate lacks is denied
 * whatever the rules say (exec and shell need none; pty is the session's). */
void decide(const struct ruleset *ruleset, const struct target *target, const struct access *access,
	struct decision *ret);

/* Whether any kind on this target could be allowed for this identity now: for listing targets, and
 * before the gateway spends anything on a leg. */
bool decide_any(const struct ruleset *ruleset, const struct target *target,
	const struct access *access, struct decision *ret);

/* One kind with login and command open: for requests that are made ahead of the access. */
void decide_kind(const struct ruleset *ruleset, const struct target *target,
	const struct access *access, struct decision *ret);

/* Which kinds this identity may use on this target, now or once what holds them is there: a set of
 * bits, 1u << kind. *ret_held, unless NULL: those of them that wait for a login or for votes. Login
 * and command are open as in decide_any(). */
unsigned decide_kinds(const struct ruleset *ruleset, const struct target *target,
	const struct access *access, unsigned *ret_held);

/* The same engine, told to write down each rule it tried and the first predicate that failed: one
 * line a rule. */
int decide_explain(const struct ruleset *ruleset, const struct target *target,
	const struct access *access, struct decision *ret, struct buf *trace);

#endif
