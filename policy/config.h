/* The whole configuration: conf, targets, policy, loaded and checked together, or not at all. */
#ifndef BARTIZAN_CONFIG_H
#define BARTIZAN_CONFIG_H

#include "common/files.h"
#include "conf/conf.h"
#include "policy/ruleset.h"
#include "policy/target.h"

struct config {
	struct conf *conf;
	struct targets *targets;
	struct ruleset *ruleset;
};

/* Keys that the parsers know and the gateway cannot do yet: config_load() refuses them. The only
 * switch: a row that is deleted sets its key free. In config.example.yaml they stand in lines that
 * begin with "#+". Ends with key NULL. */
struct config_unsupported {
	const char *prefix; /* "" or "rules[]" */
	const char *key;
};
extern const struct config_unsupported config_unsupported[];

/* path is read through files. Also checked here: every name that a rule, role or target uses
 * exists; every target has a pinned host key and a credential whose key is in keys. */
int config_load(struct files *files, const char *path, struct config **ret, struct err *err);
/* with what is unsupported: for tests */
int config_load_all(struct files *files, const char *path, struct config **ret, struct err *err);
void config_free(struct config *config);
void config_freep(struct config **config);
#define CONFIG_CLEANUP __attribute__((cleanup(config_freep)))
#define CONFIG_DUMP_MAX (64 * 1024 * 1024)
/* everything in force, as YAML that loads again */
int config_dump(const struct config *config, struct buf *out);

#endif
