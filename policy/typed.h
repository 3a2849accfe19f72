/* A guard's word on a line that was typed in a shell and read off the screen: several candidates of
 * one line, and how surely they were read.
 *
 * Whatever a candidate may be, the strictest verdict over all of them counts. A line that was not
 * read surely (blind) gets at least what the guard says of such lines, and cannot be approved:
 * nobody could tell what they approve. Pure. */
#ifndef BARTIZAN_TYPED_H
#define BARTIZAN_TYPED_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"
#include "policy/guard.h"

#define TYPED_TEXTS_MAX 8

struct typed_text {
	struct bytes text;
	bool joined; /* with the lines that it goes on from */
};

struct typed_line { /* borrowed for the call */
	/* the first is the one to show to people, and to approve */
	struct typed_text texts[TYPED_TEXTS_MAX];
	/* 0: nothing can be read, and the line is blind */
	size_t count;
	/* it goes on from the lines before: a text that is not joined is only its last part */
	bool continues;
	unsigned shells; /* which the login has, as for guard_judge_for(); 0: any */
	/* what stood in the way of reading it, a few words; NULL: it was read */
	const char *blind;
};

struct typed_judgement {
	enum guard_verdict verdict;
	char reason[JUDGEMENT_REASON_MAX]; /* as of a judgement */
	/* GUARD_APPROVE: who may vote for the first text, as of a judgement */
	const char **by;
};

/* 0 or -ENOMEM: taken as deny */
int typed_judge(
	const struct guard *guard, const struct typed_line *line, struct typed_judgement *ret);
void typed_release(struct typed_judgement *judgement);
#define TYPED_CLEANUP __attribute__((cleanup(typed_release)))

#endif
