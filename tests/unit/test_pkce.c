/* PKCE: the RFC's own vector, what is sent, and every way in which an answer can be wrong. */
#include "oidc/pkce.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/text.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* RFC 7636 appendix B. */
static const uint8_t vector[64] = {
	116,
	24,
	223,
	180,
	151,
	153,
	224,
	37,
	79,
	250,
	96,
	125,
	216,
	173,
	187,
	186,
	22,
	212,
	37,
	77,
	105,
	214,
	191,
	240,
	91,
	88,
	5,
	88,
	83,
	132,
	141,
	121,
	[32] = 1,
};
#define STATE "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define NONCE "9N4Izx0azcIAYpQ_woapvAGihpWtKmmUpMV6U53LHKw" /* SHA-256 of "bartizan-login-v1", NUL, "key": by Python's hashlib */

static const struct bytes key = { (const uint8_t *)"key", 3 }, other_key = { (const uint8_t *)"kez", 3 };

static struct discovery discovery = {
	.issuer = (char *)(uintptr_t)"https://idp.example", .authorization = (char *)(uintptr_t)"https://idp.example/auth",
};

static void test_vector(void **state)
{
	(void)state;
	struct pkce pkce;
	assert_int_equal(pkce_init_from(&pkce, key, vector), 0);
	assert_string_equal(pkce.verifier, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
	assert_string_equal(pkce.challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
	assert_string_equal(pkce.state, STATE);
	assert_string_equal(pkce.nonce, NONCE);
	pkce_release(&pkce);
	assert_int_equal(pkce.verifier[0], 0);
}

static void test_random(void **state)
{
	(void)state;
	struct pkce a, b;
	assert_int_equal(pkce_init(&a, key, NULL), 0);
	assert_int_equal(pkce_init(&b, other_key, NULL), 0);
	assert_int_equal(strlen(a.verifier), 43);
	assert_string_not_equal(a.verifier, b.verifier);
	assert_string_not_equal(a.state, b.state);
	assert_string_not_equal(a.nonce, b.nonce);
	assert_string_not_equal(a.state, a.nonce);
}

static void test_sent(void **state)
{
	(void)state;
	struct pkce pkce;
	struct discovery asks = discovery;
	char *scopes[] = { (char *)(uintptr_t)"openid", (char *)(uintptr_t)"email", NULL };
	BUF_CLEANUP struct buf url = BUF_INIT(8192);
	BUF_CLEANUP struct buf form = BUF_INIT(8192);
	pkce_init_from(&pkce, key, vector);
	assert_int_equal(pkce_url(&pkce, &discovery, "bartizan", "http://127.0.0.1:1/callback", scopes, 60, &url), 0);
	assert_string_equal(buf_cstr(&url),
		"https://idp.example/auth?response_type=code&client_id=bartizan&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fcallback&state=" STATE
		"&nonce=" NONCE
		"&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256&scope=openid%20email&max_age=60");
	asks.authorization = (char *)(uintptr_t)"https://idp.example/auth?p=x";
	buf_clear(&url);
	assert_int_equal(pkce_url(&pkce, &asks, "b", "r", scopes, -1, &url), 0);
	assert_int_equal(strncmp(buf_cstr(&url), "https://idp.example/auth?p=x&response_type=code&", 48), 0);
	assert_null(strstr(buf_cstr(&url), "max_age"));
	snprintf(pkce.code, sizeof(pkce.code), "c/d");
	assert_int_equal(pkce_form(&pkce, "b", "r", &form), 0);
	assert_string_equal(buf_cstr(&form),
		"grant_type=authorization_code&code=c%2Fd&redirect_uri=r&client_id=b&code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
}

static int callback(struct pkce *pkce, const char *target, struct err *err)
{
	return pkce_callback(pkce, &discovery, "/callback", target, strlen(target), err);
}

static void test_callback(void **state)
{
	(void)state;
	static const struct { const char *target; int rc; const char *words; } cases[] = {
		{ "/callback?code=c%2Fd&state=" STATE, 1, "" },
		{ "/callback?state=" STATE "&code=c%2Fd&session_state=x&iss=https%3A%2F%2Fidp.example", 1, "" },
		{ "/callback?error=access_denied&state=" STATE, -EACCES, "the provider refused: access_denied" },
		{ "/callback?error=access_denied&error_description=no+%1b&state=" STATE, -EACCES, "access_denied: no \\x1b" },
		{ "/callback?state=" STATE, -EBADMSG, "has no code" },
		{ "/callback?code=&state=" STATE, 0, "" },
		{ "/callback?state=" STATE "&code=", -EBADMSG, "malformed" },
		{ "/callback?state=" STATE "&code=a&code=b", -EBADMSG, "malformed" },
		{ "/callback?state=" STATE "&state=" STATE "&code=a", -EBADMSG, "malformed" },
		{ "/callback?state=" STATE "&code=%0", -EBADMSG, "malformed" },
		{ "/callback?state=" STATE "&code=a%00b", -EBADMSG, "malformed" },
		{ "/callback?state=" STATE "&code=a&iss=https://evil.example", -EBADMSG, "names another issuer: 'https://evil.example'" },
		{ "/callback?state=" STATE "&error=x&iss=https://evil.example", -EBADMSG, "names another issuer" },
		{ "/callback?code=a&state=" NONCE, 0, "" },
		{ "/callback?code=a&state=", 0, "" },
		{ "/callback?code=a&state=" STATE "A", 0, "" },
		{ "/callback?error=access_denied", 0, "" },
		{ "/callback?error=access_denied&state=wrong", 0, "" },
		{ "/callback?", 0, "" },
		{ "/callback", 0, "" },
		{ "/callbackx?code=a&state=" STATE, 0, "" },
		{ "/favicon.ico", 0, "" },
		{ "", 0, "" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct pkce pkce;
		struct err err = { "" };
		pkce_init_from(&pkce, key, vector);
		if (callback(&pkce, cases[i].target, &err) != cases[i].rc || !strstr(err.text, cases[i].words))
			fail_msg("'%s': '%s'", cases[i].target, err.text);
		assert_string_equal(pkce.code, cases[i].rc == 1 ? "c/d" : "");
	}
}

/* A code is taken once, and a state is good once. */
static void test_once(void **state)
{
	(void)state;
	struct pkce pkce;
	struct err err = { "" };
	pkce_init_from(&pkce, key, vector);
	assert_int_equal(callback(&pkce, "/callback?code=stray&state=x", &err), 0);
	assert_int_equal(callback(&pkce, "/callback?code=a&state=" STATE, &err), 1);
	assert_int_equal(callback(&pkce, "/callback?code=b&state=" STATE, &err), 0);
	assert_int_equal(callback(&pkce, "/callback?code=b&state=", &err), 0);
	assert_string_equal(pkce.code, "a");
}

/* RFC 9207: where the provider says that it names itself, it must. */
static void test_issuer(void **state)
{
	(void)state;
	struct discovery strict = discovery;
	struct pkce pkce;
	struct err err = { "" };
	static const char target[] = "/callback?code=a&state=" STATE;
	strict.iss_sent = true;
	pkce_init_from(&pkce, key, vector);
	assert_int_equal(pkce_callback(&pkce, &strict, "/callback", target, strlen(target), &err), -EBADMSG);
	assert_non_null(strstr(err.text, "names no issuer"));
}

static void test_limits(void **state)
{
	(void)state;
	static char target[PKCE_REQUEST_MAX + 2];
	struct err err = { "" };
	for (size_t more = 0; more < 2; more++) {
		struct pkce pkce;
		pkce_init_from(&pkce, key, vector);
		int len = snprintf(target, sizeof(target), "/callback?state=" STATE "&code=");
		memset(target + len, 'x', PKCE_CODE_MAX + more);
		target[(size_t)len + PKCE_CODE_MAX + more] = '\0';
		assert_int_equal(callback(&pkce, target, &err), more ? -EBADMSG : 1);
	}
	for (size_t more = 0; more < 2; more++) {
		struct pkce pkce;
		pkce_init_from(&pkce, key, vector);
		int len = snprintf(target, sizeof(target), "/callback?state=" STATE "&code=a&x=");
		memset(target + len, 'x', PKCE_REQUEST_MAX + more - (size_t)len);
		target[PKCE_REQUEST_MAX + more] = '\0';
		assert_int_equal(callback(&pkce, target, &err), more ? 0 : 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vector), cmocka_unit_test(test_random), cmocka_unit_test(test_sent), cmocka_unit_test(test_callback),
		cmocka_unit_test(test_once), cmocka_unit_test(test_issuer), cmocka_unit_test(test_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
