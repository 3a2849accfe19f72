/* Reading claims of a payload whose signature is good, but whose contents are still somebody else's
 * words. */
#ifndef BARTIZAN_CLAIMS_H
#define BARTIZAN_CLAIMS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/json.h"

#define CLAIMS_TIME_MAX 253402300799 /* 9999-12-31T23:59:59Z */
#define CLAIMS_PATH_MAX 255
#define CLAIMS_SHOWN_MAX 256 /* bytes of a hostile text in a message */

/* The claim at "a.b.c", or the one whose whole name that is: some providers name claims by URLs.
 * NULL: absent or null. *ret_parent (may be NULL) is the object that holds it. Borrowed. */
const json_t *claims_at(const json_t *payload, const char *path, const json_t **ret_parent);
/* A time: a whole number of seconds from 0 to CLAIMS_TIME_MAX. Absent: *ret stays, and -ENOENT
 * without a text. Anything else is -EBADMSG. */
int claims_time(const json_t *payload, const char *name, int64_t *ret, struct err *err);
/* Whether the text holds no control, zero-width or bidirectional character: it can be shown, stored
 * and compared. */
bool claims_text_ok(const char *text, size_t len);
/* A top-level text of 1 to max bytes that is claims_text_ok. Borrowed. Absent, empty, too long, or
 * anything else: -EBADMSG. */
int claims_text(
	const json_t *payload, const char *name, size_t max, const char **ret, struct err *err);
/* cleaned and cut, for messages */
const char *claims_show(const char *text, char out[static CLAIMS_SHOWN_MAX]);

#endif
