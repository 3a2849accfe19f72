/* A channel that waits for a human: what its user sees on stderr, the questions asked there,
 * Ctrl-C. See chan.h.
 *
 * Text goes to stderr only, so that stdout of scp and friends stays clean. On a terminal the client
 * is in raw mode already: our lines end with CR LF, the status line is rewritten in place, and what
 * is typed is bytes of the channel, of which only Ctrl-C and the answer to an open question are
 * read here; all else stays in libssh for the program. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "server/session/chan.h"
#include "server/session/conn.h"

#define CTRL_C 3
#define CTRL_U 21
#define BACKSPACE 8
#define DEL 127

static void put(struct chan *chan, const char *text)
{
	buf_puts(&chan->unsent_words, text);
}

static void put_clean(struct chan *chan, const char *text, size_t len)
{
	text_visible(&chan->unsent_words, text, len, CHAN_TELL_MAX / 2);
}

static void clear_status(struct chan *chan)
{
	if (chan->status_shown)
		put(chan, "\r\x1b[K");
	chan->status_shown = false;
}

static void put_lines(struct chan *chan, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		put(chan, "bartizan: ");
		put_clean(chan, text, len);
		put(chan, chan->pty ? "\r\n" : "\n");
		text += len + (text[len] == '\n');
	}
}

void chan_wait_note(struct chan *chan, const char *text)
{
	put_lines(chan, text);
}

/* Cut to the terminal's width: a line that wraps cannot be rewritten in place. */
static void put_status(struct chan *chan, const char *text, const char *status)
{
	static const char name[] = "bartizan: ";

	put_lines(chan, text);
	if (!*status || chan->asking || chan->columns <= sizeof(name))
		return;
	put(chan, name);
	put_clean(chan, status, strnlen(status, chan->columns - sizeof(name)));
	chan->status_shown = true;
}

/* Without a terminal: one line of text and its status make one line; a status alone is for
 * terminals. */
static void put_once(struct chan *chan, const char *text, const char *status)
{
	char all[CHAN_TELL_MAX];
	const char *between = strchr(text, '\n') ? "\n" : "; ";

	snprintf(all, sizeof(all), "%s%s%s", text, *status ? between : "", status);
	if (*text)
		put_lines(chan, all);
}

void chan_wait_show(struct chan *chan, const char *text, const char *status)
{
	if (chan->state != CHAN_ASKED)
		return;
	clear_status(chan);
	chan->leg->last_active = chan->leg->conn->now; /* a waiting user is not idle */
	if (*status && *text) {
		free(chan->waits_for);
		chan->waits_for = strndup(text, strcspn(text, "\n"));
	}
	if (chan->pty)
		put_status(chan, text, status);
	else
		put_once(chan, text, status);
	chan_wait_turn(chan);
}

static void answered(struct chan *chan, bool given)
{
	struct msg_ask_answer msg = {
		.leg = chan->leg->id,
		.channel = chan->id,
		.given = given,
		.text = buf_bytes(&chan->answer),
	};

	chan->asking = false;
	conn_send(chan->leg->conn, IPC_ASK_ANSWER, &msg);
	buf_clear(&chan->answer);
}

void chan_question(struct chan *chan, const char *prompt, size_t max)
{
	if (chan->state != CHAN_ASKED)
		return;
	clear_status(chan);
	buf_clear(&chan->answer);
	chan->answer_max = max < CHAN_ANSWER_MAX ? max : CHAN_ANSWER_MAX;
	if (!chan->pty) {
		answered(chan, false);
		return;
	}
	chan->asking = true;
	chan->in.unread = true; /* something may have been typed ahead */
	put(chan, "bartizan: ");
	put_clean(chan, prompt, strlen(prompt));
	put(chan, " ");
	chan_wait_turn(chan);
}

static void erase(struct chan *chan)
{
	while (chan->answer.len) { /* a whole UTF-8 character */
		uint8_t last = buf_data(&chan->answer)[--chan->answer.len];
		if ((last & 0xc0) != 0x80)
			break;
	}
	put(chan, "\b \b");
}

static void type(struct chan *chan, char c)
{
	if (c == '\r' || c == '\n') {
		put(chan, "\r\n");
		answered(chan, true);
	} else if ((c == BACKSPACE || c == DEL) && chan->answer.len) {
		erase(chan);
	} else if (c == CTRL_U) {
		while (chan->answer.len)
			erase(chan);
	} else if ((unsigned char)c >= ' ' && c != DEL && chan->answer.len < chan->answer_max &&
		   !buf_putc(&chan->answer, (uint8_t)c)) {
		buf_putc(&chan->unsent_words, (uint8_t)c);
	}
}

static void cancel(struct chan *chan)
{
	struct msg_access_cancel msg = { chan->leg->id, chan->id };

	if (chan->asking)
		answered(chan, false);
	conn_send(chan->leg->conn, IPC_ACCESS_CANCEL, &msg);
	chan_refuse(chan, 130, "cancelled");
}

int chan_wait_input(struct chan *chan, const char *data, size_t len)
{
	if (chan->pty && memchr(data, CTRL_C, len)) {
		cancel(chan);
		return (int)len;
	}
	if (!chan->asking)
		return 0;
	for (size_t i = 0; i < len && chan->asking; i++)
		type(chan, data[i]);
	return (int)len;
}

static void flush(struct chan *chan)
{
	struct conn *conn = chan->leg->conn;
	struct transport *client = &chan->leg->transport;

	conn->depth++;
	transport_enter(client);
	while (chan->unsent_words.len && transport_writable(client) &&
		ssh_channel_window_size(chan->client)) {
		int n = ssh_channel_write_stderr(chan->client, buf_data(&chan->unsent_words),
			(uint32_t)chan->unsent_words.len);
		client->touched = true;
		if (n <= 0)
			break;
		buf_consume(&chan->unsent_words, (size_t)n);
	}
	conn->depth--;
}

bool chan_wait_lost(struct chan *chan, const char *reason)
{
	char words[CHAN_ANSWER_MAX];

	if (chan->state != CHAN_ASKED || !chan->waits_for)
		return false;
	snprintf(words, sizeof(words), "%s; it stays: run the same command again (%s)",
		chan->waits_for, reason);
	chan_refuse(chan, EXIT_WAIT, words);
	return true;
}

void chan_wait_end(struct chan *chan)
{
	clear_status(chan);
	if (chan->asking)
		put(chan, "\r\n");
	chan->asking = false;
	if (!chan->unsent_words.len || chan->client_closed || transport_dead(&chan->leg->transport))
		return;
	flush(chan);
	buf_put(&chan->last_words, buf_data(&chan->unsent_words),
		/* the window is full: if the channel ends, these lines go first */
		chan->unsent_words.len);
	buf_clear(&chan->unsent_words);
}

void chan_wait_turn(struct chan *chan)
{
	if (chan->client_closed || transport_dead(&chan->leg->transport))
		chan_set_state(chan, CHAN_CLOSING);
	else
		flush(chan);
}
