/* Terminal output as plain text. A table says what each class of byte does in each state; after
 * ECMA-48 section 5.4 and xterm's ctlseqs. */
#include "cast/text.h"

#include "common/text.h"

static enum cast_text_state escape_next(uint8_t byte)
{
	switch (byte) {
	case '[': return TEXT_CSI;
	case ']':
	case 'P':
	case 'X':
	case '^':
	case '_': return TEXT_STRING;
	default: return byte >= 0x20 && byte < 0x30 ? TEXT_CHARSET : TEXT_GROUND;
	}
}

/* The state after a byte of a sequence: itself, or TEXT_GROUND when the sequence ends with it. */
static enum cast_text_state sequence_next(const struct cast_text *text, uint8_t byte)
{
	switch (text->state) {
	case TEXT_ESCAPE: return escape_next(byte);
	case TEXT_CHARSET: return byte < 0x30 ? TEXT_CHARSET : TEXT_GROUND;
	case TEXT_CSI:
		return byte < 0x40 && text->length < CAST_TEXT_CSI_MAX ? TEXT_CSI : TEXT_GROUND;
	case TEXT_STRING: return text->length < CAST_TEXT_STRING_MAX ? TEXT_STRING : TEXT_GROUND;
	case TEXT_STRING_ESCAPE: return byte == '\\' ? TEXT_GROUND : escape_next(byte);
	case TEXT_GROUND: break;
	}
	return TEXT_GROUND;
}

static int line_end(struct cast_text *text, struct buf *out)
{
	text->pending_cr = false;
	text->in_line = false;
	return buf_putc(out, '\n');
}

static int shown(struct cast_text *text, struct buf *out, const void *data, size_t len)
{
	int rc = text->pending_cr && text->in_line ? line_end(text, out) : 0;

	text->pending_cr = false;
	text->in_line = true;
	return rc ? rc : buf_put(out, data, len);
}

/* Controls act inside sequences as well, as on a terminal; in a control string they end it, so that
 * a string without end hides one line at most. */
static int control(struct cast_text *text, struct buf *out, uint8_t byte)
{
	bool in_string = text->state == TEXT_STRING || text->state == TEXT_STRING_ESCAPE;

	if (byte == 0x1b) {
		text->state = in_string ? TEXT_STRING_ESCAPE : TEXT_ESCAPE;
		text->length = 0;
		return 0;
	}
	if (in_string || byte == 0x18 || byte == 0x1a)
		text->state = TEXT_GROUND;
	if (byte == '\n' || byte == '\v' || byte == '\f')
		return line_end(text, out);
	if (byte == '\r')
		text->pending_cr = true;
	return byte == '\t' && text->state == TEXT_GROUND ? shown(text, out, "\t", 1) : 0;
}

/* C1 controls in UTF-8 (C2 80 … C2 9F). */
static void control_c1(struct cast_text *text, uint8_t byte)
{
	static const uint8_t states[32] = { [0x10] = TEXT_STRING,
		[0x18] = TEXT_STRING,
		[0x1b] = TEXT_CSI,
		[0x1d] = TEXT_STRING,
		[0x1e] = TEXT_STRING,
		[0x1f] = TEXT_STRING };

	text->state = states[byte - 0x80];
	text->length = 0;
}

/* U+202A…202E, U+2066…2069: they would show the line in another order than it was. */
static bool is_bidi(const uint8_t *data, size_t len)
{
	if (len < 3 || data[0] != 0xe2)
		return false;
	return (data[1] == 0x80 && data[2] >= 0xaa && data[2] <= 0xae) ||
	       (data[1] == 0x81 && data[2] >= 0xa6 && data[2] <= 0xa9);
}

static size_t character(const uint8_t *data, size_t len)
{
	size_t n = 1;

	while (n < len && n < 4 && (data[n] & 0xc0) == 0x80)
		n++;
	return n;
}

static int ground(struct cast_text *text, struct buf *out, const uint8_t *data, size_t len)
{
	if (is_bidi(data, len))
		return shown(text, out, "\xef\xbf\xbd", 3);
	return shown(text, out, data, len);
}

static int put_character(struct cast_text *text, struct buf *out, const uint8_t *data, size_t len)
{
	if (*data < 0x20)
		return control(text, out, *data);
	if (*data == 0x7f)
		return 0;
	if (len == 2 && data[0] == 0xc2 && data[1] < 0xa0) {
		control_c1(text, data[1]);
		return 0;
	}
	if (text->state == TEXT_GROUND)
		return ground(text, out, data, len);
	text->length++;
	text->state = sequence_next(text, *data);
	return 0;
}

int cast_text_put(struct cast_text *text, struct buf *out, struct bytes data)
{
	int rc = 0;

	for (size_t at = 0; !rc && at < data.len;) {
		size_t len = data.data[at] < 0x80 ? 1 : character(data.data + at, data.len - at);
		rc = put_character(text, out, data.data + at, len);
		at += len;
	}
	return rc;
}

int cast_text_note(struct cast_text *text, struct buf *out, const char *what, struct bytes label)
{
	int rc = text->in_line ? line_end(text, out) : 0;

	if (!rc)
		rc = buf_printf(out, "[%s: ", what);
	if (!rc)
		rc = text_visible(out, label.data, label.len, 8192);
	text->pending_cr = false;
	return rc ? rc : buf_puts(out, "]\n");
}
