/* See server/session/chan_lines.h. */
#include "server/session/chan_lines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/text.h"
#include "common/wire.h"
#include "lineguard/lineguard.h"
#include "server/relay/recorder.h"
#include "server/session/chan.h"
#include "server/session/conn.h"

#define SHOWN_MAX (64 * 1024) /* the guard's own output, waiting for the client's window */

struct chan_guard {
	struct chan *chan;
	struct lineguard *lines;
	struct buf shown;
	uint32_t line; /* number of the line that is judged */
	bool asked;    /* the broker was asked about the line and has not given its final answer */
};

/* ---- called by lineguard; may not call it again, so bytes only go into buffers ---- */

static void on_forward(void *context, const uint8_t *data, size_t len)
{
	struct chan_guard *guard = context;

	if (buf_put(&guard->chan->in.pending, data, len))
		/* more than lineguard ever holds: the next turn ends the channel */
		guard->chan->in.overflow = true;
}

static void on_show(void *context, const uint8_t *data, size_t len)
{
	struct chan_guard *guard = context;

	buf_put(&guard->shown, data, len);
}

/* Packs the candidates unchanged. False when they do not fit: the line is then reported as blind,
 * so that nobody takes a part for the whole. */
static bool pack(const struct line *line, struct buf *out)
{
	for (size_t i = 0; i < line->count; i++) {
		size_t before = out->len;
		if (!wire_put_u8(out, line->texts[i].joined) &&
			!wire_put_bytes(out, line->texts[i].text))
			continue;
		out->len = before; /* no half text in the message */
		return false;
	}
	return true;
}

static enum line_verdict on_judge(
	void *context, const struct line *line, struct line_answer *answer)
{
	struct chan_guard *guard = context;
	struct chan *chan = guard->chan;
	BUF_CLEANUP struct buf texts = BUF_INIT(IPC_LINE_TEXTS_MAX);
	bool whole = pack(line, &texts);
	struct msg_line msg = {
		.leg = chan->leg->id,
		.channel = chan->id,
		.line = ++guard->line,
		.confidence = whole ? line->confidence : LINE_BLIND,
		.why = (char *)(whole ? line->why : "the line is too long"),
		.full_screen = line->full_screen,
		.hidden = line->hidden,
		.continues = line->continues,
		.texts = buf_bytes(&texts),
	};

	answer->notice[0] = 0;
	guard->asked = true;
	conn_send(chan->leg->conn, IPC_LINE, &msg);
	return LINE_HOLD; /* the broker answers within milliseconds, or after a human */
}

static void report(struct chan_guard *guard, const char *end, const char *confidence,
	const char *why, struct bytes text, int64_t took_us)
{
	struct msg_line_end msg = {
		.leg = guard->chan->leg->id,
		.channel = guard->chan->id,
		.line = guard->line,
		.end = (char *)end,
		.confidence = (char *)confidence,
		.why = (char *)why,
		.text = { text.data, text.len < IPC_TEXT_MAX ? text.len : IPC_TEXT_MAX },
		.took_us = took_us,
	};

	conn_send(guard->chan->leg->conn, IPC_LINE_END, &msg);
}

static void on_note(void *context, const struct line *line, enum line_end end, int64_t took_us)
{
	struct chan_guard *guard = context;
	struct bytes text = line->count ? line->texts[0].text : (struct bytes){ NULL, 0 };
	char clean[512], label[640];

	guard->asked = false;
	snprintf(label, sizeof(label), "command (%s, %s): %s",
		line_confidence_name(line->confidence), line_end_name(end),
		end == LINE_HIDDEN ? "" : text_clean(clean, sizeof(clean), text.data, text.len));
	if (guard->chan->recorder)
		recorder_marker(guard->chan->recorder, label);
	report(guard, line_end_name(end), line_confidence_name(line->confidence), line->why,
		end == LINE_HIDDEN ? (struct bytes){ NULL, 0 } : text, took_us);
}

static void on_failed(void *context, const char *why)
{
	struct chan_guard *guard = context;

	report(guard, "failed", "blind", why, (struct bytes){ NULL, 0 }, 0);
	if (guard->chan->recorder)
		recorder_marker(guard->chan->recorder,
			"the analyser of the guard failed: lines are no longer judged");
}

static const struct lineguard_callbacks callbacks = { on_forward, on_show, on_judge, on_note,
	on_failed };

/* ---- what the channel calls ---- */

static void filter(void *owner, const uint8_t *data, size_t len)
{
	struct chan *chan = owner;
	lineguard_input(chan->guard->lines, clock_mono_us(), data, len);
}

struct chan_guard *chan_guard_new(struct chan *chan)
{
	struct chan_guard *guard = calloc(1, sizeof(*guard));

	if (!guard)
		return NULL;
	const struct lineguard_options options = {
		.columns = chan->pty ? chan->columns : 80,
		.rows = chan->pty ? chan->rows : 24,
		.callbacks = &callbacks,
		.context = guard,
	};
	guard->chan = chan;
	guard->shown = BUF_INIT(SHOWN_MAX);
	guard->lines = lineguard_new(&options);
	if (!guard->lines) {
		free(guard);
		return NULL;
	}
	chan->in.ops.filter = filter;
	return guard;
}

void chan_guard_free(struct chan_guard *guard)
{
	if (!guard)
		return;
	lineguard_free(guard->lines);
	buf_release(&guard->shown);
	free(guard);
}

void chan_guard_output(struct chan_guard *guard, const void *data, size_t len)
{
	lineguard_output(guard->lines, clock_mono_us(), data, len);
}

void chan_guard_resize(struct chan_guard *guard)
{
	lineguard_resize(guard->lines, clock_mono_us(), guard->chan->columns, guard->chan->rows);
}

static void write_shown(struct chan_guard *guard)
{
	struct chan *chan = guard->chan;
	struct transport *client = &chan->leg->transport;

	chan->leg->conn->depth++;
	transport_enter(client);
	while (guard->shown.len && transport_writable(client) &&
		ssh_channel_window_size(chan->client)) {
		int n = ssh_channel_write(
			chan->client, buf_data(&guard->shown), (uint32_t)guard->shown.len);
		client->touched = true;
		if (n <= 0)
			break;
		if (chan->recorder)
			recorder_tap(chan->recorder, 'o', buf_data(&guard->shown), (size_t)n);
		buf_consume(&guard->shown, (size_t)n);
	}
	chan->leg->conn->depth--;
}

void chan_guard_turn(struct chan_guard *guard)
{
	int64_t now = clock_mono_us();

	if (lineguard_due(guard->lines) <= now)
		lineguard_turn(guard->lines, now);
	if (guard->shown.len)
		write_shown(guard);
}

int64_t chan_guard_due(const struct chan_guard *guard)
{
	int64_t due = lineguard_due(guard->lines);

	return due == LINEGUARD_NEVER ? INT64_MAX : due / 1000 + 1;
}

void chan_guard_verdict(struct chan_guard *guard, const struct msg_line_verdict *verdict)
{
	if (!guard->asked || verdict->line != guard->line || verdict->verdict > LINE_DENY)
		return;
	if (lineguard_waiting(guard->lines))
		lineguard_answer(guard->lines, clock_mono_us(), (enum line_verdict)verdict->verdict,
			verdict->notice);
}
