/* The client's requests on a channel (RFC 4254 section 6), and the broker's answer to the one that
 * starts it. See chan.h. */
/* The message getters are used although deprecated: callbacks would have to answer at once, and
 * requests are kept here until the broker has decided. */
#define SSH_SUPPRESS_DEPRECATED
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/env_block.h"
#include "common/fd.h"
#include "common/text.h"
#include "common/wire.h"
#include "keys/sshcert.h"
#include "server/libssh/packets.h"
#include "server/relay/recorder.h"
#include "server/session/chan.h"
#include "server/session/chan_command.h"
#include "server/session/chan_lines.h"
#include "server/session/conn.h"
#include "server/session/upstream.h"

#define ENV_NAMES_SHOWN 512 /* bytes of the names that were not passed on */
#define ORIGINAL_COMMAND "SSH_ORIGINAL_COMMAND"
#define SIZE_MAX_CELLS 10000 /* a terminal is not larger in either direction */

static unsigned cells(int value, unsigned fallback)
{
	if (value <= 0)
		return fallback;
	return value > SIZE_MAX_CELLS ? SIZE_MAX_CELLS : (unsigned)value;
}

/* For session.json: the request as the client sent it. The broker limits and cleans it. */
static void note(struct chan *chan, const char *what, const char *detail)
{
	struct msg_request msg = {
		.leg = chan->leg->id, .channel = chan->id, .what = (char *)what
	};
	size_t len = strlen(detail);

	msg.detail =
		(struct bytes){ (const uint8_t *)detail, len < IPC_TEXT_MAX ? len : IPC_TEXT_MAX };
	conn_send(chan->leg->conn, IPC_REQUEST, &msg);
}

/* The erase character, echo, IUTF8 and the rest of them: passed on as they came (RFC 4254 section
 * 8). */
static void keep_modes(struct chan *chan, struct bytes modes)
{
	if (!modes.len || modes.len > CHAN_MODES_MAX)
		return;
	chan->modes = (uint8_t *)text_dup(modes.data, modes.len);
	chan->modes_len = chan->modes ? modes.len : 0;
}

static bool on_pty(struct chan *chan, ssh_message message)
{
	const char *term = ssh_message_channel_request_pty_term(message);

	if (chan->state != CHAN_NEW || chan->pty || !term || strlen(term) > 255)
		return false;
	if (!(chan->leg->conn->rights & SSHCERT_PTY)) {
		conn_event(chan->leg->conn, chan->leg, "request-refused",
			"pty-req: the certificate does not permit a terminal");
		return false;
	}
	chan->term = strdup(term);
	chan->columns = cells(ssh_message_channel_request_pty_width(message), 80);
	chan->rows = cells(ssh_message_channel_request_pty_height(message), 24);
	keep_modes(chan, packets_pty_modes(message));
	chan->pty = chan->term != NULL;
	return chan->pty;
}

/* What has no room is refused, and said once: a program that needs it would fail without a word. */
static void env_full(struct chan *chan)
{
	char words[128];

	snprintf(words, sizeof(words),
		"the environment is larger than %d variables or %d bytes: the rest is not passed "
		"on",
		CHAN_ENV_MAX, IPC_ENV_MAX);
	conn_event(chan->leg->conn, chan->leg, "limit-reached", "%s", words);
	chan_notice(chan, words);
}

static bool env_add(struct chan *chan, const char *name, const char *value)
{
	size_t size = strlen(name) + strlen(value) + CHAN_ENV_COST;

	if (chan->env_count == CHAN_ENV_MAX || chan->env_bytes + size > IPC_ENV_MAX) {
		if (!chan->env_refused)
			env_full(chan);
		chan->env_refused = true;
		return false;
	}
	struct chan_env *all = reallocarray(chan->env, chan->env_count + 1, sizeof(*all));
	struct chan_env env = { strdup(name), strdup(value) };
	if (all)
		chan->env = all;
	if (!all || !env.name || !env.value) {
		free(env.name);
		free(env.value);
		return false;
	}
	chan->env[chan->env_count++] = env;
	chan->env_bytes += size;
	return true;
}

static bool on_env(struct chan *chan, ssh_message message)
{
	const char *name = ssh_message_channel_request_env_name(message),
		   *value = ssh_message_channel_request_env_value(message);

	if (chan->state != CHAN_NEW || !name || !value || !*name || strchr(name, '='))
		return false;
	/* where a command is forced, that variable is ours: it holds what was asked for instead */
	if (chan->leg->conn->force_command && !strcmp(name, ORIGINAL_COMMAND))
		return false;
	return env_add(chan, name, value);
}

static bool on_window(struct chan *chan, ssh_message message)
{
	if (!chan->pty || chan->state >= CHAN_COMMAND)
		return false;
	chan->columns = cells(ssh_message_channel_request_pty_width(message), chan->columns);
	chan->rows = cells(ssh_message_channel_request_pty_height(message), chan->rows);
	chan->resized = true;
	if (chan->recorder)
		/* recorded before the output drawn at the new size */
		recorder_resize(chan->recorder, chan->columns, chan->rows);
	if (chan->guard)
		chan_guard_resize(chan->guard);
	return true;
}

static bool on_x11(struct chan *chan, ssh_message message)
{
	(void)message;
	conn_event(chan->leg->conn, chan->leg, "x11-refused", "X11 forwarding is not relayed");
	leg_notice(chan->leg, "X11 forwarding is refused: this gateway does not relay it");
	return false;
}

/* Requests that came before the start are reported together with it: only then is the target of the
 * leg known for sure. */
static void note_all(struct chan *chan)
{
	char size[512];

	snprintf(size, sizeof(size), "%ux%u %s", chan->columns, chan->rows,
		chan->term ? chan->term : "");
	if (chan->pty)
		note(chan, "pty-req", size);
	for (size_t i = 0; i < chan->env_count; i++) {
		BUF_CLEANUP struct buf detail = BUF_INIT(IPC_ENV_MAX + 2);
		if (!buf_printf(&detail, "%s=%s", chan->env[i].name, chan->env[i].value))
			note(chan, "env", buf_cstr(&detail));
	}
}

static struct bytes text_bytes(const char *text)
{
	return (struct bytes){ (const uint8_t *)text, strlen(text) };
}

int chan_env(const struct chan *chan, struct buf *block)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < chan->env_count; i++)
		rc = env_put(block, text_bytes(chan->env[i].name), text_bytes(chan->env[i].value));
	return rc;
}

void chan_ask(struct chan *chan)
{
	BUF_CLEANUP struct buf env = BUF_INIT(IPC_ENV_MAX);

	note_all(chan);
	if (chan_env(chan, &env)) {
		chan_refuse(chan, EXIT_GATEWAY, "the environment cannot be judged");
		return;
	}
	struct msg_access msg = {
		.leg = chan->leg->id,
		.channel = chan->id,
		.kind = chan->kind,
		.detail = { (const uint8_t *)chan->detail, strlen(chan->detail) },
		.pty = chan->pty,
		.term = chan->term,
		.columns = chan->columns,
		.rows = chan->rows,
		.env = buf_bytes(&env),
	};
	conn_send(chan->leg->conn, IPC_ACCESS, &msg);
}

/* Holds the message until the backend has answered. If the broker has not yet answered for the leg,
 * asking about the channel waits (leg_named). */
static void ask(struct chan *chan, enum access_kind kind, const char *detail, ssh_message message)
{
	chan->kind = kind;
	chan->detail = strdup(detail);
	chan->start = message;
	if (!chan->detail || strlen(detail) > IPC_DETAIL_MAX) {
		chan_refuse(chan, EXIT_GATEWAY, "the command is too long to be judged");
		return;
	}
	if (chan->leg->naming == LEG_NAMELESS) {
		chan_command_start(chan, kind, detail);
		return;
	}
	if (chan->leg->naming == LEG_REFUSED) {
		chan_refuse(chan, chan->leg->refusal_exit, chan->leg->refusal);
		return;
	}
	chan_set_state(chan, CHAN_ASKED);
	if (chan->leg->naming == LEG_NAMED)
		chan_ask(chan);
}

/* A certificate's force-command replaces the command; the one that the user asked for goes into the
 * environment (SSH_ORIGINAL_COMMAND), as with OpenSSH (PROTOCOL.certkeys). */
static bool forced(struct chan *chan, const char *asked, ssh_message message)
{
	const char *force = chan->leg->conn->force_command;

	if (!force || chan->leg->naming == LEG_NAMELESS)
		return false;
	if (asked && !env_add(chan, ORIGINAL_COMMAND, asked)) {
		chan->start = message;
		chan_refuse(chan, EXIT_DENIED,
			"the command is too long to be given to the certificate's forced command");
		return true;
	}
	ask(chan, ACCESS_EXEC, force, message);
	return true;
}

static void start(struct chan *chan, int subtype, ssh_message message)
{
	const char *command = ssh_message_channel_request_command(message),
		   *subsystem = ssh_message_channel_request_subsystem(message);

	if (subtype == SSH_CHANNEL_REQUEST_EXEC && command) {
		if (!forced(chan, command, message))
			ask(chan, ACCESS_EXEC, command, message);
	} else if (subtype == SSH_CHANNEL_REQUEST_SHELL) {
		if (!forced(chan, NULL, message))
			ask(chan, ACCESS_SHELL, "", message);
	} else if (subtype == SSH_CHANNEL_REQUEST_SUBSYSTEM && subsystem) {
		if (!forced(chan, subsystem, message))
			ask(chan, strcmp(subsystem, "sftp") ? ACCESS_SUBSYSTEM : ACCESS_SFTP,
				subsystem, message);
	} else {
		leg_reply_default(chan->leg, message);
	}
}

static const struct {
	int subtype;
	bool (*handler)(struct chan *chan, ssh_message message); /* whether it was granted */
} requests[] = {
	{ SSH_CHANNEL_REQUEST_PTY, on_pty },
	{ SSH_CHANNEL_REQUEST_ENV, on_env },
	{ SSH_CHANNEL_REQUEST_WINDOW_CHANGE, on_window },
	{ SSH_CHANNEL_REQUEST_X11, on_x11 },
};

void chan_request(struct chan *chan, ssh_message message)
{
	int subtype = ssh_message_subtype(message);

	transport_enter(&chan->leg->transport);
	chan->leg->transport.touched = true;
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		if (requests[i].subtype != subtype)
			continue;
		if (requests[i].handler(chan, message))
			ssh_message_channel_request_reply_success(message);
		else
			leg_reply_default(chan->leg, message);
		return;
	}
	bool starts = subtype == SSH_CHANNEL_REQUEST_EXEC || subtype == SSH_CHANNEL_REQUEST_SHELL ||
		      subtype == SSH_CHANNEL_REQUEST_SUBSYSTEM;
	if (starts && chan->state == CHAN_NEW) {
		start(chan, subtype, message);
		return;
	}
	leg_reply_default(chan->leg, message);
}

/* ---- the broker's answer ---- */

static int begin_record(
	struct chan *chan, const struct msg_decision *decision, int fd, struct err *err)
{
	struct recorder_spec spec = {
		.header = { .width = chan->pty ? chan->columns : 80,
			.height = chan->pty ? chan->rows : 24,
			.timestamp = clock_wall(),
			.term = chan->term,
			.title = decision->title,
			.session = chan->leg->session,
			.kind = access_kind_name(chan->kind),
			.command = chan->kind == ACCESS_EXEC ? chan->detail : NULL },
		.terminal = chan->pty,
		.input = decision->record_input,
		.required = decision->record_required,
		.stream_keep = decision->stream_keep,
		.max = decision->cast_max,
	};

	return recorder_new(fd, &spec, &chan->recorder, err);
}

static void env_free(struct chan_env *env)
{
	free(env->name);
	free(env->value);
}

/* Said once a connection: the client sends them with each command, and most people need none. */
static void tell_dropped(struct chan *chan, struct buf *names)
{
	struct conn *conn = chan->leg->conn;
	char words[ENV_NAMES_SHOWN + 128];

	note(chan, "env-dropped", buf_cstr(names) ? buf_cstr(names) : "");
	if (conn->env_told)
		return;
	conn->env_told = true;
	snprintf(words, sizeof(words), "not passed on, for the rule has no 'env' for it: %s",
		buf_cstr(names) ? buf_cstr(names) : "");
	chan_notice(chan, words);
}

static bool env_has_variable(struct bytes block, const struct chan_env *env)
{
	struct env_variable variable;

	while (env_next(&block, &variable))
		if (wire_equal(variable.name, env->name))
			return true;
	return false;
}

/* The target gets what the broker has judged, and nothing else. */
static int take_env(struct chan *chan, struct bytes block)
{
	BUF_CLEANUP struct buf dropped = BUF_INIT(ENV_NAMES_SHOWN);
	struct env_variable variable;
	struct chan_env *old = chan->env;
	size_t count = chan->env_count;
	int rc = 0;

	chan->env = NULL;
	chan->env_count = chan->env_bytes = 0;
	for (size_t i = 0; i < count; i++)
		if (!env_has_variable(block, &old[i]) &&
			buf_printf(&dropped, "%s%s", dropped.len ? ", " : "", old[i].name))
			break;
	while (!rc && env_next(&block, &variable)) {
		FREE_CLEANUP char *name = text_dup(variable.name.data, variable.name.len);
		FREE_CLEANUP char *value = text_dup(variable.value.data, variable.value.len);
		rc = name && value && env_add(chan, name, value) ? 0 : -ENOMEM;
	}
	for (size_t i = 0; i < count; i++)
		env_free(&old[i]);
	free(old);
	if (dropped.len)
		tell_dropped(chan, &dropped);
	return rc;
}

void chan_decided(struct chan *chan, const struct msg_decision *decision, int fd)
{
	struct err err;

	if (chan->state != CHAN_ASKED) {
		fd_closep(&fd);
		return;
	}
	if (decision->verdict != VERDICT_ALLOW) {
		fd_closep(&fd);
		chan_refuse(chan, decision->exit, decision->reason);
		return;
	}
	chan_wait_end(chan);
	chan_set_state(chan, CHAN_WAITING);
	if (take_env(chan, decision->env)) {
		fd_closep(&fd);
		chan_refuse(chan, EXIT_GATEWAY, "out of memory");
		return;
	}
	if (decision->idle > 0 && (!chan->leg->idle || decision->idle < chan->leg->idle))
		chan->leg->idle = decision->idle;
	if (decision->record && begin_record(chan, decision, fd, &err) &&
		decision->record_required) {
		conn_event(chan->leg->conn, chan->leg, "transcript-failed", "%s", err.text);
		chan_refuse(chan, EXIT_GATEWAY,
			"the transcript cannot be written, and policy requires one");
		return;
	}
	if (decision->guard && !(chan->guard = chan_guard_new(chan))) {
		chan_refuse(chan, EXIT_GATEWAY, "the guard of this shell cannot be set up");
		return;
	}
	if (!chan->leg->upstream)
		chan->leg->upstream = upstream_new(chan->leg);
	if (!chan->leg->upstream)
		chan_refuse(chan, EXIT_GATEWAY, "out of memory");
}
