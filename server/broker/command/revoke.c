/* revoke, revoked, unrevoke: users, certificates and keys that are not accepted any more.
 *
 * The order: the audit event is written, then the row, then the connections to which it applies are
 * ended. Stored logins are deleted, so that they do not become valid again when the revocation
 * ends. */
#include "server/broker/command/impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/text.h"
#include "keys/sshkey.h"
#include "server/broker/login/revoke.h"
#include "store/logins.h"
#include "store/revocations.h"

#define FP_LEN (7 + 43) /* "SHA256:" and 32 bytes in base64 without padding */

static bool is_fingerprint(const char *text)
{
	BUF_CLEANUP struct buf bytes = BUF_INIT(64);
	char padded[FP_LEN + 2];

	if (strlen(text) != FP_LEN || strncmp(text, "SHA256:", 7))
		return false;
	snprintf(padded, sizeof(padded), "%s=", text);
	return !text_base64_decode(&bytes, padded + 7, strlen(padded + 7));
}

/* ---- what is to be revoked ---- */

/* a revocation that is being made; value and ca point into it or into the arguments */
struct order {
	struct revocation row;
	char key_fp[SSHKEY_FP_MAX], ca_fp[SSHKEY_FP_MAX], serial[24];
	uint64_t number;
};

static int take_user(struct order *order, const struct command_args *args, struct err *err)
{
	order->row.kind = REVOKED_USER;
	order->row.value = (char *)args->user;
	return text_name_ok(args->user, strlen(args->user))
		       ? 0
		       : err_set(err, -EINVAL, "'%.255s' is not a valid user name", args->user);
}

static int take_serial(struct order *order, const struct command_args *args, struct err *err)
{
	char *end;

	errno = 0;
	unsigned long long number = strtoull(args->serial, &end, 10);
	if (errno || *end || args->serial[0] < '0' || args->serial[0] > '9')
		return err_set(err, -EINVAL, "'%.64s' is not a serial number", args->serial);
	if (!args->ca && !*order->ca_fp)
		return err_set(err, -EINVAL,
			"this gateway issues no certificates: name their authority with --ca "
			"SHA256:…");
	order->number = number;
	snprintf(order->serial, sizeof(order->serial), "%llu", number);
	order->row.kind = REVOKED_SERIAL;
	order->row.value = order->serial;
	order->row.ca = args->ca ? (char *)args->ca : order->ca_fp;
	return 0;
}

static int take_key(struct order *order, const struct command_args *args, struct err *err)
{
	SSHKEY_CLEANUP struct sshkey *key = NULL;
	struct err why;

	order->row.kind = REVOKED_KEY;
	order->row.value = order->key_fp;
	if (is_fingerprint(args->key))
		snprintf(order->key_fp, sizeof(order->key_fp), "%s", args->key);
	else if (sshkey_from_line(args->key, &key, &why))
		return err_set(err, -EINVAL,
			"'%.64s' is neither a fingerprint (SHA256:…) nor a public key", args->key);
	else
		sshkey_fingerprint(key, order->key_fp);
	return 0;
}

static int take_key_id(struct order *order, const struct command_args *args, struct err *err)
{
	order->row.kind = REVOKED_KEY_ID;
	order->row.value = (char *)args->key_id;
	order->row.ca = (char *)(args->ca ? args->ca : "");
	return *args->key_id && strlen(args->key_id) <= REVOCATION_VALUE_MAX
		       ? 0
		       : err_set(err, -EINVAL, "the key id is empty or too long");
}

struct wanted {
	const char *session;
	char *key_fp;
};

static void find_session(const struct broker_live *live, void *context)
{
	struct wanted *wanted = context;

	if (!strcmp(live->session, wanted->session) && live->who->key_fp)
		snprintf(wanted->key_fp, SSHKEY_FP_MAX, "%s", live->who->key_fp);
}

/* The key of a live session: its user cannot connect with it again. */
static int take_session(struct caller *caller, struct order *order, const struct command_args *args,
	struct err *err)
{
	struct session_row row = { 0 };
	int rc = sessions_get(caller->broker->store, args->session, &row, err);

	if (rc)
		return err_set(err, -ENOENT, "there is no session '%.64s'", args->session);
	struct wanted wanted = { row.id, order->key_fp };
	broker_live_each(caller->broker, find_session, &wanted);
	session_row_release(&row);
	order->row.kind = REVOKED_KEY;
	order->row.value = order->key_fp;
	return *order->key_fp ? 0
			      : err_set(err, -ENOENT,
					"session '%.64s' is not live: revoke its user, or its "
					"certificate (evidence ID shows the serial)",
					args->session);
}

static int take_until(struct order *order, const struct command_args *args, struct err *err)
{
	int rc = 0;

	if (args->until && args->for_ms)
		return err_set(err, -EINVAL, "'--until' and '--for' exclude each other");
	if (args->until)
		rc = clock_parse(args->until, &order->row.until, err);
	else if (args->for_ms)
		order->row.until = order->row.at + args->for_ms / 1000;
	if (!rc && order->row.until && order->row.until <= order->row.at)
		rc = err_set(err, -EINVAL, "the end of the revocation is not in the future");
	return rc;
}

static int order_of(struct caller *caller, const struct command_args *args, struct order *order,
	struct err *err)
{
	const struct sshkey *issuing = broker_key(caller->broker, "issuing");
	unsigned count =
		!!args->user + !!args->serial + !!args->key + !!args->key_id + !!args->session;

	*order = (struct order){
		.row = { .ca = (char *)"", .by = caller->who->user, .at = clock_wall() }
	};
	order->row.reason = (char *)(args->reason ? args->reason : "");
	if (issuing)
		sshkey_fingerprint(issuing, order->ca_fp);
	if (count != 1)
		return err_set(err, -EINVAL,
			"one of --user, --serial, --key, --key-id and --session is needed");
	if (strlen(order->row.reason) > REVOCATION_REASON_MAX)
		return err_set(
			err, -EINVAL, "the reason is longer than %d bytes", REVOCATION_REASON_MAX);
	if (args->ca && (!is_fingerprint(args->ca) || (!args->serial && !args->key_id)))
		return err_set(err, -EINVAL,
			"'--ca' is the fingerprint (SHA256:…) of the authority of a serial or a "
			"key id");
	int rc = take_until(order, args, err);
	if (rc)
		return rc;
	if (args->user)
		return take_user(order, args, err);
	if (args->serial)
		return take_serial(order, args, err);
	if (args->key)
		return take_key(order, args, err);
	return args->key_id ? take_key_id(order, args, err)
			    : take_session(caller, order, args, err);
}

/* ---- revoke ---- */

static json_t *row_json(const struct revocation *row)
{
	char at[CLOCK_RFC3339_MAX], until[CLOCK_RFC3339_MAX];

	return json_pack("{s:I, s:s, s:o, s:o, s:o, s:o, s:s, s:o}", "id", (json_int_t)row->id,
		"kind", revocation_kind_name(row->kind), "value",
		json_visible(row->value, strlen(row->value)), "ca",
		*row->ca ? json_string(row->ca) : json_null(), "reason",
		json_visible(row->reason, strlen(row->reason)), "by",
		json_visible(row->by, strlen(row->by)), "at", clock_format(row->at, at), "until",
		row->until ? json_string(clock_format(row->until, until)) : json_null());
}

static int forget(
	struct store *store, const struct order *order, uint64_t *ret_count, struct err *err)
{
	switch (order->row.kind) {
	case REVOKED_USER: return logins_forget_user(store, order->row.value, ret_count, err);
	case REVOKED_KEY: return logins_forget_key(store, order->row.value, ret_count, err);
	case REVOKED_SERIAL:
		return strcmp(order->row.ca, order->ca_fp)
			       ? 0
			       : logins_forget_serial(store, order->number, ret_count, err);
	default: return 0; /* by key id: the row is checked whenever the login is used */
	}
}

/* Writes the row and deletes the logins in one transaction. */
static int keep(struct store *store, struct order *order, uint64_t *ret_logins, struct err *err)
{
	int rc = store_begin(store, err);

	if (rc)
		return rc;
	rc = revocations_put(store, &order->row, &order->row.id, err);
	if (!rc)
		rc = forget(store, order, ret_logins, err);
	if (!rc)
		rc = store_commit(store, err);
	if (rc)
		store_rollback(store);
	return rc;
}

static void told(struct caller *caller, const struct command_args *args, const struct order *order,
	unsigned connections, uint64_t logins)
{
	static const struct table_column columns[] = { { "id", "revocation", false },
		{ "kind", "kind", false }, { "value", "value", true }, { "ca", "ca", true },
		{ "reason", "reason", true }, { "until", "until", false },
		{ "connections", "connections ended", false },
		{ "logins", "logins forgotten", false }, { 0 } };
	json_t *object = row_json(&order->row);

	json_object_set_new(object, "connections", json_integer((json_int_t)connections));
	json_object_set_new(object, "logins", json_integer((json_int_t)logins));
	command_one(caller, args, object, columns);
}

static bool names_something(const struct command_args *args)
{
	return args->user || args->serial || args->key || args->key_id || args->session ||
	       args->ca || args->until || args->for_ms;
}

/* For an approval, server/broker/approval/vote.c checks who may revoke it; everything else needs
 * the right 'revoke'. */
static bool is_ours(struct caller *caller, const struct command_args *args)
{
	if (args->words.count && names_something(args))
		command_fail(caller, 2,
			"'%.64s' is a request, the options name something else: revoke one at a "
			"time",
			args->words.items[0]);
	else if (args->words.count)
		command_revoke_approval(caller, args);
	else if (!(caller->may & MAY_REVOKE))
		command_fail(caller, EXIT_DENIED,
			"'revoke' needs the right 'revoke' (may: of one of your roles)");
	else
		return true;
	return false;
}

void command_run_revoke(struct caller *caller, const struct command_args *args)
{
	if (!is_ours(caller, args))
		return;
	struct broker *broker = caller->broker;
	struct order order;
	struct err err = { "" };
	uint64_t logins = 0;
	int rc = order_of(caller, args, &order, &err);
	if (rc) {
		command_fail(caller, rc == -EINVAL ? 2 : 1, "%s", err.text);
		return;
	}
	json_t *event = row_json(&order.row);
	json_object_del(event, "id");
	if (broker_audit(broker, "revoked", event)) {
		command_fail(caller, EXIT_GATEWAY,
			"nothing was revoked: the audit event could not be written");
		return;
	}
	if (keep(broker->store, &order, &logins, &err))
		command_fail(caller, EXIT_GATEWAY, "nothing was revoked: %s", err.text);
	else
		told(caller, args, &order, revoke_sweep(broker), logins);
}

/* ---- revoked ---- */

static int add_row(const struct revocation *row, void *context)
{
	return json_array_append_new(context, row_json(row)) ? -ENOMEM : 0;
}

void command_run_revoked(struct caller *caller, const struct command_args *args)
{
	static const struct table_column columns[] = { { "id", "ID", false },
		{ "kind", "KIND", false }, { "value", "VALUE", true }, { "ca", "CA", true },
		{ "until", "UNTIL", false }, { "by", "BY", true }, { "at", "AT", false },
		{ "reason", "REASON", true }, { 0 } };
	struct err err = { "" };
	json_t *rows = json_array();

	if (revocations_each(caller->broker->store, args->all, clock_wall(), add_row, rows, &err)) {
		json_decref(rows);
		command_fail(caller, EXIT_GATEWAY, "%s", err.text);
		return;
	}
	command_list(caller, args, rows, columns);
}

/* ---- unrevoke ---- */

void command_run_unrevoke(struct caller *caller, const struct command_args *args)
{
	const char *word = args->words.items[0];
	char *end;
	struct err err = { "" };

	errno = 0;
	long long id = strtoll(word, &end, 10);
	if (errno || *end || id <= 0) {
		command_fail(caller, 2,
			"'%.64s' is not the number of a revocation ('revoked' lists them)", word);
		return;
	}
	if (broker_audit(caller->broker, "unrevoked",
		    json_pack("{s:I, s:s}", "id", (json_int_t)id, "by", caller->who->user))) {
		command_fail(caller, EXIT_GATEWAY,
			"nothing was changed: the audit event could not be written");
		return;
	}
	struct revocation row = { 0 };
	int rc = revocations_remove(caller->broker->store, id, &row, &err);
	if (rc) {
		command_fail(caller, rc == -ENOENT ? 1 : EXIT_GATEWAY, "%s", err.text);
		return;
	}
	char value[256];
	command_out(caller, "revocation %lld (%s %s) is removed; logins that it ended stay ended\n",
		id, revocation_kind_name(row.kind),
		text_clean(value, sizeof(value), row.value, strlen(row.value)));
	revocation_release(&row);
	command_exit(caller, 0);
}
