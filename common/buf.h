/* A growing byte buffer with a maximum.
 *
 * Every byte string that comes from outside lives in one: the maximum is given at birth and a write
 * beyond it fails with -EMSGSIZE and changes nothing. Memory failure is -ENOMEM. Consuming from the
 * front is cheap (an offset; data moves only when room is needed). */
#ifndef BARTIZAN_BUF_H
#define BARTIZAN_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *base; /* allocation, NULL when empty */
	size_t off;    /* first valid byte */
	size_t len;    /* valid bytes from off */
	size_t cap;    /* size of the allocation */
	size_t max;    /* len never exceeds it */
};

/* A borrowed range of bytes: whoever hands it out says how long it lives. */
struct bytes {
	const uint8_t *data;
	size_t len;
};

#define BUF_INIT(maximum) ((struct buf){ .max = (maximum) })
#define BUF_CLEANUP __attribute__((cleanup(buf_release)))
#define FREE_CLEANUP __attribute__((cleanup(free_ptr)))

void buf_init(struct buf *buf, size_t max);
void buf_release(struct buf *buf); /* frees; the buffer is empty and usable again */
void buf_burn(struct buf *buf);	   /* overwrites the allocation, then releases it */
void buf_clear(struct buf *buf);   /* forgets the bytes, keeps the allocation */
int buf_put(struct buf *buf, const void *data, size_t len);
int buf_puts(struct buf *buf, const char *text);
int buf_putc(struct buf *buf, uint8_t byte);
int buf_printf(struct buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Makes room for len more bytes at the end, at *ret; buf_grow_done() then adds as many as were
 * used. */
int buf_grow(struct buf *buf, size_t len, uint8_t **ret);
void buf_grow_done(struct buf *buf, size_t used);
void buf_consume(struct buf *buf, size_t len); /* len is at most buf->len */
/* gives the allocation back when the buffer is empty */
void buf_trim(struct buf *buf);
const uint8_t *buf_data(const struct buf *buf);
struct bytes buf_bytes(const struct buf *buf); /* borrowed until the next change */
/* The bytes with a NUL after them (not counted); borrowed until the next change. NULL: out of
 * memory. */
const char *buf_cstr(struct buf *buf);

void free_ptr(void *pointer_to_pointer); /* for FREE_CLEANUP */

#endif
