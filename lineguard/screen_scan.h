/* The filter before libvterm, which sees only sequences that this scanner has read, understood and
 * written anew.
 *
 * libvterm 0.1.4 must not be given hostile bytes as they are: more than 16 parameters write behind
 * an array, `CSI b` after a character of no width never ends, numbers overflow, broken UTF-8
 * overruns the stack, combining characters pile up for ever. So text is decoded here and written
 * whole and valid. A control sequence is kept until it is whole; one of a fixed list is written
 * again with at most SCREEN_SCAN_PARAMETERS numbers of at most SCREEN_SCAN_NUMBER_MAX; every other
 * one is dropped. Nothing that asks for an answer is on the list.
 *
 * The scanner also follows the private modes that libvterm does not report (?1, ?2004, ?47), hands
 * ?47 on as ?1047, and takes control strings (OSC, DCS, SOS, PM, APC, screen's title) out, which
 * libvterm loses when they are split. Sequences are those of ECMA-48 and xterm's ctlseqs. Private
 * to the files screen*.c. */
#ifndef BARTIZAN_LINEGUARD_SCREEN_SCAN_H
#define BARTIZAN_LINEGUARD_SCREEN_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lineguard/screen.h"

#define SCREEN_SCAN_PARAMETERS 12
#define SCREEN_SCAN_NUMBER_MAX 9999
#define SCREEN_SCAN_COMBINING_MAX 64
/* bytes of a control sequence; a longer one is dropped */
#define SCREEN_SCAN_LENGTH_MAX 256
/* bytes out for len bytes in, at most */
#define SCREEN_SCAN_OUT(len) (3 * (len) + 64 + 8 * SCREEN_SCAN_PARAMETERS)

enum screen_scan_state {
	SCAN_GROUND,
	SCAN_ESCAPE,
	SCAN_ESCAPE_MORE,
	SCAN_CSI,
	SCAN_STRING,
	SCAN_STRING_ESCAPE
};

struct screen_scan { /* zero at birth */
	enum screen_scan_state state;
	uint8_t intermediate; /* of an escape sequence or a CSI; 0: none, 0xff: more than one */
	uint8_t leader;	      /* `?`, `>`…; 0: none */
	bool odd;	      /* the sequence contains something unknown and is dropped */
	size_t length;
	unsigned parameters[SCREEN_SCAN_PARAMETERS];
	bool given[SCREEN_SCAN_PARAMETERS]; /* there was a digit */
	bool sub[SCREEN_SCAN_PARAMETERS];   /* a colon is behind it */
	size_t count;			    /* of them; the last one is being read */
	/* of a character of several bytes: how many are still missing, and how many follow the
	 * first */
	unsigned missing, bytes;
	uint32_t character;
	unsigned combining; /* characters in a row that may combine */
	bool ascii;	    /* the last character printed was ASCII */
	struct screen_modes modes;
};

/* Writes to out, which has room for SCREEN_SCAN_OUT(len) bytes, what libvterm should see. Returns
 * the number of bytes written. */
size_t screen_scan(struct screen_scan *scan, const uint8_t *data, size_t len, uint8_t *out);

size_t screen_encode(uint32_t character, uint8_t out[static 4]); /* UTF-8: how many bytes */

#endif
