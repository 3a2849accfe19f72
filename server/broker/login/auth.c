/* Login: a session's IPC_PROXY and IPC_AUTH. identify.c finds out who it is; this file counts,
 * audits and answers.
 *
 * The session has verified the proof of possession (msg->proved); everything else is verified here.
 * A client becomes authenticated only in client_authenticated(), and only after the event "login"
 * is in the audit chain. */
#include "server/broker/login/auth.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "policy/target.h"
#include "server/broker/core/peer.h"
#include "server/broker/login/login.h"
#include "server/broker/login/revoke.h"
#include "server/broker/record/evidence.h"
#include "common/selector.h"
#include "store/holders.h"

static bool proxy_believed(const struct conf *conf, const struct addr *peer)
{
	for (size_t i = 0; i < conf->proxy_from_count; i++)
		if (net_contains(&conf->proxy_from[i], peer))
			return true;
	return false;
}

int handle_proxy(struct client *client, const void *data, struct err *err)
{
	const struct msg_proxy *msg = data;
	struct addr source = { 0 };
	struct err why;

	if (client->user)
		return err_set(err, -EPROTO, "a PROXY header after the login has begun");
	if (!proxy_believed(client->broker->config->conf, &client->source))
		return err_set(err, -EPROTO,
			"a PROXY header from a peer that is not in proxy_protocol.from");
	if (addr_parse_port(msg->source, &source, &why))
		return err_set(err, -EPROTO, "%s", why.text);
	char text[ADDR_TEXT_MAX];
	log_info("connection %llu: %s is a proxy for %s", (unsigned long long)client->connection,
		client->source_text, addr_format_port(&source, text));
	client->source = source;
	addr_format_port(&source, client->source_text);
	return 0;
}

bool client_names_target(const struct client *client, const struct identity *who)
{
	struct selector selector;
	const struct target *target = NULL;

	if (!selector_parse(client->user, &selector) && selector.target)
		target = targets_find(client->broker->config->targets, selector.target);
	selector_release(&selector);
	return target && !(target->is_pattern && !strcasecmp(client->user, who->user));
}

static void answer(
	struct client *client, bool proved, const struct identity *who, const char *reason)
{
	struct msg_auth_answer out = {
		.ok = who != NULL, .proved = proved, .reason = (char *)reason
	};

	if (who) {
		out.user = who->user;
		out.rights = who->rights;
		out.force_command = who->force_command;
		out.expires = who->expires;
		out.direct = client_names_target(client, who);
	}
	link_send(&client->link, IPC_AUTH_ANSWER, 0, &out, NULL, 0);
}

static json_t *auth_event(const struct client *client, const struct auth_seen *seen)
{
	json_t *data = client_event(client);

	json_object_set_new(data, "name", json_visible(client->user, strlen(client->user)));
	json_object_set_new(data, "key", json_string_or_null(*seen->key_fp ? seen->key_fp : NULL));
	if (seen->serial)
		json_object_set_new(data, "serial", json_integer((json_int_t)seen->serial));
	if (!seen->certificate)
		return data;
	json_object_set_new(data, "ca", json_string_or_null(*seen->ca_fp ? seen->ca_fp : NULL));
	json_object_set_new(data, "key_id", json_string(seen->key_id));
	return data;
}

/* An agent may offer dozens of plain keys, and offers the plain key of each refused certificate as
 * well: only the first is audited, none after a refused certificate, and merely offering them costs
 * no attempt. Everything else is limited by the number of attempts. */
static void audit_refusal(
	struct client *client, bool proved, const struct auth_seen *seen, const char *reason)
{
	if (!seen->certificate && client->plain_refused)
		return;
	client->plain_refused = true;
	json_t *data = auth_event(client, seen);
	json_object_set_new(data, "reason", json_visible(reason, strlen(reason)));
	json_object_set_new(data, "proved", json_boolean(proved));
	broker_audit(client->broker, "login-refused", data);
	char name[256];
	log_info("connection %llu from %s: login of '%s' refused: %s",
		(unsigned long long)client->connection, client->source_text,
		text_clean(name, sizeof(name), client->user, strlen(client->user)), reason);
}

static void count(struct client *client, bool proved, const struct auth_seen *seen)
{
	const int64_t most = client->broker->config->conf->login_attempts;

	if (proved || seen->certificate)
		client->attempts++;
	else
		client->probes++;
	if (client->attempts >= most || client->probes >= CLIENT_PROBES_MAX)
		client_send_end(client, IPC_LEG_ALL, EXIT_DENIED, "too many login attempts");
}

static int refuse(struct client *client, bool proved, const struct auth_seen *seen,
	const char *reason, const char *said)
{
	audit_refusal(client, proved, seen, reason);
	answer(client, proved, NULL, said);
	count(client, proved, seen);
	return 0;
}

/* An agent may hold many keys that are refused for one reason: it is said once. */
int auth_refuse(
	struct client *client, bool proved, const struct auth_seen *seen, const char *reason)
{
	bool again = !proved && !seen->certificate &&
		     !strncmp(client->refusal, reason, sizeof(client->refusal) - 1);

	snprintf(client->refusal, sizeof(client->refusal), "%s", reason);
	return refuse(client, proved, seen, reason, again ? "" : reason);
}

bool auth_hint_fits(const struct client *client)
{
	return !*client->refusal;
}

int auth_refuse_unknown(
	struct client *client, bool proved, const struct auth_seen *seen, const char *hint)
{
	const char *said = auth_hint_fits(client) ? hint : "";

	if (*said)
		snprintf(client->refusal, sizeof(client->refusal), "%s", hint);
	return refuse(client, proved, seen, hint, said);
}

int auth_pass_over(
	struct client *client, bool proved, const struct auth_seen *seen, const char *words)
{
	const char *said = auth_hint_fits(client) ? words : "";

	if (*said)
		snprintf(client->refusal, sizeof(client->refusal), "%s", words);
	if (!*client->unknown_fp)
		snprintf(client->unknown_fp, sizeof(client->unknown_fp), "%s", seen->key_fp);
	answer(client, proved, NULL, said);
	count(client, proved, seen);
	return 0;
}

void auth_ended(struct client *client)
{
	struct auth_seen seen = { 0 };

	bool half = client->state == CLIENT_CONNECTED || client->state == CLIENT_PROVED;

	if (!half || !*client->unknown_fp)
		return;
	memcpy(seen.key_fp, client->unknown_fp, sizeof(seen.key_fp));
	audit_refusal(client, false, &seen, "a certificate is needed, and none came");
}

int auth_admit(
	struct client *client, const struct auth_seen *seen, struct identity *who, struct err *err)
{
	json_t *data = auth_event(client, seen);

	json_object_set_new(data, "user", json_string_or_null(who->user));
	json_object_set_new(data, "provider", json_string_or_null(who->provider));
	if (broker_audit(client->broker, "login", data)) {
		identity_free(who);
		return auth_refuse(client, true, seen, "the gateway cannot write its audit log");
	}
	struct err why = { 0 };
	if (holders_seen(client->broker->store, who, clock_wall(), &why)) {
		log_error("connection %llu: %s", (unsigned long long)client->connection, why.text);
		identity_free(who);
		return auth_refuse(client, true, seen, "the gateway cannot write its records");
	}
	struct identity *taken = who;
	if (client_authenticated(client, &taken)) {
		identity_free(taken);
		return err_set(
			err, -EPROTO, "the login is complete in a state that does not allow it");
	}
	log_info("connection %llu from %s: login of %s, certificate serial %llu, key %s",
		(unsigned long long)client->connection, client->source_text, who->user,
		(unsigned long long)seen->serial, seen->key_fp);
	evidence_flush(client);
	answer(client, true, who, "");
	return 0;
}

static int pin_user(struct client *client, const char *user, struct err *err)
{
	if (client->user && strcmp(client->user, user))
		return err_set(err, -EACCES, "the user name may not change on one connection");
	if (!client->user && !(client->user = text_dup(user, strlen(user))))
		return err_set(err, -EACCES, "the gateway is out of memory");
	return 0;
}

static int identified(struct client *client, const struct msg_auth *msg,
	const struct auth_seen *seen, struct identity *who, struct err *err)
{
	struct err why = { 0 };

	if (!msg->proved) {
		answer(client, false, who, "");
		identity_free(who);
		return 0;
	}
	if (client_keep_key(client, msg->key, &why)) {
		identity_free(who);
		return auth_refuse(client, true, seen, why.text);
	}
	return auth_admit(client, seen, who, err);
}

int handle_auth(struct client *client, const void *data, struct err *err)
{
	const struct msg_auth *msg = data;
	struct broker *broker = client->broker;
	const struct auth_question question = {
		.store = broker->store,
		.conf = broker->config->conf,
		.issuing = broker_key(broker, "issuing"),
		.key = msg->key,
		.source = client->source,
		.now = clock_wall(),
		.krl = revoked_list(broker),
	};
	struct auth_seen seen = { 0 };
	struct identity *who = NULL;
	struct err why = { 0 };

	if (client->state == CLIENT_AUTHENTICATED || client->state == CLIENT_LIMITED)
		return msg->proved ? err_set(err, -EPROTO,
					     "a proof of a key after the login is complete")
				   : 0;
	if (client->attempts >= broker->config->conf->login_attempts ||
		client->probes >= CLIENT_PROBES_MAX)
		return err_set(err, -EPROTO, "a further attempt after too many");
	int rc = pin_user(client, msg->user, &why);
	if (rc && !client->user)
		return err_set(err, -EPROTO, "%s", why.text);
	if (!rc && client->login)
		rc = err_set(&why, -EACCES,
			"a login is under way on this connection: it has to be finished first");
	if (!rc)
		rc = auth_identify(&question, &seen, &who, &why);
	if (rc == -ENOKEY)
		return login_offer(client, msg, &seen, why.text);
	return rc ? auth_refuse(client, msg->proved, &seen, why.text)
		  : identified(client, msg, &seen, who, err);
}
