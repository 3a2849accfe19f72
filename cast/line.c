/* Formats and parses single lines of an asciicast.
 *
 * Formatting runs inside a sandboxed session for every byte of output: plain ASCII is copied eight
 * bytes at a time, only what is not ASCII goes through the UTF-8 decoder, and nothing here uses the
 * locale. Parsing takes hostile lines; the caller has bounded their length. */
#include "cast/line.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/json.h"

#define ESCAPE_WORST 6	 /* bytes for one byte: \u001b */
#define ESCAPE_STEP 4096 /* bytes for which room is made at a time */
#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Length of the beginning that needs no escape. The test of whole words never takes a special byte
 * for plain: a borrow only affects bytes above one that is special already. */
static size_t plain_run(const uint8_t *data, size_t len)
{
	size_t i = 0;

	for (; len - i >= 8; i += 8) {
		uint64_t word;
		memcpy(&word, data + i, 8);
		uint64_t quote = word ^ EACH('"'), slash = word ^ EACH('\\');
		uint64_t special = word | ((word - EACH(0x20)) & ~word) |
				   ((quote - EACH(1)) & ~quote) | ((slash - EACH(1)) & ~slash);
		if (special & EACH(0x80))
			break;
	}
	while (i < len && data[i] >= 0x20 && data[i] < 0x80 && data[i] != '"' && data[i] != '\\')
		i++;
	return i;
}

static size_t high_run(const uint8_t *data, size_t len)
{
	size_t i = 0;

	while (i < len && data[i] >= 0x80)
		i++;
	return i;
}

static size_t escape_byte(uint8_t *out, uint8_t byte)
{
	static const char shorts[0x60] = { ['\b'] = 'b',
		['\t'] = 't',
		['\n'] = 'n',
		['\f'] = 'f',
		['\r'] = 'r',
		['"'] = '"',
		['\\'] = '\\' };
	static const char hex[] = "0123456789abcdef";

	out[0] = '\\';
	if (shorts[byte]) {
		out[1] = (uint8_t)shorts[byte];
		return 2;
	}
	memcpy(out + 1, "u00", 3);
	out[4] = (uint8_t)hex[byte >> 4];
	out[5] = (uint8_t)hex[byte & 15];
	return ESCAPE_WORST;
}

/* Writes the ASCII at the beginning of data; *ret_used is its length. */
static int put_ascii(struct buf *out, const uint8_t *data, size_t len, size_t *ret_used)
{
	uint8_t *room;

	if (len > ESCAPE_STEP)
		len = ESCAPE_STEP;
	int rc = buf_grow(out, len * ESCAPE_WORST, &room);
	if (rc)
		return rc;
	size_t in = 0, put = 0;
	while (in < len && data[in] < 0x80) {
		size_t plain = plain_run(data + in, len - in);
		memcpy(room + put, data + in, plain);
		in += plain;
		put += plain;
		if (in < len && data[in] < 0x80)
			put += escape_byte(room + put, data[in++]);
	}
	buf_grow_done(out, put);
	*ret_used = in;
	return 0;
}

static int put_high(struct buf *out, const uint8_t *data, size_t len, struct text_carry *carry,
	size_t *ret_used)
{
	*ret_used = high_run(data, len);
	return text_utf8(out, data, *ret_used, carry);
}

/* Writes U+FFFD for an incomplete character that is followed by an ASCII byte. */
static int put_broken(struct buf *out, struct text_carry *carry)
{
	struct text_carry broken = *carry;

	carry->len = 0;
	return text_utf8(out, broken.bytes, broken.len, NULL);
}

int cast_escape(struct buf *out, const void *data, size_t len, struct text_carry *carry)
{
	const uint8_t *in = data;
	int rc = 0;

	while (!rc && len) {
		size_t used = 0;
		if (*in >= 0x80)
			rc = put_high(out, in, len, carry, &used);
		else if (carry && carry->len)
			rc = put_broken(out, carry);
		else
			rc = put_ascii(out, in, len, &used);
		in += used;
		len -= used;
	}
	return rc;
}

int cast_line_begin(struct buf *out, int64_t time_us, char code)
{
	return buf_printf(out, "[%" PRId64 ".%06u, \"%c\", \"", time_us / 1000000,
		(unsigned)(time_us % 1000000), code);
}

int cast_line_end(struct buf *out)
{
	return buf_puts(out, "\"]\n");
}

int cast_line(struct buf *out, int64_t time_us, char code, const void *data, size_t len)
{
	int rc = cast_line_begin(out, time_us, code);

	if (!rc)
		rc = cast_escape(out, data, len < CAST_LABEL_MAX ? len : CAST_LABEL_MAX, NULL);
	return rc ? rc : cast_line_end(out);
}

/* Writes , "key": "text" with the text in visible form, because it comes from a client. */
static int header_text(
	struct buf *out, const char *before, const char *text, size_t max, const char *after)
{
	if (!text)
		return 0;
	BUF_CLEANUP struct buf visible = BUF_INIT(max + 16);
	int rc = text_visible(&visible, text, strlen(text), max);
	if (!rc)
		rc = buf_puts(out, before);
	if (!rc)
		rc = cast_escape(out, buf_data(&visible), visible.len, NULL);
	return rc ? rc : buf_puts(out, after);
}

static unsigned size_or(unsigned size, unsigned fallback)
{
	if (!size)
		return fallback;
	return size < CAST_SIZE_MAX ? size : CAST_SIZE_MAX;
}

int cast_header_line(struct buf *out, const struct cast_header *header)
{
	int rc = buf_printf(out, "{\"version\": 2, \"width\": %u, \"height\": %u",
		size_or(header->width, 80), size_or(header->height, 24));

	if (!rc && header->timestamp > 0)
		rc = buf_printf(out, ", \"timestamp\": %" PRId64, header->timestamp);
	if (!rc)
		rc = header_text(out, ", \"title\": \"", header->title, 1024, "\"");
	if (!rc)
		rc = header_text(out, ", \"command\": \"", header->command, CAST_COMMAND_MAX, "\"");
	if (!rc)
		rc = header_text(out, ", \"env\": {\"TERM\": \"", header->term, 256, "\"}");
	if (!rc)
		rc = header_text(out, ", \"bartizan_session\": \"", header->session, 64, "\"");
	if (!rc)
		rc = header_text(out, ", \"bartizan_kind\": \"", header->kind, 64, "\"");
	return rc ? rc : buf_puts(out, "}\n");
}

/* ---- parsing ---- */

static bool event_take(const json_t *line, struct cast_event *event)
{
	const json_t *time = json_array_get(line, 0), *code = json_array_get(line, 1),
		     *data = json_array_get(line, 2);

	if (json_array_size(line) != 3 || !json_is_number(time) || !json_is_string(code) ||
		!json_is_string(data) || json_string_length(code) != 1)
		return false;
	double us = json_number_value(time) * 1e6;
	char name = *json_string_value(code);
	if (!(us >= 0 && us <= (double)CAST_TIME_MAX_US) || name < 'A' || name > 'z')
		return false;
	if (buf_put(&event->data, json_string_value(data), json_string_length(data)))
		return false;
	event->time_us = (int64_t)(us + 0.5);
	event->code = name;
	return true;
}

bool cast_line_parse(struct bytes text, struct cast_event *event)
{
	buf_clear(&event->data);
	event->data.max = CAST_LINE_MAX;
	/* json_parse() would refuse a NUL, which is usual in the output of a terminal. */
	JSON_CLEANUP json_t *line = json_loadb(
		(const char *)text.data, text.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	return line && event_take(line, event);
}
