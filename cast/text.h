/* Terminal output as plain text: escape sequences removed, line ends normalised. For `replay
 * --text`; keeps its state between calls. Private to cast/. */
#ifndef BARTIZAN_CAST_TEXT_H
#define BARTIZAN_CAST_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"

/* bytes of a control string; a longer one is shown as text, so that an endless one cannot hide from
 * an auditor what follows */
#define CAST_TEXT_STRING_MAX 4096
#define CAST_TEXT_CSI_MAX 64

enum cast_text_state {
	TEXT_GROUND,
	TEXT_ESCAPE,
	TEXT_CHARSET,
	TEXT_CSI,
	TEXT_STRING,
	TEXT_STRING_ESCAPE
};

struct cast_text { /* zero at birth */
	enum cast_text_state state;
	size_t length;	 /* bytes of the sequence so far */
	bool pending_cr; /* a CR was read: it ends the line, whether an LF follows or not */
	bool in_line;	 /* the current line is not empty */
};

/* data is valid UTF-8 (it was a JSON string), whole characters. */
int cast_text_put(struct cast_text *text, struct buf *out, struct bytes data);
/* A line of its own: "[marker: LABEL]", label in visible form. */
int cast_text_note(struct cast_text *text, struct buf *out, const char *what, struct bytes label);

#endif
