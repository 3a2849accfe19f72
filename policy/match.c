/* The predicates. See match.h. A row is asked only where the rule has it. */
#include "policy/match.h"

#include <string.h>

#include "common/text.h"

static enum match answer(bool yes)
{
	return yes ? MATCH_YES : MATCH_NO;
}

static enum match from_pattern(enum pattern_answer one)
{
	static const enum match matches[] = {
		[PATTERN_NO] = MATCH_NO, [PATTERN_YES] = MATCH_YES, [PATTERN_ERROR] = MATCH_ERROR
	};

	return matches[one];
}

static enum match any_pattern(const struct patterns *patterns, const void *data, size_t len)
{
	return from_pattern(patterns_match(patterns, data, len));
}

static bool one_of(char *const *list, const char *text)
{
	for (; *list; list++)
		if (text_equal(*list, text))
			return true;
	return false;
}

unsigned match_kinds(const struct rule *rule)
{
	return rule->commands.count > 0 ? rule->kinds & KIND(ACCESS_EXEC) : rule->kinds;
}

static enum match by_kind(struct match_question *question, const struct rule *rule)
{
	return answer(match_kinds(rule) & question->kinds);
}

/* Membership is worked out once per question: many rules ask for the same roles. */
static enum match has_role(struct match_question *question, size_t index)
{
	if (question->roles[index] == 0)
		question->roles[index] =
			(uint8_t)(from_pattern(role_match(&question->ruleset->roles[index],
					  question->access->who)) +
				  1);
	return (enum match)(question->roles[index] - 1);
}

static enum match by_role(struct match_question *question, const struct rule *rule)
{
	enum match result = MATCH_NO;

	for (size_t i = 0; i < rule->role_count; i++) {
		enum match one = has_role(question, rule->role_index[i]);
		if (one == MATCH_YES)
			return MATCH_YES;
		if (one == MATCH_ERROR)
			result = MATCH_ERROR;
	}
	return result;
}

/* Who has a role that asks for nothing is not worse off for having another one, too. */
static int64_t roles_login_within(
	struct match_question *question, const struct rule *rule, const struct role **ret_role)
{
	int64_t within = 0;

	for (size_t i = 0; i < rule->role_count; i++) {
		const struct role *role = &question->ruleset->roles[rule->role_index[i]];
		if (has_role(question, rule->role_index[i]) != MATCH_YES)
			continue;
		if (role->login_within == 0)
			return 0;
		if (role->login_within > within) {
			within = role->login_within;
			*ret_role = role;
		}
	}
	return within;
}

int64_t match_login_within(
	struct match_question *question, const struct rule *rule, const struct role **ret_role)
{
	const struct role *role = NULL;
	int64_t within = roles_login_within(question, rule, &role);
	bool of_role = within > 0 && (rule->login_within == 0 || within < rule->login_within);

	*ret_role = of_role ? role : NULL;
	return of_role ? within : rule->login_within;
}

static enum match by_user(struct match_question *question, const struct rule *rule)
{
	return answer(one_of(rule->users, question->access->who->user));
}

static enum match by_group(struct match_question *question, const struct rule *rule)
{
	for (char **group = rule->groups; *group; group++)
		if (identity_in_group(question->access->who, *group))
			return MATCH_YES;
	return MATCH_NO;
}

static enum match by_target(struct match_question *question, const struct rule *rule)
{
	for (size_t i = 0; i < rule->label_count; i++) {
		const char *value = target_label(question->target, rule->labels[i].name);
		if (!value || !one_of(rule->labels[i].values, value))
			return MATCH_NO;
	}
	return rule->names.count > 0
		       ? any_pattern(&rule->names, question->name, strlen(question->name))
		       : MATCH_YES;
}

static enum match by_login(struct match_question *question, const struct rule *rule)
{
	const char *login = question->access->login;

	if (!login)
		return question->any ? MATCH_MAYBE : MATCH_ERROR;
	return any_pattern(&rule->logins, login, strlen(login));
}

/* An unknown address is in no network, and outside of none: on doubt it cannot be evaluated. */
static enum match by_source(struct match_question *question, const struct rule *rule)
{
	if (question->access->source.family == 0)
		return MATCH_ERROR;
	for (size_t i = 0; i < rule->source_count; i++)
		if (net_contains(&rule->sources[i], &question->access->source))
			return MATCH_YES;
	return MATCH_NO;
}

static enum match by_hours(struct match_question *question, const struct rule *rule)
{
	return answer(window_contains(rule->hours, question->access->now));
}

static enum match by_command(struct match_question *question, const struct rule *rule)
{
	struct bytes command = question->access->detail;

	if (question->any)
		return MATCH_MAYBE;
	return any_pattern(
		&rule->commands, command.len > 0 ? (const char *)command.data : "", command.len);
}

static enum match (*const predicates[PREDICATES])(struct match_question *, const struct rule *) = {
	[BY_KIND] = by_kind,
	[BY_ROLE] = by_role,
	[BY_USER] = by_user,
	[BY_GROUP] = by_group,
	[BY_TARGET] = by_target,
	[BY_LOGIN] = by_login,
	[BY_SOURCE] = by_source,
	[BY_HOURS] = by_hours,
	[BY_COMMAND] = by_command,
};

bool match_asked(const struct rule *rule, enum predicate predicate)
{
	const bool asked[PREDICATES] = {
		[BY_KIND] = true,
		[BY_ROLE] = rule->role_count > 0,
		[BY_USER] = rule->users,
		[BY_GROUP] = rule->groups,
		[BY_TARGET] = rule->names.count > 0 || rule->label_count > 0,
		[BY_LOGIN] = rule->logins.count > 0,
		[BY_SOURCE] = rule->source_count > 0,
		[BY_HOURS] = rule->hours,
		[BY_COMMAND] = rule->commands.count > 0,
	};

	return asked[predicate];
}

enum match match_rule(
	struct match_question *question, const struct rule *rule, enum predicate *ret_by)
{
	enum match result = MATCH_YES;

	for (enum predicate p = 0; p < PREDICATES; p++) {
		if (!match_asked(rule, p))
			continue;
		enum match one = predicates[p](question, rule);
		if (one == MATCH_NO) {
			*ret_by = p;
			return MATCH_NO;
		}
		if (one == MATCH_ERROR && result != MATCH_ERROR)
			*ret_by = p;
		if (one != MATCH_YES && result != MATCH_ERROR)
			result = one;
	}
	return result;
}
