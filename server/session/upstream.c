/* See upstream.h. The order: grant, key exchange, host key, bar, evidence, authentication, ready.
 */
#include "server/session/upstream.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/fd.h"
#include "common/text.h"
#include "common/wire.h"
#include "conf/yaml.h"
#include "keys/sshkey.h"
#include "server/libssh/packets.h"
#include "server/libssh/readahead.h"
#include "server/session/conn.h"

static const char *const state_names[] = { "asked", "key exchange", "authentication", "ready",
	"failed" };

struct upstream *upstream_new(struct leg *leg)
{
	struct upstream *upstream = calloc(1, sizeof(*upstream));

	if (!upstream)
		return NULL;
	upstream->leg = leg;
	upstream->agent = -1;
	upstream->transport.fd = -1;
	upstream->transport.tcp = true;
	upstream->secret = BUF_INIT(IPC_BLOB_MAX);
	return upstream;
}

void upstream_free(struct upstream *upstream)
{
	if (!upstream)
		return;
	if (upstream->transport.session && !transport_dead(&upstream->transport)) {
		transport_enter(&upstream->transport);
		ssh_disconnect(upstream->transport.session);
		transport_enter(NULL);
	}
	transport_free(&upstream->transport);
	packets_free(upstream->packets);
	fd_closep(&upstream->agent);
	text_list_free(upstream->host_keys);
	buf_burn(&upstream->secret);
	ssh_key_free(upstream->key);
	free(upstream->login);
	free(upstream->address);
	free(upstream->credential);
	free(upstream);
}

char *upstream_loss(const struct upstream *upstream)
{
	char said[512], words[700];
	const char *text = upstream->transport.session
				   ? ssh_get_disconnect_message(upstream->transport.session)
				   : NULL;

	if (text && *text)
		snprintf(words, sizeof(words), "the target ended the connection: %s",
			text_clean(said, sizeof(said), text, strlen(text)));
	return strdup(text && *text ? words : "the connection to the target was lost");
}

static const char *target_of(const struct upstream *upstream, char *out, size_t size)
{
	return text_clean(out, size, upstream->leg->target, strlen(upstream->leg->target));
}

void upstream_fail(struct upstream *upstream, unsigned exit, const char *fmt, ...)
{
	if (upstream->state == UPSTREAM_FAILED)
		return;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(upstream->failure, sizeof(upstream->failure), fmt, ap);
	va_end(ap);
	upstream->exit = exit;
	upstream->state = UPSTREAM_FAILED;
	upstream->transport.handshake = false;
	buf_burn(&upstream->secret);
}

/* ---- the grant ---- */

/* Asks only for the kinds of host key that are pinned: a server with several could otherwise show
 * one that is not. */
static void host_key_algorithms(char *const *keys, bool ssh_rsa, char *out, size_t size)
{
	static const char *const kinds[][2] = {
		{ "ssh-ed25519 ", "ssh-ed25519" },
		{ "ecdsa-sha2-nistp256 ", "ecdsa-sha2-nistp256" },
		{ "ecdsa-sha2-nistp384 ", "ecdsa-sha2-nistp384" },
		{ "ecdsa-sha2-nistp521 ", "ecdsa-sha2-nistp521" },
		{ "ssh-rsa ", "rsa-sha2-512,rsa-sha2-256" },
	};

	*out = 0;
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
		for (size_t i = 0; keys[i]; i++) {
			if (strncmp(keys[i], kinds[k][0], strlen(kinds[k][0])))
				continue;
			size_t len = strlen(out);
			bool rsa = ssh_rsa && !strncmp(kinds[k][0], "ssh-rsa", 7);
			snprintf(out + len, size - len, "%s%s%s", len ? "," : "", kinds[k][1],
				rsa ? ",ssh-rsa" : "");
			break;
		}
}

static int set_options(struct upstream *upstream, ssh_session session, int *fd, struct err *err)
{
	static const bool no = false;
	char algorithms[512];

	host_key_algorithms(
		upstream->host_keys, upstream->bar.ssh_rsa, algorithms, sizeof(algorithms));
	const struct {
		enum ssh_options_e option;
		const void *value;
	} settings[] = {
		/* first, so that no configuration file is read */
		{ SSH_OPTIONS_PROCESS_CONFIG, &no },
		/* libssh requires a host name; the socket is already connected, and nothing is
		 * resolved */
		{ SSH_OPTIONS_HOST, "target" },
		{ SSH_OPTIONS_USER, upstream->login },
		{ SSH_OPTIONS_SSH_DIR, "/" },
		{ SSH_OPTIONS_KNOWNHOSTS, "/dev/null" },
		{ SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null" },
		{ SSH_OPTIONS_FD, fd },
		{ SSH_OPTIONS_HOSTKEYS, algorithms },
	};
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (ssh_options_set(session, settings[i].option, settings[i].value) < 0)
			return err_set(err, -EINVAL, "option %d: %s", settings[i].option,
				ssh_get_error(session));
	return crypto_bar_apply_client(&upstream->bar, session);
}

static int begin(struct upstream *upstream, int socket, struct err *err)
{
	ssh_session session = ssh_new();
	int rc = session ? set_options(upstream, session, &socket, err) : -ENOMEM;

	if (rc) {
		ssh_free(session);
		fd_closep(&socket);
		return rc;
	}
	upstream->transport.session = session;
	upstream->transport.fd = socket;
	upstream->transport.handshake = true;
	ssh_set_blocking(session, 0);
	readahead_watch(socket);
	upstream->state = UPSTREAM_KEX;
	return 0;
}

static char **copy_list(char *const *list)
{
	size_t count = 0;

	while (list[count])
		count++;
	char **copy = calloc(count + 1, sizeof(*copy));
	for (size_t i = 0; copy && i < count; i++)
		copy[i] = strdup(list[i]);
	return copy;
}

void upstream_grant(struct upstream *upstream, const struct msg_grant *grant, int socket, int agent)
{
	struct err err = { "out of memory" };

	if (upstream->state != UPSTREAM_ASKED || !grant->ok || socket < 0) {
		fd_closep(&socket);
		fd_closep(&agent);
		if (upstream->state == UPSTREAM_ASKED)
			upstream_fail(upstream, grant->exit ? grant->exit : EXIT_GATEWAY, "%s",
				grant->reason);
		return;
	}
	upstream->agent = agent;
	upstream->host_keys = copy_list(grant->host_keys);
	upstream->login = strdup(grant->login);
	upstream->address = strdup(grant->address);
	upstream->credential = strdup(grant->credential);
	buf_put(&upstream->secret, grant->secret.data, grant->secret.len);
	upstream->deadline = clock_mono_ms() + grant->handshake_ms;
	int rc = crypto_bar_make((enum conf_crypto)upstream->leg->conn->start->conf->crypto,
		grant->allow, &upstream->bar, &err);
	if (rc)
		fd_closep(&socket);
	else
		rc = begin(upstream, socket, &err);
	if (rc)
		upstream_fail(upstream, EXIT_GATEWAY, "the outbound session cannot be set up: %s",
			err.text);
}

/* ---- host key ---- */

static bool pinned(const struct upstream *upstream, const char *type, const char *base64)
{
	for (size_t i = 0; upstream->host_keys[i]; i++) {
		const char *line = upstream->host_keys[i];
		size_t len = strlen(type), rest = strlen(base64);
		if (!strncmp(line, type, len) && line[len] == ' ' &&
			!strncmp(line + len + 1, base64, rest) &&
			(!line[len + 1 + rest] || line[len + 1 + rest] == ' '))
			return true;
	}
	return false;
}

/* The type name inside the blob is the one used in known_hosts; libssh's own name of an ECDSA key
 * does not always tell the curve. */
static const char *blob_type(struct buf *blob, char *out, size_t size)
{
	struct bytes name;
	struct wire in = WIRE_OF(buf_data(blob), blob->len);

	if (wire_get_string(&in, &name))
		return "";
	return text_clean(out, size, name.data, name.len);
}

static bool host_key_ok(struct upstream *upstream)
{
	ssh_key key = NULL;
	char *base64 = NULL, name[256], type[128], fp[SSHKEY_FP_MAX] = "unknown";
	BUF_CLEANUP struct buf blob = BUF_INIT(SSHKEY_BLOB_MAX);
	bool ok = ssh_get_server_publickey(upstream->transport.session, &key) == SSH_OK &&
		  ssh_pki_export_pubkey_base64(key, &base64) == SSH_OK &&
		  !text_base64_decode(&blob, base64, strlen(base64)) &&
		  pinned(upstream, blob_type(&blob, type, sizeof(type)), base64);

	if (!ok) {
		if (blob.len)
			sshkey_fingerprint_blob(buf_bytes(&blob), fp);
		conn_event(upstream->leg->conn, upstream->leg, "host-key-mismatch", "%s at %s", fp,
			upstream->address);
		upstream_fail(upstream, EXIT_UNREACHABLE,
			"the host key of '%s' (%s) is not the one that is pinned: the connection "
			"was refused; if the key was changed on purpose, an administrator can look "
			"at it with: "
			"bartizan hosts scan %s",
			target_of(upstream, name, sizeof(name)), fp, name);
	}
	ssh_string_free_char(base64);
	ssh_key_free(key);
	return ok;
}

/* ---- key exchange ---- */

static void evidence(struct upstream *upstream)
{
	struct msg_evidence msg;

	transport_evidence(&upstream->transport, false, NULL, &msg);
	msg.leg = upstream->leg->id;
	msg.transport = strdup("outbound");
	conn_send(upstream->leg->conn, IPC_EVIDENCE, &msg);
	ipc_msg_free(IPC_EVIDENCE, &msg);
}

static void kex_failed(struct upstream *upstream)
{
	char name[256], error[600];

	transport_error(&upstream->transport, error, sizeof(error));
	bool bar = strstr(error, "no match for method") != NULL;
	conn_event(upstream->leg->conn, upstream->leg, bar ? "crypto-refused" : "handshake-failed",
		"outbound: %s", error);
	if (bar)
		upstream_fail(upstream, EXIT_UNREACHABLE,
			"target '%s' has no algorithm in common with the gateway's bar "
			"(crypto.minimum): %s",
			target_of(upstream, name, sizeof(name)), error);
	else
		upstream_fail(upstream, EXIT_UNREACHABLE,
			"key exchange with target '%s' failed: %s",
			target_of(upstream, name, sizeof(name)), error);
}

static void turn_kex(struct upstream *upstream)
{
	struct err err;
	int rc = ssh_connect(upstream->transport.session);

	if (rc == SSH_AGAIN)
		return;
	if (rc != SSH_OK) {
		kex_failed(upstream);
		return;
	}
	/* libssh makes it blocking; a stopped peer would then hold up every leg */
	fd_nonblock(upstream->transport.fd);
	if (crypto_bar_check(&upstream->bar, upstream->transport.session, &err)) {
		conn_event(upstream->leg->conn, upstream->leg, "crypto-refused", "outbound: %s",
			err.text);
		upstream_fail(upstream, EXIT_UNREACHABLE, "%s", err.text);
		return;
	}
	upstream_watch_packets(upstream);
	if (host_key_ok(upstream))
		upstream->state = UPSTREAM_AUTH;
	else
		evidence(upstream);
}

/* ---- authentication ---- */

static int auth_certificate(struct upstream *upstream)
{
	if (!upstream->key) {
		char type[128];
		ssh_key cert = NULL;
		BUF_CLEANUP struct buf base64 = BUF_INIT(2 * IPC_BLOB_MAX);
		text_base64(&base64, buf_data(&upstream->secret), upstream->secret.len);
		enum ssh_keytypes_e kind =
			ssh_key_type_from_name(blob_type(&upstream->secret, type, sizeof(type)));
		if (ssh_pki_import_cert_base64(buf_cstr(&base64), kind, &cert) != SSH_OK ||
			ssh_pki_copy_cert_to_privkey(cert, upstream->leg->key) != SSH_OK) {
			ssh_key_free(cert);
			return SSH_AUTH_ERROR;
		}
		ssh_key_free(cert);
		upstream->key = upstream->leg->key;
		upstream->leg->key = NULL;
	}
	return ssh_userauth_publickey(upstream->transport.session, NULL, upstream->key);
}

/* Blocks until the signer has answered through the broker, which takes milliseconds: libssh's agent
 * client has no other way. The socket is closed when the grant ends. */
static int auth_agent(struct upstream *upstream)
{
	if (upstream->agent >= 0) {
		if (ssh_set_agent_socket(upstream->transport.session, upstream->agent) != SSH_OK)
			return SSH_AUTH_ERROR;
		upstream->agent = -1;
	}
	return ssh_userauth_agent(upstream->transport.session, NULL);
}

static int auth_interactive(struct upstream *upstream)
{
	ssh_session session = upstream->transport.session;
	int rc = ssh_userauth_kbdint(session, NULL, NULL);

	while (rc == SSH_AUTH_INFO && upstream->answers < 4) {
		int prompts = ssh_userauth_kbdint_getnprompts(session);
		if (prompts > 1)
			return SSH_AUTH_DENIED; /* not a password question */
		if (prompts == 1 &&
			ssh_userauth_kbdint_setanswer(session, 0, buf_cstr(&upstream->secret)) < 0)
			return SSH_AUTH_ERROR;
		upstream->answers++;
		rc = ssh_userauth_kbdint(session, NULL, NULL);
	}
	return rc == SSH_AUTH_INFO ? SSH_AUTH_DENIED : rc;
}

static int auth_password(struct upstream *upstream)
{
	if (upstream->interactive)
		return auth_interactive(upstream);
	int rc = ssh_userauth_password(
		upstream->transport.session, NULL, buf_cstr(&upstream->secret));
	if (rc != SSH_AUTH_DENIED || !(ssh_userauth_list(upstream->transport.session, NULL) &
					     SSH_AUTH_METHOD_INTERACTIVE))
		return rc;
	upstream->interactive = true;
	return auth_interactive(upstream);
}

static const struct {
	const char *name;
	int (*step)(struct upstream *upstream);
} credentials[] = { { "certificate", auth_certificate }, { "key", auth_agent },
	{ "password", auth_password } };

static void turn_auth(struct upstream *upstream)
{
	int rc = SSH_AUTH_ERROR;
	char name[256], login[256], error[400];

	for (size_t i = 0; i < sizeof(credentials) / sizeof(credentials[0]); i++)
		if (!strcmp(credentials[i].name, upstream->credential))
			rc = credentials[i].step(upstream);
	if (rc == SSH_AUTH_AGAIN)
		return;
	buf_burn(&upstream->secret);
	/* sent at this point because the broker takes it as the end of the dial: until now the
	 * target counts the connection in its MaxStartups */
	evidence(upstream);
	if (rc == SSH_AUTH_SUCCESS) {
		upstream->state = UPSTREAM_READY;
		upstream->transport.handshake = false;
		return;
	}
	transport_error(&upstream->transport, error, sizeof(error));
	conn_event(upstream->leg->conn, upstream->leg, "backend-auth-failed", "%s: %s",
		upstream->credential, error);
	upstream_fail(upstream, EXIT_UNREACHABLE,
		"target '%s' refused the gateway's %s for login '%s'%s",
		target_of(upstream, name, sizeof(name)), upstream->credential,
		text_clean(login, sizeof(login), upstream->login, strlen(upstream->login)),
		rc == SSH_AUTH_PARTIAL ? ": it asks for a second factor" : "");
}

/* ---- turns ---- */

/* Requests of the backend: none is granted. hostkeys-00@openssh.com and keepalives are answered and
 * ignored; channel opens (agent, X11, forwards) are refused. The queue in libssh has no limit, so
 * it is emptied every turn. */
static void drain_messages(struct upstream *upstream)
{
	struct conn *conn = upstream->leg->conn;
	ssh_message message;

	while ((message = ssh_message_get(upstream->transport.session))) {
		int type = ssh_message_subtype(message);
		/* without the seam; with it they have been answered (leg_packets.c) */
		if (ssh_message_type(message) == SSH_REQUEST_CHANNEL_OPEN)
			conn_event(conn, upstream->leg,
				type == SSH_CHANNEL_X11 ? "x11-refused" : "unknown-channel-refused",
				"the target opened a channel of type %d", type);
		ssh_message_reply_default(message);
		ssh_message_free(message);
	}
}

static void (*const turns[])(struct upstream *upstream) = {
	[UPSTREAM_KEX] = turn_kex,
	[UPSTREAM_AUTH] = turn_auth,
};

void upstream_turn(struct upstream *upstream, bool readable)
{
	char name[256];
	enum upstream_state before;

	transport_enter(&upstream->transport);
	do {
		before = upstream->state;
		if (before == UPSTREAM_KEX || before == UPSTREAM_AUTH)
			turns[before](upstream);
	} while (upstream->state != before);
	if (upstream->state == UPSTREAM_READY && (readable || upstream->transport.touched)) {
		upstream->transport.touched = false;
		do
			drain_messages(upstream);
		while (readahead_waiting(upstream->transport.fd) &&
			!transport_dead(&upstream->transport));
	}
	if (upstream->state < UPSTREAM_READY && upstream->deadline &&
		clock_mono_ms() >= upstream->deadline) {
		conn_event(upstream->leg->conn, upstream->leg, "handshake-failed",
			"outbound: no answer during %s", state_names[upstream->state]);
		upstream_fail(upstream, EXIT_UNREACHABLE, "target '%s' did not finish %s in time",
			target_of(upstream, name, sizeof(name)),
			upstream->state == UPSTREAM_KEX ? "the key exchange" : "the login");
	}
}

int64_t upstream_due(const struct upstream *upstream)
{
	return upstream->state < UPSTREAM_READY && upstream->deadline ? upstream->deadline
								      : INT64_MAX;
}
