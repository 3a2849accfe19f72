/* What the reader tells the listener: encoded, decoded, and every way it can be malformed. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire.h"
#include "server/role/listener_conf.h"

static char host_key[] = "/etc/bartizan/host", state_dir[] = "/var/lib/bartizan", control[] = "/run/c.sock", run_as[] = "bartizan";

static char *nothing[] = { NULL };

static struct listener_conf sample(size_t listens, size_t nets)
{
	struct listener_conf conf = { .host_key = host_key, .state_dir = state_dir, .control_socket = control, .run_as = run_as, .uid = 900, .gid = 901,
		.control_gid = UINT32_MAX, .unauthenticated = 100, .unauthenticated_per_source = 10, .connections = 4096,
		.drain_ms = INT64_C(28800000), .log_level = 2,
		.session = { .login_time_ms = 60000, .login_attempts = 6, .channels = 64, .legs = 65, .keepalive_s = 61, .crypto = 1,
		.verbose = true }, .notify = nothing };

	for (size_t i = 0; i < listens && i < CONF_LISTEN_MAX; i++)
		addr_parse_port(i % 2 ? "[::1]:2222" : "127.0.0.1:2222", &conf.listen[i], NULL);
	for (size_t i = 0; i < nets && i < CONF_NETS_MAX; i++)
		net_parse(i % 2 ? "fd00::/8" : "10.0.0.0/8", &conf.proxy[i], NULL);
	conf.listen_count = listens;
	conf.proxy_count = nets;
	return conf;
}

static void test_round(void **state)
{
	(void)state;
	struct listener_conf conf = sample(CONF_LISTEN_MAX, CONF_NETS_MAX), *back = NULL;
	struct buf bytes BUF_CLEANUP = BUF_INIT(LISTENER_CONF_SIZE_MAX);

	assert_int_equal(listener_conf_encode(&conf, &bytes), 0);
	assert_int_equal(listener_conf_decode(buf_bytes(&bytes), &back), 0);
	assert_string_equal(back->host_key, host_key);
	assert_string_equal(back->state_dir, state_dir);
	assert_string_equal(back->control_socket, control);
	assert_string_equal(back->run_as, run_as);
	assert_int_equal(back->uid, 900);
	assert_int_equal(back->gid, 901);
	assert_int_equal(back->control_gid, UINT32_MAX);
	assert_int_equal(back->unauthenticated, 100);
	assert_int_equal(back->unauthenticated_per_source, 10);
	assert_int_equal(back->connections, 4096);
	assert_int_equal(back->drain_ms, 28800000);
	assert_int_equal(back->log_level, 2);
	assert_memory_equal(&back->session, &conf.session, sizeof(conf.session));
	assert_int_equal(back->listen_count, CONF_LISTEN_MAX);
	assert_memory_equal(back->listen, conf.listen, sizeof(conf.listen));
	assert_int_equal(back->proxy_count, CONF_NETS_MAX);
	for (size_t i = 0; i < CONF_NETS_MAX; i++) {
		assert_true(addr_same_host(&back->proxy[i].base, &conf.proxy[i].base));
		assert_int_equal(back->proxy[i].bits, conf.proxy[i].bits);
	}
	assert_non_null(back->notify);
	assert_null(back->notify[0]);
	listener_conf_free(back);
}

/* As long as the configuration lets it be, beside the longest of everything else. */
static void test_notify(void **state)
{
	(void)state;
	static char text[LISTENER_CONF_TEXT_MAX + 1], arg[CONF_NOTIFY_ARG_LEN + 1], rest[CONF_NOTIFY_BYTES_MAX - 3 * (CONF_NOTIFY_ARG_LEN + 1)], empty[] = "";
	char *args[] = { arg, arg, empty, arg, rest, NULL };
	struct listener_conf conf = sample(CONF_LISTEN_MAX, CONF_NETS_MAX), *back = NULL;
	struct buf bytes BUF_CLEANUP = BUF_INIT(LISTENER_CONF_SIZE_MAX);

	memset(text, 't', sizeof(text) - 1);
	memset(arg, 'a', sizeof(arg) - 1);
	memset(rest, 'r', sizeof(rest) - 2);
	conf.host_key = conf.state_dir = conf.control_socket = text;
	conf.notify = args;
	assert_int_equal(listener_conf_encode(&conf, &bytes), 0);
	assert_int_equal(listener_conf_decode(buf_bytes(&bytes), &back), 0);
	for (size_t i = 0; args[i]; i++)
		assert_string_equal(back->notify[i], args[i]);
	assert_null(back->notify[5]);
	listener_conf_free(back);
}

static void test_notify_truncated(void **state)
{
	(void)state;
	static char program[] = "/bin/tell", option[] = "--channel", channel[] = "ops";
	char *args[] = { program, option, channel, NULL };
	struct listener_conf conf = sample(1, 1), *back = NULL;
	struct buf bytes BUF_CLEANUP = BUF_INIT(LISTENER_CONF_SIZE_MAX);

	conf.notify = args;
	assert_int_equal(listener_conf_encode(&conf, &bytes), 0);
	for (size_t len = 0; len < bytes.len; len++)
		assert_int_equal(listener_conf_decode((struct bytes){ buf_data(&bytes), len }, &back), -EBADMSG);
	assert_null(back);
}

static void test_truncated(void **state)
{
	(void)state;
	struct listener_conf conf = sample(2, 2), *back = NULL;
	struct buf bytes BUF_CLEANUP = BUF_INIT(LISTENER_CONF_SIZE_MAX);

	assert_int_equal(listener_conf_encode(&conf, &bytes), 0);
	for (size_t len = 0; len < bytes.len; len++)
		assert_int_equal(listener_conf_decode((struct bytes){ buf_data(&bytes), len }, &back), -EBADMSG);
	assert_int_equal(buf_putc(&bytes, 0), 0);
	assert_int_equal(listener_conf_decode(buf_bytes(&bytes), &back), -EBADMSG);
	assert_null(back);
}

/* The counts of three lists are the last thing: change them in place. */
static void test_too_many(void **state)
{
	(void)state;
	struct listener_conf conf = sample(0, 0), *back = NULL;
	const uint32_t counts[][3] = { { CONF_LISTEN_MAX + 1, 0, 0 }, { UINT32_MAX, 0, 0 }, { 0, CONF_NETS_MAX + 1, 0 }, { 0, UINT32_MAX, 0 },
		{ 0, 0, CONF_NOTIFY_ARGS_MAX + 1 }, { 0, 0, UINT32_MAX } };

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct buf bytes BUF_CLEANUP = BUF_INIT(LISTENER_CONF_SIZE_MAX);

		assert_int_equal(listener_conf_encode(&conf, &bytes), 0);
		bytes.len -= 12;
		for (size_t list = 0; list < 3; list++)
			assert_int_equal(wire_put_u32(&bytes, counts[i][list]), 0);
		for (size_t fill = 0; fill < 4096; fill++)
			assert_int_equal(buf_putc(&bytes, 4), 0);
		assert_int_equal(listener_conf_decode(buf_bytes(&bytes), &back), -EBADMSG);
	}
	assert_null(back);
}

static void test_proxy(void **state)
{
	(void)state;
	const struct listener_conf conf = sample(1, 2);
	const struct { const char *peer; bool believed; } cases[] = { { "10.1.2.3", true }, { "11.1.2.3", false }, { "fd00::1", true },
		{ "fe80::1", false } };
	const struct listener_conf none = sample(1, 0);

	for (size_t i = 0; i < 4; i++) {
		struct addr peer;

		assert_int_equal(addr_parse(cases[i].peer, &peer, NULL), 0);
		assert_int_equal(listener_conf_proxy(&conf, &peer), cases[i].believed);
		assert_false(listener_conf_proxy(&none, &peer));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round), cmocka_unit_test(test_notify), cmocka_unit_test(test_notify_truncated),
		cmocka_unit_test(test_truncated), cmocka_unit_test(test_too_many), cmocka_unit_test(test_proxy),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
