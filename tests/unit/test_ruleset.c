/* Roles and rules: what is refused, and who has which role and right. What a rule matches is test_decide.c and tests/policy/. */
#include "policy/ruleset.h"

#include <errno.h>

#include "policy/approval_rule.h"
#include "tests/unit/policy_world.h"

#define TARGET "{name: web1, address: x, labels: {env: prod}, host_keys_file: known_hosts, credential: {key: ca}}"
#define ROLES "{sre: {groups: [sre]}, lead: {users: [bob], may: [kill, replay]}, auditor: {groups: auditors, users: [bob], may: audit}}"
#define HEAD "version: 1\nhost_key: /k\nkeys: {ca: {file: x}}\ntargets: [" TARGET "]\nroles: " ROLES "\n"
#define RULE HEAD "rules:\n- "

static void test_roles(void **state)
{
	(void)state;
	CONFIG_CLEANUP struct config *config = world_config(HEAD);
	char *groups[] = { "sre", "auditors", NULL }, *none[] = { NULL };
	const struct identity alice = { .user = "alice", .groups = groups, .group_count = 2 }, bob = { .user = "bob", .groups = none },
			      eve = { .user = "sre", .groups = none };
	assert_true(ruleset_has_role(config->ruleset, "sre"));
	assert_false(ruleset_has_role(config->ruleset, "SRE"));
	assert_true(ruleset_in_role(config->ruleset, "sre", &alice));
	assert_false(ruleset_in_role(config->ruleset, "sre", &bob));
	assert_false(ruleset_in_role(config->ruleset, "sre", &eve)); /* a user of a group's name */
	assert_false(ruleset_in_role(config->ruleset, "none", &alice));
	assert_int_equal(ruleset_may(config->ruleset, &alice), MAY_AUDIT);
	assert_int_equal(ruleset_may(config->ruleset, &bob), MAY_KILL | MAY_REPLAY | MAY_AUDIT);
	assert_int_equal(ruleset_may(config->ruleset, &eve), 0);
	FREE_CLEANUP const char **roles = ruleset_roles(config->ruleset, &alice);
	assert_string_equal(roles[0], "sre");
	assert_string_equal(roles[1], "auditor");
	assert_null(roles[2]);
	FREE_CLEANUP const char **no_roles = ruleset_roles(config->ruleset, &eve);
	assert_null(no_roles[0]);
	for (unsigned may = 1; may < MAY_ALL; may <<= 1)
		assert_string_not_equal(may_name((enum may)may), "unknown");
	assert_string_equal(may_name(MAY_ALL), "unknown");
}

static void test_bad_roles(void **state)
{
	(void)state;
	static const struct { const char *text, *words; } cases[] = {
		{ "roles: [a]", "expected a map of roles" },
		{ "roles: {a: {}}", "config.yaml:3:9: role 'a' has none of 'groups', 'users' and 'claims'" },
		{ "roles: {a: {group: [b]}}", "unknown key 'group': did you mean 'groups'?" },
		{ "roles: {a: {groups: [b], may: [fly]}}", "'fly' is not a right" },
		{ "roles: {a: {groups: ['b c']}}", "'b c' is not a name" },
		{ "roles: {a: {users: ['*']}}", "'*' is not a name" },
		{ "roles: {'a,b': {users: [x]}}", "not a good name for a role" },
		{ "roles: {a: {users: }}", "expected a text" },
		{ "roles: {a: [x]}", "expected a map" },
		{ "roles: {a: {claims: {}}}", "config.yaml:3:21: 'claims' is empty" },
		{ "roles: {a: {claims: [b]}}", "expected a map of claims" },
		{ "roles: {a: {claims: {b: []}}}", "'b' is empty" },
		{ "roles: {a: {claims: {b: }}}", "expected a text" },
		{ "roles: {a: {claims: {b: {c: d}}}}", "expected a list, not a map" },
		{ "roles: {a: {claims: {b: 're:('}}}", "config.yaml:3:25:" },
		{ "roles: {a: {claims: {\"b\\e\": c}}}", "'b\\x1b' is not a name of a claim" },
		{ "roles: {a: {users: [b], login_within: 0}}", "'0' is not between 1s and 30d" },
		{ "roles: {a: {users: [b], login_within: 31d}}", "is not between 1s and 30d" },
		{ "roles: {a: {users: [b], lifetime: 59s}}", "is not between 1m and 7d" },
		{ "roles: {a: {users: [b], lifetime: 8d}}", "is not between 1m and 7d" },
		{ "roles: {a: {login_within: 1m, lifetime: 1h}}", "has none of 'groups', 'users' and 'claims'" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[512];
		snprintf(text, sizeof(text), "version: 1\nhost_key: /k\n%s", cases[i].text);
		world_refused(text, cases[i].words);
	}
}

static void test_bad_rules(void **state)
{
	(void)state;
	static const struct { const char *text, *words; } cases[] = {
		{ HEAD "rules: {a: b}", "expected a list of rules" },
		{ RULE "{allow: [shell]}", "config.yaml:7:3: a rule needs a 'name'" },
		{ RULE "{name: a}", "either 'allow' or 'deny'" },
		{ RULE "{name: a, allow: [shell], deny: [exec]}", "either 'allow' or 'deny'" },
		{ RULE "{name: a, allow: []}", "'allow' is empty" },
		{ RULE "{name: a, allow: }", "expected a text" },
		{ RULE "{name: a, allow: [ssh]}", "config.yaml:7:21: 'ssh' is not a kind of access" },
		{ RULE "{name: 'a b', allow: [shell]}", "not a good name for a rule" },
		{ RULE "{name: a, allow: [shell]}\n- {name: b, deny: '*'}\n- {name: a, deny: '*'}", "config.yaml:9:10: the rule 'a' is there twice" },
		{ RULE "{name: a, allow: [shell], role: [sre]}", "unknown key 'role': did you mean 'roles'?" },
		{ RULE "{name: a, allow: [shell], roles: [sre, ser]}", "there is no role 'ser'" },
		{ RULE "{name: a, allow: [shell], roles: []}", "'roles' is empty" },
		{ RULE "{name: a, allow: [shell], roles: }", "expected a text" },
		{ RULE "{name: a, allow: [shell], users: []}", "'users' is empty" },
		{ RULE "{name: a, allow: [shell], users: ['*']}", "names are compared exactly" },
		{ RULE "{name: a, allow: [shell], groups: {a: b}}", "expected a list, not a map" },
		{ RULE "{name: a, allow: [shell], targets: [web2]}", "config.yaml:7:39: there is no target 'web2'" },
		{ RULE "{name: a, allow: [shell], targets: [db*]}", "there is no target 'db*'" },
		{ RULE "{name: a, allow: [shell], targets: {}}", "expected a list of names, or labels or names" },
		{ RULE "{name: a, allow: [shell], targets: {label: {a: b}}}", "did you mean 'labels'" },
		{ RULE "{name: a, allow: [shell], targets: {labels: {}}}", "'labels' is empty" },
		{ RULE "{name: a, allow: [shell], targets: {labels: {evn: prod}}}", "no target has a label 'evn'" },
		{ RULE "{name: a, allow: [shell], targets: {labels: {env: []}}}", "'env' is empty" },
		{ RULE "{name: a, allow: [shell], logins: ['re:(']}", "config.yaml:7:38:" },
		{ RULE "{name: a, allow: [shell], sources: [10.0.0.0/33]}", "config.yaml:7:39:" },
		{ RULE "{name: a, allow: [shell], sources: [example.com]}", "config.yaml:7:39:" },
		{ RULE "{name: a, allow: [shell], hours: {}}", "'hours' is empty" },
		{ RULE "{name: a, allow: [shell], hours: {days: [monday]}}", "expected days" },
		{ RULE "{name: a, allow: [shell], hours: {from: 8am}}", "expected a time" },
		{ RULE "{name: a, allow: [shell], hours: {from: '08:00', to: '08:00'}}", "no time between them" },
		{ RULE "{name: a, allow: [shell], hours: {from: '24:00', to: '08:00'}}", "no time between them" },
		{ RULE "{name: a, allow: [shell], hours: {zone: ../x}}", "is not a name of a time zone" },
		{ RULE "{name: a, allow: [shell], hours: {zone: Mars/Olympus}}", "is the package tzdata installed?" },
		{ RULE "{name: a, allow: [shell], commands: [ls]}", "'commands' only ever matches exec" },
		{ RULE "{name: a, allow: [exec], record: maybe}", "expected required, optional or off" },
		{ RULE "{name: a, allow: [exec], record_input: perhaps}", "is not true or false" },
		{ RULE "{name: a, allow: [exec], limits: {idle: soon}}", "is not a duration" },
		{ RULE "{name: a, allow: [exec], limits: {ilde: 1m}}", "did you mean 'idle'" },
		{ RULE "{name: a, deny: [exec], record: off}", "'record' has no meaning in a rule that denies" },
		{ RULE "{name: a, deny: [exec], limits: {idle: 1m}}", "'limits' has no meaning in a rule that denies" },
		{ RULE "{name: a, allow: [exec], login_within: 999ms}", "is not between 1s and 30d" },
		{ RULE "{name: a, allow: [exec], login_within: 2592001s}", "is not between 1s and 30d" },
		{ RULE "{name: a, deny: [exec], login_within: 1m}", "config.yaml:7:27: 'login_within' has no meaning in a rule that denies" },
		{ RULE "a", "expected a map" },
	};
	for (size_t i = 0; i < COUNT(cases); i++)
		world_refused(cases[i].text, cases[i].words);
}

#define GUARDS "guards: {prod: [{deny: [mkfs*]}, {approve: [rm*], by: lead}, {allow: ['*']}]}\n"
#define LATER HEAD GUARDS "rules:\n- "

/* Behind the table of what is not supported: complete already. */
static void test_bad_later(void **state)
{
	(void)state;
	static const struct { const char *text, *words; } cases[] = {
		{ LATER "{name: a, deny: [exec], approval: {by: lead}}", "'approval' has no meaning in a rule that denies" },
		{ LATER "{name: a, allow: [exec], approval: {by: ledd}}", "config.yaml:8:43: there is no role 'ledd'" },
		{ LATER "{name: a, allow: [exec], guard: prdo}", "config.yaml:8:35: there is no guard 'prdo'" },
		{ LATER "{name: a, allow: [exec], guard: []}", "expected a text" },
		{ LATER "{name: a, allow: [sftp, agent], guard: prod}", "config.yaml:8:35: 'guard' only judges exec and shell" },
		{ LATER "{name: a, deny: [exec], guard: prod}", "'guard' has no meaning in a rule that denies" },
		{ LATER "{name: a, allow: [exec], break_glass: maybe}", "is not true or false" },
		{ LATER "{name: a, deny: [exec], break_glass: true}", "'break_glass' has no meaning in a rule that denies" },
		{ LATER "{name: a, allow: [exec], break_glass: true, record: optional}", "config.yaml:8:28: 'break_glass' needs 'record: required'" },
		{ LATER "{name: a, allow: [exec], record: off, break_glass: true}", "'break_glass' needs 'record: required'" },
		{ LATER "{name: a, allow: [exec], break_glass: true, approval: {by: lead}}", "with 'approval' it has no meaning" },
		{ LATER "{name: a, allow: [exec], mask: [keys]}", "unknown key 'mask'" },
		{ HEAD "guards: {prod: [{approve: [rm*], by: ledd}]}", "config.yaml:6:38: there is no role 'ledd'" },
		{ HEAD "guards: {prod: [{denny: [rm*]}]}", "did you mean 'deny'" },
		{ HEAD "guards: [prod]", "expected a map of guards" },
	};
	for (size_t i = 0; i < COUNT(cases); i++)
		world_refused_all(cases[i].text, cases[i].words);
	config_free(world_all(LATER "{name: a, allow: [exec], guard: prod, approval: {by: lead}}\n"
				    "- {name: b, allow: [shell], break_glass: true, record: required, guard: prod}\n"
				    "- {name: c, allow: [sftp], break_glass: false}"));
}

/* ---- what roles come to ---- */

#define TIMES "{short: {groups: [a], lifetime: 30m}, long: {users: [u], lifetime: 2h}, none: {groups: [b]}, ci: {claims: {env: prod}, lifetime: 5m}}"

static void test_lifetime(void **state)
{
	(void)state;
	CONFIG_CLEANUP struct config *config = world_config("version: 1\nhost_key: /k\nroles: " TIMES);
	char *a[] = { "a", "b", NULL }, *b[] = { "b", NULL }, *none[] = { NULL };
	char name[] = "env", value[] = "prod", other[] = "test";
	struct claim prod[] = { { name, value }, { NULL, NULL } }, test[] = { { name, other }, { NULL, NULL } };
	static const int64_t m = 60000, h = 60 * 60000;
	const struct { struct identity who; int64_t fallback, want; } cases[] = {
		{ { .user = "x", .groups = none }, 10 * h, 10 * h },
		{ { .user = "x", .groups = b, .group_count = 1 }, 10 * h, 10 * h },
		{ { .user = "u", .groups = none }, 10 * h, 2 * h },
		{ { .user = "u", .groups = none }, h, h }, /* never longer than the configuration's */
		{ { .user = "u", .groups = a, .group_count = 2 }, 10 * h, 30 * m },
		{ { .user = "u", .groups = a, .group_count = 2, .claims = prod }, 10 * h, 5 * m },
		{ { .user = "u", .groups = a, .group_count = 2, .claims = test }, 10 * h, 30 * m },
	};
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(ruleset_lifetime(config->ruleset, &cases[i].who, cases[i].fallback), cases[i].want);
}

static void test_claim_names(void **state)
{
	(void)state;
	CONFIG_CLEANUP struct config *config =
		world_config("version: 1\nhost_key: /k\nroles: {a: {claims: {repo: x, ref: y}}, b: {users: [u]}, "
			     "c: {claims: {ref: z, 'https://e/t': t}}}");
	const char *const *names = ruleset_claim_names(config->ruleset);
	assert_string_equal(names[0], "repo");
	assert_string_equal(names[1], "ref");
	assert_string_equal(names[2], "https://e/t");
	assert_null(names[3]);
	CONFIG_CLEANUP struct config *none = world_config("version: 1\nhost_key: /k\nroles: {b: {users: [u]}}");
	assert_null(ruleset_claim_names(none->ruleset)[0]);
	for (int count = IDENTITY_CLAIMS_MAX; count <= IDENTITY_CLAIMS_MAX + 1; count++) {
		BUF_CLEANUP struct buf text = BUF_INIT(65536);
		assert_int_equal(buf_puts(&text, "version: 1\nhost_key: /k\nroles:\n"), 0);
		for (int i = 0; i < count; i++)
			assert_true(buf_printf(&text, "  r%d: {claims: {c%d: x}}\n", i, i) >= 0);
		if (count > IDENTITY_CLAIMS_MAX)
			world_refused(buf_cstr(&text), "the roles ask for more than 32 claims");
		else
			config_free(world_config(buf_cstr(&text)));
	}
	BUF_CLEANUP struct buf one = BUF_INIT(65536);
	assert_int_equal(buf_puts(&one, "version: 1\nhost_key: /k\nroles: {r: {claims: {"), 0);
	for (int i = 0; i <= IDENTITY_CLAIMS_MAX; i++)
		assert_true(buf_printf(&one, "c%d: x, ", i) >= 0);
	assert_int_equal(buf_puts(&one, "}}}"), 0);
	world_refused(buf_cstr(&one), "more than 32 claims");
}

static void test_voters(void **state)
{
	(void)state;
	CONFIG_CLEANUP struct config *config = world_config(HEAD);
	char lead[] = "lead", sre[] = "sre", gone[] = "gone";
	char *groups[] = { "sre", NULL }, *none[] = { NULL };
	const struct identity bob = { .user = "bob", .groups = none }, alice = { .user = "alice", .groups = groups, .group_count = 1 },
			      robot = { .user = "bob", .groups = groups, .group_count = 1, .machine = true };
	const struct approval_rule by_lead = { .by = lead }, by_sre = { .by = sre }, by_gone = { .by = gone };
	assert_true(ruleset_may_vote(config->ruleset, &by_lead, &bob));
	assert_false(ruleset_may_vote(config->ruleset, &by_lead, &alice));
	assert_false(ruleset_may_vote(config->ruleset, &by_lead, &robot));
	assert_true(ruleset_may_vote(config->ruleset, &by_sre, &alice));
	assert_false(ruleset_may_vote(config->ruleset, &by_sre, &bob));
	assert_false(ruleset_may_vote(config->ruleset, &by_gone, &bob)); /* a reload may have taken the role away */
	assert_true(ruleset_role_votes(config->ruleset, "lead", &bob));
	assert_false(ruleset_role_votes(config->ruleset, "lead", &robot));
	assert_string_equal(ruleset_role_users(config->ruleset, "lead")[0], "bob");
	assert_null(ruleset_role_users(config->ruleset, "lead")[1]);
	assert_null(ruleset_role_users(config->ruleset, "sre")[0]); /* only groups */
	assert_null(ruleset_role_users(config->ruleset, "gone")[0]);
}

static void test_limits(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf rules = BUF_INIT(1024 * 1024), roles = BUF_INIT(1024 * 1024);
	CONFIG_CLEANUP struct config *config = NULL;
	struct err err = { 0 };
	assert_int_equal(buf_puts(&rules, HEAD "rules:\n"), 0);
	for (size_t i = 0; i < RULESET_RULES_MAX; i++)
		assert_int_equal(buf_printf(&rules, "- {name: r%zu, deny: '*'}\n", i) < 0, 0);
	assert_int_equal(world_load(buf_cstr(&rules), &config, &err), 0);
	assert_int_equal(ruleset_count(config->ruleset), RULESET_RULES_MAX);
	assert_int_equal(buf_puts(&rules, "- {name: more, deny: '*'}\n"), 0);
	world_refused(buf_cstr(&rules), "more than 10000 rules");
	assert_int_equal(buf_puts(&roles, "version: 1\nhost_key: /k\nroles:\n"), 0);
	for (size_t i = 0; i <= RULESET_ROLES_MAX; i++)
		assert_int_equal(buf_printf(&roles, "  r%zu: {users: [x]}\n", i) < 0, 0);
	world_refused(buf_cstr(&roles), "more than 1000 roles");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_roles), cmocka_unit_test(test_bad_roles), cmocka_unit_test(test_bad_rules), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_bad_later), cmocka_unit_test(test_lifetime), cmocka_unit_test(test_claim_names), cmocka_unit_test(test_voters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
