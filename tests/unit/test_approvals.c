/* The approval queue: each state with each event, quorum, races, self-approval, limits, scopes, uses, expiry; the clock that survives restarts; reviews. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/approvals.h"
#include "store/lapse.h"
#include "tests/unit/place.h"

static const struct approval_limits generous = { 100, 1000 };
static char *no_groups[] = { NULL };

static struct identity person(const char *name)
{
	return (struct identity){ .user = (char *)name, .provider = "corp", .subject = (char *)name, .groups = no_groups };
}

static struct approval request(const char *user, const char *command, unsigned needed)
{
	struct approval approval = { .provider = strdup("corp"), .subject = strdup(user), .user = strdup(user), .source = strdup("127.0.0.1"), .target = strdup("db1"),
		.login = strdup("deploy"), .kind = strdup("exec"), .rule = strdup("prod"), .by = strdup("lead"), .command = BUF_INIT(APPROVALS_COMMAND_MAX), .exact = *command,
		.reason = strdup("why not"), .votes_needed = needed, .deadline = 1000, .window = 500 };
	assert_int_equal(buf_puts(&approval.command, command), 0);
	return approval;
}

static void create(struct place *world, const char *user, const char *command, unsigned needed, char id[ID_SHORT_LEN + 1])
{
	struct approval approval = request(user, command, needed);
	assert_int_equal(approvals_create(world->store, &approval, 1, &generous, NULL), 0);
	memcpy(id, approval.id, sizeof(approval.id));
	approval_release(&approval);
}

static int vote(struct place *world, const char *id, const char *who, bool approve, int64_t lapse, enum approval_state *ret)
{
	struct identity identity = person(who);
	struct vote ballot = { .who = &identity, .approve = approve, .note = "note" };
	return approvals_vote(world->store, id, &ballot, lapse, 2, ret, NULL);
}

static void assert_vote(struct place *world, const char *id, const char *who, bool approve, enum approval_state becomes)
{
	enum approval_state got;

	assert_int_equal(vote(world, id, who, approve, 10, &got), 0);
	assert_int_equal(got, becomes);
}

static enum approval_state state_of(struct place *world, const char *id)
{
	struct approval approval;
	assert_int_equal(approvals_get(world->store, id, &approval, NULL), 0);
	enum approval_state state = approval.state;
	approval_release(&approval);
	return state;
}

static int find(struct place *world, const char *user, const char *command, int64_t lapse, struct approval *ret)
{
	struct identity identity = person(user);
	struct approval_scope scope = { .who = &identity, .target = "db1", .login = "deploy", .kind = "exec", .command = { (const uint8_t *)command, strlen(command) } };
	return approvals_find(world->store, &scope, *command, lapse, ret, NULL);
}

static void every_event_in_every_state(void **state)
{
	static const int expected[APPROVAL_STATES][APPROVAL_EVENTS] = {
		{ APPROVAL_APPROVED, APPROVAL_DENIED, APPROVAL_EXPIRED, APPROVAL_CANCELLED, -EPERM, -EPERM, -EPERM },
		{ -EPERM, -EPERM, APPROVAL_EXPIRED, -EPERM, APPROVAL_REVOKED, APPROVAL_USED_UP, APPROVAL_APPROVED },
		{ -EPERM, -EPERM, -EPERM, -EPERM, -EPERM, -EPERM, -EPERM }, { -EPERM, -EPERM, -EPERM, -EPERM, -EPERM, -EPERM, -EPERM },
		{ -EPERM, -EPERM, -EPERM, -EPERM, -EPERM, -EPERM, -EPERM }, { -EPERM, -EPERM, -EPERM, -EPERM, -EPERM, -EPERM, -EPERM },
		{ -EPERM, -EPERM, -EPERM, -EPERM, APPROVAL_REVOKED, -EPERM, APPROVAL_APPROVED },
	};
	(void)state;
	for (int s = 0; s < APPROVAL_STATES; s++)
		for (int e = 0; e < APPROVAL_EVENTS; e++)
			assert_int_equal(approval_next((enum approval_state)s, (enum approval_event)e), expected[s][e]);
	assert_int_equal(approval_next(APPROVAL_STATES, APPROVAL_QUORUM), -EPERM);
	assert_int_equal(approval_next(APPROVAL_PENDING, APPROVAL_EVENTS), -EPERM);
}

static void rows_follow_the_table(void **state)
{
	struct place *world = *state;
	enum approval_state got;
	char id[ID_SHORT_LEN + 1];
	create(world, "alice", "a", 1, id);
	assert_int_equal(approvals_revoke(world->store, id, "bob", "", 3, NULL), -EALREADY);
	assert_vote(world, id, "bob", true, APPROVAL_APPROVED);
	assert_int_equal(vote(world, id, "carol", false, 10, &got), -EALREADY);
	assert_int_equal(approvals_cancel(world->store, id, "alice", "", 3, NULL), -EALREADY);
	assert_int_equal(approvals_revoke(world->store, id, "bob", "enough", 3, NULL), 0);
	assert_int_equal(state_of(world, id), APPROVAL_REVOKED);
	assert_int_equal(approvals_use(world->store, id, "S", 0, 11, 3, NULL), -EALREADY);

	create(world, "alice", "b", 1, id);
	assert_int_equal(approvals_cancel(world->store, id, "alice", "", 3, NULL), 0);
	assert_int_equal(vote(world, id, "bob", true, 10, &got), -EALREADY);
	assert_int_equal(state_of(world, id), APPROVAL_CANCELLED);

	create(world, "alice", "c", 1, id);
	assert_vote(world, id, "bob", false, APPROVAL_DENIED);
	assert_int_equal(vote(world, id, "carol", true, 10, &got), -EALREADY);
	assert_int_equal(vote(world, "ZZZZZ", "carol", true, 10, &got), -ENOENT);
	assert_int_equal(vote(world, "'; --", "carol", true, 10, &got), -ENOENT);
}

static void quorum(void **state)
{
	struct place *world = *state;
	enum approval_state got;
	char id[ID_SHORT_LEN + 1];
	create(world, "alice", "a", 2, id);
	assert_vote(world, id, "bob", true, APPROVAL_PENDING);
	assert_int_equal(vote(world, id, "bob", true, 10, &got), -EEXIST); /* one person, one vote */
	assert_int_equal(vote(world, id, "bob", false, 10, &got), -EEXIST);
	assert_vote(world, id, "carol", true, APPROVAL_APPROVED);
	struct approval approval = request("alice", "b", 0);
	assert_int_equal(approvals_create(world->store, &approval, 1, &generous, NULL), -EINVAL);
	approval.votes_needed = APPROVALS_VOTES_MAX + 1;
	assert_int_equal(approvals_create(world->store, &approval, 1, &generous, NULL), -EINVAL);
	approval_release(&approval);
}

static void nobody_approves_himself(void **state)
{
	struct place *world = *state;
	enum approval_state got;
	char id[ID_SHORT_LEN + 1];
	create(world, "alice", "a", 1, id);
	assert_int_equal(vote(world, id, "alice", true, 10, &got), -EPERM);
	assert_int_equal(vote(world, id, "alice", false, 10, &got), -EPERM);
	struct identity renamed = person("alice"); /* another spelling of the same person */
	renamed.user = "Alice";
	struct vote ballot = { .who = &renamed, .approve = true };
	assert_int_equal(approvals_vote(world->store, id, &ballot, 10, 2, &got, NULL), -EPERM);
	struct identity namesake = person("alice"); /* the same name from elsewhere is somebody else */
	namesake.provider = "other";
	ballot.who = &namesake;
	assert_int_equal(approvals_vote(world->store, id, &ballot, 10, 2, &got, NULL), 0);
}

static void limits(void **state)
{
	struct place *world = *state;
	static const struct approval_limits tight = { 2, 3 };
	struct approval approval;
	for (int i = 0; i < 3; i++) {
		approval = request("alice", "a", 1);
		assert_int_equal(approvals_create(world->store, &approval, 1, &tight, NULL), i < 2 ? 0 : -EDQUOT);
		approval_release(&approval);
	}
	for (int i = 0; i < 2; i++) {
		approval = request("bob", "a", 1);
		assert_int_equal(approvals_create(world->store, &approval, 1, &tight, NULL), i < 1 ? 0 : -EDQUOT);
		approval_release(&approval);
	}
	approval = request("carol", "a", 1);
	free(approval.reason);
	approval.reason = malloc(APPROVALS_REASON_MAX + 2);
	memset(approval.reason, 'x', APPROVALS_REASON_MAX + 1);
	approval.reason[APPROVALS_REASON_MAX + 1] = 0;
	assert_int_equal(approvals_create(world->store, &approval, 1, &generous, NULL), -EMSGSIZE);
	approval.reason[APPROVALS_REASON_MAX] = 0;
	assert_int_equal(approvals_create(world->store, &approval, 1, &generous, NULL), 0);
	approval_release(&approval);
}

static void scopes_and_uses(void **state)
{
	struct place *world = *state;
	enum approval_state got;
	struct approval found;
	char id[ID_SHORT_LEN + 1];
	create(world, "alice", "rm -rf x", 1, id);
	assert_int_equal(find(world, "alice", "rm -rf x", 10, &found), 0); /* the same command picks its request up */
	assert_string_equal(found.id, id);
	assert_int_equal(found.state, APPROVAL_PENDING);
	approval_release(&found);
	assert_int_equal(find(world, "alice", "rm -rf y", 10, &found), -ENOENT); /* a changed byte asks again */
	assert_int_equal(find(world, "bob", "rm -rf x", 10, &found), -ENOENT);
	assert_int_equal(find(world, "alice", "", 10, &found), -ENOENT); /* an exact one covers nothing else */
	struct identity bob = person("bob");
	struct vote ballot = { .who = &bob, .approve = true, .uses = 1, .window = 10000 };
	assert_int_equal(approvals_vote(world->store, id, &ballot, 10, 2, &got, NULL), 0);
	assert_int_equal(find(world, "alice", "rm -rf x", 11, &found), 0);
	assert_int_equal(found.until, 510); /* a voter narrows, never widens */
	assert_int_equal(found.uses_max, 1);
	approval_release(&found);
	assert_int_equal(approvals_use(world->store, id, "S1", 0, 12, 3, NULL), 0);
	assert_int_equal(approvals_use(world->store, id, "S2", 0, 12, 3, NULL), -EALREADY); /* uses: 1, two connections: one winner */
	assert_int_equal(state_of(world, id), APPROVAL_USED_UP);
	assert_int_equal(find(world, "alice", "rm -rf x", 13, &found), -ENOENT);
	assert_int_equal(approvals_revoke(world->store, id, "bob", "", 3, NULL), 0); /* what it opened may be ended */
}

/* A session that opened nothing gives its uses back, once; not of a grant that is over or revoked, and never another's. */
static void given_back(void **state)
{
	struct place *world = *state;
	enum approval_state got;
	struct approval found;
	char id[ID_SHORT_LEN + 1];
	create(world, "alice", "a", 1, id);
	struct identity bob = person("bob");
	struct vote ballot = { .who = &bob, .approve = true, .uses = 2, .note = "fine" };
	assert_int_equal(approvals_give_back(world->store, id, "S1", 10, NULL), -ENOENT); /* pending */
	assert_int_equal(approvals_vote(world->store, id, &ballot, 10, 2, &got, NULL), 0); /* until 510 */
	assert_int_equal(approvals_use(world->store, id, "S1", 0, 12, 3, NULL), 0);
	assert_int_equal(approvals_use(world->store, id, "S1", 1, 12, 3, NULL), 0);
	assert_int_equal(state_of(world, id), APPROVAL_USED_UP);
	assert_int_equal(approvals_get(world->store, id, &found, NULL), 0);
	assert_string_equal(found.decided_by, "bob"); /* the last use decides nothing */
	assert_string_equal(found.note, "fine");
	assert_int_equal(found.decided, 2);
	approval_release(&found);
	assert_int_equal(approvals_give_back(world->store, id, "S2", 13, NULL), -ENOENT);
	assert_int_equal(approvals_give_back(world->store, id, "S1", 510, NULL), -ENOENT); /* the window is over */
	assert_int_equal(state_of(world, id), APPROVAL_USED_UP);
	assert_int_equal(approvals_give_back(world->store, id, "S1", 13, NULL), 0);
	assert_int_equal(approvals_give_back(world->store, id, "S1", 13, NULL), -ENOENT);
	assert_int_equal(find(world, "alice", "a", 13, &found), 0);
	assert_int_equal(found.uses, 0);
	assert_string_equal(found.decided_by, "bob");
	approval_release(&found);
	assert_int_equal(approvals_use(world->store, id, "S3", 0, 14, 3, NULL), 0);
	assert_int_equal(approvals_revoke(world->store, id, "bob", "", 3, NULL), 0);
	assert_int_equal(approvals_give_back(world->store, id, "S3", 15, NULL), -ENOENT);
	assert_int_equal(state_of(world, id), APPROVAL_REVOKED);
}

static int count(const struct approval *approval, void *context)
{
	(void)approval;
	++*(int *)context;
	return 0;
}

static void expiry(void **state)
{
	struct place *world = *state;
	enum approval_state got;
	struct approval found;
	char pending[ID_SHORT_LEN + 1], granted[ID_SHORT_LEN + 1];
	int64_t next;
	int told = 0;
	create(world, "alice", "a", 1, pending);
	create(world, "alice", "b", 1, granted);
	assert_int_equal(vote(world, granted, "bob", true, 100, &got), 0); /* until 600: the window starts at approval */
	assert_int_equal(approvals_expire(world->store, 599, 5, count, &told, &next, NULL), 0);
	assert_int_equal(told, 0);
	assert_int_equal(next, 600);
	assert_int_equal(approvals_extend(world->store, granted, 100, 599, NULL), 0);
	assert_int_equal(approvals_expire(world->store, 650, 5, count, &told, &next, NULL), 0);
	assert_int_equal(next, 700);
	assert_int_equal(approvals_expire(world->store, 700, 5, count, &told, &next, NULL), 0);
	assert_int_equal(told, 1);
	assert_int_equal(state_of(world, granted), APPROVAL_EXPIRED);
	assert_int_equal(approvals_extend(world->store, granted, 100, 700, NULL), -EALREADY);
	assert_int_equal(vote(world, pending, "bob", true, 1000, &got), -EALREADY); /* on the dot is too late, also before the sweep */
	assert_int_equal(find(world, "alice", "a", 1000, &found), -ENOENT);
	assert_int_equal(approvals_expire(world->store, 1000, 5, count, &told, &next, NULL), 0);
	assert_int_equal(told, 2);
	assert_int_equal(next, -1);
}

static int keep_ids(const struct approval *approval, void *context)
{
	strcat(context, approval->id);
	return 0;
}

/* With bounds that follow each other each end is told once: requests by their deadline, grants by their window, and nothing that has ended. */
static void what_ends_soon(void **state)
{
	struct place *world = *state;
	enum approval_state got;
	char pending[ID_SHORT_LEN + 1], granted[ID_SHORT_LEN + 1], denied[ID_SHORT_LEN + 1], told[64] = "";
	int64_t next;
	create(world, "alice", "a", 1, pending);
	create(world, "alice", "b", 1, granted);
	create(world, "alice", "c", 1, denied);
	assert_int_equal(vote(world, granted, "bob", true, 100, &got), 0); /* until 600 */
	assert_int_equal(vote(world, denied, "bob", false, 100, &got), 0);
	assert_int_equal(approvals_next_end(world->store, -1, &next, NULL), 0);
	assert_int_equal(next, 600);
	assert_int_equal(approvals_ending(world->store, 0, 599, keep_ids, told, NULL), 0);
	assert_string_equal(told, "");
	assert_int_equal(approvals_ending(world->store, 599, 600, keep_ids, told, NULL), 0);
	assert_string_equal(told, granted);
	assert_int_equal(approvals_next_end(world->store, 600, &next, NULL), 0);
	assert_int_equal(next, 1000);
	*told = 0;
	assert_int_equal(approvals_ending(world->store, 600, 5000, keep_ids, told, NULL), 0);
	assert_string_equal(told, pending);
	assert_int_equal(approvals_next_end(world->store, 1000, &next, NULL), 0);
	assert_int_equal(next, -1);
}

struct seen { int count; const char *first; };

static int see(const struct approval *approval, void *context)
{
	struct seen *seen = context;
	if (!seen->count++)
		assert_string_equal(approval->id, seen->first);
	return 0;
}

static int listed(struct place *world, const struct approval_filter *filter, int64_t lapse, const char *first)
{
	struct seen seen = { 0, first };
	assert_int_equal(approvals_each(world->store, filter, lapse, see, &seen, NULL), 0);
	return seen.count;
}

static void lists(void **state)
{
	struct place *world = *state;
	enum approval_state got;
	char alices[ID_SHORT_LEN + 1], bobs[ID_SHORT_LEN + 1], over[ID_SHORT_LEN + 1];
	create(world, "alice", "a", 1, alices);
	create(world, "alice", "b", 1, over);
	assert_int_equal(vote(world, over, "bob", false, 10, &got), 0);
	struct approval approval = request("bob", "c", 1);
	assert_int_equal(approvals_create(world->store, &approval, 9, &generous, NULL), 0); /* later than the others */
	memcpy(bobs, approval.id, sizeof(bobs));
	approval_release(&approval);
	assert_int_equal(listed(world, &(struct approval_filter){ .state = -1 }, 10, bobs), 3);
	assert_int_equal(listed(world, &(struct approval_filter){ .state = -1, .limit = 1 }, 10, bobs), 1);
	assert_int_equal(listed(world, &(struct approval_filter){ .state = -1, .open_only = true }, 10, bobs), 2);
	assert_int_equal(listed(world, &(struct approval_filter){ .state = -1, .open_only = true }, 1000, NULL), 0); /* the deadline has passed */
	assert_int_equal(listed(world, &(struct approval_filter){ .state = APPROVAL_DENIED }, 10, over), 1);
	assert_int_equal(listed(world, &(struct approval_filter){ .state = -1, .provider = "corp", .subject = "bob" }, 10, bobs), 1);
	assert_int_equal(listed(world, &(struct approval_filter){ .state = -1, .provider = "other", .subject = "bob" }, 10, NULL), 0);
}

/* A grant for one target, login, kind, rule and role is none for another. */
static void a_grant_s_scope(void **state)
{
	struct place *world = *state;
	struct identity alice = person("alice"), namesake = person("alice");
	struct approval found;
	enum approval_state got;
	char id[ID_SHORT_LEN + 1];
	namesake.provider = "other";
	struct approval approval = request("alice", "", 1);
	assert_int_equal(approvals_create(world->store, &approval, 1, &generous, NULL), 0);
	memcpy(id, approval.id, sizeof(id));
	approval_release(&approval);
	assert_int_equal(vote(world, id, "bob", true, 10, &got), 0);
	const struct approval_scope right = { .who = &alice, .target = "db1", .login = "deploy", .kind = "exec", .rule = "prod", .by = "lead",
		.command = { (const uint8_t *)"anything", 8 } };
	struct approval_scope wrong[7];
	for (size_t i = 0; i < 7; i++)
		wrong[i] = right;
	wrong[0].who = &namesake;
	wrong[1].target = "db2";
	wrong[2].login = "root";
	wrong[3].kind = "shell";
	wrong[4].rule = "other";
	wrong[5].by = "boss";
	assert_int_equal(approvals_find(world->store, &right, false, 11, &found, NULL), 0);
	assert_string_equal(found.id, id);
	approval_release(&found);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(approvals_find(world->store, &wrong[i], false, 11, &found, NULL), -ENOENT);
	assert_int_equal(approvals_find(world->store, &wrong[6], true, 11, &found, NULL), -ENOENT); /* the bytes of a guard need a yes of their own */
}

static void survives_a_restart(void **state)
{
	struct place *world = *state;
	enum approval_state got;
	char id[ID_SHORT_LEN + 1];
	create(world, "alice", "a", 2, id);
	assert_int_equal(vote(world, id, "bob", true, 10, &got), 0);
	store_close(world->store);
	assert_int_equal(store_open(world->scratch.fd, false, &world->store, NULL), 0);
	assert_int_equal(vote(world, id, "bob", true, 10, &got), -EEXIST); /* a vote is consumed once */
	assert_vote(world, id, "carol", true, APPROVAL_APPROVED);
}

static void lapse(void **state)
{
	struct place *world = *state;
	struct lapse_reading reading = { .boot = { 1 }, .boottime_ms = 5000, .wall_ms = 1000000 };
	int64_t now = -1, then;
	assert_int_equal(lapse_now(world->store, &reading, &then, NULL), 0);
	reading.boottime_ms += 70;
	reading.wall_ms -= 500000; /* somebody set the clock */
	assert_int_equal(lapse_now(world->store, &reading, &now, NULL), 0);
	assert_int_equal(now, then + 70);
	reading = (struct lapse_reading){ .boot = { 2 }, .boottime_ms = 10, .wall_ms = 500300 }; /* a reboot that took 300 ms */
	assert_int_equal(lapse_now(world->store, &reading, &now, NULL), 0);
	assert_int_equal(now, then + 370);
	reading = (struct lapse_reading){ .boot = { 3 }, .boottime_ms = 10, .wall_ms = 4 }; /* a reboot into the past: nothing passes */
	assert_int_equal(lapse_now(world->store, &reading, &now, NULL), 0);
	assert_int_equal(now, then + 370);
	assert_int_equal(lapse_read(&reading), 0);
	assert_true(reading.boottime_ms > 0);
}

static int keep_review(const struct review *review, void *context)
{
	memcpy(context, review->id, sizeof(review->id));
	return 0;
}

static void reviews(void **state)
{
	struct place *world = *state;
	struct identity alice = person("alice"), bob = person("bob");
	char id[ID_SHORT_LEN + 1], seen[ID_SHORT_LEN + 1] = "";
	assert_int_equal(reviews_create(world->store, &alice, "S", "db1", "pager", 1, id, NULL), 0);
	assert_int_equal(reviews_sign(world->store, id, &alice, "fine", 2, NULL), -EPERM);
	assert_int_equal(reviews_each(world->store, true, keep_review, seen, NULL), 0);
	assert_string_equal(seen, id);
	assert_int_equal(reviews_sign(world->store, id, &bob, "fine", 2, NULL), 0);
	assert_int_equal(reviews_sign(world->store, id, &bob, "again", 2, NULL), -EALREADY);
	assert_int_equal(reviews_sign(world->store, "ABCDE", &bob, "", 2, NULL), -ENOENT);
	seen[0] = 0;
	assert_int_equal(reviews_each(world->store, true, keep_review, seen, NULL), 0);
	assert_string_equal(seen, "");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, place_set_up, place_tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_event_in_every_state), TEST(rows_follow_the_table), TEST(quorum), TEST(nobody_approves_himself), TEST(limits), TEST(scopes_and_uses),
		TEST(given_back), TEST(expiry), TEST(what_ends_soon), TEST(lists), TEST(a_grant_s_scope), TEST(survives_a_restart), TEST(lapse), TEST(reviews),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
