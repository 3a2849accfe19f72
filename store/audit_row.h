/* Shared by appending and verifying the audit chain. Private to the files audit*.c. */
#ifndef BARTIZAN_AUDIT_ROW_H
#define BARTIZAN_AUDIT_ROW_H

#include <sqlite3.h>

#include "store/audit.h"

#define AUDIT_COLUMNS "seq, time, type, data, previous, hash"

int audit_hash(const struct audit_row *row, uint8_t ret[static AUDIT_HASH_LEN]);
/* Reads AUDIT_COLUMNS; borrowed until the next step. False: the row is damaged. */
bool audit_row_take(sqlite3_stmt *stmt, struct audit_row *ret);
/* what a checkpoint signs */
int audit_checkpoint_bytes(
	uint64_t seq, const uint8_t hash[static AUDIT_HASH_LEN], struct buf *out);

#endif
