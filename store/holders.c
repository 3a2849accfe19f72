/* See holders.h. */
#include "store/holders.h"

#include <errno.h>

#include "common/text.h"
#include "store/sql.h"

static bool known(
	struct store *store, const struct identity *who, int64_t now, int *ret_rc, struct err *err)
{
	int64_t count = 0;

	*ret_rc = sql_number(store, &count, err,
		"SELECT COUNT(*) FROM key_holders WHERE key_fp = ? AND provider = ? AND subject = "
		"? "
		"AND user = ? AND seen > ?",
		"tttti", who->key_fp, who->provider, who->subject, who->user,
		now - HOLDERS_FRESH_S);
	return count > 0;
}

int holders_seen(struct store *store, const struct identity *who, int64_t now, struct err *err)
{
	bool mine;
	int rc;

	if (who->machine || !who->key_fp || known(store, who, now, &rc, err))
		return 0;
	if (!rc)
		rc = sql_enter(store, &mine, err);
	if (rc)
		return rc;
	rc = sql_run(store, err,
		"INSERT INTO key_holders VALUES (?, ?, ?, ?, ?) ON CONFLICT (key_fp, provider, "
		"subject) DO UPDATE SET user = excluded.user, seen = excluded.seen",
		"tttti", who->key_fp, who->provider, who->subject, who->user, now);
	if (!rc)
		rc = sql_run(store, err, "DELETE FROM key_holders WHERE seen < ?", "i",
			now - HOLDERS_KEPT_S);
	return sql_leave(store, mine, rc, err);
}

int holders_shared(struct store *store, const char *provider, const char *subject,
	const struct identity *who, struct err *err)
{
	int64_t count = 0;

	if (text_equal(provider, who->provider) && text_equal(subject, who->subject))
		return 1;
	int rc = sql_number(store, &count, err,
		"SELECT COUNT(*) FROM key_holders a JOIN key_holders b ON b.key_fp = a.key_fp"
		" WHERE a.provider = ? AND a.subject = ? AND b.provider = ? AND b.subject = ?",
		"tttt", provider, subject, who->provider, who->subject);
	return rc ? rc : count > 0;
}
