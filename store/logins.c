/* Logins at providers. See logins.h. Claims are stored as one small JSON object of texts, because
 * no SQL searches them. */
#include "store/logins.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "store/identities.h"
#include "store/sql.h"

/* ---- claims ---- */

static int claims_text(const struct claim *claims, struct buf *out, struct err *err)
{
	JSON_CLEANUP json_t *object = json_object();
	size_t count = 0;

	for (; claims && claims->name; claims++, count++) {
		if (count == IDENTITY_CLAIMS_MAX || strlen(claims->name) > LOGIN_CLAIM_MAX ||
			strlen(claims->value) > LOGIN_CLAIM_MAX)
			return err_set(err, -EMSGSIZE,
				"a login keeps at most %d claims of %d bytes", IDENTITY_CLAIMS_MAX,
				LOGIN_CLAIM_MAX);
		if (json_object_set_new(object, claims->name, json_string(claims->value)))
			return err_set(err, -EINVAL, "a claim is not text");
	}
	return json_text(object, out);
}

static void claims_free(struct claim *claims)
{
	for (struct claim *claim = claims; claim && claim->name; claim++) {
		free(claim->name);
		free(claim->value);
	}
	free(claims);
}

static int claims_parse(const char *text, struct claim **ret, struct err *err)
{
	JSON_CLEANUP json_t *object = NULL;
	const char *name;
	json_t *value;
	int rc = json_parse((struct bytes){ (const uint8_t *)text, strlen(text) },
		STORE_LONG_TEXT_MAX, &object, err);

	if (rc)
		return rc;
	struct claim *claims = calloc(json_object_size(object) + 1, sizeof(*claims));
	size_t count = 0;
	json_object_foreach(object, name, value)
	{
		if (!claims || !json_is_string(value))
			break;
		claims[count].name = strdup(name);
		claims[count].value = strdup(json_string_value(value));
		if (!claims[count].name || !claims[count].value) {
			free(claims[count].value);
			free(claims[count].name);
			claims[count].name = NULL;
			break;
		}
		count++;
	}
	if (!claims || count != json_object_size(object)) {
		claims_free(claims);
		return err_set(err, -EBADMSG, "the claims of a login cannot be read");
	}
	*ret = claims;
	return 0;
}

/* ---- rows ---- */

int logins_put(struct store *store, const struct identity *who, const char *certificate,
	int64_t now, struct err *err)
{
	BUF_CLEANUP struct buf claims = BUF_INIT(STORE_LONG_TEXT_MAX);
	bool mine;

	if (!who->serial || !who->key_fp || !who->provider || !who->subject || !who->user)
		return err_set(
			err, -EINVAL, "login without serial, key, provider, subject or user");
	int rc = claims_text(who->claims, &claims, err);
	if (!rc)
		rc = sql_enter(store, &mine, err);
	if (rc)
		return rc;
	rc = sql_run(store, err, "DELETE FROM logins WHERE expires < ?", "i", now - LOGIN_KEPT_S);
	if (!rc)
		rc = sql_run(store, err,
			"INSERT INTO logins VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
			"ittttt"
			"iiil",
			(int64_t)who->serial, who->key_fp, who->provider, who->subject, who->user,
			certificate, who->login_time, who->expires, (int64_t)who->machine,
			buf_cstr(&claims));
	return sql_leave(store, mine, rc, err);
}

struct row { /* of a query: serial, certificate, login_time, machine, claims, forgotten */
	uint64_t serial;
	char *certificate, *claims;
	int64_t login_time;
	bool machine, forgotten;
};

static void row_release(struct row *row)
{
	free(row->certificate);
	free(row->claims);
}

/* The first row of a query, whose statement it closes. -ENOENT without text. */
static int row_take(struct store *store, sqlite3_stmt *stmt, struct row *ret, struct err *err)
{
	int rc = sql_step(store, stmt, err);

	if (rc == 1) {
		*ret = (struct row){ .serial = (uint64_t)sql_int(stmt, 0),
			.login_time = sql_int(stmt, 2),
			.machine = sql_int(stmt, 3),
			.forgotten = sql_int(stmt, 5) };
		rc = sql_text(stmt, 1, &ret->certificate);
		if (!rc)
			rc = sql_text(stmt, 4, &ret->claims);
	} else if (rc == 0) {
		rc = -ENOENT;
	}
	sql_close(store, stmt);
	return rc;
}

static int complete(struct identity *who, const struct row *row, struct err *err)
{
	struct claim *claims = NULL;
	int rc = claims_parse(row->claims, &claims, err);

	if (rc)
		return err_prefix(err, rc, "login %" PRIu64, row->serial);
	claims_free(who->claims);
	who->claims = claims;
	who->login_time = row->login_time;
	who->machine = row->machine;
	return 0;
}

int logins_by_key(struct store *store, const char *key_fp, int64_t now, struct identity **ret,
	char **ret_certificate, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	struct row row = { 0 };
	struct identity *who = NULL;
	int rc = sql_query(store, &stmt, err,
		"SELECT serial, certificate, login_time, machine, claims, forgotten FROM logins"
		" WHERE key_fp = ? AND expires > ? AND NOT forgotten ORDER BY serial DESC LIMIT 1",
		"ti", key_fp, now);

	if (!rc)
		rc = row_take(store, stmt, &row, err);
	if (rc == -ENOENT)
		err_set(err, rc, "no login of this key is known");
	if (!rc)
		rc = identities_by_serial(store, row.serial, key_fp, &who, err);
	if (!rc)
		rc = complete(who, &row, err);
	if (!rc) {
		*ret = who;
		who = NULL;
		if (ret_certificate) {
			*ret_certificate = row.certificate;
			row.certificate = NULL;
		}
	}
	identity_free(who);
	row_release(&row);
	return rc;
}

int logins_owner(struct store *store, const char *key_fp, char **ret_user, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sql_query(store, &stmt, err,
		"SELECT user FROM logins WHERE key_fp = ? ORDER BY serial DESC LIMIT 1", "t",
		key_fp);

	if (!rc)
		rc = sql_step(store, stmt, err);
	if (rc == 0)
		rc = err_set(err, -ENOENT, "no login of this key is known");
	else if (rc == 1)
		rc = sql_text(stmt, 0, ret_user);
	sql_close(store, stmt);
	return rc;
}

int logins_complete(struct store *store, struct identity *who, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	struct row row = { 0 };
	int rc = sql_query(store, &stmt, err,
		"SELECT serial, certificate, login_time, machine, claims, forgotten FROM logins "
		"WHERE serial = ?",
		"i", (int64_t)who->serial);

	if (!rc)
		rc = row_take(store, stmt, &row, err);
	if (rc == -ENOENT)
		return 0;
	if (!rc && row.forgotten)
		rc = err_set(err, -EACCES, "its owner has logged out since");
	if (!rc)
		rc = complete(who, &row, err);
	row_release(&row);
	return rc;
}

int logins_refresh(struct store *store, uint64_t serial, int64_t login_time, struct err *err)
{
	int rc = sql_run(store, err,
		"UPDATE logins SET login_time = MAX(login_time, ?) WHERE serial = ? AND NOT "
		"forgotten",
		"ii", login_time, (int64_t)serial);

	if (!rc && !sql_changes(store))
		rc = err_set(err, -ENOENT, "certificate %" PRIu64 " belongs to no login", serial);
	return rc;
}

static int forgotten(struct store *store, int rc, uint64_t *ret_count)
{
	if (!rc && ret_count)
		*ret_count = (uint64_t)sql_changes(store);
	return rc;
}

int logins_forget_key(struct store *store, const char *key_fp, uint64_t *ret_count, struct err *err)
{
	return forgotten(store,
		sql_run(store, err,
			"UPDATE logins SET forgotten = 1 WHERE key_fp = ? AND NOT forgotten", "t",
			key_fp),
		ret_count);
}

int logins_forget_user(struct store *store, const char *user, uint64_t *ret_count, struct err *err)
{
	return forgotten(store,
		sql_run(store, err,
			"UPDATE logins SET forgotten = 1 WHERE user = ? COLLATE NOCASE AND NOT "
			"forgotten",
			"t", user),
		ret_count);
}

int logins_forget_serial(struct store *store, uint64_t serial, uint64_t *ret_count, struct err *err)
{
	return forgotten(store,
		sql_run(store, err,
			"UPDATE logins SET forgotten = 1 WHERE serial = ? AND NOT forgotten", "i",
			(int64_t)serial),
		ret_count);
}
