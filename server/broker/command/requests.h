/* What the commands on requests share. Included by command_request*.c, server/broker/command/vote.c
 * and server/broker/command/reviews.c only. */
#ifndef BARTIZAN_BROKER_COMMAND_REQUESTS_H
#define BARTIZAN_BROKER_COMMAND_REQUESTS_H

#include "server/broker/approval/queue.h"
#include "server/broker/command/impl.h"

/* approval_json() and what a list for people needs */
json_t *request_json(struct caller *caller, const struct approval *approval);
/* The request by its id; otherwise answers, ends the command and is false. */
bool request_of(struct caller *caller, const char *id, struct approval *ret);
/* Ends the command with an error of queue_vote() and its sisters. */
void request_fail(struct caller *caller, int rc, const struct err *err);

#endif
