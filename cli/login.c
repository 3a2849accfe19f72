/* bartizan login: from a laptop to a short-lived certificate, by the company's identity provider
 * and the stock ssh client. */
#include "cli/login.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/fd.h"
#include "oidc/jws.h"

#define OPT(n, t, f)                                          \
	{                                                     \
		n, t, offsetof(struct login_options, f), 0, 0 \
	}
static const struct arg_row rows[] = {
	OPT("gateway", ARG_TEXT, gateway),
	OPT("issuer", ARG_TEXT, issuer),
	OPT("client-id", ARG_TEXT, client_id),
	OPT("ca-file", ARG_TEXT, ca_file),
	OPT("scope", ARG_LIST, scopes),
	OPT("user", ARG_TEXT, user),
	OPT("max-age", ARG_DURATION, max_age),
	{ "callback-port", ARG_INT, offsetof(struct login_options, callback_port), 1, 65535 },
	{ "wait", ARG_DURATION, offsetof(struct login_options, wait), 1000, LOGIN_LIMIT_MS },
	OPT("out", ARG_TEXT, out),
	OPT("client-config", ARG_TEXT, client_config),
	OPT("ssh-config", ARG_TEXT, ssh_config),
	OPT("device", ARG_FLAG, device),
	OPT("no-browser", ARG_FLAG, no_browser),
	OPT("status", ARG_FLAG, status),
	OPT("json", ARG_FLAG, json),
	{ 0 },
};

/* Checks where the key will go, before somebody logs in for nothing. */
static int check_place(const struct login_options *options, struct err *err)
{
	FD_CLEANUP int fd = -1;

	if (options->out)
		return login_out_check(options->out, err);
	int rc = agent_open(&fd, err);
	return rc ? err_prefix(err, rc,
			    "the key has no place to go; start an agent, or name files with '--out "
			    "FILE'")
		  : 0;
}

/* Appends a valid ID token of the provider to token; one from the browser is bound to this key. */
static int get_token(const struct login_options *options, const struct login_conf *conf,
	const struct sshkey *key, struct buf *token, struct err *err)
{
	struct login_provider provider;
	struct pkce pkce;
	int rc = login_provider_open(
		conf, options->max_age < 0 ? -1 : options->max_age / 1000, &provider, err);

	if (rc)
		return rc;
	provider.wait_ms = options->wait;
	rc = pkce_init(&pkce, sshkey_blob(key), err);
	if (!rc)
		rc = options->device
			     ? login_by_device(&provider, token, err)
			     : login_by_browser(&provider, !options->no_browser, &pkce, token, err);
	if (!rc)
		rc = login_provider_check(
			&provider, buf_bytes(token), options->device ? NULL : pkce.nonce, err);
	pkce_release(&pkce);
	login_provider_close(&provider);
	return rc;
}

static int tell(const struct login_options *options, const struct login_conf *conf,
	const struct login_key *key)
{
	BUF_CLEANUP struct buf line = BUF_INIT(CLI_OUT_MAX);
	char gateway[LOGIN_GATEWAY_MAX], left[64];
	int64_t ms = (int64_t)(key->cert->valid_before - (uint64_t)clock_wall()) * 1000;
	int rc = buf_printf(&line, "logged in at %s as %s for %s; key and certificate are in ",
		login_gateway(conf, gateway), key->cert->principals[0],
		clock_duration_format(ms, left, sizeof(left)));

	if (!rc && options->out) {
		rc = table_visible(&line, options->out, LOGIN_TEXT_MAX) ||
		     buf_puts(&line, " and ") || table_visible(&line, options->out, LOGIN_TEXT_MAX);
		rc = rc ? rc : buf_puts(&line, "-cert.pub\n");
	} else if (!rc) {
		rc = buf_puts(&line, "ssh-agent\n");
	}
	return rc ? CLI_FAILED : cli_put(&line);
}

static int login(
	const struct login_options *options, const struct login_conf *conf, struct err *err)
{
	LOGIN_KEY_CLEANUP struct login_key key = { 0 };
	struct buf token = BUF_INIT(JWS_SIZE_MAX);
	int rc = check_place(options, err);

	if (!rc)
		rc = sshkey_generate_ed25519(&key.key, err);
	if (!rc)
		rc = get_token(options, conf, key.key, &token, err);
	if (!rc)
		rc = login_key_certify(conf, options->out, buf_bytes(&token), &key, err);
	buf_burn(&token);
	return rc ? rc : tell(options, conf, &key);
}

int cli_run_login(const struct cli *cli, char *const *argv)
{
	LOGIN_CONF_CLEANUP struct login_conf conf = { 0 };
	struct login_options options = { .max_age = -1, .wait = LOGIN_LIMIT_MS };
	struct args_list words;
	struct err err = { "" };

	if (!cli_args(cli, rows, argv, &options, &words, 0, 0))
		return CLI_USAGE;
	if (options.status)
		return login_status(options.json);
	if (options.json)
		return cli_usage(cli, "option '--json' is for '--status'");
	if (login_conf_load(&options, &conf, &err)) {
		cli_error("%s", err.text);
		return CLI_USAGE;
	}
	if (!conf.issuer || !conf.client_id) {
		cli_error("the provider is not known: name it with '--issuer' and '--client-id', "
			  "or with 'issuer' and 'client_id' in client.yaml");
		return CLI_USAGE;
	}
	int rc = login(&options, &conf, &err);
	return rc < 0 ? cli_error("%s", err.text) : rc;
}
