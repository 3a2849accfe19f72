/* Command lines taken apart: kinds of bytes, sources, how a command was reached, and every limit at its edge. What becomes of whole lines is in
 * tests/guard/, see test_guard.c. */
#include "shell/shell.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct shell_line read_bytes(const void *text, size_t len)
{
	struct shell_line line;
	assert_int_equal(shell_line_read((struct bytes){ text, len }, 0, &line), 0);
	return line;
}

static struct shell_line read_line(const char *text)
{
	return read_bytes(text, strlen(text));
}

static void assert_bytes(struct bytes is, const char *wanted)
{
	if (is.len != strlen(wanted) || memcmp(is.data, wanted, is.len) != 0)
		fail_msg("'%.*s', expected '%s'", (int)is.len, (const char *)is.data, wanted);
}

static bool doubts(const struct shell_line *line, const char *why)
{
	for (size_t i = 0; i < line->doubt_count; i++)
		if (strstr(line->doubts[i].why, why))
			return true;
	return false;
}

/* ---- words ---- */

static const struct {
	const char *word, *text, *kinds; /* p plain, q quoted, g pattern, u unknown */
} words[] = {
	{ "abc", "abc", "ppp" },
	{ "a'b'\"c\"\\d", "abcd", "pqqq" },
	{ "''", "", "" },
	{ "a*?", "a*?", "pgg" },
	{ "'*'\\?", "*?", "qq" },
	{ "x[ab]y", "x[ab]y", "pggggp" },
	{ "x[ab", "x[ab", "pppp" },
	{ "[]]", "[]]", "ggg" },
	{ "a$b", "a$b", "puu" },
	{ "\"a$b\"", "a$b", "quu" },
	{ "'$b'", "$b", "qq" },
	{ "${a}b", "${a}b", "uuuup" },
	{ "$(a b)c", "$(a b)c", "uuuuuup" },
	{ "`a`", "`a`", "uuu" },
	{ "$((1))", "$((1))", "uuuuuu" },
	{ "<(a)", "<(a)", "uuuu" },
	{ "{a,b}", "{a,b}", "uuuuu" },
	{ "a{1..3}b", "a{1..3}b", "puuuuuup" },
	{ "{}", "{}", "pp" },
	{ "{a}", "{a}", "ppp" },
	{ "'{a,b}'", "{a,b}", "qqqqq" },
	{ "$'a\\tb'", "a\tb", "qqq" },
	{ "$'\\x41\\101\\u00e9\\cA'", "AA\303\251\001", "qqqqq" },
	{ "$'\\xzz'", "\\xzz", "qqqq" },
	{ "$", "$", "q" },
	{ "a\\\nb", "ab", "pp" },
	{ "\"a\\\nb\\c\\\"\"", "ab\\c\"", "qqqqq" },
	{ "~/x", "~/x", "ppp" },
	{ "\303\251\377", "\303\251\377", "ppp" },
};

static void test_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		char text[128];
		snprintf(text, sizeof(text), "echo %s end", words[i].word);
		struct shell_line line = read_line(text);
		const struct shell_command *command = &line.commands[line.command_count - 1];
		assert_int_equal(command->count, 3);
		assert_bytes(command->words[1].text, words[i].text);
		assert_bytes(command->words[1].source, words[i].word);
		for (size_t k = 0; k < command->words[1].text.len; k++)
			if ("pqgu"[command->words[1].kinds[k]] != words[i].kinds[k])
				fail_msg("'%s': byte %zu is %c", words[i].word, k, "pqgu"[command->words[1].kinds[k]]);
		shell_line_release(&line);
	}
}

static void test_parts(void **state)
{
	(void)state;
	struct shell_line line = read_line("A=1 lang=x sudo -n  /bin/rm 'a b' 2>>f >/dev/null && ssh h 'echo $(ls)'");
	static const struct {
		enum shell_what what;
		const char *source, *via;
		unsigned depth;
		bool remote;
	} parts[] = {
		{ SHELL_COMMAND, "A=1 lang=x sudo -n  /bin/rm 'a b' 2>>f >/dev/null", "line", 0, false },
		{ SHELL_COMMAND, "/bin/rm 'a b'", "sudo", 1, false },
		{ SHELL_ASSIGNMENT, "A=1", "line", 0, false },
		{ SHELL_REDIRECTION, "2>>f", "line", 0, false },
		{ SHELL_COMMAND, "ssh h 'echo $(ls)'", "line", 0, false },
		{ SHELL_COMMAND, "ls", "$(…)", 3, true },
		{ SHELL_COMMAND, "echo $(ls)", "ssh", 2, true },
	};
	assert_int_equal(line.command_count, sizeof(parts) / sizeof(*parts));
	assert_int_equal(line.doubt_count, 0);
	for (size_t i = 0; i < line.command_count; i++) {
		assert_int_equal(line.commands[i].what, parts[i].what);
		assert_bytes(line.commands[i].source, parts[i].source);
		assert_string_equal(line.commands[i].via, parts[i].via);
		assert_int_equal(line.commands[i].depth, parts[i].depth);
		assert_int_equal(line.commands[i].remote, parts[i].remote);
		assert_false(line.commands[i].guessed);
	}
	assert_bytes(shell_program(&line.commands[1]), "rm");
	assert_bytes(line.commands[3].words[0].text, ">>");
	shell_line_release(&line);
}

static void test_text(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf text = BUF_INIT(100), kinds = BUF_INIT(100);
	struct shell_line line = read_line("'/opt/a b/c d'  \"x  y\" $z");
	assert_int_equal(shell_command_text(&line.commands[0], true, &text, &kinds), 0);
	assert_bytes(buf_bytes(&text), "c\\ d x  y $z");
	assert_int_equal(kinds.len, text.len);
	assert_int_equal(buf_data(&kinds)[text.len - 1], SHELL_UNKNOWN);
	buf_clear(&text);
	assert_int_equal(shell_command_text(&line.commands[0], false, &text, NULL), 0);
	assert_bytes(buf_bytes(&text), "/opt/a\\ b/c\\ d x  y $z");
	shell_line_release(&line);
}

/* What is read behind a mistake is marked, what stands before it is not. */
static void test_guesses(void **state)
{
	(void)state;
	struct shell_line line = read_line("ls; ) ; rm x; cat $(id) \"y");
	assert_int_equal(line.commands[0].guessed, false);
	assert_bytes(line.commands[1].source, "rm x");
	for (size_t i = 1; i < line.command_count; i++)
		assert_true(line.commands[i].guessed);
	assert_true(doubts(&line, "not balanced"));
	assert_true(doubts(&line, "quote that is not closed"));
	shell_line_release(&line);
}

/* ---- limits ---- */

/* head, then count times part, middle, count times end. */
static struct shell_line read_repeated(const char *part, size_t count, const char *middle, const char *end)
{
	size_t len = (strlen(part) + strlen(end)) * count + strlen(middle);
	char *text = malloc(len + 1), *at = text;
	assert_non_null(text);
	for (size_t i = 0; i < count; i++)
		at = stpcpy(at, part);
	at = stpcpy(at, middle);
	for (size_t i = 0; i < count; i++)
		at = stpcpy(at, end);
	struct shell_line line = read_bytes(text, len);
	free(text);
	return line;
}

static const struct {
	const char *part;
	size_t most; /* without a doubt */
	const char *middle, *end, *why;
} limits[] = {
	{ "echo $(", SHELL_DEPTH_MAX - 1, "ls", ")", "nested too deeply" },
	{ "echo \"$(", SHELL_DEPTH_MAX - 1, "ls", ")\"", "nested too deeply" },
	{ "echo ${x:-", SHELL_DEPTH_MAX, "ls", "}", "nested too deeply" },
	{ "sudo ", SHELL_DEPTH_MAX - 1, "ls", "", "nested too deeply" },
	{ "eval ", SHELL_DEPTH_MAX / 2 - 1, "ls", "", "nested too deeply" },
	{ "{ ", SHELL_NEST_MAX, "ls", ";}", "nested too deeply" },
	{ "( ", SHELL_NEST_MAX, "ls", ")", "nested too deeply" },
	{ "if ls; then ", SHELL_NEST_MAX, "ls", "; fi", "nested too deeply" },
	{ "ls;", SHELL_COMMANDS_MAX, "", "", "too many commands" },
	{ "A= ", SHELL_COMMANDS_MAX, "", "", "too many commands" },
	{ "x ", SHELL_WORDS_MAX, "", "", "too much to remember" },
	{ "f(){ :; };", SHELL_NAMES_MAX, "", "", "too many functions" },
	{ "<<E ", SHELL_HEREDOCS_MAX, "\n", "E\n", "too many here-documents" },
	{ "\n", SHELL_LINE_MAX, "", "", "longer than can be looked at" },
};

static void test_limits(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		struct shell_line line = read_repeated(limits[i].part, limits[i].most, limits[i].middle, limits[i].end);
		if (line.doubt_count)
			fail_msg("%zu of '%s': %s", limits[i].most, limits[i].part, line.doubts[0].why);
		shell_line_release(&line);
		line = read_repeated(limits[i].part, limits[i].most + 1, limits[i].middle, limits[i].end);
		if (!doubts(&line, limits[i].why))
			fail_msg("%zu of '%s': %s", limits[i].most + 1, limits[i].part, line.doubt_count ? line.doubts[0].why : "no doubt");
		shell_line_release(&line);
	}
}

static void test_doubts_are_bounded(void **state)
{
	(void)state;
	struct shell_line line = read_repeated("$x;", SHELL_DOUBTS_MAX + 1, "rm y", "");
	assert_int_equal(line.doubt_count, SHELL_DOUBTS_MAX);
	assert_int_equal(line.command_count, SHELL_DOUBTS_MAX + 2);
	shell_line_release(&line);
}

/* Reading again behind mistakes ends, and says so. */
static void test_work_is_bounded(void **state)
{
	(void)state;
	struct shell_line line = read_repeated(") ls;", 16, "", "");
	assert_int_equal(line.command_count, 16);
	assert_false(doubts(&line, "too much"));
	shell_line_release(&line);
	line = read_repeated(")", SHELL_LINE_MAX - 3, ";ls", "");
	assert_int_equal(line.command_count, 0);
	assert_int_equal(line.doubt_count, SHELL_DOUBTS_MAX);
	shell_line_release(&line);
	/* each of these is looked for the end of, to the end of the line: a few of them and no more */
	line = read_repeated("[[ ", SHELL_LINE_MAX / 3 - 1, ";ls", "");
	assert_true(line.doubt_count <= SHELL_WORK_MAX / SHELL_LINE_MAX + 2);
	assert_true(doubts(&line, "too much to look into"));
	shell_line_release(&line);
	/* each wrapper is a look at all that follows */
	line = read_repeated("sudo ", SHELL_LINE_MAX / 5 - 1, "", "");
	assert_true(line.command_count <= SHELL_WORK_MAX / SHELL_LINE_MAX + 2);
	assert_true(doubts(&line, "too much to look into"));
	shell_line_release(&line);
}

static void test_options_are_bounded(void **state)
{
	(void)state;
	char text[1024] = "env", *at = text + 3;
	for (size_t i = 0; i < 64; i++)
		at = stpcpy(at, " -v");
	strcpy(at, " ls");
	struct shell_line line = read_line(text);
	assert_int_equal(line.doubt_count, 0);
	assert_int_equal(line.command_count, 2);
	shell_line_release(&line);
	strcpy(at, " -v ls");
	line = read_line(text);
	assert_true(doubts(&line, "too many options"));
	shell_line_release(&line);
}

static void test_nul(void **state)
{
	(void)state;
	struct shell_line line = read_bytes("ls\0; rm x", 9);
	assert_true(doubts(&line, "NUL"));
	assert_int_equal(line.command_count, 2);
	shell_line_release(&line);
	line = read_bytes(NULL, 0);
	assert_int_equal(line.command_count + line.doubt_count, 0);
	shell_line_release(&line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_guesses),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_doubts_are_bounded),
		cmocka_unit_test(test_work_is_bounded),
		cmocka_unit_test(test_options_are_bounded),
		cmocka_unit_test(test_nul),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
