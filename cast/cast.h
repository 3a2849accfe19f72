/* asciicast version 2 (docs.asciinema.org/manual/asciicast/v2): writer, reader, recovery, player.
 *
 * First line: header {"version":2,"width":W,"height":H,"timestamp":T,…}. Then one event a line:
 * [seconds, code, data]. Codes: "o" output, "e" standard error of a channel without terminal
 * (players skip it), "i" input (only where a rule says so), "r" resize "WxH", "m" marker. Time is
 * monotonic from the header on, six decimals, never running backwards. Data is valid UTF-8 whatever
 * the bytes were; a character split over two writes is put together again.
 *
 * The writer appends whole lines only: a file is playable at any instant, also after kill -9. It
 * buffers, and the owner flushes within CAST_FLUSH_MS of cast_due(); the writer never reads a
 * clock, times are parameters (microseconds, monotonic). */
#ifndef BARTIZAN_CAST_CAST_H
#define BARTIZAN_CAST_CAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

#define CAST_FLUSH_MS 10
#define CAST_LINE_MAX (256 * 1024) /* a longer line is treated as damaged */
#define CAST_BUFFER_MAX (1024 * 1024)
#define CAST_SIZE_MAX 10000 /* columns and rows */
/* bytes of the header's command, in visible form; longer ones are cut with a mark */
#define CAST_COMMAND_MAX 32768

struct cast_header {
	unsigned width, height; /* 80x24 where there is no terminal */
	int64_t timestamp;	/* seconds since the epoch */
	const char *term;	/* $TERM or NULL; borrowed */
	const char *title;	/* "alice deploy@web1 shell" or NULL; borrowed */
	const char *session;	/* ULID, kept as "bartizan_session" */
	const char *kind;	/* access kind, kept as "bartizan_kind" */
	const char *command;	/* exec only, else NULL: kept as "command" in visible form */
};

struct cast; /* a writer */

/* Takes over no fd: the owner closes it after cast_close(). The header is written at once. max is
 * the size at which recording stops with a marker (0: none); the file never grows beyond it,
 * markers included, but for the header.
 *
 * cast_output, cast_resize and cast_marker may flush by themselves when much is waiting, and then
 * return the error of that flush: the event is kept as long as the buffer has room; when it is
 * full, bytes are counted, and a marker says later how many are missing. A flush that failed is due
 * again a second later. */
int cast_open(int fd, const struct cast_header *header, int64_t now_us, uint64_t max,
	struct cast **ret, struct err *err);
/* code 'o', 'e' or 'i' */
int cast_output(struct cast *cast, int64_t now_us, char code, const void *data, size_t len);
int cast_resize(struct cast *cast, int64_t now_us, unsigned width, unsigned height);
int cast_marker(struct cast *cast, int64_t now_us, const char *label);
/* microseconds, same clock as now_us, at which the buffer should be flushed; -1: nothing waits */
int64_t cast_due(const struct cast *cast);
/* 0, or -errno of the write; the caller decides what follows if recording is required */
int cast_flush(struct cast *cast);
uint64_t cast_size(const struct cast *cast); /* bytes written, and bytes waiting in the buffer */
int cast_close(struct cast *cast);	     /* ends split characters, flushes, frees */

/* Reading: hostile files too (damaged, truncated, endless lines). */
struct cast_event {	 /* zero at birth; the owner calls buf_release(&event.data) at the end */
	int64_t time_us; /* from the beginning */
	char code;
	struct buf data; /* decoded; a marker's or resize's text too */
};
struct cast_reader;
/* Reads the header; the fd stays the caller's, is seekable and its offset is the reader's now. A
 * last line without its newline is not read: it may still grow, and cast_reader_next() after an end
 * (0) looks again. Calls: lseek once, read. */
int cast_reader_open(int fd, struct cast_reader **ret, struct err *err);
const struct cast_header *cast_reader_header(const struct cast_reader *reader);
/* 1: an event; 0: end; -EBADMSG: a damaged line (its number in err), reading may go on with the
 * next; other -errno. event is reused, cleared by the call. */
int cast_reader_next(struct cast_reader *reader, struct cast_event *event, struct err *err);
void cast_reader_free(struct cast_reader *reader);

/* Cuts a truncated last line, appends a marker with the reason; *ret_last_us is the last event's
 * time. The file is opened for reading and writing. A file that ends within its header gets a new,
 * bare one. -EBADMSG: not a transcript, nothing was changed. Doing it twice appends one marker. */
int cast_recover(int fd, const char *reason, int64_t *ret_last_us, struct err *err);

/* When the next event of a replay is due: driven by the CLI and by sessions (`ssh gw replay`). */
struct player_options {
	double speed;	 /* 1.0; 2.0 is twice as fast; 0: as fast as possible */
	int64_t idle_us; /* longest pause, 0: as recorded */
	/* begin at this time: earlier output is shown at once, so that the screen is right */
	int64_t from_us;
	bool text; /* plain text: escape sequences removed, markers as lines */
};
struct player;
int player_open(int fd, const struct player_options *options, struct player **ret, struct err *err);
/* The next bytes to show and the time (microseconds since play began) when they are due. 1, 0 at
 * the end, -errno. borrowed until the next call. Damaged lines are skipped and counted; text says
 * where. */
int player_next(struct player *player, int64_t *ret_due_us, struct bytes *ret, struct err *err);
void player_free(struct player *player);

#endif
