/* See token_kind.h. There is no claim that all providers put into ID tokens and nowhere else (the
 * header's typ is "JWT" for nearly everything), so each kind is told by what is typical of it:
 *
 *   provider    its ID token has           its other tokens have
 *   Keycloak    typ ID, at_hash            typ Bearer, Refresh, Offline, Logout, …; scope
 *   Entra ID    ver, oid, tid, no azp      scp or idtyp; azpacr (v2), appid, appidacr (v1)
 *   Okta        jti ID.…, at_hash, idp     jti AT.…, cid, scp
 *   Auth0       sid, nonce                 scope, gty; header typ at+jwt with the RFC 9068 profile
 *   GitLab      sub_legacy, nickname       (people's are opaque) job_id, pipeline_id of a CI job
 *   Kubernetes  none                       kubernetes.io of a service account
 *   GitHub      none                       job_workflow_ref of a workflow
 *   Zitadel     at_hash, client_id         client_id without at_hash; header typ at+jwt
 *   Cognito     token_use id               token_use access
 *   ForgeRock   tokenName id_token         tokenName access_token
 *   Dex, Authentik: at_hash; their access tokens are the same without it, for which there is
 *               `require: [at_hash]` in the configuration
 *
 * and by the standards: scope and client_id (RFC 9068), events (RFC 8417: logout and other security
 * events), token_introspection (RFC 9701), code (JARM), cnf (RFC 7800: worth something only with
 * another key's signature), act (RFC 8693: somebody else acts with it).
 *
 * tests/tokens/kinds.json has one of each. */
#include "oidc/token_kind.h"

#include <errno.h>
#include <string.h>

#include "common/text.h"
#include "oidc/claims.h"

enum verdict_of_mark {
	SAYS_ID,   /* an ID token, for all that it has of another kind's weak marks */
	NEVER,	   /* not an ID token */
	UNLESS_ID, /* not, where nothing says that it is one */
	WORKLOAD,  /* good where workloads' are wanted */
};

/* value NULL: whatever it holds; "AT.*": text that begins so. Of the rows of one claim the first
 * that fits counts. A claim that is null is not there. */
static const struct mark {
	const char *claim, *value;
	enum verdict_of_mark verdict;
	const char *what;
} marks[] = {
	{ "typ", "ID", SAYS_ID, NULL },
	{ "typ", "Bearer", NEVER, "an access token" },
	{ "typ", "DPoP", NEVER, "an access token" },
	{ "typ", "Refresh", NEVER, "a refresh token" },
	{ "typ", "Offline", NEVER, "an offline token" },
	{ "typ", "Logout", NEVER, "a logout token" },
	{ "typ", NULL, NEVER, "a token of another type" },
	{ "token_use", "id", SAYS_ID, NULL },
	{ "token_use", NULL, NEVER, "an access token" },
	{ "tokenName", "id_token", SAYS_ID, NULL },
	{ "tokenName", NULL, NEVER, "an access token" },
	{ "at_hash", NULL, SAYS_ID, NULL },
	{ "c_hash", NULL, SAYS_ID, NULL },
	{ "events", NULL, NEVER, "a logout token or another security event" },
	{ "token_introspection", NULL, NEVER, "an answer to an introspection" },
	{ "code", NULL, NEVER, "an answer to an authorization request (JARM)" },
	{ "scope", NULL, NEVER, "an access token" },
	{ "scp", NULL, NEVER, "an access token" },
	{ "idtyp", NULL, NEVER, "an access token" },
	{ "azpacr", NULL, NEVER, "an access token" },
	{ "appid", NULL, NEVER, "an access token" },
	{ "appidacr", NULL, NEVER, "an access token" },
	{ "cid", NULL, NEVER, "an access token" },
	{ "jti", "AT.*", NEVER, "an access token" },
	{ "jti", "ID.*", SAYS_ID, NULL },
	{ "gty", NULL, NEVER, "an access token" },
	{ "cnf", NULL, NEVER, "a token that is bound to another key" },
	{ "act", NULL, NEVER, "a token with which somebody else acts for the user" },
	{ "client_id", NULL, UNLESS_ID, "an access token" },
	{ "kubernetes.io", NULL, WORKLOAD, "a service account's token" },
	{ "job_id", NULL, WORKLOAD, "a CI job's token" },
	{ "pipeline_id", NULL, WORKLOAD, "a CI job's token" },
	{ "job_workflow_ref", NULL, WORKLOAD, "a workflow's token" },
};
#define MARKS (sizeof(marks) / sizeof(marks[0]))

static bool fits(const json_t *value, const char *pattern)
{
	const char *text = json_string_value(value);
	size_t len = pattern ? strcspn(pattern, "*") : 0;

	if (!pattern)
		return true;
	return text && (pattern[len] ? !strncmp(text, pattern, len) : !strcmp(text, pattern));
}

/* Whether this row is the one that counts for its claim. */
static bool counts(const json_t *payload, size_t i)
{
	const json_t *value = json_object_get(payload, marks[i].claim);

	if (!value || json_is_null(value) || !fits(value, marks[i].value))
		return false;
	for (size_t k = 0; k < i; k++)
		if (!strcmp(marks[k].claim, marks[i].claim) && fits(value, marks[k].value))
			return false;
	return true;
}

static bool says_id(const json_t *payload)
{
	for (size_t i = 0; i < MARKS; i++)
		if (marks[i].verdict == SAYS_ID && counts(payload, i))
			return true;
	return false;
}

static int refuse(const struct mark *mark, const json_t *payload, struct err *err)
{
	const char *text = json_get_string(payload, mark->claim);
	char show[CLAIMS_SHOWN_MAX];

	if (mark->verdict == WORKLOAD)
		return err_set(err, -EBADMSG,
			"token is %s (it has '%s'), and this provider is for people, not for "
			"workloads (machine: false)",
			mark->what, mark->claim);
	if (text && (mark->value || !strcmp(mark->claim, "typ")))
		return err_set(err, -EBADMSG, "token is %s ('%s' is '%.64s'), not an ID token",
			mark->what, mark->claim, claims_show(text, show));
	return err_set(err, -EBADMSG, "token is %s (it has '%s'), not an ID token", mark->what,
		mark->claim);
}

int token_kind_ok(const json_t *header, const json_t *payload, bool machine,
	const char *const *require, struct err *err)
{
	bool id = says_id(payload);

	if (text_equal(json_get_string(header, "typ"), "at+jwt"))
		return err_set(
			err, -EBADMSG, "token is an access token (typ 'at+jwt'), not an ID token");
	for (size_t i = 0; i < MARKS; i++) {
		const struct mark *mark = &marks[i];
		if (mark->verdict == SAYS_ID || (mark->verdict == UNLESS_ID && id) ||
			(mark->verdict == WORKLOAD && machine))
			continue;
		if (counts(payload, i))
			return refuse(mark, payload, err);
	}
	for (; require && *require; require++)
		if (!claims_at(payload, *require, NULL))
			return err_set(err, -EBADMSG,
				"token has no '%s', which an ID token of this provider has",
				*require);
	return 0;
}
