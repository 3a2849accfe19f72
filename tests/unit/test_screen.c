/* The screen as libvterm draws it, and what libvterm loses: strings that are split, modes it does not report, rows that scroll. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "lineguard/screen.h"
#include "lineguard/screen_scan.h"

static void put(struct screen *screen, const char *text)
{
	screen_output(screen, (const uint8_t *)text, strlen(text));
}

/* The same bytes, one at a time. */
static void dribble(struct screen *screen, const char *text)
{
	for (; *text; text++)
		screen_output(screen, (const uint8_t *)text, 1);
}

static void expect_row(struct screen *screen, int64_t row, const char *want)
{
	BUF_CLEANUP struct buf text = BUF_INIT(4096);
	assert_int_equal(screen_text(screen, row, 0, screen_row_end(screen, row), &text), 0);
	assert_string_equal(buf_cstr(&text), want);
}

static void expect_cursor(struct screen *screen, int64_t row, int column)
{
	struct screen_place place = screen_cursor(screen);
	assert_int_equal(place.row, row);
	assert_int_equal(place.column, column);
}

static void test_text_and_cursor(void **state)
{
	struct screen *screen = screen_new(20, 5);
	(void)state;
	put(screen, "one\r\ntwo \xe6\x97\xa5 e\xcc\x81\r\n\033[31mred");
	expect_row(screen, 0, "one");
	expect_row(screen, 1, "two \xe6\x97\xa5 e\xcc\x81");
	expect_row(screen, 2, "red");
	expect_row(screen, 3, "");
	expect_cursor(screen, 2, 3);
	screen_free(screen);
}

static void test_rows_keep_their_numbers(void **state)
{
	struct screen *screen = screen_new(10, 3);
	(void)state;
	put(screen, "a\r\nb\r\nc\r\nd\r\ne");
	assert_int_equal(screen_top(screen), 2);
	assert_int_equal(screen_bottom(screen), 4);
	expect_cursor(screen, 4, 1);
	expect_row(screen, 2, "c");
	expect_row(screen, 4, "e");
	expect_row(screen, 0, ""); /* scrolled off */
	expect_row(screen, 99, "");
	screen_free(screen);
}

static void test_rows_keep_their_numbers_when_it_shrinks_and_grows(void **state)
{
	struct screen *screen = screen_new(10, 4);
	(void)state;
	put(screen, "a\r\nb\r\nc\r\nd");
	assert_int_equal(screen_resize(screen, 10, 2), 0);
	expect_cursor(screen, 3, 1);
	expect_row(screen, 3, "d");
	assert_int_equal(screen_resize(screen, 12, 6), 0);
	expect_row(screen, 3, "d");
	expect_row(screen, 2, "c");
	assert_int_equal(screen_columns(screen), 12);
	screen_free(screen);
}

/* Text on the last row and the cursor on the first one; a saved cursor and a scrolling region beyond the new size. */
static void test_shrinking_leaves_nothing_outside(void **state)
{
	struct screen *screen = screen_new(10, 6);
	(void)state;
	put(screen, "\033[3;6r\033[6;1Hlast\0337\033[1;4H");
	assert_int_equal(screen_resize(screen, 8, 2), 0);
	assert_true(screen_cursor(screen).row >= screen_top(screen));
	put(screen, "x\0338y\n\n\n\033[?1048l\033Mz");
	assert_true(screen_cursor(screen).row >= screen_top(screen) && screen_cursor(screen).row <= screen_bottom(screen));
	screen_free(screen);
}

static void test_full_rows(void **state)
{
	struct screen *screen = screen_new(5, 4);
	(void)state;
	put(screen, "abcdefg\r\n12");
	assert_true(screen_row_full(screen, 0));
	assert_false(screen_row_full(screen, 1));
	put(screen, "34\xe6\x97\xa5"); /* does not fit into the last column */
	assert_true(screen_row_full(screen, 2));
	assert_false(screen_row_full(screen, 3));
	screen_free(screen);
}

static void test_blank_is_not_space(void **state)
{
	struct screen *screen = screen_new(10, 2);
	struct screen_cell cell;
	(void)state;
	put(screen, "a \033[2Cb");
	screen_cell(screen, (struct screen_place){ 0, 1 }, &cell);
	assert_false(cell.blank);
	screen_cell(screen, (struct screen_place){ 0, 2 }, &cell);
	assert_true(cell.blank);
	expect_row(screen, 0, "a   b");
	screen_free(screen);
}

static void test_grey(void **state)
{
	static const struct {
		const char *color;
		bool grey;
	} colors[] = {
		{ "", false },
		{ "\033[90m", true },
		{ "\033[38;5;8m", true },
		{ "\033[38;5;240m", true },
		{ "\033[38;2;85;85;85m", true },
		{ "\033[37m", false },
		{ "\033[31m", false },
		{ "\033[38;2;255;85;85m", false },
		{ "\033[38;5;255m", false },
		{ "\033[97m", false },
	};
	(void)state;
	for (size_t i = 0; i < sizeof colors / sizeof *colors; i++) {
		struct screen *screen = screen_new(10, 2);
		struct screen_cell cell;
		put(screen, colors[i].color);
		put(screen, "x");
		screen_cell(screen, (struct screen_place){ 0, 0 }, &cell);
		if (cell.grey != colors[i].grey)
			fail_msg("color %zu", i);
		screen_free(screen);
	}
}

static void test_modes(void **state)
{
	static const struct {
		const char *bytes;
		bool paste, keys, alternate;
		uint32_t on;
	} steps[] = {
		{ "\033[?2004h", true, false, false, 1 },
		{ "\033[?2004l", false, false, false, 1 },
		{ "\033[?1;2004h", true, true, false, 2 },
		{ "\033[?1049h", true, true, true, 2 },
		{ "\033[?1049l", true, true, false, 2 },
		{ "\033[?47h", true, true, true, 2 },
		{ "\033[?47l\033[?1l", true, false, false, 2 },
		{ "\033[2004h", true, false, false, 2 },
		{ "\033[?2004$p", true, false, false, 2 },
		{ "\033[>?2004l", true, false, false, 2 },
		{ "\033[?20\030\033[?1l", true, false, false, 2 },
		{ "\033c", false, false, false, 2 },
	};
	struct screen *screen = screen_new(20, 4), *slow = screen_new(20, 4);
	(void)state;
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		put(screen, steps[i].bytes);
		dribble(slow, steps[i].bytes);
		const struct screen_modes *modes = screen_modes(screen);
		if (modes->paste != steps[i].paste || modes->cursor_keys != steps[i].keys || modes->alternate != steps[i].alternate ||
			modes->paste_on != steps[i].on)
			fail_msg("step %zu", i);
		assert_memory_equal(modes, screen_modes(slow), sizeof *modes);
	}
	screen_free(screen);
	screen_free(slow);
}

static void test_the_old_alternate_screen_brings_the_first_back(void **state)
{
	struct screen *screen = screen_new(20, 4);
	(void)state;
	put(screen, "first\r\n\033[?47h\033[2J\033[Hsecond");
	expect_row(screen, 0, "second");
	put(screen, "\033[?47l");
	expect_row(screen, 0, "first");
	screen_free(screen);
}

static void test_strings_draw_nothing_however_they_are_split(void **state)
{
	static const char *const strings[] = { "\033]0;title\a", "\033]0;title\033\\", "\033P+q544e\033\\", "\033_hidden\033\\", "\033ktitle\033\\",
		"\033]8;;http://x\030", "\033]0;a\033[0m" };
	(void)state;
	for (size_t i = 0; i < sizeof strings / sizeof *strings; i++)
		for (size_t cut = 0; cut <= strlen(strings[i]); cut++) {
			struct screen *screen = screen_new(20, 2);
			put(screen, "a");
			screen_output(screen, (const uint8_t *)strings[i], cut);
			put(screen, strings[i] + cut);
			assert_false(screen_modes(screen)->in_string);
			put(screen, "b");
			expect_row(screen, 0, "ab");
			screen_free(screen);
		}
}

static void test_a_string_without_end_is_told(void **state)
{
	struct screen *screen = screen_new(20, 2);
	(void)state;
	put(screen, "a\033]0;for ever");
	assert_true(screen_modes(screen)->in_string);
	screen_free(screen);
}

static void test_sizes(void **state)
{
	(void)state;
	struct screen *screen = screen_new(SCREEN_COLUMNS_MAX, SCREEN_ROWS_MAX);
	assert_false(screen_modes(screen)->clipped);
	assert_int_equal(screen_resize(screen, SCREEN_COLUMNS_MAX + 1, 24), 0);
	assert_true(screen_modes(screen)->clipped);
	assert_int_equal(screen_columns(screen), SCREEN_COLUMNS_MAX);
	assert_int_equal(screen_resize(screen, 80, SCREEN_ROWS_MAX + 1), 0);
	assert_true(screen_modes(screen)->clipped);
	put(screen, "\033[999;999Hx");
	assert_int_equal(screen_resize(screen, 0, 0), 0);
	assert_int_equal(screen_columns(screen), SCREEN_COLUMNS_MIN);
	assert_true(screen_modes(screen)->clipped);
	put(screen, "abc\xe6\x97\xa5\033[999;999H\033[?1049h\033[?47l");
	assert_int_equal(screen_resize(screen, 80, 24), 0);
	assert_false(screen_modes(screen)->clipped);
	screen_free(screen);
}

/* Repetition of a character of no width would hang libvterm. */
static void test_repetition(void **state)
{
	struct screen *screen = screen_new(10, 2);
	(void)state;
	put(screen, "\033[b\033[5bx\033[3by\xcc\x81\033[3b");
	dribble(screen, "\xe2\x80\x8b\033[9bz");
	expect_row(screen, 0, "xxxxy\xcc\x81\xe2\x80\x8bz");
	screen_free(screen);
}

/* What comes out is what libvterm may see, however it is split. */
static void test_sequences_are_written_anew(void **state)
{
	static const struct {
		const char *in, *out;
	} table[] = {
		{ "a\033[1;2Hb", "a\033[1;2Hb" },
		{ "\033[;5m", "\033[;5m" },
		{ "\033[38:2:1:2:3m", "\033[38:2:1:2:3m" },
		{ "\033[99999999999999999999C", "\033[9999C" },
		{ "\033[1;2;3;4;5;6;7;8;9;10;11;12m", "\033[1;2;3;4;5;6;7;8;9;10;11;12m" },
		{ "\033[1;2;3;4;5;6;7;8;9;10;11;12;13m", "" },
		{ "\033[6n\033[c\033[>c\033[?6n\033[18t\033[?1$p\033Z", "" },
		{ "\033[1\nA", "\n\033[1A" },
		{ "\033[1\033[2A", "\033[2A" },
		{ "\033[1\030A", "A" },
		{ "\033(0x\033(Bx\033#8\033#6\033%G", "\033(0x\033(Bx\033#8" },
		{ "\033[?47;25;1h", "\033[?1047h" },
		{ "\033[?7l\033[?69h\033[4h", "\033[?7l\033[4h" },
		{ "\033[!p\033[!!p\033[2'}", "\033[!p" },
		{ "\0337\033M\033c\033n", "\0337\033M\033c" },
		{ "\033[<1A\0331\033[1?2h", "" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		for (size_t cut = 0; cut <= strlen(table[i].in); cut++) {
			struct screen_scan scan = { 0 };
			uint8_t out[SCREEN_SCAN_OUT(64)];
			size_t len = screen_scan(&scan, (const uint8_t *)table[i].in, cut, out);
			len += screen_scan(&scan, (const uint8_t *)table[i].in + cut, strlen(table[i].in) - cut, out + len);
			if (len != strlen(table[i].out) || memcmp(out, table[i].out, len) != 0)
				fail_msg("row %zu, cut %zu: %.*s", i, cut, (int)len, out);
		}
}

static void test_characters_are_written_whole(void **state)
{
	static const struct {
		const char *in, *out;
	} table[] = {
		{ "\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80", "\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80" },
		{ "\xe6\x97x", "\xef\xbf\xbdx" },
		{ "\x80\xff", "\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xc0\xaf", "\xef\xbf\xbd" },
		{ "\xed\xa0\x80", "\xef\xbf\xbd" },
		{ "\xf4\x90\x80\x80", "\xef\xbf\xbd" },
		{ "\xc2\x9b", "" },
		{ "\xe6\n", "\xef\xbf\xbd\n" },
		{ "\xe6\x97\033[A", "\033[A" },
		{ "a\x7f", "a" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct screen_scan scan = { 0 };
		uint8_t out[SCREEN_SCAN_OUT(64)];
		size_t len = screen_scan(&scan, (const uint8_t *)table[i].in, strlen(table[i].in), out);
		if (len != strlen(table[i].out) || memcmp(out, table[i].out, len) != 0)
			fail_msg("row %zu: %.*s", i, (int)len, out);
	}
}

static void test_combining_characters_do_not_pile_up(void **state)
{
	struct screen_scan scan = { 0 };
	uint8_t out[SCREEN_SCAN_OUT(2)];
	(void)state;
	for (int i = 1; i <= SCREEN_SCAN_COMBINING_MAX + 1; i++) {
		assert_int_equal(screen_scan(&scan, (const uint8_t *)"\xcc\x81", 2, out), i > SCREEN_SCAN_COMBINING_MAX ? 3 : 2);
		assert_memory_equal(out, i > SCREEN_SCAN_COMBINING_MAX ? "\xef\xbf\xbd" : "\xcc\x81", 2);
	}
}

static void test_too_long_a_sequence_is_dropped(void **state)
{
	(void)state;
	for (size_t len = SCREEN_SCAN_LENGTH_MAX - 1; len <= SCREEN_SCAN_LENGTH_MAX; len++) {
		struct screen_scan scan = { 0 };
		uint8_t in[SCREEN_SCAN_LENGTH_MAX + 8] = "\033[", out[SCREEN_SCAN_OUT(sizeof in)];
		memset(in + 2, '0', len);
		in[2 + len] = 'A';
		assert_int_equal(screen_scan(&scan, in, len + 3, out), len < SCREEN_SCAN_LENGTH_MAX ? 4 : 0);
	}
}

/* The scanner writes no more than it says, for the worst there is. */
static void test_growth(void **state)
{
	static const char worst[] = "\033[47;47;47;47;47;47;47;47;47;47;47;47\033[?47;47;47;47;47;47;47;47;47;47;47;47h";
	struct screen_scan scan = { 0 };
	uint8_t out[SCREEN_SCAN_OUT(sizeof worst)];
	(void)state;
	for (size_t i = 0; i < 1000; i++) {
		size_t from = i % (sizeof worst - 1), len = 1 + i * 7 % (sizeof worst - 1 - from);
		assert_true(screen_scan(&scan, (const uint8_t *)worst + from, len, out) <= SCREEN_SCAN_OUT(len));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_and_cursor),
		cmocka_unit_test(test_rows_keep_their_numbers),
		cmocka_unit_test(test_rows_keep_their_numbers_when_it_shrinks_and_grows),
		cmocka_unit_test(test_shrinking_leaves_nothing_outside),
		cmocka_unit_test(test_full_rows),
		cmocka_unit_test(test_blank_is_not_space),
		cmocka_unit_test(test_grey),
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_the_old_alternate_screen_brings_the_first_back),
		cmocka_unit_test(test_strings_draw_nothing_however_they_are_split),
		cmocka_unit_test(test_a_string_without_end_is_told),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_repetition),
		cmocka_unit_test(test_sequences_are_written_anew),
		cmocka_unit_test(test_characters_are_written_whole),
		cmocka_unit_test(test_combining_characters_do_not_pile_up),
		cmocka_unit_test(test_too_long_a_sequence_is_dropped),
		cmocka_unit_test(test_growth),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
