/* Lists as roles and rules write them: texts, names and patterns.
 *
 * Whatever is written must hold something: a list that was meant and is empty would match more, or
 * less, than its author thinks. Inside of policy/. */
#ifndef BARTIZAN_LIST_H
#define BARTIZAN_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/pattern.h"
#include "conf/yaml.h"

struct patterns {
	struct pattern **list;
	size_t count; /* 0: not asked */
};

/* caller frees with text_list_free */
int list_texts(const struct yaml *node, size_t max_len, char ***ret, struct err *err);
/* compared exactly: what can be no name is an error */
int list_names(const struct yaml *node, const char *what, char ***ret, struct err *err);
/* the node of the first entry: one scalar is a list of one */
const struct yaml *list_first(const struct yaml *node);
/* names of targets, in place; a regular expression stays as it is, its classes have meaning */
void list_lower(char *text);

/* any_case: in lower case, to be matched against what is. ret is the caller's to release, also
 * after an error. */
int patterns_load(const struct yaml *node, size_t max_len, bool any_case, struct patterns *ret,
	struct err *err);
void patterns_release(struct patterns *patterns);
/* one of them; an error where none says yes */
enum pattern_answer patterns_match(const struct patterns *patterns, const void *data, size_t len);

#endif
