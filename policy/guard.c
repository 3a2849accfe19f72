/* Judging: every part of a line by the entries in their order, the strictest verdict of all, and
 * the doubts.
 *
 * deny and approve match if any form of a part does, and a pattern that takes too long counts as
 * matching; allow and warn only by the forms that nobody can bend, and such a pattern counts as not
 * matching. An entry that approves by a form that can be bent does not end the search: a deny
 * behind it still counts. */
#include "policy/guard.h"

#include <errno.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "common/text.h"
#include "policy/guard_impl.h"
#include "policy/preset.h"

#define FORM_MAX (4 * SHELL_LINE_MAX)
#define SHOWN_MAX 160

static const char *const verdict_names[] = { "allow", "warn", "approve", "deny" };

const char *guard_verdict_name(enum guard_verdict verdict)
{
	return verdict_names[verdict];
}

/* ---- the forms of a part ---- */

enum form { FORM_BASE, FORM_PATH, FORM_SOURCE, FORMS };

struct forms {
	const struct shell_command *command;
	struct bytes text[FORMS];
	bool there[FORMS];
	bool firm[FORMS]; /* allow and warn may go by it */
	bool uncertain;	  /* kinds belongs to FORM_BASE, path_kinds to FORM_PATH */
	struct buf base, path, base_kinds, path_kinds;
};

static void forms_release(struct forms *forms)
{
	buf_release(&forms->base);
	buf_release(&forms->path);
	buf_release(&forms->base_kinds);
	buf_release(&forms->path_kinds);
}

static const char *const system_directories[] = { "/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/",
	"/usr/local/bin/", "/usr/local/sbin/", NULL };

/* Whether the base name alone says which program it is. */
static bool well_known(const struct shell_command *command)
{
	const struct bytes text = command->words[0].text;
	size_t directory = text.len - shell_program(command).len;

	if (!directory || command->what != SHELL_COMMAND)
		return true;
	for (const char *const *known = system_directories; *known; known++)
		if (directory == strlen(*known) && !memcmp(text.data, *known, directory))
			return true;
	return false;
}

static int make_forms(const struct shell_command *command, struct forms *ret)
{
	bool path = shell_program(command).len != command->words[0].text.len;

	*ret = (struct forms){ .command = command,
		.base = BUF_INIT(FORM_MAX),
		.path = BUF_INIT(FORM_MAX),
		.base_kinds = BUF_INIT(FORM_MAX),
		.path_kinds = BUF_INIT(FORM_MAX) };
	int rc = shell_command_text(command, true, &ret->base, &ret->base_kinds);
	if (!rc && path)
		rc = shell_command_text(command, false, &ret->path, &ret->path_kinds);
	for (size_t i = 0; i < command->count; i++)
		ret->uncertain |= command->words[i].worst >= SHELL_PATTERN;
	ret->text[FORM_BASE] = buf_bytes(&ret->base);
	ret->text[FORM_PATH] = buf_bytes(&ret->path);
	ret->text[FORM_SOURCE] = command->source;
	ret->there[FORM_BASE] = true;
	ret->there[FORM_PATH] = path;
	ret->there[FORM_SOURCE] =
		command->source.len != ret->base.len ||
		memcmp(command->source.data, buf_data(&ret->base), ret->base.len) != 0;
	ret->firm[FORM_BASE] = well_known(command);
	ret->firm[FORM_PATH] = true;
	return rc;
}

/* ---- one part ---- */

/* How a line is judged. GOES_ON: nothing of an unfinished line runs before the rest has come, and
 * then it is judged whole; what is unclear only because the end is missing counts for nothing.
 * FRAGMENT: the end of such a line, alone: only what is named by a pattern counts. */
enum mode { MODE_WHOLE, MODE_GOES_ON, MODE_FRAGMENT };

struct guard_judging {
	const struct guard *guard;
	struct judgement *judgement;
	enum mode mode;
	unsigned errors;
	uint64_t holders[GUARD_ENTRIES_MAX / 64]; /* entries that hold something of the line */
};

static enum pattern_answer ask(
	struct guard_judging *judging, const struct pattern *pattern, struct bytes text)
{
	if (judging->errors >= GUARD_ERRORS_MAX)
		return PATTERN_ERROR;
	enum pattern_answer answer = pattern_match(pattern, (const char *)text.data, text.len);
	judging->errors += answer == PATTERN_ERROR;
	return answer;
}

static enum fit fit_text(struct guard_judging *judging, const struct guard_pattern *pattern,
	const struct forms *forms, bool strict)
{
	enum fit fit = FIT_NO;

	for (size_t i = 0; i < FORMS && fit != FIT_FIRM; i++) {
		if (!forms->there[i] || (!strict && !forms->firm[i]))
			continue;
		enum pattern_answer answer = ask(judging, pattern->pattern, forms->text[i]);
		if (answer == PATTERN_YES || (answer == PATTERN_ERROR && strict))
			fit = forms->firm[i] && answer == PATTERN_YES ? FIT_FIRM : FIT_BENT;
	}
	if (fit != FIT_NO || !strict || !forms->uncertain || !pattern->automaton)
		return fit;
	bool maybe = guard_could_match(pattern->automaton, forms->text[FORM_BASE],
			     buf_data(&forms->base_kinds)) ||
		     (forms->there[FORM_PATH] &&
			     guard_could_match(pattern->automaton, forms->text[FORM_PATH],
				     buf_data(&forms->path_kinds)));
	return maybe ? FIT_MAYBE : FIT_NO;
}

/* allow and warn need to be sure; the others take whatever fits. */
static enum fit fit_program(
	const struct guard_program *program, const struct forms *forms, bool strict)
{
	const struct guard_text whole = { forms->text[FORM_BASE], buf_data(&forms->base_kinds),
		forms->uncertain };
	enum fit fit = guard_program_fit(program, forms->command, &whole, forms->firm[FORM_BASE]);

	return strict || fit == FIT_FIRM ? fit : FIT_NO;
}

struct best { /* what fits best of an entry's list */
	enum fit fit;
	const char *shown;
	bool names; /* it names this very program */
};

static bool is_code(const struct guard_pattern *pattern, const struct forms *forms)
{
	return pattern->preset && pattern->preset->preset->code && forms->command->code;
}

/* "python3 *" and "python3*" name python3; "*" and regular expressions name nothing. */
static bool text_names(const struct guard_pattern *pattern, struct bytes name)
{
	const char *text = pattern_text(pattern->pattern);
	size_t len = strcspn(text, " ");
	bool open = len > 2 && text[len - 1] == '*';

	len -= open;
	return pattern->automaton && !memchr(text, '*', len) && !memchr(text, '?', len) &&
	       (open ? name.len >= len : name.len == len) && !memcmp(text, name.data, len);
}

static void try_pattern(struct guard_judging *judging, const struct guard_pattern *pattern,
	const struct forms *forms, bool strict, struct best *best)
{
	struct bytes name = shell_program(forms->command);
	enum fit fit = pattern->program ? fit_program(pattern->program, forms, strict)
					: fit_text(judging, pattern, forms, strict);

	if (fit <= best->fit)
		return;
	best->fit = fit;
	best->shown = pattern->shown ? pattern->shown : pattern_text(pattern->pattern);
	best->names = pattern->program ? guard_program_names(pattern->program, name)
				       : text_names(pattern, name);
}

static void try_preset(struct guard_judging *judging, const struct guard_pattern *pattern,
	const struct forms *forms, bool strict, struct best *best)
{
	const struct guard_list *list = pattern->preset;

	if (is_code(pattern, forms))
		*best = (struct best){ FIT_FIRM, list->preset->name, true };
	for (size_t i = 0; i < list->count && best->fit != FIT_FIRM; i++)
		try_pattern(judging, &list->patterns[i], forms, strict, best);
}

static struct best fit_entry(
	struct guard_judging *judging, const struct guard_entry *entry, const struct forms *forms)
{
	struct best best = { FIT_NO, NULL, false };
	bool strict = entry->verdict >= GUARD_APPROVE;

	for (size_t i = 0; i < entry->count && best.fit != FIT_FIRM; i++)
		(entry->patterns[i].preset ? try_preset : try_pattern)(
			judging, &entry->patterns[i], forms, strict, &best);
	return best;
}

static size_t first_holder(const struct guard *guard)
{
	size_t i = 0;

	while (i < guard->count && guard->entries[i].verdict != GUARD_APPROVE)
		i++;
	return i;
}

static void hold_by(struct guard_judging *judging, size_t entry)
{
	if (entry < judging->guard->count)
		judging->holders[entry / 64] |= 1ull << entry % 64;
}

static void raise_mark(
	struct guard_mark *mark, enum guard_verdict verdict, int entry, const struct best *best)
{
	if (verdict > mark->verdict || mark->entry < 0)
		*mark = (struct guard_mark){ verdict > mark->verdict ? verdict : mark->verdict,
			entry, best->shown, false, best->names };
}

static bool is_waived(const struct guard_judging *judging, bool unfinished)
{
	return judging->mode == MODE_FRAGMENT || (judging->mode == MODE_GOES_ON && unfinished);
}

static void doubt_part(struct guard_judging *judging, struct guard_mark *mark)
{
	enum guard_verdict verdict = guard_on_doubt(judging->guard);

	if (verdict == GUARD_APPROVE)
		hold_by(judging, first_holder(judging->guard));
	if (verdict > mark->verdict)
		*mark = (struct guard_mark){ verdict, -1, NULL, true, false };
}

/* A part that is only guessed is not denied for being on no list: the line is doubted for it
 * anyhow. */
static void judge_forms(struct guard_judging *judging, const struct forms *forms, bool guessed,
	struct guard_mark *ret)
{
	const struct guard *guard = judging->guard;
	struct guard_mark mark = { GUARD_ALLOW, -1, NULL, false, false };
	bool decided = false, maybe = false;

	for (size_t i = 0; i < guard->count && !decided; i++) {
		struct best best = fit_entry(judging, &guard->entries[i], forms);
		maybe |= best.fit == FIT_MAYBE;
		if (best.fit < FIT_BENT)
			continue;
		if (guard->entries[i].verdict == GUARD_APPROVE)
			hold_by(judging, i);
		raise_mark(&mark, guard->entries[i].verdict, (int)i, &best);
		decided = best.fit == FIT_FIRM || mark.verdict == GUARD_DENY;
	}
	if (!decided && !guessed && judging->mode != MODE_FRAGMENT)
		mark = (struct guard_mark){ GUARD_DENY, -1, NULL, false, false };
	if ((maybe || (!decided && guessed)) &&
		!is_waived(judging, guessed && judging->judgement->line.unfinished))
		doubt_part(judging, &mark);
	*ret = mark;
}

static int judge_part(struct guard_judging *judging, size_t index)
{
	__attribute__((cleanup(forms_release))) struct forms forms;
	const struct shell_command *command = &judging->judgement->line.commands[index];
	int rc = make_forms(command, &forms);
	if (!rc)
		judge_forms(judging, &forms, command->guessed, &judging->judgement->marks[index]);
	return rc;
}

/* ---- the line ---- */

static bool has(char *const *list, const char *name)
{
	for (; list && *list; list++)
		if (!strcmp(*list, name))
			return true;
	return false;
}

static bool is_holder(const struct guard_judging *judging, size_t entry)
{
	return judging->holders[entry / 64] >> entry % 64 & 1;
}

/* The roles that every entry which holds the line names. -ENOENT: none. */
static int find_roles(const struct guard_judging *judging)
{
	const struct guard *guard = judging->guard;
	size_t first = 0, count = 0;

	while (first < guard->count && !is_holder(judging, first))
		first++;
	const char **by = first < guard->count ? calloc(GUARD_ROLES_MAX + 1, sizeof(*by)) : NULL;
	if (!by)
		return first < guard->count ? -ENOMEM : -ENOENT;
	for (char **role = guard->entries[first].by; *role; role++) {
		bool all = true;
		for (size_t i = first + 1; i < guard->count; i++)
			all &= !is_holder(judging, i) || has(guard->entries[i].by, *role);
		if (all)
			by[count++] = *role;
	}
	if (count)
		judging->judgement->by = by;
	else
		free(by);
	return count ? 0 : -ENOENT;
}

static const char *shown(struct bytes text, char out[static SHOWN_MAX])
{
	return text_clean(out, SHOWN_MAX, text.data, text.len);
}

static const char *const verbs[] = { "allows", "warns of", "wants an approval for", "denies" };

/* Code that a program is given as text counts for nothing where an entry names that program: its
 * verdict is meant for that. */
static bool counts(const struct guard_judging *judging, const struct shell_doubt *doubt)
{
	if (is_waived(judging, doubt->unfinished))
		return false;
	return !doubt->code || !judging->judgement->marks[doubt->command].names;
}

static const struct shell_doubt *first_doubt(const struct guard_judging *judging)
{
	const struct shell_line *line = &judging->judgement->line;

	for (size_t i = 0; i < line->doubt_count; i++)
		if (counts(judging, &line->doubts[i]))
			return &line->doubts[i];
	return NULL;
}

/* Why the verdict is what it is: the first part or doubt that has it. */
static void explain(const struct guard_judging *judging)
{
	struct judgement *judgement = judging->judgement;
	const struct shell_line *line = &judgement->line;
	char text[SHOWN_MAX], about[SHOWN_MAX];
	const char *name = judging->guard->name;

	for (size_t i = 0; i < line->command_count; i++) {
		const struct guard_mark *mark = &judgement->marks[i];
		if (mark->verdict != judgement->verdict || mark->doubtful)
			continue;
		if (!mark->pattern && mark->verdict == GUARD_ALLOW) /* part of a fragment */
			continue;
		shown(line->commands[i].source, text);
		if (mark->pattern)
			snprintf(judgement->reason, sizeof(judgement->reason),
				"guard '%s' %s '%s': '%s'", name, verbs[mark->verdict], text,
				shown((struct bytes){ (const uint8_t *)mark->pattern,
					      strlen(mark->pattern) },
					about));
		else
			snprintf(judgement->reason, sizeof(judgement->reason),
				"guard '%s' has nothing that allows '%s'", name, text);
		return;
	}
	const struct shell_doubt *doubt = first_doubt(judging);
	if (doubt) {
		bool what = doubt->what.len;
		snprintf(judgement->reason, sizeof(judgement->reason),
			"guard '%s' %s what it cannot see: %s%s%s%s", name,
			verbs[judgement->verdict], doubt->why, what ? ": '" : "",
			what ? shown(doubt->what, text) : "", what ? "'" : "");
	} else {
		snprintf(judgement->reason, sizeof(judgement->reason),
			"guard '%s' allows it: nothing would run%s", name,
			line->unfinished ? " before the rest of the line" : "");
	}
}

/* An expansion in the arguments that could stand for something forbidden becomes a doubt of the
 * line like those of the reading. */
static int note_maybe(struct judgement *judgement, size_t index)
{
	struct shell_line *line = &judgement->line;

	for (size_t i = 0; i < line->doubt_count; i++)
		if (line->doubts[i].command == index)
			return 0;
	struct shell_doubt *doubts =
		reallocarray(line->doubts, line->doubt_count + 1, sizeof(*doubts));
	if (!doubts)
		return -ENOMEM;
	doubts[line->doubt_count] =
		(struct shell_doubt){ "argument that is known only when it runs",
			line->commands[index].source, index, false, false };
	line->doubts = doubts;
	line->doubt_count++;
	line->doubt_room = line->doubt_count;
	return 0;
}

static int add_doubts(struct guard_judging *judging)
{
	struct judgement *judgement = judging->judgement;
	struct shell_line *line = &judgement->line;
	size_t read = line->doubt_count;
	bool doubted = false;
	int rc = 0;

	for (size_t i = 0; i < read; i++) {
		if (!counts(judging, &line->doubts[i]))
			continue;
		doubted = true;
		if (line->doubts[i].command != SHELL_NO_COMMAND)
			doubt_part(judging, &judgement->marks[line->doubts[i].command]);
	}
	for (size_t i = 0; !rc && i < line->command_count; i++)
		if (judgement->marks[i].doubtful)
			rc = note_maybe(judgement, i);
	if (doubted || line->doubt_count > read) {
		struct guard_mark whole = { GUARD_ALLOW, -1, NULL, false, false };
		doubt_part(judging, &whole);
		judgement->verdict = whole.verdict;
	}
	return rc;
}

static int conclude(struct guard_judging *judging)
{
	struct judgement *judgement = judging->judgement;
	int rc = add_doubts(judging);

	for (size_t i = 0; i < judgement->line.command_count; i++)
		if (judgement->marks[i].verdict > judgement->verdict)
			judgement->verdict = judgement->marks[i].verdict;
	if (!rc)
		explain(judging);
	if (rc || judgement->verdict != GUARD_APPROVE)
		return rc;
	rc = find_roles(judging);
	if (rc != -ENOENT)
		return rc;
	judgement->verdict = GUARD_DENY;
	snprintf(judgement->reason, sizeof(judgement->reason),
		"guard '%s': no role may approve all of it: run the commands apart",
		judging->guard->name);
	return 0;
}

static int judge(const struct guard *guard, struct bytes text, unsigned flags, enum mode mode,
	struct judgement *ret)
{
	struct judgement judgement = { .verdict = GUARD_ALLOW };
	struct guard_judging judging = { .guard = guard, .judgement = &judgement, .mode = mode };
	int rc = shell_line_read(text, flags, &judgement.line);

	if (!rc) {
		judgement.marks =
			calloc(judgement.line.command_count + 1, sizeof(*judgement.marks));
		rc = judgement.marks ? 0 : -ENOMEM;
	}
	for (size_t i = 0; !rc && i < judgement.line.command_count; i++)
		rc = judge_part(&judging, i);
	if (!rc)
		rc = conclude(&judging);
	if (rc)
		judgement_release(&judgement);
	else
		*ret = judgement;
	return rc;
}

int guard_judge_for(
	const struct guard *guard, unsigned shells, struct bytes line, struct judgement *ret)
{
	return judge(guard, line, shells & SHELL_ANY, MODE_WHOLE, ret);
}

int guard_judge_typed_for(
	const struct guard *guard, unsigned shells, struct bytes line, struct judgement *ret)
{
	return judge(guard, line, SHELL_TYPED | (shells & SHELL_ANY), MODE_GOES_ON, ret);
}

int guard_judge_fragment_for(
	const struct guard *guard, unsigned shells, struct bytes line, struct judgement *ret)
{
	return judge(guard, line, SHELL_TYPED | (shells & SHELL_ANY), MODE_FRAGMENT, ret);
}

int guard_judge(const struct guard *guard, struct bytes line, struct judgement *ret)
{
	return guard_judge_for(guard, 0, line, ret);
}

int guard_judge_typed(const struct guard *guard, struct bytes line, struct judgement *ret)
{
	return guard_judge_typed_for(guard, 0, line, ret);
}

int guard_judge_fragment(const struct guard *guard, struct bytes line, struct judgement *ret)
{
	return guard_judge_fragment_for(guard, 0, line, ret);
}

void judgement_release(struct judgement *judgement)
{
	shell_line_release(&judgement->line);
	free(judgement->by);
	free(judgement->marks);
	*judgement = (struct judgement){ 0 };
}
