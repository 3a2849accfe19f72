/* The audit chain: one row an event, each with the hash of the one before it; signed checkpoints.
 *
 * hash = SHA-256 over the wire encoding of: u64 seq, u64 time (ms), string type, string JSON (as
 * stored, compact, sorted keys), string previous hash (32 bytes; all zero for the first). An event
 * is written before the act it permits. A checkpoint signs "bartizan-audit-checkpoint-v1", u64 seq,
 * string hash with the audit key. */
#ifndef BARTIZAN_AUDIT_H
#define BARTIZAN_AUDIT_H

#include "common/buf.h"
#include "common/json.h"
#include "keys/sshkey.h"
#include "store/store.h"

#define AUDIT_TYPE_MAX 64
#define AUDIT_DATA_MAX 65536
#define AUDIT_HASH_LEN 32

struct audit_row {
	uint64_t seq;
	int64_t time;
	const char *type;
	const char *data;
	uint8_t previous[AUDIT_HASH_LEN], hash[AUDIT_HASH_LEN];
};

/* Appends; steals no reference. data is an object; NULL: {}. type: 1 to AUDIT_TYPE_MAX of a-z, 0-9,
 * '-', '.'. Joins an open transaction, or makes its own: the previous hash is read inside it, so
 * that a draining broker and its successor can both append. */
int audit_append(struct store *store, int64_t now_ms, const char *type, json_t *data,
	uint64_t *ret_seq, struct err *err);

uint64_t audit_last(struct store *store);     /* newest seq, 0 when empty */
uint64_t audit_unsigned(struct store *store); /* events since the last checkpoint */
/* The bytes that a checkpoint of the newest event signs, appended to out; and storing the
 * signature. */
int audit_checkpoint_data(struct store *store, uint64_t *ret_seq, struct buf *out, struct err *err);
int audit_checkpoint_put(struct store *store, uint64_t seq, int64_t now_ms,
	const struct sshkey *key, struct bytes signature, struct err *err);

/* row borrowed; non-zero stops */
typedef int audit_visit_fn(const struct audit_row *row, void *context);
int audit_each(struct store *store, uint64_t from_seq, audit_visit_fn *visit, void *context,
	struct err *err);
json_t *audit_json(const struct audit_row *row); /* {"seq","time","type",…data…,"hash"} */

struct audit_report {				   /* of a verification */
	uint64_t events, checkpoints, transcripts; /* checked */
	uint64_t bad;				   /* faults found; problem() was called for each */
	uint64_t signed_up_to;			   /* seq of the last good checkpoint */
};
/* It finds: events that were edited, removed, reordered or inserted; forged checkpoints;
 * transcripts and session.json that changed or are missing (their digests are in the chain:
 * "session-sealed", "channel-sealed"); rows of sessions that differ from the chain. It cannot find:
 * events cut off after the last signed checkpoint, and, with key NULL, a chain that was completely
 * rewritten and signed with another key. Nothing on the machine of the signer can: keep checkpoints
 * elsewhere, too.
 *
 * Walks chain, checkpoints (key NULL: any key, but the same throughout) and the digests of sealed
 * transcripts, offline. problem is called for each fault: "event 17: hash does not fit its
 * contents". 0 if the walk was completed, whatever it found. */
int audit_verify(struct store *store, const struct sshkey *key,
	void (*problem)(const char *text, void *context), void *context, struct audit_report *ret,
	struct err *err);

#endif
