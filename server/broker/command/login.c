/* login, logout: the certificate of a login made with the key of this connection, a new one in
 * exchange for an ID token, and the end of one.
 *
 * The certificate's line stands alone on stdout, so that `ssh gw login >
 * ~/.ssh/id_ed25519-cert.pub` is enough. */
#include "server/broker/command/impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/text.h"
#include "server/broker/login/issue.h"
#include "server/broker/login/login.h"
#include "server/broker/login/provider.h"
#include "store/logins.h"

/* ---- login ---- */

static void show_certificate(struct caller *caller, const struct command_args *args,
	const struct identity *who, const char *certificate)
{
	static const struct table_column columns[] = { { "certificate", "certificate", true },
		{ 0 } };
	char expires[CLOCK_RFC3339_MAX];

	if (args->json) {
		command_one(caller, args,
			json_pack("{s:s, s:s, s:I, s:s, s:s}", "user", who->user, "provider",
				who->provider, "serial", (json_int_t)who->serial, "expires",
				clock_format(who->expires, expires), "certificate", certificate),
			columns);
		return;
	}
	caller->ops->output(caller, 1, certificate, strlen(certificate));
	command_out(caller, "\n");
	command_exit(caller, 0);
}

static void show_login(struct caller *caller, const struct command_args *args)
{
	struct identity *who = NULL;
	FREE_CLEANUP char *certificate = NULL;
	struct err err = { "" };
	int rc = logins_by_key(
		caller->broker->store, caller->who->key_fp, clock_wall(), &who, &certificate, &err);

	if (rc == -ENOENT)
		command_fail(caller, 1,
			"no login is kept for the key of this connection: it was made with a "
			"certificate; connect with the plain key to log in");
	else if (rc)
		command_fail(caller, EXIT_GATEWAY, "the login could not be read: %s", err.text);
	else
		show_certificate(caller, args, who, certificate);
	identity_free(who);
}

/* ---- login --token ---- */

struct exchange {
	struct caller *caller;
	struct buf token;
	struct token_check *check;
};

static void exchange_free(struct exchange *exchange)
{
	exchange->caller->state = NULL;
	exchange->caller->stop = NULL;
	exchange->caller->input = NULL;
	issue_forget(exchange->caller->broker, exchange);
	token_check_cancel(&exchange->check);
	buf_burn(&exchange->token);
	free(exchange);
}

static void exchange_stop(struct caller *caller)
{
	exchange_free(caller->state);
}

static void exchange_fail(struct exchange *exchange, const char *reason)
{
	struct caller *caller = exchange->caller;
	char key_fp[SSHKEY_FP_MAX], source[ADDR_TEXT_MAX];

	sshkey_fingerprint(caller->key, key_fp);
	exchange_free(exchange);
	broker_audit(caller->broker, "login-refused",
		json_pack("{s:s, s:s, s:o}", "source", addr_format(&caller->source, source), "key",
			key_fp, "reason", json_visible(reason, strlen(reason))));
	command_fail(caller, EXIT_DENIED, "the token was not accepted: %s", reason);
}

static void on_issued(void *context, bool ok, const char *text)
{
	struct exchange *exchange = context;
	struct caller *caller = exchange->caller;

	if (!ok) {
		exchange_fail(exchange, text ? text : "the reason is unknown");
		return;
	}
	exchange_free(exchange);
	caller->ops->output(caller, 1, text, strlen(text));
	command_out(caller, "\n");
	command_exit(caller, 0);
}

static void on_checked(void *context, struct identity *who, const char *reason)
{
	struct exchange *exchange = context;
	struct caller *caller = exchange->caller;
	char source[ADDR_TEXT_MAX];

	if (!who) {
		exchange_fail(exchange, reason);
		return;
	}
	json_t *event = json_pack("{s:s}", "source", addr_format(&caller->source, source));
	login_grant(caller->broker, who, caller->key, event, who->provider, on_issued, exchange);
	identity_free(who);
}

static void exchange_begin(struct exchange *exchange)
{
	struct broker *broker = exchange->caller->broker;
	struct bytes token = buf_bytes(&exchange->token);
	struct err err = { "" };

	exchange->caller->input = NULL;
	while (token.len && strchr(" \t\r\n", token.data[token.len - 1]))
		token.len--;
	if (!token.len) {
		exchange_fail(exchange, "standard input is empty (ssh gw login --token < TOKEN)");
		return;
	}
	const struct conf_provider *provider = provider_of_token(broker, token, &err);
	const struct token_spec spec = { provider ? provider->name : NULL, token, { NULL, 0 }, -1,
		sshkey_blob(exchange->caller->key) };
	if (!provider ||
		token_check_start(broker, &spec, on_checked, exchange, &exchange->check, &err))
		exchange_fail(exchange, err.text);
}

/* The token ends at the end of its line or of the input. */
static void exchange_input(struct caller *caller, const void *data, size_t len)
{
	struct exchange *exchange = caller->state;
	const uint8_t *bytes = data;
	size_t used = 0;

	while (used < len && bytes[used] != '\n' && bytes[used] != '\r')
		used++;
	if (buf_put(&exchange->token, bytes, used))
		exchange_fail(exchange, "it is longer than 16384 bytes");
	else if (!len || (used < len && exchange->token.len))
		exchange_begin(exchange);
}

static void exchange_token(struct caller *caller)
{
	struct exchange *exchange = calloc(1, sizeof(*exchange));

	if (!exchange) {
		command_fail(caller, EXIT_GATEWAY, "out of memory");
		return;
	}
	exchange->caller = caller;
	exchange->token = BUF_INIT(IPC_TOKEN_MAX);
	caller->state = exchange;
	caller->stop = exchange_stop;
	caller->input = exchange_input;
}

void command_run_login(struct caller *caller, const struct command_args *args)
{
	if (!caller->key)
		command_fail(
			caller, 2, "a login belongs to the key of an ssh connection: ssh gw login");
	else if (args->token)
		exchange_token(caller);
	else
		show_login(caller, args);
}

/* ---- logout ---- */

void command_run_logout(struct caller *caller, const struct command_args *args)
{
	(void)args;
	const struct identity *who = caller->who;
	struct err err = { "" };
	uint64_t count = 0;
	if (!caller->key || !who->key_fp) {
		command_fail(caller, 2,
			"a login belongs to the key of an ssh connection: ssh gw logout");
		return;
	}
	if (broker_audit(caller->broker, "logout",
		    json_pack("{s:s, s:s, s:s}", "user", who->user, "provider", who->provider,
			    "key", who->key_fp))) {
		command_fail(caller, EXIT_GATEWAY,
			"you are not logged out: the audit event could not be written");
		return;
	}
	int rc = logins_forget_key(caller->broker->store, who->key_fp, &count, &err);
	if (rc)
		command_fail(caller, EXIT_GATEWAY, "you are not logged out: %s", err.text);
	else if (!count)
		command_fail(caller, 1, "no login is kept for the key of this connection");
	else
		command_out(caller,
			"logged out: the next connection with this key needs a new login, "
			"and its certificates are not accepted any more\n");
	if (!rc && count)
		command_exit(caller, 0);
}
