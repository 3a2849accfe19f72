/* Logins and revocations in the store. */
#include "store/logins.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "store/identities.h"
#include "store/revocations.h"
#include "store/tokens.h"
#include "tests/unit/scratch.h"

#define NOW 1000000

static struct scratch scratch;
static struct store *store;
static struct err err;

static int up(void **state)
{
	(void)state;
	scratch = scratch_new();
	return store_open(scratch.fd, false, &store, &err);
}

static int down(void **state)
{
	(void)state;
	store_close(store);
	scratch_remove(&scratch);
	return 0;
}

static void ok(int rc)
{
	if (rc)
		fail_msg("%d: %s", rc, err.text);
}

/* ---- logins ---- */

static char *groups[] = { (char *)"sre", NULL };
static struct claim claims[] = { { (char *)"repository", (char *)"org/app" }, { (char *)"ref", (char *)"" }, { NULL, NULL } };

static struct identity person(const char *user, uint64_t serial, const char *key, int64_t expires)
{
	return (struct identity){ .user = (char *)user, .provider = (char *)"corp", .subject = (char *)user, .groups = groups, .group_count = 1,
		.serial = serial, .key_fp = (char *)key, .expires = expires, .login_time = NOW - 5, .claims = claims };
}

static void put_certificate(const struct identity *who)
{
	const struct certificate_row row = { .serial = who->serial, .provider = who->provider, .subject = who->subject, .user = who->user,
		.key_id = (char *)"id", .key_fp = who->key_fp, .valid_after = NOW, .valid_before = who->expires };
	ok(identities_put(store, who, NOW * 1000, &err));
	ok(certificates_put(store, &row, &err));
}

static void log_in(const struct identity *who, const char *certificate)
{
	put_certificate(who);
	ok(logins_put(store, who, certificate, NOW, &err));
}

static const char *claim_of(const struct identity *who, const char *name)
{
	for (size_t i = 0; who->claims && who->claims[i].name; i++)
		if (!strcmp(who->claims[i].name, name))
			return who->claims[i].value;
	return NULL;
}

static void test_by_key(void **state)
{
	(void)state;
	struct identity alice = person("alice", 1, "SHA256:a", NOW + 100), *who = NULL;
	char *certificate = NULL;
	assert_int_equal(logins_by_key(store, "SHA256:a", NOW, &who, NULL, &err), -ENOENT);
	log_in(&alice, "line one");
	ok(logins_by_key(store, "SHA256:a", NOW, &who, &certificate, &err));
	assert_string_equal(certificate, "line one");
	assert_true(identity_same(who, &alice) && who->serial == 1 && who->expires == NOW + 100 && who->login_time == NOW - 5 && !who->machine);
	assert_string_equal(who->user, "alice");
	assert_string_equal(who->groups[0], "sre");
	assert_string_equal(claim_of(who, "repository"), "org/app");
	assert_string_equal(claim_of(who, "ref"), "");
	assert_null(claim_of(who, "other"));
	identity_free(who);
	free(certificate);
	ok(logins_by_key(store, "SHA256:a", NOW + 99, &who, NULL, &err));
	identity_free(who);
	assert_int_equal(logins_by_key(store, "SHA256:a", NOW + 100, &who, NULL, &err), -ENOENT); /* over */
	assert_int_equal(logins_by_key(store, "SHA256:b", NOW, &who, NULL, &err), -ENOENT);	  /* another key */
	struct identity again = person("alice", 2, "SHA256:a", NOW + 200);
	log_in(&again, "line two");
	ok(logins_by_key(store, "SHA256:a", NOW, &who, &certificate, &err));
	assert_int_equal(who->serial, 2); /* the newest */
	identity_free(who);
	free(certificate);
}

static void test_complete_and_refresh(void **state)
{
	(void)state;
	struct identity bot = person("bot", 1, "SHA256:a", NOW + 100), *who = NULL, none = { .serial = 9, .login_time = 4 };
	bot.machine = true;
	log_in(&bot, "line");
	ok(identities_by_serial(store, 1, "SHA256:a", &who, &err));
	assert_int_equal(who->login_time, 0);
	ok(logins_complete(store, who, &err));
	assert_true(who->machine && who->login_time == NOW - 5 && claim_of(who, "repository"));
	ok(logins_complete(store, &none, &err)); /* a certificate without a login stays what it is */
	assert_int_equal(none.login_time, 4);
	ok(logins_refresh(store, 1, NOW + 50, &err));
	ok(logins_refresh(store, 1, NOW + 20, &err)); /* never back */
	ok(logins_complete(store, who, &err));
	assert_int_equal(who->login_time, NOW + 50);
	assert_int_equal(logins_refresh(store, 9, NOW, &err), -ENOENT);
	identity_free(who);
}

static void test_forget(void **state)
{
	(void)state;
	struct identity a = person("alice", 1, "SHA256:a", NOW + 100), a2 = person("alice", 2, "SHA256:b", NOW + 100),
			bob = person("bob", 3, "SHA256:c", NOW + 100), *who = NULL;
	char *owner = NULL;
	uint64_t count = 77;
	log_in(&a, "1"), log_in(&a2, "2"), log_in(&bob, "3");
	ok(logins_forget_key(store, "SHA256:x", &count, &err));
	assert_int_equal(count, 0);
	ok(logins_forget_key(store, "SHA256:a", &count, &err));
	assert_int_equal(count, 1);
	assert_int_equal(logins_by_key(store, "SHA256:a", NOW, &who, NULL, &err), -ENOENT);
	assert_int_equal(logins_complete(store, &a, &err), -EACCES); /* nor its certificate */
	assert_int_equal(logins_refresh(store, 1, NOW, &err), -ENOENT);
	ok(logins_owner(store, "SHA256:a", &owner, &err)); /* but it is known whose it was */
	assert_string_equal(owner, "alice");
	free(owner);
	assert_int_equal(logins_owner(store, "SHA256:x", &owner, &err), -ENOENT);
	ok(logins_forget_user(store, "alice", &count, &err));
	assert_int_equal(count, 1); /* the one that was left */
	ok(logins_forget_serial(store, 3, &count, &err));
	assert_int_equal(count, 1);
	assert_int_equal(logins_by_key(store, "SHA256:c", NOW, &who, NULL, &err), -ENOENT);
}

static void test_limits(void **state)
{
	(void)state;
	struct claim many[IDENTITY_CLAIMS_MAX + 2] = { 0 };
	char names[IDENTITY_CLAIMS_MAX + 1][16], value[LOGIN_CLAIM_MAX + 2] = { 0 };
	for (int i = 0; i <= IDENTITY_CLAIMS_MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "c%d", i);
		many[i] = (struct claim){ names[i], (char *)"v" };
	}
	struct identity who = person("alice", 1, "SHA256:a", NOW + 100);
	put_certificate(&who);
	who.claims = many;
	assert_int_equal(logins_put(store, &who, "1", NOW, &err), -EMSGSIZE);
	many[IDENTITY_CLAIMS_MAX] = (struct claim){ 0 };
	memset(value, 'x', LOGIN_CLAIM_MAX + 1);
	many[0].value = value;
	assert_int_equal(logins_put(store, &who, "1", NOW, &err), -EMSGSIZE);
	value[LOGIN_CLAIM_MAX] = 0;
	ok(logins_put(store, &who, "1", NOW, &err));
	struct identity bad = person("alice", 0, "SHA256:a", NOW + 100);
	assert_int_equal(logins_put(store, &bad, "1", NOW, &err), -EINVAL);
}

static void test_old_ones_go(void **state)
{
	(void)state;
	struct identity old = person("alice", 1, "SHA256:a", NOW - LOGIN_KEPT_S - 1), kept = person("alice", 2, "SHA256:b", NOW - LOGIN_KEPT_S + 1),
			now = person("alice", 3, "SHA256:c", NOW + 1);
	char *owner = NULL;
	log_in(&old, "1"), log_in(&kept, "2"), log_in(&now, "3");
	assert_int_equal(logins_owner(store, "SHA256:a", &owner, &err), -ENOENT);
	ok(logins_owner(store, "SHA256:b", &owner, &err));
	free(owner);
}

/* ---- revocations ---- */

static int64_t put_revocation(enum revocation_kind kind, const char *value, const char *ca, int64_t until)
{
	int64_t id = 0;
	const struct revocation row = { .kind = kind, .value = (char *)value, .ca = (char *)ca, .reason = (char *)"lost", .by = (char *)"root", .at = NOW,
		.until = until };
	ok(revocations_put(store, &row, &id, &err));
	return id;
}

static int64_t found(const struct revocation_question *question, int64_t now)
{
	struct revocation row = { 0 };
	int rc = revocations_find(store, question, now, &row, &err);
	int64_t id = rc == 1 ? row.id : rc;
	if (rc == 1)
		assert_string_equal(row.reason, "lost");
	revocation_release(&row);
	return id;
}

static void test_find(void **state)
{
	(void)state;
	int64_t user = put_revocation(REVOKED_USER, "bob", "", 0), key = put_revocation(REVOKED_KEY, "SHA256:k", "", NOW + 10),
		serial = put_revocation(REVOKED_SERIAL, "7", "SHA256:ca", 0), any = put_revocation(REVOKED_KEY_ID, "laptop", "", 0),
		one = put_revocation(REVOKED_KEY_ID, "phone", "SHA256:ca", 0);
	const struct {
		struct revocation_question question;
		int64_t id;
	} cases[] = {
		{ { .user = "bob" }, user },
		{ { .user = "bo" }, 0 },
		{ { .user = "SHA256:k" }, 0 }, /* a value of another kind */
		{ { .key_fp = "bob" }, 0 },
		{ { .user = "alice", .key_fp = "SHA256:k" }, key },
		{ { .ca_fp = "SHA256:ca", .serial = 7 }, serial },
		{ { .ca_fp = "SHA256:ca", .serial = 8 }, 0 },
		{ { .ca_fp = "SHA256:other", .serial = 7 }, 0 }, /* a serial is its authority's */
		{ { .serial = 7 }, 0 },
		{ { .ca_fp = "SHA256:other", .key_id = "laptop" }, any },
		{ { .ca_fp = "SHA256:ca", .key_id = "phone" }, one },
		{ { .ca_fp = "SHA256:other", .key_id = "phone" }, 0 },
		{ { .ca_fp = "SHA256:ca", .key_id = "7", .serial = 9 }, 0 },
		{ { 0 }, 0 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (found(&cases[i].question, NOW) != cases[i].id)
			fail_msg("case %zu: %lld", i, (long long)found(&cases[i].question, NOW));
	assert_int_equal(found(&(struct revocation_question){ .key_fp = "SHA256:k" }, NOW + 9), key);
	assert_int_equal(found(&(struct revocation_question){ .key_fp = "SHA256:k" }, NOW + 10), 0); /* its time is over */
}

static int count_row(const struct revocation *row, void *context)
{
	(void)row;
	++*(int *)context;
	return 0;
}

static int rows(bool all, int64_t now)
{
	int count = 0;
	ok(revocations_each(store, all, now, count_row, &count, &err));
	return count;
}

static void test_list_and_remove(void **state)
{
	(void)state;
	int64_t user = put_revocation(REVOKED_USER, "bob", "", 0), until = put_revocation(REVOKED_USER, "eve", "", NOW + 10);
	struct revocation row = { 0 };
	assert_int_equal(rows(false, NOW), 2);
	assert_int_equal(rows(false, NOW + 10), 1);
	assert_int_equal(rows(true, NOW + 10), 2);
	ok(revocations_remove(store, user, &row, &err));
	assert_string_equal(row.value, "bob");
	revocation_release(&row);
	assert_int_equal(found(&(struct revocation_question){ .user = "bob" }, NOW), 0);
	assert_int_equal(revocations_remove(store, user, NULL, &err), -ENOENT);
	ok(revocations_remove(store, until, NULL, &err));
	assert_int_equal(rows(true, NOW), 0);
	assert_true(put_revocation(REVOKED_USER, "new", "", 0) > until); /* a number is never given twice: the audit log names it */
}

static void test_bad_rows(void **state)
{
	(void)state;
	char reason[REVOCATION_REASON_MAX + 2] = { 0 };
	struct revocation row = { .kind = REVOKED_SERIAL, .value = (char *)"7", .ca = (char *)"", .reason = reason, .by = (char *)"root" };
	int64_t id;
	assert_int_equal(revocations_put(store, &row, &id, &err), -EINVAL); /* a serial of nobody */
	row.ca = (char *)"SHA256:ca";
	memset(reason, 'x', REVOCATION_REASON_MAX + 1);
	assert_int_equal(revocations_put(store, &row, &id, &err), -EINVAL);
	reason[REVOCATION_REASON_MAX] = 0;
	ok(revocations_put(store, &row, &id, &err));
	row.value = (char *)"";
	assert_int_equal(revocations_put(store, &row, &id, &err), -EINVAL);
}

/* ---- used tokens ---- */

static int use(const char *text, int64_t now)
{
	return tokens_use(store, (struct bytes){ (const uint8_t *)text, strlen(text) }, now, &err);
}

static void test_tokens(void **state)
{
	(void)state;
	ok(use("header.alice", NOW));
	ok(use("header.bob", NOW));
	assert_int_equal(use("header.alice", NOW), -EEXIST);
	assert_string_equal(err.text, "token has been used already");
	store_close(store);
	ok(store_open(scratch.fd, false, &store, &err));
	assert_int_equal(use("header.alice", NOW + TOKEN_KEPT_S), -EEXIST); /* it lasts */
	ok(use("header.alice", NOW + TOKEN_KEPT_S + 1));                    /* and goes */
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, up, down)
	const struct CMUnitTest tests[] = {
		TEST(test_by_key), TEST(test_complete_and_refresh), TEST(test_forget), TEST(test_limits), TEST(test_old_ones_go), TEST(test_find),
		TEST(test_list_and_remove), TEST(test_bad_rows), TEST(test_tokens),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
