/* Claims by name and path, each checked for its type before anybody uses it. */
#include "oidc/claims.h"

#include <errno.h>
#include <string.h>

#include "common/text.h"

static const json_t *present(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	return json_is_null(value) ? NULL : value;
}

const json_t *claims_at(const json_t *payload, const char *path, const json_t **ret_parent)
{
	char step[CLAIMS_PATH_MAX + 1];
	const json_t *parent = payload, *value = present(payload, path);

	for (size_t len; !value && *path; path += len + 1) {
		len = strcspn(path, ".");
		if (len >= sizeof(step))
			return NULL;
		memcpy(step, path, len);
		step[len] = 0;
		value = present(parent, step);
		if (!path[len])
			break;
		parent = value;
		value = NULL;
	}
	if (value && ret_parent)
		*ret_parent = parent;
	return value;
}

int claims_time(const json_t *payload, const char *name, int64_t *ret, struct err *err)
{
	const json_t *value = json_object_get(payload, name);

	if (!value)
		return -ENOENT;
	if (!json_is_integer(value))
		return err_set(err, -EBADMSG, "'%s' is not a whole number", name);
	if (json_integer_value(value) < 0 || json_integer_value(value) > CLAIMS_TIME_MAX)
		return err_set(err, -EBADMSG, "'%s' is not a time: %lld", name,
			(long long)json_integer_value(value));
	*ret = json_integer_value(value);
	return 0;
}

/* The visible form of harmless text is that text with each backslash doubled. */
bool claims_text_ok(const char *text, size_t len)
{
	BUF_CLEANUP struct buf shown = BUF_INIT(4 * len + 16);

	if (text_visible(&shown, text, len, 4 * len + 16))
		return false;
	const uint8_t *at = buf_data(&shown), *end = at + shown.len;
	for (size_t i = 0; i < len; i++, at++) {
		if (at == end || *at != (uint8_t)text[i])
			return false;
		if (text[i] == '\\' && (++at == end || *at != '\\'))
			return false;
	}
	return at == end;
}

int claims_text(
	const json_t *payload, const char *name, size_t max, const char **ret, struct err *err)
{
	const json_t *value = json_object_get(payload, name);
	size_t len = json_string_length(value);

	if (!value)
		return err_set(err, -EBADMSG, "'%s' is missing", name);
	if (!json_is_string(value))
		return err_set(err, -EBADMSG, "'%s' is not a string", name);
	if (!len)
		return err_set(err, -EBADMSG, "'%s' is empty", name);
	if (len > max)
		return err_set(err, -EBADMSG, "'%s' is longer than %zu bytes", name, max);
	if (!claims_text_ok(json_string_value(value), len))
		return err_set(err, -EBADMSG, "'%s' holds control or invisible characters", name);
	*ret = json_string_value(value);
	return 0;
}

const char *claims_show(const char *text, char out[static CLAIMS_SHOWN_MAX])
{
	return text_clean(out, CLAIMS_SHOWN_MAX, text, strlen(text));
}
