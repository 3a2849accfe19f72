/* asciicast: what is written can be read, by us and by stock asciinema, whatever the bytes, the disk and the crash were. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/in_range.h"

#include <errno.h>
#include <inttypes.h>
#include <pty.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>

#include "cast/cast.h"
#include "common/text.h"
#include "tests/unit/scratch.h"

#define MS 1000
static const struct cast_header plain = { .width = 80, .height = 24, .timestamp = 1700000000, .term = "xterm", .title = "alice deploy@web1 shell", .session = "01ARZ3NDEKTSV4RRFFQ69G5FAV", .kind = "shell" };

struct file { struct scratch scratch; int fd; struct cast *cast; };

static struct file begin(const struct cast_header *header, uint64_t max)
{
	struct file file = { .scratch = scratch_new() };
	file.fd = scratch_file(&file.scratch, "a.cast");
	assert_int_equal(cast_open(file.fd, header, 5000000, max, &file.cast, NULL), 0);
	return file;
}

static void end(struct file *file)
{
	close(file->fd);
	scratch_remove(&file->scratch);
}

/* All lines behind the header. */
static char *events(struct file *file)
{
	char *all = scratch_slurp(file->fd), *rest = strchr(all, '\n');
	assert_non_null(rest);
	memmove(all, rest + 1, strlen(rest + 1) + 1);
	return all;
}

static void out(struct file *file, int64_t ms, char code, const char *text)
{
	assert_int_equal(cast_output(file->cast, 5000000 + ms * MS, code, text, strlen(text)), 0);
}

static void expect(struct file *file, const char *want)
{
	assert_int_equal(cast_close(file->cast), 0);
	char *got = events(file);
	assert_string_equal(got, want);
	free(got);
	end(file);
}

/* ---- writing ---- */

static void header_says_what_it_is(void **state)
{
	(void)state;
	struct cast_header header = plain;
	header.command = "printf '\\033[2J\"' \x1b]0;x\a \xff";
	header.width = 0;
	header.height = 4000000000u;
	struct file file = begin(&header, 0);
	struct cast_reader *reader;
	assert_int_equal(cast_reader_open(file.fd, &reader, NULL), 0);
	const struct cast_header *got = cast_reader_header(reader);
	assert_int_equal(got->width, 80);
	assert_int_equal(got->height, CAST_SIZE_MAX);
	assert_int_equal(got->timestamp, 1700000000);
	assert_string_equal(got->term, "xterm");
	assert_string_equal(got->session, plain.session);
	assert_string_equal(got->kind, "shell");
	assert_string_equal(got->title, plain.title);
	assert_null(strchr(got->command, 0x1b));
	assert_non_null(strstr(got->command, "\\x1b]0;x\\x07"));
	cast_reader_free(reader);
	cast_close(file.cast);
	end(&file);
}

static void header_with_endless_command_is_cut(void **state)
{
	(void)state;
	char *command = malloc(65537);
	memset(command, '\\', 65536);
	command[65536] = 0;
	struct cast_header header = plain;
	header.command = command;
	struct file file = begin(&header, 0);
	struct cast_reader *reader;
	assert_int_equal(cast_reader_open(file.fd, &reader, NULL), 0);
	assert_true(strlen(cast_reader_header(reader)->command) <= CAST_COMMAND_MAX);
	cast_reader_free(reader);
	cast_close(file.cast);
	end(&file);
	free(command);
}

static void outputs_close_together_are_one_event(void **state)
{
	(void)state;
	struct file file = begin(&plain, 0);
	out(&file, 100, 'o', "a");
	out(&file, 105, 'o', "b");
	out(&file, 110, 'o', "c");
	out(&file, 111, 'o', "d");
	out(&file, 112, 'e', "x");
	out(&file, 113, 'o', "e");
	expect(&file, "[0.100000, \"o\", \"abc\"]\n[0.111000, \"o\", \"d\"]\n[0.112000, \"e\", \"x\"]\n[0.113000, \"o\", \"e\"]\n");
}

static void flush_ends_the_event(void **state)
{
	(void)state;
	struct file file = begin(&plain, 0);
	assert_int_equal(cast_due(file.cast), -1);
	out(&file, 100, 'o', "a");
	out(&file, 101, 'o', "b");
	assert_int_equal(cast_due(file.cast), 5000000 + 100 * MS + CAST_FLUSH_MS * MS);
	assert_int_equal(cast_flush(file.cast), 0);
	assert_int_equal(cast_due(file.cast), -1);
	out(&file, 102, 'o', "c");
	expect(&file, "[0.100000, \"o\", \"ab\"]\n[0.102000, \"o\", \"c\"]\n");
}

static void time_never_runs_backwards(void **state)
{
	(void)state;
	struct file file = begin(&plain, 0);
	out(&file, -50, 'o', "a");
	out(&file, 2000, 'o', "b");
	out(&file, 1000, 'e', "c");
	assert_int_equal(cast_resize(file.cast, 5000000, 100, 50), 0);
	expect(&file, "[0.000000, \"o\", \"a\"]\n[2.000000, \"o\", \"b\"]\n[2.000000, \"e\", \"c\"]\n[2.000000, \"r\", \"100x50\"]\n");
}

static void resizes_and_markers_stand_where_they_happened(void **state)
{
	(void)state;
	struct file file = begin(&plain, 0);
	out(&file, 1, 'o', "a");
	assert_int_equal(cast_resize(file.cast, 5000000 + 2 * MS, 132, 50), 0);
	assert_int_equal(cast_resize(file.cast, 5000000 + 2 * MS, 0, 50), 0);
	assert_int_equal(cast_resize(file.cast, 5000000 + 2 * MS, 4000000000u, 1), 0);
	out(&file, 3, 'o', "b");
	assert_int_equal(cast_marker(file.cast, 5000000 + 4 * MS, "command \"ls\"\n"), 0);
	out(&file, 5, 'o', "c");
	expect(&file, "[0.001000, \"o\", \"a\"]\n[0.002000, \"r\", \"132x50\"]\n[0.002000, \"r\", \"10000x1\"]\n[0.003000, \"o\", \"b\"]\n"
		"[0.004000, \"m\", \"command \\\"ls\\\"\\n\"]\n[0.005000, \"o\", \"c\"]\n");
}

static void unknown_codes_are_refused(void **state)
{
	(void)state;
	struct file file = begin(&plain, 0);
	assert_int_equal(cast_output(file.cast, 5000000, 'x', "a", 1), -EINVAL);
	assert_int_equal(cast_output(file.cast, 5000000, 0, "a", 1), -EINVAL);
	expect(&file, "");
}

static void split_characters_are_joined_for_each_stream(void **state)
{
	(void)state;
	struct file file = begin(&plain, 0);
	out(&file, 1, 'o', "x\xe2\x82");
	out(&file, 2, 'e', "\xc3");
	out(&file, 3, 'i', "\xf0\x9f");
	out(&file, 30, 'o', "\xac" "y");
	out(&file, 31, 'e', "\xa4");
	out(&file, 32, 'i', "\x98\x80");
	expect(&file, "[0.001000, \"o\", \"x\"]\n[0.030000, \"o\", \"\xe2\x82\xacy\"]\n[0.031000, \"e\", \"\xc3\xa4\"]\n[0.032000, \"i\", \"\xf0\x9f\x98\x80\"]\n");
}

static void broken_characters_become_replacements(void **state)
{
	(void)state;
	struct file file = begin(&plain, 0);
	out(&file, 1, 'o', "\xff" "a\xc3" "b\xe2\x82");
	out(&file, 2, 'o', "c\xe2\x82");
	expect(&file, "[0.001000, \"o\", \"\xef\xbf\xbd" "a\xef\xbf\xbd" "b\xef\xbf\xbd" "c\"]\n[0.002000, \"o\", \"\xef\xbf\xbd\"]\n");
}

/* Every byte, at every place within a word, comes back. */
static void every_ascii_byte_survives(void **state)
{
	(void)state;
	struct file file = begin(&plain, 0);
	struct cast_reader *reader;
	struct cast_event event = { 0 };
	char data[17];
	for (int byte = 0; byte < 128; byte++)
		for (int at = 0; at < 16; at++) {
			memset(data, 'a', sizeof(data));
			data[at] = (char)byte;
			assert_int_equal(cast_output(file.cast, 5000000 + (byte * 16 + at) * 20 * MS, 'o', data, sizeof(data)), 0);
		}
	assert_int_equal(cast_close(file.cast), 0);
	assert_int_equal(cast_reader_open(file.fd, &reader, NULL), 0);
	for (int byte = 0; byte < 128; byte++)
		for (int at = 0; at < 16; at++) {
			memset(data, 'a', sizeof(data));
			data[at] = (char)byte;
			assert_int_equal(cast_reader_next(reader, &event, NULL), 1);
			assert_int_equal(event.data.len, sizeof(data));
			assert_memory_equal(buf_data(&event.data), data, sizeof(data));
			assert_int_equal(event.time_us, (byte * 16 + at) * 20 * MS);
		}
	assert_int_equal(cast_reader_next(reader, &event, NULL), 0);
	buf_release(&event.data);
	cast_reader_free(reader);
	end(&file);
}

/* Random bytes in random pieces: the text read back is the same as re-coding the whole at once. */
static void pieces_do_not_matter(void **state)
{
	(void)state;
	enum { SIZE = 300000 };
	uint8_t *data = malloc(SIZE);
	BUF_CLEANUP struct buf want = BUF_INIT(4 * SIZE), got = BUF_INIT(4 * SIZE);
	struct file file = begin(&plain, 0);
	struct cast_reader *reader;
	struct cast_event event = { 0 };
	srandom(7);
	for (size_t i = 0; i < SIZE; i++)
		data[i] = random() % 3 ? (uint8_t)random() : (uint8_t)"\xe2\x82\xac\xf0\x9f\x98\x80\xc3\xa4"[i % 9];
	assert_int_equal(text_utf8(&want, data, SIZE, NULL), 0);
	for (size_t at = 0; at < SIZE;) {
		size_t len = (size_t)random() % 9000;
		len = len < SIZE - at ? len : SIZE - at;
		assert_int_equal(cast_output(file.cast, 5000000 + (int64_t)at * 2, 'o', data + at, len), 0);
		at += len;
	}
	assert_int_equal(cast_close(file.cast), 0);
	assert_int_equal(cast_reader_open(file.fd, &reader, NULL), 0);
	while (cast_reader_next(reader, &event, NULL) == 1)
		buf_put(&got, buf_data(&event.data), event.data.len);
	assert_int_equal(got.len, want.len);
	assert_memory_equal(buf_data(&got), buf_data(&want), want.len);
	buf_release(&event.data);
	cast_reader_free(reader);
	free(data);
	end(&file);
}

static void much_output_is_flushed_early_in_lines_of_bounded_length(void **state)
{
	(void)state;
	struct file file = begin(&plain, 0);
	char block[4096];
	memset(block, 0x1b, sizeof(block)); /* the worst: six bytes each */
	for (int i = 0; i < 200; i++) {
		assert_int_equal(cast_output(file.cast, 5000000 + 1, 'o', block, sizeof(block)), 0);
		assert_true(cast_size(file.cast) - (uint64_t)lseek(file.fd, 0, SEEK_END) <= 128 * 1024);
	}
	assert_int_equal(cast_close(file.cast), 0);
	struct cast_reader *reader;
	struct cast_event event = { 0 };
	size_t total = 0;
	assert_int_equal(cast_reader_open(file.fd, &reader, NULL), 0);
	while (cast_reader_next(reader, &event, NULL) == 1)
		total += event.data.len;
	assert_int_equal(total, 200 * 4096);
	buf_release(&event.data);
	cast_reader_free(reader);
	end(&file);
}

static void recording_stops_at_the_limit(void **state)
{
	(void)state;
	for (uint64_t max = 300; max < 20000; max += 997) {
		struct file file = begin(&plain, max);
		uint64_t header = cast_size(file.cast);
		char block[700];
		memset(block, '\n', sizeof(block));
		for (int i = 0; i < 100; i++)
			assert_int_equal(cast_output(file.cast, 5000000 + i * 3 * MS, "oe"[i & 1], block, sizeof(block)), 0);
		assert_int_equal(cast_marker(file.cast, 6000000, "late"), 0);
		assert_int_equal(cast_resize(file.cast, 6000000, 80, 24), 0);
		assert_int_equal(cast_close(file.cast), 0);
		char *got = events(&file), want[100];
		uint64_t size = header + strlen(got);
		assert_true(size <= max || max < header + 512);
		snprintf(want, sizeof(want), "\"bartizan: transcript stops here: %" PRIu64 " bytes limit reached\"", max);
		char *marker = strstr(got, want);
		assert_non_null(marker);
		assert_null(strstr(marker + strlen(want), "stops here"));
		assert_non_null(strstr(marker, "bytes more were not kept"));
		assert_null(strstr(got, "late"));
		assert_true(max < header + 1024 || size + 1600 > max); /* and not much earlier */
		free(got);
		end(&file);
	}
}

static void counted_bytes_are_all_bytes(void **state)
{
	(void)state;
	struct file file = begin(&plain, 4096);
	char block[1000];
	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 50; i++)
		assert_int_equal(cast_output(file.cast, 5000000, 'o', block, sizeof(block)), 0);
	assert_int_equal(cast_close(file.cast), 0);
	char *got = events(&file);
	size_t kept = 0;
	for (const char *at = strchr(got, 'x'); at && *at == 'x'; at++)
		kept++;
	char want[80];
	snprintf(want, sizeof(want), "\"bartizan: %zu bytes more were not kept\"", 50 * sizeof(block) - kept);
	assert_non_null(strstr(got, want));
	free(got);
	end(&file);
}

/* ---- a disk that is full ---- */

static void file_limit(rlim_t max)
{
	struct rlimit limit = { max, RLIM_INFINITY };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Writes as much as fits, fails, goes on when there is room: nothing is missing and no line is cut. */
static void short_writes_are_continued(void **state)
{
	(void)state;
	struct file file = begin(&plain, 0);
	rlim_t header = (rlim_t)cast_size(file.cast);
	signal(SIGXFSZ, SIG_IGN);
	for (int i = 0; i < 100; i++)
		out(&file, i * 20, 'o', "0123456789");
	for (rlim_t room = header; room < header + 400; room += 7) {
		file_limit(room);
		int64_t due = cast_due(file.cast);
		assert_int_equal(cast_flush(file.cast), -EFBIG);
		assert_true(cast_due(file.cast) > due);
		assert_int_equal(lseek(file.fd, 0, SEEK_END), room);
	}
	file_limit(RLIM_INFINITY);
	out(&file, 5000, 'o', "end");
	assert_int_equal(cast_close(file.cast), 0);
	char *got = events(&file), *at = got, want[64];
	for (int i = 0; i < 100; i++) {
		snprintf(want, sizeof(want), "[%d.%06d, \"o\", \"0123456789\"]\n", i / 50, i % 50 * 20000);
		assert_memory_equal(at, want, strlen(want));
		at += strlen(want);
	}
	assert_string_equal(at, "[5.000000, \"o\", \"end\"]\n");
	free(got);
	end(&file);
}

static void a_full_buffer_counts_what_is_lost(void **state)
{
	(void)state;
	struct file file = begin(&plain, 0);
	char block[4096];
	int failed = 0;
	signal(SIGXFSZ, SIG_IGN);
	file_limit((rlim_t)cast_size(file.cast));
	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 600; i++)
		failed += cast_output(file.cast, 5000000 + i * MS, 'o', block, sizeof(block)) == -EFBIG;
	assert_true(failed > 500);
	assert_true(cast_size(file.cast) < CAST_BUFFER_MAX + 4096);
	file_limit(RLIM_INFINITY);
	out(&file, 5000, 'o', "end");
	assert_int_equal(cast_close(file.cast), 0);
	char *got = events(&file), *marker = strstr(got, "bytes are missing here");
	size_t kept = 0;
	uint64_t lost;
	for (const char *at = got; *at; at++)
		kept += *at == 'x';
	assert_non_null(marker);
	assert_non_null(strstr(marker, "\"end\""));
	while (marker[-1] != ':')
		marker--;
	assert_int_equal(sscanf(marker, " %" SCNu64, &lost), 1);
	assert_int_equal(kept + lost, 600 * sizeof(block));
	free(got);
	end(&file);
}

static void a_header_that_cannot_be_written_is_told(void **state)
{
	(void)state;
	struct cast *cast = NULL;
	struct err err;
	int fd = open("/dev/full", O_RDWR);
	assert_int_equal(cast_open(fd, &plain, 0, 0, &cast, &err), -ENOSPC);
	assert_null(cast);
	assert_non_null(strstr(err.text, "No space left"));
	close(fd);
}

/* ---- reading ---- */

static struct file given(const char *text, size_t len)
{
	struct file file = { .scratch = scratch_new() };
	file.fd = scratch_file(&file.scratch, "a.cast");
	assert_int_equal(fd_write_all(file.fd, text, len), 0);
	return file;
}

#define HEADER "{\"version\": 2, \"width\": 80, \"height\": 24}\n"

static void headers_are_checked(void **state)
{
	(void)state;
	static const struct { const char *text; bool ok; } cases[] = {
		{ HEADER, true },
		{ "{\"version\": 2, \"width\": 1, \"height\": 10000, \"x\": [1], \"title\": 7, \"timestamp\": \"x\"}\n", true },
		{ "", false }, { "\n", false }, { "{}\n", false }, { "[]\n", false }, { "null\n", false }, { "{\"version\": 2, \"width\": 80, \"height\": 24}", false },
		{ "{\"version\": 1, \"width\": 80, \"height\": 24}\n", false }, { "{\"version\": \"2\", \"width\": 80, \"height\": 24}\n", false },
		{ "{\"version\": 2, \"width\": 0, \"height\": 24}\n", false }, { "{\"version\": 2, \"width\": 10001, \"height\": 24}\n", false },
		{ "{\"version\": 2, \"width\": 80, \"height\": -1}\n", false }, { "{\"version\": 2, \"width\": 80.5, \"height\": 24}\n", false },
		{ "{\"version\": 2, \"width\": 80}\n", false }, { "{\"version\": 2, \"width\": 80, \"height\": 24} x\n", false },
		{ "{\"version\": 2, \"version\": 2, \"width\": 80, \"height\": 24}\n", false }, { "\xff\n", false },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct file file = given(cases[i].text, strlen(cases[i].text));
		struct cast_reader *reader = NULL;
		struct err err = { "" };
		assert_int_equal(cast_reader_open(file.fd, &reader, &err), cases[i].ok ? 0 : -EBADMSG);
		assert_true(cases[i].ok || err.text[0]);
		cast_reader_free(reader);
		end(&file);
	}
}

static void damaged_lines_are_named_and_skipped(void **state)
{
	(void)state;
	static const char text[] = HEADER "[1.5, \"o\", \"a\"]\nrubbish\n[1.0, \"o\", \"back\"]\n\n[2, \"o\"]\n[2, \"o\", \"x\", 1]\n[-1, \"o\", \"x\"]\n[1e300, \"o\", \"x\"]\n"
		"[2, \"oo\", \"x\"]\n[2, \"\", \"x\"]\n[2, 1, \"x\"]\n[2, \"o\", 1]\n{\"a\": 1}\n[2, \"o\", \"\xff\"]\n[2, \"\\u0000\", \"x\"]\n[2, \"o\", \"\\u0000b\"]\n[3, \"o\", \"cut";
	static const unsigned bad[] = { 3, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };
	struct file file = given(text, sizeof(text) - 1);
	struct cast_reader *reader;
	struct cast_event event = { 0 };
	struct err err;
	assert_int_equal(cast_reader_open(file.fd, &reader, NULL), 0);
	assert_int_equal(cast_reader_next(reader, &event, &err), 1);
	assert_int_equal(event.time_us, 1500000);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char want[32];
		if (i == 1) { /* between them: an event whose time runs backwards */
			assert_int_equal(cast_reader_next(reader, &event, &err), 1);
			assert_int_equal(event.time_us, 1500000);
		}
		snprintf(want, sizeof(want), "line %u: ", bad[i]);
		assert_int_equal(cast_reader_next(reader, &event, &err), -EBADMSG);
		assert_memory_equal(err.text, want, strlen(want));
	}
	assert_int_equal(cast_reader_next(reader, &event, &err), 1);
	assert_int_equal(event.data.len, 2);
	assert_memory_equal(buf_data(&event.data), "\0b", 2);
	assert_int_equal(cast_reader_next(reader, &event, &err), 0);
	int writer = scratch_file(&file.scratch, "a.cast"); /* it was still being written */
	assert_int_equal(write(writer, "\"]\n", 3), 3);
	close(writer);
	assert_int_equal(cast_reader_next(reader, &event, &err), 1);
	assert_memory_equal(buf_data(&event.data), "cut", 3);
	assert_int_equal(cast_reader_next(reader, &event, &err), 0);
	buf_release(&event.data);
	cast_reader_free(reader);
	end(&file);
}

/* A line of len bytes that is an event, then another event. */
static int first_of_long(size_t len, bool newline)
{
	static const char head[] = "[1, \"o\", \"", tail[] = "\"]", next[] = "\n[2, \"o\", \"next\"]\n";
	char *text = malloc(len + 256);
	size_t at = (size_t)snprintf(text, 100, "%s", HEADER), begins = at;
	at += (size_t)snprintf(text + at, 100, "%s", head);
	memset(text + at, 'x', len);
	at = begins + len - strlen(tail);
	at += (size_t)snprintf(text + at, 100, "%s%s", tail, newline ? next : "");
	struct file file = given(text, at);
	struct cast_reader *reader;
	struct cast_event event = { 0 };
	assert_int_equal(cast_reader_open(file.fd, &reader, NULL), 0);
	int first = cast_reader_next(reader, &event, NULL);
	if (newline) {
		assert_int_equal(cast_reader_next(reader, &event, NULL), 1);
		assert_memory_equal(buf_data(&event.data), "next", 4);
	}
	assert_int_equal(cast_reader_next(reader, &event, NULL), 0);
	buf_release(&event.data);
	cast_reader_free(reader);
	free(text);
	end(&file);
	return first;
}

static void lines_have_a_limit(void **state)
{
	(void)state;
	assert_int_equal(first_of_long(CAST_LINE_MAX, true), 1);
	assert_int_equal(first_of_long(CAST_LINE_MAX + 1, true), -EBADMSG);
	assert_int_equal(first_of_long(5 * CAST_LINE_MAX, true), -EBADMSG);
	assert_int_equal(first_of_long(5 * CAST_LINE_MAX, false), -EBADMSG);
}

static void what_cannot_be_sought_is_refused(void **state)
{
	(void)state;
	int ends[2];
	struct cast_reader *reader = NULL;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(cast_reader_open(ends[0], &reader, NULL), -ESPIPE);
	close(ends[0]);
	close(ends[1]);
}

/* ---- recovery ---- */

/* What stock asciinema shows of a file on a terminal; NULL when it fails. Caller frees. */
static char *asciinema_cat(const char *path)
{
	BUF_CLEANUP struct buf shown = BUF_INIT(1024 * 1024);
	struct termios raw;
	int terminal, status;
	uint8_t *room;
	ssize_t got = 1;
	cfmakeraw(&raw);
	pid_t pid = forkpty(&terminal, NULL, &raw, NULL);
	if (!pid) {
		execlp("asciinema", "asciinema", "cat", path, NULL);
		_exit(127);
	}
	while (got > 0 && !buf_grow(&shown, 4096, &room)) {
		got = read(terminal, room, 4096);
		buf_grow_done(&shown, got > 0 ? (size_t)got : 0);
	}
	close(terminal);
	bool ok = waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status);
	return ok ? text_dup(buf_data(&shown), shown.len) : NULL;
}

#define REASON "bartizan: the gateway stopped"

static unsigned count_events(int fd, char codes[static 64])
{
	struct cast_reader *reader;
	struct cast_event event = { 0 };
	unsigned n = 0;
	int rc;
	assert_int_equal(cast_reader_open(fd, &reader, NULL), 0);
	for (; (rc = cast_reader_next(reader, &event, NULL)) == 1; n++)
		if (n < 63)
			codes[n] = event.code;
	assert_int_equal(rc, 0);
	codes[n < 63 ? n : 63] = 0;
	buf_release(&event.data);
	cast_reader_free(reader);
	return n;
}

static char *sample(size_t *ret_len, size_t *ret_last)
{
	struct file file = begin(&plain, 0);
	out(&file, 1000, 'o', "one\r\n");
	out(&file, 2500, 'o', "caf\xc3\xa9 \x1b[31m\"two\"\\");
	cast_close(file.cast);
	char *text = scratch_slurp(file.fd);
	*ret_len = strlen(text);
	text[*ret_len - 1] = 0;
	*ret_last = (size_t)(strrchr(text, '\n') - text) + 1;
	text[*ret_len - 1] = '\n';
	end(&file);
	return text;
}

/* Cut at every byte from the empty file to the whole one: afterwards the file plays, here and in stock asciinema. */
static void a_file_cut_anywhere_is_mended(void **state)
{
	(void)state;
	size_t len, last;
	FREE_CLEANUP char *text = sample(&len, &last);
	size_t header = (size_t)(strchr(text, '\n') - text) + 1;
	struct scratch scratch = scratch_new();
	for (size_t cut = 0; cut <= len; cut++) {
		char name[32], codes[64];
		int64_t last_us = -1;
		snprintf(name, sizeof(name), "%04zu.cast", cut);
		FD_CLEANUP int fd = scratch_file(&scratch, name);
		assert_int_equal(fd_write_all(fd, text, cut), 0);
		for (int twice = 0; twice < 2; twice++) {
			assert_int_equal(cast_recover(fd, REASON, &last_us, NULL), 0);
			count_events(fd, codes);
			assert_string_equal(codes, cut == len ? "oom" : cut >= last ? "om" : "m");
			assert_int_equal(last_us, cut == len ? 2500000 : cut >= last ? 1000000 : 0);
		}
		FREE_CLEANUP char *got = scratch_slurp(fd);
		if (cut >= header)
			assert_memory_equal(got, text, cut == len ? len : cut >= last ? last : header);
	}
	const size_t cuts[] = { 0, 1, header - 1, header, last - 1, last, last + 1, last + 12, len - 2, len - 1, len };
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		char path[128];
		snprintf(path, sizeof(path), "%s/%04zu.cast", scratch.path, cuts[i]);
		FREE_CLEANUP char *shown = asciinema_cat(path);
		assert_non_null(shown);
		assert_string_equal(shown, cuts[i] == len ? "one\r\ncaf\xc3\xa9 \x1b[31m\"two\"\\" : cuts[i] >= last ? "one\r\n" : "");
	}
	scratch_remove(&scratch);
}

static void stock_asciinema_shows_what_was_written(void **state)
{
	(void)state;
	struct file file = begin(&plain, 0);
	char path[128];
	out(&file, 0, 'o', "one \xff\x1b[0m\r\n");
	out(&file, 1, 'e', "not for players");
	assert_int_equal(cast_resize(file.cast, 5000000 + 2 * MS, 100, 30), 0);
	assert_int_equal(cast_marker(file.cast, 5000000 + 2 * MS, "here"), 0);
	out(&file, 3, 'o', "two");
	cast_close(file.cast);
	snprintf(path, sizeof(path), "%s/a.cast", file.scratch.path);
	FREE_CLEANUP char *got = asciinema_cat(path);
	assert_non_null(got);
	assert_string_equal(got, "one \xef\xbf\xbd\x1b[0m\r\ntwo");
	end(&file);
}

static void damage_before_the_end_is_left_alone(void **state)
{
	(void)state;
	static const char text[] = HEADER "[1, \"o\", \"a\"]\nrubbish\nmore rubbish\n[2, \"o";
	struct file file = given(text, sizeof(text) - 1);
	int64_t last_us;
	assert_int_equal(cast_recover(file.fd, "why", &last_us, NULL), 0);
	assert_int_equal(last_us, 1000000);
	FREE_CLEANUP char *got = scratch_slurp(file.fd);
	assert_string_equal(got, HEADER "[1, \"o\", \"a\"]\nrubbish\nmore rubbish\n[1.000000, \"m\", \"why\"]\n");
	end(&file);
}

static void what_is_no_transcript_is_not_touched(void **state)
{
	(void)state;
	struct file file = given("SQLite format 3", 15);
	int64_t last_us = 77;
	assert_int_equal(cast_recover(file.fd, "why", &last_us, NULL), -EBADMSG);
	assert_int_equal(last_us, 77);
	FREE_CLEANUP char *got = scratch_slurp(file.fd);
	assert_string_equal(got, "SQLite format 3");
	assert_int_equal(ftruncate(file.fd, 0) || ftruncate(file.fd, 1 << 20), 0); /* a megabyte of zeros */
	assert_int_equal(cast_recover(file.fd, "why", &last_us, NULL), -EBADMSG);
	end(&file);
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(cast_recover(ends[0], "why", &last_us, NULL), -EBADMSG);
	close(ends[0]);
	close(ends[1]);
}

static void a_long_file_is_mended_at_its_end(void **state)
{
	(void)state;
	struct file file = begin(&plain, 0);
	char block[4096];
	memset(block, 0x1b, sizeof(block));
	for (int i = 0; i < 500; i++)
		assert_int_equal(cast_output(file.cast, 5000000 + i * MS, 'o', block, sizeof(block)), 0);
	cast_close(file.cast);
	off_t size = lseek(file.fd, 0, SEEK_END);
	int64_t last_us;
	assert_true(size > 10 * 1024 * 1024);
	assert_int_equal(ftruncate(file.fd, size - 1000), 0);
	assert_int_equal(cast_recover(file.fd, REASON, &last_us, NULL), 0);
	assert_uint_in_range(last_us, 400 * MS, 500 * MS);
	FREE_CLEANUP char *got = scratch_slurp(file.fd);
	assert_string_equal(got + strlen(got) - strlen(REASON) - 3, REASON "\"]\n");
	end(&file);
}

static void no_room_for_the_marker_leaves_whole_lines(void **state)
{
	(void)state;
	static const char text[] = HEADER "[1, \"o\", \"a\"]\n[2";
	struct file file = given(text, sizeof(text) - 1);
	int64_t last_us;
	signal(SIGXFSZ, SIG_IGN);
	file_limit(sizeof(text) + 5);
	assert_int_equal(cast_recover(file.fd, REASON, &last_us, NULL), -EFBIG);
	file_limit(RLIM_INFINITY);
	FREE_CLEANUP char *got = scratch_slurp(file.fd);
	assert_string_equal(got, HEADER "[1, \"o\", \"a\"]\n");
	end(&file);
}

/* A writer that is killed in the middle: whatever is in the file plays, without repair but for the last line. */
static void a_killed_writer_leaves_a_file_that_plays(void **state)
{
	(void)state;
	struct file file = begin(&plain, 0);
	int ready[2];
	char byte, codes[64];
	int64_t last_us;
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	if (!pid) {
		for (int64_t i = 0;; i++) {
			cast_output(file.cast, 5000000 + i * 20 * MS, 'o', "some output\r\n", 13);
			cast_flush(file.cast);
			if (i == 30 && write(ready[1], "", 1) != 1)
				_exit(1);
		}
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_true(count_events(file.fd, codes) >= 30);
	assert_int_equal(cast_recover(file.fd, REASON, &last_us, NULL), 0);
	assert_true(last_us >= 30 * 20 * MS);
	cast_close(file.cast);
	close(ready[0]);
	close(ready[1]);
	end(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_says_what_it_is), cmocka_unit_test(header_with_endless_command_is_cut), cmocka_unit_test(outputs_close_together_are_one_event),
		cmocka_unit_test(flush_ends_the_event), cmocka_unit_test(time_never_runs_backwards), cmocka_unit_test(resizes_and_markers_stand_where_they_happened),
		cmocka_unit_test(unknown_codes_are_refused), cmocka_unit_test(split_characters_are_joined_for_each_stream), cmocka_unit_test(broken_characters_become_replacements),
		cmocka_unit_test(every_ascii_byte_survives), cmocka_unit_test(pieces_do_not_matter), cmocka_unit_test(much_output_is_flushed_early_in_lines_of_bounded_length),
		cmocka_unit_test(recording_stops_at_the_limit), cmocka_unit_test(counted_bytes_are_all_bytes), cmocka_unit_test(short_writes_are_continued),
		cmocka_unit_test(a_full_buffer_counts_what_is_lost), cmocka_unit_test(a_header_that_cannot_be_written_is_told), cmocka_unit_test(headers_are_checked),
		cmocka_unit_test(damaged_lines_are_named_and_skipped), cmocka_unit_test(lines_have_a_limit),
		cmocka_unit_test(what_cannot_be_sought_is_refused), cmocka_unit_test(a_file_cut_anywhere_is_mended), cmocka_unit_test(stock_asciinema_shows_what_was_written),
		cmocka_unit_test(damage_before_the_end_is_left_alone), cmocka_unit_test(what_is_no_transcript_is_not_touched), cmocka_unit_test(a_long_file_is_mended_at_its_end),
		cmocka_unit_test(no_room_for_the_marker_leaves_whole_lines), cmocka_unit_test(a_killed_writer_leaves_a_file_that_plays),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
