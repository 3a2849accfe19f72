/* Providers and logins of the egress role against a provider that says what the test wants, over
 * http on loopback. TLS is for the lab's real one. */
#include "server/egress/login.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <netinet/in.h>

#include <event2/buffer.h>
#include <event2/http.h>

#include "common/clock.h"
#include "oidc/device.h"
#include "server/egress/http.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define PATIENCE_S 15
#define ANSWERS_MAX (LOGINS_MAX + 8)

struct said { /* what the provider answers; status 0: nothing, ever */
	int status;
	const char *type, *body;
	const char *location;
};

enum { DISCOVERY, JWKS, DEVICE, TOKEN, USERINFO, PATHS };
static const char *const paths[PATHS] = { "/.well-known/openid-configuration", "/jwks", "/device",
	"/token", "/me" };

static struct {
	struct event_base *base;
	struct evhttp *server;
	struct evhttp_request *silent[8]; /* asked and never answered */
	size_t silent_count;
	char issuer[64], discovery[1024];
	struct said says[PATHS];
	unsigned asked[PATHS];
	char last_form[PATHS][2048], last_auth[PATHS][256];
	struct egress_conf conf;
	struct egress_provider *provider; /* the only one */
	struct http_loop *http;
	struct providers *providers;
	struct logins *logins;
	unsigned changes, tells;
	struct {
		uint32_t id;
		bool ok;
		char kind[32], reason[640], token[64], userinfo[256];
	} done[ANSWERS_MAX];
	struct {
		uint32_t id;
		char user_code[64], uri[256];
	} code[ANSWERS_MAX];
	size_t done_count, code_count;
} w;

/* ---- the provider ---- */

static void remember(int path, struct evhttp_request *request)
{
	const char *auth =
		evhttp_find_header(evhttp_request_get_input_headers(request), "Authorization");
	struct evbuffer *input = evhttp_request_get_input_buffer(request);
	ev_ssize_t len = evbuffer_copyout(input, w.last_form[path], sizeof(w.last_form[path]) - 1);

	w.last_form[path][len > 0 ? len : 0] = '\0';
	snprintf(w.last_auth[path], sizeof(w.last_auth[path]), "%s", auth ? auth : "");
	w.asked[path]++;
}

static void on_request(struct evhttp_request *request, void *arg)
{
	int path = (int)(intptr_t)arg;
	const struct said *said = &w.says[path];
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	struct evbuffer *body;

	remember(path, request);
	if (!said->status) {
		if (w.silent_count < COUNT(w.silent))
			w.silent[w.silent_count++] = request;
		return;
	}
	evhttp_add_header(headers, "Content-Type", said->type);
	if (said->location)
		evhttp_add_header(headers, "Location", said->location);
	body = evbuffer_new();
	evbuffer_add(body, said->body, strlen(said->body));
	evhttp_send_reply(request, said->status, "x", body);
	evbuffer_free(body);
}

static void says(int path, int status, const char *body)
{
	w.says[path] = (struct said){ .status = status, .type = "application/json", .body = body };
}

/* ---- the gateway's side ---- */

static void on_changed(void *context, struct provider *provider, bool tell)
{
	(void)context;
	w.changes++;
	w.tells += tell;
	if (w.logins)
		logins_provider_changed(w.logins, provider);
	event_base_loopbreak(w.base);
}

static void on_code(void *context, uint32_t id, const struct msg_login_code *code)
{
	(void)context;
	w.code[w.code_count].id = id;
	snprintf(w.code[w.code_count].user_code, 64, "%s", code->user_code);
	snprintf(w.code[w.code_count++].uri, 256, "%s", code->uri);
	event_base_loopbreak(w.base);
}

static void on_done(void *context, uint32_t id, const struct msg_login_done *done)
{
	(void)context;
	assert_true(w.done_count < ANSWERS_MAX);
	w.done[w.done_count].id = id;
	w.done[w.done_count].ok = done->ok;
	snprintf(w.done[w.done_count].kind, 32, "%s", done->kind);
	snprintf(w.done[w.done_count].reason, 640, "%s", done->reason);
	snprintf(w.done[w.done_count].token, 64, "%.*s", (int)done->id_token.len,
		done->id_token.len ? (const char *)done->id_token.data : "");
	snprintf(w.done[w.done_count].userinfo, 256, "%.*s", (int)done->userinfo.len,
		done->userinfo.len ? (const char *)done->userinfo.data : "");
	w.done_count++;
	event_base_loopbreak(w.base);
}

/* Runs the loop until *count is at least that, or fails the test. */
static void until_(const void *count, size_t size, size_t wanted, int line)
{
	int64_t limit = clock_mono_ms() + PATIENCE_S * 1000;
	const struct timeval tick = { .tv_usec = 50000 };

	while ((size == sizeof(unsigned) ? *(const unsigned *)count : *(const size_t *)count) <
		wanted) {
		if (clock_mono_ms() > limit)
			fail_msg("line %d: waited for too long", line);
		event_base_loopexit(w.base, &tick);
		event_base_dispatch(w.base);
	}
}
#define until(count, wanted) until_(&(count), sizeof(count), wanted, __LINE__)

static char *text(const char *constant)
{
	return (char *)(uintptr_t)constant;
}

static void good_provider(void)
{
	snprintf(w.discovery, sizeof(w.discovery),
		"{\"issuer\":\"%s\",\"token_endpoint\":\"%s/token\",\"jwks_uri\":\"%s/"
		"jwks\",\"device_authorization_endpoint\":\"%s/device\","
		"\"userinfo_endpoint\":\"%s/me\"}",
		w.issuer, w.issuer, w.issuer, w.issuer, w.issuer);
	says(DISCOVERY, 200, w.discovery);
	says(JWKS, 200, "{\"keys\":[]}");
	says(DEVICE, 200,
		"{\"device_code\":\"dc\",\"user_code\":\"ABCD-EFGH\",\"verification_uri\":\"https:/"
		"/x/device\",\"expires_in\":600,\"interval\":1}");
	says(TOKEN, 200, "{\"id_token\":\"a.b.c\",\"access_token\":\"at\"}");
	says(USERINFO, 200, "{\"sub\":\"s\"}");
}

static int setup(void **state)
{
	(void)state;
	struct err err = { "" };
	ev_uint16_t port = 0;

	memset(&w, 0, sizeof(w));
	w.base = event_base_new();
	w.server = evhttp_new(w.base);
	struct evhttp_bound_socket *bound =
		evhttp_bind_socket_with_handle(w.server, "127.0.0.1", 0);
	struct sockaddr_in at;
	socklen_t len = sizeof(at);
	getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&at, &len);
	port = ntohs(at.sin_port);
	for (intptr_t i = 0; i < PATHS; i++)
		evhttp_set_cb(w.server, paths[i], on_request, (void *)i);
	snprintf(w.issuer, sizeof(w.issuer), "http://127.0.0.1:%u", port);
	good_provider();
	w.provider = &w.conf.providers[0];
	w.conf.provider_count = 1;
	*w.provider = (struct egress_provider){ .name = text("corp"),
		.issuer = w.issuer,
		.client_id = text("bartizan"),
		.allow_http = true,
		.connect_time = 2000,
		.answer_time = 1000,
		.jwks_refresh = 60000 };
	assert_int_equal(http_global_init(&err), 0);
	return http_loop_new(w.base, &w.http, &err);
}

static void begin(void)
{
	static const struct logins_ops ops = { .code = on_code, .done = on_done };
	struct err err = { "" };
	struct http *http = http_loop_http(w.http);

	if (providers_new(&w.conf, &w.providers, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(logins_new(w.base, w.providers, http, &ops, NULL, &w.logins, &err), 0);
	assert_int_equal(providers_start(w.providers, w.base, http, on_changed, NULL, &err), 0);
}

static int teardown(void **state)
{
	(void)state;
	logins_free(w.logins);
	providers_free(w.providers);
	http_loop_free(w.http);
	for (size_t i = 0; i < w.silent_count; i++)
		evhttp_send_error(w.silent[i], 503, NULL);
	evhttp_free(w.server);
	event_base_free(w.base);
	return 0;
}

static void view(struct provider_view *ret)
{
	provider_view(providers_find(w.providers, "corp"), ret);
}

static void start(uint32_t id, int64_t max_age)
{
	const struct msg_login_start ask = { .provider = text("corp"), .max_age = max_age };

	logins_begin(w.logins, id, &ask);
}

static void assert_words(const char *said, const char *words)
{
	if (!strstr(said, words))
		fail_msg("'%s' does not say '%s'", said, words);
}

/* ---- providers ---- */

static void test_fetch(void **state)
{
	(void)state;
	struct provider_view v;

	begin();
	view(&v);
	assert_null(v.discovery);
	until(w.changes, 1);
	view(&v);
	assert_true(v.ok);
	assert_int_equal(w.tells, 1);
	assert_int_equal(v.jwks.len, strlen("{\"keys\":[]}"));
	assert_true(clock_wall() - v.fetched < 5);
	assert_null(providers_find(w.providers, "other"));
}

static void test_fetch_bad(void **state)
{
	(void)state;
	static char huge[IPC_DOCUMENT_MAX + 64];
	memset(huge, ' ', sizeof(huge) - 1);
	memcpy(huge, "{\"keys\":[]}", 11);
	static const struct {
		int path;
		struct said said;
		const char *words;
	} cases[] = {
		{ DISCOVERY, { 503, "text/html", "x", NULL }, "discovery: HTTP 503" },
		{ DISCOVERY, { 302, "text/html", "x", "http://127.0.0.1:1/" },
			"discovery: redirect refused: '127.0.0.1' sent HTTP 302" },
		{ DISCOVERY, { 200, "text/html", "<html>", NULL },
			"discovery: answer is not JSON but 'text/html'" },
		{ DISCOVERY, { 200, "application/json", "{", NULL },
			"discovery: answer: not valid JSON" },
		{ DISCOVERY, { 200, "application/json", "{\"issuer\":\"x\"}", NULL },
			"discovery: the provider calls itself 'x'" },
		{ DISCOVERY, { 0, NULL, NULL, NULL },
			"discovery: no answer from '127.0.0.1' port" },
		{ JWKS, { 200, "application/json", "{}", NULL },
			"keys: the answer is not a set of keys" },
		{ JWKS, { 200, "application/json", "[]", NULL },
			"keys: the answer is not a set of keys" },
		{ JWKS, { 404, "application/json", "{}", NULL }, "keys: HTTP 404" },
		{ JWKS, { 200, "application/json", huge, NULL },
			"keys: answer of '127.0.0.1' is larger than 96 KiB" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct provider_view v;
		if (i > 0) {
			teardown(NULL);
			setup(NULL);
		}
		w.says[cases[i].path] = cases[i].said;
		begin();
		until(w.changes, 1);
		view(&v);
		assert_false(v.ok);
		assert_words(v.reason, cases[i].words);
		assert_int_equal(v.fetched, 0);
	}
}

/* Out of reach and back again, by itself: the first retry comes after a second. The old keys stay
 * in between. */
static void test_retry(void **state)
{
	(void)state;
	struct provider_view v;

	says(JWKS, 503, "x");
	begin();
	until(w.changes, 1);
	good_provider();
	until(w.changes, 2);
	view(&v);
	assert_true(v.ok);
	int64_t fetched = v.fetched;
	says(DISCOVERY, 500, "x");
	provider_refresh(providers_find(w.providers, "corp"));
	until(w.changes, 3);
	view(&v);
	assert_false(v.ok);
	assert_int_equal(v.fetched, fetched);
	assert_int_equal(v.jwks.len, strlen("{\"keys\":[]}"));
	assert_non_null(v.discovery);
	assert_int_equal(w.tells, 3);
}

/* The broker is answered each time, the provider asked once per jwks_refresh. */
static void test_refresh(void **state)
{
	(void)state;
	begin();
	until(w.changes, 1);
	struct provider *provider = providers_find(w.providers, "corp");
	says(JWKS, 200, "{\"keys\":[{}]}");
	provider_refresh(provider);
	provider_refresh(provider);
	until(w.changes, 2);
	assert_int_equal(w.asked[JWKS], 2);
	for (unsigned i = 0; i < 10; i++)
		provider_refresh(provider);
	assert_int_equal(w.changes, 12);
	assert_int_equal(w.tells, 12);
	assert_int_equal(w.asked[JWKS], 2);
	assert_int_equal(w.asked[DISCOVERY], 2);
}

static void test_secret(void **state)
{
	(void)state;
	char path[] = "/tmp/bartizan-test-XXXXXX";
	int fd = mkstemp(path);
	struct provider_view v;
	struct err err = { "" };

	w.provider->client_secret_file = path;
	assert_int_equal(write(fd, "s3 cret+\r\nmore\n", 15), 15);
	fchmod(fd, 0644);
	assert_true(providers_new(&w.conf, &w.providers, &err) < 0);
	assert_words(err.text, "provider 'corp': client_secret_file: ");
	assert_words(err.text, "chmod o=");
	fchmod(fd, 0600);
	w.provider->scopes = (char *[]){ text("openid"), text("groups"), NULL };
	begin();
	until(w.changes, 1);
	view(&v);
	assert_string_equal(v.secret, "s3 cret+");
	start(1, -1);
	until(w.done_count, 1);
	assert_string_equal(w.last_auth[TOKEN],
		"Basic YmFydGl6YW46czMlMjBjcmV0JTJC"); /* bartizan:s3%20cret%2B */
	assert_string_equal(w.last_auth[DEVICE], w.last_auth[TOKEN]);
	assert_null(strstr(w.last_form[TOKEN], "client_secret"));
	assert_words(
		w.last_form[DEVICE], "client_id=bartizan&scope=openid%20groups&code_challenge=");
	assert_int_equal(ftruncate(fd, 0), 0);
	close(fd);
	struct providers *none = NULL;
	assert_true(providers_new(&w.conf, &none, &err) < 0);
	assert_words(err.text, "has no secret");
	unlink(path);
}

static void test_secret_post(void **state)
{
	(void)state;
	char path[] = "/tmp/bartizan-test-XXXXXX";
	int fd = mkstemp(path);

	w.provider->client_secret_file = path;
	assert_int_equal(write(fd, "a&b", 3), 3);
	snprintf(w.discovery + strlen(w.discovery) - 1, 100,
		",\"token_endpoint_auth_methods_supported\":[\"client_secret_post\"]}");
	begin();
	until(w.changes, 1);
	start(1, -1);
	until(w.done_count, 1);
	assert_true(w.done[0].ok);
	assert_string_equal(w.last_auth[TOKEN], "");
	assert_words(w.last_form[TOKEN], "&client_secret=a%26b");
	assert_words(w.last_form[DEVICE], "&client_secret=a%26b");
	close(fd);
	unlink(path);
}

/* ---- logins ---- */

static void test_login(void **state)
{
	(void)state;
	begin();
	until(w.changes, 1);
	start(7, 900);
	until(w.code_count, 1);
	assert_int_equal(w.code[0].id, 7);
	assert_string_equal(w.code[0].user_code, "ABCD-EFGH");
	assert_string_equal(w.code[0].uri, "https://x/device");
	until(w.done_count, 1);
	assert_true(w.done[0].ok);
	assert_string_equal(w.done[0].token, "a.b.c");
	assert_string_equal(w.done[0].userinfo, "{\"sub\":\"s\"}");
	assert_words(
		w.last_form[DEVICE], "client_id=bartizan&scope=openid&max_age=900&code_challenge=");
	assert_words(w.last_form[DEVICE], "&code_challenge_method=S256");
	assert_words(w.last_form[TOKEN], "device_code=dc&code_verifier=");
	assert_words(w.last_form[TOKEN], "&client_id=bartizan");
	assert_string_equal(w.last_auth[USERINFO], "Bearer at");
	assert_string_equal(w.last_auth[TOKEN], "");
}

/* Begun before anything is known of the provider, and while it is out of reach. */
static void test_login_early(void **state)
{
	(void)state;
	begin();
	start(1, -1);
	until(w.done_count, 1);
	assert_true(w.done[0].ok);
	teardown(NULL);
	setup(NULL);
	says(DISCOVERY, 503, "x");
	begin();
	start(2, -1);
	until(w.done_count, 1);
	assert_false(w.done[0].ok);
	assert_string_equal(w.done[0].kind, "unreachable");
	assert_words(w.done[0].reason, "discovery: HTTP 503");
	start(3, -1); /* tried a moment ago: answered at once */
	assert_int_equal(w.done_count, 2);
}

/* The login of this number ends, at a provider that is good but for this answer. */
static void end_with(size_t id, int path, int status, const char *body)
{
	good_provider();
	says(path, status, body);
	start((uint32_t)id, -1);
	until(w.done_count, id + 1);
}

static void test_login_refused(void **state)
{
	(void)state;
	static const struct {
		int path, status;
		const char *body, *kind, *words;
	} cases[] = {
		{ TOKEN, 400, "{\"error\":\"access_denied\"}", "denied", "was denied" },
		{ TOKEN, 400, "{\"error\":\"expired_token\"}", "expired", "has expired" },
		{ TOKEN, 200, "{\"access_token\":\"at\"}", "refused", "no ID token" },
		{ DEVICE, 401, "{\"error\":\"invalid_client\"}", "refused", "invalid_client" },
		{ DEVICE, 503, "x", "unreachable", "HTTP 503" },
		{ DEVICE, 302, "x", "refused", "redirect refused" },
		{ TOKEN, 302, "x", "refused", "redirect refused" },
		{ DEVICE, 200,
			"{\"device_code\":\"dc\",\"user_code\":\"A\",\"verification_uri\":\"https:/"
			"/x\",\"expires_in\":1}",
			"expired", "has expired" },
	};
	begin();
	until(w.changes, 1);
	for (size_t i = 0; i < COUNT(cases); i++) {
		end_with(i, cases[i].path, cases[i].status, cases[i].body);
		assert_false(w.done[i].ok);
		assert_int_equal(w.done[i].id, i);
		assert_string_equal(w.done[i].kind, cases[i].kind);
		assert_words(w.done[i].reason, cases[i].words);
		assert_string_equal(w.done[i].token, "");
	}
	const struct msg_login_start nobody = { .provider = text("other"), .max_age = -1 };
	logins_begin(w.logins, 99, &nobody);
	assert_string_equal(w.done[w.done_count - 1].kind, "refused");
	assert_words(w.done[w.done_count - 1].reason, "no such provider");
}

static void test_no_device_flow(void **state)
{
	(void)state;
	snprintf(w.discovery, sizeof(w.discovery),
		"{\"issuer\":\"%s\",\"token_endpoint\":\"%s/token\",\"jwks_uri\":\"%s/jwks\"}",
		w.issuer, w.issuer, w.issuer);
	begin();
	until(w.changes, 1);
	start(1, -1);
	assert_words(w.done[0].reason, "no device flow");
}

/* Without an access token, or with a userinfo that is nonsense, the ID token comes alone. */
static void test_userinfo(void **state)
{
	(void)state;
	static const struct {
		int path, status;
		const char *body;
	} cases[] = {
		{ TOKEN, 200, "{\"id_token\":\"a.b.c\"}" },
		{ USERINFO, 500, "x" },
		{ USERINFO, 200, "[]" },
		{ USERINFO, 200, "garbage" },
		{ USERINFO, 302, "x" },
	};
	begin();
	until(w.changes, 1);
	for (size_t i = 0; i < COUNT(cases); i++) {
		end_with(i, cases[i].path, cases[i].status, cases[i].body);
		assert_true(w.done[i].ok);
		assert_string_equal(w.done[i].token, "a.b.c");
		assert_string_equal(w.done[i].userinfo, "");
	}
}

/* A poll that gets no answer is no end: the next one may. */
static void test_poll_lost(void **state)
{
	(void)state;
	begin();
	until(w.changes, 1);
	says(TOKEN, 503, "busy");
	start(1, -1);
	until(w.asked[TOKEN], 1);
	says(TOKEN, 200, "{\"id_token\":\"a.b.c\"}");
	until(w.done_count, 1);
	assert_true(w.done[0].ok);
	assert_int_equal(w.asked[TOKEN], 2);
}

static void test_cancel(void **state)
{
	(void)state;
	begin();
	until(w.changes, 1);
	w.says[TOKEN] = (struct said){ 0 };
	start(1, -1);
	start(2, -1);
	start(2, -1); /* twice: nothing is answered, nothing crosses */
	until(w.code_count, 2);
	logins_cancel(w.logins, 1);
	logins_cancel(w.logins, 1);
	logins_cancel(w.logins, 77);
	until(w.asked[TOKEN], 1);
	logins_cancel(w.logins, 2); /* in the middle of a poll */
	good_provider();
	start(3, -1);
	until(w.done_count, 1);
	assert_int_equal(w.done[0].id, 3);
	assert_int_equal(w.asked[TOKEN], 2);
}

static void test_limit(void **state)
{
	(void)state;
	begin();
	until(w.changes, 1);
	says(TOKEN, 400, "{\"error\":\"authorization_pending\"}");
	for (uint32_t i = 0; i < LOGINS_MAX; i++)
		start(i, -1);
	assert_int_equal(w.done_count, 0);
	start(LOGINS_MAX, -1);
	assert_int_equal(w.done_count, 1);
	assert_int_equal(w.done[0].id, LOGINS_MAX);
	assert_words(w.done[0].reason, "too many logins");
	logins_cancel(w.logins, 5);
	start(LOGINS_MAX + 1, -1);
	assert_int_equal(w.done_count, 1);
	until(w.code_count, LOGINS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_fetch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fetch_bad, setup, teardown),
		cmocka_unit_test_setup_teardown(test_retry, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refresh, setup, teardown),
		cmocka_unit_test_setup_teardown(test_secret, setup, teardown),
		cmocka_unit_test_setup_teardown(test_secret_post, setup, teardown),
		cmocka_unit_test_setup_teardown(test_login, setup, teardown),
		cmocka_unit_test_setup_teardown(test_login_early, setup, teardown),
		cmocka_unit_test_setup_teardown(test_login_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_device_flow, setup, teardown),
		cmocka_unit_test_setup_teardown(test_userinfo, setup, teardown),
		cmocka_unit_test_setup_teardown(test_poll_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limit, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
