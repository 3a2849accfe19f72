/* Hostile text made harmless. One strict UTF-8 reader and one table of characters that are never
 * shown.
 *
 * The reader follows table 3-7 of the Unicode standard: no overlong forms, no surrogates, nothing
 * above U+10FFFF. */
#include "common/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CUT_MARK "\xe2\x80\xa6" /* … */
#define CUT_LEN 3
/* more than the longest visible form of one character, \u{10FFFF}, and a NUL */
#define UNIT_MAX 16

#define NAME_MAX_LEN 255
#define TARGET_MAX_LEN 253

struct range {
	uint32_t first, last;
};

/* Characters that are invisible, change the order of the text, or are never assigned: a reader must
 * see that they are there. */
static const struct range hidden[] = {
	{ 0x00, 0x1f }, { 0x7f, 0x9f },		/* C0, DEL, C1 */
	{ 0xad, 0xad }, { 0x34f, 0x34f },	/* soft hyphen, grapheme joiner */
	{ 0x61c, 0x61c },			/* Arabic letter mark: bidirectional */
	{ 0x115f, 0x1160 }, { 0x17b4, 0x17b5 }, /* fillers */
	{ 0x180b, 0x180f },			/* Mongolian selectors */
	/* zero width, marks, line and paragraph separators, embeddings */
	{ 0x200b, 0x200f }, { 0x2028, 0x202e },
	{ 0x2060, 0x206f },			/* word joiner, invisible operators, isolates */
	{ 0x3164, 0x3164 }, { 0xfe00, 0xfe0f }, /* filler, variation selectors */
	{ 0xfdd0, 0xfdef }, { 0xfeff, 0xfeff }, /* noncharacters, byte order mark */
	{ 0xffa0, 0xffa0 }, { 0xfff0, 0xfffb }, { 0xfffe, 0xffff }, { 0x110bd, 0x110bd },
	{ 0x110cd, 0x110cd }, { 0x13430, 0x1345f }, { 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a },
	{ 0xe0000, 0xe0fff }, /* tags and more variation selectors */
};

static const struct range spaces[] = {
	{ 0x20, 0x20 },
	{ 0xa0, 0xa0 },
	{ 0x1680, 0x1680 },
	{ 0x2000, 0x200a },
	{ 0x202f, 0x202f },
	{ 0x205f, 0x205f },
	{ 0x2800, 0x2800 },
	{ 0x3000, 0x3000 },
};

#define IN(table, c) in_ranges(table, sizeof(table) / sizeof((table)[0]), c)

static bool in_ranges(const struct range *table, size_t count, uint32_t c)
{
	for (size_t i = 0; i < count && c >= table[i].first; i++)
		if (c <= table[i].last)
			return true;
	return (c & 0xfffe) == 0xfffe && table == hidden;
}

/* ---- reading UTF-8 ---- */

static const struct lead { /* what may follow a first byte */
	/* range of the second byte; continuation bytes in all */
	uint8_t first, last, low, high, more;
} leads[] = {
	{ 0xc2, 0xdf, 0x80, 0xbf, 1 },
	{ 0xe0, 0xe0, 0xa0, 0xbf, 2 },
	{ 0xe1, 0xec, 0x80, 0xbf, 2 },
	{ 0xed, 0xed, 0x80, 0x9f, 2 },
	{ 0xee, 0xef, 0x80, 0xbf, 2 },
	{ 0xf0, 0xf0, 0x90, 0xbf, 3 },
	{ 0xf1, 0xf3, 0x80, 0xbf, 3 },
	{ 0xf4, 0xf4, 0x80, 0x8f, 3 },
};

/* Length of the character at data (> 0, value in *ret), 0 when the input ends inside one, or minus
 * the length of an invalid piece. */
static int next_char(const uint8_t *data, size_t len, uint32_t *ret)
{
	const struct lead *lead = NULL;

	*ret = data[0];
	if (data[0] < 0x80)
		return 1;
	for (size_t i = 0; i < sizeof(leads) / sizeof(leads[0]) && !lead; i++)
		if (data[0] >= leads[i].first && data[0] <= leads[i].last)
			lead = &leads[i];
	if (!lead)
		return -1;
	*ret = data[0] & (0x3f >> lead->more);
	for (int i = 1; i <= lead->more; i++) {
		if ((size_t)i == len)
			return 0;
		if (data[i] < (i == 1 ? lead->low : 0x80) || data[i] > (i == 1 ? lead->high : 0xbf))
			return -i;
		*ret = *ret << 6 | (data[i] & 0x3f);
	}
	return lead->more + 1;
}

/* Bytes of plain ASCII in front. */
static size_t ascii_run(const uint8_t *data, size_t len)
{
	size_t n = 0;
	uint64_t word;

	for (; n + sizeof(word) <= len; n += sizeof(word)) {
		memcpy(&word, data + n, sizeof(word));
		if (word & 0x8080808080808080u)
			break;
	}
	while (n < len && data[n] < 0x80)
		n++;
	return n;
}

/* Bytes of valid UTF-8 in front; *ret_bad is what follows, as next_char() says. */
static size_t valid_run(const uint8_t *data, size_t len, int *ret_bad)
{
	size_t n = 0;
	uint32_t c;

	*ret_bad = 0;
	while ((n += ascii_run(data + n, len - n)) < len) {
		int step = next_char(data + n, len - n, &c);
		if (step <= 0) {
			*ret_bad = step;
			break;
		}
		n += (size_t)step;
	}
	return n;
}

bool text_utf8_valid(const void *data, size_t len)
{
	int bad;

	return valid_run(data, len, &bad) == len;
}

/* ---- visible form ---- */

static void unit_escape(char unit[static UNIT_MAX], uint32_t c)
{
	const char *name = "\\\\";

	if (c == '\n' || c == '\t')
		name = c == '\n' ? "\\n" : "\\t";
	snprintf(unit, UNIT_MAX, "%s", name);
}

/* Visible form of the first character at data, NUL-terminated in unit; returns how many bytes it
 * stands for. */
static size_t visible_unit(const uint8_t *data, size_t len, char unit[static UNIT_MAX])
{
	uint32_t c;
	int step = next_char(data, len, &c);

	if (step <= 0) {
		snprintf(unit, UNIT_MAX, "\\x%02x", data[0]);
		return 1;
	}
	if (c == '\n' || c == '\t' || c == '\\')
		unit_escape(unit, c);
	else if (c < 0x80 && IN(hidden, c))
		snprintf(unit, UNIT_MAX, "\\x%02x", c);
	else if (IN(hidden, c))
		snprintf(unit, UNIT_MAX, "\\u{%04X}", c);
	else {
		memcpy(unit, data, (size_t)step);
		unit[step] = 0;
	}
	return (size_t)step;
}

/* Writes at most room bytes (nothing where out is NULL) and returns how many they are. What does
 * not fit is cut between characters. */
static size_t visible_fill(char *out, size_t room, const uint8_t *data, size_t len)
{
	char unit[UNIT_MAX];
	size_t used = 0, cut = 0; /* cut: the last place with room for the mark */

	while (len) {
		size_t taken = visible_unit(data, len, unit);
		size_t size = strlen(unit);
		if (size > room - used) {
			if (room < CUT_LEN)
				return used;
			if (out)
				memcpy(out + cut, CUT_MARK, CUT_LEN);
			return cut + CUT_LEN;
		}
		if (out)
			memcpy(out + used, unit, size);
		used += size;
		if (room - used >= CUT_LEN)
			cut = used;
		data += taken;
		len -= taken;
	}
	return used;
}

int text_visible(struct buf *out, const void *data, size_t len, size_t max_out)
{
	uint8_t *room;
	size_t size = visible_fill(NULL, max_out, data, len);
	int rc = buf_grow(out, size, &room);

	if (rc)
		return rc;
	visible_fill((char *)room, max_out, data, len);
	buf_grow_done(out, size);
	return 0;
}

const char *text_clean(char *out, size_t size, const void *data, size_t len)
{
	if (size)
		out[visible_fill(out, size - 1, data, len)] = 0;
	return out;
}

/* ---- valid form ---- */

#define REPLACEMENT "\xef\xbf\xbd"

/* Completes the character in carry from data. *used: bytes of data that it took. */
static int finish_carry(
	struct buf *out, const uint8_t *data, size_t len, struct text_carry *carry, size_t *used)
{
	uint32_t c;
	int rc = 0;

	while (carry->len && *used < len && !rc) {
		carry->bytes[carry->len] = data[*used];
		int step = next_char(carry->bytes, carry->len + 1u, &c);
		if (step < 0) { /* the new byte begins something else */
			rc = buf_put(out, REPLACEMENT, strlen(REPLACEMENT));
			carry->len = 0;
			continue;
		}
		(*used)++;
		carry->len++;
		if (step > 0) {
			rc = buf_put(out, carry->bytes, carry->len);
			carry->len = 0;
		}
	}
	return rc;
}

static int put_valid(struct buf *out, const uint8_t *data, size_t len, struct text_carry *carry)
{
	while (len) {
		int bad;
		size_t run = valid_run(data, len, &bad);
		int rc = buf_put(out, data, run);
		data += run;
		len -= run;
		if (rc || !len)
			return rc;
		if (!bad && carry) {
			memcpy(carry->bytes, data, len);
			carry->len = (uint8_t)len;
			return 0;
		}
		rc = buf_put(out, REPLACEMENT, strlen(REPLACEMENT));
		if (rc)
			return rc;
		size_t skip = bad ? (size_t)-bad : len;
		data += skip;
		len -= skip;
	}
	return 0;
}

int text_utf8(struct buf *out, const void *data, size_t len, struct text_carry *carry)
{
	struct text_carry before = carry ? *carry : (struct text_carry){ .len = 0 };
	size_t start = out->len, used = 0;
	int rc = carry ? finish_carry(out, data, len, carry, &used) : 0;

	if (!rc)
		rc = put_valid(out, (const uint8_t *)data + used, len - used, carry);
	if (rc) {
		out->len = start;
		if (carry)
			*carry = before;
	}
	return rc;
}

/* ---- names ---- */

bool text_name_ok(const char *name, size_t len)
{
	const uint8_t *at = (const uint8_t *)name;

	if (!len || len > NAME_MAX_LEN || *name == '-')
		return false;
	while (len) {
		uint32_t c;
		int step = next_char(at, len, &c);
		if (step <= 0 || IN(hidden, c) || IN(spaces, c) ||
			(c < 0x80 && strchr(",*/\\\"`", (int)c)))
			return false;
		at += step;
		len -= (size_t)step;
	}
	return true;
}

static bool is_target_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '.' || c == '-' || c == '_' || c == ':';
}

bool text_target_ok(const char *name, size_t len)
{
	if (!len || len > TARGET_MAX_LEN || *name == '-')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_target_char(name[i]))
			return false;
	return true;
}

/* ---- small things ---- */

char *text_dup(const void *data, size_t len)
{
	char *copy = len < SIZE_MAX ? malloc(len + 1) : NULL;

	if (!copy)
		return NULL;
	if (len)
		memcpy(copy, data, len);
	copy[len] = 0;
	return copy;
}

bool text_equal(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

void text_burn(void *data, size_t len)
{
	if (len)
		explicit_bzero(data, len);
}

static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Up to three bytes as four characters. */
static void base64_group(char out[static 4], const uint8_t *data, size_t len)
{
	uint32_t bits = (uint32_t)data[0] << 16 | (len > 1 ? (uint32_t)data[1] << 8 : 0) |
			(len > 2 ? data[2] : 0);

	for (int i = 0; i < 4; i++)
		out[i] = (size_t)i <= len ? base64_digits[bits >> (18 - 6 * i) & 0x3f] : '=';
}

int text_base64(struct buf *out, const void *data, size_t len)
{
	const uint8_t *at = data;
	uint8_t *room;

	if (len > SIZE_MAX / 4 * 3 - 3)
		return -EMSGSIZE;
	size_t size = (len + 2) / 3 * 4;
	int rc = buf_grow(out, size, &room);
	if (rc)
		return rc;
	for (size_t i = 0; i < len; i += 3, room += 4)
		base64_group((char *)room, at + i, len - i);
	buf_grow_done(out, size);
	return 0;
}

static int base64_value(char c)
{
	const char *digit = c ? strchr(base64_digits, c) : NULL;

	return digit ? (int)(digit - base64_digits) : -1;
}

/* Four characters into one to three bytes; padding only where last is true. Returns the bytes, or
 * -1. */
static int base64_ungroup(const char *text, bool last, uint8_t out[static 3])
{
	uint32_t bits = 0;
	int digits = 4;
	if (last && text[3] == '=')
		digits = text[2] == '=' ? 2 : 3;

	for (int i = 0; i < 4; i++) {
		int value = i < digits ? base64_value(text[i]) : 0;
		if (value < 0)
			return -1;
		bits = bits << 6 | (uint32_t)value;
	}
	for (int i = 0; i < 3; i++)
		out[i] = (uint8_t)(bits >> (16 - 8 * i));
	bool canonical = digits == 4 || (!out[2] && (digits == 3 || !out[1]));
	return canonical ? digits - 1 : -1;
}

int text_base64_decode(struct buf *out, const char *text, size_t len)
{
	uint8_t *room, group[3];
	size_t used = 0;

	if (len % 4)
		return -EBADMSG;
	int rc = buf_grow(out,
		len / 4 * 3 - (len && text[len - 1] == '=') - (len && text[len - 2] == '='), &room);
	if (rc)
		return rc;
	for (size_t i = 0; i < len; i += 4) {
		int n = base64_ungroup(text + i, i + 4 == len, group);
		if (n < 0)
			return -EBADMSG;
		memcpy(room + used, group, (size_t)n);
		used += (size_t)n;
	}
	buf_grow_done(out, used);
	return 0;
}

int text_hex(char *out, size_t size, const void *data, size_t len)
{
	const uint8_t *at = data;

	if (len > SIZE_MAX / 2 - 1 || size < 2 * len + 1)
		return -ENOSPC;
	for (size_t i = 0; i < len; i++) {
		out[2 * i] = "0123456789abcdef"[at[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[at[i] & 0xf];
	}
	out[2 * len] = 0;
	return 0;
}

void text_list_free(char **list)
{
	for (char **entry = list; entry && *entry; entry++)
		free(*entry);
	free(list);
}
