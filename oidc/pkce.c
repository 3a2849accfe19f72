/* See pkce.h. */
#include "oidc/pkce.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#include "common/text.h"
#include "common/url.h"
#include "oidc/base64url.h"
#include "oidc/form.h"

#define RANDOM_LEN 32
#define NONCE_LABEL "bartizan-login-v1" /* with its NUL */
#define NONCE_KEY_MAX 16384
#define VALUE_MAX PKCE_CODE_MAX

static int encode(const uint8_t bytes[static RANDOM_LEN], char out[static PKCE_TEXT])
{
	struct buf text = BUF_INIT(PKCE_TEXT);
	int rc = base64url_encode(&text, bytes, RANDOM_LEN);

	if (rc == 0 && text.len == PKCE_TEXT - 1) {
		memcpy(out, buf_data(&text), text.len);
		out[text.len] = '\0';
	}
	buf_burn(&text);
	return rc;
}

static int digest(struct bytes text, char out[static PKCE_TEXT])
{
	uint8_t bytes[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (EVP_Digest(text.data, text.len, bytes, &len, EVP_sha256(), NULL) != 1 ||
		len != RANDOM_LEN)
		return -EIO;
	return encode(bytes, out);
}

int pkce_nonce(struct bytes key, char out[static PKCE_TEXT])
{
	BUF_CLEANUP struct buf text = BUF_INIT(NONCE_KEY_MAX + sizeof(NONCE_LABEL));
	int rc = buf_put(&text, NONCE_LABEL, sizeof(NONCE_LABEL));

	rc = rc < 0 ? rc : buf_put(&text, key.data, key.len);
	return rc < 0 ? rc : digest(buf_bytes(&text), out);
}

int pkce_init_from(struct pkce *pkce, struct bytes key, const uint8_t random[static 64])
{
	*pkce = (struct pkce){ 0 };
	int rc = encode(random, pkce->verifier);
	rc = rc < 0 ? rc : encode(random + RANDOM_LEN, pkce->state);
	rc = rc < 0 ? rc : pkce_nonce(key, pkce->nonce);
	return rc < 0 ? rc
		      : digest((struct bytes){ (const uint8_t *)pkce->verifier,
				       strlen(pkce->verifier) },
				pkce->challenge);
}

int pkce_init(struct pkce *pkce, struct bytes key, struct err *err)
{
	uint8_t random[2 * RANDOM_LEN];
	int rc = RAND_priv_bytes(random, sizeof(random)) == 1 ? pkce_init_from(pkce, key, random)
							      : -EIO;

	text_burn(random, sizeof(random));
	return rc < 0 ? err_set(err, rc, "no randomness for a login") : 0;
}

int pkce_pair(char verifier[static PKCE_TEXT], char challenge[static PKCE_TEXT], struct err *err)
{
	uint8_t random[RANDOM_LEN];
	int rc = RAND_priv_bytes(random, sizeof(random)) == 1 ? encode(random, verifier) : -EIO;

	text_burn(random, sizeof(random));
	if (rc == 0)
		rc = digest(
			(struct bytes){ (const uint8_t *)verifier, strlen(verifier) }, challenge);
	return rc < 0 ? err_set(err, -EIO, "no randomness for a login") : 0;
}

void pkce_release(struct pkce *pkce)
{
	text_burn(pkce, sizeof(*pkce));
}

/* ---- what is sent ---- */

static int put_all(struct buf *form, const char *const (*pairs)[2], size_t count)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = url_form_put(form, pairs[i][0], pairs[i][1]);
	return rc;
}

int pkce_url(const struct pkce *pkce, const struct discovery *discovery, const char *client_id,
	const char *redirect_uri, char *const *scopes, int64_t max_age, struct buf *out)
{
	BUF_CLEANUP struct buf query = BUF_INIT(URL_MAX * 4);
	const char *const pairs[][2] = {
		{ "response_type", "code" },
		{ "client_id", client_id },
		{ "redirect_uri", redirect_uri },
		{ "state", pkce->state },
		{ "nonce", pkce->nonce },
		{ "code_challenge", pkce->challenge },
		{ "code_challenge_method", "S256" },
	};
	int rc = put_all(&query, pairs, sizeof(pairs) / sizeof(pairs[0]));

	rc = rc < 0 ? rc : form_put_scopes(&query, scopes, max_age);
	rc = rc < 0 ? rc : buf_puts(out, discovery->authorization);
	rc = rc < 0 ? rc : buf_putc(out, strchr(discovery->authorization, '?') ? '&' : '?');
	return rc < 0 ? rc : buf_put(out, buf_data(&query), query.len);
}

int pkce_form(
	const struct pkce *pkce, const char *client_id, const char *redirect_uri, struct buf *form)
{
	const char *const pairs[][2] = {
		{ "grant_type", "authorization_code" },
		{ "code", pkce->code },
		{ "redirect_uri", redirect_uri },
		{ "client_id", client_id },
		{ "code_verifier", pkce->verifier },
	};

	return put_all(form, pairs, sizeof(pairs) / sizeof(pairs[0]));
}

/* ---- what comes back ---- */

struct params { /* those of a callback that matter, decoded */
	struct buf code, state, error, description, iss;
};

static struct buf *param_named(struct params *params, const char *name, size_t len)
{
	const struct {
		const char *name;
		struct buf *value;
	} known[] = {
		{ "code", &params->code },
		{ "state", &params->state },
		{ "error", &params->error },
		{ "error_description", &params->description },
		{ "iss", &params->iss },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strlen(known[i].name) == len && memcmp(known[i].name, name, len) == 0)
			return known[i].value;
	return NULL;
}

/* One name=value; a name that matters may come once and not be empty. */
static int param_take(struct params *params, const char *text, size_t len)
{
	const char *equals = memchr(text, '=', len);
	struct buf *value = equals ? param_named(params, text, (size_t)(equals - text)) : NULL;

	if (!value)
		return 0;
	if (value->len)
		return -EBADMSG;
	size_t value_len = len - (size_t)(equals + 1 - text);
	int rc = value_len ? url_unescape(value, equals + 1, value_len) : -EBADMSG;
	if (rc < 0 || memchr(buf_data(value), '\0', value->len))
		return -EBADMSG;
	/* and a NUL behind it, without which nobody reads it as text */
	return buf_cstr(value) ? 0 : -EBADMSG;
}

static int params_parse(struct params *params, const char *query, size_t len)
{
	int rc = 0;

	while (rc == 0 && len > 0) {
		const char *end = memchr(query, '&', len);
		size_t part = end ? (size_t)(end - query) : len;
		rc = param_take(params, query, part);
		part += end != NULL;
		query += part;
		len -= part;
	}
	return rc;
}

static int callback_judge(struct pkce *pkce, const struct discovery *discovery,
	struct params *params, struct err *err)
{
	char shown[64], words[256];

	if (params->iss.len && strcmp(buf_cstr(&params->iss), discovery->issuer) != 0)
		return err_set(err, -EBADMSG, "the answer names another issuer: '%s'",
			text_clean(words, sizeof(words), buf_data(&params->iss), params->iss.len));
	if (!params->iss.len && discovery->iss_sent)
		return err_set(err, -EBADMSG,
			"the answer names no issuer, though the provider says that its answers do");
	if (params->error.len)
		return err_set(err, -EACCES, "the provider refused: %s%s%s",
			text_clean(
				shown, sizeof(shown), buf_data(&params->error), params->error.len),
			params->description.len ? ": " : "",
			text_clean(words, sizeof(words), buf_data(&params->description),
				params->description.len));
	if (!params->code.len)
		return err_set(err, -EBADMSG, "the answer has no code");
	memcpy(pkce->code, buf_data(&params->code), params->code.len);
	pkce->code[params->code.len] = '\0';
	pkce->state[0] = '\0'; /* taken: whoever comes with it again is a stray */
	return 1;
}

/* The state decides first: without it nothing that a stranger sends is more than a stray hit. */
static bool state_is_ours(const struct pkce *pkce, const struct buf *state)
{
	return pkce->state[0] && state->len == PKCE_TEXT - 1 &&
	       CRYPTO_memcmp(buf_data(state), pkce->state, PKCE_TEXT - 1) == 0;
}

int pkce_callback(struct pkce *pkce, const struct discovery *discovery, const char *path,
	const char *target, size_t len, struct err *err)
{
	size_t path_len = strlen(path);
	struct params params = { BUF_INIT(VALUE_MAX), BUF_INIT(VALUE_MAX), BUF_INIT(VALUE_MAX),
		BUF_INIT(VALUE_MAX), BUF_INIT(VALUE_MAX) };
	int rc = 0;

	if (len > PKCE_REQUEST_MAX || len <= path_len || memcmp(target, path, path_len) != 0 ||
		target[path_len] != '?')
		return 0;
	int parsed = params_parse(&params, target + path_len + 1, len - path_len - 1);
	if (state_is_ours(pkce, &params.state))
		rc = parsed < 0 ? err_set(err, -EBADMSG, "the answer is malformed")
				: callback_judge(pkce, discovery, &params, err);
	struct buf *all[] = { &params.code, &params.state, &params.error, &params.description,
		&params.iss };
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		buf_burn(all[i]);
	return rc;
}
