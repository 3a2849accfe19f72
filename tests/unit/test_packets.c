/* The seam in front of libssh's packet callbacks: two ends of libssh in one process. It fails when a newer libssh moves what packets.c stands on. */
#include "server/libssh/packets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include <libssh/server.h>

#include <cmocka.h>

#include "common/wire.h"

#ifdef BARTIZAN_LIBSSH_STATIC

#define TURNS 10000

struct ends {
	ssh_bind bind;
	ssh_session client, server;
	struct packets *packets;
	unsigned debugs;
	char text[64];
	bool take; /* what comes is dealt with here */
};

static void keep(struct bytes from, char out[static 64])
{
	assert_true(from.len < 64);
	memcpy(out, from.data, from.len);
	out[from.len] = 0;
}

static bool seen(void *owner, enum packet_type type, struct bytes body)
{
	struct ends *ends = owner;
	struct wire in = WIRE_OF(body.data, body.len);
	struct bytes text;
	uint8_t flag;
	if (type == PACKET_DEBUG) {
		assert_false(wire_get_u8(&in, &flag) || wire_get_string(&in, &text));
		keep(text, ends->text);
		ends->debugs++;
	}
	return ends->take;
}

static void meet(struct ends *ends)
{
	static const bool no = false;
	int pair[2], client = SSH_AGAIN, server = SSH_AGAIN;
	ssh_key key = NULL;
	*ends = (struct ends){ .bind = ssh_bind_new(), .client = ssh_new(), .server = ssh_new() };
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(ssh_pki_generate_key(SSH_KEYTYPE_ED25519, NULL, &key), SSH_OK);
	ssh_bind_options_set(ends->bind, SSH_BIND_OPTIONS_PROCESS_CONFIG, &no);
	assert_int_equal(ssh_bind_options_set(ends->bind, SSH_BIND_OPTIONS_IMPORT_KEY, key), SSH_OK);
	ssh_options_set(ends->client, SSH_OPTIONS_PROCESS_CONFIG, &no);
	ssh_options_set(ends->client, SSH_OPTIONS_HOST, "test");
	ssh_options_set(ends->client, SSH_OPTIONS_USER, "test");
	ssh_options_set(ends->client, SSH_OPTIONS_SSH_DIR, "/dev/null");
	ssh_options_set(ends->client, SSH_OPTIONS_FD, &pair[0]);
	ssh_set_blocking(ends->client, 0);
	assert_int_equal(ssh_bind_accept_fd(ends->bind, ends->server, pair[1]), SSH_OK);
	ssh_set_blocking(ends->server, 0);
	for (int i = 0; (client == SSH_AGAIN || server == SSH_AGAIN) && i < TURNS; i++) {
		if (client == SSH_AGAIN)
			client = ssh_connect(ends->client);
		if (server == SSH_AGAIN)
			server = ssh_handle_key_exchange(ends->server);
	}
	assert_int_equal(client, SSH_OK);
	assert_int_equal(server, SSH_OK);
	ends->packets = packets_watch(ends->server, seen, ends);
	assert_non_null(ends->packets);
}

static void part(struct ends *ends)
{
	ssh_free(ends->client);
	ssh_free(ends->server);
	ssh_bind_free(ends->bind);
	packets_free(ends->packets);
}

/* Lets the server read until it has seen what was sent. */
static ssh_message pump(struct ends *ends, const unsigned *count, unsigned wanted)
{
	ssh_message message = NULL;
	for (int i = 0; *count < wanted && i < TURNS; i++)
		message = ssh_message_get(ends->server);
	assert_int_equal(*count, wanted);
	return message ? message : ssh_message_get(ends->server);
}

static void seen_first_and_passed_on(void **state)
{
	struct ends ends;
	(void)state;
	meet(&ends);
	assert_int_equal(ssh_send_debug(ends.client, "hello there", 1), SSH_OK);
	ssh_message_free(pump(&ends, &ends.debugs, 1));
	assert_string_equal(ends.text, "hello there");
	assert_true(ssh_is_connected(ends.server)); /* libssh read its own share from the same buffer */
	assert_int_equal(ssh_send_debug(ends.client, "again", 0), SSH_OK);
	ssh_message_free(pump(&ends, &ends.debugs, 2));
	assert_string_equal(ends.text, "again");
	part(&ends);
}

static void dealt_with_here(void **state)
{
	struct ends ends;
	(void)state;
	meet(&ends);
	ends.take = true;
	assert_int_equal(ssh_send_debug(ends.client, "first", 0), SSH_OK);
	ssh_message_free(pump(&ends, &ends.debugs, 1));
	assert_true(ssh_is_connected(ends.server) && ssh_is_connected(ends.client));
	part(&ends);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(seen_first_and_passed_on), cmocka_unit_test(dealt_with_here) };
	ssh_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
	return 0; /* LIBSSH=system has no seam */
}

#endif
