/* Asking the running gateway: a command's words go over the control socket, its output, a
 * transcript to play and its exit status come back.
 *
 * The gateway knows who asks by the socket's peer credentials. The link limits what it sends; its
 * contents are trusted, because the gateway is a service of this machine. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/access.h"
#include "common/fd.h"
#include "conf/yaml.h"

/* The configuration's control_socket. The rest is not checked, because its key files may be
 * unreadable for this user. 0 with *ret NULL: it has none. */
static int socket_of_config(const char *path, char **ret, struct err *err)
{
	BUF_CLEANUP struct buf text = BUF_INIT(YAML_SIZE_MAX);
	struct yaml *root = NULL;
	const char *value = NULL;
	int rc = fd_read_file(AT_FDCWD, path, YAML_SIZE_MAX, &text, err);

	if (!rc)
		rc = yaml_parse(path, buf_bytes(&text), &root, err);
	const struct yaml *node = rc ? NULL : yaml_get(root, "control_socket");
	if (node)
		rc = yaml_text(node, sizeof(((struct sockaddr_un *)0)->sun_path), &value, err);
	*ret = !rc && value ? strdup(value) : NULL;
	yaml_free(root);
	return rc;
}

static const char *given_socket(const struct cli *cli)
{
	const char *given = cli->socket;

	if (!given || !*given)
		given = getenv("BARTIZAN_CONTROL_SOCKET");
	if (!given || !*given)
		given = getenv("CONTROL_SOCKET");
	return given && *given ? given : NULL;
}

/* A path that may not be read counts as existing. */
static bool is_there(const char *path)
{
	return !access(path, F_OK) || errno != ENOENT;
}

bool cli_gateway_here(const struct cli *cli)
{
	return given_socket(cli) || cli->config_given || is_there(cli->config) ||
	       is_there(CLI_SOCKET);
}

char *cli_socket_path(const struct cli *cli)
{
	const char *given = given_socket(cli);
	struct err err = { "" };
	char *path = NULL;

	if (given)
		return strdup(given);
	int rc = socket_of_config(cli->config, &path, &err);
	if (rc && cli->config_given) {
		cli_error("%s", err.text);
		return NULL;
	}
	return path ? path : strdup(CLI_SOCKET);
}

/* A connected socket, or -errno. */
static int dial(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address))) {
		int rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

static int no_gateway(const char *path, int rc)
{
	if (rc == -EACCES || rc == -EPERM) {
		cli_error("'%s': %s: only root and members of the group 'bartizan' may ask here; "
			  "over ssh everybody may: 'ssh gw help'",
			path, strerror(-rc));
		return EXIT_DENIED;
	}
	cli_error("no gateway answers on '%s' (%s): start bartizand, or name its socket with "
		  "--socket or BARTIZAN_CONTROL_SOCKET",
		path, strerror(-rc));
	return EXIT_UNREACHABLE;
}

bool cli_answers(const struct cli *cli)
{
	FREE_CLEANUP char *path = cli_socket_path(cli);
	int fd = path ? dial(path) : -ENOENT;

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* ---- one message ---- */

static int take_output(const struct msg_output *output, struct buf *capture)
{
	int rc;

	if (capture)
		rc = output->stream == 1 ? buf_put(capture, output->data.data, output->data.len)
					 : 0;
	else
		rc = fd_write_all(output->stream == 2 ? STDERR_FILENO : STDOUT_FILENO,
			output->data.data, output->data.len);
	return rc ? cli_error("output: %s", strerror(-rc)) : -1;
}

/* Returns an exit status, or -1 to continue. If capture is not NULL, it receives standard
 * output. */
static int take_message(struct ipc_raw *raw, struct buf *capture)
{
	union {
		struct msg_output output;
		struct msg_play play;
		struct msg_command_exit exit;
	} msg;
	struct err err = { "" };

	if (raw->type != IPC_OUTPUT && raw->type != IPC_PLAY && raw->type != IPC_COMMAND_EXIT) {
		cli_error("the gateway sent an unexpected message '%s'", ipc_msg_name(raw->type));
		return EXIT_GATEWAY;
	}
	if (ipc_msg_decode(raw->type, raw->body, &msg, &err)) {
		cli_error("the gateway sent a damaged message: %s", err.text);
		return EXIT_GATEWAY;
	}
	int status;
	if (raw->type == IPC_OUTPUT)
		status = take_output(&msg.output, capture);
	else if (raw->type == IPC_COMMAND_EXIT)
		status = (int)(msg.exit.status & 0xff);
	else
		status = raw->fd_count == 1 ? cli_play(raw->fds[0], &msg.play) : EXIT_GATEWAY;
	ipc_msg_free(raw->type, &msg);
	return status;
}

static int lost(int rc)
{
	cli_error("the connection to the gateway was lost before the command ended (%s)",
		strerror(-rc));
	return EXIT_GATEWAY;
}

static int converse(struct ipc *link, struct buf *capture)
{
	for (;;) {
		struct pollfd poll_fd = { ipc_fd(link), POLLIN | (ipc_pending(link) ? POLLOUT : 0),
			0 };
		if (poll(&poll_fd, 1, -1) < 0 && errno != EINTR)
			return lost(-errno);
		if (poll_fd.revents & POLLOUT)
			ipc_flush(link);
		struct ipc_raw raw;
		int rc;
		while ((rc = ipc_recv(link, &raw)) > 0) {
			int status = take_message(&raw, capture);
			ipc_raw_close(&raw);
			if (status >= 0)
				return status;
		}
		if (rc < 0)
			return lost(rc);
	}
}

static int ask(const char *path, char *const *argv, struct buf *capture)
{
	struct table_style style = cli_style();
	struct msg_command command = {
		.argv = (char **)argv, .terminal = style.bold, .columns = style.width
	};
	int fd = dial(path);

	if (fd < 0)
		return capture ? EXIT_UNREACHABLE : no_gateway(path, fd);
	struct ipc *link = ipc_new(fd);
	int rc = link ? ipc_send(link, IPC_COMMAND, 0, &command, NULL, 0) : -ENOMEM;
	int status;
	if (rc == -EMSGSIZE) {
		cli_error("a word is longer than %d bytes", IPC_TEXT_MAX);
		status = CLI_USAGE;
	} else {
		status = rc ? lost(rc) : converse(link, capture);
	}
	ipc_free(link);
	return status;
}

int cli_ask(const struct cli *cli, char *const *argv)
{
	FREE_CLEANUP char *path = cli_socket_path(cli);

	return path ? ask(path, argv, NULL) : CLI_FAILED;
}

char *cli_ask_state_dir(const struct cli *cli)
{
	static char *const status[] = { (char *)"status", (char *)"--json", NULL };
	BUF_CLEANUP struct buf text = BUF_INIT(65536);
	JSON_CLEANUP json_t *rows = NULL;
	FREE_CLEANUP char *path = cli_socket_path(cli);

	if (!path || ask(path, status, &text) || json_parse(buf_bytes(&text), 65536, &rows, NULL))
		return NULL;
	const char *dir = json_get_string(json_array_get(rows, 0), "state_dir");
	return dir ? strdup(dir) : NULL;
}

int cli_run_gateway(const struct cli *cli, char *const *argv)
{
	return cli_ask(cli, argv);
}
