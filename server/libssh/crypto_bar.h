/* The cryptographic bar: which algorithms a leg may agree on (crypto.minimum), and which weaker
 * ones a target may be allowed by name.
 *
 * The lists go to libssh before the key exchange; libssh drops unknown names silently, so the
 * algorithms agreed on are checked against the same lists afterwards. */
#ifndef BARTIZAN_LIBSSH_CRYPTO_BAR_H
#define BARTIZAN_LIBSSH_CRYPTO_BAR_H

#include <libssh/libssh.h>
#include <libssh/server.h>
#include <stdbool.h>

#include "common/err.h"
#include "conf/conf.h"

#define CRYPTO_LIST_MAX 1024

struct crypto_bar {
	char kex[CRYPTO_LIST_MAX], ciphers[CRYPTO_LIST_MAX], macs[CRYPTO_LIST_MAX];
	bool ssh_rsa; /* RSA host keys with SHA-1: only where a target allows it by name */
};

/* allow: names below the bar, NULL-terminated or NULL. An unknown name is an error: -EINVAL. */
int crypto_bar_make(
	enum conf_crypto minimum, char *const *allow, struct crypto_bar *ret, struct err *err);
int crypto_bar_apply_server(const struct crypto_bar *bar, ssh_bind bind);
int crypto_bar_apply_client(const struct crypto_bar *bar, ssh_session session);
/* 0 if the algorithms agreed on are in the lists; else -EPERM, and err names the algorithm and the
 * list. */
int crypto_bar_check(const struct crypto_bar *bar, ssh_session session, struct err *err);

#endif
