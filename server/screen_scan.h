/* What libvterm 0.1.4 does not report, or loses: found by a scanner of our own that reads every byte before it.
 *
 * It follows the private modes that the guard needs (?1, ?2004, ?47, ?1047, ?1049) and takes control strings (OSC, DCS, SOS, PM, APC, screen's
 * title) out: a string split over two writes confuses libvterm, and nobody here needs one. ?47 is handed on as ?1047, which libvterm knows.
 * Sequences are those of ECMA-48 and xterm's ctlseqs. Private to the screen….c files. */
#ifndef BARTIZAN_SCREEN_SCAN_H
#define BARTIZAN_SCREEN_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/screen.h"

#define SCREEN_SCAN_PARAMETERS 16 /* of one sequence; what is behind them is not looked at */
#define SCREEN_SCAN_GROWTH 3      /* bytes out for a byte in, at most, and one byte from before */

enum screen_scan_state { SCAN_GROUND, SCAN_ESCAPE, SCAN_CSI, SCAN_STRING, SCAN_STRING_ESCAPE };

struct screen_scan { /* zero at birth */
	enum screen_scan_state state;
	bool private_mode; /* the sequence began with `?` */
	bool plain;        /* and has no other marker or intermediate byte */
	unsigned parameters[SCREEN_SCAN_PARAMETERS];
	size_t count; /* of them; the last one is being read */
	struct screen_modes modes;
};

/* Copies to out what libvterm should see; out holds SCREEN_SCAN_GROWTH * len + 1 bytes. Returns how many were written. */
size_t screen_scan(struct screen_scan *scan, const uint8_t *data, size_t len, uint8_t *out);

#endif
