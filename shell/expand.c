/* Double quotes and expansions: kept in the word as they are written; what is inside of them is
 * read as commands where it is some.
 *
 * Every expansion goes one level deeper, so that the depth of the recursion is bounded by
 * SHELL_DEPTH_MAX. */
#include <string.h>

#include "shell/impl.h"

#define SUBSCRIPT_MAX 64 /* bytes of $name[…] that are looked at */

bool shell_name_byte(int c, bool first)
{
	return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (!first && c >= '0' && c <= '9');
}

int shell_put_source(
	struct shell_parser *p, struct shell_scratch *to, size_t from, enum shell_kind kind)
{
	return shell_put(to, p->data + from, p->at - from, kind);
}

int shell_deeper(struct shell_parser *p)
{
	if (p->depth >= SHELL_DEPTH_MAX)
		return shell_limit(p, "nested too deeply");
	p->depth++;
	return 0;
}

/* ---- "…" ---- */

/* At a backslash inside of "…", or of a here-document, where it does not escape the quote. */
static int double_escape(struct shell_parser *p, struct shell_scratch *to, bool heredoc)
{
	int next = shell_peek(p, 1);
	bool escapes = next == '$' || next == '`' || next == '\\' || next == '\n' ||
		       (next == '"' && !heredoc);
	size_t from = p->at + (escapes ? 1 : 0);

	p->at += escapes ? 2 : 1;
	p->state->hidden |= next == '$' || next == '`';
	return next == '\n' ? 0 : shell_put_source(p, to, from, SHELL_QUOTED);
}

/* csh and typed lines: !x is an earlier line. */
int shell_doubt_history(struct shell_parser *p)
{
	int next = shell_peek(p, 1);

	if (!(p->state->flags & SHELL_TYPED) || next < 0 || strchr(" \t\n=(\"", next))
		return 0;
	return shell_doubt(
		p, SHELL_NO_COMMAND, (struct bytes){ p->data + p->at, 2 }, "history expansion");
}

static int double_byte(struct shell_parser *p, struct shell_scratch *to, bool heredoc)
{
	int rc = 0;

	switch (p->data[p->at]) {
	case '\\': return double_escape(p, to, heredoc);
	case '$': return shell_dollar(p, to, true);
	case '`': return shell_backtick(p, to, true);
	case '!': rc = shell_doubt_history(p); break;
	}
	p->at++;
	return rc ? rc : shell_put_source(p, to, p->at - 1, SHELL_QUOTED);
}

int shell_double(struct shell_parser *p, struct shell_scratch *to)
{
	size_t open = p->at++;
	int rc = 0;

	while (!rc && p->at < p->len && p->data[p->at] != '"')
		rc = double_byte(p, to, false);
	if (rc)
		return rc;
	if (p->at >= p->len)
		return shell_unfinished(p, open, "quote that is not closed");
	p->at++;
	return 0;
}

int shell_expansions(struct shell_parser *p, size_t end)
{
	SHELL_SCRATCH_CLEANUP struct shell_scratch ignored = { 0 };
	size_t len = p->len;
	int rc = 0;

	p->len = end;
	while (!rc && p->at < p->len) {
		rc = double_byte(p, &ignored, true);
		ignored.len = 0;
	}
	p->len = len;
	return rc;
}

/* ---- expansions ---- */

/* What quotes or expands inside of ${…}, $((…)) and the like; *ret: there was one. */
int shell_nested(struct shell_parser *p, bool quoted, bool *ret)
{
	SHELL_SCRATCH_CLEANUP struct shell_scratch ignored = { 0 };

	*ret = true;
	switch (shell_peek(p, 0)) {
	case '\\': p->at += p->at + 1 < p->len ? 2 : 1; return 0;
	case '"': return shell_double(p, &ignored);
	case '$': return shell_dollar(p, &ignored, quoted);
	case '`': return shell_backtick(p, &ignored, quoted);
	case '\'':
		if (!quoted)
			return shell_single(p, &ignored);
	}
	*ret = false;
	return 0;
}

/* From behind the opening bytes to behind close; shells differ in what a single quote means in
 * there. */
static int enclosed(struct shell_parser *p, size_t open, int close, bool quoted)
{
	bool done;
	int rc = 0;

	while (!rc && p->at < p->len && p->data[p->at] != close) {
		rc = shell_nested(p, quoted, &done);
		if (rc || done)
			continue;
		if (p->data[p->at] == '\'')
			rc = shell_doubt(p, SHELL_NO_COMMAND,
				(struct bytes){ p->data + open, p->at - open },
				"quote in an expansion in quotes");
		p->at++;
	}
	if (rc)
		return rc;
	if (p->at >= p->len)
		return shell_unfinished(p, open, "expansion that is not closed");
	p->at++;
	return 0;
}

/* ${…}: what is run by it beyond the substitutions that can be seen. */
static int braces(struct shell_parser *p, size_t open, bool quoted)
{
	int first = shell_peek(p, 2);
	int rc = shell_deeper(p);

	if (rc)
		return rc;
	if (first >= 0 && strchr(shell_shells(p) & SHELL_ZSH ? "( \t\n|" : " \t\n|", first))
		rc = shell_doubt(p, SHELL_NO_COMMAND, (struct bytes){ p->data + open, 3 },
			"expansion that may run commands");
	p->at += 2;
	if (!rc)
		rc = enclosed(p, open, '}', quoted);
	p->depth--;
	if (!rc && p->at - open > 4 && !memcmp(p->data + p->at - 3, "@P}", 3))
		rc = shell_doubt(p, SHELL_NO_COMMAND, shell_slice(p, open),
			"expansion that may run commands");
	return rc ? rc : shell_number_braces(p, shell_slice(p, open));
}

/* A command substitution in place: from behind its opening to behind its `)`. */
int shell_substitution(struct shell_parser *p, size_t skip, const char *via)
{
	const char *outer = p->via;
	int rc = shell_deeper(p);

	if (rc)
		return rc;
	p->at += skip;
	p->via = via;
	rc = shell_list_read(p, ')');
	p->via = outer;
	p->depth--;
	return rc;
}

bool shell_arithmetic_ahead(const struct shell_parser *p)
{
	size_t depth = 0;

	for (size_t at = p->at; at < p->len; at++) {
		uint8_t c = p->data[at];
		if (c == '\\') {
			at++;
		} else if (c == '\'' || c == '"') {
			const uint8_t *end = memchr(p->data + at + 1, c, p->len - at - 1);
			at = end ? (size_t)(end - p->data) : at;
		} else if (c == '(') {
			depth++;
		} else if (c == ')' && --depth == 1) {
			return at + 1 < p->len && p->data[at + 1] == ')';
		}
	}
	return false;
}

/* From a name to behind the operator that follows it. */
static size_t number_end(const struct shell_parser *p)
{
	size_t at = p->at;

	while (at < p->len && strchr(" \t+-*/%&|^<>=", p->data[at]) && p->data[at] &&
		at < p->at + 8)
		at++;
	return at;
}

int shell_nested_number(struct shell_parser *p, bool *ret)
{
	size_t from = p->at, command = p->state->line->command_count;
	int rc = shell_nested(p, true, ret);

	return rc || !*ret ? rc : shell_number_nested(p, from, p->at, command);
}

int shell_arithmetic(struct shell_parser *p)
{
	size_t open = p->at, inner = 0;
	bool done;
	int rc = shell_deeper(p);

	while (!rc && p->at < p->len && (inner || p->data[p->at] != ')')) {
		size_t from = p->at;
		while (p->at < p->len && shell_name_byte(p->data[p->at], false))
			p->at++;
		if (p->at > from) /* with what follows: i=1 is an assignment */
			rc = shell_number_plain(p, from, number_end(p));
		if (rc || p->at > from)
			continue;
		rc = shell_nested_number(p, &done);
		if (rc || done)
			continue;
		inner += p->data[p->at] == '(';
		inner -= p->data[p->at] == ')';
		p->at++;
	}
	if (rc)
		return rc;
	p->depth--;
	if (shell_peek(p, 0) != ')' || shell_peek(p, 1) != ')')
		return shell_unfinished(p, open, "arithmetic that is not closed");
	p->at += 2;
	return 0;
}

static int parenthesis(struct shell_parser *p)
{
	p->at++;
	bool arithmetic = shell_peek(p, 1) == '(' && shell_arithmetic_ahead(p);
	p->at--;
	if (!arithmetic)
		return shell_substitution(p, 2, SHELL_SUBSTITUTION);
	p->at += 3;
	return shell_arithmetic(p);
}

/* zsh: $name[subscript] needs no braces. */
static int subscript(struct shell_parser *p)
{
	if (shell_peek(p, 0) != '[' || !(shell_shells(p) & SHELL_ZSH))
		return 0;
	const uint8_t *from = p->data + p->at + 1;
	size_t left = p->len - p->at - 1;
	left = left < SUBSCRIPT_MAX ? left : SUBSCRIPT_MAX;
	const uint8_t *close = memchr(from, ']', left);
	size_t len = close ? (size_t)(close - from) : 0;
	return shell_number_text(p, (struct bytes){ from, len }, false);
}

int shell_dollar(struct shell_parser *p, struct shell_scratch *to, bool quoted)
{
	size_t from = p->at;
	int next = shell_peek(p, 1), rc = 0;

	if (next == '\\' && shell_peek(p, 2) == '\n') /* a line that goes on does so even there */
		rc = shell_doubt(p, SHELL_NO_COMMAND, (struct bytes){ p->data + from, 2 },
			"expansion that goes on in the next line");
	if (rc)
		return rc;
	if (next == '\'' && !quoted)
		return shell_ansi(p, to);
	if (next == '"' && !quoted) {
		p->at++;
		return shell_double(p, to);
	}
	if (next == '(') {
		size_t command = p->state->line->command_count;
		rc = parenthesis(p);
		bool number =
			p->data[from + 2] == '(' || shell_number_counts(p, from, p->at, command);
		to->substitutes = true;
		to->puts |= !number;
	} else if (next == '{') {
		rc = braces(p, from, quoted);
	} else if (next == '[') {
		p->at += 2;
		rc = shell_deeper(p);
		rc = rc ? rc : enclosed(p, from, ']', true);
		p->depth -= !rc;
		rc = rc ? rc
			: shell_doubt(p, SHELL_NO_COMMAND, shell_slice(p, from),
				  "arithmetic that not every shell knows");
	} else if (shell_name_byte(next, true)) {
		for (p->at++; shell_name_byte(shell_peek(p, 0), false);)
			p->at++;
		rc = subscript(p);
	} else if (next > 0 && strchr("0123456789@*#?$!-", next)) {
		p->at += 2;
	} else {
		p->at++;
		return shell_put(to, "$", 1, SHELL_QUOTED);
	}
	/* "$@" and "${a[@]}" do so even in quotes */
	to->splits |= !quoted || memchr(p->data + from, '@', p->at - from);
	return rc ? rc : shell_put_source(p, to, from, SHELL_UNKNOWN);
}

/* A backslash escapes only $, ` and \ in there, and " where the whole stands in double quotes. */
int shell_backtick(struct shell_parser *p, struct shell_scratch *to, bool quoted)
{
	SHELL_SCRATCH_CLEANUP struct shell_scratch inner = { 0 };
	size_t from = p->at++;
	int rc = 0;

	while (!rc && p->at < p->len && p->data[p->at] != '`') {
		int next = p->data[p->at] == '\\' ? shell_peek(p, 1) : -1;
		p->at += next == '$' || next == '`' || next == '\\' || (next == '"' && quoted);
		rc = shell_put(&inner, p->data + p->at, 1, SHELL_PLAIN);
		p->at++;
	}
	if (rc)
		return rc;
	if (p->at >= p->len)
		return shell_unfinished(p, from, "backtick that is not closed");
	p->at++;
	to->splits |= !quoted;
	to->substitutes = to->puts = true;
	rc = inner.len ? shell_read_copy(p, (struct bytes){ inner.text, inner.len }, "`…`", false)
		       : 0;
	return rc ? rc : shell_put_source(p, to, from, SHELL_UNKNOWN);
}
