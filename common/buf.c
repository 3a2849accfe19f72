/* The growing byte buffer. One place computes sizes: reserve().
 *
 * The allocation always has a byte more than the contents, for the NUL of buf_cstr() and
 * buf_printf(). Growing overwrites the old allocation, so that a secret never stays behind in freed
 * memory. */
#include "common/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_FIRST_SIZE 64

void buf_init(struct buf *buf, size_t max)
{
	*buf = BUF_INIT(max);
}

void buf_release(struct buf *buf)
{
	free(buf->base);
	*buf = BUF_INIT(buf->max);
}

void buf_burn(struct buf *buf)
{
	if (buf->base)
		explicit_bzero(buf->base, buf->cap);
	buf_release(buf);
}

void buf_clear(struct buf *buf)
{
	buf->off = 0;
	buf->len = 0;
}

static void move_to_front(struct buf *buf)
{
	memmove(buf->base, buf->base + buf->off, buf->len);
	buf->off = 0;
}

static size_t bigger(const struct buf *buf, size_t want)
{
	size_t limit = buf->max < SIZE_MAX ? buf->max + 1 : SIZE_MAX;
	size_t size = buf->cap <= SIZE_MAX / 2 ? buf->cap * 2 : SIZE_MAX;
	if (buf->cap < BUF_FIRST_SIZE)
		size = BUF_FIRST_SIZE;

	if (size > limit)
		size = limit;
	return size < want ? want : size;
}

static int reallocate(struct buf *buf, size_t want)
{
	size_t size = bigger(buf, want);
	uint8_t *base = malloc(size);

	if (!base)
		return -ENOMEM;
	if (buf->base) {
		memcpy(base, buf->base + buf->off, buf->len);
		explicit_bzero(buf->base, buf->cap);
		free(buf->base);
	}
	buf->base = base;
	buf->off = 0;
	buf->cap = size;
	return 0;
}

/* Room for need bytes and a NUL behind the contents. Moving to the front costs as much as was
 * consumed before, so it stays linear. */
static int reserve(struct buf *buf, size_t need)
{
	if (need > buf->max || buf->len > buf->max - need || buf->len + need == SIZE_MAX)
		return -EMSGSIZE;
	size_t want = buf->len + need + 1;
	if (buf->base && want <= buf->cap - buf->off)
		return 0;
	if (buf->base && want <= buf->cap && (buf->off >= buf->len || buf->cap > buf->max)) {
		move_to_front(buf);
		return 0;
	}
	return reallocate(buf, want);
}

int buf_grow(struct buf *buf, size_t len, uint8_t **ret)
{
	int rc = reserve(buf, len);

	if (!rc)
		*ret = buf->base + buf->off + buf->len;
	return rc;
}

void buf_grow_done(struct buf *buf, size_t used)
{
	if (used > buf->cap - buf->off - buf->len || used > buf->max - buf->len)
		abort(); /* the caller wrote beyond what it was given: memory is already damaged */
	buf->len += used;
}

int buf_put(struct buf *buf, const void *data, size_t len)
{
	uint8_t *room;
	int rc = len ? buf_grow(buf, len, &room) : 0;

	if (rc || !len)
		return rc;
	memcpy(room, data, len);
	buf->len += len;
	return 0;
}

int buf_puts(struct buf *buf, const char *text)
{
	return buf_put(buf, text, strlen(text));
}

int buf_putc(struct buf *buf, uint8_t byte)
{
	return buf_put(buf, &byte, 1);
}

int buf_printf(struct buf *buf, const char *fmt, ...)
{
	va_list args;
	uint8_t *room;

	va_start(args, fmt);
	int len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (len < 0)
		return -EINVAL;
	int rc = buf_grow(buf, (size_t)len, &room);
	if (rc)
		return rc;
	va_start(args, fmt);
	vsnprintf((char *)room, (size_t)len + 1, fmt, args);
	va_end(args);
	buf->len += (size_t)len;
	return 0;
}

void buf_consume(struct buf *buf, size_t len)
{
	if (len > buf->len)
		abort();
	buf->len -= len;
	buf->off = buf->len ? buf->off + len : 0;
}

void buf_trim(struct buf *buf)
{
	if (!buf->len)
		buf_release(buf);
}

const uint8_t *buf_data(const struct buf *buf)
{
	return buf->base ? buf->base + buf->off : (const uint8_t *)"";
}

struct bytes buf_bytes(const struct buf *buf)
{
	return (struct bytes){ buf_data(buf), buf->len };
}

const char *buf_cstr(struct buf *buf)
{
	if (reserve(buf, 0))
		return NULL;
	buf->base[buf->off + buf->len] = 0;
	return (const char *)buf->base + buf->off;
}

void free_ptr(void *pointer_to_pointer)
{
	void *pointer;

	memcpy(&pointer, pointer_to_pointer, sizeof(pointer));
	free(pointer);
}
