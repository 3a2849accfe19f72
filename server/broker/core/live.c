/* Live sessions: listing, counting and ending them, for commands. */
#include <errno.h>
#include <string.h>

#include "server/broker/core/peer.h"

static struct peer_leg *leg_by_session(struct broker *broker, const char *session)
{
	struct client *client;
	struct peer_leg *leg;

	for (client = LIST_FIRST(&broker->private->clients); client;
		client = LIST_NEXT(client, entry)) {
		for (leg = LIST_FIRST(&client->legs); leg; leg = LIST_NEXT(leg, entry)) {
			if (leg->state == LEG_OPEN && !strcmp(leg->session, session))
				return leg;
		}
	}
	return NULL;
}

bool broker_session_live(struct broker *broker, const char *session)
{
	return leg_by_session(broker, session);
}

int broker_end_session(struct broker *broker, const char *session, const char *reason)
{
	struct peer_leg *leg = leg_by_session(broker, session);

	if (!leg)
		return -ENOENT;
	peer_leg_stop(leg, EXIT_DENIED, reason);
	return 0;
}

static void show(const struct peer_leg *leg, broker_live_fn *visit, void *context)
{
	const struct broker_live live = {
		.connection = leg->client->connection,
		.session = leg->session,
		.who = leg->client->who,
		.target = leg->target,
		.login = leg->login,
		.source = leg->client->source_text,
		.started = leg->started,
		.channels = leg->channels_open,
	};

	visit(&live, context);
}

void broker_live_each(struct broker *broker, broker_live_fn *visit, void *context)
{
	struct client *client;
	struct peer_leg *leg;

	for (client = LIST_FIRST(&broker->private->clients); client;
		client = LIST_NEXT(client, entry)) {
		for (leg = LIST_FIRST(&client->legs); leg; leg = LIST_NEXT(leg, entry)) {
			if (leg->state == LEG_OPEN)
				show(leg, visit, context);
		}
	}
}

static void count_session(const struct broker_live *live, void *context)
{
	(void)live;
	++*(unsigned *)context;
}

void broker_counts(struct broker *broker, struct broker_counts *ret)
{
	const struct broker_private *private = broker->private;
	struct client *client;

	*ret = (struct broker_counts){ .connections = private->client_count,
		.commands = private->commands,
		.signer = private->signer,
		.egress = private->egress,
		.draining = private->draining,
		.started = private->started };
	for (client = LIST_FIRST(&broker->private->clients); client;
		client = LIST_NEXT(client, entry)) {
		ret->authenticated += client->state == CLIENT_AUTHENTICATED;
	}
	broker_live_each(broker, count_session, &ret->sessions);
}
