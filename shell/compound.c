/* Compound commands that begin with words of their own: for, case, [[, functions, coproc, time. */
#include <errno.h>
#include <string.h>

#include "shell/parse.h"

static int for_words(struct shell_parser *p, struct bytes name)
{
	int rc = shell_blanks(p);

	while (!rc) {
		struct shell_word word;
		size_t from = p->at;
		rc = shell_word_read(p, &word);
		if (rc || p->at == from)
			break;
		rc = shell_number_each(p, name, &word);
		if (!rc)
			rc = shell_blanks(p);
	}
	return rc;
}

/* for NAME in …, for ((…)), select: behind the first word. */
int shell_for(struct shell_parser *p, struct frame *frame)
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
			rc = shell_blank_lines(p);
		if (!rc && shell_plain_ahead(p, "in")) {
			p->at += 2;
			rc = for_words(p, name.text);
		}
	}
	frame->had = HAD_COMPOUND; /* a separator may follow, and do */
	return rc ? rc : shell_push(p, frame, OPEN_LOOP);
}

int shell_case(struct shell_parser *p, struct frame *frame)
{
	struct shell_word word;
	size_t from = p->at;
	int rc = shell_blanks(p);

	if (!rc)
		rc = shell_word_read(p, &word);
	if (!rc)
		rc = shell_blank_lines(p);
	if (rc)
		return rc;
	if (!shell_plain_ahead(p, "in"))
		return shell_error(p, from, "case that is not understood");
	p->at += 2;
	return shell_push(p, frame, OPEN_PATTERN);
}

/* (a|b) in front of a case's commands, or esac. */
int shell_case_pattern(struct shell_parser *p, struct frame *frame)
{
	size_t from = p->at;

	if (shell_plain_ahead(p, "esac")) {
		p->at += strlen("esac");
		frame->count--;
		return shell_closed(p, frame);
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

int shell_function_head(struct shell_parser *p, struct frame *frame)
{
	struct shell_word name;
	int rc = shell_blanks(p);

	if (!rc)
		rc = shell_word_read(p, &name);
	if (!rc)
		rc = shell_blanks(p);
	if (rc)
		return rc;
	/* in zsh there may be several names, in fish options */
	while (!rc && p->at < p->len && !strchr("{(\n;&|<>)", p->data[p->at])) {
		size_t from = p->at;
		rc = shell_name_add(p, name.text);
		if (!rc)
			rc = shell_word_read(p, &name);
		if (!rc)
			rc = p->at > from ? shell_blanks(p)
					  : shell_error(p, from, "function that is not understood");
	}
	if (rc)
		return rc;
	if (shell_peek(p, 0) == '(')
		return shell_function(p, frame, &name);
	frame->wants = true;
	return shell_name_add(p, name.text);
}

/* [[ … ]] runs nothing but what its words expand; but to dash it is a command, and what stands
 * behind its operators are others. */
static int conditional_end(struct shell_parser *p, struct frame *frame, size_t operator)
{
	size_t from = operator, to = p->at;

	while (from < to && strchr("&|;\n", p->data[from]))
		from++;
	p->at += 2;
	int rc = from < to && !p->silent ? shell_again(p, from, to) : 0;
	return rc ? rc : shell_closed(p, frame);
}

struct condition {
	struct shell_word last;
	bool compares, names; /* the next word is a side of a comparison, or names a variable */
};

/* -eq and its like compute both sides; -v computes a subscript. */
static int condition_word(
	struct shell_parser *p, struct condition *condition, const struct shell_word *word)
{
	static const char *const comparisons[] = { "-eq", "-ne", "-lt", "-le", "-gt", "-ge", NULL };
	bool compares = shell_in(word->text, comparisons);
	int rc = 0;

	if (condition->compares ||
		(condition->names && (word->worst == SHELL_UNKNOWN ||
					     memchr(word->text.data, '[', word->text.len))))
		rc = shell_number_word(p, word, true);
	if (!rc && compares && condition->last.kinds)
		rc = shell_number_word(p, &condition->last, true);
	condition->compares = compares;
	condition->names = shell_is(word->text, "-v") || shell_is(word->text, "-R");
	condition->last = *word;
	return rc;
}

int shell_conditional(struct shell_parser *p, struct frame *frame)
{
	size_t from = p->at, operator= SIZE_MAX;
	struct condition condition = { .last = { .kinds = NULL } };

	while (p->at < p->len) {
		struct shell_word word;
		int rc = shell_blank_lines(p);
		if (rc)
			return rc;
		if (shell_plain_ahead(p, "]]"))
			return conditional_end(p, frame, operator);
		size_t word_from = p->at;
		rc = shell_word_read(p, &word);
		if (rc)
			return rc;
		if (p->at > word_from) {
			rc = condition_word(p, &condition, &word);
			if (rc)
				return rc;
			continue;
		}
		if (shell_peek(p, 0) == '<' && shell_peek(p, 1) == '<')
			return shell_error(p, p->at + 1, "here-document in [[ ]]");
		bool separates = p->at < p->len && strchr("&|;()", p->data[p->at]);
		operator= separates && operator> p->at ? p->at : operator;
		p->at += p->at < p->len; /* ( ) < > && || */
	}
	return shell_error(p, from, "[[ that is not closed");
}

/* coproc [NAME] compound, coproc command. */
int shell_coproc(struct shell_parser *p, struct frame *frame)
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

/* time is a word of the shell only in front of compound commands and !; else it is looked into as a
 * wrapper. */
int shell_time(struct shell_parser *p, struct frame *frame)
{
	static const char *const openers[] = { "{", "!", "[[", "if", "while", "until", "for",
		"case", "select", "coproc", "time", NULL };
	size_t from = p->at;

	p->at += strlen("time");
	int rc = shell_blanks(p);
	if (!rc && shell_plain_ahead(p, "-p")) {
		p->at += 2;
		rc = shell_blanks(p);
	}
	bool opener = shell_peek(p, 0) == '(';
	for (size_t i = 0; openers[i]; i++)
		opener |= shell_plain_ahead(p, openers[i]);
	if (rc || opener)
		return rc;
	p->at = from;
	return shell_simple(p, frame);
}
