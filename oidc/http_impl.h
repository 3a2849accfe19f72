/* Shared by http*.c alone: a call, its options (http_option.c) and what came of it in words
 * (http_answer.c). */
#ifndef BARTIZAN_HTTP_IMPL_H
#define BARTIZAN_HTTP_IMPL_H

#include <curl/curl.h>
#include <sys/queue.h>

#include "common/url.h"
#include "oidc/http.h"

#define HTTP_REASON_MAX 1024

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

/* Makes call->easy with everything that http.h promises. False: out of memory. */
bool http_call_setup(struct http_call *call, const struct http_request *request);
/* Why it failed, in words that name the host; not yet harmless. */
void http_call_reason(struct http_call *call, CURLcode code, char *out, size_t size);

#endif
