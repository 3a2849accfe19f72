/* Revocations, at login and of connected clients. See server/broker/login/revoke.h. */
#include "server/broker/login/revoke.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "common/wire.h"
#include "keys/sshcert.h"
#include "server/broker/core/peer.h"
#include "store/revocations.h"

/* ---- the check ---- */

/* Somebody came in with this key under a name that is revoked. */
static bool by_another_name(const struct revocation *row, const struct identity *who)
{
	return row->kind == REVOKED_USER && (!who || strcasecmp(row->value, who->user));
}

static int refused_by_row(const struct revocation *row, const struct identity *who, struct err *err)
{
	static const char *const words[REVOKED_KINDS] = {
		[REVOKED_USER] = "user is revoked",
		[REVOKED_SERIAL] = "certificate is revoked",
		[REVOKED_KEY] = "key is revoked",
		[REVOKED_KEY_ID] = "certificate is revoked",
	};
	char until[CLOCK_RFC3339_MAX] = "", reason[REVOCATION_REASON_MAX + 1], name[256];
	bool other = by_another_name(row, who);

	if (row->until)
		clock_format(row->until, until);
	return err_set(err, -EACCES, "%s%s%s%s%s%s%s", other ? "user '" : "",
		other ? text_clean(name, sizeof(name), row->value, strlen(row->value)) : "",
		other ? "', whose key this is, is revoked" : words[row->kind],
		*until ? " until " : "", until, *row->reason ? ": " : "",
		text_clean(reason, sizeof(reason), row->reason, strlen(row->reason)));
}

static int check_store(struct store *store, const struct identity *who, const char *key_fp,
	int64_t now, struct err *err)
{
	struct revocation row = { 0 };
	struct revocation_question question = { .key_fp = key_fp };

	if (who)
		question = (struct revocation_question){ .user = who->user,
			.key_fp = key_fp,
			.ca_fp = who->ca_fp,
			.key_id = who->key_id,
			.serial = who->serial };
	int rc = revocations_find(store, &question, now, &row, err);
	if (rc < 0)
		return err_set(err, -EACCES, "the gateway cannot read its list of revocations");
	if (rc)
		refused_by_row(&row, who, err);
	revocation_release(&row);
	return rc ? -EACCES : 0;
}

static int check_list(
	const struct krl *krl, struct bytes key, const struct sshcert *cert, struct err *err)
{
	struct krl_question question = { .key = key };
	const char *by;

	if (cert)
		question = (struct krl_question){ .key = key,
			.ca = sshkey_blob(cert->ca),
			.serial = cert->serial,
			.key_id = cert->key_id };
	if (!krl_revoked(krl, &question, &by))
		return 0;
	return err_set(err, -EACCES, "%s is revoked (by %s, in the revocation list of the gateway)",
		cert ? "certificate" : "key", by);
}

int revoke_check(struct store *store, const struct krl *krl, const struct identity *who,
	struct bytes offered, int64_t now, struct err *err)
{
	SSHCERT_CLEANUP struct sshcert *cert = NULL;
	struct wire in = WIRE_OF(offered.data, offered.len);
	struct bytes type;
	char key_fp[SSHKEY_FP_MAX];
	struct err why;
	bool is_cert = !wire_get_string(&in, &type) && sshcert_is_cert_type(type);

	if (is_cert && sshcert_parse(offered, &cert, &why))
		return err_set(err, -EACCES, "the certificate is not acceptable: %s", why.text);
	const struct bytes key = cert ? sshkey_blob(cert->key) : offered;
	sshkey_fingerprint_blob(key, key_fp);
	int rc = check_store(store, who, key_fp, now, err);
	return rc || !krl ? rc : check_list(krl, key, cert, err);
}

/* ---- the configuration's list ---- */

const struct krl *revoked_list(struct broker *broker)
{
	return broker->private->krl;
}

void revoked_list_free(struct broker *broker)
{
	krl_free(broker->private->krl);
	broker->private->krl = NULL;
}

int revoked_list_load(struct broker *broker, struct err *err)
{
	const struct conf *conf = broker->config->conf;
	struct krl *krl = NULL;
	int rc = conf->krl ? krl_parse((struct bytes){ (const uint8_t *)conf->krl, conf->krl_len },
				     &krl, err)
			   : 0;

	if (rc)
		return err_prefix(err, -EINVAL, "certificates.revoked '%s'", conf->krl_file);
	revoked_list_free(broker);
	broker->private->krl = krl;
	if (krl)
		log_info("revocation list: version %llu, %zu entries",
			(unsigned long long)krl_version(krl), krl_entries(krl));
	return 0;
}

/* ---- connected clients ---- */

/* A client that logged in with a plain key is checked with the certificate of its stored login
 * (who->serial and ca_fp). */
static bool still_welcome(struct client *client, struct err *why)
{
	const struct identity *who = client->state == CLIENT_AUTHENTICATED ? client->who : NULL;

	if (!client->key)
		return true;
	return !revoke_check(client->broker->store, revoked_list(client->broker), who,
		client->offered, clock_wall(), why);
}

static void send_away(struct client *client, const char *reason)
{
	json_t *data = client_event(client);

	json_object_set_new(data, "reason", json_visible(reason, strlen(reason)));
	broker_audit(client->broker, "connection-revoked", data);
	client_dismiss(client, EXIT_DENIED, reason);
}

unsigned revoke_sweep(struct broker *broker)
{
	struct client *next;
	unsigned count = 0;

	for (struct client *client = LIST_FIRST(&broker->private->clients); client; client = next) {
		struct err why = { 0 };
		next = LIST_NEXT(client, entry);
		if (client->leaving || client->gone_timer || still_welcome(client, &why))
			continue;
		send_away(client, why.text);
		count++;
	}
	return count;
}
