/* What a session reports that it refused or noticed by itself (IPC_EVENT): the types, and which of
 * them are grave.
 *
 * Whoever wants to hide one event among many needs a type of which he can cause many. So events are
 * counted by type, on both ends of the link (common/tally.h), and those that are grave, of which an
 * honest session has few, are written every time. */
#ifndef BARTIZAN_SESSION_EVENT_H
#define BARTIZAN_SESSION_EVENT_H

#include <stdbool.h>

enum session_event {
	EVENT_FORWARD_REFUSED,
	EVENT_AGENT_REFUSED,
	EVENT_X11_REFUSED,
	EVENT_STREAMLOCAL_REFUSED,
	EVENT_TUNNEL_REFUSED,
	EVENT_REQUEST_REFUSED,
	EVENT_LOGIN_TIMEOUT,
	EVENT_BAD_SIGNATURE,
	EVENT_HANDSHAKE_FAILED,
	EVENT_CRYPTO_REFUSED,
	EVENT_HOST_KEY_MISMATCH,
	EVENT_BACKEND_AUTH_FAILED,
	EVENT_BACKEND_LOST,
	EVENT_TRANSCRIPT_FAILED,
	EVENT_LIMIT_REACHED,
	EVENT_UNKNOWN_CHANNEL_REFUSED,
	EVENT_TARGET_MESSAGE,
	SESSION_EVENTS
};

const char *session_event_name(enum session_event event);	    /* "forward-refused", … */
int session_event_parse(const char *name, enum session_event *ret); /* -EINVAL */
bool session_event_grave(enum session_event event);

#endif
