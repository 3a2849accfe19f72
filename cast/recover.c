/* Mends the transcript of a session that was cut off: a truncated last line is removed, a marker
 * says why it ends.
 *
 * Reads only the end of the file, however large it is. Bytes before the last newline are never
 * changed. */
#include "cast/cast.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cast/line.h"

/* holds a truncated line and at least one whole one before it */
#define TAIL (2 * (CAST_LINE_MAX + 1))

struct tail { /* the end of a file */
	struct buf bytes;
	uint64_t start; /* offset of its first byte in the file */
	size_t whole;	/* bytes up to and with the last newline */
};

static int read_at(int fd, struct buf *ret, uint64_t offset, size_t len)
{
	uint8_t *room;
	size_t got = 0;
	int rc = buf_grow(ret, len, &room);

	while (!rc && got < len) {
		ssize_t n = pread(fd, room + got, len - got, (off_t)(offset + got));
		if (n > 0)
			got += (size_t)n;
		else if (!n)
			rc = -EIO; /* the file was cut while it was read */
		else if (errno != EINTR)
			rc = -errno;
	}
	if (!rc)
		buf_grow_done(ret, got);
	return rc;
}

static int tail_read(int fd, uint64_t size, struct tail *tail)
{
	size_t len = size < TAIL ? (size_t)size : TAIL;

	tail->start = size - len;
	int rc = len ? read_at(fd, &tail->bytes, tail->start, len) : 0;
	const uint8_t *end = !rc && len ? memrchr(buf_data(&tail->bytes), '\n', len) : NULL;
	tail->whole = end ? (size_t)(end - buf_data(&tail->bytes)) + 1 : 0;
	return rc;
}

/* Finds the last whole line that is an event; lines after it are damaged. False: none. */
static bool last_event(const struct tail *tail, struct cast_event *event)
{
	const uint8_t *base = tail->whole ? buf_data(&tail->bytes) : NULL;
	size_t end = tail->whole;

	while (end) {
		const uint8_t *before = end > 1 ? memrchr(base, '\n', end - 1) : NULL;
		size_t begin = before ? (size_t)(before - base) + 1 : 0;
		if (!before && tail->start) /* the line began before what was read */
			return false;
		if (cast_line_parse((struct bytes){ base + begin, end - 1 - begin }, event))
			return true;
		end = begin;
	}
	return false;
}

static int write_at(int fd, const struct buf *data, uint64_t offset)
{
	for (size_t done = 0; done < data->len;) {
		ssize_t n =
			pwrite(fd, buf_data(data) + done, data->len - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENOSPC;
		done += (size_t)n;
	}
	return 0;
}

/* Cuts at `cut`, appends lines; when they do not fit (disk full) the file at least ends with a
 * whole line. */
static int rewrite_end(int fd, uint64_t cut, const struct buf *lines)
{
	if (ftruncate(fd, (off_t)cut))
		return -errno;
	int rc = write_at(fd, lines, cut);
	if (rc && ftruncate(fd, (off_t)cut))
		rc = -errno;
	return rc;
}

static bool is_marker(const struct cast_event *event, const char *reason)
{
	size_t len = strnlen(reason, CAST_LABEL_MAX);

	return event->code == 'm' && event->data.len == len &&
	       !memcmp(buf_data(&event->data), reason, len);
}

static int mend(int fd, const struct tail *tail, const char *reason, int64_t *ret_last_us)
{
	struct cast_event event = { 0 };
	BUF_CLEANUP struct buf lines = BUF_INIT(CAST_LINE_MAX);
	int rc = 0;
	bool found = last_event(tail, &event);
	int64_t last_us = found ? event.time_us : 0;

	if (!tail->whole) /* cut within the header: there is nothing else */
		rc = cast_header_line(&lines, &(struct cast_header){ .title = "recovered" });
	if (!rc && !(found && is_marker(&event, reason)))
		rc = cast_line(&lines, last_us, 'm', reason, strlen(reason));
	buf_release(&event.data);
	if (!rc)
		rc = rewrite_end(fd, tail->start + tail->whole, &lines);
	*ret_last_us = last_us;
	return rc;
}

int cast_recover(int fd, const char *reason, int64_t *ret_last_us, struct err *err)
{
	struct stat st;
	struct tail tail = { .bytes = BUF_INIT(TAIL) };
	int64_t last_us = 0;

	if (fstat(fd, &st))
		return err_set(err, -errno, "transcript: %s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(err, -EBADMSG, "transcript is not a regular file");
	int rc = tail_read(fd, (uint64_t)st.st_size, &tail);
	if (!rc && !tail.whole && tail.bytes.len > CAST_LINE_MAX)
		rc = -EBADMSG;
	bool foreign = !rc && tail.bytes.len && !tail.start && *buf_data(&tail.bytes) != '{';
	if (!rc && !foreign)
		rc = mend(fd, &tail, reason, &last_us);
	buf_release(&tail.bytes);
	if (foreign || rc == -EBADMSG)
		return err_set(err, -EBADMSG, "not a transcript: the file was not changed");
	if (rc)
		return err_set(err, rc, "transcript cannot be mended: %s", strerror(-rc));
	*ret_last_us = last_us;
	return 0;
}
