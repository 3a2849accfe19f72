/* Guards: every line of tests/guard/ gets its verdict and its parts; loading and its refusals; limits; what a judgement says. */
#include "policy/guard.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/pattern.h"
#include "common/text.h"

#include <cmocka.h>

#define TABLES "tests/guard"
#define CASES_MIN 200
#define SLOW_MS 1500 /* far above what it takes, for slow machines and sanitizers */

/* ---- the tables ---- */

static struct yaml *read_yaml(const char *path)
{
	static char text[YAML_SIZE_MAX];
	struct yaml *root;
	struct err err;
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	size_t len = fread(text, 1, sizeof(text), file);
	fclose(file);
	if (yaml_parse(path, (struct bytes){ (const uint8_t *)text, len }, &root, &err))
		fail_msg("%s", err.text);
	return root;
}

static struct guards *load_text(const char *text, struct err *err)
{
	struct yaml *root;
	struct guards *guards = NULL;
	if (yaml_parse("guards", (struct bytes){ (const uint8_t *)text, strlen(text) }, &root, err))
		return NULL;
	if (guards_load(root, &guards, err))
		guards = NULL;
	yaml_free(root);
	return guards;
}

static struct guards *must_load(const char *text)
{
	struct err err = { "" };
	struct guards *guards = load_text(text, &err);
	if (!guards)
		fail_msg("%s", err.text);
	return guards;
}

static const char *scalar(const struct yaml *node, const char *key, const char *otherwise)
{
	const struct yaml *child = yaml_get(node, key);
	return child ? child->text : otherwise;
}

static void put_line(const struct yaml *node, struct buf *out)
{
	const struct yaml *line = yaml_get(node, "line");
	const char *hex = scalar(node, "hex", NULL);
	assert_true(!line != !hex);
	if (line)
		assert_int_equal(buf_put(out, line->text, line->text_len), 0);
	for (; hex && *hex; hex += 2) {
		unsigned byte;
		assert_int_equal(sscanf(hex, "%2x", &byte), 1);
		assert_int_equal(buf_putc(out, (uint8_t)byte), 0);
	}
}

static void put_part(const struct shell_command *command, struct buf *out)
{
	BUF_CLEANUP struct buf text = BUF_INIT(4 * SHELL_LINE_MAX);
	assert_int_equal(shell_command_text(command, true, &text, NULL), 0);
	if (strcmp(command->via, "line") != 0)
		buf_printf(out, "%s: ", command->via);
	assert_int_equal(text_visible(out, buf_data(&text), text.len, SHELL_LINE_MAX), 0);
}

/* Complains and counts, so that one run shows all that is wrong. */
static int check_case(const struct yaml *node, const struct guards *guards)
{
	BUF_CLEANUP struct buf line = BUF_INIT(SHELL_LINE_MAX), parts = BUF_INIT(YAML_SIZE_MAX), want = BUF_INIT(YAML_SIZE_MAX);
	const struct guard *guard = guards_find(guards, scalar(node, "guard", "prod"));
	struct judgement judgement;
	bool typed = yaml_get(node, "typed"), fragment = yaml_get(node, "fragment"), unclear = yaml_get(node, "unclear");
	assert_non_null(guard);
	put_line(node, &line);
	assert_int_equal((fragment ? guard_judge_fragment : typed ? guard_judge_typed : guard_judge)(guard, buf_bytes(&line), &judgement), 0);
	for (size_t i = 0; i < judgement.line.command_count; i++) {
		put_part(&judgement.line.commands[i], &parts);
		buf_puts(&parts, "\n");
	}
	for (const struct yaml *part = yaml_get(node, "parts")->child; part; part = part->next)
		buf_printf(&want, "%s\n", part->text);
	const char *verdict = guard_verdict_name(judgement.verdict);
	bool same = parts.len == want.len && !memcmp(buf_data(&parts), buf_data(&want), want.len);
	bool ok = same && !strcmp(verdict, scalar(node, "verdict", "")) && unclear == (judgement.line.doubt_count > 0) && judgement.reason[0];
	if (!ok)
		print_error("%s:%u: %s%s: %s\n%s", node->file, node->line, verdict, judgement.line.doubt_count ? ", unclear" : "", judgement.reason,
			buf_cstr(&parts));
	judgement_release(&judgement);
	return ok ? 0 : 1;
}

static void test_tables(void **state)
{
	(void)state;
	struct yaml *root = read_yaml(TABLES "/guards.yaml");
	struct guards *guards;
	struct err err;
	int wrong = 0;
	size_t cases = 0;
	if (guards_load(yaml_get(root, "guards"), &guards, &err))
		fail_msg("%s", err.text);
	DIR *dir = opendir(TABLES);
	assert_non_null(dir);
	for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
		char path[512];
		if (!strstr(entry->d_name, ".yaml") || !strcmp(entry->d_name, "guards.yaml"))
			continue;
		snprintf(path, sizeof(path), TABLES "/%s", entry->d_name);
		struct yaml *table = read_yaml(path);
		for (const struct yaml *node = yaml_get(table, "cases")->child; node; node = node->next, cases++)
			wrong += check_case(node, guards);
		yaml_free(table);
	}
	closedir(dir);
	guards_free(guards);
	yaml_free(root);
	assert_int_equal(wrong, 0);
	assert_true(cases >= CASES_MIN);
}

/* ---- loading ---- */

static const struct {
	const char *text, *error;
} refusals[] = {
	{ "[a]", "expected a map of guards" },
	{ "g: x", "expected a list of entries" },
	{ "g: []", "expected a list of entries" },
	{ "g: [x]", "expected an entry" },
	{ "g: [{}]", "needs one of deny" },
	{ "g: [{deny: x, allow: y}]", "needs one of deny" },
	{ "g: [{refuse: x}]", "refuse" },
	{ "g: [{deny: []}]", "'deny' is empty" },
	{ "g: [{deny: ['']}]", "expected a text, found an empty one" },
	{ "g: [{deny: ['re:(']}]", "guards:1:13: pattern 're:('" },
	{ "g: [{deny: [a, 'b\\']}]", "guards:1:16: " },
	{ "g: [{approve: x}]", "needs 'by'" },
	{ "g: [{approve: x, by: []}]", "'by' is empty" },
	{ "g: [{approve: x, by: 'a b'}]", "not a name of a role" },
	{ "g: [{deny: x, by: a}]", "'by' has a meaning only" },
	{ "g: {blind: warn}", "needs 'rules'" },
	{ "g: {rules: [{deny: x}], blind: approve}", "expected allow, warn or deny" },
	{ "g: {rules: [{deny: x}], blnd: warn}", "blnd" },
	{ "g: {rules: {deny: x}}", "expected a list of entries" },
	{ "g: [{deny: [{program: rm, optons: [-r]}]}]", "optons" },
	{ "g: [{deny: [{options: [-r]}]}]", "needs 'program'" },
	{ "g: [{deny: [{program: rm, options: []}]}]", "'options' is empty" },
	{ "g: [{deny: [{program: rm, options: [r]}]}]", "'r' is no option" },
	{ "g: [{deny: [{program: /bin/rm}]}]", "no base name" },
	{ "g: [{deny: [{program: rm, arguments: ['re:(']}]}]", "pattern 're:('" },
	{ "g: [{deny: [{preset: nothing}]}]", "there is no preset 'nothing'" },
	{ "g: [{deny: [{preset: destructive, by: x}]}]", "by" },
	{ "g: [{deny: [[a]]}]", "expected a pattern, a program or a preset" },
	{ "g: {rules: [{deny: x}], on_doubt: approve}", "needs an entry that approves" },
	{ "g: {rules: [{deny: x}], on_doubt: perhaps}", "expected approve, deny, warn or allow" },
	{ "'a b': [{deny: x}]", "not a name of a guard" },
};

static void test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
		struct err err = { "" };
		struct guards *guards = load_text(refusals[i].text, &err);
		if (guards || !strstr(err.text, refusals[i].error))
			fail_msg("%s: '%s', expected '%s'", refusals[i].text, err.text, refusals[i].error);
	}
}

static bool only_lead(const char *role, const void *arg)
{
	return !strcmp(role, arg);
}

static void test_loading(void **state)
{
	(void)state;
	struct err err = { "" };
	struct guards *guards = must_load("a: [{approve: ['x *', 're:y'], by: lead}, {allow: '*'}]\nb: {rules: [{deny: z}], blind: deny}\n");
	assert_string_equal(guard_name(guards_find(guards, "b")), "b");
	assert_null(guards_find(guards, "c"));
	assert_int_equal(guard_blind(guards_find(guards, "a")), GUARD_WARN);
	assert_int_equal(guard_blind(guards_find(guards, "b")), GUARD_DENY);
	assert_true(guard_can_hold(guards_find(guards, "a")));
	assert_false(guard_can_hold(guards_find(guards, "b")));
	assert_int_equal(guards_check_roles(guards, only_lead, "lead", &err), 0);
	assert_int_equal(guards_check_roles(guards, only_lead, "boss", &err), -EINVAL);
	assert_string_equal(err.text, "guards:1:36: there is no role 'lead'");
	guards_free(guards);
	assert_int_equal(guards_load(NULL, &guards, &err), 0);
	assert_null(guards_find(guards, "a"));
	guards_free(guards);
}

/* What a doubt is worth: as written, or the most that the guard can do short of a deny. */
static void test_on_doubt(void **state)
{
	(void)state;
	static const struct {
		const char *guard;
		enum guard_verdict verdict;
	} cases[] = {
		{ "g: [{approve: x, by: a}, {allow: '*'}]", GUARD_APPROVE },
		{ "g: [{allow: '*'}]", GUARD_DENY },
		{ "g: {rules: [{approve: x, by: a}, {allow: '*'}], on_doubt: deny}", GUARD_DENY },
		{ "g: {rules: [{approve: x, by: a}, {allow: '*'}], on_doubt: approve}", GUARD_APPROVE },
		{ "g: {rules: [{approve: x, by: a}, {allow: '*'}], on_doubt: warn}", GUARD_WARN },
		{ "g: {rules: [{allow: '*'}], on_doubt: allow}", GUARD_ALLOW },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		static const char *const doubts[] = { "$x", "ls \"y", "python3 -c 1", "n='a[$(ls)]'; ((n))" };
		struct guards *guards = must_load(cases[i].guard);
		for (size_t k = 0; k < sizeof(doubts) / sizeof(*doubts); k++) {
			struct judgement judgement;
			struct bytes line = { (const uint8_t *)doubts[k], strlen(doubts[k]) };
			assert_int_equal(guard_judge(guards_at(guards, 0), line, &judgement), 0);
			if (judgement.verdict != cases[i].verdict)
				fail_msg("%s: %s: %s", cases[i].guard, doubts[k], judgement.reason);
			assert_true(judgement.reason[0]);
			judgement_release(&judgement);
		}
		guards_free(guards);
	}
}

/* A rule that knows its shell is spared the readings of the others, and only those. */
static void test_shells(void **state)
{
	(void)state;
	static const struct {
		const char *line;
		unsigned held; /* by which reading */
	} cases[] = {
		{ "rm \\x2df x", SHELL_FISH },
		{ "commands[ls]=/bin/rm", SHELL_ZSH },
		{ "BASH_CMDS[ls]=/bin/rm", SHELL_BASH },
		{ "=ls x", SHELL_ZSH },
		{ "echo ${(e)x}", SHELL_ZSH },
		{ "[[ a || rm -r x ]]", SHELL_ZSH | SHELL_SH | SHELL_FISH },
		{ "zmodload zsh/files", SHELL_ZSH },
		{ "rm -r x", SHELL_ANY },
		{ "bash -c 'commands[ls]=x'", 0 },
		{ "zsh -c 'commands[ls]=x'", SHELL_ANY },
		{ "su -c 'commands[ls]=x' y", SHELL_ANY },
	};
	struct guards *guards = must_load("g: [{approve: [{program: rm, options: [-r]}], by: a}, {allow: '*'}]");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (unsigned shell = 0; shell <= SHELL_SH; shell = shell ? shell * 2 : SHELL_BASH) {
			struct judgement judgement;
			struct bytes line = { (const uint8_t *)cases[i].line, strlen(cases[i].line) };
			bool held = cases[i].held & (shell ? shell : SHELL_ANY);
			assert_int_equal(guard_judge_for(guards_at(guards, 0), shell, line, &judgement), 0);
			if ((judgement.verdict == GUARD_APPROVE) != held)
				fail_msg("%s: %u: %s", cases[i].line, shell, judgement.reason);
			judgement_release(&judgement);
		}
	}
	guards_free(guards);
}

static void test_dump(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf first = BUF_INIT(GUARD_DUMP_MAX), second = BUF_INIT(GUARD_DUMP_MAX);
	struct guards *guards =
		must_load("a: [{approve: [{preset: destructive}, {program: [rm, del], subcommand: s, options: [-r, --rec], values: -o, arguments: ['/*'], matches: '* x'}, 'x *', \"re:\\\"\\\\b\"], by: [lead, dba]}, {warn: '*'}]\nb: {rules: [{deny: 'é'}], blind: allow}\n");
	assert_int_equal(guards_dump(guards, &first), 0);
	guards_free(guards);
	struct yaml *root;
	struct err err;
	if (yaml_parse("dump", buf_bytes(&first), &root, &err) || guards_load(yaml_get(root, "guards"), &guards, &err))
		fail_msg("%s", err.text);
	assert_int_equal(guards_dump(guards, &second), 0);
	assert_int_equal(first.len, second.len);
	assert_memory_equal(buf_data(&first), buf_data(&second), first.len);
	assert_non_null(strstr(buf_cstr(&first), "blind: allow"));
	assert_non_null(strstr(buf_cstr(&first), "by: [lead, dba]"));
	guards_free(guards);
	yaml_free(root);
}

/* ---- limits ---- */

/* head, then part count times, then tail. */
static char *repeat(const char *head, const char *part, size_t count, const char *tail)
{
	size_t len = strlen(head) + strlen(part) * count + strlen(tail) + 1;
	char *text = malloc(len), *at = stpcpy(text, head);
	assert_non_null(text);
	for (size_t i = 0; i < count; i++)
		at = stpcpy(at, part);
	strcpy(at, tail);
	return text;
}

static void assert_limit(const char *head, const char *part, size_t max, const char *tail, const char *error)
{
	struct err err = { "" };
	char *text = repeat(head, part, max, tail);
	struct guards *guards = must_load(text);
	guards_free(guards);
	free(text);
	text = repeat(head, part, max + 1, tail);
	guards = load_text(text, &err);
	if (guards || !strstr(err.text, error))
		fail_msg("%zu of '%s': '%s'", max + 1, part, err.text);
	free(text);
}

static void test_limits(void **state)
{
	(void)state;
	assert_limit("g: [", "{deny: x},", GUARD_ENTRIES_MAX, "]", "more than 256 entries");
	assert_limit("g: [{deny: [", "x,", GUARD_PATTERNS_MAX, "]}]", "1024");
	assert_limit("g: [{warn: a}, {deny: [", "x,", GUARD_PATTERNS_MAX - 1, "]}]", "more than 1024 patterns");
	assert_limit("g: [{approve: x, by: [", "a,", GUARD_ROLES_MAX, "]}]", "16");
	assert_limit("g: [{deny: ", "x", PATTERN_MAX, "}]", "1024");
	char *text = repeat("", "", 0, "");
	struct err err = { "" };
	for (size_t i = 0; i <= GUARD_COUNT_MAX; i++) {
		char name[32];
		snprintf(name, sizeof(name), "g%zu: [{deny: x}]\n", i);
		char *more = repeat(text, name, 1, "");
		free(text);
		text = more;
		struct guards *guards = i + 1 >= GUARD_COUNT_MAX ? load_text(text, &err) : NULL;
		assert_int_equal(guards != NULL, i + 1 == GUARD_COUNT_MAX);
		guards_free(guards);
	}
	assert_non_null(strstr(err.text, "more than 256 guards"));
	free(text);
}

/* ---- judgements ---- */

/* By the guard "g", or, in the tables' file, "prod". */
static struct judgement judge(const struct guards *guards, const char *line)
{
	const struct guard *guard = guards_find(guards, "g") ? guards_find(guards, "g") : guards_find(guards, "prod");
	struct judgement judgement;
	assert_int_equal(guard_judge(guard, (struct bytes){ (const uint8_t *)line, strlen(line) }, &judgement), 0);
	return judgement;
}

static void assert_by(const struct guards *guards, const char *line, const char *first, const char *second)
{
	struct judgement judgement = judge(guards, line);
	if (judgement.verdict != GUARD_APPROVE)
		fail_msg("'%s': %s", line, judgement.reason);
	assert_string_equal(judgement.by[0], first);
	if (second)
		assert_string_equal(judgement.by[1], second);
	else
		assert_null(judgement.by[1]);
	judgement_release(&judgement);
}

static void test_roles(void **state)
{
	(void)state;
	struct guards *guards =
		must_load("g: [{approve: 'a *', by: [lead, dba]}, {approve: 'b *', by: [ops, dba]}, {approve: c, by: ops}, {allow: '*'}]");
	assert_by(guards, "a x", "lead", "dba");
	assert_by(guards, "b x", "ops", "dba");
	assert_by(guards, "a x; b x", "dba", NULL);
	assert_by(guards, "b x; c", "ops", NULL);
	assert_by(guards, "$x", "lead", "dba"); /* what cannot be seen: the first entry's */
	assert_by(guards, "b x \"$x", "dba", NULL);
	struct judgement judgement = judge(guards, "a x; c");
	assert_int_equal(judgement.verdict, GUARD_DENY);
	assert_null(judgement.by);
	assert_string_equal(judgement.reason, "guard 'g': no role may approve all of it: run the commands apart");
	judgement_release(&judgement);
	guards_free(guards);
}

static const struct {
	const char *line, *reason;
} reasons[] = {
	{ "mkfs x", "guard 'g' denies 'mkfs x': 'mkfs*'" },
	{ "ls; rm -r x", "guard 'g' wants an approval for 'rm -r x': 'rm -r*'" },
	{ "sudo ls", "guard 'g' warns of 'sudo ls': 'sudo *'" },
	{ "ls", "guard 'g' allows 'ls': 'ls*'" },
	{ "cat x", "guard 'g' has nothing that allows 'cat x'" },
	{ "", "guard 'g' allows it: nothing would run" },
	{ "ls \"x", "guard 'g' wants an approval for what it cannot see: quote that is not closed: '\"x'" },
	{ "ls $(mkfs \x1b[2J\n)", "guard 'g' denies 'mkfs \\x1b[2J': 'mkfs*'" },
};

static void test_reasons(void **state)
{
	(void)state;
	struct guards *guards = must_load("g: [{deny: 'mkfs*'}, {approve: 'rm -r*', by: lead}, {warn: 'sudo *'}, {allow: 'ls*'}]");
	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++) {
		struct judgement judgement = judge(guards, reasons[i].line);
		if (strcmp(judgement.reason, reasons[i].reason) != 0)
			fail_msg("'%s': %s", reasons[i].line, judgement.reason);
		judgement_release(&judgement);
	}
	guards_free(guards);
}

static void test_json(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf text = BUF_INIT(65536);
	struct guards *guards = must_load("g: [{approve: 'rm *', by: lead}, {allow: '*'}]");
	struct judgement judgement = judge(guards, "sudo rm \"\x01$x\" > f");
	json_t *json = judgement_json(&judgement);
	assert_non_null(json);
	assert_int_equal(json_text(json, &text), 0);
	assert_string_equal(buf_cstr(&text),
		"{\"by\":[\"lead\"],\"commands\":["
		"{\"command\":\"sudo rm \\\"\\\\x01$x\\\" > "
		"f\",\"entry\":1,\"pattern\":\"*\",\"program\":\"sudo\",\"remote\":false,\"unclear\":false,"
		"\"verdict\":\"allow\",\"via\":\"line\",\"what\":\"command\"},"
		"{\"command\":\"rm \\\"\\\\x01$x\\\"\",\"entry\":0,\"pattern\":\"rm *\",\"program\":\"rm\",\"remote\":false,\"unclear\":false,"
		"\"verdict\":\"approve\",\"via\":\"sudo\",\"what\":\"command\"},"
		"{\"command\":\"> f\",\"entry\":1,\"pattern\":\"*\",\"program\":\">\",\"remote\":false,\"unclear\":false,"
		"\"verdict\":\"allow\",\"via\":\"line\",\"what\":\"redirection\"}],"
		"\"reason\":\"guard 'g' wants an approval for 'rm \\\"\\\\x01$x\\\"': 'rm *'\",\"unclear\":[],\"verdict\":\"approve\"}");
	json_decref(json);
	judgement_release(&judgement);
	guards_free(guards);
}

/* A pattern that takes too long matches for deny and approve, not for allow and warn; and it does not take longer with each command. */
static void test_slow_patterns(void **state)
{
	(void)state;
	char *line = repeat("x ", "a", 4000, "!");
	struct guards *guards = must_load("g: [{allow: 're:(a+)+$'}, {warn: '*'}]");
	struct judgement judgement = judge(guards, line);
	assert_int_equal(judgement.verdict, GUARD_WARN);
	judgement_release(&judgement);
	guards_free(guards);
	guards = must_load("g: [{deny: 're:(a+)+$'}, {warn: '*'}]");
	judgement = judge(guards, line);
	assert_int_equal(judgement.verdict, GUARD_DENY);
	judgement_release(&judgement);
	free(line);
	line = repeat("", "x aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!;", 1000, "");
	int64_t began = clock_mono_ms();
	judgement = judge(guards, line);
	assert_true(clock_mono_ms() - began < SLOW_MS);
	assert_int_equal(judgement.verdict, GUARD_DENY);
	judgement_release(&judgement);
	guards_free(guards);
	free(line);
}

static const char *const units[] = { "ls;", "a ", "$(", "`", "\"", "'", "(", "((", "$((", "{ ", "sudo ", "sudo -n ", "sh -c '", "\"$(", "${", "[",
	"{a,", "x=", "$x ", "!", "<<E\n", "\\", "\n", "if ", "case x in ", "a|", "eval ", "xargs ", "find -exec ", "$'\\x41'", "a;\"b;", "<(",
	"ls $x;", "env -S ", "\\`", "rm $x -", "eval eval sudo ", "@(", "}", "]", "$[", "\"${", "a&", "f(){", "alias a=b;", "((a)) ", "$((a) ",
	"for x in ", "(($(", "rm $x*", "[[ ", "?(", "$a[", "${a[b]:c}", "((i));", "git -c a=b ", "awk '", "sed s[", "psql -c 'a' ", "function f ",
	"a[b]=c ", "for a in b ", "EDITOR='EDITOR=a ", "rm -", "tar -I 'tar " };

static void test_longest_lines(void **state)
{
	(void)state;
	struct yaml *root = read_yaml(TABLES "/guards.yaml");
	struct guards *guards;
	struct err err;
	assert_int_equal(guards_load(yaml_get(root, "guards"), &guards, &err), 0);
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		char *line = repeat("", units[i], SHELL_LINE_MAX / strlen(units[i]), "");
		int64_t began = clock_mono_ms();
		struct judgement judgement = judge(guards, line);
		int64_t took = clock_mono_ms() - began;
		if (took >= SLOW_MS)
			fail_msg("'%s' many times takes %lld ms", units[i], (long long)took);
		judgement_release(&judgement);
		free(line);
	}
	guards_free(guards);
	yaml_free(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_loading),
		cmocka_unit_test(test_on_doubt),
		cmocka_unit_test(test_shells),
		cmocka_unit_test(test_dump),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_roles),
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_slow_patterns),
		cmocka_unit_test(test_longest_lines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
