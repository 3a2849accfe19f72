/* One case of a file of cases, read: see caserun.h for the format. Inside of policy/: caserun.c. */
#ifndef BARTIZAN_CASE_H
#define BARTIZAN_CASE_H

#include <stdbool.h>

#include "common/access.h"
#include "common/err.h"
#include "conf/yaml.h"

struct policy_case { /* texts are the tree's, who's lists its own */
	const char *name, *rule, *reason;
	bool any, rule_given, glass_given, glass, age_given, voter_given, voter;
	enum hold hold;	   /* HOLD_NONE: not given */
	int64_t login_age; /* ms */
	struct identity who;
	struct access access;
	enum verdict expect;
};

/* ret is to be released, also after an error. */
int case_read(const struct yaml *node, struct policy_case *ret, struct err *err);
void case_release(struct policy_case *one);

#endif
