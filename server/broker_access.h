/* Accesses that are decided later than they were asked for: whoever held one brings it to its end here. */
#ifndef BARTIZAN_BROKER_ACCESS_H
#define BARTIZAN_BROKER_ACCESS_H

#include "server/broker_client.h"

/* What was waited for has come: the policy is asked again, and IPC_DECISION goes out. What was waited for is not waited for a second time. Nothing happens
 * where the channel is not held any more. */
void access_again(struct leg *leg, const struct msg_access *msg);
void access_refuse(struct leg *leg, const struct msg_access *msg, unsigned exit, const char *words);

#endif
