/* Programs that a login runs (ssh, ssh-add) while a key is in a private folder.
 *
 * The child gets its input as a sealed memory file, which needs no writer; its output is read up to
 * a limit. Signals that would end the program are blocked and read from a descriptor: they end the
 * child at once, and this program when the folder is removed. */
#include "cli/login.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"

#define EXIT_CANNOT_RUN 127

int login_guard_begin(struct login_guard *ret, struct err *err)
{
	sigset_t signals;
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT), sigaddset(&signals, SIGTERM), sigaddset(&signals, SIGHUP),
		sigaddset(&signals, SIGQUIT), sigaddset(&signals, SIGTSTP);
	if (sigprocmask(SIG_BLOCK, &signals, &ret->before))
		return err_set(err, -errno, "signals: %s", strerror(errno));
	/* does not end the program: it is delivered when the folder is removed */
	sigdelset(&signals, SIGTSTP);
	ret->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (ret->signals >= 0)
		return 0;
	int rc = -errno;
	sigprocmask(SIG_SETMASK, &ret->before, NULL);
	return err_set(err, rc, "signals: %s", strerror(-rc));
}

void login_guard_end(struct login_guard *guard)
{
	fd_closep(&guard->signals);
	sigprocmask(SIG_SETMASK, &guard->before, NULL);
}

static void child(
	const struct login_guard *guard, const struct login_program *program, int input, int output)
{
	if (dup2(input, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0)
		_exit(EXIT_CANNOT_RUN);
	sigprocmask(SIG_SETMASK, &guard->before, NULL);
	execvp(program->argv[0], (char *const *)program->argv);
	_exit(EXIT_CANNOT_RUN);
}

/* Reads the output to its end. */
static int gather(const struct login_guard *guard, int fd, struct buf *output)
{
	for (;;) {
		uint8_t chunk[4096];
		struct pollfd wait[] = { { fd, POLLIN, 0 }, { guard->signals, POLLIN, 0 } };
		if (poll(wait, 2, -1) < 0 && errno != EINTR)
			return -errno;
		if (wait[1].revents)
			return -EINTR;
		if (!wait[0].revents)
			continue;
		ssize_t got = read(fd, chunk, sizeof(chunk));
		if (got == 0)
			return 0;
		if (got < 0 && errno != EINTR)
			return -errno;
		if (got > 0 && buf_put(output, chunk, (size_t)got))
			return -EFBIG;
	}
}

static int reap(pid_t pid, bool kill_it)
{
	int status;

	if (kill_it)
		kill(pid, SIGTERM);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -ECHILD;
}

static int begin(const struct login_guard *guard, const struct login_program *program,
	int *ret_output, pid_t *ret_pid)
{
	int pipes[2];
	FD_CLEANUP int input = fd_memfd("input", program->input.data, program->input.len);

	if (input < 0)
		return input;
	if (pipe2(pipes, O_CLOEXEC))
		return -errno;
	pid_t pid = fork();
	if (!pid)
		child(guard, program, input, pipes[1]);
	int rc = pid < 0 ? -errno : 0;
	close(pipes[1]);
	if (rc) {
		close(pipes[0]);
		return rc;
	}
	*ret_output = pipes[0];
	*ret_pid = pid;
	return 0;
}

int login_run(const struct login_guard *guard, const struct login_program *program,
	struct buf *output, struct err *err)
{
	FD_CLEANUP int fd = -1;
	pid_t pid = 0;

	buf_init(output, program->output_max);
	int rc = begin(guard, program, &fd, &pid);
	if (rc)
		return err_set(
			err, rc, "'%s' cannot be started: %s", program->argv[0], strerror(-rc));
	rc = gather(guard, fd, output);
	int status = reap(pid, rc);
	if (rc == -EINTR)
		return err_set(err, rc, "interrupted");
	if (rc)
		return err_set(err, rc, "'%s': %s", program->argv[0], strerror(-rc));
	if (status == EXIT_CANNOT_RUN)
		err_set(err, 0, "'%s' cannot be run; is OpenSSH's client installed?",
			program->argv[0]);
	else if (status)
		err_set(err, 0, "'%s' has failed", program->argv[0]);
	return status;
}

/* ---- ssh ---- */

#define SSH_SCRATCH_MAX 8192

int login_ssh_command(const struct login_conf *conf, const struct login_ssh *ssh,
	struct buf *scratch, const char *argv[static LOGIN_SSH_WORDS_MAX])
{
	static const char *const fixed[] = { "-T", "-a", "-x", "-o", "ControlPath=none", "-o",
		"ClearAllForwardings=yes", "-o", "PermitLocalCommand=no", "-o",
		"RemoteCommand=none", "-o", "IdentitiesOnly=yes", "-o",
		"PreferredAuthentications=publickey", "-o", "ConnectTimeout=30" };
	size_t count = 0;
	char port[8];

	snprintf(port, sizeof(port), "%u", conf->port);
	buf_init(scratch, SSH_SCRATCH_MAX);
	if (buf_put(scratch, port, strlen(port) + 1))
		return -ENOMEM;
	argv[count++] = "ssh";
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		argv[count++] = fixed[i];
	argv[count++] = "-o",
	argv[count++] = ssh->agent ? "IdentityAgent=SSH_AUTH_SOCK" : "IdentityAgent=none";
	argv[count++] = "-i", argv[count++] = ssh->identity;
	if (conf->ssh_config)
		argv[count++] = "-F", argv[count++] = conf->ssh_config;
	if (conf->port)
		argv[count++] = "-p", argv[count++] = (const char *)buf_data(scratch);
	if (ssh->user)
		argv[count++] = "-l", argv[count++] = ssh->user;
	argv[count++] = "--", argv[count++] = conf->gateway;
	for (const char *const *word = ssh->words; *word && count < LOGIN_SSH_WORDS_MAX - 1; word++)
		argv[count++] = *word;
	argv[count] = NULL;
	return 0;
}
