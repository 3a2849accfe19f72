/* Reading one rule: a row for each key that a rule may have. Whatever is written and empty is an
 * error: a predicate that was meant and is not there would make a rule match more than its author
 * thinks. */
#include "policy/rule.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "policy/keys.h"
#include "policy/list.h"

#define DAY_MS (24LL * 3600 * 1000)
#define SESSION_MS_MAX (365 * DAY_MS)
#define DAY_MINUTES 1440

static int no_memory(struct err *err)
{
	return err_set(err, -ENOMEM, "out of memory");
}

static int load_name(struct rule_loading *loading, const struct yaml *node, struct err *err)
{
	const char *text = NULL;
	char shown[64];
	int rc = yaml_text(node, RULESET_TEXT_MAX, &text, err);

	if (rc < 0)
		return rc;
	if (!text_name_ok(text, strlen(text)))
		return yaml_error(node, err, "'%s' is not a good name for a rule",
			text_clean(shown, sizeof(shown), text, strlen(text)));
	loading->rule->name = strdup(text);
	return loading->rule->name ? 0 : no_memory(err);
}

static int load_kinds(struct rule_loading *loading, const struct yaml *node, enum verdict verdict,
	struct err *err)
{
	char **list = NULL;
	char shown[64];
	int rc = list_texts(node, 64, &list, err);

	if (rc < 0)
		return rc;
	const struct yaml *child = list_first(node);
	loading->rule->verdict = verdict;
	for (char **name = list; rc == 0 && *name; name++, child = child->next) {
		enum access_kind kind = ACCESS_KINDS;
		if (strcmp(*name, "*") == 0)
			loading->rule->kinds = KINDS_ALL;
		else if (access_kind_parse(*name, &kind) == 0)
			loading->rule->kinds |= KIND(kind);
		else
			rc = yaml_error(child, err, "'%s' is not a kind of access",
				text_clean(shown, sizeof(shown), *name, strlen(*name)));
	}
	text_list_free(list);
	return rc;
}

static int load_allow(struct rule_loading *loading, const struct yaml *node, struct err *err)
{
	return load_kinds(loading, node, VERDICT_ALLOW, err);
}

static int load_deny(struct rule_loading *loading, const struct yaml *node, struct err *err)
{
	return load_kinds(loading, node, VERDICT_DENY, err);
}

static int load_roles(struct rule_loading *loading, const struct yaml *node, struct err *err)
{
	struct rule *rule = loading->rule;
	int rc = list_names(node, "role", &rule->roles, err);

	if (rc < 0)
		return rc;
	size_t count = 0;
	while (rule->roles[count])
		count++;
	rule->role_index = calloc(count, sizeof(*rule->role_index));
	if (!rule->role_index)
		return no_memory(err);
	const struct yaml *child = list_first(node);
	for (; rule->role_count < count; rule->role_count++, child = child->next) {
		int index = role_find(loading->ruleset, rule->roles[rule->role_count]);
		if (index < 0)
			return yaml_error(
				child, err, "there is no role '%s'", rule->roles[rule->role_count]);
		rule->role_index[rule->role_count] = (uint16_t)index;
	}
	return 0;
}

static int load_users(struct rule_loading *loading, const struct yaml *node, struct err *err)
{
	return list_names(node, "user", &loading->rule->users, err);
}

static int load_groups(struct rule_loading *loading, const struct yaml *node, struct err *err)
{
	return list_names(node, "group", &loading->rule->groups, err);
}

/* A name must be a target's; a pattern must fit the name of one, unless targets are patterns
 * themselves. */
static bool names_a_target(
	const struct targets *targets, const char *text, const struct pattern *pattern)
{
	if (!strpbrk(text, "*?") && strncmp(text, "re:", 3) != 0)
		return targets_find(targets, text) != NULL;
	for (size_t i = 0; i < targets_count(targets); i++) {
		const struct target *target = targets_at(targets, i);
		char name[TARGET_NAME_MAX + 1];
		snprintf(name, sizeof(name), "%s", target->name);
		list_lower(name);
		if (target->is_pattern || pattern_match(pattern, name, strlen(name)) == PATTERN_YES)
			return true;
	}
	return false;
}

static int load_target_names(struct rule_loading *loading, const struct yaml *node, struct err *err)
{
	struct patterns *list = &loading->rule->names;
	int rc = patterns_load(node, TARGET_NAME_MAX, true, list, err);
	const struct yaml *child = list_first(node);

	for (size_t i = 0; rc == 0 && i < list->count; i++, child = child->next) {
		char shown[64];
		const char *text = pattern_text(list->list[i]);
		if (!names_a_target(loading->targets, text, list->list[i]))
			rc = yaml_error(child, err, "there is no target '%s'",
				text_clean(shown, sizeof(shown), text, strlen(text)));
	}
	return rc;
}

static bool label_is_used(const struct targets *targets, const char *name)
{
	for (size_t i = 0; i < targets_count(targets); i++)
		if (target_label(targets_at(targets, i), name))
			return true;
	return false;
}

static int load_label(struct rule_loading *loading, const struct yaml *node, struct err *err)
{
	struct label_want *want = &loading->rule->labels[loading->rule->label_count++];
	char shown[64];

	if (!label_is_used(loading->targets, node->key))
		return yaml_key_error(node, err, "no target has a label '%s'",
			text_clean(shown, sizeof(shown), node->key, strlen(node->key)));
	want->name = strdup(node->key);
	return want->name ? list_texts(node, TARGET_TEXT_MAX, &want->values, err) : no_memory(err);
}

static int load_target_labels(
	struct rule_loading *loading, const struct yaml *node, struct err *err)
{
	if (node->kind != YAML_MAP)
		return yaml_error(node, err, "expected a map of labels");
	if (node->count == 0)
		return yaml_error(node, err, "'labels' is empty: it would never match");
	if (node->count > TARGET_LABELS_MAX)
		return yaml_error(node, err, "more than %d labels", TARGET_LABELS_MAX);
	loading->rule->labels = calloc(node->count, sizeof(*loading->rule->labels));
	int rc = loading->rule->labels ? 0 : no_memory(err);
	for (const struct yaml *child = node->child; rc == 0 && child; child = child->next)
		rc = load_label(loading, child, err);
	return rc;
}

static int load_targets(struct rule_loading *loading, const struct yaml *node, struct err *err)
{
	if (node->kind != YAML_MAP)
		return load_target_names(loading, node, err);
	int rc = policy_only(node, "rules[].targets", err);
	if (rc < 0)
		return rc;
	const struct yaml *list = yaml_get(node, "names"), *labels = yaml_get(node, "labels");
	if (!list && !labels)
		return yaml_error(node, err, "expected a list of names, or labels or names");
	if (list)
		rc = load_target_names(loading, list, err);
	return rc == 0 && labels ? load_target_labels(loading, labels, err) : rc;
}

static int load_logins(struct rule_loading *loading, const struct yaml *node, struct err *err)
{
	return patterns_load(node, RULESET_TEXT_MAX, false, &loading->rule->logins, err);
}

static int load_commands(struct rule_loading *loading, const struct yaml *node, struct err *err)
{
	return patterns_load(node, PATTERN_MAX, false, &loading->rule->commands, err);
}

static int load_sources(struct rule_loading *loading, const struct yaml *node, struct err *err)
{
	struct rule *rule = loading->rule;
	char **list = NULL;
	int rc = list_texts(node, ADDR_TEXT_MAX, &list, err);

	if (rc < 0)
		return rc;
	rule->sources = calloc(node->count + 1, sizeof(*rule->sources));
	rc = rule->sources ? 0 : no_memory(err);
	const struct yaml *child = list_first(node);
	for (size_t i = 0; rc == 0 && list[i]; i++, child = child->next) {
		struct err why = { 0 };
		if (net_parse(list[i], &rule->sources[i], &why) < 0)
			rc = yaml_error(child, err, "%s", why.text);
		else
			rule->source_count++;
	}
	text_list_free(list);
	return rc;
}

static int find_zone(
	struct rule_loading *loading, const char *name, const struct zone **ret, struct err *err)
{
	struct ruleset *set = loading->ruleset;

	for (size_t i = 0; i < set->zone_count; i++) {
		if (strcmp(zone_name(set->zones[i]), name) == 0) {
			*ret = set->zones[i];
			return 0;
		}
	}
	if (set->zone_count == RULESET_ZONES_MAX)
		return err_set(err, -E2BIG, "more than %d time zones", RULESET_ZONES_MAX);
	int rc = zone_load(loading->files, name, &set->zones[set->zone_count], err);
	if (rc == 0)
		*ret = set->zones[set->zone_count++];
	return rc;
}

static int load_days(const struct yaml *node, struct window *window, struct err *err)
{
	char **list = NULL;
	int rc = node ? list_texts(node, 64, &list, err) : 0;

	if (rc < 0)
		return rc;
	window->days = node ? 0 : WINDOW_EVERY_DAY;
	for (char **text = list; rc == 0 && text && *text; text++) {
		uint8_t days = 0;
		if (window_parse_days(*text, &days) < 0)
			rc = yaml_error(node, err, "expected days such as mon-fri or [mon, wed]");
		window->days |= days;
	}
	text_list_free(list);
	return rc;
}

static int load_time(const struct yaml *node, int *minutes, struct err *err)
{
	const char *text = NULL;
	int rc = node ? yaml_text(node, 16, &text, err) : 0;

	if (node && rc == 0 && window_parse_time(text, minutes) < 0)
		rc = yaml_error(node, err, "expected a time such as \"08:00\"");
	return rc;
}

static int load_zone(struct rule_loading *loading, const struct yaml *node, struct window *window,
	struct err *err)
{
	const char *text = "UTC";
	struct err why = { 0 };
	int rc = node ? yaml_text(node, ZONE_NAME_MAX, &text, err) : 0;

	if (rc < 0)
		return rc;
	rc = find_zone(loading, text, &window->zone, &why);
	return rc < 0 && node ? yaml_error(node, err, "%s", why.text)
	       : rc < 0	      ? err_set(err, rc, "%s", why.text)
			      : 0;
}

static int load_hours(struct rule_loading *loading, const struct yaml *node, struct err *err)
{
	struct window *window = calloc(1, sizeof(*window));
	int rc = policy_only(node, "rules[].hours", err);

	loading->rule->hours = window;
	if (!window)
		return no_memory(err);
	window->to = DAY_MINUTES;
	if (rc == 0 && node->count == 0)
		rc = yaml_error(node, err, "'hours' is empty");
	if (rc == 0)
		rc = load_days(yaml_get(node, "days"), window, err);
	if (rc == 0)
		rc = load_time(yaml_get(node, "from"), &window->from, err);
	if (rc == 0)
		rc = load_time(yaml_get(node, "to"), &window->to, err);
	if (rc == 0 &&
		(window->from == window->to || window->from == DAY_MINUTES || window->to == 0))
		rc = yaml_error(node, err, "from and to leave no time between them");
	return rc == 0 ? load_zone(loading, yaml_get(node, "zone"), window, err) : rc;
}

static int load_record(struct rule_loading *loading, const struct yaml *node, struct err *err)
{
	const char *text = NULL;
	struct obligations *obligations = &loading->rule->obligations;
	int rc = yaml_text(node, 16, &text, err);

	if (rc < 0)
		return rc;
	obligations->record = strcmp(text, "off") != 0;
	obligations->record_required = strcmp(text, "required") == 0;
	if (obligations->record && !obligations->record_required && strcmp(text, "optional") != 0)
		return yaml_error(node, err, "expected required, optional or off");
	return 0;
}

static int load_record_input(struct rule_loading *loading, const struct yaml *node, struct err *err)
{
	return yaml_bool(node, &loading->rule->obligations.record_input, err);
}

static int load_limits(struct rule_loading *loading, const struct yaml *node, struct err *err)
{
	struct obligations *obligations = &loading->rule->obligations;
	int rc = policy_only(node, "rules[].limits", err);
	const struct yaml *idle = yaml_get(node, "idle"), *session = yaml_get(node, "session");

	if (rc == 0 && idle)
		rc = yaml_duration(idle, 0, SESSION_MS_MAX, &obligations->idle, err);
	if (rc == 0 && session)
		rc = yaml_duration(session, 0, SESSION_MS_MAX, &obligations->session, err);
	return rc;
}

static int load_login_within(struct rule_loading *loading, const struct yaml *node, struct err *err)
{
	return yaml_duration(
		node, LOGIN_WITHIN_MIN_MS, LOGIN_WITHIN_MAX_MS, &loading->rule->login_within, err);
}

static int load_approval(struct rule_loading *loading, const struct yaml *node, struct err *err)
{
	struct rule *rule = loading->rule;
	int rc = approval_rule_load(node, &rule->approval, err);

	if (rc == 0 && role_find(loading->ruleset, rule->approval->by) < 0)
		return yaml_error(
			yaml_get(node, "by"), err, "there is no role '%s'", rule->approval->by);
	return rc;
}

static int load_guard(struct rule_loading *loading, const struct yaml *node, struct err *err)
{
	const char *text = NULL;
	char shown[64];
	int rc = yaml_text(node, GUARD_NAME_MAX, &text, err);

	if (rc < 0)
		return rc;
	loading->rule->guard = guards_find(loading->ruleset->guards, text);
	return loading->rule->guard ? 0
				    : yaml_error(node, err, "there is no guard '%s'",
					      text_clean(shown, sizeof(shown), text, strlen(text)));
}

static int load_env(struct rule_loading *loading, const struct yaml *node, struct err *err)
{
	return env_rule_load(node, &loading->rule->env, err);
}

/* sh is bash on some systems. */
static const struct rule_shell shells[] = { { "bash", SHELL_BASH }, { "zsh", SHELL_ZSH },
	{ "fish", SHELL_FISH }, { "sh", SHELL_SH | SHELL_BASH } };

static int load_shell(struct rule_loading *loading, const struct yaml *node, struct err *err)
{
	const char *text = NULL;
	int rc = yaml_text(node, GUARD_NAME_MAX, &text, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < sizeof(shells) / sizeof(*shells); i++) {
		if (!strcmp(text, shells[i].name)) {
			loading->rule->shell = &shells[i];
			return 0;
		}
	}
	return yaml_error(node, err, "expected bash, zsh, fish or sh");
}

static int load_break_glass(struct rule_loading *loading, const struct yaml *node, struct err *err)
{
	return yaml_bool(node, &loading->rule->break_glass, err);
}

static const struct {
	const char *key;
	int (*load)(struct rule_loading *loading, const struct yaml *node, struct err *err);
	bool only_allow; /* an obligation: has no meaning where nothing is allowed */
} rows[] = {
	{ "name", load_name, false },
	{ "allow", load_allow, false },
	{ "deny", load_deny, false },
	{ "roles", load_roles, false },
	{ "users", load_users, false },
	{ "groups", load_groups, false },
	{ "targets", load_targets, false },
	{ "logins", load_logins, false },
	{ "sources", load_sources, false },
	{ "hours", load_hours, false },
	{ "commands", load_commands, false },
	{ "record", load_record, true },
	{ "record_input", load_record_input, true },
	{ "limits", load_limits, true },
	{ "login_within", load_login_within, true },
	{ "approval", load_approval, true },
	{ "guard", load_guard, true },
	{ "env", load_env, true },
	{ "shell", load_shell, true },
	{ "break_glass", load_break_glass, true },
};

static int check_shape(const struct yaml *node, struct err *err)
{
	int rc = policy_only(node, "rules[]", err);

	if (rc < 0)
		return rc;
	if (!yaml_get(node, "name"))
		return yaml_error(node, err, "a rule needs a 'name'");
	if (!yaml_get(node, "allow") == !yaml_get(node, "deny"))
		return yaml_error(node, err, "a rule needs either 'allow' or 'deny'");
	return 0;
}

/* What each key cannot know of the others. */
static int check_whole(const struct rule *rule, const struct yaml *node, struct err *err)
{
	const struct yaml *glass = yaml_get(node, "break_glass");

	if (rule->commands.count > 0 && !(rule->kinds & KIND(ACCESS_EXEC)))
		return yaml_error(node, err,
			"rule '%s': 'commands' only ever matches exec, which this rule does not "
			"name",
			rule->name);
	if (rule->guard && !(rule->kinds & KINDS_GUARDED))
		return yaml_key_error(yaml_get(node, "guard"), err,
			"'guard' only judges exec and shell, which rule '%s' does not name",
			rule->name);
	if (rule->shell && !rule->guard)
		return yaml_key_error(yaml_get(node, "shell"), err,
			"'shell' tells the guard how to read: it has a meaning only beside "
			"'guard'");
	if (rule->break_glass && !rule->obligations.record_required)
		return yaml_key_error(glass, err, "'break_glass' needs 'record: required'");
	if (rule->break_glass && rule->approval)
		return yaml_key_error(glass, err,
			"'break_glass' opens at once: with 'approval' it has no meaning");
	return 0;
}

int rule_load(struct rule_loading *loading, const struct yaml *node, struct err *err)
{
	struct rule *rule = loading->rule;
	int rc = check_shape(node, err);

	rule->obligations = (struct obligations){ .record = true, .record_required = true };
	for (size_t i = 0; rc == 0 && i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct yaml *value = yaml_get(node, rows[i].key);
		if (value && rows[i].only_allow && rule->verdict != VERDICT_ALLOW)
			rc = yaml_key_error(value, err, "'%s' has no meaning in a rule that denies",
				rows[i].key);
		else if (value)
			rc = rows[i].load(loading, value, err);
	}
	if (rc < 0)
		return rc;
	if (rule->verdict == VERDICT_DENY)
		rule->obligations = (struct obligations){ 0 };
	return check_whole(rule, node, err);
}
