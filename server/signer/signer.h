/* The signer's answers, apart from the process around them, so that they can be tested without one.
 */
#ifndef BARTIZAN_SIGNER_SIGNER_H
#define BARTIZAN_SIGNER_SIGNER_H

#include "common/ipc.h"
#include "common/ipc_msg.h"
#include "server/role/role.h"
#include "server/signer/keyring.h"

/* seconds: a longer certificate is refused whatever the broker thinks */
#define SIGNER_LIFETIME_MAX (7 * 24 * 3600)
/* what a checkpoint begins with (store/audit.h): the audit key signs nothing else */
#define SIGNER_AUDIT_PREFIX "bartizan-audit-checkpoint-v1"

/* Answers one question on the link. -EBADMSG: not a question for a signer, malformed, or with
 * descriptors; it was answered "not ok" where it can be. */
int signer_answer(const struct keyring *keyring, struct ipc *link, const struct ipc_raw *raw);

/* Whether data is an SSH userauth request (RFC 4252 section 7) by this key for this login, and
 * which signature algorithm it names; the reason when not. flags are the agent protocol's: 2
 * SHA-256, 4 SHA-512 for RSA. */
int signer_userauth_check(const struct msg_sign_agent *ask, const struct sshkey *key,
	const char **ret_algorithm, struct err *err);

int signer_main(const struct role_start *start);

#endif
