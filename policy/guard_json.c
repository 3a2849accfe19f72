/* A judgement as JSON, for `policy explain`, audit events and requests. */
#include <string.h>

#include "policy/guard.h"

static const char *const whats[] = { "command", "assignment", "redirection" };

static json_t *visible(struct bytes text)
{
	return json_visible(text.data, text.len);
}

static json_t *part_json(const struct shell_command *command, const struct guard_mark *mark)
{
	return json_pack("{s:s, s:o, s:o, s:s, s:b, s:s, s:o, s:o, s:b}", "what",
		whats[command->what], "command", visible(command->source), "program",
		visible(shell_program(command)), "via", command->via, "remote", command->remote,
		"verdict", guard_verdict_name(mark->verdict), "pattern",
		json_string_or_null(mark->pattern), "entry",
		mark->entry < 0 ? json_null() : json_integer(mark->entry), "unclear",
		mark->doubtful);
}

static json_t *parts_json(const struct judgement *judgement)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < judgement->line.command_count; i++) {
		if (json_array_append_new(
			    list, part_json(&judgement->line.commands[i], &judgement->marks[i]))) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *doubts_json(const struct judgement *judgement)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < judgement->line.doubt_count; i++) {
		const struct shell_doubt *doubt = &judgement->line.doubts[i];
		if (json_array_append_new(list, json_pack("{s:s, s:o}", "reason", doubt->why, "at",
							visible(doubt->what)))) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *roles_json(const struct judgement *judgement)
{
	json_t *list = json_array();

	for (const char **role = judgement->by; list && role && *role; role++)
		json_array_append_new(list, json_string_or_null(*role));
	return list;
}

json_t *judgement_json(const struct judgement *judgement)
{
	return json_pack("{s:s, s:s, s:o, s:o, s:o}", "verdict",
		guard_verdict_name(judgement->verdict), "reason", judgement->reason, "by",
		roles_json(judgement), "commands", parts_json(judgement), "unclear",
		doubts_json(judgement));
}
