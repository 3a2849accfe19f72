/* The table of the policy's keys. See keys.h. */
#include "policy/keys.h"

#define KEY(p, d, ...)                                                                        \
	{                                                                                     \
		.path = p, .type = CONF_SPECIAL, .offset = CONF_NO_FIELD, .reloadable = true, \
		.doc = d, __VA_ARGS__                                                         \
	}

const struct conf_row policy_keys[] = {
	KEY("targets[].name", "Name that users ask for; * and ? make it a pattern.",
		.required = true),
	KEY("targets[].address", "Host and port to connect to; a pattern may leave it out: the "
				 "name asked for is the host."),
	KEY("targets[].labels", "Names and values that rules select by."),
	KEY("targets[].host_keys", "Pinned host keys."),
	KEY("targets[].host_keys_file", "File in known_hosts format with pinned host keys."),
	KEY("targets[].credential.certificate",
		"Key in keys that signs a short-lived certificate for each session."),
	KEY("targets[].credential.key", "Key in keys that logs in itself."),
	KEY("targets[].credential.password_file", "File with the password, for old gear."),
	KEY("targets[].crypto.allow",
		"Algorithms below the bar that this target may use, by name."),
	KEY("targets[].family", "Address family towards this target.", .choices = "any|ipv4|ipv6"),

	KEY("roles.*.groups", "Groups whose members have the role."),
	KEY("roles.*.users", "Users who have the role."),
	KEY("roles.*.claims",
		"Claims that a login's token must have, all of them, by name and pattern."),
	KEY("roles.*.may", "Rights beyond one's own sessions."),
	KEY("roles.*.login_within", "How old a login may be for a rule to allow by this role.",
		.fallback = "0"),
	KEY("roles.*.lifetime",
		"Lifetime of the certificate of who has the role, where it is shorter."),

	KEY("guards.*.rules[].deny", "Command lines that never run."),
	KEY("guards.*.rules[].approve", "Command lines that wait for a human."),
	KEY("guards.*.rules[].by", "Roles whose members may approve them."),
	KEY("guards.*.rules[].warn", "Command lines that run with a warning."),
	KEY("guards.*.rules[].allow", "Command lines that run."),
	KEY("guards.*.on_doubt",
		"What a command line is worth that cannot be seen through; left out: approve where "
		"an entry does, else deny.",
		.choices = "approve|deny|warn|allow"),
	KEY("guards.*.blind", "What happens to a line in a shell that cannot be read.",
		.fallback = "warn", .choices = "allow|warn|deny"),

	KEY("rules[].name", "Name for messages and the audit log; there once.", .required = true),
	KEY("rules[].allow", "Kinds of access that the rule allows."),
	KEY("rules[].deny", "Kinds of access that the rule denies."),
	KEY("rules[].roles", "Holds when the user has one of these roles."),
	KEY("rules[].users", "Holds when the user is one of these."),
	KEY("rules[].groups", "Holds when the user is in one of these groups."),
	KEY("rules[].targets.labels", "Holds when the target has all of these labels."),
	KEY("rules[].targets.names", "Holds when the target's name fits one of these."),
	KEY("rules[].logins", "Holds when the account on the target fits one of these."),
	KEY("rules[].sources", "Holds when the client's address is in one of these networks."),
	KEY("rules[].hours.days", "Days of the week; all when left out."),
	KEY("rules[].hours.from", "Beginning, as \"08:00\".", .fallback = "00:00"),
	KEY("rules[].hours.to", "End, as \"20:00\"; earlier than from: the next day.",
		.fallback = "24:00"),
	KEY("rules[].hours.zone", "Time zone in which days and times are meant.",
		.fallback = "UTC"),
	KEY("rules[].commands", "Holds for exec when the command fits one of these."),
	KEY("rules[].record", "Whether a transcript is written.", .fallback = "required",
		.choices = "required|optional|off"),
	KEY("rules[].record_input", "Whether what the user types is kept, too.",
		.fallback = "false"),
	KEY("rules[].limits.idle", "A session without traffic ends after this.", .fallback = "0"),
	KEY("rules[].limits.session", "A session ends after this.", .fallback = "0"),
	KEY("rules[].login_within", "How old a login may be for the rule to allow.",
		.fallback = "0"),
	KEY("rules[].approval.by", "Role whose members may approve.", .required = true),
	KEY("rules[].approval.votes", "Approvals that are needed.", .fallback = "1"),
	KEY("rules[].approval.window", "How long an approval holds, from the last vote on.",
		.fallback = "1h"),
	KEY("rules[].approval.expires", "How long a request waits.", .fallback = "15m"),
	KEY("rules[].approval.uses", "Sessions that an approval opens; 0: any number.",
		.fallback = "0"),
	KEY("rules[].approval.reason", "Whether the request needs a reason.",
		.fallback = "optional", .choices = "required|optional"),
	KEY("rules[].approval.ticket",
		"Regular expression of tickets; a reason that names one needs fewer approvals."),
	KEY("rules[].approval.ticket_votes", "Approvals that are needed then.", .fallback = "1"),
	KEY("rules[].approval.on_expiry", "What happens to sessions when the window ends.",
		.fallback = "end", .choices = "end|drain"),
	KEY("rules[].approval.wait_without_terminal",
		"How long somebody without a terminal waits."),
	KEY("rules[].guard",
		"Guard that judges the command lines of exec and shell, and what is typed there."),
	KEY("rules[].env",
		"Variables of the client's environment that go to the target; [] for none.",
		.fallback = "[LANG, LANGUAGE, LC_*, TERM, COLORTERM, NO_COLOR, TZ, GIT_PROTOCOL]"),
	KEY("rules[].shell",
		"Shell of the login, for the guard; left out: every reading counts, the strictest "
		"wins.",
		.choices = "bash|zsh|fish|sh"),
	KEY("rules[].break_glass", "Whether the rule is for emergencies.", .fallback = "false"),
};
const size_t policy_key_count = sizeof(policy_keys) / sizeof(policy_keys[0]);

int policy_only(const struct yaml *map, const char *prefix, struct err *err)
{
	return conf_only(policy_keys, policy_key_count, map, prefix, err);
}
