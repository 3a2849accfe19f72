/* Clients: birth, the one way to "authenticated", and the end of everything that hangs on them. See
 * server/broker/core/peer.h. */
#include "server/broker/core/peer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "common/clock.h"
#include "common/fd.h"
#include "common/log.h"
#include "keys/sshcert.h"
#include "common/text.h"
#include "common/wire.h"
#include "server/broker/dial/dial.h"
#include "server/broker/access/fresh_login.h"
#include "server/broker/access/wait.h"

/* after a link's end the listener says within this time how the process ended */
#define GONE_MS 5000

static const char stopped[] = "the gateway was stopped";
static const char *const state_names[] = { "connected", "proved", "limited", "authenticated",
	"ended" };

static void set_state(struct client *client, enum client_state state)
{
	static const unsigned allowed[CLIENT_STATES] = {
		[CLIENT_CONNECTED] = 1u << CLIENT_PROVED | 1u << CLIENT_LIMITED |
				     1u << CLIENT_AUTHENTICATED | 1u << CLIENT_ENDED,
		[CLIENT_PROVED] = 1u << CLIENT_AUTHENTICATED | 1u << CLIENT_ENDED,
		[CLIENT_LIMITED] = 1u << CLIENT_ENDED,
		[CLIENT_AUTHENTICATED] = 1u << CLIENT_ENDED,
	};

	if (!(allowed[client->state] & 1u << state)) {
		log_error("connection %llu: %s does not become %s",
			(unsigned long long)client->connection, state_names[client->state],
			state_names[state]);
		return;
	}
	log_debug("connection %llu: %s -> %s", (unsigned long long)client->connection,
		state_names[client->state], state_names[state]);
	client->state = state;
}

json_t *client_event(const struct client *client)
{
	json_t *data = json_object();

	json_object_set_new(data, "connection", json_integer((json_int_t)client->connection));
	json_object_set_new(data, "source", json_string(client->source_text));
	if (client->who)
		json_object_set_new(data, "user", json_string_or_null(client->who->user));
	return data;
}

struct client *client_find(struct broker *broker, uint64_t connection)
{
	struct client *client;

	for (client = LIST_FIRST(&broker->private->clients); client;
		client = LIST_NEXT(client, entry))
		if (client->connection == connection)
			return client;
	return NULL;
}

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

/* ---- authenticated ---- */

int client_keep_key(struct client *client, struct bytes offered, struct err *err)
{
	SSHCERT_CLEANUP struct sshcert *cert = NULL;
	struct wire in = WIRE_OF(offered.data, offered.len);
	struct bytes type;
	struct sshkey *key = NULL;
	bool is_cert = !wire_get_string(&in, &type) && sshcert_is_cert_type(type);
	int rc = is_cert ? sshcert_parse(offered, &cert, err) : 0;

	if (!rc)
		rc = sshkey_from_blob(is_cert ? sshkey_blob(cert->key) : offered, &key, err);
	uint8_t *copy = rc ? NULL : (uint8_t *)text_dup(offered.data, offered.len);
	if (rc || !copy) {
		sshkey_free(key);
		return rc ? -EACCES : err_set(err, -EACCES, "the gateway is out of memory");
	}
	sshkey_free(client->key);
	free((void *)client->offered.data);
	client->key = key;
	client->offered = (struct bytes){ copy, offered.len };
	return 0;
}

int client_proved(struct client *client, enum client_state state)
{
	if (!client->deciding || client->state != CLIENT_CONNECTED || !client->key ||
		(state != CLIENT_PROVED && state != CLIENT_LIMITED))
		return -EPERM;
	set_state(client, state);
	return 0;
}

int client_authenticated(struct client *client, struct identity **who)
{
	if (!client->deciding ||
		(client->state != CLIENT_CONNECTED && client->state != CLIENT_PROVED) || !*who)
		return -EPERM;
	set_state(client, CLIENT_AUTHENTICATED);
	client->who = *who;
	*who = NULL;
	link_send(&client->broker->private->parent, IPC_AUTHENTICATED, 0,
		&(struct msg_connection){ client->connection }, NULL, 0);
	return 0;
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
	set_state(client, CLIENT_ENDED);
	link_close(&client->link);
	if (client->gone_timer)
		event_free(client->gone_timer);
	client->gone_timer = NULL;
	if (client->end_timer)
		event_free(client->end_timer);
	client->end_timer = NULL;
	login_cancel(client);
	fresh_cancel(client);
	struct leg *leg;
	struct running *running;
	while ((running = LIST_FIRST(&client->running)))
		running_stop(running);
	while ((leg = LIST_FIRST(&client->legs)))
		broker_leg_end(leg, reason, true);
	LIST_REMOVE(client, entry);
	client->broker->private->client_count--;
	log_info("connection %llu from %s ended%s%s", (unsigned long long)client->connection,
		client->source_text, *reason ? ": " : "", reason);
	broker_later(client->broker, client_free, client);
	broker_stop_check(client->broker);
}

void client_stop(struct client *client)
{
	if (client->gone_timer)
		client_end(client, client->doomed ? client->doomed : stopped);
	else
		client_send_end(client, IPC_LEG_ALL, EXIT_OURS, stopped);
}

static void on_gone_timeout(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct client *client = arg;
	client_end(client, client->doomed ? client->doomed : "connection lost");
}

/* Nothing more is heard or sent. The rest follows when the listener says that the process is gone,
 * and how: that is worth telling, and until then it may still write. */
static void await_gone(struct client *client)
{
	struct timeval wait = timeval_of(GONE_MS);
	struct running *running;
	struct leg *leg;

	link_close(&client->link);
	login_cancel(client);
	fresh_cancel(client);
	while ((running = LIST_FIRST(&client->running)))
		running_stop(running);
	for (leg = LIST_FIRST(&client->legs); leg; leg = LIST_NEXT(leg, entry)) {
		dial_cancel(leg);
		holds_leave(leg);
	}
	client->gone_timer = evtimer_new(client->broker->base, on_gone_timeout, client);
	if (!client->gone_timer || evtimer_add(client->gone_timer, &wait))
		client_end(client, client->doomed ? client->doomed : "connection lost");
}

static void kill_process(const struct client *client)
{
	link_send(&client->broker->private->parent, IPC_KILL, 0,
		&(struct msg_connection){ client->connection }, NULL, 0);
}

static void on_closed(struct link *link, const char *why)
{
	struct client *client = link->owner;

	if (!strcmp(why, "malformed message")) {
		client_violation(client, "unknown", why);
		return;
	}
	if (link->failed)
		kill_process(client);
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

void client_violation(struct client *client, const char *message, const char *why)
{
	if (client->doomed)
		return;
	json_t *data = client_event(client);
	json_object_set_new(data, "message", json_string(message));
	json_object_set_new(data, "why", json_visible(why, strlen(why)));
	broker_audit(client->broker, "session-violation", data);
	log_warning("connection %llu from %s: session process killed: message '%s': %s",
		(unsigned long long)client->connection, client->source_text, message, why);
	kill_process(client);
	client->doomed = "session process broke the gateway's protocol";
	await_gone(client);
}

void client_send_end(struct client *client, uint32_t leg, uint32_t exit, const char *reason)
{
	link_send(&client->link, IPC_END, 0,
		&(struct msg_end){ .leg = leg, .exit = exit, .reason = (char *)reason }, NULL, 0);
}

static void on_end_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct client *client = arg;
	if (client->gone_timer)
		return;
	if (client->leaving)
		client_violation(client, "end", "a session did not end when it was told to");
	else
		client_dismiss(client, EXIT_WAIT, "no token came in time");
}

bool client_reachable(const struct client *client)
{
	return link_up(&client->link) && client->state == CLIENT_AUTHENTICATED;
}

void client_end_after(struct client *client, int64_t ms)
{
	struct timeval wait = timeval_of(ms);

	if (!client->end_timer)
		client->end_timer = evtimer_new(client->broker->base, on_end_timer, client);
	if (!client->end_timer || evtimer_add(client->end_timer, &wait))
		log_error("connection %llu: no timer for its end",
			(unsigned long long)client->connection);
}

void client_dismiss(struct client *client, uint32_t exit, const char *reason)
{
	if (client->leaving || client->state == CLIENT_ENDED || client->gone_timer)
		return;
	client->leaving = true;
	log_info("connection %llu from %s: told to go: %s", (unsigned long long)client->connection,
		client->source_text, reason);
	client_send_end(client, IPC_LEG_ALL, exit, reason);
	client_end_after(client, CLIENT_DISMISS_MS);
}
