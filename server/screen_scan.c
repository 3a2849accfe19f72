/* The scanner before libvterm: a small state machine over the backend's bytes. It holds back nothing but an ESC whose next byte is not there yet. */
#include "server/screen_scan.h"

#include <string.h>

enum { CAN = 0x18, SUB = 0x1a, ESC = 0x1b, BEL = 0x07 };

struct output {
	uint8_t *data;
	size_t len;
};

static void put(struct output *out, uint8_t byte)
{
	out->data[out->len++] = byte;
}

static void begin_csi(struct screen_scan *scan)
{
	scan->state = SCAN_CSI;
	scan->private_mode = false;
	scan->plain = true;
	scan->count = 1;
	memset(scan->parameters, 0, sizeof scan->parameters);
}

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
	if (is_alternate(mode))
		modes->alternate = on;
}

static void end_csi(struct screen_scan *scan, struct output *out, uint8_t final)
{
	bool old_switch = false;
	scan->state = SCAN_GROUND;
	if (!scan->private_mode || !scan->plain || (final != 'h' && final != 'l'))
		return;
	for (size_t i = 0; i < scan->count; i++) {
		set_mode(scan, scan->parameters[i], final == 'h');
		old_switch |= scan->parameters[i] == 47;
	}
	for (const char *p = old_switch ? "\033[?1047" : ""; *p; p++)
		put(out, (uint8_t)*p);
	if (old_switch)
		put(out, final);
}

static void parameter(struct screen_scan *scan, uint8_t byte)
{
	if (byte == ';' && scan->count < SCREEN_SCAN_PARAMETERS)
		scan->count++;
	else if (byte == ';')
		scan->plain = false;
	else if (scan->parameters[scan->count - 1] < 100000)
		scan->parameters[scan->count - 1] = scan->parameters[scan->count - 1] * 10 + (unsigned)(byte - '0');
}

static void csi(struct screen_scan *scan, struct output *out, uint8_t byte)
{
	put(out, byte);
	if (byte == CAN || byte == SUB)
		scan->state = SCAN_GROUND;
	else if (byte < 0x20)
		return; /* controls act inside a sequence */
	else if (byte >= 0x40)
		end_csi(scan, out, byte);
	else if (byte == '?' && scan->count == 1 && !scan->parameters[0])
		scan->private_mode = true;
	else if (byte == ';' || (byte >= '0' && byte <= '9'))
		parameter(scan, byte);
	else
		scan->plain = false;
}

/* The byte behind an ESC. A string swallows both; everything else lets both through. */
static void escape(struct screen_scan *scan, struct output *out, uint8_t byte)
{
	if (strchr("]PX^_k", byte) && byte) {
		scan->state = SCAN_STRING;
		return;
	}
	put(out, ESC);
	put(out, byte);
	scan->state = SCAN_GROUND;
	if (byte == '[')
		begin_csi(scan);
	if (byte == 'c')
		scan->modes = (struct screen_modes){ .paste_on = scan->modes.paste_on };
}

static void string_byte(struct screen_scan *scan, uint8_t byte)
{
	if (byte == BEL || byte == CAN || byte == SUB)
		scan->state = SCAN_GROUND;
}

static void scan_byte(struct screen_scan *scan, struct output *out, uint8_t byte)
{
	bool in_string = scan->state == SCAN_STRING;
	if (byte == ESC) {
		if (scan->state == SCAN_CSI)
			put(out, CAN); /* ends the sequence for libvterm too, although the ESC waits here */
		scan->state = in_string ? SCAN_STRING_ESCAPE : SCAN_ESCAPE;
	} else if (in_string) {
		string_byte(scan, byte);
	} else if (scan->state == SCAN_STRING_ESCAPE && byte == '\\') {
		scan->state = SCAN_GROUND;
	} else if (scan->state == SCAN_ESCAPE || scan->state == SCAN_STRING_ESCAPE) {
		escape(scan, out, byte);
	} else if (scan->state == SCAN_CSI) {
		csi(scan, out, byte);
	} else {
		put(out, byte);
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
