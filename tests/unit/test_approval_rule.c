/* `approval` of a rule: what is read, what is refused, and how many votes a reason needs. */
#include "policy/approval_rule.h"

#include "tests/unit/policy_world.h"

static int load(const char *text, struct approval_rule **ret, struct err *err)
{
	struct yaml *node = NULL;
	int rc = yaml_parse("a", world_bytes(text), &node, err);
	if (rc == 0)
		rc = approval_rule_load(node, ret, err);
	yaml_free(node);
	return rc;
}

static struct approval_rule *loaded(const char *text)
{
	struct approval_rule *approval = NULL;
	struct err err = { 0 };
	if (load(text, &approval, &err) < 0)
		fail_msg("%s", err.text);
	return approval;
}

static void test_defaults(void **state)
{
	(void)state;
	struct approval_rule *approval = loaded("{by: lead}");
	assert_string_equal(approval->by, "lead");
	assert_int_equal(approval->votes, 1);
	assert_int_equal(approval->window, 3600 * 1000);
	assert_int_equal(approval->expires, 15 * 60 * 1000);
	assert_int_equal(approval->uses, 0);
	assert_int_equal(approval->wait, APPROVAL_WAIT_DEFAULT);
	assert_false(approval->reason_required || approval->drain);
	assert_null(approval->ticket);
	assert_int_equal(approval_votes(approval, "OPS-1"), 1);
	approval_rule_free(approval);
}

static void test_values(void **state)
{
	(void)state;
	struct approval_rule *approval = loaded("{by: lead, votes: 16, window: 30d, expires: 7d, uses: 1000000, reason: required, "
						"ticket: 'OPS-[0-9]+', ticket_votes: 2, on_expiry: drain, wait_without_terminal: 1h}");
	assert_int_equal(approval->votes, APPROVAL_VOTES_MAX);
	assert_int_equal(approval->window, APPROVAL_WINDOW_MAX_MS);
	assert_int_equal(approval->expires, APPROVAL_EXPIRES_MAX_MS);
	assert_int_equal(approval->uses, APPROVAL_USES_MAX);
	assert_int_equal(approval->wait, APPROVAL_WAIT_MAX_MS);
	assert_true(approval->reason_required && approval->drain);
	assert_int_equal(approval->ticket_votes, 2);
	BUF_CLEANUP struct buf out = BUF_INIT(4096);
	assert_int_equal(approval_rule_dump(approval, &out), 0);
	approval_rule_free(approval);
	struct approval_rule *again = loaded(buf_cstr(&out)); /* what is written loads again, and is written the same */
	BUF_CLEANUP struct buf second = BUF_INIT(4096);
	assert_int_equal(approval_rule_dump(again, &second), 0);
	assert_string_equal(buf_cstr(&out), buf_cstr(&second));
	assert_non_null(strstr(buf_cstr(&out), "votes: 16, window: 30d, expires: 7d, uses: 1000000, reason: required"));
	assert_non_null(strstr(buf_cstr(&out), "ticket_votes: 2, on_expiry: drain, wait_without_terminal: 1h}"));
	approval_rule_free(again);
	again = loaded("{by: lead, wait_without_terminal: 0}"); /* no wait at all is not the default */
	assert_int_equal(again->wait, 0);
	approval_rule_free(again);
}

static void test_refused(void **state)
{
	(void)state;
	static const struct { const char *text, *words; } cases[] = {
		{ "lead", "expected a map" },
		{ "{}", "'by' is missing" },
		{ "{votes: 1}", "'by' is missing" },
		{ "{by: }", "expected a text" },
		{ "{by: [lead]}", "expected a text" },
		{ "{by: lead, vote: 2}", "unknown key 'vote': did you mean 'votes'?" },
		{ "{by: lead, votes: 0}", "0 is not between 1 and 16" },
		{ "{by: lead, votes: 17}", "17 is not between 1 and 16" },
		{ "{by: lead, window: 0}", "is not between 1s and 30d" },
		{ "{by: lead, window: 2592001s}", "is not between 1s and 30d" },
		{ "{by: lead, expires: 999ms}", "is not between 1s and 7d" },
		{ "{by: lead, expires: 169h}", "is not between 1s and 7d" },
		{ "{by: lead, uses: 1000001}", "is not between 0 and 1000000" },
		{ "{by: lead, uses: -1}", "is not a number" },
		{ "{by: lead, reason: always}", "expected optional or required" },
		{ "{by: lead, on_expiry: stop}", "expected end or drain" },
		{ "{by: lead, wait_without_terminal: 61m}", "is not between 0 and 1h" },
		{ "{by: lead, ticket: '('}", "a:1:20: pattern" },
		{ "{by: lead, ticket: 'a)(b'}", "a:1:20: pattern" },
		{ "{by: lead, ticket: '.*'}", "every reason would name this ticket" },
		{ "{by: lead, ticket: 'OPS-[0-9]+|'}", "every reason would name this ticket" },
		{ "{by: lead, votes: 2, ticket_votes: 1}", "'ticket_votes' has no meaning without 'ticket'" },
		{ "{by: lead, votes: 2, ticket: x, ticket_votes: 3}", "'ticket_votes' is more than 'votes'" },
		{ "{by: lead, votes: 2, ticket: x, ticket_votes: 0}", "0 is not between 1 and 16" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct approval_rule *approval = NULL;
		struct err err = { 0 };
		if (load(cases[i].text, &approval, &err) >= 0 || approval || !strstr(err.text, cases[i].words))
			fail_msg("%s: '%s' instead of '%s'", cases[i].text, err.text, cases[i].words);
	}
	char text[APPROVAL_TICKET_MAX + 64];
	for (int len = APPROVAL_TICKET_MAX; len <= APPROVAL_TICKET_MAX + 1; len++) {
		struct approval_rule *approval = NULL;
		snprintf(text, sizeof(text), "{by: lead, ticket: %0*d}", len, 1);
		assert_int_equal(load(text, &approval, NULL) == 0, len <= APPROVAL_TICKET_MAX);
		approval_rule_free(approval);
	}
}

static void test_votes(void **state)
{
	(void)state;
	static const struct { const char *reason; unsigned votes; } cases[] = {
		{ NULL, 3 }, { "", 3 }, { "disk full", 3 },
		{ "OPS-7", 1 }, { "OPS-7: disk full", 1 }, { "see OPS-7, OPS-8", 1 }, { "(OPS-7)", 1 }, { "x\nOPS-7", 1 },
		{ "ops-7", 3 }, { "OPS-", 3 }, { "OPS 7", 3 }, { "DEVOPS-7", 3 },
		{ "X-OPS-7", 3 }, { "OPS-7b", 3 }, { "OPS-7-1", 3 }, { "no_OPS-7", 3 },
	};
	struct approval_rule *approval = loaded("{by: lead, votes: 3, ticket: 'OPS-[0-9]+'}");
	for (size_t i = 0; i < COUNT(cases); i++)
		if (approval_votes(approval, cases[i].reason) != cases[i].votes)
			fail_msg("'%s' needs %u votes", cases[i].reason ? cases[i].reason : "(none)", approval_votes(approval, cases[i].reason));
	approval_rule_free(approval);
	approval = loaded("{by: lead, votes: 3, ticket: 'A-1|B-2', ticket_votes: 2}"); /* the bar does not reach out of the word */
	assert_int_equal(approval_votes(approval, "B-2"), 2);
	assert_int_equal(approval_votes(approval, "B-22"), 3);
	assert_int_equal(approval_votes(approval, "AA-1"), 3);
	approval_rule_free(approval);
	approval = loaded("{by: lead, votes: 3, ticket: '(a|aa)+X'}"); /* a reason that drives the expression to its bounds lowers nothing */
	char reason[4096];
	memset(reason, 'a', sizeof(reason));
	reason[sizeof(reason) - 1] = 0;
	assert_int_equal(approval_votes(approval, reason), 3);
	approval_rule_free(approval);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults), cmocka_unit_test(test_values), cmocka_unit_test(test_refused), cmocka_unit_test(test_votes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
