/* Redirections and here-documents.
 *
 * Those that only move file descriptors are read and forgotten. The body of a here-document stands
 * behind the line: it is read when the newline comes, for its expansions, and as commands where a
 * shell takes commands from its standard input. */
#include <errno.h>
#include <string.h>

#include "shell/impl.h"

enum redirect { TO_FILE, TO_FILE_OR_FD, HERE_DOCUMENT, HERE_DOCUMENT_TABS, HERE_STRING };

static const struct {
	const char *text; /* the longest that fits comes first */
	const char *shown;
	enum redirect kind;
} operators[] = {
	{ "<<<", "<<<", HERE_STRING },
	{ "<<-", NULL, HERE_DOCUMENT_TABS },
	{ "<<", NULL, HERE_DOCUMENT },
	{ "<&", "<", TO_FILE_OR_FD },
	{ "<>", "<>", TO_FILE },
	{ "<", "<", TO_FILE },
	{ "&>>", ">>", TO_FILE },
	{ "&>", ">", TO_FILE },
	{ ">>", ">>", TO_FILE },
	{ ">&", ">", TO_FILE_OR_FD },
	{ ">|", ">", TO_FILE },
	{ ">", ">", TO_FILE },
};
#define OPERATORS (sizeof(operators) / sizeof(*operators))
#define LONGEST 3

static bool digit(int c)
{
	return c >= '0' && c <= '9';
}

static bool name_byte(int c)
{
	return c == '_' || digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Bytes in front of the operator: a number, or {name}. */
static size_t descriptor(const struct shell_parser *p)
{
	size_t len = 0;

	while (digit(shell_peek(p, len)))
		len++;
	if (len || shell_peek(p, 0) != '{')
		return len;
	for (len = 1; name_byte(shell_peek(p, len));)
		len++;
	return shell_peek(p, len) == '}' ? len + 1 : 0;
}

bool shell_redirect_ahead(const struct shell_parser *p)
{
	size_t len = descriptor(p);
	int c = shell_peek(p, len), next = shell_peek(p, len + 1);

	return ((c == '<' || c == '>') && (len > 0 || next != '(')) ||
	       (len == 0 && c == '&' && next == '>');
}

static size_t find_operator(const struct shell_parser *p)
{
	size_t row = 0;

	while (row < OPERATORS &&
		(strlen(operators[row].text) > p->len - p->at ||
			memcmp(p->data + p->at, operators[row].text, strlen(operators[row].text))))
		row++;
	return row;
}

static bool is_descriptor(const struct shell_word *word)
{
	size_t len = 0;

	while (len < word->text.len && digit(word->text.data[len]))
		len++;
	len += len < word->text.len && word->text.data[len] == '-';
	return word->text.len && len == word->text.len;
}

static int add_heredoc(struct shell_parser *p, const struct shell_word *end, bool tabs)
{
	if (p->heredoc_count == SHELL_HEREDOCS_MAX)
		return shell_limit(p, "too many here-documents");
	bool quoted = end->source.len != end->text.len || end->worst == SHELL_QUOTED;
	p->heredocs[p->heredoc_count++] = (struct shell_heredoc){ end->text, quoted, tabs };
	return 0;
}

int shell_redirect_read(struct shell_parser *p, struct shell_words *pairs)
{
	static const uint8_t plain[LONGEST] = { SHELL_PLAIN };
	size_t from = p->at, row;
	struct shell_word target;

	p->at += descriptor(p);
	row = find_operator(p);
	if (row == OPERATORS)
		return shell_error(p, from, "redirection that is not understood");
	p->at += strlen(operators[row].text);
	int rc = shell_blanks(p);
	size_t target_from = p->at;
	if (!rc)
		rc = shell_word_read(p, &target);
	if (rc)
		return rc;
	if (p->at == target_from)
		return shell_error(p, from, "redirection without a file");
	enum redirect kind = operators[row].kind;
	if (kind == HERE_DOCUMENT || kind == HERE_DOCUMENT_TABS)
		return add_heredoc(p, &target, kind == HERE_DOCUMENT_TABS);
	if (kind == TO_FILE_OR_FD && is_descriptor(&target))
		return 0;
	const char *shown = operators[row].shown;
	struct shell_word word = { { (const uint8_t *)shown, strlen(shown) }, plain, SHELL_PLAIN,
		shell_slice(p, from), false, false, false };
	rc = shell_words_add(pairs, &word);
	return rc ? rc : shell_words_add(pairs, &target);
}

/* ---- bodies ---- */

static struct bytes without_tabs(const struct shell_heredoc *heredoc, struct bytes line)
{
	while (heredoc->tabs && line.len && *line.data == '\t') {
		line.data++;
		line.len--;
	}
	return line;
}

/* A line that ends with a backslash is joined with the next: shells look for the end before or
 * after that. */
static bool goes_on(struct bytes line)
{
	size_t backslashes = 0;

	while (backslashes < line.len && line.data[line.len - 1 - backslashes] == '\\')
		backslashes++;
	return backslashes % 2;
}

static bool begins_end(const struct shell_heredoc *heredoc, struct bytes line)
{
	return line.len <= heredoc->end.len && !memcmp(line.data, heredoc->end.data, line.len);
}

struct body {
	size_t to, next; /* of the line that ends it, and what is behind that */
	bool found, uncertain;
};

static struct body find_end(const struct shell_parser *p, const struct shell_heredoc *heredoc)
{
	struct body body = { .to = p->at };
	bool joined = false;

	while (!body.found && body.to < p->len) {
		const uint8_t *newline = memchr(p->data + body.to, '\n', p->len - body.to);
		size_t end = newline ? (size_t)(newline - p->data) : p->len;
		struct bytes line =
			without_tabs(heredoc, (struct bytes){ p->data + body.to, end - body.to });
		bool on = !heredoc->quoted && goes_on(line);
		body.found = line.len == heredoc->end.len && begins_end(heredoc, line);
		body.uncertain |=
			(body.found && joined) ||
			(on && begins_end(heredoc, (struct bytes){ line.data, line.len - 1 }));
		joined = on;
		body.next = end;
		if (!body.found)
			body.to = newline ? end + 1 : p->len;
	}
	return body;
}

/* At the first byte of the body; moves behind its last line. */
static int read_body(struct shell_parser *p, const struct shell_heredoc *heredoc)
{
	size_t from = p->at;
	struct body body = find_end(p, heredoc);
	size_t next = body.found ? body.next : p->len;
	int rc = body.found ? 0
			    : shell_doubt_end(p, heredoc->end, "here-document that is not closed");

	if (!rc && body.uncertain)
		rc = shell_doubt(p, SHELL_NO_COMMAND, heredoc->end,
			"here-document whose end shells see at different lines");
	if (!rc && !heredoc->quoted)
		rc = shell_expansions(p, body.to);
	if (!rc && p->state->fed)
		rc = shell_read_text(
			p, (struct bytes){ p->data + from, body.to - from }, "<<", false);
	p->at = next < p->len ? next + 1 : next;
	return rc;
}

int shell_heredocs_read(struct shell_parser *p)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < p->heredoc_count; i++)
		rc = read_body(p, &p->heredocs[i]);
	p->heredoc_count = 0;
	return rc;
}
