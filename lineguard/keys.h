/* What the user types: bytes to keys, and a model of the line that the keys make. Private to
 * lineguard/.
 *
 * The model is a line editor that knows the keys on which emacs modes and a bare terminal agree.
 * Any other key makes it unfaithful: then only the screen can tell what the line is. Replies of the
 * user's terminal (cursor reports, focus, OSC answers, mouse) are keys of a kind of their own:
 * nobody typed them. */
#ifndef BARTIZAN_LINEGUARD_KEYS_H
#define BARTIZAN_LINEGUARD_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

#define KEYS_TEXT_MAX 8192 /* bytes of the model; a longer line is unfaithful */
/* bytes of an escape sequence; a longer one ends there as an unknown key */
#define KEYS_SEQUENCE_MAX 64
#define KEYS_REPLY_MAX 4096 /* bytes of a terminal's answer; a longer one ends there as well */

enum key {
	KEY_PARTIAL, /* more bytes of the sequence are needed */
	KEY_REPLY,   /* of the terminal, not typing */
	KEY_PASTE_BEGIN,
	KEY_PASTE_END,
	KEY_PLAIN,
	KEY_ACCEPT,    /* Enter in its forms */
	KEY_OPERATE,   /* Ctrl-O: an Enter where a line editor reads */
	KEY_KEEP,      /* Esc a: zsh runs the line and keeps it */
	KEY_COMMENT,   /* Esc #: makes the line a comment, or a comment the line, and runs it */
	KEY_END_FILE,  /* Ctrl-D: without a line editor, sends the line so far */
	KEY_INTERRUPT, /* Ctrl-C, Ctrl-Z, Ctrl-backslash */
	KEY_LEFT,
	KEY_RIGHT,
	KEY_HOME,
	KEY_END,
	KEY_ERASE,
	KEY_DELETE,
	KEY_KILL_END,
	KEY_KILL_START,
	KEY_KILL_WORD,
	KEY_REDRAW,
	KEY_QUOTE,    /* Ctrl-V: the next key is taken literally */
	KEY_COMPLETE, /* Tab */
	KEY_RECALL,   /* Up, Down, Ctrl-P, Ctrl-N, Ctrl-R, Ctrl-S, Ctrl-Y */
	/* Esc q, Ctrl-Q: zsh puts the line away until the prompt after the next one */
	KEY_PUSH,
	KEY_OTHER,
};

enum keys_state {
	KEYS_GROUND,
	KEYS_ESCAPE,
	KEYS_CSI,
	KEYS_SS3,
	KEYS_STRING,
	KEYS_STRING_ESCAPE,
	KEYS_MOUSE
};

struct keys_scan { /* zero at birth */
	enum keys_state state;
	uint8_t sequence[KEYS_SEQUENCE_MAX]; /* parameters and intermediates of a CSI */
	size_t length;
	uint8_t introducer; /* of a string: the byte after ESC */
	bool pasting;
	size_t matched; /* bytes of the paste's end seen */
};

/* Takes one byte. paste: ?2004 is on, so that ESC[200~ begins a paste; inside one every byte but
 * its end is KEY_PLAIN. */
enum key keys_scan_byte(struct keys_scan *scan, uint8_t byte, bool paste);

struct keys_model { /* zero at birth */
	uint8_t text[KEYS_TEXT_MAX];
	size_t length, cursor;
	size_t tail;	 /* bytes of plain typing since the last other key */
	unsigned plain;	 /* plain bytes typed */
	unsigned others; /* other keys */
	bool unfaithful;
	bool recalled;	/* KEY_RECALL or KEY_COMPLETE was among them */
	bool completed; /* KEY_COMPLETE was */
	bool moved;	/* the cursor may stand inside the line */
	bool pasted;
};

bool keys_accept(enum key key); /* the key acts as an Enter at least somewhere */
void keys_model_key(struct keys_model *model, enum key key, uint8_t byte);
bool keys_model_empty(const struct keys_model *model); /* no key was typed */

#endif
