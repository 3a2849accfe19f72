/* Roles and rules as a whole: reading them, freeing them, and who has which role. */
#include "policy/rule.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "policy/keys.h"

static const struct {
	const char *name;
	enum may may;
} may_names[] = {
	{ "sessions", MAY_SESSIONS },
	{ "replay", MAY_REPLAY },
	{ "kill", MAY_KILL },
	{ "revoke", MAY_REVOKE },
	{ "hosts", MAY_HOSTS },
	{ "audit", MAY_AUDIT },
};
#define MAYS (sizeof(may_names) / sizeof(may_names[0]))

const char *may_name(enum may may)
{
	for (size_t i = 0; i < MAYS; i++)
		if (may_names[i].may == may)
			return may_names[i].name;
	return "unknown";
}

static int no_memory(struct err *err)
{
	return err_set(err, -ENOMEM, "out of memory");
}

static void patterns_release(struct patterns *patterns)
{
	for (size_t i = 0; i < patterns->count; i++)
		pattern_free(patterns->list[i]);
	free(patterns->list);
}

void rule_release(struct rule *rule)
{
	free(rule->name);
	yaml_strings_free(rule->roles);
	free(rule->role_index);
	yaml_strings_free(rule->users);
	yaml_strings_free(rule->groups);
	patterns_release(&rule->names);
	for (size_t i = 0; i < rule->label_count; i++) {
		free(rule->labels[i].name);
		yaml_strings_free(rule->labels[i].values);
	}
	free(rule->labels);
	patterns_release(&rule->logins);
	free(rule->sources);
	free(rule->hours);
	patterns_release(&rule->commands);
}

void ruleset_free(struct ruleset *ruleset)
{
	if (!ruleset)
		return;
	for (size_t i = 0; i < ruleset->rule_count; i++)
		rule_release(&ruleset->rules[i]);
	for (size_t i = 0; i < ruleset->role_count; i++) {
		free(ruleset->roles[i].name);
		yaml_strings_free(ruleset->roles[i].groups);
		yaml_strings_free(ruleset->roles[i].users);
	}
	for (size_t i = 0; i < ruleset->zone_count; i++)
		zone_free(ruleset->zones[i]);
	free(ruleset->rules);
	free(ruleset->roles);
	free(ruleset);
}

static int load_may(const struct yaml *node, unsigned *may, struct err *err)
{
	char **list = NULL;
	char shown[64];
	int rc = yaml_strings(node, MAYS, 32, &list, err);
	const struct yaml *child = node->kind == YAML_LIST ? node->child : node;
	for (char **name = list; rc == 0 && *name; name++, child = child->next) {
		size_t i = 0;
		while (i < MAYS && strcmp(may_names[i].name, *name) != 0)
			i++;
		if (i == MAYS)
			rc = yaml_error(child, err, "'%s' is not a right", text_clean(shown, sizeof(shown), *name, strlen(*name)));
		else
			*may |= may_names[i].may;
	}
	yaml_strings_free(list);
	return rc;
}

/* Members of a role: names that are compared exactly, so what cannot be a name is a mistake. */
static int load_members(const struct yaml *node, char ***ret, struct err *err)
{
	int rc = node ? yaml_strings(node, RULESET_LIST_MAX, RULESET_TEXT_MAX, ret, err) : 0;
	const struct yaml *child = node && node->kind == YAML_LIST ? node->child : node;
	for (char **name = rc < 0 ? NULL : *ret; name && *name; name++, child = child->next) {
		char shown[64];
		if (!text_name_ok(*name, strlen(*name)))
			return yaml_error(
				child, err, "'%s' is not a name: names are compared exactly", text_clean(shown, sizeof(shown), *name, strlen(*name)));
	}
	return rc;
}

static int load_role(struct role *role, const struct yaml *node, struct err *err)
{
	char shown[64];
	if (!text_name_ok(node->key, strlen(node->key)))
		return yaml_key_error(
			node, err, "'%s' is not a good name for a role", text_clean(shown, sizeof(shown), node->key, strlen(node->key)));
	int rc = policy_only(node, "roles.*", err);
	if (rc < 0)
		return rc;
	const struct yaml *may = yaml_get(node, "may");
	role->name = strdup(node->key);
	rc = role->name ? load_members(yaml_get(node, "groups"), &role->groups, err) : no_memory(err);
	if (rc == 0)
		rc = load_members(yaml_get(node, "users"), &role->users, err);
	if (rc == 0 && may)
		rc = load_may(may, &role->may, err);
	if (rc == 0 && !role->groups && !role->users)
		rc = yaml_key_error(node, err, "role '%s' has neither 'groups' nor 'users'", role->name);
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
		rc = load_role(&set->roles[set->role_count++], child, err);
	return rc;
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const struct rule *const *)a)->name, (*(const struct rule *const *)b)->name);
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
		for (const struct rule *later = list[i - 1] > list[i] ? list[i - 1] : list[i]; later > set->rules; later--)
			node = node->next;
		return yaml_error(yaml_get(node, "name"), err, "the rule '%s' is there twice", list[i]->name);
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

int ruleset_load(const struct yaml *root, const struct targets *targets, struct files *files, struct ruleset **ret, struct err *err)
{
	struct rule_loading loading = { .ruleset = calloc(1, sizeof(struct ruleset)), .targets = targets, .files = files };
	int rc = loading.ruleset ? load_roles(loading.ruleset, yaml_get(root, "roles"), err) : no_memory(err);
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

bool role_matches(const struct role *role, const struct identity *who)
{
	for (char **user = role->users; user && *user; user++)
		if (text_equal(*user, who->user))
			return true;
	for (char **group = role->groups; group && *group; group++)
		if (identity_in_group(who, *group))
			return true;
	return false;
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
