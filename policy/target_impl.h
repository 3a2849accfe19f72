/* What targets.c, target_load.c and target_dump.c share; nobody else includes it. */
#ifndef BARTIZAN_TARGET_IMPL_H
#define BARTIZAN_TARGET_IMPL_H

#include "policy/target.h"

struct target_slot {
	struct target target;
	struct pattern *pattern; /* of a pattern, in lower case */
	char *lower;		 /* the name in lower case */
	unsigned line;		 /* in the configuration */
};

struct targets {
	struct target_slot *slots; /* in the order of the file */
	size_t count;
	struct target_slot **exact; /* those without a pattern, sorted by lower */
	size_t exact_count;
	struct known_hosts {
		char *path, *text;
	} * known_hosts;
	size_t known_hosts_count;
};

char *target_lower(const char *name); /* copy in lower case; NULL without memory */

#endif
