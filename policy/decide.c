/* Deciding: the first rule that matches. See decide.h.
 *
 * One engine for all three questions: decide(), decide_any() and decide_explain() differ in what is
 * open and in what is written down. */
#include "policy/decide.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/text.h"
#include "keys/sshcert.h"
#include "policy/match.h"

#define TRACE_LINE_MAX 2048
/* a login later than now by more than clocks may differ is none that can be trusted */
#define LOGIN_AHEAD_MAX_S 120

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
	struct match_question question;
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

static void conclude(struct deciding *d, enum verdict verdict, const struct rule *rule,
	const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static void conclude(
	struct deciding *d, enum verdict verdict, const struct rule *rule, const char *fmt, ...)
{
	va_list args;

	*d->decision = (struct decision){ .verdict = verdict, .rule = rule ? rule->name : NULL };
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
		if (!match_asked(rule, p) || (p == BY_KIND && rule->kinds == KINDS_ALL) ||
			(is_who && who) || (d->question.any && (p == BY_KIND || p == BY_COMMAND)))
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

	conclude(d, VERDICT_DENY, rule, "rule '%s' denies %s", rule->name,
		deny_words(d, rule, &words));
}

static void on_no(struct deciding *d, const struct rule *rule, enum predicate by)
{
	BUF_CLEANUP struct buf words = BUF_INIT(TRACE_LINE_MAX);

	if (!d->trace)
		return;
	const char *text = explain_no(&d->question, rule, by, &words) < 0 ? NULL : buf_cstr(&words);
	say(d, "rule '%s': no, %s: %s", rule->name, explain_name(by),
		text ? text : "does not match");
}

/* False: nobody knows how old it is. */
static bool login_age(const struct access *access, int64_t *ret_seconds)
{
	int64_t age = 0;

	if (access->who->login_time <= 0 ||
		__builtin_sub_overflow(access->now, access->who->login_time, &age) ||
		age < -LOGIN_AHEAD_MAX_S || age > INT64_MAX / 1000)
		return false;
	*ret_seconds = age > 0 ? age : 0;
	return true;
}

static void hold_login(struct deciding *d, const struct rule *rule, const struct role *role,
	int64_t within, bool known, int64_t age)
{
	const char *user = d->question.access->who->user;
	char old[64], wanted[64], shown[100], asks[2 * RULESET_TEXT_MAX + 32];

	clock_duration_format(age * 1000, old, sizeof(old));
	clock_duration_format(within, wanted, sizeof(wanted));
	if (role)
		snprintf(asks, sizeof(asks), "role '%s' of rule '%s' asks", role->name, rule->name);
	else
		snprintf(asks, sizeof(asks), "rule '%s' asks", rule->name);
	if (known)
		conclude(d, VERDICT_HOLD, rule, "the login is %s%s old, %s for one within %s",
			strcmp(old, wanted) == 0 ? "more than " : "", old, asks, wanted);
	else
		conclude(d, VERDICT_HOLD, rule,
			"when '%s' logged in is not known, %s for a login within %s",
			text_clean(shown, sizeof(shown), user, strlen(user)), asks, wanted);
	d->decision->hold = HOLD_LOGIN;
	d->decision->login_within_s = within / 1000;
}

/* True: held, and said. */
static bool login_too_old(struct deciding *d, const struct rule *rule)
{
	const struct role *role = NULL;
	int64_t age = 0, within = match_login_within(&d->question, rule, &role);

	if (within == 0)
		return false;
	bool known = login_age(d->question.access, &age);
	if (known && age * 1000 <= within)
		return false;
	hold_login(d, rule, role, within, known, age);
	return true;
}

static void hold_approval(struct deciding *d, const struct rule *rule, const char *holds)
{
	BUF_CLEANUP struct buf words = BUF_INIT(TRACE_LINE_MAX);
	const struct approval_rule *approval = rule->approval;

	conclude(d, VERDICT_HOLD, rule, "rule '%s' %s %s until %u of role '%s' %s", rule->name,
		holds, access_words(d, &words), approval->votes, approval->by,
		approval->votes == 1 ? "approves" : "approve");
	d->decision->hold = HOLD_APPROVAL;
	d->decision->approval = approval;
}

/* What an allow by this rule demands, now or after the votes. */
static void demand(struct deciding *d, const struct rule *rule)
{
	d->decision->obligations = rule->obligations;
	d->decision->break_glass = d->decision->review = rule->break_glass;
	d->decision->guard = d->question.kinds & KINDS_GUARDED ? rule->guard : NULL;
	d->decision->env = &rule->env;
	d->decision->guard_name = d->decision->guard ? guard_name(rule->guard) : NULL;
	d->decision->shells = rule->shell ? rule->shell->shells : 0;
}

/* The rule says yes; its conditions may say not yet. */
static void allow(struct deciding *d, const struct rule *rule, bool certain)
{
	BUF_CLEANUP struct buf words = BUF_INIT(TRACE_LINE_MAX);

	if (login_too_old(d, rule))
		return;
	if (rule->approval)
		hold_approval(d, rule, certain ? "holds" : "may hold");
	else
		conclude(d, VERDICT_ALLOW, rule, "rule '%s' %s %s", rule->name,
			certain ? "allows" : "may allow", access_words(d, &words));
	demand(d, rule);
}

static bool on_yes(struct deciding *d, const struct rule *rule)
{
	say(d, "rule '%s': matches", rule->name);
	if (rule->verdict == VERDICT_ALLOW) {
		allow(d, rule, true);
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
	say(d, "rule '%s': may match", rule->name);
	if (rule->verdict == VERDICT_ALLOW)
		allow(d, rule, false);
	return rule->verdict == VERDICT_ALLOW;
}

static bool on_error(struct deciding *d, const struct rule *rule, enum predicate by)
{
	say(d, "rule '%s': %s cannot be evaluated", rule->name, explain_name(by));
	conclude(d, VERDICT_DENY, rule, "rule '%s': %s cannot be evaluated, so it is denied",
		rule->name, explain_name(by));
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

static bool take_name(struct match_question *question)
{
	const char *name =
		question->access->target ? question->access->target : question->target->name;
	size_t len = strlen(name);

	if (len > TARGET_NAME_MAX)
		return false;
	for (size_t i = 0; i <= len; i++)
		question->name[i] = (char)tolower((unsigned char)name[i]);
	return true;
}

static void run(struct deciding *d)
{
	struct match_question *question = &d->question;
	const char *name = question->access->target ? question->access->target : "";
	char shown[128];

	if (!question->target || !take_name(question)) {
		conclude(d, VERDICT_DENY, NULL, "no target '%s'",
			text_clean(shown, sizeof(shown), name, strlen(name)));
	} else if (!question->any && (unsigned)question->access->kind >= ACCESS_KINDS) {
		conclude(d, VERDICT_DENY, NULL, "not a kind of access");
	} else {
		question->kinds = permitted(question->access, question->kinds);
		if (question->kinds != 0) {
			try_all(d);
			return;
		}
		conclude(d, VERDICT_DENY, NULL, "the certificate does not permit %s",
			rights[question->access->kind].what);
	}
	say(d, "no rule was tried: %s", d->decision->reason);
}

/* A kind that is none is no bit: run() refuses it. */
static unsigned one_kind(const struct access *access)
{
	return (unsigned)access->kind < ACCESS_KINDS ? KIND(access->kind) : 0;
}

void decide(const struct ruleset *ruleset, const struct target *target, const struct access *access,
	struct decision *ret)
{
	struct deciding d = { .question = { .ruleset = ruleset,
				      .target = target,
				      .access = access,
				      .kinds = one_kind(access) },
		.decision = ret };

	run(&d);
}

bool decide_any(const struct ruleset *ruleset, const struct target *target,
	const struct access *access, struct decision *ret)
{
	struct match_question question = { .ruleset = ruleset,
		.target = target,
		.access = access,
		.any = true,
		.kinds = KINDS_ALL };
	struct deciding d = { .question = question, .decision = ret };

	run(&d);
	return ret->verdict != VERDICT_DENY;
}

void decide_kind(const struct ruleset *ruleset, const struct target *target,
	const struct access *access, struct decision *ret)
{
	struct match_question question = { .ruleset = ruleset,
		.target = target,
		.access = access,
		.any = true,
		.kinds = one_kind(access) };
	struct deciding d = { .question = question, .decision = ret };

	run(&d);
}

unsigned decide_kinds(const struct ruleset *ruleset, const struct target *target,
	const struct access *access, unsigned *ret_held)
{
	unsigned may = 0, held = 0;

	for (unsigned kind = 0; kind < ACCESS_KINDS; kind++) {
		struct access one = *access;
		struct decision decision;
		one.kind = (enum access_kind)kind;
		struct match_question question = { .ruleset = ruleset,
			.target = target,
			.access = &one,
			.any = true,
			.kinds = KIND(kind) };
		struct deciding d = { .question = question, .decision = &decision };
		run(&d);
		may |= decision.verdict != VERDICT_DENY ? KIND(kind) : 0;
		held |= decision.verdict == VERDICT_HOLD ? KIND(kind) : 0;
	}
	if (ret_held)
		*ret_held = held;
	return may;
}

int decide_explain(const struct ruleset *ruleset, const struct target *target,
	const struct access *access, struct decision *ret, struct buf *trace)
{
	struct match_question question = {
		.ruleset = ruleset, .target = target, .access = access, .kinds = one_kind(access)
	};
	struct deciding d = { .question = question, .decision = ret, .trace = trace };

	run(&d);
	return d.trace_rc;
}
