/* Running data-only cases against the real engine. See caserun.h for the format. */
#include "policy/caserun.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/sshcert.h"
#include "common/text.h"
#include "common/yaml.h"
#include "policy/config.h"
#include "policy/decide.h"

#define TEXT_LEN 4096
#define RIGHTS_ALL (SSHCERT_PTY | SSHCERT_PORT_FORWARDING | SSHCERT_AGENT_FORWARDING | SSHCERT_X11_FORWARDING | SSHCERT_USER_RC)

struct policy { /* what the cases are run against */
	struct config config; /* conf stays NULL */
	struct config *whole; /* of a configuration file: config borrows from it */
};

struct one { /* a case, read */
	const char *name, *rule, *reason;
	bool any, rule_given;
	struct identity who;
	struct access access;
	enum verdict expect;
};

static void policy_release(struct policy *policy)
{
	if (policy->whole) {
		config_free(policy->whole);
		return;
	}
	targets_free(policy->config.targets);
	ruleset_free(policy->config.ruleset);
}

static int policy_from_map(const struct yaml *map, struct files *files, struct policy *ret, struct err *err)
{
	static const char *const names[] = { "targets", "roles", "rules", NULL };
	int rc = yaml_only(map, names, err);
	if (rc == 0)
		rc = targets_load(yaml_get(map, "targets"), files, true, &ret->config.targets, err);
	return rc < 0 ? rc : ruleset_load(map, ret->config.targets, files, &ret->config.ruleset, err);
}

static int policy_from_text(const struct yaml *node, struct files *files, struct policy *ret, struct err *err)
{
	struct yaml *map = NULL;
	char name[512];
	snprintf(name, sizeof(name), "%s: policy", node->file);
	int rc = yaml_parse(name, (struct bytes){ (const uint8_t *)node->text, node->text_len }, &map, err);
	if (rc < 0)
		return rc;
	rc = policy_from_map(map, files, ret, err);
	yaml_free(map);
	return rc;
}

/* A configuration of its own, with its own folder. */
static int policy_from_file(const struct yaml *node, struct files *files, struct policy *ret, struct err *err)
{
	FREE_CLEANUP char *path = files_resolve(files, node->text);
	FILES_CLEANUP struct files *own = files_from_disk();
	if (!path || !own)
		return err_set(err, -ENOMEM, "out of memory");
	int rc = config_load(own, path, &ret->whole, err);
	if (rc == 0)
		ret->config = *ret->whole;
	return rc;
}

static int load_policy(const struct yaml *node, struct files *files, struct policy *ret, struct err *err)
{
	if (node->kind == YAML_MAP)
		return policy_from_map(node, files, ret, err);
	if (node->kind != YAML_SCALAR || node->text_len == 0)
		return yaml_error(node, err, "expected a map, a text or the path of a configuration");
	return strchr(node->text, '\n') ? policy_from_text(node, files, ret, err) : policy_from_file(node, files, ret, err);
}

static int read_name(struct one *one, const struct yaml *node, struct err *err)
{
	return yaml_text(node, 255, &one->name, err);
}

static int read_user(struct one *one, const struct yaml *node, struct err *err)
{
	const char *text = NULL;
	int rc = yaml_text(node, 255, &text, err);
	one->who.user = (char *)(uintptr_t)text; /* an identity owns its strings elsewhere; here the tree does */
	return rc;
}

static int read_groups(struct one *one, const struct yaml *node, struct err *err)
{
	int rc = yaml_strings(node, 10000, 255, &one->who.groups, err);
	while (rc == 0 && one->who.groups[one->who.group_count])
		one->who.group_count++;
	return rc;
}

static int read_rights(struct one *one, const struct yaml *node, struct err *err)
{
	static const struct {
		const char *name;
		unsigned right;
	} names[] = {
		{ "port-forwarding", SSHCERT_PORT_FORWARDING },
		{ "agent", SSHCERT_AGENT_FORWARDING },
		{ "x11", SSHCERT_X11_FORWARDING },
		{ "pty", SSHCERT_PTY },
	};
	char **list = NULL;
	int rc = yaml_strings(node, 16, 64, &list, err);
	one->who.rights = 0;
	for (char **text = list; rc == 0 && *text; text++) {
		size_t i = 0;
		while (i < sizeof(names) / sizeof(names[0]) && strcmp(names[i].name, *text) != 0)
			i++;
		if (i == sizeof(names) / sizeof(names[0]))
			rc = yaml_error(node, err, "expected port-forwarding, agent, x11 or pty");
		else
			one->who.rights |= names[i].right;
	}
	yaml_strings_free(list);
	return rc;
}

static int read_target(struct one *one, const struct yaml *node, struct err *err)
{
	return yaml_text(node, 255, &one->access.target, err);
}

static int read_login(struct one *one, const struct yaml *node, struct err *err)
{
	return yaml_text(node, 255, &one->access.login, err);
}

static int read_kind(struct one *one, const struct yaml *node, struct err *err)
{
	const char *text = NULL;
	int rc = yaml_text(node, 64, &text, err);
	if (rc < 0)
		return rc;
	one->any = strcmp(text, "any") == 0;
	if (!one->any && access_kind_parse(text, &one->access.kind) < 0)
		return yaml_error(node, err, "not a kind of access");
	return 0;
}

static int read_command(struct one *one, const struct yaml *node, struct err *err)
{
	if (node->kind != YAML_SCALAR || node->text_len > TEXT_LEN)
		return yaml_error(node, err, "expected a text of at most %d bytes", TEXT_LEN);
	one->access.detail = (struct bytes){ (const uint8_t *)node->text, node->text_len };
	return 0;
}

static int read_source(struct one *one, const struct yaml *node, struct err *err)
{
	const char *text = NULL;
	struct err why = { 0 };
	int rc = yaml_text(node, ADDR_TEXT_MAX, &text, err);
	if (rc == 0 && addr_parse(text, &one->access.source, &why) < 0)
		return yaml_error(node, err, "%s", why.text);
	return rc;
}

static int read_at(struct one *one, const struct yaml *node, struct err *err)
{
	const char *text = NULL;
	struct err why = { 0 };
	int rc = yaml_text(node, 64, &text, err);
	if (rc == 0 && clock_parse(text, &one->access.now, &why) < 0)
		return yaml_error(node, err, "%s", why.text);
	return rc;
}

static int read_expect(struct one *one, const struct yaml *node, struct err *err)
{
	const char *text = NULL;
	int rc = yaml_text(node, 16, &text, err);
	if (rc < 0)
		return rc;
	for (enum verdict verdict = VERDICT_DENY; verdict <= VERDICT_ALLOW; verdict++) {
		if (strcmp(text, verdict_name(verdict)) == 0) {
			one->expect = verdict;
			return 0;
		}
	}
	return yaml_error(node, err, "expected allow, deny or hold");
}

static int read_rule(struct one *one, const struct yaml *node, struct err *err)
{
	one->rule_given = true;
	return yaml_is_null(node) ? 0 : yaml_text(node, 255, &one->rule, err);
}

static int read_reason(struct one *one, const struct yaml *node, struct err *err)
{
	return yaml_text(node, DECISION_REASON_MAX, &one->reason, err);
}

static const struct {
	const char *key;
	int (*read)(struct one *one, const struct yaml *node, struct err *err);
	bool required;
} keys[] = {
	{ "name", read_name, true }, { "user", read_user, true }, { "groups", read_groups, false }, { "rights", read_rights, false },
	{ "target", read_target, true }, { "login", read_login, false }, { "kind", read_kind, true }, { "command", read_command, false },
	{ "source", read_source, false }, { "at", read_at, false }, { "expect", read_expect, true }, { "rule", read_rule, false },
	{ "reason", read_reason, false },
};
#define KEYS (sizeof(keys) / sizeof(keys[0]))

static int read_case(const struct yaml *node, struct one *ret, struct err *err)
{
	const char *names[KEYS + 1] = { NULL };
	for (size_t i = 0; i < KEYS; i++)
		names[i] = keys[i].key;
	int rc = yaml_only(node, names, err);
	for (size_t i = 0; rc == 0 && i < KEYS; i++) {
		const struct yaml *value = yaml_get(node, keys[i].key);
		if (value)
			rc = keys[i].read(ret, value, err);
		else if (keys[i].required)
			rc = yaml_error(node, err, "'%s' is missing", keys[i].key);
	}
	return rc;
}

static bool as_expected(const struct one *one, const struct decision *decision)
{
	if (decision->verdict != one->expect || (one->rule_given && !text_equal(decision->rule, one->rule)))
		return false;
	return !one->reason || strstr(decision->reason, one->reason);
}

static void judge(const struct policy *policy, const struct one *one, char detail[static CASERUN_DETAIL_MAX], bool *ret_ok)
{
	const struct target *target = targets_find(policy->config.targets, one->access.target);
	struct decision decision = { 0 };
	if (one->any)
		decide_any(policy->config.ruleset, target, &one->access, &decision);
	else
		decide(policy->config.ruleset, target, &one->access, &decision);
	*ret_ok = as_expected(one, &decision);
	if (*ret_ok)
		snprintf(detail, CASERUN_DETAIL_MAX, "%s: %s", verdict_name(decision.verdict), decision.reason);
	else
		snprintf(detail, CASERUN_DETAIL_MAX, "expected %s%s%s%s%s%s, got %s: %s", verdict_name(one->expect), one->rule ? " by rule '" : "",
			one->rule ? one->rule : one->rule_given ? " by no rule" : "", one->rule ? "'" : "", one->reason ? " with the words: " : "",
			one->reason ? one->reason : "", verdict_name(decision.verdict), decision.reason);
}

static int run_case(const struct policy *policy, const struct yaml *node, char detail[static CASERUN_DETAIL_MAX], const char **ret_name, bool *ret_ok,
	struct err *err)
{
	struct one one = { .who = { .provider = (char[]){ "case" }, .expires = INT64_MAX, .rights = RIGHTS_ALL } };
	char *no_groups[] = { NULL };
	int rc = read_case(node, &one, err);
	if (rc == 0) {
		char **owned = one.who.groups;
		one.who.groups = owned ? owned : no_groups;
		one.who.subject = one.who.user;
		one.access.who = &one.who;
		judge(policy, &one, detail, ret_ok);
		*ret_name = one.name;
		one.who.groups = owned;
	}
	yaml_strings_free(one.who.groups);
	return rc;
}

static int run_all(const struct policy *policy, const struct yaml *cases, void (*report)(const char *, bool, const char *, void *), void *arg,
	struct err *err)
{
	int failed = 0;
	if (cases->kind != YAML_LIST || cases->count == 0 || cases->count > CASERUN_CASES_MAX)
		return yaml_error(cases, err, "expected a list of 1 to %d cases", CASERUN_CASES_MAX);
	for (const struct yaml *node = cases->child; node; node = node->next) {
		char detail[CASERUN_DETAIL_MAX];
		const char *name = NULL;
		bool ok = false;
		int rc = run_case(policy, node, detail, &name, &ok, err);
		if (rc < 0)
			return rc;
		report(name, ok, detail, arg);
		failed += !ok;
	}
	return failed;
}

int caserun(
	struct files *files, const char *path, void (*report)(const char *name, bool ok, const char *detail, void *arg), void *arg, struct err *err)
{
	static const char *const names[] = { "policy", "cases", NULL };
	struct bytes text = { 0 };
	struct yaml *root = NULL;
	struct policy policy = { 0 };
	int rc = files_read(files, path, YAML_SIZE_MAX, &text, err);
	if (rc == 0)
		rc = yaml_parse(path, text, &root, err);
	if (rc < 0)
		return rc;
	rc = yaml_only(root, names, err);
	if (rc == 0 && (!yaml_get(root, "policy") || !yaml_get(root, "cases")))
		rc = yaml_error(root, err, "expected 'policy' and 'cases'");
	if (rc == 0)
		rc = load_policy(yaml_get(root, "policy"), files, &policy, err);
	if (rc == 0)
		rc = run_all(&policy, yaml_get(root, "cases"), report, arg, err);
	policy_release(&policy);
	yaml_free(root);
	return rc;
}
