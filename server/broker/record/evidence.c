/* The cryptographic facts of each transport, as a session reports them: kept with the record, and
 * written to the audit log. Facts received before their leg is named are kept until then. */
#include "server/broker/record/evidence.h"

#include <string.h>

#include "server/broker/core/peer.h"
#include "server/broker/record/record.h"

static json_t *visible(const char *text)
{
	return json_visible(text, strlen(text));
}

json_t *evidence_json(const struct msg_evidence *msg)
{
	json_t *out = json_object();

	json_object_set_new(out, "kex", visible(msg->kex));
	json_object_set_new(out, "host_key_algorithm", visible(msg->host_key_algorithm));
	json_object_set_new(out, "host_key_fingerprint", visible(msg->host_key_fingerprint));
	json_object_set_new(out, "cipher_in", visible(msg->cipher_in));
	json_object_set_new(out, "cipher_out", visible(msg->cipher_out));
	json_object_set_new(out, "mac_in", visible(msg->mac_in));
	json_object_set_new(out, "mac_out", visible(msg->mac_out));
	json_object_set_new(out, "banner", visible(msg->banner));
	json_object_set_new(out, "strict_kex", json_boolean(msg->strict_kex));
	return out;
}

void evidence_audit(
	struct client *client, const struct peer_leg *leg, const char *transport, json_t *evidence)
{
	json_t *data = leg ? peer_leg_event(leg) : client_event(client);

	json_object_set_new(data, "transport", json_string(transport));
	json_object_update(data, evidence);
	broker_audit(client->broker, "evidence", data);
}

void evidence_flush(struct client *client)
{
	if (client->outer)
		evidence_audit(client, NULL, "outer", client->outer);
}

void evidence_outer(struct client *client, json_t *evidence)
{
	json_decref(client->outer);
	client->outer = json_incref(evidence);
	if (client->state == CLIENT_AUTHENTICATED)
		evidence_audit(client, NULL, "outer", evidence);
	struct peer_leg *leg;
	for (leg = LIST_FIRST(&client->legs); leg; leg = LIST_NEXT(leg, entry)) {
		record_evidence(leg->record, "outer", evidence);
	}
}

void evidence_early(struct client *client, uint32_t number, json_t *evidence)
{
	unsigned i = 0;

	while (i < client->early_count && client->early[i].leg != number)
		i++;
	if (i == CLIENT_EARLY_MAX)
		return;
	if (i == client->early_count)
		client->early_count++;
	else
		json_decref(client->early[i].evidence);
	client->early[i].leg = number;
	client->early[i].evidence = json_incref(evidence);
}

void evidence_named(struct peer_leg *leg)
{
	struct client *client = leg->client;

	if (client->outer)
		record_evidence(leg->record, "outer", client->outer);
	for (unsigned i = 0; i < client->early_count; i++)
		if (client->early[i].leg == leg->number) {
			JSON_CLEANUP json_t *evidence = client->early[i].evidence;
			client->early[i] = client->early[--client->early_count];
			record_evidence(leg->record, "inner", evidence);
			evidence_audit(client, leg, "inner", evidence);
			return;
		}
}
