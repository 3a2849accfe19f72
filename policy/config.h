/* The whole configuration: conf, targets, policy, loaded and checked together, or not at all. */
#ifndef BARTIZAN_CONFIG_H
#define BARTIZAN_CONFIG_H

#include "common/conf.h"
#include "common/files.h"
#include "policy/ruleset.h"
#include "policy/target.h"

struct config {
	struct conf *conf;
	struct targets *targets;
	struct ruleset *ruleset;
};

/* path is read through files. Also checked here: every name that a rule, role or target uses exists; every target has a pinned host key and a
 * credential whose key is in keys. `approval`, `guard` and `guards`, `mask` are refused until the gateway can do them. */
int config_load(struct files *files, const char *path, struct config **ret, struct err *err);
void config_free(struct config *config);

#endif
