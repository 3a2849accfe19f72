/* bartizan ca init: the three keys of a new gateway, written once.
 *
 * user_ca signs the certificates of people, backend_ca those that the gateway shows to targets,
 * host_ed25519 is the gateway's own host key. Existing files are overwritten only with --force.
 * Before anything is written, all names are checked, so that either all three keys are made or
 * none. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "keys/sshkey.h"

struct options {
	const char *dir;
	bool force;
};

static const struct arg_row rows[] = {
	{ "dir", ARG_TEXT, offsetof(struct options, dir), 0, 0 },
	{ "force", ARG_FLAG, offsetof(struct options, force), 0, 0 },
	{ 0 },
};

struct made {
	const char *name, *use;
	struct buf line;
};

/* Writes a temporary file, syncs it, and links it (which never replaces a file) or, with force,
 * renames it. */
static int write_file(
	int dir, const char *name, mode_t mode, bool force, const struct buf *text, struct err *err)
{
	char temporary[64];

	snprintf(temporary, sizeof(temporary), ".%s.%ld", name, (long)getpid());
	FD_CLEANUP int fd =
		openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return err_set(err, -errno, "'%s': %s", temporary, strerror(errno));
	int rc = fchmod(fd, mode) ? -errno : fd_write_all(fd, buf_data(text), text->len);
	if (!rc && fsync(fd))
		rc = -errno;
	if (!rc && (force ? renameat(dir, temporary, dir, name)
			  : linkat(dir, temporary, dir, name, 0)))
		rc = -errno;
	if (rc || !force)
		unlinkat(dir, temporary, 0);
	return rc ? err_set(err, rc, "'%s': %s", name, strerror(-rc)) : 0;
}

static int make_key(int dir, struct made *made, bool force, struct err *err)
{
	SSHKEY_CLEANUP struct sshkey *key = NULL;
	struct buf secret = BUF_INIT(SSHKEY_FILE_MAX);
	char pub[64];

	snprintf(pub, sizeof(pub), "%s.pub", made->name);
	int rc = sshkey_generate_ed25519(&key, err);
	if (!rc)
		rc = sshkey_private_file(key, made->name, &secret);
	if (!rc)
		rc = sshkey_line(key, made->name, &made->line);
	if (!rc)
		rc = write_file(dir, made->name, 0600, force, &secret, err);
	buf_burn(&secret);
	BUF_CLEANUP struct buf line = BUF_INIT(SSHKEY_FILE_MAX);
	if (!rc)
		rc = buf_printf(&line, "%s\n", buf_cstr(&made->line));
	return rc ? rc : write_file(dir, pub, 0644, force, &line, err);
}

/* Whether one of the names exists already. */
static bool taken(int dir, const char *shown, const struct made *made, size_t count)
{
	bool any = false;

	for (size_t i = 0; i < count; i++) {
		char pub[64];
		const char *names[] = { made[i].name, pub };
		snprintf(pub, sizeof(pub), "%s.pub", made[i].name);
		for (size_t n = 0; n < 2; n++)
			if (!faccessat(dir, names[n], F_OK, AT_SYMLINK_NOFOLLOW)) {
				cli_error("'%s/%s' exists and stays as it is; --force replaces all "
					  "keys of the gateway",
					shown, names[n]);
				any = true;
			}
	}
	return any;
}

static void tell(const struct cli *cli, const char *dir, struct made *made)
{
	printf("created in %s:\n", dir);
	for (size_t i = 0; i < 3; i++)
		printf("  %-14s %s\n", made[i].name, made[i].use);
	printf("\nin the gateway's configuration (%s):\n"
	       "  host_key: %s/host_ed25519\n"
	       "  certificates:\n"
	       "    issuing_key: %s/user_ca\n"
	       "  keys:\n"
	       "    backend_ca: {file: %s/backend_ca}\n",
		cli->config, dir, dir, dir);
	printf("\non every target, this line in /etc/ssh/backend_ca.pub:\n  %s\n",
		buf_cstr(&made[1].line));
	printf("and this one in /etc/ssh/sshd_config, then reload sshd:\n  TrustedUserCAKeys "
	       "/etc/ssh/backend_ca.pub\n");
	printf("\nfor engineers, after the targets are configured: bartizan config ssh\n");
}

static int init(const struct cli *cli, const char *shown, int dir, bool force)
{
	struct made made[] = {
		{ "user_ca", "signs certificates of people", BUF_INIT(4096) },
		{ "backend_ca", "signs what the gateway shows to targets", BUF_INIT(4096) },
		{ "host_ed25519", "the gateway's own host key", BUF_INIT(4096) },
	};
	struct err err = { "" };
	int rc = force || !taken(dir, shown, made, 3) ? 0 : -EEXIST;

	for (size_t i = 0; !rc && i < 3; i++) {
		rc = make_key(dir, &made[i], force, &err);
		if (rc)
			cli_error("%s: %s", shown, err.text[0] ? err.text : strerror(-rc));
	}
	if (!rc)
		tell(cli, shown, made);
	for (size_t i = 0; i < 3; i++)
		buf_release(&made[i].line);
	return rc ? CLI_FAILED : CLI_OK;
}

int cli_run_ca_init(const struct cli *cli, char *const *argv)
{
	struct options options = { 0 };
	struct args_list words;

	if (!cli_args(cli, rows, argv, &options, &words, 0, 0))
		return CLI_USAGE;
	const char *slash = strrchr(cli->config, '/');
	FREE_CLEANUP char *beside =
		slash ? strndup(cli->config, (size_t)(slash - cli->config)) : strdup(".");
	const char *dir = options.dir ? options.dir : beside;
	if (!dir)
		return cli_error("out of memory");
	if (mkdir(dir, 0755) && errno != EEXIST)
		return cli_error("'%s': %s", dir, strerror(errno));
	FD_CLEANUP int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? cli_error("'%s': %s", dir, strerror(errno))
		      : init(cli, dir, fd, options.force);
}
