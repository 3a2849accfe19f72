/* The gateway's host key, in libssh's form: loaded once in the listener, inherited by every
 * session. See host_key.h. */
#include "server/libssh/host_key.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libssh/libssh.h>

#include "common/fd.h"
#include "keys/sshkey.h"

struct host_key {
	/* openssh-key-v1 as PEM: libssh takes ownership of a key it is given, so each session
	 * parses its own */
	char *private_base64;
	char *line;
};

void host_key_free(struct host_key *key)
{
	if (!key)
		return;
	if (key->private_base64)
		explicit_bzero(key->private_base64, strlen(key->private_base64));
	free(key->private_base64);
	free(key->line);
	free(key);
}

static int make_line(const struct sshkey *parsed, struct host_key *key, struct err *err)
{
	BUF_CLEANUP struct buf line = BUF_INIT(SSHKEY_FILE_MAX);

	if (strcmp(sshkey_type(parsed), "ssh-ed25519"))
		return err_set(err, -EINVAL,
			"is of type %s, but an ssh-ed25519 key is needed: ssh-keygen -t ed25519 -N "
			"'' -f FILE",
			sshkey_type(parsed));
	int rc = sshkey_line(parsed, NULL, &line);
	const char *text = rc ? NULL : buf_cstr(&line);
	if (text && strlen(text) && text[strlen(text) - 1] == ' ')
		line.len--;
	text = rc ? NULL : buf_cstr(&line);
	key->line = text ? strdup(text) : NULL;
	return key->line ? 0 : -ENOMEM;
}

int host_key_load(const char *path, struct host_key **ret, struct err *err)
{
	BUF_CLEANUP struct buf file = BUF_INIT(SSHKEY_FILE_MAX);
	SSHKEY_CLEANUP struct sshkey *parsed = NULL;
	int rc = fd_read_file(-1, path, SSHKEY_FILE_MAX, &file, err);

	if (!rc)
		rc = sshkey_from_private(buf_bytes(&file), &parsed, err);
	struct host_key *key = rc ? NULL : calloc(1, sizeof(*key));
	if (!rc && !key)
		rc = -ENOMEM;
	if (!rc)
		rc = make_line(parsed, key, err);
	if (!rc && !(key->private_base64 = buf_cstr(&file) ? strdup(buf_cstr(&file)) : NULL))
		rc = -ENOMEM;
	buf_burn(&file);
	if (!rc) {
		*ret = key;
		return 0;
	}
	host_key_free(key);
	return err_prefix(err, rc, "host key '%s'", path);
}

const char *host_key_line(const struct host_key *key)
{
	return key->line;
}

ssh_key host_key_import(const struct host_key *key)
{
	ssh_key imported = NULL;

	return ssh_pki_import_privkey_base64(key->private_base64, NULL, NULL, NULL, &imported) ==
			       SSH_OK
		       ? imported
		       : NULL;
}
