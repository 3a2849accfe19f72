/* Names of kinds and verdicts; identities: deep copies, and who is the same person. */
#include "common/access.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_names(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < ACCESS_KINDS; kind++) {
		enum access_kind back = ACCESS_KINDS;
		assert_int_equal(access_kind_parse(access_kind_name(kind), &back), 0);
		assert_int_equal(back, kind);
	}
	enum access_kind kind = ACCESS_KINDS;
	assert_int_equal(access_kind_parse("Shell", &kind), -EINVAL);
	assert_int_equal(access_kind_parse("", &kind), -EINVAL);
	assert_int_equal(access_kind_parse("unknown", &kind), -EINVAL);
	assert_int_equal(kind, ACCESS_KINDS);
	assert_string_equal(access_kind_name(ACCESS_KINDS), "unknown");
	assert_string_equal(verdict_name(VERDICT_DENY), "deny");
	assert_string_equal(verdict_name(VERDICT_HOLD), "hold");
	assert_string_equal(verdict_name(VERDICT_ALLOW), "allow");
	assert_string_equal(verdict_name(77), "unknown");
}

static void test_copy(void **state)
{
	(void)state;
	char *groups[] = { "sre", "leads", NULL };
	const struct identity from = { .user = "alice", .provider = "local", .subject = "alice", .groups = groups, .group_count = 2, .serial = 7, .key_id = "id",
		.key_fp = "SHA256:a", .ca_fp = "SHA256:b", .expires = INT64_MAX, .rights = 5 };
	struct identity *copy = identity_copy(&from);
	assert_non_null(copy);
	assert_string_equal(copy->user, "alice");
	assert_ptr_not_equal(copy->user, from.user);
	assert_string_equal(copy->groups[1], "leads");
	assert_null(copy->groups[2]);
	assert_null(copy->force_command);
	assert_true(copy->group_count == 2 && copy->serial == 7 && copy->expires == INT64_MAX && copy->rights == 5);
	assert_true(identity_same(&from, copy));
	assert_true(identity_in_group(copy, "leads"));
	assert_false(identity_in_group(copy, "lead"));
	assert_false(identity_in_group(copy, "SRE"));
	identity_freep(&copy);
	assert_null(copy);
	identity_free(NULL);
	copy = identity_copy(&(struct identity){ .user = "x" }); /* without groups: still a list */
	assert_non_null(copy->groups);
	assert_null(copy->groups[0]);
	assert_false(identity_in_group(copy, "sre"));
	identity_free(copy);
}

/* Spelling of the user does not matter, provider and subject do; nothing is equal to nothing. */
static void test_same(void **state)
{
	(void)state;
	const struct identity alice = { .user = "alice", .provider = "corp", .subject = "17" }, renamed = { .user = "Alice", .provider = "corp", .subject = "17" };
	const struct identity elsewhere = { .user = "alice", .provider = "local", .subject = "17" }, other = { .user = "alice", .provider = "corp", .subject = "18" };
	const struct identity none = { .user = "alice" }, empty = { .user = "alice", .provider = "", .subject = "" };
	assert_true(identity_same(&alice, &renamed));
	assert_false(identity_same(&alice, &elsewhere));
	assert_false(identity_same(&alice, &other));
	assert_false(identity_same(&none, &none));
	assert_false(identity_same(&empty, &empty));
	assert_false(identity_same(&alice, NULL));
	assert_false(identity_same(NULL, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_names), cmocka_unit_test(test_copy), cmocka_unit_test(test_same) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
