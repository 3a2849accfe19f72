/* The webhook's half of notifications: posts what the broker sends, once each, and says what came
 * of it. Trying again is the broker's (server/broker/approval/notify.h).
 *
 * headers_file is read before privileges are dropped; what it holds goes nowhere but into the
 * request. */
#ifndef BARTIZAN_EGRESS_WEBHOOK_H
#define BARTIZAN_EGRESS_WEBHOOK_H

#include "common/ipc_msg.h"
#include "oidc/http.h"
#include "server/role/egress_conf.h"

#define EGRESS_POSTS_MAX 16
#define EGRESS_HEADERS_MAX 32
#define EGRESS_HEADERS_BYTES 8192

struct posts;
typedef void post_done_fn(void *context, uint32_t id, bool ok, const char *reason);

/* reads headers_file: before role_drop() */
int posts_new(const struct egress_conf *conf, struct posts **ret, struct err *err);
void posts_start(struct posts *posts, struct http *http, post_done_fn *done, void *context);
void posts_free(struct posts *posts); /* NULL allowed; burns the headers */
/* done() is called once: at once when it cannot begin */
void posts_begin(struct posts *posts, uint32_t id, struct bytes json);

#endif
