/* The table of a session's messages: which are allowed, when, how often and at what cost.
 *
 * Any other message (unknown, malformed, with descriptors, at the wrong time, too often) is a
 * violation: it is audited, and the session process is killed. Only a row with DECIDES, or a
 * successful login at a provider (server/broker/login/login.c), can make a client authenticated. */
#include <errno.h>

#include "common/clock.h"
#include "server/broker/access/lines.h"
#include "server/broker/access/wait.h"
#include "server/broker/client.h"
#include "server/broker/core/peer.h"
#include "server/broker/login/auth.h"
#include "server/broker/login/login.h"

#define BIT(state) (1u << (state))
#define ONCE 1u
#define DECIDES 2u

struct row {
	enum ipc_type type;
	unsigned states; /* BIT() of the client's states in which it is allowed */
	unsigned flags;
	/* in tokens, for the work that it causes; one more for each KiB of the message */
	unsigned cost;
	int (*handle)(struct client *client, const void *msg, struct err *err);
};

/* a client that is LIMITED is refused by the handlers, with a text */
#define IN (BIT(CLIENT_AUTHENTICATED) | BIT(CLIENT_LIMITED))
/* one of key and person is not known yet */
#define HALF (BIT(CLIENT_CONNECTED) | BIT(CLIENT_PROVED))
#define ANY (HALF | BIT(CLIENT_VOUCHED) | IN)

static const struct row rows[] = {
	{ IPC_PROXY, BIT(CLIENT_CONNECTED), ONCE, 1, handle_proxy },
	{ IPC_AUTH, ANY, DECIDES, 20, handle_auth },
	{ IPC_LOGIN, HALF, ONCE, 20, handle_login },
	{ IPC_LOGIN_INPUT, HALF, 0, 20, handle_login_input },
	{ IPC_LEG, IN, 0, 10, handle_leg },
	{ IPC_ACCESS, IN, 0, 20, handle_access },
	{ IPC_ACCESS_CANCEL, IN, 0, 1, handle_access_cancel },
	{ IPC_REQUEST, IN, 0, 1, handle_request },
	{ IPC_CHANNEL_END, IN, 0, 2, handle_channel_end },
	{ IPC_EVIDENCE, ANY, 0, 10, handle_evidence },
	{ IPC_EVENT, ANY, 0, 10, handle_event },
	{ IPC_LEG_END, IN, 0, 2, handle_leg_end },
	{ IPC_ASK_ANSWER, IN, 0, 20, handle_ask_answer },
	/* pasting many lines sends about fifty of these a second */
	{ IPC_LINE, IN, 0, 3, handle_line },
	{ IPC_LINE_END, IN, 0, 1, handle_line_end },
	{ IPC_COMMAND, IN, 0, 20, handle_command },
	{ IPC_COMMAND_STOP, IN, 0, 1, handle_command_stop },
	{ IPC_COMMAND_INPUT, IN, 0, 2, handle_command_input },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static size_t row_of(unsigned type)
{
	size_t i = 0;

	while (i < ROWS && rows[i].type != type)
		i++;
	return i;
}

/* A token bucket: bursts are allowed, a continuous flood is not. */
static bool pay(struct client *client, unsigned cost)
{
	int64_t now = clock_mono_ms();

	client->tokens += (now - client->tokens_at) * CLIENT_TOKENS_PER_S / 1000;
	if (client->tokens > CLIENT_TOKENS_MAX)
		client->tokens = CLIENT_TOKENS_MAX;
	client->tokens_at = now;
	client->tokens -= cost;
	return client->tokens >= 0;
}

static int admit(struct client *client, size_t index, const struct ipc_raw *raw, struct err *err)
{
	const struct row *row = &rows[index];

	if (index >= ROWS)
		return err_set(err, -EPROTO, "it is not a message of a session");
	if (!(row->states & BIT(client->state)))
		return err_set(err, -EPROTO, "it is not allowed in this state");
	if ((row->flags & ONCE) && (client->seen & BIT(index)))
		return err_set(err, -EPROTO, "it was sent twice");
	if (raw->fd_count)
		return err_set(err, -EPROTO, "it carries a descriptor");
	if (!pay(client, row->cost + (unsigned)(raw->body.len / 1024)))
		return err_set(err, -EPROTO, "too many messages in a short time");
	client->seen |= BIT(index);
	return 0;
}

void client_message(struct link *link, struct ipc_raw *raw)
{
	struct client *client = link->owner;
	size_t index = row_of(raw->type);
	union link_msg msg;
	struct err err = { 0 };

	if (client->state == CLIENT_ENDED)
		return;
	int rc = admit(client, index, raw, &err);
	if (!rc && (rc = link_decode(raw, &msg, &err)) == 0) {
		client->deciding = rows[index].flags & DECIDES;
		rc = rows[index].handle(client, &msg, &err);
		client->deciding = false;
		ipc_msg_free(raw->type, &msg);
	}
	if (rc && client->state != CLIENT_ENDED)
		client_violation(client, ipc_msg_name(raw->type), err.text);
}
