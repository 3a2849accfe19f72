/* The signer: private keys, and what may be signed with them.
 *
 * It loads keys and password files with the listener's privileges, drops those, enters its sandbox,
 * and from then on reads one thing: its link to the broker. It answers in order, one question at a
 * time, and ends when that link closes. The broker may be taken over one day; so the signer checks
 * what it can check alone: no certificate beyond SIGNER_LIFETIME_MAX, none by the audit key, no
 * signature by the audit key over anything but a checkpoint, no agent signature over anything but
 * an SSH login of the stated account. */
#include "server/signer/signer.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "server/role/role.h"
#include "server/role/sandbox.h"

#define SIGNER_FLUSH_MS 5000 /* a broker that reads nothing for so long hangs */

static int keys_open(const struct role_start *start, struct keyring **ret, struct err *err)
{
	struct signer_conf *conf = NULL;
	int rc = signer_conf_open(start->slice, &conf, err);

	rc = rc < 0 ? rc : keyring_load(conf, ret, err);
	if (rc == 0) {
		rc = keyring_audit(*ret, start->state_dir, start->uid, start->gid, err);
		if (rc < 0) {
			keyring_free(*ret);
			*ret = NULL;
		}
	}
	signer_conf_free(conf);
	return rc;
}

/* The descriptors that loading needed are closed before anything is answered. */
static int signer_enter(const struct role_start *start, struct keyring **ret, struct err *err)
{
	int rc = keys_open(start, ret, err);

	close(start->slice);
	close(start->state_dir);
	rc = rc < 0 ? rc : role_drop(start, err);
	return rc < 0 ? rc : sandbox_signer(err);
}

static int flush(struct ipc *link)
{
	struct pollfd poller = { .fd = ipc_fd(link), .events = POLLOUT };

	while (ipc_pending(link)) {
		int rc = poll(&poller, 1, SIGNER_FLUSH_MS);

		if (rc == 0 || (rc < 0 && errno != EINTR))
			return -ETIMEDOUT;
		rc = ipc_flush(link);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int signer_turn(const struct keyring *keyring, struct ipc *link)
{
	struct pollfd poller = { .fd = ipc_fd(link), .events = POLLIN };
	struct ipc_raw raw = { 0 };
	int rc;

	if (poll(&poller, 1, -1) < 0)
		return errno == EINTR ? 0 : -errno;
	while ((rc = ipc_recv(link, &raw)) == 1) {
		if (signer_answer(keyring, link, &raw) == -EBADMSG)
			log_error("refused a malformed or unexpected message '%s'",
				ipc_msg_name(raw.type));
		ipc_raw_close(&raw);
		rc = flush(link);
		if (rc < 0)
			return rc;
	}
	return rc;
}

int signer_main(const struct role_start *start)
{
	struct keyring *keyring = NULL;
	struct err err = { "" };
	int rc = signer_enter(start, &keyring, &err);

	if (rc < 0) {
		role_report_failed(start->parent, err.text);
		keyring_free(keyring);
		return 1;
	}
	struct ipc *link = ipc_new(start->peer);
	if (!link || role_report_ready(start->parent) < 0)
		return 1;
	log_debug("ready with %zu keys and %zu passwords", keyring->key_count,
		keyring->password_count);
	while ((rc = signer_turn(keyring, link)) == 0)
		;
	if (rc != -EPIPE)
		log_error("link to the broker: %s", strerror(-rc));
	ipc_free(link);
	keyring_free(keyring);
	return rc != -EPIPE;
}
