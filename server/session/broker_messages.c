/* Messages from the broker to a session process: one table. A message that is malformed or unknown
 * ends this process, as the broker kills a session that sends it nonsense. See conn.h. */
#include <errno.h>
#include <string.h>

#include "common/fd.h"
#include "common/log.h"
#include "server/session/chan.h"
#include "server/session/chan_command.h"
#include "server/session/chan_lines.h"
#include "server/session/conn.h"
#include "server/session/upstream.h"

#define TURN_MESSAGES 64 /* handled before the clients have a turn again */

/* Takes descriptor i of a message: whoever takes it owns it. */
static int take(struct ipc_raw *raw, size_t i)
{
	int fd = i < raw->fd_count ? raw->fds[i] : -1;

	if (i < raw->fd_count)
		raw->fds[i] = -1;
	return fd;
}

static void on_auth(struct conn *conn, void *msg, struct ipc_raw *raw)
{
	(void)raw;
	if (conn->legs && conn->legs->outer)
		leg_auth_answer(conn->legs, msg);
}

static void on_login_prompt(struct conn *conn, void *msg, struct ipc_raw *raw)
{
	(void)raw;
	if (conn->legs && conn->legs->outer)
		leg_login_prompt(conn->legs, msg);
}

static void on_wait(struct conn *conn, void *msg, struct ipc_raw *raw)
{
	const struct msg_wait *wait = msg;
	struct chan *chan = conn_channel(conn, wait->channel);

	(void)raw;
	if (chan)
		chan_wait_show(chan, wait->text, wait->status);
}

static void on_ask(struct conn *conn, void *msg, struct ipc_raw *raw)
{
	const struct msg_ask *ask = msg;
	struct chan *chan = conn_channel(conn, ask->channel);

	(void)raw;
	if (chan)
		chan_question(chan, ask->prompt, ask->max);
}

static void on_line_verdict(struct conn *conn, void *msg, struct ipc_raw *raw)
{
	const struct msg_line_verdict *verdict = msg;
	struct chan *chan = conn_channel(conn, verdict->channel);

	(void)raw;
	if (chan && chan->guard)
		chan_guard_verdict(chan->guard, verdict);
}

static void on_leg(struct conn *conn, void *msg, struct ipc_raw *raw)
{
	const struct msg_leg_answer *answer = msg;
	struct leg *leg = conn_leg(conn, answer->leg);

	(void)raw;
	if (leg)
		leg_named(leg, answer);
}

static void on_decision(struct conn *conn, void *msg, struct ipc_raw *raw)
{
	const struct msg_decision *decision = msg;
	struct chan *chan = conn_channel(conn, decision->channel);
	int fd = take(raw, 0);

	if (chan)
		chan_decided(chan, decision, fd);
	else
		fd_closep(&fd);
}

static void on_grant(struct conn *conn, void *msg, struct ipc_raw *raw)
{
	struct msg_grant *grant = msg;
	struct leg *leg = conn_leg(conn, grant->leg);
	int socket = take(raw, 0), agent = take(raw, 1);

	if (leg && !leg->upstream)
		leg->upstream = upstream_new(leg);
	if (leg && leg->upstream) {
		upstream_grant(leg->upstream, grant, socket, agent);
	} else {
		fd_closep(&socket);
		fd_closep(&agent);
	}
	if (grant->secret.data)
		memset((void *)grant->secret.data, 0, grant->secret.len);
}

static void on_notice(struct conn *conn, void *msg, struct ipc_raw *raw)
{
	const struct msg_notice *notice = msg;

	(void)raw;
	for (struct leg *leg = conn->legs; leg; leg = leg->next)
		if (notice->leg == IPC_LEG_ALL || leg->id == notice->leg)
			leg_notice(leg, notice->text);
}

static void on_end(struct conn *conn, void *msg, struct ipc_raw *raw)
{
	const struct msg_end *end = msg;
	struct leg *leg = end->leg == IPC_LEG_ALL ? NULL : conn_leg(conn, end->leg);

	(void)raw;
	if (end->leg == IPC_LEG_ALL)
		conn_end(conn, end->exit, end->reason);
	else if (leg)
		leg_end(leg, end->exit, end->reason);
}

static void on_output(struct conn *conn, void *msg, struct ipc_raw *raw)
{
	const struct msg_output *output = msg;
	struct chan *chan = conn_channel(conn, output->channel);

	(void)raw;
	if (chan && chan->command)
		chan_command_output(chan->command, output->stream, output->data);
}

static void on_play(struct conn *conn, void *msg, struct ipc_raw *raw)
{
	const struct msg_play *play = msg;
	struct chan *chan = conn_channel(conn, play->channel);
	int fd = take(raw, 0);

	if (chan && chan->command)
		chan_command_play(chan->command, play, fd);
	else
		fd_closep(&fd);
}

static void on_exit(struct conn *conn, void *msg, struct ipc_raw *raw)
{
	const struct msg_command_exit *done = msg;
	struct chan *chan = conn_channel(conn, done->channel);

	(void)raw;
	if (chan && chan->command)
		chan_command_done(chan->command, done->status);
}

static const struct {
	enum ipc_type type;
	void (*handler)(struct conn *conn, void *msg, struct ipc_raw *raw);
} table[] = {
	{ IPC_LINE_VERDICT, on_line_verdict },
	{ IPC_LOGIN_PROMPT, on_login_prompt },
	{ IPC_WAIT, on_wait },
	{ IPC_ASK, on_ask },
	{ IPC_AUTH_ANSWER, on_auth },
	{ IPC_LEG_ANSWER, on_leg },
	{ IPC_DECISION, on_decision },
	{ IPC_GRANT, on_grant },
	{ IPC_NOTICE, on_notice },
	{ IPC_END, on_end },
	{ IPC_OUTPUT, on_output },
	{ IPC_PLAY, on_play },
	{ IPC_COMMAND_EXIT, on_exit },
};

static bool handle(struct conn *conn, struct ipc_raw *raw)
{
	struct err err;
	union {
		char bytes[IPC_STRUCT_MAX];
		uint64_t aligned;
	} msg;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (table[i].type != raw->type)
			continue;
		if (raw->fd_count > ipc_msg_fds_max(table[i].type) ||
			ipc_msg_decode(table[i].type, raw->body, &msg, &err))
			break;
		table[i].handler(conn, &msg, raw);
		ipc_msg_free(table[i].type, &msg);
		return true;
	}
	log_error("message '%s' from the broker is unknown or malformed", ipc_msg_name(raw->type));
	return false;
}

bool session_link_turn(struct conn *conn)
{
	if (ipc_flush(conn->broker))
		return false;
	for (int i = 0; i < TURN_MESSAGES; i++) {
		struct ipc_raw raw;
		int rc = ipc_recv(conn->broker, &raw);
		if (rc <= 0)
			return rc == 0;
		bool ok = handle(conn, &raw);
		ipc_raw_close(&raw);
		if (!ok)
			return false;
	}
	return true;
}
