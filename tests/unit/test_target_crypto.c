/* How each target was last connected to: what is kept, what is refused, and how many rows. */
#include "store/target_crypto.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/sql.h"
#include "tests/unit/place.h"

#define T0 INT64_C(1800000000000)

static const struct target_crypto first = { "web1", 22, "sntrup761x25519-sha512", "ssh-ed25519",
	"aes256-gcm@openssh.com", true, false, T0 };

struct got {
	size_t count;
	char text[8][256];
};

static int list(const struct target_crypto *row, void *context)
{
	struct got *got = context;

	snprintf(got->text[got->count % 8], sizeof(got->text[0]), "%s:%u %s %s %s %s %s %" PRId64,
		row->target, row->port, row->kex, row->host_key ? row->host_key : "-",
		row->cipher ? row->cipher : "-", row->post_quantum ? "yes" : "no",
		row->scanned ? "scan" : "session", row->seen - T0);
	got->count++;
	return 0;
}

static struct got all(struct store *store)
{
	struct got got = { 0 };

	assert_int_equal(target_crypto_each(store, list, &got, NULL), 0);
	return got;
}

static void the_last_one_counts(void **state)
{
	struct store *store = place_store(state);
	struct target_crypto facts = first;

	assert_int_equal(all(store).count, 0);
	assert_int_equal(target_crypto_seen(store, &facts, NULL), 0);
	assert_string_equal(all(store).text[0],
		"web1:22 sntrup761x25519-sha512 ssh-ed25519 aes256-gcm@openssh.com yes session 0");
	facts = (struct target_crypto){ "WEB1", 22, "curve25519-sha256", NULL, NULL, false, true,
		T0 + 1 };
	assert_int_equal(target_crypto_seen(store, &facts, NULL), 0);
	struct got got = all(store);
	assert_int_equal(got.count, 1);
	assert_string_equal(got.text[0], "web1:22 curve25519-sha256 - - no scan 1");
	facts.port = 2222;
	assert_int_equal(target_crypto_seen(store, &facts, NULL), 0);
	assert_int_equal(all(store).count, 2);
}

static void the_same_facts_are_not_written_each_time(void **state)
{
	struct store *store = place_store(state);
	struct target_crypto facts = first;
	static const struct {
		int64_t at, want;
	} cases[] = { { 0, 0 }, { TARGET_CRYPTO_FRESH_MS - 1, 0 },
		{ TARGET_CRYPTO_FRESH_MS, TARGET_CRYPTO_FRESH_MS }, { -5, -5 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char want[256];
		facts.seen = T0 + cases[i].at;
		assert_int_equal(target_crypto_seen(store, &facts, NULL), 0);
		snprintf(want, sizeof(want),
			"web1:22 sntrup761x25519-sha512 ssh-ed25519 aes256-gcm@openssh.com yes "
			"session %" PRId64,
			cases[i].want);
		assert_string_equal(all(store).text[0], want);
	}
}

static void only_names_of_algorithms_are_kept(void **state)
{
	struct store *store = place_store(state);
	char name[TARGET_CRYPTO_NAME_MAX + 2];
	const char *const bad[] = { "", "a b", "a,b", "a\033[2J", "\xc3\xa4", "a\x7f", name };

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct target_crypto facts[3] = { first, first, first };
		facts[0].kex = facts[1].host_key = facts[2].cipher = bad[i];
		for (int j = 0; j < 3; j++)
			assert_int_equal(target_crypto_seen(store, &facts[j], NULL), -EINVAL);
	}
	assert_int_equal(all(store).count, 0);
	struct target_crypto longest = first;
	longest.kex = name + 1;
	assert_int_equal(target_crypto_seen(store, &longest, NULL), 0);
}

static void the_oldest_row_gives_way(void **state)
{
	struct store *store = place_store(state);
	struct target_crypto facts = first;
	char name[32];

	facts.target = name;
	assert_int_equal(store_begin(store, NULL), 0);
	for (unsigned i = 0; i <= TARGET_CRYPTO_MAX; i++) {
		snprintf(name, sizeof(name), "h%05u", i);
		/* the second one is the oldest */
		facts.seen = i == 1 ? T0 - 1 : T0 + i;
		assert_int_equal(target_crypto_seen(store, &facts, NULL), 0);
	}
	assert_int_equal(store_commit(store, NULL), 0);
	struct got got = all(store);
	assert_int_equal(got.count, TARGET_CRYPTO_MAX);
	assert_int_equal(strncmp(got.text[(TARGET_CRYPTO_MAX - 1) % 8], "h20000", 6), 0);
	int64_t left = -1;
	assert_int_equal(sql_number(store, &left, NULL,
				 "SELECT COUNT(*) FROM target_crypto WHERE target = 'h00001'", ""),
		0);
	assert_int_equal(left, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, place_set_up, place_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_last_one_counts),
		TEST(the_same_facts_are_not_written_each_time),
		TEST(only_names_of_algorithms_are_kept),
		TEST(the_oldest_row_gives_way),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
