/* Which variables of a client's environment go to the target, and which of them are a doubt.
 *
 *	env: [LANG, "LC_*", "re:^MY_[A-Z]+$"]    # of a rule; [] for none; not written: the default
 *
 * What a variable holds can change what an approved command does, so the environment is part of
 * what is approved: shown, and compared byte for byte (store/approvals.h). Names by which shells
 * and interpreters find or run code are a doubt for every guard, even where the rule lets them
 * pass: no command line shows what they do. Pure. */
#ifndef BARTIZAN_POLICY_ENV_H
#define BARTIZAN_POLICY_ENV_H

#include <stdbool.h>

#include "common/buf.h"
#include "conf/yaml.h"
#include "policy/guard.h"
#include "policy/list.h"

#define ENV_NAME_SHOWN 100

struct env_rule {
	bool given; /* else the default */
	struct patterns names;
};

/* ret is the caller's to release, also after an error */
int env_rule_load(const struct yaml *node, struct env_rule *ret, struct err *err);
void env_rule_release(struct env_rule *rule);
/* NULL-terminated: what goes on where a rule says nothing */
const char *const *env_default(void);

/* What of the block goes to the target: of variables that the rule names, and of `always` (NULL:
 * none), the last value of each, sorted by name. So two environments that have the same effect are
 * the same bytes. rule NULL: the default. -ENOMEM, -EMSGSIZE */
int env_filter(
	const struct env_rule *rule, const char *always, struct bytes block, struct buf *out);
/* The first variable that is a doubt, its name in visible form; NULL: none is. */
const char *env_suspect(struct bytes block, char out[static ENV_NAME_SHOWN]);
/* What the guard makes of a doubt, where the block has a suspect; GUARD_ALLOW, with nothing to
 * release, where it has none. 0 or -ENOMEM: taken as deny. */
int env_judge(const struct guard *guard, struct bytes block, struct judgement *ret);

#endif
