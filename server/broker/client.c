/* Clients: birth, the one way to "authenticated", and the end of everything that hangs on them. See
 * server/broker/core/peer.h. */
#include "server/broker/client.h"
#include "server/broker/command/running.h"
#include "server/broker/core/peer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "common/clock.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/text.h"
#include "common/wire.h"
#include "keys/sshcert.h"
#include "server/broker/approval/waiter.h"
#include "server/broker/dial/dial.h"
#include "server/broker/login/auth.h"
#include "server/broker/login/login.h"

/* the listener reports within this time of a link's end how the process ended */
#define GONE_MS 5000

static const char stopped[] = "the gateway was stopped";

/* ---- birth ---- */

static void on_closed(struct link *link, const char *why);
static void on_drained(struct link *link);
static const struct link_ops client_ops = { client_message, on_closed, on_drained };

static void client_new(
	struct broker *broker, const struct msg_client *msg, const struct addr *source, int fd)
{
	struct client *client = calloc(1, sizeof(*client));

	if (!client) {
		fd_closep(&fd);
		return;
	}
	*client = (struct client){ .broker = broker,
		.connection = msg->connection,
		.source = *source,
		.pid = (pid_t)msg->pid,
		.events = { .allowance = CLIENT_EVENTS_AT_ONCE, .every = CLIENT_EVENTS_EVERY_MS },
		.tokens = CLIENT_TOKENS_MAX,
		.tokens_at = clock_mono_ms() };
	addr_format_port(source, client->source_text);
	LIST_INIT(&client->legs);
	LIST_INIT(&client->running);
	if (link_open(&client->link, broker->base, fd, &client_ops, client)) {
		free(client);
		return;
	}
	LIST_INSERT_HEAD(&broker->private->clients, client, entry);
	broker->private->client_count++;
	log_info("connection %llu from %s", (unsigned long long)client->connection,
		client->source_text);
}

void client_arrived(struct broker *broker, const struct msg_client *msg, int fd)
{
	struct addr source = { 0 };
	struct err err;

	if (fd < 0 || addr_parse_port(msg->source, &source, &err) ||
		client_find(broker, msg->connection)) {
		log_error("connection %llu from '%s': the listener's message makes no sense",
			(unsigned long long)msg->connection, msg->source);
		fd_closep(&fd);
		link_send(&broker->private->parent, IPC_KILL, 0,
			&(struct msg_connection){ msg->connection }, NULL, 0);
		return;
	}
	client_new(broker, msg, &source, fd);
}

/* ---- the end ---- */

static void client_free(void *arg)
{
	struct client *client = arg;

	identity_free(client->who);
	json_decref(client->outer);
	for (unsigned i = 0; i < client->early_count; i++)
		json_decref(client->early[i].evidence);
	free(client->used);
	free(client->user);
	free((void *)client->offered.data);
	sshkey_free(client->key);
	free(client);
}

void client_end(struct client *client, const char *reason)
{
	if (client->state == CLIENT_ENDED)
		return;
	auth_ended(client);
	client_set_state(client, CLIENT_ENDED);
	link_close(&client->link);
	if (client->gone_timer)
		event_free(client->gone_timer);
	client->gone_timer = NULL;
	if (client->end_timer)
		event_free(client->end_timer);
	client->end_timer = NULL;
	reports_end(client);
	login_cancel(client);
	struct peer_leg *leg;
	struct running *running;
	while ((running = LIST_FIRST(&client->running)))
		running_stop(running);
	while ((leg = LIST_FIRST(&client->legs)))
		peer_leg_end(leg, reason, true);
	LIST_REMOVE(client, entry);
	client->broker->private->client_count--;
	log_info("connection %llu from %s ended%s%s", (unsigned long long)client->connection,
		client->source_text, *reason ? ": " : "", reason);
	broker_later(client->broker, client_free, client);
	client->broker->private->on_idle(client->broker);
}

void client_stop(struct client *client)
{
	if (client->gone_timer)
		client_end(client, client->doomed ? client->doomed : stopped);
	else
		client_send_end(client, IPC_LEG_ALL, EXIT_GATEWAY, stopped);
}

static void on_gone_timeout(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct client *client = arg;
	client_end(client, client->doomed ? client->doomed : "connection lost");
}

/* Stops talking to the process, and keeps its records open: until the listener reports that it has
 * ended, and how, it may still write to its transcripts. */
static void await_gone(struct client *client)
{
	struct timeval wait = timeval_of(GONE_MS);
	struct running *running;
	struct peer_leg *leg;

	link_close(&client->link);
	login_cancel(client);
	while ((running = LIST_FIRST(&client->running)))
		running_stop(running);
	for (leg = LIST_FIRST(&client->legs); leg; leg = LIST_NEXT(leg, entry)) {
		dial_cancel(leg);
		waiters_leave(leg);
	}
	client->gone_timer = evtimer_new(client->broker->base, on_gone_timeout, client);
	if (!client->gone_timer || evtimer_add(client->gone_timer, &wait))
		client_end(client, client->doomed ? client->doomed : "connection lost");
}

static void on_closed(struct link *link, const char *why)
{
	struct client *client = link->owner;

	if (!strcmp(why, "malformed message")) {
		client_violation(client, "unknown", why);
		return;
	}
	if (link->failed && !client->doomed)
		client_kill(client);
	if (client->broker->private->stopping)
		client_end(client, stopped);
	else
		await_gone(client);
}

static void on_drained(struct link *link)
{
	struct client *client = link->owner;

	running_pump(&client->running);
}

static const char *how_it_ended(uint32_t status, char *out, size_t size)
{
	if (WIFSIGNALED((int)status))
		snprintf(out, size, "session process killed by signal %d", WTERMSIG((int)status));
	else if (WEXITSTATUS((int)status))
		snprintf(out, size, "session process ended with status %d",
			WEXITSTATUS((int)status));
	else
		snprintf(out, size, "connection lost");
	return out;
}

static void audit_death(struct client *client, const char *how)
{
	json_t *data = client_event(client);

	json_object_set_new(data, "reason", json_string(how));
	broker_audit(client->broker, "session-process-died", data);
	log_warning("connection %llu from %s: %s", (unsigned long long)client->connection,
		client->source_text, how);
}

void client_gone(struct broker *broker, const struct msg_client_gone *msg)
{
	struct client *client = client_find(broker, msg->connection);
	char how[80];

	if (!client)
		return;
	link_drain(&client->link); /* its last words may still be in the link */
	if (client->state == CLIENT_ENDED)
		return;
	how_it_ended(msg->status, how, sizeof(how));
	if (client->doomed)
		snprintf(how, sizeof(how), "%s", client->doomed);
	else if (WIFSIGNALED((int)msg->status))
		audit_death(client, how);
	client_end(client, LIST_EMPTY(&client->legs) && !msg->status && !client->doomed ? "" : how);
}
