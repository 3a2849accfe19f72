/* The YAML tree: positions, what is refused, limits, typed readings, and writing. */
#include "common/text.h"
#include "conf/yaml.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int parse_len(const char *text, size_t len, struct yaml **ret, struct err *err)
{
	return yaml_parse("f.yaml", (struct bytes){ (const uint8_t *)text, len }, ret, err);
}

static struct yaml *parse(const char *text)
{
	struct yaml *root = NULL;
	struct err err = { 0 };
	if (parse_len(text, strlen(text), &root, &err) < 0)
		fail_msg("%s", err.text);
	return root;
}

static void test_tree(void **state)
{
	(void)state;
	struct yaml *root = parse("a: 1\nb:\n  - x\n  - 'null'\n  - {c: ~}\nlong key: \"q\\n\"\n");
	assert_int_equal(root->kind, YAML_MAP);
	assert_int_equal(root->count, 3);
	assert_string_equal(yaml_get(root, "a")->text, "1");
	assert_null(yaml_get(root, "x"));
	assert_null(yaml_get(yaml_get(root, "a"), "a"));
	const struct yaml *list = yaml_get(root, "b");
	assert_int_equal(list->count, 3);
	assert_int_equal(list->child->line, 3);
	assert_int_equal(list->child->column, 5);
	assert_int_equal(list->key_line, 2);
	assert_int_equal(list->key_column, 1);
	assert_false(yaml_is_null(list->child->next));
	assert_true(yaml_is_null(yaml_get(list->child->next->next, "c")));
	assert_true(yaml_is_null(NULL));
	assert_string_equal(yaml_get(root, "long key")->text, "q\n");
	assert_string_equal(list->child->file, "f.yaml");
	yaml_free(root);
	yaml_free(NULL);
}

static void test_refused(void **state)
{
	(void)state;
	static const struct { const char *text, *error; } cases[] = {
		{ "a: 1\nb: 2\na: 3\n", "f.yaml:3:1: the key 'a' appears twice: first in line 1" },
		{ "x: {b: 1, 'b': 2}", "f.yaml:1:11: the key 'b' is there twice" },
		{ "a: &x 1\nb: *x\n", "f.yaml:1:4: anchors are not allowed" },
		{ "a: *x\n", "f.yaml:1:4: aliases are not allowed" },
		{ "a: &x [1]", "anchors are not allowed" },
		{ "a: &x {b: 1}", "anchors are not allowed" },
		{ "a: {<<: {b: 1}}", "f.yaml:1:5: merge keys are not allowed" },
		{ "a: !!int 3", "f.yaml:1:4: tags are not allowed" },
		{ "a: !x [1]", "tags are not allowed" },
		{ "a: !x {b: 1}", "tags are not allowed" },
		{ "a: ! x", "tags are not allowed" },
		{ "a: 1\n---\nb: 2\n", "f.yaml:2:1: a second document" },
		{ "%YAML 1.1\n---\na: 1\n", "directives are not allowed" },
		{ "%TAG ! tag:x,2000:\n---\na: 1\n", "directives are not allowed" },
		{ "[a]: 1", "a key must be a scalar" },
		{ "? {a: 1}\n: 2\n", "a key must be a scalar" },
		{ "\"\": 1", "a key is empty" },
		{ "a: \"x\\0y\"", "f.yaml:1:4: a NUL character" },
		{ "\"a\\0b\": 1", "a NUL character" },
		{ "a: 1\nb: \xff\n", "f.yaml:2:4:" },
		{ "a: \x01", "f.yaml:1:4: control characters are not allowed" },
		{ "\xff\xfe" "a\0:\0", "f.yaml:1:1:" },
		{ "", "f.yaml:1:1: the text is empty" },
		{ "# nothing\n", "the text is empty" },
		{ "a: [1", "while parsing a flow sequence that begins in line 1" },
		{ "a: b: c", "f.yaml:1:5:" },
		{ "\ta: 1", "f.yaml:1:1:" },
		{ "a: 'open", "while scanning a quoted scalar that begins in line 1" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct yaml *root = NULL;
		struct err err = { 0 };
		int rc = parse_len(cases[i].text, strlen(cases[i].text), &root, &err);
		if (rc != -EINVAL || !strstr(err.text, cases[i].error))
			fail_msg("'%s': %d '%s', expected '%s'", cases[i].text, rc, err.text, cases[i].error);
		assert_null(root);
	}
}

static void test_bom(void **state)
{
	(void)state;
	struct yaml *root = parse("\xef\xbb\xbf" "a: 1");
	assert_string_equal(root->child->key, "a");
	yaml_free(root);
}

static char *nested(const char *open, const char *middle, const char *close, size_t depth)
{
	char *text = calloc(1, depth * (strlen(open) + strlen(close)) + strlen(middle) + 1);
	char *p = text;
	for (size_t i = 0; i < depth; i++)
		p = stpcpy(p, open);
	p = stpcpy(p, middle);
	for (size_t i = 0; i < depth; i++)
		p = stpcpy(p, close);
	return text;
}

static int parse_nested(const char *open, const char *middle, const char *close, size_t depth, struct err *err)
{
	struct yaml *root = NULL;
	char *text = nested(open, middle, close, depth);
	int rc = parse_len(text, strlen(text), &root, err);
	yaml_free(root);
	free(text);
	return rc;
}

static void test_depth(void **state)
{
	(void)state;
	struct err err = { 0 };
	static const struct {
		const char *open, *middle, *close;
	} forms[] = { { "[", "x", "]" }, { "{a: ", "x", "}" }, { "- ", "x", "" } };
	for (size_t i = 0; i < COUNT(forms); i++) {
		assert_int_equal(parse_nested(forms[i].open, forms[i].middle, forms[i].close, YAML_DEPTH_MAX, &err), 0);
		assert_int_equal(parse_nested(forms[i].open, forms[i].middle, forms[i].close, YAML_DEPTH_MAX + 1, &err), -EINVAL);
	}
	/* What a document in block style may look like at the limit, and one level more. */
	char text[4096], *p = text;
	for (size_t i = 0; i < YAML_DEPTH_MAX; i++)
		p += sprintf(p, "%*sk:\n", (int)i, "");
	sprintf(p, "%*sv\n", YAML_DEPTH_MAX, "");
	yaml_free(parse(text));
	sprintf(p, "%*sk: v\n", YAML_DEPTH_MAX, "");
	struct yaml *root = NULL;
	assert_int_equal(parse_len(text, strlen(text), &root, &err), -EINVAL);
}

/* libyaml is busy for minutes with these when it sees them whole. */
static void test_bombs(void **state)
{
	(void)state;
	static const char *const openings[] = { "[", "{a: ", "- ", "? ", "[[", "{", "\"a\": [", "- - ? ", "it's [", "a 'b [", "a: 'b' \"c [[[" };
	static const char *const fronts[] = { "", "x: it's\ny: ", "# '\n", "x: a 'b\ny: ", "x: a \"b\ny: ", "- |\n  '\n- ", "'" };
	struct timespec begin, end;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
	for (size_t i = 0; i < COUNT(openings); i++) {
		for (size_t k = 0; k < COUNT(fronts); k++) {
			size_t depth = 900000 / strlen(openings[i]);
			char *text = calloc(1, strlen(fronts[k]) + depth * strlen(openings[i]) + 1);
			struct yaml *root = NULL;
			char *p = stpcpy(text, fronts[k]);
			for (size_t n = 0; n < depth; n++)
				p = stpcpy(p, openings[i]);
			if (parse_len(text, (size_t)(p - text), &root, NULL) == 0)
				assert_true(strncmp(openings[i], "it's", 4) == 0 || strncmp(openings[i], "a 'b", 4) == 0);
			yaml_free(root);
			free(text);
		}
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	assert_true(end.tv_sec - begin.tv_sec < 20);
}

static void test_limits(void **state)
{
	(void)state;
	struct yaml *root = NULL;
	struct err err = { 0 };
	char *text = malloc(YAML_SIZE_MAX + 1);
	memset(text, 'x', YAML_SIZE_MAX + 1);
	assert_int_equal(parse_len(text, YAML_SIZE_MAX + 1, &root, &err), -EFBIG);
	assert_int_equal(parse_len(text, YAML_SIZE_MAX, &root, &err), 0);
	yaml_free(root);
	root = NULL;
	char *p = stpcpy(text, "[");
	for (size_t i = 0; i < YAML_NODES_MAX - 1; i++) /* the list is a node, too */
		p = stpcpy(p, "1,");
	strcpy(p, "]");
	assert_int_equal(parse_len(text, strlen(text), &root, &err), 0);
	assert_int_equal(root->count, YAML_NODES_MAX - 1);
	yaml_free(root);
	root = NULL;
	strcpy(p, "1]");
	assert_int_equal(parse_len(text, strlen(text), &root, &err), -EINVAL);
	assert_non_null(strstr(err.text, "more nodes"));
	assert_null(root);
	free(text);
}

static void test_only(void **state)
{
	(void)state;
	static const char *const names[] = { "listen", "host_key", "limits", NULL };
	struct err err = { 0 };
	struct yaml *root = parse("limits: 1\nhots_key: 2\n");
	assert_int_equal(yaml_only(root, names, &err), -EINVAL);
	assert_string_equal(err.text, "f.yaml:2:1: unknown key 'hots_key': did you mean 'host_key'?");
	yaml_free(root);
	root = parse("x: 1");
	assert_int_equal(yaml_only(root, names, &err), -EINVAL);
	assert_string_equal(err.text, "f.yaml:1:1: unknown key 'x'");
	assert_int_equal(yaml_only(root->child, names, &err), -EINVAL);
	assert_string_equal(err.text, "f.yaml:1:4: expected a map");
	yaml_free(root);
	root = parse("\"\\e[2J\": 1");
	assert_int_equal(yaml_only(root, names, &err), -EINVAL);
	assert_string_equal(err.text, "f.yaml:1:1: unknown key '\\x1b[2J'");
	yaml_free(root);
	root = parse("{listen: 1, limits: 2}");
	assert_int_equal(yaml_only(root, names, &err), 0);
	yaml_free(root);
}

/* One scalar, read as a number of some kind. */
static int64_t number(int (*read)(const struct yaml *, int64_t, int64_t, int64_t *, struct err *), const char *text, int64_t min, int64_t max)
{
	struct yaml *root = parse(text);
	struct err err = { 0 };
	int64_t value = -77;
	int rc = read(root, min, max, &value, &err);
	assert_true(rc == 0 || (rc == -EINVAL && value == -77 && strncmp(err.text, "f.yaml:1:1: ", 12) == 0));
	yaml_free(root);
	return rc < 0 ? -1 : value;
}

static void test_numbers(void **state)
{
	(void)state;
	assert_int_equal(number(yaml_int, "42", 0, 42), 42);
	assert_int_equal(number(yaml_int, "43", 0, 42), -1);
	assert_int_equal(number(yaml_int, "1", 2, 42), -1);
	static const char *const bad[] = { "-1", "+1", "0x10", "1 2", "1.5", "abc", "~", "[1]", "{a: 1}", "9223372036854775808",
		"99999999999999999999", "''" };
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(number(yaml_int, bad[i], INT64_MIN, INT64_MAX), -1);
	assert_int_equal(number(yaml_int, "9223372036854775807", 0, INT64_MAX), INT64_MAX);
	assert_int_equal(number(yaml_size, "64MiB", 0, INT64_MAX), 64 << 20);
	assert_int_equal(number(yaml_size, "4096", 0, INT64_MAX), 4096);
	assert_int_equal(number(yaml_size, "1TiB", 0, INT64_MAX), 1LL << 40);
	assert_int_equal(number(yaml_size, "8388608TiB", 0, INT64_MAX), -1);
	assert_int_equal(number(yaml_size, "64MB", 0, INT64_MAX), -1);
	assert_int_equal(number(yaml_size, "2KiB", 0, 2047), -1);
	assert_int_equal(number(yaml_duration, "15m", 0, INT64_MAX), 900000);
	assert_int_equal(number(yaml_duration, "0", 0, INT64_MAX), 0);
	assert_int_equal(number(yaml_duration, "15", 0, INT64_MAX), -1);
	assert_int_equal(number(yaml_duration, "1s", 1001, INT64_MAX), -1);
}

static void test_bool_and_texts(void **state)
{
	(void)state;
	bool yes = false;
	char **list = NULL;
	const char *text = NULL;
	struct err err = { 0 };
	struct yaml *root = parse("{a: yes, b: off, c: maybe, d: [x, 'y z'], e: one, f: [x, ~], g: [[x]], h: '', i: []}");
	assert_int_equal(yaml_bool(yaml_get(root, "a"), &yes, &err), 0);
	assert_true(yes);
	assert_int_equal(yaml_bool(yaml_get(root, "b"), &yes, &err), 0);
	assert_false(yes);
	assert_int_equal(yaml_bool(yaml_get(root, "c"), &yes, &err), -EINVAL);
	assert_int_equal(yaml_strings(yaml_get(root, "d"), 2, 3, &list, &err), 0);
	assert_string_equal(list[1], "y z");
	assert_null(list[2]);
	text_list_free(list);
	assert_int_equal(yaml_strings(yaml_get(root, "d"), 1, 3, &list, &err), -EINVAL);
	assert_int_equal(yaml_strings(yaml_get(root, "d"), 2, 2, &list, &err), -EINVAL);
	assert_int_equal(yaml_strings(yaml_get(root, "f"), 9, 9, &list, &err), -EINVAL);
	assert_int_equal(yaml_strings(yaml_get(root, "g"), 9, 9, &list, &err), -EINVAL);
	assert_int_equal(yaml_strings(root, 99, 9, &list, &err), -EINVAL);
	assert_int_equal(yaml_strings(yaml_get(root, "i"), 9, 9, &list, &err), 0);
	assert_null(list[0]);
	text_list_free(list);
	assert_int_equal(yaml_strings(yaml_get(root, "e"), 1, 3, &list, &err), 0);
	assert_string_equal(list[0], "one");
	text_list_free(list);
	assert_int_equal(yaml_text(yaml_get(root, "e"), 3, &text, &err), 0);
	assert_int_equal(yaml_text(yaml_get(root, "e"), 2, &text, &err), -EINVAL);
	assert_int_equal(yaml_text(yaml_get(root, "h"), 2, &text, &err), -EINVAL);
	assert_int_equal(yaml_text(root, 2, &text, &err), -EINVAL);
	yaml_free(root);
}

static void test_put(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"plain",
		"",
		"null",
		"~",
		"True",
		"no",
		"12",
		"1:2",
		"a b",
		"a: b",
		"- x",
		"*x",
		"#x",
		"it's \"q\" \\ back",
		"tab\tnl\ncr\r",
		"\x01\x7f",
		"äöü€",
		"\xc2\x85",
		"\xc2\x9f",
		"\xe2\x80\xa8",
		"\xe2\x80\xa9",
		"\xef\xbb\xbf",
		"\xef\xbf\xbf",
		"/etc/x",
		"=",
		"y",
		"!x",
		"%x",
		"@x",
		"`x",
		"re:\\bdd\\b",
	};
	for (size_t i = 0; i < COUNT(texts); i++) {
		BUF_CLEANUP struct buf out = BUF_INIT(4096);
		assert_int_equal(buf_puts(&out, "k: ["), 0);
		assert_int_equal(yaml_put_text(&out, texts[i]), 0);
		assert_int_equal(buf_puts(&out, "]"), 0);
		struct yaml *root = parse(buf_cstr(&out));
		assert_int_equal(root->child->count, 1);
		assert_string_equal(root->child->child->text, texts[i]);
		assert_false(yaml_is_null(root->child->child));
		yaml_free(root);
	}
	char text[YAML_NUMBER_MAX];
	assert_string_equal(yaml_format_duration(0, text), "0");
	assert_string_equal(yaml_format_duration(5400000, text), "1h30m");
	assert_string_equal(yaml_format_duration(86400250, text), "1d250ms");
	assert_string_equal(yaml_format_size(64 << 20, text), "64MiB");
	assert_string_equal(yaml_format_size(1025, text), "1025");
	assert_string_equal(yaml_format_size(0, text), "0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree), cmocka_unit_test(test_refused), cmocka_unit_test(test_bom), cmocka_unit_test(test_depth),
		cmocka_unit_test(test_bombs), cmocka_unit_test(test_limits), cmocka_unit_test(test_only), cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_bool_and_texts), cmocka_unit_test(test_put),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
