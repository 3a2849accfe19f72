/* The pure parts of a session: selectors, command words, PROXY headers, the bar, Debian versions.
 * Each refusal has a row. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/text.h"
#include "conf/yaml.h"
#include "server/libssh/crypto_bar.h"
#include "server/libssh/debian_version.h"
#include "server/libssh/library.h"
#include "server/session/proxy_header.h"
#include "common/selector.h"
#include "server/session/chan_command.h"

static void selectors(void **state)
{
	static const struct {
		const char *user;
		int rc;
		const char *login, *target;
		unsigned port;
	} rows[] = {
		{ "alice", 0, NULL, NULL, 0 },
		{ "deploy@web1", 0, "deploy", "web1", 0 },
		{ "deploy@web1:2200", 0, "deploy", "web1", 2200 },
		{ "deploy@[2001:db8::1]:22", 0, "deploy", "2001:db8::1", 22 },
		{ "deploy@::1", 0, "deploy", "::1", 0 },
		{ "a@b@web1", 0, "a@b", "web1", 0 },
		{ "@web1", -EINVAL, NULL, NULL, 0 },
		{ "deploy@", -EINVAL, NULL, NULL, 0 },
		{ "@", -EINVAL, NULL, NULL, 0 },
		{ "deploy@web1:99999", -EINVAL, NULL, NULL, 0 },
		{ "deploy@we b", -EINVAL, NULL, NULL, 0 },
		{ "-o@web1", -EINVAL, NULL, NULL, 0 },
		{ "deploy@-oProxyCommand", -EINVAL, NULL, NULL, 0 },
		{ "de\x1bploy@web1", -EINVAL, NULL, NULL, 0 },
		{ "a/b@web1", -EINVAL, NULL, NULL, 0 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct selector got;
		print_message("%s\n", rows[i].user);
		assert_int_equal(selector_parse(rows[i].user, &got), rows[i].rc);
		if (rows[i].login) {
			assert_string_equal(got.login, rows[i].login);
			assert_string_equal(got.target, rows[i].target);
			assert_int_equal(got.port, rows[i].port);
		} else {
			assert_null(got.login);
			assert_null(got.target);
		}
		selector_release(&got);
	}
}

static void words(void **state)
{
	static const struct {
		const char *line;
		int rc;
		const char *joined;
	} rows[] = {
		{ "", 0, "" },
		{ "  \t ", 0, "" },
		{ "whoami", 0, "whoami|" },
		{ " sessions  ls --json ", 0, "sessions|ls|--json|" },
		{ "deny X --reason 'not  now'", 0, "deny|X|--reason|not  now|" },
		{ "a \"b c\"d \\' e", 0, "a|b cd|'|e|" },
		{ "''", 0, "|" },
		{ "a 'b", -EINVAL, NULL },
		{ "a \"b", -EINVAL, NULL },
		{ "a;b $(c)", 0, "a;b|$(c)|" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char **list = NULL, joined[256] = "";
		print_message("%s\n", rows[i].line);
		assert_int_equal(command_words(rows[i].line, &list), rows[i].rc);
		for (size_t w = 0; list && list[w]; w++)
			strcat(strcat(joined, list[w]), "|");
		if (rows[i].joined)
			assert_string_equal(joined, rows[i].joined);
		text_list_free(list);
	}
	char many[4 * COMMAND_WORDS_MAX + 8] = "", **list = NULL;
	for (int i = 0; i < COMMAND_WORDS_MAX; i++)
		strcat(many, "w ");
	assert_int_equal(command_words(many, &list), 0);
	text_list_free(list);
	strcat(many, "w");
	assert_int_equal(command_words(many, &list), -E2BIG);
}

#define V2 "\r\n\r\n\0\r\nQUIT\n"

static void proxy_headers(void **state)
{
	static const struct {
		const char *name;
		const char *data;
		size_t len;
		int rc;
		const char *source;
		size_t used;
	} rows[] = {
		{ "v1", "PROXY TCP4 192.0.2.7 10.0.0.1 5555 22\r\nSSH-2.0", 46, 1, "192.0.2.7:5555",
			39 },
		{ "v1 ipv6", "PROXY TCP6 2001:db8::7 ::1 5555 22\r\n", 36, 1, "[2001:db8::7]:5555",
			36 },
		{ "v1 unknown", "PROXY UNKNOWN\r\n", 15, 1, "unknown", 15 },
		{ "v1 in pieces", "PROXY TCP4 192.0.", 17, 0, NULL, 0 },
		{ "one byte", "P", 1, 0, NULL, 0 },
		{ "none", "SSH-2.0-OpenSSH", 15, -EBADMSG, NULL, 0 },
		{ "v1 bad address", "PROXY TCP4 x 10.0.0.1 1 2\r\n", 27, -EBADMSG, NULL, 0 },
		{ "v1 bad port", "PROXY TCP4 1.2.3.4 10.0.0.1 66000 2\r\n", 37, -EBADMSG, NULL, 0 },
		{ "v1 too few", "PROXY TCP4 1.2.3.4\r\n", 20, -EBADMSG, NULL, 0 },
		{ "v2", V2 "\x21\x11\x00\x0c\xc0\x00\x02\x07\x0a\x00\x00\x01\x15\xb3\x00\x16SSH",
			31, 1, "192.0.2.7:5555", 28 },
		{ "v2 local", V2 "\x20\x00\x00\x00", 16, 1, "unknown", 16 },
		{ "v2 in pieces", V2 "\x21\x11\x00\x0c\xc0", 17, 0, NULL, 0 },
		{ "v2 bad version", V2 "\x11\x11\x00\x0c", 16, -EBADMSG, NULL, 0 },
		{ "v2 too long", V2 "\x21\x11\xff\xff", 16, -EBADMSG, NULL, 0 },
		{ "v2 unix", V2 "\x21\x31\x00\x00", 16, -EBADMSG, NULL, 0 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct addr addr;
		char text[ADDR_TEXT_MAX];
		size_t used = 0;
		print_message("%s\n", rows[i].name);
		assert_int_equal(proxy_header_parse((struct bytes){ (const uint8_t *)rows[i].data,
							    rows[i].len },
					 &addr, &used, NULL),
			rows[i].rc);
		if (rows[i].rc != 1)
			continue;
		assert_int_equal(used, rows[i].used);
		assert_string_equal(
			addr.family ? addr_format_port(&addr, text) : "unknown", rows[i].source);
	}
	char longest[200];
	memset(longest, 'a', sizeof(longest));
	memcpy(longest, "PROXY ", 6);
	struct addr addr;
	size_t used;
	assert_int_equal(
		proxy_header_parse((struct bytes){ (uint8_t *)longest, 106 }, &addr, &used, NULL),
		0);
	assert_int_equal(
		proxy_header_parse((struct bytes){ (uint8_t *)longest, 107 }, &addr, &used, NULL),
		-EBADMSG);
}

static void bar(void **state)
{
	struct crypto_bar strict, modern, old;
	struct err err;
	char *const allow[] = { "ssh-rsa", "diffie-hellman-group1-sha1", "aes128-cbc", "hmac-sha1",
		NULL },
		    *const wrong[] = { "rot13", NULL };
	(void)state;
	assert_int_equal(crypto_bar_make(CONF_CRYPTO_STRICT, NULL, &strict, &err), 0);
	assert_int_equal(crypto_bar_make(CONF_CRYPTO_MODERN, NULL, &modern, &err), 0);
	assert_int_equal(crypto_bar_make(CONF_CRYPTO_MODERN, allow, &old, &err), 0);
	/* on every level: preferred where the library has them, and never told of where it has not
	 */
	assert_int_equal(!strncmp(strict.kex, "mlkem768x25519-sha256,sntrup761x25519-sha512,", 45),
		library_post_quantum());
	assert_int_equal(!strncmp(old.kex, "mlkem768x25519-sha256,sntrup761x25519-sha512,", 45),
		library_post_quantum());
	assert_int_equal(strstr(modern.kex, "sntrup") != NULL, library_post_quantum());
	assert_null(strstr(strict.kex, "nistp"));
	assert_non_null(strstr(modern.kex, "nistp256"));
	assert_null(strstr(strict.ciphers, "-ctr"));
	assert_null(strstr(modern.ciphers, "cbc"));
	assert_non_null(strstr(old.ciphers, ",aes128-cbc"));
	assert_non_null(strstr(old.kex, ",diffie-hellman-group1-sha1"));
	assert_non_null(strstr(old.macs, ",hmac-sha1"));
	assert_true(old.ssh_rsa);
	assert_false(modern.ssh_rsa);
	assert_int_equal(crypto_bar_make(CONF_CRYPTO_MODERN, wrong, &old, &err), -EINVAL);
	assert_non_null(strstr(err.text, "rot13"));
}

static void versions(void **state)
{
	static const char *const ascending[] = { "0.9.8-1", "0.10.6~rc1-1", "0.10.6-0+deb12u1",
		"0.10.6-0+deb12u2", "0.10.6-0+deb12u3", "0.10.6-0+deb12u10", "0.10.6-2", "0.11.5-1",
		"0.12.0-1", "1:0.1-1" };
	char path[] = "/tmp/test_versions_XXXXXX", out[64];
	(void)state;
	for (size_t i = 0; i < sizeof(ascending) / sizeof(ascending[0]); i++)
		for (size_t j = 0; j < sizeof(ascending) / sizeof(ascending[0]); j++) {
			int rc = debian_version_compare(ascending[i], ascending[j]);
			assert_int_equal(rc < 0 ? -1 : rc > 0, i < j ? -1 : i > j);
		}
	int fd = mkstemp(path);
	FILE *file = fdopen(fd, "w");
	fputs("Package: libssh2-1\nStatus: install ok installed\nVersion: 1.10.0-3\n\nPackage: "
	      "libssh-4\nStatus: install ok installed\nArchitecture: amd64\n"
	      "Version: 0.10.6-0+deb12u1\n\nPackage: gone\nStatus: deinstall ok "
	      "config-files\nVersion: 9\n",
		file);
	fclose(file);
	assert_int_equal(debian_version_installed(path, "libssh-4", out, sizeof(out)), 0);
	assert_string_equal(out, "0.10.6-0+deb12u1");
	assert_int_equal(debian_version_installed(path, "gone", out, sizeof(out)), -ENOENT);
	assert_int_equal(debian_version_installed(path, "libssh", out, sizeof(out)), -ENOENT);
	unlink(path);
	assert_int_equal(debian_version_installed(path, "libssh-4", out, sizeof(out)), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(selectors),
		cmocka_unit_test(words),
		cmocka_unit_test(proxy_headers),
		cmocka_unit_test(bar),
		cmocka_unit_test(versions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
