/* The broker from outside: a session's way from the login to its end, what goes wrong on it, and
 * what is left in the store. */
#include "store/target_crypto.h"
#include "tests/unit/broker_world.h"

static struct peer *session;
static char id[27];

/* ---- login ---- */

static void test_login(void **state)
{
	(void)state;
	world_up(RULES);
	know("alice", "sre");
	session = connect_client();
	struct heard *answer = try_login(
		session, &(struct cert){ .user = "alice", .from = -60, .to = 600 }, false);
	assert_true(MSG(answer, msg_auth_answer)->ok);
	assert_false(MSG(answer, msg_auth_answer)->proved);
	done(answer);
	assert_int_equal(events_of("login").count, 0); /* an offer proves nothing */
	answer =
		try_login(session, &(struct cert){ .user = "alice", .from = -60, .to = 600 }, true);
	assert_true(MSG(answer, msg_auth_answer)->ok);
	assert_string_equal(MSG(answer, msg_auth_answer)->user, "alice");
	assert_int_equal(MSG(answer, msg_auth_answer)->rights, SSHCERT_PTY);
	done(answer);
	struct heard *told = expect(world.parent, IPC_AUTHENTICATED);
	assert_int_equal(MSG(told, msg_connection)->connection, world.connection);
	done(told);
	assert_int_equal(events_of("login").count, 1);
	world_down();
}

static void refused(const struct cert *cert, const char *words)
{
	struct peer *peer = connect_client();
	struct heard *answer = try_login(peer, cert, true);
	assert_false(MSG(answer, msg_auth_answer)->ok);
	if (!strstr(MSG(answer, msg_auth_answer)->reason, words))
		fail_msg("'%s' is not in '%s'", words, MSG(answer, msg_auth_answer)->reason);
	done(answer);
	struct events events = events_of("login-refused");
	assert_non_null(strstr(events.last, words));
	/* and it is not in: what needs a login kills it */
	say(peer, IPC_LEG, 0,
		&(struct msg_leg){ .leg = 1,
			.mode = MODE_JUMP,
			.target = (char[]){ "web1" },
			.login = (char[]){ "deploy" } },
		-1);
	expect_closed(peer);
	assert_int_equal(events_of("login").count, 0);
}

static void test_login_refused(void **state)
{
	(void)state;
	world_up(RULES);
	know("alice", "sre");
	refused(&(struct cert){ .user = "alice", .from = -600, .to = -180 },
		"expired 3 minutes ago");
	refused(&(struct cert){ .user = "alice", .from = 600, .to = 900 }, "not valid before");
	refused(&(struct cert){ .user = "alice", .from = -60, .to = 600, .ca = world.backend_ca },
		"was not issued by an authority that is trusted here (CA SHA256:");
	refused(&(struct cert){ .user = "alice", .second = "bob", .from = -60, .to = 600 },
		"names 2 principals");
	refused(&(struct cert){ .user = "alice", .from = -60, .to = 600, .source = "10.0.0.0/8" },
		"source-address");
	assert_int_equal(events_of("login-refused").count, 5);
	assert_int_equal(events_of("session-violation").count, 5);
	world_down();
}

static void test_plain_key_and_attempts(void **state)
{
	(void)state;
	world_up("limits: {login_attempts: 2}\n" RULES);
	session = connect_client();
	for (int i = 0; i < 3; i++) { /* asked; proved; asked again: it has been round */
		say(session, IPC_AUTH, 0,
			&(struct msg_auth){ i == 1, (char[]){ "alice" }, sshkey_blob(world.alice) },
			-1);
		struct heard *answer = expect(session, IPC_AUTH_ANSWER);
		assert_true(!!strstr(MSG(answer, msg_auth_answer)->reason,
				    "a certificate is needed") == (i == 2));
		done(answer);
	}
	assert_int_equal(events_of("login-refused").count, 0); /* a certificate may follow */
	for (int i = 0; i < 2; i++)
		done(try_login(session, &(struct cert){ .user = "alice", .from = -600, .to = -180 },
			true));
	struct heard *end = expect(session, IPC_END);
	assert_string_equal(MSG(end, msg_end)->reason, "too many login attempts");
	done(end);
	say(session, IPC_AUTH, 0,
		&(struct msg_auth){ false, (char[]){ "alice" }, sshkey_blob(world.alice) }, -1);
	expect_closed(session);
	assert_int_equal(events_of("login-refused").count, 2);
	world_down();
}

static void test_user_name_is_pinned(void **state)
{
	(void)state;
	world_up(RULES);
	session = connect_client();
	done(try_login(session, &(struct cert){ .user = "alice", .from = -60, .to = 600 }, false));
	struct heard *answer =
		try_login(session, &(struct cert){ .user = "bob", .from = -60, .to = 600 }, true);
	assert_false(MSG(answer, msg_auth_answer)->ok);
	assert_non_null(strstr(MSG(answer, msg_auth_answer)->reason, "may not change"));
	done(answer);
	world_down();
}

/* The same name of another authority is somebody else: no groups, and the rules see it. */
static void test_foreign_authority(void **state)
{
	(void)state;
	world_up(RULES);
	know("alice", "sre");
	session = connect_client();
	struct heard *answer = try_login(session,
		&(struct cert){ .user = "alice", .from = -60, .to = 600, .ca = world.foreign_ca },
		true);
	assert_true(MSG(answer, msg_auth_answer)->ok);
	done(answer);
	answer = name_leg(session, 1, "web1", "deploy");
	assert_false(MSG(answer, msg_leg_answer)->ok);
	done(answer);
	assert_non_null(strstr(events_of("login").last, "\"provider\":\"ca:SHA256:"));
	session = connect_client(); /* several principals are several people, whatever user name the
				       client gives */
	answer = try_login(session,
		&(struct cert){ .user = "alice",
			.second = "bob",
			.from = -60,
			.to = 600,
			.ca = world.foreign_ca },
		true);
	assert_false(MSG(answer, msg_auth_answer)->ok);
	assert_non_null(strstr(MSG(answer, msg_auth_answer)->reason,
		"names 2 principals, and nothing says which of them is the user"));
	done(answer);
	world_down();
}

/* A serial that was issued for one key is worth nothing with another. */
static void test_serial_belongs_to_a_key(void **state)
{
	(void)state;
	world_up(RULES);
	know("alice", "sre");
	struct store *store = NULL;
	struct err err;
	struct certificate_row row = { .serial = 7,
		.provider = (char[]){ "local" },
		.subject = (char[]){ "alice" },
		.user = (char[]){ "alice" },
		.key_id = (char[]){ "x" },
		.key_fp = (char[]){ "SHA256:somebodyelseskey" },
		.valid_before = 1,
		.issued = 1 };
	assert_int_equal(store_open(world.scratch.fd, false, &store, &err), 0);
	assert_int_equal(certificates_put(store, &row, &err), 0);
	store_close(store);
	session = connect_client();
	struct heard *answer = try_login(session,
		&(struct cert){ .user = "alice", .from = -60, .to = 600, .serial = 7 }, true);
	assert_false(MSG(answer, msg_auth_answer)->ok);
	done(answer);
	world_down();
}

/* ---- to a target ---- */

static void in(const char *extra, const char *target)
{
	world_up(extra);
	know("alice", "sre");
	session = login_as("alice");
	leg_up(session, 1, target, id);
}

static int tell_crypto(const struct target_crypto *row, void *context)
{
	snprintf(context, 256, "%s %u %s %s %s %s %s", row->target, row->port, row->kex,
		row->host_key ? row->host_key : "-", row->cipher ? row->cipher : "-",
		row->post_quantum ? "yes" : "no", row->scanned ? "scan" : "session");
	return 0;
}

/* how the only target that a session went to was connected to */
static const char *last_connected(void)
{
	static char text[256];
	struct store *store = NULL;

	text[0] = 0;
	assert_int_equal(store_open(world.scratch.fd, true, &store, NULL), 0);
	assert_int_equal(target_crypto_each(store, tell_crypto, text, NULL), 0);
	store_close(store);
	return text;
}

static void test_session(void **state)
{
	(void)state;
	in(RULES, "web1");
	say(session, IPC_REQUEST, 0,
		&(struct msg_request){
			1, 5, (char[]){ "env" }, { (const uint8_t *)"A=\033[1m", 6 } },
		-1);
	struct heard *decision = access_of(session, 1, 5, ACCESS_EXEC, "uname -a");
	const struct msg_decision *msg = MSG(decision, msg_decision);
	assert_int_equal(msg->verdict, VERDICT_ALLOW);
	assert_true(msg->record && msg->record_required && decision->fd_count == 1);
	assert_string_equal(msg->rule, "staging");
	assert_string_equal(msg->title, "alice deploy@web1 exec");
	assert_int_equal(
		write(decision->fds[0],
			"{\"version\":2,\"width\":80,\"height\":24,\"timestamp\":1}\n", 51),
		51);
	done(decision);
	struct heard *grant = expect(session, IPC_GRANT);
	const struct msg_grant *got = MSG(grant, msg_grant);
	char key[1024];
	assert_true(got->ok && grant->fd_count == 1);
	assert_string_equal(got->credential, "certificate");
	assert_string_equal(got->login, "deploy");
	assert_string_equal(got->host_keys[0], line_of(world.target_key, key));
	struct sshcert *cert = NULL;
	assert_int_equal(sshcert_parse(got->secret, &cert, NULL), 0);
	assert_true(sshkey_same(cert->ca, world.backend_ca) && sshkey_same(cert->key, world.alice));
	assert_int_equal(cert->principal_count, 1);
	assert_string_equal(cert->principals[0], "deploy");
	assert_non_null(strstr(cert->key_id, id));
	assert_true(
		cert->valid_before <= (uint64_t)clock_wall() + 300 && cert->rights == SSHCERT_PTY);
	uint64_t serial = cert->serial;
	sshcert_free(cert);
	done(grant);
	struct msg_evidence evidence = { .leg = 1,
		.transport = (char[]){ "outbound" },
		.kex = (char[]){ "curve25519-sha256" },
		.host_key_algorithm = (char[]){ "ssh-ed25519" },
		.host_key_fingerprint = (char[]){ "SHA256:x" },
		.cipher_in = (char[]){ "c" },
		.cipher_out = (char[]){ "c" },
		.mac_in = (char[]){ "m" },
		.mac_out = (char[]){ "m" },
		.banner = (char[]){ "SSH-2.0-\033evil" },
		.strict_kex = true };
	say(session, IPC_EVIDENCE, 0, &evidence, -1);
	end_channel(session, 1, 5);
	end_leg(session, 1, "");
	peer_close(session);
	client_gone_with(world.connection, 0);
	world_stop();
	struct session_row row;
	session_row(id, &row);
	assert_int_equal(row.state, SESSION_CLOSED);
	assert_string_equal(row.reason, "");
	assert_non_null(row.digest);
	session_row_release(&row);
	JSON_CLEANUP json_t *json = session_file(id);
	json_t *channel = json_array_get(json_object_get(json, "channels"), 0);
	json_t *outbound = json_object_get(json_object_get(json, "evidence"), "outbound");
	assert_int_equal(json_integer_value(json_object_get(channel, "exit_status")), 3);
	assert_int_equal(json_array_size(json_object_get(channel, "requests")), 1);
	assert_string_equal(
		json_get_string(json_array_get(json_object_get(channel, "requests"), 0), "detail"),
		"A=\\x1b[1m");
	assert_int_equal(
		(uint64_t)json_integer_value(json_object_get(outbound, "certificate_serial")),
		serial);
	assert_string_equal(json_get_string(outbound, "banner"), "SSH-2.0-\\x1bevil");
	assert_string_equal(json_get_string(json_object_get(json, "identity"), "user"), "alice");
	assert_int_equal(events_of("access-allowed").count, 1);
	assert_int_equal(events_of("session-end").count, 1);
	assert_string_equal(last_connected(), "web1 2200 curve25519-sha256 ssh-ed25519 c no session");
	world_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_login),
		cmocka_unit_test(test_login_refused),
		cmocka_unit_test(test_plain_key_and_attempts),
		cmocka_unit_test(test_user_name_is_pinned),
		cmocka_unit_test(test_foreign_authority),
		cmocka_unit_test(test_serial_belongs_to_a_key),
		cmocka_unit_test(test_session),
	};
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
