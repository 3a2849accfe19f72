/* Programs that are given code as text: python -c, awk, sed, tar -I, git -c … One row each, as of
 * the wrappers (shell/wrap.h), in shell/code_table.c; the engine is shell/code.c.
 *
 * Code that is a command for a shell is looked into; code in another language cannot be, and is a
 * doubt of its own kind (shell_doubt.code): a guard may name the program and take it as it is.
 * Besides the wrappers' signs an option may have:
 *	=	its argument is code that cannot be seen
 *	@	the same, where the argument looks like it: alias.x=!cmd, checkpoint-action=exec=…
 *	|	its argument is a script where it begins with | or !
 *	+	its argument is a command to which words are added: rsync -e ssh
 *	&	its argument is a module; those in `more` run code that is given as text (python -m)
 * Options that a row does not know are passed over, and abbreviations are understood. */
#ifndef BARTIZAN_SHELL_CODE_H
#define BARTIZAN_SHELL_CODE_H

#include "shell/wrap.h"

enum {			       /* traits, besides those of wrappers */
	CODE_INPUT = 1 << 16,  /* reads code from its standard input where it has no operand */
	CODE_ALWAYS = 1 << 17, /* and even where it has one: editors, debuggers */
	CODE_WORDS = 1 << 18,  /* the words in `more` are operands that mean code: deno eval */
	CODE_FED = 1 << 19,    /* reads code where its input is a pipe or a file */
};

extern const struct wrapper code_rows[];
extern const size_t code_row_count;

/* shell/code.c */
int code_look(struct look *look); /* the engine */
int code_doubt(struct look *look, const char *why);
void code_mark(struct look *look);
/* one word that is a command for a shell */
int code_script(struct look *look, const struct shell_word *word, const char *via);
/* from byte `from` of the word on */
struct shell_word code_tail(const struct shell_word *word, size_t from);
/* does its input come from a pipe, a file or a here-document? */
bool code_is_fed(const struct look *look);
/* its standard input or an expansion in place of a file: -, /dev/stdin, <(…) */
bool code_is_input(const struct shell_word *word);
bool code_has(struct bytes text, const char *part); /* in any case of letters */

/* shell/code_text.c: awk, sed, SQL clients: does the text run something? */
int code_awk(struct look *look);
int code_sed(struct look *look);
int code_sql(struct look *look);
bool code_awk_runs(struct bytes program);
bool code_sed_runs(struct bytes script);

/* shell/code_special.c: those that are not like the others */
int code_git(struct look *look);
int code_make(struct look *look);
int code_vi(struct look *look);
int code_pager(struct look *look);
int code_socat(struct look *look);
int code_tar(struct look *look);
int code_scripts(struct look *look);	/* each operand is a script */
int code_pipes(struct look *look);	/* an operand that begins with | is one */
int code_perl_words(struct look *look); /* rename */

/* wrappers of the same file */
int wrap_sg(struct look *look);
int wrap_capsh(struct look *look);
int wrap_ip(struct look *look);
int wrap_runcon(struct look *look);
int wrap_renamed(struct look *look); /* zf_rm */
int wrap_multicall(struct look *look);

/* shell/builtin.c: of the shells */
int wrap_declare(struct look *look);
int wrap_read(struct look *look);
int wrap_mapfile(struct look *look);
int wrap_unset(struct look *look);
int wrap_printf(struct look *look);
int wrap_set(struct look *look);
int wrap_let(struct look *look);
int wrap_test(struct look *look);
int wrap_zsh(struct look *look);
int wrap_emulate(struct look *look);
int wrap_hash(struct look *look);
int wrap_functions(struct look *look);

#endif
