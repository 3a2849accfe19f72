/* Deciding: the first rule that matches. See decide.h.
 *
 * One engine for all three questions: decide(), decide_any() and decide_explain() differ in what is open and in what is written down. */
#include "policy/decide.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/sshcert.h"
#include "common/text.h"
#include "policy/match.h"

#define TRACE_LINE_MAX 2048

/* What a certificate must permit, whatever the rules say. A tunnel forwards ports wholesale. */
static const struct {
	unsigned right;
	const char *what;
} rights[ACCESS_KINDS] = {
	[ACCESS_LOCAL_FORWARD] = { SSHCERT_PORT_FORWARDING, "port forwarding" },
	[ACCESS_REMOTE_FORWARD] = { SSHCERT_PORT_FORWARDING, "port forwarding" },
	[ACCESS_TUNNEL] = { SSHCERT_PORT_FORWARDING, "port forwarding" },
	[ACCESS_AGENT] = { SSHCERT_AGENT_FORWARDING, "agent forwarding" },
	[ACCESS_X11] = { SSHCERT_X11_FORWARDING, "X11 forwarding" },
};

struct deciding {
	struct question question;
	struct decision *decision;
	struct buf *trace; /* NULL: nobody wants to know */
	int trace_rc;
	const struct rule *closed_by; /* decide_any(): the last deny that left nothing */
};

static void say(struct deciding *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* One line of the trace, complete or not at all. */
static void say(struct deciding *d, const char *fmt, ...)
{
	char line[TRACE_LINE_MAX];
	va_list args;
	if (!d->trace || d->trace_rc < 0)
		return;
	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	d->trace_rc = buf_printf(d->trace, "%s\n", line);
}

static void conclude(struct deciding *d, enum verdict verdict, const struct rule *rule, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static void conclude(struct deciding *d, enum verdict verdict, const struct rule *rule, const char *fmt, ...)
{
	va_list args;
	d->decision->verdict = verdict;
	d->decision->rule = rule ? rule->name : NULL;
	d->decision->obligations = rule && verdict == VERDICT_ALLOW ? rule->obligations : (struct obligations){ 0 };
	va_start(args, fmt);
	vsnprintf(d->decision->reason, sizeof(d->decision->reason), fmt, args);
	va_end(args);
}

static const char *access_words(const struct deciding *d, struct buf *words)
{
	buf_clear(words);
	const char *text = explain_access(&d->question, words) < 0 ? NULL : buf_cstr(words);
	return text ? text : "this";
}

/* "login 'root', target 'db1'": what the rule looked at, without saying one thing twice. */
static const char *deny_words(const struct deciding *d, const struct rule *rule, struct buf *words)
{
	bool who = false;
	int rc = 0;
	buf_clear(words);
	for (enum predicate p = 0; rc == 0 && p < PREDICATES; p++) {
		bool is_who = p == BY_ROLE || p == BY_USER || p == BY_GROUP;
		if (!match_asked(rule, p) || (p == BY_KIND && rule->kinds == KINDS_ALL) || (is_who && who) ||
			(d->question.any && (p == BY_KIND || p == BY_COMMAND)))
			continue;
		who |= is_who;
		rc = words->len > 0 ? buf_puts(words, ", ") : 0;
		if (rc == 0)
			rc = explain_subject(&d->question, p, rule, words);
	}
	if (words->len == 0)
		return access_words(d, words);
	const char *text = buf_cstr(words);
	return text ? text : "this";
}

static void deny_by(struct deciding *d, const struct rule *rule)
{
	BUF_CLEANUP struct buf words = BUF_INIT(TRACE_LINE_MAX);
	conclude(d, VERDICT_DENY, rule, "rule '%s' denies %s", rule->name, deny_words(d, rule, &words));
}

static void on_no(struct deciding *d, const struct rule *rule, enum predicate by)
{
	BUF_CLEANUP struct buf words = BUF_INIT(TRACE_LINE_MAX);
	if (!d->trace)
		return;
	const char *text = explain_no(&d->question, rule, by, &words) < 0 ? NULL : buf_cstr(&words);
	say(d, "rule '%s': no, %s: %s", rule->name, explain_name(by), text ? text : "does not match");
}

static bool on_yes(struct deciding *d, const struct rule *rule)
{
	BUF_CLEANUP struct buf words = BUF_INIT(TRACE_LINE_MAX);
	say(d, "rule '%s': matches", rule->name);
	if (rule->verdict == VERDICT_ALLOW) {
		conclude(d, VERDICT_ALLOW, rule, "rule '%s' allows %s", rule->name, access_words(d, &words));
		return true;
	}
	if (!d->question.any) {
		deny_by(d, rule);
		return true;
	}
	d->question.kinds &= ~match_kinds(rule);
	d->closed_by = rule;
	return d->question.kinds == 0;
}

/* Open: an allow may come true, a deny need not. */
static bool on_maybe(struct deciding *d, const struct rule *rule)
{
	BUF_CLEANUP struct buf words = BUF_INIT(TRACE_LINE_MAX);
	say(d, "rule '%s': may match", rule->name);
	if (rule->verdict != VERDICT_ALLOW)
		return false;
	conclude(d, VERDICT_ALLOW, rule, "rule '%s' may allow %s", rule->name, access_words(d, &words));
	return true;
}

static bool on_error(struct deciding *d, const struct rule *rule, enum predicate by)
{
	say(d, "rule '%s': %s cannot be evaluated", rule->name, explain_name(by));
	conclude(d, VERDICT_DENY, rule, "rule '%s': %s cannot be evaluated, so it is denied", rule->name, explain_name(by));
	return true;
}

/* One rule; true when it has decided. */
static bool try_rule(struct deciding *d, const struct rule *rule)
{
	enum predicate by = BY_KIND;
	switch (match_rule(&d->question, rule, &by)) {
	case MATCH_YES: return on_yes(d, rule);
	case MATCH_MAYBE: return on_maybe(d, rule);
	case MATCH_ERROR: return on_error(d, rule, by);
	default: on_no(d, rule, by); return false;
	}
}

static void try_all(struct deciding *d)
{
	BUF_CLEANUP struct buf words = BUF_INIT(TRACE_LINE_MAX);
	const struct ruleset *ruleset = d->question.ruleset;
	bool decided = false;
	for (size_t i = 0; !decided && i < ruleset->rule_count; i++)
		decided = try_rule(d, &ruleset->rules[i]);
	if (decided && d->question.kinds != 0)
		return;
	if (d->closed_by && d->question.kinds == 0)
		deny_by(d, d->closed_by);
	else
		conclude(d, VERDICT_DENY, NULL, "no rule allows %s", access_words(d, &words));
}

/* Kinds that the certificate permits, of those in the set. */
static unsigned permitted(const struct access *access, unsigned kinds)
{
	for (unsigned kind = 0; kind < ACCESS_KINDS; kind++)
		if (rights[kind].right & ~access->who->rights)
			kinds &= ~KIND(kind);
	return kinds;
}

static bool take_name(struct question *question)
{
	const char *name = question->access->target ? question->access->target : question->target->name;
	size_t len = strlen(name);
	if (len > TARGET_NAME_MAX)
		return false;
	for (size_t i = 0; i <= len; i++)
		question->name[i] = (char)tolower((unsigned char)name[i]);
	return true;
}

static void run(struct deciding *d)
{
	struct question *question = &d->question;
	const char *name = question->access->target ? question->access->target : "";
	char shown[128];
	if (!question->target || !take_name(question)) {
		conclude(d, VERDICT_DENY, NULL, "no target '%s'", text_clean(shown, sizeof(shown), name, strlen(name)));
	} else if (!question->any && (unsigned)question->access->kind >= ACCESS_KINDS) {
		conclude(d, VERDICT_DENY, NULL, "not a kind of access");
	} else {
		unsigned asked = question->any ? KINDS_ALL : KIND(question->access->kind);
		question->kinds = permitted(question->access, asked);
		if (question->kinds != 0) {
			try_all(d);
			return;
		}
		conclude(d, VERDICT_DENY, NULL, "the certificate does not permit %s", rights[question->access->kind].what);
	}
	say(d, "no rule was tried: %s", d->decision->reason);
}

void decide(const struct ruleset *ruleset, const struct target *target, const struct access *access, struct decision *ret)
{
	struct deciding d = { .question = { .ruleset = ruleset, .target = target, .access = access }, .decision = ret };
	run(&d);
}

bool decide_any(const struct ruleset *ruleset, const struct target *target, const struct access *access, struct decision *ret)
{
	struct deciding d = { .question = { .ruleset = ruleset, .target = target, .access = access, .any = true }, .decision = ret };
	run(&d);
	return ret->verdict != VERDICT_DENY;
}

int decide_explain(const struct ruleset *ruleset, const struct target *target, const struct access *access, struct decision *ret, struct buf *trace)
{
	struct deciding d = { .question = { .ruleset = ruleset, .target = target, .access = access }, .decision = ret, .trace = trace };
	run(&d);
	return d.trace_rc;
}
