/* Discovery documents and the URLs in them. */
#include "oidc/discovery.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/url.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ISSUER "https://idp.example/realms/x"
#define LEAST                                                               \
	"\"issuer\":\"" ISSUER "\",\"token_endpoint\":\"https://t.example/" \
			       "token\",\"jwks_uri\":\"https://k.example/keys\""

static int parse(const char *text, const char *issuer, bool allow_http, struct discovery **ret,
	struct err *err)
{
	return discovery_parse((struct bytes){ (const uint8_t *)text, strlen(text) }, issuer,
		allow_http, ret, err);
}

static void test_url_of(void **state)
{
	(void)state;
	static const struct {
		const char *issuer, *url;
	} cases[] = {
		{ "https://a", "https://a/.well-known/openid-configuration" },
		{ "https://a/", "https://a/.well-known/openid-configuration" },
		{ "https://a/realms/x", "https://a/realms/x/.well-known/openid-configuration" },
		{ "https://a/realms/x/", "https://a/realms/x/.well-known/openid-configuration" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		BUF_CLEANUP struct buf url = BUF_INIT(URL_MAX);
		assert_int_equal(discovery_url(cases[i].issuer, &url), 0);
		assert_string_equal(buf_cstr(&url), cases[i].url);
	}
}

static void test_good(void **state)
{
	(void)state;
	struct discovery *d = NULL;
	struct err err = { "" };
	assert_int_equal(parse("{" LEAST "}", ISSUER, false, &d, &err), 0);
	assert_string_equal(d->issuer, ISSUER);
	assert_string_equal(d->token, "https://t.example/token");
	assert_string_equal(d->jwks, "https://k.example/keys");
	assert_null(d->device);
	assert_null(d->authorization);
	assert_null(d->userinfo);
	assert_true(d->basic && !d->post && d->s256 && !d->iss_sent);
	discovery_free(d);
	assert_int_equal(
		parse("{" LEAST
		      ",\"device_authorization_endpoint\":\"https://idp.example/"
		      "device\",\"authorization_endpoint\":\"https://idp.example/auth?a=b\","
		      "\"userinfo_endpoint\":\"https://idp.example/"
		      "me\",\"token_endpoint_auth_methods_supported\":[\"client_secret_post\",7,"
		      "\"none\"],"
		      "\"code_challenge_methods_supported\":[\"plain\"],\"authorization_response_"
		      "iss_parameter_supported\":true,\"x\":{}}",
			ISSUER, false, &d, &err),
		0);
	assert_string_equal(d->device, "https://idp.example/device");
	assert_string_equal(d->authorization, "https://idp.example/auth?a=b");
	assert_string_equal(d->userinfo, "https://idp.example/me");
	assert_true(!d->basic && d->post && !d->s256 && d->iss_sent);
	discovery_free(d);
}

static void test_bad(void **state)
{
	(void)state;
	static const struct {
		const char *text, *words;
	} cases[] = {
		{ "", "not valid JSON" },
		{ "<html>", "not valid JSON" },
		{ "[]", "not a JSON object" },
		{ "{}", "'issuer' is missing" },
		{ "{\"issuer\":7}", "'issuer' is not a text" },
		{ "{\"issuer\":\"" ISSUER "\\u0000\"}", "not valid JSON" },
		{ "{\"issuer\":\"" ISSUER "/\"}",
			"calls itself '" ISSUER "/', the configuration '" ISSUER "'" },
		{ "{\"issuer\":\"https://evil.example\\u001b[2J\"}",
			"calls itself 'https://evil.example\\x1b[2J'" },
		{ "{\"issuer\":\"HTTPS://idp.example/realms/x\"}", "calls itself" },
		{ "{\"issuer\":\"" ISSUER "\"}", "'jwks_uri' is missing" },
		{ "{\"issuer\":\"" ISSUER "\",\"jwks_uri\":\"urn:keys\"}",
			"jwks_uri: the URL begins with neither" },
		{ "{\"issuer\":\"" ISSUER
		  "\",\"jwks_uri\":\"https://k.example/"
		  "keys\",\"device_authorization_endpoint\":\"https://d.example\"}",
			"'token_endpoint' is missing" },
		{ "{\"issuer\":\"" ISSUER "\",\"jwks_uri\":\"https://k.example/"
					  "keys\",\"token_endpoint\":null,\"authorization_"
					  "endpoint\":\"https://a.example\"}",
			"'token_endpoint' is missing" },
		{ "{\"issuer\":\"" ISSUER "\",\"token_endpoint\":\"https://t.example/token\"}",
			"'jwks_uri' is missing" },
		{ "{\"issuer\":\"" ISSUER
		  "\",\"jwks_uri\":\"https://k.example\",\"token_endpoint\":\"http://t.example/"
		  "token\"}",
			"token_endpoint: 'http://t.example/token' is not https" },
		{ "{\"issuer\":\"" ISSUER
		  "\",\"jwks_uri\":\"https://k.example\",\"token_endpoint\":\"http://127.0.0.1/"
		  "token\"}",
			"allow_http is not set" },
		{ "{\"issuer\":\"" ISSUER "\",\"jwks_uri\":\"https://"
					  "k.example\",\"token_endpoint\":\"file:///etc/passwd\"}",
			"token_endpoint: the URL begins with neither" },
		{ "{\"issuer\":\"" ISSUER "\",\"jwks_uri\":\"https://"
					  "k.example\",\"token_endpoint\":[\"https://t.example\"]}",
			"'token_endpoint' is not a text" },
		{ "{" LEAST ",\"issuer\":\"" ISSUER "\"}", "not valid JSON" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct discovery *d = NULL;
		struct err err = { "" };
		assert_true(parse(cases[i].text, ISSUER, false, &d, &err) < 0);
		assert_null(d);
		if (!strstr(err.text, cases[i].words))
			fail_msg("'%s' does not say '%s'", err.text, cases[i].words);
	}
}

/* Providers of workloads alone: those of CI systems, and of clusters. */
/* What need not be there, and cannot be used, counts as absent; the first of it is told. */
static void test_optional(void **state)
{
	(void)state;
	static const char *const keys[] = { "device_authorization_endpoint",
		"authorization_endpoint", "userinfo_endpoint", "end_session_endpoint" };
	static const char *const values[] = { "null", "\"\"", "7", "{}", "\"http://idp.example/x\"",
		"\"gopher://x\"", "\"javascript:alert(1)\"" };
	for (size_t i = 0; i < COUNT(keys) * COUNT(values); i++) {
		char text[512];
		struct discovery *d = NULL;
		struct err err = { "" };
		size_t value = i % COUNT(values);
		snprintf(text, sizeof(text), "{" LEAST ",\"%s\":%s}", keys[i / COUNT(values)],
			values[value]);
		if (parse(text, ISSUER, false, &d, &err))
			fail_msg("%s: %s", text, err.text);
		assert_true(!d->device && !d->authorization && !d->userinfo && !d->logout);
		assert_true(!!d->unusable == (value > 1));
		assert_true(!d->unusable || strstr(d->unusable, keys[i / COUNT(values)]));
		discovery_free(d);
	}
}

static void test_without_logins(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"{\"issuer\":\"" ISSUER "\",\"jwks_uri\":\"https://k.example/"
					"keys\",\"response_types_supported\":[\"id_token\"],"
					"\"scopes_supported\":[\"openid\"]}",
		"{\"issuer\":\"" ISSUER
		"\",\"jwks_uri\":\"https://k.example/"
		"keys\",\"authorization_endpoint\":\"urn:kubernetes:programmatic_authorization\"}",
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct discovery *d = NULL;
		assert_int_equal(parse(cases[i], ISSUER, false, &d, NULL), 0);
		assert_true(d->jwks && !d->token && !d->device && !d->authorization);
		discovery_free(d);
	}
}

static void test_loopback(void **state)
{
	(void)state;
	static const char text[] =
		"{\"issuer\":\"http://127.0.0.1:8080\",\"token_endpoint\":\"http://[::1]:8080/"
		"t\",\"jwks_uri\":\"http://localhost/k\"}";
	static const char evil[] =
		"{\"issuer\":\"http://127.0.0.1:8080\",\"token_endpoint\":\"http://[::1]:8080/"
		"t\",\"jwks_uri\":\"http://localhost.example/k\"}";
	struct discovery *d = NULL;
	struct err err = { "" };
	assert_true(parse(text, "http://127.0.0.1:8080", false, &d, &err) < 0);
	assert_int_equal(parse(text, "http://127.0.0.1:8080", true, &d, &err), 0);
	discovery_free(d);
	d = NULL;
	assert_true(parse(evil, "http://127.0.0.1:8080", true, &d, &err) < 0);
}

static void test_size(void **state)
{
	(void)state;
	struct discovery *d = NULL;
	struct err err = { "" };
	char *text = malloc(DISCOVERY_SIZE_MAX + 2);
	for (size_t more = 0; more < 2; more++) {
		memset(text, ' ', DISCOVERY_SIZE_MAX + more);
		memcpy(text, "{" LEAST "}", strlen("{" LEAST "}"));
		text[DISCOVERY_SIZE_MAX + more] = '\0';
		assert_int_equal(parse(text, ISSUER, false, &d, &err), more ? -EMSGSIZE : 0);
		discovery_free(d);
		d = NULL;
	}
	free(text);
}

static void test_urls(void **state)
{
	(void)state;
	static const struct {
		const char *text, *host;
		unsigned port;
		const char *rest;
		bool loopback;
	} good[] = {
		{ "https://a", "a", 443, "", false },
		{ "https://a.example:8443/x?y=z", "a.example", 8443, "/x?y=z", false },
		{ "https://[2001:db8::1]/x", "2001:db8::1", 443, "/x", false },
		{ "http://127.0.0.1", "127.0.0.1", 80, "", true },
		{ "http://127.255.0.1:81?a", "127.255.0.1", 81, "?a", true },
		{ "http://[::1]:82/", "::1", 82, "/", true },
		{ "http://localhost/", "localhost", 80, "/", true },
		{ "http://localhost.example/", "localhost.example", 80, "/", false },
	};
	for (size_t i = 0; i < COUNT(good); i++) {
		struct url url;
		struct err err = { "" };
		if (url_parse(good[i].text, &url, &err) < 0)
			fail_msg("%s: %s", good[i].text, err.text);
		assert_string_equal(url.host, good[i].host);
		assert_int_equal(url.port, good[i].port);
		assert_string_equal(url.rest, good[i].rest);
		assert_int_equal(url.loopback, good[i].loopback);
	}
	static const char *const bad[] = {
		"",
		"https:",
		"https://",
		"https:///x",
		"https://a b",
		"https://a\n",
		"https://a\\b",
		"https://a#b",
		"https://u@a",
		"https://u:p@a/x",
		"https://a:0",
		"https://a:65536",
		"https://a:",
		"https://a:x",
		"https://::1/",
		"https://[::1",
		"https://-a",
		"ftp://a",
		"HTTPS://a",
		" https://a",
		"https://a\"",
		"https://a<b",
		"https://\xc3\xa4",
		"https://a|b",
		"//a",
		"a",
	};
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct url url;
		if (url_parse(bad[i], &url, NULL) == 0)
			fail_msg("'%s' was taken", bad[i]);
	}
	char text[URL_MAX + 2];
	memset(text, 'x', sizeof(text));
	memcpy(text, "https://x/", 10);
	struct url url;
	text[URL_MAX + 1] = '\0';
	assert_int_equal(url_parse(text, &url, NULL), -EINVAL);
	text[URL_MAX] = '\0';
	assert_int_equal(url_parse(text, &url, NULL), 0);
}

static void test_escape(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf out = BUF_INIT(256);
	BUF_CLEANUP struct buf back = BUF_INIT(256);
	assert_int_equal(url_escape(&out, "a-._~Z9 &=+%/\0\xff", 15), 0);
	assert_string_equal(buf_cstr(&out), "a-._~Z9%20%26%3D%2B%25%2F%00%FF");
	assert_int_equal(url_unescape(&back, buf_cstr(&out), out.len), 0);
	assert_int_equal(back.len, 15);
	assert_memory_equal(buf_data(&back), "a-._~Z9 &=+%/\0\xff", 15);
	static const char *const bad[] = { "%", "%4", "a%4", "%zz", "%4z", "%z4" };
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(url_unescape(&back, bad[i], strlen(bad[i])), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_url_of),
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_optional),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_without_logins),
		cmocka_unit_test(test_loopback),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_escape),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
