/* Reading one case: a row for each key. */
#include "policy/case.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/text.h"
#include "keys/sshcert.h"

#define TEXT_LEN 4096
#define RIGHTS_ALL                                                          \
	(SSHCERT_PTY | SSHCERT_PORT_FORWARDING | SSHCERT_AGENT_FORWARDING | \
		SSHCERT_X11_FORWARDING | SSHCERT_USER_RC)

static int read_name(struct policy_case *one, const struct yaml *node, struct err *err)
{
	return yaml_text(node, 255, &one->name, err);
}

static int read_user(struct policy_case *one, const struct yaml *node, struct err *err)
{
	const char *text = NULL;
	int rc = yaml_text(node, 255, &text, err);

	/* an identity owns its strings elsewhere; here the tree does */
	one->who.user = (char *)(uintptr_t)text;
	return rc;
}

static int read_groups(struct policy_case *one, const struct yaml *node, struct err *err)
{
	int rc = yaml_strings(node, 10000, 255, &one->who.groups, err);

	while (rc == 0 && one->who.groups[one->who.group_count])
		one->who.group_count++;
	return rc;
}

/* One value, or several: a claim of that name for each. */
static int add_claims(
	struct policy_case *one, size_t *count, const struct yaml *node, struct err *err)
{
	char **list = NULL;
	int rc = yaml_strings(node, IDENTITY_CLAIMS_MAX, TEXT_LEN, &list, err);

	if (rc < 0)
		return rc;
	for (char **value = list; *value; value++) {
		if (*count == IDENTITY_CLAIMS_MAX) {
			rc = yaml_error(node, err, "more than %d claims", IDENTITY_CLAIMS_MAX);
			break;
		}
		struct claim *claim = &one->who.claims[(*count)++];
		claim->name = strdup(node->key);
		claim->value = claim->name ? strdup(*value) : NULL;
		if (!claim->value) {
			rc = err_set(err, -ENOMEM, "out of memory");
			break;
		}
	}
	text_list_free(list);
	return rc;
}

static int read_claims(struct policy_case *one, const struct yaml *node, struct err *err)
{
	size_t count = 0;

	if (node->kind != YAML_MAP)
		return yaml_error(node, err, "expected a map of claims");
	one->who.claims = calloc(IDENTITY_CLAIMS_MAX + 1, sizeof(*one->who.claims));
	int rc = one->who.claims ? 0 : err_set(err, -ENOMEM, "out of memory");
	for (const struct yaml *child = node->child; rc == 0 && child; child = child->next)
		rc = add_claims(one, &count, child, err);
	return rc;
}

static int read_machine(struct policy_case *one, const struct yaml *node, struct err *err)
{
	return yaml_bool(node, &one->who.machine, err);
}

static int read_login_age(struct policy_case *one, const struct yaml *node, struct err *err)
{
	one->age_given = true;
	return yaml_duration(node, 0, 1000LL * 365 * 86400 * 1000, &one->login_age, err);
}

static int read_rights(struct policy_case *one, const struct yaml *node, struct err *err)
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
	text_list_free(list);
	return rc;
}

static int read_target(struct policy_case *one, const struct yaml *node, struct err *err)
{
	return yaml_text(node, 255, &one->access.target, err);
}

static int read_login(struct policy_case *one, const struct yaml *node, struct err *err)
{
	return yaml_text(node, 255, &one->access.login, err);
}

static int read_kind(struct policy_case *one, const struct yaml *node, struct err *err)
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

static int read_command(struct policy_case *one, const struct yaml *node, struct err *err)
{
	if (node->kind != YAML_SCALAR || node->text_len > TEXT_LEN)
		return yaml_error(node, err, "expected a text of at most %d bytes", TEXT_LEN);
	one->access.detail = (struct bytes){ (const uint8_t *)node->text, node->text_len };
	return 0;
}

static int read_source(struct policy_case *one, const struct yaml *node, struct err *err)
{
	const char *text = NULL;
	struct err why = { 0 };
	int rc = yaml_text(node, ADDR_TEXT_MAX, &text, err);

	if (rc == 0 && addr_parse(text, &one->access.source, &why) < 0)
		return yaml_error(node, err, "%s", why.text);
	return rc;
}

static int read_at(struct policy_case *one, const struct yaml *node, struct err *err)
{
	const char *text = NULL;
	struct err why = { 0 };
	int rc = yaml_text(node, 64, &text, err);

	if (rc == 0 && clock_parse(text, &one->access.now, &why) < 0)
		return yaml_error(node, err, "%s", why.text);
	return rc;
}

static int read_expect(struct policy_case *one, const struct yaml *node, struct err *err)
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

static int read_hold(struct policy_case *one, const struct yaml *node, struct err *err)
{
	const char *text = NULL;
	int rc = yaml_text(node, 16, &text, err);

	if (rc < 0)
		return rc;
	for (enum hold hold = HOLD_LOGIN; hold <= HOLD_APPROVAL; hold++) {
		if (strcmp(text, hold_name(hold)) == 0) {
			one->hold = hold;
			return 0;
		}
	}
	return yaml_error(node, err, "expected login or approval");
}

static int read_break_glass(struct policy_case *one, const struct yaml *node, struct err *err)
{
	one->glass_given = true;
	return yaml_bool(node, &one->glass, err);
}

static int read_voter(struct policy_case *one, const struct yaml *node, struct err *err)
{
	one->voter_given = true;
	return yaml_bool(node, &one->voter, err);
}

static int read_rule(struct policy_case *one, const struct yaml *node, struct err *err)
{
	one->rule_given = true;
	return yaml_is_null(node) ? 0 : yaml_text(node, 255, &one->rule, err);
}

static int read_reason(struct policy_case *one, const struct yaml *node, struct err *err)
{
	return yaml_text(node, DECISION_REASON_MAX, &one->reason, err);
}

static const struct {
	const char *key;
	int (*read)(struct policy_case *one, const struct yaml *node, struct err *err);
	bool required;
} keys[] = {
	{ "name", read_name, true },
	{ "user", read_user, true },
	{ "groups", read_groups, false },
	{ "claims", read_claims, false },
	{ "machine", read_machine, false },
	{ "login_age", read_login_age, false },
	{ "rights", read_rights, false },
	{ "target", read_target, true },
	{ "login", read_login, false },
	{ "kind", read_kind, true },
	{ "command", read_command, false },
	{ "source", read_source, false },
	{ "at", read_at, false },
	{ "expect", read_expect, true },
	{ "rule", read_rule, false },
	{ "reason", read_reason, false },
	{ "hold", read_hold, false },
	{ "break_glass", read_break_glass, false },
	{ "voter", read_voter, false },
};
#define KEYS (sizeof(keys) / sizeof(keys[0]))

static int read_keys(const struct yaml *node, struct policy_case *one, struct err *err)
{
	const char *names[KEYS + 1] = { NULL };

	for (size_t i = 0; i < KEYS; i++)
		names[i] = keys[i].key;
	int rc = yaml_only(node, names, err);
	for (size_t i = 0; rc == 0 && i < KEYS; i++) {
		const struct yaml *value = yaml_get(node, keys[i].key);
		if (value)
			rc = keys[i].read(one, value, err);
		else if (keys[i].required)
			rc = yaml_error(node, err, "'%s' is missing", keys[i].key);
	}
	return rc;
}

int case_read(const struct yaml *node, struct policy_case *ret, struct err *err)
{
	static char provider[] = "case";

	*ret = (struct policy_case){
		.who = { .provider = provider, .expires = INT64_MAX, .rights = RIGHTS_ALL }
	};
	int rc = read_keys(node, ret, err);
	if (rc == 0 && !ret->who.groups)
		ret->who.groups = calloc(1, sizeof(*ret->who.groups));
	if (rc < 0 || !ret->who.groups)
		return rc < 0 ? rc : err_set(err, -ENOMEM, "out of memory");
	if (ret->age_given && ret->access.now == 0)
		return yaml_error(node, err, "'login_age' has no meaning without 'at'");
	ret->who.login_time = ret->age_given ? ret->access.now - ret->login_age / 1000 : 0;
	ret->who.subject = ret->who.user;
	ret->access.who = &ret->who;
	return 0;
}

void case_release(struct policy_case *one)
{
	text_list_free(one->who.groups);
	for (struct claim *claim = one->who.claims; claim && claim->name; claim++) {
		free(claim->name);
		free(claim->value);
	}
	free(one->who.claims);
}
