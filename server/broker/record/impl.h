/* The inside of a record, shared by record.c and transcript.c. Nobody else includes this. */
#ifndef BARTIZAN_BROKER_RECORD_IMPL_H
#define BARTIZAN_BROKER_RECORD_IMPL_H

#include "common/id.h"
#include "server/broker/record/record.h"

struct kept_channel {
	LIST_ENTRY(kept_channel) entry;
	struct record *record;
	uint32_t number;
	bool opened, ended;
	char *kind, *file;	/* file NULL: not recorded */
	uint64_t reserved;	/* bytes reserved of transcripts.session_max while it is open */
	json_t *requests;	/* array */
	json_t *more;		/* further fields: approvals, the guard's judgement; NULL: none */
	uint64_t requests_more; /* requests that were counted but not kept */
	struct channel_row row; /* filled when the channel has ended */
	struct seal *seal;
};
LIST_HEAD(kept_list, kept_channel);

struct record {
	LIST_ENTRY(record) entry;
	struct broker *broker;
	char session[ID_ULID_LEN + 1];
	uint64_t connection;
	char *user, *provider, *subject, *target, *login, *source, *rule, *reason;
	char path[TRANSCRIPT_PATH_MAX]; /* "": no folder */
	int folder;			/* it, open until the record has ended; -1: none */
	enum msg_mode mode;
	bool opened, required, ended;
	int64_t started, ended_at;
	json_t *base; /* the fields of session.json that never change */
	json_t *evidence;
	struct kept_list channels;
	unsigned requests;
	size_t request_bytes;
	uint64_t cast_used, cast_reserved;
	unsigned sealing;
	struct event *dirty;
};

/* server/broker/record/record.c */
/* Finishes the record if it has ended and its last channel is sealed. */
void record_check_sealed(struct record *record);
char *record_visible(const char *text); /* a short copy in visible form; caller frees */

/* server/broker/record/transcript.c */
struct kept_channel *record_find_channel(struct record *record, uint32_t number);
/* ends the channels that are still open */
void record_channels_end(struct record *record, const char *reason, bool lost);
void record_channels_free(struct record *record);

#endif
