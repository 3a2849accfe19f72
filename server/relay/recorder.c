/* See recorder.h. */
#include "server/relay/recorder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/fd.h"

enum { STREAM_OUT, STREAM_ERR, STREAM_IN, STREAMS };

static const struct {
	char code;
	const char *name;
} streams[STREAMS] = { { 'o', "standard output" }, { 'e', "standard error" },
	{ 'i', "standard input" } };

struct recorder {
	struct cast *cast;
	int fd;
	bool terminal, input, required;
	uint64_t keep;
	uint64_t kept[STREAMS], dropped[STREAMS];
	int failed;
};

int recorder_new(int fd, const struct recorder_spec *spec, struct recorder **ret, struct err *err)
{
	struct recorder *recorder = calloc(1, sizeof(*recorder));
	int rc = recorder ? cast_open(fd, &spec->header, clock_mono_us(), spec->max,
				    &recorder->cast, err)
			  : -ENOMEM;

	if (rc) {
		free(recorder);
		fd_closep(&fd);
		return rc;
	}
	recorder->fd = fd;
	recorder->terminal = spec->terminal;
	recorder->input = spec->input;
	recorder->required = spec->required;
	recorder->keep = spec->stream_keep;
	*ret = recorder;
	return 0;
}

static void check(struct recorder *recorder, int rc)
{
	if (rc && !recorder->failed)
		recorder->failed = rc;
}

static int stream_of(char code)
{
	int i = 0;

	while (i < STREAMS && streams[i].code != code)
		i++;
	return i;
}

/* How many of these bytes are kept. A marker is written when the limit is reached. */
static size_t allowance(struct recorder *recorder, int stream, size_t len)
{
	if (recorder->terminal)
		return len;
	uint64_t left = recorder->keep > recorder->kept[stream]
				? recorder->keep - recorder->kept[stream]
				: 0;
	size_t n = len < left ? len : (size_t)left;
	recorder->kept[stream] += n;
	if (n < len && !recorder->dropped[stream]) {
		char label[128];
		snprintf(label, sizeof(label),
			"bartizan: %s continues: bytes beyond the first %llu are counted, not kept",
			streams[stream].name, (unsigned long long)recorder->keep);
		check(recorder, cast_marker(recorder->cast, clock_mono_us(), label));
	}
	recorder->dropped[stream] += len - n;
	return n;
}

void recorder_tap(struct recorder *recorder, char code, const void *data, size_t len)
{
	int stream = stream_of(code);

	if (stream == STREAMS || recorder->failed || (stream == STREAM_IN && !recorder->input))
		return;
	size_t n = allowance(recorder, stream, len);
	if (n)
		check(recorder, cast_output(recorder->cast, clock_mono_us(), code, data, n));
}

void recorder_resize(struct recorder *recorder, unsigned columns, unsigned rows)
{
	check(recorder, cast_resize(recorder->cast, clock_mono_us(), columns, rows));
}

void recorder_marker(struct recorder *recorder, const char *label)
{
	check(recorder, cast_marker(recorder->cast, clock_mono_us(), label));
}

int64_t recorder_due(const struct recorder *recorder)
{
	int64_t due = recorder->failed ? -1 : cast_due(recorder->cast);

	return due < 0 ? INT64_MAX : due / 1000;
}

void recorder_turn(struct recorder *recorder)
{
	int64_t due = recorder->failed ? -1 : cast_due(recorder->cast);

	if (due >= 0 && due <= clock_mono_us())
		check(recorder, cast_flush(recorder->cast));
}

int recorder_failed(const struct recorder *recorder)
{
	return recorder->required ? recorder->failed : 0;
}

static void count_dropped(struct recorder *recorder)
{
	for (int i = 0; i < STREAMS && !recorder->failed; i++) {
		char label[128];
		if (!recorder->dropped[i])
			continue;
		snprintf(label, sizeof(label), "bartizan: %llu bytes of %s were not kept",
			(unsigned long long)recorder->dropped[i], streams[i].name);
		recorder_marker(recorder, label);
	}
}

void recorder_free(struct recorder *recorder)
{
	if (!recorder)
		return;
	count_dropped(recorder);
	cast_close(recorder->cast);
	fd_closep(&recorder->fd);
	free(recorder);
}
