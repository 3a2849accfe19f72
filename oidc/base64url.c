/* base64url, both ways. Stricter than RFC 4648 asks: the bits that a last character has to spare
 * must be zero, or one signature would have several spellings. */
#include "oidc/base64url.h"

#include <errno.h>
#include <string.h>

#include "common/text.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int value_of(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

static int refuse(uint8_t c, struct err *err)
{
	char clean[16];

	if (c == '=')
		return err_set(err, -EBADMSG, "padded base64url ('=')");
	if (c == '+' || c == '/')
		return err_set(err, -EBADMSG, "base64 ('%c'), not base64url", c);
	return err_set(err, -EBADMSG, "not base64url: holds '%s'",
		text_clean(clean, sizeof(clean), &c, 1));
}

/* Two, three or four characters into one, two or three bytes. */
static int ungroup(struct bytes group, uint8_t *out, struct err *err)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < group.len; i++) {
		int value = value_of(group.data[i]);
		if (value < 0)
			return refuse(group.data[i], err);
		bits |= (uint32_t)value << (18 - 6 * i);
	}
	for (size_t i = 0; i + 1 < group.len; i++)
		out[i] = (uint8_t)(bits >> (16 - 8 * i));
	if (group.len < 4 && (bits & (group.len == 2 ? 0xffff : 0xff)))
		return err_set(err, -EBADMSG,
			"not canonical base64url: the last character has bits to spare that are "
			"not zero");
	return 0;
}

int base64url_decode(struct bytes text, struct buf *out, struct err *err)
{
	uint8_t *room;
	size_t used = 0;
	int rc = buf_grow(out, text.len / 4 * 3 + (text.len % 4 ? text.len % 4 - 1 : 0), &room);

	if (rc)
		return err_set(err, rc, "%s", strerror(-rc));
	for (size_t at = 0; at < text.len; at += 4) {
		struct bytes group = { text.data + at, text.len - at < 4 ? text.len - at : 4 };
		if (group.len == 1)
			return value_of(*group.data) < 0
				       ? refuse(*group.data, err)
				       : err_set(err, -EBADMSG,
						 "not base64url: no text has %zu characters",
						 text.len);
		rc = ungroup(group, room + used, err);
		if (rc)
			return rc;
		used += group.len - 1;
	}
	buf_grow_done(out, used);
	return 0;
}

int base64url_encode(struct buf *out, const void *data, size_t len)
{
	const uint8_t *in = data;
	uint8_t *room;
	size_t size = len / 3 * 4 + (len % 3 ? len % 3 + 1 : 0), used = 0;
	int rc = buf_grow(out, size, &room);

	if (rc)
		return rc;
	for (size_t at = 0; at < len; at += 3) {
		size_t count = len - at < 3 ? len - at : 3;
		uint32_t bits = (uint32_t)in[at] << 16 |
				(count > 1 ? (uint32_t)in[at + 1] << 8 : 0) |
				(count > 2 ? in[at + 2] : 0);
		for (size_t i = 0; i <= count; i++)
			room[used++] = (uint8_t)alphabet[bits >> (18 - 6 * i) & 63];
	}
	buf_grow_done(out, used);
	return 0;
}
