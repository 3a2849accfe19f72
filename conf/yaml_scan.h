/* A look at the text before libyaml: how deep is it nested?
 *
 * libyaml takes quadratic time for deep nesting. This scan is linear, knows quotes and comments
 * well enough for honest files, and stops at the first bracket or indentation that is too deep. It
 * may be fooled by odd quoting in one direction only: what slips through meets the exact limit in
 * yaml.c, which stops at the first event that is too deep. Called by yaml_parse() alone. */
#ifndef BARTIZAN_CONF_YAML_SCAN_H
#define BARTIZAN_CONF_YAML_SCAN_H

#include "common/buf.h"
#include "common/err.h"
#include "conf/yaml.h"

/* Text in block scalars is indented, too: so twice the real depth is let through. */
#define YAML_INDENTS_MAX (2 * YAML_DEPTH_MAX)

/* 0 or -EINVAL with file:line:column */
int yaml_scan(const char *name, struct bytes text, struct err *err);

#endif
