/* See slice.h. */
#include "server/role/slice.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/addr.h"
#include "common/fd.h"
#include "common/text.h"
#include "common/wire.h"

/* ---- one value: how it is written, read and freed ---- */

static int put_u32(const struct slice_field *field, const void *at, struct buf *out)
{
	uint32_t value = *(const uint32_t *)at;

	return field->max && value > field->max ? -EMSGSIZE : wire_put_u32(out, value);
}

static int get_u32(const struct slice_field *field, struct wire *in, void *at)
{
	uint32_t value;

	if (wire_get_u32(in, &value) < 0 || (field->max && value > field->max))
		return -EBADMSG;
	*(uint32_t *)at = value;
	return 0;
}

static int put_i64(const struct slice_field *field, const void *at, struct buf *out)
{
	(void)field;
	return wire_put_u64(out, (uint64_t) * (const int64_t *)at);
}

static int get_i64(const struct slice_field *field, struct wire *in, void *at)
{
	(void)field;
	uint64_t value;
	int rc = wire_get_u64(in, &value);

	if (rc == 0)
		*(int64_t *)at = (int64_t)value;
	return rc;
}

static int put_bool(const struct slice_field *field, const void *at, struct buf *out)
{
	(void)field;
	return wire_put_u8(out, *(const bool *)at);
}

static int get_bool(const struct slice_field *field, struct wire *in, void *at)
{
	(void)field;
	uint8_t value;

	if (wire_get_u8(in, &value) < 0 || value > 1)
		return -EBADMSG;
	*(bool *)at = value == 1;
	return 0;
}

static int put_text(const struct slice_field *field, const void *at, struct buf *out)
{
	const char *text = *(char *const *)at ? *(char *const *)at : "";

	return strlen(text) > field->max ? -EMSGSIZE : wire_put_cstring(out, text);
}

static int get_text(const struct slice_field *field, struct wire *in, void *at)
{
	return wire_get_cstring(in, field->max, at);
}

static int get_optional(const struct slice_field *field, struct wire *in, void *at)
{
	char *text;
	int rc = wire_get_cstring(in, field->max, &text);

	if (rc < 0)
		return rc;
	if (!*text) {
		free(text);
		text = NULL;
	}
	*(char **)at = text;
	return 0;
}

static void free_text(const struct slice_field *field, void *at)
{
	(void)field;
	free(*(char **)at);
}

static int put_texts(const struct slice_field *field, const void *at, struct buf *out)
{
	char *const *texts = *(char **const *)at;
	uint32_t count = 0;
	int rc;

	while (texts && texts[count])
		if (++count > field->max)
			return -EMSGSIZE;
	rc = wire_put_u32(out, count);
	for (uint32_t i = 0; rc == 0 && i < count; i++)
		rc = strlen(texts[i]) > SLICE_TEXT_MAX ? -EMSGSIZE
						       : wire_put_cstring(out, texts[i]);
	return rc;
}

static int get_texts(const struct slice_field *field, struct wire *in, void *at)
{
	uint32_t count;
	int rc = 0;

	if (wire_get_u32(in, &count) < 0 || count > field->max)
		return -EBADMSG;
	char **texts = *(char ***)at = calloc((size_t)count + 1, sizeof(*texts));
	if (!texts)
		return -ENOMEM;
	for (uint32_t i = 0; rc == 0 && i < count; i++)
		rc = wire_get_cstring(in, SLICE_TEXT_MAX, &texts[i]);
	return rc;
}

static void free_texts(const struct slice_field *field, void *at)
{
	(void)field;
	text_list_free(*(char ***)at);
}

static int put_addr(const struct slice_field *field, const void *at, struct buf *out)
{
	(void)field;
	const struct addr *addr = at;
	int rc = wire_put_u8(out, addr->family == AF_INET6 ? 6 : 4);

	rc = rc < 0 ? rc : wire_put_string(out, addr->ip, sizeof(addr->ip));
	return rc < 0 ? rc : wire_put_u16(out, addr->port);
}

static int get_addr(const struct slice_field *field, struct wire *in, void *at)
{
	(void)field;
	struct addr *addr = at;
	struct bytes ip;
	uint8_t version;

	if (wire_get_u8(in, &version) < 0 || wire_get_string(in, &ip) < 0 ||
		wire_get_u16(in, &addr->port) < 0)
		return -EBADMSG;
	if ((version != 4 && version != 6) || ip.len != sizeof(addr->ip))
		return -EBADMSG;
	addr->family = version == 6 ? AF_INET6 : AF_INET;
	memcpy(addr->ip, ip.data, ip.len);
	return 0;
}

/* ---- the table of values; lists are apart, since they hold values ---- */

static const struct {
	int (*put)(const struct slice_field *field, const void *at, struct buf *out);
	int (*get)(const struct slice_field *field, struct wire *in, void *at);
	void (*release)(const struct slice_field *field, void *at); /* NULL: nothing to free */
} values[] = {
	[SLICE_U32] = { put_u32, get_u32, NULL },
	[SLICE_I64] = { put_i64, get_i64, NULL },
	[SLICE_BOOL] = { put_bool, get_bool, NULL },
	[SLICE_TEXT] = { put_text, get_text, free_text },
	[SLICE_OPTIONAL] = { put_text, get_optional, free_text },
	[SLICE_TEXTS] = { put_texts, get_texts, free_texts },
	[SLICE_ADDR] = { put_addr, get_addr, NULL },
};

static int put_list(const struct slice_field *field, const char *from, struct buf *out);
static int get_list(const struct slice_field *field, struct wire *in, char *to);

static int put_fields(const struct slice_shape *shape, const char *from, struct buf *out)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < shape->count; i++) {
		const struct slice_field *field = &shape->fields[i];

		rc = field->type == SLICE_LIST
			     ? put_list(field, from, out)
			     : values[field->type].put(field, from + field->offset, out);
	}
	return rc;
}

static int get_fields(const struct slice_shape *shape, struct wire *in, char *to)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < shape->count; i++) {
		const struct slice_field *field = &shape->fields[i];

		rc = field->type == SLICE_LIST
			     ? get_list(field, in, to)
			     : values[field->type].get(field, in, to + field->offset);
	}
	return rc;
}

/* Entries that were never filled are zero: nothing is freed of them. */
static void free_fields(const struct slice_shape *shape, char *slice)
{
	for (size_t i = 0; i < shape->count; i++) {
		const struct slice_field *field = &shape->fields[i];
		char *at = slice + field->offset;

		if (field->type == SLICE_LIST)
			for (size_t k = 0; k < field->max; k++)
				free_fields(field->entry, at + k * field->entry->size);
		else if (values[field->type].release)
			values[field->type].release(field, at);
	}
}

static int put_list(const struct slice_field *field, const char *from, struct buf *out)
{
	size_t count = *(const size_t *)(const void *)(from + field->count_offset);
	int rc = count > field->max ? -EMSGSIZE : wire_put_u32(out, (uint32_t)count);

	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = put_fields(field->entry, from + field->offset + i * field->entry->size, out);
	return rc;
}

static int get_list(const struct slice_field *field, struct wire *in, char *to)
{
	uint32_t count;
	int rc = 0;

	if (wire_get_u32(in, &count) < 0 || count > field->max)
		return -EBADMSG;
	*(size_t *)(void *)(to + field->count_offset) = count;
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = get_fields(field->entry, in, to + field->offset + i * field->entry->size);
	return rc;
}

/* ---- a slice ---- */

int slice_encode(const struct slice_shape *shape, const void *from, struct buf *out)
{
	return put_fields(shape, from, out);
}

int slice_decode(const struct slice_shape *shape, struct bytes in, void **ret)
{
	struct wire wire = WIRE_OF(in.data, in.len);

	void *slice = calloc(1, shape->size);
	int rc = slice ? get_fields(shape, &wire, slice) : -ENOMEM;

	if (rc == 0 && !wire_done(&wire))
		rc = -EBADMSG;
	if (rc < 0) {
		slice_free(shape, slice);
		return rc;
	}
	*ret = slice;
	return 0;
}

void slice_free(const struct slice_shape *shape, void *slice)
{
	if (slice)
		free_fields(shape, slice);
	free(slice);
}

int slice_seal(const struct slice_shape *shape, const void *from, const char *name, struct err *err)
{
	struct buf bytes BUF_CLEANUP = BUF_INIT(SLICE_SIZE_MAX);
	int rc = slice_encode(shape, from, &bytes);

	if (rc < 0)
		return err_set(err, rc, "%s: %s", name, strerror(-rc));
	rc = fd_memfd(name, buf_data(&bytes), bytes.len);
	return rc < 0 ? err_set(err, rc, "%s: %s", name, strerror(-rc)) : rc;
}

int slice_open(const struct slice_shape *shape, int fd, void **ret, struct err *err)
{
	struct buf bytes BUF_CLEANUP = BUF_INIT(SLICE_SIZE_MAX);
	int rc = fd_read_memfd(fd, SLICE_SIZE_MAX, &bytes);

	rc = rc < 0 ? rc : slice_decode(shape, buf_bytes(&bytes), ret);
	return rc < 0 ? err_set(err, rc, "slice of the configuration: %s", strerror(-rc)) : 0;
}
