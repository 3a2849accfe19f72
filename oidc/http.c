/* See http.h. One easy handle a call, all in one multi handle; who watches its sockets is the hooks' business. */
#include "oidc/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "common/addr.h"
#include "common/text.h"
#include "common/url.h"

#define POLL_MS 1000
#define IDLE_CONNECTIONS 16
#define REASON_MAX 1024

struct http_call {
	LIST_ENTRY(http_call) entry;
	struct http *http;
	struct http_call **slot;
	CURL *easy;
	struct curl_slist *headers;
	struct url url;
	struct buf body;
	size_t header_bytes;
	bool too_large;
	http_done_fn *done;
	void *context;
	char error[CURL_ERROR_SIZE];
};

struct http {
	CURLM *multi;
	struct http_hooks hooks;
	void *loop;
	unsigned count;
	LIST_HEAD(, http_call) calls;
};

int http_global_init(struct err *err)
{
	return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : err_set(err, -ENOMEM, "libcurl does not start");
}

static void headers_burn(struct curl_slist *headers)
{
	for (struct curl_slist *h = headers; h; h = h->next)
		text_burn(h->data, strlen(h->data));
	curl_slist_free_all(headers);
}

static void call_free(struct http_call *call)
{
	LIST_REMOVE(call, entry);
	call->http->count--;
	if (call->easy) {
		curl_multi_remove_handle(call->http->multi, call->easy);
		curl_easy_cleanup(call->easy);
	}
	headers_burn(call->headers);
	buf_burn(&call->body);
	free(call);
}

/* ---- what came of it ---- */

/* X509_V_ERR_*: those that mean "nobody we trust has signed this". */
static bool untrusted(long verify)
{
	static const int codes[] = {
		X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,
		X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, X509_V_ERR_CERT_UNTRUSTED,
		X509_V_ERR_CERT_SIGNATURE_FAILURE,
	};
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i] == verify)
			return true;
	return false;
}

static void reason_certificate(struct http_call *call, char *out, size_t size)
{
	long verify = X509_V_OK;

	curl_easy_getinfo(call->easy, CURLINFO_SSL_VERIFYRESULT, &verify);
	if (untrusted(verify))
		snprintf(out, size, "certificate of '%s' is not signed by a trusted authority", call->url.host);
	else if (verify == X509_V_OK || verify == X509_V_ERR_UNSPECIFIED) /* libcurl itself compares the name */
		snprintf(out, size, "certificate of '%s' is for another name", call->url.host);
	else
		snprintf(out, size, "certificate of '%s': %s", call->url.host, X509_verify_cert_error_string(verify));
}

static void reason_of(struct http_call *call, CURLcode code, char *out, size_t size)
{
	static const struct { CURLcode code; const char *before, *after; } plain[] = {
		{ CURLE_COULDNT_RESOLVE_HOST, "cannot resolve ", "" },
		{ CURLE_GOT_NOTHING, "", " closed the connection without an answer" },
		{ CURLE_PARTIAL_FILE, "", " closed the connection in the middle of its answer" },
		{ CURLE_RECV_ERROR, "", " broke off the connection" },
		{ CURLE_UNSUPPORTED_PROTOCOL, "", " is asked by a protocol that is not allowed" },
	};
	size_t limit = call->body.max;

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		if (plain[i].code == code) {
			snprintf(out, size, "%s'%s'%s", plain[i].before, call->url.host, plain[i].after);
			return;
		}
	if (call->too_large || code == CURLE_FILESIZE_EXCEEDED)
		snprintf(out, size, "answer of '%s' is larger than %zu %s", call->url.host, limit % 1048576 ? limit / 1024 : limit / 1048576,
			limit % 1048576 ? "KiB" : "MiB");
	else if (code == CURLE_OPERATION_TIMEDOUT)
		snprintf(out, size, "no answer from '%s' port %u in time", call->url.host, call->url.port);
	else if (code == CURLE_COULDNT_CONNECT)
		snprintf(out, size, "cannot connect to '%s' port %u", call->url.host, call->url.port);
	else if (code == CURLE_PEER_FAILED_VERIFICATION)
		reason_certificate(call, out, size);
	else
		snprintf(out, size, "'%s': %s", call->url.host, call->error[0] ? call->error : curl_easy_strerror(code));
}

/* Only what the network does: a peer that answers what it must not will do so again. */
static bool transient(CURLcode code)
{
	static const CURLcode codes[] = {
		CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT, CURLE_OPERATION_TIMEDOUT, CURLE_GOT_NOTHING, CURLE_PARTIAL_FILE, CURLE_RECV_ERROR,
		CURLE_SEND_ERROR, CURLE_SSL_CONNECT_ERROR,
	};
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i] == code)
			return true;
	return false;
}

/* The call is gone before its owner hears of it: he may begin the next one in the same slot. */
static void call_finish(struct http_call *call, CURLcode code)
{
	char reason[REASON_MAX] = "", shown[REASON_MAX], type[128] = "";
	struct http_answer answer = { .content_type = type, .transient = transient(code) };
	const char *sent = NULL;
	struct buf body = call->body;
	http_done_fn *done = call->done;
	void *context = call->context;

	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &answer.status);
	if (curl_easy_getinfo(call->easy, CURLINFO_CONTENT_TYPE, &sent) == CURLE_OK && sent)
		snprintf(type, sizeof(type), "%s", sent);
	if (code != CURLE_OK)
		reason_of(call, code, reason, sizeof(reason));
	else if (answer.status >= 300 && answer.status < 400)
		snprintf(reason, sizeof(reason), "redirect refused: '%s' sent HTTP %ld", call->url.host, answer.status);
	call->body = BUF_INIT(0);
	*call->slot = NULL;
	call_free(call);
	if (reason[0])
		answer.failure = text_clean(shown, sizeof(shown), reason, strlen(reason));
	else
		answer.body = buf_bytes(&body);
	done(context, &answer);
	buf_burn(&body);
}

static void http_reap(struct http *http)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(http->multi, &left))) {
		struct http_call *call = NULL;
		CURLcode code = message->data.result; /* message is gone once the handle is removed */

		if (message->msg == CURLMSG_DONE && curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call) == CURLE_OK && call)
			call_finish(call, code);
	}
}

/* ---- bytes ---- */

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
	struct http_call *call = arg;

	if (buf_put(&call->body, data, size * count) == 0)
		return size * count;
	call->too_large = true;
	return CURL_WRITEFUNC_ERROR;
}

static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
	(void)data;
	struct http_call *call = arg;

	call->header_bytes += size * count;
	if (call->header_bytes <= HTTP_HEADERS_MAX)
		return size * count;
	call->too_large = true;
	return CURL_WRITEFUNC_ERROR;
}

/* The last word on where plain http goes is the address itself, whatever a name stood for. */
static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
	(void)purpose;
	static const uint8_t six[16] = { [15] = 1 };
	const struct http_call *call = arg;
	struct addr addr;

	if (!call->url.tls && (addr_from_sockaddr(&to->addr, (socklen_t)to->addrlen, &addr) < 0 ||
		(addr.family == AF_INET ? addr.ip[0] != 127 : memcmp(addr.ip, six, sizeof(six)) != 0)))
		return CURL_SOCKET_BAD;
	return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

/* ---- libcurl in somebody's loop ---- */

static int want_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *assigned)
{
	(void)easy;
	struct http *http = arg;
	void *slot = assigned;
	int mask = what == CURL_POLL_REMOVE ? 0 : (what & CURL_POLL_IN ? HTTP_READ : 0) | (what & CURL_POLL_OUT ? HTTP_WRITE : 0);
	int rc = http->hooks.socket(http->loop, fd, mask, &slot);

	curl_multi_assign(http->multi, fd, rc < 0 || !mask ? NULL : slot);
	return rc < 0 ? -1 : 0;
}

static int want_timer(CURLM *multi, long ms, void *arg)
{
	(void)multi;
	struct http *http = arg;

	http->hooks.timer(http->loop, ms);
	return 0;
}

void http_socket_ready(struct http *http, int fd, int what)
{
	int running, mask = (what & HTTP_READ ? CURL_CSELECT_IN : 0) | (what & HTTP_WRITE ? CURL_CSELECT_OUT : 0);

	curl_multi_socket_action(http->multi, fd, mask, &running);
	http_reap(http);
}

void http_timer_fired(struct http *http)
{
	int running;

	curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	http_reap(http);
}

int http_run(struct http *http, struct http_call **slot, struct err *err)
{
	int running;

	while (*slot) {
		if (curl_multi_perform(http->multi, &running) != CURLM_OK)
			return err_set(err, -EIO, "libcurl gave up");
		http_reap(http);
		if (*slot)
			curl_multi_poll(http->multi, NULL, 0, POLL_MS, NULL);
	}
	return 0;
}

/* ---- begin ---- */

struct option_long { CURLoption name; long value; };
struct option_ptr { CURLoption name; const void *value; };

static bool set_longs(CURL *easy, const struct option_long *options, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (curl_easy_setopt(easy, options[i].name, options[i].value) != CURLE_OK)
			return false;
	return true;
}

static bool set_pointers(CURL *easy, const struct option_ptr *options, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (curl_easy_setopt(easy, options[i].name, options[i].value) != CURLE_OK)
			return false;
	return true;
}

static bool set_common(struct http_call *call, const struct http_request *request)
{
	long seconds = (long)((request->answer_ms + 999) / 1000);
	const struct option_long numbers[] = {
		{ CURLOPT_NOSIGNAL, 1 }, { CURLOPT_QUICK_EXIT, 1 }, { CURLOPT_FOLLOWLOCATION, 0 }, { CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1 },
		{ CURLOPT_CONNECTTIMEOUT_MS, (long)request->connect_ms }, { CURLOPT_LOW_SPEED_LIMIT, 1 }, { CURLOPT_LOW_SPEED_TIME, seconds },
		{ CURLOPT_TIMEOUT_MS, (long)(request->connect_ms + 2 * request->answer_ms) }, { CURLOPT_MAXFILESIZE, (long)call->body.max },
		{ CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2 }, { CURLOPT_SSL_VERIFYPEER, 1 }, { CURLOPT_SSL_VERIFYHOST, 2 },
		{ CURLOPT_HTTP09_ALLOWED, 0 }, { CURLOPT_HTTPAUTH, CURLAUTH_BASIC },
	};
	const struct option_ptr pointers[] = {
		{ CURLOPT_URL, request->url }, { CURLOPT_PROXY, "" }, { CURLOPT_NOPROXY, "*" }, { CURLOPT_USERAGENT, "bartizan" },
		{ CURLOPT_PROTOCOLS_STR, call->url.tls ? "https" : "http" }, { CURLOPT_PRIVATE, call }, { CURLOPT_ERRORBUFFER, call->error },
		{ CURLOPT_WRITEDATA, call }, { CURLOPT_HEADERDATA, call }, { CURLOPT_OPENSOCKETDATA, call }, { CURLOPT_HTTPHEADER, call->headers },
	};

	return set_longs(call->easy, numbers, sizeof(numbers) / sizeof(numbers[0])) &&
		set_pointers(call->easy, pointers, sizeof(pointers) / sizeof(pointers[0])) &&
		curl_easy_setopt(call->easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
		curl_easy_setopt(call->easy, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
		curl_easy_setopt(call->easy, CURLOPT_OPENSOCKETFUNCTION, on_open) == CURLE_OK;
}

/* The configured authorities alone: libcurl would add the system's folder to a blob otherwise. */
static bool set_ca(struct http_call *call, const char *pem)
{
	struct curl_blob blob = { .data = (void *)(uintptr_t)pem, .len = pem ? strlen(pem) : 0, .flags = CURL_BLOB_COPY };

	if (!pem)
		return true;
	return curl_easy_setopt(call->easy, CURLOPT_CAINFO, NULL) == CURLE_OK && curl_easy_setopt(call->easy, CURLOPT_CAPATH, NULL) == CURLE_OK &&
		curl_easy_setopt(call->easy, CURLOPT_CAINFO_BLOB, &blob) == CURLE_OK;
}

/* RFC 6749 section 2.3.1: both halves are form-encoded before they become Basic. */
static bool set_basic(struct http_call *call, const struct http_request *request)
{
	struct buf user = BUF_INIT(4096), password = BUF_INIT(65536);
	bool ok;

	if (!request->user)
		return true;
	ok = url_escape(&user, request->user, strlen(request->user)) == 0 && buf_cstr(&user) &&
		url_escape(&password, request->password, strlen(request->password)) == 0 && buf_cstr(&password) &&
		curl_easy_setopt(call->easy, CURLOPT_USERNAME, buf_cstr(&user)) == CURLE_OK &&
		curl_easy_setopt(call->easy, CURLOPT_PASSWORD, buf_cstr(&password)) == CURLE_OK;
	buf_release(&user);
	buf_burn(&password);
	return ok;
}

static bool set_form(struct http_call *call, const char *form)
{
	if (!form)
		return curl_easy_setopt(call->easy, CURLOPT_HTTPGET, 1L) == CURLE_OK;
	return curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE, (long)strlen(form)) == CURLE_OK &&
		curl_easy_setopt(call->easy, CURLOPT_COPYPOSTFIELDS, form) == CURLE_OK;
}

static bool header_add(struct http_call *call, const char *text)
{
	struct curl_slist *grown = curl_slist_append(call->headers, text);

	if (grown)
		call->headers = grown;
	return grown;
}

static bool set_headers(struct http_call *call, const struct http_request *request)
{
	struct buf bearer = BUF_INIT(HTTP_HEADERS_MAX);
	bool ok = header_add(call, "Accept: application/json") && header_add(call, "Expect:");

	if (ok && request->bearer)
		ok = buf_printf(&bearer, "Authorization: Bearer %s", request->bearer) == 0 && buf_cstr(&bearer) &&
		     header_add(call, buf_cstr(&bearer));
	buf_burn(&bearer);
	return ok;
}

static bool call_setup(struct http_call *call, const struct http_request *request)
{
	call->easy = curl_easy_init();
	return call->easy && set_headers(call, request) && set_common(call, request) && set_ca(call, request->ca) && set_basic(call, request) &&
		set_form(call, request->form);
}

int http_begin(struct http *http, const struct http_request *request, http_done_fn *done, void *context, struct http_call **slot, struct err *err)
{
	struct url url;
	int rc = url_check(request->url, request->allow_http, &url, err);

	if (rc < 0)
		return rc;
	if (http->count >= HTTP_CALLS_MAX)
		return err_set(err, -EAGAIN, "too many requests are under way at this moment");
	struct http_call *call = calloc(1, sizeof(*call));
	if (!call)
		return err_set(err, -ENOMEM, "out of memory");
	*call = (struct http_call){ .http = http, .slot = slot, .url = url, .done = done, .context = context };
	call->url.rest = NULL; /* the text is the caller's */
	buf_init(&call->body, request->body_max ? request->body_max : HTTP_BODY_MAX);
	LIST_INSERT_HEAD(&http->calls, call, entry);
	http->count++;
	*slot = call;
	if (call_setup(call, request) && curl_multi_add_handle(http->multi, call->easy) == CURLM_OK)
		return 0;
	*slot = NULL;
	call_free(call);
	return err_set(err, -ENOMEM, "cannot begin a request to '%s'", url.host);
}

void http_cancel(struct http_call **slot)
{
	struct http_call *call = *slot;

	*slot = NULL;
	if (call)
		call_free(call);
}

int http_new(const struct http_hooks *hooks, void *loop, struct http **ret, struct err *err)
{
	struct http *http = calloc(1, sizeof(*http));

	if (!http)
		return err_set(err, -ENOMEM, "out of memory");
	http->loop = loop;
	LIST_INIT(&http->calls);
	http->multi = curl_multi_init();
	if (!http->multi) {
		free(http);
		return err_set(err, -ENOMEM, "libcurl does not start");
	}
	curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)IDLE_CONNECTIONS);
	if (hooks) {
		http->hooks = *hooks;
		curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
		curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
		curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, want_timer);
		curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
	}
	*ret = http;
	return 0;
}

void http_free(struct http *http)
{
	if (!http)
		return;
	while (!LIST_EMPTY(&http->calls)) {
		struct http_call *call = LIST_FIRST(&http->calls);
		*call->slot = NULL;
		call_free(call);
	}
	curl_multi_cleanup(http->multi);
	free(http);
}

/* ---- JSON ---- */

bool http_answer_is_json(const struct http_answer *answer)
{
	size_t len = strcspn(answer->content_type, "; \t");
	const char *type = answer->content_type;

	if (len == 16 && strncasecmp(type, "application/json", 16) == 0)
		return true;
	return len > 5 && strncasecmp(type + len - 5, "+json", 5) == 0;
}

int http_answer_json(const struct http_answer *answer, size_t max, json_t **ret, struct err *err)
{
	char shown[128];

	if (answer->failure)
		return err_set(err, -EIO, "%s", answer->failure);
	if (answer->status != 200)
		return err_set(err, -EIO, "HTTP %ld", answer->status);
	if (!http_answer_is_json(answer))
		return err_set(err, -EBADMSG, "answer is not JSON but '%s'",
			text_clean(shown, sizeof(shown), answer->content_type, strlen(answer->content_type)));
	int rc = json_parse(answer->body, max, ret, err);
	return rc < 0 ? err_prefix(err, rc, "answer") : 0;
}
