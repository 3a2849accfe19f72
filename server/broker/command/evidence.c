/* evidence ID: the cryptographic facts of a session's transports, one flat object for each, from
 * its session.json.
 *
 * outer is the client's connection to the gateway, inner the session inside it that jump mode ends
 * here, outbound the gateway's own to the target. */
#include "server/broker/command/impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/transcripts.h"

static const struct table_column evidence_columns[] = {
	{ "transport", "transport", true },
	{ "kex", "kex", true },
	{ "strict_kex", "strict", false },
	{ "host_key_algorithm", "host key", true },
	{ "host_key_fingerprint", "fingerprint", true },
	{ "cipher_in", "cipher in", true },
	{ "cipher_out", "cipher out", true },
	{ "mac_in", "mac in", true },
	{ "mac_out", "mac out", true },
	{ "banner", "peer", true },
	{ "certificate_serial", "certificate", true },
	{ "certificate_ca", "signed by", true },
	{ "certificate_key", "for key", true },
	{ 0 },
};

/* The single values of one transport's facts, after the session's id. */
static json_t *evidence_row(const char *session, const char *transport, const json_t *facts)
{
	json_t *row = json_pack("{s:s, s:s}", "session", session, "transport", transport);

	for (void *at = json_object_iter((json_t *)facts); at;
		at = json_object_iter_next((json_t *)facts, at)) {
		const char *key = json_object_iter_key(at);
		json_t *value = json_object_iter_value(at);
		if (!row || json_is_object(value) || !strcmp(key, "session") ||
			!strcmp(key, "transport"))
			continue;
		if (json_is_string(value))
			json_object_set_new(row, key,
				json_visible(json_string_value(value), json_string_length(value)));
		else
			json_object_set(row, key, value);
	}
	return row;
}

/* The identity that the client has proved on the outer transport. */
static void add_identity(json_t *row, const json_t *who)
{
	static const struct {
		const char *key, *from;
	} fields[] = { { "certificate_serial", "serial" }, { "certificate_ca", "ca" },
		{ "certificate_key", "key" } };

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		json_t *value = json_object_get(who, fields[i].from);
		if (value && !json_is_null(value))
			json_object_set(row, fields[i].key, value);
	}
}

/* in the order in which they were opened; session.json has them by name */
static const char *const transports[] = { "outer", "inner", "outbound" };

static json_t *evidence_rows(struct caller *caller, const struct session_row *row, struct err *err)
{
	JSON_CLEANUP json_t *file = NULL;
	json_t *rows = json_array();

	if (!rows || transcripts_read_json(caller->broker->store, row->path, &file, err)) {
		json_decref(rows);
		return NULL;
	}
	const json_t *evidence = json_object_get(file, "evidence"),
		     *who = json_object_get(file, "identity");
	for (size_t i = 0; i < sizeof(transports) / sizeof(*transports); i++) {
		const json_t *facts = json_object_get(evidence, transports[i]);
		json_t *one = facts ? evidence_row(row->id, transports[i], facts) : NULL;
		if (one && !i)
			add_identity(one, who);
		if (one)
			json_array_append_new(rows, one);
	}
	return rows;
}

json_t *command_evidence_summary(struct caller *caller, const struct session_row *row)
{
	BUF_CLEANUP struct buf text = BUF_INIT(4096);
	JSON_CLEANUP json_t *rows = evidence_rows(caller, row, NULL);

	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *facts = json_array_get(rows, i);
		const char *kex = json_get_string(facts, "kex"),
			   *cipher = json_get_string(facts, "cipher_out"),
			   *mac = json_get_string(facts, "mac_out");
		buf_printf(&text, "%s%s: %.100s %.100s %.100s", i ? "; " : "",
			json_get_string(facts, "transport"), kex ? kex : "-", cipher ? cipher : "-",
			mac ? mac : "-");
	}
	return text.len ? json_stringn((const char *)buf_data(&text), text.len) : json_null();
}

static void show_each(struct caller *caller, const struct command_args *args, json_t *rows)
{
	for (size_t i = 0; i < json_array_size(rows); i++) {
		if (i)
			command_out(caller, "\n");
		if (!command_show_one(
			    caller, args, json_incref(json_array_get(rows, i)), evidence_columns))
			return;
	}
	command_exit(caller, 0);
}

static void evidence(
	struct caller *caller, const struct command_args *args, const struct session_row *row)
{
	struct err err = { "" };
	JSON_CLEANUP json_t *rows = evidence_rows(caller, row, &err);

	if (!rows)
		command_fail(caller, 1, "the evidence of session '%s' cannot be read: %s", row->id,
			err.text);
	else if (!json_array_size(rows))
		command_fail(caller, 1,
			"session '%s': no evidence was recorded; it ended before a key exchange "
			"was complete",
			row->id);
	else if (args->json)
		command_list(caller, args, json_incref(rows), evidence_columns);
	else
		show_each(caller, args, rows);
}

void command_run_evidence(struct caller *caller, const struct command_args *args)
{
	struct session_row row = { 0 };

	if (!command_session(caller, args->words.items[0], MAY_SESSIONS, &row))
		return;
	evidence(caller, args, &row);
	session_row_release(&row);
}
