/* The host key, in libssh's form: loaded once in the listener, inherited by sessions. */
#ifndef BARTIZAN_LIBSSH_HOST_KEY_H
#define BARTIZAN_LIBSSH_HOST_KEY_H

#include "common/err.h"

struct host_key;
/* exactly one key, of type ed25519: libssh cannot tell which of several was used */
int host_key_load(const char *path, struct host_key **ret, struct err *err);
void host_key_free(struct host_key *key);
const char *host_key_line(const struct host_key *key); /* "ssh-ed25519 AAAA…" for known_hosts */

/* A private key (libssh's ssh_key) for an ssh_bind, which frees it; NULL on failure. */
struct ssh_key_struct *host_key_import(const struct host_key *key);

#endif
