/* Reading lists. See list.h. */
#include "policy/list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "policy/ruleset.h"

int list_texts(const struct yaml *node, size_t max_len, char ***ret, struct err *err)
{
	char **list = NULL;
	int rc = yaml_strings(node, RULESET_LIST_MAX, max_len, &list, err);

	if (rc < 0)
		return rc;
	if (!list[0]) {
		text_list_free(list);
		return yaml_error(node, err, "'%s' is empty: it would never match",
			node->key ? node->key : "list");
	}
	*ret = list;
	return 0;
}

const struct yaml *list_first(const struct yaml *node)
{
	return node->kind == YAML_LIST ? node->child : node;
}

int list_names(const struct yaml *node, const char *what, char ***ret, struct err *err)
{
	int rc = list_texts(node, RULESET_TEXT_MAX, ret, err);
	const struct yaml *child = list_first(node);

	for (char **name = rc < 0 ? NULL : *ret; name && *name; name++, child = child->next) {
		char shown[64];
		if (!text_name_ok(*name, strlen(*name)))
			return yaml_error(child, err,
				"'%s' is not a name of a %s: names are compared exactly",
				text_clean(shown, sizeof(shown), *name, strlen(*name)), what);
	}
	return rc;
}

void list_lower(char *text)
{
	for (char *p = strncmp(text, "re:", 3) == 0 ? NULL : text; p && *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
}

int patterns_load(const struct yaml *node, size_t max_len, bool any_case, struct patterns *ret,
	struct err *err)
{
	char **list = NULL;
	int rc = list_texts(node, max_len, &list, err);

	if (rc < 0)
		return rc;
	/* a scalar counts none and is one */
	ret->list = calloc(node->count + 1, sizeof(*ret->list));
	rc = ret->list ? 0 : err_set(err, -ENOMEM, "out of memory");
	const struct yaml *child = list_first(node);
	for (size_t i = 0; rc == 0 && list[i]; i++, child = child->next) {
		struct err why = { 0 };
		if (any_case)
			list_lower(list[i]);
		if (pattern_compile(list[i], &ret->list[i], &why) < 0)
			rc = yaml_error(child, err, "%s", why.text);
		else
			ret->count++;
	}
	text_list_free(list);
	return rc;
}

void patterns_release(struct patterns *patterns)
{
	for (size_t i = 0; i < patterns->count; i++)
		pattern_free(patterns->list[i]);
	free(patterns->list);
}

enum pattern_answer patterns_match(const struct patterns *patterns, const void *data, size_t len)
{
	enum pattern_answer result = PATTERN_NO;

	for (size_t i = 0; i < patterns->count; i++) {
		enum pattern_answer one = pattern_match(patterns->list[i], data, len);
		if (one == PATTERN_YES)
			return PATTERN_YES;
		if (one == PATTERN_ERROR)
			result = PATTERN_ERROR;
	}
	return result;
}
