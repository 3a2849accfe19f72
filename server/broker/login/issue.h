/* User certificates by the gateway's own authority. */
#ifndef BARTIZAN_BROKER_LOGIN_ISSUE_H
#define BARTIZAN_BROKER_LOGIN_ISSUE_H

#include "server/broker/core/impl.h"

/* Asks the signer for a user certificate and stores it. done is called once, later or at once; cert
 * is the "type base64 comment" line when ok. lifetime_s 0: as the configuration says. A longer one
 * than certificates.lifetime is cut to it, unless local_admin: then BROKER_ISSUE_MAX_S is the most.
 */
#define BROKER_ISSUE_MAX_S (7 * 24 * 3600)
struct issue_spec {
	const struct identity *who; /* of a provider: the login is kept with it (user, groups and
				       local_admin are not looked at); NULL: a local user */
	const char *user;
	char *const *groups;
	const struct sshkey *key;
	int64_t lifetime_s;
	const char *source_address;
	unsigned rights;
	const char *force_command;
	bool local_admin;
};
typedef void issue_done_fn(void *context, bool ok, const char *line_or_reason);
void issue_start(struct broker *broker, const struct issue_spec *spec, const char *by,
	issue_done_fn *done, void *context);
/* Forgets the caller of issues under way with this context: done is not called any more. Whoever
 * may go away before done calls it. */
void issue_forget(struct broker *broker, void *context);
void issues_close(struct broker *broker); /* at the end of the broker */

#endif
