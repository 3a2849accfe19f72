/* Patterns as the policy writes them: a shell-like pattern (`*`, `?`, over the whole text) or, with
 * the prefix "re:", a PCRE2 regular expression searched anywhere. Compiled once, matched with
 * bounds on backtracking. There are three answers: PATTERN_ERROR means doubt, which the caller
 * takes as "no" for an allow and as "yes" for a deny.
 *
 * Shell-like: `*` any bytes, `?` one byte, a backslash takes the next byte literally; no sets.
 * Regular expressions: on bytes, `.` matches a newline as `*` does, `$` the very end only. */
#ifndef BARTIZAN_PATTERN_H
#define BARTIZAN_PATTERN_H

#include <stddef.h>

#include "common/err.h"

#define PATTERN_MAX 1024

struct pattern;
enum pattern_answer { PATTERN_NO, PATTERN_YES, PATTERN_ERROR };

int pattern_compile(const char *text, struct pattern **ret, struct err *err);
void pattern_free(struct pattern *pattern);
enum pattern_answer pattern_match(const struct pattern *pattern, const char *data, size_t len);
const char *pattern_text(const struct pattern *pattern); /* as written */

#endif
