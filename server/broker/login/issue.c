/* User certificates by the gateway's own authority. Audited before the signer is asked; stored
 * before they are handed out. */
#include "server/broker/login/issue.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "keys/sshcert.h"
#include "server/broker/core/impl.h"
#include "store/identities.h"
#include "store/logins.h"

#define ISSUE_BACK_S 300
/* groups in the audit event, whose size is limited; the store has them all */
#define AUDIT_GROUPS_MAX 64

struct issue {
	LIST_ENTRY(issue) entry;
	struct broker *broker;
	struct identity *who;
	struct certificate_row row;
	bool login; /* who is an identity of a provider: its login is stored, too */
	struct question *question;
	issue_done_fn *done;
	void *context;
};

static void issue_free(struct issue *issue)
{
	question_cancel(&issue->question);
	LIST_REMOVE(issue, entry);
	identity_free(issue->who);
	certificate_row_release(&issue->row);
	free(issue);
}

static void finish(struct issue *issue, bool ok, const char *text)
{
	issue_done_fn *done = issue->done;
	void *context = issue->context;
	issue_free(issue);
	if (done)
		done(context, ok, text);
}

/* Checks the signer's answer with the parser that will read it at login. */
static int certificate_line(
	const struct issue *issue, struct bytes blob, struct buf *line, struct err *err)
{
	SSHCERT_CLEANUP struct sshcert *cert = NULL;
	int rc = sshcert_parse(blob, &cert, err);

	if (!rc && cert->serial != issue->row.serial)
		rc = err_set(err, -EBADMSG,
			"the signer signed another certificate than the requested one");
	if (!rc)
		rc = buf_printf(line, "%s ", cert->type_name);
	if (!rc)
		rc = text_base64(line, blob.data, blob.len);
	if (!rc)
		rc = buf_printf(line, " %s", issue->who->user);
	return rc;
}

/* Stores identity, certificate and login in one transaction. */
static int keep(const struct issue *issue, const char *line, struct err *err)
{
	struct store *store = issue->broker->store;
	int rc = store_begin(store, err);

	if (rc)
		return rc;
	rc = identities_put(store, issue->who, clock_wall_ms(), err);
	if (!rc)
		rc = certificates_put(store, &issue->row, err);
	if (!rc && issue->login)
		rc = logins_put(store, issue->who, line, clock_wall(), err);
	if (!rc)
		rc = store_commit(store, err);
	if (rc)
		store_rollback(store);
	return rc;
}

static void on_signed(void *context, const void *data, struct ipc_raw *raw, const char *failure)
{
	(void)raw;
	struct issue *issue = context;
	const struct msg_signed *msg = data;
	BUF_CLEANUP struct buf line = BUF_INIT(2 * IPC_BLOB_MAX);
	struct err err = { 0 };
	if (!msg || !msg->ok) {
		finish(issue, false, failure ? failure : msg->reason);
		return;
	}
	int rc = certificate_line(issue, msg->data, &line, &err);
	if (!rc)
		rc = keep(issue, buf_cstr(&line), &err);
	finish(issue, !rc, rc ? err.text : buf_cstr(&line));
}

static char **groups_copy(char *const *groups, size_t *ret_count)
{
	size_t count = 0;

	while (groups && groups[count])
		count++;
	char **copy = calloc(count + 1, sizeof(*copy));
	for (size_t i = 0; copy && i < count; i++)
		copy[i] = strdup(groups[i]);
	*ret_count = count;
	return copy;
}

static int64_t lifetime_of(const struct broker *broker, const struct issue_spec *spec)
{
	int64_t usual = broker->config->conf->cert_lifetime / 1000,
		most = spec->local_admin ? BROKER_ISSUE_MAX_S : usual;
	int64_t wanted = spec->lifetime_s > 0 ? spec->lifetime_s : usual;

	return wanted < most ? wanted : most;
}

static struct identity *local_user(const struct issue_spec *spec)
{
	struct identity *who = calloc(1, sizeof(*who));

	if (!who)
		return NULL;
	who->user = strdup(spec->user);
	who->provider = strdup("local");
	who->subject = strdup(spec->user);
	who->groups = groups_copy(spec->groups, &who->group_count);
	if (!who->user || !who->provider || !who->subject || !who->groups)
		identity_freep(&who);
	return who;
}

static int fill_row(struct issue *issue, const struct issue_spec *spec, struct err *err)
{
	char fp[SSHKEY_FP_MAX], key_id[400];
	const struct identity *who = issue->who;
	int64_t now = clock_wall();
	uint64_t serial;
	int rc = certificates_next_serial(issue->broker->store, &serial, err);

	if (rc)
		return rc;
	sshkey_fingerprint(spec->key, fp);
	snprintf(key_id, sizeof(key_id), "%s serial %llu", who->user, (unsigned long long)serial);
	issue->row = (struct certificate_row){ .serial = serial,
		.provider = strdup(who->provider),
		.subject = strdup(who->subject),
		.user = strdup(who->user),
		.key_id = strdup(key_id),
		.key_fp = strdup(fp),
		.valid_after = now - ISSUE_BACK_S,
		.valid_before = now + lifetime_of(issue->broker, spec),
		.issued = clock_wall_ms() };
	const struct certificate_row *row = &issue->row;
	return row->provider && row->subject && row->user && row->key_id && row->key_fp
		       ? 0
		       : err_set(err, -ENOMEM, "out of memory");
}

static int fill(struct issue *issue, const struct issue_spec *spec, struct err *err)
{
	issue->login = spec->who;
	issue->who = spec->who ? identity_copy(spec->who) : local_user(spec);
	int rc = issue->who ? fill_row(issue, spec, err) : err_set(err, -ENOMEM, "out of memory");
	if (rc || !issue->login)
		return rc;
	free(issue->who->key_fp);
	issue->who->key_fp = strdup(issue->row.key_fp);
	issue->who->serial = issue->row.serial;
	issue->who->expires = issue->row.valid_before;
	return issue->who->key_fp ? 0 : err_set(err, -ENOMEM, "out of memory");
}

static int audit(const struct issue *issue, const struct issue_spec *spec, const char *by)
{
	json_t *data = json_object(), *groups = json_array();
	char time[CLOCK_RFC3339_MAX];

	for (size_t i = 0; i < issue->who->group_count && i < AUDIT_GROUPS_MAX; i++)
		json_array_append_new(groups, json_string_or_null(issue->who->groups[i]));
	json_object_set_new(data, "user", json_string_or_null(issue->who->user));
	json_object_set_new(data, "provider", json_string_or_null(issue->who->provider));
	json_object_set_new(data, "groups", groups);
	if (issue->who->group_count > AUDIT_GROUPS_MAX)
		json_object_set_new(
			data, "groups_in_all", json_integer((json_int_t)issue->who->group_count));
	json_object_set_new(data, "serial", json_integer((json_int_t)issue->row.serial));
	json_object_set_new(data, "key", json_string(issue->row.key_fp));
	json_object_set_new(
		data, "expires", json_string(clock_format(issue->row.valid_before, time)));
	json_object_set_new(data, "by", json_visible(by, strlen(by)));
	if (spec->force_command && *spec->force_command)
		json_object_set_new(data, "force_command",
			json_visible(spec->force_command, strlen(spec->force_command)));
	if (spec->source_address && *spec->source_address)
		json_object_set_new(data, "source_address",
			json_visible(spec->source_address, strlen(spec->source_address)));
	return broker_audit(issue->broker, "certificate-issued", data);
}

static int ask_signer(struct issue *issue, const struct issue_spec *spec, struct err *err)
{
	char *principals[] = { issue->who->user, NULL };
	struct msg_sign_cert msg = {
		.key = (char *)"issuing",
		.pubkey = sshkey_blob(spec->key),
		.serial = issue->row.serial,
		.key_id = issue->row.key_id,
		.principals = principals,
		.valid_after = (uint64_t)issue->row.valid_after,
		.valid_before = (uint64_t)issue->row.valid_before,
		.force_command = (char *)(spec->force_command ? spec->force_command : ""),
		.source_address = (char *)(spec->source_address ? spec->source_address : ""),
		.rights = spec->rights,
	};
	int rc = ask(issue->broker->private->signer, IPC_SIGN_CERT, &msg, BROKER_SIGN_MS, on_signed,
		issue, &issue->question);

	return rc ? err_set(err, rc, "the signer cannot be reached now") : 0;
}

void issue_start(struct broker *broker, const struct issue_spec *spec, const char *by,
	issue_done_fn *done, void *context)
{
	struct err err = { 0 };
	struct issue *issue = calloc(1, sizeof(*issue));
	const char *user = spec->who ? spec->who->user : spec->user;

	const char *why = NULL;

	if (!issue)
		why = "out of memory";
	else if (!broker_key(broker, "issuing"))
		why = "this gateway issues no certificates (certificates.issuing_key)";
	else if (!text_name_ok(user, strlen(user)))
		why = "the user name is not valid";
	if (why) {
		done(context, false, why);
		free(issue);
		return;
	}
	*issue = (struct issue){ .broker = broker, .done = done, .context = context };
	LIST_INSERT_HEAD(&broker->private->issues, issue, entry);
	int rc = fill(issue, spec, &err);
	if (!rc && (rc = audit(issue, spec, by)))
		err_set(&err, rc, "the gateway cannot write its audit log");
	if (!rc)
		rc = ask_signer(issue, spec, &err);
	if (rc)
		finish(issue, false, err.text);
}

void issue_forget(struct broker *broker, void *context)
{
	struct issue *issue;

	for (issue = LIST_FIRST(&broker->private->issues); issue; issue = LIST_NEXT(issue, entry))
		if (issue->context == context)
			/* the certificate is still issued and stored, because it was audited */
			issue->done = NULL;
}

void issues_close(struct broker *broker)
{
	struct issue *issue;

	while ((issue = LIST_FIRST(&broker->private->issues)))
		issue_free(issue);
}
