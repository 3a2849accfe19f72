/* A stream: bytes of one direction of a channel, from one transport to the other, with
 * back-pressure end to end.
 *
 * Fast path: libssh's data callback writes straight to the other channel (one copy less). Slow
 * path, when the other side has no room or another callback is under way: the bytes stay in libssh,
 * and stream_turn() fetches *everything* once there is room again, into `pending`, and writes from
 * there: libssh 0.10 re-opens its window at any read whatever is still buffered, so partial reads
 * would let a fast sender fill the memory (ARCHITECTURE.md, "Limits of libssh"). */
#ifndef BARTIZAN_RELAY_STREAM_H
#define BARTIZAN_RELAY_STREAM_H

#include <libssh/libssh.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "server/libssh/transport.h"

/* bytes that libssh may hold unread; with more, the sender is ignoring its window and the channel
 * is closed */
#define STREAM_BUFFERED_MAX (4 * 1024 * 1024)

struct stream;

struct stream_ops {
	/* what was written to the destination, for the transcript */
	void (*tap)(void *owner, char code, const void *data, size_t len);
	/* receives the bytes and puts those that pass into pending; NULL: all pass */
	void (*filter)(void *owner, const uint8_t *data, size_t len);
};

struct stream {
	struct stream_ops ops;
	void *owner; /* for ops */
	/* number of libssh callbacks now running on this connection: above zero, bytes stay in the
	 * library */
	int *depth;
	struct transport *from, *to;
	ssh_channel src, dst; /* NULL: not open yet, or gone */
	bool is_stderr;
	char code;	    /* for the transcript: 'o', 'e', 'i' */
	bool open;	    /* bytes may flow: the request was answered */
	bool discard;	    /* nobody wants them: consume and forget */
	bool unread;	    /* libssh holds bytes for which it will not call back again */
	bool overflow;	    /* STREAM_BUFFERED_MAX was passed */
	bool broken;	    /* the destination accepts no more bytes */
	struct buf pending; /* taken from libssh, not yet written */
	uint64_t bytes;	    /* written to dst */
};

void stream_init(struct stream *stream, const struct stream_ops *ops, void *owner, int *depth,
	char code, bool is_stderr);
void stream_release(struct stream *stream);
/* from the data callback: bytes consumed */
int stream_data(struct stream *stream, const void *data, size_t len);
void stream_turn(struct stream *stream);
bool stream_can_move(const struct stream *stream); /* a turn would move bytes */
bool stream_drained(const struct stream *stream);  /* nothing left to write of what has come */
/* drained, and the source has sent EOF or is closed */
bool stream_ended(const struct stream *stream);

#endif
