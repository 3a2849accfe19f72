/* Look-ups in a tree, and the typed readings of one scalar. Every error begins with
 * file:line:column. */
#include "conf/yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/text.h"

#define SHOWN 64       /* bytes of a value in a message */
#define NEAREST_LEN 48 /* for longer names no similar one is suggested */

static int error_at(const struct yaml *node, unsigned line, unsigned column, struct err *err,
	const char *fmt, va_list args)
{
	char text[ERR_TEXT_MAX];

	vsnprintf(text, sizeof(text), fmt, args);
	return err_set(err, -EINVAL, "%s:%u:%u: %s", node->file ? node->file : "configuration",
		line, column, text);
}

int yaml_error(const struct yaml *node, struct err *err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	int rc = error_at(node, node->line, node->column, err, fmt, args);
	va_end(args);
	return rc;
}

int yaml_key_error(const struct yaml *node, struct err *err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	unsigned line = node->key ? node->key_line : node->line;
	unsigned column = node->key ? node->key_column : node->column;
	int rc = error_at(node, line, column, err, fmt, args);
	va_end(args);
	return rc;
}

struct yaml *yaml_get(const struct yaml *map, const char *key)
{
	if (!map || map->kind != YAML_MAP)
		return NULL;
	for (struct yaml *child = map->child; child; child = child->next)
		if (strcmp(child->key, key) == 0)
			return child;
	return NULL;
}

bool yaml_is_null(const struct yaml *node)
{
	if (!node)
		return true;
	if (node->kind != YAML_SCALAR || node->quoted)
		return false;
	return !*node->text || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0;
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

/* Edit distance with swaps of neighbours: how people mistype. */
static unsigned distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b);
	unsigned rows[3][NEAREST_LEN + 1];

	if (la > NEAREST_LEN || lb > NEAREST_LEN)
		return NEAREST_LEN;
	for (size_t j = 0; j <= lb; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= la; i++) {
		unsigned *now = rows[i % 3], *before = rows[(i + 2) % 3],
			 *before2 = rows[(i + 1) % 3];
		now[0] = (unsigned)i;
		for (size_t j = 1; j <= lb; j++) {
			now[j] = min3(before[j] + 1, now[j - 1] + 1,
				before[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
				before2[j - 2] + 1 < now[j])
				now[j] = before2[j - 2] + 1;
		}
	}
	return rows[la % 3][lb];
}

static const char *nearest(const char *word, const char *const *names)
{
	unsigned limit = (unsigned)strlen(word) / 3 + 1, best = limit + 1;
	const char *found = NULL;

	for (; *names; names++) {
		unsigned d = distance(word, *names);
		if (d < best) {
			best = d;
			found = *names;
		}
	}
	return found;
}

int yaml_only(const struct yaml *map, const char *const *names, struct err *err)
{
	if (map->kind != YAML_MAP)
		return yaml_error(map, err, "expected a map");
	for (const struct yaml *child = map->child; child; child = child->next) {
		const char *const *name = names;
		while (*name && strcmp(*name, child->key) != 0)
			name++;
		if (*name)
			continue;
		char shown[SHOWN];
		text_clean(shown, sizeof(shown), child->key, strlen(child->key));
		const char *near = nearest(child->key, names);
		if (near)
			return yaml_key_error(
				child, err, "unknown key '%s': did you mean '%s'?", shown, near);
		return yaml_key_error(child, err, "unknown key '%s'", shown);
	}
	return 0;
}

static int expect_scalar(const struct yaml *node, const char *what, struct err *err)
{
	if (node->kind != YAML_SCALAR)
		return yaml_error(node, err, "expected %s, not a %s", what,
			node->kind == YAML_MAP ? "map" : "list");
	if (yaml_is_null(node))
		return yaml_error(node, err, "expected %s, found nothing", what);
	return 0;
}

static int bad_value(const struct yaml *node, const char *what, struct err *err)
{
	char shown[SHOWN];

	return yaml_error(node, err, "'%s' is not %s",
		text_clean(shown, sizeof(shown), node->text, node->text_len), what);
}

int yaml_text(const struct yaml *node, size_t max, const char **ret, struct err *err)
{
	int rc = expect_scalar(node, "a text", err);

	if (rc < 0)
		return rc;
	if (node->text_len == 0)
		return yaml_error(node, err, "expected a text, found an empty one");
	if (node->text_len > max)
		return yaml_error(node, err, "longer than %zu bytes", max);
	*ret = node->text;
	return 0;
}

int yaml_bool(const struct yaml *node, bool *ret, struct err *err)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {
		{ "true", true },
		{ "false", false },
		{ "yes", true },
		{ "no", false },
		{ "on", true },
		{ "off", false },
	};
	int rc = expect_scalar(node, "true or false", err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(node->text, words[i].word) == 0) {
			*ret = words[i].value;
			return 0;
		}
	}
	return bad_value(node, "true or false", err);
}

/* Digits only: no sign, no blank, no octal. Returns the first character after them; NULL: no
 * digits, or too large a number. */
static const char *digits(const char *text, int64_t *ret)
{
	int64_t value = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, *p - '0', &value))
			return NULL;
	*ret = value;
	return p == text ? NULL : p;
}

int yaml_int(const struct yaml *node, int64_t min, int64_t max, int64_t *ret, struct err *err)
{
	int64_t value = 0;
	int rc = expect_scalar(node, "a number", err);

	if (rc < 0)
		return rc;
	const char *end = digits(node->text, &value);
	if (!end || *end)
		return bad_value(node, "a number", err);
	if (value < min || value > max)
		return yaml_error(node, err, "%lld is not between %lld and %lld", (long long)value,
			(long long)min, (long long)max);
	*ret = value;
	return 0;
}

static const struct unit {
	const char *name;
	int64_t factor;
} sizes[] = {
	{ "TiB", 1LL << 40 },
	{ "GiB", 1LL << 30 },
	{ "MiB", 1LL << 20 },
	{ "KiB", 1LL << 10 },
	{ "B", 1 },
	{ "", 1 },
};

int yaml_size(const struct yaml *node, int64_t min, int64_t max, int64_t *ret, struct err *err)
{
	int64_t value = 0;
	int rc = expect_scalar(node, "a size such as 64MiB", err);

	if (rc < 0)
		return rc;
	const char *end = digits(node->text, &value);
	const struct unit *unit = NULL;
	for (size_t i = 0; end && i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if (strcmp(end, sizes[i].name) == 0)
			unit = &sizes[i];
	if (!unit || __builtin_mul_overflow(value, unit->factor, &value))
		return bad_value(node, "a size such as 64MiB", err);
	char low[YAML_NUMBER_MAX], high[YAML_NUMBER_MAX];
	if (value < min || value > max)
		return yaml_error(node, err, "'%s' is not between %s and %s", node->text,
			yaml_format_size(min, low), yaml_format_size(max, high));
	*ret = value;
	return 0;
}

int yaml_duration(
	const struct yaml *node, int64_t min_ms, int64_t max_ms, int64_t *ret_ms, struct err *err)
{
	int64_t value = 0;
	int rc = expect_scalar(node, "a duration such as 15m", err);

	if (rc < 0)
		return rc;
	if (strcmp(node->text, "0") != 0 && clock_duration_parse(node->text, &value, NULL) < 0)
		return bad_value(node, "a duration such as 15m", err);
	char low[YAML_NUMBER_MAX], high[YAML_NUMBER_MAX];
	if (value < min_ms || value > max_ms)
		return yaml_error(node, err, "'%s' is not between %s and %s", node->text,
			yaml_format_duration(min_ms, low), yaml_format_duration(max_ms, high));
	*ret_ms = value;
	return 0;
}

static int copy_text(const struct yaml *node, size_t max_len, char **ret, struct err *err)
{
	const char *text = NULL;
	int rc = yaml_text(node, max_len, &text, err);

	if (rc < 0)
		return rc;
	*ret = strdup(text);
	return *ret ? 0 : err_set(err, -ENOMEM, "out of memory");
}

int yaml_strings(
	const struct yaml *node, size_t max_count, size_t max_len, char ***ret, struct err *err)
{
	if (node->kind == YAML_MAP)
		return yaml_error(node, err, "expected a list, not a map");
	size_t count = node->kind == YAML_LIST ? node->count : 1;
	if (count > max_count)
		return yaml_error(node, err, "more than %zu entries", max_count);
	char **list = calloc(count + 1, sizeof(*list));
	if (!list)
		return err_set(err, -ENOMEM, "out of memory");
	int rc = 0;
	if (node->kind == YAML_SCALAR)
		rc = copy_text(node, max_len, &list[0], err);
	size_t n = 0;
	for (const struct yaml *child = node->child; rc == 0 && child; child = child->next)
		rc = copy_text(child, max_len, &list[n++], err);
	if (rc < 0) {
		text_list_free(list);
		return rc;
	}
	*ret = list;
	return 0;
}
