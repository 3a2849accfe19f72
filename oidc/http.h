/* Requests to a provider, by libcurl, never blocking; it belongs to no event loop.
 *
 * Strict on purpose: https with TLS 1.2 or later and a certificate that is checked, or http to a
 * loopback address where allow_http is set; no redirects, no proxies, no cookies, no compression,
 * nothing from the environment. Every answer is bounded in bytes and time. The status is the
 * caller's business (an OAuth error is a 400 with JSON), but for redirects, which are failures.
 *
 * How it is driven: with hooks by an event loop (server/egress/http.c); without, by http_run().
 * Callbacks come from inside http_socket_ready(), http_timer_fired() and http_run() only. */
#ifndef BARTIZAN_HTTP_H
#define BARTIZAN_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/json.h"

#define HTTP_BODY_MAX (1024 * 1024)
#define HTTP_HEADERS_MAX 65536
#define HTTP_CALLS_MAX 512 /* at one time */

#define HTTP_READ 1
#define HTTP_WRITE 2

struct http;
struct http_call;

struct http_hooks {
	/* Watch fd for HTTP_READ | HTTP_WRITE; 0: no more. *slot is NULL at first and the hook's
	 * own. 0 or -errno. */
	int (*socket)(void *loop, int fd, int what, void **slot);
	void (*timer)(void *loop, int64_t ms); /* call http_timer_fired() in ms; -1: never mind */
};

struct http_request { /* borrowed until http_begin() returns */
	const char *url;
	/* POST with this body (common/url.h: url_form_put); NULL: GET */
	const char *form;
	const char *user, *password; /* client_secret_basic; NULL: none */
	const char *bearer;	     /* access token; NULL: none */
	const char *json;	     /* POST with this body instead of a form; NULL: none */
	const char *const *headers;  /* further ones, "Name: value", NULL-terminated; NULL: none */
	/* authorities in PEM, instead of the system's; NULL: the system's */
	const char *ca;
	bool allow_http;
	int64_t connect_ms; /* resolve, connect, TLS */
	/* silence of the server; the whole answer may take twice that */
	int64_t answer_ms;
	size_t body_max; /* 0: HTTP_BODY_MAX */
};

struct http_answer {	     /* borrowed for the time of the callback, then burnt */
	const char *failure; /* in words, naming the host; NULL: an answer came */
	/* with a failure: the network's, it may pass; else what came was refused (certificate,
	 * redirect, size) */
	bool transient;
	long status;
	const char *content_type; /* "" when none was sent */
	struct bytes body;
};

typedef void http_done_fn(void *context, const struct http_answer *answer);

int http_global_init(struct err *err); /* once in a process, before threads and sandbox */
/* hooks NULL: http_run() */
int http_new(const struct http_hooks *hooks, void *loop, struct http **ret, struct err *err);
void http_free(struct http *http); /* cancels all; NULL allowed */
/* *slot is NULL before and while no call runs; it is NULL again before done() is called. */
int http_begin(struct http *http, const struct http_request *request, http_done_fn *done,
	void *context, struct http_call **slot, struct err *err);
void http_cancel(struct http_call **slot); /* done() is not called; *slot NULL: nothing */
void http_socket_ready(struct http *http, int fd, int what);
void http_timer_fired(struct http *http);
/* until *slot is done; for programs without a loop */
int http_run(struct http *http, struct http_call **slot, struct err *err);

/* "HTTP 503", or what the body is not: for answers that must be 200 with JSON (media types
 * application/json and …+json). */
int http_answer_json(const struct http_answer *answer, size_t max, json_t **ret, struct err *err);
bool http_answer_is_json(const struct http_answer *answer);

#endif
