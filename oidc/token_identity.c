/* From verified claims to an identity. What a name may hold is name_ok()'s to say; what is not a
 * name is refused (the user) or dropped and told (a group).
 *
 * Groups come as one name (ADFS and others write a list of one so), as a list of names, as a list
 * of objects that have one, or, where the configuration says so, as the keys of an object (Zitadel:
 * {"lead": {"2391…": "example.com"}}). One text that is not one name ("sre, leads") is refused:
 * nobody can tell what was meant, and dropping it would drop them all. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "oidc/claims.h"
#include "oidc/token.h"

#define CLAIM_MAX 1024 /* bytes of a kept claim */

struct sources { /* where a claim is looked for, in this order */
	const json_t *payload, *userinfo;
};

/* userinfo is an answer to the access token, not signed: it counts only for the same subject
 * (OpenID Connect Core 5.3.2). */
static int userinfo_ok(const struct sources *from, struct err *err)
{
	const char *sub = json_get_string(from->payload, "sub"),
		   *other = json_get_string(from->userinfo, "sub");

	if (from->userinfo && (!sub || !other || strcmp(sub, other)))
		return err_set(err, -EBADMSG, "userinfo is about another subject");
	return 0;
}

/* ---- the user ---- */

static bool is_email(const char *path)
{
	const char *dot = strrchr(path, '.');

	return !strcmp(dot ? dot + 1 : path, "email");
}

/* Some providers write a truth as text. It is not taken for one: it is said as that. */
static int not_verified(const char *text, const json_t *verified, struct err *err)
{
	char show[CLAIMS_SHOWN_MAX], value[CLAIMS_SHOWN_MAX];

	if (json_is_string(verified))
		return err_set(err, -EBADMSG,
			"e-mail address '%s' is not verified: 'email_verified' is the text "
			"\"%.32s\", "
			"and not true (let the provider send a boolean, or name the user by "
			"another "
			"claim)",
			claims_show(text, show), claims_show(json_string_value(verified), value));
	return err_set(
		err, -EBADMSG, "e-mail address '%s' is not verified", claims_show(text, show));
}

/* 1: this source names the user; 0: it does not, or leaves open whether the address is verified
 * (*ret_open); -EBADMSG. */
static int user_in(const json_t *source, const struct token_claims *claims, const char **ret,
	const char **ret_open, struct err *err)
{
	const char *path = claims->user;
	char why[NAME_WHY_MAX], show[CLAIMS_SHOWN_MAX], name[CLAIMS_SHOWN_MAX];
	const json_t *parent = NULL, *value = source ? claims_at(source, path, &parent) : NULL;

	if (!value)
		return 0;
	const char *text = json_string_value(value);
	if (!text)
		return err_set(
			err, -EBADMSG, "claim '%s' is not a string", claims_show(path, show));
	const json_t *verified = json_object_get(parent, "email_verified");
	if (is_email(path) && !json_is_true(verified)) {
		*ret_open = text;
		return verified && !json_is_null(verified) ? not_verified(text, verified, err) : 0;
	}
	if (!name_ok(text, json_string_length(value), claims->name_flags, why))
		return err_set(err, -EBADMSG,
			"claim '%s' holds '%s', which cannot be a user name: %s",
			claims_show(path, show), claims_show(text, name), why);
	*ret = text;
	return 1;
}

static int user_of(
	const struct sources *from, const struct token_claims *claims, char **ret, struct err *err)
{
	const char *path = claims->user;
	char show[CLAIMS_SHOWN_MAX];
	const char *text = NULL, *unverified = NULL, *ignored = NULL;
	int rc = user_in(from->payload, claims, &text, &unverified, err);

	if (!rc)
		rc = user_in(
			from->userinfo, claims, &text, unverified ? &ignored : &unverified, err);
	if (rc < 0)
		return rc;
	if (unverified && !(text && !strcmp(text, unverified)))
		return err_set(err, -EBADMSG,
			"e-mail address '%s' is not verified (there is no 'email_verified')",
			claims_show(unverified, show));
	if (!text)
		return err_set(err, -EBADMSG, "claim '%s', which names the user, is missing",
			claims_show(path, show));
	*ret = strdup(text);
	return *ret ? 0 : err_set(err, -ENOMEM, "out of memory");
}

/* ---- groups ---- */

/* "sre", or {"name": "sre"}; NULL: neither. */
static const json_t *name_in(const json_t *item)
{
	const json_t *name = json_is_object(item) ? json_object_get(item, "name") : item;

	return json_is_string(name) ? name : NULL;
}

static void drop(struct token_dropped *dropped, const json_t *name, const char *why)
{
	char show[64];
	size_t used = strlen(dropped->words), room = sizeof(dropped->words) - used;
	const char *text = json_string_value(name);

	if (dropped->count++ >= TOKEN_DROPPED_SHOWN)
		return;
	int len = snprintf(dropped->words + used, room, "%s%s%s%s (%s)", used ? ", " : "",
		text ? "'" : "",
		text ? text_clean(show, sizeof(show), text, json_string_length(name)) : "one",
		text ? "'" : "", why);
	if (len < 0 || (size_t)len >= room)
		dropped->words[used] = '\0';
}

/* 1: added; 0: dropped; -ENOMEM. */
static int take_group(
	struct identity *who, const json_t *name, unsigned flags, struct token_dropped *dropped)
{
	char why[NAME_WHY_MAX] = "it is not text";

	if (!name || !name_ok(json_string_value(name), json_string_length(name), flags, why)) {
		drop(dropped, name, why);
		return 0;
	}
	who->groups[who->group_count] = strdup(json_string_value(name));
	return who->groups[who->group_count] ? (int)++who->group_count : -ENOMEM;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_unique(struct identity *who)
{
	size_t kept = 0;

	if (who->group_count)
		qsort(who->groups, who->group_count, sizeof(*who->groups), by_text);
	for (size_t i = 0; i < who->group_count; i++) {
		if (kept && !strcmp(who->groups[kept - 1], who->groups[i]))
			free(who->groups[i]);
		else
			who->groups[kept++] = who->groups[i];
	}
	for (size_t i = kept; i < who->group_count; i++)
		who->groups[i] = NULL;
	who->group_count = kept;
}

/* A list of their own makes of everything that they may be one thing. */
static json_t *keys_of(const json_t *object)
{
	json_t *list = json_array();
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value)
	{
		(void)value;
		json_array_append_new(list, json_string(key));
	}
	return list;
}

static int take_groups(const json_t *list, const struct token_claims *claims, struct identity *who,
	struct token_dropped *dropped, struct err *err)
{
	size_t count = json_is_array(list) ? json_array_size(list) : list ? 1 : 0;
	int rc = 0;

	if (count > TOKEN_GROUPS_MAX)
		return err_set(err, -EBADMSG, "more than %d groups", TOKEN_GROUPS_MAX);
	who->groups = calloc(count + 1, sizeof(*who->groups));
	if (!who->groups)
		return err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; rc >= 0 && i < count; i++)
		rc = take_group(who, name_in(json_is_array(list) ? json_array_get(list, i) : list),
			claims->name_flags, dropped);
	if (rc < 0)
		return err_set(err, -ENOMEM, "out of memory");
	sort_unique(who);
	return 0;
}

/* Where a person has too many groups, some providers leave them out and say so (OpenID Connect
 * Core 5.6.2: distributed claims). Taking that for "no groups" would let a denied group pass. */
static bool left_out(const json_t *payload, const char *path)
{
	return json_object_get(json_object_get(payload, "_claim_names"), path) ||
	       json_is_true(json_object_get(payload, "hasgroups"));
}

/* Whether the claim has a form that groups come in. */
static int form_ok(const json_t *list, const struct token_claims *claims, struct err *err)
{
	char show[CLAIMS_SHOWN_MAX], name[CLAIMS_SHOWN_MAX], why[NAME_WHY_MAX];

	claims_show(claims->groups, show);
	if (claims->groups_keys && !json_is_object(list))
		return err_set(err, -EBADMSG,
			"claim '%s' is not an object, whose keys would be the groups (keys_of)",
			show);
	if (!claims->groups_keys && json_is_object(list))
		return err_set(err, -EBADMSG,
			"claim '%s' is neither a string nor a list (where the keys of an object "
			"are "
			"the groups: 'groups: {keys_of: …}')",
			show);
	if (!claims->groups_keys && !json_is_array(list) && !json_is_string(list))
		return err_set(err, -EBADMSG, "claim '%s' is neither a string nor a list", show);
	if (json_is_string(list) && !name_ok(json_string_value(list), json_string_length(list),
					    claims->name_flags, why))
		return err_set(err, -EBADMSG,
			"claim '%s' is the text '%s', which is neither a list nor one group: %s",
			show, claims_show(json_string_value(list), name), why);
	return 0;
}

static int groups_of(const struct sources *from, const struct token_claims *claims,
	struct identity *who, struct token_dropped *dropped, struct err *err)
{
	char show[CLAIMS_SHOWN_MAX];
	const char *path = claims->groups;
	const json_t *list = path ? claims_at(from->payload, path, NULL) : NULL;

	if (!list && path && from->userinfo)
		list = claims_at(from->userinfo, path, NULL);
	if (!list && path && left_out(from->payload, path))
		return err_set(err, -EBADMSG,
			"the provider left claim '%s' out of the token, because there are too many",
			claims_show(path, show));
	int rc = list ? form_ok(list, claims, err) : 0;
	if (rc)
		return rc;
	JSON_CLEANUP json_t *keys = list && claims->groups_keys ? keys_of(list) : NULL;
	return take_groups(keys ? keys : list, claims, who, dropped, err);
}

/* ---- further claims, and the rest ---- */

/* Text, whole numbers and truth as text; anything else, and what cannot be shown, is not kept, and
 * so matches nothing. */
static int claim_text(const json_t *value, char **ret)
{
	const char *text = json_string_value(value);

	if (json_is_integer(value))
		return asprintf(ret, "%" JSON_INTEGER_FORMAT, json_integer_value(value)) < 0
			       ? -ENOMEM
			       : 1;
	if (json_is_boolean(value))
		text = json_is_true(value) ? "true" : "false";
	if (!text || strlen(text) > CLAIM_MAX || !claims_text_ok(text, strlen(text)))
		return 0;
	*ret = strdup(text);
	return *ret ? 1 : -ENOMEM;
}

static int keep_claims(
	const json_t *payload, const char *const *keep, struct identity *who, struct err *err)
{
	size_t count = 0, kept = 0;

	while (keep && keep[count])
		count++;
	if (count > IDENTITY_CLAIMS_MAX)
		return err_set(
			err, -E2BIG, "more than %d claims are to be kept", IDENTITY_CLAIMS_MAX);
	who->claims = count ? calloc(count + 1, sizeof(*who->claims)) : NULL;
	int rc = count && !who->claims ? -ENOMEM : 0;
	for (size_t i = 0; rc >= 0 && i < count; i++) {
		char *value = NULL;
		rc = claim_text(json_object_get(payload, keep[i]), &value);
		if (rc <= 0)
			continue;
		who->claims[kept].value = value;
		who->claims[kept].name = strdup(keep[i]);
		if (!who->claims[kept++].name) {
			free(value);
			rc = -ENOMEM;
		}
	}
	return rc < 0 ? err_set(err, -ENOMEM, "out of memory") : 0;
}

static int subject_of(
	const json_t *payload, const char *provider, struct identity *who, struct err *err)
{
	const char *iss = json_get_string(payload, "iss"), *sub = json_get_string(payload, "sub");
	int64_t login = 0;

	if (!iss || !sub || !*iss || !*sub)
		return err_set(err, -EBADMSG, "'iss' or 'sub' is missing");
	int rc = claims_time(payload, "iat", &login, err);
	if (!rc || rc == -ENOENT)
		rc = claims_time(payload, "auth_time", &login, err);
	if (rc && rc != -ENOENT)
		return rc;
	who->login_time = login;
	who->provider = strdup(provider);
	if (asprintf(&who->subject, "%s %s", iss, sub) < 0)
		who->subject = NULL;
	return who->provider && who->subject ? 0 : err_set(err, -ENOMEM, "out of memory");
}

int token_identity(const json_t *payload, const json_t *userinfo, const struct token_claims *claims,
	const char *provider, struct identity **ret, struct token_dropped *ret_dropped,
	struct err *err)
{
	const struct sources from = { payload, userinfo };
	struct identity *who = calloc(1, sizeof(*who));
	struct token_dropped dropped = { 0, "" };
	int rc = who ? userinfo_ok(&from, err) : err_set(err, -ENOMEM, "out of memory");

	if (!rc)
		rc = subject_of(payload, provider, who, err);
	if (!rc)
		rc = user_of(&from, claims, &who->user, err);
	if (!rc)
		rc = groups_of(&from, claims, who, &dropped, err);
	if (!rc)
		rc = keep_claims(payload, claims->keep, who, err);
	if (rc) {
		identity_free(who);
		return rc;
	}
	*ret = who;
	if (ret_dropped)
		*ret_dropped = dropped;
	return 0;
}
