/* See transport.h. */
#include "server/libssh/transport.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libssh/callbacks.h>

#include "common/ipc_msg.h"
#include "common/log.h"
#include "common/text.h"
#include "keys/sshkey.h"
#include "server/libssh/readahead.h"

/* The transport for which the library is now called. A session process has one thread; the log
 * callback has no context of its own. */
static struct transport *current;

static const struct {
	const char *words;
	size_t offset;
} witnesses[] = {
	/* text that libssh logs, and the flag that it sets */
	{ "supports strict kex, enabling", offsetof(struct transport, strict_kex) },
	{ "Received an invalid signature", offsetof(struct transport, bad_signature) },
	/* until 0.11; later at a level that costs too much: see server/session/leg_packets.c */
	{ "Received an auth-agent-req request", offsetof(struct transport, agent_asked) },
};

static void witness(int priority, const char *function, const char *text, void *context)
{
	(void)priority;
	(void)function;
	(void)context;
	for (size_t i = 0; current && text && i < sizeof(witnesses) / sizeof(witnesses[0]); i++)
		if (strstr(text, witnesses[i].words))
			*(bool *)((char *)current + witnesses[i].offset) = true;
}

void transport_log_setup(void)
{
	ssh_set_log_callback(witness);
	ssh_set_log_level(SSH_LOG_PROTOCOL);
}

void transport_enter(struct transport *transport)
{
	current = transport;
	int level = transport && transport->handshake ? SSH_LOG_PACKET : SSH_LOG_PROTOCOL;
	if (level != ssh_get_log_level())
		ssh_set_log_level(level);
}

bool transport_dead(const struct transport *transport)
{
	return !transport->session ||
	       (ssh_get_status(transport->session) & (SSH_CLOSED | SSH_CLOSED_ERROR)) ||
	       !ssh_is_connected(transport->session);
}

bool transport_writable(const struct transport *transport)
{
	return transport->session && !(ssh_get_status(transport->session) & SSH_WRITE_PENDING);
}

short transport_events(const struct transport *transport)
{
	int flags = ssh_get_poll_flags(transport->session);

	return (short)(POLLIN |
		       ((flags & SSH_WRITE_PENDING) || !transport_writable(transport) ? POLLOUT
										      : 0));
}

/* A delayed acknowledgement meets the peer's Nagle twice in a login: 40 ms each (the OpenSSH client
 * keeps Nagle on until its session starts, sshd until exec). The kernel forgets the option, so it
 * is set again before each wait of a handshake. */
void transport_quickack(const struct transport *transport)
{
	int on = 1;

	if (transport->tcp && transport->fd >= 0)
		setsockopt(transport->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
}

void transport_free(struct transport *transport)
{
	if (!transport->session)
		return;
	if (current == transport)
		current = NULL;
	readahead_forget(transport->fd);
	ssh_free(transport->session);
	transport->session = NULL;
	transport->fd = -1;
}

const char *transport_error(const struct transport *transport, char *out, size_t size)
{
	const char *text = transport->session ? ssh_get_error(transport->session) : "";

	return text_clean(out, size, text, strlen(text));
}

static char *copy(const char *text)
{
	BUF_CLEANUP struct buf visible = BUF_INIT(1024);

	if (text)
		text_visible(&visible, text, strlen(text), 512);
	return text_dup(buf_data(&visible), visible.len);
}

static void host_key_facts(ssh_session session, struct msg_evidence *ret)
{
	ssh_key key = NULL;
	char *base64 = NULL;
	char fp[SSHKEY_FP_MAX] = "";

	if (ssh_get_server_publickey(session, &key) == SSH_OK &&
		ssh_pki_export_pubkey_base64(key, &base64) == SSH_OK) {
		BUF_CLEANUP struct buf blob = BUF_INIT(SSHKEY_BLOB_MAX);
		if (!text_base64_decode(&blob, base64, strlen(base64)))
			sshkey_fingerprint_blob(buf_bytes(&blob), fp);
		ret->host_key_algorithm = copy(ssh_key_type_to_char(ssh_key_type(key)));
	}
	ret->host_key_fingerprint = copy(fp);
	ssh_string_free_char(base64);
	ssh_key_free(key);
}

void transport_evidence(const struct transport *transport, bool server, const char *host_key_line,
	struct msg_evidence *ret)
{
	ssh_session session = transport->session;

	memset(ret, 0, sizeof(*ret));
	ret->kex = copy(ssh_get_kex_algo(session));
	ret->cipher_in = copy(ssh_get_cipher_in(session));
	ret->cipher_out = copy(ssh_get_cipher_out(session));
	ret->mac_in = copy(ssh_get_hmac_in(session));
	ret->mac_out = copy(ssh_get_hmac_out(session));
	ret->banner = copy(server ? ssh_get_clientbanner(session) : ssh_get_serverbanner(session));
	ret->strict_kex = transport->strict_kex;
	if (!server) {
		host_key_facts(session, ret);
		return;
	}
	/* libssh has no getter for the server's own key; the gateway offers exactly one */
	SSHKEY_CLEANUP struct sshkey *key = NULL;
	char fp[SSHKEY_FP_MAX] = "";
	if (!sshkey_from_line(host_key_line, &key, NULL)) {
		sshkey_fingerprint(key, fp);
		ret->host_key_algorithm = copy(sshkey_type(key));
	}
	ret->host_key_fingerprint = copy(fp);
}
