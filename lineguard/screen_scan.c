/* The scanner before libvterm: a state machine over the backend's bytes, and the list of what
 * libvterm may see. */
#include "lineguard/screen_scan.h"

#include <string.h>

enum { CAN = 0x18, SUB = 0x1a, ESC = 0x1b, BEL = 0x07, SEVERAL = 0xff };

/* ICH CUU CUD CUF CUB CNL CPL CHA CUP CHT ED EL IL DL DCH SU SD ECH CBT HPA HPR REP VPA VPR HVP TBC
 * SM HPB VPB RM SGR DECSTBM */
static const char csi_finals[] = "@ABCDEFGHIJKLMPSTXZ`abdefghjklmr";
/* DECSC DECRC IND NEL HTS RI RIS, and DECALN behind `#` */
static const char escape_finals[] = "78DEHMc";

struct output {
	uint8_t *data;
	size_t len;
};

static void put(struct output *out, uint8_t byte)
{
	out->data[out->len++] = byte;
}

static void put_number(struct output *out, unsigned number)
{
	for (unsigned unit = 1000; unit; unit /= 10)
		if (number >= unit || unit == 1)
			put(out, (uint8_t)('0' + number / unit % 10));
}

size_t screen_encode(uint32_t character, uint8_t out[static 4])
{
	static const uint8_t lead[] = { 0, 0xc0, 0xe0, 0xf0 };
	unsigned more = (character >= 0x80) + (character >= 0x800) + (character >= 0x10000);

	out[0] = (uint8_t)(lead[more] | character >> 6 * more);
	for (unsigned i = 1; i <= more; i++)
		out[i] = (uint8_t)(0x80 | (character >> 6 * (more - i) & 0x3f));
	return more + 1;
}

/* ---- modes ---- */

static bool is_alternate(unsigned mode)
{
	return mode == 47 || mode == 1047 || mode == 1049;
}

static void set_mode(struct screen_scan *scan, unsigned mode, bool on)
{
	struct screen_modes *modes = &scan->modes;

	if (mode == 1)
		modes->cursor_keys = on;
	if (mode == 2004) {
		modes->paste = on;
		modes->paste_on += on;
	}
	if (is_alternate(mode)) {
		modes->left += modes->alternate && !on;
		modes->alternate = on;
	}
}

/* Private modes that libvterm needs: origin, wrapping, saved cursor, alternate screen. */
static bool is_drawing(unsigned mode)
{
	return mode == 6 || mode == 7 || mode == 1048 || is_alternate(mode);
}

static void private_modes(struct screen_scan *scan, struct output *out, uint8_t final)
{
	for (size_t i = 0; i < scan->count; i++) {
		unsigned mode = scan->parameters[i];
		set_mode(scan, mode, final == 'h');
		if (!is_drawing(mode))
			continue;
		put(out, ESC);
		put(out, '[');
		put(out, '?');
		put_number(out, mode == 47 ? 1047 : mode);
		put(out, final);
	}
}

/* ---- control sequences ---- */

static void begin_csi(struct screen_scan *scan)
{
	scan->state = SCAN_CSI;
	scan->leader = 0;
	scan->intermediate = 0;
	scan->odd = false;
	scan->length = 0;
	scan->count = 1;
	memset(scan->parameters, 0, sizeof scan->parameters);
	memset(scan->given, 0, sizeof scan->given);
	memset(scan->sub, 0, sizeof scan->sub);
}

static void put_csi(const struct screen_scan *scan, struct output *out, uint8_t final)
{
	put(out, ESC);
	put(out, '[');
	if (scan->leader)
		put(out, scan->leader);
	for (size_t i = 0; i < scan->count; i++) {
		if (i)
			put(out, scan->sub[i - 1] ? ':' : ';');
		if (scan->given[i])
			put_number(out, scan->parameters[i]);
	}
	if (scan->intermediate)
		put(out, scan->intermediate);
	put(out, final);
}

static void end_csi(struct screen_scan *scan, struct output *out, uint8_t final)
{
	scan->state = SCAN_GROUND;
	if (scan->odd || scan->length > SCREEN_SCAN_LENGTH_MAX)
		return;
	if (scan->leader == '?' && !scan->intermediate && (final == 'h' || final == 'l'))
		private_modes(scan, out, final);
	else if (scan->intermediate == '!' && final == 'p' && !scan->leader)
		put_csi(scan, out, final);
	else if (scan->leader == '?' && !scan->intermediate && (final == 'J' || final == 'K'))
		put_csi(scan, out, final);
	else if (!scan->leader && !scan->intermediate && strchr(csi_finals, final) &&
		 (final != 'b' || scan->ascii))
		put_csi(scan, out, final);
}

/* Parameters beyond the last one that is kept are ignored. */
static void separator(struct screen_scan *scan, uint8_t byte)
{
	if (scan->count == SCREEN_SCAN_PARAMETERS) {
		scan->odd = true;
		return;
	}
	scan->sub[scan->count - 1] = byte == ':';
	scan->count++;
}

static void digit(struct screen_scan *scan, uint8_t byte)
{
	unsigned *number = &scan->parameters[scan->count - 1];

	scan->given[scan->count - 1] = true;
	*number = *number * 10 + (unsigned)(byte - '0');
	if (*number > SCREEN_SCAN_NUMBER_MAX)
		*number = SCREEN_SCAN_NUMBER_MAX;
}

static void csi(struct screen_scan *scan, struct output *out, uint8_t byte)
{
	bool first = scan->length++ == 0;

	if (byte == CAN || byte == SUB)
		scan->state = SCAN_GROUND;
	else if (byte < 0x20)
		put(out, byte); /* control characters act even inside a sequence */
	else if (byte >= 0x40 && byte != 0x7f)
		end_csi(scan, out, byte);
	else if (byte >= '0' && byte <= '9')
		digit(scan, byte);
	else if (byte == ';' || byte == ':')
		separator(scan, byte);
	else if (byte < 0x30)
		scan->intermediate = scan->intermediate ? SEVERAL : byte;
	else if (first && byte != 0x7f)
		scan->leader = byte;
	else
		scan->odd |= byte != 0x7f;
}

/* ---- escape sequences ---- */

static void put_escape(struct output *out, uint8_t intermediate, uint8_t final)
{
	put(out, ESC);
	if (intermediate)
		put(out, intermediate);
	put(out, final);
}

/* The byte after ESC: a control string swallows what follows; a character set or DECALN has one
 * more byte. */
static void escape(struct screen_scan *scan, struct output *out, uint8_t byte)
{
	scan->state = SCAN_GROUND;
	scan->intermediate = 0;
	if (byte < 0x20) {
		scan->state = SCAN_ESCAPE;
		put(out, byte);
	} else if (strchr("]PX^_k", byte)) {
		scan->state = SCAN_STRING;
	} else if (byte == '[') {
		begin_csi(scan);
	} else if (byte < 0x30) {
		scan->state = SCAN_ESCAPE_MORE;
		scan->intermediate = byte;
	} else if (strchr(escape_finals, byte)) {
		put_escape(out, 0, byte);
		if (byte == 'c')
			scan->modes = (struct screen_modes){ .paste_on = scan->modes.paste_on,
				.combined = scan->modes.combined,
				.left = scan->modes.left + scan->modes.alternate,
				.clipped = scan->modes.clipped };
	}
}

static void escape_more(struct screen_scan *scan, struct output *out, uint8_t byte)
{
	bool charset = strchr("()*+", scan->intermediate) && strchr("0AB", byte);

	if (byte < 0x20) {
		put(out, byte);
		return;
	}
	if (byte < 0x30) {
		scan->intermediate = SEVERAL;
		return;
	}
	scan->state = SCAN_GROUND;
	if (scan->intermediate != SEVERAL &&
		(charset || (scan->intermediate == '#' && byte == '8')))
		put_escape(out, scan->intermediate, byte);
}

/* ---- characters ---- */

static const struct range {
	uint32_t first, last;
} standing[] = {
	/* frequent characters that surely do not combine with the one before them */
	{ 0x20, 0x7e },
	{ 0xa0, 0x2ff },
	{ 0x370, 0x482 },
	{ 0x48a, 0x52f },
	{ 0x2190, 0x2bff },
	{ 0x3041, 0x3096 },
	{ 0x30a0, 0xa4cf },
	{ 0xac00, 0xd7a3 },
	{ 0xe000, 0xf8ff },
	{ 0xff01, 0xff60 },
	{ 0xfffd, 0xfffd },
	{ 0x1f300, 0x1f3fa },
	{ 0x1f400, 0x1faff },
};

static bool stands_alone(uint32_t character)
{
	for (size_t i = 0; i < sizeof standing / sizeof *standing; i++)
		if (character >= standing[i].first && character <= standing[i].last)
			return true;
	return false;
}

/* libvterm keeps every combining character, however many follow each other: after
 * SCREEN_SCAN_COMBINING_MAX of them another character is written in between. */
static void put_character(struct screen_scan *scan, struct output *out, uint32_t character)
{
	if (character >= 0x80 && character < 0xa0)
		/* C1 controls are not needed here, and libvterm gives them a negative width */
		return;
	bool alone = stands_alone(character);
	scan->combining = alone ? 0 : scan->combining + 1;
	scan->modes.combined += !alone;
	if (scan->combining > SCREEN_SCAN_COMBINING_MAX) {
		character = 0xfffd;
		scan->combining = 0;
	}
	scan->ascii = character < 0x7f;
	out->len += screen_encode(character, out->data + out->len);
}

static void end_character(struct screen_scan *scan, struct output *out)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	uint32_t character = scan->character;
	bool good = character >= least[scan->bytes] && character <= 0x10ffff &&
		    (character < 0xd800 || character > 0xdfff) && (character & 0xfffe) != 0xfffe;

	put_character(scan, out, good ? character : 0xfffd);
}

/* A character is written when it is complete: libvterm overruns a buffer on one that is cut
 * short. */
static void ground(struct screen_scan *scan, struct output *out, uint8_t byte)
{
	if (scan->missing && (byte & 0xc0) == 0x80) {
		scan->character = scan->character << 6 | (byte & 0x3f);
		if (!--scan->missing)
			end_character(scan, out);
		return;
	}
	if (scan->missing)
		put_character(scan, out, 0xfffd);
	scan->missing = 0;
	if (byte < 0x20) {
		put(out, byte);
	} else if (byte < 0x7f) {
		put_character(scan, out, byte);
	} else if (byte >= 0xc0 && byte < 0xf8) {
		scan->bytes = scan->missing = 1 + (byte >= 0xe0) + (byte >= 0xf0);
		scan->character = byte & (0x3fu >> scan->bytes);
	} else if (byte != 0x7f) {
		put_character(scan, out, 0xfffd);
	}
}

/* ---- bytes ---- */

static void string_byte(struct screen_scan *scan, uint8_t byte)
{
	if (byte == BEL || byte == CAN || byte == SUB)
		scan->state = SCAN_GROUND;
}

static void scan_byte(struct screen_scan *scan, struct output *out, uint8_t byte)
{
	if (byte == ESC) {
		scan->missing = 0;
		scan->state = scan->state == SCAN_STRING || scan->state == SCAN_STRING_ESCAPE
				      ? SCAN_STRING_ESCAPE
				      : SCAN_ESCAPE;
		return;
	}
	if (scan->state != SCAN_STRING && scan->state != SCAN_CSI && (byte == CAN || byte == SUB))
		scan->state = SCAN_GROUND;
	switch (scan->state) {
	case SCAN_GROUND: ground(scan, out, byte); break;
	case SCAN_ESCAPE: escape(scan, out, byte); break;
	case SCAN_ESCAPE_MORE: escape_more(scan, out, byte); break;
	case SCAN_CSI: csi(scan, out, byte); break;
	case SCAN_STRING: string_byte(scan, byte); break;
	case SCAN_STRING_ESCAPE:
		if (byte == '\\')
			scan->state = SCAN_GROUND;
		else
			escape(scan, out, byte);
		break;
	}
}

size_t screen_scan(struct screen_scan *scan, const uint8_t *data, size_t len, uint8_t *out)
{
	struct output output = { .data = out };

	for (size_t i = 0; i < len; i++)
		scan_byte(scan, &output, data[i]);
	scan->modes.in_string = scan->state == SCAN_STRING || scan->state == SCAN_STRING_ESCAPE;
	return output.len;
}
