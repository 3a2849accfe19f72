/* Addresses, networks, and texts with ports; each acceptance with its refusals. */
#include "common/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct addr addr_of(const char *text)
{
	struct addr addr;
	assert_int_equal(addr_parse(text, &addr, NULL), 0);
	return addr;
}

static void test_parse_and_format(void **state)
{
	(void)state;
	const char *const pairs[][2] = { { "10.0.0.1", "10.0.0.1" }, { "::1", "::1" }, { "2001:DB8:0:0::5", "2001:db8::5" }, { "::ffff:10.1.2.3", "10.1.2.3" },
		{ "::ffff:a01:203", "10.1.2.3" }, { "::", "::" }, { "0.0.0.0", "0.0.0.0" } };
	for (size_t i = 0; i < COUNT(pairs); i++) {
		char out[ADDR_TEXT_MAX];
		struct addr addr = addr_of(pairs[i][0]);
		assert_string_equal(addr_format(&addr, out), pairs[i][1]);
		assert_int_equal(addr.port, 0);
	}
}

static void test_parse_bad(void **state)
{
	(void)state;
	const char *const bad[] = { "", "localhost", "10.0.0", "10.0.0.1 ", "10.0.0.256", "010.0.0.1", "0x0a.0.0.1", "10.0.0.1:22", "[::1]", "fe80::1%eth0",
		"1:2:3:4:5:6:7:8:9", "::1/128", "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc" };
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct addr addr = { .family = 77 };
		struct err err;
		assert_int_equal(addr_parse(bad[i], &addr, &err), -EINVAL);
		assert_non_null(strstr(err.text, "is not an IP address"));
		assert_int_equal(addr.family, 77);
	}
}

static void test_parse_port(void **state)
{
	(void)state;
	const char *const pairs[][2] = { { "1.2.3.4:22", "1.2.3.4:22" }, { "[::1]:2222", "[::1]:2222" }, { "[::ffff:1.2.3.4]:65535", "1.2.3.4:65535" },
		{ "127.0.0.1:0", "127.0.0.1:0" } };
	for (size_t i = 0; i < COUNT(pairs); i++) {
		char out[ADDR_TEXT_MAX];
		struct addr addr;
		assert_int_equal(addr_parse_port(pairs[i][0], &addr, NULL), 0);
		assert_string_equal(addr_format_port(&addr, out), pairs[i][1]);
	}
	const char *const bad[] = { "", "1.2.3.4", "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:-1", "1.2.3.4:22x", "1.2.3.4: 22", "::1:22", "[::1]", "[::1]22", "[::1",
		"[1.2.3.4]:22", "localhost:22", ":22", "1.2.3.4:000022", "[::1]:22]", "[]:22" };
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct addr addr;
		if (addr_parse_port(bad[i], &addr, NULL) != -EINVAL)
			fail_msg("'%s' was taken", bad[i]);
	}
}

static void test_unknown(void **state)
{
	(void)state;
	char out[ADDR_TEXT_MAX];
	const struct addr none = { 0 };
	struct sockaddr_storage storage;
	socklen_t len;
	assert_string_equal(addr_format(&none, out), "unknown");
	assert_string_equal(addr_format_port(&none, out), "unknown");
	assert_int_equal(addr_to_sockaddr(&none, &storage, &len), -EAFNOSUPPORT);
	assert_false(addr_same_host(&none, &none));
}

static void test_sockaddr(void **state)
{
	(void)state;
	const char *const texts[] = { "10.1.2.3:22", "[2001:db8::7]:2222" };
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct addr addr, back;
		struct sockaddr_storage storage;
		socklen_t len;
		char out[ADDR_TEXT_MAX];
		assert_int_equal(addr_parse_port(texts[i], &addr, NULL), 0);
		assert_int_equal(addr_to_sockaddr(&addr, &storage, &len), 0);
		assert_int_equal(addr_from_sockaddr((struct sockaddr *)&storage, len, &back), 0);
		assert_string_equal(addr_format_port(&back, out), texts[i]);
		assert_int_equal(addr_from_sockaddr((struct sockaddr *)&storage, len - 1, &back), -EAFNOSUPPORT);
	}
	struct sockaddr_un local = { .sun_family = AF_UNIX };
	struct addr addr;
	assert_int_equal(addr_from_sockaddr((struct sockaddr *)&local, sizeof(local), &addr), -EAFNOSUPPORT);
}

/* A dual-stack listener sees IPv4 clients as mapped IPv6: they are the same host. */
static void test_mapped_peer(void **state)
{
	(void)state;
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(5) };
	struct addr addr, plain = addr_of("10.0.0.9");
	inet_pton(AF_INET6, "::ffff:10.0.0.9", &in6.sin6_addr);
	assert_int_equal(addr_from_sockaddr((struct sockaddr *)&in6, sizeof(in6), &addr), 0);
	assert_true(addr_same_host(&addr, &plain));
	assert_int_equal(addr.port, 5);
	plain = addr_of("10.0.0.8");
	assert_false(addr_same_host(&addr, &plain));
}

static void assert_net(const char *net_text, const char *inside, const char *outside)
{
	struct net net;
	struct addr in = addr_of(inside), out = addr_of(outside);
	assert_int_equal(net_parse(net_text, &net, NULL), 0);
	if (!net_contains(&net, &in))
		fail_msg("%s does not contain %s", net_text, inside);
	if (net_contains(&net, &out))
		fail_msg("%s contains %s", net_text, outside);
}

static void test_nets(void **state)
{
	(void)state;
	assert_net("10.0.0.0/8", "10.255.255.255", "11.0.0.0");
	assert_net("10.0.0.0/8", "::ffff:10.3.2.1", "::10.3.2.1");
	assert_net("192.168.4.0/22", "192.168.7.255", "192.168.8.0");
	assert_net("192.168.4.2/31", "192.168.4.3", "192.168.4.4");
	assert_net("192.168.4.2", "192.168.4.2", "192.168.4.3");
	assert_net("0.0.0.0/0", "255.1.2.3", "::1");
	assert_net("::/0", "2001::1", "10.0.0.1");
	assert_net("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1");
	assert_net("::1", "::1", "::2");
	assert_net("::ffff:10.0.0.0/104", "10.200.9.9", "11.0.0.0");
	assert_net("::ffff:0:0/96", "1.2.3.4", "::1");
	struct net net;
	const struct addr none = { 0 };
	assert_int_equal(net_parse("0.0.0.0/0", &net, NULL), 0);
	assert_false(net_contains(&net, &none));
}

static void test_bad_nets(void **state)
{
	(void)state;
	const char *const bad[] = { "", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/08", "10.0.0.0/8 ", "10.0.0.0/8/8", "/8", "::/129", "10.0.0.0/255.0.0.0",
		"10.0.0.1/8", "10.0.0.1/31", "2001:db8::1/64", "::ffff:10.0.0.0/90", "x/8", "10.0.0.0/0000" };
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct net net;
		if (net_parse(bad[i], &net, NULL) != -EINVAL)
			fail_msg("'%s' was taken", bad[i]);
	}
	struct err err;
	struct net net;
	net_parse("10.0.0.1/8", &net, &err);
	assert_non_null(strstr(err.text, "after its prefix"));
}

static void test_net_lists(void **state)
{
	(void)state;
	struct addr addr = addr_of("10.0.0.5"), other = addr_of("2001:db8::1");
	const struct addr none = { 0 };
	struct err err;
	assert_int_equal(net_list_contains("192.168.0.0/16,10.0.0.0/24", &addr, NULL), 1);
	assert_int_equal(net_list_contains("10.0.0.5", &addr, NULL), 1);
	assert_int_equal(net_list_contains("192.168.0.0/16,10.0.0.4", &addr, NULL), 0);
	assert_int_equal(net_list_contains("10.0.0.0/8,2001:db8::/32", &other, NULL), 1);
	assert_int_equal(net_list_contains("0.0.0.0/0,::/0", &none, NULL), 0);
	const char *const bad[] = { "", ",", "10.0.0.0/8,", ",10.0.0.0/8", "10.0.0.0/8, 10.0.0.1", "10.0.0.0/8,x", "!10.0.0.0/8", "10.0.0.5,10.0.0.1/8", "*" };
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(net_list_contains(bad[i], &addr, &err), -EINVAL);
	assert_non_null(strstr(err.text, "'*' in address list"));
}

static void test_split(void **state)
{
	(void)state;
	const struct {
		const char *text, *host;
		uint16_t port;
	} good[] = { { "web1", "web1", 22 }, { "web1:2200", "web1", 2200 }, { "[::1]:23", "::1", 23 }, { "[::1]", "::1", 22 }, { "::1", "::1", 22 },
		{ "2001:db8::1:23", "2001:db8::1:23", 22 }, { "10.0.0.1:1", "10.0.0.1", 1 }, { "a.b-c_d:65535", "a.b-c_d", 65535 } };
	for (size_t i = 0; i < COUNT(good); i++) {
		char host[ADDR_HOST_MAX];
		uint16_t port = 0;
		assert_int_equal(addr_split_host_port(good[i].text, 22, host, &port, NULL), 0);
		assert_string_equal(host, good[i].host);
		assert_int_equal(port, good[i].port);
	}
	const char *const bad[] = { "", ":22", "web1:", "web1:0", "web1:65536", "web1:22x", "web1:+22", "[web1]:22", "[::1", "[::1]x", "[::1]:", "a:b:c", "web 1",
		"web1\n", "web1:22:22", "[]", "[10.0.0.1]:22", "a/b", "::1]" };
	for (size_t i = 0; i < COUNT(bad); i++) {
		char host[ADDR_HOST_MAX] = "untouched";
		uint16_t port = 77;
		if (addr_split_host_port(bad[i], 22, host, &port, NULL) != -EINVAL)
			fail_msg("'%s' was taken", bad[i]);
		assert_string_equal(host, "untouched");
		assert_int_equal(port, 77);
	}
}

static void test_split_longest(void **state)
{
	(void)state;
	char text[ADDR_HOST_MAX + 8], host[ADDR_HOST_MAX];
	uint16_t port;
	memset(text, 'a', sizeof(text));
	strcpy(text + ADDR_HOST_MAX - 1, ":22");
	assert_int_equal(addr_split_host_port(text, 1, host, &port, NULL), 0);
	assert_int_equal(strlen(host), ADDR_HOST_MAX - 1);
	memset(text, 'a', sizeof(text));
	strcpy(text + ADDR_HOST_MAX, ":22");
	assert_int_equal(addr_split_host_port(text, 1, host, &port, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_and_format), cmocka_unit_test(test_parse_bad), cmocka_unit_test(test_parse_port), cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_sockaddr), cmocka_unit_test(test_mapped_peer), cmocka_unit_test(test_nets), cmocka_unit_test(test_bad_nets),
		cmocka_unit_test(test_net_lists), cmocka_unit_test(test_split), cmocka_unit_test(test_split_longest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
