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

unsigned approval_end(const struct approval *approval, struct err *words)
{
	const char *note = *approval->note ? ": " : "", *id = approval->id,
		   *by = approval->decided_by;
	char shown[600];

	text_clean(shown, sizeof(shown), approval->note, strlen(approval->note));
	switch (approval->state) {
	case APPROVAL_DENIED:
		return (unsigned)err_set(
			words, EXIT_DENIED, "request %s was denied by %s%s%s", id, by, note, shown);
	case APPROVAL_CANCELLED:
		return (unsigned)err_set(words, EXIT_DENIED, "request %s was cancelled%s%s%s%s", id,
			*by ? " by " : "", by, note, shown);
	case APPROVAL_REVOKED:
		return (unsigned)err_set(words, EXIT_DENIED, "request %s was revoked by %s%s%s", id,
			by, note, shown);
	case APPROVAL_EXPIRED:
		return (unsigned)err_set(
			words, EXIT_WAIT, "request %s has expired%s%s: ask again", id, note, shown);
	case APPROVAL_USED_UP:
		return (unsigned)err_set(words, EXIT_WAIT,
			"the approval %s was used up by another connection: ask again", id);
	default: return 0;
	}
}
