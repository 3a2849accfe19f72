/* A slice: the part of the configuration that one role may know, as bytes.
 *
 * The reader (server/reader) fills a plain struct for each role and encodes it; the role decodes
 * it. One table of fields describes the struct, and makes encoder, decoder and the freeing of it
 * (server/role/listener_conf.c, signer_conf.c, egress_conf.c). Both sides are the same binary, yet
 * every length, count and limit is checked.
 *
 * Encoding: the fields one after the other in the order of their table, in wire encoding
 * (common/wire.h); a list is its count and then its entries. */
#ifndef BARTIZAN_ROLE_SLICE_H
#define BARTIZAN_ROLE_SLICE_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

/* Of an encoded slice. Its texts are the configuration's, which is smaller (common/files.h), but
 * several providers may name the same file of authorities. */
#define SLICE_SIZE_MAX (64 * 1024 * 1024)

enum slice_type {
	SLICE_U32,
	SLICE_I64,
	SLICE_BOOL,
	SLICE_TEXT,	/* char *, of at most max bytes; NULL is sent as "" */
	SLICE_OPTIONAL, /* the same, but "" arrives as NULL */
	SLICE_TEXTS,	/* char **, NULL-terminated, of at most max texts; NULL arrives as empty */
	SLICE_ADDR,	/* struct addr */
	SLICE_LIST,	/* an array within the struct, of at most max entries */
};

struct slice_shape {
	size_t size; /* of the struct */
	const struct slice_field *fields;
	size_t count;
};

struct slice_field {
	enum slice_type type;
	size_t offset;
	uint32_t max; /* of a number: its limit, where not 0 */
	/* lists only */
	size_t count_offset; /* of the size_t that says how many entries are used */
	const struct slice_shape *entry;
};

/* A row: SLICE(TEXT, struct listener_conf, host_key, 4096). */
#define SLICE(kind, type, field, limit)                             \
	{                                                           \
		SLICE_##kind, offsetof(type, field), limit, 0, NULL \
	}
#define SLICE_LIST_OF(type, field, counted, limit, shape)                                \
	{                                                                                \
		SLICE_LIST, offsetof(type, field), limit, offsetof(type, counted), shape \
	}
#define SLICE_SHAPE(type, rows)                                      \
	{                                                            \
		sizeof(type), rows, sizeof(rows) / sizeof((rows)[0]) \
	}

#define SLICE_TEXT_MAX 4096 /* of a path, a name, an argument; each of SLICE_TEXTS */

/* -EMSGSIZE: more than a limit of the table, or than out holds */
int slice_encode(const struct slice_shape *shape, const void *from, struct buf *out);
/* *ret is new, and freed with slice_free(). -EBADMSG: malformed. */
int slice_decode(const struct slice_shape *shape, struct bytes in, void **ret);
void slice_free(const struct slice_shape *shape, void *slice); /* NULL allowed */

/* The slice in sealed memory, as the listener hands it to the role that it starts: a descriptor, or
 * -errno. */
int slice_seal(
	const struct slice_shape *shape, const void *from, const char *name, struct err *err);
int slice_open(const struct slice_shape *shape, int fd, void **ret, struct err *err);

#endif
