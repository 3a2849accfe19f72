/* What is kept of one session: its row, its folder, session.json, its channels and transcripts.
 *
 * A record outlives its leg until its transcripts are sealed (digests of large files are made in
 * slices). It holds copies, never a pointer to leg or client. */
#ifndef BARTIZAN_BROKER_RECORD_RECORD_H
#define BARTIZAN_BROKER_RECORD_RECORD_H

#include "common/access.h"
#include "server/broker/core/impl.h"
#include "store/transcripts.h"

#define RECORD_REQUESTS_MAX 256		  /* kept of one channel; then a count */
#define RECORD_REQUESTS_TOTAL 4096	  /* of one session */
#define RECORD_REQUEST_BYTES (256 * 1024) /* their text in all */
#define RECORD_DETAIL_MAX 8192		  /* of a command in rows and audit events: visible form */
/* session.json is written again so long after evidence came; a short session writes it at its end
 */
#define RECORD_EVIDENCE_MS 2000

struct peer_leg;
struct record;

/* In memory only, from the naming of the leg on: requests and evidence may come before anything was
 * allowed. */
struct record *record_new(const struct peer_leg *leg);
/* Row and folder, at the first allow (started: wall ms); session.json follows with record_begin().
 * A second call does nothing. */
int record_open(
	struct record *record, const struct decision *decision, int64_t started, struct err *err);
int record_begin(struct record *record, struct err *err);
/* Row of a channel; when the decision says record, its transcript: *ret_fd (caller closes), else
 * -1. *ret_max: bytes it may have. */
int record_channel(struct record *record, uint32_t channel, const struct access *access,
	const struct obligations *what, int *ret_fd, uint64_t *ret_max, struct err *err);
/* for session.json: merged into the channel's object; borrowed */
void record_channel_more(struct record *record, uint32_t channel, json_t *more);
void record_channel_end(struct record *record, const struct msg_channel_end *end);
void record_request(struct record *record, const struct msg_request *request);
void record_evidence(struct record *record, const char *transport, json_t *evidence); /* borrowed */
/* of the outbound leg; serial 0: no certificate */
void record_grant(struct record *record, const char *address, uint64_t serial, const char *ca_fp);
bool record_required(const struct record *record);
bool record_kept(const struct record *record); /* it has a folder */
/* Ends it and takes it away from the leg; channels still open end with the reason. lost: the
 * session process is gone, transcripts may need mending. The record frees itself once sealed. */
void record_end(struct record *record, const char *reason, bool lost);
void records_finish(struct broker *broker); /* at the end: all that are not sealed are sealed now */

/* server/broker/record/seal.c: SHA-256 of a file in slices; done(context, hex or NULL) from the
 * loop or at once for small files. */
struct seal;
typedef void seal_done_fn(void *context, const char *hex);
int seal_file(struct broker *broker, const char *path, const char *name, seal_done_fn *done,
	void *context, struct seal **slot);
void seal_finish(struct seal *seal); /* the rest now */

#endif
