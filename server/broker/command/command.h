/* The gateway's own commands: the same table answers `ssh gw COMMAND` and the CLI's control socket.
 *
 * A command runs in the broker, never blocks, writes to its caller, and ends exactly once, at once
 * or later: with command_exit(), or with ops->play(), after which the other end disconnects by
 * itself. The rights of a caller are in caller->may and caller->who; the right that a command needs
 * is a column of the table, and every permission has a test that the command is refused without
 * it. */
#ifndef BARTIZAN_BROKER_COMMAND_COMMAND_H
#define BARTIZAN_BROKER_COMMAND_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/access.h"
#include "common/buf.h"
#include "server/broker/core/broker.h"

#define COMMAND_ARGS_MAX 64

/* who runs a command; freed by its owner after command_exit() and when the connection ends */
struct caller {
	struct broker *broker;
	/* never NULL: on the control socket provider "local", user "local:NAME" */
	struct identity *who;
	struct addr source;
	unsigned may; /* MAY_* */
	bool local;   /* control socket: an administrator of this machine */
	/* the output goes to a terminal: colours and column widths are used */
	bool terminal;
	unsigned columns; /* 0: unknown */
	/* the plain key that was proved on the connection; NULL on the control socket. Borrowed
	 * until `gone` */
	const struct sshkey *key;
	/* what the client sent of its environment (common/env_block.h); borrowed from its message:
	 * for the call only */
	struct bytes env;
	/* the connection ended while the command was waiting: write nothing more */
	bool gone;
	struct caller_ops const *ops; /* how bytes reach the other end */
	void *context;		      /* of ops */
	void *state;		      /* of the running command */
	/* set by a command that reads input: called with more of it; len 0: the end */
	void (*input)(struct caller *, const void *data, size_t len);
	/* set by a command that waits: called when the other end goes away; frees state */
	void (*stop)(struct caller *);
};

struct caller_ops {
	/* stream 1 or 2; any length, split as needed */
	void (*output)(struct caller *caller, int stream, const void *data, size_t len);
	/* the other end replays this transcript and then ends by itself */
	void (*play)(struct caller *caller, int fd, const struct msg_play *options);
	void (*exit)(struct caller *caller, unsigned status);
};

/* Runs argv (NULL-terminated). An unknown command, a missing right or a wrong argument is reported
 * on stderr, with exit status 2, 77 or 2. Without arguments: help. */
void command_run(struct caller *caller, char *const *argv);

bool command_known(char *const *argv); /* whether its first word begins a command */

/* For handlers. */
void command_out(struct caller *caller, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "bartizan: …\n" on stderr */
void command_error(struct caller *caller, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void command_exit(struct caller *caller, unsigned status);

#endif
