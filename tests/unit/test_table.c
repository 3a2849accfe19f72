/* Text tables: alignment, cutting, cleaning. */
#include "common/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct table_column columns[] = { { "name", "NAME", false }, { "count", "COUNT", false }, { "what", "WHAT", true }, { 0 } };

static const char *render(json_t *rows, unsigned width, bool bold, struct buf *out)
{
	struct table_style style = { .width = width, .bold = bold };
	assert_int_equal(table_rows(rows, columns, &style, out), 0);
	json_decref(rows);
	return buf_cstr(out);
}

static void test_aligned(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf out = BUF_INIT(4096);
	json_t *rows = json_pack("[{s:s, s:i, s:[s,s]}, {s:s, s:n, s:b}]", "name", "web1", "count", 12345678, "what", "a", "b", "name",
		"a-longer-name", "count", "what", 1);
	assert_string_equal(render(rows, 0, false, &out), "NAME           COUNT     WHAT\n"
							  "web1           12345678  a,b\n"
							  "a-longer-name  -         yes\n");
}

static void test_header_is_bold_only_where_wanted(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf plain = BUF_INIT(4096), bold = BUF_INIT(4096);
	assert_null(strchr(render(json_array(), 0, false, &plain), '\033'));
	assert_string_equal(render(json_array(), 0, true, &bold), "\033[1mNAME  COUNT  WHAT\033[0m\n");
}

static void test_hostile_cells(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf out = BUF_INIT(4096);
	json_t *rows = json_pack("[{s:s, s:i, s:s}]", "name", "a\033[2J\nb\\", "count", 1, "what", "x\\x1b\033\xe2\x80\xae");
	const char *text = render(rows, 0, false, &out);
	assert_null(strchr(text, '\033'));
	assert_null(strstr(text, "\xe2\x80\xae"));
	assert_non_null(strstr(text, "a\\x1b[2J\\nb\\\\ "));	  /* a backslash is doubled … */
	assert_non_null(strstr(text, " x\\x1b\\x1b\\u{202E}\n")); /* … but not where the value is in visible form already */
}

/* No line is wider than the terminal; the widest column pays. */
static void test_cut(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf out = BUF_INIT(4096);
	json_t *rows = json_pack("[{s:s, s:i, s:s}]", "name", "short", "count", 7, "what", "0123456789012345678901234567890123456789");
	char *text = (char *)render(rows, 30, false, &out), *rest = NULL;
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		assert_true(table_width(line) <= 30);
	BUF_CLEANUP struct buf again = BUF_INIT(4096);
	rows = json_pack("[{s:s, s:i, s:s}]", "name", "short", "count", 7, "what", "0123456789012345678901234567890123456789");
	assert_non_null(strstr(render(rows, 30, false, &again), "short  7      012345678901234…\n"));
}

static void test_width(void **state)
{
	(void)state;
	assert_int_equal(table_width("abc"), 3);
	assert_int_equal(table_width("\xc3\xbc"), 1);		      /* ü */
	assert_int_equal(table_width("\xe6\xbc\xa2\xe5\xad\x97"), 4); /* 漢字 */
	assert_int_equal(table_width("e\xcc\x81"), 1);		      /* e and an acute accent */
	assert_int_equal(table_width("\xe6\xbc"), 2);		      /* broken: one column a byte, no reading on */
}

static void test_wide_characters_are_not_cut_in_half(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf out = BUF_INIT(4096);
	json_t *rows = json_pack("[{s:s, s:i, s:s}]", "name", "n", "count", 1, "what",
		"\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97");
	assert_non_null(strstr(render(rows, 23, false, &out), "\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97…\n"));
}

static void test_cell_limit(void **state)
{
	(void)state;
	char text[TABLE_CELL_MAX + 2];
	for (int more = 0; more < 2; more++) {
		BUF_CLEANUP struct buf out = BUF_INIT(65536);
		memset(text, 'x', sizeof(text));
		text[TABLE_CELL_MAX + more] = 0;
		const char *shown = render(json_pack("[{s:s}]", "what", text), 0, false, &out);
		assert_int_equal(strstr(shown, "…") != NULL, more); /* the limit fits, one more is cut */
	}
}

static void test_fields(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf out = BUF_INIT(4096);
	struct table_style style = { 0 };
	JSON_CLEANUP json_t *object = json_pack("{s:s, s:n}", "name", "web1", "what");
	assert_int_equal(table_fields(object, columns, &style, &out), 0);
	assert_string_equal(buf_cstr(&out), "NAME  web1\nWHAT  -\n");
}

static void test_output_is_bounded(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf out = BUF_INIT(20);
	struct table_style style = { 0 };
	JSON_CLEANUP json_t *rows = json_pack("[{s:s}]", "name", "web1");
	assert_int_not_equal(table_rows(rows, columns, &style, &out), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_aligned),
		cmocka_unit_test(test_header_is_bold_only_where_wanted),
		cmocka_unit_test(test_hostile_cells),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_width),
		cmocka_unit_test(test_wide_characters_are_not_cut_in_half),
		cmocka_unit_test(test_cell_limit),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_output_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
