/* Deciding: obligations, the trace, doubt, and the time it takes. The cases of tests/policy/ are run here, too (tests run in the source
 * folder), and the runner itself is shown to notice what is wrong. */
#include "policy/decide.h"

#include <errno.h>
#include <glob.h>
#include <time.h>

#include "keys/sshcert.h"
#include "policy/approval_rule.h"
#include "policy/caserun.h"
#include "policy/guard.h"
#include "tests/unit/policy_world.h"

#define TARGET "{name: web1, address: x, labels: {env: prod}, host_keys_file: known_hosts, credential: {key: ca}}"
#define HEAD "version: 1\nhost_key: /k\nkeys: {ca: {file: x}}\ntargets: [" TARGET "]\nroles: {sre: {groups: [sre]}}\nrules:\n"

static char *groups[] = { "sre", NULL };
static const struct identity alice = { .user = "alice", .groups = groups, .group_count = 1, .rights = 31 };

static struct access access_of(enum access_kind kind, const char *login, const char *command)
{
	struct access access = { .who = &alice, .target = "web1", .login = login, .kind = kind, .detail = world_bytes(command), .now = 1795860000 };
	assert_int_equal(addr_parse("10.1.2.3", &access.source, NULL), 0);
	return access;
}

static void test_obligations(void **state)
{
	(void)state;
	CONFIG_CLEANUP struct config *config = world_config(HEAD
		"- {name: a, allow: [shell]}\n- {name: b, allow: [exec], record: optional, record_input: true, limits: {idle: 15m, session: 8h}}\n"
		"- {name: c, allow: [sftp], record: off}\n- {name: d, deny: [agent]}\n");
	const struct target *web1 = targets_find(config->targets, "web1");
	static const struct { enum access_kind kind; enum verdict verdict; const char *rule; struct obligations want; } cases[] = {
		{ ACCESS_SHELL, VERDICT_ALLOW, "a", { true, true, false, 0, 0 } },
		{ ACCESS_EXEC, VERDICT_ALLOW, "b", { true, false, true, 900000, 28800000 } },
		{ ACCESS_SFTP, VERDICT_ALLOW, "c", { false, false, false, 0, 0 } },
		{ ACCESS_AGENT, VERDICT_DENY, "d", { false, false, false, 0, 0 } },
		{ ACCESS_X11, VERDICT_DENY, NULL, { false, false, false, 0, 0 } },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct access access = access_of(cases[i].kind, "x", "");
		struct decision decision;
		memset(&decision, 0xff, sizeof(decision)); /* nothing of what was there before stays */
		decide(config->ruleset, web1, &access, &decision);
		assert_int_equal(decision.verdict, cases[i].verdict);
		assert_true(cases[i].rule ? decision.rule && strcmp(decision.rule, cases[i].rule) == 0 : !decision.rule);
		const struct obligations *got = &decision.obligations, *want = &cases[i].want;
		assert_true(got->record == want->record && got->record_required == want->record_required && got->record_input == want->record_input);
		assert_true(got->idle == want->idle && got->session == want->session);
	}
	struct access access = access_of(ACCESS_KINDS, "x", "");
	struct decision decision = { .verdict = VERDICT_ALLOW };
	decide(config->ruleset, web1, &access, &decision);
	assert_int_equal(decision.verdict, VERDICT_DENY);
	decide(config->ruleset, NULL, &access, &decision);
	assert_string_equal(decision.reason, "no target 'web1'");
}

#define NOW 1795860000 /* of access_of() */

/* What is held carries what is needed to let go of it, and nothing of what was in the struct before. */
static void test_hold(void **state)
{
	(void)state;
	CONFIG_CLEANUP struct config *config = world_all(
		"version: 1\nhost_key: /k\nkeys: {ca: {file: x}}\ntargets: [" TARGET "]\nroles: {sre: {groups: [sre]}, lead: {users: [bob]}}\n"
		"guards: {prod: [{deny: [mkfs*]}, {allow: ['*']}]}\nrules:\n"
		"- {name: a, allow: [shell, exec, sftp], login_within: 15m, limits: {idle: 1m}, guard: prod, approval: {by: lead, votes: 3}}\n"
		"- {name: b, allow: [agent, subsystem], break_glass: true, logins: [root]}\n- {name: c, allow: [x11], login_within: 1500ms}\n");
	const struct target *web1 = targets_find(config->targets, "web1");
	struct identity who = alice;
	struct access access = access_of(ACCESS_EXEC, "x", "mkfs");
	struct decision decision;
	access.who = &who;
	memset(&decision, 0xff, sizeof(decision));
	decide(config->ruleset, web1, &access, &decision);
	assert_int_equal(decision.verdict, VERDICT_HOLD);
	assert_int_equal(decision.hold, HOLD_LOGIN);
	assert_int_equal(decision.login_within_s, 900);
	assert_true(!decision.approval && !decision.guard && !decision.guard_name && !decision.break_glass && !decision.review);
	assert_true(!decision.obligations.record && decision.obligations.idle == 0);
	who.login_time = NOW - 900;
	memset(&decision, 0xff, sizeof(decision));
	decide(config->ruleset, web1, &access, &decision);
	assert_int_equal(decision.verdict, VERDICT_HOLD);
	assert_int_equal(decision.hold, HOLD_APPROVAL);
	assert_int_equal(decision.login_within_s, 0);
	assert_int_equal(decision.approval->votes, 3);
	assert_string_equal(decision.approval->by, "lead");
	assert_string_equal(decision.guard_name, "prod");
	assert_ptr_equal(guard_name(decision.guard), decision.guard_name);
	assert_true(decision.obligations.record_required && decision.obligations.idle == 60000);
	access.kind = ACCESS_SFTP; /* no command line, no guard */
	decide(config->ruleset, web1, &access, &decision);
	assert_int_equal(decision.hold, HOLD_APPROVAL);
	assert_true(!decision.guard && !decision.guard_name);
	access.kind = ACCESS_AGENT;
	access.login = "root";
	memset(&decision, 0xff, sizeof(decision));
	decide(config->ruleset, web1, &access, &decision);
	assert_int_equal(decision.verdict, VERDICT_ALLOW);
	assert_int_equal(decision.hold, HOLD_NONE);
	assert_true(decision.break_glass && decision.review && decision.obligations.record_required && !decision.approval && !decision.guard);
	access.kind = ACCESS_X11;
	who.login_time = NOW - 2;
	decide(config->ruleset, web1, &access, &decision);
	assert_int_equal(decision.hold, HOLD_LOGIN);
	who.login_time = NOW - 1;
	decide(config->ruleset, web1, &access, &decision);
	assert_int_equal(decision.verdict, VERDICT_ALLOW);
	access.kind = ACCESS_TUNNEL;
	memset(&decision, 0xff, sizeof(decision));
	decide(config->ruleset, web1, &access, &decision);
	assert_int_equal(decision.verdict, VERDICT_DENY);
	assert_int_equal(decision.hold, HOLD_NONE);
	assert_true(!decision.approval && !decision.guard && !decision.break_glass && !decision.review);
}

/* Times that are none: only a login that can have been counts. */
static void test_login_times(void **state)
{
	(void)state;
	CONFIG_CLEANUP struct config *config = world_config(HEAD "- {name: a, allow: [shell], login_within: 30d}\n");
	static const struct { int64_t login, now; bool fresh; } cases[] = {
		{ NOW, NOW, true }, { NOW - 30 * 86400, NOW, true }, { NOW - 30 * 86400 - 1, NOW, false }, { 0, NOW, false }, { -1, NOW, false },
		{ INT64_MIN, NOW, false }, { INT64_MAX, NOW, false }, { NOW + 120, NOW, true },
		{ NOW + 121, NOW, false }, { 0, 10, false }, { 1, 10, true },
		{ 1, INT64_MAX, false }, { INT64_MAX, INT64_MIN, false }, { INT64_MIN, INT64_MAX, false }, { 1, INT64_MIN, false },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct identity who = alice;
		struct access access = access_of(ACCESS_SHELL, "x", "");
		struct decision decision = { 0 };
		who.login_time = cases[i].login;
		access.who = &who;
		access.now = cases[i].now;
		decide(config->ruleset, targets_find(config->targets, "web1"), &access, &decision);
		if ((decision.verdict == VERDICT_ALLOW) != cases[i].fresh || (decision.hold == HOLD_LOGIN) == cases[i].fresh)
			fail_msg("login %lld at %lld: %s", (long long)cases[i].login, (long long)cases[i].now, decision.reason);
	}
}

#define BIT(kind) (1u << ACCESS_##kind)

static void test_kinds(void **state)
{
	(void)state;
	CONFIG_CLEANUP struct config *config = world_all(HEAD
		"- {name: no, deny: [x11, tunnel]}\n- {name: root, deny: [sftp], logins: [root]}\n"
		"- {name: sre, allow: [shell, sftp, x11], roles: [sre]}\n"
		"- {name: old, allow: [exec], login_within: 1m}\n- {name: wait, allow: [subsystem, agent], approval: {by: sre}}\n"
		"- {name: make, allow: [exec], commands: ['make *']}\n- {name: bob, allow: '*', users: [bob]}\n");
	const struct target *web1 = targets_find(config->targets, "web1");
	static char *none[] = { NULL };
	static const struct identity eve = { .user = "eve", .groups = none, .rights = 31 }, bare = { .user = "bob", .groups = none };
	static const struct { const struct identity *who; const char *login; unsigned may, held; } cases[] = {
		{ &alice, NULL, BIT(SHELL) | BIT(SFTP) | BIT(EXEC) | BIT(SUBSYSTEM) | BIT(AGENT), BIT(EXEC) | BIT(SUBSYSTEM) | BIT(AGENT) },
		{ &alice, "root", BIT(SHELL) | BIT(EXEC) | BIT(SUBSYSTEM) | BIT(AGENT), BIT(EXEC) | BIT(SUBSYSTEM) | BIT(AGENT) },
		{ &eve, NULL, BIT(EXEC) | BIT(SUBSYSTEM) | BIT(AGENT), BIT(EXEC) | BIT(SUBSYSTEM) | BIT(AGENT) },
		{ &bare, NULL, BIT(SHELL) | BIT(SFTP) | BIT(EXEC) | BIT(SUBSYSTEM), BIT(EXEC) | BIT(SUBSYSTEM) }, /* no rights, no forwards */
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct access access = access_of(ACCESS_KINDS, cases[i].login, "");
		unsigned held = 0xff;
		access.who = cases[i].who;
		assert_int_equal(decide_kinds(config->ruleset, web1, &access, &held), cases[i].may);
		assert_int_equal(held, cases[i].held);
		assert_int_equal(decide_kinds(config->ruleset, web1, &access, NULL), cases[i].may);
		assert_int_equal(decide_kinds(config->ruleset, NULL, &access, &held), 0);
		assert_int_equal(held, 0);
	}
}

static void test_trace(void **state)
{
	(void)state;
	CONFIG_CLEANUP struct config *config =
		world_config(HEAD "- {name: kind, allow: [sftp]}\n- {name: cmd, deny: '*', commands: ['rm *', 'dd *']}\n- {name: roles, allow: '*', "
				  "roles: [sre], users: [bob]}\n"
				  "- {name: groups, allow: '*', groups: [dev]}\n- {name: labels, allow: '*', targets: {labels: {env: [a, b]}}}\n- "
				  "{name: logins, allow: '*', logins: [deploy]}\n"
				  "- {name: sources, allow: '*', sources: [192.0.2.0/24]}\n- {name: hours, allow: '*', hours: {days: mon-fri, zone: "
				  "Europe/Berlin}}\n- {name: last, allow: '*'}\n- {name: never, deny: '*'}\n");
	struct access access = access_of(ACCESS_EXEC, "root", "ls\n-l");
	struct decision decision = { 0 };
	BUF_CLEANUP struct buf trace = BUF_INIT(65536);
	assert_int_equal(decide_explain(config->ruleset, targets_find(config->targets, "web1"), &access, &decision, &trace), 0);
	assert_string_equal(buf_cstr(&trace),
		"rule 'kind': no, kind: 'exec' is none of sftp\n"
		"rule 'cmd': no, commands: 'ls\\n-l' is none of rm *, dd *\n"
		"rule 'roles': no, users: 'alice' is none of bob\n"
		"rule 'groups': no, groups: 'alice' is in none of dev\n"
		"rule 'labels': no, targets: 'web1' has env=prod, which is none of a, b\n"
		"rule 'logins': no, logins: 'root' is none of deploy\n"
		"rule 'sources': no, sources: 10.1.2.3 is in none of 192.0.2.0/24\n"
		"rule 'hours': no, hours: sat 11:00 Europe/Berlin is outside of mon-fri 00:00-24:00 Europe/Berlin\n"
		"rule 'last': matches\n");
	assert_string_equal(decision.reason, "rule 'last' allows exec on 'web1' as 'root' for 'alice'");
	BUF_CLEANUP struct buf little = BUF_INIT(10); /* no room: said, and the decision stands */
	assert_true(decide_explain(config->ruleset, targets_find(config->targets, "web1"), &access, &decision, &little) < 0);
	assert_int_equal(decision.verdict, VERDICT_ALLOW);
	struct identity bare = alice;
	bare.rights = 0;
	access.who = &bare;
	access.kind = ACCESS_AGENT;
	buf_clear(&trace);
	assert_int_equal(decide_explain(config->ruleset, targets_find(config->targets, "web1"), &access, &decision, &trace), 0);
	assert_string_equal(buf_cstr(&trace), "no rule was tried: the certificate does not permit agent forwarding\n");
}

/* A hostile command drives an expression to its bounds: whatever the rule says, that is a deny. */
static void test_doubt(void **state)
{
	(void)state;
	CONFIG_CLEANUP struct config *config =
		world_config(HEAD "- {name: heavy, deny: [exec], users: [alice], commands: ['re:(a|aa)+$']}\n- {name: all, allow: '*'}\n");
	CONFIG_CLEANUP struct config *other =
		world_config(HEAD "- {name: heavy, deny: [exec], users: [bob], commands: ['re:(a|aa)+$']}\n- {name: all, allow: '*'}\n");
	const struct target *web1 = targets_find(config->targets, "web1");
	char command[4096];
	memset(command, 'a', sizeof(command));
	strcpy(command + 4000, "!");
	struct access access = access_of(ACCESS_EXEC, "x", command);
	struct decision decision = { 0 };
	decide(config->ruleset, web1, &access, &decision);
	assert_int_equal(decision.verdict, VERDICT_DENY);
	assert_string_equal(decision.rule, "heavy");
	assert_non_null(strstr(decision.reason, "commands cannot be evaluated"));
	decide(other->ruleset, targets_find(other->targets, "web1"), &access, &decision); /* another predicate says no: no doubt is left */
	assert_string_equal(decision.rule, "all");
	access.detail = world_bytes("ls");
	decide(config->ruleset, web1, &access, &decision);
	assert_int_equal(decision.verdict, VERDICT_ALLOW);
	access.login = NULL; /* a login that nobody named fits no pattern, and no deny is escaped by it */
	CONFIG_CLEANUP struct config *logins = world_config(HEAD "- {name: root, deny: '*', logins: [root]}\n- {name: all, allow: '*'}\n");
	decide(logins->ruleset, targets_find(logins->targets, "web1"), &access, &decision);
	assert_int_equal(decision.verdict, VERDICT_DENY);
}

static double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void test_speed(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf text = BUF_INIT(1024 * 1024);
	assert_int_equal(buf_puts(&text, HEAD), 0);
	for (int i = 0; i < 1000; i++)
		assert_true(buf_printf(&text,
				    "- {name: r%d, allow: [shell, exec], roles: [sre], targets: {labels: {env: prod}}, logins: ['svc-%d-*'], "
				    "sources: [10.0.0.0/8]}\n",
				    i, i) >= 0);
	CONFIG_CLEANUP struct config *config = world_config(buf_cstr(&text));
	struct access access = access_of(ACCESS_EXEC, "svc-999-x", "ls");
	struct decision decision = { 0 };
	double begin = seconds();
	for (int i = 0; i < 1000; i++)
		decide(config->ruleset, targets_at(config->targets, 0), &access, &decision);
	double each = (seconds() - begin) / 1000;
	assert_string_equal(decision.rule, "r999");
	print_message("a decision behind 999 rules: %.0f microseconds\n", each * 1e6);
	assert_true(each < 0.005); /* far above what is measured: sanitizers and loaded machines pass, a quadratic step does not */
}

static void count(const char *name, bool ok, const char *detail, void *arg)
{
	int *counts = arg;
	counts[ok]++;
	if (!ok)
		print_message("%s: %s\n", name, detail);
}

static void test_cases(void **state)
{
	(void)state;
	glob_t found;
	int counts[2] = { 0, 0 };
	assert_int_equal(glob("tests/policy/*.yaml", 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		FILES_CLEANUP struct files *files = files_from_disk();
		struct err err = { 0 };
		if (caserun(files, found.gl_pathv[i], count, counts, &err) < 0)
			fail_msg("%s", err.text);
	}
	globfree(&found);
	assert_int_equal(counts[false], 0);
	assert_true(counts[true] >= 150);
}

static int run(const char *text, int counts[2], struct err *err)
{
	FILES_CLEANUP struct files *files = files_in_memory();
	assert_int_equal(files_add(files, "/c.yaml", world_bytes(text)), 0);
	counts[0] = counts[1] = 0;
	return caserun(files, "/c.yaml", count, counts, err);
}

#define POLICY "policy: {targets: [{name: w}], rules: [{name: a, allow: [shell], users: [u]}]}\n"
#define HELD "policy: {targets: [{name: w}], roles: {l: {users: [u]}}, rules: [{name: a, allow: [shell], approval: {by: l}}]}\n"
#define CASE "cases: [{name: n, user: u, target: w, kind: shell, expect: "

static void test_runner(void **state)
{
	(void)state;
	int counts[2];
	struct err err = { 0 };
	static const struct {
		const char *text;
		int failed;
	} cases[] = {
		{ POLICY CASE "allow}]", 0 },
		{ POLICY CASE "allow, rule: a, reason: allows shell}]", 0 },
		{ POLICY CASE "deny}]", 1 },
		{ POLICY CASE "hold}]", 1 },
		{ POLICY CASE "allow, rule: b}]", 1 },
		{ POLICY CASE "allow, rule: null}]", 1 },
		{ POLICY CASE "allow, reason: denies}]", 1 },
		{ POLICY CASE "allow, break_glass: false}]", 0 },
		{ POLICY CASE "allow, break_glass: true}]", 1 },
		{ POLICY CASE "allow, voter: true}]", 1 },
		{ HELD CASE "hold, hold: approval, voter: true}]", 0 },
		{ HELD CASE "hold, hold: approval, voter: false}]", 1 },
		{ HELD CASE "hold, hold: login}]", 1 },
		{ HELD CASE "allow}]", 1 },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(run(cases[i].text, counts, &err), cases[i].failed);
		assert_int_equal(counts[false], cases[i].failed);
		assert_int_equal(counts[true], !cases[i].failed);
	}
	static const struct {
		const char *text, *words;
	} bad[] = {
		{ POLICY, "expected 'policy' and 'cases'" },
		{ POLICY "cases: []", "expected a list of 1 to" },
		{ POLICY "cases: [{name: n}]", "'user' is missing" },
		{ POLICY CASE "maybe}]", "expected allow, deny or hold" },
		{ POLICY CASE "allow, rul: a}]", "did you mean 'rule'" },
		{ POLICY CASE "allow, at: noon}]", "/c.yaml:2:" },
		{ POLICY CASE "hold, hold: maybe}]", "expected login or approval" },
		{ POLICY CASE "allow, login_age: 1h}]", "'login_age' has no meaning without 'at'" },
		{ POLICY CASE "allow, claims: [a]}]", "expected a map of claims" },
		{ POLICY CASE "allow, claims: {a: {b: c}}}]", "expected a list" },
		{ "policy: {targets: [{name: w}], rool: []}\n" CASE "allow}]", "unknown key 'rool'" },
		{ "policy: |\n  rules: [{name: a}]\n" CASE "allow}]", "/c.yaml: policy:1:" },
		{ "policy: none.yaml\n" CASE "allow}]", "none.yaml" },
	};
	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_true(run(bad[i].text, counts, &err) < 0);
		if (!strstr(err.text, bad[i].words))
			fail_msg("'%s' instead of '%s'", err.text, bad[i].words);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_obligations), cmocka_unit_test(test_hold), cmocka_unit_test(test_login_times), cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_trace), cmocka_unit_test(test_doubt), cmocka_unit_test(test_speed),
		cmocka_unit_test(test_cases), cmocka_unit_test(test_runner),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
