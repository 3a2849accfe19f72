/* Reviews of break-glass sessions, open until somebody else has signed them. See approvals.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/id.h"
#include "store/approvals.h"
#include "store/sql.h"

#define COLUMNS                                                                                 \
	"id, session, provider, subject, user, target, reason, created, signed_by, signed_at, " \
	"note"

void review_release(struct review *review)
{
	char *texts[] = { review->session, review->provider, review->subject, review->user,
		review->target, review->reason, review->signed_by, review->note };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		free(texts[i]);
	*review = (struct review){ 0 };
}

int reviews_create(struct store *store, const struct identity *who, const char *session,
	const char *target, const char *reason, int64_t now_ms,
	char ret_id[static ID_SHORT_LEN + 1], struct err *err)
{
	int64_t taken = 1;
	int rc = strlen(reason) > APPROVALS_REASON_MAX
			 ? err_set(err, -EMSGSIZE, "the reason is too long")
			 : 0;

	for (int i = 0; !rc && taken && i < 32; i++) {
		id_short_new(ret_id);
		rc = sql_number(store, &taken, err,
			"SELECT (SELECT COUNT(*) FROM approvals WHERE id = ?1) + (SELECT COUNT(*) "
			"FROM reviews WHERE id = ?1)",
			"t", ret_id);
	}
	if (!rc)
		rc = sql_run(store, err,
			"INSERT INTO reviews VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL, NULL, 0, "
			"'')",
			"ttttttti", ret_id, session, who->provider, who->subject, who->user, target,
			reason, now_ms);
	return rc;
}

static int may_sign(
	struct store *store, const char *id, const struct identity *who, struct err *err)
{
	int64_t own = 0;
	/* the person, or a key of theirs (store/holders.h) */
	int rc = sql_number(store, &own, err,
		"SELECT (r.provider = ?1 AND r.subject = ?2) OR EXISTS (SELECT 1 FROM key_holders "
		"a "
		"JOIN key_holders b ON b.key_fp = a.key_fp WHERE a.provider = r.provider AND "
		"a.subject = r.subject AND b.provider = ?1 AND b.subject = ?2) FROM reviews r "
		"WHERE "
		"r.id = ?3",
		"ttt", who->provider, who->subject, id);

	if (rc == -ENOENT)
		return err_set(err, rc, "there is no review '%.32s'", id);
	return !rc && own ? err_set(err, -EPERM, "you cannot sign the review of your own session")
			  : rc;
}

int reviews_sign(struct store *store, const char *id, const struct identity *who, const char *note,
	int64_t now_ms, struct err *err)
{
	bool mine;
	int rc = sql_enter(store, &mine, err);

	if (rc)
		return rc;
	rc = note && strlen(note) > APPROVALS_NOTE_MAX
		     ? err_set(err, -EMSGSIZE, "the note is too long")
		     : may_sign(store, id, who, err);
	if (!rc)
		rc = sql_run(store, err,
			"UPDATE reviews SET signed_provider = ?, signed_subject = ?, signed_by = "
			"?, signed_at = ?, note = ? WHERE id = ? AND "
			"signed_at = 0",
			"tttitt", who->provider, who->subject, who->user, now_ms, note ? note : "",
			id);
	if (!rc && sql_changes(store) != 1)
		rc = err_set(err, -EALREADY, "review '%s' is signed already", id);
	return sql_leave(store, mine, rc, err);
}

static int read_row(sqlite3_stmt *stmt, struct review *ret)
{
	*ret = (struct review){ .created = sql_int(stmt, 7), .signed_at = sql_int(stmt, 9) };
	const struct {
		int column;
		char **to;
	} texts[] = {
		{ 1, &ret->session },
		{ 2, &ret->provider },
		{ 3, &ret->subject },
		{ 4, &ret->user },
		{ 5, &ret->target },
		{ 6, &ret->reason },
		{ 8, &ret->signed_by },
		{ 10, &ret->note },
	};
	const char *id = (const char *)sqlite3_column_text(stmt, 0);
	int rc = id && id_short_ok(id) ? 0 : -EBADMSG;
	for (size_t i = 0; !rc && i < sizeof(texts) / sizeof(texts[0]); i++)
		rc = sql_text(stmt, texts[i].column, texts[i].to);
	if (rc)
		review_release(ret);
	else
		memcpy(ret->id, id, ID_SHORT_LEN + 1);
	return rc;
}

int reviews_each(
	struct store *store, bool open_only, review_visit_fn *visit, void *context, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sql_query(store, &stmt, err,
		"SELECT " COLUMNS
		" FROM reviews WHERE NOT ? OR signed_at = 0 ORDER BY created DESC, id",
		"i", (int64_t)open_only);

	while (!rc && (rc = sql_step(store, stmt, err)) == 1) {
		struct review review;
		rc = read_row(stmt, &review);
		if (!rc)
			rc = visit(&review, context);
		review_release(&review);
	}
	sql_close(store, stmt);
	return rc;
}

json_t *review_json(const struct review *review)
{
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o}", "id", review->id,
		"session", review->session, "user",
		json_visible(review->user, strlen(review->user)), "target",
		json_visible(review->target, strlen(review->target)), "reason",
		json_visible(review->reason, strlen(review->reason)), "created",
		json_time_ms(review->created), "state", review->signed_at ? "signed" : "open",
		"signed_by", json_string_or_null(review->signed_by), "signed",
		json_time_ms(review->signed_at), "note",
		json_visible(review->note, strlen(review->note)));
}
