/* The SSH wire encoding (RFC 4251 section 5): big-endian integers, length-prefixed strings, mpint.
 *
 * Readers never run past their end, never copy unless asked, and leave both the reader and the
 * result untouched on failure (-EBADMSG). Writers append to a buf and fail as it does. */
#ifndef BARTIZAN_WIRE_H
#define BARTIZAN_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

struct wire { /* a reader: what is left */
	const uint8_t *data;
	size_t len;
};

#define WIRE_OF(ptr, length) ((struct wire){ (const uint8_t *)(ptr), (length) })

int wire_get_u8(struct wire *in, uint8_t *ret);
int wire_get_u16(struct wire *in, uint16_t *ret);
int wire_get_u32(struct wire *in, uint32_t *ret);
int wire_get_u64(struct wire *in, uint64_t *ret);
int wire_get_string(struct wire *in, struct bytes *ret); /* borrowed from the input */
/* copy, no NUL inside, at most max bytes; caller frees */
int wire_get_cstring(struct wire *in, size_t max, char **ret);
/* next string equals text; consumes only then */
bool wire_next_is(struct wire *in, const char *text);
/* nothing left: every parser ends with it */
bool wire_done(const struct wire *in);
bool wire_equal(struct bytes a, const char *text);
bool wire_same(struct bytes a, struct bytes b);

int wire_put_u8(struct buf *out, uint8_t value);
int wire_put_u16(struct buf *out, uint16_t value);
int wire_put_u32(struct buf *out, uint32_t value);
int wire_put_u64(struct buf *out, uint64_t value);
int wire_put_string(struct buf *out, const void *data, size_t len);
int wire_put_cstring(struct buf *out, const char *text);
int wire_put_bytes(struct buf *out, struct bytes value);
/* unsigned, leading zeros dropped */
int wire_put_mpint(struct buf *out, const uint8_t *magnitude, size_t len);

#endif
