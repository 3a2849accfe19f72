/* oidc/http in the egress role's event loop. */
#ifndef BARTIZAN_EGRESS_HTTP_H
#define BARTIZAN_EGRESS_HTTP_H

#include <event2/event.h>

#include "oidc/http.h"

struct http_loop; /* an http with its sockets and timer in a libevent base */

int http_loop_new(struct event_base *base, struct http_loop **ret, struct err *err);
void http_loop_free(struct http_loop *loop); /* cancels all; NULL allowed */
struct http *http_loop_http(struct http_loop *loop);

#endif
