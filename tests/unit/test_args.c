/* Arguments read by a table. */
#include "common/args.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct options {
	bool json;
	const char *user;
	struct args_list groups;
	int64_t limit, idle, speed;
};

#define OPT(n, t, f, low, high)                              \
	{                                                    \
		n, t, offsetof(struct options, f), low, high \
	}
static const struct arg_row rows[] = {
	OPT("json", ARG_FLAG, json, 0, 0),
	OPT("user", ARG_TEXT, user, 0, 0),
	OPT("group", ARG_LIST, groups, 0, 0),
	OPT("limit", ARG_INT, limit, 1, 100),
	OPT("idle", ARG_DURATION, idle, 0, 0),
	OPT("speed", ARG_MILLI, speed, 0, 10000),
	{ 0 },
};

static int parse(struct options *options, struct args_list *words, struct err *err, char *const *argv)
{
	*options = (struct options){ .limit = 50 };
	return args_parse(rows, argv, options, words, err);
}

#define PARSE(...) parse(&options, &words, &err, (char *[]){ __VA_ARGS__, NULL })

static void test_forms(void **state)
{
	(void)state;
	struct options options;
	struct args_list words;
	struct err err;
	assert_int_equal(PARSE("one", "--json", "--user", "alice", "--group=a", "--group", "b", "two", "--limit=7", "--", "--json", "-x"), 0);
	assert_true(options.json);
	assert_string_equal(options.user, "alice");
	assert_int_equal(options.groups.count, 2);
	assert_string_equal(options.groups.items[1], "b");
	assert_null(options.groups.items[2]);
	assert_int_equal(options.limit, 7);
	assert_int_equal(words.count, 4);
	assert_string_equal(words.items[2], "--json");
	assert_string_equal(words.items[3], "-x");
}

static void test_defaults_stay(void **state)
{
	(void)state;
	struct options options;
	struct args_list words;
	struct err err;
	assert_int_equal(PARSE("-"), 0); /* a lone dash is a word */
	assert_int_equal(words.count, 1);
	assert_int_equal(options.limit, 50);
	assert_false(options.json);
}

static void test_numbers(void **state)
{
	(void)state;
	static const struct {
		const char *option, *value;
		int ok;
		int64_t want;
	} cases[] = {
		{ "--limit", "1", 1, 1 },
		{ "--limit", "100", 1, 100 },
		{ "--limit", "0", 0, 0 },
		{ "--limit", "101", 0, 0 },
		{ "--limit", "1.5", 0, 0 },
		{ "--limit", "-1", 0, 0 },
		{ "--limit", "", 0, 0 },
		{ "--limit", "99999999999999999999999", 0, 0 },
		{ "--limit", "7x", 0, 0 },
		{ "--speed", "1.5", 1, 1500 },
		{ "--speed", "10", 1, 10000 },
		{ "--speed", "10.001", 0, 0 },
		{ "--speed", "0.0001", 0, 0 },
		{ "--speed", "nan", 0, 0 },
		{ "--idle", "2", 1, 2000 },
		{ "--idle", "0.5", 1, 500 },
		{ "--idle", "1m30s", 1, 90000 },
		{ "--idle", "soon", 0, 0 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct options options;
		struct args_list words;
		struct err err = { "" };
		int rc = PARSE((char *)cases[i].option, (char *)cases[i].value);
		if ((rc == 0) != cases[i].ok)
			fail_msg("%s %s: %d %s", cases[i].option, cases[i].value, rc, err.text);
		int64_t got = cases[i].option[2] == 'l' ? options.limit : cases[i].option[2] == 's' ? options.speed : options.idle;
		if (cases[i].ok)
			assert_int_equal(got, cases[i].want);
	}
}

static void test_refused(void **state)
{
	(void)state;
	struct options options;
	struct args_list words;
	struct err err;
	assert_int_equal(PARSE("--jso"), -EINVAL);
	assert_non_null(strstr(err.text, "unknown option '--jso'"));
	assert_int_equal(PARSE("--jsonx"), -EINVAL);
	assert_int_equal(PARSE("-j"), -EINVAL);
	assert_int_equal(PARSE("--json=1"), -EINVAL);
	assert_int_equal(PARSE("--user"), -EINVAL);
	assert_non_null(strstr(err.text, "needs a value"));
	assert_int_equal(PARSE("--user", "a", "--user=b"), -EINVAL);
	assert_non_null(strstr(err.text, "twice"));
	assert_int_equal(PARSE("--json", "--json"), -EINVAL);
}

static void test_limits(void **state)
{
	(void)state;
	char *argv[ARGS_LIST_MAX + 2] = { NULL };
	struct options options;
	struct args_list words;
	for (int more = 0; more < 2; more++) {
		for (int i = 0; i < ARGS_LIST_MAX + more; i++)
			argv[i] = (char *)"word";
		assert_int_equal(parse(&options, &words, NULL, argv) == 0, !more);
		for (int i = 0; i < ARGS_LIST_MAX + more; i++)
			argv[i] = (char *)"--group=x";
		assert_int_equal(parse(&options, &words, NULL, argv) == 0, !more);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_defaults_stay),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
