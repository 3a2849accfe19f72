/* The backend's half of a channel: open, pty, env, start, each answered before the next is sent,
 * for libssh keeps one pending request a channel. See chan.h. */
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "server/session/chan.h"
#include "server/session/conn.h"
#include "server/session/upstream.h"

static int backend_data(ssh_session session, ssh_channel channel, void *data, uint32_t len,
	int is_stderr, void *context)
{
	(void)session;
	(void)channel;
	struct chan *chan = context;
	return stream_data(is_stderr ? &chan->err : &chan->out, data, len);
}

static void backend_close(ssh_session session, ssh_channel channel, void *context)
{
	(void)session;
	(void)channel;
	((struct chan *)context)->backend_closed = true;
}

static void backend_exit(ssh_session session, ssh_channel channel, int status, void *context)
{
	(void)session;
	(void)channel;
	struct chan *chan = context;
	if (chan->refused) /* we have ended it ourselves, with a status of our own */
		return;
	chan->exited = true;
	chan->exit_status = (uint32_t)status;
}

static char *bounded(const char *text)
{
	return text ? strndup(text, 256) : strdup("");
}

static void backend_signal(ssh_session session, ssh_channel channel, const char *name, int core,
	const char *message, const char *language, void *context)
{
	(void)session;
	(void)channel;
	struct chan *chan = context;
	if (chan->exited)
		return;
	chan->exited = true;
	chan->exit_core = core;
	chan->exit_signal = bounded(name);
	chan->exit_message = bounded(message);
	chan->exit_language = bounded(language);
}

static int new_backend(struct chan *chan)
{
	struct upstream *upstream = chan->leg->upstream;

	chan->backend = ssh_channel_new(upstream->transport.session);
	if (!chan->backend)
		return SSH_ERROR;
	chan->backend_callbacks = (struct ssh_channel_callbacks_struct){
		.userdata = chan,
		.channel_data_function = backend_data,
		.channel_close_function = backend_close,
		.channel_exit_status_function = backend_exit,
		.channel_exit_signal_function = backend_signal,
	};
	ssh_callbacks_init(&chan->backend_callbacks);
	ssh_set_channel_callbacks(chan->backend, &chan->backend_callbacks);
	chan->in.to = chan->out.from = chan->err.from = &upstream->transport;
	chan->in.dst = chan->out.src = chan->err.src = chan->backend;
	return SSH_OK;
}

/* Each step: SSH_OK goes on, SSH_AGAIN comes back, SSH_ERROR was refused. */

static void step_wait(struct chan *chan)
{
	struct upstream *upstream = chan->leg->upstream;

	if (upstream->state == UPSTREAM_FAILED)
		chan_refuse(chan, upstream->exit, upstream->failure);
	else if (upstream->state == UPSTREAM_READY && new_backend(chan) != SSH_OK)
		chan_refuse(chan, EXIT_GATEWAY, "out of memory");
	else if (upstream->state == UPSTREAM_READY)
		chan_set_state(chan, CHAN_OPENING);
}

int chan_open_backend(struct chan *chan)
{
	int rc = ssh_channel_open_session(chan->backend);

	chan->backend_opening = rc == SSH_AGAIN;
	chan->backend_open = rc == SSH_OK;
	return rc;
}

static void step_open(struct chan *chan)
{
	int rc = chan_open_backend(chan);

	if (rc == SSH_OK)
		chan_set_state(chan, chan->pty ? CHAN_PTY : CHAN_ENV);
	else if (rc != SSH_AGAIN)
		chan_refuse(chan, EXIT_UNREACHABLE, "the target refused to open a channel");
}

#define MODE_END 0 /* opcodes of RFC 4254 section 8, each with a value of four bytes */
#define MODE_ECHO 53
#define MODE_OPCODES 160 /* from here on there is no more to read */

/* What is typed without echo is hidden from the guard as a password is. So a shell whose lines are
 * judged begins with echo, whatever the client's own terminal does. */
static void want_echo(struct chan *chan)
{
	uint8_t *modes = chan->modes;

	for (size_t i = 0; i + 5 <= chan->modes_len && modes[i] != MODE_END; i += 5) {
		if (modes[i] >= MODE_OPCODES)
			return;
		if (modes[i] == MODE_ECHO)
			memcpy(modes + i + 1, (const uint8_t[]){ 0, 0, 0, 1 }, 4);
	}
}

static int request_pty(struct chan *chan)
{
	if (chan->guard)
		want_echo(chan);
#if LIBSSH_VERSION_INT >= SSH_VERSION_INT(0, 12, 0)
	if (chan->modes_len)
		return ssh_channel_request_pty_size_modes(chan->backend, chan->term,
			(int)chan->columns, (int)chan->rows, chan->modes, chan->modes_len);
#endif
	return ssh_channel_request_pty_size(
		chan->backend, chan->term, (int)chan->columns, (int)chan->rows);
}

/* The guard reads lines off the screen of a terminal; over a pipe it would see none, and what it
 * denies would run. That is the policy's no, and not a target that is out of reach. */
static void no_terminal(struct chan *chan)
{
	conn_event(chan->leg->conn, chan->leg, "request-refused", "the target refused a terminal%s",
		chan->guard ? ", and the rule has a guard" : "");
	if (chan->guard)
		chan_refuse(chan, EXIT_DENIED,
			"the target gives no terminal, and the guard of this rule cannot judge "
			"lines without one");
	else
		chan_notice(chan, "the target gives no terminal: what runs there has a pipe");
}

static void step_pty(struct chan *chan)
{
	int rc = request_pty(chan);

	if (rc == SSH_AGAIN)
		return;
	if (rc != SSH_OK)
		no_terminal(chan);
	if (chan->state != CHAN_PTY)
		return;
	chan->resized = false;
	chan_set_state(chan, CHAN_ENV);
}

static void step_env(struct chan *chan)
{
	while (chan->env_sent < chan->env_count) {
		const struct chan_env *env = &chan->env[chan->env_sent];
		if (ssh_channel_request_env(chan->backend, env->name, env->value) == SSH_AGAIN)
			return;
		/* a refused variable is no error: the target's AcceptEnv decides, as without a
		 * gateway */
		chan->env_sent++;
	}
	chan_set_state(chan, CHAN_STARTING);
}

static int request_start(struct chan *chan)
{
	if (chan->kind == ACCESS_SHELL)
		return ssh_channel_request_shell(chan->backend);
	if (chan->kind == ACCESS_EXEC)
		return ssh_channel_request_exec(chan->backend, chan->detail);
	return ssh_channel_request_subsystem(chan->backend, chan->detail);
}

void chan_answer_start(struct chan *chan, bool granted)
{
	transport_enter(&chan->leg->transport);
	ssh_message message = chan->start;

	chan->start = NULL;
	if (granted)
		leg_replied(chan->leg, message, ssh_message_channel_request_reply_success(message));
	else
		leg_reply_default(chan->leg, message);
}

static void step_start(struct chan *chan)
{
	int rc = request_start(chan);

	if (rc == SSH_AGAIN)
		return;
	chan_answer_start(chan, rc == SSH_OK);
	if (rc != SSH_OK) {
		chan->end_reason = strdup("the target refused the request");
		chan_set_state(chan, CHAN_CLOSING);
		return;
	}
	chan->in.open = chan->out.open = chan->err.open = true;
	/* stdin may have come in the same flight as exec */
	chan->in.unread = chan->out.unread = chan->err.unread = true;
	chan_wait_end(chan);
	chan_set_state(chan, CHAN_RELAY);
}

static void (*const steps[])(struct chan *chan) = {
	[CHAN_WAITING] = step_wait,
	[CHAN_OPENING] = step_open,
	[CHAN_PTY] = step_pty,
	[CHAN_ENV] = step_env,
	[CHAN_STARTING] = step_start,
};

void chan_open_turn(struct chan *chan)
{
	struct conn *conn = chan->leg->conn;

	if (chan->client_closed || transport_dead(&chan->leg->transport)) {
		chan_set_state(chan, CHAN_CLOSING);
		return;
	}
	enum chan_state before;
	do {
		before = chan->state;
		conn->depth++;
		if (chan->leg->upstream)
			transport_enter(&chan->leg->upstream->transport);
		steps[chan->state](chan);
		conn->depth--;
		if (chan->state != before && chan->leg->upstream)
			chan->leg->upstream->transport.touched = true;
	} while (chan->state != before && chan_busy(chan));
	if (chan_busy(chan) && chan->state > CHAN_WAITING &&
		transport_dead(&chan->leg->upstream->transport))
		chan_refuse(chan, EXIT_UNREACHABLE, "the connection to the target was lost");
}
