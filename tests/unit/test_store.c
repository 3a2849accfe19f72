/* The database as a whole: where it lies, who can open it, what it refuses; identities and
 * certificates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/wait.h>

#include "store/identities.h"
#include "store/sql.h"
#include "store/store.h"
#include "tests/unit/place.h"

static struct store *opened(const struct scratch *scratch, bool read_only)
{
	struct store *store = NULL;
	struct err err;
	int rc = store_open(scratch->fd, read_only, &store, &err);
	if (rc)
		print_error("%s\n", err.text);
	assert_int_equal(rc, 0);
	return store;
}

static int refused(const struct scratch *scratch, bool read_only, const char *words)
{
	struct store *store = NULL;
	struct err err = { "" };
	int rc = store_open(scratch->fd, read_only, &store, &err);
	assert_null(store);
	if (!strstr(err.text, words))
		print_error("%s\n", err.text);
	assert_non_null(strstr(err.text, words));
	return rc;
}

/* Names in the folder, sorted, joined by spaces. */
static const char *names(const struct scratch *scratch, char out[static 256])
{
	struct dirent **list;
	int count = scandir(scratch->path, &list, NULL, alphasort);
	*out = 0;
	for (int i = 0; i < count; i++) {
		if (list[i]->d_name[0] != '.')
			strcat(strcat(out, *out ? " " : ""), list[i]->d_name);
		free(list[i]);
	}
	free(list);
	return out;
}

static struct identity *person(
	const char *user, const char *provider, const char *subject, const char *group)
{
	struct identity who = { .user = (char *)user,
		.provider = (char *)provider,
		.subject = (char *)subject,
		.groups = (char *[]){ (char *)group, NULL },
		.group_count = group ? 1 : 0 };
	return identity_copy(&who);
}

/* ---- opening ---- */

static void a_new_store_is_for_its_owner_only(void **state)
{
	(void)state;
	struct scratch scratch = scratch_new();
	char got[256];
	mode_t before = umask(0);
	struct store *store = opened(&scratch, false);
	umask(before);
	assert_string_equal(
		names(&scratch, got), "bartizan.db bartizan.db-shm bartizan.db-wal bartizan.lock");
	for (char *name = strtok(got, " "); name; name = strtok(NULL, " ")) {
		struct stat st;
		assert_int_equal(fstatat(scratch.fd, name, &st, 0), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
	}
	store_close(store);
	scratch_remove(&scratch);
}

static void a_mode_that_was_too_wide_is_mended(void **state)
{
	(void)state;
	struct scratch scratch = scratch_new();
	struct stat st;
	store_close(opened(&scratch, false));
	assert_int_equal(fchmodat(scratch.fd, STORE_FILE, 0644, 0), 0);
	store_close(opened(&scratch, false));
	assert_int_equal(fstatat(scratch.fd, STORE_FILE, &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	scratch_remove(&scratch);
}

static void pragmas_are_as_decided(void **state)
{
	static const struct {
		const char *text;
		int64_t want;
	} cases[] = {
		{ "PRAGMA foreign_keys", 1 },
		{ "PRAGMA trusted_schema", 0 },
		{ "PRAGMA synchronous", 1 },
		{ "PRAGMA temp_store", 2 },
		{ "PRAGMA user_version", 7 },
		{ "SELECT journal_mode = 'wal' FROM pragma_journal_mode", 1 },
		{ "PRAGMA busy_timeout", STORE_BUSY_MS },
	};
	struct store *store = place_store(state);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t got = -1;
		assert_int_equal(sql_number(store, &got, NULL, cases[i].text, ""), 0);
		assert_int_equal(got, cases[i].want);
	}
	assert_int_not_equal(
		sql_exec(store, "PRAGMA writable_schema=ON; DELETE FROM sqlite_schema", NULL),
		0); /* defensive */
}

static void what_is_no_database_of_ours_is_refused(void **state)
{
	(void)state;
	struct scratch scratch = scratch_new();
	struct store *store;
	int fd = scratch_file(&scratch, STORE_FILE);
	char page[4096];
	memset(page, 'x', sizeof(page));
	assert_int_equal(fd_write_all(fd, page, sizeof(page)), 0);
	assert_int_equal(refused(&scratch, false, "not a database"), -EBADMSG);
	assert_int_equal(refused(&scratch, true, "not a database"), -EBADMSG);
	assert_int_equal(ftruncate(fd, 0), 0);
	store = opened(&scratch, false);
	assert_int_equal(sql_exec(store, "PRAGMA application_id = 7", NULL), 0);
	store_close(store);
	assert_int_equal(refused(&scratch, false, "not a database of this gateway"), -EBADMSG);
	close(fd);
	scratch_remove(&scratch);
}

static void a_newer_version_is_refused(void **state)
{
	(void)state;
	struct scratch scratch = scratch_new();
	struct store *store = opened(&scratch, false);
	assert_int_equal(sql_exec(store, "PRAGMA user_version = 8", NULL), 0);
	store_close(store);
	assert_int_equal(refused(&scratch, false, "newer"), -ENOTSUP);
	assert_int_equal(refused(&scratch, true, "newer"), -ENOTSUP);
	scratch_remove(&scratch);
}

static void what_was_written_is_there_again(void **state)
{
	(void)state;
	struct scratch scratch = scratch_new();
	struct store *store = opened(&scratch, false);
	struct identity *alice = person("alice", "corp", "1", "sre"), *got = NULL;
	assert_int_equal(identities_put(store, alice, 1, NULL), 0);
	store_close(store);
	store = opened(&scratch, false);
	assert_int_equal(identities_by_user(store, "alice", &got, NULL), 0);
	assert_true(identity_same(alice, got));
	identity_free(got);
	identity_free(alice);
	store_close(store);
	scratch_remove(&scratch);
}

/* ---- reading only ---- */

static void reading_creates_nothing(void **state)
{
	(void)state;
	struct scratch scratch = scratch_new();
	char before[256], after[256];
	struct store *store;
	assert_int_equal(refused(&scratch, true, "No such file"), -ENOENT);
	assert_string_equal(names(&scratch, after), "");
	store_close(opened(&scratch, false));
	assert_string_equal(names(&scratch, before), "bartizan.db bartizan.lock");
	store = opened(&scratch, true);
	int64_t one;
	assert_int_equal(sql_number(store, &one, NULL, "SELECT COUNT(*) FROM audit", ""), 0);
	assert_string_equal(names(&scratch, after), before);
	store_close(store);
	assert_string_equal(names(&scratch, after), before);
	scratch_remove(&scratch);
}

static void reading_works_beside_a_writer(void **state)
{
	(void)state;
	struct scratch scratch = scratch_new();
	struct store *writer = opened(&scratch, false), *reader = opened(&scratch, true);
	struct identity *alice = person("alice", "corp", "1", NULL), *got = NULL;
	struct err err;
	char before[256], after[256];
	names(&scratch, before);
	assert_int_equal(identities_by_user(reader, "alice", &got, NULL), -ENOENT);
	assert_int_equal(identities_put(writer, alice, 1, NULL), 0);
	assert_int_equal(identities_by_user(reader, "alice", &got, NULL), 0);
	assert_int_equal(identities_put(reader, alice, 2, &err), -EROFS);
	store_close(reader);
	assert_int_equal(identities_put(writer, alice, 3, NULL), 0);
	assert_string_equal(names(&scratch, after), before);
	identity_free(got);
	identity_free(alice);
	store_close(writer);
	scratch_remove(&scratch);
}

/* After a crash the log is still there, and what it holds is read. */
static void reading_works_after_a_crash(void **state)
{
	(void)state;
	struct scratch scratch = scratch_new();
	struct identity *alice = person("alice", "corp", "1", NULL), *got = NULL;
	int status;
	pid_t pid = fork();
	if (!pid) {
		struct store *store;
		_exit(store_open(scratch.fd, false, &store, NULL) ||
					identities_put(store, alice, 1, NULL)
				? 1
				: 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	struct store *store = opened(&scratch, true);
	assert_int_equal(identities_by_user(store, "alice", &got, NULL), 0);
	store_close(store);
	store = opened(&scratch, false);
	identity_free(got);
	assert_int_equal(identities_by_user(store, "alice", &got, NULL), 0);
	store_close(store);
	identity_free(got);
	identity_free(alice);
	scratch_remove(&scratch);
}

/* ---- privileges ---- */

static int unprivileged(int dir, const struct identity *who)
{
	struct store *writer = NULL, *reader = NULL;
	struct identity *got = NULL;
	struct err err = { "" };
	int rc = setgroups(0, NULL) || setgid(65534) || setuid(65534) ? -errno : 0;
	if (!rc)
		rc = store_open(dir, false, &writer, &err);
	if (!rc)
		rc = identities_put(writer, who, 1, &err);
	if (!rc)
		rc = store_open(dir, true, &reader, &err);
	if (!rc)
		rc = identities_by_user(reader, who->user, &got, &err);
	if (!rc)
		rc = sql_exec(writer, "PRAGMA wal_checkpoint(PASSIVE)", &err);
	if (!rc)
		rc = identities_put(writer, who, 2, &err);
	store_close(reader);
	store_close(writer);
	writer = NULL;
	if (!rc)
		rc = store_open(dir, false, &writer,
			&err); /* after the last checkpoint, which closing made */
	if (!rc)
		rc = sql_exec(writer, "PRAGMA wal_checkpoint(TRUNCATE)", &err);
	store_close(writer);
	if (rc)
		fprintf(stderr, "%s: %s\n", strerror(-rc), err.text);
	return rc;
}

/* The state directory lies below one that its owner cannot enter: only the descriptor leads there.
 */
static void the_way_to_the_directory_need_not_be_open(void **state)
{
	(void)state;
	struct scratch scratch = scratch_new();
	struct identity *alice = person("alice", "corp", "1", NULL);
	int status, dir;
	if (geteuid())
		skip(); /* needs two users */
	assert_int_equal(mkdirat(scratch.fd, "state", 0700) ||
				 fchownat(scratch.fd, "state", 65534, 65534, 0),
		0);
	assert_int_equal(fchmod(scratch.fd, 0700), 0);
	dir = openat(scratch.fd, "state", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	pid_t pid = fork();
	if (!pid)
		_exit(unprivileged(dir, alice) ? 1 : 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	identity_free(alice);
	close(dir);
	scratch_remove(&scratch);
}

/* ---- transactions ---- */

static void a_transaction_is_all_or_none(void **state)
{
	struct store *store = place_store(state);
	struct identity *alice = person("alice", "corp", "1", NULL), *got = NULL;
	assert_int_equal(store_begin(store, NULL), 0);
	assert_int_equal(store_begin(store, NULL), -EBUSY);
	assert_int_equal(identities_put(store, alice, 1, NULL), 0);
	store_rollback(store);
	store_rollback(store);
	assert_int_equal(identities_by_user(store, "alice", &got, NULL), -ENOENT);
	assert_int_equal(store_begin(store, NULL), 0);
	assert_int_equal(identities_put(store, alice, 1, NULL), 0);
	assert_int_equal(store_commit(store, NULL), 0);
	assert_int_equal(identities_by_user(store, "alice", &got, NULL), 0);
	identity_free(got);
	identity_free(alice);
}

static void a_second_writer_waits_and_is_told(void **state)
{
	(void)state;
	struct scratch scratch = scratch_new();
	struct store *one = opened(&scratch, false), *two = opened(&scratch, false);
	struct err err;
	assert_int_equal(store_begin(one, NULL), 0);
	assert_int_equal(store_begin(two, &err), -EBUSY);
	assert_int_equal(store_commit(one, NULL), 0);
	assert_int_equal(store_begin(two, &err), 0);
	store_rollback(two);
	store_close(one);
	store_close(two);
	scratch_remove(&scratch);
}

/* ---- identities ---- */

static void texts_have_a_limit(void **state)
{
	struct store *store = place_store(state);
	char *text = malloc(STORE_TEXT_MAX + 2);
	memset(text, 'x', STORE_TEXT_MAX + 1);
	text[STORE_TEXT_MAX + 1] = 0;
	struct identity who = { .user = text, .provider = "corp", .subject = "1" };
	assert_int_equal(identities_put(store, &who, 1, NULL), -EMSGSIZE);
	text[STORE_TEXT_MAX] = 0;
	assert_int_equal(identities_put(store, &who, 1, NULL), 0);
	free(text);
}

static void groups_follow_the_identity_and_have_a_limit(void **state)
{
	struct store *store = place_store(state);
	char **groups = calloc(IDENTITY_GROUPS_MAX + 2, sizeof(*groups));
	struct identity who = { .user = "alice",
		.provider = "corp",
		.subject = "1",
		.groups = groups,
		.group_count = IDENTITY_GROUPS_MAX + 1 },
			*got = NULL;
	for (size_t i = 0; i <= IDENTITY_GROUPS_MAX; i++)
		groups[i] = "g";
	assert_int_equal(identities_put(store, &who, 1, NULL), -EMSGSIZE);
	who.group_count = IDENTITY_GROUPS_MAX;
	assert_int_equal(identities_put(store, &who, 1, NULL), 0);
	assert_int_equal(identities_by_user(store, "alice", &got, NULL), 0);
	assert_int_equal(got->group_count, IDENTITY_GROUPS_MAX);
	identity_free(got);
	groups[0] = "leads";
	groups[1] = "sre";
	who.group_count = 2;
	assert_int_equal(identities_put(store, &who, 2, NULL), 0);
	assert_int_equal(identities_by_user(store, "alice", &got, NULL), 0);
	assert_int_equal(got->group_count, 2);
	assert_string_equal(got->groups[0], "leads");
	assert_string_equal(got->groups[1], "sre");
	assert_null(got->groups[2]);
	identity_free(got);
	who.group_count = 0;
	assert_int_equal(identities_put(store, &who, 3, NULL), 0);
	assert_int_equal(identities_by_user(store, "alice", &got, NULL), 0);
	assert_non_null(got->groups);
	assert_null(got->groups[0]);
	identity_free(got);
	free(groups);
}

static void a_name_that_two_providers_know_is_ambiguous(void **state)
{
	struct store *store = place_store(state);
	struct identity *one = person("alice", "corp", "1", NULL),
			*two = person("alice", "other", "1", NULL),
			*renamed = person("alicia", "other", "1", NULL), *got = NULL;
	assert_int_equal(identities_put(store, one, 1, NULL), 0);
	assert_int_equal(identities_put(store, two, 1, NULL), 0);
	assert_int_equal(identities_by_user(store, "alice", &got, NULL), -ENOTUNIQ);
	struct identity *local = person("alice", "local", "alice",
		NULL); /* an administrator's own record goes before namesakes */
	assert_int_equal(identities_put(store, local, 1, NULL), 0);
	assert_int_equal(identities_by_user(store, "alice", &got, NULL), 0);
	assert_string_equal(got->provider, "local");
	identity_free(got);
	free(local->user);
	local->user = strdup("somebody");
	assert_int_equal(identities_put(store, local, 2, NULL), 0);
	identity_free(local);
	assert_int_equal(identities_put(store, renamed, 2, NULL),
		0); /* the same subject under another name */
	assert_int_equal(identities_by_user(store, "alice", &got, NULL), 0);
	assert_string_equal(got->provider, "corp");
	identity_free(got);
	identity_free(one);
	identity_free(two);
	identity_free(renamed);
}

static void certificates_lead_to_their_identity(void **state)
{
	struct store *store = place_store(state);
	struct identity *alice = person("alice", "corp", "1", "sre"), *got = NULL;
	struct certificate_row row = { .provider = "corp",
		.subject = "1",
		.user = "alice",
		.key_id = "alice 7",
		.key_fp = "SHA256:abc",
		.valid_after = 10,
		.valid_before = 20,
		.issued = 15 };
	assert_int_equal(certificates_next_serial(store, &row.serial, NULL), 0);
	assert_int_equal(
		certificates_put(store, &row, NULL), -EEXIST); /* nobody of that name was seen */
	assert_int_equal(identities_put(store, alice, 1, NULL), 0);
	assert_int_equal(certificates_put(store, &row, NULL), 0);
	assert_int_equal(certificates_put(store, &row, NULL), -EEXIST);
	assert_int_equal(identities_by_serial(store, row.serial, "SHA256:abc", &got, NULL), 0);
	assert_true(identity_same(got, alice));
	assert_true(identity_in_group(got, "sre"));
	assert_int_equal(got->serial, row.serial);
	assert_int_equal(got->expires, 20);
	assert_string_equal(got->key_id, "alice 7");
	identity_free(got);
	got = NULL;
	assert_int_equal(
		identities_by_serial(store, row.serial, "SHA256:abd", &got, NULL), -EACCES);
	assert_int_equal(
		identities_by_serial(store, row.serial + 1, "SHA256:abc", &got, NULL), -ENOENT);
	assert_int_equal(
		identities_by_serial(store, UINT64_MAX, "SHA256:abc", &got, NULL), -ENOENT);
	assert_null(got);
	identity_free(alice);
}

static void serials_are_never_given_twice(void **state)
{
	(void)state;
	struct scratch scratch = scratch_new();
	uint64_t last = 0, serial;
	for (int round = 0; round < 3; round++) {
		struct store *one = opened(&scratch, false), *two = opened(&scratch, false);
		uint64_t high = last;
		for (int i = 0; i < 70; i++) {
			assert_int_equal(certificates_next_serial(one, &serial, NULL), 0);
			assert_true(serial > last);
			high = serial > high ? serial : high;
			uint64_t other;
			assert_int_equal(certificates_next_serial(two, &other, NULL), 0);
			assert_true(other > last);
			assert_int_not_equal(other, serial);
			high = other > high ? other : high;
		}
		last = high;
		store_close(one);
		store_close(two);
	}
	struct store *store = opened(&scratch, false);
	assert_int_equal(store_begin(store, NULL), 0);
	assert_int_equal(certificates_next_serial(store, &serial, NULL), -EBUSY);
	store_rollback(store);
	assert_int_equal(certificates_next_serial(store, &serial, NULL), 0);
	int64_t synchronous;
	assert_int_equal(sql_number(store, &synchronous, NULL, "PRAGMA synchronous", ""), 0);
	assert_int_equal(synchronous, 1);
	store_close(store);
	scratch_remove(&scratch);
}

#define WITH_STORE(name) cmocka_unit_test_setup_teardown(name, place_set_up, place_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_store_is_for_its_owner_only),
		cmocka_unit_test(a_mode_that_was_too_wide_is_mended),
		WITH_STORE(pragmas_are_as_decided),
		cmocka_unit_test(what_is_no_database_of_ours_is_refused),
		cmocka_unit_test(a_newer_version_is_refused),
		cmocka_unit_test(what_was_written_is_there_again),
		cmocka_unit_test(reading_creates_nothing),
		cmocka_unit_test(reading_works_beside_a_writer),
		cmocka_unit_test(reading_works_after_a_crash),
		cmocka_unit_test(the_way_to_the_directory_need_not_be_open),
		WITH_STORE(a_transaction_is_all_or_none),
		cmocka_unit_test(a_second_writer_waits_and_is_told),
		WITH_STORE(texts_have_a_limit),
		WITH_STORE(groups_follow_the_identity_and_have_a_limit),
		WITH_STORE(a_name_that_two_providers_know_is_ambiguous),
		WITH_STORE(certificates_lead_to_their_identity),
		cmocka_unit_test(serials_are_never_given_twice),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
