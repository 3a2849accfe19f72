/* The life of a session process: drop, sandbox, PROXY header, outer leg, loop. See session.h and
 * conn.h. */
#include "server/session/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libssh/server.h>

#include "common/clock.h"
#include "common/fd.h"
#include "common/log.h"
#include "server/libssh/crypto_bar.h"
#include "server/libssh/host_key.h"
#include "server/role/sandbox.h"
#include "server/session/conn.h"
#include "server/session/proxy_header.h"

#define PROXY_WAIT_MS 5000
/* "SSH-2.0-OpenSSH_Bartizan". OpenSSH's client speaks its own extensions only to servers that begin
 * so: without them nobody hears that a reader is gone (eow@openssh.com, PROTOCOL section 2.1). */
#define IDENTIFICATION "OpenSSH_Bartizan"

static ssh_bind make_bind(const struct session_start *start, struct err *err)
{
	static const bool no = false;
	struct crypto_bar bar;
	ssh_bind bind = ssh_bind_new();
	ssh_key key = host_key_import(start->host_key);

	/* the default list of accepted keys has plain signature names and certificates, and no
	 * ssh-rsa: it is kept on purpose */
	if (!bind || !key || ssh_bind_options_set(bind, SSH_BIND_OPTIONS_PROCESS_CONFIG, &no) < 0 ||
		ssh_bind_options_set(bind, SSH_BIND_OPTIONS_IMPORT_KEY, key) < 0 ||
		ssh_bind_options_set(bind, SSH_BIND_OPTIONS_BANNER, IDENTIFICATION) < 0 ||
		crypto_bar_make((enum conf_crypto)start->conf->crypto, NULL, &bar, err) ||
		crypto_bar_apply_server(&bar, bind)) {
		err_set(err, -EIO, "libssh refused the server's options: %s",
			bind ? ssh_get_error(bind) : "out of memory");
		ssh_bind_free(bind);
		return NULL;
	}
	return bind;
}

static int proxy_header(struct conn *conn, struct err *err)
{
	struct addr source;
	char text[ADDR_TEXT_MAX];

	if (!conn->start->conf->proxy)
		return 0;
	int rc = proxy_header_read(conn->start->client, PROXY_WAIT_MS, &source, err);
	if (!rc && source.family) {
		addr_format_port(&source, text);
		struct msg_proxy msg = { text };
		conn_send(conn, IPC_PROXY, &msg);
	}
	return rc;
}

static int confine(const struct session_start *start, struct err *err)
{
	int rc = role_drop(&start->role, err);

	return rc ? rc : sandbox_session(err);
}

static void release(struct conn *conn)
{
	while (conn->legs) {
		/* inner legs first: they use channels of the outer one */
		struct leg *last = conn->legs, **at = &conn->legs;
		while (last->next) {
			at = &last->next;
			last = last->next;
		}
		*at = NULL;
		leg_free(last);
	}
	if (conn->broker)
		ipc_flush(conn->broker);
	ipc_free(conn->broker);
	ssh_bind_free(conn->bind);
	free(conn->user);
	free(conn->force_command);
}

int session_main(const struct session_start *start)
{
	struct err err = { "" };
	struct conn conn = {
		.start = start,
		.broker = ipc_new(start->role.peer),
		.now = clock_mono_ms(),
		.events = { .allowance = CONN_EVENTS_AT_ONCE, .every = CONN_EVENTS_EVERY_MS },
	};

	conn_catch_signals();
	int rc = conn.broker ? confine(start, &err) : -ENOMEM;
	if (!rc && !(conn.bind = make_bind(start, &err)))
		rc = -EIO;
	if (!rc)
		rc = proxy_header(&conn, &err);
	if (rc) {
		log_error("%s", err.text);
		conn_event(&conn, NULL, "handshake-failed", "%s", err.text);
		release(&conn);
		return EXIT_GATEWAY;
	}
	rc = leg_new(&conn, start->client, true) ? conn_run(&conn) : EXIT_GATEWAY;
	release(&conn);
	return rc;
}
