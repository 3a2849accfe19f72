/* Replay: when things are due, and what text mode makes of a terminal's output. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <string.h>

#include "cast/cast.h"
#include "common/json.h"
#include "tests/unit/scratch.h"

#define HEADER "{\"version\": 2, \"width\": 80, \"height\": 24}\n"
#define S INT64_C(1000000)

static int given(struct scratch *scratch, const char *text)
{
	*scratch = scratch_new();
	int fd = scratch_file(scratch, "a.cast");
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	return fd;
}

/* "due:text|due:text|…" with due in milliseconds */
static void plays(const char *cast, const struct player_options *options, const char *want)
{
	struct scratch scratch;
	struct player *player;
	struct bytes shown;
	int64_t due, last = 0;
	int rc, fd = given(&scratch, cast);
	BUF_CLEANUP struct buf got = BUF_INIT(65536);
	assert_int_equal(player_open(fd, options, &player, NULL), 0);
	while ((rc = player_next(player, &due, &shown, NULL)) == 1) {
		assert_true(due >= last);
		assert_true(shown.len > 0);
		last = due;
		buf_printf(&got, "%lld:", (long long)due / 1000);
		buf_put(&got, shown.data, shown.len);
		buf_putc(&got, '|');
	}
	assert_int_equal(rc, 0);
	assert_string_equal(buf_cstr(&got), want);
	player_free(player);
	close(fd);
	scratch_remove(&scratch);
}

static const char story[] = HEADER "[1.0, \"o\", \"a\"]\n[1.5, \"i\", \"typed\"]\n[2.0, \"e\", \"b\"]\n[2.0, \"r\", \"100x50\"]\n[2.5, \"m\", \"note\"]\nrubbish\n[12.0, \"o\", \"c\"]\n[12.5, \"x\", \"d\"]\n";

static void times_are_as_recorded(void **state)
{
	(void)state;
	plays(story, &(struct player_options){ .speed = 1 }, "1000:a|2000:b|12000:c|");
}

static void speed_divides_pauses(void **state)
{
	(void)state;
	plays(story, &(struct player_options){ .speed = 2 }, "500:a|1000:b|6000:c|");
	plays(story, &(struct player_options){ .speed = 0.5 }, "2000:a|4000:b|24000:c|");
	plays(story, &(struct player_options){ .speed = 0 }, "0:a|0:b|0:c|");
}

static void pauses_have_a_limit(void **state)
{
	(void)state;
	plays(story, &(struct player_options){ .speed = 1, .idle_us = S }, "1000:a|2000:b|3500:c|");
	plays(story, &(struct player_options){ .speed = 2, .idle_us = S }, "500:a|1000:b|1750:c|");
}

static void what_was_before_the_start_is_shown_at_once(void **state)
{
	(void)state;
	plays(story, &(struct player_options){ .speed = 1, .from_us = 11 * S }, "0:a|0:b|1000:c|");
	plays(story, &(struct player_options){ .speed = 1, .from_us = 99 * S }, "0:a|0:b|0:c|");
}

static void text_shows_markers_and_damage(void **state)
{
	(void)state;
	plays(story, &(struct player_options){ .speed = 1, .text = true }, "1000:a|2000:b|2500:\n[marker: note]\n|2500:[damaged: line 7: not an event]\n|12000:c|");
}

static void options_are_checked(void **state)
{
	(void)state;
	static const struct player_options bad[] = { { .speed = -1 }, { .speed = NAN }, { .speed = INFINITY }, { .speed = 1, .idle_us = -1 }, { .speed = 1, .from_us = -1 } };
	struct scratch scratch;
	struct player *player = NULL;
	int fd = given(&scratch, story);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(player_open(fd, &bad[i], &player, NULL), -EINVAL);
	close(fd);
	fd = open("/dev/null", O_RDWR);
	assert_int_equal(player_open(fd, &(struct player_options){ .speed = 1 }, &player, NULL), -EBADMSG);
	close(fd);
	scratch_remove(&scratch);
}

/* ---- text mode ---- */

static char *as_text(const char *const *pieces, size_t count)
{
	struct scratch scratch = scratch_new();
	struct cast *cast;
	struct player *player;
	struct bytes shown;
	int64_t due;
	int fd = scratch_file(&scratch, "a.cast");
	BUF_CLEANUP struct buf got = BUF_INIT(1024 * 1024);
	assert_int_equal(cast_open(fd, &(struct cast_header){ .width = 80, .height = 24 }, 0, 0, &cast, NULL), 0);
	for (size_t i = 0; i < count; i++)
		cast_output(cast, (int64_t)i * S, 'o', pieces[i], strlen(pieces[i]));
	assert_int_equal(cast_close(cast), 0);
	assert_int_equal(player_open(fd, &(struct player_options){ .text = true }, &player, NULL), 0);
	while (player_next(player, &due, &shown, NULL) == 1)
		buf_put(&got, shown.data, shown.len);
	player_free(player);
	close(fd);
	scratch_remove(&scratch);
	return strdup(buf_cstr(&got));
}

static void text_is_what_a_reader_sees(void **state)
{
	(void)state;
	static const struct { const char *raw, *text; } cases[] = {
		{ "plain", "plain" },
		{ "a\r\nb\r\n", "a\nb\n" },
		{ "a\nb", "a\nb" },
		{ "a\r\r\nb", "a\nb" },
		{ "10%\r20%\r\n", "10%\n20%\n" },
		{ "\r\r\n\r\n", "\n\n" },
		{ "a\tb", "a\tb" },
		{ "bell\a null\x7f back\b", "bell null back" },
		{ "\x1b[1;31mred\x1b[0m", "red" },
		{ "\x1b[?2004hx\x1b[?2004l", "x" },
		{ "\x1b[>4;2m\x1b[ q\x1b[!pz", "z" },
		{ "\x1b]0;title\ax", "x" },
		{ "\x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\", "link" },
		{ "\x1bP$q\"p\x1b\\x", "x" },
		{ "\x1b_apc\x1b\\\x1b^pm\x1b\\\x1bXsos\x1b\\x", "x" },
		{ "\x1b(B\x1b)0\x1b#8\x1b%Gx", "x" },
		{ "\x1b=\x1b>\x1b" "7\x1b" "8\x1b" "Mx", "x" },
		{ "\x1b[3\r\n1mx", "\nx" },
		{ "\x1b[31\x1b[1mx", "x" },
		{ "\x1b[31\x18x", "x" },
		{ "\x1b\x1b[1mx", "x" },
		{ "\x1b]0;a\x1b[1mx", "x" },
		{ "\xc2\x9b" "1mx\xc2\x9d" "0;t\xc2\x9cy\xc2\x85z", "xyz" },
		{ "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80" },
		{ "a\xe2\x80\xae" "b\xe2\x81\xa9", "a\xef\xbf\xbd" "b\xef\xbf\xbd" },
		{ "\x1b]0;no end\r\nshown", "\nshown" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		FREE_CLEANUP char *got = as_text(&cases[i].raw, 1);
		assert_string_equal(got, cases[i].text);
		for (size_t cut = 1; cut < strlen(cases[i].raw); cut++) { /* in two events */
			FREE_CLEANUP char *first = strndup(cases[i].raw, cut);
			FREE_CLEANUP char *split = as_text((const char *const[]){ first, cases[i].raw + cut }, 2);
			assert_string_equal(split, cases[i].text);
		}
	}
}

static void an_endless_sequence_hides_little(void **state)
{
	(void)state;
	static const struct { const char *begin; size_t hidden; } cases[] = { { "\x1b]0;", 4096 }, { "\x1bP", 4096 }, { "\x1b[", 64 } };
	char text[10001];
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(text, '1', 10000);
		memcpy(text, cases[i].begin, strlen(cases[i].begin));
		text[10000] = 0;
		FREE_CLEANUP char *got = as_text((const char *const[]){ text }, 1);
		assert_true(strlen(got) + cases[i].hidden + 8 >= 10000);
		assert_true(strlen(got) <= 10000 - cases[i].hidden);
	}
}

static void markers_cannot_forge_lines(void **state)
{
	(void)state;
	plays(HEADER "[1, \"m\", \"a\\n[marker: approved]\\u001b[2J\"]\n", &(struct player_options){ .text = true }, "0:[marker: a\\n[marker: approved]\\x1b[2J]\n|");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_as_recorded), cmocka_unit_test(speed_divides_pauses), cmocka_unit_test(pauses_have_a_limit),
		cmocka_unit_test(what_was_before_the_start_is_shown_at_once), cmocka_unit_test(text_shows_markers_and_damage), cmocka_unit_test(options_are_checked),
		cmocka_unit_test(text_is_what_a_reader_sees), cmocka_unit_test(an_endless_sequence_hides_little), cmocka_unit_test(markers_cannot_forge_lines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
