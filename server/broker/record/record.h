/* What is kept of one session: its row, its folder, session.json, its channels and transcripts.
 *
 * A record outlives its leg until its transcripts are sealed (digests of large files are made in
 * slices). It holds copies, never a pointer to leg or client. */
#ifndef BARTIZAN_BROKER_RECORD_RECORD_H
#define BARTIZAN_BROKER_RECORD_RECORD_H

#include "common/access.h"
#include "server/broker/core/impl.h"
#include "store/transcripts.h"

#define RECORD_REQUESTS_MAX 256	   /* requests kept for one channel; further ones are counted */
#define RECORD_REQUESTS_TOTAL 4096 /* requests kept for one session */
#define RECORD_REQUEST_BYTES (256 * 1024) /* bytes of text of all requests of a session */
#define RECORD_DETAIL_MAX 8192 /* bytes of a command in rows and audit events, in visible form */
/* session.json is written again this long after new evidence; in a short session, at its end */
#define RECORD_EVIDENCE_MS 2000

struct peer_leg;
struct record;

/* Made in memory when the leg is named, because requests and evidence may come before anything was
 * allowed. */
struct record *record_new(const struct peer_leg *leg);
/* Writes the row and makes the folder when the first channel is allowed (started: wall ms);
 * record_begin() then writes session.json. A second call does nothing. */
int record_open(
	struct record *record, const struct decision *decision, int64_t started, struct err *err);
int record_begin(struct record *record, struct err *err);
/* Writes the row of a channel and, if it is recorded, makes its transcript: *ret_fd (caller
 * closes), else -1. *ret_max: the most bytes it may have. */
int record_channel(struct record *record, uint32_t channel, const struct access *access,
	const struct obligations *what, int *ret_fd, uint64_t *ret_max, struct err *err);
/* Adds fields to the channel's object in session.json; more is borrowed. */
void record_channel_more(struct record *record, uint32_t channel, json_t *more);
void record_channel_end(struct record *record, const struct msg_channel_end *end);
void record_request(struct record *record, const struct msg_request *request);
void record_evidence(struct record *record, const char *transport, json_t *evidence); /* borrowed */
/* facts of the outbound leg; serial 0: no certificate */
void record_grant(struct record *record, const char *address, uint64_t serial, const char *ca_fp);
bool record_required(const struct record *record);
bool record_kept(const struct record *record); /* it has a folder */
/* Ends the record and detaches it from its leg; channels still open end with the reason. lost: the
 * session process ended without notice, and transcripts may be incomplete. The record frees itself
 * when everything is sealed. */
void record_end(struct record *record, const char *reason, bool lost);
/* when the broker ends: seals all that are not sealed */
void records_finish(struct broker *broker);

/* server/broker/record/seal.c: SHA-256 of a file, a large one in slices. Calls done(context, hex or
 * NULL on failure), for a small file at once, else from the loop. */
struct seal;
typedef void seal_done_fn(void *context, const char *hex);
int seal_file(struct broker *broker, int folder, const char *name, seal_done_fn *done,
	void *context, struct seal **slot);
void seal_finish(struct seal *seal); /* computes the rest now */

#endif
