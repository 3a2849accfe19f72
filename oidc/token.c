/* ID tokens: front, key, signature, then each claim by its own small rule. The rules run in order,
 * and the first that fails says why. */
#include "oidc/token.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/text.h"
#include "oidc/claims.h"
#include "oidc/jws.h"
#include "oidc/token_kind.h"

#define LIFETIME_MAX 86400 /* seconds, where the rules say nothing */
#define AUDIENCES_MAX 64
#define SUBJECT_MAX 255 /* OpenID Connect Core, section 2 */
#define AGO_MAX 64

struct check {
	const json_t *payload;
	const struct token_rules *rules;
	int64_t now, skew;
	int64_t iat, exp; /* known after times_ok() */
};

static const char *seconds(int64_t count, char out[static AGO_MAX])
{
	return clock_duration_format(count * 1000, out, AGO_MAX);
}

/* ---- who made it, and for whom ---- */

static int issuer_ok(struct check *check, struct err *err)
{
	char is[CLAIMS_SHOWN_MAX], want[CLAIMS_SHOWN_MAX];
	const char *iss = json_get_string(check->payload, "iss");

	if (!iss)
		return err_set(err, -EBADMSG, "'iss' is missing or not a string");
	if (strcmp(iss, check->rules->issuer))
		return err_set(err, -EBADMSG, "issuer is '%s', not '%s'", claims_show(iss, is),
			claims_show(check->rules->issuer, want));
	return 0;
}

/* "'a', 'b'", cut where it becomes too long. */
static int audience_refused(const struct check *check, const json_t *aud, struct err *err)
{
	BUF_CLEANUP struct buf list = BUF_INIT(AUDIENCES_MAX * (CLAIMS_SHOWN_MAX + 4));
	char show[CLAIMS_SHOWN_MAX];
	size_t count = json_is_array(aud) ? json_array_size(aud) : 1;

	for (size_t i = 0; i < count; i++) {
		const char *one =
			json_string_value(json_is_array(aud) ? json_array_get(aud, i) : aud);
		if (buf_printf(&list, "%s'%s'", i ? ", " : "", claims_show(one, show)))
			return -ENOMEM;
	}
	const char *text = buf_cstr(&list);
	return err_set(err, -EBADMSG, "audience is %.512s, not '%s'", text ? text : "",
		claims_show(check->rules->audience, show));
}

static int audience_ok(struct check *check, struct err *err)
{
	const json_t *aud = json_object_get(check->payload, "aud");
	bool found = text_equal(json_string_value(aud), check->rules->audience);

	if (!json_is_string(aud) && !json_is_array(aud))
		return err_set(err, -EBADMSG, "'aud' is missing, or neither a string nor a list");
	if (json_is_array(aud) && (!json_array_size(aud) || json_array_size(aud) > AUDIENCES_MAX))
		return err_set(err, -EBADMSG, "'aud' is empty, or longer than %d", AUDIENCES_MAX);
	for (size_t i = 0; json_is_array(aud) && i < json_array_size(aud); i++) {
		const char *one = json_string_value(json_array_get(aud, i));
		if (!one)
			return err_set(err, -EBADMSG, "'aud' holds something that is not a string");
		found = found || !strcmp(one, check->rules->audience);
	}
	return found ? 0 : audience_refused(check, aud, err);
}

static int party_ok(struct check *check, struct err *err)
{
	char is[CLAIMS_SHOWN_MAX], want[CLAIMS_SHOWN_MAX];
	const json_t *azp = json_object_get(check->payload, "azp"),
		     *aud = json_object_get(check->payload, "aud");

	if (!azp && json_is_array(aud) && json_array_size(aud) > 1)
		return err_set(err, -EBADMSG,
			"'azp' is missing, and the token is for %zu audiences",
			json_array_size(aud));
	if (azp && !json_is_string(azp))
		return err_set(err, -EBADMSG, "'azp' is not a string");
	if (azp && strcmp(json_string_value(azp), check->rules->audience))
		return err_set(err, -EBADMSG, "authorized party ('azp') is '%s', not '%s'",
			claims_show(json_string_value(azp), is),
			claims_show(check->rules->audience, want));
	return 0;
}

/* ---- when ---- */

static int needed_time(const struct check *check, const char *name, int64_t *ret, struct err *err)
{
	int rc = claims_time(check->payload, name, ret, err);

	return rc == -ENOENT ? err_set(err, -EBADMSG, "'%s' is missing", name) : rc;
}

static int times_ok(struct check *check, struct err *err)
{
	char text[AGO_MAX], most[AGO_MAX];
	int64_t nbf = 0, lifetime = check->rules->lifetime_max_s > 0 ? check->rules->lifetime_max_s
								     : LIFETIME_MAX;
	int rc = needed_time(check, "exp", &check->exp, err);

	if (!rc)
		rc = needed_time(check, "iat", &check->iat, err);
	if (!rc)
		rc = claims_time(check->payload, "nbf", &nbf, err);
	if (rc && rc != -ENOENT)
		return rc;
	if (check->now >= check->exp + check->skew)
		return err_set(err, -EBADMSG, "token expired %s ago",
			seconds(check->now - check->exp, text));
	if (check->iat > check->now + check->skew)
		return err_set(err, -EBADMSG, "token was issued %s in the future",
			seconds(check->iat - check->now, text));
	if (nbf > check->now + check->skew)
		return err_set(err, -EBADMSG, "token is not valid for another %s",
			seconds(nbf - check->now, text));
	if (check->exp <= check->iat)
		return err_set(err, -EBADMSG, "token expires before it was issued");
	if (check->exp - check->iat > lifetime)
		return err_set(err, -EBADMSG, "token is valid for %s; %s is the most",
			seconds(check->exp - check->iat, text), seconds(lifetime, most));
	return 0;
}

static int age_ok(struct check *check, struct err *err)
{
	char text[AGO_MAX], most[AGO_MAX];
	int64_t login = check->iat;
	int rc = claims_time(check->payload, "auth_time", &login, err);

	if (rc && rc != -ENOENT)
		return rc;
	if (login > check->now + check->skew)
		return err_set(err, -EBADMSG, "login was %s in the future",
			seconds(login - check->now, text));
	if (check->rules->max_age_s >= 0 &&
		check->now - login - check->skew > check->rules->max_age_s)
		return err_set(err, -ESTALE, "login was %s ago; %s is the most",
			seconds(check->now - login, text), seconds(check->rules->max_age_s, most));
	return 0;
}

int token_stale(struct err *err, const char *logout)
{
	struct err was = *err;
	bool known = logout && *logout;

	return err_set(err, -ESTALE,
		"%.128s. The provider took the session that your browser still has there for a "
		"login: log out there first %s%.512s%sor open the link in a private window, and "
		"try "
		"again",
		was.text, known ? "(" : "", known ? logout : "", known ? " ), " : "");
}

/* ---- who, and in answer to what ---- */

static int subject_ok(struct check *check, struct err *err)
{
	const char *sub;

	return claims_text(check->payload, "sub", SUBJECT_MAX, &sub, err);
}

static int nonce_ok(struct check *check, struct err *err)
{
	const char *nonce = json_get_string(check->payload, "nonce");

	if (!check->rules->nonce)
		return 0;
	if (!nonce)
		return err_set(err, -EBADMSG, "'nonce' is missing or not a string");
	if (strcmp(nonce, check->rules->nonce))
		return err_set(err, -EBADMSG, "nonce is not the one of this login");
	return 0;
}

static int (*const rules_in_order[])(struct check *check, struct err *err) = {
	issuer_ok,
	audience_ok,
	party_ok,
	times_ok,
	subject_ok,
	nonce_ok,
	age_ok,
};

static int claims_ok(
	const json_t *payload, const struct token_rules *rules, int64_t now, struct err *err)
{
	int64_t skew = rules->skew_s < 0		? 0
		       : rules->skew_s > TOKEN_SKEW_MAX ? TOKEN_SKEW_MAX
							: rules->skew_s;
	struct check check = { .payload = payload, .rules = rules, .now = now, .skew = skew };
	int rc = 0;

	for (size_t i = 0; !rc && i < sizeof(rules_in_order) / sizeof(rules_in_order[0]); i++)
		rc = rules_in_order[i](&check, err);
	return rc;
}

static int signature_ok(struct bytes compact, const struct jwks *jwks,
	const struct token_rules *rules, struct jws *jws, struct err *err)
{
	const struct jwk *key;
	int rc = jws_parse(compact, rules->algorithms, jws, err);

	if (rc)
		return rc;
	rc = jwks_find(jwks, jws->kid, jws->alg, &key, err);
	if (rc)
		return rc == -ENOENT ? rc : -EBADMSG;
	rc = jws_verify(key, jws, err);
	/* the key may have been changed: without names nobody can tell */
	return rc && !jws->kid ? -ENOENT : rc;
}

int token_verify(struct bytes compact, const struct jwks *jwks, const struct token_rules *rules,
	int64_t now, json_t **ret, struct err *err)
{
	JWS_CLEANUP struct jws jws = { 0 };
	JSON_CLEANUP json_t *payload = NULL;

	if (!rules->issuer || !rules->audience || !rules->algorithms || now < 0 ||
		now > CLAIMS_TIME_MAX)
		return err_set(
			err, -EBADMSG, "issuer, audience, algorithms and the time must be known");
	int rc = signature_ok(compact, jwks, rules, &jws, err);
	if (rc)
		return rc;
	if (json_parse(buf_bytes(&jws.payload), JWS_SIZE_MAX, &payload, err))
		return err_prefix(err, -EBADMSG, "payload");
	if (!json_is_object(payload))
		return err_set(err, -EBADMSG, "payload is not a JSON object");
	/* first: who holds the wrong token should hear that, and not what else is missing in it */
	rc = token_kind_ok(jws.header, payload, rules->machine, rules->require, err);
	if (!rc)
		rc = claims_ok(payload, rules, now, err);
	if (rc)
		return rc;
	*ret = payload;
	payload = NULL;
	return 0;
}
