/* Holding accesses for a newer login. See broker_fresh.h.
 *
 * One flow a client, however many channels wait: tools open them by the dozen. What waits is
 * decided anew by access_again() when the flow has ended well, and refused by access_refuse() when
 * not. */
#include "server/broker_fresh.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "server/broker_access.h"
#include "server/broker_flow.h"
#include "server/broker_provider.h"
#include "server/broker_revoke.h"
#include "store/identities.h"
#include "store/logins.h"

struct waiting {
	LIST_ENTRY(waiting) entry;
	struct msg_access msg; /* strings owned */
};

struct fresh {
	struct client *client;
	struct flow *flow;
	struct event *timer;
	char status[256]; /* as last shown */
	bool shown;	  /* the code */
	LIST_HEAD(waiting_list, waiting) list;
	unsigned count;
};

/* ---- who waits ---- */

static void waiting_free(struct fresh *fresh, struct waiting *waiting)
{
	LIST_REMOVE(waiting, entry);
	fresh->count--;
	free((void *)waiting->msg.detail.data);
	free(waiting->msg.term);
	free(waiting);
}

static struct waiting *waiting_new(struct fresh *fresh, const struct msg_access *msg)
{
	struct waiting *waiting = calloc(1, sizeof(*waiting));

	if (!waiting)
		return NULL;
	waiting->msg = *msg;
	waiting->msg.detail.data = (uint8_t *)text_dup(msg->detail.data, msg->detail.len);
	waiting->msg.term = strdup(msg->term ? msg->term : "");
	LIST_INSERT_HEAD(&fresh->list, waiting, entry);
	fresh->count++;
	if (waiting->msg.detail.data && waiting->msg.term)
		return waiting;
	waiting_free(fresh, waiting);
	return NULL;
}

static void fresh_free(struct fresh *fresh)
{
	struct waiting *waiting;

	fresh->client->fresh = NULL;
	flow_cancel(&fresh->flow);
	while ((waiting = LIST_FIRST(&fresh->list)))
		waiting_free(fresh, waiting);
	if (fresh->timer)
		event_free(fresh->timer);
	free(fresh);
}

void fresh_cancel(struct client *client)
{
	if (client->fresh)
		fresh_free(client->fresh);
}

void fresh_forget(struct client *client, uint32_t leg, uint32_t channel)
{
	struct fresh *fresh = client->fresh;
	struct waiting *next;

	if (!fresh)
		return;
	for (struct waiting *waiting = LIST_FIRST(&fresh->list); waiting; waiting = next) {
		next = LIST_NEXT(waiting, entry);
		if (waiting->msg.leg == leg &&
			(channel == IPC_LEG_ALL || waiting->msg.channel == channel))
			waiting_free(fresh, waiting);
	}
	if (!fresh->count)
		fresh_free(fresh);
}

/* ---- what they see ---- */

static void hold_one(struct fresh *fresh, const struct waiting *waiting, const char *text)
{
	struct msg_hold out = { .leg = waiting->msg.leg,
		.channel = waiting->msg.channel,
		.text = (char *)text,
		.status = fresh->status };

	link_send(&fresh->client->link, IPC_HOLD, 0, &out, NULL, 0);
}

static bool status_changed(struct fresh *fresh)
{
	char left[64], status[sizeof(fresh->status)];

	snprintf(status, sizeof(status), "waiting for the login (%s left)",
		flow_left(fresh->flow, left, sizeof(left)));
	bool changed = strcmp(status, fresh->status);
	snprintf(fresh->status, sizeof(fresh->status), "%s", status);
	return changed;
}

static void arm(struct fresh *fresh)
{
	struct timeval wait = timeval_of(FRESH_STATUS_MS);

	if (evtimer_add(fresh->timer, &wait))
		log_error("connection %llu: no timer for its login",
			(unsigned long long)fresh->client->connection);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct fresh *fresh = arg;
	struct waiting *waiting;
	if (fresh->flow && status_changed(fresh))
		LIST_FOREACH(waiting, &fresh->list, entry)
	hold_one(fresh, waiting, "");
	arm(fresh);
}

static void show_code(struct fresh *fresh, const struct waiting *waiting)
{
	BUF_CLEANUP struct buf text = BUF_INIT(IPC_TEXT_MAX);

	if (!flow_words(fresh->flow, &text))
		hold_one(fresh, waiting, buf_cstr(&text));
}

static void on_code(void *context)
{
	struct fresh *fresh = context;
	struct waiting *waiting;

	fresh->shown = true;
	status_changed(fresh);
	LIST_FOREACH(waiting, &fresh->list, entry)
	show_code(fresh, waiting);
	arm(fresh);
}

/* ---- the end ---- */

/* Takes who waits out of the struct first: deciding anew may hold again, end the leg, or the
 * client. */
static void settle(struct fresh *fresh, const char *refusal)
{
	struct client *client = fresh->client;
	struct waiting_list list = LIST_HEAD_INITIALIZER(list);
	struct waiting *waiting;

	while ((waiting = LIST_FIRST(&fresh->list))) {
		LIST_REMOVE(waiting, entry);
		LIST_INSERT_HEAD(&list, waiting, entry);
	}
	fresh->count = 0;
	fresh_free(fresh);
	while ((waiting = LIST_FIRST(&list))) {
		struct leg *leg = client->state == CLIENT_AUTHENTICATED
					  ? broker_leg_find(client, waiting->msg.leg)
					  : NULL;
		LIST_REMOVE(waiting, entry);
		if (leg && refusal)
			access_refuse(leg, &waiting->msg, EXIT_DENIED, refusal);
		else if (leg)
			access_again(leg, &waiting->msg);
		free((void *)waiting->msg.detail.data);
		free(waiting->msg.term);
		free(waiting);
	}
}

static void swap_groups(struct identity *to, struct identity *from)
{
	char **groups = to->groups;
	size_t count = to->group_count;

	to->groups = from->groups;
	to->group_count = from->group_count;
	from->groups = groups;
	from->group_count = count;
}

static int keep(struct client *client, struct identity *who, struct err *err)
{
	struct store *store = client->broker->store;
	int rc = identities_put(store, who, clock_wall_ms(), err);

	return rc ? rc : logins_refresh(store, client->who->serial, who->login_time, err);
}

/* The same person, newly proved: the login is theirs from now on. NULL, or why not. */
static const char *renew(struct client *client, struct identity *who, struct err *err)
{
	char time[CLOCK_RFC3339_MAX];

	if (!identity_same(client->who, who))
		return "somebody else logged in at the provider";
	json_t *event = client_event(client);
	json_object_set_new(event, "provider", json_string_or_null(who->provider));
	json_object_set_new(event, "subject", json_visible(who->subject, strlen(who->subject)));
	json_object_set_new(event, "login_time", json_string(clock_format(who->login_time, time)));
	json_object_set_new(event, "again", json_true());
	if (broker_audit(client->broker, "login-provider", event))
		return "the gateway cannot write its audit log";
	if (revoke_check(client->broker->store, revoked_list(client->broker), client->who,
		    client->offered, clock_wall(), err) ||
		keep(client, who, err))
		return err->text;
	client->who->login_time = who->login_time;
	swap_groups(client->who, who);
	return NULL;
}

static void on_done(void *context, struct identity *who, const char *kind, const char *reason)
{
	struct fresh *fresh = context;
	struct err err = { 0 };
	char words[ERR_TEXT_MAX];

	(void)kind;
	const char *refusal = who ? renew(fresh->client, who, &err) : reason;
	if (refusal)
		text_clean(words, sizeof(words), refusal, strlen(refusal));
	settle(fresh, refusal ? words : NULL);
	identity_free(who);
}

static const struct flow_ops flow_ops = { on_code, on_done };

/* ---- the beginning ---- */

bool fresh_already(struct client *client)
{
	struct err err;
	int64_t before = client->who->login_time;

	return client->who->serial && !logins_complete(client->broker->store, client->who, &err) &&
	       client->who->login_time > before;
}

static int begin(struct client *client, int64_t within_s, struct err *err)
{
	const struct conf_provider *provider = provider_conf(client->broker, client->who->provider);

	if (!provider || provider->machine || client->who->machine)
		return err_set(err, -EACCES,
			"a newer login is needed, and yours is not from a provider that can be "
			"asked");
	struct fresh *fresh = calloc(1, sizeof(*fresh));
	if (!fresh)
		return err_set(err, -ENOMEM, "the gateway is out of memory");
	*fresh = (struct fresh){ .client = client };
	LIST_INIT(&fresh->list);
	client->fresh = fresh;
	const struct flow_spec spec = { provider->name, client->source, within_s };
	fresh->timer = evtimer_new(client->broker->base, on_timer, fresh);
	int rc = fresh->timer
			 ? flow_start(client->broker, &spec, &flow_ops, fresh, &fresh->flow, err)
			 : err_set(err, -ENOMEM, "the gateway is out of memory");
	if (rc)
		fresh_free(fresh);
	return rc;
}

int fresh_hold(struct leg *leg, const struct msg_access *msg, int64_t within_s, const char *why,
	struct err *err)
{
	struct client *client = leg->client;
	int rc = client->fresh ? 0 : begin(client, within_s, err);

	if (rc)
		return rc;
	struct fresh *fresh = client->fresh;
	struct waiting *waiting = fresh->count < FRESH_WAITING_MAX ? waiting_new(fresh, msg) : NULL;
	if (!waiting && !fresh->count)
		fresh_free(fresh);
	if (!waiting)
		return err_set(err, -EAGAIN, "too many channels wait for a login already");
	struct msg_hold out = {
		.leg = msg->leg, .channel = msg->channel, .text = (char *)why, .status = (char *)""
	};
	link_send(&client->link, IPC_HOLD, 0, &out, NULL, 0);
	if (fresh->shown)
		show_code(fresh, waiting);
	return 0;
}
