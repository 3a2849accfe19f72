/* What libcurl is told before a request, and what it asks of us while one runs. See http.h. */
#include "oidc/http_impl.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "common/addr.h"
#include "common/text.h"

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

	if (!call->url.tls &&
		(addr_from_sockaddr(&to->addr, (socklen_t)to->addrlen, &addr) < 0 ||
			(addr.family == AF_INET ? addr.ip[0] != 127
						: memcmp(addr.ip, six, sizeof(six)) != 0)))
		return CURL_SOCKET_BAD;
	return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

/* ---- options ---- */

struct option_long {
	CURLoption name;
	long value;
};
struct option_ptr {
	CURLoption name;
	const void *value;
};

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
		{ CURLOPT_NOSIGNAL, 1 },
		{ CURLOPT_QUICK_EXIT, 1 },
		{ CURLOPT_FOLLOWLOCATION, 0 },
		{ CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1 },
		{ CURLOPT_CONNECTTIMEOUT_MS, (long)request->connect_ms },
		{ CURLOPT_LOW_SPEED_LIMIT, 1 },
		{ CURLOPT_LOW_SPEED_TIME, seconds },
		{ CURLOPT_TIMEOUT_MS, (long)(request->connect_ms + 2 * request->answer_ms) },
		{ CURLOPT_MAXFILESIZE, (long)call->body.max },
		{ CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2 },
		{ CURLOPT_SSL_VERIFYPEER, 1 },
		{ CURLOPT_SSL_VERIFYHOST, 2 },
		{ CURLOPT_HTTP09_ALLOWED, 0 },
		{ CURLOPT_HTTPAUTH, CURLAUTH_BASIC },
	};
	const struct option_ptr pointers[] = {
		{ CURLOPT_URL, request->url },
		{ CURLOPT_PROXY, "" },
		{ CURLOPT_NOPROXY, "*" },
		{ CURLOPT_USERAGENT, "bartizan" },
		{ CURLOPT_PROTOCOLS_STR, call->url.tls ? "https" : "http" },
		{ CURLOPT_PRIVATE, call },
		{ CURLOPT_ERRORBUFFER, call->error },
		{ CURLOPT_WRITEDATA, call },
		{ CURLOPT_HEADERDATA, call },
		{ CURLOPT_OPENSOCKETDATA, call },
		{ CURLOPT_HTTPHEADER, call->headers },
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
	struct curl_blob blob = { .data = (void *)(uintptr_t)pem,
		.len = pem ? strlen(pem) : 0,
		.flags = CURL_BLOB_COPY };

	if (!pem)
		return true;
	return curl_easy_setopt(call->easy, CURLOPT_CAINFO, NULL) == CURLE_OK &&
	       curl_easy_setopt(call->easy, CURLOPT_CAPATH, NULL) == CURLE_OK &&
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
	     url_escape(&password, request->password, strlen(request->password)) == 0 &&
	     buf_cstr(&password) &&
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
	return curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE, (long)strlen(form)) ==
		       CURLE_OK &&
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
		ok = buf_printf(&bearer, "Authorization: Bearer %s", request->bearer) == 0 &&
		     buf_cstr(&bearer) && header_add(call, buf_cstr(&bearer));
	buf_burn(&bearer);
	if (ok && request->json)
		ok = header_add(call, "Content-Type: application/json");
	for (const char *const *header = request->headers; ok && header && *header; header++)
		ok = header_add(call, *header);
	return ok;
}

bool http_call_setup(struct http_call *call, const struct http_request *request)
{
	call->easy = curl_easy_init();
	return call->easy && set_headers(call, request) && set_common(call, request) &&
	       set_ca(call, request->ca) && set_basic(call, request) &&
	       set_form(call, request->json ? request->json : request->form);
}
