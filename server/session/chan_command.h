/* The gateway's own commands on a channel without target: `ssh gw whoami`, `ssh gw replay ID`. The
 * words go to the broker (IPC_COMMAND), its output comes back; a transcript is replayed here, at
 * its own pace, from a descriptor the broker handed over. */
#ifndef BARTIZAN_SESSION_CHAN_COMMAND_H
#define BARTIZAN_SESSION_CHAN_COMMAND_H

#include <stddef.h>
#include <stdint.h>

#include "common/access.h"
#include "common/buf.h"
#include "common/ipc_msg.h"

#define COMMAND_LINE_MAX 8192
#define COMMAND_WORDS_MAX 64
/* output that may wait for a slow client; beyond it the command ends */
#define COMMAND_OUTPUT_MAX (16 * 1024 * 1024)

struct chan;
struct chan_command;

/* answers the request that was kept */
void chan_command_start(struct chan *chan, enum access_kind kind, const char *line);
/* Tells the broker to stop the command. NULL allowed. */
void chan_command_free(struct chan_command *command);
void chan_command_turn(struct chan *chan);
int64_t chan_command_due(const struct chan_command *command);
/* Input of the client: Ctrl-C ends the command; the rest goes to the broker if the command reads
 * input, else it is dropped. */
int chan_command_input(struct chan *chan, const void *data, size_t len);
void chan_command_output(struct chan_command *command, uint32_t stream, struct bytes data);
void chan_command_play(
	struct chan_command *command, const struct msg_play *play, int fd); /* takes fd */
void chan_command_done(struct chan_command *command, unsigned status);

/* Splits a line into words: blanks separate, ' and " group, backslash quotes one character.
 * -EINVAL: open quote; -E2BIG: too many. NULL-terminated, caller frees with text_list_free. */
int chan_command_words(const char *line, char ***ret);

#endif
