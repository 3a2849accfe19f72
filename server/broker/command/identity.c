/* Commands about who the caller is and what the gateway is: whoami, targets, status. */
#include "server/broker/command/impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/text.h"
#include "common/version.h"
#include "policy/decide.h"

/* ---- whoami ---- */

static const struct table_column whoami_columns[] = {
	{ "user", "user", true },
	{ "provider", "provider", true },
	{ "subject", "subject", true },
	{ "groups", "groups", true },
	{ "roles", "roles", true },
	{ "may", "may", true },
	{ "serial", "serial", true },
	{ "key_id", "key id", true },
	{ "key", "key", true },
	{ "ca", "ca", true },
	{ "expires", "expires", true },
	{ "login_time", "login at", true },
	{ "machine", "workload", true },
	{ "claims", "claims", true },
	{ "source", "source", true },
	{ 0 },
};

static json_t *visible_or_null(const char *text)
{
	return text ? json_visible(text, strlen(text)) : json_null();
}

static json_t *roles_of(struct caller *caller)
{
	FREE_CLEANUP const char **roles =
		ruleset_roles(caller->broker->config->ruleset, caller->who);

	return roles ? command_strings((char *const *)roles) : NULL;
}

static json_t *may_of(const struct caller *caller)
{
	json_t *array = json_array();

	for (unsigned bit = 1; array && bit <= MAY_ALL; bit <<= 1)
		if (caller->may & bit)
			json_array_append_new(array, json_string(may_name((enum may)bit)));
	return array;
}

static json_t *claims_of(const struct identity *who)
{
	json_t *array = json_array();

	for (const struct claim *claim = who->claims; array && claim && claim->name; claim++) {
		BUF_CLEANUP struct buf text = BUF_INIT(8192);
		if (!buf_printf(&text, "%s=%s", claim->name, claim->value))
			json_array_append_new(array, json_visible(buf_data(&text), text.len));
	}
	return array;
}

void command_run_whoami(struct caller *caller, const struct command_args *args)
{
	const struct identity *who = caller->who;
	char source[ADDR_TEXT_MAX], expires[CLOCK_RFC3339_MAX], login[CLOCK_RFC3339_MAX];
	bool forever = who->expires == INT64_MAX;
	json_t *object = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:s}",
		"user", visible_or_null(who->user), "provider", visible_or_null(who->provider),
		"subject", visible_or_null(who->subject), "groups", command_strings(who->groups),
		"roles", roles_of(caller), "may", may_of(caller), "serial", (json_int_t)who->serial,
		"key_id", visible_or_null(who->key_id), "key", visible_or_null(who->key_fp), "ca",
		visible_or_null(who->ca_fp), "expires",
		forever ? json_null() : json_string(clock_format(who->expires, expires)), "source",
		caller->local ? "control socket" : addr_format(&caller->source, source));

	json_object_set_new(object, "login_time",
		who->login_time ? json_string(clock_format(who->login_time, login)) : json_null());
	json_object_set_new(object, "machine", json_boolean(who->machine));
	json_object_set_new(object, "claims", claims_of(who));
	command_one(caller, args, object, whoami_columns);
}

/* ---- targets ---- */

static const struct table_column target_columns[] = {
	{ "name", "TARGET", true },
	{ "labels", "LABELS", true },
	{ "kinds", "KINDS", false },
	{ "held", "HELD", false },
	{ "rule", "RULE", true },
	{ 0 },
};

static json_t *labels_of(const struct target *target)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < target->label_count; i++)
		json_array_append_new(array,
			json_sprintf("%s=%s", target->labels[i].name, target->labels[i].value));
	return array;
}

static json_t *kinds_of(unsigned kinds)
{
	json_t *array = json_array();

	for (unsigned kind = 0; array && kind < ACCESS_KINDS; kind++)
		if (kinds & 1u << kind)
			json_array_append_new(
				array, json_string(access_kind_name((enum access_kind)kind)));
	return array;
}

void command_run_targets(struct caller *caller, const struct command_args *args)
{
	const struct config *config = caller->broker->config;

	if (args->crypto) {
		command_show_crypto(caller, args);
		return;
	}
	json_t *rows = json_array();
	for (size_t i = 0; rows && i < targets_count(config->targets); i++) {
		const struct target *target = targets_at(config->targets, i);
		struct access access = {
			.who = caller->who,
			.source = caller->source,
			.target = target->name,
			.now = clock_wall(),
		};
		struct decision decision;
		if (!decide_any(config->ruleset, target, &access, &decision))
			continue;
		unsigned held = 0, kinds = decide_kinds(config->ruleset, target, &access, &held);
		json_array_append_new(
			rows, json_pack("{s:s, s:o, s:o, s:o, s:o}", "name", target->name, "labels",
				      labels_of(target), "kinds", kinds_of(kinds), "held",
				      kinds_of(held), "rule", json_string_or_null(decision.rule)));
	}
	command_list(caller, args, rows, target_columns);
}

/* ---- status ---- */

static const struct table_column status_columns[] = {
	{ "version", "version", false },
	{ "started", "started", false },
	{ "generation", "configuration", false },
	{ "taken", "taken", false },
	{ "attempts", "reloads tried", false },
	{ "refused", "last one refused", true },
	{ "connections", "connections", false },
	{ "authenticated", "authenticated", false },
	{ "sessions", "sessions", false },
	{ "signer", "signer", false },
	{ "egress", "egress", false },
	{ "draining", "draining", false },
	{ "state_dir", "state", true },
	{ 0 },
};

void command_run_status(struct caller *caller, const struct command_args *args)
{
	const struct broker_conf_status *conf = &caller->broker->conf_status;
	struct broker_counts counts = { 0 };

	broker_counts(caller->broker, &counts);
	json_t *object = json_pack(
		"{s:s, s:o, s:I, s:o, s:I, s:o, s:i, s:i, s:i, s:b, s:b, s:b, s:o}", "version",
		BARTIZAN_VERSION, "started", json_time_ms(counts.started), "generation",
		(json_int_t)conf->generation, "taken", json_time_ms(conf->taken), "attempts",
		(json_int_t)conf->attempts, "refused", visible_or_null(conf->refused),
		"connections", (int)counts.connections, "authenticated", (int)counts.authenticated,
		"sessions", (int)counts.sessions, "signer", (int)counts.signer, "egress",
		(int)counts.egress, "draining", (int)counts.draining, "state_dir",
		visible_or_null(caller->broker->config->conf->state_dir));
	command_one(caller, args, object, status_columns);
}
