/* The SSH library: what is said of it, that read-ahead stands between it and the kernel. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libssh/libssh.h>

#include "server/libssh/library.h"
#include "server/libssh/readahead.h"

static void described(void **state)
{
	char words[LIBRARY_WORDS_MAX], cut[8];

	(void)state;
	library_describe(words, sizeof(words));
	assert_non_null(strstr(words, "libssh 0."));
	assert_non_null(strstr(words, "OpenSSL 3"));
	library_describe(cut, sizeof(cut));
	assert_string_equal(cut, "libssh ");
#ifdef BARTIZAN_LIBSSH_STATIC
	assert_non_null(strstr(words, BARTIZAN_LIBSSH_STATIC));
	assert_null(library_missing());
	assert_true(library_post_quantum());
#else
	assert_non_null(strstr(library_missing(), "libssh drops"));
	assert_int_equal(strstr(library_missing(), "post-quantum") == NULL, library_post_quantum());
#endif
}

/* A client of libssh meets a banner and 20,000 bytes behind it, which are no packet: it gives up at once. It asks for 4096 at a time; what the kernel still
 * holds then tells who has read. */
static int left_in_the_kernel(bool watch)
{
	static const char bytes[20000] = "SSH-2.0-test\r\n";
	char rest[sizeof(bytes)];
	bool configuration = false;
	int pair[2], rc = SSH_AGAIN;
	ssh_session session = ssh_new();

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	int copy = dup(pair[0]); /* libssh closes its own */
	assert_int_equal(write(pair[1], bytes, sizeof(bytes)), sizeof(bytes));
	ssh_options_set(session, SSH_OPTIONS_PROCESS_CONFIG, &configuration);
	ssh_options_set(session, SSH_OPTIONS_HOST, "test");
	ssh_options_set(session, SSH_OPTIONS_USER, "test");
	ssh_options_set(session, SSH_OPTIONS_SSH_DIR, "/dev/null");
	ssh_options_set(session, SSH_OPTIONS_FD, &pair[0]);
	ssh_set_blocking(session, 0);
	if (watch)
		readahead_watch(pair[0]);
	for (int turns = 0; rc == SSH_AGAIN && turns < 100; turns++)
		rc = ssh_connect(session);
	assert_int_equal(rc, SSH_ERROR);
	int left = (int)recv(copy, rest, sizeof(rest), MSG_PEEK | MSG_DONTWAIT);
	readahead_forget(pair[0]);
	ssh_free(session);
	close(copy);
	close(pair[1]);
	return left;
}

static void read_ahead(void **state)
{
	(void)state;
	int plain = left_in_the_kernel(false), ahead = left_in_the_kernel(true);
	if (plain <= 0 || ahead > 0)
		fail_msg("left in the kernel: %d without read-ahead, %d with it", plain, ahead);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(described), cmocka_unit_test(read_ahead) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
