/* Writing YAML for dumps: what comes out reads back as the same value. */
#include "conf/yaml.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char plain_characters[] =
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+-";

/* Plain only where no YAML reader of any version could see more than a text. */
static bool is_plain(const char *text)
{
	static const char *const words[] = { "null", "true", "false", "yes", "no", "on", "off", "y",
		"n", NULL };
	size_t len = strlen(text);

	if (len == 0 || !(isalpha((unsigned char)*text) || *text == '/' || *text == '_') ||
		strspn(text, plain_characters) != len)
		return false;
	for (const char *const *word = words; *word; word++)
		if (strcasecmp(text, *word) == 0)
			return false;
	return true;
}

/* Characters that a reader would refuse or take for a line break; everything else of UTF-8 stays as
 * it is. Returns the bytes taken. */
static size_t put_quoted(struct buf *out, const unsigned char *p, int *rc)
{
	if (*p == '"' || *p == '\\') {
		*rc = buf_printf(out, "\\%c", *p);
	} else if (*p < 0x20 || *p == 0x7f) {
		*rc = buf_printf(out, "\\x%02X", *p);
	} else if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0) {
		*rc = buf_printf(out, "\\x%02X", p[1]);
		return 2;
	} else if (p[0] == 0xe2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9)) {
		*rc = buf_printf(out, "\\u20%02X", p[2] - 0x80);
		return 3;
	} else if (p[0] == 0xef &&
		   ((p[1] == 0xbb && p[2] == 0xbf) || (p[1] == 0xbf && p[2] >= 0xbe))) {
		*rc = buf_printf(out, "\\u%04X", p[1] == 0xbb ? 0xfeff : 0xff40u + p[2]);
		return 3;
	} else {
		*rc = buf_putc(out, *p);
	}
	return 1;
}

int yaml_put_text(struct buf *out, const char *text)
{
	if (is_plain(text))
		return buf_puts(out, text);
	int rc = buf_putc(out, '"');
	for (const unsigned char *p = (const unsigned char *)text; rc == 0 && *p;)
		p += put_quoted(out, p, &rc);
	return rc < 0 ? rc : buf_putc(out, '"');
}

int yaml_put_texts(struct buf *out, char *const *list)
{
	int rc = buf_putc(out, '[');

	for (size_t i = 0; rc == 0 && list && list[i]; i++) {
		if (i > 0)
			rc = buf_puts(out, ", ");
		if (rc == 0)
			rc = yaml_put_text(out, list[i]);
	}
	return rc < 0 ? rc : buf_putc(out, ']');
}

const char *yaml_format_duration(int64_t ms, char out[static YAML_NUMBER_MAX])
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = {
		{ "d", 86400000 },
		{ "h", 3600000 },
		{ "m", 60000 },
		{ "s", 1000 },
		{ "ms", 1 },
	};
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		int64_t count = ms / units[i].ms;
		if (count == 0)
			continue;
		len += (size_t)snprintf(
			out + len, YAML_NUMBER_MAX - len, "%" PRId64 "%s", count, units[i].name);
		ms -= count * units[i].ms;
	}
	if (len == 0)
		snprintf(out, YAML_NUMBER_MAX, "0");
	return out;
}

const char *yaml_format_size(int64_t bytes, char out[static YAML_NUMBER_MAX])
{
	static const char *const units[] = { "", "KiB", "MiB", "GiB", "TiB" };
	size_t unit = 0;

	while (bytes > 0 && bytes % 1024 == 0 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		bytes /= 1024;
		unit++;
	}
	snprintf(out, YAML_NUMBER_MAX, "%" PRId64 "%s", bytes, units[unit]);
	return out;
}
