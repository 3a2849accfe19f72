/* The policy as data: roles, guards and rules in order, parsed and checked. Deciding is decide.h.
 */
#ifndef BARTIZAN_RULESET_H
#define BARTIZAN_RULESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/access.h"
#include "common/addr.h"
#include "common/err.h"
#include "common/files.h"
#include "common/pattern.h"
#include "conf/yaml.h"
#include "policy/target.h"

#define RULESET_RULES_MAX 10000
#define RULESET_ROLES_MAX 1000
#define RULESET_LIST_MAX 10000 /* entries of one list of a rule or role */
#define RULESET_TEXT_MAX 255   /* a name */
#define RULESET_ZONES_MAX 64
#define RULESET_DUMP_MAX (16 * 1024 * 1024)

enum may { /* rights beyond one's own sessions */
	MAY_SESSIONS = 1,
	MAY_REPLAY = 2,
	MAY_KILL = 4,
	MAY_REVOKE = 8,
	MAY_HOSTS = 16,
	MAY_AUDIT = 32,
	MAY_ALL = 63,
};
const char *may_name(enum may may);

struct ruleset;

/* root is the configuration's map; reads `roles`, `guards` and `rules`. The files of time zones are
 * read through files. */
int ruleset_load(const struct yaml *root, const struct targets *targets, struct files *files,
	struct ruleset **ret, struct err *err);
/* `roles`, `guards` and `rules` as YAML, as parsed */
int ruleset_dump(const struct ruleset *ruleset, struct buf *out);
size_t ruleset_count(const struct ruleset *ruleset); /* rules */
void ruleset_free(struct ruleset *ruleset);

bool ruleset_has_role(const struct ruleset *ruleset, const char *role);
bool ruleset_in_role(const struct ruleset *ruleset, const char *role, const struct identity *who);
/* MAY_* of all roles that match */
unsigned ruleset_may(const struct ruleset *ruleset, const struct identity *who);
/* Names of the matching roles, NULL-terminated, names borrowed, array freed by the caller with
 * free(). */
const char **ruleset_roles(const struct ruleset *ruleset, const struct identity *who);

/* The names of the claims that roles ask for, NULL-terminated, borrowed: what an identity must keep
 * of a token. At most IDENTITY_CLAIMS_MAX. */
const char *const *ruleset_claim_names(const struct ruleset *ruleset);
/* The lifetime of a certificate in milliseconds: the shortest of all roles that match, and of
 * fallback_ms. */
int64_t ruleset_lifetime(
	const struct ruleset *ruleset, const struct identity *who, int64_t fallback_ms);

/* Whether a role that a `by` names lets this identity vote: it has the role, and is no machine.
 * That nobody votes on their own request is not known here: see identity_same(). */
/* of a guard's `by` */
bool ruleset_role_votes(
	const struct ruleset *ruleset, const char *role, const struct identity *who);
bool ruleset_may_vote(const struct ruleset *ruleset, const struct approval_rule *approval,
	const struct identity *who);
/* The users that the role names, NULL-terminated, borrowed: who may be asked, as far as the policy
 * knows; its groups and claims may have more. */
char *const *ruleset_role_users(const struct ruleset *ruleset, const char *role);
/* The guard of the rule of that name, and what the rule says of approvals (NULL: nothing). NULL:
 * there is no such rule, or it has no guard. */
const struct guards *ruleset_guards(const struct ruleset *ruleset);
/* the shells that a login of the rule may have, for guard_judge_for(); 0: any */
unsigned ruleset_shells(const struct ruleset *ruleset, const char *rule);
const struct guard *ruleset_guard(
	const struct ruleset *ruleset, const char *rule, const struct approval_rule **ret_approval);

#endif
