/* See http.h. One easy handle a call, all in one multi handle; who watches its sockets is the
 * hooks' business. */
#include "oidc/http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "oidc/http_impl.h"

#define POLL_MS 1000
#define IDLE_CONNECTIONS 16

struct http {
	CURLM *multi;
	struct http_hooks hooks;
	void *loop;
	unsigned count;
	LIST_HEAD(http_calls, http_call) calls;
};

int http_global_init(struct err *err)
{
	return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK
		       ? 0
		       : err_set(err, -ENOMEM, "libcurl does not start");
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

/* Only what the network does: a peer that answers what it must not will do so again. */
static bool transient(CURLcode code)
{
	static const CURLcode codes[] = {
		CURLE_COULDNT_RESOLVE_HOST,
		CURLE_COULDNT_CONNECT,
		CURLE_OPERATION_TIMEDOUT,
		CURLE_GOT_NOTHING,
		CURLE_PARTIAL_FILE,
		CURLE_RECV_ERROR,
		CURLE_SEND_ERROR,
		CURLE_SSL_CONNECT_ERROR,
	};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i] == code)
			return true;
	return false;
}

/* The call is gone before its owner hears of it: he may begin the next one in the same slot. */
static void call_finish(struct http_call *call, CURLcode code)
{
	char reason[HTTP_REASON_MAX] = "", shown[HTTP_REASON_MAX], type[128] = "";
	struct http_answer answer = { .content_type = type, .transient = transient(code) };
	const char *sent = NULL;
	struct buf body = call->body;

	http_done_fn *done = call->done;
	void *context = call->context;

	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &answer.status);
	if (curl_easy_getinfo(call->easy, CURLINFO_CONTENT_TYPE, &sent) == CURLE_OK && sent)
		snprintf(type, sizeof(type), "%s", sent);
	if (code != CURLE_OK)
		http_call_reason(call, code, reason, sizeof(reason));
	else if (answer.status >= 300 && answer.status < 400)
		snprintf(reason, sizeof(reason), "redirect refused: '%s' sent HTTP %ld",
			call->url.host, answer.status);
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
		/* message is gone once the handle is removed */
		CURLcode code = message->data.result;

		if (message->msg == CURLMSG_DONE &&
			curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call) ==
				CURLE_OK &&
			call)
			call_finish(call, code);
	}
}

/* ---- libcurl in somebody's loop ---- */

static int want_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *assigned)
{
	(void)easy;
	struct http *http = arg;
	void *slot = assigned;
	int mask = what == CURL_POLL_REMOVE ? 0
					    : (what & CURL_POLL_IN ? HTTP_READ : 0) |
						      (what & CURL_POLL_OUT ? HTTP_WRITE : 0);
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
	int running, mask = (what & HTTP_READ ? CURL_CSELECT_IN : 0) |
			    (what & HTTP_WRITE ? CURL_CSELECT_OUT : 0);

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

int http_begin(struct http *http, const struct http_request *request, http_done_fn *done,
	void *context, struct http_call **slot, struct err *err)
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
	*call = (struct http_call){
		.http = http, .slot = slot, .url = url, .done = done, .context = context
	};
	call->url.rest = NULL; /* the text is the caller's */
	buf_init(&call->body, request->body_max ? request->body_max : HTTP_BODY_MAX);
	LIST_INSERT_HEAD(&http->calls, call, entry);
	http->count++;
	*slot = call;
	if (http_call_setup(call, request) &&
		curl_multi_add_handle(http->multi, call->easy) == CURLM_OK)
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
