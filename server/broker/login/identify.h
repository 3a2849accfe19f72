/* From a certificate or key to an identity, or to a reason for the user. It needs no client, so
 * that it can be tested by itself. */
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
	/* the gateway's own authority; NULL: it issues no certificates */
	const struct sshkey *issuing;
	struct bytes key; /* blob as offered: certificate or plain key */
	struct addr source;
	int64_t now;	       /* seconds */
	const struct krl *krl; /* NULL: none */
};

/* Facts for the audit event, filled in whatever the result is. */
struct auth_seen {
	bool certificate;
	uint64_t serial;
	char key_fp[SSHKEY_FP_MAX], ca_fp[SSHKEY_FP_MAX]; /* "": unknown */
	char key_id[256];				  /* visible form */
};

#define AUTH_LOGIN_RIGHTS                                                   \
	(SSHCERT_PTY | SSHCERT_PORT_FORWARDING | SSHCERT_AGENT_FORWARDING | \
		SSHCERT_X11_FORWARDING | SSHCERT_USER_RC)

/* For a certificate, or a plain key with a stored login. 0; -ENOKEY: a plain key without a login
 * that is not revoked; -EACCES; both with the reason. Does not check that the client holds the
 * private key. */
int auth_identify(const struct auth_question *question, struct auth_seen *seen,
	struct identity **ret, struct err *err);

#endif
