/* The half of the host key that only the session's own files see. The rest is in session.h. */
#ifndef BARTIZAN_LIBSSH_HOST_KEY_H
#define BARTIZAN_LIBSSH_HOST_KEY_H

#include <libssh/libssh.h>

struct host_key;

/* a private key for an ssh_bind, which frees it; NULL on failure */
ssh_key host_key_import(const struct host_key *key);

#endif
