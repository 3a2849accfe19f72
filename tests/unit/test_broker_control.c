/* The broker's other sides: reloads, the control socket, commands of sessions, scans of host keys. */
#include "tests/unit/broker_world.h"

static struct peer *session;
static char id[27];

/* ---- reload ---- */

static void offer(uint64_t generation, const char *config, struct peer **ret_signer, struct peer **ret_egress)
{
	int bundle = bundle_of(config);
	say(world.parent, IPC_CONF, 0, &(struct msg_conf){ generation }, bundle);
	close(bundle);
	*ret_signer = introduce(IPC_ROLE, 0, &(struct msg_role){ (char[]){ "signer" } });
	*ret_egress = introduce(IPC_ROLE, 0, &(struct msg_role){ (char[]){ "egress" } });
}

static bool may_enter(const char *target)
{
	static uint32_t leg = 1000;
	struct heard *answer = name_leg(session, ++leg, target, "deploy");
	bool ok = MSG(answer, msg_leg_answer)->ok;
	done(answer);
	return ok;
}

static void test_reload(void **state)
{
	(void)state;
	struct peer *signer, *egress, *old[2];
	world_up(RULES);
	know("alice", "sre");
	session = login_as("alice");
	assert_false(may_enter("secret1"));
	old[0] = world.signer, old[1] = world.egress;
	offer(2, config_text("rules:\n  - {name: all, allow: \"*\", roles: [sre]}\n"), &signer, &egress);
	world.signer = signer, world.egress = egress;
	struct heard *taken = expect(world.parent, IPC_CONF_TAKEN);
	assert_int_equal(MSG(taken, msg_conf_taken)->generation, 2);
	done(taken);
	assert_true(may_enter("secret1"));
	expect_closed(old[0]);
	expect_closed(old[1]);
	assert_int_equal(events_of("configuration-taken").count, 1);
	world_down();
}

/* A question under way is answered by the old signer, which lives on for it; an answer of the new one is not taken for it. */
static void test_reload_with_questions_open(void **state)
{
	(void)state;
	struct peer *signer, *egress, *old;
	world_up(RULES);
	know("alice", "sre");
	session = login_as("alice");
	leg_up(session, 1, "web1", id);
	world.signer_mute = true;
	old = world.signer;
	done(access_of(session, 1, 0, ACCESS_EXEC, "id"));
	struct heard *question = expect(old, IPC_SIGN_CERT);
	offer(2, config_text(RULES), &signer, &egress);
	world.signer_mute = false;
	world.signer = signer, world.egress = egress;
	done(expect(world.parent, IPC_CONF_TAKEN));
	assert_false(old->gone);
	struct msg_signed forged = { .ok = true, .reason = (char[]){ "" }, .data = { (const uint8_t *)"forged", 6 } };
	say(signer, IPC_SIGNED, question->id, &forged, -1);
	assert_true(may_enter("web1"));
	assert_null(take(session, IPC_GRANT));
	forged.data = (struct bytes){ (const uint8_t *)"genuine", 7 };
	say(old, IPC_SIGNED, question->id, &forged, -1);
	struct heard *grant = expect(session, IPC_GRANT);
	assert_true(wire_equal(MSG(grant, msg_grant)->secret, "genuine"));
	done(grant);
	done(question);
	expect_closed(old);
	world_down();
}

static void test_reload_refused(void **state)
{
	(void)state;
	struct peer *signer, *egress;
	world_up(RULES);
	know("alice", "sre");
	session = login_as("alice");
	offer(2, config_text("rules:\n  - {name: all, alow: \"*\"}\n"), &signer, &egress);
	struct heard *failed = expect(world.parent, IPC_FAILED);
	assert_non_null(strstr(MSG(failed, msg_reason)->reason, "alow"));
	done(failed);
	expect_closed(signer); /* of a configuration that is not in force: they replace nobody */
	expect_closed(egress);
	assert_false(may_enter("secret1"));
	leg_up(session, 1, "web1", id);
	done(access_of(session, 1, 0, ACCESS_EXEC, "id"));
	struct heard *grant = expect(session, IPC_GRANT); /* by the signer and egress that were there all the time */
	assert_true(MSG(grant, msg_grant)->ok);
	done(grant);
	world_down();
}

/* ---- control socket ---- */

static struct peer *control(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", world.control);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return peer_new(fd);
}

/* Runs a command and gives back its status; what it wrote is in out. */
static unsigned command(struct peer *peer, uint32_t channel, char *const *argv, struct buf *out)
{
	struct msg_command msg = { .channel = channel, .argv = (char **)argv };
	struct heard *heard;
	say(peer, IPC_COMMAND, 0, &msg, -1);
	heard = expect(peer, IPC_COMMAND_EXIT);
	unsigned status = MSG(heard, msg_command_exit)->status;
	done(heard);
	while ((heard = take(peer, IPC_OUTPUT))) {
		assert_int_equal(buf_put(out, MSG(heard, msg_output)->data.data, MSG(heard, msg_output)->data.len), 0);
		done(heard);
	}
	return status;
}

#define ARGV(...) ((char *[]){ __VA_ARGS__, NULL })

static void test_control(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf out = BUF_INIT(1024 * 1024);
	world_up(RULES);
	struct peer *peer = control();
	assert_int_equal(command(peer, 3, ARGV((char[]){ "status" }, (char[]){ "--json" }), &out), 0);
	assert_non_null(strstr(buf_cstr(&out), "\"generation\": 1"));
	say(peer, IPC_COMMAND, 0, &(struct msg_command){ .argv = ARGV((char[]){ "status" }) }, -1); /* one command a connection */
	expect_closed(peer);
	peer = control();
	say(peer, IPC_AUTH, 0, &(struct msg_auth){ true, (char[]){ "root" }, { 0 } }, -1);
	expect_closed(peer);
	peer = control();
	buf_clear(&out);
	assert_int_not_equal(command(peer, 0, ARGV((char[]){ "no-such-command" }), &out), 0);
	world_down();
}

/* Whom the kernel does not name as an administrator hears why not, and nothing runs. Only root can become somebody else to show it. */
static void test_control_stranger(void **state)
{
	(void)state;
	if (getuid() != 0)
		skip();
	world_up(RULES);
	assert_int_equal(chmod(world.scratch.path, 0711) | chmod(world.control, 0666), 0);
	assert_int_equal(seteuid(65534), 0);
	struct peer *peer = control();
	assert_int_equal(seteuid(0), 0);
	BUF_CLEANUP struct buf out = BUF_INIT(65536);
	assert_int_equal(command(peer, 0, ARGV((char[]){ "status" }), &out), EXIT_DENIED);
	assert_non_null(strstr(buf_cstr(&out), "permission denied"));
	world_down();
}

static void test_issue(void **state)
{
	(void)state;
	char line[1024];
	BUF_CLEANUP struct buf out = BUF_INIT(1024 * 1024);
	world_up(RULES);
	line_of(world.alice, line);
	struct peer *peer = control();
	char *argv[] = { (char[]){ "cert" }, (char[]){ "issue" }, (char[]){ "--user" }, (char[]){ "alice" }, (char[]){ "--group" }, (char[]){ "sre" },
		(char[]){ "--public-key" }, line, NULL };
	unsigned status = command(peer, 0, argv, &out);
	if (status)
		fail_msg("%u: %s", status, buf_cstr(&out));
	char *base64 = strchr((char *)(uintptr_t)buf_cstr(&out), ' ');
	assert_non_null(base64);
	BUF_CLEANUP struct buf blob = BUF_INIT(65536);
	assert_int_equal(text_base64_decode(&blob, base64 + 1, strcspn(base64 + 1, " \n")), 0);
	struct sshcert *cert = NULL;
	assert_int_equal(sshcert_parse(buf_bytes(&blob), &cert, NULL), 0);
	assert_string_equal(cert->principals[0], "alice");
	assert_true(cert->serial > 0 && cert->valid_after < (uint64_t)clock_wall() - 250
		&& cert->valid_before < (uint64_t)clock_wall() + 10 * 3600 + 10);
	sshcert_free(cert);
	assert_int_equal(events_of("certificate-issued").count, 1);
	session = connect_client(); /* and with it one is in, with the group */
	say(session, IPC_AUTH, 0, &(struct msg_auth){ true, (char[]){ "alice" }, buf_bytes(&blob) }, -1);
	struct heard *answer = expect(session, IPC_AUTH_ANSWER);
	assert_true(MSG(answer, msg_auth_answer)->ok);
	done(answer);
	leg_up(session, 1, "web1", id);
	world_down();
}

static void test_kill(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf out = BUF_INIT(65536);
	world_up(RULES);
	know("alice", "sre");
	session = login_as("alice");
	leg_up(session, 7, "web1", id);
	done(access_of(session, 7, 0, ACCESS_SHELL, ""));
	assert_int_equal(command(control(), 0, ARGV((char[]){ "sessions" }, (char[]){ "kill" }, id, (char[]){ "--reason" }, (char[]){ "enough" }),
		&out), 0);
	struct heard *end = expect(session, IPC_END);
	assert_int_equal(MSG(end, msg_end)->leg, 7);
	assert_non_null(strstr(MSG(end, msg_end)->reason, "enough"));
	done(end);
	world_down();
}

static void test_commands_of_a_session(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf out = BUF_INIT(65536);
	world_up(RULES);
	know("alice", "sre");
	session = login_as("alice");
	assert_int_equal(command(session, 4, ARGV((char[]){ "whoami" }), &out), 0);
	assert_non_null(strstr(buf_cstr(&out), "sre"));
	buf_clear(&out);
	assert_int_equal(command(session, 4, ARGV((char[]){ "status" }), &out), EXIT_DENIED);
	say(session, IPC_COMMAND_STOP, 0, &(struct msg_channel){ 4 }, -1); /* has ended already: nothing */
	assert_true(may_enter("web1"));
	world_down();
}

/* ---- scans ---- */

static void scanned(struct peer *scan, const char *line)
{
	struct msg_scanned msg = { .keys = line ? (char *[]){ (char *)line, NULL } : (char *[]){ NULL }, .reason = (char[]){ "" } };
	done(expect(scan, IPC_GRANT));
	say(scan, IPC_SCANNED, 0, &msg, -1);
}

static void test_scan(void **state)
{
	(void)state;
	char line[1024];
	BUF_CLEANUP struct buf out = BUF_INIT(65536);
	world_up(RULES);
	struct peer *peer = control();
	say(peer, IPC_COMMAND, 0, &(struct msg_command){ .argv = ARGV((char[]){ "hosts" }, (char[]){ "scan" }, (char[]){ "web1" }) }, -1);
	struct heard *start = expect(world.parent, IPC_SCAN);
	struct msg_client msg = { .connection = 900, .source = (char[]){ "" }, .local = (char[]){ "" }, .scan = true };
	struct peer *scan = introduce(IPC_CLIENT, start->id, &msg);
	done(start);
	scanned(scan, line_of(world.target_key, line));
	scanned(scan, "ssh-rsa \033[31mnonsense");
	scanned(scan, NULL);
	struct heard *end = expect(peer, IPC_COMMAND_EXIT);
	assert_int_equal(MSG(end, msg_command_exit)->status, 0);
	done(end);
	struct heard *text = take(peer, IPC_OUTPUT);
	assert_non_null(text);
	assert_int_equal(buf_put(&out, MSG(text, msg_output)->data.data, MSG(text, msg_output)->data.len), 0);
	assert_non_null(strstr(buf_cstr(&out), "ssh-ed25519"));
	assert_null(strchr(buf_cstr(&out), '\033'));
	done(text);
	assert_int_equal(world.dials, 3);
	world_down();
}

/* Whoever asked may go away, the process may die: nothing of it stays. */
static void test_scan_abandoned(void **state)
{
	(void)state;
	world_up(RULES);
	for (int i = 0; i < 2; i++) {
		struct peer *peer = control();
		say(peer, IPC_COMMAND, 0, &(struct msg_command){ .argv = ARGV((char[]){ "hosts" }, (char[]){ "scan" }, (char[]){ "web1" }) }, -1);
		struct heard *start = expect(world.parent, IPC_SCAN);
		struct msg_client msg = { .connection = 900 + (uint64_t)i, .source = (char[]){ "" }, .local = (char[]){ "" }, .scan = true };
		struct peer *scan = introduce(IPC_CLIENT, start->id, &msg);
		done(start);
		done(expect(scan, IPC_GRANT));
		peer_close(i ? scan : peer);
		if (i) {
			client_gone_with(msg.connection, SIGSEGV);
			struct heard *end = expect(peer, IPC_COMMAND_EXIT);
			assert_int_not_equal(MSG(end, msg_command_exit)->status, 0);
			done(end);
		} else {
			expect_closed(scan);
		}
	}
	world_down();
}

/* The broker is not ready before it can sign and dial. */
static void test_ready_last(void **state)
{
	(void)state;
	world_up(RULES);
	world_down();
	memset(&world, 0, sizeof(world));
	world.backend = -1;
	world.scratch = scratch_new();
	world_keys();
	broker_fork(config_text(RULES));
	world.egress = introduce(IPC_ROLE, 0, &(struct msg_role){ (char[]){ "egress" } });
	world.signer_mute = true;
	world.signer = introduce(IPC_ROLE, 0, &(struct msg_role){ (char[]){ "signer" } });
	struct heard *keys = expect(world.signer, IPC_KEYS);
	assert_null(take(world.parent, IPC_READY));
	play_keys(keys->id);
	done(keys);
	done(expect(world.parent, IPC_READY));
	world.signer_mute = false;
	world_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reload), cmocka_unit_test(test_reload_with_questions_open), cmocka_unit_test(test_reload_refused),
			cmocka_unit_test(test_control),
		cmocka_unit_test(test_control_stranger), cmocka_unit_test(test_issue), cmocka_unit_test(test_kill),
			cmocka_unit_test(test_commands_of_a_session),
		cmocka_unit_test(test_scan), cmocka_unit_test(test_scan_abandoned), cmocka_unit_test(test_ready_last),
	};
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
