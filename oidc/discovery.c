/* See discovery.h. */
#include "oidc/discovery.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/json.h"
#include "common/text.h"
#include "common/url.h"
#include "conf/provider.h"

static const struct {
	const char *key;
	size_t offset;
	bool required;
	bool sound; /* not required, but no login is to be had with an unusable one */
} addresses[] = {
	{ "jwks_uri", offsetof(struct discovery, jwks), true, true },
	{ "token_endpoint", offsetof(struct discovery, token), false, true },
	{ "device_authorization_endpoint", offsetof(struct discovery, device), false, false },
	{ "authorization_endpoint", offsetof(struct discovery, authorization), false, false },
	{ "userinfo_endpoint", offsetof(struct discovery, userinfo), false, false },
	{ "end_session_endpoint", offsetof(struct discovery, logout), false, false },
};

int discovery_url(const char *issuer, struct buf *out)
{
	size_t len = strlen(issuer);
	int rc = buf_put(out, issuer, len > 0 && issuer[len - 1] == '/' ? len - 1 : len);

	return rc < 0 ? rc : buf_puts(out, CONF_ISSUER_SUFFIX);
}

/* The text of a member; -EBADMSG when it is something else, or holds a NUL. */
static int member_text(const json_t *object, const char *key, const char **ret, struct err *err)
{
	const json_t *value = json_object_get(object, key);

	*ret = NULL;
	if (!value || json_is_null(value))
		return 0;
	if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value))
		return err_set(err, -EBADMSG, "'%s' is not a text", key);
	*ret = json_string_value(value);
	return 0;
}

static int check_issuer(const json_t *object, const char *issuer, struct err *err)
{
	const char *own = NULL;
	char shown[256];
	int rc = member_text(object, "issuer", &own, err);

	if (rc < 0)
		return rc;
	if (!own)
		return err_set(err, -EBADMSG, "'issuer' is missing");
	if (strcmp(own, issuer) != 0)
		return err_set(err, -EBADMSG,
			"the provider calls itself '%s', the configuration '%s'",
			text_clean(shown, sizeof(shown), own, strlen(own)), issuer);
	return 0;
}

/* The text of an address that can be used; NULL: not there. */
static int read_address(
	const json_t *object, const char *key, bool allow_http, const char **ret, struct err *err)
{
	int rc = member_text(object, key, ret, err);

	if (rc < 0 || !*ret || !**ret)
		return rc;
	rc = url_check(*ret, allow_http, NULL, err);
	return rc < 0 ? err_prefix(err, -EBADMSG, "%s", key) : 0;
}

static int take_address(const json_t *object, size_t i, bool allow_http,
	struct discovery *discovery, struct err *err)
{
	const char *text = json_get_string(object, addresses[i].key), *key = addresses[i].key;
	struct err why = { "" };

	if (text && !addresses[i].required && !strncasecmp(text, "urn:", 4))
		return 0; /* how some clusters say that they have no logins */
	int rc = read_address(object, key, allow_http, &text, &why);
	if (rc < 0 && addresses[i].sound)
		return err_set(err, -EBADMSG, "%s", why.text);
	if (rc < 0) {
		discovery->unusable = discovery->unusable ? discovery->unusable : strdup(why.text);
		return 0;
	}
	if (!text || !*text)
		return addresses[i].required ? err_set(err, -EBADMSG, "'%s' is missing", key) : 0;
	char *copy = strdup(text);
	*(char **)((char *)discovery + addresses[i].offset) = copy;
	return copy ? 0 : err_set(err, -ENOMEM, "out of memory");
}

/* Whether a list of texts has this one; without a list: absent. */
static bool lists(const json_t *object, const char *key, const char *text, bool absent)
{
	const json_t *list = json_object_get(object, key), *entry;
	size_t i;

	if (!json_is_array(list))
		return absent;
	json_array_foreach(
		list, i, entry) if (json_is_string(entry) &&
				    strcmp(json_string_value(entry), text) == 0) return true;
	return false;
}

static int take(const json_t *object, const char *issuer, bool allow_http,
	struct discovery *discovery, struct err *err)
{
	static const char methods[] = "token_endpoint_auth_methods_supported";
	int rc = check_issuer(object, issuer, err);

	for (size_t i = 0; rc == 0 && i < sizeof(addresses) / sizeof(addresses[0]); i++)
		rc = take_address(object, i, allow_http, discovery, err);
	if (rc < 0)
		return rc;
	if (!discovery->token && (discovery->device || discovery->authorization))
		return err_set(err, -EBADMSG, "'token_endpoint' is missing");
	discovery->basic = lists(object, methods, "client_secret_basic", true);
	discovery->post = lists(object, methods, "client_secret_post", false);
	discovery->s256 = lists(object, "code_challenge_methods_supported", "S256", true);
	discovery->iss_sent = json_is_true(
		json_object_get(object, "authorization_response_iss_parameter_supported"));
	discovery->issuer = strdup(issuer);
	return discovery->issuer ? 0 : err_set(err, -ENOMEM, "out of memory");
}

int discovery_parse(struct bytes json, const char *issuer, bool allow_http, struct discovery **ret,
	struct err *err)
{
	JSON_CLEANUP json_t *object = NULL;
	int rc = json_parse(json, DISCOVERY_SIZE_MAX, &object, err);

	if (rc < 0)
		return rc;
	if (!json_is_object(object))
		return err_set(err, -EBADMSG, "not a JSON object");
	struct discovery *discovery = calloc(1, sizeof(*discovery));
	if (!discovery)
		return err_set(err, -ENOMEM, "out of memory");
	rc = take(object, issuer, allow_http, discovery, err);
	if (rc < 0) {
		discovery_free(discovery);
		return rc;
	}
	*ret = discovery;
	return 0;
}

void discovery_free(struct discovery *discovery)
{
	if (!discovery)
		return;
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		free(*(char **)((char *)discovery + addresses[i].offset));
	free(discovery->issuer);
	free(discovery->unusable);
	free(discovery);
}
