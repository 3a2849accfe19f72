/* Who has come in with which key: shared keys make one person of two names, for votes, reviews and
 * revocations. */
#include "store/holders.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/approvals.h"
#include "store/revocations.h"
#include "store/sql.h"
#include "tests/unit/scratch.h"

#define NOW 1800000000LL

static char *no_groups[] = { NULL };
struct world {
	struct scratch scratch;
	struct store *store;
};

static int setup(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	world->scratch = scratch_new();
	*state = world;
	return store_open(world->scratch.fd, false, &world->store, NULL);
}

static int teardown(void **state)
{
	struct world *world = *state;
	store_close(world->store);
	scratch_remove(&world->scratch);
	free(world);
	return 0;
}

static struct identity person(const char *name, const char *key)
{
	return (struct identity){ .user = (char *)name,
		.provider = "ca:SHA256:x",
		.subject = (char *)name,
		.key_fp = (char *)key,
		.groups = no_groups };
}

static void seen(struct world *world, const char *name, const char *key, int64_t now)
{
	struct identity who = person(name, key);
	assert_int_equal(holders_seen(world->store, &who, now, NULL), 0);
}

static int shared(struct world *world, const char *a, const char *b)
{
	struct identity who = person(b, NULL);
	return holders_shared(world->store, "ca:SHA256:x", a, &who, NULL);
}

static int64_t rows(struct world *world)
{
	int64_t count = -1;
	assert_int_equal(
		sql_number(world->store, &count, NULL, "SELECT COUNT(*) FROM key_holders", ""), 0);
	return count;
}

static void one_key_is_one_person(void **state)
{
	struct world *world = *state;
	seen(world, "deploy", "K1", NOW);
	seen(world, "admin", "K2", NOW);
	assert_int_equal(shared(world, "deploy", "admin"), 0);
	assert_int_equal(shared(world, "deploy", "deploy"), 1);
	seen(world, "admin", "K1", NOW);
	assert_int_equal(shared(world, "deploy", "admin"), 1);
	assert_int_equal(shared(world, "admin", "deploy"), 1);
	assert_int_equal(shared(world, "admin", "nobody"), 0);
	struct identity elsewhere =
		person("deploy", "K3"); /* the same subject at another provider is somebody else */
	elsewhere.provider = "corp";
	assert_int_equal(holders_seen(world->store, &elsewhere, NOW, NULL), 0);
	assert_int_equal(holders_shared(world->store, "ca:SHA256:x", "admin", &elsewhere, NULL), 0);
}

static void rows_do_not_pile_up(void **state)
{
	struct world *world = *state;
	seen(world, "deploy", "K1", NOW);
	seen(world, "deploy", "K1", NOW + 10);
	seen(world, "deploy", "K1", NOW + HOLDERS_FRESH_S);
	assert_int_equal(rows(world), 1);
	seen(world, "admin", "K2", NOW + HOLDERS_KEPT_S);
	assert_int_equal(rows(world), 2);
	seen(world, "admin", "K3",
		NOW + HOLDERS_KEPT_S + HOLDERS_FRESH_S + 1); /* K1 was seen too long ago */
	assert_int_equal(rows(world), 2);
	struct identity machine = person("ci", "K4"), keyless = person("dora", NULL);
	machine.machine = true;
	assert_int_equal(holders_seen(world->store, &machine, NOW, NULL), 0);
	assert_int_equal(holders_seen(world->store, &keyless, NOW, NULL), 0);
	assert_int_equal(rows(world), 2);
}

static int vote(struct world *world, const char *id, const char *who, struct err *err)
{
	struct identity identity = person(who, NULL);
	struct vote ballot = { .who = &identity, .approve = true, .note = "" };
	enum approval_state state;
	return approvals_vote(world->store, id, &ballot, 0, 2, &state, err);
}

static void votes(void **state)
{
	struct world *world = *state;
	static const struct approval_limits generous = { 100, 1000 };
	struct err err = { "" };
	struct approval request = { .provider = strdup("ca:SHA256:x"),
		.subject = strdup("deploy"),
		.user = strdup("deploy"),
		.source = strdup("127.0.0.1"),
		.target = strdup("db1"),
		.login = strdup("root"),
		.kind = strdup("exec"),
		.rule = strdup("prod"),
		.by = strdup("lead"),
		.command = BUF_INIT(APPROVALS_COMMAND_MAX),
		.reason = strdup(""),
		.votes_needed = 3,
		.deadline = 1000,
		.window = 500 };
	assert_int_equal(approvals_create(world->store, &request, 1, &generous, NULL), 0);
	seen(world, "deploy", "K1", NOW);
	seen(world, "admin", "K1", NOW);
	seen(world, "lead1", "K2", NOW);
	seen(world, "lead2", "K2", NOW);
	assert_int_equal(vote(world, request.id, "admin", &err),
		-EPERM); /* asked as deploy, with the same key */
	assert_non_null(
		strstr(err.text, "your key was used to ask for this one (asked as 'deploy')"));
	assert_int_equal(vote(world, request.id, "lead1", &err), 0);
	assert_int_equal(vote(world, request.id, "lead2", &err), -EEXIST); /* one key, one vote */
	assert_non_null(strstr(err.text, "your key has voted"));
	assert_int_equal(vote(world, request.id, "lead3", &err), 0);
	approval_release(&request);
}

static void reviews(void **state)
{
	struct world *world = *state;
	char id[8];
	struct identity deploy = person("deploy", "K1"), admin = person("admin", "K1"),
			other = person("other", "K2");
	assert_int_equal(reviews_create(world->store, &deploy, "S", "db1", "why", 1, id, NULL), 0);
	seen(world, "deploy", "K1", NOW);
	seen(world, "other", "K2", NOW);
	seen(world, "admin", "K1", NOW);
	assert_int_equal(reviews_sign(world->store, id, &admin, "fine", 2, NULL), -EPERM);
	assert_int_equal(reviews_sign(world->store, id, &other, "fine", 2, NULL), 0);
}

static int revoked(struct world *world, const char *user, const char *key)
{
	struct revocation row = { 0 };
	const struct revocation_question question = { .user = user, .key_fp = key };
	int rc = revocations_find(world->store, &question, NOW, &row, NULL);
	revocation_release(&row);
	return rc;
}

/* A user is revoked in any spelling, and with every name that the key has. */
static void revocations(void **state)
{
	struct world *world = *state;
	int64_t id;
	const struct revocation row = {
		.kind = REVOKED_USER, .value = "Deploy", .ca = "", .reason = "", .by = "x"
	};
	seen(world, "deploy", "K1", NOW);
	seen(world, "admin", "K1", NOW);
	seen(world, "lead", "K2", NOW);
	assert_int_equal(revoked(world, "admin", "K1"), 0);
	assert_int_equal(revocations_put(world->store, &row, &id, NULL), 0);
	assert_int_equal(revoked(world, "deploy", "K9"), 1);
	assert_int_equal(revoked(world, "admin", "K1"), 1);
	assert_int_equal(revoked(world, NULL, "K1"), 1);
	assert_int_equal(revoked(world, "admin", "K9"), 0);
	assert_int_equal(revoked(world, "lead", "K2"), 0);
	assert_int_equal(revocations_remove(world->store, id, NULL, NULL), 0);
	assert_int_equal(revoked(world, "admin", "K1"), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(one_key_is_one_person), TEST(rows_do_not_pile_up),
		TEST(votes), TEST(reviews), TEST(revocations) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
