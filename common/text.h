/* Hostile text made harmless, and names checked.
 *
 * What came from a client, a backend, a certificate or a provider is shown, logged and stored only
 * through here. Visible form: printable UTF-8 stays; control characters, invalid UTF-8,
 * bidirectional and zero-width characters become \xNN or \u{NNNN}; a backslash becomes \\ so that
 * nothing can be forged. */
#ifndef BARTIZAN_TEXT_H
#define BARTIZAN_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

/* Appends the visible form of data, at most max_out bytes with "…" as the mark of a cut. */
int text_visible(struct buf *out, const void *data, size_t len, size_t max_out);
/* The same into an array, NUL-terminated, cut to size. Returns out. */
const char *text_clean(char *out, size_t size, const void *data, size_t len);
/* Valid UTF-8 for JSON: invalid bytes become U+FFFD; nothing else changes. *carry keeps a character
 * that was split between two calls (NULL: none is expected, a split end becomes U+FFFD). */
struct text_carry {
	uint8_t bytes[4];
	uint8_t len;
};
int text_utf8(struct buf *out, const void *data, size_t len, struct text_carry *carry);
bool text_utf8_valid(const void *data, size_t len);

/* User names, logins, groups, principals: 1 to 255 bytes of printable UTF-8 without space, comma,
 * `*`, `/`, backslash, `"`, backquote, control, zero-width and bidirectional characters, and not
 * beginning with `-`. */
bool text_name_ok(const char *name, size_t len);
/* Target names: host-name characters, `.`, `-`, `_`, `:` (IPv6), at most 253 bytes, not beginning
 * with `-`. */
bool text_target_ok(const char *name, size_t len);

/* NUL-terminated copy; NULL without memory; caller frees */
char *text_dup(const void *data, size_t len);
void text_list_free(char **list);	       /* NULL-terminated, or NULL */
bool text_equal(const char *a, const char *b); /* NULL equals NULL */
void text_burn(void *data, size_t len);	       /* overwrites; the compiler does not remove it */

/* standard alphabet, padded, one line */
int text_base64(struct buf *out, const void *data, size_t len);
/* strict: canonical, padded; -EBADMSG */
int text_base64_decode(struct buf *out, const char *text, size_t len);
int text_hex(char *out, size_t size, const void *data, size_t len); /* lower case; -ENOSPC */

#endif
