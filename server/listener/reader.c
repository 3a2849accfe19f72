/* The listener's half of the reader: start it, take its answer. See reader.h. */
#include "server/listener/reader.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/ipc.h"
#include "common/ipc_msg.h"

int reader_start(const struct role_mains *mains, const char *path, pid_t *ret_pid, int *ret_fd,
	struct err *err)
{
	int pair[2], rc = fd_pair(SOCK_SEQPACKET, pair);

	if (rc < 0)
		return err_set(err, rc, "socketpair: %s", strerror(-rc));
	pid_t pid = role_fork(ROLE_READER, &pair[1], 1, err);
	if (pid == 0)
		_exit(mains->reader(path, pair[1]));
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return (int)pid;
	}
	*ret_pid = pid;
	*ret_fd = pair[0];
	return 0;
}

static int answer_take(
	struct ipc_raw *raw, struct listener_conf **ret, int ret_fds[READER_FDS], struct err *err)
{
	struct msg_reason failed;
	int rc;

	if (raw->type == IPC_FAILED && ipc_msg_decode(IPC_FAILED, raw->body, &failed, NULL) == 0) {
		rc = err_set(err, -EINVAL, "%s", failed.reason);
		ipc_msg_free(IPC_FAILED, &failed);
		return rc;
	}
	if (raw->type != IPC_READY || raw->fd_count != READER_FDS)
		return err_set(err, -EBADMSG, "the reader's answer makes no sense");
	rc = listener_conf_decode(raw->body, ret);
	if (rc < 0)
		return err_set(err, rc, "the reader's answer is malformed");
	for (size_t i = 0; i < READER_FDS; i++) {
		ret_fds[i] = raw->fds[i];
		raw->fds[i] = -1;
	}
	return 0;
}

int reader_result(int fd, struct listener_conf **ret, int ret_fds[READER_FDS], struct err *err)
{
	struct ipc *link = ipc_new(dup(fd));
	struct ipc_raw raw = { 0 };
	int rc = link ? ipc_recv(link, &raw) : -ENOMEM;

	if (rc == 1) {
		rc = answer_take(&raw, ret, ret_fds, err);
		ipc_raw_close(&raw);
	} else {
		rc = err_set(err, -EPIPE, "the reader died without an answer");
	}
	ipc_free(link);
	return rc;
}

int reader_run(const struct role_mains *mains, const char *path, struct listener_conf **ret,
	int ret_fds[READER_FDS], struct err *err)
{
	struct pollfd poller = { .events = POLLIN };
	pid_t pid;
	int fd FD_CLEANUP = -1, rc = reader_start(mains, path, &pid, &fd, err);

	if (rc < 0)
		return rc;
	poller.fd = fd;
	while ((rc = poll(&poller, 1, READER_TIME_MS)) < 0 && errno == EINTR)
		;
	rc = rc == 1 ? reader_result(fd, ret, ret_fds, err)
		     : err_set(err, -ETIMEDOUT, "the reader took longer than %d s",
			       READER_TIME_MS / 1000);
	kill(pid, SIGKILL); /* its answer is its last act */
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return rc;
}
