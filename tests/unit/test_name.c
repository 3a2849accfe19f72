/* Names as providers write them: which are refused, and that the words name the character. */
#include "common/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/in_range.h"

#include "common/text.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define U NAME_UNICODE
#define W NAME_WORKLOAD

static const struct {
	const char *name;
	unsigned flags;
	const char *words; /* NULL: accepted */
} cases[] = {
	{ "alice", 0, NULL },
	{ "Alice_B.c-d+e@example.com", 0, NULL },
	{ "o'brien", 0, NULL },
	{ "0f5b1c2d-aaaa", 0, NULL },
	{ "alice", U, NULL },
	{ "", 0, "empty" },
	{ "-x", 0, "begins with '-'" },
	{ "a b", 0, "holds ' '" },
	{ "/sre", 0, "holds '/'" },
	{ "a,b", 0, "holds ','" },
	{ "a*", U, "holds '*'" },
	{ "CORP\\alice", 0, "holds '\\\\'" },
	{ "a\"b", 0, "holds '\"'" },
	{ "a`b", U, "holds '`'" },
	{ "a\nb", 0, "holds '\\n'" },
	{ "a\x1b[2J", 0, "holds '\\x1b'" },
	{ "a\xff", U, "not valid UTF-8" },
	/* of ASCII no more than that, whatever is configured */
	{ "a;b", 0, "holds ';'" },
	{ "a$b", U, "holds '$'" },
	{ "a&b", U, "holds '&'" },
	{ "a|b", U, "holds '|'" },
	{ "a(b", U, "holds '('" },
	{ "a=b", U, "holds '='" },
	{ "a#b", U, "holds '#'" },
	{ "a%b", U, "holds '%'" },
	{ "a:b", U, "holds ':'" },
	{ "a~b", U, "holds '~'" },
	/* workloads */
	{ "system:serviceaccount:ci:deploy", 0, "holds ':'" },
	{ "system:serviceaccount:ci:deploy", W, NULL },
	{ "local:root", W, "begins with 'local:'" },
	{ "local:root", U | W, "begins with 'local:'" },
	{ "local:root", 0, "local:" },
	{ "local", 0, NULL },
	/* beyond ASCII only where it is said */
	{ "j\u00fcrgen", 0, "holds '\\u{00FC}', which is not ASCII (names: unicode" },
	{ "j\u00fcrgen", U, NULL },
	{ "\u0438\u0432\u0430\u043d", 0, "not ASCII" },
	{ "\u0438\u0432\u0430\u043d", U, NULL },
	{ "\u0438\u0432\u0430\u043d.7@example.com", U, NULL },
	{ "\u7530\u4e2d\u3055\u3093", U, NULL },
	{ "\u30ab\u30fc\u30eb\u7530", U, NULL },
	{ "\uae40\u91d1", U, NULL },
	{ "\u0e2a\u0e21\u0e0a\u0e32\u0e22", U, NULL },
	/* one script in each part */
	{ "ali\u0441e", U, "holds '\\u{0441}' (Cyrillic) among Latin letters" },
	{ "ali\u0441e", 0, "not ASCII" },
	{ "\u0430lice", U, "holds 'l' (Latin) among Cyrillic letters" },
	{ "alic\u03b5", U, "(Greek) among Latin" },
	{ "a\u0561b", U, "(Armenian) among Latin" },
	{ "alice@ex\u0430mple.com", U, "(Cyrillic) among Latin" },
	{ "\u7530\u4e2dtanaka", U, "(Latin) among Han" },
	{ "\uae40\u3055", U, "(Hiragana) among Hangul" },
	{ "\u7530\u3055\uae40", U, "(Hangul) among Han" },
	{ "\u7530\uae40\u3055", U, "(Hiragana) among Han" },
	/* look-alikes that are no letters, or letters of nobody's language, and marks that go with
	   anything */
	{ "a\uff41", U, "'\\u{FF41}', which is not a letter" },
	{ "a\u2024b", U, "'\\u{2024}'" },
	{ "a\u0251b", U, "'\\u{0251}'" },
	{ "e\u0301", U, "'\\u{0301}'" },
	{ "a\u2019b", U, "'\\u{2019}'" },
	{ "\U0001d41alice", U, "'\\u{1D41A}'" },
	{ "\U0001f600", U, "'\\u{1F600}'" },
	{ "a\u200bb", U, "\\u{200B}" },
	{ "a\u202eb", U, "\\u{202E}" },
	{ "a\u00a0b", U, "\\u{00A0}" },
	{ "a\ue000", U, "'\\u{E000}'" },
};

static void test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char why[NAME_WHY_MAX] = "";
		bool ok = name_ok(cases[i].name, strlen(cases[i].name), cases[i].flags, why);
		if (ok != !cases[i].words || (!ok && !strstr(why, cases[i].words)))
			fail_msg("case %zu '%s': %s", i, cases[i].name, ok ? "accepted" : why);
		for (const char *p = why; *p; p++)
			assert_uint_in_range((unsigned char)*p, ' ', '~');
		assert_true(!ok || text_name_ok(cases[i].name, strlen(cases[i].name)));
	}
}

static void test_limit(void **state)
{
	(void)state;
	char name[257], why[NAME_WHY_MAX];
	memset(name, 'a', sizeof(name));
	assert_true(name_ok(name, 255, 0, why));
	assert_false(name_ok(name, 256, 0, why));
	assert_non_null(strstr(why, "longer than 255"));
	assert_false(name_ok("a\0b", 3, U, why));
	assert_non_null(strstr(why, "holds"));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_names),
		cmocka_unit_test(test_limit) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
