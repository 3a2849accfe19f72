/* The device flow: every state with every kind of answer, times by hand, nothing from the network.
 */
#include "oidc/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>

#define NOW 1000000
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define CODE                                                                                 \
	"\"device_code\":\"dc\",\"user_code\":\"ABCD-EFGH\",\"verification_uri\":\"https://" \
	"idp.example/device\""
#define STARTED "{" CODE ",\"expires_in\":600}"

static struct http_answer answer(long status, const char *body)
{
	return (struct http_answer){ .status = status,
		.content_type = "application/json; charset=utf-8",
		.body = { (const uint8_t *)body, strlen(body) } };
}

static struct http_answer lost(const char *why)
{
	return (struct http_answer){ .failure = why, .transient = true, .content_type = "" };
}

static void start(struct device *device, const char *body)
{
	struct http_answer got = answer(200, body);
	assert_int_equal(device_init(device, NULL), 0);
	device_started(device, &got, false, NOW);
}

static void waiting(struct device *device)
{
	start(device, STARTED);
	assert_int_equal(device->state, DEVICE_WAITING);
}

static void poll_with(struct device *device, long status, const char *body, int64_t now)
{
	struct http_answer got = answer(status, body);
	device_polled(device, &got, now);
}

static void assert_failed(struct device *device, const char *kind, const char *words)
{
	assert_int_equal(device->state, DEVICE_FAILED);
	assert_string_equal(device->kind, kind);
	if (!strstr(device->reason, words))
		fail_msg("'%s' does not say '%s'", device->reason, words);
	assert_null(device->device_code);
	device_release(device);
}

static void test_start(void **state)
{
	(void)state;
	struct device device;
	start(&device, "{" CODE ",\"verification_uri_complete\":\"https://idp.example/"
				"device?user_code=ABCD-EFGH\",\"expires_in\":600,\"interval\":7}");
	assert_int_equal(device.state, DEVICE_WAITING);
	assert_string_equal(device.user_code, "ABCD-EFGH");
	assert_string_equal(device.uri, "https://idp.example/device");
	assert_string_equal(device.uri_complete, "https://idp.example/device?user_code=ABCD-EFGH");
	assert_int_equal(device.interval_ms, 7000);
	assert_int_equal(device.next, NOW + 7000);
	assert_int_equal(device.expires, NOW + 600000);
	device_release(&device);
	device_release(&device);
	start(&device, "{\"device_code\":\"dc\",\"user_code\":\"A\",\"verification_url\":\"https://"
		       "www.google.com/device\",\"expires_in\":1800}");
	assert_string_equal(device.uri, "https://www.google.com/device");
	device_release(&device);
}

/* What need not be there, and cannot be used, does no harm. */
static void test_optional(void **state)
{
	(void)state;
	static const char *const complete[] = { "null", "\"\"", "7", "\"http://idp.example/d?c=A\"",
		"\"https://u@idp.example/\"", "\"javascript:alert(1)\"",
		"\"https://idp.example/\\u001b[2J\"", "[]", "{}", "false" };
	for (size_t i = 0; i < COUNT(complete); i++) {
		char body[512];
		struct device device;
		snprintf(body, sizeof(body),
			"{" CODE ",\"verification_uri_complete\":%s,\"expires_in\":600}",
			complete[i]);
		start(&device, body);
		if (device.state != DEVICE_WAITING || device.uri_complete)
			fail_msg("verification_uri_complete %s: %s", complete[i], device.reason);
		device_release(&device);
	}
	struct device device;
	start(&device, "{\"device_code\":\"dc\",\"user_code\":\"A\",\"verification_uri\":\"\","
		       "\"verification_url\":\"https://x\",\"expires_in\":9}");
	assert_string_equal(device.uri, "https://x");
	device_release(&device);
}

/* RFC 8628 section 3.2: interval may be absent, then it is 5 s. What is absurd is bounded. */
static void test_times(void **state)
{
	(void)state;
	static const struct {
		const char *times;
		int64_t interval_ms, expires_s;
	} cases[] = {
		{ "\"expires_in\":600", 5000, 600 },
		{ "\"expires_in\":600,\"interval\":null", 5000, 600 },
		{ "\"expires_in\":600,\"interval\":1", 1000, 600 },
		{ "\"expires_in\":600,\"interval\":0", 1000, 600 },
		{ "\"expires_in\":600,\"interval\":60", 60000, 600 },
		{ "\"expires_in\":600,\"interval\":61", 60000, 600 },
		{ "\"expires_in\":600,\"interval\":9223372036854775807", 60000, 600 },
		{ "\"expires_in\":3600", 5000, 3600 },
		{ "\"expires_in\":3601", 5000, 3600 },
		{ "\"expires_in\":9223372036854775807", 5000, 3600 },
		/* as they come in the wild: floats, text, and what cannot be used, which counts as
		   absent */
		{ "\"expires_in\":600.0,\"interval\":5.0", 5000, 600 },
		{ "\"expires_in\":\"600\",\"interval\":\"7\"", 7000, 600 },
		{ "\"expires_in\":1e300,\"interval\":1e300", 60000, 3600 },
		{ "\"expires_in\":600,\"interval\":0.2", 1000, 600 },
		{ "\"expires_in\":600,\"interval\":-5", 5000, 600 },
		{ "\"expires_in\":600,\"interval\":\"\"", 5000, 600 },
		{ "\"expires_in\":600,\"interval\":\"soon\"", 5000, 600 },
		{ "\"expires_in\":600,\"interval\":[5]", 5000, 600 },
		{ "\"expires_in\":600,\"interval\":true", 5000, 600 },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char body[512];
		struct device device;
		snprintf(body, sizeof(body), "{" CODE ",%s}", cases[i].times);
		start(&device, body);
		assert_int_equal(device.state, DEVICE_WAITING);
		assert_int_equal(device.interval_ms, cases[i].interval_ms);
		assert_int_equal(device.expires_s, cases[i].expires_s);
		device_release(&device);
	}
}

static void test_start_refused(void **state)
{
	(void)state;
	static const struct {
		const char *body, *words;
	} cases[] = {
		{ "", "not valid JSON" },
		{ "[]", "not a JSON object" },
		{ "{}", "no usable device_code" },
		{ "{\"device_code\":\"dc\",\"device_code\":\"dd\"}", "not valid JSON" },
		{ "{\"device_code\":7}", "no usable device_code" },
		{ "{\"device_code\":\"\"}", "no usable device_code" },
		{ "{\"device_code\":\"dc\",\"user_code\":\"A\\u001b[2J\"}", "no usable user_code" },
		{ "{\"device_code\":\"dc\",\"user_code\":\"\\u202eA\"}", "no usable user_code" },
		{ "{\"device_code\":\"dc\",\"user_code\":\"A\"}", "no usable verification_uri" },
		{ "{\"device_code\":\"dc\",\"user_code\":\"A\",\"verification_uri\":\"http://"
		  "idp.example/\"}",
			"no usable verification_uri" },
		{ "{\"device_code\":\"dc\",\"user_code\":\"A\",\"verification_uri\":\"https://"
		  "idp.example/ \"}",
			"no usable verification_uri" },
		{ "{\"device_code\":\"dc\",\"user_code\":\"A\",\"verification_uri\":\"javascript:"
		  "alert(1)\"}",
			"no usable verification_uri" },
		{ "{" CODE "}", "no usable expires_in" },
		{ "{" CODE ",\"expires_in\":0}", "no usable expires_in" },
		{ "{" CODE ",\"expires_in\":-1}", "no usable expires_in" },
		{ "{" CODE ",\"expires_in\":null}", "no usable expires_in" },
		{ "{" CODE ",\"expires_in\":0.5}", "no usable expires_in" },
		{ "{" CODE ",\"expires_in\":\"\"}", "no usable expires_in" },
		{ "{" CODE ",\"expires_in\":\"-600\"}", "no usable expires_in" },
		{ "{" CODE ",\"expires_in\":\"600s\"}", "no usable expires_in" },
		{ "{" CODE ",\"expires_in\":\"6000000000000000000\"}", "no usable expires_in" },
		{ "{" CODE ",\"expires_in\":[600]}", "no usable expires_in" },
		{ "{\"error\":\"invalid_client\",\"error_description\":\"who\\u001bare you\"}",
			"invalid_client: who?x1bare you" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct device device;
		start(&device, cases[i].body);
		assert_failed(&device, "refused", cases[i].words);
	}
}

static void test_start_status(void **state)
{
	(void)state;
	struct device device;
	struct http_answer got = lost("no answer from 'idp' port 443 in time");
	assert_int_equal(device_init(&device, NULL), 0);
	device_started(&device, &got, false, NOW);
	assert_failed(&device, "unreachable", "no answer from 'idp'");
	static const struct {
		long status;
		const char *body, *kind;
	} cases[] = {
		{ 503, "<html>", "unreachable" },
		{ 429, "{}", "unreachable" },
		{ 404, "<html>", "refused" },
		{ 400, "{}", "refused" },
		{ 401, "{\"error\":\"invalid_client\"}", "refused" },
		{ 500, "{\"error\":\"server_error\"}", "unreachable" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		got = answer(cases[i].status, cases[i].body);
		assert_int_equal(device_init(&device, NULL), 0);
		device_started(&device, &got, false, NOW);
		assert_failed(&device, cases[i].kind, "");
	}
	got = answer(200, STARTED);
	got.content_type = "text/html";
	assert_int_equal(device_init(&device, NULL), 0);
	device_started(&device, &got, false, NOW);
	assert_failed(&device, "refused", "not JSON");
}

static void test_limits(void **state)
{
	(void)state;
	static const struct {
		const char *key;
		size_t max;
	} cases[] = { { "device_code", DEVICE_CODE_MAX }, { "user_code", DEVICE_USER_CODE_MAX } };
	static char text[DEVICE_CODE_MAX + 2], body[DEVICE_CODE_MAX + 512];
	for (size_t i = 0; i < COUNT(cases); i++)
		for (size_t more = 0; more < 2; more++) {
			struct device device;
			memset(text, 'x', cases[i].max + more);
			text[cases[i].max + more] = '\0';
			snprintf(body, sizeof(body),
				"{\"%s\":\"%s\",\"%s\":\"A\",\"verification_uri\":\"https://"
				"x\",\"expires_in\":9}",
				cases[i].key, text, cases[!i].key);
			start(&device, body);
			assert_int_equal(device.state, more ? DEVICE_FAILED : DEVICE_WAITING);
			device_release(&device);
		}
}

/* RFC 8628 section 3.5. */
static void test_polling(void **state)
{
	(void)state;
	struct device device;
	waiting(&device);
	poll_with(&device, 400, "{\"error\":\"authorization_pending\"}", NOW + 5000);
	assert_int_equal(device.state, DEVICE_WAITING);
	assert_int_equal(device.next, NOW + 10000);
	poll_with(&device, 400, "{\"error\":\"slow_down\"}", NOW + 10000);
	assert_int_equal(device.interval_ms, 10000);
	assert_int_equal(device.next, NOW + 20000);
	poll_with(&device, 400, "{\"error\":\"authorization_pending\"}", NOW + 20000);
	assert_int_equal(device.next, NOW + 30000);
	for (int i = 0; i < 100; i++)
		poll_with(&device, 400, "{\"error\":\"slow_down\"}", NOW + 30000);
	assert_int_equal(device.interval_ms, DEVICE_INTERVAL_MS_MAX);
	assert_false(device_expire(&device, NOW + 599999));
	assert_true(device_expire(&device, NOW + 600000));
	assert_failed(&device, "expired", "has expired");
}

static void test_ends(void **state)
{
	(void)state;
	static const struct {
		long status;
		const char *body, *kind, *words;
	} cases[] = {
		{ 400, "{\"error\":\"access_denied\"}", "denied", "was denied" },
		{ 400, "{\"error\":\"expired_token\"}", "expired", "has expired" },
		{ 400, "{\"error\":\"invalid_grant\",\"error_description\":\"grant not found\"}",
			"refused", "invalid_grant: grant not found" },
		{ 401, "{\"error\":\"invalid_client\"}", "refused", "invalid_client" },
		{ 200, "{\"error\":\"access_denied\"}", "denied", "was denied" },
		{ 200, "garbage", "refused", "not valid JSON" },
		{ 200, "{}", "refused", "no ID token" },
		{ 200, "{\"access_token\":\"a\"}", "refused", "no ID token" },
		{ 200, "{\"id_token\":7}", "refused", "no usable ID token" },
		{ 200, "{\"id_token\":\"a\\nb\"}", "refused", "no usable ID token" },
		{ 404, "{}", "refused", "HTTP 404" },
		{ 404, "not found", "refused", "HTTP 404" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct device device;
		waiting(&device);
		poll_with(&device, cases[i].status, cases[i].body, NOW + 5000);
		assert_failed(&device, cases[i].kind, cases[i].words);
	}
}

static void test_tokens(void **state)
{
	(void)state;
	struct device device;
	waiting(&device);
	poll_with(&device, 200,
		"{\"id_token\":\"a.b.c\",\"access_token\":\"at\",\"token_type\":\"Bearer\"}",
		NOW + 5000);
	assert_int_equal(device.state, DEVICE_DONE);
	assert_string_equal(device.id_token, "a.b.c");
	assert_string_equal(device.access_token, "at");
	assert_null(device.device_code);
	poll_with(&device, 400, "{\"error\":\"access_denied\"}",
		NOW + 5000); /* too late to change anything */
	device_fail(&device, "denied", "x");
	assert_int_equal(device.state, DEVICE_DONE);
	assert_false(device_expire(&device, NOW + 700000));
	device_release(&device);
	static char token[DEVICE_TOKEN_MAX + 2], body[DEVICE_TOKEN_MAX + 512];
	for (size_t more = 0; more < 2; more++) {
		memset(token, 'x', DEVICE_TOKEN_MAX + more);
		token[DEVICE_TOKEN_MAX + more] = '\0';
		snprintf(body, sizeof(body), "{\"id_token\":\"%s\"}", token);
		waiting(&device);
		poll_with(&device, 200, body, NOW + 5000);
		if (more)
			assert_failed(&device, "refused", "larger than 16 KiB");
		else
			assert_int_equal(device.state, DEVICE_DONE);
		device_release(&device);
	}
}

/* What may pass is waited for, ever more slowly, and the next answer resets that. */
static void test_lost(void **state)
{
	(void)state;
	struct device device;
	struct http_answer got = lost("cannot connect to 'idp' port 443");
	waiting(&device);
	int64_t now = NOW + 5000;
	static const int64_t waits[] = { 5000, 10000, 20000, 40000, 60000, 60000 };
	for (size_t i = 0; i < COUNT(waits); i++) {
		device_polled(&device, &got, now);
		assert_int_equal(device.state, DEVICE_WAITING);
		assert_int_equal(device.next - now, waits[i]);
		now = device.next;
	}
	poll_with(&device, 400, "{\"error\":\"authorization_pending\"}", now);
	assert_int_equal(device.next - now, 5000);
	poll_with(&device, 503, "busy", now);
	assert_int_equal(device.next - now, 5000);
	poll_with(&device, 500, "{\"error\":\"server_error\"}", now);
	assert_int_equal(device.next - now, 10000);
	device_polled(&device, &got, NOW + 599000);
	assert_int_equal(device.next, NOW + 600000); /* no later than the end */
	assert_true(device_expire(&device, NOW + 600000));
	assert_failed(&device, "unreachable", "out of reach: cannot connect to 'idp'");
	waiting(&device);
	got.transient = false;
	got.failure = "certificate of 'idp' is not signed by a trusted authority";
	device_polled(&device, &got, NOW + 5000);
	assert_failed(&device, "refused", "not signed by a trusted authority");
}

static void test_forms(void **state)
{
	(void)state;
	char *scopes[] = { (char *)(uintptr_t) "email", (char *)(uintptr_t) "openid",
		(char *)(uintptr_t) "a:b", NULL };
	struct device device;
	BUF_CLEANUP struct buf form = BUF_INIT(4096);
	BUF_CLEANUP struct buf poll = BUF_INIT(4096);
	char want[512];
	assert_int_equal(device_init(&device, NULL), 0);
	assert_int_equal(device_form(&device, "bar tizan&", scopes, 900, &form), 0);
	snprintf(want, sizeof(want),
		"client_id=bar%%20tizan%%26&scope=openid%%20email%%20a%%3Ab&max_age=900&code_"
		"challenge=%s&code_challenge_method=S256",
		device.challenge);
	assert_string_equal(buf_cstr(&form), want);
	buf_clear(&form);
	assert_int_equal(device_form(&device, "b", NULL, -1, &form), 0);
	snprintf(want, sizeof(want),
		"client_id=b&scope=openid&code_challenge=%s&code_challenge_method=S256",
		device.challenge);
	assert_string_equal(buf_cstr(&form), want);
	start(&device,
		"{\"device_code\":\"d+/=c\",\"user_code\":\"A\",\"verification_uri\":\"https://"
		"x\",\"expires_in\":9}");
	assert_int_equal(device_poll_form(&device, "b", &poll), 0);
	snprintf(want, sizeof(want),
		"grant_type=urn%%3Aietf%%3Aparams%%3Aoauth%%3Agrant-type%%3Adevice_code&device_"
		"code=d%%2B%%2F%%3Dc&code_verifier=%s&client_id=b",
		device.verifier);
	assert_string_equal(buf_cstr(&poll), want);
	device_release(&device);
	assert_string_equal(device.verifier, "");
}

/* RFC 7636 section 4: the challenge is of the verifier, and each flow has its own. */
static void test_proof(void **state)
{
	(void)state;
	struct device first, second;
	uint8_t digest[32];
	char text[64];
	assert_int_equal(device_init(&first, NULL), 0);
	assert_int_equal(device_init(&second, NULL), 0);
	assert_string_not_equal(first.verifier, second.verifier);
	assert_int_equal(strlen(first.verifier), 43);
	assert_int_equal(EVP_Digest(first.verifier, 43, digest, NULL, EVP_sha256(), NULL), 1);
	EVP_EncodeBlock((unsigned char *)text, digest, 32);
	for (char *p = text; *p; p++)
		*p = *p == '+' ? '-' : *p == '/' ? '_' : *p == '=' ? '\0' : *p;
	assert_string_equal(first.challenge, text);
	device_release(&first);
	device_release(&second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start),
		cmocka_unit_test(test_optional),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_start_refused),
		cmocka_unit_test(test_start_status),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_polling),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_proof),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
