/* Relaying, and the end: drain, exit status or signal, EOF, close until it is sent, the peer's
 * close awaited (RFC 4254 sections 5.3 and 6.10). See chan.h. */
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "common/wire.h"
#include "server/libssh/packets.h"
#include "server/relay/recorder.h"
#include "server/session/chan.h"
#include "server/session/chan_command.h"
#include "server/session/chan_lines.h"
#include "server/session/conn.h"
#include "server/session/upstream.h"

/* Nothing of the output is wanted any more, what is on its way is thrown away; standard error goes
 * on (PROTOCOL section 2.1). */
static void pass_end_of_write(struct chan *chan)
{
	packets_channel_request(
		chan->backend, "eow@openssh.com", (struct bytes){ (const uint8_t *)"", 0 });
	chan->out.discard = chan->out.unread = true;
}

static void pass_break(struct chan *chan)
{
	BUF_CLEANUP struct buf length = BUF_INIT(16);

	if (!wire_put_u32(&length, chan->break_ms))
		packets_channel_request(chan->backend, "break", buf_bytes(&length));
}

/* window-change and signal need no answer and pass at once; a pending request of libssh would
 * swallow them, but after the start there is none. */
static void pass_requests(struct chan *chan)
{
	struct transport *upstream = &chan->leg->upstream->transport;

	if (!chan->resized && !chan->early_signal && !chan->end_of_write && !chan->breaks)
		return;
	transport_enter(upstream);
	upstream->touched = true;
	if (chan->resized)
		ssh_channel_change_pty_size(chan->backend, (int)chan->columns, (int)chan->rows);
	if (chan->early_signal)
		ssh_channel_request_send_signal(chan->backend, chan->early_signal);
	if (chan->end_of_write)
		pass_end_of_write(chan);
	if (chan->breaks)
		pass_break(chan);
	chan->resized = chan->breaks = chan->end_of_write = false;
	free(chan->early_signal);
	chan->early_signal = NULL;
}

static void pass_eof(struct chan *chan)
{
	if (!chan->in_eof && !chan->backend_closed &&
		(stream_ended(&chan->in) || chan->client_closed)) {
		transport_enter(&chan->leg->upstream->transport);
		if (ssh_channel_send_eof(chan->backend) != SSH_AGAIN)
			chan->in_eof = true;
		chan->leg->upstream->transport.touched = true;
	}
	if (!chan->out_eof && stream_ended(&chan->out) && stream_ended(&chan->err)) {
		transport_enter(&chan->leg->transport);
		if (ssh_channel_send_eof(chan->client) != SSH_AGAIN)
			chan->out_eof = true;
		chan->leg->transport.touched = true;
	}
}

static bool failed(struct chan *chan)
{
	int rc = chan->recorder ? recorder_failed(chan->recorder) : 0;

	if (rc) {
		conn_event(chan->leg->conn, chan->leg, "transcript-failed", "%s", strerror(-rc));
		chan_refuse(chan, EXIT_GATEWAY,
			"the transcript cannot be written, and policy requires one: the session "
			"ends");
	} else if (chan->in.overflow || chan->out.overflow || chan->err.overflow) {
		conn_event(chan->leg->conn, chan->leg, "limit-reached",
			"more bytes than the window allows");
		chan_refuse(chan, EXIT_GATEWAY, "the other side sends more than its window allows");
	} else if (!chan->backend_closed && transport_dead(&chan->leg->upstream->transport)) {
		chan->backend_closed = true;
		if (!chan->exited)
			chan->lost = upstream_loss(chan->leg->upstream);
	}
	if (chan->lost && stream_drained(&chan->out) && stream_drained(&chan->err))
		chan_refuse(chan, EXIT_UNREACHABLE, chan->lost);
	return chan->state != CHAN_RELAY;
}

void chan_relay_turn(struct chan *chan)
{
	struct conn *conn = chan->leg->conn;

	if (failed(chan))
		return;
	if (chan->guard)
		chan_guard_turn(chan->guard);
	stream_turn(&chan->in);
	stream_turn(&chan->out);
	stream_turn(&chan->err);
	conn->depth++;
	if (!chan->backend_closed)
		pass_requests(chan);
	pass_eof(chan);
	conn->depth--;
	bool backend_done =
		chan->backend_closed && stream_drained(&chan->out) && stream_drained(&chan->err);
	bool client_gone =
		chan->client_closed || chan->out.broken || transport_dead(&chan->leg->transport);
	if (backend_done || client_gone)
		chan_set_state(chan, CHAN_CLOSING);
}

void chan_tell_turn(struct chan *chan)
{
	struct conn *conn = chan->leg->conn;

	conn->depth++;
	transport_enter(&chan->leg->transport);
	while (chan->last_words.len && transport_writable(&chan->leg->transport) &&
		ssh_channel_window_size(chan->client)) {
		int n = ssh_channel_write_stderr(
			chan->client, buf_data(&chan->last_words), (uint32_t)chan->last_words.len);
		chan->leg->transport.touched = true;
		if (n <= 0)
			break;
		buf_consume(&chan->last_words, (size_t)n);
	}
	conn->depth--;
	if (!chan->last_words.len || chan->client_closed || transport_dead(&chan->leg->transport))
		chan_set_state(chan, CHAN_CLOSING);
}

static void send_exit(struct chan *chan)
{
	if (chan->exit_sent || !chan->exited)
		return;
	if (chan->exit_signal)
		ssh_channel_request_send_exit_signal(chan->client, chan->exit_signal,
			chan->exit_core, chan->exit_message, chan->exit_language);
	else
		ssh_channel_request_send_exit_status(chan->client, (int)chan->exit_status);
	chan->exit_sent = true;
}

/* The end came while the backend's channel was being opened: it has to be open before it can be
 * closed. */
static bool settle_open(struct chan *chan)
{
	struct upstream *upstream = chan->leg->upstream;

	if (!chan->backend_opening || transport_dead(&upstream->transport))
		return true;
	transport_enter(&upstream->transport);
	return chan_open_backend(chan) != SSH_AGAIN;
}

/* SSH_AGAIN means that EOF is still on its way out and CLOSE was *not* sent: come back when the
 * socket takes more. */
static bool close_one(ssh_channel channel, struct transport *transport, bool *sent)
{
	if (*sent || !channel || transport_dead(transport))
		return true;
	transport_enter(transport);
	*sent = ssh_channel_close(channel) != SSH_AGAIN;
	transport->touched |= *sent;
	return *sent;
}

/* A client may close as soon as it has EOF both ways (OpenSSH does, for a session of a
 * ControlMaster), while the program still runs. It must get the exit status all the same; only the
 * backend's own CLOSE says that there will be none. */
static bool exit_owed(const struct chan *chan)
{
	const struct upstream *upstream = chan->leg->upstream;

	return chan->backend_open && !chan->backend_closed && !chan->refused && upstream &&
	       !transport_dead(&upstream->transport);
}

void chan_close_turn(struct chan *chan)
{
	struct conn *conn = chan->leg->conn;
	struct transport *client = &chan->leg->transport;

	chan->in.discard = chan->out.discard = chan->err.discard = true;
	stream_turn(&chan->in);
	stream_turn(&chan->out);
	stream_turn(&chan->err);
	conn->depth++;
	bool sent = true;
	if (!settle_open(chan))
		sent = false;
	else if (chan->backend_open && chan->leg->upstream)
		sent = close_one(
			chan->backend, &chan->leg->upstream->transport, &chan->backend_close_sent);
	if (!transport_dead(client) && exit_owed(chan)) {
		conn->depth--;
		return;
	}
	if (!transport_dead(client)) {
		transport_enter(client);
		send_exit(chan);
	}
	sent = close_one(chan->client, client, &chan->client_close_sent) && sent;
	conn->depth--;
	if (!chan->deadline)
		chan->deadline = conn->now + CHAN_CLOSE_MS;
	if (transport_dead(client) || (sent && chan->client_closed) || conn->now >= chan->deadline)
		chan_set_state(chan, CHAN_DONE);
}

void chan_report(struct chan *chan)
{
	if (chan->leg->naming == LEG_NAMELESS || !chan->detail)
		return;
	/* the transcript must be complete before the broker seals it */
	recorder_free(chan->recorder);
	chan->recorder = NULL;
	struct msg_channel_end msg = {
		.leg = chan->leg->id,
		.channel = chan->id,
		.exit_status = chan->exited && !chan->exit_signal ? chan->exit_status : -1,
		.exit_signal = chan->exit_signal,
		.bytes_in = chan->in.bytes,
		.bytes_out = chan->out.bytes,
		.bytes_err = chan->err.bytes,
		.reason = chan->end_reason,
	};
	conn_send(chan->leg->conn, IPC_CHANNEL_END, &msg);
	free(chan->detail);
	chan->detail = NULL;
}
