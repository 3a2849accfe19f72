/* The reader of asciicasts: line by line, hostile files too.
 *
 * At most one line and one read are in memory. A line that is damaged or too long is reported once
 * with its number; the next call goes on behind it.
 */
#include "cast/cast.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cast/line.h"
#include "common/json.h"

#define CHUNK (32 * 1024)

struct cast_reader {
	int fd;
	struct buf in;
	size_t scanned; /* bytes of `in` that are known to have no newline */
	size_t taken;	/* bytes of the line handed out last: consumed by the next call */
	uint64_t line;	/* number of the line handed out last */
	bool skipping;	/* inside a line that is too long */
	int64_t last_us;
	json_t *json; /* of the header, whose strings `header` borrows */
	struct cast_header header;
};

static int fill(struct cast_reader *reader)
{
	uint8_t *room;
	int rc = buf_grow(&reader->in, CHUNK, &room);

	if (rc)
		return rc;
	ssize_t got;
	do
		got = read(reader->fd, room, CHUNK);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	buf_grow_done(&reader->in, (size_t)got);
	return got > 0;
}

static int too_long(struct cast_reader *reader, struct err *err)
{
	reader->line++;
	return err_set(err, -EBADMSG, "line %" PRIu64 ": longer than %d bytes", reader->line,
		CAST_LINE_MAX);
}

static void drop(struct cast_reader *reader, size_t len)
{
	buf_consume(&reader->in, len);
	reader->scanned = 0;
}

/* A newline was found at offset len. */
static int line_take(struct cast_reader *reader, size_t len, struct bytes *ret, struct err *err)
{
	bool skipped = reader->skipping || len > CAST_LINE_MAX;

	reader->skipping = false;
	if (skipped) {
		drop(reader, len + 1);
		return too_long(reader, err);
	}
	reader->taken = len + 1;
	reader->line++;
	*ret = (struct bytes){ buf_data(&reader->in), len };
	return 1;
}

/* 1: a line without its newline, borrowed until the next call; 0: no whole line is left; -EBADMSG:
 * it was too long; other -errno. */
static int line_next(struct cast_reader *reader, struct bytes *ret, struct err *err)
{
	drop(reader, reader->taken);
	reader->taken = 0;
	for (;;) {
		const uint8_t *base = buf_data(&reader->in);
		const uint8_t *end = reader->in.len > reader->scanned
					     ? memchr(base + reader->scanned, '\n',
						       reader->in.len - reader->scanned)
					     : NULL;
		if (end)
			return line_take(reader, (size_t)(end - base), ret, err);
		reader->scanned = reader->in.len;
		if (reader->skipping || reader->in.len > CAST_LINE_MAX) {
			reader->skipping = true;
			drop(reader, reader->in.len);
		}
		int rc = fill(reader);
		if (rc < 0)
			return err_set(err, rc, "transcript cannot be read: %s", strerror(-rc));
		if (!rc && !reader->skipping)
			return 0;
		if (!rc) {
			reader->skipping = false;
			return too_long(reader, err);
		}
	}
}

/* ---- header ---- */

static bool size_take(const json_t *json, const char *key, unsigned *ret)
{
	const json_t *value = json_object_get(json, key);

	json_int_t size = json_is_integer(value) ? json_integer_value(value) : 0;
	if (size < 1 || size > CAST_SIZE_MAX)
		return false;
	*ret = (unsigned)size;
	return true;
}

static int header_take(struct cast_reader *reader, struct err *err)
{
	json_t *json = reader->json;
	struct cast_header *header = &reader->header;

	if (json_integer_value(json_object_get(json, "version")) != 2)
		return err_set(err, -EBADMSG, "not an asciicast of version 2");
	if (!size_take(json, "width", &header->width) ||
		!size_take(json, "height", &header->height))
		return err_set(err, -EBADMSG,
			"header: width and height must be whole numbers from 1 to %d",
			CAST_SIZE_MAX);
	const json_t *timestamp = json_object_get(json, "timestamp");
	header->timestamp = json_is_integer(timestamp) && json_integer_value(timestamp) > 0
				    ? json_integer_value(timestamp)
				    : 0;
	header->term = json_get_string(json_object_get(json, "env"), "TERM");
	header->title = json_get_string(json, "title");
	header->session = json_get_string(json, "bartizan_session");
	header->kind = json_get_string(json, "bartizan_kind");
	header->command = json_get_string(json, "command");
	return 0;
}

static int header_read(struct cast_reader *reader, struct err *err)
{
	struct bytes line;
	int rc = line_next(reader, &line, err);

	if (rc < 0)
		return err_prefix(err, rc, "header");
	if (!rc)
		return err_set(err, -EBADMSG, "header: the file ends within it");
	reader->json = json_loadb((const char *)line.data, line.len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(reader->json))
		return err_set(err, -EBADMSG, "header: not a JSON object");
	return header_take(reader, err);
}

int cast_reader_open(int fd, struct cast_reader **ret, struct err *err)
{
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_set(err, -errno, "transcript is not seekable: %s", strerror(errno));
	struct cast_reader *reader = calloc(1, sizeof(*reader));
	if (!reader)
		return err_set(err, -ENOMEM, "out of memory to read a transcript");
	reader->fd = fd;
	reader->in = BUF_INIT(CAST_LINE_MAX + CHUNK);
	int rc = header_read(reader, err);
	if (rc) {
		cast_reader_free(reader);
		return rc;
	}
	*ret = reader;
	return 0;
}

void cast_reader_free(struct cast_reader *reader)
{
	if (!reader)
		return;
	buf_release(&reader->in);
	json_decref(reader->json);
	free(reader);
}

const struct cast_header *cast_reader_header(const struct cast_reader *reader)
{
	return &reader->header;
}

/* ---- events ---- */

int cast_reader_next(struct cast_reader *reader, struct cast_event *event, struct err *err)
{
	struct bytes line;
	int rc;

	do
		rc = line_next(reader, &line, err);
	while (rc == 1 && !line.len); /* an empty line is no event */
	if (rc != 1)
		return rc;
	if (!cast_line_parse(line, event))
		return err_set(err, -EBADMSG, "line %" PRIu64 ": not an event", reader->line);
	/* only in a file of another program: the writer's times never decrease */
	if (event->time_us < reader->last_us)
		event->time_us = reader->last_us;
	reader->last_us = event->time_us;
	return 1;
}
