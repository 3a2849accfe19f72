/* The HTTP client without a loop, against a server in a child process: limits, refusals, what is sent. TLS is tested over the lab. */
#include "oidc/http.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <netinet/in.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static pid_t child;
static unsigned port;
static struct http *http;

/* /size/N: N bytes of JSON; /headers/N: N bytes of headers; /status/N; /echo: what was asked. */
static void on_request(struct evhttp_request *request, void *arg)
{
	(void)arg;
	const char *uri = evhttp_request_get_uri(request);
	struct evkeyvalq *out = evhttp_request_get_output_headers(request);
	const struct evkeyvalq *in = evhttp_request_get_input_headers(request);
	struct evbuffer *body = evbuffer_new();
	int status = 200;
	size_t n;

	evhttp_add_header(out, "Content-Type", strstr(uri, "text") ? "text/plain" : "Application/JSON; charset=utf-8");
	if (sscanf(uri, "/size/%zu", &n) == 1) {
		char *text = malloc(n);
		memset(text, ' ', n);
		memcpy(text, "{}", 2);
		evbuffer_add(body, text, n);
		free(text);
	} else if (sscanf(uri, "/headers/%zu", &n) == 1) {
		char line[1001];
		memset(line, 'x', 1000);
		line[1000] = '\0';
		for (size_t i = 0; i < n / 1000; i++)
			evhttp_add_header(out, "X", line);
		evbuffer_add_printf(body, "{}");
	} else if (sscanf(uri, "/status/%d", &status) == 1) {
		evhttp_add_header(out, "Location", "/size/2");
		evbuffer_add_printf(body, "{}");
	} else {
		struct evbuffer *input = evhttp_request_get_input_buffer(request);
		const char *auth = evhttp_find_header(in, "Authorization"), *cookie = evhttp_find_header(in, "Cookie");
		evhttp_add_header(out, "Set-Cookie", "a=b");
		evbuffer_add_printf(body, "[\"%s\",\"%s\",\"%s\",\"%.*s\"]", evhttp_request_get_command(request) == EVHTTP_REQ_POST ? "POST" : "GET",
			auth ? auth : "", cookie ? cookie : "", (int)evbuffer_get_length(input), (const char *)evbuffer_pullup(input, -1));
	}
	evhttp_send_reply(request, status, "x", body);
	evbuffer_free(body);
}

static void serve(int ready)
{
	struct event_base *base = event_base_new();
	struct evhttp *server = evhttp_new(base);
	struct evhttp_bound_socket *bound = evhttp_bind_socket_with_handle(server, "127.0.0.1", 0);
	struct sockaddr_in at;
	socklen_t len = sizeof(at);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&at, &len);
	unsigned number = ntohs(at.sin_port);
	evhttp_set_gencb(server, on_request, NULL);
	if (write(ready, &number, sizeof(number)) == sizeof(number))
		event_base_dispatch(base);
	_exit(1);
}

static int setup(void **state)
{
	(void)state;
	int ready[2];

	if (pipe(ready) < 0)
		return -1;
	child = fork();
	if (child == 0)
		serve(ready[1]);
	if (read(ready[0], &port, sizeof(port)) != sizeof(port))
		return -1;
	close(ready[0]);
	close(ready[1]);
	setenv("http_proxy", "http://127.0.0.1:9", 1); /* nothing comes from the environment */
	setenv("all_proxy", "http://127.0.0.1:9", 1);
	return http_global_init(NULL) < 0 || http_new(NULL, NULL, &http, NULL) < 0;
}

static int teardown(void **state)
{
	(void)state;
	http_free(http);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return 0;
}

struct got { bool called, transient; long status; char failure[256], body[512]; size_t len; int json; char json_error[256]; };

static void on_done(void *context, const struct http_answer *answer)
{
	struct got *got = context;
	JSON_CLEANUP json_t *json = NULL;
	struct err err = { "" };

	got->called = true;
	got->transient = answer->transient;
	got->status = answer->status;
	got->len = answer->body.len;
	snprintf(got->failure, sizeof(got->failure), "%s", answer->failure ? answer->failure : "");
	snprintf(got->body, sizeof(got->body), "%.*s", answer->body.len < 500 ? (int)answer->body.len : 0, (const char *)answer->body.data);
	got->json = http_answer_json(answer, HTTP_BODY_MAX, &json, &err);
	snprintf(got->json_error, sizeof(got->json_error), "%.255s", err.text);
}

static struct got ask(struct http_request request, const char *path)
{
	struct http_call *call = NULL;
	struct got got = { 0 };
	struct err err = { "" };
	char url[128];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", port, path);
	request.url = url;
	request.allow_http = true;
	request.connect_ms = request.connect_ms ? request.connect_ms : 2000;
	request.answer_ms = request.answer_ms ? request.answer_ms : 5000;
	if (http_begin(http, &request, on_done, &got, &call, &err) < 0)
		fail_msg("%s", err.text);
	assert_false(got.called);
	assert_int_equal(http_run(http, &call, &err), 0);
	assert_true(got.called);
	return got;
}

static void test_sizes(void **state)
{
	(void)state;
	static const struct { size_t max, limit; const char *words; } cases[] = {
		{ 0, HTTP_BODY_MAX, "larger than 1 MiB" }, { 4096, 4096, "larger than 4 KiB" },
	};
	for (size_t i = 0; i < COUNT(cases); i++)
		for (size_t more = 0; more < 2; more++) {
			char path[64];
			snprintf(path, sizeof(path), "/size/%zu", cases[i].limit + more);
			struct got got = ask((struct http_request){ .body_max = cases[i].max }, path);
			assert_int_equal(got.len, more ? 0 : cases[i].limit);
			assert_true(!more || strstr(got.failure, cases[i].words));
			assert_false(got.transient && more);
			assert_int_equal(got.json, more ? -EIO : 0);
		}
	assert_string_equal(ask((struct http_request){ 0 }, "/headers/60000").failure, "");
	assert_non_null(strstr(ask((struct http_request){ 0 }, "/headers/66000").failure, "is larger than"));
}

static void test_status(void **state)
{
	(void)state;
	static const struct { const char *path; long status; const char *failure, *json; } cases[] = {
		{ "/status/301", 301, "redirect refused: '127.0.0.1' sent HTTP 301", "redirect refused" },
		{ "/status/308", 308, "redirect refused: '127.0.0.1' sent HTTP 308", "redirect refused" },
		{ "/status/400", 400, "", "HTTP 400" },
		{ "/status/503", 503, "", "HTTP 503" },
		{ "/text", 200, "", "answer is not JSON but 'text/plain'" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct got got = ask((struct http_request){ 0 }, cases[i].path);
		assert_int_equal(got.status, cases[i].status);
		assert_string_equal(got.failure, cases[i].failure);
		assert_true(got.json < 0);
		assert_non_null(strstr(got.json_error, cases[i].json));
	}
}

static void test_sent(void **state)
{
	(void)state;
	assert_string_equal(ask((struct http_request){ 0 }, "/echo").body, "[\"GET\",\"\",\"\",\"\"]");
	assert_string_equal(ask((struct http_request){ 0 }, "/echo").body, "[\"GET\",\"\",\"\",\"\"]"); /* no cookie came back */
	assert_string_equal(ask((struct http_request){ .bearer = "t" }, "/echo").body, "[\"GET\",\"Bearer t\",\"\",\"\"]");
	assert_string_equal(ask((struct http_request){ .form = "a=b&c=%26" }, "/echo").body, "[\"POST\",\"\",\"\",\"a=b&c=%26\"]");
	assert_string_equal(ask((struct http_request){ .form = "", .user = "a:b", .password = "c d" }, "/echo").body,
		"[\"POST\",\"Basic YSUzQWI6YyUyMGQ=\",\"\",\"\"]"); /* a%3Ab:c%20d */
}

static void test_urls(void **state)
{
	(void)state;
	static const char *const bad[] = { "http://127.0.0.1/", "http://idp.example/", "file:///etc/passwd", "https://u:p@127.0.0.1/", "" };
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct http_call *call = NULL;
		struct err err = { "" };
		const struct http_request request = { .url = bad[i], .connect_ms = 100, .answer_ms = 100 };
		assert_true(http_begin(http, &request, on_done, NULL, &call, &err) < 0);
		assert_null(call);
		assert_true(err.text[0]);
	}
}

static void test_lost(void **state)
{
	(void)state;
	unsigned real = port;
	port = 1;
	struct got got = ask((struct http_request){ 0 }, "/");
	port = real;
	assert_string_equal(got.failure, "cannot connect to '127.0.0.1' port 1");
	assert_true(got.transient);
	kill(child, SIGSTOP);
	got = ask((struct http_request){ .connect_ms = 300, .answer_ms = 300 }, "/echo");
	kill(child, SIGCONT);
	assert_non_null(strstr(got.failure, "in time"));
	assert_true(got.transient);
}

/* Cancelled calls say nothing; one more than the limit is refused; freeing the client empties the slots. */
static void test_calls(void **state)
{
	(void)state;
	static struct http_call *calls[HTTP_CALLS_MAX + 1];
	struct got got = { 0 };
	struct err err = { "" };
	struct http *many = NULL;
	char url[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u/echo", port);
	const struct http_request request = { .url = url, .allow_http = true, .connect_ms = 2000, .answer_ms = 2000 };
	assert_int_equal(http_new(NULL, NULL, &many, &err), 0);
	for (size_t i = 0; i < HTTP_CALLS_MAX; i++)
		assert_int_equal(http_begin(many, &request, on_done, &got, &calls[i], &err), 0);
	assert_int_equal(http_begin(many, &request, on_done, &got, &calls[HTTP_CALLS_MAX], &err), -EAGAIN);
	http_cancel(&calls[0]);
	http_cancel(&calls[0]);
	assert_null(calls[0]);
	assert_int_equal(http_begin(many, &request, on_done, &got, &calls[0], &err), 0);
	http_free(many);
	for (size_t i = 0; i < HTTP_CALLS_MAX; i++)
		assert_null(calls[i]);
	assert_false(got.called);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes), cmocka_unit_test(test_status), cmocka_unit_test(test_sent), cmocka_unit_test(test_urls),
		cmocka_unit_test(test_lost), cmocka_unit_test(test_calls),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
