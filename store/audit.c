/* The audit chain: appending, reading, checkpoints. The format is in audit.h; audit_verify.c checks
 * it. */
#include "store/audit.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

#include "common/text.h"
#include "common/wire.h"
#include "store/audit_row.h"
#include "store/sql.h"

#define CHECKPOINT_MAGIC "bartizan-audit-checkpoint-v1"

int audit_hash(const struct audit_row *row, uint8_t ret[static AUDIT_HASH_LEN])
{
	BUF_CLEANUP struct buf bytes = BUF_INIT(AUDIT_DATA_MAX + AUDIT_TYPE_MAX + 256);
	int rc = wire_put_u64(&bytes, row->seq);

	if (!rc)
		rc = wire_put_u64(&bytes, (uint64_t)row->time);
	if (!rc)
		rc = wire_put_cstring(&bytes, row->type);
	if (!rc)
		rc = wire_put_cstring(&bytes, row->data);
	if (!rc)
		rc = wire_put_string(&bytes, row->previous, AUDIT_HASH_LEN);
	if (!rc && EVP_Digest(buf_data(&bytes), bytes.len, ret, NULL, EVP_sha256(), NULL) != 1)
		rc = -EIO;
	return rc;
}

/* ---- appending ---- */

static bool type_ok(const char *type)
{
	size_t len = strspn(type, "abcdefghijklmnopqrstuvwxyz0123456789-.");

	return len && len <= AUDIT_TYPE_MAX && !type[len];
}

/* The newest event's number and hash: 0 and zeros when there is none. */
static int newest(struct store *store, uint64_t *ret_seq, uint8_t ret_hash[static AUDIT_HASH_LEN],
	struct err *err)
{
	sqlite3_stmt *stmt = NULL;

	*ret_seq = 0;
	memset(ret_hash, 0, AUDIT_HASH_LEN);
	int rc = sql_query(
		store, &stmt, err, "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1", "");
	if (!rc)
		rc = sql_step(store, stmt, err);
	if (rc == 1) {
		*ret_seq = (uint64_t)sql_int(stmt, 0);
		const void *hash = sqlite3_column_blob(stmt, 1);
		rc = 0;
		if (!hash || sqlite3_column_bytes(stmt, 1) != AUDIT_HASH_LEN)
			rc = err_set(err, -EBADMSG, "audit: the newest event is damaged");
		else
			memcpy(ret_hash, hash, AUDIT_HASH_LEN);
	}
	sql_close(store, stmt);
	return rc;
}

static int append(struct store *store, struct audit_row *row, struct err *err)
{
	int rc = newest(store, &row->seq, row->previous, err);

	row->seq++;
	if (!rc && (rc = audit_hash(row, row->hash)))
		err_set(err, rc, "audit: an event cannot be hashed");
	if (!rc)
		rc = sql_run(store, err, "INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?)", "iittbb",
			(int64_t)row->seq, row->time, row->type, row->data,
			(struct bytes){ row->previous, AUDIT_HASH_LEN },
			(struct bytes){ row->hash, AUDIT_HASH_LEN });
	return rc;
}

int audit_append(struct store *store, int64_t now_ms, const char *type, json_t *data,
	uint64_t *ret_seq, struct err *err)
{
	BUF_CLEANUP struct buf text = BUF_INIT(AUDIT_DATA_MAX);
	bool mine;

	if (!type_ok(type))
		return err_set(err, -EINVAL,
			"audit: the event type is empty, too long or not in lower case");
	if (data && !json_is_object(data))
		return err_set(err, -EINVAL, "audit: data of an event '%s' is not an object", type);
	int rc = data ? json_text(data, &text) : buf_puts(&text, "{}");
	const char *compact = rc ? NULL : buf_cstr(&text);
	if (!compact)
		return err_set(err, rc ? rc : -EMSGSIZE,
			"audit: data of an event '%s' is longer than %d bytes", type,
			AUDIT_DATA_MAX);
	rc = sql_enter(store, &mine, err);
	if (rc)
		return rc;
	struct audit_row row = { .time = now_ms, .type = type, .data = compact };
	rc = sql_leave(store, mine, append(store, &row, err), err);
	if (!rc && ret_seq)
		*ret_seq = row.seq;
	return rc;
}

/* ---- checkpoints ---- */

uint64_t audit_last(struct store *store)
{
	int64_t seq = 0;

	return sql_number(store, &seq, NULL, "SELECT COALESCE(MAX(seq), 0) FROM audit", "")
		       ? 0
		       : (uint64_t)seq;
}

uint64_t audit_unsigned(struct store *store)
{
	int64_t seq = 0;
	uint64_t last = audit_last(store);

	if (sql_number(store, &seq, NULL, "SELECT COALESCE(MAX(seq), 0) FROM checkpoints", ""))
		return last;
	return last > (uint64_t)seq ? last - (uint64_t)seq : 0;
}

int audit_checkpoint_bytes(uint64_t seq, const uint8_t hash[static AUDIT_HASH_LEN], struct buf *out)
{
	int rc = wire_put_cstring(out, CHECKPOINT_MAGIC);

	if (!rc)
		rc = wire_put_u64(out, seq);
	return rc ? rc : wire_put_string(out, hash, AUDIT_HASH_LEN);
}

int audit_checkpoint_data(struct store *store, uint64_t *ret_seq, struct buf *out, struct err *err)
{
	uint64_t seq;
	uint8_t hash[AUDIT_HASH_LEN];
	int rc = newest(store, &seq, hash, err);

	if (!rc && !seq)
		rc = err_set(err, -ENOENT, "audit: there is no event to sign");
	if (!rc)
		rc = audit_checkpoint_bytes(seq, hash, out);
	if (!rc)
		*ret_seq = seq;
	return rc;
}

int audit_checkpoint_put(struct store *store, uint64_t seq, int64_t now_ms,
	const struct sshkey *key, struct bytes signature, struct err *err)
{
	if (signature.len > SSHKEY_SIG_MAX)
		return err_set(err, -EMSGSIZE,
			"audit: signature of a checkpoint is longer than %d bytes", SSHKEY_SIG_MAX);
	int rc = sql_run(store, err, "INSERT INTO checkpoints VALUES (?, ?, ?, ?)", "iibb",
		(int64_t)seq, now_ms, sshkey_blob(key), signature);
	return rc ? err_prefix(err, rc, "audit: checkpoint of event %llu", (unsigned long long)seq)
		  : 0;
}

/* ---- reading ---- */

static bool text_column(sqlite3_stmt *stmt, int column, size_t max, const char **ret)
{
	if (sqlite3_column_type(stmt, column) != SQLITE_TEXT)
		return false;
	*ret = (const char *)sqlite3_column_text(stmt, column);
	size_t len = (size_t)sqlite3_column_bytes(stmt, column);
	return *ret && len <= max && strlen(*ret) == len;
}

static bool hash_column(sqlite3_stmt *stmt, int column, uint8_t ret[static AUDIT_HASH_LEN])
{
	const void *hash = sqlite3_column_blob(stmt, column);

	if (!hash || sqlite3_column_bytes(stmt, column) != AUDIT_HASH_LEN)
		return false;
	memcpy(ret, hash, AUDIT_HASH_LEN);
	return true;
}

bool audit_row_take(sqlite3_stmt *stmt, struct audit_row *ret)
{
	ret->seq = (uint64_t)sql_int(stmt, 0);
	ret->time = sql_int(stmt, 1);
	return text_column(stmt, 2, AUDIT_TYPE_MAX, &ret->type) &&
	       text_column(stmt, 3, AUDIT_DATA_MAX, &ret->data) &&
	       hash_column(stmt, 4, ret->previous) && hash_column(stmt, 5, ret->hash);
}

int audit_each(struct store *store, uint64_t from_seq, audit_visit_fn *visit, void *context,
	struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sql_query(store, &stmt, err,
		"SELECT " AUDIT_COLUMNS " FROM audit WHERE seq >= ? ORDER BY seq", "i",
		(int64_t)(from_seq < INT64_MAX ? from_seq : INT64_MAX));

	while (!rc && (rc = sql_step(store, stmt, err)) == 1) {
		struct audit_row row;
		if (audit_row_take(stmt, &row))
			rc = visit(&row, context);
		else
			rc = err_set(err, -EBADMSG, "audit: event %llu is damaged",
				(unsigned long long)row.seq);
	}
	sql_close(store, stmt);
	return rc;
}

json_t *audit_json(const struct audit_row *row)
{
	char hash[2 * AUDIT_HASH_LEN + 1];
	JSON_CLEANUP json_t *data = NULL;

	if (json_parse((struct bytes){ (const uint8_t *)row->data, strlen(row->data) },
		    AUDIT_DATA_MAX, &data, NULL) ||
		!json_is_object(data)) {
		json_decref(data);
		data = json_object();
	}
	if (text_hex(hash, sizeof(hash), row->hash, AUDIT_HASH_LEN))
		return NULL;
	/* These are set last, so that no field of an event's data can replace its number, time or
	 * hash. */
	JSON_CLEANUP json_t *own = json_pack("{s:I, s:o, s:s, s:s}", "seq", (json_int_t)row->seq,
		"time", json_time_ms(row->time), "type", row->type, "hash", hash);
	return own && data && !json_object_update(data, own) ? json_incref(data) : NULL;
}
