/* An SSH server that opens towards its client what nobody asked for: `hostile_target PORT HOST_KEY`.
 *
 * Everybody may log in. An exec request is granted; then an x11 channel, an agent's and a forwarded port are opened towards the client, and the
 * command ends: 0 when each of them was refused, else 1. The command `flood N` opens x11 so often. Serves one connection after the other; started by
 * tests/e2e/test_trust.py, not a test by itself. */
#define SSH_SUPPRESS_DEPRECATED
#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <libssh/server.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool was_refused(ssh_session session, int (*open)(ssh_channel channel))
{
	ssh_channel channel = ssh_channel_new(session);
	int rc = channel ? open(channel) : SSH_ERROR;

	ssh_channel_free(channel);
	return rc != SSH_OK;
}

static int open_x11(ssh_channel channel)
{
	return ssh_channel_open_x11(channel, "127.0.0.1", 6010);
}

static int open_agent(ssh_channel channel)
{
	return ssh_channel_open_auth_agent(channel);
}

static int open_forwarded(ssh_channel channel)
{
	return ssh_channel_open_reverse_forward(channel, "127.0.0.1", 22, "127.0.0.1", 1);
}

static int act(ssh_session session, const char *command)
{
	int (*const all[])(ssh_channel) = { open_x11, open_agent, open_forwarded };
	int count = 0;
	bool refused = true;

	if (sscanf(command, "flood %d", &count) == 1) {
		for (int i = 0; i < count; i++)
			refused &= was_refused(session, open_x11);
		return !refused;
	}
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		refused &= was_refused(session, all[i]);
	return !refused;
}

static void serve(ssh_session session)
{
	ssh_channel channel = NULL;
	ssh_message message;

	while ((message = ssh_message_get(session))) {
		int type = ssh_message_type(message), subtype = ssh_message_subtype(message);
		if (type == SSH_REQUEST_AUTH) {
			ssh_message_auth_reply_success(message, 0);
		} else if (type == SSH_REQUEST_CHANNEL_OPEN && subtype == SSH_CHANNEL_SESSION) {
			channel = ssh_message_channel_request_open_reply_accept(message);
		} else if (type == SSH_REQUEST_CHANNEL && subtype == SSH_CHANNEL_REQUEST_EXEC && channel) {
			char *command = strdup(ssh_message_channel_request_command(message));
			ssh_message_channel_request_reply_success(message);
			int status = act(session, command);
			ssh_channel_request_send_exit_status(channel, status);
			ssh_channel_send_eof(channel);
			ssh_channel_close(channel);
			free(command);
		} else {
			ssh_message_reply_default(message);
		}
		ssh_message_free(message);
	}
	ssh_disconnect(session);
}

int main(int argc, char **argv)
{
	ssh_bind bind = ssh_bind_new();
	bool no = false;

	if (argc != 3 || ssh_bind_options_set(bind, SSH_BIND_OPTIONS_PROCESS_CONFIG, &no) || ssh_bind_options_set(bind, SSH_BIND_OPTIONS_BINDADDR, "127.0.0.1") ||
		ssh_bind_options_set(bind, SSH_BIND_OPTIONS_BINDPORT_STR, argv[1]) || ssh_bind_options_set(bind, SSH_BIND_OPTIONS_HOSTKEY, argv[2]) ||
		ssh_bind_listen(bind) != SSH_OK) {
		fprintf(stderr, "%s\n", ssh_get_error(bind));
		return 1;
	}
	puts("ready");
	fflush(stdout);
	for (;;) {
		ssh_session session = ssh_new();
		if (ssh_bind_accept(bind, session) != SSH_OK)
			return 1;
		if (ssh_handle_key_exchange(session) == SSH_OK)
			serve(session);
		ssh_free(session);
	}
}
