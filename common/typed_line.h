/* A line typed in a shell, in terms that session and broker share: how certainly it was read, from
 * what, the verdict, how it ended. */
#ifndef BARTIZAN_TYPED_LINE_H
#define BARTIZAN_TYPED_LINE_H

/* bytes of one candidate of a line; a longer line is blind and its candidates are cut */
#define LINE_TEXT_MAX 16384
#define LINE_NOTICE_MAX 512 /* bytes of a judge's notice with the NUL */

/* exact: the screen and the keys agree. screen: read off the screen at a prompt that is known.
 * blind: anything else; `why` says what prevented it. */
enum line_confidence { LINE_EXACT, LINE_SCREEN, LINE_BLIND };

enum line_source {
	LINE_FROM_SCREEN, /* from the prompt to the end of the text */
	LINE_TO_CURSOR,	  /* as far as the cursor */
	/* from where the first key was typed, when the prompt was found elsewhere */
	LINE_FROM_ANCHOR,
	LINE_FROM_KEYS, /* the result of the keys typed */
};

enum line_verdict { LINE_ALLOW, LINE_WARN, LINE_HOLD, LINE_DENY };

/* How a line ended, for markers and events. */
enum line_end {
	LINE_FORWARDED, /* allowed, also after a warning or a hold */
	LINE_CLEARED,	/* refused, and a clean prompt was seen */
	/* refused, but not seen to be cleared: every further Enter is withheld until the line is
	   empty */
	LINE_STUCK,
	LINE_SWALLOWED, /* refused in a full-screen program: the key was dropped */
	LINE_CANCELLED, /* the user gave it up, by Ctrl-C or by answering no */
	LINE_HIDDEN,	/* allowed, and typed without echo: count is 0 */
};

const char *line_confidence_name(enum line_confidence confidence); /* "exact", "screen", "blind" */
const char *line_end_name(enum line_end end);

#endif
