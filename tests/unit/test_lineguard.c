/* The shell guard with a scripted shell and a clock of its own: what goes out, what is judged and how surely, and what never goes out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lineguard/lineguard.h"
#include "lineguard/screen.h"

#define MS 1000

struct world {
	struct lineguard *guard;
	int64_t now;
	struct buf sent, shown;
	enum line_verdict verdict;
	int judged, notes, failures;
	enum line_confidence confidence;
	char why[80], texts[4096]; /* of the last judgement, joined by `|` */
	enum line_end end;
	size_t hidden;
};

static void on_forward(void *context, const uint8_t *data, size_t len)
{
	assert_int_equal(buf_put(&((struct world *)context)->sent, data, len), 0);
}

static void on_show(void *context, const uint8_t *data, size_t len)
{
	assert_int_equal(buf_put(&((struct world *)context)->shown, data, len), 0);
}

static enum line_verdict on_judge(void *context, const struct line *line, struct line_answer *answer)
{
	struct world *world = context;
	BUF_CLEANUP struct buf texts = BUF_INIT(sizeof world->texts - 1);
	world->judged++;
	world->confidence = line->confidence;
	strcpy(world->why, line->why ? line->why : "");
	for (size_t i = 0; i < line->count; i++) {
		if (i)
			buf_putc(&texts, '|');
		buf_put(&texts, line->texts[i].text.data, line->texts[i].text.len);
	}
	strcpy(world->texts, buf_cstr(&texts));
	strcpy(answer->notice, "no\x1b[31m!");
	return world->verdict;
}

static void on_note(void *context, const struct line *line, enum line_end end, int64_t took_us)
{
	struct world *world = context;
	world->notes++;
	world->end = end;
	world->hidden += end == LINE_HIDDEN && line->count == 0;
	assert_true(took_us >= 0);
}

static void on_failed(void *context, const char *why)
{
	(void)why;
	((struct world *)context)->failures++;
}

static const struct lineguard_callbacks callbacks = { on_forward, on_show, on_judge, on_note, on_failed };

static struct world *world_new(unsigned columns, unsigned rows)
{
	struct world *world = calloc(1, sizeof *world);
	struct lineguard_options options = { .columns = columns, .rows = rows, .callbacks = &callbacks, .context = world };
	world->sent = BUF_INIT(1 << 20);
	world->shown = BUF_INIT(1 << 20);
	world->now = 1000 * MS;
	world->guard = lineguard_new(&options);
	assert_non_null(world->guard);
	return world;
}

static void world_free(struct world *world)
{
	assert_int_equal(world->failures, 0);
	lineguard_free(world->guard);
	buf_release(&world->sent);
	buf_release(&world->shown);
	free(world);
}

/* Time goes by, with a turn whenever one is due. */
static void pass(struct world *world, int64_t ms)
{
	int64_t until = world->now + ms * MS;
	while (lineguard_due(world->guard) <= until) {
		world->now = lineguard_due(world->guard) > world->now ? lineguard_due(world->guard) : world->now;
		lineguard_turn(world->guard, world->now);
	}
	world->now = until;
}

static void out(struct world *world, const char *text)
{
	lineguard_output(world->guard, world->now, (const uint8_t *)text, strlen(text));
}

static void in(struct world *world, const char *text)
{
	lineguard_input(world->guard, world->now, (const uint8_t *)text, strlen(text));
}

/* What went to the backend since the last time. */
static void expect_sent(struct world *world, const char *want)
{
	assert_string_equal(buf_cstr(&world->sent), want);
	buf_clear(&world->sent);
}

static void prompt(struct world *world)
{
	out(world, "\033[?2004h$ ");
	pass(world, 120);
}

/* Types and has it echoed. */
static void type(struct world *world, const char *text)
{
	in(world, text);
	expect_sent(world, text);
	pass(world, 5);
	out(world, text);
	pass(world, 5);
}

static void ran(struct world *world)
{
	out(world, "\r\n\033[?2004l\r");
	prompt(world);
}

static void test_an_allowed_line(void **state)
{
	struct world *world = world_new(80, 24);
	(void)state;
	prompt(world);
	type(world, "ls -l");
	in(world, "\r");
	expect_sent(world, "");
	pass(world, 15);
	expect_sent(world, "\r");
	assert_int_equal(world->confidence, LINE_EXACT);
	assert_string_equal(world->texts, "ls -l");
	assert_int_equal(world->end, LINE_FORWARDED);
	world_free(world);
}

static void test_a_refused_line_is_cleared_and_the_notice_stands_before_the_new_prompt(void **state)
{
	struct world *world = world_new(80, 24);
	(void)state;
	world->verdict = LINE_DENY;
	prompt(world);
	type(world, "rm -r x");
	in(world, "\rls\r");
	pass(world, 20);
	expect_sent(world, "\x03");
	out(world, "^C\r\n\033[?2004l\r");
	pass(world, 10);
	assert_int_equal(world->notes, 0);
	prompt(world);
	assert_int_equal(world->end, LINE_CLEARED);
	expect_sent(world, ""); /* what stood behind the refused line is dropped */
	assert_string_equal(buf_cstr(&world->shown), "\r\033[Kno [31m!\r\n$ \r\033[2C");
	world_free(world);
}

static void test_what_is_not_cleared_gets_no_enter(void **state)
{
	struct world *world = world_new(80, 24);
	(void)state;
	world->verdict = LINE_DENY;
	prompt(world);
	type(world, "rm -r x");
	in(world, "\r");
	pass(world, 20);
	expect_sent(world, "\x03");
	out(world, "^C"); /* trap '' INT */
	pass(world, 3000);
	assert_int_equal(world->end, LINE_STUCK);
	world->verdict = LINE_ALLOW;
	in(world, "\r");
	pass(world, 5000);
	expect_sent(world, "");
	in(world, "\x15");
	out(world, "\r$ \033[K");
	pass(world, 500);
	expect_sent(world, "\x15");
	in(world, "\r");
	pass(world, 1000);
	expect_sent(world, "\r");
	world_free(world);
}

/* The user's own Ctrl-C helps where a clean prompt follows, and only there. */
static void test_ctrl_c_frees_what_was_not_cleared(void **state)
{
	(void)state;
	for (int helps = 0; helps < 2; helps++) {
		struct world *world = world_new(80, 24);
		world->verdict = LINE_DENY;
		prompt(world);
		type(world, "rm -r x");
		in(world, "\r");
		pass(world, 20);
		out(world, "^C");
		pass(world, 3000);
		assert_int_equal(world->end, LINE_STUCK);
		buf_clear(&world->sent);
		world->verdict = LINE_ALLOW;
		in(world, "\x03");
		expect_sent(world, "\x03");
		out(world, helps ? "\033[?2004l\r\n\033[?2004h$ " : "^C");
		pass(world, 3000);
		assert_int_equal(world->end, helps ? LINE_CLEARED : LINE_STUCK);
		if (helps)
			type(world, "ls");
		buf_clear(&world->sent);
		in(world, "\r");
		pass(world, 3000);
		expect_sent(world, helps ? "\r" : "");
		world_free(world);
	}
}

/* While a command runs only Ctrl-U is sent; the user's own Ctrl-C is not swallowed by the clearing. */
static void test_ctrl_c_passes_while_a_line_is_cleared(void **state)
{
	struct world *world = world_new(80, 24);
	(void)state;
	prompt(world);
	type(world, "sleep 9");
	in(world, "\r");
	pass(world, 20);
	out(world, "\r\n\033[?2004l\r");
	pass(world, 500);
	buf_clear(&world->sent);
	world->verdict = LINE_DENY;
	type(world, "rm x");
	in(world, "\r");
	pass(world, 20);
	expect_sent(world, "\x15");
	in(world, "\x03");
	expect_sent(world, "\x03");
	out(world, "^C\r\n");
	prompt(world);
	assert_int_equal(world->end, LINE_CLEARED);
	world_free(world);
}

static void test_keys_that_recall_are_waited_for(void **state)
{
	struct world *world = world_new(80, 24);
	(void)state;
	prompt(world);
	in(world, "\033[A\r");
	expect_sent(world, "\033[A");
	pass(world, 200); /* a slow link */
	assert_int_equal(world->judged, 0);
	out(world, "rm -r x");
	pass(world, 400);
	assert_int_equal(world->judged, 1);
	assert_string_equal(world->texts, "rm -r x");
	assert_int_equal(world->confidence, LINE_SCREEN);
	expect_sent(world, "\r");
	world_free(world);
}

static void test_recalled_while_a_command_runs_waits_for_the_prompt(void **state)
{
	struct world *world = world_new(80, 24);
	(void)state;
	prompt(world);
	type(world, "sleep 9");
	in(world, "\r");
	pass(world, 20);
	out(world, "\r\n\033[?2004l\r");
	pass(world, 500);
	buf_clear(&world->sent);
	in(world, "\033[A\r");
	out(world, "^[[A");
	pass(world, 60000);
	assert_int_equal(world->judged, 1);
	expect_sent(world, "\033[A");
	out(world, "\r\n\033[?2004h$ rm -r x");
	pass(world, 500);
	assert_int_equal(world->judged, 2);
	assert_non_null(strstr(world->texts, "rm -r x"));
	assert_int_equal(world->confidence, LINE_BLIND);
	world_free(world);
}

static void test_a_raw_paste_is_judged_line_by_line(void **state)
{
	struct world *world = world_new(80, 24);
	(void)state;
	prompt(world);
	in(world, "a\rb\rc\r");
	expect_sent(world, "a");
	out(world, "a");
	pass(world, 20);
	expect_sent(world, "\r");
	ran(world);
	expect_sent(world, "b");
	out(world, "b");
	pass(world, 20);
	assert_string_equal(world->texts, "b");
	expect_sent(world, "\r");
	assert_int_equal(world->judged, 2);
	world_free(world);
}

static void test_a_bracketed_paste_is_one_line(void **state)
{
	struct world *world = world_new(80, 24);
	(void)state;
	prompt(world);
	in(world, "\033[200~a\rb\033[20");
	in(world, "1~");
	expect_sent(world, "\033[200~a\rb\033[201~");
	out(world, "a\r\nb");
	pass(world, 400);
	assert_int_equal(world->judged, 0);
	in(world, "\r");
	pass(world, 400);
	assert_string_equal(world->texts, "a\nb");
	assert_int_equal(world->confidence, LINE_EXACT);
	world_free(world);
}

static void test_brackets_without_2004_are_no_paste(void **state)
{
	struct world *world = world_new(80, 24);
	(void)state;
	out(world, "$ ");
	pass(world, 200);
	in(world, "\033[200~rm\r");
	expect_sent(world, "\033[200~rm");
	world_free(world);
}

/* The judge hears that there is one, and no letter of it. Nobody is asked "continue?" at a password's prompt. */
static void test_a_password_is_judged_unseen(void **state)
{
	static const enum line_verdict verdicts[] = { LINE_ALLOW, LINE_WARN, LINE_DENY };
	(void)state;
	for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++) {
		struct world *world = world_new(80, 24);
		bool passes = verdicts[i] != LINE_DENY;
		out(world, "[sudo] password for deploy: ");
		pass(world, 200);
		world->verdict = verdicts[i];
		in(world, "secret\r");
		pass(world, 2000);
		expect_sent(world, passes ? "secret\r" : "secret\025");
		assert_int_equal(world->judged, 1);
		assert_int_equal(world->confidence, LINE_BLIND);
		assert_string_equal(world->texts, "");
		assert_int_equal(world->hidden, passes);
		assert_null(memmem(buf_data(&world->shown), world->shown.len, "secret", 6));
		world_free(world);
	}
}

static void test_without_echo_at_a_learned_prompt_the_keys_are_judged(void **state)
{
	struct world *world = world_new(80, 24);
	(void)state;
	out(world, "$ ");
	pass(world, 200);
	type(world, "stty -echo");
	in(world, "\r");
	pass(world, 20);
	buf_clear(&world->sent);
	out(world, "\r\n$ ");
	pass(world, 200);
	in(world, "rm -r x\r");
	pass(world, 2000);
	assert_string_equal(world->texts, "rm -r x");
	assert_string_equal(world->why, "the keys were not echoed");
	world_free(world);
}

static void test_full_screen_programs_are_blind_and_their_keys_are_no_line(void **state)
{
	struct world *world = world_new(80, 24);
	(void)state;
	out(world, "\033[?1049h\033[Hrm -r x");
	world->verdict = LINE_DENY;
	in(world, "x\r");
	expect_sent(world, "x");
	assert_int_equal(world->end, LINE_SWALLOWED);
	world->verdict = LINE_WARN; /* nobody is asked there */
	in(world, ":wq\r");
	expect_sent(world, ":wq\r");
	assert_int_equal(world->confidence, LINE_BLIND);
	assert_string_equal(world->texts, "");
	assert_int_equal(world->judged, 2);
	world->verdict = LINE_DENY; /* once for as long as the program has the screen */
	in(world, "again\r");
	expect_sent(world, "again\r");
	assert_int_equal(world->judged, 2);
	out(world, "\033[?1049l\033[?1049h");
	in(world, "x\r");
	expect_sent(world, "x");
	assert_int_equal(world->judged, 3);
	out(world, "\033[?1049l");
	world->verdict = LINE_ALLOW;
	prompt(world);
	type(world, "ls");
	in(world, "\r");
	pass(world, 20);
	assert_string_equal(world->texts, "ls");
	assert_int_equal(world->confidence, LINE_EXACT);
	world_free(world);
}

static void test_output_in_the_middle_is_blind(void **state)
{
	struct world *world = world_new(80, 24);
	(void)state;
	prompt(world);
	in(world, "\033[A");
	out(world, "rm x");
	pass(world, 3000);
	out(world, "noise");
	pass(world, 100);
	in(world, "\r");
	pass(world, 4500);
	assert_int_equal(world->confidence, LINE_BLIND);
	assert_string_equal(world->why, "output came in the middle of the line");
	world_free(world);
}

static void test_replies_of_the_terminal_are_not_typing(void **state)
{
	struct world *world = world_new(80, 24);
	(void)state;
	prompt(world);
	in(world, "\033[24;3R\033[I\033]10;rgb:ff/ff/ff\033\\\033[?62;c");
	buf_clear(&world->sent);
	type(world, "ls");
	in(world, "\r");
	pass(world, 20);
	assert_int_equal(world->confidence, LINE_EXACT);
	assert_string_equal(world->texts, "ls");
	world_free(world);
}

static void test_history_expansion_is_blind(void **state)
{
	static const struct {
		const char *line;
		bool blind;
	} lines[] = { { "!rm", true }, { "ls; !!", true }, { "^a^b", true }, { "[ ! -f x ]", false }, { "a != b", false }, { "hi!", false } };
	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		struct world *world = world_new(80, 24);
		prompt(world);
		type(world, lines[i].line);
		in(world, "\r");
		pass(world, 20);
		if ((world->confidence == LINE_BLIND) != lines[i].blind)
			fail_msg("%s: %s", lines[i].line, world->why);
		world_free(world);
	}
}

static void test_wrapped_rows_are_joined(void **state)
{
	struct world *world = world_new(10, 5);
	(void)state;
	prompt(world);
	type(world, "0123456789abcdefghij");
	in(world, "\r");
	pass(world, 20);
	assert_string_equal(world->texts, "0123456789abcdefghij");
	assert_int_equal(world->confidence, LINE_EXACT);
	world_free(world);
}

static void test_taller_than_the_screen(void **state)
{
	struct world *world = world_new(10, 3);
	(void)state;
	prompt(world);
	type(world, "rm 0123456789012345678901234567890123456789");
	in(world, "\r");
	pass(world, 4500);
	assert_int_equal(world->confidence, LINE_BLIND);
	assert_non_null(strstr(world->texts, "rm 0123456789012345678901234567890123456789"));
	world_free(world);
}

static void test_a_listing_is_not_the_line(void **state)
{
	struct world *world = world_new(80, 24);
	(void)state;
	prompt(world);
	type(world, "ls ");
	in(world, "\r");
	pass(world, 20);
	ran(world);
	buf_clear(&world->sent);
	type(world, "cat f");
	in(world, "\t\t");
	out(world, "\r\nrm-all  fruit\r\n$ cat f");
	pass(world, 300);
	in(world, "\r");
	pass(world, 500);
	assert_string_equal(world->texts, "cat f");
	assert_int_equal(world->confidence, LINE_SCREEN);
	world_free(world);
}

static void test_search_in_the_history(void **state)
{
	struct world *world = world_new(80, 24);
	(void)state;
	prompt(world);
	in(world, "\x12rm");
	out(world, "\r(reverse-i-search)`rm': ls; rm -r x\033[6D");
	pass(world, 200);
	in(world, "\r");
	pass(world, 500);
	assert_string_equal(world->texts, "ls; rm -r x");
	assert_int_equal(world->confidence, LINE_SCREEN);
	world_free(world);
}

static void test_a_suggestion_is_not_the_line(void **state)
{
	struct world *world = world_new(80, 24);
	(void)state;
	prompt(world);
	in(world, "rm");
	out(world, "rm\033[90m -r /\033[m\033[5D");
	pass(world, 50);
	in(world, "\r");
	pass(world, 20);
	assert_string_equal(world->texts, "rm");
	assert_int_equal(world->confidence, LINE_EXACT);
	world_free(world);
}

static void test_a_continued_line_is_judged_whole(void **state)
{
	struct world *world = world_new(80, 24);
	(void)state;
	prompt(world);
	type(world, "echo \"a");
	in(world, "\r");
	pass(world, 20);
	buf_clear(&world->sent);
	out(world, "\r\n\033[?2004l\r\033[?2004h> ");
	pass(world, 100);
	type(world, "b\"; rm x");
	in(world, "\r");
	pass(world, 20);
	assert_string_equal(world->texts, "echo \"a\nb\"; rm x|b\"; rm x");
	world_free(world);
}

static void test_a_hold(void **state)
{
	struct world *world = world_new(80, 24);
	(void)state;
	world->verdict = LINE_HOLD;
	prompt(world);
	type(world, "rm x");
	in(world, "\rls");
	pass(world, 60000);
	assert_true(lineguard_waiting(world->guard));
	expect_sent(world, "");
	lineguard_answer(world->guard, world->now, LINE_ALLOW, NULL);
	expect_sent(world, "\r");
	assert_false(lineguard_waiting(world->guard));
	lineguard_answer(world->guard, world->now, LINE_ALLOW, NULL); /* nothing is held: ignored */
	ran(world);
	expect_sent(world, "ls");
	world_free(world);
}

/* The last line of a notice is a status: written over by the next, and never longer than a row. */
static void test_a_hold_tells_how_it_stands(void **state)
{
	struct world *world = world_new(20, 24);
	(void)state;
	lineguard_answer(world->guard, world->now, LINE_HOLD, "nothing is held");
	assert_int_equal(world->shown.len, 0);
	world->verdict = LINE_HOLD;
	prompt(world);
	type(world, "rm x");
	in(world, "\r");
	pass(world, 100);
	lineguard_answer(world->guard, world->now, LINE_HOLD, "a request that is longer than a row\nwaiting \033[31m9\xc2\x9b\xc2\xa7");
	assert_string_equal(buf_cstr(&world->shown), "\r\na request that is longer than a row\r\nwaiting  [31m9 \xc2\xa7");
	buf_clear(&world->shown);
	lineguard_answer(world->guard, world->now, LINE_HOLD, "waiting longer: 123\xc3\xa4");
	assert_string_equal(buf_cstr(&world->shown), "\r\033[Kwaiting longer: 123");
	buf_clear(&world->shown);
	lineguard_answer(world->guard, world->now, LINE_HOLD, "another request\nits status");
	assert_string_equal(buf_cstr(&world->shown), "\r\nanother request\r\nits status");
	assert_true(lineguard_waiting(world->guard));
	lineguard_answer(world->guard, world->now, LINE_ALLOW, NULL);
	expect_sent(world, "\r");
	world_free(world);
}

static void test_a_line_that_changed_on_hold_is_judged_again(void **state)
{
	struct world *world = world_new(80, 24);
	(void)state;
	world->verdict = LINE_HOLD;
	prompt(world);
	in(world, "\033[A");
	out(world, "rm x");
	pass(world, 300);
	in(world, "\r");
	pass(world, 500);
	assert_int_equal(world->judged, 1);
	out(world, " /"); /* late echo */
	buf_clear(&world->sent);
	world->verdict = LINE_DENY;
	lineguard_answer(world->guard, world->now, LINE_ALLOW, NULL);
	assert_int_equal(world->judged, 2);
	assert_non_null(strstr(world->texts, "rm x /"));
	expect_sent(world, "\x03");
	world_free(world);
}

static void test_ctrl_c_gives_a_hold_up(void **state)
{
	struct world *world = world_new(80, 24);
	(void)state;
	world->verdict = LINE_HOLD;
	prompt(world);
	type(world, "rm x");
	in(world, "\r");
	pass(world, 100);
	in(world, "\x03");
	expect_sent(world, "\x03");
	assert_false(lineguard_waiting(world->guard));
	lineguard_answer(world->guard, world->now, LINE_ALLOW, NULL); /* too late */
	out(world, "^C\r\n");
	prompt(world);
	expect_sent(world, "");
	assert_int_equal(world->end, LINE_CANCELLED);
	world_free(world);
}

static void test_a_warning(void **state)
{
	(void)state;
	for (int yes = 0; yes < 2; yes++) {
		struct world *world = world_new(80, 24);
		world->verdict = LINE_WARN;
		prompt(world);
		type(world, "sudo x");
		in(world, "\r");
		pass(world, 100);
		assert_non_null(strstr(buf_cstr(&world->shown), "continue? [y/N]"));
		in(world, "\033[I"); /* the terminal's focus is no answer */
		expect_sent(world, "");
		in(world, yes ? "y" : "\r");
		expect_sent(world, yes ? "\r" : "\x03");
		world_free(world);
	}
}

static void test_held_input_is_bounded(void **state)
{
	struct world *world = world_new(80, 24);
	static uint8_t much[LINEGUARD_HELD_MAX];
	(void)state;
	memset(much, 'x', sizeof much);
	world->verdict = LINE_HOLD;
	prompt(world);
	type(world, "rm x");
	in(world, "\r");
	pass(world, 100);
	lineguard_input(world->guard, world->now, much, sizeof much);
	assert_int_equal(world->shown.len, 0);
	lineguard_input(world->guard, world->now, much, 1);
	assert_non_null(strstr(buf_cstr(&world->shown), "too much input"));
	size_t told = world->shown.len;
	lineguard_input(world->guard, world->now, much, 1);
	assert_int_equal(world->shown.len, told);
	lineguard_answer(world->guard, world->now, LINE_ALLOW, NULL);
	ran(world);
	assert_int_equal(world->sent.len, 1 + sizeof much);
	world_free(world);
}

static void test_typed_ahead_and_shown_late_is_no_empty_line(void **state)
{
	struct world *world = world_new(80, 24);
	(void)state;
	prompt(world);
	type(world, "sleep 1");
	in(world, "\r");
	pass(world, 400);
	expect_sent(world, "\r");
	out(world, "\r\n\033[?2004l\r");
	pass(world, 1000);
	in(world, "rm x");
	pass(world, 5);
	out(world, "rm x\r\n\033[?2004h$ "); /* the terminal's own echo, and the prompt */
	pass(world, 1);
	world->judged = 0;
	buf_clear(&world->sent);
	in(world, "\r");
	pass(world, 20);
	expect_sent(world, "");
	out(world, "rm x");
	pass(world, 30);
	expect_sent(world, "\r");
	assert_int_equal(world->judged, 1);
	assert_non_null(strstr(world->texts, "rm x"));
	world_free(world);
}

static void test_typed_ahead_over_two_rows_is_judged_whole(void **state)
{
	struct world *world = world_new(10, 24);
	(void)state;
	prompt(world);
	type(world, "sleep 1");
	in(world, "\r");
	pass(world, 400);
	out(world, "\r\n\033[?2004l\r");
	pass(world, 1000);
	in(world, "rm 345678x");
	out(world, "\033[?2004h$ rm 345678x");
	pass(world, 100);
	in(world, "y");
	out(world, "y");
	pass(world, 100);
	in(world, "\r");
	pass(world, 1000);
	assert_non_null(strstr(world->texts, "rm 345678xy"));
	world_free(world);
}

static void test_empty_lines_are_not_judged(void **state)
{
	struct world *world = world_new(80, 24);
	(void)state;
	prompt(world);
	for (int i = 0; i < 3; i++) {
		in(world, "\r");
		pass(world, 20);
		expect_sent(world, "\r");
		ran(world);
	}
	assert_int_equal(world->judged, 0);
	world_free(world);
}

static void test_every_form_of_enter_is_held(void **state)
{
	static const char *const enters[] = { "\r", "\n", "\x0f", "\033[13u", "\033[27;5;13~", "\033OM", "\033a", "\033#", "\033\r" };
	(void)state;
	for (size_t i = 0; i < sizeof enters / sizeof *enters; i++) {
		struct world *world = world_new(80, 24);
		world->verdict = LINE_DENY;
		prompt(world);
		type(world, "rm x");
		in(world, enters[i]);
		pass(world, 3000);
		assert_int_equal(world->judged, 1);
		assert_null(strchr(buf_cstr(&world->sent), enters[i][strlen(enters[i]) - 1]));
		world_free(world);
	}
}

/* Alt-] and what is typed behind it, in one piece: no answer of a terminal, and no Enter that is too long to hold. */
static void test_typing_behind_alt_bracket_is_judged(void **state)
{
	static const char *const begins[] = { "\033]rm x", "\033]0 rm x", "\033Prm x" };
	(void)state;
	for (size_t i = 0; i < sizeof begins / sizeof *begins; i++) {
		struct world *world = world_new(80, 24);
		char text[200];
		prompt(world);
		snprintf(text, sizeof text, "%s %0100d\r", begins[i], 0);
		in(world, text);
		text[strlen(text) - 1] = 0;
		expect_sent(world, text);
		pass(world, 5);
		out(world, text + 2);
		pass(world, 4500);
		assert_int_equal(world->judged, 1);
		assert_non_null(strstr(world->texts, "rm x"));
		world_free(world);
	}
}

static void test_a_comment_that_the_key_makes_a_line(void **state)
{
	struct world *world = world_new(80, 24);
	(void)state;
	prompt(world);
	type(world, "# rm x");
	in(world, "\033#");
	pass(world, 400);
	assert_int_equal(world->confidence, LINE_BLIND);
	assert_non_null(strstr(world->texts, "|rm x"));
	world_free(world);
}

static void test_an_interrupt_ends_a_paste(void **state)
{
	struct world *world = world_new(80, 24);
	(void)state;
	prompt(world);
	in(world, "\033[200~a\x03");
	out(world, "a^C\r\n\033[?2004l\r");
	prompt(world);
	buf_clear(&world->sent);
	type(world, "rm x");
	in(world, "\r");
	expect_sent(world, "");
	pass(world, 1000);
	assert_int_equal(world->judged, 1);
	assert_non_null(strstr(world->texts, "rm x"));
	world_free(world);
}

static void test_a_right_prompt_of_an_earlier_line_is_known(void **state)
{
	struct world *world = world_new(40, 24);
	(void)state;
	out(world, "\033[?2004h$ \033[30Cright\033[35D");
	pass(world, 120);
	type(world, "sleep 1");
	in(world, "\r");
	pass(world, 400);
	out(world, "\r\n\033[?2004l\r");
	in(world, "ls\033[D"); /* before the prompt: where the line begins is not known yet */
	pass(world, 10);
	out(world, "\033[?2004h$ \033[30Cright\033[35Dls\b");
	pass(world, 1000);
	world->judged = 0;
	in(world, "\r");
	pass(world, 1000);
	assert_int_equal(world->judged, 1);
	assert_null(strstr(world->texts, "right"));
	world_free(world);
}

/* The end of what was typed stood there already: it is not the echo of the last keys. */
static void test_an_end_that_stood_there_before_is_no_echo(void **state)
{
	struct world *world = world_new(80, 24);
	(void)state;
	prompt(world);
	type(world, "rm alpha");
	in(world, "\001\005 x \177\177\177alpha\r");
	buf_clear(&world->sent);
	pass(world, 16);
	expect_sent(world, "");
	out(world, "alpha");
	pass(world, 200);
	assert_int_equal(world->judged, 1);
	assert_non_null(strstr(world->texts, "rm alphaalpha"));
	world_free(world);
}

static void test_a_line_handed_over_in_parts_is_blind(void **state)
{
	struct world *world = world_new(80, 24);
	(void)state;
	out(world, "$ ");
	pass(world, 120);
	type(world, "rm ");
	in(world, "\x04");
	pass(world, 400);
	expect_sent(world, "\x04");
	type(world, "x");
	in(world, "\r");
	pass(world, 400);
	assert_int_equal(world->confidence, LINE_BLIND);
	world_free(world);
}

static void test_output_between_typing_and_editing_is_blind(void **state)
{
	struct world *world = world_new(80, 24);
	(void)state;
	prompt(world);
	type(world, "note one");
	out(world, "\r$ note fake");
	pass(world, 100);
	in(world, "\033b");
	buf_clear(&world->sent);
	out(world, "\b\b");
	pass(world, 100);
	in(world, "\r");
	pass(world, 400);
	assert_int_equal(world->confidence, LINE_BLIND);
	assert_string_equal(world->why, "output came in the middle of the line");
	world_free(world);
}

static void test_a_right_prompt_with_a_clock_is_clean(void **state)
{
	struct world *world = world_new(40, 24);
	(void)state;
	world->verdict = LINE_DENY;
	out(world, "\033[?2004h$ \033[32C12:00\033[37D");
	pass(world, 120);
	type(world, "rm x");
	in(world, "\r");
	pass(world, 20);
	out(world, "\r\n\033[?2004l\r\033[?2004h$ \033[32C12:01\033[37D");
	pass(world, 120);
	assert_int_equal(world->notes, 1);
	assert_int_equal(world->end, LINE_CLEARED);
	world_free(world);
}

/* An editor moves the cursor over characters that combine otherwise than libvterm does. */
static void test_a_line_edited_among_combining_characters_is_blind(void **state)
{
	struct world *world = world_new(40, 24);
	(void)state;
	prompt(world);
	type(world, "rm e\xcc\x81x");
	in(world, "\033b");
	out(world, "\b\b");
	pass(world, 400);
	in(world, "\r");
	pass(world, 400);
	assert_int_equal(world->confidence, LINE_BLIND);
	world_free(world);
}

static void test_lines_below_the_cursor_are_judged_too(void **state)
{
	struct world *world = world_new(40, 24);
	(void)state;
	prompt(world);
	in(world, "\033[200~a\rrm x\033[201~\001");
	out(world, "a\r\nrm x\033[A\r\033[2C");
	pass(world, 400);
	in(world, "\033[A\033[C");
	out(world, "\033[C");
	pass(world, 400);
	in(world, "\r");
	pass(world, 400);
	assert_int_equal(world->confidence, LINE_BLIND);
	assert_non_null(strstr(world->texts, "a\nrm x"));
	world_free(world);
}

/* fish: the cursor moves at once, and the line comes when it was found in a file. */
static void test_recalled_slowly_is_no_empty_line(void **state)
{
	struct world *world = world_new(40, 24);
	(void)state;
	prompt(world);
	type(world, "ls");
	in(world, "\r");
	pass(world, 20);
	ran(world);
	buf_clear(&world->sent);
	world->judged = 0;
	in(world, "\033[A\r");
	expect_sent(world, "\033[A");
	pass(world, 1);
	out(world, "\r\033[2C");
	pass(world, 100);
	expect_sent(world, "");
	out(world, "rm x");
	pass(world, 400);
	expect_sent(world, "\r");
	assert_int_equal(world->judged, 1);
	assert_string_equal(world->texts, "rm x");
	world_free(world);
}

static void test_completed_slowly_is_waited_for(void **state)
{
	struct world *world = world_new(40, 24);
	(void)state;
	prompt(world);
	in(world, "rm /va\t\r");
	pass(world, 1);
	out(world, "rm /va");
	pass(world, 200);
	assert_int_equal(world->judged, 0);
	out(world, "r/");
	pass(world, 600);
	assert_string_equal(world->texts, "rm /var/");
	world_free(world);
}

static void test_ctrl_o_is_held_where_no_prompt_is_known(void **state)
{
	struct world *world = world_new(40, 24);
	(void)state;
	world->verdict = LINE_DENY;
	out(world, "strange: ");
	pass(world, 120);
	type(world, "rm x");
	in(world, "\x0f");
	expect_sent(world, "");
	pass(world, 400);
	assert_int_equal(world->judged, 1);
	assert_null(strchr(buf_cstr(&world->sent), '\x0f'));
	world_free(world);
}

static void test_typing_behind_a_slow_key_is_waited_for(void **state)
{
	struct world *world = world_new(40, 24);
	(void)state;
	prompt(world);
	type(world, "ls");
	in(world, "\r");
	pass(world, 20);
	ran(world);
	world->judged = 0;
	in(world, "rm \033.x\r");
	pass(world, 1);
	out(world, "rm ");
	pass(world, 150);
	assert_int_equal(world->judged, 0);
	out(world, "lsx");
	pass(world, 400);
	assert_string_equal(world->texts, "rm lsx");
	world_free(world);
}

static void test_an_edited_line_that_fills_the_screen_is_blind(void **state)
{
	struct world *world = world_new(10, 3);
	(void)state;
	out(world, "\033[H");
	prompt(world);
	type(world, "rm 345678abcdefghijxyz");
	in(world, "\033b");
	out(world, "\b");
	pass(world, 400);
	in(world, "\r");
	pass(world, 400);
	assert_int_equal(world->confidence, LINE_BLIND);
	assert_string_equal(world->why, "the line is taller than the screen");
	world_free(world);
}

static void test_a_line_that_ctrl_o_brought_behind_a_changed_prompt_is_blind(void **state)
{
	struct world *world = world_new(40, 24);
	(void)state;
	prompt(world);
	type(world, "ls");
	in(world, "\x0f");
	pass(world, 20);
	buf_clear(&world->sent);
	out(world, "\r\n\033[?2004l\r\033[?2004h12:01 # rm "); /* the next line of the history */
	pass(world, 120);
	type(world, "x");
	in(world, "\r");
	pass(world, 20);
	assert_int_equal(world->confidence, LINE_BLIND);
	world_free(world);
}

static void test_a_prompt_of_two_rows_over_old_text_is_clean(void **state)
{
	struct world *world = world_new(40, 24);
	(void)state;
	world->verdict = LINE_DENY;
	out(world, "1\r\n2\r\n3 with old text\r\n4 with old text\r\n\033[H\033[?2004hrow\r\n$ ");
	pass(world, 120);
	type(world, "rm x");
	in(world, "\r");
	pass(world, 20);
	out(world, "\r\n\033[?2004l\r\033[?2004hrow\r\n$ ");
	pass(world, 120);
	assert_int_equal(world->notes, 1);
	assert_int_equal(world->end, LINE_CLEARED);
	world_free(world);
}

static void test_a_line_edited_over_old_text_is_blind(void **state)
{
	struct world *world = world_new(40, 24);
	(void)state;
	out(world, "old text of another line\r");
	prompt(world);
	type(world, "rm xyz and");
	in(world, "\033b");
	out(world, "\b\b\b");
	pass(world, 400);
	in(world, "\r");
	pass(world, 400);
	assert_int_equal(world->confidence, LINE_BLIND);
	world_free(world);
}

/* Typed while a command runs, shown by the terminal and again by the editor: what was edited there has two beginnings. */
static void test_edited_ahead_is_blind(void **state)
{
	struct world *world = world_new(80, 24);
	(void)state;
	prompt(world);
	type(world, "sleep 1");
	in(world, "\r");
	pass(world, 400);
	out(world, "\r\n\033[?2004l\r");
	pass(world, 1000);
	in(world, "rm x\033bb");
	out(world, "rm x^[bb");
	pass(world, 200);
	out(world, "\033[?2004h$ rm bx\b");
	pass(world, 400);
	in(world, "\r");
	pass(world, 1000);
	assert_int_equal(world->confidence, LINE_BLIND);
	world_free(world);
}

static void test_a_terminal_too_large_is_blind(void **state)
{
	struct world *world = world_new(SCREEN_COLUMNS_MAX + 1, 24);
	(void)state;
	prompt(world);
	type(world, "rm x");
	in(world, "\r");
	pass(world, 20);
	assert_int_equal(world->confidence, LINE_BLIND);
	assert_string_equal(world->texts, "rm x");
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_allowed_line),
		cmocka_unit_test(test_a_refused_line_is_cleared_and_the_notice_stands_before_the_new_prompt),
		cmocka_unit_test(test_what_is_not_cleared_gets_no_enter),
		cmocka_unit_test(test_ctrl_c_frees_what_was_not_cleared),
		cmocka_unit_test(test_ctrl_c_passes_while_a_line_is_cleared),
		cmocka_unit_test(test_keys_that_recall_are_waited_for),
		cmocka_unit_test(test_recalled_while_a_command_runs_waits_for_the_prompt),
		cmocka_unit_test(test_a_raw_paste_is_judged_line_by_line),
		cmocka_unit_test(test_a_bracketed_paste_is_one_line),
		cmocka_unit_test(test_brackets_without_2004_are_no_paste),
		cmocka_unit_test(test_a_password_is_judged_unseen),
		cmocka_unit_test(test_without_echo_at_a_learned_prompt_the_keys_are_judged),
		cmocka_unit_test(test_full_screen_programs_are_blind_and_their_keys_are_no_line),
		cmocka_unit_test(test_output_in_the_middle_is_blind),
		cmocka_unit_test(test_replies_of_the_terminal_are_not_typing),
		cmocka_unit_test(test_history_expansion_is_blind),
		cmocka_unit_test(test_wrapped_rows_are_joined),
		cmocka_unit_test(test_taller_than_the_screen),
		cmocka_unit_test(test_a_listing_is_not_the_line),
		cmocka_unit_test(test_search_in_the_history),
		cmocka_unit_test(test_a_suggestion_is_not_the_line),
		cmocka_unit_test(test_a_continued_line_is_judged_whole),
		cmocka_unit_test(test_a_hold),
		cmocka_unit_test(test_a_hold_tells_how_it_stands),
		cmocka_unit_test(test_a_line_that_changed_on_hold_is_judged_again),
		cmocka_unit_test(test_ctrl_c_gives_a_hold_up),
		cmocka_unit_test(test_a_warning),
		cmocka_unit_test(test_held_input_is_bounded),
		cmocka_unit_test(test_typed_ahead_and_shown_late_is_no_empty_line),
		cmocka_unit_test(test_typed_ahead_over_two_rows_is_judged_whole),
		cmocka_unit_test(test_empty_lines_are_not_judged),
		cmocka_unit_test(test_every_form_of_enter_is_held),
		cmocka_unit_test(test_typing_behind_alt_bracket_is_judged),
		cmocka_unit_test(test_a_comment_that_the_key_makes_a_line),
		cmocka_unit_test(test_an_interrupt_ends_a_paste),
		cmocka_unit_test(test_a_right_prompt_of_an_earlier_line_is_known),
		cmocka_unit_test(test_an_end_that_stood_there_before_is_no_echo),
		cmocka_unit_test(test_a_line_handed_over_in_parts_is_blind),
		cmocka_unit_test(test_output_between_typing_and_editing_is_blind),
		cmocka_unit_test(test_a_right_prompt_with_a_clock_is_clean),
		cmocka_unit_test(test_a_line_edited_among_combining_characters_is_blind),
		cmocka_unit_test(test_lines_below_the_cursor_are_judged_too),
		cmocka_unit_test(test_recalled_slowly_is_no_empty_line),
		cmocka_unit_test(test_completed_slowly_is_waited_for),
		cmocka_unit_test(test_ctrl_o_is_held_where_no_prompt_is_known),
		cmocka_unit_test(test_typing_behind_a_slow_key_is_waited_for),
		cmocka_unit_test(test_an_edited_line_that_fills_the_screen_is_blind),
		cmocka_unit_test(test_a_line_that_ctrl_o_brought_behind_a_changed_prompt_is_blind),
		cmocka_unit_test(test_a_prompt_of_two_rows_over_old_text_is_clean),
		cmocka_unit_test(test_a_line_edited_over_old_text_is_blind),
		cmocka_unit_test(test_edited_ahead_is_blind),
		cmocka_unit_test(test_a_terminal_too_large_is_blind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
