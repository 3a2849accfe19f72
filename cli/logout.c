/* bartizan logout: ends the login at the gateway, and removes its key from the agent.
 *
 * The key is needed to connect to the gateway, so that comes first. If the gateway cannot be
 * reached, the key is removed all the same: without it nobody can use the login that the gateway
 * still has. */
#include "cli/login.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/text.h"

#define OPT(n, t, f)                                          \
	{                                                     \
		n, t, offsetof(struct login_options, f), 0, 0 \
	}
static const struct arg_row rows[] = {
	OPT("gateway", ARG_TEXT, gateway),
	OPT("client-config", ARG_TEXT, client_config),
	OPT("ssh-config", ARG_TEXT, ssh_config),
	{ 0 },
};

struct logout {
	const struct login_conf *conf;
	char gateway[LOGIN_GATEWAY_MAX];
	int agent;
	struct agent_keys keys;
	unsigned removed;
	bool told; /* the gateway was told about every certificate */
};

/* The certificate alone, in a file without its private half: ssh finds that in the agent. */
static int put_public(int fd, const struct sshcert *cert, struct bytes blob)
{
	BUF_CLEANUP struct buf line = BUF_INIT(2 * SSHKEY_BLOB_MAX);
	int rc = buf_printf(&line, "%s ", cert->type_name);

	if (!rc)
		rc = text_base64(&line, blob.data, blob.len);
	if (!rc)
		rc = buf_putc(&line, '\n');
	return rc ? rc : fd_write_all(fd, buf_data(&line), line.len);
}

static int ask(const struct login_conf *conf, const char *path, struct err *err)
{
	static const char *const words[] = { "logout", NULL };
	const struct login_ssh ssh = { /* the certificate says who it is: a name of a person may
					* hold what ssh or the gateway would read as a target */
		.identity = path,
		.agent = true,
		.user = "token",
		.words = words
	};
	const char *argv[LOGIN_SSH_WORDS_MAX];
	BUF_CLEANUP struct buf scratch = { 0 };
	BUF_CLEANUP struct buf answer = { 0 };
	struct login_guard guard;
	int rc = login_guard_begin(&guard, err);

	if (rc)
		return rc;
	rc = login_ssh_command(conf, &ssh, &scratch, argv);
	const struct login_program program = { argv, { NULL, 0 }, 65536 };
	if (!rc)
		rc = login_run(&guard, &program, &answer, err);
	login_guard_end(&guard);
	return rc;
}

static int tell_gateway(const struct login_conf *conf, const struct sshcert *cert,
	struct bytes blob, struct err *err)
{
	char path[] = "/tmp/bartizan-XXXXXX";
	FD_CLEANUP int fd = mkstemp(path);

	if (fd < 0)
		return err_set(err, -errno, "'/tmp': %s", strerror(errno));
	int rc = put_public(fd, cert, blob);
	if (!rc)
		rc = ask(conf, path, err);
	unlink(path);
	return rc;
}

/* Certificates come first: they work even after their plain key is removed. */
static void tell_all(struct logout *logout)
{
	struct err err = { "" };

	for (size_t i = 0; i < logout->keys.count; i++) {
		SSHCERT_CLEANUP struct sshcert *cert = NULL;
		const struct agent_key *key = &logout->keys.list[i];
		if (!agent_ours(key->comment, logout->gateway, NULL, NULL) ||
			sshcert_parse(key->blob, &cert, NULL))
			continue;
		if (tell_gateway(logout->conf, cert, key->blob, &err))
			logout->told = false;
	}
}

static int remove_all(struct logout *logout, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < logout->keys.count; i++) {
		const struct agent_key *key = &logout->keys.list[i];
		if (!agent_ours(key->comment, logout->gateway, NULL, NULL))
			continue;
		if (agent_remove(logout->agent, key->blob, err))
			rc = -EACCES;
		else
			logout->removed++;
	}
	return rc;
}

static int log_out(struct logout *logout, struct err *err)
{
	int rc = agent_open(&logout->agent, err);

	if (!rc)
		rc = agent_list(logout->agent, &logout->keys, err);
	if (rc)
		return rc;
	tell_all(logout);
	return remove_all(logout, err);
}

int cli_run_logout(const struct cli *cli, char *const *argv)
{
	LOGIN_CONF_CLEANUP struct login_conf conf = { 0 };
	struct login_options options = { .max_age = -1 };
	struct logout logout = { .conf = &conf, .agent = -1, .told = true };
	struct args_list words;
	struct err err = { "" };

	if (!cli_args(cli, rows, argv, &options, &words, 0, 0))
		return CLI_USAGE;
	if (login_conf_load(&options, &conf, &err)) {
		cli_error("%s", err.text);
		return CLI_USAGE;
	}
	login_gateway(&conf, logout.gateway);
	int rc = log_out(&logout, &err);
	fd_closep(&logout.agent);
	agent_keys_release(&logout.keys);
	if (rc)
		return cli_error("%s", err.text);
	if (!logout.told)
		return cli_error(
			"the key of %s is out of the agent, but the gateway could not be told: "
			"it forgets the login when the certificate expires",
			logout.gateway);
	printf(logout.removed ? "logged out of %s\n" : "not logged in at %s\n", logout.gateway);
	return CLI_OK;
}
