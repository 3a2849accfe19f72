/* The device authorization flow (RFC 8628) as a pure state machine: answers and the time go in,
 * what to do next comes out.
 *
 *   starting --answer--> waiting --answer to a poll--> waiting | done | failed
 *
 * The caller asks the device authorization endpoint (device_form) and gives the answer to
 * device_started(); then, whenever `next` has come, asks the token endpoint (device_poll_form) and
 * gives the answer to device_polled(), until the state is done or failed. Times are monotonic
 * milliseconds. A provider that is out of reach or answers HTTP 5xx or 429 is asked again until the
 * code expires, more and more slowly.
 *
 * Each flow proves with PKCE (RFC 7636) that who polls is who asked: the challenge goes with the
 * first request, the verifier with each poll. RFC 8628 knows nothing of it; Keycloak demands it of
 * clients that must use PKCE, and a provider that does not know the parameters ignores them (RFC
 * 6749 section 3.1).
 *
 * What a provider must say has to be usable; what it may say, and says unusably (null, empty, an
 * address that is not https), counts as not said. Numbers may be whole floats, or digits as text.
 */
#ifndef BARTIZAN_DEVICE_H
#define BARTIZAN_DEVICE_H

#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "oidc/http.h"
#include "oidc/pkce.h"

#define DEVICE_ANSWER_MAX 65536
#define DEVICE_CODE_MAX 4096	/* device_code */
#define DEVICE_USER_CODE_MAX 64 /* user_code, printable ASCII */
#define DEVICE_TOKEN_MAX 16384	/* id_token and access_token */
#define DEVICE_INTERVAL_MS 5000 /* where the provider names none (RFC 8628 section 3.5) */
#define DEVICE_INTERVAL_MS_MAX 60000
#define DEVICE_EXPIRES_S_MAX 3600 /* a longer promise is not believed */

enum device_state { DEVICE_STARTING, DEVICE_WAITING, DEVICE_DONE, DEVICE_FAILED };
const char *device_state_name(enum device_state state);

struct device {
	enum device_state state;
	/* waiting: what the person is shown, and what the next poll is about */
	char *user_code, *uri, *uri_complete; /* uri_complete NULL: none was sent */
	char *device_code;		      /* burnt when the flow ends */
	/* of this flow; the verifier is burnt with the rest */
	char verifier[PKCE_TEXT], challenge[PKCE_TEXT];
	int64_t expires;   /* monotonic ms */
	int64_t expires_s; /* as the provider said */
	int64_t interval_ms;
	int64_t next;  /* poll then, not before */
	unsigned lost; /* polls in a row without a proper answer */
	/* done */
	char *id_token, *access_token; /* access_token NULL: none was sent */
	/* failed */
	const char *kind; /* "denied" | "expired" | "unreachable" | "refused" */
	char reason[512]; /* harmless: visible form with ? for backslashes */
};

/* -EIO: there is no randomness; the flow must not begin */
int device_init(struct device *device, struct err *err);
void device_release(struct device *device); /* burns codes and tokens; may be called twice */

/* The bodies of the two requests. scopes: NULL-terminated, openid is added; max_age in seconds, -1:
 * none. client_id is left out of a poll when NULL.
 */
int device_form(const struct device *device, const char *client_id, char *const *scopes,
	int64_t max_age, struct buf *form);
int device_poll_form(const struct device *device, const char *client_id, struct buf *form);

/* starting -> waiting or failed. allow_http: the addresses shown may be http on loopback. */
void device_started(
	struct device *device, const struct http_answer *answer, bool allow_http, int64_t now);
/* waiting -> waiting (with a new `next`), done or failed. */
void device_polled(struct device *device, const struct http_answer *answer, int64_t now);
/* waiting -> failed, when the time is up and no poll is under way. False: not yet. */
bool device_expire(struct device *device, int64_t now);
void device_fail(struct device *device, const char *kind, const char *reason); /* any -> failed */

#endif
