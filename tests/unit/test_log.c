/* Log lines and error texts: one line whatever the text holds, cut where it is too long. */
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/fd.h"
#include "common/text.h"

#include <cmocka.h>

#include "tests/unit/in_range.h"

/* Standard error goes into a pipe for one call. */
static void log_into(struct buf *out, enum log_level level, const char *text)
{
	int ends[2], saved = dup(STDERR_FILENO);
	assert_int_equal(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	errno = 77;
	log_write(level, "%s", text);
	int after = errno;
	dup2(saved, STDERR_FILENO);
	close(saved);
	buf_clear(out);
	assert_int_equal(fd_read_all(ends[0], 65536, out, NULL), 0);
	close(ends[0]);
	assert_int_equal(after, 77);
}

static void test_line(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf out = BUF_INIT(65536);
	char expected[128];
	int64_t seconds;
	log_setup("broker", LOG_INFO_);
	log_into(&out, LOG_WARNING_, "from\n\x1b[31m \xe2\x80\xae" "evil");
	char *line = (char *)buf_cstr(&out);
	snprintf(expected, sizeof(expected), " broker[%d] warning: from\\n\\x1b[31m \\u{202E}evil\n", (int)getpid());
	assert_string_equal(strchr(line, ' '), expected);
	*strchr(line, ' ') = 0;
	assert_int_equal(strlen(line), strlen("2026-11-23T10:00:00.123Z"));
	assert_int_equal(clock_parse(line, &seconds, NULL), 0);
	assert_uint_in_range(clock_wall() - seconds, 0, 60);
}

static void test_levels(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf out = BUF_INIT(65536);
	log_setup("broker", LOG_WARNING_);
	log_into(&out, LOG_INFO_, "x");
	assert_int_equal(out.len, 0);
	log_level_set(LOG_DEBUG_);
	assert_int_equal(log_level(), LOG_DEBUG_);
	log_into(&out, LOG_DEBUG_, "x");
	assert_true(out.len > 0);
	assert_int_equal(log_level_parse("error"), LOG_ERROR_);
	assert_int_equal(log_level_parse("debug"), LOG_DEBUG_);
	assert_int_equal(log_level_parse("Debug"), -EINVAL);
	assert_int_equal(log_level_parse(""), -EINVAL);
}

static void test_long_line(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf out = BUF_INIT(65536);
	FREE_CLEANUP char *text = malloc(20001);
	memset(text, 1, 20000);
	text[20000] = 0;
	log_into(&out, LOG_ERROR_, text);
	assert_uint_in_range(out.len, 4000, 8192);
	assert_int_equal(buf_data(&out)[out.len - 1], '\n');
	assert_ptr_equal(memchr(buf_data(&out), '\n', out.len), buf_data(&out) + out.len - 1);
}

/* ---- error texts ---- */

static void test_err(void **state)
{
	(void)state;
	struct err err;
	assert_int_equal(err_set(&err, -EINVAL, "host key: %s", "not base64"), -EINVAL);
	assert_int_equal(err_prefix(&err, -EIO, "target '%s'", "db1"), -EIO);
	assert_string_equal(err.text, "target 'db1': host key: not base64");
	assert_int_equal(err_set(&err, -1, "again: %s", err.text), -1); /* its own text as argument */
	assert_string_equal(err.text, "again: target 'db1': host key: not base64");
	assert_int_equal(err_set(NULL, -EIO, "x"), -EIO);
	assert_int_equal(err_prefix(NULL, -EIO, "x"), -EIO);
}

static void test_err_cut(void **state)
{
	(void)state;
	struct err err;
	char text[ERR_TEXT_MAX * 2];
	memset(text, 'a', sizeof(text));
	memcpy(text + ERR_TEXT_MAX - 2, "\xe2\x82\xac", 3); /* a character across the end */
	text[sizeof(text) - 1] = 0;
	err_set(&err, -1, "%s", text);
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 2);
	err_set(&err, -1, "%.*s", ERR_TEXT_MAX - 1, "short");
	assert_string_equal(err.text, "short");
	err_set(&err, -1, "%.*s", ERR_TEXT_MAX - 2, text);
	err_prefix(&err, -1, "ab\xc3\xa4");
	assert_memory_equal(err.text, "ab\xc3\xa4: aaa", 9);
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
	assert_true(text_utf8_valid(err.text, strlen(err.text)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line), cmocka_unit_test(test_levels), cmocka_unit_test(test_long_line), cmocka_unit_test(test_err),
		cmocka_unit_test(test_err_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
