/* An environment as one block of bytes: "NAME=value" with a NUL behind each, as environ(7) lays it
 * out. So it travels, is compared, and is kept with a request. */
#ifndef BARTIZAN_ENV_BLOCK_H
#define BARTIZAN_ENV_BLOCK_H

#define ENV_EVENT_MAX 256 /* bytes of one variable where not all of them are wanted */

#include <stdbool.h>

#include "common/buf.h"
#include "common/json.h"

struct env_variable { /* borrowed from the block; no NUL behind them but the value's */
	struct bytes name, value;
};

/* -EINVAL: no name, one with '=', or a NUL in either; -EMSGSIZE, -ENOMEM: nothing was added */
int env_put(struct buf *block, struct bytes name, struct bytes value);
/* Takes the next variable off the block. False: there is none, or what is left is malformed. */
bool env_next(struct bytes *block, struct env_variable *ret);
bool env_ok(struct bytes block); /* well formed to its end; an empty one is */
/* ["NAME=value", …] in visible form, of at most max variables: further ones are counted in a last
 * entry. NULL: no memory */
json_t *env_json(struct bytes block, size_t max);
/* "LANG=C, LC_ALL=C" in visible form, as much as fits into size, with "…" where that is not all;
 * "" for none. Returns out. */
const char *env_words(struct bytes block, char *out, size_t size);

#endif
