/* A rule and a role, parsed. Inside of policy/: ruleset*.c, rule_load.c, match.c and decide.c; nobody else looks into a rule. */
#ifndef BARTIZAN_RULE_H
#define BARTIZAN_RULE_H

#include "policy/ruleset.h"
#include "policy/window.h"

struct role {
	char *name;
	char **groups, **users; /* NULL-terminated; NULL when not written */
	unsigned may;
};

struct patterns {
	struct pattern **list;
	size_t count; /* 0: not asked */
};

struct label_want {
	char *name;
	char **values; /* one of them */
};

#define KINDS_ALL ((1u << ACCESS_KINDS) - 1)
#define KIND(kind) (1u << (kind))

struct rule {
	char *name;
	enum verdict verdict;
	unsigned kinds;          /* KIND(…) */
	char **roles;            /* as written */
	uint16_t *role_index;    /* of the same roles in the ruleset */
	size_t role_count;
	char **users, **groups;  /* NULL: not asked */
	struct patterns names;   /* targets, in lower case */
	struct label_want *labels;
	size_t label_count;
	struct patterns logins;
	struct net *sources;
	size_t source_count;
	struct window *hours;    /* NULL: always */
	struct patterns commands;
	struct obligations obligations;
};

struct ruleset {
	struct role *roles;
	size_t role_count;
	struct rule *rules;
	size_t rule_count;
	struct zone *zones[RULESET_ZONES_MAX];
	size_t zone_count;
};

struct rule_loading {
	struct ruleset *ruleset;
	const struct targets *targets;
	struct files *files;
	struct rule *rule;
};

int rule_load(struct rule_loading *loading, const struct yaml *node, struct err *err); /* fills loading->rule */
void rule_release(struct rule *rule);
int role_find(const struct ruleset *ruleset, const char *name); /* index, or -1 */
bool role_matches(const struct role *role, const struct identity *who);

#endif
