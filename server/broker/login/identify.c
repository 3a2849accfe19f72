/* From a certificate to an identity. See identify.h. What must be refused follows OpenSSH and the
 * CVEs since. */
#include "server/broker/login/auth.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/name.h"
#include "common/pattern.h"
#include "common/text.h"
#include "common/wire.h"
#include "server/broker/login/revoke.h"
#include "store/identities.h"
#include "store/logins.h"

static bool is_certificate(struct bytes key)
{
	struct wire in = WIRE_OF(key.data, key.len);
	struct bytes type;

	return !wire_get_string(&in, &type) && sshcert_is_cert_type(type);
}

/* Whether the certificate's authority is the gateway's own or one of the configuration: compares
 * the plain keys byte for byte. */
static bool trusted(const struct auth_question *question, const struct sshcert *cert,
	const struct conf_trusted **ret_foreign)
{
	*ret_foreign = NULL;
	if (question->issuing && sshkey_same(cert->ca, question->issuing))
		return true;
	for (size_t i = 0; i < question->conf->trusted_count && !*ret_foreign; i++)
		if (sshkey_same(cert->ca, question->conf->trusted[i].key))
			*ret_foreign = &question->conf->trusted[i];
	return *ret_foreign != NULL;
}

static struct identity *identity_new(const char *provider, const char *user)
{
	struct identity *who = calloc(1, sizeof(*who));

	if (!who)
		return NULL;
	who->provider = text_dup(provider, strlen(provider));
	who->user = text_dup(user, strlen(user));
	who->subject = text_dup(user, strlen(user));
	who->groups = calloc(1, sizeof(*who->groups));
	if (!who->provider || !who->user || !who->subject || !who->groups)
		identity_freep(&who);
	return who;
}

/* A certificate of the gateway's authority names one user; the groups come from the identity in the
 * store. One that was signed by hand with the authority's key has an unknown serial, and its user
 * no groups. */
static int ours(const struct auth_question *question, const struct sshcert *cert,
	const char *key_fp, struct identity **ret, struct err *err)
{
	if (cert->principal_count != 1)
		return err_set(err, -EACCES,
			"the certificate names %zu principals: one of this gateway's authority "
			"names exactly one",
			cert->principal_count);
	const char *user = cert->principals[0];
	struct err why = { 0 };
	int rc = cert->serial
			 ? identities_by_serial(question->store, cert->serial, key_fp, ret, &why)
			 : -ENOENT;
	if (rc == -ENOENT)
		rc = identities_by_user(question->store, user, ret, &why);
	if (rc == -ENOENT) {
		*ret = identity_new("local", user);
		return *ret ? 0 : err_set(err, -EACCES, "the gateway is out of memory");
	}
	if (rc)
		return err_set(err, -EACCES, "the certificate's owner could not be looked up: %s",
			why.text);
	if (strcmp((*ret)->user, user)) {
		identity_freep(ret);
		return err_set(err, -EACCES,
			"the certificate names another user than the one it was issued to");
	}
	return 0;
}

/* A certificate is one person. With several principals it would be whoever its holder says (asking
 * as one, voting as another), so the configuration names which counts, and nothing that the client
 * says does. */
static const char *pick_principal(
	const struct sshcert *cert, const struct pattern *pattern, struct err *err)
{
	const char *found = NULL;
	size_t matches = 0;

	if (!pattern && cert->principal_count == 1)
		return cert->principals[0];
	for (size_t i = 0; pattern && i < cert->principal_count; i++)
		if (pattern_match(pattern, cert->principals[i], strlen(cert->principals[i])) ==
			PATTERN_YES) {
			found = cert->principals[i];
			matches++;
		}
	if (matches == 1)
		return found;
	if (!pattern)
		err_set(err, -EACCES,
			"the certificate names %zu principals, and nothing says which of them is "
			"the user: ask for one with a single principal, or have "
			"certificates.trusted say which (principal_pattern)",
			cert->principal_count);
	else
		err_set(err, -EACCES,
			"%zu of the certificate's %zu principals match principal_pattern '%s' of "
			"its authority: exactly one has to be the user",
			matches, cert->principal_count, pattern_text(pattern));
	return NULL;
}

/* A user of a foreign authority belongs to that authority: the same name elsewhere is somebody
 * else. It has no groups here. */
static int foreign(const struct sshcert *cert, const struct conf_trusted *trust, const char *ca_fp,
	struct identity **ret, struct err *err)
{
	char provider[SSHKEY_FP_MAX + 4], why[NAME_WHY_MAX], show[256];

	snprintf(provider, sizeof(provider), "ca:%s", ca_fp);
	const char *user = trust->user == CONF_USER_KEY_ID
				   ? cert->key_id
				   : pick_principal(cert, trust->principal_pattern, err);
	if (!user)
		return -EACCES;
	if (!name_ok(user, strlen(user), NAME_UNICODE | NAME_WORKLOAD, why))
		return err_set(err, -EACCES, "the certificate's %s '%s' is not a user name: %s",
			trust->user == CONF_USER_KEY_ID ? "key id" : "principal",
			text_clean(show, sizeof(show), user, strlen(user)), why);
	*ret = identity_new(provider, user);
	return *ret ? 0 : err_set(err, -EACCES, "the gateway is out of memory");
}

static int identity_take_cert(
	struct identity *who, const struct sshcert *cert, const struct auth_seen *seen)
{
	free(who->key_id), free(who->key_fp), free(who->ca_fp), free(who->force_command);
	who->serial = cert->serial;
	who->key_id = text_dup(cert->key_id, strlen(cert->key_id));
	who->key_fp = text_dup(seen->key_fp, strlen(seen->key_fp));
	who->ca_fp = text_dup(seen->ca_fp, strlen(seen->ca_fp));
	who->force_command = cert->force_command
				     ? text_dup(cert->force_command, strlen(cert->force_command))
				     : NULL;
	who->expires = cert->valid_before > INT64_MAX ? INT64_MAX : (int64_t)cert->valid_before;
	who->rights = cert->rights;
	return who->key_id && who->key_fp && who->ca_fp &&
			       (who->force_command || !cert->force_command)
		       ? 0
		       : -ENOMEM;
}

/* The key has no login now, but its last user may be revoked: then it is refused at once, not only
 * after the next login. */
static int unknown_key(
	const struct auth_question *question, const struct auth_seen *seen, struct err *err)
{
	struct identity owner = { 0 };
	struct err why;
	int rc = logins_owner(question->store, seen->key_fp, &owner.user, &why);

	if (rc && rc != -ENOENT)
		return err_set(
			err, -EACCES, "the login of this key could not be looked up: %s", why.text);
	rc = revoke_check(question->store, question->krl, owner.user ? &owner : NULL, question->key,
		question->now, err);
	free(owner.user);
	return rc ? rc
		  : err_set(err, -ENOKEY,
			    "a certificate is needed: this gateway does not accept plain keys");
}

/* A plain key is accepted while the login that was made with it is valid: the certificate of that
 * login is in force even if the client does not present it. */
static int plain_key(const struct auth_question *question, struct auth_seen *seen,
	struct identity **ret, struct err *err)
{
	struct identity *who = NULL;
	struct err why = { 0 };

	sshkey_fingerprint_blob(question->key, seen->key_fp);
	int rc = question->issuing ? logins_by_key(question->store, seen->key_fp, question->now,
					     &who, NULL, &why)
				   : -ENOENT;
	if (rc == -ENOENT)
		return unknown_key(question, seen, err);
	if (rc)
		return err_set(
			err, -EACCES, "the login of this key could not be looked up: %s", why.text);
	sshkey_fingerprint(question->issuing, seen->ca_fp);
	seen->serial = who->serial;
	who->rights = AUTH_LOGIN_RIGHTS;
	who->ca_fp = strdup(seen->ca_fp);
	rc = who->ca_fp ? revoke_check(question->store, question->krl, who, question->key,
				  question->now, err)
			: err_set(err, -EACCES, "the gateway is out of memory");
	if (rc)
		identity_free(who);
	else
		*ret = who;
	return rc;
}

/* The owner of a certificate; its authority and validity are already checked. */
static int owner(const struct auth_question *question, const struct sshcert *cert,
	const struct conf_trusted *foreign_ca, const struct auth_seen *seen, struct identity **ret,
	struct err *err)
{
	struct identity *who = NULL;
	struct err why = { 0 };
	int rc = foreign_ca ? foreign(cert, foreign_ca, seen->ca_fp, &who, err)
			    : ours(question, cert, seen->key_fp, &who, err);

	if (!rc && identity_take_cert(who, cert, seen))
		rc = err_set(err, -EACCES, "the gateway is out of memory");
	if (!rc)
		rc = revoke_check(
			question->store, question->krl, who, question->key, question->now, err);
	if (!rc && !foreign_ca && logins_complete(question->store, who, &why))
		rc = err_set(
			err, -EACCES, "the certificate is not accepted any more: %s", why.text);
	if (rc)
		identity_free(who);
	else
		*ret = who;
	return rc;
}

int auth_identify(const struct auth_question *question, struct auth_seen *seen,
	struct identity **ret, struct err *err)
{
	SSHCERT_CLEANUP struct sshcert *cert = NULL;
	const struct conf_trusted *foreign_ca;
	struct err why = { 0 };

	memset(seen, 0, sizeof(*seen));
	if (!is_certificate(question->key))
		return plain_key(question, seen, ret, err);
	seen->certificate = true;
	if (sshcert_parse(question->key, &cert, &why))
		return err_set(err, -EACCES, "the certificate is not acceptable: %s", why.text);
	seen->serial = cert->serial;
	sshkey_fingerprint(cert->key, seen->key_fp);
	sshkey_fingerprint(cert->ca, seen->ca_fp);
	text_clean(seen->key_id, sizeof(seen->key_id), cert->key_id, strlen(cert->key_id));
	if (!trusted(question, cert, &foreign_ca))
		return err_set(err, -EACCES,
			"certificate was not issued by an authority that is trusted here (CA %s)",
			seen->ca_fp);
	if (sshcert_check(cert, question->now, &question->source, &why))
		return err_set(err, -EACCES, "%s", why.text);
	return owner(question, cert, foreign_ca, seen, ret, err);
}
