/* The top level of the broker: start and end, links to signer and egress, reloads, the control
 * socket. For the files of this folder only; the rooms below do not include it. */
#ifndef BARTIZAN_BROKER_BROKER_H
#define BARTIZAN_BROKER_BROKER_H

#include "server/broker/core/impl.h"

/* server/broker/roles.c */
void roles_arrived(struct broker *broker, const char *role, int fd); /* takes the fd */
/* a link to signer or egress; NULL: out of memory. Takes the fd */
struct service *roles_service(struct broker *broker, enum role role, int fd, service_lost_fn *lost);
/* Replaces *current by service, and retires it. */
void roles_install(struct service **current, struct service *service);

/* server/broker/reload.c */
/* fd: borrowed. A refusal is reported with IPC_FAILED. */
int reload_begin(struct broker *broker, uint64_t generation, int fd);
/* the reader or a role has refused the configuration */
void reload_refused(struct broker *broker, const char *reason);
/* True: a reload waits for this link and took the fd. */
bool reload_role(struct broker *broker, enum role role, int fd);
void reload_free(struct broker *broker);

/* server/broker/control.c */
int control_open(struct broker *broker, int fd, struct err *err);
void control_close(struct broker *broker);

int broker_main(const struct role_start *start);

#endif
