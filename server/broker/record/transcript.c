/* The channels of a record: rows, requests, transcripts, and the room that transcripts may take.
 * See server/broker/record/record.h. */
#include "server/broker/record/impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cast/cast.h"
#include "common/clock.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/text.h"

/* every transcript may have this much: for its header, and the marker that says why it stops */
#define CAST_ROOM_MIN 4096

struct kept_channel *record_find_channel(struct record *record, uint32_t number)
{
	struct kept_channel *channel;

	for (channel = LIST_FIRST(&record->channels); channel; channel = LIST_NEXT(channel, entry))
		if (channel->number == number)
			return channel;
	return NULL;
}

static struct kept_channel *need_channel(struct record *record, uint32_t number)
{
	struct kept_channel *channel = record_find_channel(record, number);

	if (channel || !(channel = calloc(1, sizeof(*channel))))
		return channel;
	channel->record = record;
	channel->number = number;
	channel->requests = json_array();
	LIST_INSERT_HEAD(&record->channels, channel, entry);
	return channel;
}

void record_request(struct record *record, const struct msg_request *request)
{
	struct kept_channel *channel = record_find_channel(record, request->channel);
	size_t size = strlen(request->what) + request->detail.len + 64;

	if (!channel && record->requests < RECORD_REQUESTS_TOTAL)
		channel = need_channel(record, request->channel);
	if (!channel)
		return;
	if (json_array_size(channel->requests) >= RECORD_REQUESTS_MAX ||
		record->requests >= RECORD_REQUESTS_TOTAL ||
		record->request_bytes + size > RECORD_REQUEST_BYTES) {
		channel->requests_more++;
		return;
	}
	record->requests++;
	record->request_bytes += size;
	json_t *entry = json_object();
	json_object_set_new(entry, "time", json_time_ms(clock_wall_ms()));
	json_object_set_new(entry, "what", json_visible(request->what, strlen(request->what)));
	json_object_set_new(
		entry, "detail", json_visible(request->detail.data, request->detail.len));
	json_array_append_new(channel->requests, entry);
}

/* The channels of a session share transcripts.session_max: half of what is left is reserved for a
 * new one, which gives back what it did not use. */
static uint64_t reserve(struct record *record, struct kept_channel *channel)
{
	const uint64_t most = (uint64_t)record->broker->config->conf->session_max,
		       taken = record->cast_used + record->cast_reserved;
	uint64_t half = most > taken ? (most - taken) / 2 : 0;

	channel->reserved = half > CAST_ROOM_MIN ? half : CAST_ROOM_MIN;
	record->cast_reserved += channel->reserved;
	return channel->reserved;
}

static int make_file(struct record *record, struct kept_channel *channel,
	const struct access *access, int *ret_fd, uint64_t *ret_max, struct err *err)
{
	char name[64];

	if (!record_kept(record))
		return err_set(err, -EIO, "the session has no folder");
	*ret_max = reserve(record, channel);
	snprintf(name, sizeof(name), "%u-%s.cast", channel->number, access_kind_name(access->kind));
	channel->file = strdup(name);
	int fd = channel->file ? transcript_file(record->folder, name, err) : -ENOMEM;
	if (fd < 0) {
		free(channel->file);
		channel->file = NULL;
		return fd;
	}
	*ret_fd = fd;
	return 0;
}

/* Removes the empty file of a channel whose row could not be written. */
static void drop_file(struct record *record, struct kept_channel *channel)
{
	unlinkat(record->folder, channel->file, 0);
	free(channel->file);
	channel->file = NULL;
}

static int insert_row(struct record *record, struct kept_channel *channel,
	const struct access *access, struct err *err)
{
	BUF_CLEANUP struct buf detail = BUF_INIT(RECORD_DETAIL_MAX + 16);

	text_visible(&detail, access->detail.data, access->detail.len, RECORD_DETAIL_MAX);
	struct channel_row row = {
		.session = record->session,
		.channel = channel->number,
		.kind = channel->kind,
		.detail = (char *)buf_cstr(&detail),
		.file = channel->file,
		.started = clock_wall_ms(),
		.exit_status = -1,
	};
	if (!row.detail)
		row.detail = (char *)"";
	return channels_insert(record->broker->store, &row, err);
}

int record_channel(struct record *record, uint32_t number, const struct access *access,
	const struct obligations *what, int *ret_fd, uint64_t *ret_max, struct err *err)
{
	struct kept_channel *channel = need_channel(record, number);
	int fd = -1;

	*ret_max = 0;
	if (channel)
		free(channel->kind); /* left by an attempt that failed */
	if (!channel || !(channel->kind = strdup(access_kind_name(access->kind))))
		return err_set(err, -ENOMEM, "out of memory");
	int rc = what->record ? make_file(record, channel, access, &fd, ret_max, err) : 0;
	if (!rc && record->opened)
		rc = insert_row(record, channel, access, err);
	if (rc) {
		if (fd >= 0)
			drop_file(record, channel);
		fd_closep(&fd);
		record->cast_reserved -= channel->reserved;
		channel->reserved = 0;
		return err_prefix(err, rc, "the transcript could not be started");
	}
	channel->opened = true;
	record->required |= what->record && what->record_required;
	*ret_fd = fd;
	return 0;
}

static void on_sealed(void *context, const char *hex)
{
	struct kept_channel *channel = context;
	struct record *record = channel->record;
	struct err err = { 0 };
	struct stat st;

	record->sealing--;
	record->cast_reserved -= channel->reserved;
	channel->reserved = 0;
	if (channel->file && !fstatat(record->folder, channel->file, &st, AT_SYMLINK_NOFOLLOW))
		record->cast_used += (uint64_t)st.st_size;
	channel->row.digest = hex ? strdup(hex) : NULL;
	if (record->opened && channels_end(record->broker->store, &channel->row, &err))
		log_error("session %s: channel %u: %s", record->session, channel->number, err.text);
	channel_row_release(&channel->row);
	record_check_sealed(record);
}

void record_channel_more(struct record *record, uint32_t number, json_t *more)
{
	struct kept_channel *channel = record_find_channel(record, number);

	if (!channel)
		return;
	json_decref(channel->more);
	channel->more = json_incref(more);
}

/* Repairs a transcript: a session that was killed may have written half a line. */
static void mend(struct record *record, const struct kept_channel *channel, const char *reason)
{
	struct err err = { 0 };
	int64_t last;
	FD_CLEANUP int fd = transcript_mend(record->folder, channel->file, &err);

	if (fd < 0 || cast_recover(fd, reason, &last, &err))
		log_warning(
			"session %s: transcript %s: %s", record->session, channel->file, err.text);
}

static void channel_done(
	struct record *record, struct kept_channel *channel, const struct msg_channel_end *end)
{
	channel->ended = true;
	channel->row = (struct channel_row){ .session = strdup(record->session),
		.channel = channel->number,
		.ended = clock_wall_ms(),
		.exit_status = end->exit_status,
		.exit_signal = record_visible(end->exit_signal),
		.reason = record_visible(end->reason),
		.bytes_in = end->bytes_in,
		.bytes_out = end->bytes_out,
		.bytes_err = end->bytes_err };
	record->sealing++;
	if (!channel->file || seal_file(record->broker, record->folder, channel->file, on_sealed,
				      channel, &channel->seal))
		on_sealed(channel, NULL);
}

void record_channel_end(struct record *record, const struct msg_channel_end *end)
{
	struct kept_channel *channel = record_find_channel(record, end->channel);

	if (channel && channel->opened && !channel->ended)
		channel_done(record, channel, end);
}

void record_channels_end(struct record *record, const char *reason, bool lost)
{
	struct msg_channel_end end = {
		.exit_status = -1, .exit_signal = (char[]){ "" }, .reason = (char *)reason
	};
	struct kept_channel *channel;

	for (channel = LIST_FIRST(&record->channels); channel;
		channel = LIST_NEXT(channel, entry)) {
		if (!channel->opened || channel->ended)
			continue;
		if (lost && channel->file)
			mend(record, channel, reason);
		channel_done(record, channel, &end);
	}
}

void record_channels_free(struct record *record)
{
	struct kept_channel *channel;

	while ((channel = LIST_FIRST(&record->channels))) {
		LIST_REMOVE(channel, entry);
		json_decref(channel->requests);
		json_decref(channel->more);
		channel_row_release(&channel->row);
		free(channel->kind), free(channel->file), free(channel);
	}
}
