/* Reading `approval`: a row for each key, in the order of the manual. See approval_rule.h. */
#include "policy/approval_rule.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "policy/keys.h"
#include "policy/ruleset.h"

#define S 1000LL
#define M (60 * S)
#define WORD_MAX (APPROVAL_TICKET_MAX + 64)

static int no_memory(struct err *err)
{
	return err_set(err, -ENOMEM, "out of memory");
}

static int load_by(struct approval_rule *approval, const struct yaml *node, struct err *err)
{
	const char *text = NULL;
	int rc = yaml_text(node, RULESET_TEXT_MAX, &text, err);

	if (rc < 0)
		return rc;
	approval->by = strdup(text);
	return approval->by ? 0 : no_memory(err);
}

static int load_count(const struct yaml *node, int64_t max, unsigned *ret, struct err *err)
{
	int64_t value = 0;
	int rc = yaml_int(node, 1, max, &value, err);

	if (rc == 0)
		*ret = (unsigned)value;
	return rc;
}

static int load_votes(struct approval_rule *approval, const struct yaml *node, struct err *err)
{
	return load_count(node, APPROVAL_VOTES_MAX, &approval->votes, err);
}

static int load_window(struct approval_rule *approval, const struct yaml *node, struct err *err)
{
	return yaml_duration(node, S, APPROVAL_WINDOW_MAX_MS, &approval->window, err);
}

static int load_expires(struct approval_rule *approval, const struct yaml *node, struct err *err)
{
	return yaml_duration(node, S, APPROVAL_EXPIRES_MAX_MS, &approval->expires, err);
}

static int load_uses(struct approval_rule *approval, const struct yaml *node, struct err *err)
{
	return yaml_int(node, 0, APPROVAL_USES_MAX, &approval->uses, err);
}

static int load_choice(
	const struct yaml *node, const char *no, const char *yes, bool *ret, struct err *err)
{
	const char *text = NULL;
	int rc = yaml_text(node, 16, &text, err);

	if (rc < 0)
		return rc;
	if (strcmp(text, no) != 0 && strcmp(text, yes) != 0)
		return yaml_error(node, err, "expected %s or %s", no, yes);
	*ret = strcmp(text, yes) == 0;
	return 0;
}

static int load_reason(struct approval_rule *approval, const struct yaml *node, struct err *err)
{
	return load_choice(node, "optional", "required", &approval->reason_required, err);
}

/* The ticket is a word of the reason: OPS-7 is named by "OPS-7: disk full", and not by "DEVOPS-7"
 * or "OPS-7b". */
static int load_ticket(struct approval_rule *approval, const struct yaml *node, struct err *err)
{
	const char *text = NULL;
	char pattern[WORD_MAX];
	struct err why = { 0 };
	int rc = yaml_text(node, APPROVAL_TICKET_MAX, &text, err);

	if (rc < 0)
		return rc;
	/* alone first: a stray parenthesis must not close ours */
	snprintf(pattern, sizeof(pattern), "re:%s", text);
	if (pattern_compile(pattern, &approval->ticket_pattern, &why) < 0)
		return yaml_error(node, err, "%s", why.text);
	bool empty = pattern_match(approval->ticket_pattern, "", 0) != PATTERN_NO;
	pattern_free(approval->ticket_pattern);
	approval->ticket_pattern = NULL;
	if (empty)
		return yaml_error(node, err, "every reason would name this ticket, even none");
	snprintf(pattern, sizeof(pattern), "re:(?<![\\w-])(?:%s)(?![\\w-])", text);
	if (pattern_compile(pattern, &approval->ticket_pattern, &why) < 0)
		return yaml_error(node, err, "%s", why.text);
	approval->ticket = strdup(text);
	return approval->ticket ? 0 : no_memory(err);
}

static int load_ticket_votes(
	struct approval_rule *approval, const struct yaml *node, struct err *err)
{
	return load_count(node, APPROVAL_VOTES_MAX, &approval->ticket_votes, err);
}

static int load_on_expiry(struct approval_rule *approval, const struct yaml *node, struct err *err)
{
	return load_choice(node, "end", "drain", &approval->drain, err);
}

static int load_wait(struct approval_rule *approval, const struct yaml *node, struct err *err)
{
	return yaml_duration(node, 0, APPROVAL_WAIT_MAX_MS, &approval->wait, err);
}

static const struct {
	const char *key;
	int (*load)(struct approval_rule *approval, const struct yaml *node, struct err *err);
} rows[] = {
	{ "by", load_by },
	{ "votes", load_votes },
	{ "window", load_window },
	{ "expires", load_expires },
	{ "uses", load_uses },
	{ "reason", load_reason },
	{ "ticket", load_ticket },
	{ "ticket_votes", load_ticket_votes },
	{ "on_expiry", load_on_expiry },
	{ "wait_without_terminal", load_wait },
};

static int load_rows(struct approval_rule *approval, const struct yaml *node, struct err *err)
{
	int rc = policy_only(node, "rules[].approval", err);

	for (size_t i = 0; rc == 0 && i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct yaml *value = yaml_get(node, rows[i].key);
		if (value)
			rc = rows[i].load(approval, value, err);
	}
	return rc;
}

static int check(const struct approval_rule *approval, const struct yaml *node, struct err *err)
{
	const struct yaml *votes = yaml_get(node, "ticket_votes");

	if (!approval->by)
		return yaml_error(node, err, "'by' is missing: the role whose members may approve");
	if (votes && !approval->ticket)
		return yaml_key_error(votes, err, "'ticket_votes' has no meaning without 'ticket'");
	if (approval->ticket && approval->ticket_votes > approval->votes)
		return yaml_error(
			votes, err, "'ticket_votes' is more than 'votes': a ticket asks for fewer");
	return 0;
}

int approval_rule_load(const struct yaml *node, struct approval_rule **ret, struct err *err)
{
	struct approval_rule *approval = calloc(1, sizeof(*approval));

	if (!approval)
		return no_memory(err);
	*approval = (struct approval_rule){ .votes = 1,
		.ticket_votes = 1,
		.window = 60 * M,
		.expires = 15 * M,
		.wait = APPROVAL_WAIT_DEFAULT };
	int rc = load_rows(approval, node, err);
	if (rc == 0)
		rc = check(approval, node, err);
	if (rc < 0) {
		approval_rule_free(approval);
		return rc;
	}
	*ret = approval;
	return 0;
}

void approval_rule_free(struct approval_rule *approval)
{
	if (!approval)
		return;
	free(approval->by);
	free(approval->ticket);
	pattern_free(approval->ticket_pattern);
	free(approval);
}

static int dump_ticket(const struct approval_rule *approval, struct buf *out)
{
	int rc = approval->ticket ? buf_puts(out, ", ticket: ") : 0;

	if (rc == 0 && approval->ticket)
		rc = yaml_put_text(out, approval->ticket);
	return rc == 0 && approval->ticket
		       ? buf_printf(out, ", ticket_votes: %u", approval->ticket_votes)
		       : rc;
}

int approval_rule_dump(const struct approval_rule *approval, struct buf *out)
{
	char window[YAML_NUMBER_MAX], expires[YAML_NUMBER_MAX], wait[YAML_NUMBER_MAX];
	int rc = buf_puts(out, "{by: ");

	if (rc == 0)
		rc = yaml_put_text(out, approval->by);
	if (rc == 0)
		rc = buf_printf(out,
			", votes: %u, window: %s, expires: %s, uses: %" PRId64 ", reason: %s",
			approval->votes, yaml_format_duration(approval->window, window),
			yaml_format_duration(approval->expires, expires), approval->uses,
			approval->reason_required ? "required" : "optional");
	if (rc == 0)
		rc = dump_ticket(approval, out);
	if (rc == 0)
		rc = buf_printf(out, ", on_expiry: %s", approval->drain ? "drain" : "end");
	if (rc == 0 && approval->wait != APPROVAL_WAIT_DEFAULT)
		rc = buf_printf(out, ", wait_without_terminal: %s",
			yaml_format_duration(approval->wait, wait));
	return rc < 0 ? rc : buf_putc(out, '}');
}

unsigned approval_votes(const struct approval_rule *approval, const char *reason)
{
	if (!reason || !approval->ticket_pattern)
		return approval->votes;
	bool named = pattern_match(approval->ticket_pattern, reason, strlen(reason)) == PATTERN_YES;
	return named ? approval->ticket_votes : approval->votes;
}
