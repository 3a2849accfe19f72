/* Keys and key sets of a hostile provider. What was taken must be usable for exactly the algorithms that fit it, and what was refused must say why.
 */
#include <stdlib.h>
#include <string.h>

#include "oidc/jwa.h"
#include "oidc/jwk_impl.h"

#include "tests/fuzz/fuzz.h"

static void one(struct bytes json)
{
	struct jwk *key = NULL;
	struct err err = { "" };
	int rc = jwk_parse(json, &key, &err);

	REQUIRE(!rc == !!key && !rc == !*err.text);
	if (rc)
		return;
	REQUIRE(key->pkey && (!EVP_PKEY_is_a(key->pkey, "RSA") || EVP_PKEY_get_bits(key->pkey) >= JWK_RSA_BITS_MIN));
	for (const struct jwa *jwa = jwa_table; jwa->name; jwa++) {
		struct err why = { "" };
		REQUIRE(!jwk_fits(key, jwa, &why) == !*why.text);
	}
	jwk_free(key);
}

static void set(struct bytes json)
{
	static const char *const kids[] = { NULL, "", "k", "k1" };
	struct jwks *jwks = NULL;
	struct err err = { "" };
	int rc = jwks_parse(json, &jwks, &err);

	REQUIRE(!rc == !!jwks && !rc == !*err.text);
	for (const struct jwa *jwa = jwa_table; !rc && jwa->name; jwa++)
		for (size_t i = 0; i < sizeof(kids) / sizeof(*kids); i++) {
			const struct jwk *found = NULL;
			struct err why = { "" };
			int miss = jwks_find(jwks, kids[i], jwa->name, &found, &why);
			REQUIRE(!miss == !!found && !miss == !*why.text && (miss || (found->pkey && jwks_count(jwks))));
		}
	jwks_free(jwks);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	one((struct bytes){ data, size });
	set((struct bytes){ data, size });
	return 0;
}
