/* Blanks, comments, and simple commands: their words, assignments and redirections. */
#include <errno.h>
#include <string.h>

#include "shell/parse.h"

/* ---- blanks and comments ---- */

/* Comments are off at zsh's prompt: what stands behind a separator in there would run. */
static int typed_comment(struct shell_parser *p, struct bytes comment)
{
	size_t at = 0;

	while (at < comment.len && !strchr(";&|", comment.data[at]))
		at++;
	if (at == comment.len || !(p->state->flags & SHELL_TYPED) || !(shell_shells(p) & SHELL_ZSH))
		return 0;
	bool silent = p->silent;
	p->silent = true;
	while (at < comment.len && strchr(";&|", comment.data[at]))
		at++;
	int rc = shell_read_text(
		p, (struct bytes){ comment.data + at, comment.len - at }, "#", false);
	p->silent = silent;
	return rc;
}

int shell_blanks(struct shell_parser *p)
{
	for (;;) {
		int c = shell_peek(p, 0);
		if (c == ' ' || c == '\t')
			p->at++;
		else if (c == '\\' && shell_peek(p, 1) == '\n')
			p->at += 2;
		else
			break;
	}
	bool starts = p->at == 0 || strchr(" \t\n;&|()<>", p->data[p->at - 1]);
	if (shell_peek(p, 0) != '#' || !starts)
		return 0;
	size_t from = p->at;
	const uint8_t *end = memchr(p->data + from, '\n', p->len - from);
	p->at = end ? (size_t)(end - p->data) : p->len;
	return typed_comment(p, shell_slice(p, from));
}

int shell_newline(struct shell_parser *p)
{
	p->at++;
	return shell_heredocs_read(p);
}

int shell_blank_lines(struct shell_parser *p)
{
	int rc = shell_blanks(p);

	while (!rc && shell_peek(p, 0) == '\n') {
		rc = shell_newline(p);
		if (!rc)
			rc = shell_blanks(p);
	}
	return rc;
}

/* ---- simple commands ---- */

static int add_pairs(struct shell_parser *p, const struct shell_words *pairs)
{
	int rc = 0;

	for (size_t i = 0; !rc && i + 1 < pairs->count; i += 2) {
		if (!shell_is(pairs->list[i].text, "<<<"))
			rc = shell_add_redirection(p, &pairs->list[i]);
		else if (p->state->fed)
			rc = shell_read_text(p, pairs->list[i + 1].text, "<<<", false);
	}
	return rc;
}

struct simple {
	struct shell_words words, assignments, pairs;
	size_t behind; /* where the last &>file ends; 0: there was none */
};

static void simple_release(struct simple *simple)
{
	shell_words_release(&simple->words);
	shell_words_release(&simple->assignments);
	shell_words_release(&simple->pairs);
}

static int add_simple(struct shell_parser *p, const struct simple *simple, struct bytes source)
{
	int rc = 0;

	if (simple->words.count) {
		const struct shell_word *words =
			shell_words_keep(p, simple->words.list, simple->words.count);
		rc = words ? shell_add_command(
				     p, words, simple->words.count, source, p->via, p->remote)
			   : -ENOMEM;
	}
	for (size_t i = 0; !rc && i < simple->assignments.count; i++)
		rc = shell_add_assignment(p, &simple->assignments.list[i]);
	return rc ? rc : add_pairs(p, &simple->pairs);
}

/* name() at the `(` behind the name. */
int shell_function(struct shell_parser *p, struct frame *frame, const struct shell_word *name)
{
	size_t from = p->at++;
	int rc = shell_blanks(p);

	if (rc)
		return rc;
	if (shell_peek(p, 0) != ')')
		return shell_error(p, from, "parenthesis where none can stand");
	p->at++;
	frame->had = HAD_NOTHING;
	frame->wants = true;
	return shell_name_add(p, name->text);
}

/* cmd &>file more: to dash, & ends a command there, and >file more is another one. */
static int another_command(const struct shell_parser *p, const struct simple *simple)
{
	return simple->behind ? shell_again(p, simple->behind, p->at) : 0;
}

/* One word or redirection; *ret_end: there is no more. */
static int simple_part(struct shell_parser *p, struct simple *simple, bool *ret_end)
{
	int c = shell_peek(p, 0);
	struct shell_word word;

	if (shell_redirect_ahead(p)) {
		int rc = c == '&' ? another_command(p, simple) : 0;
		rc = rc ? rc : shell_redirect_read(p, &simple->pairs);
		simple->behind = c == '&' ? p->at : simple->behind;
		return rc;
	}
	if (c < 0 || (c && strchr("\n;&|()", c))) {
		*ret_end = true;
		return 0;
	}
	int rc = shell_word_read(p, &word);
	if (rc)
		return rc;
	bool assignment = !simple->words.count && shell_assignment(&word);
	return shell_words_add(assignment ? &simple->assignments : &simple->words, &word);
}

/* A reserved word that was not seen as one because a line goes on in the middle of it. */
static int doubt_reserved(struct shell_parser *p, const struct shell_words *words)
{
	const struct shell_word *word = words->list;

	if (!words->count || word->worst != SHELL_PLAIN || word->source.len == word->text.len ||
		!shell_reserved(word->text))
		return 0;
	return shell_doubt(
		p, SHELL_NO_COMMAND, word->source, "reserved word that goes on in the next line");
}

/* {cmd args} needs no blanks in zsh: what seems to be the name of a program opens a group. */
static int doubt_brace(struct shell_parser *p, const struct shell_words *words, size_t to)
{
	const struct shell_word *word = words->list;

	if (!words->count || word->text.len < 2 || word->text.data[0] != '{' ||
		word->kinds[0] != SHELL_PLAIN || !(shell_shells(p) & (SHELL_ZSH | SHELL_FISH)))
		return 0;
	int rc = shell_doubt(
		p, SHELL_NO_COMMAND, word->source, "brace that opens a group in some shells");
	size_t brace = (size_t)(word->source.data - p->data);
	return rc ? rc : shell_again(p, brace + 1, to);
}

int shell_simple(struct shell_parser *p, struct frame *frame)
{
	__attribute__((cleanup(simple_release))) struct simple simple = { 0 };
	size_t from = p->at, to = p->at;
	bool end = false;
	int rc = 0;
	while (!rc && !end) {
		rc = simple_part(p, &simple, &end);
		if (!rc && !end)
			to = p->at;
		if (!rc && !end)
			rc = shell_blanks(p);
	}
	/* what was understood of it is judged all the same */
	if (rc == -EBADMSG && simple.words.count) {
		p->guessing = true;
		int added = add_simple(p, &simple, (struct bytes){ p->data + from, to - from });
		return added ? added : rc;
	}
	if (rc)
		return rc;
	rc = another_command(p, &simple);
	if (!rc)
		rc = doubt_reserved(p, &simple.words);
	if (!rc)
		rc = doubt_brace(p, &simple.words, to);
	if (rc)
		return rc;
	if (shell_peek(p, 0) == '(' && simple.words.count == 1 && !simple.assignments.count &&
		!simple.pairs.count)
		return shell_function(p, frame, &simple.words.list[0]);
	frame->had = HAD_SIMPLE;
	frame->wants = false;
	return add_simple(p, &simple, (struct bytes){ p->data + from, to - from });
}

/* Behind the end of a compound command only redirections may stand. */
int shell_closed(struct shell_parser *p, struct frame *frame)
{
	SHELL_WORDS_CLEANUP struct shell_words pairs = { 0 };
	int rc = shell_blanks(p);

	while (!rc && shell_redirect_ahead(p)) {
		rc = shell_redirect_read(p, &pairs);
		if (!rc)
			rc = shell_blanks(p);
	}
	frame->had = HAD_COMPOUND;
	frame->wants = false;
	return rc ? rc : add_pairs(p, &pairs);
}

bool shell_plain_ahead(const struct shell_parser *p, const char *word)
{
	size_t len = strlen(word);
	int next = shell_peek(p, len);

	return p->len - p->at >= len && !memcmp(p->data + p->at, word, len) &&
	       (next <= 0 || strchr(" \t\n;&|()<>", next));
}
