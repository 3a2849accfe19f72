/* Grants: what a session gets to reach its target, what it is told when it does not, and that nothing is left behind when it goes away meanwhile. */
#include "tests/unit/broker_world.h"

static struct peer *session;
static char id[27];

static void in(const char *extra, const char *target)
{
	world_up(extra);
	know("alice", "sre");
	session = login_as("alice");
	leg_up(session, 1, target, id);
}

static void allowed(struct peer *peer, uint32_t leg, uint32_t channel)
{
	struct heard *decision = access_of(peer, leg, channel, ACCESS_EXEC, "id");
	if (MSG(decision, msg_decision)->verdict != VERDICT_ALLOW)
		fail_msg("%s", MSG(decision, msg_decision)->reason);
	done(decision);
}

static void grant_fails(unsigned exit, const char *words)
{
	struct heard *grant = expect(session, IPC_GRANT);
	assert_false(MSG(grant, msg_grant)->ok);
	assert_int_equal(MSG(grant, msg_grant)->exit, exit);
	assert_int_equal(grant->fd_count, 0);
	if (!strstr(MSG(grant, msg_grant)->reason, words))
		fail_msg("'%s' is not in '%s'", words, MSG(grant, msg_grant)->reason);
	done(grant);
}

/* ---- failures ---- */

static void test_out_of_reach(void **state)
{
	(void)state;
	in(RULES, "web1");
	world.mode = EGRESS_FAILS;
	allowed(session, 1, 0);
	grant_fails(EXIT_UNREACHABLE, "target 'web1' is out of reach: connection refused");
	struct heard *decision = access_of(session, 1, 1, ACCESS_EXEC, "id"); /* and whoever asks again hears the same */
	assert_int_equal(MSG(decision, msg_decision)->verdict, VERDICT_DENY);
	assert_int_equal(MSG(decision, msg_decision)->exit, EXIT_UNREACHABLE);
	done(decision);
	assert_int_equal(events_of("dial-failed").count, 1);
	world_down();
}

static void test_nothing_pinned(void **state)
{
	(void)state;
	in(RULES, "b.db");
	allowed(session, 1, 0);
	grant_fails(EXIT_UNREACHABLE, "target 'b.db' has no pinned host key: an administrator can add it with: bartizan hosts scan b.db");
	assert_int_equal(world.dials, 0);
	leg_up(session, 2, "a.db", id); /* the one in the file */
	allowed(session, 2, 0);
	struct heard *grant = expect(session, IPC_GRANT);
	assert_true(MSG(grant, msg_grant)->ok);
	done(grant);
	world_down();
}

static void test_no_signer(void **state)
{
	(void)state;
	in(RULES, "web1");
	peer_close(world.signer);
	world.mode = EGRESS_HOLDS;
	done(name_leg(session, 2, "web1", "deploy"));
	allowed(session, 1, 0);
	grant_fails(EXIT_GATEWAY, "could not make its credential");
	world.signer = introduce(IPC_ROLE, 0, &(struct msg_role){ (char[]){ "signer" } }); /* the listener has started another one */
	world.mode = EGRESS_CONNECTS;
	done(name_leg(session, 3, "web1", "deploy"));
	allowed(session, 3, 0);
	struct heard *grant = expect(session, IPC_GRANT);
	assert_true(MSG(grant, msg_grant)->ok);
	done(grant);
	world_down();
}

static bool dialled(void) { return world.held_count > 0; }
static bool dialled_twice(void) { return world.held_count > 1; }
static bool cancelled(void) { return world.cancels > 0; }

static void test_signer_dies_when_asked(void **state)
{
	(void)state;
	in(RULES, "web1");
	world.mode = EGRESS_HOLDS;
	world.signer_mute = true;
	allowed(session, 1, 0);
	wait_for(dialled, "a dial");
	done(expect(world.signer, IPC_SIGN_CERT));
	peer_close(world.signer);
	grant_fails(EXIT_GATEWAY, "could not make its credential");
	wait_for(cancelled, "the dial is cancelled");
	world_down();
}

static void test_egress_dies_when_asked(void **state)
{
	(void)state;
	in(RULES, "web1");
	world.mode = EGRESS_HOLDS;
	allowed(session, 1, 0);
	wait_for(dialled, "a dial");
	peer_close(world.egress);
	grant_fails(EXIT_UNREACHABLE, "egress process is not running");
	done(name_leg(session, 2, "web1", "deploy"));
	allowed(session, 2, 0); /* and with none there at all */
	grant_fails(EXIT_UNREACHABLE, "egress process is not running");
	world_down();
}

/* ---- who goes away in between ---- */

static void test_leg_ends_meanwhile(void **state)
{
	(void)state;
	in(RULES, "web1");
	world.mode = EGRESS_HOLDS;
	allowed(session, 1, 0);
	wait_for(dialled, "a dial");
	end_leg(session, 1, "client went away");
	wait_for(cancelled, "the dial is cancelled");
	answer_dial(world.held[0].id); /* too late: the descriptor must not live on in the broker */
	char byte;
	struct pollfd backend = { .fd = world.backend, .events = POLLIN };
	assert_int_equal(poll(&backend, 1, WAIT_MS), 1);
	assert_int_equal(read(world.backend, &byte, 1), 0);
	assert_null(take(session, IPC_GRANT));
	world_down();
}

static void test_killed_meanwhile(void **state)
{
	(void)state;
	in(RULES, "web1");
	world.mode = EGRESS_HOLDS;
	struct heard *decision = access_of(session, 1, 0, ACCESS_SHELL, "");
	static const char begun[] = "{\"version\":2,\"width\":80,\"height\":24,\"timestamp\":1}\n[0.1,\"o\",\"hello\"]\n[0.2,\"o\",\"hal";
	assert_int_equal(write(decision->fds[0], begun, sizeof(begun) - 1), sizeof(begun) - 1);
	done(decision);
	wait_for(dialled, "a dial");
	peer_close(session);
	client_gone_with(world.connection, SIGKILL);
	wait_for(cancelled, "the dial is cancelled");
	world_stop();
	struct session_row row;
	session_row(id, &row);
	assert_string_equal(row.reason, "session process killed by signal 9");
	assert_int_equal(row.state, SESSION_CLOSED);
	struct store *store = NULL;
	assert_int_equal(store_open(world.scratch.fd, true, &store, NULL), 0);
	int fd = transcripts_read(store, row.path, "0-shell.cast", NULL);
	char *text = scratch_slurp(fd);
	assert_non_null(strstr(text, "hello"));
	assert_null(strstr(text, "hal\""));
	assert_non_null(strstr(text, "session process killed by signal 9"));
	free(text);
	close(fd);
	store_close(store);
	session_row_release(&row);
	assert_int_equal(events_of("session-process-died").count, 1);
	world_down(); /* the chain and the digests hold */
}

/* ---- places ---- */

static void evidence_of(struct peer *peer, uint32_t leg)
{
	struct msg_evidence msg = { .leg = leg, .transport = (char[]){ "outbound" } };
	say(peer, IPC_EVIDENCE, 0, &msg, -1);
}

static void test_places_at_a_target(void **state)
{
	(void)state;
	in("outbound: {dials_per_target: 1}\n" RULES, "web1");
	world.mode = EGRESS_HOLDS;
	leg_up(session, 2, "WEB1", id);
	leg_up(session, 3, "a.db", id);
	allowed(session, 1, 0);
	allowed(session, 2, 0);
	allowed(session, 3, 0);
	wait_for(dialled_twice, "two dials");
	assert_int_equal(world.dials, 2); /* leg 1 and another target's leg 3 */
	assert_string_equal(world.held[0].msg.host, "10.0.0.1");
	assert_int_equal(world.held[0].msg.port, 2200);
	assert_string_equal(world.held[1].msg.host, "a.db");
	answer_dial(world.held[0].id);
	struct heard *grant = expect(session, IPC_GRANT);
	assert_int_equal(MSG(grant, msg_grant)->leg, 1);
	done(grant);
	assert_int_equal(world.dials, 2); /* connected, but not logged in yet */
	evidence_of(session, 1);
	for (int64_t end = clock_mono_ms() + WAIT_MS; world.dials < 3 && clock_mono_ms() < end;)
		turn(20);
	assert_int_equal(world.dials, 3);
	world_down();
}

/* ---- credentials ---- */

static void agent_say(int fd, const char *body, size_t len)
{
	BUF_CLEANUP struct buf out = BUF_INIT(65536);
	assert_int_equal(wire_put_string(&out, body, len), 0);
	assert_int_equal(write(fd, buf_data(&out), out.len), (ssize_t)out.len);
}

/* The answer's body; its length. */
static size_t agent_hear(int fd, uint8_t *body, size_t size)
{
	size_t have = 0, want = 4;
	for (int64_t end = clock_mono_ms() + WAIT_MS; have < want && clock_mono_ms() < end; turn(10)) {
		ssize_t n = recv(fd, body + have, size - have, MSG_DONTWAIT);
		if (n == 0)
			return 0;
		have += n > 0 ? (size_t)n : 0;
		want = have >= 4 ? 4 + ((size_t)body[2] << 8 | body[3]) : 4;
	}
	assert_true(have == want);
	memmove(body, body + 4, have - 4);
	return have - 4;
}

static void put_sign(struct buf *out, const struct sshkey *key, const char *data)
{
	assert_false(wire_put_u8(out, 13) || wire_put_bytes(out, sshkey_blob(key)) || wire_put_cstring(out, data) || wire_put_u32(out, 0));
}

static void test_static_key(void **state)
{
	(void)state;
	uint8_t body[8192];
	in(RULES, "old1");
	allowed(session, 1, 0);
	struct heard *grant = expect(session, IPC_GRANT);
	assert_string_equal(MSG(grant, msg_grant)->credential, "key");
	assert_int_equal(grant->fd_count, 2);
	assert_true(wire_same(MSG(grant, msg_grant)->secret, sshkey_blob(world.router)));
	int fd = grant->fds[1];
	BUF_CLEANUP struct buf sign = BUF_INIT(8192), other = BUF_INIT(8192);
	put_sign(&sign, world.router, "a login");
	put_sign(&other, world.backend_ca, "a login");
	agent_say(fd, "\x0b", 1);
	size_t len = agent_hear(fd, body, sizeof(body));
	assert_true(len > 5 && body[0] == 12 && body[4] == 1);
	agent_say(fd, "\x12", 1); /* remove all: not here */
	assert_true(agent_hear(fd, body, sizeof(body)) == 1 && body[0] == 5);
	agent_say(fd, (const char *)buf_data(&other), other.len); /* another key of the signer's */
	assert_true(agent_hear(fd, body, sizeof(body)) == 1 && body[0] == 5);
	agent_say(fd, (const char *)buf_data(&sign), sign.len - 1); /* cut */
	assert_true(agent_hear(fd, body, sizeof(body)) == 1 && body[0] == 5);
	agent_say(fd, (const char *)buf_data(&sign), sign.len);
	len = agent_hear(fd, body, sizeof(body));
	assert_int_equal(body[0], 14);
	struct wire in_ = WIRE_OF(body + 1, len - 1);
	struct bytes signature;
	assert_int_equal(wire_get_string(&in_, &signature), 0);
	assert_int_equal(sshkey_verify(world.router, signature, (struct bytes){ (const uint8_t *)"a login", 7 }, NULL), 0);
	agent_say(fd, (const char *)buf_data(&sign), sign.len); /* one signature, no second */
	assert_true(agent_hear(fd, body, sizeof(body)) == 1 && body[0] == 5);
	assert_int_equal(write(fd, "\xff\xff\xff\xff\x0b", 5), 5); /* too long: the end */
	assert_int_equal(agent_hear(fd, body, sizeof(body)), 0);
	done(grant);
	world_down();
}

static void test_password(void **state)
{
	(void)state;
	in(RULES, "pass1");
	allowed(session, 1, 0);
	struct heard *grant = expect(session, IPC_GRANT);
	assert_string_equal(MSG(grant, msg_grant)->credential, "password");
	assert_true(wire_equal(MSG(grant, msg_grant)->secret, "secret"));
	done(grant);
	world_down();
}

/* ---- limits ---- */

static void test_session_limit(void **state)
{
	(void)state;
	in("rules:\n  - {name: short, allow: \"*\", roles: [sre], targets: {labels: {env: staging}}, limits: {session: 1s, idle: 5m}}\n", "web1");
	struct heard *decision = access_of(session, 1, 0, ACCESS_SHELL, "");
	assert_int_equal(MSG(decision, msg_decision)->session_time, 1000);
	assert_int_equal(MSG(decision, msg_decision)->idle, 300000);
	done(decision);
	struct heard *end = expect(session, IPC_END);
	assert_int_equal(MSG(end, msg_end)->leg, 1);
	assert_non_null(strstr(MSG(end, msg_end)->reason, "session limit of 1 second reached"));
	done(end);
	assert_null(take(session, IPC_NOTICE)); /* a limit of a second needs no warning of five minutes */
	decision = access_of(session, 1, 1, ACCESS_SHELL, "");
	assert_int_equal(MSG(decision, msg_decision)->verdict, VERDICT_DENY);
	done(decision);
	world_down();
}

static void test_no_room(void **state)
{
	(void)state;
	world_up("transcripts: {min_free: 16TiB, break_glass: glass}\n" RULES "  - {name: glass, allow: \"*\", roles: [glass]}\n");
	know("alice", "sre");
	know("bob", "glass");
	session = login_as("alice");
	struct heard *answer = name_leg(session, 1, "web1", "deploy");
	assert_false(MSG(answer, msg_leg_answer)->ok);
	assert_int_equal(MSG(answer, msg_leg_answer)->exit, EXIT_GATEWAY);
	assert_non_null(strstr(MSG(answer, msg_leg_answer)->reason, "no room for transcripts"));
	done(answer);
	session = login_as("bob");
	leg_up(session, 1, "web1", id);
	allowed(session, 1, 0);
	world_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_out_of_reach), cmocka_unit_test(test_nothing_pinned), cmocka_unit_test(test_no_signer),
			cmocka_unit_test(test_signer_dies_when_asked),
		cmocka_unit_test(test_egress_dies_when_asked), cmocka_unit_test(test_leg_ends_meanwhile), cmocka_unit_test(test_killed_meanwhile),
		cmocka_unit_test(test_places_at_a_target), cmocka_unit_test(test_static_key), cmocka_unit_test(test_password),
			cmocka_unit_test(test_session_limit),
		cmocka_unit_test(test_no_room),
	};
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
