/* Folders of transcripts, and what a crash leaves of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "cast/cast.h"
#include "common/id.h"
#include "store/audit.h"
#include "store/sql.h"
#include "store/transcripts.h"
#include "tests/unit/place.h"
#include "tests/unit/transcripts_file.h"

#define T0 INT64_C(1767225600000) /* 2026-01-01 */

static const char *id_of(unsigned n, char out[static ID_ULID_LEN + 1])
{
	uint8_t random[10] = { (uint8_t)n };
	id_ulid(T0 + n, random, out);
	return out;
}

/* ---- folders and files ---- */

static void folders_lie_by_day(void **state)
{
	struct place *place = *state;
	char id[ID_ULID_LEN + 1], path[TRANSCRIPT_PATH_MAX], want[TRANSCRIPT_PATH_MAX];
	struct stat st;
	mode_t before = umask(0);
	assert_int_equal(transcripts_create(place->store, id_of(1, id), T0 + 86399999, path, NULL), 0);
	umask(before);
	snprintf(want, sizeof(want), "transcripts/2026/01/01/%s", id);
	assert_string_equal(path, want);
	for (char *slash = path; slash; slash = strrchr(path, '/')) {
		if (slash != path)
			*slash = 0;
		assert_int_equal(fstatat(place->scratch.fd, path, &st, 0), 0);
		assert_int_equal(st.st_mode & 0777, 0700);
	}
	assert_int_equal(transcripts_create(place->store, id, T0, path, NULL), -EEXIST);
	assert_int_equal(transcripts_create(place->store, id_of(2, id), T0 + 86400000, path, NULL), 0);
	assert_memory_equal(path, "transcripts/2026/01/02/", 23);
	assert_int_equal(transcripts_create(place->store, "../../../../../etc/shadow-", T0, path, NULL), -EINVAL);
	assert_int_equal(transcripts_create(place->store, id_of(3, id), -1, path, NULL), -EINVAL);
	assert_int_equal(transcripts_create(place->store, id_of(3, id), INT64_MAX, path, NULL), -EINVAL);
}

static void links_are_not_followed(void **state)
{
	struct place *place = *state;
	char id[ID_ULID_LEN + 1], path[TRANSCRIPT_PATH_MAX], name[160];
	assert_int_equal(transcripts_create(place->store, id_of(1, id), T0, path, NULL), 0);
	snprintf(name, sizeof(name), "%s/0-shell.cast", path);
	assert_int_equal(symlinkat("/etc/passwd", place->scratch.fd, name), 0);
	assert_int_equal(transcripts_read(place->store, path, "0-shell.cast", NULL), -ELOOP);
	assert_int_equal(transcripts_mend(place->store, path, "0-shell.cast", NULL), -ELOOP);
	assert_int_equal(transcripts_file(place->store, path, "0-shell.cast", NULL), -EEXIST);
	assert_int_equal(mkdirat(place->scratch.fd, "elsewhere", 0700), 0);
	assert_int_equal(symlinkat("../../elsewhere", place->scratch.fd, "transcripts/2026/02"), 0);
	assert_int_equal(transcripts_create(place->store, id_of(2, id), T0 + INT64_C(86400000) * 31, path, NULL), -ENOTDIR);
}

/* The folder of the day is kept open: one that was moved away or removed meanwhile must not get the
 * sessions that come later, whose rows name the place where it was. */
static void a_day_that_was_moved_is_left(void **state)
{
	struct place *place = *state;
	char id[ID_ULID_LEN + 1], path[TRANSCRIPT_PATH_MAX];
	struct stat st;
	for (unsigned i = 1; i <= 3; i++) {
		assert_int_equal(transcripts_create(place->store, id_of(i, id), T0, path, NULL), 0);
		assert_int_equal(fstatat(place->scratch.fd, path, &st, 0), 0);
		if (i == 1) {
			assert_int_equal(renameat(place->scratch.fd, "transcripts/2026", place->scratch.fd, "archive"), 0);
			assert_int_equal(transcripts_folder(place->store, path, NULL), -ENOENT);
		} else if (i == 2) {
			assert_int_equal(unlinkat(place->scratch.fd, path, AT_REMOVEDIR), 0);
			assert_int_equal(unlinkat(place->scratch.fd, "transcripts/2026/01/01", AT_REMOVEDIR), 0);
		}
	}
}

static void a_folder_serves_by_its_descriptor(void **state)
{
	struct place *place = *state;
	char id[ID_ULID_LEN + 1], path[TRANSCRIPT_PATH_MAX], hex[2][65];
	JSON_CLEANUP json_t *json = json_pack("{s:i}", "a", 1), *got = NULL;
	assert_int_equal(transcripts_create(place->store, id_of(1, id), T0, path, NULL), 0);
	FD_CLEANUP int folder = transcripts_folder(place->store, path, NULL);
	assert_true(folder >= 0);
	assert_int_equal(fcntl(folder, F_GETFD), FD_CLOEXEC);
	assert_int_equal(transcript_write_json(folder, json, NULL), 0);
	assert_int_equal(transcripts_read_json(place->store, path, &got, NULL), 0);
	assert_true(json_equal(json, got));
	json_decref(got);
	assert_int_equal(transcript_digest(folder, "session.json", hex[0], NULL), 0);
	assert_int_equal(transcripts_digest(place->store, path, "session.json", hex[1], NULL), 0);
	assert_string_equal(hex[0], hex[1]);
	assert_int_equal(transcript_file(folder, "../0-shell.cast", NULL), -EINVAL);
	assert_int_equal(transcript_read(folder, "..", NULL), -EINVAL);
	assert_int_equal(symlinkat("/etc/passwd", folder, "0-shell.cast"), 0);
	assert_int_equal(transcript_read(folder, "0-shell.cast", NULL), -ELOOP);
	assert_int_equal(transcript_file(folder, "0-shell.cast", NULL), -EEXIST);
}

static void names_are_checked(void **state)
{
	struct place *place = *state;
	static const char *const paths[] = { "", "/", ".", "transcripts", "transcripts/2026/01/01/", "transcripts/2026/01/01/01ARZ3NDEKTSV4RRFFQ69G5FA", "transcripts/2026/01/01/01ARZ3NDEKTSV4RRFFQ69G5FAV/",
		"transcripts/2026/01/01/01ARZ3NDEKTSV4RRFFQ69G5FAVX", "transcripts/../01/01/01ARZ3NDEKTSV4RRFFQ69G5FAV", "Transcripts/2026/01/01/01ARZ3NDEKTSV4RRFFQ69G5FAV",
		"transcripts/2026/1/01/01ARZ3NDEKTSV4RRFFQ69G5FAV", "/transcripts/2026/01/01/01ARZ3NDEKTSV4RRFFQ69G5FAV" };
	static const char *const names[] = { "", ".", "..", ".hidden", "a/b", "../x", "A", "a b", "a\n", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" };
	char id[ID_ULID_LEN + 1], path[TRANSCRIPT_PATH_MAX];
	assert_int_equal(transcripts_create(place->store, id_of(1, id), T0, path, NULL), 0);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		assert_int_equal(transcripts_file(place->store, paths[i], "0-shell.cast", NULL), -EINVAL);
		assert_int_equal(transcripts_read(place->store, paths[i], "session.json", NULL), -EINVAL);
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(transcripts_file(place->store, path, names[i], NULL), -EINVAL);
	assert_int_equal(strlen(names[9]), TRANSCRIPT_NAME_MAX + 1);
	FD_CLEANUP int fd = transcripts_file(place->store, path, names[9] + 1, NULL);
	assert_true(fd >= 0);
	assert_int_equal(transcripts_read(place->store, "transcripts/2026/01/01/01ARZ3NDEKTSV4RRFFQ69G5FAV", "session.json", NULL), -ENOENT);
}

static void only_regular_files_are_read(void **state)
{
	struct place *place = *state;
	char id[ID_ULID_LEN + 1], path[TRANSCRIPT_PATH_MAX], name[160];
	assert_int_equal(transcripts_create(place->store, id_of(1, id), T0, path, NULL), 0);
	snprintf(name, sizeof(name), "%s/pipe", path);
	assert_int_equal(mkfifoat(place->scratch.fd, name, 0600), 0);
	assert_int_equal(transcripts_read(place->store, path, "pipe", NULL), -EINVAL); /* and does not wait for a writer */
}

static void files_are_new_private_and_appended_to(void **state)
{
	struct place *place = *state;
	char id[ID_ULID_LEN + 1], path[TRANSCRIPT_PATH_MAX];
	struct stat st;
	assert_int_equal(transcripts_create(place->store, id_of(1, id), T0, path, NULL), 0);
	mode_t before = umask(0);
	FD_CLEANUP int fd = transcripts_file(place->store, path, "0-shell.cast", NULL);
	umask(before);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(fcntl(fd, F_GETFL) & (O_APPEND | O_ACCMODE), O_APPEND | O_RDWR);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(transcripts_file(place->store, path, "0-shell.cast", NULL), -EEXIST);
}

static void session_json_is_replaced_whole(void **state)
{
	struct place *place = *state;
	char id[ID_ULID_LEN + 1], path[TRANSCRIPT_PATH_MAX], name[160], hex[65];
	assert_int_equal(transcripts_create(place->store, id_of(1, id), T0, path, NULL), 0);
	for (int n = 0; n < 2; n++) {
		JSON_CLEANUP json_t *json = json_pack("{s:i}", "n", n), *got = NULL;
		assert_int_equal(transcripts_write_json(place->store, path, json, NULL), 0);
		assert_int_equal(transcripts_read_json(place->store, path, &got, NULL), 0);
		assert_true(json_equal(got, json));
	}
	snprintf(name, sizeof(name), "%s/session.json.new", path);
	assert_int_equal(faccessat(place->scratch.fd, name, F_OK, 0), -1);
	FD_CLEANUP int fd = transcripts_mend(place->store, path, "session.json", NULL);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(transcripts_digest(place->store, path, "session.json", hex, NULL), 0);
	assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_int_equal(write(fd, "abc", 3), 3);
	assert_int_equal(transcripts_digest(place->store, path, "session.json", hex, NULL), 0);
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	json_t *got = NULL;
	assert_int_equal(transcripts_read_json(place->store, path, &got, NULL), -EBADMSG);
	assert_int_equal(ftruncate(fd, TRANSCRIPT_JSON_MAX + 1), 0);
	assert_true(transcripts_read_json(place->store, path, &got, NULL) < 0);
	assert_null(got);
}

static void free_space_is_told(void **state)
{
	struct place *place = *state;
	uint64_t bytes = 0;
	assert_int_equal(transcripts_free_bytes(place->store, &bytes, NULL), 0);
	assert_true(bytes > 0);
}

/* ---- recovery ---- */

/* A session as the broker begins it: row, folder, session.json, one recorded channel with some output. Returns the transcript's descriptor. */
static int session_begin(struct store *store, unsigned n, char path[static TRANSCRIPT_PATH_MAX])
{
	char id[ID_ULID_LEN + 1];
	struct cast *cast;
	id_of(n, id);
	if (transcripts_create(store, id, T0, path, NULL))
		return -1;
	struct session_row row = { .id = id, .user = "alice", .provider = "corp", .subject = "1", .target = "web1", .login = "deploy", .mode = "jump", .rule = "r", .path = path, .started = T0 };
	struct channel_row channel = { .session = id, .channel = 0, .kind = "shell", .file = "0-shell.cast", .started = T0 + 1000, .exit_status = -1 };
	JSON_CLEANUP json_t *json = json_pack("{s:s, s:s, s:[{s:i, s:s, s:s}], s:{s:s}}", "id", id, "state", "open", "channels", "channel", 0, "kind", "shell", "file", "0-shell.cast", "evidence", "kex", "x");
	int fd = transcripts_file(store, path, "0-shell.cast", NULL);
	if (fd < 0 || sessions_insert(store, &row, NULL) || channels_insert(store, &channel, NULL) || transcripts_write_json(store, path, json, NULL))
		return -1;
	if (cast_open(fd, &(struct cast_header){ .width = 80, .height = 24, .session = id }, 0, 0, &cast, NULL) || cast_output(cast, 2500000, 'o', "seen", 4) || cast_close(cast))
		return -1;
	return write(fd, "[3.000000, \"o\", \"half a li", 26) == 26 ? fd : -1; /* as when it is killed inside a write */
}

/* Does work in another process that then dies as by kill -9: nothing is closed or ended. */
static void in_a_process_that_dies(struct place *place, int (*work)(struct store *store))
{
	int status;
	fflush(NULL);
	pid_t pid = fork();
	if (!pid) {
		struct store *store;
		if (store_open(place->scratch.fd, false, &store, NULL) || work(store))
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static int three_sessions(struct store *store)
{
	char path[TRANSCRIPT_PATH_MAX];
	return session_begin(store, 1, path) < 0 || session_begin(store, 2, path) < 0 || session_begin(store, 3, path) < 0;
}

static unsigned recovered(struct place *place)
{
	unsigned count = 99;
	struct err err = { "" };
	int rc = transcripts_recover(place->store, T0 + 999999, &count, &err);
	if (rc)
		print_error("%s\n", err.text);
	assert_int_equal(rc, 0);
	return count;
}

static void verify_finds_nothing(struct place *place)
{
	struct audit_report report;
	assert_int_equal(audit_verify(place->store, NULL, NULL, NULL, &report, NULL), 0);
	assert_int_equal(report.bad, 0);
}

static int keep_event(const struct audit_row *row, void *context)
{
	json_t **ret = context;
	if (!strcmp(row->type, "session-lost")) {
		json_decref(*ret);
		*ret = audit_json(row);
	}
	return 0;
}

static int check_channel(const struct channel_row *row, void *context)
{
	int *count = context;
	++*count;
	assert_int_equal(row->ended, T0 + 1000 + 2500);
	assert_int_equal(row->exit_status, -1);
	assert_string_equal(row->reason, TRANSCRIPT_LOST_REASON);
	assert_int_equal(strlen(row->digest), 64);
	return 0;
}

static void a_crash_leaves_nothing_open(void **state)
{
	struct place *place = *state;
	char id[ID_ULID_LEN + 1];
	struct session_row row;
	json_t *event = NULL;
	int count = 0;
	in_a_process_that_dies(place, three_sessions);
	assert_int_equal(recovered(place), 3);
	assert_int_equal(recovered(place), 0);
	assert_int_equal(sessions_get(place->store, id_of(2, id), &row, NULL), 0);
	assert_int_equal(row.state, SESSION_LOST);
	assert_int_equal(row.ended, T0 + 1000 + 2500); /* the last that was seen of it */
	assert_string_equal(row.reason, TRANSCRIPT_LOST_REASON);
	assert_int_equal(strlen(row.digest), 64);
	assert_int_equal(channels_each(place->store, id, check_channel, &count, NULL), 0);
	assert_int_equal(count, 1);

	JSON_CLEANUP json_t *json = NULL;
	assert_int_equal(transcripts_read_json(place->store, row.path, &json, NULL), 0);
	assert_string_equal(json_get_string(json, "state"), "lost");
	assert_string_equal(json_get_string(json, "ended"), "2026-01-01T00:00:03.500Z");
	assert_string_equal(json_get_string(json, "reason"), TRANSCRIPT_LOST_REASON);
	assert_non_null(json_object_get(json_object_get(json, "evidence"), "kex"));
	json_t *channel = json_array_get(json_object_get(json, "channels"), 0);
	assert_int_equal(json_array_size(json_object_get(json, "channels")), 1);
	assert_string_equal(json_get_string(channel, "kind"), "shell");
	assert_int_equal(strlen(json_get_string(channel, "digest")), 64);

	FD_CLEANUP int fd = transcripts_read(place->store, row.path, "0-shell.cast", NULL);
	FREE_CLEANUP char *text = scratch_slurp(fd);
	assert_null(strstr(text, "half a li"));
	assert_string_equal(strstr(text, "[2.5"), "[2.500000, \"o\", \"seen\"]\n[2.500000, \"m\", \"bartizan: " TRANSCRIPT_LOST_REASON "\"]\n");

	assert_int_equal(audit_each(place->store, 1, keep_event, &event, NULL), 0);
	assert_string_equal(json_get_string(event, "user"), "alice");
	assert_int_equal(json_array_size(json_object_get(event, "problems")), 0);
	json_decref(event);
	session_row_release(&row);
	verify_finds_nothing(place);
}

static void one_damaged_session_does_not_block_the_others(void **state)
{
	struct place *place = *state;
	char id[ID_ULID_LEN + 1], path[TRANSCRIPT_PATH_MAX], name[200];
	json_t *event = NULL;
	struct session_row row;
	in_a_process_that_dies(place, three_sessions);
	snprintf(path, sizeof(path), "transcripts/2026/01/01/%s", id_of(1, id));
	FD_CLEANUP int cast = transcripts_mend(place->store, path, "0-shell.cast", NULL);
	assert_int_equal(ftruncate(cast, 0) || ftruncate(cast, 1 << 20), 0);
	FD_CLEANUP int json = transcripts_mend(place->store, path, "session.json", NULL);
	assert_int_equal(ftruncate(json, 3), 0);
	snprintf(name, sizeof(name), "%s/transcripts/2026/01/01/%s", place->scratch.path, id_of(3, id));
	nftw(name, scratch_unlink, 8, FTW_DEPTH | FTW_PHYS); /* the third has lost its folder */
	assert_int_equal(recovered(place), 3);
	for (unsigned n = 1; n <= 3; n++) {
		assert_int_equal(sessions_get(place->store, id_of(n, id), &row, NULL), 0);
		assert_int_equal(row.state, SESSION_LOST);
		assert_int_equal(!!row.digest, n != 3);
		session_row_release(&row);
	}
	struct stat st;
	assert_int_equal(fstat(cast, &st), 0);
	assert_int_equal(st.st_size, 1 << 20); /* nothing of it was touched */
	assert_int_equal(audit_each(place->store, 1, keep_event, &event, NULL), 0);
	assert_true(json_array_size(json_object_get(event, "problems")) >= 2);
	json_decref(event);
	verify_finds_nothing(place);
}

/* More goes wrong than an event can hold: the session is closed all the same. */
static int one_with_many_channels(struct store *store)
{
	char path[TRANSCRIPT_PATH_MAX], id[ID_ULID_LEN + 1];
	int rc = session_begin(store, 1, path) < 0;
	for (uint32_t n = 1; !rc && n <= 500; n++) {
		struct channel_row channel = { .session = (char *)id_of(1, id), .channel = n, .kind = "shell", .file = "gone.cast", .started = T0 };
		rc = channels_insert(store, &channel, NULL);
	}
	return rc;
}

static void many_problems_do_not_block_either(void **state)
{
	struct place *place = *state;
	json_t *event = NULL;
	int64_t open;
	in_a_process_that_dies(place, one_with_many_channels);
	assert_int_equal(recovered(place), 1);
	assert_int_equal(sql_number(place->store, &open, NULL, "SELECT COUNT(*) FROM channels WHERE ended = 0", ""), 0);
	assert_int_equal(open, 0);
	assert_int_equal(audit_each(place->store, 1, keep_event, &event, NULL), 0);
	assert_int_equal(json_array_size(json_object_get(event, "problems")), 20);
	assert_int_equal(json_integer_value(json_object_get(event, "more_problems")), 480);
	json_decref(event);
	verify_finds_nothing(place);
}

static void sessions_of_a_living_broker_are_left_alone(void **state)
{
	struct place *place = *state;
	struct store *other;
	char path[TRANSCRIPT_PATH_MAX];
	assert_int_equal(store_open(place->scratch.fd, false, &other, NULL), 0);
	FD_CLEANUP int theirs = session_begin(other, 1, path);
	FD_CLEANUP int ours = session_begin(place->store, 2, path);
	assert_true(theirs >= 0 && ours >= 0);
	assert_int_equal(recovered(place), 0);
	store_close(other);
	fd_closep(&theirs);
	assert_int_equal(recovered(place), 1);
}

/* The broker is dead, its session's process is not yet: it still writes. */
static void a_transcript_that_is_still_written_is_left_alone(void **state)
{
	struct place *place = *state;
	struct store *dead;
	char path[TRANSCRIPT_PATH_MAX];
	int hold[2];
	assert_int_equal(store_open(place->scratch.fd, false, &dead, NULL), 0);
	int fd = session_begin(dead, 1, path);
	assert_true(fd >= 0);
	assert_int_equal(pipe(hold), 0);
	fflush(NULL);
	pid_t pid = fork();
	if (!pid) { /* the session: it has a copy of the transcript's descriptor and nothing else */
		char byte;
		fd_close_others((const int[]){ fd, hold[0] }, 2);
		_exit(read(hold[0], &byte, 1) != 0);
	}
	store_close(dead);
	close(fd);
	assert_int_equal(recovered(place), 0);
	close(hold[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(hold[0]);
	assert_int_equal(recovered(place), 1);
	verify_finds_nothing(place);
}

static int many_sessions(struct store *store)
{
	char path[TRANSCRIPT_PATH_MAX];
	for (unsigned n = 1; n <= 40; n++) {
		int fd = session_begin(store, n, path);
		if (fd < 0)
			return -1;
		close(fd);
	}
	return 0;
}

/* Killed again and again while it recovers: in the end all is closed once. */
static void recovery_itself_may_be_killed(void **state)
{
	struct place *place = *state;
	in_a_process_that_dies(place, many_sessions);
	for (int round = 0; round < 8; round++) {
		fflush(NULL);
		pid_t pid = fork();
		if (!pid) {
			struct store *store;
			unsigned count;
			_exit(store_open(place->scratch.fd, false, &store, NULL) || transcripts_recover(store, T0, &count, NULL));
		}
		struct timespec pause = { .tv_nsec = 3000000L * (round + 1) }; /* a random moment, not a wait for something */
		nanosleep(&pause, NULL);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	}
	recovered(place);
	int64_t lost, events;
	assert_int_equal(sql_number(place->store, &lost, NULL, "SELECT COUNT(*) FROM sessions WHERE state = 2", ""), 0);
	assert_int_equal(sql_number(place->store, &events, NULL, "SELECT COUNT(*) FROM audit WHERE type = 'session-lost'", ""), 0);
	assert_int_equal(lost, 40);
	assert_int_equal(events, 40);
	verify_finds_nothing(place);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_set_up, place_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(folders_lie_by_day), TEST(links_are_not_followed),
		TEST(a_day_that_was_moved_is_left), TEST(a_folder_serves_by_its_descriptor), TEST(names_are_checked), TEST(only_regular_files_are_read), TEST(files_are_new_private_and_appended_to),
		TEST(session_json_is_replaced_whole), TEST(free_space_is_told), TEST(a_crash_leaves_nothing_open), TEST(one_damaged_session_does_not_block_the_others),
		TEST(many_problems_do_not_block_either), TEST(sessions_of_a_living_broker_are_left_alone), TEST(a_transcript_that_is_still_written_is_left_alone), TEST(recovery_itself_may_be_killed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
