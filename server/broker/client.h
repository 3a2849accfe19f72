/* Session processes as the broker sees them: birth, messages, and the end of everything that hangs
 * on them. The handlers are rows of the table in client_messages.c: 0, or -EPROTO with the reason
 * when what came was a violation. */
#ifndef BARTIZAN_BROKER_CLIENT_H
#define BARTIZAN_BROKER_CLIENT_H

#include "server/broker/core/peer.h"

/* server/broker/client.c */
void client_arrived(struct broker *broker, const struct msg_client *msg, int fd); /* takes the fd */
void client_gone(struct broker *broker, const struct msg_client_gone *msg);
/* undoes everything, frees later */
void client_end(struct client *client, const char *reason);
/* the broker is ending: tells it, or ends it where it is gone already */
void client_stop(struct client *client);

/* server/broker/client_messages.c */
void client_message(struct link *link, struct ipc_raw *raw);

/* server/broker/leg.c */
int handle_leg(struct client *client, const void *msg, struct err *err);
int handle_leg_end(struct client *client, const void *msg, struct err *err);
void peer_leg_end(struct peer_leg *leg, const char *reason, bool lost); /* frees it */

/* server/broker/reports.c */
int handle_request(struct client *client, const void *msg, struct err *err);
int handle_channel_end(struct client *client, const void *msg, struct err *err);
int handle_evidence(struct client *client, const void *msg, struct err *err);
int handle_event(struct client *client, const void *msg, struct err *err);
void reports_end(struct client *client); /* the numbers of events that were not written */

/* server/broker/gateway.c */
int handle_command(struct client *client, const void *msg, struct err *err);
int handle_command_input(struct client *client, const void *msg, struct err *err);
int handle_command_stop(struct client *client, const void *msg, struct err *err);

#endif
