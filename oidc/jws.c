/* The front of every token: its form, before anybody verifies anything. And the one function that
 * says that a signature is good. */
#include "oidc/jws.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "oidc/base64url.h"
#include "oidc/jws_impl.h"

#define PARTS 3
#define SHOWN_MAX 64 /* bytes of a hostile word in a message */

/* Each of these changes what is signed, or where the key comes from. */
static const char *const forbidden[] = { "crit", "b64", "zip", "enc", "jku", "jwk", "x5u", NULL };
static const char *const types[] = { "JWT", "at+jwt", NULL };

void jws_release(struct jws *jws)
{
	json_decref(jws->header);
	free(jws->alg);
	free(jws->kid);
	buf_release(&jws->payload);
	buf_release(&jws->signature);
	*jws = (struct jws){ 0 };
}

static int split(struct bytes compact, struct bytes parts[static PARTS], struct err *err)
{
	size_t count = 0, start = 0;

	if (compact.len > JWS_SIZE_MAX)
		return err_set(err, -EBADMSG, "token is longer than %d bytes", JWS_SIZE_MAX);
	if (!compact.len)
		return err_set(err, -EBADMSG, "token is empty");
	for (size_t i = 0; i <= compact.len; i++) {
		if (i < compact.len && compact.data[i] != '.')
			continue;
		if (count < PARTS)
			parts[count] = (struct bytes){ compact.data + start, i - start };
		count++;
		start = i + 1;
	}
	if (count == 5)
		return err_set(err, -EBADMSG,
			"token has 5 parts: encrypted tokens (JWE) are not accepted");
	if (count != PARTS)
		return err_set(err, -EBADMSG, "token has %zu part%s, not %d", count,
			count == 1 ? "" : "s", PARTS);
	return 0;
}

static int decode(const char *name, struct bytes part, struct buf *ret, struct err *err)
{
	int rc = base64url_decode(part, ret, err);

	return rc ? err_prefix(err, -EBADMSG, "%s", name) : 0;
}

static int text_of(
	const json_t *header, const char *name, size_t max, const char **ret, struct err *err)
{
	const json_t *value = json_object_get(header, name);

	*ret = json_string_value(value);
	if (value && !*ret)
		return err_set(err, -EBADMSG, "header: '%s' is not a string", name);
	if (value && json_string_length(value) > max)
		return err_set(err, -EBADMSG, "header: '%s' is longer than %zu bytes", name, max);
	return 0;
}

static int alg_ok(const char *alg, const char *const *algorithms, struct err *err)
{
	char clean[SHOWN_MAX], names[JWA_NAMES_MAX];

	if (!alg)
		return err_set(err, -EBADMSG, "header: 'alg' is missing");
	text_clean(clean, sizeof(clean), alg, strlen(alg));
	if (algorithms && !jwa_listed(algorithms, alg))
		return err_set(err, -EBADMSG, "algorithm '%s' is not in the provider's list (%s)",
			clean, jwa_names(algorithms, names));
	if (!jwa_find(alg))
		return err_set(err, -EBADMSG, "algorithm '%s' is not supported (%s)", clean,
			jwa_names(NULL, names));
	return 0;
}

static int header_ok(const json_t *header, const char *const *algorithms, const char **ret_alg,
	const char **ret_kid, struct err *err)
{
	const char *typ = NULL, *alg = NULL, *kid = NULL;
	char clean[SHOWN_MAX];

	if (!json_is_object(header))
		return err_set(err, -EBADMSG, "header is not a JSON object");
	for (size_t i = 0; forbidden[i]; i++)
		if (json_object_get(header, forbidden[i]))
			return err_set(err, -EBADMSG, "header: '%s' is not accepted", forbidden[i]);
	int rc = text_of(header, "typ", JWS_SIZE_MAX, &typ, err);
	if (!rc && typ && !jwa_listed(types, typ))
		rc = err_set(err, -EBADMSG, "type '%s' is not accepted, only 'JWT'",
			text_clean(clean, sizeof(clean), typ, strlen(typ)));
	if (!rc)
		rc = text_of(header, "alg", JWS_SIZE_MAX, &alg, err);
	if (!rc)
		rc = alg_ok(alg, algorithms, err);
	if (!rc)
		rc = text_of(header, "kid", JWK_KID_MAX, &kid, err);
	if (rc)
		return rc;
	*ret_alg = alg;
	*ret_kid = kid;
	return 0;
}

static int parse_header(
	struct bytes part, const char *const *algorithms, struct jws *jws, struct err *err)
{
	BUF_CLEANUP struct buf text = BUF_INIT(JWS_SIZE_MAX);
	const char *alg = NULL, *kid = NULL;
	int rc = part.len ? decode("header", part, &text, err)
			  : err_set(err, -EBADMSG, "header is empty");

	if (rc)
		return rc;
	if (json_parse(buf_bytes(&text), JWS_SIZE_MAX, &jws->header, err))
		return err_prefix(err, -EBADMSG, "header");
	rc = header_ok(jws->header, algorithms, &alg, &kid, err);
	if (rc)
		return rc;
	jws->alg = strdup(alg);
	jws->kid = kid ? strdup(kid) : NULL;
	return jws->alg && (jws->kid || !kid) ? 0 : err_set(err, -ENOMEM, "out of memory");
}

int jws_parse(struct bytes compact, const char *const *algorithms, struct jws *ret, struct err *err)
{
	JWS_CLEANUP struct jws jws = { .payload = BUF_INIT(JWS_SIZE_MAX),
		.signature = BUF_INIT(JWS_SIZE_MAX),
		.compact = compact };
	struct bytes parts[PARTS];
	int rc = split(compact, parts, err);

	if (!rc)
		rc = parse_header(parts[0], algorithms, &jws, err);
	if (!rc)
		rc = decode("payload", parts[1], &jws.payload, err);
	if (!rc)
		rc = parts[2].len ? decode("signature", parts[2], &jws.signature, err)
				  : err_set(err, -EBADMSG, "token has no signature");
	if (rc)
		return rc;
	jws.input = (struct bytes){ compact.data, compact.len - parts[2].len - 1 };
	*ret = jws;
	jws = (struct jws){ 0 };
	return 0;
}

int jws_verify(const struct jwk *key, const struct jws *jws, struct err *err)
{
	const struct jwa *jwa = jwa_find(jws->alg);
	int rc;

	if (!jwa)
		return alg_ok(jws->alg, NULL, err);
	if (jwk_fits(key, jwa, err))
		return err_prefix(err, -EBADMSG, "key");
	rc = jws_openssl(key, jwa, jws, err);
	if (rc)
		return rc;
	rc = jws_libjwt(key, jws, err);
	return rc < 0 ? rc : 0;
}
