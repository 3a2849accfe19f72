/* The recorder: a channel's transcript, written while the bytes pass (ARCHITECTURE.md,
 * "Recording").
 *
 * A terminal's output is kept whole up to the session's limit; a channel without one keeps the
 * first stream_keep bytes of each stream as events, then only counts them and adds a marker that
 * says so. The descriptor came from the broker; a write that fails is remembered: where recording
 * is required, the channel must end (recorder_failed). */
#ifndef BARTIZAN_RELAY_RECORDER_H
#define BARTIZAN_RELAY_RECORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cast/cast.h"
#include "common/err.h"

struct recorder_spec {
	struct cast_header header;
	bool terminal, input, required;
	uint64_t stream_keep; /* bytes of each stream, where there is no terminal */
	uint64_t max;	      /* of the file */
};

struct recorder;

/* takes fd, also on failure */
int recorder_new(int fd, const struct recorder_spec *spec, struct recorder **ret, struct err *err);
void recorder_tap(struct recorder *recorder, char code, const void *data, size_t len);
void recorder_resize(struct recorder *recorder, unsigned columns, unsigned rows);
void recorder_marker(struct recorder *recorder, const char *label);
/* monotonic ms; INT64_MAX: nothing waits */
int64_t recorder_due(const struct recorder *recorder);
void recorder_turn(struct recorder *recorder); /* flushes what is due */
/* The -errno that ended a required transcript; 0 if there is none or recording is not required. */
int recorder_failed(const struct recorder *recorder);
void recorder_free(struct recorder *recorder); /* closes the transcript; NULL allowed */

#endif
