/* Requests and grants that end soon, for the timer that notifies people in time. See
 * approvals.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/approvals.h"
#include "store/sql.h"

#define IDS_MAX 4096 /* most that are visited in one call */
#define END "CASE state WHEN 0 THEN deadline ELSE until END"

int approvals_next_end(struct store *store, int64_t after, int64_t *ret, struct err *err)
{
	return sql_number(store, ret, err,
		"SELECT COALESCE(MIN(" END "), -1) FROM approvals WHERE state <= 1 AND " END " > ?",
		"i", after);
}

/* Reads only the ids at first, so that the visitor may use the store. */
static int ids_of(struct store *store, int64_t after, int64_t upto, char ids[][ID_SHORT_LEN + 1],
	size_t *ret_count, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	size_t count = 0;
	int rc = sql_query(store, &stmt, err,
		"SELECT id FROM approvals WHERE state <= 1 AND " END " > ? AND " END
		" <= ? LIMIT ?",
		"iii", after, upto, (int64_t)IDS_MAX);

	while (!rc && (rc = sql_step(store, stmt, err)) == 1) {
		const char *id = (const char *)sqlite3_column_text(stmt, 0);
		snprintf(ids[count++], sizeof(ids[0]), "%s", id ? id : "");
		rc = 0;
	}
	sql_close(store, stmt);
	*ret_count = count;
	return rc;
}

int approvals_ending(struct store *store, int64_t after, int64_t upto, approval_visit_fn *visit,
	void *context, struct err *err)
{
	FREE_CLEANUP char(*ids)[ID_SHORT_LEN + 1] = calloc(IDS_MAX, sizeof(*ids));
	size_t count = 0;
	int rc = ids ? ids_of(store, after, upto, ids, &count, err)
		     : err_set(err, -ENOMEM, "out of memory");

	for (size_t i = 0; !rc && i < count; i++) {
		struct approval approval = { 0 };
		rc = approvals_get(store, ids[i], &approval, err);
		if (!rc)
			rc = visit(&approval, context);
		approval_release(&approval);
	}
	return rc;
}
