/* A channel of a leg: the client's channel and, once policy allowed it, the backend's, relayed (RFC
 * 4254 sections 5 and 6).
 *
 * Requests before the start (pty-req, env) are kept and answered here; the request that starts it
 * (shell, exec, subsystem) is kept until the broker and then the backend have answered. After that
 * window-change and signal pass at once, bytes pass through streams, exit status, EOF and close are
 * explicit and in order. */
#ifndef BARTIZAN_SESSION_CHAN_H
#define BARTIZAN_SESSION_CHAN_H

#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <libssh/server.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/access.h"
#include "common/buf.h"
#include "server/relay/stream.h"

#define CHAN_ENV_MAX 1024   /* variables; further ones are refused */
#define CHAN_ENV_COST 2	    /* bytes of one in a message, besides its name and its value */
#define CHAN_MODES_MAX 4096 /* of pty-req, encoded */
#define CHAN_TELL_MAX 8192
#define CHAN_CLOSE_MS 10000 /* how long we wait for the client's close */

enum chan_state {
	CHAN_NEW,     /* open, waits for shell, exec or subsystem */
	CHAN_ASKED,   /* the broker decides */
	CHAN_WAITING, /* allowed; the outbound session is being opened */
	CHAN_OPENING, /* the backend's channel is being opened */
	CHAN_PTY,
	CHAN_ENV,
	CHAN_STARTING, /* requests to the backend, one at a time */
	CHAN_RELAY,
	CHAN_COMMAND, /* the gateway's own command answers */
	CHAN_TELLING, /* the last lines are written to stderr, then the channel is closed */
	CHAN_CLOSING, /* our close is being sent, the client's is awaited */
	CHAN_DONE,    /* to be swept */
};

struct chan_env {
	char *name, *value;
};

#define CHAN_ANSWER_MAX 1024 /* longest answer to a question that the gateway asks */

struct chan_guard;
struct chan_command; /* server/session/chan_command.h */
struct recorder;

struct chan {
	struct chan *next;
	struct leg *leg;
	uint32_t id;
	enum chan_state state;
	ssh_channel client, backend;
	struct ssh_channel_callbacks_struct client_callbacks, backend_callbacks;
	bool client_closed, backend_closed;	    /* the peer's CLOSE was received */
	bool client_close_sent, backend_close_sent; /* our CLOSE was sent */
	/* opening: CHANNEL_OPEN was sent; open: it was confirmed, and the channel may be used */
	bool backend_opening, backend_open;

	/* before the start */
	bool pty;
	char *term;
	unsigned columns, rows;
	bool resized;	/* the backend does not know the new size yet */
	uint8_t *modes; /* encoded terminal modes of pty-req (RFC 4254 section 8) */
	size_t modes_len;
	bool end_of_write; /* the client's reader is gone, and the target was not yet told */
	bool breaks;	   /* a break waits to be passed on */
	uint32_t break_ms;
	struct chan_env *env;
	bool env_refused; /* one had no room: said once */
	size_t env_count, env_bytes, env_sent;
	char *early_signal; /* sent by the client before the backend's channel was ready */
	ssh_message start;  /* kept until it is answered */
	enum access_kind kind;
	char *detail; /* command or subsystem */

	struct stream in, out, err;
	bool in_eof, out_eof; /* EOF was passed on */
	struct recorder *recorder;
	struct chan_command *command; /* CHAN_COMMAND */

	/* waiting for a human (server/session/chan_wait.c) */
	/* the gateway's own lines, waiting for room in the client's window */
	struct buf unsent_words;
	bool status_shown; /* the cursor stands in a status line */
	char *waits_for;   /* first line of the text shown while waiting; NULL: not waiting */
	bool asking;	   /* a question is being answered */
	struct buf answer;
	size_t answer_max;

	struct chan_guard *guard; /* a shell whose lines are judged (server/session/chan_lines.h) */

	/* the end */
	bool exited;
	int64_t exit_status; /* -1: none */
	char *exit_signal, *exit_message, *exit_language;
	bool exit_core, exit_sent;
	/* the target was lost with output still to pass on: said once that is drained */
	char *lost;
	bool refused;	       /* the gateway set the exit status: the backend's is ignored */
	struct buf last_words; /* for stderr, before the end */
	char *end_reason;      /* for the record; NULL: normal */
	int64_t deadline;      /* CHAN_CLOSING */
};

struct chan *chan_new(struct leg *leg, ssh_channel client);
void chan_free(struct chan *chan);
void chan_turn(struct chan *chan);
int64_t chan_due(const struct chan *chan);
void chan_set_state(struct chan *chan, enum chan_state state);

/* The client's request on it (chan_request.c); takes the message. */
void chan_request(struct chan *chan, ssh_message message);
/* what the client has sent of its environment, as a block */
int chan_env(const struct chan *chan, struct buf *block);
void chan_ask(struct chan *chan); /* IPC_ACCESS: once the leg is named */
/* Answers the request that starts it, which was kept until now (chan_open.c). */
void chan_answer_start(struct chan *chan, bool granted);
/* The broker's answer. fd: transcript or -1; taken. */
struct msg_decision;
void chan_decided(struct chan *chan, const struct msg_decision *decision, int fd);
/* Says text on stderr (a line, "bartizan: " is put in front) and ends with the exit status. */
void chan_refuse(struct chan *chan, unsigned exit, const char *reason);
/* a line on the stderr of a running channel, lost if its window is full */
void chan_notice(struct chan *chan, const char *text);
/* server/session/chan_wait.c: what a person sees and answers while the channel waits. */
void chan_wait_show(struct chan *chan, const char *text, const char *status);
void chan_question(struct chan *chan, const char *prompt, size_t max);
/* Adds a line that is shown when the wait is over. */
void chan_wait_note(struct chan *chan, const char *text);
void chan_wait_turn(struct chan *chan);
/* Returns how many bytes were consumed: 0 unless a question is open or Ctrl-C is among them. */
int chan_wait_input(struct chan *chan, const char *data, size_t len);
/* The gateway shuts down while the channel waits: tells the user that the request stays pending and
 * that running the same command again resumes it. False when the channel was not waiting. */
bool chan_wait_lost(struct chan *chan, const char *reason);
/* The wait is over: clears the status line. */
void chan_wait_end(struct chan *chan);
/* between the start request and its answer, when latency matters */
bool chan_busy(const struct chan *chan);

/* chan_open.c: the backend's half */
int chan_open_backend(struct chan *chan); /* SSH_OK, SSH_AGAIN, SSH_ERROR */
void chan_open_turn(struct chan *chan);
/* chan_close.c: relay, exit, EOF, close */
void chan_relay_turn(struct chan *chan);
void chan_tell_turn(struct chan *chan);
void chan_close_turn(struct chan *chan);
void chan_report(struct chan *chan); /* sends IPC_CHANNEL_END, for a channel that was allowed */

#endif
