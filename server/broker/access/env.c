/* The environment of an access: what of it the rule lets through, and so what is shown, approved,
 * compared and sent. The session sends the target what it is told here, and nothing else. */
#include "policy/env.h"

#include "server/broker/access/access.h"

#define ORIGINAL_COMMAND "SSH_ORIGINAL_COMMAND"

/* A forced command decides by that variable what it does, and the session sets it. */
const char *env_always(const struct identity *who)
{
	return who->force_command ? ORIGINAL_COMMAND : NULL;
}

enum step env_step(struct access_request *request)
{
	buf_clear(&request->env);
	if (env_filter(request->decision.env, env_always(request->access.who), request->asked_env,
		    &request->env))
		return access_request_refuse(request, EXIT_GATEWAY,
			"the environment could not be judged: the gateway is out of memory");
	return STEP_GO_ON;
}
