/* An approval that is needed: is it there, and if not, a request for it. For accesses
 * (server/broker/access/need.c) and for requests made ahead
 * (server/broker/command/request_ahead.c). */
#ifndef BARTIZAN_BROKER_ACCESS_NEED_H
#define BARTIZAN_BROKER_ACCESS_NEED_H

#include "server/broker/access/access.h"
#include "server/broker/approval/queue.h"

struct need_wish { /* what is asked for; all borrowed */
	const struct approval_scope *scope;
	const char *source, *reason;
	int64_t window; /* ms: less than the rule gives; 0: as much */
};

int need_fill(struct need *need, bool exact, const char *const *roles,
	const struct approval_rule *settings, const struct conf *conf);
unsigned need_votes(const struct need *need, const char *reason);
/* A grant if there is one, else a pending request. One that was made on terms which the policy has
 * changed since is withdrawn on the way. -ENOENT: neither. */
int need_find(struct broker *broker, const struct need *need, const struct approval_scope *scope,
	int64_t lapse, struct approval *ret, struct err *err);
/* Fills a new request; need_create() puts it into the queue. */
int need_request(struct broker *broker, const struct need *need, const struct need_wish *wish,
	struct approval *ret, struct err *err);
/* session NULL: it is made ahead of any session */
int need_create(
	struct broker *broker, struct approval *approval, const char *session, struct err *err);

#endif
