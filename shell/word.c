/* One word: quotes removed, expansions kept as they are written; and what the shell will make
 * several words of, marked. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shell/impl.h"

/* ---- unquoted bytes ---- */

static bool is_hex(int c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static int backslash(struct shell_parser *p, struct shell_scratch *to)
{
	int next = shell_peek(p, 1);

	/* \x72 and \162 are an r in fish */
	bool byte = (next >= '0' && next <= '7') ||
		    (next > 0 && strchr("xXuU", next) && is_hex(shell_peek(p, 2)));
	int rc = byte && shell_shells(p) & SHELL_FISH
			 ? shell_doubt(p, SHELL_NO_COMMAND, (struct bytes){ p->data + p->at, 2 },
				   "escaped byte that fish reads as another")
			 : 0;
	p->at += next < 0 ? 1 : 2;
	if (rc)
		return rc;
	return next == '\n' ? 0 : shell_put_source(p, to, p->at - 1, SHELL_QUOTED);
}

/* [subscript]=value: the subscript is computed. */
static int element(struct shell_parser *p)
{
	struct shell_word word;
	int rc = shell_word_read(p, &word);

	if (rc || !word.text.len || word.text.data[0] != '[')
		return rc;
	const uint8_t *close = memchr(word.text.data, ']', word.text.len);
	size_t len = close ? (size_t)(close - word.text.data) : word.text.len;
	return shell_number_text(p, (struct bytes){ word.text.data + 1, len - 1 }, true);
}

/* name=(one two): the elements may hold substitutions. At the parenthesis. */
static int array(struct shell_parser *p, struct shell_scratch *to)
{
	size_t open = p->at++;
	int rc = shell_deeper(p);

	while (!rc) {
		rc = shell_blanks(p);
		int c = shell_peek(p, 0);
		if (rc)
			break;
		if (c == ')') {
			p->at++;
			p->depth--;
			return shell_put_source(p, to, open, SHELL_UNKNOWN);
		}
		if (c == '\n')
			p->at++;
		else if (c < 0)
			rc = shell_unfinished(p, open, "array that is not closed");
		else if (strchr(";&|(<>", c))
			rc = shell_error(p, open, "array that is not closed");
		else
			rc = element(p);
	}
	return rc;
}

/* ?(a|b) and its like, where bash has them switched on, and zsh's qualifiers. At the parenthesis.
 */
static int pattern_group(struct shell_parser *p, struct shell_scratch *to)
{
	size_t open = p->at++, inner = 0;
	bool done;
	int rc = shell_deeper(p);

	while (!rc && p->at < p->len && (inner || p->data[p->at] != ')')) {
		rc = shell_nested(p, false, &done);
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
		return shell_unfinished(p, open, "group that is not closed");
	p->at++;
	rc = shell_doubt(p, SHELL_NO_COMMAND, shell_slice(p, open),
		"pattern in parentheses, in which zsh may run commands");
	return rc ? rc : shell_put_source(p, to, open, SHELL_PATTERN);
}

static bool last_is(const struct shell_scratch *word, const char *set)
{
	return word->len && word->kinds[word->len - 1] <= SHELL_PATTERN &&
	       word->kinds[word->len - 1] != SHELL_QUOTED && word->text[word->len - 1] &&
	       strchr(set, word->text[word->len - 1]);
}

/* A metacharacter ends the word, but for a few that belong to it. *ret: it ended. */
static int metacharacter(struct shell_parser *p, struct shell_scratch *to, bool *ret)
{
	size_t from = p->at;
	int c = p->data[p->at], rc = 0;

	if ((c == '<' || c == '>') && shell_peek(p, 1) == '(') {
		rc = shell_substitution(p, 2, c == '<' ? "<(…)" : ">(…)");
		return rc ? rc : shell_put_source(p, to, from, SHELL_UNKNOWN);
	}
	if (c == '(' && to->len == 1 && last_is(to, "=")) { /* zsh */
		rc = shell_substitution(p, 1, "=(…)");
		return rc ? rc : shell_put_source(p, to, from, SHELL_UNKNOWN);
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
	return c == ' ' || c == '\t' || c == '\n' || c == ';' || c == '&' || c == '|' || c == '(' ||
	       c == ')' || c == '<' || c == '>';
}

static int unquoted_byte(struct shell_parser *p, struct shell_scratch *to, bool *ret_end)
{
	uint8_t c = p->data[p->at];
	int rc = 0;

	if (is_meta(c))
		return metacharacter(p, to, ret_end);
	switch (c) {
	case '\'': return shell_single(p, to);
	case '"': return shell_double(p, to);
	case '\\': return backslash(p, to);
	case '$': return shell_dollar(p, to, false);
	case '`': return shell_backtick(p, to, false);
	case '!': rc = shell_doubt_history(p); break;
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
		several |= plain_at(word, at, ',') ||
			   (at > first && plain_at(word, at, '.') && plain_at(word, at - 1, '.'));
	if (several)
		memset(word->kinds + first, SHELL_UNKNOWN, last - first);
	word->splits |= several;
}

static int keep(
	struct shell_parser *p, struct shell_scratch *scratch, size_t from, struct shell_word *ret)
{
	for (size_t i = 0; i < scratch->len; i++)
		p->state->hidden |= scratch->kinds[i] == SHELL_QUOTED &&
				    (scratch->text[i] == '$' || scratch->text[i] == '`');
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
	for (size_t i = 0; i < scratch->len; i++) {
		worst = kinds[i] > worst ? kinds[i] : worst;
	}
	*ret = (struct shell_word){ { text, scratch->len }, kinds, worst, shell_slice(p, from),
		scratch->splits, scratch->substitutes, scratch->puts };
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

	while (len < word->text.len && word->kinds[len] == SHELL_PLAIN &&
		shell_name_byte(text[len], len == 0))
		len++;
	at = len;
	if (len && at < word->text.len && text[at] == '[') {
		const uint8_t *close = memchr(text + at, ']', word->text.len - at);
		at = close ? (size_t)(close - text) + 1 : word->text.len;
	}
	if (at < word->text.len && text[at] == '+')
		at++;
	return len && at < word->text.len && text[at] == '=' && word->kinds[at] == SHELL_PLAIN ? len
											       : 0;
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
