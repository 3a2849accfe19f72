/* The audit chain: whatever somebody does to it afterwards is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "common/wire.h"
#include "store/audit.h"
#include "store/audit_row.h"
#include "store/sql.h"
#include "store/transcripts.h"
#include "tests/unit/scratch.h"
#include "tests/unit/transcripts_file.h"

#define EVENTS 20
#define ID "01ARZ3NDEKTSV4RRFFQ69G5FAV"

struct place { struct scratch scratch; struct store *store; struct sshkey *key, *other; char path[TRANSCRIPT_PATH_MAX]; };

static void append(struct store *store, int n)
{
	JSON_CLEANUP json_t *data = json_pack("{s:i, s:s}", "n", n, "a", "b");
	assert_int_equal(audit_append(store, n * 1000, "test-event", data, NULL, NULL), 0);
}

static void sign(struct store *store, const struct sshkey *key)
{
	BUF_CLEANUP struct buf data = BUF_INIT(256), signature = BUF_INIT(SSHKEY_SIG_MAX);
	uint64_t seq;
	assert_int_equal(audit_checkpoint_data(store, &seq, &data, NULL), 0);
	assert_int_equal(sshkey_sign(key, NULL, buf_bytes(&data), &signature, NULL), 0);
	assert_int_equal(audit_checkpoint_put(store, seq, 7, key, buf_bytes(&signature), NULL), 0);
}

static void write_cast(struct store *store, const char *path, const char *name, const char *text)
{
	FD_CLEANUP int fd = transcripts_file(store, path, name, NULL);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

/* One session with one channel, both sealed. */
static void sealed_session(struct place *place)
{
	struct channel_row channel = { .session = ID, .kind = "shell", .file = "0-shell.cast", .started = 1 };
	char hex[65];
	assert_int_equal(transcripts_create(place->store, ID, 0, place->path, NULL), 0);
	struct session_row row = { .id = ID, .user = "alice", .path = place->path };
	assert_int_equal(sessions_insert(place->store, &row, NULL), 0);
	assert_int_equal(channels_insert(place->store, &channel, NULL), 0);
	write_cast(place->store, place->path, channel.file, "what was seen");
	assert_int_equal(transcripts_digest(place->store, place->path, channel.file, hex, NULL), 0);
	channel.ended = 2;
	channel.digest = hex;
	assert_int_equal(channels_end(place->store, &channel, NULL), 0);
	JSON_CLEANUP json_t *json = json_pack("{s:s}", "id", ID);
	assert_int_equal(transcripts_write_json(place->store, place->path, json, NULL), 0);
	assert_int_equal(transcripts_digest(place->store, place->path, "session.json", hex, NULL), 0);
	assert_int_equal(sessions_end(place->store, ID, SESSION_CLOSED, 3, "", hex, NULL), 0);
}

/* Events 1 to 20, signed at 10 and 20, then two seals and three more events. */
static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	place->scratch = scratch_new();
	*state = place;
	if (store_open(place->scratch.fd, false, &place->store, NULL) || sshkey_generate_ed25519(&place->key, NULL) || sshkey_generate_ed25519(&place->other, NULL))
		return -1;
	for (int n = 1; n <= EVENTS; n++) {
		append(place->store, n);
		if (n % 10 == 0)
			sign(place->store, place->key);
	}
	sealed_session(place);
	for (int n = 23; n <= 25; n++)
		append(place->store, n);
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;
	store_close(place->store);
	sshkey_free(place->key);
	sshkey_free(place->other);
	scratch_remove(&place->scratch);
	free(place);
	return 0;
}

struct told { struct buf text; };

static void tell(const char *text, void *context)
{
	struct told *told = context;
	buf_puts(&told->text, text);
	buf_puts(&told->text, "\n");
}

/* Verifies; the problems must be exactly these lines. */
static struct audit_report verified(struct place *place, const struct sshkey *key, const char *want)
{
	struct told told = { BUF_INIT(65536) };
	struct audit_report report;
	assert_int_equal(audit_verify(place->store, key, tell, &told, &report, NULL), 0);
	const char *got = buf_cstr(&told.text);
	assert_string_equal(got ? got : "", want);
	size_t lines = 0;
	for (const char *at = want; *at; at++)
		lines += *at == '\n';
	assert_int_equal(report.bad, lines);
	buf_release(&told.text);
	return report;
}

/* As somebody does who writes the file: without triggers. */
static void tamper(struct place *place, const char *sql)
{
	struct err err;
	static const char off[] = "DROP TRIGGER IF EXISTS audit_no_update; DROP TRIGGER IF EXISTS audit_no_delete; DROP TRIGGER IF EXISTS audit_in_order; DROP TRIGGER IF EXISTS checkpoints_no_update;"
		" DROP TRIGGER IF EXISTS checkpoints_no_delete; DROP TRIGGER IF EXISTS checkpoints_in_order; PRAGMA foreign_keys=OFF;";
	assert_int_equal(sql_exec(place->store, off, &err), 0);
	int rc = sql_exec(place->store, sql, &err);
	if (rc)
		print_error("%s\n", err.text);
	assert_int_equal(rc, 0);
}

/* ---- appending ---- */

static void the_hash_is_what_the_header_says(void **state)
{
	struct place *place = *state;
	struct scratch scratch = scratch_new();
	struct store *store;
	sqlite3_stmt *stmt;
	uint8_t zeros[32] = { 0 }, want[32];
	BUF_CLEANUP struct buf bytes = BUF_INIT(4096);
	(void)place;
	assert_int_equal(store_open(scratch.fd, false, &store, NULL), 0);
	JSON_CLEANUP json_t *data = json_pack("{s:s, s:i}", "user", "alice", "a", 1);
	uint64_t seq;
	assert_int_equal(audit_append(store, 1234567, "login", data, &seq, NULL), 0);
	assert_int_equal(seq, 1);
	wire_put_u64(&bytes, 1);
	wire_put_u64(&bytes, 1234567);
	wire_put_cstring(&bytes, "login");
	wire_put_cstring(&bytes, "{\"a\":1,\"user\":\"alice\"}");
	wire_put_string(&bytes, zeros, 32);
	EVP_Digest(buf_data(&bytes), bytes.len, want, NULL, EVP_sha256(), NULL);
	assert_int_equal(sql_query(store, &stmt, NULL, "SELECT hash, previous FROM audit", ""), 0);
	assert_int_equal(sql_step(store, stmt, NULL), 1);
	assert_memory_equal(sqlite3_column_blob(stmt, 0), want, 32);
	assert_memory_equal(sqlite3_column_blob(stmt, 1), zeros, 32);
	sql_close(store, stmt);
	store_close(store);
	scratch_remove(&scratch);
}

static void what_may_be_appended_has_limits(void **state)
{
	struct place *place = *state;
	char type[AUDIT_TYPE_MAX + 2], *text = malloc(AUDIT_DATA_MAX + 1);
	static const char *const bad[] = { "", "Big", "a b", "a\n", "a_b", "\xc3\xa4" };
	uint64_t before = audit_last(place->store);
	JSON_CLEANUP json_t *list = json_array();
	assert_int_equal(audit_append(place->store, 1, "x", list, NULL, NULL), -EINVAL);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(audit_append(place->store, 1, bad[i], NULL, NULL, NULL), -EINVAL);
	memset(type, 'a', sizeof(type));
	type[AUDIT_TYPE_MAX + 1] = 0;
	assert_int_equal(audit_append(place->store, 1, type, NULL, NULL, NULL), -EINVAL);
	type[AUDIT_TYPE_MAX] = 0;
	assert_int_equal(audit_append(place->store, 1, type, NULL, NULL, NULL), 0);
	for (size_t over = 0; over < 2; over++) { /* {"a":"…"} is 8 bytes around the text */
		memset(text, 'x', AUDIT_DATA_MAX);
		text[AUDIT_DATA_MAX - 8 + over] = 0;
		JSON_CLEANUP json_t *data = json_pack("{s:s}", "a", text);
		assert_int_equal(audit_append(place->store, 1, "x", data, NULL, NULL), over ? -EMSGSIZE : 0);
	}
	assert_int_equal(audit_last(place->store), before + 2);
	free(text);
	verified(place, place->key, "");
}

static void the_tables_refuse_changes(void **state)
{
	struct place *place = *state;
	static const char *const bad[] = {
		"UPDATE audit SET time = 1 WHERE seq = 3", "DELETE FROM audit WHERE seq = 25", "DELETE FROM audit", "INSERT OR REPLACE INTO audit SELECT * FROM audit WHERE seq = 3",
		"INSERT INTO audit SELECT 100, time, type, data, previous, hash FROM audit WHERE seq = 3", "INSERT INTO audit SELECT -1, time, type, data, previous, hash FROM audit WHERE seq = 3",
		"UPDATE checkpoints SET time = 1", "DELETE FROM checkpoints", "INSERT OR REPLACE INTO checkpoints SELECT * FROM checkpoints WHERE seq = 10",
		"INSERT INTO checkpoints SELECT 5, time, key, signature FROM checkpoints WHERE seq = 10", "INSERT INTO checkpoints SELECT 99, time, key, signature FROM checkpoints WHERE seq = 10",
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(sql_exec(place->store, bad[i], NULL), -EEXIST);
	verified(place, place->key, "");
}

static void an_open_transaction_is_joined(void **state)
{
	struct place *place = *state;
	uint64_t before = audit_last(place->store);
	assert_int_equal(store_begin(place->store, NULL), 0);
	append(place->store, 1);
	append(place->store, 2);
	store_rollback(place->store);
	assert_int_equal(audit_last(place->store), before);
	append(place->store, 3);
	verified(place, place->key, "");
}

/* A broker that drains and its successor write the same chain. */
static void two_writers_make_one_chain(void **state)
{
	struct place *place = *state;
	pid_t pid = fork();
	int status;
	if (!pid) {
		struct store *store;
		int rc = store_open(place->scratch.fd, false, &store, NULL);
		for (int n = 0; !rc && n < 200; n++)
			rc = audit_append(store, n, "theirs", NULL, NULL, NULL);
		_exit(rc ? 1 : 0);
	}
	for (int n = 0; n < 200; n++)
		append(place->store, n);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(audit_last(place->store), 425);
	assert_int_equal(verified(place, place->key, "").events, 425);
}

static int count_to(const struct audit_row *row, void *context)
{
	uint64_t *last = context;
	assert_true(row->seq > *last);
	*last = row->seq;
	return row->seq == 12 ? 5 : 0;
}

static void events_are_read_from_a_number_on(void **state)
{
	struct place *place = *state;
	uint64_t last = 9;
	assert_int_equal(audit_each(place->store, 10, count_to, &last, NULL), 5);
	assert_int_equal(last, 12);
	assert_int_equal(audit_each(place->store, UINT64_MAX, count_to, &last, NULL), 0);
	assert_int_equal(audit_unsigned(place->store), 5);
}

static void data_cannot_pass_for_the_row(void **state)
{
	(void)state;
	struct audit_row row = { .seq = 7, .time = 1000, .type = "x", .data = "{\"seq\": 1, \"hash\": \"0\", \"time\": \"never\", \"type\": \"y\", \"user\": \"alice\"}" };
	JSON_CLEANUP json_t *json = audit_json(&row);
	assert_int_equal(json_integer_value(json_object_get(json, "seq")), 7);
	assert_string_equal(json_get_string(json, "type"), "x");
	assert_string_equal(json_get_string(json, "time"), "1970-01-01T00:00:01.000Z");
	assert_int_equal(strlen(json_get_string(json, "hash")), 64);
	assert_string_equal(json_get_string(json, "user"), "alice");
	row.data = "damaged";
	JSON_CLEANUP json_t *other = audit_json(&row);
	assert_int_equal(json_object_size(other), 4);
}

/* ---- verifying ---- */

static void a_good_chain_is_good(void **state)
{
	struct place *place = *state;
	struct audit_report report = verified(place, place->key, "");
	assert_int_equal(report.events, 25);
	assert_int_equal(report.checkpoints, 2);
	assert_int_equal(report.transcripts, 2);
	assert_int_equal(report.signed_up_to, 20);
	verified(place, NULL, "");
	sign(place->store, place->key);
	assert_int_equal(verified(place, place->key, "").signed_up_to, 25);
}

static void an_empty_chain_is_good(void **state)
{
	(void)state;
	struct place place = { .scratch = scratch_new() };
	BUF_CLEANUP struct buf data = BUF_INIT(256);
	uint64_t seq;
	assert_int_equal(store_open(place.scratch.fd, false, &place.store, NULL), 0);
	assert_int_equal(audit_last(place.store), 0);
	assert_int_equal(audit_unsigned(place.store), 0);
	assert_int_equal(audit_checkpoint_data(place.store, &seq, &data, NULL), -ENOENT);
	assert_int_equal(verified(&place, NULL, "").events, 0);
	store_close(place.store);
	scratch_remove(&place.scratch);
}

static void reading_only_is_enough(void **state)
{
	struct place *place = *state;
	store_close(place->store);
	assert_int_equal(store_open(place->scratch.fd, true, &place->store, NULL), 0);
	assert_int_equal(verified(place, place->key, "").events, 25);
}

static void whatever_is_done_to_events_is_found(void **state)
{
	static const struct { const char *sql, *problems; uint64_t signed_up_to, at_least; } cases[] = { /* at_least: so many problems, where all would be too long a list */
		{ "UPDATE audit SET data = '{}' WHERE seq = 17", "event 17: hash does not fit its contents\nevent 18 does not continue event 17\n", 10, 0 },
		{ "UPDATE audit SET time = time + 1 WHERE seq = 1", "event 1: hash does not fit its contents\nevent 2 does not continue event 1\n", 0, 0 },
		{ "UPDATE audit SET type = 'other' WHERE seq = 25", "event 25: hash does not fit its contents\n", 20, 0 },
		{ "UPDATE audit SET previous = zeroblob(32) WHERE seq = 5", "event 5: hash does not fit its contents\nevent 5 does not continue event 4\nevent 6 does not continue event 5\n", 0, 0 },
		{ "DELETE FROM audit WHERE seq = 5", "event 5 is missing\n", 0, 0 },
		{ "DELETE FROM audit WHERE seq BETWEEN 4 AND 6", "events 4 to 6 are missing\n", 0, 0 },
		{ "DELETE FROM audit WHERE seq = 10", "event 10 is missing\ncheckpoint of event 10: the event is missing\n", 0, 0 },
		{ "DELETE FROM audit WHERE seq <= 3", "events 1 to 3 are missing\n", 0, 0 },
		{ "DELETE FROM audit WHERE seq = 20; UPDATE audit SET seq = seq - 1 WHERE seq > 20", NULL, 10, 7 },
		{ "UPDATE audit SET seq = 99 WHERE seq = 7; UPDATE audit SET seq = 7 WHERE seq = 8; UPDATE audit SET seq = 8 WHERE seq = 99", NULL, 0, 4 },
		{ "INSERT INTO audit SELECT 26, time, type, data, previous, hash FROM audit WHERE seq = 25", "event 26: hash does not fit its contents\nevent 26 does not continue event 25\n", 20, 0 },
		{ "INSERT INTO audit SELECT -5, time, type, data, previous, hash FROM audit WHERE seq = 25", NULL, 0, 3 },
		{ "DELETE FROM audit WHERE seq > 18", "events after 18 are missing: event 20 was signed\n2 rows have a digest that is not in the audit chain\n", 10, 0 },
		{ "DELETE FROM audit", "events after 0 are missing: event 10 was signed\n2 rows have a digest that is not in the audit chain\n", 0, 0 },
		{ "UPDATE audit SET hash = x'00' WHERE seq = 3", "event 3 is damaged\nevent 4 does not continue event 3\n", 0, 0 },
		{ "UPDATE audit SET data = x'7b7d' WHERE seq = 3", "event 3 is damaged\nevent 4 does not continue event 3\n", 0, 0 },
		{ "UPDATE audit SET data = data || char(0) || 'x' WHERE seq = 3", "event 3 is damaged\nevent 4 does not continue event 3\n", 0, 0 },
		{ "UPDATE audit SET data = hex(zeroblob(40000)) WHERE seq = 3", "event 3 is damaged\nevent 4 does not continue event 3\n", 0, 0 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		void *fresh;
		assert_int_equal(set_up(&fresh), 0);
		struct place *place = fresh;
		tamper(place, cases[i].sql);
		if (cases[i].problems) {
			assert_int_equal(verified(place, place->key, cases[i].problems).signed_up_to, cases[i].signed_up_to);
		} else {
			struct audit_report report;
			assert_int_equal(audit_verify(place->store, place->key, NULL, NULL, &report, NULL), 0);
			assert_true(report.bad >= cases[i].at_least);
			assert_int_equal(report.signed_up_to, cases[i].signed_up_to);
		}
		tear_down(&fresh);
	}
}

/* Cut off behind the last checkpoint: the one thing that cannot be found, as the header says. Here the rows tell. */
static void only_the_unsigned_end_can_be_cut_off(void **state)
{
	struct place *place = *state;
	tamper(place, "DELETE FROM audit WHERE seq > 22");
	assert_int_equal(verified(place, place->key, "").events, 22);
}

/* Edited, and every later hash computed anew: the chain holds, the signatures do not. */
static void a_chain_computed_anew_is_found_by_its_checkpoints(void **state)
{
	struct place *place = *state;
	sqlite3_stmt *stmt = NULL;
	uint8_t previous[32] = { 0 };
	tamper(place, "UPDATE audit SET data = '{\"n\":1,\"a\":\"forged\"}' WHERE seq = 15");
	for (int64_t seq = 1; seq <= 25; seq++) {
		struct audit_row row;
		assert_int_equal(sql_query(place->store, &stmt, NULL, "SELECT " AUDIT_COLUMNS " FROM audit WHERE seq = ?", "i", seq), 0);
		assert_int_equal(sql_step(place->store, stmt, NULL), 1);
		assert_true(audit_row_take(stmt, &row));
		memcpy(row.previous, previous, 32);
		assert_int_equal(audit_hash(&row, row.hash), 0);
		sql_close(place->store, stmt);
		assert_int_equal(sql_run(place->store, NULL, "UPDATE audit SET previous = ?, hash = ? WHERE seq = ?", "bbi", (struct bytes){ row.previous, 32 }, (struct bytes){ row.hash, 32 }, seq), 0);
		memcpy(previous, row.hash, 32);
	}
	struct audit_report report;
	struct told told = { BUF_INIT(4096) };
	assert_int_equal(audit_verify(place->store, place->key, tell, &told, &report, NULL), 0);
	assert_int_equal(report.bad, 1);
	assert_int_equal(report.signed_up_to, 10);
	assert_memory_equal(buf_cstr(&told.text), "checkpoint of event 20: ", 24);
	buf_release(&told.text);
}

static void checkpoints_cannot_be_forged(void **state)
{
	struct place *place = *state;
	struct audit_report report;
	verified(place, place->other, "checkpoint of event 10: it is signed by another key\ncheckpoint of event 20: it is signed by another key\n");
	sign(place->store, place->other);
	report = verified(place, place->key, "checkpoint of event 25: it is signed by another key\n");
	assert_int_equal(report.signed_up_to, 20);
	report = verified(place, NULL, "checkpoint of event 25: it is signed by another key\n"); /* any key, but the same */
	assert_int_equal(report.signed_up_to, 20);
	tamper(place, "UPDATE checkpoints SET signature = (SELECT signature FROM checkpoints WHERE seq = 10) WHERE seq = 20; UPDATE checkpoints SET signature = '' WHERE seq = 25;"
		" UPDATE checkpoints SET key = zeroblob(70000) WHERE seq = 10");
	assert_int_equal(audit_verify(place->store, place->key, NULL, NULL, &report, NULL), 0);
	assert_int_equal(report.bad, 3);
	assert_int_equal(report.signed_up_to, 0);
}

static void a_checkpoint_beyond_the_end_is_found(void **state)
{
	struct place *place = *state;
	tamper(place, "UPDATE checkpoints SET seq = 99 WHERE seq = 20");
	verified(place, place->key, "events after 25 are missing: event 99 was signed\n");
}

/* ---- transcripts ---- */

static void overwrite(struct place *place, const char *name, const char *text)
{
	FD_CLEANUP int fd = transcripts_mend(place->store, place->path, name, NULL);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, text, strlen(text), 0), strlen(text));
}

static void changed_transcripts_are_found(void **state)
{
	struct place *place = *state;
	overwrite(place, "0-shell.cast", "What");
	verified(place, place->key, "session " ID ": '0-shell.cast' was changed after it was sealed\n");
	overwrite(place, "0-shell.cast", "what");
	overwrite(place, "session.json", "[");
	verified(place, place->key, "session " ID ": 'session.json' was changed after it was sealed\n");
}

static void missing_transcripts_are_found(void **state)
{
	struct place *place = *state;
	char name[160], want[512];
	snprintf(name, sizeof(name), "%s/0-shell.cast", place->path);
	assert_int_equal(unlinkat(place->scratch.fd, name, 0), 0);
	snprintf(want, sizeof(want), "session " ID ": '%s': No such file or directory\n", name);
	verified(place, place->key, want);
}

static void rows_that_say_otherwise_are_found(void **state)
{
	struct place *place = *state;
	tamper(place, "UPDATE sessions SET digest = 'aa'");
	verified(place, place->key, "session " ID ": the row of 'session.json' is missing or differs from the audit chain\n");
	tamper(place, "DELETE FROM channels; DELETE FROM sessions");
	verified(place, place->key, "session " ID ": the row of '0-shell.cast' is missing or differs from the audit chain\n"
		"session " ID ": the row of 'session.json' is missing or differs from the audit chain\n");
}

static void a_row_that_was_never_sealed_is_found(void **state)
{
	struct place *place = *state;
	tamper(place, "INSERT INTO channels SELECT session, 5, kind, detail, file, started, ended, exit_status, exit_signal, reason, bytes_in, bytes_out, bytes_err, 'aa' FROM channels");
	verified(place, place->key, "1 rows have a digest that is not in the audit chain\n");
}

/* A seal may name any path: only folders of sessions are ever opened. */
static void seals_do_not_lead_elsewhere(void **state)
{
	struct place *place = *state;
	JSON_CLEANUP json_t *data = json_pack("{s:s, s:s, s:s, s:s}", "session", ID, "path", "../../../etc", "file", "passwd", "digest", "aa");
	JSON_CLEANUP json_t *bare = json_pack("{s:s}", "session", "x");
	assert_int_equal(audit_append(place->store, 1, "session-sealed", data, NULL, NULL), 0);
	assert_int_equal(audit_append(place->store, 1, "session-sealed", bare, NULL, NULL), 0);
	verified(place, place->key, "session " ID ": '../../../etc' is not the folder of a session\n"
		"session " ID ": the row of 'passwd' is missing or differs from the audit chain\nevent 27 does not name a file that it seals\n");
}

/* An event costs well below a millisecond: it is on the way of every access. Ten times that is allowed, for slow disks and sanitizers. */
static void appending_is_quick(void **state)
{
	struct place *place = *state;
	struct timespec begin, end;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (int n = 0; n < 500; n++)
		append(place->store, n);
	clock_gettime(CLOCK_MONOTONIC, &end);
	int64_t us = (end.tv_sec - begin.tv_sec) * 1000000 + (end.tv_nsec - begin.tv_nsec) / 1000;
	print_message("%" PRId64 " microseconds an event\n", us / 500);
	assert_true(us / 500 < 10000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_hash_is_what_the_header_says), TEST(what_may_be_appended_has_limits), TEST(the_tables_refuse_changes), TEST(an_open_transaction_is_joined),
		TEST(two_writers_make_one_chain), TEST(events_are_read_from_a_number_on), cmocka_unit_test(data_cannot_pass_for_the_row), TEST(a_good_chain_is_good),
		cmocka_unit_test(an_empty_chain_is_good), TEST(reading_only_is_enough), cmocka_unit_test(whatever_is_done_to_events_is_found), TEST(only_the_unsigned_end_can_be_cut_off),
		TEST(a_chain_computed_anew_is_found_by_its_checkpoints), TEST(checkpoints_cannot_be_forged), TEST(a_checkpoint_beyond_the_end_is_found),
		TEST(changed_transcripts_are_found), TEST(missing_transcripts_are_found), TEST(rows_that_say_otherwise_are_found), TEST(a_row_that_was_never_sealed_is_found),
		TEST(seals_do_not_lead_elsewhere), TEST(appending_is_quick),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
