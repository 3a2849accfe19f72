/* ID tokens: each claim with its twin that must fail, and the identity that comes out. The cases
 * are data, made by another implementation. */
#include "oidc/token.h"

#include <stdio.h>

#include "tests/unit/token_data.h"

struct world {
	json_t *data;
	struct jwks *jwks;
};

static struct world world_of(const char *file)
{
	struct world world = { .data = data_load(file) };
	FREE_CLEANUP char *text = json_dumps(json_object_get(world.data, "jwks"), JSON_COMPACT);
	assert_int_equal(jwks_parse(data_of(text), &world.jwks, NULL), 0);
	assert_int_equal(jwks_count(world.jwks), 4);
	return world;
}

static struct world world_new(void)
{
	return world_of("tokens.json");
}

static void world_free(struct world *world)
{
	jwks_free(world->jwks);
	json_decref(world->data);
}

/* A value of the case's own rules, else of the file's, else the fallback. */
static const json_t *rule(const struct world *world, const json_t *row, const char *name)
{
	const json_t *own = json_object_get(json_object_get(row, "rules"), name);
	return own ? own : json_object_get(world->data, name);
}

static int64_t rule_number(
	const struct world *world, const json_t *row, const char *name, int64_t fallback)
{
	const json_t *value = rule(world, row, name);
	return value ? json_integer_value(value) : fallback;
}

static const char *rule_text(
	const struct world *world, const json_t *row, const char *name, const char *fallback)
{
	const json_t *value = rule(world, row, name);
	return value ? json_string_value(value) : fallback;
}

static int verify(const struct world *world, const json_t *row, json_t **ret, struct err *err)
{
	FREE_CLEANUP const char **algorithms = data_list(rule(world, row, "algorithms"));
	FREE_CLEANUP const char **require = data_list(rule(world, row, "require"));
	const struct token_rules rules = {
		.issuer = rule_text(world, row, "issuer", NULL),
		.audience = rule_text(world, row, "audience", NULL),
		.algorithms = algorithms,
		.skew_s = rule_number(world, row, "skew", 0),
		.lifetime_max_s = rule_number(world, row, "lifetime", 0),
		.max_age_s = rule_number(world, row, "max_age", -1),
		.nonce = rule_text(world, row, "nonce", NULL),
		.machine = json_is_true(rule(world, row, "machine")),
		.require = require,
	};
	return token_verify(data_bytes(json_object_get(row, "token")), world->jwks, &rules,
		json_integer_value(json_object_get(world->data, "at")), ret, err);
}

static int identify(const struct world *world, const json_t *row, const json_t *payload,
	struct identity **ret, struct token_dropped *ret_dropped, struct err *err)
{
	FREE_CLEANUP const char **keep = data_list(rule(world, row, "keep"));
	const struct token_claims claims = { .user = rule_text(world, row, "user", "email"),
		.groups = rule_text(world, row, "groups", "groups"),
		.groups_keys = json_is_true(rule(world, row, "keys_of")),
		.name_flags = (json_is_true(rule(world, row, "unicode")) ? NAME_UNICODE : 0) |
			      (json_is_true(rule(world, row, "machine")) ? NAME_WORKLOAD : 0),
		.keep = keep };
	return token_identity(
		payload, json_object_get(row, "userinfo"), &claims, "corp", ret, ret_dropped, err);
}

static json_t *as_json(const struct identity *who, const struct token_dropped *dropped)
{
	json_t *groups = json_array(), *claims = json_object();
	for (size_t i = 0; i < who->group_count; i++)
		json_array_append_new(groups, json_string(who->groups[i]));
	assert_null(who->groups[who->group_count]);
	for (size_t i = 0; who->claims && who->claims[i].name; i++)
		json_object_set_new(claims, who->claims[i].name, json_string(who->claims[i].value));
	return json_pack("{s:s, s:o, s:s, s:I, s:I, s:s, s:o}", "user", who->user, "groups", groups,
		"subject", who->subject, "login_time", (json_int_t)who->login_time, "dropped",
		(json_int_t)dropped->count, "dropped_words", dropped->words, "claims", claims);
}

static void expect_identity(
	const json_t *row, const struct identity *who, const struct token_dropped *dropped)
{
	const char *key;
	json_t *want;
	JSON_CLEANUP json_t *is = as_json(who, dropped);
	assert_string_equal(who->provider, "corp");
	json_object_foreach(json_object_get(row, "expect"), key,
		want) if (!json_equal(json_object_get(is, key), want))
	{
		FREE_CLEANUP char *text = json_dumps(is, 0);
		fail_msg("%s: %s differs: %s", json_get_string(row, "name"), key, text);
	}
}

static void run(const struct world *world, const json_t *row)
{
	JSON_CLEANUP json_t *payload = NULL;
	struct identity *who = NULL;
	struct err err = { "" };
	struct token_dropped dropped = { 0, "" };
	int rc = verify(world, row, &payload, &err);
	assert_true(!rc == !!payload);
	if (rc)
		assert_int_equal(rc, strstr(err.text, "no key with kid") ? -ENOENT : strstr(err.text, "login was") && strstr(err.text, "is the most") ? -ESTALE : -EBADMSG);
	if (!rc)
		rc = identify(world, row, payload, &who, &dropped, &err);
	data_expect(row, rc, &err);
	if (!rc)
		expect_identity(row, who, &dropped);
	identity_free(who);
}

static void made_cases(void **state)
{
	(void)state;
	struct world world = world_new();
	const json_t *cases = json_object_get(world.data, "cases");
	assert_true(json_array_size(cases) >= 150);
	for (size_t i = 0; i < json_array_size(cases); i++)
		run(&world, json_array_get(cases, i));
	world_free(&world);
}

/* One of each kind that providers sign with the same key, and what was accepted loosely. */
static void kinds(void **state)
{
	(void)state;
	struct world world = world_of("kinds.json");
	const json_t *cases = json_object_get(world.data, "cases");
	assert_true(json_array_size(cases) >= 90);
	for (size_t i = 0; i < json_array_size(cases); i++)
		run(&world, json_array_get(cases, i));
	world_free(&world);
}

/* The same good token at every second around its life: accepted from iat - skew to exp + skew - 1,
 * and at no other. */
static void both_ends_of_a_life(void **state)
{
	(void)state;
	struct world world = world_new();
	const json_t *good = json_array_get(json_object_get(world.data, "cases"), 0);
	const int64_t at = json_integer_value(json_object_get(world.data, "at")), iat = at - 10,
		      exp = at + 600;
	for (int64_t now = iat - 70; now < exp + 70; now++) {
		JSON_CLEANUP json_t *payload = NULL;
		json_object_set_new(world.data, "at", json_integer(now));
		int rc = verify(&world, good, &payload, NULL);
		if (!rc != (now >= iat - 30 && now < exp + 30))
			fail_msg("%lld after iat", (long long)(now - iat));
	}
	world_free(&world);
}

/* Rules with a hole judge nothing. */
static void rules_must_be_whole(void **state)
{
	(void)state;
	struct world world = world_new();
	static const char *const algorithms[] = { "ES256", NULL };
	const struct token_rules whole = { .issuer = "https://login.example.com",
		.audience = "bartizan",
		.algorithms = algorithms,
		.max_age_s = -1 };
	struct token_rules rules[5] = { whole, whole, whole, whole, whole };
	struct bytes token = data_bytes(
		json_object_get(json_array_get(json_object_get(world.data, "cases"), 0), "token"));
	const int64_t at = json_integer_value(json_object_get(world.data, "at"));
	rules[1].issuer = rules[2].audience = NULL;
	rules[3].algorithms = NULL;
	rules[4].algorithms = algorithms + 1;
	for (size_t i = 0; i < 5; i++) {
		JSON_CLEANUP json_t *payload = NULL;
		assert_int_equal(token_verify(token, world.jwks, &rules[i], at, &payload, NULL),
			i ? -EBADMSG : 0);
	}
	assert_int_equal(
		token_verify(token, world.jwks, &whole, -1, &(json_t *){ NULL }, NULL), -EBADMSG);
	assert_int_equal(
		token_verify(token, world.jwks, &whole, INT64_MAX, &(json_t *){ NULL }, NULL),
		-EBADMSG);
	world_free(&world);
}

static int groups_from_userinfo(
	size_t count, struct identity **ret, struct token_dropped *ret_dropped)
{
	static const struct token_claims claims = { .user = "user", .groups = "groups" };
	JSON_CLEANUP json_t *payload = json_pack(
		"{s:s, s:s, s:s, s:i}", "iss", "https://i", "sub", "s", "user", "alice", "iat", 1);
	JSON_CLEANUP json_t *info = json_pack("{s:s, s:[]}", "sub", "s", "groups");
	for (size_t i = 0; i < count; i++) {
		char name[32];
		snprintf(name, sizeof(name), "group-%05zu", i);
		json_array_append_new(json_object_get(info, "groups"), json_string(name));
	}
	return token_identity(payload, info, &claims, "corp", ret, ret_dropped, NULL);
}

static void groups_have_a_limit(void **state)
{
	(void)state;
	struct identity *who = NULL;
	struct token_dropped dropped = { 7, "x" };
	assert_int_equal(groups_from_userinfo(TOKEN_GROUPS_MAX, &who, &dropped), 0);
	assert_int_equal(who->group_count, TOKEN_GROUPS_MAX);
	assert_int_equal(dropped.count, 0);
	assert_string_equal(who->groups[TOKEN_GROUPS_MAX - 1], "group-04095");
	identity_freep(&who);
	assert_int_equal(groups_from_userinfo(TOKEN_GROUPS_MAX + 1, &who, NULL), -EBADMSG);
	assert_null(who);
}

/* An identity of nobody is none, whoever calls. */
static void identity_needs_issuer_and_subject(void **state)
{
	(void)state;
	static const struct token_claims claims = { .user = "user" };
	static const char *const payloads[] = { "{\"user\":\"a\"}",
		"{\"user\":\"a\",\"iss\":\"i\"}", "{\"user\":\"a\",\"sub\":\"s\"}",
		"{\"user\":\"a\",\"iss\":\"\",\"sub\":\"s\"}",
		"{\"user\":\"a\",\"iss\":\"i\",\"sub\":\"\"}",
		"{\"user\":\"a\",\"iss\":1,\"sub\":\"s\"}", "[]", "{}" };
	for (size_t i = 0; i < sizeof(payloads) / sizeof(*payloads); i++) {
		JSON_CLEANUP json_t *payload = json_loads(payloads[i], 0, NULL);
		struct identity *who = NULL;
		struct err err = { "" };
		assert_int_equal(
			token_identity(payload, NULL, &claims, "corp", &who, NULL, &err), -EBADMSG);
		assert_true(!who && *err.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(made_cases),
		cmocka_unit_test(kinds),
		cmocka_unit_test(both_ends_of_a_life),
		cmocka_unit_test(rules_must_be_whole),
		cmocka_unit_test(groups_have_a_limit),
		cmocka_unit_test(identity_needs_issuer_and_subject),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
