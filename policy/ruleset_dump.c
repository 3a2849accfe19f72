/* `roles`, `guards` and `rules` as YAML, as parsed: names of targets in lower case, kinds by name,
 * times in full. */
#include "policy/rule.h"

#include <string.h>

#define DAY_MINUTES 1440

/* Pieces are written one after the other; after a failure nothing more is. */
struct dump {
	struct buf *out;
	int rc;
};

static void put(struct dump *dump, const char *text)
{
	if (dump->rc == 0)
		dump->rc = buf_puts(dump->out, text);
}

static void put_text(struct dump *dump, const char *key, const char *text)
{
	put(dump, key);
	if (dump->rc == 0)
		dump->rc = yaml_put_text(dump->out, text);
}

static void put_list(struct dump *dump, const char *key, char *const *list)
{
	if (!list)
		return;
	put(dump, key);
	if (dump->rc == 0)
		dump->rc = yaml_put_texts(dump->out, list);
}

static void put_patterns(struct dump *dump, const char *key, const struct patterns *patterns)
{
	for (size_t i = 0; i < patterns->count; i++) {
		put(dump, i == 0 ? key : "");
		put_text(dump, i == 0 ? "[" : ", ", pattern_text(patterns->list[i]));
	}
	put(dump, patterns->count > 0 ? "]" : "");
}

static void put_kinds(struct dump *dump, const struct rule *rule)
{
	const char *comma = "";

	put(dump, rule->verdict == VERDICT_ALLOW ? "\n    allow: " : "\n    deny: ");
	if (rule->kinds == KINDS_ALL) {
		put(dump, "\"*\"");
		return;
	}
	put(dump, "[");
	for (unsigned kind = 0; kind < ACCESS_KINDS; kind++) {
		if (!(rule->kinds & KIND(kind)))
			continue;
		put(dump, comma);
		put(dump, access_kind_name((enum access_kind)kind));
		comma = ", ";
	}
	put(dump, "]");
}

static void put_targets(struct dump *dump, const struct rule *rule)
{
	if (rule->names.count == 0 && rule->label_count == 0)
		return;
	put(dump, "\n    targets: {");
	for (size_t i = 0; i < rule->label_count; i++) {
		put_text(dump, i == 0 ? "labels: {" : ", ", rule->labels[i].name);
		put_list(dump, ": ", rule->labels[i].values);
	}
	put(dump, rule->label_count > 0 ? "}" : "");
	put_patterns(dump, rule->label_count > 0 ? ", names: " : "names: ", &rule->names);
	put(dump, "}");
}

static void put_sources(struct dump *dump, const struct rule *rule)
{
	for (size_t i = 0; dump->rc == 0 && i < rule->source_count; i++) {
		char text[ADDR_TEXT_MAX];
		addr_format(&rule->sources[i].base, text);
		dump->rc = buf_printf(dump->out, "%s\"%s/%u\"", i == 0 ? "\n    sources: [" : ", ",
			text, rule->sources[i].bits);
	}
	put(dump, rule->source_count > 0 ? "]" : "");
}

static void put_hours(struct dump *dump, const struct window *hours)
{
	if (!hours)
		return;
	put(dump, "\n    hours: {days: \"");
	if (dump->rc == 0)
		dump->rc = window_put_days(dump->out, hours->days);
	if (dump->rc == 0)
		dump->rc = buf_printf(dump->out,
			"\", from: \"%02d:%02d\", to: \"%02d:%02d\", zone: ", hours->from / 60,
			hours->from % 60, hours->to / 60, hours->to % 60);
	put_text(dump, "", zone_name(hours->zone));
	put(dump, "}");
}

static void put_obligations(struct dump *dump, const struct obligations *obligations)
{
	char idle[YAML_NUMBER_MAX], session[YAML_NUMBER_MAX];

	put(dump, !obligations->record		 ? "\n    record: off"
		  : obligations->record_required ? "\n    record: required"
						 : "\n    record: optional");
	put(dump, obligations->record_input ? "\n    record_input: true"
					    : "\n    record_input: false");
	if (dump->rc == 0)
		dump->rc = buf_printf(dump->out, "\n    limits: {idle: %s, session: %s}",
			yaml_format_duration(obligations->idle, idle),
			yaml_format_duration(obligations->session, session));
}

static void put_duration(struct dump *dump, const char *key, int64_t ms)
{
	char text[YAML_NUMBER_MAX];

	if (ms == 0)
		return;
	put(dump, key);
	put(dump, yaml_format_duration(ms, text));
}

/* Nothing that is not in force: an approval that is not asked for is no line. */
static void put_conditions(struct dump *dump, const struct rule *rule)
{
	put_duration(dump, "\n    login_within: ", rule->login_within);
	if (rule->approval) {
		put(dump, "\n    approval: ");
		if (dump->rc == 0)
			dump->rc = approval_rule_dump(rule->approval, dump->out);
	}
	if (rule->guard)
		put_text(dump, "\n    guard: ", guard_name(rule->guard));
	if (rule->shell)
		put_text(dump, "\n    shell: ", rule->shell->name);
	put_patterns(dump, "\n    env: ", &rule->env.names);
	put(dump, rule->env.given && rule->env.names.count == 0 ? "\n    env: []" : "");
	put(dump, rule->break_glass ? "\n    break_glass: true" : "");
}

static void put_rule(struct dump *dump, const struct rule *rule)
{
	put_text(dump, "\n  - name: ", rule->name);
	put_kinds(dump, rule);
	put_list(dump, "\n    roles: ", rule->roles);
	put_list(dump, "\n    users: ", rule->users);
	put_list(dump, "\n    groups: ", rule->groups);
	put_targets(dump, rule);
	put_patterns(dump, "\n    logins: ", &rule->logins);
	put_sources(dump, rule);
	put_hours(dump, rule->hours);
	put_patterns(dump, "\n    commands: ", &rule->commands);
	if (rule->verdict != VERDICT_ALLOW)
		return;
	put_obligations(dump, &rule->obligations);
	put_conditions(dump, rule);
}

static void put_claims(struct dump *dump, const struct role *role)
{
	for (size_t i = 0; i < role->claim_count; i++) {
		put_text(dump, i == 0 ? "claims: {" : ", ", role->claims[i].name);
		put_patterns(dump, ": ", &role->claims[i].values);
	}
	put(dump, role->claim_count > 0 ? "}" : "");
}

static void put_may(struct dump *dump, const struct role *role)
{
	const char *comma = ", may: [";

	for (unsigned may = 1; may < MAY_ALL; may <<= 1) {
		if (!(role->may & may))
			continue;
		put(dump, comma);
		put(dump, may_name((enum may)may));
		comma = ", ";
	}
	put(dump, role->may ? "]" : "");
}

static void put_role(struct dump *dump, const struct role *role)
{
	put_text(dump, "\n  ", role->name);
	put(dump, ": {");
	put_list(dump, "groups: ", role->groups);
	put(dump, role->groups && role->users ? ", " : "");
	put_list(dump, "users: ", role->users);
	put(dump, (role->groups || role->users) && role->claim_count > 0 ? ", " : "");
	put_claims(dump, role);
	put_may(dump, role);
	put_duration(dump, ", login_within: ", role->login_within);
	put_duration(dump, ", lifetime: ", role->lifetime);
	put(dump, "}");
}

int ruleset_dump(const struct ruleset *ruleset, struct buf *out)
{
	struct dump dump = { out, 0 };

	put(&dump, ruleset->role_count > 0 ? "roles:" : "roles: {}");
	for (size_t i = 0; i < ruleset->role_count; i++)
		put_role(&dump, &ruleset->roles[i]);
	put(&dump, "\n");
	if (dump.rc == 0)
		dump.rc = guards_dump(ruleset->guards, out);
	put(&dump, ruleset->rule_count > 0 ? "rules:" : "rules: []");
	for (size_t i = 0; i < ruleset->rule_count; i++)
		put_rule(&dump, &ruleset->rules[i]);
	put(&dump, "\n");
	return dump.rc;
}
