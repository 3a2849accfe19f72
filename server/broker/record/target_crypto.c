/* See target_crypto.h. */
#include "server/broker/record/target_crypto.h"

#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "server/broker/record/evidence.h"
#include "store/target_crypto.h"

static void keep(struct broker *broker, const char *name, struct target_crypto *facts)
{
	const struct target *target = targets_find(broker->config->targets, name);
	struct err err = { "" };

	/* a reload may have removed it */
	if (!target || !facts->kex || !*facts->kex)
		return;
	facts->target = target->is_pattern ? name : target->name;
	if (!facts->port)
		facts->port = target->port;
	facts->post_quantum = evidence_post_quantum(facts->kex);
	facts->seen = clock_wall_ms();
	if (target_crypto_seen(broker->store, facts, &err))
		log_warning("target '%s': what was agreed on is not kept: %s", name, err.text);
}

void target_crypto_of_leg(const struct peer_leg *leg, const json_t *evidence)
{
	struct target_crypto facts = {
		.port = leg->port,
		.kex = json_get_string(evidence, "kex"),
		.host_key = json_get_string(evidence, "host_key_algorithm"),
		.cipher = json_get_string(evidence, "cipher_out"),
	};

	keep(leg->client->broker, leg->target, &facts);
}

void target_crypto_of_scan(struct broker *broker, const char *name, uint16_t port, const char *kex)
{
	struct target_crypto facts = { .port = port, .kex = kex, .scanned = true };

	keep(broker, name, &facts);
}
