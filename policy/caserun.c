/* Running data-only cases against the real engine. See caserun.h for the format. */
#include "policy/caserun.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "conf/yaml.h"
#include "policy/case.h"
#include "policy/config.h"
#include "policy/decide.h"

struct policy {		      /* what the cases are run against */
	struct config config; /* conf stays NULL */
	struct config *whole; /* of a configuration file: config borrows from it */
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

static int policy_from_map(
	const struct yaml *map, struct files *files, struct policy *ret, struct err *err)
{
	static const char *const names[] = { "targets", "roles", "guards", "rules", NULL };
	int rc = yaml_only(map, names, err);

	if (rc == 0)
		rc = targets_load(yaml_get(map, "targets"), files, true, &ret->config.targets, err);
	return rc < 0 ? rc
		      : ruleset_load(map, ret->config.targets, files, &ret->config.ruleset, err);
}

static int policy_from_text(
	const struct yaml *node, struct files *files, struct policy *ret, struct err *err)
{
	struct yaml *map = NULL;
	char name[512];

	snprintf(name, sizeof(name), "%s: policy", node->file);
	int rc = yaml_parse(
		name, (struct bytes){ (const uint8_t *)node->text, node->text_len }, &map, err);
	if (rc < 0)
		return rc;
	rc = policy_from_map(map, files, ret, err);
	yaml_free(map);
	return rc;
}

/* A configuration of its own, with its own folder. */
static int policy_from_file(
	const struct yaml *node, struct files *files, struct policy *ret, struct err *err)
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

static int load_policy(
	const struct yaml *node, struct files *files, struct policy *ret, struct err *err)
{
	if (node->kind == YAML_MAP)
		return policy_from_map(node, files, ret, err);
	if (node->kind != YAML_SCALAR || node->text_len == 0)
		return yaml_error(
			node, err, "expected a map, a text or the path of a configuration");
	return strchr(node->text, '\n') ? policy_from_text(node, files, ret, err)
					: policy_from_file(node, files, ret, err);
}

static bool as_expected(
	const struct policy *policy, const struct policy_case *one, const struct decision *decision)
{
	if (decision->verdict != one->expect ||
		(one->rule_given && !text_equal(decision->rule, one->rule)))
		return false;
	if ((one->hold != HOLD_NONE && decision->hold != one->hold) ||
		(one->glass_given && decision->break_glass != one->glass))
		return false;
	if (one->voter_given &&
		(!decision->approval || ruleset_may_vote(policy->config.ruleset, decision->approval,
						&one->who) != one->voter))
		return false;
	return !one->reason || strstr(decision->reason, one->reason);
}

static void judge(const struct policy *policy, const struct policy_case *one,
	char detail[static CASERUN_DETAIL_MAX], bool *ret_ok)
{
	const struct target *target = targets_find(policy->config.targets, one->access.target);
	struct decision decision = { 0 };

	if (one->any)
		decide_any(policy->config.ruleset, target, &one->access, &decision);
	else
		decide(policy->config.ruleset, target, &one->access, &decision);
	*ret_ok = as_expected(policy, one, &decision);
	if (*ret_ok)
		snprintf(detail, CASERUN_DETAIL_MAX, "%s: %s", verdict_name(decision.verdict),
			decision.reason);
	else
		snprintf(detail, CASERUN_DETAIL_MAX, "expected %s%s%s%s%s%s%s%s%s%s, got %s: %s",
			verdict_name(one->expect), one->hold != HOLD_NONE ? " for " : "",
			one->hold != HOLD_NONE ? hold_name(one->hold) : "",
			one->rule ? " by rule '" : "",
			one->rule	  ? one->rule
			: one->rule_given ? " by no rule"
					  : "",
			one->rule ? "'" : "",
			one->glass_given ? one->glass ? " with break_glass" : " without break_glass"
					 : "",
			one->voter_given ? one->voter ? " and a vote" : " and no vote" : "",
			one->reason ? " with the words: " : "", one->reason ? one->reason : "",
			verdict_name(decision.verdict), decision.reason);
}

static int run_case(const struct policy *policy, const struct yaml *node,
	char detail[static CASERUN_DETAIL_MAX], const char **ret_name, bool *ret_ok,
	struct err *err)
{
	struct policy_case one;
	int rc = case_read(node, &one, err);

	if (rc == 0) {
		judge(policy, &one, detail, ret_ok);
		*ret_name = one.name;
	}
	case_release(&one);
	return rc;
}

static int run_all(const struct policy *policy, const struct yaml *cases,
	void (*report)(const char *, bool, const char *, void *), void *arg, struct err *err)
{
	int failed = 0;

	if (cases->kind != YAML_LIST || cases->count == 0 || cases->count > CASERUN_CASES_MAX)
		return yaml_error(
			cases, err, "expected a list of 1 to %d cases", CASERUN_CASES_MAX);
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

int caserun(struct files *files, const char *path,
	void (*report)(const char *name, bool ok, const char *detail, void *arg), void *arg,
	struct err *err)
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
