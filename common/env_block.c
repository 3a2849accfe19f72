/* See env_block.h. */
#include "common/env_block.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int env_put(struct buf *block, struct bytes name, struct bytes value)
{
	size_t before = block->len;

	if (!name.len || memchr(name.data, '=', name.len) || memchr(name.data, 0, name.len) ||
		(value.len && memchr(value.data, 0, value.len)))
		return -EINVAL;
	int rc = buf_put(block, name.data, name.len);
	if (!rc)
		rc = buf_putc(block, '=');
	if (!rc)
		rc = buf_put(block, value.data, value.len);
	if (!rc)
		rc = buf_putc(block, 0);
	if (rc)
		block->len = before;
	return rc;
}

bool env_next(struct bytes *block, struct env_variable *ret)
{
	const uint8_t *end = block->len ? memchr(block->data, 0, block->len) : NULL;
	const uint8_t *equals = end ? memchr(block->data, '=', (size_t)(end - block->data)) : NULL;

	if (!equals || equals == block->data)
		return false;
	ret->name = (struct bytes){ block->data, (size_t)(equals - block->data) };
	ret->value = (struct bytes){ equals + 1, (size_t)(end - equals - 1) };
	block->len -= (size_t)(end + 1 - block->data);
	block->data = end + 1;
	return true;
}

bool env_ok(struct bytes block)
{
	struct env_variable variable;

	while (env_next(&block, &variable))
		;
	return !block.len;
}

/* Name, '=' and value lie one behind the other. */
static json_t *shown(const struct env_variable *variable, bool cut)
{
	size_t len = variable->name.len + 1 + variable->value.len;

	if (!cut || len <= ENV_EVENT_MAX)
		return json_visible(variable->name.data, len);
	JSON_CLEANUP json_t *begin = json_visible(variable->name.data, ENV_EVENT_MAX);
	return json_sprintf("%s… %zu bytes more", json_string_value(begin), len - ENV_EVENT_MAX);
}

json_t *env_json(struct bytes block, size_t max)
{
	struct env_variable variable;
	json_t *list = json_array();
	size_t count = 0;

	for (; list && env_next(&block, &variable); count++)
		if (count < max)
			json_array_append_new(list, shown(&variable, max < SIZE_MAX));
	if (list && count > max)
		json_array_append_new(list, json_sprintf("… %zu more", count - max));
	return list;
}

const char *env_words(struct bytes block, char *out, size_t size)
{
	static const char cut[] = "…";
	struct env_variable variable;
	size_t len = 0;

	*out = 0;
	while (env_next(&block, &variable)) {
		JSON_CLEANUP json_t *text = json_visible(
			variable.name.data, variable.name.len + 1 + variable.value.len);
		const char *shown = text ? json_string_value(text) : NULL;
		const char *comma = len ? ", " : "";
		if (!shown || len + strlen(comma) + strlen(shown) + sizeof(cut) > size) {
			snprintf(out + len, size - len, "%s", cut);
			break;
		}
		len += (size_t)snprintf(out + len, size - len, "%s%s", comma, shown);
	}
	return out;
}
