/* The start recipe: fork without exec, names, signals, descriptors, privileges. See role.h.
 *
 * Invariant: between fork() and the moment the child's signals are reset, every signal is blocked;
 * otherwise a signal for the child would run the listener's handler and write into the listener's
 * event loop, whose pipe the child still shares.
 *
 * Roles ignore SIGHUP and SIGINT (a terminal sends them to the whole group, and a reload or a drain
 * is the listener's business), and broker, signer and egress ignore SIGTERM as well: they finish
 * when their links close, which is how a drain reaches them in order. A session keeps the default
 * for SIGTERM: it is how a drain that took too long ends it. */
#include "server/role/role.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/ipc.h"
#include "common/ipc_msg.h"
#include "common/log.h"

struct recipe {
	const char *name;
	const char *comm; /* at most 15 bytes */
	const char *title;
	bool ignores_term;
	bool dies_with_parent;
};

/* A session needs no signal when its parent dies: it ends when its link to the broker closes. */
static const struct recipe recipes[ROLES] = {
	[ROLE_LISTENER] = { "listener", "bartizand", "bartizand: listener", false, false },
	[ROLE_BROKER] = { "broker", "bz-broker", "bartizand: broker", true, true },
	[ROLE_SIGNER] = { "signer", "bz-signer", "bartizand: signer", true, true },
	[ROLE_EGRESS] = { "egress", "bz-egress", "bartizand: egress", true, true },
	[ROLE_SESSION] = { "session", "bz-session", "bartizand: session", false, false },
	[ROLE_SCAN] = { "scan", "bz-scan", "bartizand: scan", false, false },
	[ROLE_READER] = { "reader", "bz-reader", "bartizand: reader", false, true },
	[ROLE_NOTIFY] = { "notify", "bz-notify", "bartizand: notify", false,
		true }, /* until it is the program of notify.command */
};

/* the kernel's view of argv and environ; written once in main() */
static struct {
	char *start;
	size_t size;
} title_area;

const char *role_name(enum role role)
{
	return role < ROLES ? recipes[role].name : "unknown";
}

/* End of the contiguous run of strings that begins at *end; the kernel lays out argv, then environ,
 * without gaps. */
static char *run_end(char *end, char *const *list)
{
	for (; *list && *list == end; list++)
		end += strlen(*list) + 1;
	return end;
}

void role_title_init(int argc, char **argv)
{
	size_t count = 0;
	char *end;

	if (argc < 1 || !argv[0])
		return;
	end = run_end(argv[0], argv);
	while (environ[count])
		count++;
	char **copy = calloc(count + 1, sizeof(*copy));
	for (size_t i = 0; copy && i < count; i++) {
		copy[i] = strdup(environ[i]);
		if (!copy[i])
			return; /* out of memory: the title stays as it is */
	}
	if (!copy)
		return;
	end = run_end(end, environ);
	environ = copy;
	title_area.start = argv[0];
	title_area.size = (size_t)(end - argv[0]);
}

void role_title_set(const char *title)
{
	size_t len = strlen(title);

	if (!title_area.size)
		return;
	if (len >= title_area.size)
		len = title_area.size - 1;
	memset(title_area.start, 0, title_area.size);
	memcpy(title_area.start, title, len);
}

static void child_signals(const struct recipe *recipe)
{
	struct sigaction fresh = { .sa_handler = SIG_DFL }, ignore = { .sa_handler = SIG_IGN };

	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		sigaction(sig, &fresh, NULL); /* fails for KILL and STOP only */
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGHUP, &ignore, NULL);
	sigaction(SIGINT, &ignore, NULL);
	if (recipe->ignores_term)
		sigaction(SIGTERM, &ignore, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void child_setup(enum role role, pid_t parent, const int *keep, size_t count)
{
	const struct recipe *recipe = &recipes[role];

	if (recipe->dies_with_parent) {
		/* roles that ignore SIGTERM end when their links close */
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != parent)
			_exit(1); /* the parent was gone before the line above */
	}
	fd_close_others(keep, count);
	child_signals(recipe);
	prctl(PR_SET_NAME, recipe->comm);
	role_title_set(recipe->title);
	log_setup(recipe->name, log_level());
}

pid_t role_fork(enum role role, const int *keep, size_t count, struct err *err)
{
	sigset_t all, before;
	pid_t parent = getpid();

	tzset(); /* glibc reads /etc/localtime at the first time conversion: not in a sandbox */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid_t pid = fork();
	int error = errno;
	if (pid == 0) {
		child_setup(role, parent, keep, count);
		return 0;
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (pid < 0)
		return err_set(
			err, -error, "cannot start a %s: %s", recipes[role].name, strerror(error));
	return pid;
}

/* The parent link is used for one message, so it is made a link for just that long; the role's own
 * fd stays open. */
static int report(int parent, enum ipc_type type, const void *msg)
{
	struct ipc *link = ipc_new(dup(parent));
	struct pollfd poller = { .fd = parent, .events = POLLOUT };
	int rc;

	if (!link)
		return -ENOMEM;
	rc = ipc_send(link, type, 0, msg, NULL, 0);
	if (rc == 0 && ipc_pending(link) && poll(&poller, 1, 1000) == 1)
		rc = ipc_flush(link);
	ipc_free(link);
	return rc;
}

int role_report_ready(int parent)
{
	struct msg_empty empty = { 0 };

	return report(parent, IPC_READY, &empty);
}

int role_report_failed(int parent, const char *reason)
{
	struct msg_reason failed = { .reason = (char *)(uintptr_t)reason };

	return report(parent, IPC_FAILED, &failed);
}
