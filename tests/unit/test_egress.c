/* Dials: what comes of them, in which words, and how many. Against sockets of this process; no name server is asked. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/fd.h"
#include "server/egress/dial.h"

#define ANSWERS_MAX (EGRESS_DIALS_MAX + 8)

struct answer { uint32_t id; int fd; char address[128], reason[1100]; };

static struct event_base *base;
static struct dials *dials;
static struct answer answers[ANSWERS_MAX];
static size_t answer_count, answers_wanted;

static void on_done(void *context, uint32_t id, int fd, const char *address, const char *reason)
{
	assert_ptr_equal(context, &answers);
	assert_true(answer_count < ANSWERS_MAX);
	struct answer *answer = &answers[answer_count++];
	answer->id = id;
	answer->fd = fd;
	snprintf(answer->address, sizeof(answer->address), "%s", address);
	snprintf(answer->reason, sizeof(answer->reason), "%s", reason);
	if (answer_count >= answers_wanted)
		event_base_loopbreak(base);
}

static int setup(void **state)
{
	(void)state;
	struct err err;

	curl_global_init(CURL_GLOBAL_DEFAULT);
	base = event_base_new();
	answer_count = 0;
	return dials_new(base, 61, on_done, &answers, &dials, &err);
}

static int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < answer_count; i++)
		fd_closep(&answers[i].fd);
	dials_free(dials);
	event_base_free(base);
	return 0;
}

static void wait_for(size_t count, int seconds)
{
	const struct timeval limit = { .tv_sec = seconds };

	answers_wanted = count;
	if (answer_count >= count)
		return;
	event_base_loopexit(base, &limit);
	event_base_dispatch(base);
	assert_int_equal(answer_count, count);
}

static int begin(uint32_t id, const char *host, uint32_t port, const char *family, uint32_t ms, struct err *err)
{
	struct msg_dial ask = { .host = (char *)(uintptr_t)host, .port = port, .family = (char *)(uintptr_t)family, .timeout_ms = ms };

	return dials_begin(dials, id, &ask, err);
}

/* backlog -1: bound, not listening. */
static int local_socket(int family, int backlog, uint16_t *ret_port)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct sockaddr *at = family == AF_INET ? (struct sockaddr *)&four : (struct sockaddr *)&six;
	socklen_t len = family == AF_INET ? sizeof(four) : sizeof(six);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, at, len) < 0) {
		fd_closep(&fd);
		return -1;
	}
	if (backlog >= 0)
		assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(getsockname(fd, at, &len), 0);
	*ret_port = ntohs(family == AF_INET ? four.sin_port : six.sin6_port);
	return fd;
}

static int flag(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	getsockopt(fd, level, name, &value, &len);
	return value;
}

/* The socket that comes out is whole: bytes go both ways after libcurl is done with its own. */
static void test_connect(void **state)
{
	(void)state;
	char expected[64], byte = 0;
	uint16_t port;
	int listener = local_socket(AF_INET, 8, &port), server;
	struct err err;

	assert_int_equal(begin(7, "127.0.0.1", port, "any", 5000, &err), 0);
	wait_for(1, 5);
	assert_int_equal(answers[0].id, 7);
	assert_true(answers[0].fd >= 0);
	snprintf(expected, sizeof(expected), "127.0.0.1:%u", port);
	assert_string_equal(answers[0].address, expected);
	assert_string_equal(answers[0].reason, "");
	assert_true(flag(answers[0].fd, IPPROTO_TCP, TCP_NODELAY));
	assert_true(flag(answers[0].fd, SOL_SOCKET, SO_KEEPALIVE));
	assert_int_equal(flag(answers[0].fd, IPPROTO_TCP, TCP_KEEPIDLE), 61);
	server = accept(listener, NULL, NULL);
	assert_int_equal(recv(server, &byte, 1, MSG_DONTWAIT), -1); /* nothing was said in our name */
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(write(server, "x", 1), 1);
	struct timeval limit = { .tv_sec = 5 };
	setsockopt(answers[0].fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	assert_int_equal(recv(answers[0].fd, &byte, 1, MSG_PEEK | MSG_WAITALL), 1);
	assert_int_equal(byte, 'x');
	close(server);
	close(listener);
}

static void test_ipv6(void **state)
{
	(void)state;
	char expected[64];
	uint16_t port;
	int listener = local_socket(AF_INET6, 8, &port);
	struct err err;

	if (listener < 0)
		skip(); /* no IPv6 on this machine */
	assert_int_equal(begin(1, "::1", port, "any", 5000, &err), 0);
	wait_for(1, 5);
	snprintf(expected, sizeof(expected), "[::1]:%u", port);
	assert_string_equal(answers[0].address, expected);
	assert_int_equal(begin(2, "::1", port, "ipv4", 5000, &err), 0); /* an address of the other family */
	wait_for(2, 5);
	assert_int_equal(answers[1].fd, -1);
	close(listener);
}

static void test_refused(void **state)
{
	(void)state;
	char expected[96];
	uint16_t port;
	int silent = local_socket(AF_INET, -1, &port);
	struct err err;

	assert_int_equal(begin(1, "127.0.0.1", port, "any", 5000, &err), 0);
	wait_for(1, 5);
	snprintf(expected, sizeof(expected), "connection refused by 127.0.0.1:%u", port);
	assert_int_equal(answers[0].fd, -1);
	assert_string_equal(answers[0].reason, expected);
	close(silent);
}

/* A queue of waiting connections that is full answers nobody: Linux drops the SYN. */
static int full_listener(uint16_t *ret_port, int fill[], size_t count)
{
	int listener = local_socket(AF_INET, 0, ret_port);
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) }, .sin_port = htons(*ret_port) };

	for (size_t i = 0; i < count; i++) {
		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		connect(fill[i], (struct sockaddr *)&to, sizeof(to));
	}
	return listener;
}

static void test_timeout(void **state)
{
	(void)state;
	char expected[96];
	int fill[8];
	uint16_t port;
	int listener = full_listener(&port, fill, 8);
	struct err err;
	int64_t start = clock_mono_ms();

	assert_int_equal(begin(1, "127.0.0.1", port, "any", 1000, &err), 0);
	wait_for(1, 10);
	snprintf(expected, sizeof(expected), "no answer from 127.0.0.1:%u within 1 second", port);
	assert_string_equal(answers[0].reason, expected);
	assert_true(clock_mono_ms() - start < 5000);
	for (size_t i = 0; i < 8; i++)
		close(fill[i]);
	close(listener);
}

static void test_cancel_and_limit(void **state)
{
	(void)state;
	int fill[8];
	uint16_t port;
	int listener = full_listener(&port, fill, 8);
	struct err err;

	for (uint32_t id = 0; id < EGRESS_DIALS_MAX; id++)
		assert_int_equal(begin(id, "127.0.0.1", port, "any", 2000, &err), 0);
	assert_int_equal(begin(EGRESS_DIALS_MAX, "127.0.0.1", port, "any", 2000, &err), -EAGAIN);
	dials_cancel(dials, 3);
	dials_cancel(dials, 3); /* gone already */
	assert_int_equal(begin(4, "127.0.0.1", port, "any", 2000, &err), -EEXIST);
	assert_int_equal(begin(EGRESS_DIALS_MAX, "127.0.0.1", port, "any", 2000, &err), 0);
	for (uint32_t id = 0; id <= EGRESS_DIALS_MAX; id++)
		if (id != 5)
			dials_cancel(dials, id);
	wait_for(1, 10);
	assert_int_equal(answers[0].id, 5); /* the only one that was left */
	for (size_t i = 0; i < 8; i++)
		close(fill[i]);
	close(listener);
}

static void test_malformed(void **state)
{
	(void)state;
	const struct { const char *host; uint32_t port; } cases[] = {
		{ "", 22 }, { "a/b", 22 }, { "a@b", 22 }, { "a b", 22 }, { "a?b", 22 }, { "a#b", 22 }, { "[::1]", 22 }, { "1:2", 22 },
		{ "fe80::1%lo", 22 }, { "-a", 22 },
		{ "127.0.0.1", 0 }, { "127.0.0.1", 65536 }, { "a\nb", 22 },
	};
	struct err err;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (begin((uint32_t)i, cases[i].host, cases[i].port, "any", 1000, &err) != -EINVAL)
			fail_msg("'%s' port %u was dialled", cases[i].host, cases[i].port);
	}
}

/* A proxy named by the environment would see every connection. */
static void test_no_proxy(void **state)
{
	(void)state;
	uint16_t port;
	int listener = local_socket(AF_INET, 8, &port);
	struct err err;

	setenv("http_proxy", "http://127.0.0.1:1/", 1);
	setenv("all_proxy", "http://127.0.0.1:1/", 1);
	assert_int_equal(begin(1, "127.0.0.1", port, "any", 5000, &err), 0);
	wait_for(1, 5);
	assert_true(answers[0].fd >= 0);
	unsetenv("http_proxy");
	unsetenv("all_proxy");
	close(listener);
}

#define DIALS_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DIALS_TEST(test_connect), DIALS_TEST(test_ipv6), DIALS_TEST(test_refused), DIALS_TEST(test_timeout),
		DIALS_TEST(test_cancel_and_limit),
		DIALS_TEST(test_malformed), DIALS_TEST(test_no_proxy),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
