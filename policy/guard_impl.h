/* A guard, parsed. Shared by guard*.c; nobody else includes it. */
#ifndef BARTIZAN_GUARD_IMPL_H
#define BARTIZAN_GUARD_IMPL_H

#include "common/pattern.h"
#include "policy/guard.h"

struct guard_automaton;

struct guard_pattern {
	struct pattern *pattern;
	struct guard_automaton *automaton; /* NULL: a regular expression */
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
};

struct guards {
	struct guard *list;
	size_t count;
};

/* guard_match.c: could a text with uncertain bytes in it be one that the shell-like pattern
 * matches? */
/* at most PATTERN_MAX bytes; NULL: no memory; free() */
struct guard_automaton *guard_automaton_new(const char *pattern);
bool guard_could_match(const struct guard_automaton *with, struct bytes text, const uint8_t *kinds);

#endif
