/* Lists and compound commands: what separates simple commands, and what opens and closes around
 * them.
 *
 * Compound commands are not built into a tree: for the question "which simple commands are there?"
 * it is enough to know at each point what is open. A stack of that is kept; the table of reserved
 * words says what may follow what. */
#include "shell/parse.h"

#include <errno.h>
#include <string.h>

static enum open top(const struct frame *frame)
{
	return frame->count ? frame->open[frame->count - 1] : OPEN_NONE;
}

int shell_push(struct shell_parser *p, struct frame *frame, enum open open)
{
	if (frame->count == SHELL_NEST_MAX)
		return shell_limit(p, "nested too deeply");
	frame->open[frame->count++] = (uint8_t)open;
	return 0;
}

/* ---- reserved words ---- */

#define AFTER(open) (1u << (open))
#define ANYWHERE 0xffffffffu

static const struct reserved {
	const char *word;
	uint32_t after;	 /* what must be open */
	enum open opens; /* in its place, or on top where anything may be open */
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
	{ "for", ANYWHERE, OPEN_NONE, false, shell_for },
	{ "select", ANYWHERE, OPEN_NONE, false, shell_for },
	{ "case", ANYWHERE, OPEN_NONE, false, shell_case },
	{ "esac", AFTER(OPEN_CASE), OPEN_NONE, true, NULL },
	{ "{", ANYWHERE, OPEN_BRACE, false, NULL },
	{ "}", AFTER(OPEN_BRACE), OPEN_NONE, true, NULL },
	{ "function", ANYWHERE, OPEN_NONE, false, shell_function_head },
	{ "[[", ANYWHERE, OPEN_NONE, false, shell_conditional },
	{ "coproc", ANYWHERE, OPEN_NONE, false, shell_coproc },
	{ "time", ANYWHERE, OPEN_NONE, false, shell_time },
	{ "!", ANYWHERE, OPEN_NONE, false, NULL },
};

static const struct reserved *find_reserved(const struct shell_parser *p)
{
	for (size_t i = 0; i < sizeof(reserved) / sizeof(*reserved); i++)
		if (shell_plain_ahead(p, reserved[i].word))
			return &reserved[i];
	return NULL;
}

bool shell_reserved(struct bytes word)
{
	for (size_t i = 0; i < sizeof(reserved) / sizeof(*reserved); i++)
		if (shell_is(word, reserved[i].word))
			return true;
	return false;
}

static int reserved_word(struct shell_parser *p, struct frame *frame, const struct reserved *row)
{
	bool begins = row->after == ANYWHERE;

	if (begins ? frame->had != HAD_NOTHING : !(row->after & AFTER(top(frame))))
		/* goes on behind the word */
		return shell_error(p, p->at + strlen(row->word) - 1,
			"compound command that is not understood");
	if (row->head == shell_time)
		return shell_time(p, frame);
	p->at += strlen(row->word);
	if (row->closes) {
		frame->count--;
		return shell_closed(p, frame);
	}
	frame->had = HAD_NOTHING;
	frame->wants = *row->word == '!';
	if (row->head)
		return row->head(p, frame);
	if (!begins)
		frame->open[frame->count - 1] = (uint8_t)row->opens;
	return begins && row->opens != OPEN_NONE ? shell_push(p, frame, row->opens) : 0;
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

int shell_again(const struct shell_parser *p, size_t from, size_t to)
{
	struct shell_parser inner = *p;

	if (!(shell_shells(p) & (SHELL_SH | SHELL_ZSH | SHELL_FISH)))
		return 0; /* to bash it is no command */
	if (p->depth >= SHELL_DEPTH_MAX)
		return 0; /* doubted before long */
	inner.data += from;
	inner.at = 0;
	inner.len = to - from;
	inner.silent = true;
	inner.via = "in another shell";
	inner.heredoc_count = 0;
	inner.depth++;
	int rc = shell_work(&inner, to - from);
	if (!rc)
		rc = shell_list_read(&inner, 0);
	return rc == -EBADMSG ? 0 : rc;
}

/* ((…)) is arithmetic in bash, but two subshells in dash: read as both. */
static int double_parenthesis(struct shell_parser *p, struct frame *frame)
{
	size_t from = p->at + 2;

	p->at += 2;
	int rc = shell_arithmetic(p);
	if (!rc)
		rc = shell_again(p, from, p->at - 2);
	return rc ? rc : shell_closed(p, frame);
}

static int parenthesis(struct shell_parser *p, struct frame *frame)
{
	if (frame->had != HAD_NOTHING)
		return shell_error(p, p->at, "parenthesis where none can stand");
	if (shell_peek(p, 1) == '(' && !p->silent && shell_arithmetic_ahead(p))
		return double_parenthesis(p, frame);
	p->at++;
	frame->wants = false;
	return shell_push(p, frame, OPEN_PAREN);
}

static int end_parenthesis(struct shell_parser *p, struct frame *frame)
{
	bool own = frame->count == 0 && frame->closer == ')';

	if (frame->wants || (!own && top(frame) != OPEN_PAREN))
		return shell_error(p, p->at,
			frame->wants ? "command that is missing" : "group that is not balanced");
	p->at++;
	if (own) {
		frame->done = true;
		return 0;
	}
	frame->count--;
	return shell_closed(p, frame);
}

static int end_text(struct shell_parser *p, struct frame *frame)
{
	frame->done = true;
	if (frame->count || frame->closer)
		return shell_unfinished(p, p->len, "group that is not balanced");
	if (p->heredoc_count)
		return shell_unfinished(p, p->len, "here-document without its text");
	return frame->wants ? shell_unfinished(p, p->len, "command that is missing") : 0;
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
		return shell_newline(p);
	}
	if (top(frame) == OPEN_PATTERN)
		return shell_case_pattern(p, frame);
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
	return shell_simple(p, frame);
}

int shell_list_read(struct shell_parser *p, int closer)
{
	struct frame frame = { .closer = closer };
	int rc = 0;

	while (!rc && !frame.done)
		rc = step(p, &frame);
	return rc;
}
