/* See typed.h. */
#include "policy/typed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int judge_text(const struct guard *guard, const struct typed_line *line, size_t index,
	struct judgement *ret)
{
	const struct typed_text *text = &line->texts[index];
	bool part = line->continues && !text->joined;

	return (part ? guard_judge_fragment_for : guard_judge_typed_for)(
		guard, line->shells, text->text, ret);
}

/* Takes the judgement over when it is stricter than what there was. */
static void raise_to(struct typed_judgement *to, struct judgement *from, bool first)
{
	if (!first && from->verdict <= to->verdict)
		return;
	typed_release(to);
	to->verdict = from->verdict;
	memcpy(to->reason, from->reason, sizeof(to->reason));
	to->by = from->by;
	from->by = NULL;
}

static const char *const blind_verbs[] = {
	[GUARD_ALLOW] = "allows", [GUARD_WARN] = "warns of", [GUARD_DENY] = "denies"
};

static void raise_blind(
	const struct guard *guard, const struct typed_line *line, struct typed_judgement *to)
{
	enum guard_verdict blind = guard_blind(guard);

	if (blind < to->verdict || (blind == to->verdict && line->count))
		return;
	to->verdict = blind;
	snprintf(to->reason, sizeof(to->reason), "guard '%s' %s a line that it cannot read (%s)",
		guard_name(guard), blind_verbs[blind], line->blind);
}

static void cannot_hold(const struct guard *guard, const char *why, struct typed_judgement *to)
{
	typed_release(to);
	to->verdict = GUARD_DENY;
	snprintf(to->reason, sizeof(to->reason),
		"guard '%s' wants an approval for a line that was not read surely (%s): type it "
		"again, or run it as a single command",
		guard_name(guard), why);
}

int typed_judge(
	const struct guard *guard, const struct typed_line *line, struct typed_judgement *ret)
{
	struct typed_judgement found = { GUARD_ALLOW, "", NULL };
	bool shown_held = false;

	for (size_t i = 0; i < line->count; i++) {
		JUDGEMENT_CLEANUP struct judgement judgement = { 0 };
		int rc = judge_text(guard, line, i, &judgement);
		if (rc) {
			typed_release(&found);
			return rc;
		}
		shown_held |= i == 0 && judgement.verdict == GUARD_APPROVE;
		raise_to(&found, &judgement, i == 0);
	}
	if (found.verdict == GUARD_APPROVE && (line->blind || !shown_held))
		cannot_hold(guard,
			line->blind ? line->blind : "it may be another than the one shown", &found);
	if (line->blind)
		raise_blind(guard, line, &found);
	*ret = found;
	return 0;
}

void typed_release(struct typed_judgement *judgement)
{
	free(judgement->by);
	*judgement = (struct typed_judgement){ GUARD_ALLOW, "", NULL };
}
