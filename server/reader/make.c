/* The reader's work: from a configuration file to the slices that each role may know. See make.h.
 */
#include "server/reader/make.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/files.h"
#include "common/ipc.h"
#include "common/ipc_msg.h"
#include "policy/config.h"
#include "server/reader/slices.h"
#include "server/role/mains.h"
#include "server/signer/keyring.h"

/* One configuration that was read from disk and found to be good. */
struct reading {
	struct files *files;
	struct config *config;
	struct slices slices;
};

/* Private keys are loaded and thrown away: what is wrong with them has to be known now, not when
 * the signer starts. */
static int keys_check(const struct slices *slices, struct err *err)
{
	struct sshkey *host SSHKEY_CLEANUP = NULL;
	struct keyring *keyring = NULL;
	const char *path = slices->listener.host_key;
	int rc = keyring_load(&slices->signer, &keyring, err);

	keyring_free(keyring);
	if (rc < 0)
		return rc;
	rc = keyring_read_key(AT_FDCWD, path, &host, err);
	if (rc == 0 && strcmp(sshkey_type(host), "ssh-ed25519") != 0)
		rc = err_set(err, -EINVAL, "'%s' is a %s key, but must be ssh-ed25519", path,
			sshkey_type(host));
	return rc < 0 ? err_prefix(err, rc, "host_key") : 0;
}

static void reading_release(struct reading *reading)
{
	slices_release(&reading->slices);
	config_free(reading->config);
	files_free(reading->files);
}

/* On failure, too, it is to be released. */
static int reading_make(struct reading *reading, const char *path, struct err *err)
{
	reading->files = files_from_disk();
	int rc = reading->files ? config_load(reading->files, path, &reading->config, err)
				: err_set(err, -ENOMEM, "out of memory");

	rc = rc < 0 ? rc : slices_make(reading->config, &reading->slices, err);
	return rc < 0 ? rc : keys_check(&reading->slices, err);
}

int reader_check(const char *path, struct buf *dump, struct err *err)
{
	struct reading reading = { 0 };
	int rc = reading_make(&reading, path, err);

	if (rc == 0 && dump && config_dump(reading.config, dump) < 0)
		rc = err_set(err, -ENOMEM, "the configuration is too large to show");
	reading_release(&reading);
	return rc;
}

/* ---- the answer to the listener ---- */

static int slice_take(int *to, int fd)
{
	*to = fd;
	return fd < 0 ? fd : 0;
}

static int answer_seal(const struct reading *reading, int fds[READER_FDS], struct err *err)
{
	int rc = files_bundle(reading->files, &fds[READER_BUNDLE], err);

	if (rc == 0)
		rc = slice_take(
			&fds[READER_SIGNER], signer_conf_seal(&reading->slices.signer, err));
	if (rc == 0)
		rc = slice_take(
			&fds[READER_EGRESS], egress_conf_seal(&reading->slices.egress, err));
	return rc;
}

static int answer_send(const struct reading *reading, int fd, struct err *err)
{
	struct buf body BUF_CLEANUP = BUF_INIT(LISTENER_CONF_SIZE_MAX);
	int fds[READER_FDS] = { -1, -1, -1 };
	int rc = answer_seal(reading, fds, err);

	if (rc == 0 && listener_conf_encode(&reading->slices.listener, &body) < 0)
		rc = err_set(err, -EMSGSIZE, "the configuration is too large");
	struct ipc *link = rc < 0 ? NULL : ipc_new(dup(fd));
	if (rc == 0)
		rc = link ? ipc_send_raw(link, IPC_READY, 0, buf_bytes(&body), fds, READER_FDS)
			  : -ENOMEM;
	ipc_free(link);
	for (size_t i = 0; i < READER_FDS; i++)
		fd_closep(&fds[i]);
	return rc;
}

int reader_main(const char *path, int fd)
{
	struct reading reading = { 0 };
	struct err err = { "" };
	int rc = reading_make(&reading, path, &err);

	rc = rc < 0 ? rc : answer_send(&reading, fd, &err);
	reading_release(&reading);
	if (rc < 0)
		return role_report_failed(fd, err.text) < 0;
	return 0;
}
