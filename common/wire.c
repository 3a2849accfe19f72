/* The SSH wire encoding. Every reader works on a copy of the position and stores it only when all
 * went well. */
#include "common/wire.h"

#include <errno.h>
#include <string.h>

#include "common/text.h"

/* Big-endian integer of size bytes. */
static int get_int(struct wire *in, size_t size, uint64_t *ret)
{
	uint64_t value = 0;

	if (in->len < size)
		return -EBADMSG;
	for (size_t i = 0; i < size; i++)
		value = value << 8 | in->data[i];
	in->data += size;
	in->len -= size;
	*ret = value;
	return 0;
}

int wire_get_u8(struct wire *in, uint8_t *ret)
{
	uint64_t value;
	int rc = get_int(in, sizeof(*ret), &value);

	if (!rc)
		*ret = (uint8_t)value;
	return rc;
}

int wire_get_u16(struct wire *in, uint16_t *ret)
{
	uint64_t value;
	int rc = get_int(in, sizeof(*ret), &value);

	if (!rc)
		*ret = (uint16_t)value;
	return rc;
}

int wire_get_u32(struct wire *in, uint32_t *ret)
{
	uint64_t value;
	int rc = get_int(in, sizeof(*ret), &value);

	if (!rc)
		*ret = (uint32_t)value;
	return rc;
}

int wire_get_u64(struct wire *in, uint64_t *ret)
{
	return get_int(in, sizeof(*ret), ret);
}

int wire_get_string(struct wire *in, struct bytes *ret)
{
	struct wire at = *in;
	uint32_t len;

	if (wire_get_u32(&at, &len) || len > at.len)
		return -EBADMSG;
	*ret = (struct bytes){ at.data, len };
	*in = (struct wire){ at.data + len, at.len - len };
	return 0;
}

int wire_get_cstring(struct wire *in, size_t max, char **ret)
{
	struct wire at = *in;
	struct bytes got;

	if (wire_get_string(&at, &got) || got.len > max ||
		(got.len && memchr(got.data, 0, got.len)))
		return -EBADMSG;
	char *copy = text_dup(got.data, got.len);
	if (!copy)
		return -ENOMEM;
	*ret = copy;
	*in = at;
	return 0;
}

bool wire_next_is(struct wire *in, const char *text)
{
	struct wire at = *in;
	struct bytes got;

	if (wire_get_string(&at, &got) || !wire_equal(got, text))
		return false;
	*in = at;
	return true;
}

bool wire_done(const struct wire *in)
{
	return !in->len;
}

bool wire_equal(struct bytes a, const char *text)
{
	return wire_same(a, (struct bytes){ (const uint8_t *)text, strlen(text) });
}

bool wire_same(struct bytes a, struct bytes b)
{
	return a.len == b.len && (!a.len || !memcmp(a.data, b.data, a.len));
}

/* ---- writing ---- */

static void store_int(uint8_t *out, size_t size, uint64_t value)
{
	for (size_t i = size; i--; value >>= 8)
		out[i] = (uint8_t)value;
}

static int put_int(struct buf *out, size_t size, uint64_t value)
{
	uint8_t bytes[sizeof(value)];

	store_int(bytes, size, value);
	return buf_put(out, bytes, size);
}

int wire_put_u8(struct buf *out, uint8_t value)
{
	return put_int(out, sizeof(value), value);
}

int wire_put_u16(struct buf *out, uint16_t value)
{
	return put_int(out, sizeof(value), value);
}

int wire_put_u32(struct buf *out, uint32_t value)
{
	return put_int(out, sizeof(value), value);
}

int wire_put_u64(struct buf *out, uint64_t value)
{
	return put_int(out, sizeof(value), value);
}

/* A string of zeros zero bytes and data: all of it or nothing. */
static int put_padded(struct buf *out, size_t zeros, const void *data, size_t len)
{
	uint8_t *room;

	if (len > UINT32_MAX - zeros)
		return -EMSGSIZE;
	size_t size = sizeof(uint32_t) + zeros + len;
	int rc = buf_grow(out, size, &room);
	if (rc)
		return rc;
	store_int(room, sizeof(uint32_t), zeros + len);
	memset(room + sizeof(uint32_t), 0, zeros);
	if (len)
		memcpy(room + sizeof(uint32_t) + zeros, data, len);
	buf_grow_done(out, size);
	return 0;
}

int wire_put_string(struct buf *out, const void *data, size_t len)
{
	return put_padded(out, 0, data, len);
}

int wire_put_cstring(struct buf *out, const char *text)
{
	return put_padded(out, 0, text, strlen(text));
}

int wire_put_bytes(struct buf *out, struct bytes value)
{
	return put_padded(out, 0, value.data, value.len);
}

int wire_put_mpint(struct buf *out, const uint8_t *magnitude, size_t len)
{
	while (len && !*magnitude) {
		magnitude++;
		len--;
	}
	return put_padded(out, len && *magnitude & 0x80 ? 1 : 0, magnitude, len);
}
