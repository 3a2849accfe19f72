/* The sandbox and the dropping of privileges, asked of the kernel: each case runs in a child of its own, enters the sandbox, and does one thing. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/fd.h"
#include "common/ipc.h"
#include "common/ipc_msg.h"
#include "server/role/role.h"
#include "server/role/sandbox.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

#define KILLED (-1)  /* expected: death by SIGSYS */

static int pair[2]; /* made before the sandbox: [0] has a byte to read */

static int result(long rc)
{
	return rc < 0 ? errno : 0;
}

/* Raw calls: libc must not answer in the kernel's place. */
static int do_open(void) { return result(syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY)); }
static int do_create(void) { return result(syscall(SYS_openat, AT_FDCWD, "/tmp/bartizan-test-never", O_WRONLY | O_CREAT, 0600)); }
static int do_stat(void) { struct stat st; return result(syscall(SYS_newfstatat, AT_FDCWD, "/etc/passwd", &st, 0)); }
static int do_socket(void) { return result(syscall(SYS_socket, AF_INET, SOCK_STREAM, 0)); }
static int do_connect(void) { struct sockaddr_in to = { .sin_family = AF_INET }; return result(syscall(SYS_connect, pair[0], &to, sizeof(to))); }
static int do_pair_unix(void) { int fds[2]; return result(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, fds)); }
static int do_pair_other(void) { int fds[2]; return result(syscall(SYS_socketpair, AF_TIPC, SOCK_STREAM, 0, fds)); }
static int do_exec(void) { char *const none[] = { NULL }; return result(syscall(SYS_execve, "/bin/true", none, none)); }
static int do_fork(void) { return result(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); }
static int do_vfork(void) { return result(syscall(SYS_fork)); }
static int do_bind(void) { struct sockaddr_in at = { .sin_family = AF_INET }; return result(syscall(SYS_bind, pair[0], &at, sizeof(at))); }
static int do_listen(void) { return result(syscall(SYS_listen, pair[0], 1)); }
static int do_accept(void) { return result(syscall(SYS_accept4, pair[0], NULL, NULL, 0)); }
static int do_ptrace(void) { return result(syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0)); }
static int do_kill_parent(void) { return result(syscall(SYS_kill, getppid(), 0)); }
static int do_tgkill_parent(void) { return result(syscall(SYS_tgkill, getppid(), getppid(), 0)); }
static int do_tgkill_self(void) { return result(syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), 0)); }
static int do_mount(void) { return result(syscall(SYS_mount, "none", "/mnt", "tmpfs", 0, NULL)); }
static int do_prlimit(void) { struct rlimit limit = { 9, 9 }; return result(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &limit, NULL)); }
static int do_map_exec(void) { return syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == -1 ? errno : 0; }
static int do_map(void) { return syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == -1 ? errno : 0; }
static int do_ioctl(void) { int flags = 0; return result(syscall(SYS_ioctl, pair[0], FIONBIO, &flags)); }
static int do_fionread(void) { int count = 0; return result(syscall(SYS_ioctl, pair[0], FIONREAD, &count)); }
static int do_process_vm(void) { return result(syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0)); }
static int do_unshare(void) { return result(syscall(SYS_unshare, 0x10000000)); }
static int do_io_uring(void) { return result(syscall(SYS_io_uring_setup, 1, NULL)); }
static int do_unlink(void) { return result(syscall(SYS_unlinkat, AT_FDCWD, "/tmp/bartizan-test-never", 0)); }
static int do_bpf(void) { return result(syscall(SYS_bpf, 0, NULL, 0)); }
static int do_abort(void) { abort(); }

static int do_work(void)
{
	struct pollfd poller = { .fd = pair[0], .events = POLLIN };
	char stamp[CLOCK_RFC3339_MAX], byte;

	clock_format_ms(clock_wall_ms(), stamp);
	char *memory = malloc(4 << 20);
	if (!memory || poll(&poller, 1, 1000) != 1 || read(pair[0], &byte, 1) != 1 || write(pair[1], "y", 1) != 1 || fprintf(stderr, "%s", "") < 0)
		return errno ? errno : EIO;
	memset(memory, 1, 4 << 20);
	free(memory);
	return 0;
}

/* A link as a session uses it, with a descriptor on board. */
static int do_ipc(void)
{
	struct ipc *a = ipc_new(dup(pair[0])), *b = ipc_new(dup(pair[1]));
	struct msg_channel msg = { .channel = 7 };
	struct ipc_raw raw = { 0 };

	if (!a || !b || ipc_send(a, IPC_COMMAND_STOP, 1, &msg, NULL, 0) < 0 || ipc_recv(b, &raw) != 1 || raw.type != IPC_COMMAND_STOP)
		return EIO;
	ipc_free(a);
	ipc_free(b);
	return 0;
}

typedef int sandbox_fn(struct err *err);
struct sandbox_case { const char *name; sandbox_fn *enter; int (*act)(void); int expected; };

#define BOTH(act, expected) { "session: " #act, sandbox_session, act, expected }, { "signer: " #act, sandbox_signer, act, expected }
#define SESSION(act, expected) { "session: " #act, sandbox_session, act, expected }
#define SIGNER(act, expected) { "signer: " #act, sandbox_signer, act, expected }
#define EGRESS(act, expected) { "egress: " #act, sandbox_egress, act, expected }
#define DEAD KILLED

static const struct sandbox_case cases[] = {
	BOTH(do_work, 0), BOTH(do_open, EACCES), BOTH(do_create, EACCES), BOTH(do_socket, EACCES), BOTH(do_connect, EACCES),
	BOTH(do_prlimit, EACCES), BOTH(do_pair_unix, 0), BOTH(do_pair_other, DEAD), BOTH(do_exec, DEAD), BOTH(do_vfork, DEAD), BOTH(do_bind, DEAD),
	BOTH(do_listen, DEAD),
	BOTH(do_accept, DEAD), BOTH(do_ptrace, DEAD), BOTH(do_kill_parent, DEAD), BOTH(do_tgkill_parent, DEAD), BOTH(do_tgkill_self, 0),
	BOTH(do_mount, DEAD),
	BOTH(do_map, 0), BOTH(do_ioctl, EPERM), BOTH(do_fionread, 0), BOTH(do_process_vm, DEAD), BOTH(do_unshare, DEAD), BOTH(do_io_uring, DEAD),
	SESSION(do_ipc, 0), SIGNER(do_ipc, 0), BOTH(do_unlink, DEAD), BOTH(do_bpf, DEAD),
	EGRESS(do_work, 0), EGRESS(do_open, 0), EGRESS(do_create, EPERM), EGRESS(do_socket, 0), EGRESS(do_exec, DEAD), EGRESS(do_bind, EPERM),
	EGRESS(do_listen, EPERM),
	EGRESS(do_accept, EPERM), EGRESS(do_ptrace, DEAD), EGRESS(do_mount, DEAD), EGRESS(do_process_vm, DEAD), EGRESS(do_unshare, EPERM),
	EGRESS(do_kill_parent, EPERM),
	EGRESS(do_io_uring, EPERM), EGRESS(do_unlink, EPERM), EGRESS(do_bpf, DEAD),
};

/* What a sanitizer's runtime needs is allowed under one. */
static const struct sandbox_case plain_cases[] = {
	BOTH(do_stat, EACCES), BOTH(do_map_exec, EACCES), BOTH(do_fork, DEAD),
};

static int run_child(const struct sandbox_case *c)
{
	struct err err;

	alarm(20);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (c->enter(&err) < 0) {
		fprintf(stderr, "%s: %s\n", c->name, err.text);
		return 255;
	}
	return c->act();
}

static int run(const struct sandbox_case *c)
{
	int status;

	assert_int_equal(fd_pair(SOCK_SEQPACKET, pair), 0);
	if (c->act != do_ipc)
		assert_int_equal(write(pair[1], "x", 1), 1);
	pid_t pid = fork();
	if (pid == 0)
		_exit(run_child(c));
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(pair[0]);
	close(pair[1]);
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGSYS ? KILLED : 1000 + WTERMSIG(status);
	return WEXITSTATUS(status);
}

static void run_all(const struct sandbox_case *list, size_t count)
{
	int wrong = 0;

	for (size_t i = 0; i < count; i++) {
		int got = run(&list[i]);

		if (got != list[i].expected) {
			print_error("%s: expected %d, got %d\n", list[i].name, list[i].expected, got);
			wrong++;
		}
	}
	assert_int_equal(wrong, 0);
}

static void test_calls(void **state)
{
	(void)state;
	run_all(cases, sizeof(cases) / sizeof(cases[0]));
	if (!SANITIZED)
		run_all(plain_cases, sizeof(plain_cases) / sizeof(plain_cases[0]));
}

/* An assertion that fails must die of SIGABRT, visibly, not of the sandbox. */
static void test_abort(void **state)
{
	(void)state;
	const struct sandbox_case c = SESSION(do_abort, 0);

	assert_int_equal(run(&c), 1000 + SIGABRT);
}

/* Every one of these is true before the sandbox: the cases above would prove nothing otherwise. */
static void test_without(void **state)
{
	(void)state;
	assert_int_equal(do_open(), 0);
	assert_int_equal(do_socket(), 0);
	assert_int_equal(do_map_exec(), 0);
}

static int limits_child(void)
{
	struct err err;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (sandbox_session(&err) < 0)
		return 1;
	void *volatile huge = malloc((size_t)2 << 30); /* beyond RLIMIT_AS; volatile: else gcc 16 leaves it out */
	int got = huge ? 2 : 0;
	free(huge);
	return got;
}

static void test_memory_wall(void **state)
{
	(void)state;
	int status;

	if (SANITIZED)
		skip();
	pid_t pid = fork();
	if (pid == 0)
		_exit(limits_child());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- role_drop ---- */

#define SOME_UID 54321

static bool status_has(const char *line)
{
	char text[8192];
	int fd = open("/proc/self/status", O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	close(fd);
	if (n <= 0)
		return false;
	text[n] = 0;
	return strstr(text, line);
}

static int drop_child(bool change)
{
	const struct role_start start = { .uid = change ? SOME_UID : (uid_t)-1, .gid = change ? SOME_UID : (gid_t)-1 };
	struct err err;
	int death = 0;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (role_drop(&start, &err) < 0) {
		fprintf(stderr, "role_drop: %s\n", err.text);
		return 1;
	}
	if (!status_has("CapEff:\t0000000000000000") || !status_has("CapPrm:\t0000000000000000") || !status_has("CapAmb:\t0000000000000000") ||
		!status_has("NoNewPrivs:\t1"))
		return 2;
	if (change && (getuid() != SOME_UID || getegid() != SOME_UID || getgroups(0, NULL) != 0 || !status_has("CapBnd:\t0000000000000000")))
		return 3;
	if (change && (setuid(0) == 0 || setgid(0) == 0 || setgroups(0, NULL) == 0))
		return 4;
	if (prctl(PR_GET_DUMPABLE) != 0)
		return 5;
	if (prctl(PR_GET_PDEATHSIG, &death) < 0 || death != SIGTERM) /* a change of uid clears it: must be set again */
		return 6;
	return change && open("/etc/shadow", O_RDONLY) >= 0 ? 7 : 0;
}

static int in_child(int (*act)(bool), bool argument)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(act(argument));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_drop(void **state)
{
	(void)state;
	assert_int_equal(in_child(drop_child, false), 0);
	if (geteuid() == 0)
		assert_int_equal(in_child(drop_child, true), 0);
}

#define KEPT 0x5efULL /* chown, dac_override, dac_read_search, fowner, kill, setgid, setuid, setpcap, net_bind_service */

static uint64_t status_caps(const char *name)
{
	char text[8192];
	int fd = open("/proc/self/status", O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	const char *at;

	close(fd);
	if (n <= 0)
		return UINT64_MAX;
	text[n] = 0;
	at = strstr(text, name);
	return at ? strtoull(at + strlen(name), NULL, 16) : UINT64_MAX;
}

static int keep_child(bool unused)
{
	struct err err;

	(void)unused;
	if (role_keep_listener(&err) < 0)
		return 1;
	if (!status_has("NoNewPrivs:\t1") || prctl(PR_GET_DUMPABLE) != 0)
		return 2;
	if (status_caps("CapEff:") & ~KEPT || status_caps("CapPrm:") & ~KEPT || (geteuid() == 0 && status_caps("CapBnd:") & ~KEPT))
		return 3;
	return drop_child(geteuid() == 0); /* from there a role still gets where it must */
}

static void test_keep_listener(void **state)
{
	(void)state;
	assert_int_equal(in_child(keep_child, false), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without), cmocka_unit_test(test_calls), cmocka_unit_test(test_abort), cmocka_unit_test(test_memory_wall),
		cmocka_unit_test(test_drop), cmocka_unit_test(test_keep_listener),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
