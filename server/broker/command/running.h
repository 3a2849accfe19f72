/* Running commands: their output goes to a session or a control client, in order, and never faster
 * than the other end reads. */
#ifndef BARTIZAN_BROKER_COMMAND_RUNNING_H
#define BARTIZAN_BROKER_COMMAND_RUNNING_H

#include "server/broker/command/command.h"
#include "server/broker/core/impl.h"
#include "server/broker/core/peer.h"

/* bytes of output that may wait for a slow reader; beyond, the output is cut off */
#define RUNNING_BACKLOG_MAX (64 * 1024 * 1024)

struct running;

struct running_spec {
	struct identity *who; /* taken */
	struct addr source;
	const struct sshkey *key; /* borrowed for as long as the list lives */
	unsigned may;
	bool local, terminal;
	unsigned columns;
	struct bytes env; /* borrowed for the call */
	uint32_t channel;
	struct link *link; /* to which the output is sent */
	/* called once, when it has left the list, unless running_stop() ended it */
	void (*ended)(struct running *running, void *context);
	void *context;
};

int running_start(struct broker *broker, struct running_list *list, struct running_spec *spec,
	char *const *argv);
struct running *running_find(struct running_list *list, uint32_t channel);
void running_stop(struct running *running); /* the other end is gone or has stopped the command */
/* Input for the command; dropped if it reads none. */
void running_input(struct running *running, struct bytes data);
void running_pump(struct running_list *list); /* the link has room again */

#endif
