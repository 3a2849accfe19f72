/* What is said of a request to whoever waits for it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/text.h"
#include "server/broker/approval/queue.h"

const char *approval_left(struct broker *broker, int64_t deadline, char *out, size_t size)
{
	int64_t left = (deadline - queue_lapse_shown(broker) + 999) / 1000;

	if (left < 0)
		left = 0;
	if (left >= 3600)
		snprintf(out, size, "%" PRId64 ":%02d:%02d", left / 3600, (int)(left / 60 % 60),
			(int)(left % 60));
	else
		snprintf(out, size, "%d:%02d", (int)(left / 60), (int)(left % 60));
	return out;
}

void approval_voters(struct broker *broker, const char *by, struct buf *out)
{
	const struct ruleset *ruleset = broker->config->ruleset;
	char role[256];

	for (const char *at = by; *at;) {
		size_t len = strcspn(at, ",");
		snprintf(role, sizeof(role), "%.*s",
			(int)(len < sizeof(role) ? len : sizeof(role) - 1), at);
		buf_printf(out, "%srole '%s'", at == by ? "" : " or ", role);
		char *const *users =
			ruleset_has_role(ruleset, role) ? ruleset_role_users(ruleset, role) : NULL;
		for (size_t i = 0; users && users[i] && i < 8; i++)
			buf_printf(out, "%s%s%s", i ? ", " : " (", users[i],
				users[i + 1] && i < 7 ? "" : ")");
		at += len + (at[len] == ',');
	}
}

/* How a request can end that gives nothing; the other states have no row. */
static const struct {
	unsigned exit;
	const char *noun, *verb, *advice;
	bool names, explains; /* who decided; the note */
} ends[APPROVAL_STATES] = {
	[APPROVAL_DENIED] = { EXIT_DENIED, "request", "was denied", "", true, true },
	[APPROVAL_CANCELLED] = { EXIT_DENIED, "request", "was cancelled", "", true, true },
	[APPROVAL_REVOKED] = { EXIT_DENIED, "request", "was revoked", "", true, true },
	[APPROVAL_EXPIRED] = { EXIT_WAIT, "request", "has expired", ": ask again", false, true },
	[APPROVAL_USED_UP] = { EXIT_WAIT, "the approval", "was used up by another connection",
		": ask again", false, false },
};

bool approval_end(const struct approval *approval, struct refusal *refusal)
{
	unsigned at = (unsigned)approval->state;
	char note[600];

	if (at >= APPROVAL_STATES || !ends[at].exit)
		return false;
	bool named = ends[at].names && *approval->decided_by;
	bool explained = ends[at].explains && *approval->note;
	text_clean(note, sizeof(note), approval->note, strlen(approval->note));
	return refusal_set(refusal, ends[at].exit, "%s %s %s%s%s%s%s%s", ends[at].noun,
		approval->id, ends[at].verb, named ? " by " : "", named ? approval->decided_by : "",
		explained ? ": " : "", explained ? note : "", ends[at].advice);
}
