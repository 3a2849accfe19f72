/* cert issue: a user certificate made by a local administrator, for machines and for places without
 * a provider.
 *
 * The certificate's line stands alone on stdout. What is signed is checked again by the signer's
 * own encoder; the store remembers user and groups. */
#include "server/broker/command/impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/addr.h"
#include "common/text.h"
#include "keys/sshcert.h"
#include "keys/sshkey.h"
#include "server/broker/login/issue.h"

#define RIGHTS_ALL                                                          \
	(SSHCERT_PTY | SSHCERT_PORT_FORWARDING | SSHCERT_AGENT_FORWARDING | \
		SSHCERT_X11_FORWARDING | SSHCERT_USER_RC)
#define FORCE_COMMAND_MAX 4096

struct cert_issue {
	struct caller *caller;
};

static void issue_stop(struct caller *caller)
{
	issue_forget(caller->broker, caller->state);
	free(caller->state);
	caller->state = NULL;
}

static void issue_done(void *context, bool ok, const char *text)
{
	struct cert_issue *issue = context;
	struct caller *caller = issue->caller;

	caller->stop = NULL;
	caller->state = NULL;
	free(issue);
	if (!ok) {
		command_fail(caller, EXIT_GATEWAY, "no certificate was issued: %s",
			text ? text : "the reason is unknown");
		return;
	}
	caller->ops->output(caller, 1, text, strlen(text));
	command_out(caller, "\n");
	command_exit(caller, 0);
}

/* Checks the whole request before the signer is asked. */
static int check(const struct command_args *args, struct err *err)
{
	struct addr nowhere = { 0 };

	if (!args->user || !args->public_key)
		return err_set(err, -EINVAL, "'--user' and '--key' are needed");
	if (!text_name_ok(args->user, strlen(args->user)))
		return err_set(err, -EINVAL, "'%.255s' is not a valid user name", args->user);
	for (size_t i = 0; i < args->groups.count; i++)
		if (!text_name_ok(args->groups.items[i], strlen(args->groups.items[i])))
			return err_set(err, -EINVAL, "'%.255s' is not a valid group name",
				args->groups.items[i]);
	if (args->force_command && strlen(args->force_command) > FORCE_COMMAND_MAX)
		return err_set(err, -EINVAL, "the forced command is longer than %d bytes",
			FORCE_COMMAND_MAX);
	if (args->source_address && net_list_contains(args->source_address, &nowhere, err) < 0)
		return err_prefix(err, -EINVAL, "option '--source-address'");
	return 0;
}

static void issue(struct caller *caller, const struct command_args *args, const struct sshkey *key)
{
	struct cert_issue *state = calloc(1, sizeof(*state));

	if (!state) {
		command_fail(caller, EXIT_GATEWAY, "out of memory");
		return;
	}
	state->caller = caller;
	caller->state = state;
	caller->stop = issue_stop;
	struct issue_spec spec = {
		.user = args->user,
		.groups = (char *const *)args->groups.items,
		.key = key,
		.lifetime_s = args->lifetime / 1000,
		.source_address = args->source_address,
		.rights = args->no_pty ? RIGHTS_ALL & ~(unsigned)SSHCERT_PTY : RIGHTS_ALL,
		.force_command = args->force_command,
		.local_admin = true,
	};
	issue_start(caller->broker, &spec, caller->who->user, issue_done, state);
}

void command_run_issue(struct caller *caller, const struct command_args *args)
{
	SSHKEY_CLEANUP struct sshkey *key = NULL;
	struct err err = { "" };
	int rc = check(args, &err);

	if (!rc)
		rc = sshkey_from_line(args->public_key, &key, &err);
	if (rc)
		command_fail(caller, 2, "%s", err.text);
	else
		issue(caller, args, key);
}
