/* Providers and revocation lists in the configuration: defaults, values, refusals, limits, and what is printed. */
#include "conf/provider.h"

#include "tests/unit/policy_world.h"

#define LEAST "version: 1\nhost_key: /k\n"
#define CORP "{name: corp, issuer: 'https://login.example.com', client_id: bartizan"
#define ONE(more) LEAST "providers: [" CORP more "}]"

static const struct conf_provider *only(const struct config *config)
{
	assert_int_equal(config->conf->provider_count, 1);
	return &config->conf->providers[0];
}

static void assert_list(char *const *list, const char *const *expected)
{
	for (; *expected; expected++, list++)
		assert_string_equal(*list, *expected);
	assert_null(*list);
}

static void test_defaults(void **state)
{
	(void)state;
	CONFIG_CLEANUP struct config *none = world_config(LEAST), *config = world_config(ONE(""));
	assert_int_equal(none->conf->provider_count, 0);
	assert_null(none->conf->krl);
	const struct conf_provider *p = only(config);
	assert_string_equal(p->name, "corp");
	assert_string_equal(p->issuer, "https://login.example.com");
	assert_string_equal(p->client_id, "bartizan");
	assert_null(p->client_secret_file);
	assert_null(p->audience);
	assert_null(p->groups);
	assert_null(p->ca);
	assert_string_equal(p->user, "email");
	assert_list(p->scopes, (const char *[]){ "openid", "email", "profile", NULL });
	assert_list(p->algorithms, (const char *[]){ "RS256", "ES256", NULL });
	assert_false(p->allow_http || p->machine);
	assert_int_equal(p->skew, 60000);
	assert_int_equal(p->token_lifetime, 24 * 3600 * 1000);
	assert_int_equal(p->connect_time, 5000);
	assert_int_equal(p->answer_time, 10000);
	assert_int_equal(p->jwks_refresh, 300000);
	assert_int_equal(p->jwks_max_age, 24 * 3600 * 1000);
}

static void test_values(void **state)
{
	(void)state;
	CONFIG_CLEANUP struct config *config = world_config(
		ONE(", client_secret_file: s, audience: a, scopes: openid, user: a.b, groups: 'https://x/groups', algorithms: [EdDSA, PS256], "
		    "ca_file: corp_ca.pem, machine: true, skew: 0, token_lifetime: 1h, connect_time: 1s, answer_time: 2s, jwks_refresh: 1s, "
		    "jwks_max_age: 2h"));
	const struct conf_provider *p = only(config);
	assert_string_equal(p->client_secret_file, "/etc/bartizan/s");
	assert_string_equal(p->audience, "a");
	assert_string_equal(p->user, "a.b");
	assert_string_equal(p->groups, "https://x/groups");
	assert_list(p->scopes, (const char *[]){ "openid", NULL });
	assert_list(p->algorithms, (const char *[]){ "EdDSA", "PS256", NULL });
	assert_string_equal(p->ca_file, "/etc/bartizan/corp_ca.pem");
	assert_string_equal(p->ca, WORLD_CA);
	assert_true(p->machine);
	assert_int_equal(p->skew, 0);
	assert_int_equal(p->jwks_refresh, 1000);
}

/* With and without what a browser's address line adds; otherwise to the letter, a slash included. */
static void test_issuer(void **state)
{
	(void)state;
	static const struct { const char *written, *issuer; } cases[] = {
		{ "https://a.example/realms/x", "https://a.example/realms/x" },
		{ "https://a.example/realms/x/", "https://a.example/realms/x/" },
		{ "https://a.example/realms/x/.well-known/openid-configuration", "https://a.example/realms/x" },
		{ "https://a.example/.well-known/openid-configuration", "https://a.example" },
		{ "https://[2001:db8::1]:8443/x", "https://[2001:db8::1]:8443/x" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[300];
		snprintf(text, sizeof(text), LEAST "providers: [{name: a, client_id: b, issuer: '%s'}]", cases[i].written);
		CONFIG_CLEANUP struct config *config = world_config(text);
		assert_string_equal(only(config)->issuer, cases[i].issuer);
	}
	static const char *const loopback[] = { "http://127.0.0.1:8080/x", "http://[::1]:8080", "http://localhost" };
	for (size_t i = 0; i < COUNT(loopback); i++) {
		char text[300];
		snprintf(text, sizeof(text), LEAST "providers: [{name: a, client_id: b, issuer: '%s', allow_http: true}]", loopback[i]);
		config_free(world_config(text));
		snprintf(text, sizeof(text), LEAST "providers: [{name: a, client_id: b, issuer: '%s'}]", loopback[i]);
		world_refused(text, "is not https, and allow_http is not set");
	}
}

static void test_refused(void **state)
{
	(void)state;
	static const struct { const char *text, *words;
	} cases[] = {
		{ LEAST "providers: {}", "config.yaml:3:12: expected a list" },
		{ LEAST "providers: [x]", "expected a map" },
		{ LEAST "providers: [{}]", "'name' is missing" },
		{ LEAST "providers: [{name: a, client_id: b}]", "'issuer' is missing" },
		{ LEAST "providers: [{name: a, issuer: 'https://x'}]", "'client_id' is missing" },
		{ LEAST "providers: [{name: 'a b', client_id: b, issuer: 'https://x'}]", "not a good name" },
		{ LEAST "providers: [{name: a, client_id: '', issuer: 'https://x'}]", "expected a text" },
		{ LEAST "providers: [{name: a, client_id: \"b\\u0007\", issuer: 'https://x'}]", "control character" },
		{ LEAST "providers: [" CORP "}, {name: corp, issuer: 'https://x', client_id: b}]",
			"config.yaml:3:92: there is more than one provider 'corp'" },
		{ LEAST "providers: [" CORP "}, {name: b, issuer: 'https://login.example.com', client_id: bartizan}]",
			"has this issuer and client_id" },
		{ ONE(", isuer: x"), "unknown key 'isuer': did you mean 'issuer'?" },
		{ ONE(", insecure: true"), "unknown key 'insecure'" },
		{ ONE(", skew: 61s"), "is not between" },
		{ ONE(", jwks_refresh: 999ms"), "is not between" },
		{ ONE(", algorithms: [HS256]"), "'HS256' is not one of RS256|" },
		{ ONE(", algorithms: [none]"), "'none' is not one of" },
		{ ONE(", algorithms: [rs256]"), "'rs256' is not one of" },
		{ ONE(", algorithms: []"), "the list is empty" },
		{ ONE(", scopes: ['a b']"), "'a b' is not a scope" },
		{ ONE(", scopes: ['']"), "expected a text" },
		{ ONE(", ca_file: none.pem"), "is not among the files" },
		{ ONE(", ca_file: known_hosts"), "'/etc/bartizan/known_hosts' holds no certificate" },
		{ ONE(", machine: perhaps"), "'perhaps'" },
		{ LEAST "providers: [{name: a, client_id: b, issuer: 'http://login.example.com', allow_http: true}]", "is not https" },
		{ LEAST "providers: [{name: a, client_id: b, issuer: 'ftp://x'}]", "neither https:// nor http://" },
		{ LEAST "providers: [{name: a, client_id: b, issuer: 'https://u:p@x'}]", "names a user" },
		{ LEAST "providers: [{name: a, client_id: b, issuer: 'https://x?a=b'}]", "no query" },
		{ LEAST "providers: [{name: a, client_id: b, issuer: 'https://x#a'}]", "does not belong" },
		{ LEAST "certificates: {revoked: none.krl}", "is not among the files" },
		{ LEAST "certificates: {revoked: cut.krl}", "'/etc/bartizan/cut.krl' cannot be used: its header is cut off" },
		{ LEAST "certificates: {revoked: known_hosts}", "config.yaml:3:25: '/etc/bartizan/known_hosts' is not a key revocation list" },
	};
	for (size_t i = 0; i < COUNT(cases); i++)
		world_refused(cases[i].text, cases[i].words);
}

/* head, count times the form with the number for each #, tail. */
static void many(char *text, size_t size, const char *head, const char *form, size_t count, const char *tail)
{
	size_t len = (size_t)snprintf(text, size, "%s", head);
	for (size_t i = 0; i < count; i++) {
		for (const char *p = form; *p; p++)
			len += (size_t)(*p == '#' ? snprintf(text + len, size - len, "%zu", i) : snprintf(text + len, size - len, "%c", *p));
		len += (size_t)snprintf(text + len, size - len, ",");
	}
	snprintf(text + len, size - len, "%s", tail);
}

static void test_limits(void **state)
{
	(void)state;
	static char text[8192];
	static const struct { const char *head, *form, *tail; size_t max; } lists[] = {
		{ LEAST "providers: [", "{name: p#, issuer: 'https://x#', client_id: c}", "]", CONF_PROVIDERS_MAX },
		{ LEAST "providers: [" CORP ", scopes: [", "s#", "]}]", CONF_SCOPES_MAX },
	};
	for (size_t i = 0; i < COUNT(lists); i++) {
		many(text, sizeof(text), lists[i].head, lists[i].form, lists[i].max, lists[i].tail);
		config_free(world_config(text));
		many(text, sizeof(text), lists[i].head, lists[i].form, lists[i].max + 1, lists[i].tail);
		world_refused(text, "more than");
	}
	char long_issuer[1100];
	memset(long_issuer, 'x', sizeof(long_issuer));
	memcpy(long_issuer, "https://x/", 10);
	long_issuer[1025] = '\0';
	snprintf(text, sizeof(text), LEAST "providers: [{name: a, client_id: b, issuer: '%s'}]", long_issuer);
	world_refused(text, "1024");
	long_issuer[1024] = '\0';
	snprintf(text, sizeof(text), LEAST "providers: [{name: a, client_id: b, issuer: '%s'}]", long_issuer);
	config_free(world_config(text));
}

static void test_revoked(void **state)
{
	(void)state;
	CONFIG_CLEANUP struct config *config = world_config(LEAST "certificates: {revoked: revoked.krl}");
	assert_string_equal(config->conf->krl_file, "/etc/bartizan/revoked.krl");
	assert_int_equal(config->conf->krl_len, sizeof(WORLD_KRL) - 1);
	assert_memory_equal(config->conf->krl, WORLD_KRL, sizeof(WORLD_KRL) - 1);
}

/* Printed, read again, and printed: the same; a secret's file is named, its contents never are. */
static void test_dump(void **state)
{
	(void)state;
	CONFIG_CLEANUP struct config *config = world_config(ONE(", client_secret_file: s, scopes: [a, 'b:c'], ca_file: corp_ca.pem, skew: 5s"));
	BUF_CLEANUP struct buf first = BUF_INIT(65536);
	BUF_CLEANUP struct buf second = BUF_INIT(65536);
	assert_int_equal(conf_dump(config->conf, &first), 0);
	CONFIG_CLEANUP struct config *again = world_config(buf_cstr(&first));
	assert_int_equal(conf_dump(again->conf, &second), 0);
	assert_string_equal(buf_cstr(&first), buf_cstr(&second));
	assert_non_null(strstr(buf_cstr(&first), "client_secret_file: /etc/bartizan/s"));
	assert_null(strstr(buf_cstr(&first), "BEGIN CERTIFICATE"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults), cmocka_unit_test(test_values), cmocka_unit_test(test_issuer), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_limits), cmocka_unit_test(test_revoked), cmocka_unit_test(test_dump),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
