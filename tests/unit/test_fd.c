/* Descriptors: whole reads with limits, sealed memory, and closing exactly what was not named. */
#include "common/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define BIG 100000 /* several steps of a read */

static int memory(const char *data, size_t len)
{
	int fd = fd_memfd("test", data, len);
	assert_true(fd >= 0);
	return fd;
}

static void test_read_all(void **state)
{
	(void)state;
	FREE_CLEANUP char *data = malloc(BIG);
	for (int i = 0; i < BIG; i++)
		data[i] = (char)(i * 7 / 3);
	BUF_CLEANUP struct buf out = BUF_INIT(BIG + 10);
	FD_CLEANUP int fd = memory(data, BIG);
	struct err err;
	assert_int_equal(buf_puts(&out, "before"), 0);
	assert_int_equal(fd_read_all(fd, BIG, &out, &err), 0);
	assert_int_equal(out.len, BIG + 6);
	assert_memory_equal(buf_data(&out) + 6, data, BIG);
	out.len = 6;
	lseek(fd, 0, SEEK_SET);
	assert_int_equal(fd_read_all(fd, BIG - 1, &out, &err), -EFBIG); /* limit + 1 */
	assert_int_equal(out.len, 6);
	assert_non_null(strstr(err.text, "longer than 99999"));
	lseek(fd, 10, SEEK_SET);
	assert_int_equal(fd_read_all(fd, BIG, &out, &err), 0); /* from where it stands */
	assert_int_equal(out.len, BIG - 4);
}

/* The buffer's own maximum bounds as well. */
static void test_read_into_small(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf out = BUF_INIT(4);
	FD_CLEANUP int fd = memory("12345", 5);
	assert_int_equal(fd_read_all(fd, 100, &out, NULL), -EFBIG);
	lseek(fd, 1, SEEK_SET);
	assert_int_equal(fd_read_all(fd, 100, &out, NULL), 0);
	assert_string_equal(buf_cstr(&out), "2345");
}

static int folder(char path[static 64])
{
	snprintf(path, 64, "/tmp/test_fd.XXXXXX");
	assert_non_null(mkdtemp(path));
	return open(path, O_DIRECTORY | O_CLOEXEC);
}

static void test_read_file(void **state)
{
	(void)state;
	char path[64];
	FD_CLEANUP int dir = folder(path);
	BUF_CLEANUP struct buf out = BUF_INIT(100);
	struct err err;
	assert_int_equal(fd_read_file(dir, "file", 10, &out, &err), -ENOENT);
	assert_non_null(strstr(err.text, "'file': No such file"));
	int fd = openat(dir, "file", O_CREAT | O_WRONLY, 0600);
	assert_int_equal(fd_write_all(fd, "content", 7), 0);
	close(fd);
	assert_int_equal(fd_read_file(dir, "file", 6, &out, &err), -EFBIG);
	assert_non_null(strstr(err.text, "'file': is longer than 6 bytes"));
	assert_int_equal(fd_read_file(dir, "file", 7, &out, &err), 0);
	assert_string_equal(buf_cstr(&out), "content");
	unlinkat(dir, "file", 0);
	assert_int_equal(fd_read_file(dir, ".", 10, &out, &err), -EISDIR);
	assert_int_equal(mkfifoat(dir, "fifo", 0600), 0);
	assert_int_equal(fd_read_file(dir, "fifo", 10, &out, &err), -EINVAL); /* and does not wait for a writer */
	unlinkat(dir, "fifo", 0);
	assert_int_equal(fd_read_file(AT_FDCWD, "/dev/zero", 10, &out, &err), -EINVAL);
	rmdir(path);
}

static void test_memfd_is_sealed(void **state)
{
	(void)state;
	FD_CLEANUP int fd = memory("abc", 3);
	char got[4] = "";
	assert_int_equal(read(fd, got, sizeof(got)), 3);
	assert_string_equal(got, "abc");
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(fd, 1), -1);
	assert_int_equal(ftruncate(fd, 10), -1);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, 0), -1);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void test_flags(void **state)
{
	(void)state;
	int pair[2];
	assert_int_equal(fd_pair(SOCK_STREAM, pair), 0);
	assert_true(fcntl(pair[0], F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fd_nonblock(pair[0]), 0);
	assert_true(fcntl(pair[0], F_GETFL) & O_NONBLOCK);
	errno = 77;
	fd_closep(&pair[0]);
	fd_closep(&pair[0]);
	assert_int_equal(pair[0], -1);
	assert_int_equal(errno, 77);
	assert_int_equal(fd_nonblock(-1), -EBADF);
	assert_int_equal(fd_write_all(-1, "x", 1), -EBADF);
	fd_closep(&pair[1]);
}

/* In a child: which of the descriptors 3 to 40 are open afterwards? */
static int survivors_as_named(void)
{
	const int keep[] = { 30, -1, 3, 1, 12, 30, 11 };
	for (int fd = 3; fd <= 40; fd++)
		dup2(0, fd);
	fd_close_others(keep, sizeof(keep) / sizeof(keep[0]));
	for (int fd = 0; fd <= 40; fd++) {
		bool expected = fd <= 3 || fd == 11 || fd == 12 || fd == 30;
		if ((fcntl(fd, F_GETFD) >= 0) != expected)
			return 10 + fd;
	}
	fd_close_others(NULL, 0);
	return fcntl(3, F_GETFD) < 0 && fcntl(2, F_GETFD) >= 0 ? 0 : 1;
}

static void test_close_others(void **state)
{
	(void)state;
	int status;
	pid_t pid = fork();
	if (!pid)
		_exit(survivors_as_named());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_all), cmocka_unit_test(test_read_into_small), cmocka_unit_test(test_read_file),
		cmocka_unit_test(test_memfd_is_sealed), cmocka_unit_test(test_flags), cmocka_unit_test(test_close_others),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
