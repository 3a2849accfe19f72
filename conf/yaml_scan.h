/* Measures how deep the text is nested, before libyaml parses it.
 *
 * libyaml takes quadratic time for deep nesting. This scan is linear, knows quotes and comments
 * well enough for honest files, and stops at the first bracket or indentation that is too deep. Odd
 * quoting can only make it miss something: then the exact limit in yaml.c stops at the first event
 * that is too deep. Called only by yaml_parse(). */
#ifndef BARTIZAN_CONF_YAML_SCAN_H
#define BARTIZAN_CONF_YAML_SCAN_H

#include "common/buf.h"
#include "common/err.h"
#include "conf/yaml.h"

/* Text in block scalars is indented, too: so twice the real depth is allowed. */
#define YAML_INDENTS_MAX (2 * YAML_DEPTH_MAX)

/* 0 or -EINVAL with file:line:column */
int yaml_scan(const char *name, struct bytes text, struct err *err);

#endif
