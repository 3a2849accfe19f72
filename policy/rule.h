/* A rule and a role, parsed. Inside of policy/: ruleset*.c, rule_load.c, match.c and decide.c;
 * nobody else looks into a rule. */
#ifndef BARTIZAN_RULE_H
#define BARTIZAN_RULE_H

#include "policy/approval_rule.h"
#include "policy/env.h"
#include "policy/guard.h"
#include "policy/list.h"
#include "policy/ruleset.h"
#include "policy/window.h"

#define LOGIN_WITHIN_MIN_MS 1000LL
#define LOGIN_WITHIN_MAX_MS (30LL * 24 * 3600 * 1000)
#define ROLE_LIFETIME_MIN_MS (60LL * 1000) /* as certificates.lifetime */
#define ROLE_LIFETIME_MAX_MS (7LL * 24 * 3600 * 1000)
#define ROLE_CLAIM_NAME_MAX 255

struct claim_want { /* one of the claim's values fits one of the patterns */
	char *name;
	struct patterns values;
};

struct role {
	char *name;
	char **groups, **users;	   /* NULL-terminated; NULL when not written */
	struct claim_want *claims; /* all of them */
	size_t claim_count;	   /* 0: not asked */
	unsigned may;
	int64_t login_within; /* ms; 0: no matter */
	int64_t lifetime;     /* ms of a certificate; 0: no matter */
};

struct label_want {
	char *name;
	char **values; /* one of them */
};

#define KINDS_GUARDED (KIND(ACCESS_SHELL) | KIND(ACCESS_EXEC)) /* those with command lines */
#define KINDS_ALL ((1u << ACCESS_KINDS) - 1)
#define KIND(kind) (1u << (kind))

struct rule {
	char *name;
	enum verdict verdict;
	unsigned kinds;	      /* KIND(…) */
	char **roles;	      /* as written */
	uint16_t *role_index; /* of the same roles in the ruleset */
	size_t role_count;
	char **users, **groups; /* NULL: not asked */
	struct patterns names;	/* targets, in lower case */
	struct label_want *labels;
	size_t label_count;
	struct patterns logins;
	struct net *sources;
	size_t source_count;
	struct window *hours; /* NULL: always */
	struct patterns commands;
	struct obligations obligations;
	int64_t login_within;		/* ms; 0: no matter */
	struct approval_rule *approval; /* NULL: none is needed */
	struct env_rule env;		/* what goes to the target */
	const struct guard *guard;	/* of the ruleset; NULL: none judges */
	const struct rule_shell *shell; /* of the login; NULL: any */
	bool break_glass;
};

struct ruleset {
	struct role *roles;
	size_t role_count;
	struct guards *guards;
	struct rule *rules;
	size_t rule_count;
	struct zone *zones[RULESET_ZONES_MAX];
	size_t zone_count;
	/* that roles ask for, each once; borrowed from them */
	const char *claim_names[IDENTITY_CLAIMS_MAX + 1];
};

struct rule_shell { /* a value of `shell` */
	const char *name;
	unsigned shells; /* shellwords.h */
};

struct rule_loading {
	struct ruleset *ruleset;
	const struct targets *targets;
	struct files *files;
	struct rule *rule;
};

/* fills loading->rule */
int rule_load(struct rule_loading *loading, const struct yaml *node, struct err *err);
void rule_release(struct rule *rule);
int role_find(const struct ruleset *ruleset, const char *name); /* index, or -1 */

/* role.c, role_load.c */
int role_load(struct role *role, const struct yaml *node, struct err *err);
void role_release(struct role *role);
/* an error: a claim that cannot be matched */
enum pattern_answer role_match(const struct role *role, const struct identity *who);
/* for certain */
bool role_matches(const struct role *role, const struct identity *who);

#endif
