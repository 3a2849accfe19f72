/* Running commands: what command*.c writes goes to a session or a control client, in order, never
 * faster than the other end reads. */
#ifndef BARTIZAN_BROKER_COMMAND_RUNNING_H
#define BARTIZAN_BROKER_COMMAND_RUNNING_H

#include "server/broker/command/command.h"
#include "server/broker/core/impl.h"
#include "server/broker/core/peer.h"

/* output that waits for a slow reader; then it is cut off */
#define RUNNING_BACKLOG_MAX (64 * 1024 * 1024)

struct running;

struct running_spec {
	struct identity *who; /* taken */
	struct addr source;
	const struct sshkey *key; /* borrowed for as long as the list lives */
	unsigned may;
	bool local, terminal;
	unsigned columns;
	uint32_t channel;
	struct link *link; /* where output goes */
	/* it has left the list; called once, unless running_stop() ended it */
	void (*ended)(struct running *running, void *context);
	void *context;
};

int running_start(struct broker *broker, struct running_list *list, struct running_spec *spec,
	char *const *argv);
struct running *running_find(struct running_list *list, uint32_t channel);
void running_stop(struct running *running); /* the other end is gone or has had enough */
/* dropped where the command reads nothing */
void running_input(struct running *running, struct bytes data);
void running_pump(struct running_list *list); /* the link has room again */

#endif
