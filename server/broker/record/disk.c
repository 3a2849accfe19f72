/* Free space for transcripts, checked every two seconds. When there is too little, sessions that
 * must be recorded end and new ones are refused, except for those of members of
 * transcripts.break_glass. */
#include "server/broker/record/disk.h"

#include "common/log.h"
#include "policy/ruleset.h"
#include "server/broker/core/peer.h"
#include "server/broker/record/record.h"

uint64_t disk_free(struct broker *broker)
{
	uint64_t free_bytes = 0;
	struct err err = { 0 };

	if (transcripts_free_bytes(broker->store, &free_bytes, &err))
		/* counts as no free space */
		log_error("the free space of the state directory cannot be read: %s", err.text);
	return free_bytes;
}

bool disk_low(struct broker *broker)
{
	return disk_free(broker) < (uint64_t)broker->config->conf->min_free;
}

bool disk_exempt(struct broker *broker, const struct identity *who)
{
	const char *role = broker->config->conf->break_glass;

	return role && ruleset_in_role(broker->config->ruleset, role, who);
}

static void end_recorded(struct client *client)
{
	struct peer_leg *leg;

	for (leg = LIST_FIRST(&client->legs); leg; leg = LIST_NEXT(leg, entry))
		if (leg->state == LEG_OPEN && record_required(leg->record) &&
			!disk_exempt(client->broker, client->who))
			peer_leg_stop(
				leg, EXIT_GATEWAY, "the gateway has no room left for transcripts");
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct broker *broker = arg;
	bool low = disk_low(broker);
	if (low && !broker->private->disk_low)
		log_error("the state directory has less than transcripts.min_free left: recorded "
			  "sessions end, new ones are refused");
	else if (!low && broker->private->disk_low)
		log_info("the state directory has enough free space again");
	broker->private->disk_low = low;
	struct client *client;
	if (!low)
		return;
	for (client = LIST_FIRST(&broker->private->clients); client;
		client = LIST_NEXT(client, entry)) {
		end_recorded(client);
	}
}

int disk_watch(struct broker *broker)
{
	struct timeval every = timeval_of(BROKER_DISK_MS);

	broker->private->disk_timer = event_new(broker->base, -1, EV_PERSIST, on_timer, broker);
	return broker->private->disk_timer ? event_add(broker->private->disk_timer, &every) : -1;
}
