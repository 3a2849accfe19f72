/* The arguments of a command, read by a table: one reader for the CLI and for the gateway's own
 * commands.
 *
 * `--name value` and `--name=value` are the same; options and words may be mixed; `--` ends the
 * options. An option that takes one value and is given twice is an error, so that the second value
 * never replaces the first. Everything in the result is borrowed from argv. */
#ifndef BARTIZAN_ARGS_H
#define BARTIZAN_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define ARGS_LIST_MAX 64

enum arg_type {
	ARG_FLAG,     /* bool */
	ARG_TEXT,     /* const char * */
	ARG_LIST,     /* struct args_list: may be repeated */
	ARG_INT,      /* int64_t between min and max */
	ARG_DURATION, /* int64_t in milliseconds: 90s, 1m30s, or plain seconds: 2, 0.5 */
	ARG_MILLI,    /* int64_t: a decimal number times 1000 */
};

struct args_list {
	const char *items[ARGS_LIST_MAX + 1];
	size_t count;
}; /* NULL-terminated */

struct arg_row {
	const char *name; /* without the dashes; NULL ends the table */
	enum arg_type type;
	size_t offset;	  /* of the field in the struct that ret points at */
	int64_t min, max; /* of the field's value; both 0: any that is not negative */
};

/* Sets the fields of ret that the options name; the others keep their defaults. words: all that is
 * no option. -EINVAL. */
int args_parse(const struct arg_row *rows, char *const *argv, void *ret, struct args_list *words,
	struct err *err);

#endif
