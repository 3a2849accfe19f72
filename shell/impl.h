/* What the files of shellwords share among themselves; nobody else includes it.
 *
 * A parser reads one text: the line, or what a `sh -c` or backtick in it holds. Functions return 0;
 * -EBADMSG: not understood, the doubt is noted, the reading of this text goes on behind it; -E2BIG:
 * a limit was met, the doubt is noted, everything stops; -ENOMEM. */
#ifndef BARTIZAN_SHELL_IMPL_H
#define BARTIZAN_SHELL_IMPL_H

#include "shell/shell.h"

#define SHELL_SUBSTITUTION "$(…)"

struct shell_number { /* a variable that takes part in arithmetic, or may */
	struct bytes name;
	uint64_t from; /* those whose value it is given: a bit each */
	bool read;     /* as a number */
	bool strict;   /* by every shell: ((x)); else by some: [ $x -eq 0 ] */
	bool counted;  /* is given numbers */
	bool text;     /* is given text that stands in the line */
	bool unknown;  /* is given what a command puts out */
};

struct shell_state { /* of the whole reading, shared by the parsers of nested texts */
	struct shell_line *line;
	unsigned flags;
	struct bytes text; /* the line itself, not what is nested in it */
	size_t work;
	bool full; /* SHELL_MEMORY_MAX was met */
	/* a shell takes commands from its standard input: here-documents are read as commands, too
	 */
	bool fed;
	struct bytes names[SHELL_NAMES_MAX]; /* of functions */
	size_t name_count;
	struct shell_number numbers[SHELL_NUMBERS_MAX]; /* shell/number.c */
	size_t number_count;
	bool hidden;   /* a `$` or backtick stands in quotes: data that a later reading may run */
	bool integers; /* declare -i: every assignment is a computation */
	bool numbers_full;
};

struct shell_heredoc {
	struct bytes end;
	bool quoted, tabs;
};

struct shell_parser {
	struct shell_state *state;
	const uint8_t *data;
	size_t len, at;
	const char *via;
	unsigned depth;
	bool remote;
	bool guessing; /* behind something that is not understood */
	bool silent;   /* reads what is probably arithmetic: finds commands, doubts nothing */
	size_t error_at;
	struct shell_heredoc heredocs[SHELL_HEREDOCS_MAX];
	size_t heredoc_count;
};

struct shell_scratch { /* a word while it is read */
	uint8_t *text, *kinds;
	size_t len, room;
	bool splits, substitutes, puts; /* as of the word */
};

struct shell_words { /* a list while it grows */
	struct shell_word *list;
	size_t count, room;
};

static inline int shell_peek(const struct shell_parser *p, size_t ahead)
{
	return p->at + ahead < p->len ? p->data[p->at + ahead] : -1;
}

static inline struct bytes shell_slice(const struct shell_parser *p, size_t from)
{
	return (struct bytes){ p->data + from, p->at - from };
}

static inline bool shell_literal(const struct shell_word *word)
{
	return word->worst <= SHELL_QUOTED;
}

/* shellwords.c */
/* belongs to the line; NULL: no memory */
void *shell_alloc(struct shell_state *state, size_t size);
int shell_doubt(struct shell_parser *p, size_t command, struct bytes what, const char *why);
/* notes the doubt; -EBADMSG */
int shell_error(struct shell_parser *p, size_t from, const char *why);
/* the same, where the text ended too early */
int shell_unfinished(struct shell_parser *p, size_t from, const char *why);
/* that alone, and the reading goes on */
int shell_doubt_end(struct shell_parser *p, struct bytes what, const char *why);
int shell_limit(struct shell_parser *p, const char *why); /* notes the doubt; -E2BIG */
bool shell_is(struct bytes text, const char *name);
/* names ends with NULL */
bool shell_in(struct bytes text, const char *const *names);
/* "sh -c" from the two; kept with the line */
const char *shell_via(struct shell_parser *p, struct bytes name, const char *more);
/* of a function */
int shell_name_add(struct shell_parser *p, struct bytes name);
/* counts bytes that are looked at once more; -E2BIG */
int shell_work(struct shell_parser *p, size_t bytes);
/* Reads text, which lives as long as the line, as commands of its own. */
int shell_read_text(struct shell_parser *p, struct bytes text, const char *via, bool remote);
/* the same for a text that does not */
int shell_read_copy(struct shell_parser *p, struct bytes text, const char *via, bool remote);

/* shell/word.c */
int shell_word_read(struct shell_parser *p, struct shell_word *ret);
int shell_words_add(struct shell_words *words, const struct shell_word *word);
void shell_words_release(struct shell_words *words);
/* length of NAME in NAME=value, NAME+=value, NAME[…]=value; 0: none */
size_t shell_assignment(const struct shell_word *word);

/* shell/expand.c: each from its first byte to behind its last; quoted: inside of double quotes */
int shell_double(struct shell_parser *p, struct shell_scratch *to);
int shell_dollar(struct shell_parser *p, struct shell_scratch *to, bool quoted);
int shell_backtick(struct shell_parser *p, struct shell_scratch *to, bool quoted);
/* skip: bytes of its opening */
int shell_substitution(struct shell_parser *p, size_t skip, const char *via);
/* what quotes or expands, inside of something else; *ret: there was one */
int shell_nested(struct shell_parser *p, bool quoted, bool *ret);
/* the same in arithmetic: what is nested is judged as a part of it */
int shell_nested_number(struct shell_parser *p, bool *ret);
/* the body of an unquoted here-document */
int shell_expansions(struct shell_parser *p, size_t end);
/* from behind "((" to behind "))" */
int shell_arithmetic(struct shell_parser *p);
/* at "((": is it closed by "))"? */
bool shell_arithmetic_ahead(const struct shell_parser *p);
int shell_deeper(struct shell_parser *p);
int shell_doubt_history(struct shell_parser *p); /* at a `!` */
bool shell_name_byte(int c, bool first);
/* what was passed since from */
int shell_put_source(
	struct shell_parser *p, struct shell_scratch *to, size_t from, enum shell_kind kind);

/* shell/number.c: arithmetic evaluates what variables hold: x='a[$(cmd)]'; ((x)) runs cmd */
/* a piece of arithmetic as it is written, without what quotes or expands in it */
int shell_number_plain(struct shell_parser *p, size_t from, size_t to);
/* an expansion in arithmetic, which was read as commands number `command` and on */
int shell_number_nested(struct shell_parser *p, size_t from, size_t to, size_t command);
/* any text, with its expansions, that some shell or every (strict) reads as a number */
int shell_number_text(struct shell_parser *p, struct bytes text, bool strict);
/* a word: what is quoted in it is read as well */
int shell_number_word(struct shell_parser *p, const struct shell_word *word, bool strict);
/* does $(…) from `from` to `to`, whose commands begin at `command`, put out numbers? */
bool shell_number_counts(const struct shell_parser *p, size_t from, size_t to, size_t command);
int shell_number_assign(struct shell_parser *p, struct bytes name, const struct shell_word *value);
/* by read and its like */
int shell_number_input(struct shell_parser *p, struct bytes name);
/* of the loop: `for NAME in`, each of its words */
int shell_number_each(struct shell_parser *p, struct bytes name, const struct shell_word *word);
/* ${…}: subscripts, offsets, names that are named */
int shell_number_braces(struct shell_parser *p, struct bytes text);
int shell_numbers_judge(struct shell_parser *p); /* at the end of the line */

/* shell/names.c: names that change what later words mean, or make programs run something */
/* an assignment NAME=value, NAME[…]=value, or the bare name that read and its like are given */
/* part: the command that is this assignment, or SHELL_NO_COMMAND */
int shell_name_judge(struct shell_parser *p, size_t part, const struct shell_word *word);

/* which shells the line may be for: SHELL_BASH and the others */
static inline unsigned shell_shells(const struct shell_parser *p)
{
	unsigned shells = p->state->flags & SHELL_ANY;

	return shells ? shells : SHELL_ANY;
}

/* shell/quote.c */
int shell_put(struct shell_scratch *scratch, const void *data, size_t len, enum shell_kind kind);
void shell_scratch_release(struct shell_scratch *scratch);
int shell_single(struct shell_parser *p, struct shell_scratch *to); /* from the opening quote on */
int shell_ansi(struct shell_parser *p, struct shell_scratch *to);   /* $'…' */

/* shell/redirect.c */
bool shell_redirect_ahead(const struct shell_parser *p);
/* adds operator and file, where there is a file */
int shell_redirect_read(struct shell_parser *p, struct shell_words *pairs);
int shell_heredocs_read(struct shell_parser *p); /* behind a newline */

/* shell/parse.c, shell/simple.c */
/* closer: ')', or 0 for the end of the text; it is consumed */
int shell_list_read(struct shell_parser *p, int closer);
/* reads what another shell would take for commands; doubts nothing */
int shell_again(const struct shell_parser *p, size_t from, size_t to);
bool shell_reserved(struct bytes word);
int shell_blanks(struct shell_parser *p); /* and a comment */

/* shell/emit.c: what was found */
/* And looks into it. */
int shell_add_command(struct shell_parser *p, const struct shell_word *words, size_t count,
	struct bytes source, const char *via, bool remote);
int shell_add_assignment(struct shell_parser *p, const struct shell_word *word);
int shell_add_redirection(struct shell_parser *p, const struct shell_word pair[static 2]);
const struct shell_word *shell_words_keep(
	struct shell_parser *p, const struct shell_word *words, size_t count);

/* shell/wrap.c: what runs behind a wrapper */
int shell_look(struct shell_parser *p, size_t command);
bool shell_knows(struct bytes name); /* a wrapper or a shell */

#define SHELL_SCRATCH_CLEANUP __attribute__((cleanup(shell_scratch_release)))
#define SHELL_WORDS_CLEANUP __attribute__((cleanup(shell_words_release)))

#endif
