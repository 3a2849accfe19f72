/* audit tail: the newest events of the chain; audit key: the public key that signs it. The CLI
 * verifies the chain, offline. */
#include "server/broker/command/impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "store/audit.h"

/* bytes of event data in one answer; older events are left out, with a message */
#define TAIL_BYTES_MAX (1024 * 1024)

static const struct table_column audit_columns[] = {
	{ "seq", "SEQ", false },
	{ "time", "TIME", false },
	{ "type", "EVENT", false },
	{ "data", "DATA", true },
	{ 0 },
};

struct tail {
	json_t *rows; /* oldest first */
	size_t bytes;
	size_t left_out;
	bool json;
};

/* The row of the table: the event's own fields as one text. */
static json_t *plain_row(const struct audit_row *row)
{
	return json_pack("{s:I, s:o, s:s, s:o}", "seq", (json_int_t)row->seq, "time",
		json_time_ms(row->time), "type", row->type, "data", json_string_or_null(row->data));
}

/* Event data is usually flat, but need not be: nested values become text. Steals event. */
static json_t *flat(json_t *event)
{
	for (void *at = json_object_iter(event); at; at = json_object_iter_next(event, at)) {
		BUF_CLEANUP struct buf text = BUF_INIT(2 * AUDIT_DATA_MAX);
		const json_t *value = json_object_iter_value(at);
		if (json_is_object(value) && !json_text(value, &text))
			json_object_iter_set_new(
				event, at, json_stringn((const char *)buf_data(&text), text.len));
	}
	return event;
}

static int add_event(const struct audit_row *row, void *context)
{
	struct tail *tail = context;

	if (json_array_append_new(tail->rows, tail->json ? flat(audit_json(row)) : plain_row(row)))
		return -ENOMEM;
	tail->bytes += strlen(row->data) + 200;
	return 0;
}

/* Measures the events, to start at one from which the answer is small enough: a second walk is
 * cheaper than keeping events that are not shown. */
static int measure(const struct audit_row *row, void *context)
{
	size_t *sizes = context; /* [0]: count, then each event's size */

	sizes[++sizes[0]] = strlen(row->data) + 200;
	return sizes[0] == COMMAND_LIST_MAX;
}

static uint64_t first_shown(
	struct store *store, uint64_t from, uint64_t last, struct tail *tail, struct err *err)
{
	FREE_CLEANUP size_t *sizes = calloc(COMMAND_LIST_MAX + 1, sizeof(*sizes));

	if (!sizes || audit_each(store, from, measure, sizes, err) < 0)
		return from;
	size_t total = 0, shown = 0;
	while (shown < sizes[0] && total + sizes[sizes[0] - shown] <= TAIL_BYTES_MAX)
		total += sizes[sizes[0] - shown++];
	tail->left_out = sizes[0] - shown;
	return last + 1 - shown;
}

void command_run_audit(struct caller *caller, const struct command_args *args)
{
	struct err err = { "" };
	struct store *store = caller->broker->store;
	struct tail tail = { .rows = json_array(), .json = args->json };
	uint64_t last = audit_last(store), lines = (uint64_t)args->lines;
	uint64_t from = first_shown(store, last > lines ? last - lines + 1 : 1, last, &tail, &err);
	int rc = tail.rows ? audit_each(store, from, add_event, &tail, &err) : -ENOMEM;

	if (rc < 0) {
		json_decref(tail.rows);
		command_fail(caller, EXIT_GATEWAY, "the audit events cannot be read: %s", err.text);
		return;
	}
	if (tail.left_out)
		command_error(caller, "%zu older events are left out: the answer would be too long",
			tail.left_out);
	command_list(caller, args, tail.rows, audit_columns);
}

void command_run_audit_key(struct caller *caller, const struct command_args *args)
{
	BUF_CLEANUP struct buf line = BUF_INIT(2 * SSHKEY_BLOB_MAX);
	const struct sshkey *key = broker_key(caller->broker, "audit");

	(void)args;
	if (!key || sshkey_line(key, "bartizan-audit", &line) || buf_putc(&line, '\n')) {
		command_fail(caller, EXIT_GATEWAY,
			"the signer, which has the key, cannot be reached now");
		return;
	}
	command_put(caller, 1, &line);
	command_exit(caller, 0);
}
