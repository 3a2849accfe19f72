/* Logins by the device flow: from the broker's question to an ID token, each flow by itself.
 *
 *   provider (its keys are being fetched) -> starting -> polling -> userinfo -> done() is called
 *
 * Access tokens are used for userinfo and burnt; they never leave this process. What an ID token
 * says is for the broker to verify. */
#ifndef BARTIZAN_EGRESS_LOGIN_H
#define BARTIZAN_EGRESS_LOGIN_H

#include <event2/event.h>
#include <stdint.h>

#include "common/err.h"
#include "common/ipc_msg.h"
#include "oidc/http.h"
#include "server/egress/provider.h"

#define LOGINS_MAX 256 /* flows at one time */

struct logins;

struct logins_ops {
	void (*code)(void *context, uint32_t id, const struct msg_login_code *code);
	/* the flow is gone then */
	void (*done)(void *context, uint32_t id, const struct msg_login_done *done);
};

int logins_new(struct event_base *base, struct providers *providers, struct http *http,
	const struct logins_ops *ops, void *context, struct logins **ret, struct err *err);
void logins_free(struct logins
		*logins); /* cancels all; NULL allowed. To be freed before providers and http. */
/* done() may be called before it returns */
void logins_begin(struct logins *logins, uint32_t id, const struct msg_login_start *start);
/* done() is not called. An unknown id: that login is over already. */
void logins_cancel(struct logins *logins, uint32_t id);
void logins_provider_changed(struct logins *logins, struct provider *provider);

#endif
