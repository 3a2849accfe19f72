/* The cryptographic bar: which algorithms a leg may agree on (crypto.minimum), and what a target
 * may use below it by name (field.md 19).
 *
 * The lists go to libssh before the key exchange; libssh drops unknown names silently, so what came
 * out is checked against the same lists afterwards.
 */
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
/* Whether what was agreed on is in the lists. -EPERM with both sides in words. */
int crypto_bar_check(const struct crypto_bar *bar, ssh_session session, struct err *err);

#endif
