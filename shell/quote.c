/* Bytes of a word, and the quotes that hold no expansion: '…' and $'…'. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shell/impl.h"

#define SCRATCH_FIRST 64

int shell_put(struct shell_scratch *scratch, const void *data, size_t len, enum shell_kind kind)
{
	if (len > scratch->room - scratch->len) {
		size_t room = scratch->room ? scratch->room : SCRATCH_FIRST;
		while (len > room - scratch->len)
			room *= 2;
		uint8_t *text = realloc(scratch->text, room);
		if (text)
			scratch->text = text;
		uint8_t *kinds = text ? realloc(scratch->kinds, room) : NULL;
		if (!kinds)
			return -ENOMEM;
		scratch->kinds = kinds;
		scratch->room = room;
	}
	if (len) {
		memcpy(scratch->text + scratch->len, data, len);
		memset(scratch->kinds + scratch->len, (int)kind, len);
	}
	scratch->len += len;
	return 0;
}

void shell_scratch_release(struct shell_scratch *scratch)
{
	free(scratch->text);
	free(scratch->kinds);
	*scratch = (struct shell_scratch){ 0 };
}

int shell_single(struct shell_parser *p, struct shell_scratch *to)
{
	size_t from = p->at + 1;
	const uint8_t *end = from < p->len ? memchr(p->data + from, '\'', p->len - from) : NULL;

	if (!end)
		return shell_unfinished(p, p->at, "quote that is not closed");
	p->at = (size_t)(end - p->data) + 1;
	size_t escapes = 0;
	while (escapes < p->at - 1 - from && p->data[p->at - 2 - escapes] == '\\')
		escapes++;
	if (escapes % 2 && shell_shells(p) & SHELL_FISH &&
		shell_doubt(p, SHELL_NO_COMMAND, shell_slice(p, from - 1),
			"quote that is escaped in fish"))
		return -ENOMEM;
	return shell_put(to, p->data + from, p->at - 1 - from, SHELL_QUOTED);
}

/* ---- $'…' ---- */

static const struct {
	uint8_t letter, byte;
} escapes[] = { { 'a', 7 }, { 'b', 8 }, { 'e', 27 }, { 'E', 27 }, { 'f', 12 }, { 'n', 10 },
	{ 'r', 13 }, { 't', 9 }, { 'v', 11 }, { '\\', '\\' }, { '\'', '\'' }, { '"', '"' },
	{ '?', '?' } };

static const struct {
	uint8_t letter;
	unsigned base, digits;
	bool character; /* a code point, written as UTF-8 */
} numbers[] = { { 'x', 16, 2, false }, { 'u', 16, 4, true }, { 'U', 16, 8, true },
	{ 0, 8, 3, false } };

static int digit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
}

static size_t utf8(uint32_t code, uint8_t out[static 4])
{
	if (code < 0x80) {
		out[0] = (uint8_t)code;
		return 1;
	}
	size_t len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	for (size_t i = len; i-- > 1; code >>= 6)
		out[i] = (uint8_t)(0x80 | (code & 0x3f));
	out[0] = (uint8_t)((0xf00 >> len & 0xf0) | code);
	return len;
}

/* \xHH, \uHHHH, \UHHHHHHHH, \nnn: at the first digit. None: stays as it is written. */
static int ansi_number(struct shell_parser *p, struct shell_scratch *to, size_t row, size_t from)
{
	uint32_t value = 0;
	uint8_t out[4];
	unsigned count = 0;

	for (; count < numbers[row].digits && digit(shell_peek(p, 0)) < (int)numbers[row].base;
		count++, p->at++)
		value = value * numbers[row].base + (uint32_t)digit(shell_peek(p, 0));
	if (!count)
		return shell_put(to, p->data + from, p->at - from, SHELL_QUOTED);
	if (!value || value > 0x10ffff) { /* ends the word in some shells, and not in others */
		int rc = shell_doubt(p, SHELL_NO_COMMAND, shell_slice(p, from),
			"a quoted byte that shells read in different ways");
		value = 0xfffd;
		return rc ? rc : shell_put(to, out, utf8(value, out), SHELL_UNKNOWN);
	}
	if (numbers[row].character)
		return shell_put(to, out, utf8(value, out), SHELL_QUOTED);
	out[0] = (uint8_t)value;
	return shell_put(to, out, 1, SHELL_QUOTED);
}

/* At the backslash. */
static int ansi_escape(struct shell_parser *p, struct shell_scratch *to)
{
	size_t from = p->at++;
	int c = shell_peek(p, 0);

	for (size_t i = 0; i < sizeof(escapes) / sizeof(*escapes); i++) {
		if (escapes[i].letter == c) {
			p->at++;
			if (c == '\'' && shell_doubt(p, SHELL_NO_COMMAND, shell_slice(p, from),
						 "escaped quote that ends the word in some shells"))
				return -ENOMEM;
			return shell_put(to, &escapes[i].byte, 1, SHELL_QUOTED);
		}
	}
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		if (numbers[i].letter ? numbers[i].letter == c : digit(c) < 8) {
			p->at += numbers[i].letter != 0;
			return ansi_number(p, to, i, from);
		}
	}
	if (c == 'c' && p->at + 1 < p->len) { /* a control character */
		uint8_t control = p->data[p->at + 1] & 0x1f;
		p->at += 2;
		return shell_put(to, &control, 1, SHELL_QUOTED);
	}
	return shell_put(to, p->data + from, 1, SHELL_QUOTED);
}

int shell_ansi(struct shell_parser *p, struct shell_scratch *to)
{
	size_t open = p->at;
	int rc = 0;

	for (p->at += 2; !rc && p->at < p->len;) {
		if (p->data[p->at] == '\'') {
			p->at++;
			return 0;
		}
		if (p->data[p->at] == '\\') {
			rc = ansi_escape(p, to);
		} else {
			rc = shell_put(to, p->data + p->at, 1, SHELL_QUOTED);
			p->at++;
		}
	}
	return rc ? rc : shell_unfinished(p, open, "quote that is not closed");
}
