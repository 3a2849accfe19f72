/* The gateway's own commands over `ssh gw …`: IPC_COMMAND, IPC_COMMAND_INPUT and IPC_COMMAND_STOP
 * of an authenticated session. */
#include "server/broker/client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/env_block.h"
#include "common/text.h"
#include "policy/ruleset.h"
#include "server/broker/command/running.h"
#include "server/broker/core/peer.h"
#include "server/broker/login/auth.h"

static void on_ended(struct running *running, void *context)
{
	(void)running;
	struct client *client = context;
	client->running_count--;
}

static int refuse(struct client *client, uint32_t channel, const char *words, unsigned status)
{
	struct bytes text = { (const uint8_t *)words, strlen(words) };

	link_send(&client->link, IPC_OUTPUT, 0, &(struct msg_output){ channel, 2, text }, NULL, 0);
	link_send(&client->link, IPC_COMMAND_EXIT, 0, &(struct msg_command_exit){ channel, status },
		NULL, 0);
	return 0;
}

/* What a client in the state CLIENT_LIMITED may run: it has proved only a key. */
static bool limited_may(char *const *argv)
{
	if (!argv[0] || !strcmp(argv[0], "help"))
		return true;
	return !strcmp(argv[0], "login") && argv[1] && !strcmp(argv[1], "--token");
}

/* A name with an `@` that is neither LOGIN@TARGET nor the person's own, and words that are no
 * command of ours: somebody has mistyped a target. "": no, this is for the gateway. */
static const char *mistyped(const struct client *client, char *const *argv, char out[static 256])
{
	const char *at = strrchr(client->user, '@');

	if (!at || command_known(argv) || !strcasecmp(client->user, client->who->user) ||
		client_names_target(client, client->who))
		return "";
	return text_clean(out, 256, at + 1, strlen(at + 1));
}

static int refuse_mistyped(struct client *client, const struct msg_command *msg, const char *target)
{
	char words[512];
	json_t *data = client_event(client);

	snprintf(words, sizeof(words), "bartizan: no target '%s' (see: ssh gw targets)\n", target);
	json_object_set_new(data, "target", json_string(target));
	json_object_set_new(data, "name", json_visible(client->user, strlen(client->user)));
	json_object_set_new(data, "reason", json_string("no such target"));
	broker_audit(client->broker, "access-denied", data);
	return refuse(client, msg->channel, words, EXIT_DENIED);
}

int handle_command(struct client *client, const void *data, struct err *err)
{
	const struct msg_command *msg = data;
	char target[256];

	if (!env_ok(msg->env))
		return err_set(err, -EPROTO, "the environment is malformed");
	if (running_find(&client->running, msg->channel))
		return err_set(err, -EPROTO, "channel %u already runs a command", msg->channel);
	if (client->running_count >= CLIENT_COMMANDS_MAX)
		return refuse(client, msg->channel,
			"bartizan: too many commands run at the same time on this connection\n",
			EXIT_WAIT);
	if (client->state == CLIENT_LIMITED && !limited_may(msg->argv))
		return refuse(client, msg->channel,
			"bartizan: log in first: ssh gw login --token < TOKEN, and use the "
			"certificate that it prints\n",
			EXIT_DENIED);
	if (client->who->force_command)
		return refuse(client, msg->channel,
			"bartizan: the certificate allows only its forced command\n", EXIT_DENIED);
	if (*mistyped(client, msg->argv, target))
		return refuse_mistyped(client, msg, target);
	struct running_spec spec = {
		.who = identity_copy(client->who),
		.source = client->source,
		.key = client->key,
		.may = client->state == CLIENT_AUTHENTICATED
			       ? ruleset_may(client->broker->config->ruleset, client->who)
			       : 0,
		.terminal = msg->terminal,
		.columns = msg->columns,
		.env = msg->env,
		.channel = msg->channel,
		.link = &client->link,
		.ended = on_ended,
		.context = client,
	};
	client->running_count++;
	if (!spec.who || running_start(client->broker, &client->running, &spec, msg->argv)) {
		client->running_count--;
		return refuse(client, msg->channel, "bartizan: the gateway is out of memory\n",
			EXIT_GATEWAY);
	}
	return 0;
}

int handle_command_stop(struct client *client, const void *data, struct err *err)
{
	(void)err;
	const struct msg_channel *msg = data;
	struct running *running = running_find(&client->running, msg->channel);
	if (running) {
		running_stop(running);
		client->running_count--;
	}
	return 0;
}

int handle_command_input(struct client *client, const void *data, struct err *err)
{
	(void)err;
	const struct msg_command_input *msg = data;
	struct running *running = running_find(&client->running, msg->channel);
	if (running)
		running_input(running, msg->data);
	return 0;
}
