/* bartizan config ssh: prints an ssh_config and one known_hosts line for engineers' machines.
 *
 * The gateway shows the same host key for itself and, in jump mode, for every target, since it ends
 * those sessions too. So one line with all names serves, on any port. Target names come from the
 * checked configuration: they hold nothing that either file would read as more than a name. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/text.h"
#include "policy/config.h"

#define GW "gw"

struct options {
	const char *user, *host;
	int64_t port;
	bool ssh_config, known_hosts;
};

static const struct arg_row rows[] = {
	{ "user", ARG_TEXT, offsetof(struct options, user), 0, 0 },
	{ "host", ARG_TEXT, offsetof(struct options, host), 0, 0 },
	{ "port", ARG_INT, offsetof(struct options, port), 1, 65535 },
	{ "ssh-config", ARG_FLAG, offsetof(struct options, ssh_config), 0, 0 },
	{ "known-hosts", ARG_FLAG, offsetof(struct options, known_hosts), 0, 0 },
	{ 0 },
};

/* "type base64" of the host key, from its .pub file, else from the private file. */
static int host_key_line(const char *path, struct buf *out, struct err *err)
{
	FREE_CLEANUP char *pub = NULL;
	BUF_CLEANUP struct buf text = BUF_INIT(SSHKEY_FILE_MAX);
	SSHKEY_CLEANUP struct sshkey *key = NULL;
	struct err private_err = { "" };

	if (asprintf(&pub, "%s.pub", path) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	int rc = fd_read_file(AT_FDCWD, pub, SSHKEY_FILE_MAX - 1, &text, err);
	if (!rc) {
		const char *line = buf_cstr(&text);
		FREE_CLEANUP char *first = line ? strndup(line, strcspn(line, "\r\n")) : NULL;
		rc = first ? sshkey_from_line(first, &key, err) : -ENOMEM;
		if (rc)
			return err_prefix(err, rc, "'%s'", pub);
	} else if (fd_read_file(AT_FDCWD, path, SSHKEY_FILE_MAX, &text, &private_err)) {
		/* report that the public key is missing: that is the file to be provided */
		return err_prefix(err, rc, "host key");
	} else {
		rc = sshkey_from_private(buf_bytes(&text), &key, err);
		if (rc)
			return err_prefix(err, rc, "'%s'", path);
	}
	buf_burn(&text);
	return buf_printf(out, "%s ", sshkey_type(key)) ||
			       text_base64(out, sshkey_blob(key).data, sshkey_blob(key).len)
		       ? -ENOMEM
		       : 0;
}

static int put_names(const struct targets *targets, const char *format, struct buf *out)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < targets_count(targets); i++) {
		const char *name = targets_at(targets, i)->name;
		rc = *format == '[' ? buf_printf(out, ",[%s]:*", name)
				    : buf_printf(out, "%s%s", format, name);
	}
	return rc;
}

static int put_known_hosts(const struct config *config, const struct options *options,
	const char *key, struct buf *out)
{
	int rc = options->port == 22
			 ? buf_puts(out, options->host)
			 : buf_printf(out, "[%s]:%d", options->host, (int)options->port);

	if (!rc)
		rc = put_names(config->targets, ",", out);
	if (!rc)
		rc = put_names(config->targets, "[", out);
	return rc ? rc : buf_printf(out, " %s\n", key);
}

/* The client's order decides, and OpenSSH's begins with a cipher that costs a CPU with AES a third
 * more. */
#define CIPHERS "    Ciphers ^aes256-gcm@openssh.com\n"

static int put_ssh_config(
	const struct config *config, const struct options *options, struct buf *out)
{
	int rc = buf_printf(out,
		"Host " GW "\n    HostName %s\n    Port %d\n    ProxyJump none\n" CIPHERS,
		options->host, (int)options->port);

	if (!rc && options->user)
		/* O'Brien: an apostrophe would begin a quotation there */
		rc = buf_printf(out,
			strchr(options->user, '\'') ? "    User \"%s\"\n" : "    User %s\n",
			options->user);
	if (!rc && targets_count(config->targets)) {
		rc = buf_puts(out, "\nHost");
		if (!rc)
			rc = put_names(config->targets, " ", out);
		if (!rc)
			rc = buf_puts(out, "\n    ProxyJump " GW "\n" CIPHERS);
	}
	return rc;
}

static int print(const struct config *config, const struct options *options)
{
	BUF_CLEANUP struct buf key = BUF_INIT(2 * SSHKEY_BLOB_MAX), out = BUF_INIT(CLI_OUT_MAX);
	struct err err = { "" };
	bool both = options->ssh_config == options->known_hosts;
	int rc = 0;

	if ((both || options->known_hosts) && host_key_line(config->conf->host_key, &key, &err))
		return cli_error("%s", err.text);
	if (both)
		rc = buf_puts(&out, "# ~/.ssh/config (alone: --ssh-config)\n");
	if (!rc && (both || options->ssh_config))
		rc = put_ssh_config(config, options, &out);
	if (!rc && both)
		rc = buf_puts(&out, "\n# ~/.ssh/known_hosts, one line for the gateway and all "
				    "targets (alone: --known-hosts)\n");
	if (!rc && (both || options->known_hosts))
		rc = put_known_hosts(config, options, buf_cstr(&key), &out);
	return rc ? cli_error("the answer is too long") : cli_put(&out);
}

/* Defaults: the first port on which the gateway listens, and this machine's name. */
static void defaults(const struct config *config, struct options *options, char *name, size_t size)
{
	if (!options->port)
		options->port =
			config->conf->listen_count ? config->conf->listen_addr[0].port : 2222;
	if (options->host)
		return;
	if (gethostname(name, size - 1) || !*name)
		strcpy(name, "localhost");
	options->host = name;
}

int cli_run_config_ssh(const struct cli *cli, char *const *argv)
{
	struct options options = { 0 };
	struct args_list words;
	struct config *config = NULL;
	struct err err = { "" };
	char name[256] = "";

	if (!cli_args(cli, rows, argv, &options, &words, 0, 0))
		return CLI_USAGE;
	if (options.host && !text_target_ok(options.host, strlen(options.host)))
		return cli_usage(cli, "option '--host': it is not a valid host name");
	if (options.user && !text_name_ok(options.user, strlen(options.user)))
		return cli_usage(cli, "option '--user': it is not a valid user name");
	struct files *files = files_from_disk();
	if (!files || config_load(files, cli->config, &config, &err)) {
		files_free(files);
		return cli_error("%s", err.text);
	}
	defaults(config, &options, name, sizeof(name));
	int status = print(config, &options);
	config_free(config);
	files_free(files);
	return status;
}
