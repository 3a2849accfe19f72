/* jansson with limits: bounded parsing, compact sorted output, and text that is always valid
 * UTF-8. */
#ifndef BARTIZAN_JSON_H
#define BARTIZAN_JSON_H

#include <jansson.h>

#include "common/buf.h"
#include "common/err.h"

#define JSON_DEPTH_MAX 64 /* nesting of arrays and objects */

/* json_decrefp() is jansson's own. */
#define JSON_CLEANUP __attribute__((cleanup(json_decrefp)))

/* whole input, no duplicate keys, depth bounded */
int json_parse(struct bytes text, size_t max, json_t **ret, struct err *err);
int json_text(const json_t *json, struct buf *out); /* compact, sorted keys, one line */
/* indented, for people, ends with a newline */
int json_pretty(const json_t *json, struct buf *out);
/* a string in text_visible form: for hostile bytes; at most 64 KiB */
json_t *json_visible(const void *data, size_t len);
/* NULL becomes null; invalid UTF-8 is made valid */
json_t *json_string_or_null(const char *text);
json_t *json_time_ms(int64_t ms); /* RFC 3339 in UTC; 0 becomes null */
/* borrowed, NULL when absent or not a string */
const char *json_get_string(const json_t *object, const char *key);

#endif
