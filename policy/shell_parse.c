/* Lists and compound commands: what separates simple commands, and what opens and closes around them.
 *
 * Compound commands are not built into a tree: for the question "which simple commands are there?" it is enough to know at each point what is open.
 * A stack of that is kept; the table of reserved words says what may follow what. */
#include <errno.h>
#include <string.h>

#include "policy/shell_impl.h"

enum open { OPEN_NONE, OPEN_IF, OPEN_THEN, OPEN_ELSE, OPEN_LOOP, OPEN_DO, OPEN_PATTERN, OPEN_CASE, OPEN_BRACE, OPEN_PAREN };

enum had { HAD_NOTHING, HAD_SIMPLE, HAD_COMPOUND }; /* since the last separator */

struct frame {
	int closer;
	uint8_t open[SHELL_NEST_MAX];
	size_t count;
	enum had had;
	bool wants; /* a command must follow: after && and its like */
	bool done;
};

static enum open top(const struct frame *frame)
{
	return frame->count ? frame->open[frame->count - 1] : OPEN_NONE;
}

static int push(struct shell_parser *p, struct frame *frame, enum open open)
{
	if (frame->count == SHELL_NEST_MAX)
		return shell_limit(p, "nested too deeply");
	frame->open[frame->count++] = (uint8_t)open;
	return 0;
}

/* ---- blanks and comments ---- */

/* Comments are off at zsh's prompt: what stands behind a separator in there would run. */
static int typed_comment(struct shell_parser *p, struct bytes comment)
{
	size_t at = 0;
	while (at < comment.len && !strchr(";&|", comment.data[at]))
		at++;
	if (at == comment.len || !(p->state->flags & SHELL_TYPED))
		return 0;
	bool silent = p->silent;
	p->silent = true;
	while (at < comment.len && strchr(";&|", comment.data[at]))
		at++;
	int rc = shell_read_text(p, (struct bytes){ comment.data + at, comment.len - at }, "#", false);
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

static int newline(struct shell_parser *p)
{
	p->at++;
	return shell_heredocs_read(p);
}

static int blank_lines(struct shell_parser *p)
{
	int rc = shell_blanks(p);
	while (!rc && shell_peek(p, 0) == '\n') {
		rc = newline(p);
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
		const struct shell_word *words = shell_words_keep(p, simple->words.list, simple->words.count);
		rc = words ? shell_add_command(p, words, simple->words.count, source, p->via, p->remote) : -ENOMEM;
	}
	for (size_t i = 0; !rc && i < simple->assignments.count; i++)
		rc = shell_add_assignment(p, &simple->assignments.list[i]);
	return rc ? rc : add_pairs(p, &simple->pairs);
}

/* name() at the `(` behind the name. */
static int function(struct shell_parser *p, struct frame *frame, const struct shell_word *name)
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
	return shell_name_add(p, name->text, false);
}

/* One word or redirection; *ret_end: there is no more. */
static int simple_part(struct shell_parser *p, struct simple *simple, bool *ret_end)
{
	int c = shell_peek(p, 0);
	struct shell_word word;
	if (shell_redirect_ahead(p))
		return shell_redirect_read(p, &simple->pairs);
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

static int simple_command(struct shell_parser *p, struct frame *frame)
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
	if (rc == -EBADMSG && simple.words.count) { /* what was understood of it is judged all the same */
		p->guessing = true;
		int added = add_simple(p, &simple, (struct bytes){ p->data + from, to - from });
		return added ? added : rc;
	}
	if (rc)
		return rc;
	if (shell_peek(p, 0) == '(' && simple.words.count == 1 && !simple.assignments.count && !simple.pairs.count)
		return function(p, frame, &simple.words.list[0]);
	frame->had = HAD_SIMPLE;
	frame->wants = false;
	return add_simple(p, &simple, (struct bytes){ p->data + from, to - from });
}

/* Behind the end of a compound command only redirections may stand. */
static int closed(struct shell_parser *p, struct frame *frame)
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

/* ---- compound commands with words of their own ---- */

static int for_words(struct shell_parser *p)
{
	int rc = shell_blanks(p);
	while (!rc) {
		struct shell_word word;
		size_t from = p->at;
		rc = shell_word_read(p, &word);
		if (rc || p->at == from)
			break;
		rc = shell_blanks(p);
	}
	return rc;
}

static bool plain_ahead(const struct shell_parser *p, const char *word)
{
	size_t len = strlen(word);
	int next = shell_peek(p, len);
	return p->len - p->at >= len && !memcmp(p->data + p->at, word, len) && (next <= 0 || strchr(" \t\n;&|()<>", next));
}

/* for NAME in …, for ((…)), select: behind the first word. */
static int for_head(struct shell_parser *p, struct frame *frame)
{
	struct shell_word name;
	size_t from = p->at;
	int rc = shell_blanks(p);
	if (!rc && shell_peek(p, 0) == '(' && shell_peek(p, 1) == '(') {
		p->at += 2;
		rc = shell_arithmetic(p);
	} else if (!rc) {
		rc = shell_word_read(p, &name);
		if (!rc && !shell_literal(&name))
			rc = shell_error(p, from, "loop that is not understood");
		if (!rc)
			rc = shell_add_assignment(p, &name);
		if (!rc)
			rc = blank_lines(p);
		if (!rc && plain_ahead(p, "in")) {
			p->at += 2;
			rc = for_words(p);
		}
	}
	frame->had = HAD_COMPOUND; /* a separator may follow, and do */
	return rc ? rc : push(p, frame, OPEN_LOOP);
}

static int case_head(struct shell_parser *p, struct frame *frame)
{
	struct shell_word word;
	size_t from = p->at;
	int rc = shell_blanks(p);
	if (!rc)
		rc = shell_word_read(p, &word);
	if (!rc)
		rc = blank_lines(p);
	if (rc)
		return rc;
	if (!plain_ahead(p, "in"))
		return shell_error(p, from, "case that is not understood");
	p->at += 2;
	return push(p, frame, OPEN_PATTERN);
}

/* (a|b) in front of a case's commands, or esac. */
static int case_pattern(struct shell_parser *p, struct frame *frame)
{
	size_t from = p->at;
	if (plain_ahead(p, "esac")) {
		p->at += strlen("esac");
		frame->count--;
		return closed(p, frame);
	}
	p->at += shell_peek(p, 0) == '(';
	for (;;) {
		struct shell_word word;
		int rc = shell_blanks(p);
		size_t word_from = p->at;
		if (!rc)
			rc = shell_word_read(p, &word);
		bool empty = p->at == word_from;
		if (!rc)
			rc = shell_blanks(p);
		if (rc)
			return rc;
		int c = shell_peek(p, 0);
		if (empty || (c != '|' && c != ')'))
			return shell_error(p, from, "case that is not understood");
		p->at++;
		if (c == ')')
			break;
	}
	frame->open[frame->count - 1] = OPEN_CASE;
	frame->had = HAD_NOTHING;
	return 0;
}

static int function_head(struct shell_parser *p, struct frame *frame)
{
	struct shell_word name;
	int rc = shell_blanks(p);
	if (!rc)
		rc = shell_word_read(p, &name);
	if (!rc)
		rc = shell_blanks(p);
	if (rc)
		return rc;
	if (shell_peek(p, 0) == '(')
		return function(p, frame, &name);
	frame->wants = true;
	return shell_name_add(p, name.text, false);
}

/* [[ … ]] runs nothing but what its words expand. */
static int conditional(struct shell_parser *p, struct frame *frame)
{
	size_t from = p->at;
	while (p->at < p->len) {
		struct shell_word word;
		int rc = blank_lines(p);
		if (rc)
			return rc;
		if (plain_ahead(p, "]]")) {
			p->at += 2;
			return closed(p, frame);
		}
		size_t word_from = p->at;
		rc = shell_word_read(p, &word);
		if (rc)
			return rc;
		p->at += p->at == word_from && p->at < p->len; /* ( ) < > && || */
	}
	return shell_error(p, from, "[[ that is not closed");
}

/* coproc [NAME] compound, coproc command. */
static int coproc(struct shell_parser *p, struct frame *frame)
{
	size_t at, name = p->at;
	int rc = shell_blanks(p);
	frame->wants = true;
	for (at = p->at; at < p->len && !strchr(" \t\n;&|()<>{}\"'\\$`", p->data[at]); at++)
		;
	name = at;
	while (at < p->len && (p->data[at] == ' ' || p->data[at] == '\t'))
		at++;
	if (at > name && at < p->len && (p->data[at] == '{' || p->data[at] == '('))
		p->at = at;
	return rc;
}

/* time is a word of the shell only in front of compound commands and !; else it is looked into as a wrapper. */
static int time_head(struct shell_parser *p, struct frame *frame)
{
	static const char *const openers[] = { "{", "!", "[[", "if", "while", "until", "for", "case", "select", "coproc", "time", NULL };
	size_t from = p->at;
	p->at += strlen("time");
	int rc = shell_blanks(p);
	if (!rc && plain_ahead(p, "-p")) {
		p->at += 2;
		rc = shell_blanks(p);
	}
	bool opener = shell_peek(p, 0) == '(';
	for (size_t i = 0; openers[i]; i++)
		opener |= plain_ahead(p, openers[i]);
	if (rc || opener)
		return rc;
	p->at = from;
	return simple_command(p, frame);
}

/* ---- reserved words ---- */

#define AFTER(open) (1u << (open))
#define ANYWHERE 0xffffffffu

static const struct reserved {
	const char *word;
	uint32_t after;   /* what must be open */
	enum open opens;  /* in its place, or on top where anything may be open */
	bool closes;
	int (*head)(struct shell_parser *p, struct frame *frame);
} reserved[] = {
	{ "if", ANYWHERE, OPEN_IF, false, NULL },
	{ "then", AFTER(OPEN_IF), OPEN_THEN, false, NULL },
	{ "elif", AFTER(OPEN_THEN), OPEN_IF, false, NULL },
	{ "else", AFTER(OPEN_THEN), OPEN_ELSE, false, NULL },
	{ "fi", AFTER(OPEN_THEN) | AFTER(OPEN_ELSE), OPEN_NONE, true, NULL },
	{ "while", ANYWHERE, OPEN_LOOP, false, NULL },
	{ "until", ANYWHERE, OPEN_LOOP, false, NULL },
	{ "do", AFTER(OPEN_LOOP), OPEN_DO, false, NULL },
	{ "done", AFTER(OPEN_DO), OPEN_NONE, true, NULL },
	{ "for", ANYWHERE, OPEN_NONE, false, for_head },
	{ "select", ANYWHERE, OPEN_NONE, false, for_head },
	{ "case", ANYWHERE, OPEN_NONE, false, case_head },
	{ "esac", AFTER(OPEN_CASE), OPEN_NONE, true, NULL },
	{ "{", ANYWHERE, OPEN_BRACE, false, NULL },
	{ "}", AFTER(OPEN_BRACE), OPEN_NONE, true, NULL },
	{ "function", ANYWHERE, OPEN_NONE, false, function_head },
	{ "[[", ANYWHERE, OPEN_NONE, false, conditional },
	{ "coproc", ANYWHERE, OPEN_NONE, false, coproc },
	{ "time", ANYWHERE, OPEN_NONE, false, time_head },
	{ "!", ANYWHERE, OPEN_NONE, false, NULL },
};

static const struct reserved *find_reserved(const struct shell_parser *p)
{
	for (size_t i = 0; i < sizeof(reserved) / sizeof(*reserved); i++)
		if (plain_ahead(p, reserved[i].word))
			return &reserved[i];
	return NULL;
}

static int reserved_word(struct shell_parser *p, struct frame *frame, const struct reserved *row)
{
	bool begins = row->after == ANYWHERE;
	if (begins ? frame->had != HAD_NOTHING : !(row->after & AFTER(top(frame))))
		return shell_error(p, p->at + strlen(row->word) - 1, "compound command that is not understood"); /* goes on behind the word */
	if (row->head == time_head)
		return time_head(p, frame);
	p->at += strlen(row->word);
	if (row->closes) {
		frame->count--;
		return closed(p, frame);
	}
	frame->had = HAD_NOTHING;
	frame->wants = *row->word == '!';
	if (row->head)
		return row->head(p, frame);
	if (!begins)
		frame->open[frame->count - 1] = (uint8_t)row->opens;
	return begins && row->opens != OPEN_NONE ? push(p, frame, row->opens) : 0;
}

/* ---- separators and parentheses ---- */

static int separator(struct shell_parser *p, struct frame *frame)
{
	int c = shell_peek(p, 0), next = shell_peek(p, 1);
	size_t from = p->at;
	if (c == ';' && top(frame) == OPEN_CASE && (next == ';' || next == '&')) {
		p->at += 2;
		p->at += next == ';' && shell_peek(p, 0) == '&';
		frame->open[frame->count - 1] = OPEN_PATTERN;
		frame->had = HAD_NOTHING;
		return frame->wants ? shell_error(p, from, "command that is missing") : 0;
	}
	bool two = next == c && c != ';';
	if (frame->had == HAD_NOTHING)
		return shell_error(p, from + two, "separator without a command");
	p->at += two || (c == '|' && next == '&') ? 2 : 1;
	frame->had = HAD_NOTHING;
	frame->wants = two || c == '|';
	return 0;
}

/* ((…)) is arithmetic in bash, but two subshells in dash: read as both. */
static int double_parenthesis(struct shell_parser *p, struct frame *frame)
{
	struct shell_parser inner = *p;
	size_t from = p->at;
	p->at += 2;
	int rc = shell_arithmetic(p);
	if (rc)
		return rc;
	inner.data += from + 2;
	inner.at = 0;
	inner.len = p->at - 2 - from - 2;
	inner.silent = true;
	inner.heredoc_count = 0;
	inner.depth++;
	rc = shell_list_read(&inner, 0);
	return rc && rc != -EBADMSG ? rc : closed(p, frame);
}

static int parenthesis(struct shell_parser *p, struct frame *frame)
{
	if (frame->had != HAD_NOTHING)
		return shell_error(p, p->at, "parenthesis where none can stand");
	if (shell_peek(p, 1) == '(' && !p->silent && shell_arithmetic_ahead(p))
		return double_parenthesis(p, frame);
	p->at++;
	frame->wants = false;
	return push(p, frame, OPEN_PAREN);
}

static int end_parenthesis(struct shell_parser *p, struct frame *frame)
{
	bool own = frame->count == 0 && frame->closer == ')';
	if (frame->wants || (!own && top(frame) != OPEN_PAREN))
		return shell_error(p, p->at, frame->wants ? "command that is missing" : "group that is not balanced");
	p->at++;
	if (own) {
		frame->done = true;
		return 0;
	}
	frame->count--;
	return closed(p, frame);
}

static int end_text(struct shell_parser *p, struct frame *frame)
{
	frame->done = true;
	if (frame->count || frame->closer)
		return shell_error(p, p->len, "group that is not balanced");
	if (p->heredoc_count)
		return shell_error(p, p->len, "here-document without its text");
	return frame->wants ? shell_error(p, p->len, "command that is missing") : 0;
}

/* One command, separator or reserved word. */
static int step(struct shell_parser *p, struct frame *frame)
{
	int rc = shell_blanks(p), c = shell_peek(p, 0);
	if (rc)
		return rc;
	if (c < 0)
		return end_text(p, frame);
	if (c == '\n') {
		frame->had = HAD_NOTHING;
		return newline(p);
	}
	if (top(frame) == OPEN_PATTERN)
		return case_pattern(p, frame);
	if (c == ';' || c == '|' || (c == '&' && shell_peek(p, 1) != '>'))
		return separator(p, frame);
	if (c == '(')
		return parenthesis(p, frame);
	if (c == ')')
		return end_parenthesis(p, frame);
	const struct reserved *row = find_reserved(p);
	if (row)
		return reserved_word(p, frame, row);
	if (frame->had != HAD_NOTHING)
		return shell_error(p, p->at, "command behind a compound command");
	return simple_command(p, frame);
}

int shell_list_read(struct shell_parser *p, int closer)
{
	struct frame frame = { .closer = closer };
	int rc = 0;
	while (!rc && !frame.done)
		rc = step(p, &frame);
	return rc;
}
