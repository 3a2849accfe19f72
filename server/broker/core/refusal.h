/* A refusal as its user meets it: the exit status, and words that are complete on their own. */
#ifndef BARTIZAN_BROKER_CORE_REFUSAL_H
#define BARTIZAN_BROKER_CORE_REFUSAL_H

#include <stdbool.h>

#define REFUSAL_WORDS_MAX 1024 /* bytes with the NUL; longer texts are cut */

struct refusal {
	unsigned exit; /* EXIT_DENIED, EXIT_WAIT, …: common/access.h */
	char words[REFUSAL_WORDS_MAX];
};

/* True, so that `return refusal_set(why, EXIT_DENIED, "…")` is one line of a function that answers
 * whether it refuses. */
bool refusal_set(struct refusal *refusal, unsigned exit, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
