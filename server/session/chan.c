/* See chan.h: birth, state, callbacks, refusals, death. */
#include "server/session/chan.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/text.h"
#include "server/relay/recorder.h"
#include "server/session/chan_command.h"
#include "server/session/chan_lines.h"
#include "server/session/conn.h"
#include "server/session/upstream.h"

static const struct { /* the state machine: a name, what it may become, and its turn */
	const char *name;
	unsigned next;
	void (*turn)(struct chan *chan);
} states[] = {
#define TO(s) (1u << (s))
#define END (TO(CHAN_TELLING) | TO(CHAN_CLOSING) | TO(CHAN_DONE))
	[CHAN_NEW] = { "new", TO(CHAN_ASKED) | TO(CHAN_COMMAND) | END, NULL },
	[CHAN_ASKED] = { "asked", TO(CHAN_WAITING) | END, chan_wait_turn },
	[CHAN_WAITING] = { "waiting", TO(CHAN_OPENING) | END, chan_open_turn },
	[CHAN_OPENING] = { "opening", TO(CHAN_PTY) | TO(CHAN_ENV) | END, chan_open_turn },
	[CHAN_PTY] = { "pty", TO(CHAN_ENV) | END, chan_open_turn },
	[CHAN_ENV] = { "env", TO(CHAN_STARTING) | END, chan_open_turn },
	[CHAN_STARTING] = { "starting", TO(CHAN_RELAY) | END, chan_open_turn },
	[CHAN_RELAY] = { "relay", END, chan_relay_turn },
	[CHAN_COMMAND] = { "command", END, chan_command_turn },
	[CHAN_TELLING] = { "telling", TO(CHAN_CLOSING) | TO(CHAN_DONE), chan_tell_turn },
	[CHAN_CLOSING] = { "closing", TO(CHAN_DONE), chan_close_turn },
	[CHAN_DONE] = { "done", 0, NULL },
};

void chan_set_state(struct chan *chan, enum chan_state state)
{
	if (chan->state == state)
		return;
	if (!(states[chan->state].next & TO(state))) {
		log_error("channel %u: no way from %s to %s", chan->id, states[chan->state].name,
			states[state].name);
		return;
	}
	log_debug("channel %u: %s -> %s", chan->id, states[chan->state].name, states[state].name);
	chan->state = state;
}

bool chan_busy(const struct chan *chan)
{
	return chan->state >= CHAN_ASKED && chan->state <= CHAN_STARTING;
}

void chan_turn(struct chan *chan)
{
	enum chan_state before;

	do { /* a new state acts at once: nothing else might wake the loop for it */
		before = chan->state;
		if (states[before].turn)
			states[before].turn(chan);
	} while (chan->state != before);
	if (chan->recorder)
		recorder_turn(chan->recorder);
}

int64_t chan_due(const struct chan *chan)
{
	int64_t due = chan->recorder ? recorder_due(chan->recorder) : INT64_MAX;
	int64_t guard = chan->guard ? chan_guard_due(chan->guard) : INT64_MAX;

	if (guard < due)
		due = guard;
	int64_t command = chan->command ? chan_command_due(chan->command) : INT64_MAX;
	if (command < due)
		due = command;
	return chan->state == CHAN_CLOSING && chan->deadline && chan->deadline < due
		       ? chan->deadline
		       : due;
}

static void tap(void *owner, char code, const void *data, size_t len)
{
	struct chan *chan = owner;

	chan->leg->last_active = chan->leg->conn->now;
	if (chan->recorder)
		recorder_tap(chan->recorder, code, data, len);
	if (chan->guard && code != 'i')
		chan_guard_output(chan->guard, data, len);
}

/* ---- callbacks of the client's channel: they note, the turn acts ---- */

static int client_data(ssh_session session, ssh_channel channel, void *data, uint32_t len,
	int is_stderr, void *context)
{
	(void)session;
	(void)channel;
	struct chan *chan = context;
	if (is_stderr)
		return (int)len; /* RFC 4254 has no extended data towards a server */
	if (chan->command)
		return chan_command_input(chan, data, len);
	if (chan->state == CHAN_ASKED && chan_wait_input(chan, data, len) > 0)
		return (int)len;
	return stream_data(&chan->in, data, len);
}

static void client_close(ssh_session session, ssh_channel channel, void *context)
{
	(void)session;
	(void)channel;
	((struct chan *)context)->client_closed = true;
}

static void client_signal(ssh_session session, ssh_channel channel, const char *name, void *context)
{
	(void)session;
	(void)channel;
	struct chan *chan = context;
	if (!chan->early_signal && name && strlen(name) <= 32)
		/* passed on by the next turn: libssh must not be called from its own callback */
		chan->early_signal = strdup(name);
}

struct chan *chan_new(struct leg *leg, ssh_channel client)
{
	struct chan *chan = calloc(1, sizeof(*chan));

	if (!chan)
		return NULL;
	const struct stream_ops ops = { .tap = tap };
	chan->leg = leg;
	chan->id = leg->conn->next_channel++;
	chan->client = client;
	chan->exit_status = -1;
	chan->last_words = BUF_INIT(CHAN_TELL_MAX);
	chan->unsent_words = BUF_INIT(4 * CHAN_TELL_MAX);
	chan->answer = BUF_INIT(CHAN_ANSWER_MAX);
	stream_init(&chan->in, &ops, chan, &leg->conn->depth, 'i', false);
	stream_init(&chan->out, &ops, chan, &leg->conn->depth, 'o', false);
	stream_init(&chan->err, &ops, chan, &leg->conn->depth, 'e', true);
	chan->in.from = &leg->transport;
	chan->in.src = client;
	chan->out.to = chan->err.to = &leg->transport;
	chan->out.dst = chan->err.dst = client;
	chan->client_callbacks = (struct ssh_channel_callbacks_struct){
		.userdata = chan,
		.channel_data_function = client_data,
		.channel_close_function = client_close,
		.channel_signal_function = client_signal,
	};
	ssh_callbacks_init(&chan->client_callbacks);
	ssh_set_channel_callbacks(client, &chan->client_callbacks);
	chan->next = leg->chans;
	leg->chans = chan;
	return chan;
}

/* A channel that libssh has not yet seen closed by the peer outlives this object inside the
 * library: take our callbacks out of it first. */
static void release(ssh_channel *channel, struct ssh_channel_callbacks_struct *callbacks)
{
	if (!*channel)
		return;
	ssh_remove_channel_callbacks(*channel, callbacks);
	ssh_channel_free(*channel);
	*channel = NULL;
}

void chan_free(struct chan *chan)
{
	chan_report(chan);
	chan_command_free(chan->command);
	chan_guard_free(chan->guard);
	recorder_free(chan->recorder);
	if (chan->start)
		ssh_message_free(chan->start);
	if (chan->leg->transport.session)
		release(&chan->client, &chan->client_callbacks);
	if (chan->leg->upstream && chan->leg->upstream->transport.session)
		release(&chan->backend, &chan->backend_callbacks);
	for (size_t i = 0; i < chan->env_count; i++) {
		free(chan->env[i].name);
		free(chan->env[i].value);
	}
	free(chan->env);
	free(chan->modes);
	free(chan->lost);
	stream_release(&chan->in);
	stream_release(&chan->out);
	stream_release(&chan->err);
	buf_release(&chan->last_words);
	buf_release(&chan->unsent_words);
	buf_release(&chan->answer);
	free(chan->term);
	free(chan->early_signal);
	free(chan->waits_for);
	free(chan->detail);
	free(chan->exit_signal);
	free(chan->exit_message);
	free(chan->exit_language);
	free(chan->end_reason);
	free(chan);
}

/* ---- words ---- */

static void add_words(struct chan *chan, const char *text)
{
	const char *eol = chan->pty ? "\r\n" : "\n";

	chan_wait_end(chan);
	if (chan->pty && chan->state >= CHAN_RELAY)
		buf_puts(&chan->last_words, "\r\n");
	buf_puts(&chan->last_words, "bartizan: ");
	text_visible(&chan->last_words, text, strlen(text), CHAN_TELL_MAX / 2);
	buf_puts(&chan->last_words, eol);
}

void chan_refuse(struct chan *chan, unsigned exit, const char *reason)
{
	if (chan->state >= CHAN_TELLING)
		return;
	add_words(chan, reason);
	if (chan->recorder)
		recorder_marker(chan->recorder, reason);
	if (!chan->end_reason)
		chan->end_reason = strdup(reason);
	if (chan->start)
		chan_answer_start(chan, true);
	chan->exited = chan->refused = true;
	chan->exit_status = exit;
	free(chan->exit_signal);
	chan->exit_signal = NULL;
	chan->in.discard = true;
	chan->leg->transport.touched = true;
	chan_set_state(chan, CHAN_TELLING);
}

void chan_notice(struct chan *chan, const char *text)
{
	/* shown when the channel has started, or with its refusal */
	if (chan->state < CHAN_RELAY) {
		chan_wait_note(chan, text);
		return;
	}
	if (chan->state != CHAN_RELAY || !chan->client ||
		ssh_channel_window_size(chan->client) < CHAN_TELL_MAX ||
		!transport_writable(&chan->leg->transport))
		return;
	BUF_CLEANUP struct buf line = BUF_INIT(CHAN_TELL_MAX);
	buf_puts(&line, chan->pty ? "\r\nbartizan: " : "bartizan: ");
	text_visible(&line, text, strlen(text), CHAN_TELL_MAX / 2);
	buf_puts(&line, chan->pty ? "\r\n" : "\n");
	struct conn *conn = chan->leg->conn;
	conn->depth++;
	transport_enter(&chan->leg->transport);
	ssh_channel_write_stderr(chan->client, buf_data(&line), (uint32_t)line.len);
	chan->leg->transport.touched = true;
	conn->depth--;
	if (chan->recorder)
		recorder_marker(chan->recorder, text);
}
