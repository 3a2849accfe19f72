/* What was found becomes part of the line: simple commands, and the assignments and redirections
 * that matter. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shell/impl.h"
#include "shell/code.h"

const struct shell_word *shell_words_keep(
	struct shell_parser *p, const struct shell_word *words, size_t count)
{
	struct shell_line *line = p->state->line;

	if (count > SHELL_WORDS_MAX - line->word_count) {
		p->state->full = true;
		return NULL;
	}
	struct shell_word *kept = shell_alloc(p->state, count * sizeof(*kept));
	if (!kept)
		return NULL;
	memcpy(kept, words, count * sizeof(*kept));
	line->word_count += count;
	return kept;
}

static int append(struct shell_parser *p, const struct shell_command *command)
{
	struct shell_line *line = p->state->line;

	if (line->command_count == SHELL_COMMANDS_MAX)
		return shell_limit(p, "too many commands");
	if (line->command_count == line->command_room) {
		size_t room = line->command_room ? line->command_room * 2 : 8;
		struct shell_command *commands =
			reallocarray(line->commands, room, sizeof(*commands));
		if (!commands)
			return -ENOMEM;
		line->commands = commands;
		line->command_room = room;
	}
	line->commands[line->command_count++] = *command;
	return 0;
}

/* A program that is not a plain name. zsh: =ls is the path of ls. */
static int doubt_program(struct shell_parser *p, size_t index)
{
	const struct shell_word *program = &p->state->line->commands[index].words[0];

	if (program->worst == SHELL_UNKNOWN)
		return shell_doubt(p, index, program->source, "program named by an expansion");
	if (program->worst == SHELL_PATTERN)
		return shell_doubt(p, index, program->source, "program named by a pattern");
	if (program->text.len > 1 && program->text.data[0] == '=' && shell_shells(p) & SHELL_ZSH)
		return shell_doubt(
			p, index, program->source, "program named by an expansion of zsh");
	return 0;
}

int shell_add_command(struct shell_parser *p, const struct shell_word *words, size_t count,
	struct bytes source, const char *via, bool remote)
{
	const struct shell_command command = {
		.what = SHELL_COMMAND,
		.words = words,
		.count = count,
		.source = source,
		.via = via,
		.depth = p->depth,
		.remote = remote || p->remote,
		.guessed = p->guessing,
	};

	if (p->silent && words[0].worst == SHELL_UNKNOWN)
		return 0; /* most likely no command at all: [[ -n $a && $b == c ]] */
	size_t index = p->state->line->command_count;
	int rc = append(p, &command);
	if (!rc)
		rc = doubt_program(p, index);
	if (!rc && p->depth >= SHELL_DEPTH_MAX)
		return shell_limit(p, "nested too deeply");
	if (rc)
		return rc;
	p->depth++;
	rc = shell_look(p, index);
	p->depth--;
	return rc;
}

/* ---- assignments ---- */

static const char *const harmless[] = { "LANG", "LANGUAGE", "TZ", "TERM", "COLUMNS", "LINES",
	"COLORTERM", "NO_COLOR", "CLICOLOR", "FORCE_COLOR", "DEBIAN_FRONTEND", NULL };
/* of zsh, in lower case */
static const char *const special[] = { "path", "fpath", "cdpath", "mailpath", "manpath",
	"module_path", "prompt", NULL };

static bool begins(struct bytes text, const char *with)
{
	return text.len >= strlen(with) && !memcmp(text.data, with, strlen(with));
}

static bool ends(struct bytes text, const char *with)
{
	return text.len >= strlen(with) &&
	       !memcmp(text.data + text.len - strlen(with), with, strlen(with));
}

/* Names in lower case are a script's own, but for a few; the value of a variable is not known
 * anyhow. */
static bool changes_nothing(struct bytes name)
{
	if (shell_in(name, harmless) || begins(name, "LC_"))
		return true;
	return name.data[0] >= 'a' && name.data[0] <= 'z' && !shell_in(name, special) &&
	       !ends(name, "_proxy");
}

/* What the variable may hold; a subscript is computed. */
static int assigned(struct shell_parser *p, const struct shell_word *word, size_t len)
{
	const uint8_t *equal = memchr(word->text.data, '=', word->text.len);
	size_t at = (size_t)(equal - word->text.data);
	struct shell_word subscript = code_tail(word, len), value = code_tail(word, at + 1);
	int rc = 0;

	subscript.text.len = at - len;
	if (subscript.text.len > 2)
		rc = shell_number_text(p, subscript.text, true);
	return rc ? rc : shell_number_assign(p, (struct bytes){ word->text.data, len }, &value);
}

int shell_add_assignment(struct shell_parser *p, const struct shell_word *word)
{
	size_t len = shell_assignment(word), part = SHELL_NO_COMMAND;
	struct bytes name = { word->text.data, len ? len : word->text.len };

	if (!name.len)
		return 0;
	int rc = len ? assigned(p, word, len) : 0;
	if (!rc && !changes_nothing(name)) {
		const struct shell_word *kept = shell_words_keep(p, word, 1);
		if (!kept)
			return -ENOMEM;
		const struct shell_command item = { SHELL_ASSIGNMENT, kept, 1, word->source, p->via,
			p->depth, p->remote, p->guessing, false };
		part = p->state->line->command_count;
		rc = append(p, &item);
	}
	return rc ? rc : shell_name_judge(p, part, word);
}

/* ---- redirections ---- */

static const char *const nowhere[] = { "/dev/null", "/dev/zero", "/dev/full", "/dev/stdin",
	"/dev/stdout", "/dev/stderr", "/dev/tty", NULL };

int shell_add_redirection(struct shell_parser *p, const struct shell_word pair[static 2])
{
	if (shell_literal(&pair[1]) && shell_in(pair[1].text, nowhere))
		return 0;
	const struct shell_word *kept = shell_words_keep(p, pair, 2);
	if (!kept)
		return -ENOMEM;
	const uint8_t *from = pair[0].source.data, *to = pair[1].source.data + pair[1].source.len;
	const struct shell_command item = { SHELL_REDIRECTION, kept, 2,
		{ from, (size_t)(to - from) }, p->via, p->depth, p->remote, p->guessing, false };
	return append(p, &item);
}
