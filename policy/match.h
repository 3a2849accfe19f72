/* Does one rule fit one question? Predicates are rows of one table, tried in order; each answers
 * yes, no, or that it cannot know.
 *
 * Inside of policy/: decide.c asks, explain.c finds the words. Three-valued logic: a no of any
 * predicate is a no of the rule, whatever the others could not find out. */
#ifndef BARTIZAN_MATCH_H
#define BARTIZAN_MATCH_H

#include "policy/rule.h"

enum predicate {
	BY_KIND,
	BY_ROLE,
	BY_USER,
	BY_GROUP,
	BY_TARGET,
	BY_LOGIN,
	BY_SOURCE,
	BY_HOURS,
	BY_COMMAND,
	PREDICATES
};

enum match {
	MATCH_NO,
	MATCH_YES,
	MATCH_MAYBE, /* the question leaves it open: decide_any() only */
	MATCH_ERROR, /* it cannot be evaluated */
};

struct match_question {
	const struct ruleset *ruleset;
	const struct target *target;
	const struct access *access;
	bool any;	/* kind, login and command may be open */
	unsigned kinds; /* what is asked: one bit, or with any what is still possible */
	char name[TARGET_NAME_MAX + 1];	  /* the target's name as asked, in lower case */
	uint8_t roles[RULESET_ROLES_MAX]; /* enum match + 1 of each role, 0: not looked at yet */
};

/* *ret_by: the predicate that said no or could not be evaluated. */
enum match match_rule(
	struct match_question *question, const struct rule *rule, enum predicate *ret_by);
/* whether the rule has that predicate */
bool match_asked(const struct rule *rule, enum predicate predicate);
/* kinds it can match at all: with commands only exec */
unsigned match_kinds(const struct rule *rule);
/* How old a login may be (ms) for the matching rule to allow: what the rule says, and the role
 * through which it matched; of several such roles the one that asks least. 0: no matter. *ret_role:
 * the role that decides it, NULL: the rule itself. */
int64_t match_login_within(
	struct match_question *question, const struct rule *rule, const struct role **ret_role);

/* explain.c */
const char *explain_name(enum predicate predicate); /* "logins" */
/* "'root' is none of deploy" */
int explain_no(const struct match_question *question, const struct rule *rule,
	enum predicate predicate, struct buf *out);
/* "login 'root'" */
int explain_subject(const struct match_question *question, enum predicate predicate,
	const struct rule *rule, struct buf *out);
/* "exec on 'db1' as 'root' for 'mallory'" */
int explain_access(const struct match_question *question, struct buf *out);

#endif
