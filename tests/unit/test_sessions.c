/* Rows of sessions and channels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "common/id.h"
#include "store/audit.h"
#include "store/sessions.h"
#include "store/sql.h"
#include "tests/unit/place.h"

/* The n-th session: started at n seconds. Texts are literals: never released. */
static struct session_row row_of(unsigned n, const char *user, const char *target)
{
	static char ids[64][ID_ULID_LEN + 1];
	uint8_t random[10] = { (uint8_t)n };
	id_ulid(1700000000000 + n, random, ids[n]);
	return (struct session_row){ .id = ids[n], .connection = n, .user = (char *)user, .provider = "corp", .subject = (char *)user, .target = (char *)target, .login = "deploy",
		.source = "192.0.2.1", .mode = "jump", .rule = "staging", .started = n * 1000, .path = "transcripts/2026/01/01/X" };
}

static void put(struct store *store, const struct session_row *row)
{
	assert_int_equal(sessions_insert(store, row, NULL), 0);
}

static void a_row_comes_back_as_it_was(void **state)
{
	struct store *store = place_store(state);
	struct session_row row = row_of(1, "alice", "web1"), got;
	row.connection = UINT64_MAX;
	put(store, &row);
	assert_int_equal(sessions_get(store, row.id, &got, NULL), 0);
	assert_string_equal(got.id, row.id);
	assert_int_equal(got.connection, INT64_MAX); /* SQLite's integers end there */
	assert_string_equal(got.user, "alice");
	assert_string_equal(got.provider, "corp");
	assert_string_equal(got.subject, "alice");
	assert_string_equal(got.target, "web1");
	assert_string_equal(got.login, "deploy");
	assert_string_equal(got.source, "192.0.2.1");
	assert_string_equal(got.mode, "jump");
	assert_string_equal(got.rule, "staging");
	assert_int_equal(got.state, SESSION_OPEN);
	assert_int_equal(got.started, 1000);
	assert_int_equal(got.ended, 0);
	assert_string_equal(got.reason, "");
	assert_string_equal(got.path, row.path);
	assert_null(got.digest);
	session_row_release(&got);
	assert_int_equal(sessions_insert(store, &row, NULL), -EEXIST);
	row.id = "not-a-ulid";
	assert_int_equal(sessions_insert(store, &row, NULL), -EINVAL);
}

static void hostile_texts_are_only_texts(void **state)
{
	struct store *store = place_store(state);
	struct session_row row = row_of(1, "'; DROP TABLE sessions; --", "\" OR 1=1"), got;
	put(store, &row);
	assert_int_equal(sessions_get(store, row.id, &got, NULL), 0);
	assert_string_equal(got.user, row.user);
	assert_string_equal(got.target, row.target);
	session_row_release(&got);
}

static void ids_may_be_shortened(void **state)
{
	struct store *store = place_store(state);
	struct session_row one = row_of(1, "alice", "web1"), two = row_of(2, "alice", "web1"), got;
	char prefix[ID_ULID_LEN + 2] = "";
	put(store, &one);
	put(store, &two);
	assert_int_equal(sessions_get(store, one.id, &got, NULL), 0);
	session_row_release(&got);
	memcpy(prefix, one.id, 10);
	for (char *at = prefix; *at; at++)
		*at = *at >= 'A' ? (char)(*at | 0x20) : *at;
	assert_int_equal(sessions_get(store, prefix, &got, NULL), 0);
	assert_string_equal(got.id, one.id);
	session_row_release(&got);
	prefix[8] = 0; /* the seconds are beyond it */
	assert_int_equal(sessions_get(store, prefix, &got, NULL), -ENOTUNIQ);
	prefix[7] = 0;
	assert_int_equal(sessions_get(store, prefix, &got, NULL), -EINVAL);
	assert_int_equal(sessions_get(store, "00000000%", &got, NULL), -EINVAL);
	assert_int_equal(sessions_get(store, "00000000", &got, NULL), -ENOENT);
	snprintf(prefix, sizeof(prefix), "%s0", one.id);
	assert_int_equal(sessions_get(store, prefix, &got, NULL), -EINVAL);
}

static void a_session_ends_once(void **state)
{
	struct store *store = place_store(state);
	struct session_row row = row_of(1, "alice", "web1"), got;
	put(store, &row);
	assert_int_equal(sessions_end(store, row.id, SESSION_CLOSED, 5000, "idle", NULL, NULL), 0);
	assert_int_equal(sessions_end(store, row.id, SESSION_LOST, 6000, "again", NULL, NULL), -ENOENT);
	assert_int_equal(sessions_end(store, "01ARZ3NDEKTSV4RRFFQ69G5FAV", SESSION_CLOSED, 1, "", NULL, NULL), -ENOENT);
	assert_int_equal(sessions_get(store, row.id, &got, NULL), 0);
	assert_int_equal(got.state, SESSION_CLOSED);
	assert_int_equal(got.ended, 5000);
	assert_string_equal(got.reason, "idle");
	session_row_release(&got);
	assert_int_equal(audit_last(store), 0); /* nothing was sealed */
}

static int keep_last(const struct audit_row *row, void *context)
{
	json_t **ret = context;
	json_decref(*ret);
	*ret = audit_json(row);
	return 0;
}

static void a_seal_goes_into_the_chain(void **state)
{
	struct store *store = place_store(state);
	struct session_row row = row_of(1, "alice", "web1");
	struct channel_row channel = { .session = row.id, .channel = 4000000000u, .kind = "shell", .file = "0-shell.cast", .started = 1 };
	json_t *event = NULL;
	put(store, &row);
	assert_int_equal(channels_insert(store, &channel, NULL), 0);
	channel.ended = 2;
	channel.digest = "aa";
	assert_int_equal(channels_end(store, &channel, NULL), 0);
	assert_int_equal(audit_each(store, 1, keep_last, &event, NULL), 0);
	assert_string_equal(json_get_string(event, "type"), "channel-sealed");
	assert_string_equal(json_get_string(event, "file"), "0-shell.cast");
	assert_string_equal(json_get_string(event, "digest"), "aa");
	assert_int_equal(json_integer_value(json_object_get(event, "channel")), 4000000000u);
	assert_int_equal(sessions_end(store, row.id, SESSION_CLOSED, 3, "", "bb", NULL), 0);
	assert_int_equal(audit_each(store, 1, keep_last, &event, NULL), 0);
	assert_string_equal(json_get_string(event, "type"), "session-sealed");
	assert_string_equal(json_get_string(event, "session"), row.id);
	assert_string_equal(json_get_string(event, "path"), row.path);
	assert_string_equal(json_get_string(event, "digest"), "bb");
	assert_int_equal(audit_last(store), 2);
	json_decref(event);
}

/* ---- listing ---- */

struct seen { char text[256]; int stop_after; };

static int see(const struct session_row *row, void *context)
{
	struct seen *seen = context;
	sprintf(seen->text + strlen(seen->text), "%d ", (int)(row->started / 1000));
	return --seen->stop_after ? 0 : 42;
}

static void listed(struct store *store, struct session_filter filter, const char *want)
{
	struct seen seen = { "", 0 };
	assert_int_equal(sessions_each(store, &filter, see, &seen, NULL), 0);
	assert_string_equal(seen.text, want);
}

static void lists_are_filtered_and_newest_first(void **state)
{
	struct store *store = place_store(state);
	static const char *const users[] = { "alice", "bob" }, *const targets[] = { "web1", "db1", "db2" };
	for (unsigned n = 1; n <= 12; n++) {
		struct session_row row = row_of(n, users[n % 2], targets[n % 3]);
		put(store, &row);
		if (n % 4)
			assert_int_equal(sessions_end(store, row.id, SESSION_CLOSED, 99000, "", NULL, NULL), 0);
	}
	listed(store, (struct session_filter){ 0 }, "12 11 10 9 8 7 6 5 4 3 2 1 ");
	listed(store, (struct session_filter){ .limit = 3 }, "12 11 10 ");
	listed(store, (struct session_filter){ .user = "alice" }, "12 10 8 6 4 2 ");
	listed(store, (struct session_filter){ .user = "alice", .target = "web1" }, "12 6 ");
	listed(store, (struct session_filter){ .open_only = 1 }, "12 8 4 ");
	listed(store, (struct session_filter){ .since = 10000 }, "12 11 10 ");
	listed(store, (struct session_filter){ .provider = "corp", .subject = "bob", .limit = 2 }, "11 9 ");
	listed(store, (struct session_filter){ .provider = "other", .subject = "bob" }, "");
	listed(store, (struct session_filter){ .user = "nobody" }, "");
	struct seen seen = { "", 2 };
	assert_int_equal(sessions_each(store, &(struct session_filter){ 0 }, see, &seen, NULL), 42);
	assert_string_equal(seen.text, "12 11 ");
}

/* No list walks the whole table or sorts it. */
static void lists_use_an_index(void **state)
{
	struct store *store = place_store(state);
	static const char *const wheres[] = { "", " AND user = ?1", " AND target = ?2", " AND subject = ?3 AND provider = ?4", " AND state = 0", " AND started >= ?5" };
	for (size_t i = 0; i < sizeof(wheres) / sizeof(wheres[0]); i++) {
		char text[512];
		sqlite3_stmt *stmt;
		snprintf(text, sizeof(text), "EXPLAIN QUERY PLAN SELECT * FROM sessions WHERE ?1 IS ?1 AND ?2 IS ?2 AND ?3 IS ?3 AND ?4 IS ?4 AND ?5 IS ?5%s ORDER BY started DESC, id DESC LIMIT ?6",
			wheres[i]);
		assert_int_equal(sql_query_once(store, &stmt, NULL, text, "ttttii", "u", "t", "s", "p", (int64_t)1, (int64_t)10), 0);
		while (sql_step(store, stmt, NULL) == 1) {
			const char *plan = (const char *)sqlite3_column_text(stmt, 3);
			assert_true(strstr(plan, "INDEX sessions_") || strstr(plan, "CONSTANT"));
			assert_null(strstr(plan, "TEMP B-TREE"));
		}
		sql_close(store, stmt);
	}
}

/* ---- channels ---- */

static int keep_channel(const struct channel_row *row, void *context)
{
	struct channel_row *kept = context;
	assert_null(kept->kind); /* one only */
	*kept = *row;
	kept->kind = strdup(row->kind);
	kept->detail = strdup(row->detail);
	kept->file = row->file ? strdup(row->file) : NULL;
	kept->exit_signal = row->exit_signal ? strdup(row->exit_signal) : NULL;
	kept->reason = row->reason ? strdup(row->reason) : NULL;
	kept->session = kept->digest = NULL;
	return 0;
}

static void channels_begin_and_end(void **state)
{
	struct store *store = place_store(state);
	struct session_row row = row_of(1, "alice", "web1");
	struct channel_row channel = { .session = row.id, .channel = 3, .kind = "exec", .detail = "uname -a", .started = 10, .exit_status = -1 }, got = { 0 };
	assert_int_equal(channels_insert(store, &channel, NULL), -EEXIST); /* no such session: the reference does not hold */
	put(store, &row);
	assert_int_equal(channels_insert(store, &channel, NULL), 0);
	assert_int_equal(channels_insert(store, &channel, NULL), -EEXIST);
	channel.ended = 20;
	channel.exit_status = 4294967295;
	channel.exit_signal = "TERM";
	channel.bytes_in = 1;
	channel.bytes_out = UINT64_MAX;
	channel.bytes_err = 3;
	channel.reason = "done";
	assert_int_equal(channels_end(store, &channel, NULL), 0);
	assert_int_equal(channels_end(store, &channel, NULL), -ENOENT);
	assert_int_equal(channels_each(store, row.id, keep_channel, &got, NULL), 0);
	assert_int_equal(got.channel, 3);
	assert_string_equal(got.detail, "uname -a");
	assert_null(got.file);
	assert_int_equal(got.ended, 20);
	assert_int_equal(got.exit_status, 4294967295);
	assert_string_equal(got.exit_signal, "TERM");
	assert_string_equal(got.reason, "done");
	assert_int_equal(got.bytes_out, INT64_MAX);
	channel_row_release(&got);
	channel.channel = 4;
	channel.ended = 0;
	channel.digest = NULL;
	assert_int_equal(channels_insert(store, &channel, NULL), 0);
	channel.ended = 30;
	channel.digest = "aa"; /* of what? it has no file */
	assert_int_equal(channels_end(store, &channel, NULL), -EINVAL);
	channel.digest = NULL;
	assert_int_equal(channels_end(store, &channel, NULL), 0); /* nothing of the refused end stayed */
}

static void details_have_a_limit(void **state)
{
	struct store *store = place_store(state);
	struct session_row row = row_of(1, "alice", "web1");
	char *detail = malloc(STORE_LONG_TEXT_MAX + 2);
	memset(detail, 'x', STORE_LONG_TEXT_MAX + 1);
	detail[STORE_LONG_TEXT_MAX + 1] = 0;
	struct channel_row channel = { .session = row.id, .kind = "exec", .detail = detail };
	put(store, &row);
	assert_int_equal(channels_insert(store, &channel, NULL), -EMSGSIZE);
	detail[STORE_LONG_TEXT_MAX] = 0;
	assert_int_equal(channels_insert(store, &channel, NULL), 0);
	free(detail);
}

/* ---- JSON ---- */

static void json_has_the_words_of_the_design(void **state)
{
	(void)state;
	struct session_row row = row_of(1, "alice", "web1");
	BUF_CLEANUP struct buf text = BUF_INIT(4096);
	JSON_CLEANUP json_t *json = session_json(&row);
	char want[512];
	assert_int_equal(json_text(json, &text), 0);
	snprintf(want, sizeof(want), "{\"ended\":null,\"id\":\"%s\",\"login\":\"deploy\",\"mode\":\"jump\",\"reason\":null,\"rule\":\"staging\",\"source\":\"192.0.2.1\","
		"\"started\":\"1970-01-01T00:00:01.000Z\",\"state\":\"open\",\"target\":\"web1\",\"user\":\"alice\"}", row.id);
	assert_string_equal(buf_cstr(&text), want);
	struct channel_row channel = { .channel = 2, .kind = "shell", .exit_status = -1, .bytes_out = 5 };
	JSON_CLEANUP json_t *other = channel_json(&channel);
	assert_true(json_is_null(json_object_get(other, "exit_status")));
	assert_int_equal(json_integer_value(json_object_get(other, "bytes_out")), 5);
	assert_string_equal(session_state_name(SESSION_LOST), "lost");
	assert_string_equal(session_state_name((enum session_state)77), "unknown");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_set_up, place_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_row_comes_back_as_it_was), TEST(hostile_texts_are_only_texts), TEST(ids_may_be_shortened), TEST(a_session_ends_once), TEST(a_seal_goes_into_the_chain),
		TEST(lists_are_filtered_and_newest_first), TEST(lists_use_an_index), TEST(channels_begin_and_end), TEST(details_have_a_limit), TEST(json_has_the_words_of_the_design),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
