/* A typed line's candidates: the strictest counts, what was not read surely is at least blind, and nobody approves what cannot be shown. */
#include "policy/typed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ENTRIES "rules: [{deny: ['mkfs*']}, {approve: ['rm *'], by: lead}, {approve: ['halt'], by: ops}, {warn: ['touch *']}, {allow: ['*']}]}\n"

static const char text[] = "warns: {blind: warn, " ENTRIES "allows: {blind: allow, " ENTRIES "denies: {blind: deny, " ENTRIES
			   "listed: [{allow: ['ls', 'for *']}]\n";
static struct guards *guards;

static int setup(void **state)
{
	(void)state;
	struct yaml *root;
	struct err err = { "" };
	if (yaml_parse("guards", (struct bytes){ (const uint8_t *)text, sizeof(text) - 1 }, &root, &err) || guards_load(root, &guards, &err))
		fail_msg("%s", err.text);
	yaml_free(root);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	guards_free(guards);
	return 0;
}

/* "+" in front of a text: it is joined with the lines before. */
static const struct { const char *guard, *texts[3], *blind; bool continues; enum guard_verdict verdict; const char *words, *by; } cases[] = {
	{ "warns", { "ls" }, NULL, false, GUARD_ALLOW, "allows 'ls'", NULL },
	{ "warns", { "touch x" }, NULL, false, GUARD_WARN, "warns of 'touch x'", NULL },
	{ "warns", { "rm x" }, NULL, false, GUARD_APPROVE, "wants an approval for 'rm x'", "lead" },
	{ "warns", { "halt" }, NULL, false, GUARD_APPROVE, "wants an approval for 'halt'", "ops" },
	{ "warns", { "mkfs x" }, NULL, false, GUARD_DENY, "denies 'mkfs x'", NULL },
	/* the strictest of all that it may be */
	{ "warns", { "ls", "mkfs x" }, NULL, false, GUARD_DENY, "denies 'mkfs x'", NULL },
	{ "warns", { "mkfs x", "ls" }, NULL, false, GUARD_DENY, "denies 'mkfs x'", NULL },
	{ "warns", { "ls", "touch x", "ls -l" }, NULL, false, GUARD_WARN, "warns of 'touch x'", NULL },
	/* what is approved is what is shown */
	{ "warns", { "rm x", "rm" }, NULL, false, GUARD_APPROVE, "'rm x'", "lead" },
	{ "warns", { "ls", "rm x" }, NULL, false, GUARD_DENY, "not read surely", NULL },
	{ "warns", { "rm x" }, "no prompt is known here", false, GUARD_DENY, "not read surely (no prompt is known here)", NULL },
	{ "allows", { "rm x" }, "history expansion", false, GUARD_DENY, "not read surely (history expansion)", NULL },
	/* blind */
	{ "warns", { NULL }, "a full-screen program", false, GUARD_WARN, "warns of a line that it cannot read (a full-screen program)", NULL },
	{ "allows", { NULL }, "a full-screen program", false, GUARD_ALLOW, "allows a line that it cannot read", NULL },
	{ "denies", { NULL }, "a full-screen program", false, GUARD_DENY, "denies a line that it cannot read", NULL },
	{ "warns", { "ls" }, "x", false, GUARD_WARN, "cannot read (x)", NULL },
	{ "allows", { "ls" }, "x", false, GUARD_ALLOW, "allows 'ls'", NULL },
	{ "allows", { "touch x" }, "x", false, GUARD_WARN, "warns of 'touch x'", NULL },
	{ "allows", { "mkfs x" }, "x", false, GUARD_DENY, "denies 'mkfs x'", NULL },
	{ "denies", { "ls" }, "x", false, GUARD_DENY, "cannot read (x)", NULL },
	/* the last line of several */
	{ "warns", { "+for i in 1; do\nls\ndone", "done" }, NULL, true, GUARD_ALLOW, "allows 'ls'", NULL },
	{ "warns", { "+for i in 1; do\nmkfs x", "mkfs x" }, NULL, true, GUARD_DENY, "denies 'mkfs x'", NULL },
	{ "warns", { "+for i in 1; do\nrm x\ndone", "done" }, NULL, true, GUARD_APPROVE, "'rm x'", "lead" },
	{ "warns", { "+echo \"a\nmkfs x", "mkfs x" }, NULL, true, GUARD_DENY, "denies 'mkfs x'", NULL },
	{ "listed", { "+if ls; then\nls", "ls" }, NULL, true, GUARD_ALLOW, "allows 'ls'", NULL },
	{ "listed", { "+if ls; then\ncat x\nfi", "fi" }, NULL, true, GUARD_DENY, "nothing that allows 'cat x'", NULL },
	{ "warns", { "done" }, NULL, false, GUARD_APPROVE, "what it cannot see", "lead" },
	/* alone it is not the last of anything */
	{ "listed", { "done" }, NULL, false, GUARD_DENY, "what it cannot see", NULL },
};

static struct typed_line line_of(size_t i)
{
	struct typed_line line = { .continues = cases[i].continues, .blind = cases[i].blind };
	for (size_t t = 0; t < COUNT(cases[i].texts) && cases[i].texts[t]; t++) {
		const char *at = cases[i].texts[t];
		bool joined = *at == '+';
		line.texts[line.count++] = (struct typed_text){ { (const uint8_t *)at + joined, strlen(at) - joined }, joined };
	}
	return line;
}

static void test_table(void **state)
{
	(void)state;
	int wrong = 0;
	for (size_t i = 0; i < COUNT(cases); i++) {
		TYPED_CLEANUP struct typed_judgement found = { 0 };
		const struct typed_line line = line_of(i);
		assert_int_equal(typed_judge(guards_find(guards, cases[i].guard), &line, &found), 0);
		bool by = cases[i].by ? found.by && !strcmp(found.by[0], cases[i].by) && !found.by[1] : !found.by;
		if (found.verdict == cases[i].verdict && strstr(found.reason, cases[i].words) && by)
			continue;
		print_error("case %zu: %s: %s%s\n", i, guard_verdict_name(found.verdict), found.reason, by ? "" : " (by somebody else)");
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

static void test_most_texts(void **state)
{
	(void)state;
	TYPED_CLEANUP struct typed_judgement found = { 0 };
	struct typed_line line = { .count = TYPED_TEXTS_MAX };
	for (size_t i = 0; i < TYPED_TEXTS_MAX; i++)
		line.texts[i].text = (struct bytes){ (const uint8_t *)(i + 1 < TYPED_TEXTS_MAX ? "ls" : "mkfs"), i + 1 < TYPED_TEXTS_MAX ? 2 : 4 };
	assert_int_equal(typed_judge(guards_find(guards, "warns"), &line, &found), 0);
	assert_int_equal(found.verdict, GUARD_DENY);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_table), cmocka_unit_test(test_most_texts) };
	return cmocka_run_group_tests(tests, setup, teardown);
}
