/* bartizan cert issue: reads the public key here, and asks the gateway, whose signer holds the CA's
 * key. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"
#include "keys/sshkey.h"

/* The one public key in FILE ("-": standard input) as a line. */
static int read_key(const char *path, struct buf *ret, struct err *err)
{
	BUF_CLEANUP struct buf text = BUF_INIT(SSHKEY_FILE_MAX);
	SSHKEY_CLEANUP struct sshkey *key = NULL;
	int rc = strcmp(path, "-") ? fd_read_file(AT_FDCWD, path, SSHKEY_FILE_MAX - 1, &text, err)
				   : fd_read_all(STDIN_FILENO, SSHKEY_FILE_MAX - 1, &text, err);

	if (rc)
		return rc;
	const char *line = buf_cstr(&text);
	if (line && strstr(line, "PRIVATE KEY-----"))
		return err_set(err, -EINVAL,
			"'%s' is a private key: name its public half, the .pub file", path);
	if (!line || strlen(line) != text.len)
		return err_set(err, -EINVAL, "'%s' is not a public key", path);
	FREE_CLEANUP char *first = strndup(line, strcspn(line, "\r\n"));
	rc = first ? sshkey_from_line(first, &key, err) : -ENOMEM;
	return rc ? err_prefix(err, rc, "'%s'", path) : sshkey_line(key, "", ret);
}

/* "--key X" and "--key=X": the file's name, with *ret_used words of argv. NULL: another word. */
static const char *key_option(char *const *argv, size_t *ret_used)
{
	*ret_used = 1;
	if (!strncmp(argv[0], "--key=", 6))
		return argv[0] + 6;
	if (strcmp(argv[0], "--key") || !argv[1])
		return NULL;
	*ret_used = 2;
	return argv[1];
}

int cli_run_cert_issue(const struct cli *cli, char *const *argv)
{
	BUF_CLEANUP struct buf key = BUF_INIT(2 * SSHKEY_BLOB_MAX);
	char *ask[ARGS_LIST_MAX + 8] = { (char *)"cert", (char *)"issue" };
	struct err err = { "" };
	size_t count = 2, used;

	for (; *argv; argv += used) {
		const char *path = key_option(argv, &used);
		if (count > ARGS_LIST_MAX)
			return cli_usage(cli, "too many words");
		if (!path) {
			ask[count++] = *argv;
			continue;
		}
		if (key.len)
			return cli_usage(cli, "option '--key' is given twice");
		if (read_key(path, &key, &err)) {
			cli_error("%s", err.text);
			return CLI_FAILED;
		}
		ask[count++] = (char *)"--public-key";
		ask[count++] = (char *)buf_cstr(&key);
	}
	return cli_ask(cli, ask);
}
