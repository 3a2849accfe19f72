/* Used tokens. See tokens.h. */
#include "store/tokens.h"

#include <errno.h>
#include <openssl/evp.h>

#include "store/sql.h"

int tokens_use(struct store *store, struct bytes signed_part, int64_t now, struct err *err)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	bool mine;

	if (EVP_Digest(signed_part.data, signed_part.len, digest, &len, EVP_sha256(), NULL) != 1)
		return err_set(err, -EIO, "SHA-256 of the token could not be computed");
	int rc = sql_enter(store, &mine, err);
	if (rc)
		return rc;
	rc = sql_run(store, err, "DELETE FROM tokens WHERE used < ?", "i", now - TOKEN_KEPT_S);
	if (!rc)
		rc = sql_run(store, err, "INSERT OR IGNORE INTO tokens VALUES (?, ?)", "bi",
			(struct bytes){ digest, len }, now);
	if (!rc && !sql_changes(store))
		rc = err_set(err, -EEXIST, "token has been used already");
	return sql_leave(store, mine, rc, err);
}
