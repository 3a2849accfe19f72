/* seccomp filters, one table a role. See sandbox.h.
 *
 * Session and signer: what is not in their table kills the whole process (SIGSYS: the listener's
 * log says so). What libraries try and can do without is answered with EACCES. Arguments are looked
 * at where the call alone says too little: socketpair makes AF_UNIX only, memory never becomes
 * executable, tgkill (abort and assert) reaches this process only, ioctl asks for FIONREAD only.
 *
 * Egress runs libcurl with resolver threads and whatever NSS modules the machine has; no list of
 * what those need holds on the next machine. Its filter is the other way round: what a taken-over
 * egress would need to go on (execute, trace, listen, mount, load…) is refused, the worst of it
 * with death.
 *
 * The lists come from strace of sessions. tests/unit/test_sandbox.c tries calls for real: it asks
 * the kernel, not these tables. */
#include "server/role/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) || \
	__has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* the last barrier, should a library put what it receives into memory without end */
#define SANDBOX_ADDRESS_SPACE (1024L * 1024 * 1024)
#define REFUSE SCMP_ACT_ERRNO(EACCES)
#define DENY SCMP_ACT_ERRNO(EPERM)
#define KILL SCMP_ACT_KILL_PROCESS

/* Both sandboxed roles: wait, read and write what is open, memory, time, randomness, end. */
#define CALLS_COMMON                                                                             \
	SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(recvfrom),  \
		SCMP_SYS(sendto), SCMP_SYS(recvmsg), SCMP_SYS(sendmsg), SCMP_SYS(poll),          \
		SCMP_SYS(ppoll), SCMP_SYS(close), SCMP_SYS(fcntl), SCMP_SYS(dup), SCMP_SYS(brk), \
		SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex),          \
		SCMP_SYS(getrandom), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getppid),      \
		SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(clock_gettime),                    \
		SCMP_SYS(clock_getres), SCMP_SYS(gettimeofday), SCMP_SYS(time),                  \
		SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigaction),        \
		SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(restart_syscall)

/* fsync and pread: a transcript handed over for writing or replay. */
static const int session_allowed[] = {
	CALLS_COMMON,
	SCMP_SYS(setsockopt),
	SCMP_SYS(getsockopt),
	SCMP_SYS(getpeername),
	SCMP_SYS(getsockname),
	SCMP_SYS(shutdown),
	SCMP_SYS(lseek),
	SCMP_SYS(pread64),
	SCMP_SYS(fsync),
	SCMP_SYS(fdatasync),
	-1,
};

/* setsockopt: a new link sizes its buffer (ipc_new) */
static const int signer_allowed[] = { CALLS_COMMON, SCMP_SYS(setsockopt), -1 };

/* Looked for by libc, OpenSSL and libssh, and done without. */
static const int refused[] = {
	SCMP_SYS(open),
	SCMP_SYS(openat),
	SCMP_SYS(openat2),
	SCMP_SYS(stat),
	SCMP_SYS(lstat),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(statx),
	SCMP_SYS(access),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	SCMP_SYS(getcwd),
	SCMP_SYS(connect),
	SCMP_SYS(prlimit64),
	SCMP_SYS(getrlimit),
	SCMP_SYS(setrlimit),
	SCMP_SYS(getrusage),
	SCMP_SYS(sysinfo),
	SCMP_SYS(uname),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(sched_yield),
	SCMP_SYS(prctl),
	SCMP_SYS(socket),
	-1,
};

/* The sanitizers' runtimes map, report and walk their own stacks. */
static const int sanitizer_allowed[] = {
	SCMP_SYS(sched_yield),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(mmap),
	SCMP_SYS(mprotect),
	SCMP_SYS(clone),
	SCMP_SYS(rt_tgsigqueueinfo),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	-1,
};

static const int egress_denied[] = {
	SCMP_SYS(bind),
	SCMP_SYS(listen),
	SCMP_SYS(accept),
	SCMP_SYS(accept4),
	SCMP_SYS(chmod),
	SCMP_SYS(fchmod),
	SCMP_SYS(fchmodat),
	SCMP_SYS(chown),
	SCMP_SYS(fchown),
	SCMP_SYS(lchown),
	SCMP_SYS(fchownat),
	SCMP_SYS(unlink),
	SCMP_SYS(unlinkat),
	SCMP_SYS(rename),
	SCMP_SYS(renameat),
	SCMP_SYS(renameat2),
	SCMP_SYS(mkdir),
	SCMP_SYS(mkdirat),
	SCMP_SYS(rmdir),
	SCMP_SYS(symlink),
	SCMP_SYS(symlinkat),
	SCMP_SYS(link),
	SCMP_SYS(linkat),
	SCMP_SYS(mknod),
	SCMP_SYS(mknodat),
	SCMP_SYS(truncate),
	SCMP_SYS(creat),
	SCMP_SYS(setxattr),
	SCMP_SYS(kill),
	SCMP_SYS(pidfd_open),
	SCMP_SYS(pidfd_getfd),
	SCMP_SYS(pidfd_send_signal),
	SCMP_SYS(unshare),
	SCMP_SYS(setns),
	SCMP_SYS(io_uring_setup),
	SCMP_SYS(io_uring_enter),
	SCMP_SYS(io_uring_register),
	SCMP_SYS(userfaultfd),
	SCMP_SYS(perf_event_open),
	SCMP_SYS(inotify_init1),
	SCMP_SYS(fanotify_init),
	SCMP_SYS(shmget),
	SCMP_SYS(msgget),
	SCMP_SYS(semget),
	SCMP_SYS(quotactl),
	SCMP_SYS(acct),
	SCMP_SYS(syslog),
	-1,
};

static const int egress_killed[] = {
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	SCMP_SYS(ptrace),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(kcmp),
	SCMP_SYS(bpf),
	SCMP_SYS(mount),
	SCMP_SYS(umount2),
	SCMP_SYS(move_mount),
	SCMP_SYS(fsopen),
	SCMP_SYS(open_tree),
	SCMP_SYS(pivot_root),
	SCMP_SYS(chroot),
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(delete_module),
	SCMP_SYS(kexec_load),
	SCMP_SYS(kexec_file_load),
	SCMP_SYS(reboot),
	SCMP_SYS(swapon),
	SCMP_SYS(swapoff),
	SCMP_SYS(keyctl),
	SCMP_SYS(add_key),
	SCMP_SYS(request_key),
	SCMP_SYS(iopl),
	SCMP_SYS(ioperm),
	SCMP_SYS(personality),
	SCMP_SYS(settimeofday),
	SCMP_SYS(clock_settime),
	-1,
};

static bool listed(const int *calls, int call)
{
	for (; *calls != -1; calls++)
		if (*calls == call)
			return true;
	return false;
}

/* -1 is also what libseccomp gives for "unknown here", but SCMP_SYS never does: calls that this
 * architecture lacks have other negative numbers and make no rule. */
static int add_all(scmp_filter_ctx filter, uint32_t action, const int *calls, const int *but)
{
	int rc = 0;

	for (; rc == 0 && *calls != -1; calls++)
		if (!but || !listed(but, *calls))
			rc = seccomp_rule_add(filter, action, *calls, 0);
	return rc;
}

/* Rules with arguments, for session and signer. mmap and mprotect: never executable; refused, not
 * killed, since a library's optional JIT can do without. */
static int add_narrow(scmp_filter_ctx filter)
{
	int rc = seccomp_rule_add(
		filter, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX));

	rc = rc ? rc
		: seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
			  SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
	rc = rc ? rc
		: seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
			  SCMP_A1(SCMP_CMP_EQ, FIONREAD));
	rc = rc ? rc
		: seccomp_rule_add(
			  filter, DENY, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_NE, FIONREAD));
	const int memory[] = { SCMP_SYS(mmap), SCMP_SYS(mprotect) };
	for (size_t i = 0; !SANITIZED && rc == 0 && i < 2; i++) {
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, memory[i], 1,
			SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
		rc = rc ? rc
			: seccomp_rule_add(filter, REFUSE, memory[i], 1,
				  SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC));
	}
	return rc;
}

static int filter_load(scmp_filter_ctx filter, int rc, struct err *err)
{
	if (rc == 0)
		rc = seccomp_load(filter);
	seccomp_release(filter);
	return rc ? err_set(err, rc < 0 ? rc : -rc, "seccomp: %s", strerror(rc < 0 ? -rc : rc)) : 0;
}

static int allow_only(const int *allowed, struct err *err)
{
	scmp_filter_ctx filter = seccomp_init(KILL);
	int rc;

	if (!filter)
		return err_set(err, -ENOMEM, "seccomp: cannot make a filter");
	rc = add_all(filter, SCMP_ACT_ALLOW, allowed, NULL);
	rc = rc ? rc : add_all(filter, REFUSE, refused, SANITIZED ? sanitizer_allowed : NULL);
	rc = rc ? rc : add_narrow(filter);
	if (SANITIZED)
		rc = rc ? rc : add_all(filter, SCMP_ACT_ALLOW, sanitizer_allowed, NULL);
	return filter_load(filter, rc, err);
}

static int limit(int what, const char *name, rlim_t value, struct err *err)
{
	struct rlimit now, set = { value, value };

	if (getrlimit(what, &now) == 0 && now.rlim_max < value)
		set.rlim_cur = set.rlim_max = now.rlim_max;
	return setrlimit(what, &set) < 0 ? err_set(err, -errno, "%s: %s", name, strerror(errno))
					 : 0;
}

static int limits_common(struct err *err)
{
	int rc = limit(RLIMIT_CORE, "no core dumps", 0, err);

	return rc < 0 || SANITIZED ? rc : limit(RLIMIT_NPROC, "no processes", 0, err);
}

int sandbox_session(struct err *err)
{
	int rc = limits_common(err);

	if (rc == 0 && !SANITIZED)
		rc = limit(RLIMIT_AS, "address space", SANDBOX_ADDRESS_SPACE, err);
	return rc < 0 ? rc : allow_only(session_allowed, err);
}

int sandbox_signer(struct err *err)
{
	int rc = limits_common(err);

	return rc < 0 ? rc : allow_only(signer_allowed, err);
}

int sandbox_egress(struct err *err)
{
	scmp_filter_ctx filter;
	int rc = limit(RLIMIT_CORE, "no core dumps", 0, err);

	if (rc < 0)
		return rc;
	filter = seccomp_init(SCMP_ACT_ALLOW);
	if (!filter)
		return err_set(err, -ENOMEM, "seccomp: cannot make a filter");
	rc = add_all(filter, DENY, egress_denied, NULL);
	rc = rc ? rc : add_all(filter, KILL, egress_killed, NULL);
	/* it reads resolver files, it writes none */
	const int writing[] = { O_WRONLY, O_RDWR, O_CREAT };
	for (size_t i = 0; rc == 0 && i < 3; i++)
		rc = seccomp_rule_add(filter, DENY, SCMP_SYS(openat), 1,
			SCMP_A2(SCMP_CMP_MASKED_EQ, (scmp_datum_t)writing[i],
				(scmp_datum_t)writing[i]));
	for (size_t i = 0; rc == 0 && i < 3; i++)
		rc = seccomp_rule_add(filter, DENY, SCMP_SYS(open), 1,
			SCMP_A1(SCMP_CMP_MASKED_EQ, (scmp_datum_t)writing[i],
				(scmp_datum_t)writing[i]));
	return filter_load(filter, rc, err);
}
