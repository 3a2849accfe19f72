/* The policy's keys: rows like those of conf_table, without a field. The parsers refuse what is not
 * here; the manual and the example are compared with it by a test. */
#ifndef BARTIZAN_POLICY_KEYS_H
#define BARTIZAN_POLICY_KEYS_H

#include "conf/conf.h"

extern const struct conf_row policy_keys[];
extern const size_t policy_key_count;

/* conf_only() over policy_keys */
int policy_only(const struct yaml *map, const char *prefix, struct err *err);

#endif
