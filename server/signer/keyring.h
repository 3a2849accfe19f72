/* Private keys and passwords, read from disk: by the signer, who keeps them, and by the reader, who
 * only wants to know that they can be read.
 *
 * Everything is read before privileges are dropped and burnt by keyring_free(). Names: "issuing",
 * the entries of `keys`, "audit". */
#ifndef BARTIZAN_SIGNER_KEYRING_H
#define BARTIZAN_SIGNER_KEYRING_H

#include <stddef.h>
#include <sys/types.h>

#include "common/err.h"
#include "keys/sshkey.h"
#include "server/role/signer_conf.h"

#define KEYRING_PASSWORD_MAX 1024
#define KEYRING_ISSUING "issuing"
#define KEYRING_AUDIT "audit"
#define KEYRING_AUDIT_FILE "audit_key" /* in the state directory */

struct keyring_key {
	char *name;
	struct sshkey *key;
};
struct keyring_password {
	char *file;
	char *text;
};

struct keyring {
	struct keyring_key *keys; /* "issuing" first where there is one */
	size_t key_count;
	struct keyring_password *passwords; /* sorted by file */
	size_t password_count;
};

/* Everything that conf names. Errors name the file. */
int keyring_load(const struct signer_conf *conf, struct keyring **ret, struct err *err);
/* Adds the audit key from the state directory; made (0600, owned by uid and gid where those are not
 * -1) when there is none. */
int keyring_audit(struct keyring *keyring, int state_dir, uid_t uid, gid_t gid, struct err *err);
void keyring_free(struct keyring *keyring);

/* NULL: no such key */
const struct sshkey *keyring_key(const struct keyring *keyring, const char *name);
/* NULL: no target names this file */
const char *keyring_password(const struct keyring *keyring, const char *file);
/* One private key file, which others may not read; what was read of it is overwritten again. Caller
 * frees the key. */
int keyring_read_key(int dir, const char *path, struct sshkey **ret, struct err *err);

#endif
