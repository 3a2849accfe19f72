/* One JWS, one key: published vectors, cases made by another implementation, the form's limits, and what is asked of libjwt. */
#include "oidc/jws.h"

#include <stdio.h>

#include "oidc/base64url.h"
#include "oidc/jws_impl.h"
#include "tests/unit/token_data.h"

static int verify(const json_t *row, struct err *err)
{
	FREE_CLEANUP char *text = data_text(row, "key");
	FREE_CLEANUP const char **list = data_list(json_object_get(row, "algorithms"));
	struct jwk *key = NULL;
	JWS_CLEANUP struct jws jws = { 0 };
	int rc = jwk_parse(data_of(text), &key, err);
	if (!rc)
		rc = jws_parse(data_bytes(json_object_get(row, "jws")), list[0] ? list : NULL, &jws, err);
	if (!rc)
		rc = jws_verify(key, &jws, err);
	jwk_free(key);
	return rc;
}

static void run(const char *file, size_t at_least)
{
	JSON_CLEANUP json_t *data = data_load(file);
	const json_t *cases = json_object_get(data, "cases");
	assert_true(json_array_size(cases) >= at_least);
	for (size_t i = 0; i < json_array_size(cases); i++) {
		const json_t *row = json_array_get(cases, i);
		struct err err = { "" };
		int rc = verify(row, &err);
		data_expect(row, rc, &err);
	}
}

static void published_vectors(void **state)
{
	(void)state;
	run("published.json", 10);
}

static void made_cases(void **state)
{
	(void)state;
	run("jws.json", 200);
}

static struct jwk *key_of(const json_t *row)
{
	FREE_CLEANUP char *text = data_text(row, "key");
	struct jwk *key = NULL;
	assert_int_equal(jwk_parse(data_of(text), &key, NULL), 0);
	return key;
}

static const json_t *case_named(const json_t *data, const char *name)
{
	const json_t *cases = json_object_get(data, "cases");
	for (size_t i = 0; i < json_array_size(cases); i++)
		if (!strcmp(json_get_string(json_array_get(cases, i), "name"), name))
			return json_array_get(cases, i);
	fail_msg("no case '%s'", name);
	return NULL;
}

/* What libjwt says of the named case: 1 good, 0 not asked, -EBADMSG no. */
static int second_opinion(const json_t *data, const char *name)
{
	const json_t *row = case_named(data, name);
	JWS_CLEANUP struct jws jws = { 0 };
	struct jwk *key = key_of(row);
	struct err err = { "" };
	assert_int_equal(jws_parse(data_bytes(json_object_get(row, "jws")), NULL, &jws, NULL), 0);
	int rc = jws_libjwt(key, &jws, &err);
	jwk_free(key);
	return rc;
}

static void libjwt_judges_what_it_can_and_agrees(void **state)
{
	(void)state;
	static const char *const asked[] = { "RS256", "RS384", "RS512", "ES256", "ES384" }, *const never[] = { "PS256", "EdDSA" };
	JSON_CLEANUP json_t *data = data_load("jws.json");
	char name[64];
	for (size_t i = 0; i < sizeof(asked) / sizeof(*asked); i++) {
		assert_int_equal(second_opinion(data, asked[i]), 1);
		snprintf(name, sizeof(name), "%s: payload that is not JSON", asked[i]);
		assert_int_equal(second_opinion(data, name), 0);
		snprintf(name, sizeof(name), "%s: payload is a list", asked[i]);
		assert_int_equal(second_opinion(data, name), 0);
		snprintf(name, sizeof(name), "%s: other payload", asked[i]);
		assert_int_equal(second_opinion(data, name), -EBADMSG);
		snprintf(name, sizeof(name), "%s: last bit of the signature", asked[i]);
		assert_int_equal(second_opinion(data, name), -EBADMSG);
	}
	for (size_t i = 0; i < sizeof(never) / sizeof(*never); i++)
		assert_int_equal(second_opinion(data, never[i]), 0);
	assert_int_equal(second_opinion(data, "typ JWT"), 1);
	assert_int_equal(second_opinion(data, "typ at+jwt"), 0);
}

/* What was parsed is what was written, and a failure leaves the result alone. */
static void parts_are_kept(void **state)
{
	(void)state;
	JSON_CLEANUP json_t *data = data_load("jws.json");
	struct bytes good = data_bytes(json_object_get(case_named(data, "kid"), "jws"));
	struct bytes bad = data_bytes(json_object_get(case_named(data, "four parts"), "jws"));
	JWS_CLEANUP struct jws jws = { 0 };
	struct jws untouched = { .alg = (char *)"x" };
	assert_int_equal(jws_parse(good, NULL, &jws, NULL), 0);
	assert_string_equal(jws.alg, "ES256");
	assert_int_equal(strlen(jws.kid), JWK_KID_MAX);
	assert_int_equal(jws.signature.len, 64);
	assert_int_equal(jws.input.len, good.len - 87);
	assert_string_equal(buf_cstr(&jws.payload), "{\"iss\":\"joe\",\"exp\":1300819380}");
	assert_true(jws_parse(bad, NULL, &untouched, NULL) < 0);
	assert_string_equal(untouched.alg, "x");
}

/* Not one bit of a token can be changed. */
static void every_bit_counts(void **state)
{
	(void)state;
	JSON_CLEANUP json_t *data = data_load("jws.json");
	static const char *const names[] = { "ES256", "EdDSA", "PS256" };
	for (size_t n = 0; n < sizeof(names) / sizeof(*names); n++) {
		const json_t *row = case_named(data, names[n]);
		struct bytes good = data_bytes(json_object_get(row, "jws"));
		FREE_CLEANUP uint8_t *copy = malloc(good.len);
		struct jwk *key = key_of(row);
		memcpy(copy, good.data, good.len);
		for (size_t bit = 0; bit < good.len * 8; bit++) {
			JWS_CLEANUP struct jws jws = { 0 };
			copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
			if (!jws_parse((struct bytes){ copy, good.len }, NULL, &jws, NULL) && !jws_verify(key, &jws, NULL))
				fail_msg("%s: bit %zu", names[n], bit);
			copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		jwk_free(key);
	}
}

/* Not one piece of it is a token. */
static void every_cut_is_refused(void **state)
{
	(void)state;
	JSON_CLEANUP json_t *data = data_load("jws.json");
	const json_t *row = case_named(data, "RS256");
	struct bytes good = data_bytes(json_object_get(row, "jws"));
	struct jwk *key = key_of(row);
	for (size_t len = 0; len < good.len; len++) {
		FREE_CLEANUP uint8_t *copy = malloc(len + !len); /* exactly as long, so that a sanitizer sees one byte too far */
		JWS_CLEANUP struct jws jws = { 0 };
		struct err err = { "" };
		memcpy(copy, good.data, len);
		int rc = jws_parse((struct bytes){ copy, len }, NULL, &jws, &err);
		rc = rc ? rc : jws_verify(key, &jws, &err);
		assert_int_equal(rc, -EBADMSG);
		assert_true(*err.text);
	}
	jwk_free(key);
}

static void base64url_round_trip(void **state)
{
	(void)state;
	uint8_t data[70];
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 37 + 251);
	for (size_t len = 0; len <= sizeof(data); len++) {
		BUF_CLEANUP struct buf text = BUF_INIT(100), back = BUF_INIT(100);
		assert_int_equal(base64url_encode(&text, data, len), 0);
		assert_int_equal(base64url_decode(buf_bytes(&text), &back, NULL), 0);
		assert_int_equal(back.len, len);
		if (len)
			assert_memory_equal(buf_data(&back), data, len);
	}
}

/* RFC 4648 section 10, without the padding; two characters that base64url has of its own; and what has no decoding. */
static void base64url_is_strict(void **state)
{
	(void)state;
	static const char *const good[][2] = { { "", "" }, { "f", "Zg" }, { "fo", "Zm8" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg" },
		{ "fooba", "Zm9vYmE" }, { "foobar", "Zm9vYmFy" }, { "\xfb\xff", "-_8" } };
	static const char *const bad[] = { "Z", "Zm9vY", "Zg==", "Zm8=", "Zh", "Zm9", "Zm 8", "Zm9v\n", "+_8", "-/8", "Zm9v.", "Zm\xc3\xa4",
		"\x7f\x7f" };
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		BUF_CLEANUP struct buf text = BUF_INIT(100), back = BUF_INIT(100);
		assert_int_equal(base64url_encode(&text, good[i][0], strlen(good[i][0])), 0);
		assert_string_equal(buf_cstr(&text), good[i][1]);
		assert_int_equal(base64url_decode(data_of(good[i][1]), &back, NULL), 0);
		assert_string_equal(buf_cstr(&back), good[i][0]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		BUF_CLEANUP struct buf back = BUF_INIT(100);
		struct err err = { "" };
		if (base64url_decode(data_of(bad[i]), &back, &err) != -EBADMSG || back.len || !*err.text)
			fail_msg("'%s'", bad[i]);
	}
	BUF_CLEANUP struct buf small = BUF_INIT(2);
	assert_int_equal(base64url_decode(data_of("Zm9v"), &small, NULL), -EMSGSIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_vectors),
		cmocka_unit_test(made_cases),
		cmocka_unit_test(libjwt_judges_what_it_can_and_agrees),
		cmocka_unit_test(parts_are_kept),
		cmocka_unit_test(every_bit_counts),
		cmocka_unit_test(every_cut_is_refused),
		cmocka_unit_test(base64url_round_trip),
		cmocka_unit_test(base64url_is_strict),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
