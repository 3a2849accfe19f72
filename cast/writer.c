/* The writer of asciicasts. It runs in sandboxed sessions, on the relay's path.
 *
 * The buffer holds lines that wait to be written; the last one may be open: outputs of one code
 * that arrive within CAST_FLUSH_MS become one event. A flush ends the open line first, so only
 * whole lines are ever handed to write(), and what a short write left is written before anything
 * else: the file is cut in mid line only if the process dies inside that write, and cast_recover()
 * mends that. Invariants: an open line is the last thing in the buffer; times never decrease; the
 * file never grows beyond max. When the file cannot be written the buffer fills, then bytes are
 * counted as lost and a marker says so later. System calls: write, nothing else. */
#include "cast/cast.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cast/line.h"

#define STREAMS 3    /* o, e, i: each joins its own split characters */
#define PIECE 4096   /* input bytes that are added at a time */
#define WORST 6	     /* bytes that one input byte may become */
#define LINE_ROOM 64 /* beginning and end of a line */
/* an open line is ended beyond it: with one piece more it stays far below CAST_LINE_MAX */
#define LINE_SOFT_MAX (64 * 1024)
#define FLUSH_SIZE (64 * 1024) /* flushed early beyond it */
/* bytes reserved of max and of the buffer for markers that tell what is missing */
#define RESERVE 512
#define RETRY_US 1000000 /* a failed flush is due again after this time */

struct cast {
	int fd;
	uint64_t max, written;
	int64_t start_us, last_us; /* last_us: of the newest event, from the start */
	int64_t due_us;		   /* absolute; -1: nothing waits */
	struct buf out;
	/* offsets of the open line and of its first data byte in out */
	size_t open_at, open_data;
	int64_t open_us;
	char open_code; /* 0: no line is open */
	struct text_carry carry[STREAMS];
	uint64_t lost;	 /* bytes since the buffer was full */
	uint64_t beyond; /* bytes after max was reached */
	bool full;
};

static int stream_of(char code)
{
	static const char codes[STREAMS] = { 'o', 'e', 'i' };
	const char *at = code ? memchr(codes, code, STREAMS) : NULL;

	return at ? (int)(at - codes) : -EINVAL;
}

static int64_t now_of(struct cast *cast, int64_t now_us)
{
	int64_t at = now_us - cast->start_us;

	if (at > cast->last_us)
		cast->last_us = at;
	return cast->last_us;
}

static void waits(struct cast *cast)
{
	if (cast->due_us < 0)
		cast->due_us = cast->start_us + cast->last_us + CAST_FLUSH_MS * 1000;
}

/* Drops everything after offset `at`, so that a line is either whole or missing. */
static void cut_back(struct cast *cast, size_t at)
{
	cast->out.len = at;
}

static int line_open(struct cast *cast, char code)
{
	size_t at = cast->out.len;
	int rc = cast_line_begin(&cast->out, cast->last_us, code);

	if (rc) {
		cut_back(cast, at);
		return rc;
	}
	cast->open_at = at;
	cast->open_data = cast->out.len;
	cast->open_us = cast->last_us;
	cast->open_code = code;
	return 0;
}

/* Ends the open line; one that is still empty (only half a character was written) is removed. */
static void line_close(struct cast *cast)
{
	if (!cast->open_code)
		return;
	cast->open_code = 0;
	if (cast->out.len == cast->open_data || cast_line_end(&cast->out))
		cut_back(cast, cast->open_at);
}

static int line_put(struct cast *cast, char code, const void *data, size_t len)
{
	line_close(cast);
	size_t at = cast->out.len;
	int rc = cast_line(&cast->out, cast->last_us, code, data, len);
	if (rc)
		cut_back(cast, at);
	else
		waits(cast);
	return rc;
}

/* A marker of the recorder's own: "bartizan: 17 bytes are missing …". */
static void note_put(struct cast *cast, const char *before, uint64_t bytes, const char *after)
{
	char text[160];

	snprintf(text, sizeof(text), "bartizan: %s%" PRIu64 " bytes %s", before, bytes, after);
	line_put(cast, 'm', text, strlen(text));
}

/* Whether len more bytes of lines fit below max; when not, recording stops here. */
static bool below_max(struct cast *cast, size_t len)
{
	if (cast->full)
		return false;
	if (!cast->max || cast_size(cast) + len + RESERVE <= cast->max)
		return true;
	cast->full = true;
	note_put(cast, "transcript stops here: ", cast->max, "limit reached");
	return false;
}

/* Room for len bytes of lines in the buffer, if need be by a flush. Says first what was lost
 * before. */
static int make_room(struct cast *cast, size_t len)
{
	int rc = 0;

	if (cast->out.len + len + RESERVE > CAST_BUFFER_MAX) {
		rc = cast_flush(cast);
		if (cast->out.len + len + RESERVE > CAST_BUFFER_MAX)
			return rc ? rc : -ENOBUFS;
	}
	if (cast->lost) {
		uint64_t lost = cast->lost;
		cast->lost = 0;
		note_put(cast, "", lost, "are missing here: the transcript could not be written");
	}
	return 0;
}

static int piece_put(struct cast *cast, int stream, char code, const uint8_t *data, size_t len)
{
	bool joins = cast->open_code == code &&
		     cast->last_us - cast->open_us <= CAST_FLUSH_MS * 1000 &&
		     cast->out.len - cast->open_at < LINE_SOFT_MAX;

	if (!joins)
		line_close(cast);
	int rc = joins ? 0 : line_open(cast, code);
	if (rc)
		return rc;
	size_t at = cast->out.len;
	rc = cast_escape(&cast->out, data, len, &cast->carry[stream]);
	if (rc)
		cut_back(cast, at);
	else
		waits(cast);
	return rc;
}

/* How many of len bytes may be added now: the worst case must fit below max. 0: full. */
static size_t piece_of(struct cast *cast, size_t len)
{
	size_t piece = len < PIECE ? len : PIECE;

	if (!cast->max)
		return piece;
	uint64_t used = cast_size(cast) + LINE_ROOM + RESERVE;
	uint64_t fits = used < cast->max ? (cast->max - used) / WORST : 0;
	if (!fits)
		below_max(cast, LINE_ROOM + WORST);
	return piece < fits ? piece : (size_t)fits;
}

int cast_output(struct cast *cast, int64_t now_us, char code, const void *data, size_t len)
{
	const uint8_t *in = data;
	int stream = stream_of(code), rc = 0;

	if (stream < 0)
		return stream;
	now_of(cast, now_us);
	while (len && !cast->full) {
		size_t piece = piece_of(cast, len);
		if (!piece)
			break;
		int put = make_room(cast, piece * WORST + LINE_ROOM);
		if (!put)
			put = piece_put(cast, stream, code, in, piece);
		if (put) {
			cast->lost += len;
			cast->carry[stream].len = 0;
			return put;
		}
		in += piece;
		len -= piece;
		if (cast->out.len > FLUSH_SIZE)
			rc = cast_flush(cast);
	}
	if (cast->full)
		cast->beyond += len;
	return rc;
}

static int special_put(struct cast *cast, int64_t now_us, char code, const char *text)
{
	size_t len = strnlen(text, CAST_LABEL_MAX);

	now_of(cast, now_us);
	if (!below_max(cast, len * WORST + LINE_ROOM))
		return 0;
	int rc = make_room(cast, len * WORST + LINE_ROOM);
	return rc ? rc : line_put(cast, code, text, len);
}

int cast_resize(struct cast *cast, int64_t now_us, unsigned width, unsigned height)
{
	char text[32];

	if (!width || !height) /* "unknown" in RFC 4254: of no use to a player */
		return 0;
	if (width > CAST_SIZE_MAX)
		width = CAST_SIZE_MAX;
	if (height > CAST_SIZE_MAX)
		height = CAST_SIZE_MAX;
	snprintf(text, sizeof(text), "%ux%u", width, height);
	return special_put(cast, now_us, 'r', text);
}

int cast_marker(struct cast *cast, int64_t now_us, const char *label)
{
	return special_put(cast, now_us, 'm', label);
}

int64_t cast_due(const struct cast *cast)
{
	return cast->due_us;
}

uint64_t cast_size(const struct cast *cast)
{
	return cast->written + cast->out.len;
}

int cast_flush(struct cast *cast)
{
	line_close(cast);
	while (cast->out.len) {
		ssize_t wrote = write(cast->fd, buf_data(&cast->out), cast->out.len);
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0) {
			int rc = wrote ? -errno : -ENOSPC;
			cast->due_us += RETRY_US;
			return rc;
		}
		buf_consume(&cast->out, (size_t)wrote);
		cast->written += (uint64_t)wrote;
	}
	buf_trim(&cast->out);
	cast->due_us = -1;
	return 0;
}

int cast_open(int fd, const struct cast_header *header, int64_t now_us, uint64_t max,
	struct cast **ret, struct err *err)
{
	struct cast *cast = calloc(1, sizeof(*cast));

	if (!cast)
		return err_set(err, -ENOMEM, "out of memory for a transcript");
	*cast = (struct cast){ .fd = fd,
		.max = max,
		.start_us = now_us,
		.due_us = -1,
		.out = BUF_INIT(CAST_BUFFER_MAX) };
	int rc = cast_header_line(&cast->out, header);
	if (!rc)
		rc = cast_flush(cast);
	if (rc) {
		buf_release(&cast->out);
		free(cast);
		return err_set(err, rc, "transcript header cannot be written: %s", strerror(-rc));
	}
	*ret = cast;
	return 0;
}

/* A character that began and never ended becomes U+FFFD. */
static void carry_end(struct cast *cast, char code, struct text_carry *carry)
{
	if (!carry->len || cast->full || make_room(cast, LINE_ROOM + 16))
		return;
	line_put(cast, code, carry->bytes, carry->len);
}

int cast_close(struct cast *cast)
{
	if (!cast)
		return 0;
	line_close(cast);
	for (int i = 0; i < STREAMS; i++)
		carry_end(cast, "oei"[i], &cast -> carry[i]);
	if (cast->lost)
		make_room(cast, 0);
	if (cast->beyond)
		note_put(cast, "", cast->beyond, "more were not kept");
	int rc = cast_flush(cast);
	buf_release(&cast->out);
	free(cast);
	return rc;
}
