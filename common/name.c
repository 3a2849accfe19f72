/* See name.h. */
#include "common/name.h"

#include <stdio.h>
#include <string.h>

#include "common/name_scripts.h"
#include "common/text.h"

#define LOCAL "local:"
#define PUNCTUATION "._@+-'"

/* One character of valid UTF-8, and how long it is. */
static size_t decode(const uint8_t *at, uint32_t *ret)
{
	size_t len = *at < 0x80 ? 1 : *at < 0xe0 ? 2 : 3 + (*at >= 0xf0);
	static const uint8_t masks[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };

	*ret = *at & masks[len];
	for (size_t i = 1; i < len; i++)
		*ret = *ret << 6 | (at[i] & 0x3f);
	return len;
}

static bool is_letter(uint32_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static enum script script_of(uint32_t c)
{
	const size_t count = sizeof(script_ranges) / sizeof(script_ranges[0]);

	if (is_letter(c))
		return SCRIPT_LATIN;
	for (size_t i = 0; i < count && c >= script_ranges[i].first; i++)
		if (c <= script_ranges[i].last)
			return script_ranges[i].script;
	return SCRIPT_NONE;
}

/* Scripts that are written together, as bits of which one has to remain (UTS 39, section 5.1). */
static unsigned families_of(enum script script)
{
	enum { JAPANESE = 1, KOREAN = 2, TAIWANESE = 4 };

	switch (script) {
	case SCRIPT_HAN: return JAPANESE | KOREAN | TAIWANESE;
	case SCRIPT_HIRAGANA:
	case SCRIPT_KATAKANA: return JAPANESE;
	case SCRIPT_HANGUL: return KOREAN;
	case SCRIPT_BOPOMOFO: return TAIWANESE;
	default: return 0;
	}
}

struct part { /* from one `@` to the next */
	enum script script;
	unsigned families;
};

/* NULL, or the script that the new one does not go with. */
static const char *mixed(struct part *part, enum script script)
{
	unsigned families = families_of(script);

	if (part->script == SCRIPT_NONE) {
		*part = (struct part){ script, families };
		return NULL;
	}
	if (part->script != script && !(part->families & families))
		return script_names[part->script];
	part->families = part->script == script ? part->families : part->families & families;
	return NULL;
}

static const char *shown(const uint8_t *at, size_t len, uint32_t c, char out[static 32])
{
	if (c < 0x80)
		return text_clean(out, 32, at, len);
	snprintf(out, 32, "\\u{%04X}", (unsigned)c);
	return out;
}

static bool refuse(
	char why[static NAME_WHY_MAX], const char *what, const char *character, const char *more)
{
	snprintf(why, NAME_WHY_MAX, "%s%s%s%s%s", what, *character ? "'" : "", character,
		*character ? "'" : "", more);
	return false;
}

/* One character; part is that of the name so far. */
static bool character_ok(const uint8_t *at, size_t len, uint32_t c, unsigned flags,
	struct part *part, char why[static NAME_WHY_MAX])
{
	char text[32], more[64];
	enum script script = script_of(c);
	bool simple = c < 0x80 && c &&
		      (is_letter(c) || (c >= '0' && c <= '9') || strchr(PUNCTUATION, (int)c) ||
			      ((flags & NAME_WORKLOAD) && c == ':'));

	if (c == '@')
		*part = (struct part){ SCRIPT_NONE, 0 };
	if (c < 0x80 && !simple)
		return refuse(why, "it holds ", shown(at, len, c, text), "");
	if (c >= 0x80 && script == SCRIPT_NONE)
		return refuse(why, "it holds ", shown(at, len, c, text),
			", which is not a letter that names are written with");
	if (c >= 0x80 && !(flags & NAME_UNICODE))
		return refuse(why, "it holds ", shown(at, len, c, text),
			", which is not ASCII (names: unicode would allow it)");
	const char *other = script == SCRIPT_NONE ? NULL : mixed(part, script);
	if (!other)
		return true;
	snprintf(more, sizeof(more), " (%s) among %s letters", script_names[script], other);
	return refuse(why, "it holds ", shown(at, len, c, text), more);
}

/* The character that text_name_ok() does not like, if it is a single one. */
static bool refused_by_text(const char *name, size_t len, char why[static NAME_WHY_MAX])
{
	char text[32];
	uint32_t c;

	if (!len)
		return refuse(why, "it is empty", "", "");
	if (!text_utf8_valid(name, len))
		return refuse(why, "it is not valid UTF-8", "", "");
	if (*name == '-')
		return refuse(why, "it begins with ", "-", "");
	const uint8_t *at = (const uint8_t *)name;
	for (size_t left = len, step; left; at += step, left -= step) {
		step = decode(at, &c);
		if (!text_name_ok((const char *)at, step) && c != '-')
			return refuse(why, "it holds ", shown(at, step, c, text), "");
	}
	return refuse(why, "it is longer than 255 bytes", "", "");
}

bool name_ok(const char *name, size_t len, unsigned flags, char why[static NAME_WHY_MAX])
{
	struct part part = { SCRIPT_NONE, 0 };
	const uint8_t *at = (const uint8_t *)name;
	uint32_t c;

	if (!text_name_ok(name, len))
		return refused_by_text(name, len, why);
	if (len >= strlen(LOCAL) && !strncmp(name, LOCAL, strlen(LOCAL)))
		return refuse(
			why, "it begins with ", LOCAL, ", as accounts of the gateway's machine do");
	for (size_t left = len, step; left; at += step, left -= step) {
		step = decode(at, &c);
		if (!character_ok(at, step, c, flags, &part, why))
			return false;
	}
	return true;
}
