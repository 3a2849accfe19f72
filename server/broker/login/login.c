/* A login at a provider, from the proved key to the certificate. See server/broker/login/login.h.
 *
 *   choosing (which provider) -> waiting (a device flow) -> issuing -> authenticated
 *
 * A login belongs to one client and the one key that was proved on its connection; it dies with the
 * client. Its end is IPC_AUTH_ANSWER, once. */
#include "server/broker/login/login.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "common/wire.h"
#include "server/broker/login/device_flow.h"
#include "server/broker/login/issue.h"
#include "server/broker/login/provider.h"
#include "server/broker/login/revoke.h"

enum login_state { LOGIN_CHOOSING, LOGIN_WAITING, LOGIN_ISSUING };

struct login {
	struct client *client;
	enum login_state state;
	struct flow *flow;
	struct token_check *check; /* check of a token that was typed in */
	struct event *timer;	   /* for the next text */
	/* texts sent, and answers received: a client answers each text at most once */
	unsigned prompts, answers;
	unsigned wrong; /* wrong answers to the choice of a provider */
};

/* ---- the key ---- */

static void answer_key(struct client *client, bool proved, const char *banner)
{
	struct msg_auth_answer out = {
		.ok = !proved, .proved = proved, .partial = proved, .reason = (char *)banner
	};

	link_send(&client->link, IPC_AUTH_ANSWER, 0, &out, NULL, 0);
}

/* Who signs without asking first has no other key to go on with, and is told at once. */
static int offer_login(struct client *client, const struct msg_auth *msg, bool may_go_on)
{
	bool hint = msg->proved && !may_go_on && auth_hint_fits(client);

	if (msg->proved) {
		client_proved(client, CLIENT_PROVED);
		log_info("connection %llu from %s: a key was proved, a certificate or a login has "
			 "to follow",
			(unsigned long long)client->connection, client->source_text);
	}
	answer_key(client, msg->proved, hint ? LOGIN_BANNER : "");
	return 0;
}

static bool proved_key(const struct client *client, struct bytes key)
{
	const struct bytes proved = sshkey_blob(client->key);

	return proved.len == key.len && !memcmp(proved.data, key.data, key.len);
}

/* A key is proved already. Its return says that the client has been through all others. */
static int offered_again(struct client *client, const struct msg_auth *msg,
	const struct auth_seen *seen, const char *words)
{
	bool same = proved_key(client, msg->key);

	if (!same && msg->proved)
		return auth_refuse(client, true, seen,
			"another key was proved on this connection: its login has to be finished "
			"first");
	return auth_pass_over(client, msg->proved, seen, same ? words : "");
}

/* An identity for nobody: its name has characters that no user name can have. */
static struct identity *nobody(const struct auth_seen *seen)
{
	struct identity *who = calloc(1, sizeof(*who));

	if (!who)
		return NULL;
	*who = (struct identity){ .user = strdup("(not logged in)"),
		.provider = strdup("none"),
		.subject = strdup(""),
		.groups = calloc(1, sizeof(*who->groups)),
		.key_fp = strdup(seen->key_fp),
		.expires = INT64_MAX,
		.machine = true };
	if (!who->user || !who->provider || !who->subject || !who->groups || !who->key_fp)
		identity_freep(&who);
	return who;
}

static int offer_exchange(
	struct client *client, const struct msg_auth *msg, const struct auth_seen *seen)
{
	if (!msg->proved) {
		answer_key(client, false, "");
		return 0;
	}
	struct identity *who = nobody(seen);
	if (!who || client_proved(client, CLIENT_LIMITED)) {
		identity_free(who);
		return auth_refuse(client, true, seen, "the gateway is out of memory");
	}
	client->who = who;
	client_end_after(client, CLIENT_LIMITED_MS);
	log_info("connection %llu from %s: a key was proved, for the exchange of a token",
		(unsigned long long)client->connection, client->source_text);
	struct msg_auth_answer out = {
		.ok = true,
		.proved = true,
		.reason = (char *)"",
		.user = who->user,
		.expires = INT64_MAX,
	};
	link_send(&client->link, IPC_AUTH_ANSWER, 0, &out, NULL, 0);
	return 0;
}

/* A touch of a security key that leads nowhere is not asked for. */
static bool wants_touch(struct bytes key)
{
	struct wire in = WIRE_OF(key.data, key.len);
	struct bytes type;

	return !wire_get_string(&in, &type) && type.len > 3 && !memcmp(type.data, "sk-", 3);
}

static int offer_first(struct client *client, const struct msg_auth *msg,
	const struct auth_seen *seen, const char *why, bool people, bool machines)
{
	bool may_go_on = client->asked; /* and show a certificate, where there is one */
	struct err err = { 0 };

	client->asked |= !msg->proved;
	if (!people && !machines && msg->proved && !may_go_on)
		return auth_refuse_unknown(client, true, seen, why);
	if (!people && !machines && !msg->proved && wants_touch(msg->key))
		return auth_pass_over(client, false, seen, "");
	if (msg->proved && client_keep_key(client, msg->key, &err))
		return auth_refuse(client, true, seen, err.text);
	bool exchange = machines && !people && !may_go_on;
	if (exchange || ((people || machines) && !strcmp(client->user, LOGIN_TOKEN_USER)))
		return offer_exchange(client, msg, seen);
	return offer_login(client, msg, may_go_on);
}

int login_offer(struct client *client, const struct msg_auth *msg, const struct auth_seen *seen,
	const char *why)
{
	struct broker *broker = client->broker;
	bool issues = broker_key(broker, "issuing");
	bool machines = issues && providers_machine(broker);
	bool people = issues && providers_human(broker, NULL, 0);

	if (client->state != CLIENT_PROVED)
		return offer_first(client, msg, seen, why, people, machines);
	if (machines && !people && proved_key(client, msg->key))
		return offer_exchange(client, msg, seen);
	return offered_again(client, msg, seen, people ? LOGIN_BANNER : why);
}

/* ---- the end ---- */

static void login_free(struct login *login)
{
	login->client->login = NULL;
	issue_forget(login->client->broker, login);
	flow_cancel(&login->flow);
	token_check_cancel(&login->check);
	if (login->timer)
		event_free(login->timer);
	free(login);
}

void login_cancel(struct client *client)
{
	if (client->login)
		login_free(client->login);
}

static void seen_of(const struct client *client, struct auth_seen *ret)
{
	*ret = (struct auth_seen){ 0 };
	sshkey_fingerprint(client->key, ret->key_fp);
}

static void login_fail(struct login *login, const char *reason)
{
	struct client *client = login->client;
	struct auth_seen seen;

	seen_of(client, &seen);
	login_free(login);
	client->plain_refused = false; /* a failed login is always audited */
	auth_refuse(client, true, &seen, reason);
}

/* The certificate is stored: identifies the client again, in the same way as a later connection
 * with this key. */
static void admit(struct client *client)
{
	struct broker *broker = client->broker;
	const struct auth_question question = {
		.store = broker->store,
		.conf = broker->config->conf,
		.issuing = broker_key(broker, "issuing"),
		.key = client->offered,
		.source = client->source,
		.now = clock_wall(),
		.krl = revoked_list(broker),
	};
	struct auth_seen seen;
	struct identity *who = NULL;
	struct err err = { 0 };

	if (auth_identify(&question, &seen, &who, &err)) {
		auth_refuse(client, true, &seen, err.text);
		return;
	}
	client->deciding = true;
	if (auth_admit(client, &seen, who, &err))
		client_violation(client, "login", err.text);
	client->deciding = false;
}

static void on_issued(void *context, bool ok, const char *text)
{
	struct login *login = context;
	struct client *client = login->client;

	if (!ok) {
		login_fail(login, text);
		return;
	}
	login_free(login);
	admit(client);
}

static void audit_login(const struct identity *who, const char *key_fp, json_t *event)
{
	char time[CLOCK_RFC3339_MAX];

	json_object_set_new(event, "user", json_string_or_null(who->user));
	json_object_set_new(event, "provider", json_string_or_null(who->provider));
	json_object_set_new(event, "subject", json_visible(who->subject, strlen(who->subject)));
	json_object_set_new(event, "login_time", json_string(clock_format(who->login_time, time)));
	json_object_set_new(event, "machine", json_boolean(who->machine));
	json_object_set_new(event, "key", json_string(key_fp));
}

void login_grant(struct broker *broker, const struct identity *who, const struct sshkey *key,
	json_t *event, const char *by, issue_done_fn *done, void *context)
{
	const struct conf *conf = broker->config->conf;
	char key_fp[SSHKEY_FP_MAX];
	struct err err = { 0 };

	sshkey_fingerprint(key, key_fp);
	audit_login(who, key_fp, event);
	if (revoke_check(broker->store, revoked_list(broker), who, sshkey_blob(key), clock_wall(),
		    &err)) {
		json_decref(event);
		done(context, false, err.text);
		return;
	}
	if (broker_audit(broker, "login-provider", event)) {
		done(context, false, "the gateway cannot write its audit log");
		return;
	}
	const struct issue_spec spec = {
		.who = who,
		.key = key,
		.rights = AUTH_LOGIN_RIGHTS,
		.lifetime_s =
			ruleset_lifetime(broker->config->ruleset, who, conf->cert_lifetime) / 1000,
	};
	issue_start(broker, &spec, by, done, context);
}

static void issue(struct login *login, struct identity *who)
{
	struct client *client = login->client;

	login->state = LOGIN_ISSUING;
	evtimer_del(login->timer);
	json_t *event = client_event(client);
	json_object_set_new(event, "name", json_visible(client->user, strlen(client->user)));
	login_grant(client->broker, who, client->key, event, who->provider, on_issued, login);
	identity_free(who);
}

/* ---- what is shown ---- */

static void show(struct login *login, const char *text, const char *prompt)
{
	struct msg_login_prompt out = {
		.text = (char *)text, .prompt = (char *)prompt, .echo = true
	};

	login->prompts++;
	link_send(&login->client->link, IPC_LOGIN_PROMPT, 0, &out, NULL, 0);
}

static void arm(struct login *login)
{
	struct timeval wait = timeval_of(LOGIN_PROGRESS_MS);

	if (evtimer_add(login->timer, &wait))
		log_error("connection %llu: the timer for its login could not be set",
			(unsigned long long)login->client->connection);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct login *login = arg;
	BUF_CLEANUP struct buf text = BUF_INIT(IPC_TEXT_MAX);
	if (login->flow && !flow_progress(login->flow, &text))
		show(login, buf_cstr(&text), "");
	arm(login);
}

static void on_code(void *context)
{
	struct login *login = context;
	BUF_CLEANUP struct buf text = BUF_INIT(IPC_TEXT_MAX);

	if (!flow_words(login->flow, &text))
		show(login, buf_cstr(&text), "");
	arm(login);
}

static void on_flow_done(void *context, struct identity *who, const char *kind, const char *reason)
{
	struct login *login = context;

	(void)kind;
	if (who)
		issue(login, who);
	else
		login_fail(login, reason);
}

static const struct flow_ops flow_ops = { on_code, on_flow_done };

/* ---- the way there ---- */

static void begin(struct login *login, const struct conf_provider *provider)
{
	const struct flow_spec spec = { provider->name, login->client->source, -1 };
	struct err err = { 0 };

	login->state = LOGIN_WAITING;
	if (flow_start(login->client->broker, &spec, &flow_ops, login, &login->flow, &err))
		login_fail(login, err.text);
}

static void ask_provider(struct login *login, const struct conf_provider *const *list, size_t count,
	const char *before)
{
	BUF_CLEANUP struct buf text = BUF_INIT(IPC_TEXT_MAX);
	int rc = buf_printf(&text, "%sLog in with one of these providers:\n", before);

	for (size_t i = 0; !rc && i < count; i++)
		rc = buf_printf(&text, "  %zu  %s\n", i + 1, list[i]->name);
	show(login, rc ? "" : buf_cstr(&text), "Provider [1]: ");
}

static struct login *login_new(struct client *client)
{
	struct login *login = calloc(1, sizeof(*login));

	if (!login)
		return NULL;
	login->client = client;
	client->login = login;
	login->timer = evtimer_new(client->broker->base, on_timer, login);
	if (login->timer)
		return login;
	login_free(login);
	return NULL;
}

int handle_login(struct client *client, const void *data, struct err *err)
{
	(void)data, (void)err;
	const struct conf_provider *list[CONF_PROVIDERS_MAX];
	size_t count = providers_human(client->broker, list, CONF_PROVIDERS_MAX);
	struct auth_seen seen;
	struct login *login = login_new(client);
	seen_of(client, &seen);
	if (!login)
		return auth_refuse(client, true, &seen, "the gateway is out of memory");
	if (!count || !broker_key(client->broker, "issuing"))
		login_fail(login,
			"a certificate is needed: this gateway does not accept plain keys, "
			"and there is no provider to log in with");
	else if (count == 1)
		begin(login, list[0]);
	else
		ask_provider(login, list, count, "");
	return 0;
}

static void on_token(void *context, struct identity *who, const char *reason)
{
	struct login *login = context;

	if (who)
		issue(login, who);
	else
		login_fail(login, reason);
}

/* A workload's token instead of a choice: three parts, and much longer than a name. */
static bool is_token(struct bytes text)
{
	return text.len > 64 && memchr(text.data, '.', text.len);
}

static void take_token(struct login *login, struct bytes token)
{
	struct broker *broker = login->client->broker;
	struct err err = { 0 };
	const struct conf_provider *provider = provider_of_token(broker, token, &err);
	const struct sshkey *key = login->client->key;
	const struct token_spec spec = { provider ? provider->name : NULL, token, { NULL, 0 }, -1,
		key ? sshkey_blob(key) : (struct bytes){ NULL, 0 } };

	login->state = LOGIN_WAITING;
	if (!provider || token_check_start(broker, &spec, on_token, login, &login->check, &err))
		login_fail(login, err.text);
}

static const struct conf_provider *choice(
	struct bytes text, const struct conf_provider *const *list, size_t count)
{
	unsigned long number = 1;
	char word[256], *end = word;

	snprintf(word, sizeof(word), "%.*s",
		(int)(text.len < sizeof(word) ? text.len : sizeof(word) - 1),
		(const char *)text.data);
	if (*word)
		number = strtoul(word, &end, 10);
	for (size_t i = 0; i < count; i++)
		if (!strcmp(list[i]->name, word) || (!*end && number == i + 1))
			return list[i];
	return NULL;
}

static void choose(struct login *login, struct bytes text)
{
	const struct conf_provider *list[CONF_PROVIDERS_MAX];
	size_t count = providers_human(login->client->broker, list, CONF_PROVIDERS_MAX);

	while (text.len && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r' ||
				   text.data[text.len - 1] == ' '))
		text.len--;
	const struct conf_provider *provider = choice(text, list, count);
	if (provider)
		begin(login, provider);
	else if (is_token(text))
		take_token(login, text);
	else if (++login->wrong < LOGIN_CHOICES_MAX)
		ask_provider(login, list, count, "There is no such provider.\n");
	else
		login_fail(login, "no provider was chosen");
}

int handle_login_input(struct client *client, const void *data, struct err *err)
{
	const struct msg_login_input *msg = data;
	struct login *login = client->login;

	if (!login) /* the login ended before this answer arrived */
		return 0;
	if (login->answers >= login->prompts)
		return err_set(err, -EPROTO, "it answers more prompts than were sent");
	login->answers++;
	if (login->state == LOGIN_CHOOSING)
		choose(login, msg->text);
	return 0;
}
