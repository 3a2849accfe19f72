/* One word: quotes removed, expansions kept as they are written, and what is inside of them read as commands where it is one.
 *
 * Every expansion goes one level deeper, so that the depth of the recursion is bounded by SHELL_DEPTH_MAX. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/shell_impl.h"

static int dollar(struct shell_parser *p, struct shell_scratch *to, bool quoted);
static int backtick(struct shell_parser *p, struct shell_scratch *to, bool quoted);

static bool name_byte(int c, bool first)
{
	return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (!first && c >= '0' && c <= '9');
}

static int put_source(struct shell_parser *p, struct shell_scratch *to, size_t from, enum shell_kind kind)
{
	return shell_put(to, p->data + from, p->at - from, kind);
}

static int deeper(struct shell_parser *p)
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
	bool escapes = next == '$' || next == '`' || next == '\\' || next == '\n' || (next == '"' && !heredoc);
	size_t from = p->at + (escapes ? 1 : 0);
	p->at += escapes ? 2 : 1;
	return next == '\n' ? 0 : put_source(p, to, from, SHELL_QUOTED);
}

/* csh and typed lines: !x is an earlier line. */
static int doubt_history(struct shell_parser *p)
{
	int next = shell_peek(p, 1);
	if (!(p->state->flags & SHELL_TYPED) || next < 0 || strchr(" \t\n=(\"", next))
		return 0;
	return shell_doubt(p, SHELL_NO_COMMAND, (struct bytes){ p->data + p->at, 2 }, "history expansion");
}

static int double_byte(struct shell_parser *p, struct shell_scratch *to, bool heredoc)
{
	int rc = 0;
	switch (p->data[p->at]) {
	case '\\': return double_escape(p, to, heredoc);
	case '$': return dollar(p, to, true);
	case '`': return backtick(p, to, true);
	case '!': rc = doubt_history(p); break;
	}
	p->at++;
	return rc ? rc : put_source(p, to, p->at - 1, SHELL_QUOTED);
}

static int double_quotes(struct shell_parser *p, struct shell_scratch *to)
{
	size_t open = p->at++;
	int rc = 0;
	while (!rc && p->at < p->len && p->data[p->at] != '"')
		rc = double_byte(p, to, false);
	if (rc)
		return rc;
	if (p->at >= p->len)
		return shell_error(p, open, "quote that is not closed");
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
static int nested(struct shell_parser *p, bool quoted, bool *ret)
{
	SHELL_SCRATCH_CLEANUP struct shell_scratch ignored = { 0 };
	*ret = true;
	switch (shell_peek(p, 0)) {
	case '\\':
		p->at += p->at + 1 < p->len ? 2 : 1;
		return 0;
	case '"': return double_quotes(p, &ignored);
	case '$': return dollar(p, &ignored, quoted);
	case '`': return backtick(p, &ignored, quoted);
	case '\'':
		if (!quoted)
			return shell_single(p, &ignored);
	}
	*ret = false;
	return 0;
}

/* From behind the opening bytes to behind close; shells differ in what a single quote means in there. */
static int enclosed(struct shell_parser *p, size_t open, int close, bool quoted)
{
	bool done;
	int rc = 0;
	while (!rc && p->at < p->len && p->data[p->at] != close) {
		rc = nested(p, quoted, &done);
		if (rc || done)
			continue;
		if (p->data[p->at] == '\'')
			rc = shell_doubt(p, SHELL_NO_COMMAND, (struct bytes){ p->data + open, p->at - open }, "quote in an expansion in quotes");
		p->at++;
	}
	if (rc)
		return rc;
	if (p->at >= p->len)
		return shell_error(p, open, "expansion that is not closed");
	p->at++;
	return 0;
}

/* ${…}: what is run by it beyond the substitutions that can be seen. */
static int braces(struct shell_parser *p, size_t open, bool quoted)
{
	int first = shell_peek(p, 2);
	int rc = deeper(p);
	if (rc)
		return rc;
	if (first >= 0 && strchr("( \t\n|", first))
		rc = shell_doubt(p, SHELL_NO_COMMAND, (struct bytes){ p->data + open, 3 }, "expansion that may run commands");
	p->at += 2;
	if (!rc)
		rc = enclosed(p, open, '}', quoted);
	p->depth--;
	if (!rc && p->at - open > 4 && !memcmp(p->data + p->at - 3, "@P}", 3))
		rc = shell_doubt(p, SHELL_NO_COMMAND, shell_slice(p, open), "expansion that may run commands");
	return rc;
}

/* A command substitution in place: from behind its opening to behind its `)`. */
static int substitution(struct shell_parser *p, size_t skip, const char *via)
{
	const char *outer = p->via;
	int rc = deeper(p);
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

int shell_arithmetic(struct shell_parser *p)
{
	size_t open = p->at, inner = 0;
	bool done;
	int rc = deeper(p);
	while (!rc && p->at < p->len && (inner || p->data[p->at] != ')')) {
		rc = nested(p, true, &done);
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
		return shell_error(p, open, "arithmetic that is not closed");
	p->at += 2;
	return 0;
}

static int parenthesis(struct shell_parser *p)
{
	p->at++;
	bool arithmetic = shell_peek(p, 1) == '(' && shell_arithmetic_ahead(p);
	p->at--;
	if (!arithmetic)
		return substitution(p, 2, SHELL_SUBSTITUTION);
	p->at += 3;
	return shell_arithmetic(p);
}

static int dollar(struct shell_parser *p, struct shell_scratch *to, bool quoted)
{
	size_t from = p->at;
	int next = shell_peek(p, 1), rc = 0;

	if (next == '\'' && !quoted)
		return shell_ansi(p, to);
	if (next == '"' && !quoted) {
		p->at++;
		return double_quotes(p, to);
	}
	if (next == '(') {
		rc = parenthesis(p);
	} else if (next == '{') {
		rc = braces(p, from, quoted);
	} else if (next == '[') {
		p->at += 2;
		rc = deeper(p);
		rc = rc ? rc : enclosed(p, from, ']', true);
		p->depth -= !rc;
	} else if (name_byte(next, true)) {
		for (p->at++; name_byte(shell_peek(p, 0), false);)
			p->at++;
	} else if (next > 0 && strchr("0123456789@*#?$!-", next)) {
		p->at += 2;
	} else {
		p->at++;
		return shell_put(to, "$", 1, SHELL_QUOTED);
	}
	return rc ? rc : put_source(p, to, from, SHELL_UNKNOWN);
}

/* A backslash escapes only $, ` and \ in there, and " where the whole stands in double quotes. */
static int backtick(struct shell_parser *p, struct shell_scratch *to, bool quoted)
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
		return shell_error(p, from, "backtick that is not closed");
	p->at++;
	rc = inner.len ? shell_read_copy(p, (struct bytes){ inner.text, inner.len }, "`…`", false) : 0;
	return rc ? rc : put_source(p, to, from, SHELL_UNKNOWN);
}

/* ---- unquoted bytes ---- */

static int backslash(struct shell_parser *p, struct shell_scratch *to)
{
	int next = shell_peek(p, 1);
	p->at += next < 0 ? 1 : 2;
	return next == '\n' ? 0 : put_source(p, to, p->at - 1, SHELL_QUOTED);
}

/* name=(one two): the elements may hold substitutions. At the parenthesis. */
static int array(struct shell_parser *p, struct shell_scratch *to)
{
	size_t open = p->at++;
	int rc = deeper(p);
	while (!rc) {
		struct shell_word ignored;
		rc = shell_blanks(p);
		int c = shell_peek(p, 0);
		if (rc)
			break;
		if (c == ')') {
			p->at++;
			p->depth--;
			return put_source(p, to, open, SHELL_UNKNOWN);
		}
		if (c == '\n')
			p->at++;
		else if (c < 0 || strchr(";&|(<>", c))
			rc = shell_error(p, open, "array that is not closed");
		else
			rc = shell_word_read(p, &ignored);
	}
	return rc;
}

/* ?(a|b) and its like, where bash has them switched on, and zsh's qualifiers. At the parenthesis. */
static int pattern_group(struct shell_parser *p, struct shell_scratch *to)
{
	size_t open = p->at++, inner = 0;
	bool done;
	int rc = deeper(p);
	while (!rc && p->at < p->len && (inner || p->data[p->at] != ')')) {
		rc = nested(p, false, &done);
		if (rc || done)
			continue;
		inner += p->data[p->at] == '(';
		inner -= p->data[p->at] == ')';
		p->at++;
	}
	if (rc)
		return rc;
	p->depth--;
	if (p->at >= p->len)
		return shell_error(p, open, "group that is not closed");
	p->at++;
	rc = shell_doubt(p, SHELL_NO_COMMAND, shell_slice(p, open), "pattern in parentheses, in which zsh may run commands");
	return rc ? rc : put_source(p, to, open, SHELL_PATTERN);
}

static bool last_is(const struct shell_scratch *word, const char *set)
{
	return word->len && word->kinds[word->len - 1] <= SHELL_PATTERN && word->kinds[word->len - 1] != SHELL_QUOTED && word->text[word->len - 1] &&
	       strchr(set, word->text[word->len - 1]);
}

/* A metacharacter ends the word, but for a few that belong to it. *ret: it ended. */
static int metacharacter(struct shell_parser *p, struct shell_scratch *to, bool *ret)
{
	size_t from = p->at;
	int c = p->data[p->at], rc = 0;
	if ((c == '<' || c == '>') && shell_peek(p, 1) == '(') {
		rc = substitution(p, 2, c == '<' ? "<(…)" : ">(…)");
		return rc ? rc : put_source(p, to, from, SHELL_UNKNOWN);
	}
	if (c == '(' && to->len == 1 && last_is(to, "=")) { /* zsh */
		rc = substitution(p, 1, "=(…)");
		return rc ? rc : put_source(p, to, from, SHELL_UNKNOWN);
	}
	if (c == '(' && last_is(to, "="))
		return array(p, to);
	if (c == '(' && last_is(to, "?*+@!"))
		return pattern_group(p, to);
	*ret = true;
	return 0;
}

static bool is_meta(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == ';' || c == '&' || c == '|' || c == '(' || c == ')' || c == '<' || c == '>';
}

static int unquoted_byte(struct shell_parser *p, struct shell_scratch *to, bool *ret_end)
{
	uint8_t c = p->data[p->at];
	int rc = 0;
	if (is_meta(c))
		return metacharacter(p, to, ret_end);
	switch (c) {
	case '\'': return shell_single(p, to);
	case '"': return double_quotes(p, to);
	case '\\': return backslash(p, to);
	case '$': return dollar(p, to, false);
	case '`': return backtick(p, to, false);
	case '!': rc = doubt_history(p); break;
	}
	p->at++;
	return rc ? rc : shell_put(to, &c, 1, c == '*' || c == '?' ? SHELL_PATTERN : SHELL_PLAIN);
}

/* ---- the whole word ---- */

static bool plain_at(const struct shell_scratch *word, size_t at, char c)
{
	return word->kinds[at] == SHELL_PLAIN && word->text[at] == c;
}

/* [abc]: a set, if it is closed in the same word. */
static void mark_sets(struct shell_scratch *word)
{
	size_t last = word->len;
	while (last > 0 && !plain_at(word, last - 1, ']'))
		last--;
	for (size_t at = 0; at + 2 < last; at++) {
		if (!plain_at(word, at, '['))
			continue;
		size_t end = at + 2;
		while (!plain_at(word, end, ']'))
			end++;
		memset(word->kinds + at, SHELL_PATTERN, end + 1 - at);
		at = end;
	}
}

/* {a,b} or {1..3} becomes several words: from the first brace to the last. */
static void mark_braces(struct shell_scratch *word)
{
	size_t first = 0, last = word->len;
	bool several = false;
	while (first < word->len && !plain_at(word, first, '{'))
		first++;
	while (last > first && !plain_at(word, last - 1, '}'))
		last--;
	for (size_t at = first; at < last; at++)
		several |= plain_at(word, at, ',') || (at > first && plain_at(word, at, '.') && plain_at(word, at - 1, '.'));
	if (several)
		memset(word->kinds + first, SHELL_UNKNOWN, last - first);
}

static int keep(struct shell_parser *p, struct shell_scratch *scratch, size_t from, struct shell_word *ret)
{
	mark_sets(scratch);
	mark_braces(scratch);
	uint8_t *text = shell_alloc(p->state, scratch->len * 2);
	if (!text)
		return -ENOMEM;
	uint8_t *kinds = text + scratch->len;
	enum shell_kind worst = SHELL_PLAIN;
	if (scratch->len) {
		memcpy(text, scratch->text, scratch->len);
		memcpy(kinds, scratch->kinds, scratch->len);
	}
	for (size_t i = 0; i < scratch->len; i++)
		worst = kinds[i] > worst ? kinds[i] : worst;
	*ret = (struct shell_word){ { text, scratch->len }, kinds, worst, shell_slice(p, from) };
	return 0;
}

int shell_word_read(struct shell_parser *p, struct shell_word *ret)
{
	SHELL_SCRATCH_CLEANUP struct shell_scratch scratch = { 0 };
	size_t from = p->at;
	bool end = false;
	int rc = 0;
	while (!rc && !end && p->at < p->len)
		rc = unquoted_byte(p, &scratch, &end);
	return rc ? rc : keep(p, &scratch, from, ret);
}

size_t shell_assignment(const struct shell_word *word)
{
	const uint8_t *text = word->text.data;
	size_t len = 0, at;
	while (len < word->text.len && word->kinds[len] == SHELL_PLAIN && name_byte(text[len], len == 0))
		len++;
	at = len;
	if (len && at < word->text.len && text[at] == '[') {
		const uint8_t *close = memchr(text + at, ']', word->text.len - at);
		at = close ? (size_t)(close - text) + 1 : word->text.len;
	}
	if (at < word->text.len && text[at] == '+')
		at++;
	return len && at < word->text.len && text[at] == '=' && word->kinds[at] == SHELL_PLAIN ? len : 0;
}

int shell_words_add(struct shell_words *words, const struct shell_word *word)
{
	if (words->count == words->room) {
		size_t room = words->room ? words->room * 2 : 8;
		struct shell_word *list = reallocarray(words->list, room, sizeof(*list));
		if (!list)
			return -ENOMEM;
		words->list = list;
		words->room = room;
	}
	words->list[words->count++] = *word;
	return 0;
}

void shell_words_release(struct shell_words *words)
{
	free(words->list);
	*words = (struct shell_words){ 0 };
}
