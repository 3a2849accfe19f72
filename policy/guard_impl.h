/* A guard, parsed. Shared by guard*.c; nobody else includes it. */
#ifndef BARTIZAN_GUARD_IMPL_H
#define BARTIZAN_GUARD_IMPL_H

#include "common/pattern.h"
#include "policy/guard.h"

struct guard_automaton;
struct guard_program;
struct guard_list;

/* One element of an entry's list. Exactly one of pattern, program and preset is there. */
struct guard_pattern {
	struct pattern *pattern;
	struct guard_automaton *automaton; /* of pattern; NULL: a regular expression */
	struct guard_program *program;
	const struct guard_list *preset; /* of the guards */
	unsigned line, column;		 /* where it stands */
	char *shown;			 /* as it is written in reasons; NULL: the pattern's text */
};

struct guard_list { /* a preset that some guard names, parsed */
	const struct preset *preset;
	struct guard_pattern *patterns;
	size_t count;
};

struct guard_entry {
	enum guard_verdict verdict;
	struct guard_pattern *patterns;
	size_t count;
	char **by;   /* NULL-terminated; NULL: not an entry that approves */
	char *place; /* "config.yaml:12:5", of by */
};

struct guard {
	char *name;
	struct guard_entry *entries;
	size_t count;
	enum guard_verdict blind;
	bool says_doubt; /* on_doubt is written */
	enum guard_verdict on_doubt;
};

struct guards {
	struct guard *list;
	size_t count;
	struct guard_list *presets; /* one for each of the table; empty until it is named */
};

/* Does it match? From no to certainly. BENT: by a form that somebody could bend, such as the base
 * name of a program that lies anywhere. */
enum fit { FIT_NO, FIT_MAYBE, FIT_BENT, FIT_FIRM };

struct guard_text { /* a command's words, joined, with the base name of its program */
	struct bytes text;
	const uint8_t *kinds;
	bool uncertain; /* some byte is */
};

/* guard_program.c: a program, its subcommand, options and arguments */
int guard_program_load(const struct yaml *map, struct guard_program **ret, struct err *err);
void guard_program_free(struct guard_program *program);
/* known: the base name alone says which program it is */
enum fit guard_program_fit(const struct guard_program *program, const struct shell_command *command,
	const struct guard_text *whole, bool known);
/* one of the options in a word such as -rf or --force, of a pattern */
bool guard_program_has(const struct guard_program *program, const char *word, const char *pattern);
/* {program: rm, options: [-r]} */
int guard_program_dump(const struct guard_program *program, struct buf *out);
/* for code (guard.h): does the entry name this program, and not just any? */
bool guard_program_names(const struct guard_program *program, struct bytes name);

/* guard_load.c */
int guard_list_load(struct guard_list *list, const struct preset *preset, struct err *err);
void guard_list_release(struct guard_list *list);

/* guard_match.c: could a text with uncertain bytes in it be one that the shell-like pattern
 * matches? */
/* at most PATTERN_MAX bytes; NULL: no memory; free() */
struct guard_automaton *guard_automaton_new(const char *pattern);
bool guard_could_match(const struct guard_automaton *with, struct bytes text, const uint8_t *kinds);

#endif
