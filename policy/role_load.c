/* Reading one role. A role needs somebody who can have it. */
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

/* Members of a role: names that are compared exactly, so what cannot be a name is a mistake. */
static int load_members(const struct yaml *node, char ***ret, struct err *err)
{
	int rc = yaml_strings(node, RULESET_LIST_MAX, RULESET_TEXT_MAX, ret, err);
	const struct yaml *child = list_first(node);

	for (char **name = rc < 0 ? NULL : *ret; name && *name; name++, child = child->next) {
		char shown[64];
		if (!text_name_ok(*name, strlen(*name)))
			return yaml_error(child, err,
				"'%s' is not a name: names are compared exactly",
				text_clean(shown, sizeof(shown), *name, strlen(*name)));
	}
	return rc;
}

static int load_groups(struct role *role, const struct yaml *node, struct err *err)
{
	return load_members(node, &role->groups, err);
}

static int load_users(struct role *role, const struct yaml *node, struct err *err)
{
	return load_members(node, &role->users, err);
}

/* A claim's name is what a token spells: often a URL. */
static bool claim_name_ok(const char *name)
{
	char shown[4 * ROLE_CLAIM_NAME_MAX + 1];
	size_t len = strlen(name);

	return len > 0 && len <= ROLE_CLAIM_NAME_MAX &&
	       strcmp(text_clean(shown, sizeof(shown), name, len), name) == 0;
}

static int load_claim(struct role *role, const struct yaml *node, struct err *err)
{
	struct claim_want *want = &role->claims[role->claim_count++];
	char shown[64];

	if (!claim_name_ok(node->key))
		return yaml_key_error(node, err, "'%s' is not a name of a claim",
			text_clean(shown, sizeof(shown), node->key, strlen(node->key)));
	want->name = strdup(node->key);
	return want->name ? patterns_load(node, PATTERN_MAX, false, &want->values, err)
			  : no_memory(err);
}

static int load_claims(struct role *role, const struct yaml *node, struct err *err)
{
	if (node->kind != YAML_MAP)
		return yaml_error(node, err, "expected a map of claims");
	if (node->count == 0)
		return yaml_error(node, err, "'claims' is empty: it would never match");
	if (node->count > IDENTITY_CLAIMS_MAX)
		return yaml_error(node, err, "more than %d claims", IDENTITY_CLAIMS_MAX);
	role->claims = calloc(node->count, sizeof(*role->claims));
	int rc = role->claims ? 0 : no_memory(err);
	for (const struct yaml *child = node->child; rc == 0 && child; child = child->next)
		rc = load_claim(role, child, err);
	return rc;
}

static int load_may(struct role *role, const struct yaml *node, struct err *err)
{
	char **list = NULL;
	char shown[64];
	int rc = yaml_strings(node, MAYS, 32, &list, err);
	const struct yaml *child = list_first(node);

	for (char **name = list; rc == 0 && *name; name++, child = child->next) {
		size_t i = 0;
		while (i < MAYS && strcmp(may_names[i].name, *name) != 0)
			i++;
		if (i == MAYS)
			rc = yaml_error(child, err, "'%s' is not a right",
				text_clean(shown, sizeof(shown), *name, strlen(*name)));
		else
			role->may |= may_names[i].may;
	}
	text_list_free(list);
	return rc;
}

static int load_login_within(struct role *role, const struct yaml *node, struct err *err)
{
	return yaml_duration(
		node, LOGIN_WITHIN_MIN_MS, LOGIN_WITHIN_MAX_MS, &role->login_within, err);
}

static int load_lifetime(struct role *role, const struct yaml *node, struct err *err)
{
	return yaml_duration(
		node, ROLE_LIFETIME_MIN_MS, ROLE_LIFETIME_MAX_MS, &role->lifetime, err);
}

static const struct {
	const char *key;
	int (*load)(struct role *role, const struct yaml *node, struct err *err);
} rows[] = {
	{ "groups", load_groups },
	{ "users", load_users },
	{ "claims", load_claims },
	{ "may", load_may },
	{ "login_within", load_login_within },
	{ "lifetime", load_lifetime },
};

int role_load(struct role *role, const struct yaml *node, struct err *err)
{
	char shown[64];

	if (!text_name_ok(node->key, strlen(node->key)))
		return yaml_key_error(node, err, "'%s' is not a good name for a role",
			text_clean(shown, sizeof(shown), node->key, strlen(node->key)));
	int rc = policy_only(node, "roles.*", err);
	if (rc < 0)
		return rc;
	role->name = strdup(node->key);
	if (!role->name)
		return no_memory(err);
	for (size_t i = 0; rc == 0 && i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct yaml *value = yaml_get(node, rows[i].key);
		if (value)
			rc = rows[i].load(role, value, err);
	}
	if (rc == 0 && !role->groups && !role->users && !role->claims)
		rc = yaml_key_error(node, err,
			"role '%s' has none of 'groups', 'users' and 'claims'", role->name);
	return rc;
}

void role_release(struct role *role)
{
	free(role->name);
	text_list_free(role->groups);
	text_list_free(role->users);
	for (size_t i = 0; i < role->claim_count; i++) {
		free(role->claims[i].name);
		patterns_release(&role->claims[i].values);
	}
	free(role->claims);
}
