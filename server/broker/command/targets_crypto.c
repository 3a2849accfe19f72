/* targets --crypto: how each target was last connected to, and whether a future quantum computer
 * could open what was recorded on the way.
 *
 * A row is what a session or a scan has seen, not what the target could do. Names under a pattern
 * are shown to those with the right 'hosts' only: they tell where others went. */
#include "server/broker/command/impl.h"

#include <string.h>

#include "common/clock.h"
#include "policy/decide.h"
#include "store/target_crypto.h"

static const struct table_column crypto_columns[] = {
	{ "name", "TARGET", true },
	{ "port", "PORT", false },
	{ "post_quantum", "POST-QUANTUM", false },
	{ "kex", "KEX", true },
	{ "host_key_algorithm", "HOST KEY", true },
	{ "cipher", "CIPHER", true },
	{ "from", "FROM", false },
	{ "seen", "SEEN", false },
	{ 0 },
};

struct gathering {
	struct caller *caller;
	json_t *by_target; /* name of the target in the configuration -> rows */
};

static json_t *crypto_row(const struct target_crypto *row)
{
	return json_pack("{s:s, s:i, s:b, s:s, s:o, s:o, s:s, s:o}", "name", row->target, "port",
		(int)row->port, "post_quantum", (int)row->post_quantum, "kex", row->kex,
		"host_key_algorithm", json_string_or_null(row->host_key), "cipher",
		json_string_or_null(row->cipher), "from", row->scanned ? "scan" : "session", "seen",
		json_time_ms(row->seen));
}

static json_t *unknown_row(const struct target *target, bool json)
{
	json_t *unknown = json ? json_null() : json_string("unknown");

	return json_pack("{s:s, s:i, s:o, s:n, s:n, s:n, s:n, s:n}", "name", target->name, "port",
		(int)target->port, "post_quantum", unknown, "kex", "host_key_algorithm", "cipher",
		"from", "seen");
}

static int gather(const struct target_crypto *row, void *context)
{
	struct gathering *all = context;
	const struct target *target =
		targets_find(all->caller->broker->config->targets, row->target);

	if (!target || (target->is_pattern && !(all->caller->may & MAY_HOSTS)))
		return 0;
	json_t *rows = json_object_get(all->by_target, target->name);
	if (!rows) {
		rows = json_array();
		json_object_set_new(all->by_target, target->name, rows);
	}
	json_array_append_new(rows, crypto_row(row));
	return 0;
}

/* Whether the caller may reach it now, or looks after all of them. */
static bool concerns(const struct caller *caller, const struct target *target)
{
	struct access access = {
		.who = caller->who,
		.source = caller->source,
		.target = target->name,
		.now = clock_wall(),
	};
	struct decision decision;

	return (caller->may & MAY_HOSTS) ||
	       decide_any(caller->broker->config->ruleset, target, &access, &decision);
}

void command_show_crypto(struct caller *caller, const struct command_args *args)
{
	const struct targets *targets = caller->broker->config->targets;
	JSON_CLEANUP json_t *by_target = json_object();
	struct gathering all = { caller, by_target };
	struct err err = { "" };

	if (target_crypto_each(caller->broker->store, gather, &all, &err)) {
		command_fail(caller, EXIT_GATEWAY, "%s", err.text);
		return;
	}
	json_t *rows = json_array();
	for (size_t i = 0; rows && i < targets_count(targets); i++) {
		const struct target *target = targets_at(targets, i);
		json_t *seen = json_object_get(by_target, target->name);
		if (!concerns(caller, target))
			continue;
		if (seen)
			json_array_extend(rows, seen);
		else
			json_array_append_new(rows, unknown_row(target, args->json));
	}
	command_list(caller, args, rows, crypto_columns);
}
