/* Command lines, as hostile as they come: taken apart within the limits, every part inside of its bounds, and judged the same way each time.
 *
 * The first byte chooses how the line came and which guard judges it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "policy/guard.h"

#include "tests/fuzz/fuzz.h"

static const char text[] = "prod:\n"
			   "  - {deny: [\"mkfs*\", \"re:\\\\bdd\\\\b.*of=/dev/\", \"> /etc/*\"]}\n"
			   "  - {approve: [\"rm -r*\", \"shutdown\"], by: [lead, dba]}\n"
			   "  - {approve: [\"drop *\"], by: dba}\n"
			   "  - {approve: [{preset: destructive}, {preset: interpreters}, {program: [a, 'b*'], options: [-r, --rec], values: -o, arguments: "
			   "['/*', 're:x'], matches: '* y'}], by: [lead, dba]}\n"
			   "  - {warn: [\"sudo *\", {preset: exfiltration}, {preset: privilege}]}\n"
			   "  - {allow: [\"*\"]}\n"
			   "listed:\n"
			   "  rules: [{allow: [\"ls\", \"ls *\", \"cat /var/log/??*\"]}]\n"
			   "  blind: deny\n";

static struct guards *load(void)
{
	struct yaml *root;
	struct guards *guards;
	struct err err;
	if (yaml_parse("fuzz", (struct bytes){ (const uint8_t *)text, sizeof(text) - 1 }, &root, &err) || guards_load(root, &guards, &err))
		abort();
	yaml_free(root);
	return guards;
}

static void check_word(const struct shell_word *word)
{
	enum shell_kind worst = SHELL_PLAIN;
	for (size_t i = 0; i < word->text.len; i++) {
		if (word->kinds[i] > SHELL_UNKNOWN)
			abort();
		worst = word->kinds[i] > worst ? word->kinds[i] : worst;
	}
	if (worst != word->worst)
		abort();
}

static size_t check_line(const struct shell_line *line)
{
	size_t sum = line->doubt_count;
	if (line->command_count > SHELL_COMMANDS_MAX || line->memory_used > SHELL_MEMORY_MAX)
		abort();
	for (size_t i = 0; i < line->command_count; i++) {
		const struct shell_command *command = &line->commands[i];
		if (!command->count || command->depth > SHELL_DEPTH_MAX || !command->via)
			abort();
		for (size_t k = 0; k < command->count; k++)
			check_word(&command->words[k]);
		for (size_t k = 0; k < command->source.len; k++)
			sum += command->source.data[k];
	}
	for (size_t i = 0; i < line->doubt_count; i++)
		for (size_t k = 0; k < line->doubts[i].what.len; k++)
			sum += line->doubts[i].what.data[k];
	return sum;
}

typedef int judge_fn(const struct guard *guard, struct bytes line, struct judgement *ret);

/* Doubts that count: all of an exec's; of a typed line those that its end does not explain; of a fragment none. */
static bool doubtful(judge_fn *judge, const struct shell_line *line)
{
	for (size_t i = 0; i < line->doubt_count; i++)
		if (!line->doubts[i].code && (judge == guard_judge || (judge == guard_judge_typed && !line->doubts[i].unfinished)))
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct guards *guards;
	if (!guards)
		guards = load();
	if (!size)
		return 0;
	const struct guard *guard = guards_find(guards, data[0] & 1 ? "listed" : "prod");
	struct bytes line = { data + 1, size - 1 };
	struct judgement first, again;
	judge_fn *judge = data[0] & 4 ? guard_judge_fragment : data[0] & 2 ? guard_judge_typed : guard_judge;
	if (judge(guard, line, &first) || judge(guard, line, &again))
		abort();
	if (first.verdict != again.verdict || check_line(&first.line) != check_line(&again.line))
		abort();
	if ((first.verdict == GUARD_APPROVE) != (first.by != NULL) || !first.reason[0])
		abort();
	if (doubtful(judge, &first.line) && first.verdict < GUARD_APPROVE)
		abort();
	json_t *json = judgement_json(&first);
	if (!json)
		abort();
	json_decref(json);
	judgement_release(&first);
	judgement_release(&again);
	return 0;
}
