/* Shared by the commands on requests, votes and reviews. Included in server/broker/command only. */
#ifndef BARTIZAN_BROKER_COMMAND_REQUESTS_H
#define BARTIZAN_BROKER_COMMAND_REQUESTS_H

#include "server/broker/approval/queue.h"
#include "server/broker/command/impl.h"

/* the fields of approval_json(), and those of a list for people */
json_t *request_json(struct caller *caller, const struct approval *approval);
/* Finds a request by its id; otherwise answers, ends the command and returns false. */
bool request_of(struct caller *caller, const char *id, struct approval *ret);
/* Ends the command with the error that a function of server/broker/approval returned. */
void request_fail(struct caller *caller, int rc, const struct err *err);

#endif
