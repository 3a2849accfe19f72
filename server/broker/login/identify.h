/* Who is it? A certificate becomes an identity, or a reason in words for the user. No client in it,
 * so that it can be tested by itself. */
#ifndef BARTIZAN_BROKER_LOGIN_IDENTIFY_H
#define BARTIZAN_BROKER_LOGIN_IDENTIFY_H

#include "common/access.h"
#include "conf/conf.h"
#include "keys/krl.h"
#include "keys/sshcert.h"
#include "store/store.h"

struct auth_question { /* all borrowed */
	struct store *store;
	const struct conf *conf;
	const struct sshkey *issuing; /* our own authority; NULL: we issue none */
	struct bytes key;	      /* blob as offered: certificate or plain key */
	struct addr source;
	int64_t now;	       /* seconds */
	const struct krl *krl; /* NULL: none */
};

/* What was seen on the way, for the audit event, whatever came out. */
struct auth_seen {
	bool certificate;
	uint64_t serial;
	char key_fp[SSHKEY_FP_MAX], ca_fp[SSHKEY_FP_MAX]; /* "": unknown */
	char key_id[256];				  /* visible form */
};

#define AUTH_LOGIN_RIGHTS                                                   \
	(SSHCERT_PTY | SSHCERT_PORT_FORWARDING | SSHCERT_AGENT_FORWARDING | \
		SSHCERT_X11_FORWARDING | SSHCERT_USER_RC)

/* A certificate, or a plain key of which a login is kept. 0; -ENOKEY: a plain key without a login,
 * and not revoked; -EACCES; both with the reason. The proof that the client holds the key is not
 * made here. */
int auth_identify(const struct auth_question *question, struct auth_seen *seen,
	struct identity **ret, struct err *err);

#endif
