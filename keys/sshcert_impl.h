/* Shared by the files sshcert*.c; nobody else includes this. */
#ifndef BARTIZAN_KEYS_SSHCERT_IMPL_H
#define BARTIZAN_KEYS_SSHCERT_IMPL_H

#include "common/wire.h"
#include "keys/sshcert.h"

/* The certificate type of a plain key type: "ssh-ed25519" has "ssh-ed25519-cert-v01@openssh.com".
 * fields: strings of the key's body. */
struct sshcert_kind {
	const char *name;
	const char *key_type;
	size_t fields;
};
const struct sshcert_kind *sshcert_kind_find(struct bytes name);
const struct sshcert_kind *sshcert_kind_of(const char *key_type); /* NULL when there is none */

#define SSHCERT_OPTION_FORCE_COMMAND "force-command"
#define SSHCERT_OPTION_SOURCE_ADDRESS "source-address"
#define SSHCERT_OPTION_VERIFY_REQUIRED "verify-required"
struct sshcert_right_name {
	const char *name;
	unsigned right;
};
#define SSHCERT_RIGHTS 5
/* in the order of bytes, as certificates list them */
extern const struct sshcert_right_name sshcert_right_names[SSHCERT_RIGHTS];

int sshcert_take_options(
	struct sshcert *cert, struct bytes critical, struct bytes extensions, struct err *err);
/* A string of the certificate as text, without NUL inside. `what` is its name for the error. */
int sshcert_text(struct bytes value, const char *what, char **ret, struct err *err);

/* The part of sshcert_check() that does not depend on time and address; sshcert_sign() uses it,
 * too. */
int sshcert_check_lasting(const struct sshcert *cert, struct err *err);

#endif
