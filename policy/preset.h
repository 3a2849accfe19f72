/* Presets: lists of commands that a guard may name, {preset: destructive}, instead of writing them
 * down. Data; each row is one element as a guard's entry has it, in YAML. */
#ifndef BARTIZAN_PRESET_H
#define BARTIZAN_PRESET_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"

struct preset {
	const char *name, *help;
	const char *const *rows; /* ends with NULL */
	bool code;		 /* and every command that carries code (shell/code.h) */
};

extern const struct preset presets[];
extern const size_t preset_count;
/* its rows, one a line, as a list of YAML, behind a comment with its name */
int preset_dump(const struct preset *preset, struct buf *out);
size_t preset_find(const char *name); /* its index, or preset_count */

#endif
