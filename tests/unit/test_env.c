/* Which variables go to the target, what of them is the same environment, and which are a doubt for a guard. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/env_block.h"
#include "policy/env.h"

#define BLOCK(text) ((struct bytes){ (const uint8_t *)(text), sizeof(text) - 1 })

static void test_block(void **state)
{
	(void)state;
	struct bytes block = BLOCK("A=1\0B=\0C=x=y\0");
	struct env_variable variable;
	assert_true(env_ok(block));
	assert_true(env_ok(BLOCK("")));
	assert_false(env_ok(BLOCK("A=1")));
	assert_false(env_ok(BLOCK("A\0")));
	assert_false(env_ok(BLOCK("=1\0")));
	assert_false(env_ok(BLOCK("A=1\0\0")));
	assert_true(env_next(&block, &variable) && env_next(&block, &variable) && env_next(&block, &variable));
	assert_int_equal(variable.value.len, 3);
	assert_false(env_next(&block, &variable));
	BUF_CLEANUP struct buf out = BUF_INIT(8);
	assert_int_equal(env_put(&out, BLOCK("A=B"), BLOCK("1")), -EINVAL);
	assert_int_equal(env_put(&out, BLOCK(""), BLOCK("1")), -EINVAL);
	assert_int_equal(env_put(&out, BLOCK("A"), BLOCK("1\0")), -EINVAL);
	assert_int_equal(env_put(&out, BLOCK("A"), BLOCK("1234567")), -EMSGSIZE);
	assert_int_equal(out.len, 0);
	assert_int_equal(env_put(&out, BLOCK("A"), BLOCK("12345")), 0);
	assert_memory_equal(buf_data(&out), "A=12345", 8);
}

static void test_words(void **state)
{
	(void)state;
	char out[64];
	assert_string_equal(env_words(BLOCK(""), out, sizeof(out)), "");
	assert_string_equal(env_words(BLOCK("A=1\0B=\033[0m\0"), out, sizeof(out)), "A=1, B=\\x1b[0m");
	assert_string_equal(env_words(BLOCK("A=1\0B=012345678901234567890123456789\0"), out, 20), "A=1…");
	JSON_CLEANUP json_t *list = env_json(BLOCK("A=1\0B=2\0C=3\0"), 2);
	assert_int_equal(json_array_size(list), 3);
	assert_string_equal(json_string_value(json_array_get(list, 2)), "… 1 more");
}

static struct env_rule rule_of(const char *text, int want)
{
	struct yaml *yaml = NULL;
	struct env_rule rule = { 0 };
	struct err err = { 0 };
	assert_int_equal(yaml_parse("test", (struct bytes){ (const uint8_t *)text, strlen(text) }, &yaml, &err), 0);
	int rc = env_rule_load(yaml_get(yaml, "env"), &rule, &err);
	assert_int_equal(rc != 0, want != 0);
	yaml_free(yaml);
	return rule;
}

static void filtered(const struct env_rule *rule, const char *always, struct bytes block, struct bytes want)
{
	BUF_CLEANUP struct buf out = BUF_INIT(4096);
	assert_int_equal(env_filter(rule, always, block, &out), 0);
	if (out.len != want.len || (want.len && memcmp(buf_data(&out), want.data, want.len)))
		fail_msg("'%.*s' is not '%.*s'", (int)out.len, (const char *)buf_data(&out), (int)want.len, (const char *)want.data);
}

static void test_filter(void **state)
{
	(void)state;
	filtered(NULL, NULL, BLOCK("LANG=C\0LC_ALL=x\0LC=1\0LANGX=1\0TERM=a\0TZ=b\0GIT_PROTOCOL=version=2\0GIT_SSH=x\0BASH_ENV=/x\0PATH=/tmp\0"),
		BLOCK("GIT_PROTOCOL=version=2\0LANG=C\0LC_ALL=x\0TERM=a\0TZ=b\0"));
	/* the same environment, whatever the order, and whatever was said of it before */
	filtered(NULL, NULL, BLOCK("TZ=1\0LANG=C\0TZ=2\0"), BLOCK("LANG=C\0TZ=2\0"));
	filtered(NULL, NULL, BLOCK("LANG=C\0TZ=2\0"), BLOCK("LANG=C\0TZ=2\0"));
	filtered(NULL, "SSH_ORIGINAL_COMMAND", BLOCK("SSH_ORIGINAL_COMMAND=id\0FOO=1\0"), BLOCK("SSH_ORIGINAL_COMMAND=id\0"));
	filtered(NULL, NULL, BLOCK("SSH_ORIGINAL_COMMAND=id\0"), BLOCK(""));
	struct env_rule some = rule_of("env: [FOO, \"BAR_*\"]", 0), none = rule_of("env: []", 0), bad = rule_of("env: [\"re:(\"]", 1);
	filtered(&some, NULL, BLOCK("LANG=C\0FOO=1\0FOOD=2\0BAR_A=3\0"), BLOCK("BAR_A=3\0FOO=1\0"));
	filtered(&none, NULL, BLOCK("LANG=C\0FOO=1\0"), BLOCK(""));
	env_rule_release(&some), env_rule_release(&none), env_rule_release(&bad);
}

static void test_suspects(void **state)
{
	(void)state;
	static const char *const bad[] = { "BASH_ENV", "ENV", "LD_PRELOAD", "LD_LIBRARY_PATH", "PS4", "PROMPT_COMMAND", "SHELLOPTS", "IFS", "PATH", "PERL5OPT", "PYTHONPATH",
		"PYTHONSTARTUP", "NODE_OPTIONS", "GIT_SSH_COMMAND", "GIT_EDITOR", "BASH_FUNC_ls%%", "SYSTEMD_PAGER", "MY_EDITOR", "RUBYOPT", "LESSOPEN" };
	static const char *const good[] = { "LANG", "LC_ALL", "LC_PATH", "TERM", "COLORTERM", "NO_COLOR", "TZ", "GIT_PROTOCOL", "ENVIRONMENT", "MYPATH", "TEST_X", "LDX" };
	char name[ENV_NAME_SHOWN];
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]) + sizeof(good) / sizeof(good[0]); i++) {
		bool is_bad = i < sizeof(bad) / sizeof(bad[0]);
		const char *tried = is_bad ? bad[i] : good[i - sizeof(bad) / sizeof(bad[0])];
		BUF_CLEANUP struct buf block = BUF_INIT(256);
		assert_int_equal(env_put(&block, BLOCK("A"), BLOCK("1")), 0);
		assert_int_equal(env_put(&block, (struct bytes){ (const uint8_t *)tried, strlen(tried) }, BLOCK("x")), 0);
		const char *found = env_suspect(buf_bytes(&block), name);
		if (is_bad != (found != NULL) || (found && strcmp(found, tried)))
			fail_msg("%s: %s", tried, found ? found : "no doubt");
	}
	assert_non_null(env_suspect(BLOCK("LC_X=() { :;}; id\0"), name));
	for (const char *const *at = env_default(); *at; at++) {
		BUF_CLEANUP struct buf block = BUF_INIT(256);
		assert_int_equal(env_put(&block, (struct bytes){ (const uint8_t *)*at, strlen(*at) }, BLOCK("x")), 0);
		assert_null(env_suspect(buf_bytes(&block), name));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_block), cmocka_unit_test(test_words), cmocka_unit_test(test_filter), cmocka_unit_test(test_suspects),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
