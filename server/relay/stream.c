/* See stream.h. */
#include "server/relay/stream.h"

#include <errno.h>
#include <string.h>

#define SLICE (64 * 1024)
#define PENDING_MAX (STREAM_BUFFERED_MAX + 4 * SLICE)

void stream_init(struct stream *stream, const struct stream_ops *ops, void *owner, int *depth,
	char code, bool is_stderr)
{
	*stream = (struct stream){ .ops = *ops,
		.owner = owner,
		.depth = depth,
		.code = code,
		.is_stderr = is_stderr,
		.pending = BUF_INIT(PENDING_MAX) };
}

void stream_release(struct stream *stream)
{
	buf_release(&stream->pending);
}

static uint32_t room(const struct stream *stream)
{
	if (!stream->open || !stream->dst || !transport_writable(stream->to))
		return 0;
	return ssh_channel_window_size(stream->dst);
}

/* Writes what the destination takes now and passes it to the transcript. *depth is already raised:
 * the write may run callbacks of either leg. */
static size_t push(struct stream *stream, const uint8_t *data, size_t len)
{
	uint32_t window = room(stream);
	uint32_t n = len < window ? (uint32_t)len : window;

	if (!n)
		return 0;
	transport_enter(stream->to);
	int wrote = stream->is_stderr ? ssh_channel_write_stderr(stream->dst, data, n)
				      : ssh_channel_write(stream->dst, data, n);
	transport_enter(stream->from);
	stream->to->touched = true;
	if (wrote < 0) {
		stream->broken = true;
		return len;
	}
	stream->bytes += (uint64_t)wrote;
	stream->ops.tap(stream->owner, stream->code, data, (size_t)wrote);
	return (size_t)wrote;
}

static void flush_pending(struct stream *stream);

static size_t filtered(struct stream *stream, const uint8_t *data, size_t len)
{
	stream->ops.filter(stream->owner, data, len);
	flush_pending(stream);
	return len;
}

int stream_data(struct stream *stream, const void *data, size_t len)
{
	if (stream->discard || stream->broken)
		return (int)len;
	if (len > STREAM_BUFFERED_MAX) {
		stream->overflow = stream->discard = true;
		return (int)len;
	}
	size_t taken = 0;
	if (!*stream->depth && !stream->pending.len && stream->open) {
		++*stream->depth;
		taken = stream->ops.filter ? filtered(stream, data, len) : push(stream, data, len);
		--*stream->depth;
	}
	stream->unread = taken < len;
	return (int)taken;
}

static void flush_pending(struct stream *stream)
{
	while (stream->pending.len && !stream->broken) {
		size_t n = push(stream, buf_data(&stream->pending), stream->pending.len);
		if (!n)
			return;
		buf_consume(&stream->pending, n);
	}
	if (stream->broken)
		buf_clear(&stream->pending);
	buf_trim(&stream->pending);
}

/* Everything that libssh holds: see stream.h. */
static void fetch_all(struct stream *stream)
{
	BUF_CLEANUP struct buf raw = BUF_INIT(PENDING_MAX);
	struct buf *into = stream->ops.filter ? &raw : &stream->pending;

	stream->unread = false;
	transport_enter(stream->from);
	for (;;) {
		uint8_t *at;
		if (buf_grow(into, SLICE, &at)) {
			stream->overflow = stream->discard = true;
			break;
		}
		int n = ssh_channel_read_nonblocking(stream->src, at, SLICE, stream->is_stderr);
		buf_grow_done(into, n > 0 ? (size_t)n : 0);
		if (n <= 0)
			break;
	}
	if (raw.len && !stream->discard)
		stream->ops.filter(stream->owner, buf_data(&raw), raw.len);
	stream->from->touched = true;
}

void stream_turn(struct stream *stream)
{
	++*stream->depth;
	if (stream->pending.len)
		flush_pending(stream);
	while (stream->unread && stream->src && !stream->pending.len && !stream->broken &&
		(stream->discard || room(stream))) {
		fetch_all(stream);
		if (stream->discard)
			buf_clear(&stream->pending);
		flush_pending(stream);
	}
	if (stream->discard || stream->broken)
		stream->unread = false;
	--*stream->depth;
}

bool stream_can_move(const struct stream *stream)
{
	return (stream->pending.len || stream->unread) && (stream->discard || room(stream));
}

bool stream_drained(const struct stream *stream)
{
	return !stream->pending.len && !stream->unread;
}

bool stream_ended(const struct stream *stream)
{
	return stream_drained(stream) && (!stream->src || ssh_channel_is_eof(stream->src) ||
						 ssh_channel_is_closed(stream->src));
}
