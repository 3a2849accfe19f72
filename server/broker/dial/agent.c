/* The agent protocol (draft-ietf-sshm-ssh-agent) for one static key and one login: the session
 * process asks for a signature over its own login to the target, and the signer makes it.
 *
 * It knows two requests, list (one key) and sign, and gives one signature in all. Any other request
 * is answered with a failure; one that is too long closes the socket. The signer checks that what
 * it signs is a login of that user with that key, so a session cannot have anything else signed. */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/wire.h"
#include "server/broker/dial/dial.h"

enum {
	AGENT_FAILURE = 5,
	AGENT_REQUEST_IDENTITIES = 11,
	AGENT_IDENTITIES = 12,
	AGENT_SIGN = 13,
	AGENT_SIGNED = 14
};

#define AGENT_MESSAGE_MAX (IPC_BLOB_MAX + SSHKEY_BLOB_MAX)
#define AGENT_REQUESTS_MAX 64 /* requests of any kind, after which it is closed */

struct agent {
	struct broker *broker;
	struct bufferevent *stream; /* NULL: closed */
	char *key, *login;
	struct question *question;
	unsigned requests;
	bool used;
};

static void put(struct agent *agent, const struct buf *body)
{
	BUF_CLEANUP struct buf out = BUF_INIT(AGENT_MESSAGE_MAX + 8);

	if (!wire_put_u32(&out, (uint32_t)body->len) && !buf_put(&out, buf_data(body), body->len))
		bufferevent_write(agent->stream, buf_data(&out), out.len);
}

static void put_failure(struct agent *agent)
{
	bufferevent_write(agent->stream, "\0\0\0\1\5", 5);
}

static void shut(struct agent *agent)
{
	question_cancel(&agent->question);
	if (agent->stream)
		bufferevent_free(agent->stream);
	agent->stream = NULL;
}

static int answer_list(struct agent *agent)
{
	BUF_CLEANUP struct buf body = BUF_INIT(AGENT_MESSAGE_MAX);
	const struct sshkey *key = broker_key(agent->broker, agent->key);

	if (!key || wire_put_u8(&body, AGENT_IDENTITIES) || wire_put_u32(&body, 1) ||
		wire_put_bytes(&body, sshkey_blob(key)) || wire_put_cstring(&body, agent->key))
		return -EINVAL;
	put(agent, &body);
	return 0;
}

static void drain(struct agent *agent);

static void on_signed(void *context, const void *data, struct ipc_raw *raw, const char *failure)
{
	(void)raw;
	struct agent *agent = context;
	const struct msg_signed *msg = data;
	BUF_CLEANUP struct buf body = BUF_INIT(AGENT_MESSAGE_MAX);
	if (msg && msg->ok && !wire_put_u8(&body, AGENT_SIGNED) &&
		!wire_put_bytes(&body, msg->data)) {
		agent->used = true;
		put(agent, &body);
	} else {
		log_warning("key '%s': the signer made no signature: %s", agent->key,
			signed_failure(msg, failure, "out of memory"));
		put_failure(agent);
	}
	drain(agent);
}

static int begin_sign(struct agent *agent, struct wire *in)
{
	struct bytes blob, data;
	uint32_t flags;
	const struct sshkey *key = broker_key(agent->broker, agent->key);

	if (wire_get_string(in, &blob) || wire_get_string(in, &data) || wire_get_u32(in, &flags) ||
		!wire_done(in))
		return -EBADMSG;
	if (agent->used || !key || !wire_same(blob, sshkey_blob(key)) || data.len > IPC_BLOB_MAX)
		return -EACCES;
	struct msg_sign_agent msg = {
		.key = agent->key, .login = agent->login, .data = data, .flags = flags
	};
	return ask(agent->broker->private->signer, IPC_SIGN_AGENT, &msg, BROKER_SIGN_MS, on_signed,
		agent, &agent->question);
}

static void request(struct agent *agent, struct bytes message)
{
	struct wire in = WIRE_OF(message.data, message.len);
	uint8_t type = 0;
	int rc = wire_get_u8(&in, &type);

	if (!rc && type == AGENT_REQUEST_IDENTITIES && wire_done(&in))
		rc = answer_list(agent);
	else if (!rc)
		rc = type == AGENT_SIGN ? begin_sign(agent, &in) : -ENOSYS;
	if (rc)
		put_failure(agent);
}

/* Handles one request after the other; while the signer is asked, the rest waits. */
static void drain(struct agent *agent)
{
	struct evbuffer *in = bufferevent_get_input(agent->stream);

	while (!agent->question && evbuffer_get_length(in) >= 4) {
		const uint8_t *head = evbuffer_pullup(in, 4);
		size_t len = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 |
			     head[3];
		if (len == 0 || len > AGENT_MESSAGE_MAX ||
			agent->requests++ >= AGENT_REQUESTS_MAX) {
			shut(agent);
			return;
		}
		if (evbuffer_get_length(in) < 4 + len) {
			agent->requests--;
			return;
		}
		const uint8_t *all = evbuffer_pullup(in, (ev_ssize_t)(4 + len));
		if (all)
			request(agent, (struct bytes){ all + 4, len });
		evbuffer_drain(in, 4 + len);
	}
}

static void on_data(struct bufferevent *stream, void *arg)
{
	(void)stream;
	drain(arg);
}

static void on_event(struct bufferevent *stream, short what, void *arg)
{
	(void)stream;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		shut(arg);
}

int agent_open(struct broker *broker, const char *key_name, const char *login, struct agent **ret,
	int *ret_fd, struct err *err)
{
	int pair[2];
	struct agent *agent = calloc(1, sizeof(*agent));

	if (!agent || fd_pair(SOCK_STREAM, pair)) {
		free(agent);
		return err_set(err, -ENOMEM, "no agent socket");
	}
	*agent =
		(struct agent){ .broker = broker, .key = strdup(key_name), .login = strdup(login) };
	fd_nonblock(pair[0]);
	agent->stream = bufferevent_socket_new(broker->base, pair[0], BEV_OPT_CLOSE_ON_FREE);
	if (!agent->stream || !agent->key || !agent->login) {
		if (!agent->stream)
			fd_closep(&pair[0]);
		fd_closep(&pair[1]);
		agent_close(agent);
		return err_set(err, -ENOMEM, "no agent socket");
	}
	bufferevent_setcb(agent->stream, on_data, NULL, on_event, agent);
	bufferevent_setwatermark(agent->stream, EV_READ, 0, AGENT_MESSAGE_MAX + 4);
	bufferevent_enable(agent->stream, EV_READ | EV_WRITE);
	*ret = agent;
	*ret_fd = pair[1];
	return 0;
}

static void agent_free(void *arg)
{
	struct agent *agent = arg;

	free(agent->key), free(agent->login), free(agent);
}

void agent_close(struct agent *agent)
{
	if (!agent)
		return;
	shut(agent);
	/* freed later, because this may be called from one of its own callbacks */
	broker_later(agent->broker, agent_free, agent);
}
