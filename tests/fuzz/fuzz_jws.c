/* Tokens. The first byte chooses what the rest is: a compact JWS, judged by published keys (no
 * fuzzer can make one that is good, but for those that were published); a payload, which is signed
 * here, so that claims are reached; the same as userinfo beside a good payload; base64url. */
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "common/text.h"
#include "oidc/base64url.h"
#include "oidc/jws.h"
#include "oidc/token.h"

#include "tests/fuzz/fuzz.h"

#define JOE                                                                                        \
	"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0" \
	"cnVlfQ"
#define NOW 1800000000

static const struct {
	const char *key, *good;
} published[] = {
	/* RFC 7515 A.2 and A.3, RFC 8037 A.4 */
	{ "{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_"
	  "wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-"
	  "pCgNMsD1W_YpRPEwOWvG"
	  "6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-"
	  "UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_"
	  "I5IhlJH7aG"
	  "hyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\",\"e\":"
	  "\"AQAB\"}",
		"eyJhbGciOiJSUzI1NiJ9." JOE
		".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_"
		"lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1d"
		"nZcAcQjbKBYNX4BAynRFdiuB--f_"
		"nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--"
		"xi12jzDwusC-"
		"eOkHWEsqtFZESc6BfI7no"
		"OPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_"
		"IoypGlUPQGe77Rw" },
	{ "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
	  "\"y\":\"x_FEzRu9m36HLN_"
	  "tue659LNpXW6pCyStikYjKIWI5a0\"}",
		"eyJhbGciOiJFUzI1NiJ9." JOE
		".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-"
		"Kg6NU1Q" },
	{ "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_"
	  "7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
		"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_"
		"MGCjP0JzlnLWG1PPOt7-"
		"09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg" },
};
#define PUBLISHED (sizeof(published) / sizeof(*published))

static struct bytes bytes_of(const char *text)
{
	return (struct bytes){ (const uint8_t *)text, strlen(text) };
}

static void compact(struct bytes input)
{
	static struct jwk *keys[PUBLISHED];
	struct jws jws = { 0 };
	struct err err = { "" };

	if (jws_parse(input, NULL, &jws, &err)) {
		REQUIRE(*err.text && !jws.alg);
		return;
	}
	for (size_t i = 0; i < PUBLISHED; i++) {
		if (!keys[i])
			REQUIRE(jwk_parse(bytes_of(published[i].key), &keys[i], NULL) == 0);
		struct bytes good = bytes_of(published[i].good);
		bool known = good.len == input.len && !memcmp(good.data, input.data, good.len);
		REQUIRE(!jws_verify(keys[i], &jws, NULL) == known);
	}
	jws_release(&jws);
}

static const uint8_t seed[32] = { 7 };
static EVP_PKEY *signer;
static struct jwks *own;

static void make_signer(void)
{
	BUF_CLEANUP struct buf x = BUF_INIT(64), set = BUF_INIT(256);
	uint8_t raw[32];
	size_t len = sizeof(raw);

	signer = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof(seed));
	REQUIRE(signer && EVP_PKEY_get_raw_public_key(signer, raw, &len) == 1 &&
		!base64url_encode(&x, raw, len));
	REQUIRE(!buf_printf(&set, "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"}]}",
		buf_cstr(&x)));
	REQUIRE(!jwks_parse(buf_bytes(&set), &own, NULL));
}

static void sign(struct bytes payload, struct buf *out)
{
	uint8_t signature[64];
	size_t len = sizeof(signature);
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	if (!signer)
		make_signer();
	REQUIRE(!buf_puts(out, "eyJhbGciOiJFZERTQSJ9.") &&
		!base64url_encode(out, payload.data, payload.len));
	REQUIRE(EVP_DigestSignInit(md, NULL, NULL, NULL, signer) == 1 &&
		EVP_DigestSign(md, signature, &len, buf_data(out), out->len) == 1);
	REQUIRE(!buf_putc(out, '.') && !base64url_encode(out, signature, len));
	EVP_MD_CTX_free(md);
}

static void identify(const json_t *payload, const json_t *userinfo)
{
	static const char *const keep[] = { "repository", "iat", "x", NULL };
	static const struct token_claims ways[] = {
		{ .user = "email", .groups = "groups", .keep = keep },
		{ .user = "a.email", .groups = "a.groups", .name_flags = NAME_UNICODE },
		{ .user = "sub", .name_flags = NAME_WORKLOAD, .keep = keep },
		{ .user = "", .groups = "", .keep = keep }, { .user = "..", .groups = "." },
		{ .user = "email",
			.groups = "groups",
			.groups_keys = true,
			.name_flags = NAME_UNICODE }
	};

	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		struct identity *who = NULL;
		struct err err = { "" };
		struct token_dropped dropped = { 0, "" };
		int rc = token_identity(payload, userinfo, &ways[i], "corp", &who, &dropped, &err);
		REQUIRE(!rc == !!who && !rc == !*err.text);
		for (size_t g = 0; !rc && g < who->group_count; g++)
			REQUIRE(text_name_ok(who->groups[g], strlen(who->groups[g])));
		REQUIRE(rc || (text_name_ok(who->user, strlen(who->user)) &&
				      who->group_count <= TOKEN_GROUPS_MAX));
		identity_free(who);
	}
}

static void payload(struct bytes input)
{
	static const char *const algorithms[] = { "EdDSA", NULL };
	static const struct token_rules all[] = {
		{ .issuer = "https://i", .audience = "a", .algorithms = algorithms, .skew_s = 30, .max_age_s = -1 },
		{ .issuer = "https://i", .audience = "a", .algorithms = algorithms, .lifetime_max_s = 600, .max_age_s = 60, .nonce = "n", .machine = true },
	};
	BUF_CLEANUP struct buf token = BUF_INIT(1 << 24);

	sign(input, &token);
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		json_t *claims = NULL;
		struct err err = { "" };
		int rc = token_verify(buf_bytes(&token), own, &all[i], NOW, &claims, &err);
		REQUIRE(!rc == !!claims && !rc == !*err.text &&
			strncmp(err.text, "signature", 9) != 0);
		if (!rc)
			identify(claims, NULL);
		json_decref(claims);
	}
}

static void userinfo(struct bytes input)
{
	static json_t *good;
	json_t *info = NULL;

	if (!good)
		good = json_pack("{s:s, s:s, s:i, s:s, s:o}", "iss", "https://i", "sub", "s", "iat",
			NOW, "email", "a@b", "a", json_object());
	if (json_parse(input, 1 << 20, &info, NULL))
		return;
	identify(good, info);
	identify(info, NULL);
	json_decref(info);
}

static void base64url(struct bytes input)
{
	BUF_CLEANUP struct buf raw = BUF_INIT(1 << 24), text = BUF_INIT(1 << 24);

	if (base64url_decode(input, &raw, NULL))
		return;
	REQUIRE(!base64url_encode(&text, buf_data(&raw), raw.len) && text.len == input.len);
	REQUIRE(!text.len || !memcmp(buf_data(&text), input.data, input.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const ways[])(struct bytes data) = { compact, payload, userinfo, base64url };

	if (size)
		ways[data[0] % (sizeof(ways) / sizeof(*ways))](
			(struct bytes){ data + 1, size - 1 });
	return 0;
}
