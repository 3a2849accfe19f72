/* Who has a role: its users, or the members of its groups, or whose token has all of its claims. */
#include "policy/rule.h"

#include <string.h>

#include "common/text.h"

/* A claim with several values is there several times: one that fits suffices. */
static enum pattern_answer claim_match(const struct claim_want *want, const struct identity *who)
{
	enum pattern_answer result = PATTERN_NO;

	for (const struct claim *claim = who->claims; claim && claim->name; claim++) {
		if (strcmp(claim->name, want->name) != 0)
			continue;
		enum pattern_answer one =
			patterns_match(&want->values, claim->value, strlen(claim->value));
		if (one == PATTERN_YES)
			return PATTERN_YES;
		if (one == PATTERN_ERROR)
			result = PATTERN_ERROR;
	}
	return result;
}

/* All of them; a no is a no, whatever the others could not find out. */
static enum pattern_answer claims_match(const struct role *role, const struct identity *who)
{
	enum pattern_answer result = role->claim_count > 0 ? PATTERN_YES : PATTERN_NO;

	for (size_t i = 0; i < role->claim_count; i++) {
		enum pattern_answer one = claim_match(&role->claims[i], who);
		if (one == PATTERN_NO)
			return PATTERN_NO;
		if (one == PATTERN_ERROR)
			result = PATTERN_ERROR;
	}
	return result;
}

enum pattern_answer role_match(const struct role *role, const struct identity *who)
{
	for (char **user = role->users; user && *user; user++)
		if (text_equal(*user, who->user))
			return PATTERN_YES;
	for (char **group = role->groups; group && *group; group++)
		if (identity_in_group(who, *group))
			return PATTERN_YES;
	return claims_match(role, who);
}

bool role_matches(const struct role *role, const struct identity *who)
{
	return role_match(role, who) == PATTERN_YES;
}
