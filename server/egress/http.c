/* See server/egress/http.h. */
#include "server/egress/http.h"

#include <errno.h>
#include <stdlib.h>

struct http_loop {
	struct event_base *base;
	struct event *timer;
	struct http *http;
};

static void on_socket_event(evutil_socket_t fd, short what, void *arg)
{
	struct http_loop *loop = arg;

	http_socket_ready(loop->http, fd,
		(what & EV_READ ? HTTP_READ : 0) | (what & EV_WRITE ? HTTP_WRITE : 0));
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct http_loop *loop = arg;

	http_timer_fired(loop->http);
}

static int watch(void *arg, int fd, int what, void **slot)
{
	struct http_loop *loop = arg;

	short events = (short)(EV_PERSIST | (what & HTTP_READ ? EV_READ : 0) |
			       (what & HTTP_WRITE ? EV_WRITE : 0));
	struct event *event = *slot;

	*slot = NULL;
	if (event)
		event_free(event);
	if (!what)
		return 0;
	event = event_new(loop->base, fd, events, on_socket_event, loop);
	if (!event || event_add(event, NULL) < 0) {
		if (event)
			event_free(event);
		return -ENOMEM;
	}
	*slot = event;
	return 0;
}

static void set_timer(void *arg, int64_t ms)
{
	struct http_loop *loop = arg;
	const struct timeval wait = { .tv_sec = (time_t)(ms / 1000),
		.tv_usec = (suseconds_t)(ms % 1000 * 1000) };

	if (ms < 0)
		evtimer_del(loop->timer);
	else
		evtimer_add(loop->timer, &wait);
}

static const struct http_hooks hooks = { .socket = watch, .timer = set_timer };

int http_loop_new(struct event_base *base, struct http_loop **ret, struct err *err)
{
	struct http_loop *loop = calloc(1, sizeof(*loop));
	int rc;

	if (!loop)
		return err_set(err, -ENOMEM, "out of memory");
	loop->base = base;
	loop->timer = evtimer_new(base, on_timer, loop);
	rc = loop->timer ? http_new(&hooks, loop, &loop->http, err)
			 : err_set(err, -ENOMEM, "out of memory");
	if (rc < 0) {
		http_loop_free(loop);
		return rc;
	}
	*ret = loop;
	return 0;
}

void http_loop_free(struct http_loop *loop)
{
	if (!loop)
		return;
	http_free(loop->http);
	if (loop->timer)
		event_free(loop->timer);
	free(loop);
}

struct http *http_loop_http(struct http_loop *loop)
{
	return loop->http;
}
