/* A scan of a target's host keys (`bartizan hosts scan`), in a sandboxed process like a session:
 * the target's bytes are hostile, too.
 *
 * One connection for each kind of key, because a server shows one at a time: the field `leg` of a
 * grant, 0 to 2, asks for ed25519, ecdsa or rsa. Nothing is trusted here; what was seen is
 * reported. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include <libssh/libssh.h>

#include "common/access.h"
#include "common/clock.h"
#include "common/fd.h"
#include "common/ipc_msg.h"
#include "common/log.h"
#include "common/text.h"
#include "keys/sshkey.h"
#include "server/libssh/crypto_bar.h"
#include "server/libssh/transport.h"
#include "server/role/sandbox.h"
#include "server/session/session.h"

#define SCAN_WAIT_MS 60000 /* how long to wait for the next grant */

static const char *const kinds[] = { "ssh-ed25519",
	"ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521",
	"rsa-sha2-512,rsa-sha2-256" };
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static ssh_session prepare(int fd, const char *algorithms, struct err *err)
{
	static const bool no = false;
	struct crypto_bar bar;
	ssh_session session = ssh_new();

	if (session && !crypto_bar_make(CONF_CRYPTO_COMPATIBLE, NULL, &bar, err) &&
		ssh_options_set(session, SSH_OPTIONS_PROCESS_CONFIG, &no) >= 0 &&
		ssh_options_set(session, SSH_OPTIONS_HOST, "target") >= 0 &&
		ssh_options_set(session, SSH_OPTIONS_USER, "scan") >= 0 &&
		ssh_options_set(session, SSH_OPTIONS_SSH_DIR, "/") >= 0 &&
		ssh_options_set(session, SSH_OPTIONS_KNOWNHOSTS, "/dev/null") >= 0 &&
		ssh_options_set(session, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null") >= 0 &&
		ssh_options_set(session, SSH_OPTIONS_FD, &fd) >= 0 &&
		ssh_options_set(session, SSH_OPTIONS_HOSTKEYS, algorithms) >= 0 &&
		!crypto_bar_apply_client(&bar, session)) {
		ssh_set_blocking(session, 0);
		return session;
	}
	err_set(err, -EIO, "libssh refused the client's options");
	ssh_free(session);
	fd_closep(&fd);
	return NULL;
}

static int handshake(ssh_session session, int64_t deadline)
{
	int rc;

	while ((rc = ssh_connect(session)) == SSH_AGAIN) {
		struct pollfd pfd = { .fd = ssh_get_fd(session), .events = POLLIN };
		if (ssh_get_poll_flags(session) & SSH_WRITE_PENDING)
			pfd.events |= POLLOUT;
		int64_t wait = deadline - clock_mono_ms();
		if (wait <= 0 || poll(&pfd, 1, (int)wait) < 0)
			return SSH_ERROR;
	}
	return rc;
}

static char *key_line(ssh_session session)
{
	ssh_key key = NULL;
	char *base64 = NULL, *line = NULL;
	SSHKEY_CLEANUP struct sshkey *parsed = NULL;
	BUF_CLEANUP struct buf blob = BUF_INIT(SSHKEY_BLOB_MAX), text = BUF_INIT(SSHKEY_FILE_MAX);

	if (ssh_get_server_publickey(session, &key) == SSH_OK &&
		ssh_pki_export_pubkey_base64(key, &base64) == SSH_OK &&
		!text_base64_decode(&blob, base64, strlen(base64)) &&
		!sshkey_from_blob(buf_bytes(&blob), &parsed, NULL) &&
		!sshkey_line(parsed, NULL, &text) && buf_cstr(&text))
		line = strdup(buf_cstr(&text));
	ssh_string_free_char(base64);
	ssh_key_free(key);
	return line;
}

static void scan_one(struct ipc *broker, const struct msg_grant *grant, int fd)
{
	struct err err = { "the grant has no socket or an unknown kind of key" };
	char *keys[2] = { NULL, NULL }, reason[600] = "";
	ssh_session session = grant->leg < KINDS && grant->ok && fd >= 0
				      ? prepare(fd, kinds[grant->leg], &err)
				      : NULL;

	if (!session)
		text_clean(reason, sizeof(reason), err.text, strlen(err.text));
	else if (handshake(session, clock_mono_ms() + grant->handshake_ms) == SSH_OK)
		keys[0] = key_line(session);
	else
		text_clean(reason, sizeof(reason), ssh_get_error(session),
			strlen(ssh_get_error(session)));
	struct msg_scanned msg = { keys, reason };
	ipc_send(broker, IPC_SCANNED, grant->leg, &msg, NULL, 0);
	free(keys[0]);
	ssh_free(session);
}

static bool turn(struct ipc *broker)
{
	struct ipc_raw raw;
	struct msg_grant grant;
	int rc = ipc_recv(broker, &raw);

	if (rc <= 0)
		return rc == 0;
	bool ok = raw.type == IPC_GRANT && !ipc_msg_decode(IPC_GRANT, raw.body, &grant, NULL);
	if (ok) {
		int fd = raw.fd_count ? raw.fds[0] : -1;
		if (raw.fd_count)
			raw.fds[0] = -1;
		scan_one(broker, &grant, fd);
		ipc_msg_free(IPC_GRANT, &grant);
	}
	ipc_raw_close(&raw);
	return ok;
}

int session_scan_main(const struct session_start *start)
{
	struct err err;
	struct ipc *broker = ipc_new(start->role.peer);
	int rc = broker ? role_drop(&start->role, &err) : -ENOMEM;

	if (!rc)
		rc = sandbox_session(&err);
	for (bool more = !rc; more;) {
		struct pollfd pfd = {
			.fd = ipc_fd(broker),
			.events = (short)(POLLIN | (ipc_pending(broker) ? POLLOUT : 0)),
		};
		more = poll(&pfd, 1, SCAN_WAIT_MS) > 0 && !ipc_flush(broker) && turn(broker);
	}
	ipc_free(broker);
	return rc ? EXIT_GATEWAY : 0;
}
