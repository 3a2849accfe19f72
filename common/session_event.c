/* See session_event.h. */
#include "common/session_event.h"

#include <errno.h>
#include <string.h>

static const struct {
	const char *name;
	bool grave;
} events[SESSION_EVENTS] = {
	[EVENT_FORWARD_REFUSED] = { "forward-refused", false },
	[EVENT_AGENT_REFUSED] = { "agent-refused", false },
	[EVENT_X11_REFUSED] = { "x11-refused", false },
	[EVENT_STREAMLOCAL_REFUSED] = { "streamlocal-refused", false },
	[EVENT_TUNNEL_REFUSED] = { "tunnel-refused", false },
	[EVENT_REQUEST_REFUSED] = { "request-refused", false },
	[EVENT_LOGIN_TIMEOUT] = { "login-timeout", true },
	[EVENT_BAD_SIGNATURE] = { "bad-signature", true },
	/* a client can fail as many inner handshakes as it likes */
	[EVENT_HANDSHAKE_FAILED] = { "handshake-failed", false },
	[EVENT_CRYPTO_REFUSED] = { "crypto-refused", false },
	[EVENT_HOST_KEY_MISMATCH] = { "host-key-mismatch", true },
	[EVENT_BACKEND_AUTH_FAILED] = { "backend-auth-failed", true },
	[EVENT_BACKEND_LOST] = { "backend-lost", true },
	[EVENT_TRANSCRIPT_FAILED] = { "transcript-failed", true },
	[EVENT_LIMIT_REACHED] = { "limit-reached", false },
	[EVENT_UNKNOWN_CHANNEL_REFUSED] = { "unknown-channel-refused", false },
	[EVENT_TARGET_MESSAGE] = { "target-message", false },
};

const char *session_event_name(enum session_event event)
{
	return (unsigned)event < SESSION_EVENTS ? events[event].name : "unknown";
}

int session_event_parse(const char *name, enum session_event *ret)
{
	for (unsigned i = 0; i < SESSION_EVENTS; i++)
		if (!strcmp(events[i].name, name)) {
			*ret = (enum session_event)i;
			return 0;
		}
	return -EINVAL;
}

bool session_event_grave(enum session_event event)
{
	return (unsigned)event < SESSION_EVENTS && events[event].grave;
}
