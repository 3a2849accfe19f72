/* Wrappers: programs that run what their arguments name. One row each; the rows are data, the
 *engine is shell/wrap.c.
 *
 * The options of a row are words of one string: a letter or a long name, and what it does:
 *	:	takes an argument		::	takes one only if it is attached
 *	$	takes one that is a script for a shell
 *	!	nothing is run			#	a shell is run where no command follows
 *	^	the command is run as it is, not through a shell
 *	?	what runs cannot be seen	%	the same, where the argument holds the word
 *Command (ssh -o ProxyCommand=…) |	its argument is a script where it begins with | or ! ~ its
 *argument is replaced in the command (xargs -I) */
#ifndef BARTIZAN_SHELL_WRAP_H
#define BARTIZAN_SHELL_WRAP_H

#include "shell/impl.h"

#define WRAP_OPTIONS_MAX 64 /* words of options; more are doubted */
#define WRAP_NAME_MAX 64

enum {
	WRAP_ASSIGN = 1, /* NAME=value may stand in front of the command */
	WRAP_JOIN = 2,	 /* the words are joined by blanks and read by a shell */
	/* no command: a shell that reads its commands from standard input or a terminal */
	WRAP_SHELL = 4,
	WRAP_REMOTE = 8,       /* on another host */
	WRAP_ARGUMENTS = 16,   /* arguments are added that are not in the line */
	WRAP_PERMUTE = 32,     /* options may follow the positional words */
	WRAP_DASH = 64,	       /* a single dash is an option */
	WRAP_REST = 128,       /* the script goes on with the rest of the words */
	WRAP_SUB = 256,	       /* the first word is a subcommand with a row of its own */
	WRAP_STRICT = 512,     /* a subcommand without a row is doubted */
	WRAP_SEPARATOR = 1024, /* the command stands behind -- */
	/* runs no command by itself: only the options matter, and unknown ones do not */
	WRAP_ALONE = 2048,
	WRAP_SINGLE = 4096, /* a long name may have a single dash */
};

struct look; /* one command being looked into */

struct wrapper {
	const char *name; /* subcommands: "docker exec" */
	const char *options;
	unsigned traits;
	size_t skip;			/* positional words in front of the command */
	int (*look)(struct look *look); /* instead of the engine */
	/* WRAP_SUB: rows of this name; else why what runs cannot be seen at all */
	const char *more;
};

struct look {
	struct shell_parser *p;
	size_t index; /* of the command */
	const struct wrapper *row;
	const struct shell_word *words;
	size_t count, at;
	struct shell_word script, replace;
	bool has_script, replaces, nothing, shell, direct;
};

extern const struct wrapper wrappers[];
extern const size_t wrapper_count;
extern const char *const shell_names[]; /* ends with NULL */

/* shell/wrap.c */
int wrap_look(struct look *look); /* the engine */
int wrap_options(struct look *look);
int wrap_doubt(struct look *look, const char *why);
/* it reads commands from its standard input: a doubt where that may not be the terminal */
int wrap_input(struct look *look, const char *why);
int wrap_child(struct look *look, const struct shell_word *words, size_t count, const char *more);
int wrap_script(struct look *look, const struct shell_word *script, const char *more);
int wrap_joined(struct look *look, const struct shell_word *first, const struct shell_word *words,
	size_t count);

/* shell/special.c: those that are not like the others */
int wrap_shell(struct look *look);
int wrap_su(struct look *look);
int wrap_find(struct look *look);
int wrap_parallel(struct look *look);
int wrap_tmux(struct look *look);
int wrap_trap(struct look *look);
int wrap_alias(struct look *look);
int wrap_subscript(struct look *look);
/* The words with the bytes of `mark` in them made uncertain; NULL: no memory. */
const struct shell_word *wrap_replaced(struct look *look, const struct shell_word *words,
	size_t count, struct bytes mark, enum shell_kind kind);

#endif
