/* What is open while a list is read: shared by the files of the grammar, nobody else includes it.
 */
#ifndef BARTIZAN_SHELL_PARSE_H
#define BARTIZAN_SHELL_PARSE_H

#include "shell/impl.h"

enum open {
	OPEN_NONE,
	OPEN_IF,
	OPEN_THEN,
	OPEN_ELSE,
	OPEN_LOOP,
	OPEN_DO,
	OPEN_PATTERN,
	OPEN_CASE,
	OPEN_BRACE,
	OPEN_PAREN
};

enum had { HAD_NOTHING, HAD_SIMPLE, HAD_COMPOUND }; /* since the last separator */

struct frame { /* of one list */
	int closer;
	uint8_t open[SHELL_NEST_MAX];
	size_t count;
	enum had had;
	bool wants; /* a command must follow: after && and its like */
	bool done;
};

/* shell/parse.c */
int shell_push(struct shell_parser *p, struct frame *frame, enum open open);

/* shell/simple.c */
int shell_newline(struct shell_parser *p); /* at it; reads the here-documents behind it */
int shell_blank_lines(struct shell_parser *p);
int shell_simple(struct shell_parser *p, struct frame *frame);
/* behind the end of a compound command */
int shell_closed(struct shell_parser *p, struct frame *frame);
/* at the `(` of name() */
int shell_function(struct shell_parser *p, struct frame *frame, const struct shell_word *name);
/* as a word of its own */
bool shell_plain_ahead(const struct shell_parser *p, const char *word);

/* shell/compound.c: each behind its first word, but for the pattern and time */
int shell_for(struct shell_parser *p, struct frame *frame);
int shell_case(struct shell_parser *p, struct frame *frame);
int shell_case_pattern(struct shell_parser *p, struct frame *frame);
int shell_function_head(struct shell_parser *p, struct frame *frame);
int shell_conditional(struct shell_parser *p, struct frame *frame);
int shell_coproc(struct shell_parser *p, struct frame *frame);
int shell_time(struct shell_parser *p, struct frame *frame);

#endif
