/* See server/session/chan_command.h. */
#include "server/session/chan_command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cast/cast.h"
#include "common/clock.h"
#include "common/fd.h"
#include "common/text.h"
#include "conf/yaml.h"
#include "server/session/chan.h"
#include "server/session/conn.h"

#define INPUT_MAX (IPC_TOKEN_MAX + 1) /* bytes of a command's input */

struct chan_command {
	struct chan *chan;
	struct buf out[2]; /* standard output and error, waiting for the client */
	struct player *player;
	int fd; /* the transcript being replayed; -1 */
	int64_t began_us, due_us;
	struct buf next;   /* the next piece of output, to be written at due_us; valid if fetched */
	bool fetched, raw; /* raw: a terminal's own bytes, not to be touched */
	bool told;	   /* IPC_COMMAND was sent to the broker */
	/* the command reads input (`login --token`); its input has ended */
	bool reads, input_ended;
	size_t input; /* bytes passed on */
	bool done;
	unsigned status;
};

/* ---- words ---- */

static int add_word(char ***list, size_t *count, struct buf *word)
{
	if (*count == COMMAND_WORDS_MAX)
		return -E2BIG;
	char **grown = realloc(*list, (*count + 2) * sizeof(**list));
	if (!grown)
		return -ENOMEM;
	*list = grown;
	const char *text = buf_cstr(word);
	grown[*count] = text ? strdup(text) : NULL;
	grown[*count + 1] = NULL;
	if (!grown[*count])
		return -ENOMEM;
	++*count;
	buf_clear(word);
	return 0;
}

int chan_command_words(const char *line, char ***ret)
{
	BUF_CLEANUP struct buf word = BUF_INIT(COMMAND_LINE_MAX + 1);
	char **list = calloc(1, sizeof(*list)), quote = 0;
	size_t count = 0;
	bool in_word = false;
	int rc = list ? 0 : -ENOMEM;

	for (const char *at = line; !rc && *at; at++) {
		bool blank = !quote && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r');
		if (blank) {
			rc = in_word ? add_word(&list, &count, &word) : 0;
			in_word = false;
			continue;
		}
		in_word = true;
		if (quote ? *at == quote : *at == '\'' || *at == '"')
			quote = quote ? 0 : *at;
		else if (*at == '\\' && quote != '\'' && at[1])
			rc = buf_putc(&word, (uint8_t) * ++at);
		else
			rc = buf_putc(&word, (uint8_t)*at);
	}
	if (!rc && quote)
		rc = -EINVAL;
	if (!rc && in_word)
		rc = add_word(&list, &count, &word);
	if (rc)
		text_list_free(list);
	else
		*ret = list;
	return rc;
}

/* ---- life ---- */

static void tell_broker(struct chan_command *command, char **words)
{
	struct chan *chan = command->chan;
	BUF_CLEANUP struct buf env = BUF_INIT(IPC_ENV_MAX);
	bool whole = !chan_env(chan, &env);
	struct msg_command msg = { .channel = chan->id,
		.argv = words,
		.terminal = chan->pty,
		.columns = chan->pty ? chan->columns : 0,
		.env = whole ? buf_bytes(&env) : (struct bytes){ NULL, 0 } };

	command->told = true;
	command->reads =
		words[0] && !strcmp(words[0], "login") && words[1] && !strcmp(words[1], "--token");
	conn_send(chan->leg->conn, IPC_COMMAND, &msg);
}

void chan_command_start(struct chan *chan, enum access_kind kind, const char *line)
{
	char **words = NULL;

	if (kind != ACCESS_EXEC && kind != ACCESS_SHELL) {
		chan_refuse(chan, EXIT_DENIED,
			"this is the gateway itself: name a target (ssh -J gw TARGET, or "
			"LOGIN@TARGET@gw)");
		return;
	}
	int rc = strlen(line) > COMMAND_LINE_MAX ? -E2BIG : chan_command_words(line, &words);
	struct chan_command *command = rc ? NULL : calloc(1, sizeof(*command));
	if (!command) {
		text_list_free(words);
		chan_refuse(chan, 2,
			rc == -EINVAL ? "a quote is left open" : "the command line is too long");
		return;
	}
	command->chan = chan;
	command->fd = -1;
	command->out[0] = command->out[1] = command->next = BUF_INIT(COMMAND_OUTPUT_MAX);
	chan->command = command;
	chan_answer_start(chan, true);
	chan_set_state(chan, CHAN_COMMAND);
	tell_broker(command, words);
	text_list_free(words);
}

void chan_command_free(struct chan_command *command)
{
	if (!command)
		return;
	struct msg_channel stop = { command->chan->id };
	if (command->told && !command->done)
		conn_send(command->chan->leg->conn, IPC_COMMAND_STOP, &stop);
	player_free(command->player);
	fd_closep(&command->fd);
	buf_release(&command->next);
	buf_release(&command->out[0]);
	buf_release(&command->out[1]);
	free(command);
}

/* ---- output ---- */

static int put(struct chan_command *command, uint32_t stream, const uint8_t *data, size_t len)
{
	struct buf *out = &command->out[stream == 2];

	if (!command->chan->pty || command->raw)
		return buf_put(out, data, len);
	int rc = 0; /* a terminal in raw mode wants CR LF */
	for (size_t i = 0; !rc && i < len; i++)
		rc = data[i] == '\n' ? buf_put(out, "\r\n", 2) : buf_putc(out, data[i]);
	return rc;
}

void chan_command_output(struct chan_command *command, uint32_t stream, struct bytes data)
{
	if (put(command, stream, data.data, data.len))
		chan_command_done(command, EXIT_GATEWAY);
}

void chan_command_done(struct chan_command *command, unsigned status)
{
	if (command->done)
		return;
	command->done = true;
	command->status = status;
}

void chan_command_play(struct chan_command *command, const struct msg_play *play, int fd)
{
	struct err err;
	struct player_options options = {
		.speed = play->speed_milli / 1000.0,
		.idle_us = play->idle_us,
		.from_us = play->from_us,
		.text = play->text,
	};

	if (command->player || fd < 0 || player_open(fd, &options, &command->player, &err)) {
		fd_closep(&fd);
		chan_command_done(command, EXIT_GATEWAY);
		return;
	}
	command->fd = fd;
	command->raw = !play->text;
	command->began_us = clock_mono_us();
}

/* Empty data marks the end of the input. One byte more than the longest token is passed on at most,
 * from which the broker sees that it is too long. */
static void pass_input(struct chan_command *command, const void *data, size_t len)
{
	size_t room = INPUT_MAX - command->input;
	struct msg_command_input msg = { command->chan->id, { data, len < room ? len : room } };

	if (command->done || command->input_ended || (len && !room))
		return;
	command->input_ended = !len;
	command->input += msg.data.len;
	conn_send(command->chan->leg->conn, IPC_COMMAND_INPUT, &msg);
}

int chan_command_input(struct chan *chan, const void *data, size_t len)
{
	struct chan_command *command = chan->command;

	if (command && memchr(data, 3, len)) /* Ctrl-C */
		chan_command_done(command, 130);
	for (size_t at = 0; command && command->reads && at < len; at += IPC_OUTPUT_MAX)
		pass_input(command, (const char *)data + at,
			len - at < IPC_OUTPUT_MAX ? len - at : IPC_OUTPUT_MAX);
	return (int)len;
}

/* Reads input that arrived before the command started: libssh keeps it, runs no further callback
 * for it, and reports no EOF before it is read. */
static void take_early(struct chan *chan)
{
	uint8_t data[4096];

	if (!chan->in.unread)
		return;
	chan->in.unread = false;
	transport_enter(&chan->leg->transport);
	for (int n; (n = ssh_channel_read_nonblocking(chan->client, data, sizeof(data), 0)) > 0;)
		chan_command_input(chan, data, (size_t)n);
	chan->leg->transport.touched = true;
}

static bool fetch(struct chan_command *command)
{
	struct err err;
	struct bytes bytes;
	int rc = player_next(command->player, &command->due_us, &bytes, &err);

	buf_clear(&command->next);
	if (rc > 0 && buf_put(&command->next, bytes.data, bytes.len))
		rc = -ENOMEM;
	if (rc <= 0)
		chan_command_done(command, rc ? 1 : 0);
	command->fetched = rc > 0;
	return command->fetched;
}

/* The pieces of a replay whose time has come; never ahead of a slow reader. */
static void play_turn(struct chan_command *command)
{
	while (command->player && !command->done && !command->out[0].len &&
		(command->fetched || fetch(command))) {
		if (clock_mono_us() - command->began_us < command->due_us)
			return;
		if (put(command, 1, buf_data(&command->next), command->next.len))
			chan_command_done(command, EXIT_GATEWAY);
		command->fetched = false;
	}
}

static void write_out(struct chan_command *command, int which)
{
	struct chan *chan = command->chan;
	struct buf *out = &command->out[which];

	while (out->len && transport_writable(&chan->leg->transport) &&
		ssh_channel_window_size(chan->client)) {
		int n = which ? ssh_channel_write_stderr(
					chan->client, buf_data(out), (uint32_t)out->len)
			      : ssh_channel_write(chan->client, buf_data(out), (uint32_t)out->len);
		chan->leg->transport.touched = true;
		if (n <= 0)
			return;
		buf_consume(out, (size_t)n);
	}
}

void chan_command_turn(struct chan *chan)
{
	struct chan_command *command = chan->command;

	chan->leg->last_active = chan->leg->conn->now;
	play_turn(command);
	chan->leg->conn->depth++;
	take_early(chan);
	chan->leg->conn->depth--;
	if (command->reads && (ssh_channel_is_eof(chan->client) || chan->client_closed))
		pass_input(command, "", 0);
	chan->leg->conn->depth++;
	transport_enter(&chan->leg->transport);
	write_out(command, 0);
	write_out(command, 1);
	chan->leg->conn->depth--;
	if (chan->client_closed || transport_dead(&chan->leg->transport)) {
		chan_set_state(chan, CHAN_CLOSING);
	} else if (command->done && !command->out[0].len && !command->out[1].len) {
		chan->exited = true;
		chan->exit_status = command->status;
		chan_set_state(chan, CHAN_CLOSING);
	}
}

int64_t chan_command_due(const struct chan_command *command)
{
	if (!command->player || command->done || !command->fetched || command->out[0].len)
		return INT64_MAX;
	return (command->began_us + command->due_us) / 1000 + 1;
}
