/* Accesses that wait for a newer login. See server/broker/access/fresh_login.h.
 *
 * One flow a connection, however many channels wait: tools open them by the dozen. When the flow
 * has ended well they are judged anew, and else refused. When the last of them has gone, the flow
 * is cancelled. */
#include "server/broker/access/fresh_login.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "server/broker/access/wait.h"
#include "server/broker/login/device_flow.h"
#include "server/broker/login/provider.h"
#include "server/broker/login/revoke.h"
#include "store/identities.h"
#include "store/logins.h"

struct fresh {
	struct client *client;
	struct flow *flow;
	bool shown; /* the code */
};

static const struct waiter_ops fresh_ops;

static void fresh_free(struct fresh *fresh)
{
	fresh->client->fresh = NULL;
	flow_cancel(&fresh->flow);
	free(fresh);
}

/* ---- who waits ---- */

static struct channel_wait *wait_of(struct waiter *waiter)
{
	return (struct channel_wait *)(void *)((char *)waiter -
					       offsetof(struct channel_wait, waiter));
}

struct waiting_visit {
	const struct client *client;
	void (*visit)(struct channel_wait *wait, void *context);
	void *context;
};

static void visit_waiting(struct waiter *waiter, void *context)
{
	const struct waiting_visit *visit = context;

	if (waiter->ops == &fresh_ops && waiter->leg->client == visit->client)
		visit->visit(wait_of(waiter), visit->context);
}

/* One call for each channel of the connection that waits for its login. */
static void waiting_each(const struct client *client,
	void (*visit)(struct channel_wait *wait, void *context), void *context)
{
	waiters_each(
		client->broker, visit_waiting, &(struct waiting_visit){ client, visit, context });
}

static void count_one(struct channel_wait *wait, void *context)
{
	(void)wait;
	++*(unsigned *)context;
}

static unsigned waiting_count(const struct client *client)
{
	unsigned count = 0;

	waiting_each(client, count_one, &count);
	return count;
}

/* One that waited has gone. */
static void one_left(struct client *client)
{
	if (client->fresh && !waiting_count(client))
		fresh_free(client->fresh);
}

static void drop(struct waiter *waiter)
{
	struct client *client = waiter->leg->client;

	channel_wait_drop(waiter);
	one_left(client);
}

static void give_up(
	struct waiter *waiter, const struct refusal *refusal, const struct approval *approval)
{
	struct client *client = waiter->leg->client;

	channel_wait_give_up(waiter, refusal, approval);
	one_left(client);
}

/* ---- what they see ---- */

static const char *status(const struct fresh *fresh, char *out, size_t size)
{
	char left[64];

	snprintf(out, size, "waiting for the login (%s left)",
		flow_left(fresh->flow, left, sizeof(left)));
	return out;
}

static void refresh(struct waiter *waiter)
{
	const struct fresh *fresh = waiter->leg->client->fresh;
	struct channel_wait *wait = wait_of(waiter);
	char now[sizeof(wait->status)];

	if (!fresh || !fresh->flow || !fresh->shown ||
		!strcmp(status(fresh, now, sizeof(now)), wait->status))
		return;
	memcpy(wait->status, now, sizeof(now));
	channel_wait_show(wait, "", wait->status);
}

static void show_code(struct channel_wait *wait, void *context)
{
	BUF_CLEANUP struct buf text = BUF_INIT(IPC_TEXT_MAX);
	const struct fresh *fresh = context;

	if (flow_words(fresh->flow, &text))
		return;
	status(fresh, wait->status, sizeof(wait->status));
	channel_wait_show(wait, buf_cstr(&text), wait->status);
}

static void on_code(void *context)
{
	struct fresh *fresh = context;

	fresh->shown = true;
	waiting_each(fresh->client, show_code, fresh);
}

static const struct waiter_ops fresh_ops = {
	.refresh = refresh,
	.give_up = give_up,
	.drop = drop,
};

/* ---- the end ---- */

static void settle_one(struct channel_wait *wait, void *context)
{
	const struct refusal *refusal = context;

	if (refusal)
		access_refuse(wait, refusal);
	else
		channel_wait_resume(wait, true);
}

/* The flow is over, and forgotten before anybody is judged: a channel may need another one. */
static void settle(struct fresh *fresh, struct refusal *refusal)
{
	struct client *client = fresh->client;

	fresh_free(fresh);
	waiting_each(client, settle_one, refusal);
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

static int keep_login(struct client *client, struct identity *who, struct err *err)
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
		keep_login(client, who, err))
		return err->text;
	client->who->login_time = who->login_time;
	swap_groups(client->who, who);
	return NULL;
}

static void on_done(void *context, struct identity *who, const char *kind, const char *reason)
{
	struct fresh *fresh = context;
	struct err err = { 0 };
	struct refusal refusal;
	char words[ERR_TEXT_MAX];

	(void)kind;
	if (who)
		reason = renew(fresh->client, who, &err);
	if (reason)
		refusal_set(&refusal, EXIT_DENIED, "%s",
			text_clean(words, sizeof(words), reason, strlen(reason)));
	settle(fresh, reason ? &refusal : NULL);
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
	const struct flow_spec spec = { provider->name, client->source, within_s };
	struct fresh *fresh = calloc(1, sizeof(*fresh));
	if (!fresh)
		return err_set(err, -ENOMEM, "the gateway is out of memory");
	*fresh = (struct fresh){ .client = client };
	client->fresh = fresh;
	int rc = flow_start(client->broker, &spec, &flow_ops, fresh, &fresh->flow, err);
	if (rc)
		fresh_free(fresh);
	return rc;
}

int fresh_wait(struct access_request *request, const char *why, struct err *err)
{
	struct client *client = request->leg->client;
	struct channel_wait *wait = NULL;
	int rc = client->fresh ? 0 : begin(client, request->decision.login_within_s, err);

	if (rc)
		return rc;
	if (waiting_count(client) < FRESH_WAITING_MAX)
		wait = channel_wait_of(request);
	if (!wait) {
		one_left(client);
		return err_set(err, -EAGAIN, "too many channels wait for a login already");
	}
	channel_wait_reset(wait, &fresh_ops);
	channel_wait_show(wait, why, "");
	if (client->fresh->shown)
		show_code(wait, client->fresh);
	return 0;
}
