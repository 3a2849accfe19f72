/* A command line taken apart: which simple commands would a shell run, and what of it cannot be
 * seen?
 *
 * The grammar is that of POSIX sh with what bash and zsh add. Quotes are removed, nothing is
 * expanded; commands inside of substitutions, here-documents, compound commands and functions are
 * found, and those behind wrappers (sudo, env, xargs, sh -c …). Not a shell: whatever is not
 * understood, or is decided only when the line runs, becomes a doubt, never an error, and the
 * reading goes on behind it as well as it can, so that a forbidden command behind a doubtful one is
 * still found. Pure, bounded by the limits below, and near linear in time. */
#ifndef BARTIZAN_SHELL_SHELL_H
#define BARTIZAN_SHELL_SHELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

#define SHELL_LINE_MAX 65536 /* bytes of a line; a longer one is cut and doubted */
#define SHELL_DEPTH_MAX 32   /* substitutions, groups of quotes and wrappers in each other */
#define SHELL_NEST_MAX 64    /* compound commands in each other at one depth */
#define SHELL_COMMANDS_MAX 1024
#define SHELL_WORDS_MAX 16384 /* of all commands */
#define SHELL_DOUBTS_MAX 64   /* more are not told apart */
#define SHELL_NAMES_MAX 64    /* functions defined in the line */
#define SHELL_NUMBERS_MAX 64  /* variables that are read as numbers, or assigned */
#define SHELL_HEREDOCS_MAX 16 /* that begin on one line */
/* bytes looked at a second time: after a syntax error, behind a wrapper, as the argument of sh -c;
 * more are a doubt. It keeps the worst line below 10 ms. */
#define SHELL_WORK_MAX (224 * 1024)
#define SHELL_MEMORY_MAX (32 * 1024 * 1024)

enum shell_kind { /* of one byte of a word, from certain to uncertain */
	SHELL_PLAIN,
	SHELL_QUOTED,
	/* the shell matches it against file names: never begins a word with `-` unless such a file
	   lies there */
	SHELL_PATTERN,
	SHELL_UNKNOWN, /* an expansion, as written: stands for any bytes, any number of words */
};

struct shell_word {
	struct bytes text;    /* after the removal of quotes */
	const uint8_t *kinds; /* enum shell_kind of each byte of text */
	enum shell_kind worst;
	struct bytes source; /* as written */
	bool splits;	     /* an expansion without quotes: may become several words, or none */
	bool substitutes;    /* holds a command substitution */
	bool puts;	     /* and one that may put out anything */
};

enum shell_what {
	SHELL_COMMAND, /* words: program and arguments */
	/* one word, NAME=value; those that cannot change what runs (LANG, TZ …) are left out */
	SHELL_ASSIGNMENT,
	/* two words: one of < > >> <>, and the file; /dev/null and its like are left out */
	SHELL_REDIRECTION,
};

struct shell_command {
	enum shell_what what;
	const struct shell_word *words;
	size_t count; /* at least one */
	/* of the whole simple command, with its assignments and redirections */
	struct bytes source;
	const char *via; /* how it was reached: "line", "$(…)", "sudo", "sh -c" … */
	unsigned depth;	 /* 0: the line's own */
	bool remote;	 /* would run on another host than the line */
	/* found at or behind something that is not understood: perhaps it is none */
	bool guessed;
	bool code; /* it carries code as text, in whatever language: python3 -c, awk's system() */
};

#define SHELL_NO_COMMAND SIZE_MAX
struct shell_doubt {
	const char *why;   /* "program named by an expansion" */
	struct bytes what; /* the source it is about; may be empty */
	size_t command;	   /* index of the command it is about, or SHELL_NO_COMMAND */
	/* the text ended too early, or this was found behind where that was noticed */
	bool unfinished;
	bool code; /* about the code that the command carries; there is a command then */
};

struct shell_line { /* everything belongs to the line, also the text it was read from */
	struct shell_command *commands;
	size_t command_count;
	struct shell_doubt *doubts;
	size_t doubt_count;
	struct shell_chunk *memory;
	size_t memory_used;
	size_t command_room, doubt_room, word_count;
	/* a shell would ask for the rest before anything runs: an open quote, a loop without its
	 * end */
	bool unfinished;
};

/* Typed at a prompt: comments may be off (zsh) and are read as commands, too; history expansion is
 * doubted; a shell that has the terminal for its input is no doubt. */
#define SHELL_TYPED 1u
/* Which shells may read the line: their union. None of them: any may, and the strictest reading
 * counts. SHELL_SH is dash, busybox, ksh and the like. */
#define SHELL_BASH 2u
#define SHELL_ZSH 4u
#define SHELL_FISH 8u
#define SHELL_SH 16u
#define SHELL_ANY (SHELL_BASH | SHELL_ZSH | SHELL_FISH | SHELL_SH)
#define SHELL_POSIX (SHELL_BASH | SHELL_ZSH | SHELL_SH)

/* 0 or -ENOMEM; nothing else can fail */
int shell_line_read(struct bytes text, unsigned flags, struct shell_line *ret);
void shell_line_release(struct shell_line *line);
#define SHELL_LINE_CLEANUP __attribute__((cleanup(shell_line_release)))

/* the first word without its directories */
struct bytes shell_program(const struct shell_command *command);
/* The words joined by single blanks, and the kinds of those bytes; base: the program without its
 * directories. Blanks in the name of a program have a backslash in front of them. kinds may be
 * NULL. */
int shell_command_text(
	const struct shell_command *command, bool base, struct buf *text, struct buf *kinds);

#endif
