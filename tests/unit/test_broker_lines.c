/* Lines of a guarded shell in the broker: what may be said of them when, what is answered, what is written down, and what an approval covers. */
#include "tests/unit/broker_world.h"

#include "lineguard/lineguard.h"
#include "store/approvals.h"

static struct peer *session;
static char id[27];

#define GUARDED "\nroles: {sre: {groups: [sre]}, lead: {groups: [leads]}, glass: {groups: [glass]}}\n" \
	"guards:\n  g: [{deny: ['mkfs*']}, {approve: ['rm *'], by: lead}, {warn: ['touch *']}, {allow: ['*']}]\n" \
	"  strict: {blind: deny, rules: [{allow: ['*']}]}\n" \
	"rules:\n  - {name: strict, allow: [shell], roles: [sre], logins: [deploy2], guard: strict}\n" \
	"  - {name: guarded, allow: [shell, exec], roles: [sre], guard: g, targets: {labels: {env: staging}}}\n"

static void open_shell(uint32_t leg, uint32_t channel, bool pty, bool guarded)
{
	struct msg_access msg = { .leg = leg, .channel = channel, .kind = ACCESS_SHELL, .pty = pty, .term = (char[]){ "xterm" }, .columns = 80, .rows = 24 };
	say(session, IPC_ACCESS, 0, &msg, -1);
	struct heard *decision = expect(session, IPC_DECISION);
	assert_int_equal(MSG(decision, msg_decision)->verdict, VERDICT_ALLOW);
	assert_int_equal(MSG(decision, msg_decision)->guard, guarded);
	done(decision);
}

static void up(const char *rules)
{
	world_up(rules);
	know("alice", "sre");
	session = login_as("alice");
	leg_up(session, 1, "web1", id);
	open_shell(1, 0, true, true);
	done(expect(session, IPC_GRANT));
}

struct asked { uint32_t line; const char *text; enum line_confidence confidence; const char *why; bool joined; };

static void ask_line(uint32_t channel, const struct asked *asked)
{
	BUF_CLEANUP struct buf texts = BUF_INIT(IPC_LINE_TEXTS_MAX);
	if (asked->text) {
		assert_int_equal(wire_put_u8(&texts, asked->joined), 0);
		assert_int_equal(wire_put_cstring(&texts, asked->text), 0);
	}
	struct msg_line msg = { .leg = 1, .channel = channel, .line = asked->line, .confidence = asked->confidence, .why = (char *)(asked->why ? asked->why : ""),
		.texts = buf_bytes(&texts) };
	say(session, IPC_LINE, 0, &msg, -1);
}

static void expect_verdict(uint32_t line, enum line_verdict verdict, const char *words)
{
	struct heard *heard = expect(session, IPC_LINE_VERDICT);
	const struct msg_line_verdict *msg = MSG(heard, msg_line_verdict);
	if (msg->line != line || msg->verdict != verdict || !strstr(msg->notice, words))
		fail_msg("line %u: verdict %u: '%s', expected %u: %s", msg->line, msg->verdict, msg->notice, verdict, words);
	done(heard);
}

static void ended(uint32_t line, const char *end)
{
	struct msg_line_end msg = { .leg = 1, .channel = 0, .line = line, .end = (char *)end, .confidence = (char[]){ "exact" }, .why = (char[]){ "" } };
	say(session, IPC_LINE_END, 0, &msg, -1);
}

static void audited(const char *words)
{
	struct events events = events_of("line-judged");
	if (!strstr(events.last, words))
		fail_msg("'%s' is not in '%s'", words, events.last);
}

static void test_verdicts(void **state)
{
	(void)state;
	up(GUARDED);
	ask_line(0, &(struct asked){ .line = 1, .text = "ls" });
	expect_verdict(1, LINE_ALLOW, "");
	audited("\"command\":\"ls\",\"confidence\":\"exact\"");
	ask_line(0, &(struct asked){ .line = 2, .text = "mkfs x" });
	expect_verdict(2, LINE_DENY, "guard 'g' denies 'mkfs x'");
	audited("\"verdict\":\"deny\"");
	ask_line(0, &(struct asked){ .line = 5, .text = "touch x", .confidence = LINE_SCREEN });
	expect_verdict(5, LINE_WARN, "warning: guard 'g' warns of 'touch x'");
	audited("\"confidence\":\"screen\"");
	ask_line(0, &(struct asked){ .line = 6, .confidence = LINE_BLIND, .why = "a full-screen \033program" });
	expect_verdict(6, LINE_WARN, "cannot read");
	audited("\"command\":null,\"confidence\":\"blind\"");
	assert_null(strchr(events_of("line-judged").last, 033));
	ended(6, "forwarded");
	ask_line(0, &(struct asked){ .line = 7, .text = "ls" });
	expect_verdict(7, LINE_ALLOW, "");
	assert_int_equal(events_of("line-ended").count, 1); /* what was allowed at once and ran has no second event */
	ended(7, "forwarded");
	ask_line(0, &(struct asked){ .line = 8, .text = "ls" });
	expect_verdict(8, LINE_ALLOW, "");
	assert_int_equal(events_of("line-ended").count, 1);
	world_down();
}

/* A shell without a terminal shows no lines: what it reads from its input is a doubt. */
static void test_without_terminal(void **state)
{
	(void)state;
	world_up("\nroles: {sre: {groups: [sre]}, glass: {groups: [glass]}}\nguards: {g: [{allow: ['*']}]}\n"
		 "rules: [{name: guarded, allow: [shell], roles: [sre], guard: g}]\n");
	know("alice", "sre");
	session = login_as("alice");
	leg_up(session, 1, "web1", id);
	struct msg_access msg = { .leg = 1, .channel = 0, .kind = ACCESS_SHELL, .term = (char[]){ "" } };
	say(session, IPC_ACCESS, 0, &msg, -1);
	struct heard *decision = expect(session, IPC_DECISION);
	assert_int_equal(MSG(decision, msg_decision)->verdict, VERDICT_DENY);
	assert_non_null(strstr(MSG(decision, msg_decision)->reason, "standard input"));
	done(decision);
	world_down();
}

static struct msg_line line_none = { .leg = 1, .channel = 0, .line = 0, .why = (char[]){ "" } };
static struct msg_line line_empty = { .leg = 1, .channel = 0, .line = 1, .why = (char[]){ "" } };
static struct msg_line line_confidence = { .leg = 1, .channel = 0, .line = 1, .confidence = LINE_BLIND + 1, .why = (char[]){ "" } };
static struct msg_line line_channel = { .leg = 1, .channel = 3, .line = 1, .why = (char[]){ "" } };
static struct msg_line line_exec = { .leg = 1, .channel = 1, .line = 1, .why = (char[]){ "" } };
static struct msg_line line_leg = { .leg = 4, .channel = 0, .line = 1, .why = (char[]){ "" } };
static struct msg_line line_cut = { .leg = 1, .channel = 0, .line = 1, .why = (char[]){ "" }, .texts = { (const uint8_t *)"\0\0\0\0\5ls", 7 } };
static struct msg_line line_flag = { .leg = 1, .channel = 0, .line = 1, .why = (char[]){ "" }, .texts = { (const uint8_t *)"\2\0\0\0\2ls", 7 } };
static struct msg_line line_many = { .leg = 1, .channel = 0, .line = 1, .why = (char[]){ "" }, .texts = { (const uint8_t[45]){ 0 }, 45 } };
static struct msg_line_end end_line = { .leg = 1, .channel = 0, .line = 9, .end = (char[]){ "cleared" }, .confidence = (char[]){ "" }, .why = (char[]){ "" } };
static struct msg_line_end end_exec = { .leg = 1, .channel = 1, .line = 0, .end = (char[]){ "failed" }, .confidence = (char[]){ "" }, .why = (char[]){ "" } };

static const struct { const char *name; enum ipc_type type; const void *msg; const char *why; } violations[] = {
	{ "line 0", IPC_LINE, &line_none, "line 0 is not newer" }, { "no text", IPC_LINE, &line_empty, "has no text" },
	{ "a confidence that is none", IPC_LINE, &line_confidence, "unknown confidence 3" }, { "a channel never opened", IPC_LINE, &line_channel, "not judged" },
	{ "a channel that is no shell", IPC_LINE, &line_exec, "not judged" }, { "a leg never named", IPC_LINE, &line_leg, "never named" },
	{ "a text that is cut", IPC_LINE, &line_cut, "malformed" }, { "a flag that is none", IPC_LINE, &line_flag, "malformed" },
	{ "more texts than there can be", IPC_LINE, &line_many, "malformed" }, { "the end of another line", IPC_LINE_END, &end_line, "not the one" },
	{ "the end of a channel that is no shell", IPC_LINE_END, &end_exec, "not judged" },
};

static void test_violations(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(violations); i++) {
		up(GUARDED);
		done(access_of(session, 1, 1, ACCESS_EXEC, "id"));
		say(session, violations[i].type, 0, violations[i].msg, -1);
		done(expect(world.parent, IPC_KILL));
		expect_closed(session);
		struct events events = events_of("session-violation");
		if (!strstr(events.last, violations[i].why))
			fail_msg("%s: '%s' is not in '%s'", violations[i].name, violations[i].why, events.last);
		world_down();
	}
}

/* The same line twice, or an earlier one: a session cannot ask until the answer suits it without new numbers, and each is written down. */
static void test_numbers_go_up(void **state)
{
	(void)state;
	up(GUARDED);
	ask_line(0, &(struct asked){ .line = 4, .text = "ls" });
	expect_verdict(4, LINE_ALLOW, "");
	ask_line(0, &(struct asked){ .line = 4, .text = "ls" });
	done(expect(world.parent, IPC_KILL));
	world_down();
}

/* The queue as it lies on the disk; the broker writes, this reads. */
static int count_state(const struct approval *approval, void *context)
{
	((unsigned *)context)[approval->state]++;
	return 0;
}

static void expect_queue(unsigned pending, unsigned cancelled)
{
	struct store *store = NULL;
	struct err err = { 0 };
	unsigned got[APPROVAL_STATES] = { 0 };
	const struct approval_filter filter = { .state = -1, .limit = 16 };
	assert_int_equal(store_open(world.scratch.fd, false, &store, &err), 0);
	assert_int_equal(approvals_each(store, &filter, 0, count_state, got, &err), 0);
	store_close(store);
	assert_int_equal(got[APPROVAL_PENDING], pending);
	assert_int_equal(got[APPROVAL_CANCELLED], cancelled);
}

static void test_hold_and_give_up(void **state)
{
	(void)state;
	up(GUARDED);
	ask_line(0, &(struct asked){ .line = 1, .text = "rm x" });
	expect_verdict(1, LINE_HOLD, "needs 1 vote of role 'lead'");
	audited("\"verdict\":\"hold\"");
	expect_queue(1, 0);
	ended(1, "cancelled");
	ask_line(0, &(struct asked){ .line = 2, .text = "ls" });
	expect_verdict(2, LINE_ALLOW, "");
	expect_queue(0, 1);
	/* another line in its place is as good as giving it up; the same bytes again are a new request */
	ask_line(0, &(struct asked){ .line = 3, .text = "rm x" });
	expect_verdict(3, LINE_HOLD, "request ");
	ask_line(0, &(struct asked){ .line = 4, .text = "rm y" });
	expect_verdict(4, LINE_HOLD, "request ");
	expect_queue(1, 2);
	/* what is not read surely, nobody can approve */
	ask_line(0, &(struct asked){ .line = 5, .text = "rm y", .confidence = LINE_BLIND, .why = "history expansion" });
	expect_verdict(5, LINE_DENY, "not read surely (history expansion)");
	expect_queue(0, 3);
	world_down();
}

/* Whoever loses his connection finds the request as it was. */
static void test_request_outlives_the_shell(void **state)
{
	(void)state;
	up(GUARDED);
	ask_line(0, &(struct asked){ .line = 1, .text = "rm x" });
	expect_verdict(1, LINE_HOLD, "request ");
	end_channel(session, 1, 0);
	open_shell(1, 1, true, true);
	ask_line(1, &(struct asked){ .line = 1, .text = "rm x" });
	expect_verdict(1, LINE_HOLD, "(asked before)");
	expect_queue(1, 0);
	world_down();
}

/* An analyser that is gone judges nothing: the guard says what then. */
static void test_analyser_failed(void **state)
{
	(void)state;
	up(GUARDED);
	ended(0, "failed");
	ask_line(0, &(struct asked){ .line = 1, .text = "ls" });
	expect_verdict(1, LINE_ALLOW, "");
	assert_int_equal(events_of("guard-failed").count, 1);
	done(name_leg(session, 2, "web1", "deploy2"));
	open_shell(2, 7, true, true);
	done(expect(session, IPC_GRANT));
	struct msg_line_end msg = { .leg = 2, .channel = 7, .end = (char[]){ "failed" }, .confidence = (char[]){ "" }, .why = (char[]){ "out of memory" } };
	say(session, IPC_LINE_END, 0, &msg, -1);
	struct heard *end = expect(session, IPC_END);
	assert_non_null(strstr(MSG(end, msg_end)->reason, "cannot be judged any more"));
	done(end);
	world_down();
}

/* Without the chain nothing runs. */
static void test_audit_log_full(void **state)
{
	(void)state;
	up(GUARDED);
	struct rlimit before, none = { 0, RLIM_INFINITY };
	assert_int_equal(prlimit(world.broker, RLIMIT_FSIZE, &none, &before), 0);
	ask_line(0, &(struct asked){ .line = 1, .text = "ls" });
	expect_verdict(1, LINE_DENY, "cannot write its audit log");
	assert_int_equal(prlimit(world.broker, RLIMIT_FSIZE, &before, NULL), 0);
	ask_line(0, &(struct asked){ .line = 2, .text = "ls" });
	expect_verdict(2, LINE_ALLOW, "");
	world_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdicts), cmocka_unit_test(test_without_terminal), cmocka_unit_test(test_violations), cmocka_unit_test(test_numbers_go_up),
		cmocka_unit_test(test_hold_and_give_up), cmocka_unit_test(test_request_outlives_the_shell), cmocka_unit_test(test_analyser_failed),
		cmocka_unit_test(test_audit_log_full),
	};
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
