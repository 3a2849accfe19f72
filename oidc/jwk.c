/* One key: what it is, and what it says it is for (RFC 7517 section 4). */
#include "oidc/jwk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "oidc/jwk_impl.h"

void jwk_free(struct jwk *jwk)
{
	if (!jwk)
		return;
	EVP_PKEY_free(jwk->pkey);
	free(jwk->kid);
	free(jwk->alg);
	free(jwk);
}

/* null is how some serializers write "not there". */
static const json_t *present(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	return json_is_null(value) ? NULL : value;
}

/* A copy of a text member; absent is NULL; anything but a text of at most max bytes is refused. */
static int text_of(const json_t *object, const char *name, size_t max, char **ret, struct err *err)
{
	const json_t *value = present(object, name);

	if (!value)
		return 0;
	if (!json_is_string(value))
		return err_set(err, -EBADMSG, "'%s' is not a string", name);
	if (json_string_length(value) > max)
		return err_set(err, -EBADMSG, "'%s' is longer than %zu bytes", name, max);
	*ret = strdup(json_string_value(value));
	return *ret ? 0 : err_set(err, -ENOMEM, "out of memory");
}

static int may_verify(const json_t *object, struct err *err)
{
	const json_t *use = present(object, "use"), *ops = present(object, "key_ops");
	const char *text = json_string_value(use);
	char clean[64];
	size_t i;
	json_t *op;

	if (use && !text)
		return err_set(err, -EBADMSG, "'use' is not a string");
	if (text && strcmp(text, "sig"))
		return err_set(err, -EBADMSG, "for '%s', not for signatures",
			text_clean(clean, sizeof(clean), text, strlen(text)));
	if (!ops)
		return 0;
	if (!json_is_array(ops))
		return err_set(err, -EBADMSG, "'key_ops' is not a list");
	json_array_foreach(
		(json_t *)ops, i, op) if (text_equal(json_string_value(op), "verify")) return 0;
	return err_set(err, -EBADMSG, "not for verifying ('key_ops' does not hold 'verify')");
}

/* Fills jwk from the object; what was read before a failure stays, so that a set knows the kid of a
 * key it cannot use. */
static int jwk_read(const json_t *object, struct jwk *jwk, struct err *err)
{
	if (!json_is_object(object))
		return err_set(err, -EBADMSG, "not an object");
	int rc = text_of(object, "kid", JWK_KID_MAX, &jwk->kid, err);
	if (!rc)
		rc = text_of(object, "alg", JWK_KID_MAX, &jwk->alg, err);
	if (!rc)
		rc = may_verify(object, err);
	return rc ? rc : jwk_public(object, &jwk->pkey, &jwk->kty, &jwk->crv, err);
}

int jwk_parse(struct bytes json, struct jwk **ret, struct err *err)
{
	JSON_CLEANUP json_t *object = NULL;
	JWK_CLEANUP struct jwk *jwk = calloc(1, sizeof(*jwk));
	int rc = json_parse(json, JWKS_SIZE_MAX, &object, err);

	if (rc)
		return err_prefix(err, rc, "key");
	rc = jwk ? jwk_read(object, jwk, err) : err_set(err, -ENOMEM, "out of memory");
	if (rc)
		return err_prefix(err, rc, "key");
	*ret = jwk;
	jwk = NULL;
	return 0;
}

int jwk_fits(const struct jwk *jwk, const struct jwa *jwa, struct err *err)
{
	char clean[64];

	if (!jwk->pkey)
		return err_set(err, -EINVAL, "not usable: %s", jwk->why);
	if (strcmp(jwk->kty, jwa->kty) || !text_equal(jwk->crv, jwa->crv))
		return err_set(err, -EINVAL, "type %s%s%s does not fit algorithm '%s'", jwk->kty,
			jwk->crv ? " " : "", jwk->crv ? jwk->crv : "", jwa->name);
	if (jwk->alg && strcmp(jwk->alg, jwa->name))
		return err_set(err, -EINVAL, "for algorithm '%s', not '%s'",
			text_clean(clean, sizeof(clean), jwk->alg, strlen(jwk->alg)), jwa->name);
	return 0;
}

/* ---- sets ---- */

struct jwks {
	struct jwk *keys[JWKS_KEYS_MAX];
	size_t count;
	size_t cost; /* of the RSA keys so far */
};

void jwks_free(struct jwks *jwks)
{
	for (size_t i = 0; jwks && i < jwks->count; i++)
		jwk_free(jwks->keys[i]);
	free(jwks);
}

static void jwks_freep(struct jwks **jwks)
{
	jwks_free(*jwks);
}
#define JWKS_CLEANUP __attribute__((cleanup(jwks_freep)))

static void unusable(struct jwk *jwk, const char *why)
{
	EVP_PKEY_free(jwk->pkey);
	jwk->pkey = NULL;
	text_clean(jwk->why, sizeof(jwk->why), why, strlen(why));
}

/* A set is published: who put a private half into it has given the key to everybody. */
static bool holds_private(const json_t *object)
{
	return json_object_get(object, "d") || json_object_get(object, "k");
}

/* Checking a modulus takes the cube of its length: whoever writes the set must not choose how long
 * we work. Longer ones than we take cost nothing. */
static size_t rsa_cost(const json_t *object)
{
	const json_t *n = json_object_get(object, "n");
	size_t units =
		(json_string_length(n) * 3 / 4 + JWK_RSA_BITS_MIN / 8 - 1) / (JWK_RSA_BITS_MIN / 8);

	return units > JWK_RSA_BITS_MAX / JWK_RSA_BITS_MIN ? 0 : units * units * units;
}

static int read_within(struct jwks *jwks, const json_t *object, struct jwk *jwk, struct err *err)
{
	size_t cost = rsa_cost(object);

	if (cost > JWKS_RSA_COST_MAX - jwks->cost) {
		text_of(object, "kid", JWK_KID_MAX, &jwk->kid, NULL);
		return err_set(
			err, -EBADMSG, "the set holds more, or longer, RSA keys than are checked");
	}
	jwks->cost += cost;
	return jwk_read(object, jwk, err);
}

static int add(struct jwks *jwks, const json_t *object)
{
	struct err err = { "" };
	struct jwk *jwk = calloc(1, sizeof(*jwk));
	int rc = jwk ? read_within(jwks, object, jwk, &err) : -ENOMEM;

	if (rc == -ENOMEM) {
		jwk_free(jwk);
		return rc;
	}
	if (rc)
		unusable(jwk, err.text);
	else if (holds_private(object))
		unusable(jwk, "the set publishes its private half");
	jwks->keys[jwks->count++] = jwk;
	return 0;
}

static void mark_doubles(struct jwks *jwks)
{
	for (size_t i = 0; i < jwks->count; i++)
		for (size_t k = i + 1; k < jwks->count; k++)
			if (jwks->keys[i]->kid &&
				text_equal(jwks->keys[i]->kid, jwks->keys[k]->kid)) {
				unusable(jwks->keys[i], "the set holds two keys with this kid");
				unusable(jwks->keys[k], "the set holds two keys with this kid");
			}
}

int jwks_parse(struct bytes json, struct jwks **ret, struct err *err)
{
	JSON_CLEANUP json_t *object = NULL;
	JWKS_CLEANUP struct jwks *jwks = NULL;
	int rc = json_parse(json, JWKS_SIZE_MAX, &object, err);

	if (rc)
		return err_prefix(err, rc, "key set");
	const json_t *keys = json_object_get(object, "keys");
	if (!json_is_array(keys))
		return err_set(err, -EBADMSG, "key set: 'keys' is missing or not a list");
	if (json_array_size(keys) > JWKS_KEYS_MAX)
		return err_set(err, -E2BIG, "key set: more than %d keys", JWKS_KEYS_MAX);
	jwks = calloc(1, sizeof(*jwks));
	rc = jwks ? 0 : -ENOMEM;
	for (size_t i = 0; !rc && i < json_array_size(keys); i++)
		rc = add(jwks, json_array_get(keys, i));
	if (rc)
		return err_set(err, rc, "key set: out of memory");
	mark_doubles(jwks);
	*ret = jwks;
	jwks = NULL;
	return 0;
}

size_t jwks_count(const struct jwks *jwks)
{
	size_t count = 0;

	for (size_t i = 0; i < jwks->count; i++)
		count += jwks->keys[i]->pkey != NULL;
	return count;
}

static int find_named(const struct jwks *jwks, const char *kid, const struct jwa *jwa,
	const struct jwk **ret, struct err *err)
{
	char clean[JWK_KID_MAX];

	text_clean(clean, sizeof(clean), kid, strlen(kid));
	for (size_t i = 0; i < jwks->count; i++) {
		if (!text_equal(jwks->keys[i]->kid, kid))
			continue;
		int rc = jwk_fits(jwks->keys[i], jwa, err);
		if (rc)
			return err_prefix(err, rc, "key '%s' of the provider's key set", clean);
		*ret = jwks->keys[i];
		return 0;
	}
	return err_set(err, -ENOENT, "no key with kid '%s' in the provider's key set", clean);
}

/* Nothing says which: then there must be no choice, whatever the algorithms. "If there are multiple
 * keys in the referenced JWK Set document, a kid value MUST be provided" (OpenID Connect Core,
 * 10.1); keys that cannot verify do not count. */
static int find_only(
	const struct jwks *jwks, const struct jwa *jwa, const struct jwk **ret, struct err *err)
{
	const struct jwk *only = NULL;

	if (jwks_count(jwks) > 1)
		return err_set(err, -EINVAL,
			"token names no kid, and the provider's key set holds more than one key");
	for (size_t i = 0; i < jwks->count && !only; i++)
		if (!jwk_fits(jwks->keys[i], jwa, NULL))
			only = jwks->keys[i];
	if (!only)
		return err_set(err, -ENOENT,
			"token names no kid, and the provider's key set holds no key for '%s'",
			jwa->name);
	*ret = only;
	return 0;
}

int jwks_find(const struct jwks *jwks, const char *kid, const char *alg, const struct jwk **ret,
	struct err *err)
{
	const struct jwa *jwa = jwa_find(alg);
	char clean[64];

	if (!jwa)
		return err_set(err, -EINVAL, "algorithm '%s' is not supported",
			text_clean(clean, sizeof(clean), alg, strlen(alg)));
	return kid ? find_named(jwks, kid, jwa, ret, err) : find_only(jwks, jwa, ret, err);
}
