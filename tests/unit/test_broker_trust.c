/* A yes covers what was seen: the environment, the terminal of an exec, the target behind an open connection, and the kind that was named. */
#include "tests/unit/broker_world.h"

#include "common/env_block.h"
#include "policy/config.h"
#include "common/typed_line.h"
#include "store/approvals.h"

static struct peer *session;
static char id[27];

#define ROLES "\nroles: {sre: {groups: [sre]}, lead: {groups: [leads]}, glass: {groups: [glass]}}\n"
#define GUARDS \
	"guards:\n  g: [{deny: ['mkfs*']}, {approve: ['rm *'], by: lead}, {allow: ['*']}]\n" \
	"  nobody: [{allow: ['*']}]\n"
#define GUARDED ROLES GUARDS \
	"rules:\n" \
	"  - {name: narrow, allow: [exec], roles: [sre], logins: [narrow], env: []}\n" \
	"  - {name: wide, allow: [shell, exec], roles: [sre], logins: [wide], env: ['*'], guard: g}\n" \
	"  - {name: nobody, allow: [shell, exec], roles: [sre], logins: [nobody], env: ['*'], guard: nobody}\n" \
	"  - {name: asked, allow: [exec], roles: [sre], logins: [asked], approval: {by: lead, uses: 5}}\n" \
	"  - {name: guarded, allow: [shell, exec], roles: [sre], guard: g}\n"

#define ENV(text) ((struct bytes){ (const uint8_t *)(text), sizeof(text) - 1 })

struct want { enum access_kind kind; const char *command; struct bytes env; bool pty; };

static void wish(uint32_t leg, uint32_t channel, const struct want *want)
{
	struct msg_access msg = { .leg = leg, .channel = channel, .kind = want->kind, .pty = want->pty, .term = (char[]){ "xterm" }, .columns = 80, .rows = 24,
		.detail = { (const uint8_t *)want->command, strlen(want->command) }, .env = want->env };
	say(session, IPC_ACCESS, 0, &msg, -1);
}

static void leg_as(uint32_t leg, const char *login)
{
	struct heard *answer = name_leg(session, leg, "web1", login);
	if (!MSG(answer, msg_leg_answer)->ok)
		fail_msg("%s", MSG(answer, msg_leg_answer)->reason);
	done(answer);
}

static void allowed(struct bytes env, bool guard)
{
	struct heard *heard = expect(session, IPC_DECISION);
	const struct msg_decision *got = MSG(heard, msg_decision);
	if (got->verdict != VERDICT_ALLOW || got->guard != guard || got->env.len != env.len || (env.len && memcmp(got->env.data, env.data, env.len)))
		fail_msg("verdict %u (%s), guard %d, environment '%.*s'", got->verdict, got->reason, got->guard, (int)got->env.len, (const char *)got->env.data);
	done(heard);
}

static void denied(unsigned exit, const char *words)
{
	struct heard *heard = expect(session, IPC_DECISION);
	const struct msg_decision *got = MSG(heard, msg_decision);
	if (got->verdict != VERDICT_DENY || got->exit != exit || !strstr(got->reason, words))
		fail_msg("%u, %u: '%s', expected %u: '%s'", got->verdict, got->exit, got->reason, exit, words);
	done(heard);
}

/* The id of the request that the channel waits for now. */
static void waits(uint32_t channel, char request[static ID_SHORT_LEN + 1])
{
	for (*request = 0; !*request;) {
		struct heard *heard = expect(session, IPC_WAIT);
		const char *at = strstr(MSG(heard, msg_wait)->text, "request ");
		if (at && MSG(heard, msg_wait)->channel == channel && !strstr(at, "approved by"))
			snprintf(request, ID_SHORT_LEN + 1, "%s", at + strlen("request "));
		done(heard);
	}
}

static void vote(const char *request)
{
	struct peer *bob = login_as("bob");
	say(bob, IPC_COMMAND, 0, &(struct msg_command){ .channel = 1, .argv = (char *[]){ (char[]){ "approve" }, (char *)request, NULL } }, -1);
	struct heard *end = expect(bob, IPC_COMMAND_EXIT);
	assert_int_equal(MSG(end, msg_command_exit)->status, 0);
	done(end);
}

static void up(void)
{
	world_up(GUARDED);
	know("alice", "sre");
	know("bob", "leads");
	session = login_as("alice");
}

static void test_environment(void **state)
{
	(void)state;
	up();
	leg_up(session, 1, "web1", id);
	wish(1, 0, &(struct want){ ACCESS_EXEC, "id", ENV("LC_X=1\0FOO=2\0LANG=C\0LC_X=3\0BASH_ENV=/x\0"), false });
	allowed(ENV("LANG=C\0LC_X=3\0"), false);
	done(expect(session, IPC_GRANT));
	assert_non_null(strstr(events_of("access-allowed").last, "\"env\":[\"LANG=C\",\"LC_X=3\"]"));
	leg_as(2, "narrow");
	wish(2, 1, &(struct want){ ACCESS_EXEC, "id", ENV("LANG=C\0"), false });
	allowed(ENV(""), false);
	done(expect(session, IPC_GRANT));
	leg_as(3, "wide");
	wish(3, 2, &(struct want){ ACCESS_EXEC, "id", ENV("FOO=1\0"), false });
	allowed(ENV("FOO=1\0"), false);
	world_down();
}

/* An approved command in another environment is another command. */
static void test_scope(void **state)
{
	(void)state;
	up();
	char first[ID_SHORT_LEN + 1], second[ID_SHORT_LEN + 1], third[ID_SHORT_LEN + 1];
	static const char command[] = "rm -r \"${LC_WHAT:-tmp}\"";
	leg_up(session, 1, "web1", id);
	wish(1, 0, &(struct want){ ACCESS_EXEC, command, ENV("LC_WHAT=tmp\0"), false });
	waits(0, first);
	assert_non_null(strstr(events_of("approval-requested").last, "\"env\":[\"LC_WHAT=tmp\"]"));
	wish(1, 1, &(struct want){ ACCESS_EXEC, command, ENV("LC_WHAT=/\0"), false });
	waits(1, second);
	assert_string_not_equal(first, second);
	end_channel(session, 1, 0);
	wish(1, 2, &(struct want){ ACCESS_EXEC, command, ENV("LC_WHAT=tmp\0FOO=dropped\0"), false }); /* to the target it is the same */
	waits(2, third);
	assert_string_equal(first, third);
	vote(first);
	allowed(ENV("LC_WHAT=tmp\0"), false);
	done(expect(session, IPC_GRANT));
	wish(1, 3, &(struct want){ ACCESS_EXEC, command, ENV(""), false });
	waits(3, third);
	assert_string_not_equal(first, third);
	/* an approval of a whole kind is none of an environment: whoever may run anything may set anything */
	leg_as(4, "asked");
	wish(4, 4, &(struct want){ ACCESS_EXEC, "id", ENV("LANG=C\0"), false });
	waits(4, first);
	vote(first);
	allowed(ENV("LANG=C\0"), false);
	done(expect(session, IPC_GRANT));
	wish(4, 5, &(struct want){ ACCESS_EXEC, "id", ENV("LANG=D\0"), false });
	allowed(ENV("LANG=D\0"), false);
	world_down();
}

/* A command that was asked for ahead is approved in the environment of the connection that asked. */
static void test_asked_ahead(void **state)
{
	(void)state;
	up();
	char request[ID_SHORT_LEN + 1];
	say(session, IPC_COMMAND, 0, &(struct msg_command){ .channel = 9, .env = ENV("FOO=1\0LC_WHAT=tmp\0"), .argv = (char *[]){ (char[]){ "request" }, (char[]){ "web1" },
		(char[]){ "--kind" }, (char[]){ "exec" }, (char[]){ "--login" }, (char[]){ "deploy" }, (char[]){ "--command" }, (char[]){ "rm x" }, NULL } }, -1);
	struct heard *out = expect(session, IPC_OUTPUT);
	snprintf(request, sizeof(request), "%.*s", ID_SHORT_LEN, (const char *)MSG(out, msg_output)->data.data);
	done(out);
	done(expect(session, IPC_COMMAND_EXIT));
	vote(request);
	leg_up(session, 1, "web1", id);
	wish(1, 0, &(struct want){ ACCESS_EXEC, "rm x", ENV("LC_WHAT=/\0"), false });
	char other[ID_SHORT_LEN + 1];
	waits(0, other);
	assert_string_not_equal(request, other);
	wish(1, 1, &(struct want){ ACCESS_EXEC, "rm x", ENV("LC_WHAT=tmp\0"), false });
	allowed(ENV("LC_WHAT=tmp\0"), false);
	world_down();
}

/* Names by which programs are made to run something: held where the guard can, denied where not; for a shell as well. */
static void test_doubts(void **state)
{
	(void)state;
	up();
	char request[ID_SHORT_LEN + 1];
	leg_as(1, "wide");
	wish(1, 0, &(struct want){ ACCESS_EXEC, "id", ENV("BASH_ENV=/tmp/x\0"), false });
	waits(0, request);
	vote(request);
	allowed(ENV("BASH_ENV=/tmp/x\0"), false);
	done(expect(session, IPC_GRANT));
	wish(1, 1, &(struct want){ ACCESS_SHELL, "", ENV("LD_PRELOAD=/tmp/x\0"), true });
	waits(1, request);
	wish(1, 2, &(struct want){ ACCESS_EXEC, "mkfs x", ENV("LD_PRELOAD=/tmp/x\0"), false });
	denied(EXIT_DENIED, "denies 'mkfs x'");
	wish(1, 3, &(struct want){ ACCESS_SHELL, "", ENV("LANG=C\0"), true });
	allowed(ENV("LANG=C\0"), true);
	leg_as(2, "nobody");
	wish(2, 4, &(struct want){ ACCESS_EXEC, "id", ENV("GIT_SSH_COMMAND=x\0"), false });
	denied(EXIT_DENIED, "the variable 'GIT_SSH_COMMAND' of the environment");
	wish(2, 5, &(struct want){ ACCESS_SHELL, "", ENV("PS4=$(id)\0"), true });
	denied(EXIT_DENIED, "the variable 'PS4' of the environment");
	wish(2, 6, &(struct want){ ACCESS_EXEC, "id", ENV("GIT_PROTOCOL=version=2\0"), false });
	allowed(ENV("GIT_PROTOCOL=version=2\0"), false);
	world_down();
}

/* Where a command is forced, what was asked for instead is part of what is approved, and nobody else sets it. */
static void test_forced(void **state)
{
	(void)state;
	world_up(GUARDED);
	know("alice", "sre");
	session = connect_client();
	done(try_login(session, &(struct cert){ .user = "alice", .from = -60, .to = 600, .force = "rm it" }, true));
	leg_up(session, 1, "web1", id);
	char first[ID_SHORT_LEN + 1], second[ID_SHORT_LEN + 1];
	wish(1, 0, &(struct want){ ACCESS_EXEC, "rm it", ENV("SSH_ORIGINAL_COMMAND=a\0"), false });
	waits(0, first);
	wish(1, 1, &(struct want){ ACCESS_EXEC, "rm it", ENV("SSH_ORIGINAL_COMMAND=b\0"), false });
	waits(1, second);
	assert_string_not_equal(first, second);
	session = login_as("alice");
	leg_up(session, 1, "web1", id);
	wish(1, 0, &(struct want){ ACCESS_EXEC, "id", ENV("SSH_ORIGINAL_COMMAND=a\0"), false });
	allowed(ENV(""), false);
	world_down();
}

static void type(uint32_t channel, uint32_t line, const char *text, enum line_verdict verdict, const char *words)
{
	BUF_CLEANUP struct buf texts = BUF_INIT(IPC_LINE_TEXTS_MAX);
	assert_int_equal(wire_put_u8(&texts, 0), 0);
	assert_int_equal(wire_put_cstring(&texts, text), 0);
	say(session, IPC_LINE, 0, &(struct msg_line){ .leg = 1, .channel = channel, .line = line, .why = (char[]){ "" }, .texts = buf_bytes(&texts) }, -1);
	struct heard *heard = expect(session, IPC_LINE_VERDICT);
	while (MSG(heard, msg_line_verdict)->channel != channel) {
		done(heard);
		heard = expect(session, IPC_LINE_VERDICT);
	}
	if (MSG(heard, msg_line_verdict)->verdict != verdict || !strstr(MSG(heard, msg_line_verdict)->notice, words))
		fail_msg("%u: '%s', expected %u: '%s'", MSG(heard, msg_line_verdict)->verdict, MSG(heard, msg_line_verdict)->notice, verdict, words);
	done(heard);
}

/* What is typed at the terminal of an exec is judged as in a shell; its approvals are for this program alone. */
static void test_lines_in_an_exec(void **state)
{
	(void)state;
	up();
	leg_up(session, 1, "web1", id);
	wish(1, 0, &(struct want){ ACCESS_EXEC, "review notes", ENV(""), true });
	allowed(ENV(""), true);
	done(expect(session, IPC_GRANT));
	wish(1, 1, &(struct want){ ACCESS_EXEC, "review notes", ENV(""), false });
	allowed(ENV(""), false); /* over a pipe there are no lines */
	type(0, 1, "mkfs x", LINE_DENY, "denies 'mkfs x'");
	type(0, 2, "!mkfs x", LINE_DENY, "denies 'mkfs x'");
	type(0, 3, "\\! rm x", LINE_DENY, "not read surely");
	type(0, 4, "rm x", LINE_HOLD, "needs 1 vote");
	const char *last = strdup(events_of("approval-requested").last);
	assert_non_null(strstr(last, "\"inside\":\"review notes\""));
	assert_non_null(strstr(last, "\"kind\":\"exec\""));
	char request[ID_SHORT_LEN + 1];
	snprintf(request, sizeof(request), "%s", strstr(last, "\"approval\":\"") + strlen("\"approval\":\""));
	free((void *)(uintptr_t)last);
	vote(request);
	/* the vote is for the line there: as a command, in a shell, or inside of something else the bytes are not approved */
	char other[ID_SHORT_LEN + 1];
	wish(1, 2, &(struct want){ ACCESS_EXEC, "rm x", ENV(""), false });
	waits(2, other);
	assert_string_not_equal(request, other);
	wish(1, 3, &(struct want){ ACCESS_EXEC, "review other", ENV(""), true });
	allowed(ENV(""), true);
	type(3, 1, "rm x", LINE_HOLD, "needs 1 vote");
	world_down();
}

/* The connection goes to where the target was; what is judged is where it is now. */
static void test_target_changed(void **state)
{
	(void)state;
	up();
	leg_up(session, 1, "web1", id);
	wish(1, 0, &(struct want){ ACCESS_EXEC, "id", ENV(""), false });
	allowed(ENV(""), false);
	done(expect(session, IPC_GRANT));
	for (uint64_t generation = 2; generation < 4; generation++) {
		char *text = config_text(GUARDED);
		if (generation == 3)
			memcpy(strstr(text, "10.0.0.1"), "10.0.0.9", 8);
		int bundle = bundle_of(text);
		say(world.parent, IPC_CONF, 0, &(struct msg_conf){ generation }, bundle);
		close(bundle);
		roles_send();
		done(expect(world.parent, IPC_CONF_TAKEN));
		wish(1, (uint32_t)generation, &(struct want){ ACCESS_EXEC, "id", ENV(""), false });
		if (generation == 2)
			allowed(ENV(""), false);
		else
			denied(EXIT_WAIT, "was changed in the configuration");
	}
	leg_as(2, "deploy");
	wish(2, 9, &(struct want){ ACCESS_EXEC, "id", ENV(""), false });
	allowed(ENV(""), false);
	world_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_environment), cmocka_unit_test(test_scope), cmocka_unit_test(test_asked_ahead), cmocka_unit_test(test_doubts),
		cmocka_unit_test(test_forced), cmocka_unit_test(test_lines_in_an_exec), cmocka_unit_test(test_target_changed),
	};
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
