/* What a session may say when: each violation kills it and is in the audit log, each in words, and its twin that follows the rules is let through. */
#include "tests/unit/broker_world.h"

static struct peer *session;
static char id[27];

enum stage { CONNECTED, IN, NAMED, OPEN, ENDED };

/* A session that has come so far by the rules: leg 1 on web1, channel 0. */
static struct peer *at(enum stage stage)
{
	if (stage == CONNECTED)
		return connect_client();
	struct peer *peer = login_as("alice");
	if (stage >= NAMED)
		leg_up(peer, 1, "web1", id);
	if (stage >= OPEN) {
		done(access_of(peer, 1, 0, ACCESS_EXEC, "id"));
		done(expect(peer, IPC_GRANT));
	}
	if (stage >= ENDED) {
		end_channel(peer, 1, 0);
		end_leg(peer, 1, "");
	}
	return peer;
}

static struct msg_leg leg_msg = { .leg = 1, .mode = MODE_JUMP, .target = "web1", .login = "deploy" };
static struct msg_leg leg_mode = { .leg = 2, .mode = 9, .target = "web1", .login = "deploy" };
static struct msg_leg leg_all = { .leg = IPC_LEG_ALL, .mode = MODE_JUMP, .target = "web1", .login = "deploy" };
static struct msg_access access_msg = { .leg = 1, .channel = 0, .kind = ACCESS_EXEC, .term = "" };
static struct msg_access access_kind = { .leg = 1, .channel = 1, .kind = ACCESS_KINDS, .term = "" };
static struct msg_access access_leg = { .leg = 7, .channel = 1, .kind = ACCESS_EXEC, .term = "" };
static struct msg_request request_leg = { .leg = 7, .channel = 1, .what = "env" };
static struct msg_channel_end end_msg = { .leg = 1, .channel = 0, .exit_signal = "", .reason = "" };
static struct msg_event event_msg = { .leg = 1, .type = "coffee-break" };
static struct msg_evidence evidence_msg = { .leg = 1, .transport = "sideways" };
static struct msg_evidence evidence_early = { .leg = 1, .transport = "outbound" };
static struct msg_proxy proxy_msg = { .source = "10.9.8.7:1" };
static struct msg_auth auth_msg = { .proved = true, .user = "bob" };
static struct msg_command command_msg = { .channel = 1, .terminal = false };
static struct msg_channel stop_msg = { .channel = 1 };
static struct msg_leg_end leg_end_msg = { .leg = 1, .reason = "" };
static struct msg_decision decision_msg = { .leg = 1, .verdict = VERDICT_ALLOW, .rule = "", .reason = "", .title = "" };
static struct msg_client client_msg = { .connection = 77, .source = "1.2.3.4:5", .local = "" };
static struct msg_scanned scanned_msg = { .reason = "" };

static const struct { const char *name; enum stage stage; enum ipc_type type; const void *msg; const char *why; } violations[] = {
	{ "leg before login", CONNECTED, IPC_LEG, &leg_msg, "it is not allowed in this state" },
	{ "access before login", CONNECTED, IPC_ACCESS, &access_msg, "it is not allowed in this state" },
	{ "request before login", CONNECTED, IPC_REQUEST, &request_leg, "it is not allowed in this state" },
	{ "end of a channel before login", CONNECTED, IPC_CHANNEL_END, &end_msg, "it is not allowed in this state" },
	{ "end of a leg before login", CONNECTED, IPC_LEG_END, &leg_end_msg, "it is not allowed in this state" },
	{ "command before login", CONNECTED, IPC_COMMAND, &command_msg, "it is not allowed in this state" },
	{ "stop before login", CONNECTED, IPC_COMMAND_STOP, &stop_msg, "it is not allowed in this state" },
	{ "proxy of a peer that is not believed", CONNECTED, IPC_PROXY, &proxy_msg, "not in proxy_protocol.from" },
	{ "proxy after login", IN, IPC_PROXY, &proxy_msg, "it is not allowed in this state" },
	{ "second login", IN, IPC_AUTH, &auth_msg, "after the login is complete" },
	{ "a decision of its own", IN, IPC_DECISION, &decision_msg, "it is not a message of a session" },
	{ "a client of its own", IN, IPC_CLIENT, &client_msg, "it is not a message of a session" },
	{ "keys as a scan has", IN, IPC_SCANNED, &scanned_msg, "it is not a message of a session" },
	{ "leg named twice", NAMED, IPC_LEG, &leg_msg, "named before" },
	{ "leg named again after its end", ENDED, IPC_LEG, &leg_msg, "named before" },
	{ "all legs", IN, IPC_LEG, &leg_all, "named before" },
	{ "a mode that is none", IN, IPC_LEG, &leg_mode, "mode 9" },
	{ "access on a leg never named", NAMED, IPC_ACCESS, &access_leg, "never named" },
	{ "access on a leg that has ended", ENDED, IPC_ACCESS, &access_msg, "has ended" },
	{ "access on an open channel", OPEN, IPC_ACCESS, &access_msg, "opened before" },
	{ "a kind that is none", NAMED, IPC_ACCESS, &access_kind, "unknown kind" },
	{ "request on a leg never named", NAMED, IPC_REQUEST, &request_leg, "never named" },
	{ "an event that is none", IN, IPC_EVENT, &event_msg, "unknown event" },
	{ "a transport that is none", NAMED, IPC_EVIDENCE, &evidence_msg, "unknown transport" },
	{ "evidence of a connection that is not there", NAMED, IPC_EVIDENCE, &evidence_early, "no outbound connection" },
};

static void killed(struct peer *peer, const char *name, const char *why)
{
	struct heard *kill = expect(world.parent, IPC_KILL);
	assert_int_equal(MSG(kill, msg_connection)->connection, world.connection);
	done(kill);
	expect_closed(peer);
	struct events events = events_of("session-violation");
	if (!strstr(events.last, why))
		fail_msg("%s: '%s' is not in '%s'", name, why, events.last);
}

static void test_violations(void **state)
{
	(void)state;
	world_up(RULES);
	know("alice", "sre");
	for (size_t i = 0; i < COUNT(violations); i++) {
		world.link_count = 3; /* listener, signer, egress stay; the table is longer than their room */
		session = at(violations[i].stage);
		say(session, violations[i].type, 0, violations[i].msg, -1);
		killed(session, violations[i].name, violations[i].why);
		assert_int_equal(events_of("session-violation").count, i + 1);
		peer_close(session);
		free(session);
	}
	world.link_count = 3;
	world_down();
}

static void raw_violation(unsigned type, const char *body, size_t len, int fd, const char *why)
{
	session = at(NAMED);
	assert_int_equal(ipc_send_raw(session->ipc, (uint16_t)type, 0, (struct bytes){ (const uint8_t *)body, len }, &fd, fd >= 0 ? 1 : 0), 0);
	killed(session, why, why);
}

static void test_malformed(void **state)
{
	(void)state;
	world_up(RULES);
	know("alice", "sre");
	raw_violation(IPC_LEG_END, "\0\0\0", 3, -1, "malformed");
	raw_violation(IPC_LEG_END, "\0\0\0\1\0\0\0\0x", 9, -1, "too many");
	raw_violation(999, "", 0, -1, "it is not a message of a session");
	raw_violation(0, "", 0, -1, "it is not a message of a session");
	raw_violation(IPC_LEG_END, "\0\0\0\1\0\0\0\0", 8, world.scratch.fd, "descriptor");
	world_down();
}

/* A flood is cut, and the broker goes on for the others. */
static void test_flood(void **state)
{
	(void)state;
	world_up(RULES);
	know("alice", "sre");
	struct peer *other = at(IN);
	session = at(NAMED);
	struct msg_request msg = { .leg = 1, .channel = 1, .what = (char[]){ "env" } };
	for (int i = 0; i < 60000 && !session->gone; i++) {
		int rc = ipc_send(session->ipc, IPC_REQUEST, 0, &msg, NULL, 0);
		if (rc == -EPIPE)
			break;
		if (rc || i % 256 == 0)
			turn(1);
	}
	expect_closed(session);
	assert_non_null(strstr(events_of("session-violation").last, "too many messages"));
	leg_up(other, 1, "web1", id);
	world_down();
}

static void test_events_are_bounded(void **state)
{
	(void)state;
	world_up(RULES);
	know("alice", "sre");
	session = at(NAMED);
	struct msg_event msg = { .leg = 1, .type = (char[]){ "forward-refused" }, .detail = { (const uint8_t *)"a\033b", 3 } };
	for (int i = 0; i < 1200; i++) {
		say(session, IPC_EVENT, 0, &msg, -1);
		if (i % 100 == 0)
			turn(0);
	}
	done(name_leg(session, 2, "web1", "deploy")); /* an answer: everything before it has been heard */
	assert_int_equal(events_of("forward-refused").count, 1000);
	assert_int_equal(events_of("events-suppressed").count, 1);
	assert_non_null(strstr(events_of("forward-refused").last, "a\\\\x1bb"));
	world_down();
}

/* ---- what is allowed, and its twin ---- */

static void decided(uint32_t channel, enum access_kind kind, const char *command, size_t len, unsigned exit, const char *words)
{
	struct msg_access msg = { .leg = 1, .channel = channel, .kind = kind, .detail = { (const uint8_t *)command, len }, .term = (char[]){ "" } };
	say(session, IPC_ACCESS, 0, &msg, -1);
	struct heard *decision = expect(session, IPC_DECISION);
	const struct msg_decision *got = MSG(decision, msg_decision);
	assert_int_equal(got->verdict, exit ? VERDICT_DENY : VERDICT_ALLOW);
	assert_int_equal(got->exit, exit);
	assert_int_equal(decision->fd_count, exit ? 0 : 1);
	if (!strstr(got->reason, words))
		fail_msg("'%s' is not in '%s'", words, got->reason);
	done(decision);
}

static void test_kinds(void **state)
{
	(void)state;
	world_up(RULES);
	know("alice", "sre");
	session = at(NAMED);
	decided(0, ACCESS_EXEC, "a\0b", 3, EXIT_DENIED, "NUL");
	decided(1, ACCESS_AGENT, "", 0, EXIT_DENIED, "shell, exec, sftp");
	decided(2, ACCESS_X11, "", 0, EXIT_DENIED, "shell, exec, sftp");
	decided(3, ACCESS_LOCAL_FORWARD, "db:5432", 7, EXIT_DENIED, "shell, exec, sftp");
	assert_int_equal(world.dials, 0);
	assert_int_equal(events_of("access-denied").count, 4);
	decided(4, ACCESS_SHELL, "", 0, 0, "staging");
	decided(5, ACCESS_SFTP, "", 0, 0, "staging");
	decided(6, ACCESS_SUBSYSTEM, "netconf", 7, 0, "staging");
	decided(0, ACCESS_EXEC, "true", 4, 0, "staging"); /* what was denied may ask again */
	done(expect(session, IPC_GRANT));
	assert_int_equal(world.dials, 1); /* one outbound session for all of them */
	world_down();
}

static void leg_refused(const char *target, const char *login, unsigned port, const char *words)
{
	static uint32_t leg = 100;
	struct msg_leg msg = { .leg = ++leg, .mode = MODE_DIRECT, .target = (char *)target, .login = (char *)login, .port = port,
		.pubkey = sshkey_blob(world.alice) };
	say(session, IPC_LEG, 0, &msg, -1);
	struct heard *answer = expect(session, IPC_LEG_ANSWER);
	const struct msg_leg_answer *got = MSG(answer, msg_leg_answer);
	assert_int_equal(got->ok, !words);
	if (words && (!strstr(got->reason, words) || got->exit != EXIT_DENIED))
		fail_msg("'%s' is not in '%s' (%u)", words, got->reason, got->exit);
	done(answer);
}

static void test_targets(void **state)
{
	(void)state;
	world_up(RULES);
	know("alice", "sre");
	know("mallory", NULL);
	session = at(IN);
	leg_refused("nowhere", "deploy", 0, "no target 'nowhere' (see: ssh gw targets)");
	leg_refused("we\033b", "deploy", 0, "no target 'we\\x1bb'");
	leg_refused("web1", "-oProxyCommand=x", 0, "not a user name");
	leg_refused("web1", "", 0, "not a user name");
	leg_refused("web1", "deploy", 2222, "not reached at port 2222");
	leg_refused("secret1", "deploy", 0, "no rule");
	leg_refused("web1", "root", 0, "no-root");
	leg_refused("web1", "deploy", 0, NULL);
	leg_refused("WEB1", "deploy", 22, NULL);
	leg_refused("web1", "deploy", 2200, NULL);
	assert_int_equal(events_of("access-denied").count, 7);
	session = login_as("mallory");
	leg_refused("web1", "deploy", 0, "no rule");
	world_down();
}

static void test_targets_per_connection(void **state)
{
	(void)state;
	world_up("limits: {targets_per_connection: 2}\n" RULES);
	know("alice", "sre");
	session = at(IN);
	leg_up(session, 1, "web1", id);
	leg_up(session, 2, "old1", id);
	leg_refused("web1", "deploy", 0, "limits.targets_per_connection");
	end_leg(session, 1, "");
	leg_refused("web1", "deploy", 0, NULL);
	world_down();
}

static void forced(const char *force, enum access_kind kind, const char *command, bool allowed)
{
	session = connect_client();
	struct heard *answer = try_login(session, &(struct cert){ .user = "alice", .from = -60, .to = 600, .force = force }, true);
	assert_string_equal(MSG(answer, msg_auth_answer)->force_command, force);
	done(answer);
	leg_up(session, 1, "web1", id);
	decided(0, kind, command, strlen(command), allowed ? 0 : EXIT_DENIED, allowed ? "staging" : "forced command");
	say(session, IPC_COMMAND, 0, &(struct msg_command){ .channel = 9, .argv = (char *[]){ (char[]){ "whoami" }, NULL } }, -1);
	struct heard *end = expect(session, IPC_COMMAND_EXIT);
	assert_int_equal(MSG(end, msg_command_exit)->status, EXIT_DENIED);
	done(end);
}

static void test_forced_command(void **state)
{
	(void)state;
	world_up(RULES);
	know("alice", "sre");
	forced("backup --all", ACCESS_EXEC, "backup --all", true);
	forced("backup --all", ACCESS_EXEC, "backup --all; id", false);
	forced("backup --all", ACCESS_EXEC, "backup", false);
	forced("backup --all", ACCESS_SHELL, "", false);
	forced("backup --all", ACCESS_SFTP, "", false);
	forced("internal-sftp", ACCESS_SFTP, "", true);
	forced("internal-sftp", ACCESS_EXEC, "id", false);
	world_down();
}

static void test_proxy(void **state)
{
	(void)state;
	world_up("proxy_protocol: {from: [192.0.2.0/24]}\n" RULES);
	know("alice", "sre");
	session = connect_client();
	say(session, IPC_PROXY, 0, &proxy_msg, -1);
	done(try_login(session, &(struct cert){ .user = "alice", .from = -60, .to = 600, .source = "10.9.8.0/24" }, true));
	assert_non_null(strstr(events_of("login").last, "10.9.8.7:1"));
	session = connect_client();
	say(session, IPC_PROXY, 0, &proxy_msg, -1);
	say(session, IPC_PROXY, 0, &proxy_msg, -1);
	killed(session, "proxy twice", "it was sent twice");
	session = connect_client();
	done(try_login(session, &(struct cert){ .user = "alice", .from = -60, .to = 600 }, false));
	say(session, IPC_PROXY, 0, &proxy_msg, -1);
	killed(session, "proxy late", "a PROXY header after the login has begun");
	world_down();
}

/* A connection may outlive its certificate; a new session on it may not begin. */
static void test_expired_meanwhile(void **state)
{
	(void)state;
	world_up(RULES);
	know("alice", "sre");
	session = connect_client();
	done(try_login(session, &(struct cert){ .user = "alice", .from = -60, .to = 2 }, true));
	leg_up(session, 1, "web1", id);
	bool refused = false;
	for (int64_t end = clock_mono_ms() + WAIT_MS; !refused && clock_mono_ms() < end; turn(100)) {
		static uint32_t leg = 100;
		struct heard *answer = name_leg(session, ++leg, "web1", "deploy");
		refused = !MSG(answer, msg_leg_answer)->ok && strstr(MSG(answer, msg_leg_answer)->reason, "expired");
		done(answer);
		end_leg(session, leg, "");
	}
	assert_true(refused);
	decided(0, ACCESS_EXEC, "id", 2, 0, "staging"); /* the session that was there goes on */
	world_down();
}

/* Without the chain nothing happens: no login, no access. */
static void test_audit_log_full(void **state)
{
	(void)state;
	world_up(RULES);
	know("alice", "sre");
	session = at(NAMED);
	struct peer *later = connect_client();
	struct rlimit none = { 0, 0 }, all = { RLIM_INFINITY, RLIM_INFINITY };
	struct rlimit before;
	assert_int_equal(prlimit(world.broker, RLIMIT_FSIZE, &(struct rlimit){ .rlim_cur = none.rlim_cur, .rlim_max = all.rlim_max }, &before), 0);
	decided(0, ACCESS_EXEC, "id", 2, EXIT_GATEWAY, "");
	assert_int_equal(world.dials, 0);
	struct heard *answer = try_login(later, &(struct cert){ .user = "alice", .from = -60, .to = 600 }, true);
	assert_false(MSG(answer, msg_auth_answer)->ok);
	assert_non_null(strstr(MSG(answer, msg_auth_answer)->reason, "audit"));
	done(answer);
	assert_int_equal(prlimit(world.broker, RLIMIT_FSIZE, &before, NULL), 0);
	decided(1, ACCESS_EXEC, "id", 2, 0, "staging");
	world_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_violations), cmocka_unit_test(test_malformed), cmocka_unit_test(test_flood),
			cmocka_unit_test(test_events_are_bounded), cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_targets), cmocka_unit_test(test_targets_per_connection), cmocka_unit_test(test_forced_command),
			cmocka_unit_test(test_proxy),
		cmocka_unit_test(test_audit_log_full), cmocka_unit_test(test_expired_meanwhile),
	};
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* the broker inherits it: a write too many is an error, not its end */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
