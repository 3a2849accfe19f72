/* Patterns: meaning, refusals, and that a hostile subject cannot make them slow. */
#include "common/pattern.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define SUBJECT_MAX 131072 /* IPC_DETAIL_MAX: the longest command line that is judged */
#define SLOW_MS 5000      /* far above the bound, for slow machines and sanitizers */

static enum pattern_answer match(const char *text, const char *data, size_t len)
{
	struct pattern *pattern;
	struct err err;
	if (pattern_compile(text, &pattern, &err))
		fail_msg("%s", err.text);
	assert_string_equal(pattern_text(pattern), text);
	enum pattern_answer answer = pattern_match(pattern, data, len);
	pattern_free(pattern);
	return answer;
}

static void assert_answers(const char *text, const char *yes, const char *no)
{
	if (match(text, yes, strlen(yes)) != PATTERN_YES)
		fail_msg("'%s' does not match '%s'", text, yes);
	if (match(text, no, strlen(no)) != PATTERN_NO)
		fail_msg("'%s' matches '%s'", text, no);
}

static void test_glob(void **state)
{
	(void)state;
	assert_answers("abc", "abc", "abcd");
	assert_answers("abc", "abc", "ab");
	assert_answers("a*", "a", "ba");
	assert_answers("*a", "bba", "ab");
	assert_answers("*.db.example.com", "x.db.example.com", "xdb.example.com");
	assert_answers("a*b*c", "axxbxbxc", "axxbxbx");
	assert_answers("a**c", "ac", "acd");
	assert_answers("a?c", "abc", "ac");
	assert_answers("?", "x", "");
	assert_answers("rm -r*", "rm -rf /", " rm -rf /");
	assert_answers("*ab", "aab", "aabb");
	assert_answers("*abab*c", "abaababc", "abaabac");
	assert_answers("\\*", "*", "x");
	assert_answers("a\\?b", "a?b", "axb");
	assert_answers("\\\\", "\\", "\\\\");
	assert_answers("[ab]", "[ab]", "a"); /* no sets */
	assert_answers("\\re:x", "re:x", "x");
	assert_answers("ABC", "ABC", "abc");
}

static void test_glob_bytes(void **state)
{
	(void)state;
	assert_int_equal(match("a*c", "a\n\0\xff" "c", 5), PATTERN_YES);
	assert_int_equal(match("a?c", "a\nc", 3), PATTERN_YES);
	assert_int_equal(match("a", "a\0", 2), PATTERN_NO);
	assert_int_equal(match("a", "a\n", 2), PATTERN_NO);
	assert_int_equal(match("*", NULL, 0), PATTERN_YES);
}

static void test_regex(void **state)
{
	(void)state;
	assert_answers("re:\\bdd\\b.*of=/dev/", "sudo dd if=x of=/dev/sda", "odd of=/dev/sda");
	assert_answers("re:^ls$", "ls", "ls -l");
	assert_answers("re:^ls$", "ls", "ls\n");              /* the end is the end */
	assert_answers("re:rm.*-rf", "rm \n -rf", "rm -r -f"); /* a newline does not hide anything */
	assert_answers("re:(?i)RM", "rm", "mr");
	assert_int_equal(match("re:a\\x00b", "xa\0bx", 5), PATTERN_YES);
	assert_int_equal(match("re:^.$", "\xff", 1), PATTERN_YES);
	assert_int_equal(match("re:^.$", "\xc3\xa4", 2), PATTERN_NO); /* bytes, not characters */
	assert_int_equal(match("re:^$", NULL, 0), PATTERN_YES);
}

static void test_refused(void **state)
{
	(void)state;
	const char *const bad[] = { "", "a\\", "re:", "re:(", "re:[", "re:*", "re:(*UTF)a", "re:\\Ca", "re:a{70000}" };
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct pattern *pattern = NULL;
		struct err err;
		if (pattern_compile(bad[i], &pattern, &err) != -EINVAL)
			fail_msg("'%s' was taken", bad[i]);
		assert_null(pattern);
		assert_true(*err.text);
	}
	pattern_free(NULL);
}

static void test_longest(void **state)
{
	(void)state;
	char text[PATTERN_MAX + 2];
	struct pattern *pattern = NULL;
	memset(text, 'a', sizeof(text));
	text[PATTERN_MAX + 1] = 0;
	assert_int_equal(pattern_compile(text, &pattern, NULL), -EMSGSIZE);
	text[PATTERN_MAX] = 0;
	assert_int_equal(pattern_compile(text, &pattern, NULL), 0);
	assert_int_equal(pattern_match(pattern, text, PATTERN_MAX), PATTERN_YES);
	pattern_free(pattern);
}

static void assert_bounded(const char *text, char fill, enum pattern_answer expected)
{
	char *subject = malloc(SUBJECT_MAX);
	memset(subject, fill, SUBJECT_MAX);
	int64_t before = clock_mono_ms();
	enum pattern_answer answer = match(text, subject, SUBJECT_MAX);
	int64_t took = clock_mono_ms() - before;
	free(subject);
	if (answer != expected || took > SLOW_MS)
		fail_msg("'%s' answered %d after %lld ms", text, answer, (long long)took);
}

static void test_bounded(void **state)
{
	(void)state;
	assert_bounded("*a*a*a*a*a*a*a*a*a*a*b", 'a', PATTERN_NO);
	assert_bounded("re:(a+)+[b-z]", 'a', PATTERN_ERROR);
	assert_bounded("re:(a|aa)+\\z(?<!a)", 'a', PATTERN_ERROR);
	assert_bounded("re:a.*a.*a.*[b-z]", 'a', PATTERN_ERROR);
	assert_bounded("re:a.*[b-z]", 'a', PATTERN_ERROR); /* cheap at each place, but there are many places */
	assert_bounded("re:x.*y", 'a', PATTERN_NO);    /* long is not too much */
	assert_bounded("re:a[^b]*$", 'a', PATTERN_YES);
	assert_bounded("re:^.*[^a]", 'a', PATTERN_NO); /* one pass back through all of it */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_glob), cmocka_unit_test(test_glob_bytes), cmocka_unit_test(test_regex),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_longest), cmocka_unit_test(test_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
