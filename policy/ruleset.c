/* Roles and rules as a whole: reading them, freeing them, and what the roles that somebody has come
 * to together. One role is role.c. */
#include "policy/rule.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "policy/keys.h"

static int no_memory(struct err *err)
{
	return err_set(err, -ENOMEM, "out of memory");
}

void rule_release(struct rule *rule)
{
	free(rule->name);
	text_list_free(rule->roles);
	free(rule->role_index);
	text_list_free(rule->users);
	text_list_free(rule->groups);
	patterns_release(&rule->names);
	for (size_t i = 0; i < rule->label_count; i++) {
		free(rule->labels[i].name);
		text_list_free(rule->labels[i].values);
	}
	free(rule->labels);
	patterns_release(&rule->logins);
	free(rule->sources);
	free(rule->hours);
	patterns_release(&rule->commands);
	env_rule_release(&rule->env);
	approval_rule_free(rule->approval);
}

void ruleset_free(struct ruleset *ruleset)
{
	if (!ruleset)
		return;
	for (size_t i = 0; i < ruleset->rule_count; i++)
		rule_release(&ruleset->rules[i]);
	for (size_t i = 0; i < ruleset->role_count; i++)
		role_release(&ruleset->roles[i]);
	for (size_t i = 0; i < ruleset->zone_count; i++)
		zone_free(ruleset->zones[i]);
	free(ruleset->rules);
	guards_free(ruleset->guards);
	free(ruleset->roles);
	free(ruleset);
}

/* Each name once; there is room for as many as an identity keeps. */
static int add_claim_name(
	struct ruleset *set, const char *name, const struct yaml *role, struct err *err)
{
	size_t i = 0;

	while (set->claim_names[i] && strcmp(set->claim_names[i], name) != 0)
		i++;
	if (i == IDENTITY_CLAIMS_MAX)
		return yaml_error(yaml_get(role, "claims"), err,
			"the roles ask for more than %d claims", IDENTITY_CLAIMS_MAX);
	set->claim_names[i] = name;
	return 0;
}

static int load_one_role(struct ruleset *set, const struct yaml *node, struct err *err)
{
	struct role *role = &set->roles[set->role_count++];
	int rc = role_load(role, node, err);

	for (size_t i = 0; rc == 0 && i < role->claim_count; i++)
		rc = add_claim_name(set, role->claims[i].name, node, err);
	return rc;
}

static int load_roles(struct ruleset *set, const struct yaml *roles, struct err *err)
{
	if (!roles)
		return 0;
	if (roles->kind != YAML_MAP)
		return yaml_error(roles, err, "expected a map of roles");
	if (roles->count > RULESET_ROLES_MAX)
		return yaml_error(roles, err, "more than %d roles", RULESET_ROLES_MAX);
	set->roles = calloc(roles->count + 1, sizeof(*set->roles));
	int rc = set->roles ? 0 : no_memory(err);
	for (const struct yaml *child = roles->child; rc == 0 && child; child = child->next)
		rc = load_one_role(set, child, err);
	return rc;
}

static bool is_role(const char *role, const void *set)
{
	return role_find(set, role) >= 0;
}

static int load_guards(struct ruleset *set, const struct yaml *guards, struct err *err)
{
	int rc = guards_load(guards, &set->guards, err);

	return rc < 0 ? rc : guards_check_roles(set->guards, is_role, set, err);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(
		(*(const struct rule *const *)a)->name, (*(const struct rule *const *)b)->name);
}

static int unique_names(const struct ruleset *set, const struct yaml *rules, struct err *err)
{
	FREE_CLEANUP const struct rule **list = calloc(set->rule_count + 1, sizeof(*list));

	if (!list)
		return no_memory(err);
	for (size_t i = 0; i < set->rule_count; i++)
		list[i] = &set->rules[i];
	qsort(list, set->rule_count, sizeof(*list), by_name);
	for (size_t i = 1; i < set->rule_count; i++) {
		if (strcmp(list[i - 1]->name, list[i]->name) != 0)
			continue;
		const struct yaml *node = rules->child;
		for (const struct rule *later = list[i - 1] > list[i] ? list[i - 1] : list[i];
			later > set->rules; later--)
			node = node->next;
		return yaml_error(
			yaml_get(node, "name"), err, "the rule '%s' is there twice", list[i]->name);
	}
	return 0;
}

static int load_rules(struct rule_loading *loading, const struct yaml *rules, struct err *err)
{
	struct ruleset *set = loading->ruleset;

	if (!rules)
		return 0;
	if (rules->kind != YAML_LIST)
		return yaml_error(rules, err, "expected a list of rules");
	if (rules->count > RULESET_RULES_MAX)
		return yaml_error(rules, err, "more than %d rules", RULESET_RULES_MAX);
	set->rules = calloc(rules->count + 1, sizeof(*set->rules));
	int rc = set->rules ? 0 : no_memory(err);
	for (const struct yaml *child = rules->child; rc == 0 && child; child = child->next) {
		loading->rule = &set->rules[set->rule_count++];
		rc = rule_load(loading, child, err);
	}
	return rc < 0 ? rc : unique_names(set, rules, err);
}

int ruleset_load(const struct yaml *root, const struct targets *targets, struct files *files,
	struct ruleset **ret, struct err *err)
{
	struct rule_loading loading = {
		.ruleset = calloc(1, sizeof(struct ruleset)), .targets = targets, .files = files
	};
	int rc = loading.ruleset ? load_roles(loading.ruleset, yaml_get(root, "roles"), err)
				 : no_memory(err);

	if (rc == 0)
		rc = load_guards(loading.ruleset, yaml_get(root, "guards"), err);
	if (rc == 0)
		rc = load_rules(&loading, yaml_get(root, "rules"), err);
	if (rc < 0) {
		ruleset_free(loading.ruleset);
		return rc;
	}
	*ret = loading.ruleset;
	return 0;
}

size_t ruleset_count(const struct ruleset *ruleset)
{
	return ruleset->rule_count;
}

int role_find(const struct ruleset *ruleset, const char *name)
{
	for (size_t i = 0; i < ruleset->role_count; i++)
		if (strcmp(ruleset->roles[i].name, name) == 0)
			return (int)i;
	return -1;
}

bool ruleset_has_role(const struct ruleset *ruleset, const char *role)
{
	return role_find(ruleset, role) >= 0;
}

bool ruleset_in_role(const struct ruleset *ruleset, const char *role, const struct identity *who)
{
	int index = role_find(ruleset, role);

	return index >= 0 && role_matches(&ruleset->roles[index], who);
}

unsigned ruleset_may(const struct ruleset *ruleset, const struct identity *who)
{
	unsigned may = 0;

	for (size_t i = 0; i < ruleset->role_count; i++)
		if (role_matches(&ruleset->roles[i], who))
			may |= ruleset->roles[i].may;
	return may;
}

const char **ruleset_roles(const struct ruleset *ruleset, const struct identity *who)
{
	const char **list = calloc(ruleset->role_count + 1, sizeof(*list));
	size_t count = 0;

	for (size_t i = 0; list && i < ruleset->role_count; i++)
		if (role_matches(&ruleset->roles[i], who))
			list[count++] = ruleset->roles[i].name;
	return list;
}

const char *const *ruleset_claim_names(const struct ruleset *ruleset)
{
	return ruleset->claim_names;
}

/* A role that may match shortens, too. */
int64_t ruleset_lifetime(
	const struct ruleset *ruleset, const struct identity *who, int64_t fallback_ms)
{
	int64_t lifetime = fallback_ms;

	for (size_t i = 0; i < ruleset->role_count; i++) {
		const struct role *role = &ruleset->roles[i];
		if (role->lifetime > 0 && role->lifetime < lifetime &&
			role_match(role, who) != PATTERN_NO)
			lifetime = role->lifetime;
	}
	return lifetime;
}

bool ruleset_role_votes(const struct ruleset *ruleset, const char *role, const struct identity *who)
{
	return !who->machine && ruleset_in_role(ruleset, role, who);
}

bool ruleset_may_vote(const struct ruleset *ruleset, const struct approval_rule *approval,
	const struct identity *who)
{
	return ruleset_role_votes(ruleset, approval->by, who);
}

const struct guard *ruleset_guard(
	const struct ruleset *ruleset, const char *rule, const struct approval_rule **ret_approval)
{
	for (size_t i = 0; i < ruleset->rule_count; i++) {
		const struct rule *found = &ruleset->rules[i];
		if (strcmp(found->name, rule) != 0)
			continue;
		*ret_approval = found->approval;
		return found->guard;
	}
	return NULL;
}

const struct guards *ruleset_guards(const struct ruleset *ruleset)
{
	return ruleset->guards;
}

unsigned ruleset_shells(const struct ruleset *ruleset, const char *rule)
{
	for (size_t i = 0; i < ruleset->rule_count; i++)
		if (!strcmp(ruleset->rules[i].name, rule))
			return ruleset->rules[i].shell ? ruleset->rules[i].shell->shells : 0;
	return 0;
}

char *const *ruleset_role_users(const struct ruleset *ruleset, const char *role)
{
	static char *const nobody[] = { NULL };
	int index = role_find(ruleset, role);

	return index >= 0 && ruleset->roles[index].users ? ruleset->roles[index].users : nobody;
}
