/* See json.h. A scan for depth comes before the parser, because jansson's own limit is a recursion
 * of 2048. */
#include "common/json.h"

#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "common/text.h"

#define JSON_VISIBLE_MAX 65536

/* Deepest nesting of brackets outside of strings. Wrong JSON may give any answer: the parser
 * refuses it afterwards. */
static size_t depth_of(struct bytes text)
{
	size_t depth = 0, deepest = 0;
	bool string = false;

	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];
		if (string && c == '\\')
			i++;
		else if (c == '"')
			string = !string;
		else if (!string && (c == '[' || c == '{'))
			deepest = ++depth > deepest ? depth : deepest;
		else if (!string && (c == ']' || c == '}') && depth)
			depth--;
	}
	return deepest;
}

int json_parse(struct bytes text, size_t max, json_t **ret, struct err *err)
{
	json_error_t error;
	char clean[JSON_ERROR_TEXT_LENGTH * 2];

	if (text.len > max)
		return err_set(err, -EMSGSIZE, "JSON is longer than %zu bytes", max);
	if (depth_of(text) > JSON_DEPTH_MAX)
		return err_set(err, -EBADMSG, "JSON is nested deeper than %d", JSON_DEPTH_MAX);
	json_t *json = json_loadb(
		text.len ? (const char *)text.data : "", text.len, JSON_REJECT_DUPLICATES, &error);
	if (!json)
		return err_set(err, -EBADMSG, "not valid JSON: line %d, column %d: %s", error.line,
			error.column,
			text_clean(clean, sizeof(clean), error.text,
				strnlen(error.text, sizeof(error.text))));
	*ret = json;
	return 0;
}

struct sink {
	struct buf *out;
	int rc;
};

static int dump_piece(const char *piece, size_t size, void *context)
{
	struct sink *sink = context;

	sink->rc = buf_put(sink->out, piece, size);
	return sink->rc;
}

static int dump(const json_t *json, struct buf *out, size_t flags)
{
	struct sink sink = { out, 0 };
	size_t start = out->len;

	if (!json_dump_callback(json, dump_piece, &sink, flags | JSON_SORT_KEYS | JSON_ENCODE_ANY))
		return 0;
	out->len = start;
	return sink.rc ? sink.rc : -EINVAL;
}

int json_text(const json_t *json, struct buf *out)
{
	return dump(json, out, JSON_COMPACT);
}

int json_pretty(const json_t *json, struct buf *out)
{
	size_t start = out->len;
	int rc = dump(json, out, JSON_INDENT(2));

	if (!rc)
		rc = buf_putc(out, '\n');
	if (rc)
		out->len = start;
	return rc;
}

json_t *json_visible(const void *data, size_t len)
{
	BUF_CLEANUP struct buf text = BUF_INIT(JSON_VISIBLE_MAX);

	if (text_visible(&text, data, len, JSON_VISIBLE_MAX))
		return NULL;
	return json_stringn_nocheck((const char *)buf_data(&text), text.len);
}

json_t *json_string_or_null(const char *text)
{
	if (!text)
		return json_null();
	size_t len = strlen(text);
	if (text_utf8_valid(text, len))
		return json_stringn_nocheck(text, len);
	BUF_CLEANUP struct buf valid = BUF_INIT(SIZE_MAX);
	if (text_utf8(&valid, text, len, NULL))
		return NULL;
	return json_stringn_nocheck((const char *)buf_data(&valid), valid.len);
}

json_t *json_time_ms(int64_t ms)
{
	char text[CLOCK_RFC3339_MAX];

	return ms ? json_string(clock_format_ms(ms, text)) : json_null();
}

const char *json_get_string(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}
