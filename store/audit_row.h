/* What appending and verifying an audit chain share. Private to the audit….c files. */
#ifndef BARTIZAN_AUDIT_ROW_H
#define BARTIZAN_AUDIT_ROW_H

#include <sqlite3.h>

#include "store/audit.h"

#define AUDIT_COLUMNS "seq, time, type, data, previous, hash"

int audit_hash(const struct audit_row *row, uint8_t ret[static AUDIT_HASH_LEN]);
/* of AUDIT_COLUMNS; borrowed until the next step; false: not of our form */
bool audit_row_take(sqlite3_stmt *stmt, struct audit_row *ret);
/* what a checkpoint signs */
int audit_checkpoint_bytes(
	uint64_t seq, const uint8_t hash[static AUDIT_HASH_LEN], struct buf *out);

#endif
