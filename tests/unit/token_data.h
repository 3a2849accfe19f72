/* The cases in tests/tokens: tests run in the source folder. Each has a name, `accept`, and words of the refusal. */
#ifndef BARTIZAN_TEST_TOKEN_DATA_H
#define BARTIZAN_TEST_TOKEN_DATA_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/json.h"

static inline json_t *data_load(const char *name)
{
	char path[256];
	json_error_t error;
	snprintf(path, sizeof(path), "tests/tokens/%s", name);
	json_t *json = json_load_file(path, JSON_ALLOW_NUL, &error);
	if (!json)
		fail_msg("%s:%d: %s", path, error.line, error.text);
	return json;
}

static inline struct bytes data_bytes(const json_t *string)
{
	assert_true(json_is_string(string));
	return (struct bytes){ (const uint8_t *)json_string_value(string), json_string_length(string) };
}

/* The member `text` as it is, or the member `object` as JSON; caller frees. */
static inline char *data_text(const json_t *row, const char *object)
{
	const char *text = json_get_string(row, "text");
	char *copy = text ? strdup(text) : json_dumps(json_object_get(row, object), JSON_ENCODE_ANY);
	assert_non_null(copy);
	return copy;
}

static inline struct bytes data_of(const char *text)
{
	return (struct bytes){ (const uint8_t *)text, strlen(text) };
}

/* Fails unless rc and the text are what the case says. */
static inline void data_expect(const json_t *row, int rc, const struct err *err)
{
	const char *name = json_get_string(row, "name"), *words = json_get_string(row, "words");
	if (json_is_true(json_object_get(row, "accept")) != !rc)
		fail_msg("%s: %s", name, rc ? err->text : "was accepted");
	if (rc && (!words || !strstr(err->text, words)))
		fail_msg("%s: said \"%s\", not \"%s\"", name, err->text, words ? words : "");
	for (const char *c = err->text; rc && *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			fail_msg("%s: the refusal holds control characters", name);
}

static inline const char **data_list(const json_t *array)
{
	const char **list = calloc(json_array_size(array) + 1, sizeof(*list));
	for (size_t i = 0; i < json_array_size(array); i++)
		list[i] = json_string_value(json_array_get(array, i));
	return list;
}

#endif
