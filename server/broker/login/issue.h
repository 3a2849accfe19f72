/* User certificates by the gateway's own authority. */
#ifndef BARTIZAN_BROKER_LOGIN_ISSUE_H
#define BARTIZAN_BROKER_LOGIN_ISSUE_H

#include "server/broker/core/impl.h"

/* Asks the signer for a user certificate and stores it. done is called once, later or at once, with
 * the line "type base64 comment" when ok, else with the reason. lifetime_s 0:
 * certificates.lifetime, which is also the longest, except for local_admin: then BROKER_ISSUE_MAX_S
 * is. */
#define BROKER_ISSUE_MAX_S (7 * 24 * 3600)
struct issue_spec {
	/* an identity of a provider, whose login is stored too (user, groups and local_admin are
	 * ignored); NULL: a local user */
	const struct identity *who;
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
/* The caller with this context goes away: done is not called any more. */
void issue_forget(struct broker *broker, void *context);
void issues_close(struct broker *broker); /* when the broker ends */

#endif
