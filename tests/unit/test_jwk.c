/* Keys and key sets: what is taken, what is skipped and why, which key is found. */
#include "oidc/jwk.h"

#include <time.h>

#include "tests/unit/token_data.h"

static void keys(void **state)
{
	(void)state;
	JSON_CLEANUP json_t *data = data_load("keys.json");
	const json_t *cases = json_object_get(data, "keys");
	assert_true(json_array_size(cases) >= 60);
	for (size_t i = 0; i < json_array_size(cases); i++) {
		const json_t *row = json_array_get(cases, i);
		FREE_CLEANUP char *text = data_text(row, "key");
		struct jwk *key = NULL;
		struct err err = { "" };
		int rc = jwk_parse(data_of(text), &key, &err);
		data_expect(row, rc, &err);
		assert_true(!rc == !!key);
		jwk_free(key);
	}
}

static int find_in(const json_t *row, struct err *err)
{
	FREE_CLEANUP char *text = data_text(row, "set");
	const json_t *count = json_object_get(row, "count");
	const struct jwk *found = NULL;
	struct jwks *set = NULL;
	int rc = jwks_parse(data_of(text), &set, err);
	if (rc)
		return rc;
	if (count && json_integer_value(count) != (json_int_t)jwks_count(set))
		fail_msg("%s: %zu usable keys", json_get_string(row, "name"), jwks_count(set));
	rc = jwks_find(set, json_get_string(row, "kid"), json_get_string(row, "alg"), &found, err);
	assert_true(!rc == !!found);
	if (rc)
		assert_int_equal(rc, json_is_true(json_object_get(row, "unknown")) ? -ENOENT : -EINVAL);
	jwks_free(set);
	return rc;
}

static void sets(void **state)
{
	(void)state;
	JSON_CLEANUP json_t *data = data_load("keys.json");
	const json_t *cases = json_object_get(data, "sets");
	assert_true(json_array_size(cases) >= 25);
	for (size_t i = 0; i < json_array_size(cases); i++) {
		const json_t *row = json_array_get(cases, i);
		struct err err = { "" };
		int rc = find_in(row, &err);
		data_expect(row, rc, &err);
	}
}

static const char a_key[] = "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
			    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\",\"kid\":\"k%zu\"}";

/* A set of count keys, then spaces up to size. */
static void put_set(struct buf *out, size_t count, size_t size)
{
	assert_int_equal(buf_puts(out, "{\"keys\":["), 0);
	for (size_t i = 0; i < count; i++) {
		if (i)
			assert_int_equal(buf_putc(out, ','), 0);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		assert_int_equal(buf_printf(out, a_key, i), 0);
#pragma GCC diagnostic pop
	}
	assert_int_equal(buf_puts(out, "]}"), 0);
	while (out->len < size)
		assert_int_equal(buf_putc(out, ' '), 0);
}

static void limits_of_sets(void **state)
{
	(void)state;
	static const struct {
		size_t count, size;
		int rc;
	} rows[] = { { JWKS_KEYS_MAX, 0, 0 }, { JWKS_KEYS_MAX + 1, 0, -E2BIG }, { 1, JWKS_SIZE_MAX, 0 }, { 1, JWKS_SIZE_MAX + 1, -EMSGSIZE } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		BUF_CLEANUP struct buf text = BUF_INIT(2 * JWKS_SIZE_MAX);
		struct jwks *set = NULL;
		struct err err = { "" };
		put_set(&text, rows[i].count, rows[i].size);
		assert_int_equal(jwks_parse(buf_bytes(&text), &set, &err), rows[i].rc);
		if (!rows[i].rc)
			assert_int_equal(jwks_count(set), rows[i].count);
		else
			assert_true(!set && *err.text);
		jwks_free(set);
	}
}

/* A provider, or who plays one, cannot stop us with keys that are slow to check. */
static void a_hostile_set_is_cheap(void **state)
{
	(void)state;
	JSON_CLEANUP json_t *data = data_load("keys.json");
	const json_t *cases = json_object_get(data, "keys"), *prime = NULL;
	for (size_t i = 0; i < json_array_size(cases); i++)
		if (!strcmp(json_get_string(json_array_get(cases, i), "name"), "RSA, prime modulus"))
			prime = json_object_get(json_array_get(cases, i), "key");
	assert_non_null(prime);
	JSON_CLEANUP json_t *set = json_pack("{s:[]}", "keys");
	for (size_t i = 0; i < JWKS_KEYS_MAX; i++)
		json_array_append(json_object_get(set, "keys"), (json_t *)prime);
	FREE_CLEANUP char *text = json_dumps(set, JSON_COMPACT);
	struct jwks *jwks = NULL;
	clock_t start = clock();
	assert_int_equal(jwks_parse(data_of(text), &jwks, NULL), 0);
	double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
	assert_int_equal(jwks_count(jwks), 0);
	jwks_free(jwks);
	if (seconds > 5) /* a hundred proofs that such a number is prime take minutes */
		fail_msg("%.1f s for %d keys", seconds, JWKS_KEYS_MAX);
}

/* As many RSA keys as their cost allows are read, and the next is not. */
static void rsa_keys_have_a_cost(void **state)
{
	(void)state;
	char n[2 * 683 + 1];
	memset(n, '_', sizeof(n)); /* all ones: 4096 bits, a multiple of 3, which the check finds late enough */
	n[683] = 0;
	n[682] = 'w';
	JSON_CLEANUP json_t *set = json_pack("{s:[]}", "keys");
	for (size_t i = 0; i <= JWKS_RSA_COST_MAX / 8; i++)
		json_array_append_new(json_object_get(set, "keys"), json_pack("{s:s, s:s, s:s, s:s#}", "kty", "RSA", "e", "AQAB", "n", n, "kid",
									    "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk", (int)i + 1));
	FREE_CLEANUP char *text = json_dumps(set, JSON_COMPACT);
	struct jwks *jwks = NULL;
	const struct jwk *found;
	char kid[JWKS_RSA_COST_MAX / 8 + 2] = "";
	assert_int_equal(jwks_parse(data_of(text), &jwks, NULL), 0);
	for (size_t i = 0; i <= JWKS_RSA_COST_MAX / 8; i++) {
		struct err err = { "" };
		kid[i] = 'k';
		assert_int_equal(jwks_find(jwks, kid, "RS256", &found, &err), -EINVAL);
		assert_true(!strstr(err.text, "more, or longer") == (i < JWKS_RSA_COST_MAX / 8));
	}
	jwks_free(jwks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys),
		cmocka_unit_test(sets),
		cmocka_unit_test(limits_of_sets),
		cmocka_unit_test(a_hostile_set_is_cheap),
		cmocka_unit_test(rsa_keys_have_a_cost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
