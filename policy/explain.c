/* Words for decisions: why a rule does not fit, and what a deny is about. Everything that came from
 * outside is shown in visible form. */
#include "policy/match.h"

#include <string.h>

#include "common/text.h"

#define SHOWN 100    /* bytes of one thing */
#define LIST_SHOWN 6 /* entries of a list */

/* A quoted thing, visible and cut. */
static int quote(struct buf *out, const char *before, const void *data, size_t len)
{
	char text[SHOWN];

	return buf_printf(out, "%s'%s'", before, text_clean(text, sizeof(text), data, len));
}

static int quote_text(struct buf *out, const char *before, const char *text)
{
	return quote(out, before, text ? text : "", text ? strlen(text) : 0);
}

/* "a, b, c, …": at(list, i) gives the i-th entry, NULL at the end. */
static int put_list(
	struct buf *out, const char *(*at)(const void *list, size_t i), const void *list)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && at(list, i); i++) {
		char text[SHOWN];
		if (i == LIST_SHOWN)
			return buf_puts(out, ", …");
		rc = buf_printf(out, "%s%s", i > 0 ? ", " : "",
			text_clean(text, sizeof(text), at(list, i), strlen(at(list, i))));
	}
	return rc;
}

static const char *text_at(const void *list, size_t i)
{
	return ((char *const *)list)[i];
}

static const char *pattern_at(const void *list, size_t i)
{
	const struct patterns *patterns = list;

	return i < patterns->count ? pattern_text(patterns->list[i]) : NULL;
}

static int put_kinds(struct buf *out, unsigned kinds)
{
	int rc = 0;
	const char *comma = "";

	for (unsigned kind = 0; rc == 0 && kind < ACCESS_KINDS; kind++) {
		if (!(kinds & KIND(kind)))
			continue;
		rc = buf_printf(out, "%s%s", comma, access_kind_name((enum access_kind)kind));
		comma = ", ";
	}
	return rc;
}

static int none_of(struct buf *out, const char *what, const char *are,
	const char *(*at)(const void *, size_t), const void *list)
{
	int rc = quote_text(out, "", what);

	if (rc == 0)
		rc = buf_printf(out, " is %s ", are);
	return rc < 0 ? rc : put_list(out, at, list);
}

static int no_kind(const struct match_question *question, const struct rule *rule, struct buf *out)
{
	if (question->any)
		return buf_puts(out, "nothing that is still possible");
	if (rule->commands.count > 0 && rule->kinds & question->kinds)
		return buf_printf(out, "the rule has commands, which only exec has, not %s",
			access_kind_name(question->access->kind));
	int rc = buf_printf(out, "'%s' is none of ", access_kind_name(question->access->kind));
	return rc < 0 ? rc : put_kinds(out, rule->kinds);
}

static int no_role(const struct match_question *question, const struct rule *rule, struct buf *out)
{
	return none_of(out, question->access->who->user, "in none of", text_at, rule->roles);
}

static int no_user(const struct match_question *question, const struct rule *rule, struct buf *out)
{
	return none_of(out, question->access->who->user, "none of", text_at, rule->users);
}

static int no_group(const struct match_question *question, const struct rule *rule, struct buf *out)
{
	return none_of(out, question->access->who->user, "in none of", text_at, rule->groups);
}

static int no_label(
	const struct match_question *question, const struct label_want *want, struct buf *out)
{
	const char *value = target_label(question->target, want->name);
	int rc = quote_text(out, "", question->name);

	if (rc == 0 && !value)
		return buf_printf(out, " has no label '%s'", want->name);
	if (rc == 0)
		rc = buf_printf(out, " has %s=%s, which is none of ", want->name, value);
	return rc < 0 ? rc : put_list(out, text_at, want->values);
}

static int no_target(
	const struct match_question *question, const struct rule *rule, struct buf *out)
{
	for (size_t i = 0; i < rule->label_count; i++) {
		const char *value = target_label(question->target, rule->labels[i].name);
		char **one = rule->labels[i].values;
		while (*one && !text_equal(*one, value))
			one++;
		if (!*one)
			return no_label(question, &rule->labels[i], out);
	}
	return none_of(out, question->name, "none of", pattern_at, &rule->names);
}

static int no_login(const struct match_question *question, const struct rule *rule, struct buf *out)
{
	if (!question->access->login)
		return buf_puts(out, "the login is not known");
	return none_of(out, question->access->login, "none of", pattern_at, &rule->logins);
}

static int no_source(
	const struct match_question *question, const struct rule *rule, struct buf *out)
{
	char text[ADDR_TEXT_MAX];
	int rc = buf_printf(out, "%s is in none of ", addr_format(&question->access->source, text));

	for (size_t i = 0; rc == 0 && i < rule->source_count; i++) {
		if (i == LIST_SHOWN)
			return buf_puts(out, ", …");
		rc = buf_printf(out, "%s%s/%u", i > 0 ? ", " : "",
			addr_format(&rule->sources[i].base, text), rule->sources[i].bits);
	}
	return rc;
}

static int no_hours(const struct match_question *question, const struct rule *rule, struct buf *out)
{
	char now[WINDOW_TEXT_MAX], window[WINDOW_TEXT_MAX];

	return buf_printf(out, "%s is outside of %s",
		window_format_now(rule->hours, question->access->now, now),
		window_format(rule->hours, window));
}

static int no_command(
	const struct match_question *question, const struct rule *rule, struct buf *out)
{
	int rc = quote(out, "", question->access->detail.data, question->access->detail.len);

	if (rc == 0)
		rc = buf_puts(out, " is none of ");
	return rc < 0 ? rc : put_list(out, pattern_at, &rule->commands);
}

static int about_kind(
	const struct match_question *question, const struct rule *rule, struct buf *out)
{
	(void)rule;
	return buf_puts(out, question->any ? "this" : access_kind_name(question->access->kind));
}

static int about_user(
	const struct match_question *question, const struct rule *rule, struct buf *out)
{
	(void)rule;
	return quote_text(out, "user ", question->access->who->user);
}

static int about_target(
	const struct match_question *question, const struct rule *rule, struct buf *out)
{
	(void)rule;
	return quote_text(out, "target ", question->name);
}

static int about_login(
	const struct match_question *question, const struct rule *rule, struct buf *out)
{
	(void)rule;
	return quote_text(out, "login ", question->access->login);
}

static int about_source(
	const struct match_question *question, const struct rule *rule, struct buf *out)
{
	char text[ADDR_TEXT_MAX];

	(void)rule;
	return buf_printf(out, "source %s", addr_format(&question->access->source, text));
}

static int about_hours(
	const struct match_question *question, const struct rule *rule, struct buf *out)
{
	char text[WINDOW_TEXT_MAX];

	return buf_printf(
		out, "this time (%s)", window_format_now(rule->hours, question->access->now, text));
}

static int about_command(
	const struct match_question *question, const struct rule *rule, struct buf *out)
{
	(void)rule;
	return quote(out, "command ", question->access->detail.data, question->access->detail.len);
}

static const struct {
	const char *name;
	int (*no)(const struct match_question *, const struct rule *, struct buf *);
	int (*subject)(const struct match_question *, const struct rule *, struct buf *);
} words[PREDICATES] = {
	[BY_KIND] = { "kind", no_kind, about_kind },
	[BY_ROLE] = { "roles", no_role, about_user },
	[BY_USER] = { "users", no_user, about_user },
	[BY_GROUP] = { "groups", no_group, about_user },
	[BY_TARGET] = { "targets", no_target, about_target },
	[BY_LOGIN] = { "logins", no_login, about_login },
	[BY_SOURCE] = { "sources", no_source, about_source },
	[BY_HOURS] = { "hours", no_hours, about_hours },
	[BY_COMMAND] = { "commands", no_command, about_command },
};

const char *explain_name(enum predicate predicate)
{
	return words[predicate].name;
}

int explain_no(const struct match_question *question, const struct rule *rule,
	enum predicate predicate, struct buf *out)
{
	return words[predicate].no(question, rule, out);
}

int explain_subject(const struct match_question *question, enum predicate predicate,
	const struct rule *rule, struct buf *out)
{
	return words[predicate].subject(question, rule, out);
}

int explain_access(const struct match_question *question, struct buf *out)
{
	const struct access *access = question->access;
	int rc = buf_puts(out, question->any ? "anything" : access_kind_name(access->kind));

	if (rc == 0)
		rc = quote_text(out, " on ", question->name);
	if (rc == 0 && access->login)
		rc = quote_text(out, " as ", access->login);
	return rc < 0 ? rc : quote_text(out, " for ", access->who->user);
}
