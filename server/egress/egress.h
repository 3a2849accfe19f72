/* The egress role: the way out. DNS, TCP connections to targets, identity providers, the webhook.
 */
#ifndef BARTIZAN_EGRESS_EGRESS_H
#define BARTIZAN_EGRESS_EGRESS_H

#include "server/role/role.h"

int egress_main(const struct role_start *start);

#endif
