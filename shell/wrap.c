/* What runs behind a wrapper: its options are read by its row, what follows is a command of its
 * own.
 *
 * The command stays in the list beside what it wraps, so that both are judged. An option that the
 * row does not know makes the line doubtful: it might take the next word as its argument. */
#include "shell/wrap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "shell/code.h"

#define JOINED_MAX (4 * SHELL_LINE_MAX)

/* ---- what a look finds ---- */

int wrap_doubt(struct look *look, const char *why)
{
	return shell_doubt(
		look->p, look->index, look->p->state->line->commands[look->index].source, why);
}

/* A shell that was typed at a terminal and has it for its input is no blinder than the one above
 * it: its lines are judged as they are typed. Nothing in the whole line may give it another input:
 * a pipe, a redirection, coproc. */
int wrap_input(struct look *look, const char *why)
{
	static const char elsewhere[] = "coproc";
	struct shell_state *state = look->p->state;
	const struct bytes line = state->text;

	state->fed = true;
	bool terminal = state->flags & SHELL_TYPED && line.len &&
			!memchr(line.data, '|', line.len) && !memchr(line.data, '<', line.len) &&
			!memmem(line.data, line.len, elsewhere, sizeof(elsewhere) - 1);
	return terminal ? 0 : wrap_doubt(look, why);
}

static struct bytes name_of(const struct look *look)
{
	return shell_program(&look->p->state->line->commands[look->index]);
}

static const char *via_of(struct look *look, const char *more)
{
	return shell_via(look->p, name_of(look), more);
}

int wrap_child(struct look *look, const struct shell_word *words, size_t count, const char *more)
{
	const char *via = via_of(look, more);

	if (!via)
		return -ENOMEM;
	while (count > 1 && words[0].worst == SHELL_PLAIN &&
		(shell_is(words[0].text, "{") || shell_is(words[0].text, "!"))) {
		words++;
		count--;
	}
	const uint8_t *from = words[0].source.data,
		      *to = words[count - 1].source.data + words[count - 1].source.len;
	struct bytes source = { from, to > from ? (size_t)(to - from) : 0 };
	int rc = shell_work(look->p, source.len);
	if (rc)
		return rc;
	return shell_add_command(
		look->p, words, count, source, via, look->row && look->row->traits & WRAP_REMOTE);
}

/* Builtins run what they are given in the shell that reads the line. */
static const char *const own[] = { "eval", "trap", "alias", "emulate", "sched", "zpty", "fc",
	NULL };

/* Which shell reads what a program hands on: the one of that name, or any. */
static unsigned inner_flags(const struct look *look)
{
	static const struct {
		const char *name;
		unsigned shells;
	} inner[] = { { "bash", SHELL_BASH }, { "rbash", SHELL_BASH }, { "zsh", SHELL_ZSH },
		{ "fish", SHELL_FISH }, { "dash", SHELL_SH }, { "ash", SHELL_SH },
		{ "sh", SHELL_SH | SHELL_BASH } };
	unsigned flags = look->p->state->flags;
	struct bytes name = name_of(look);

	if (shell_in(name, own))
		return flags;
	flags &= ~SHELL_ANY;
	for (size_t i = 0; i < sizeof(inner) / sizeof(*inner); i++)
		if (shell_is(name, inner[i].name))
			flags |= inner[i].shells;
	return flags;
}

static int read_inner(struct look *look, struct bytes text, const char *via, bool copy)
{
	struct shell_state *state = look->p->state;
	unsigned outer = state->flags;
	bool remote = look->row && look->row->traits & WRAP_REMOTE;

	state->flags = inner_flags(look);
	int rc = (copy ? shell_read_copy : shell_read_text)(look->p, text, via, remote);
	state->flags = outer;
	return rc;
}

int wrap_script(struct look *look, const struct shell_word *script, const char *more)
{
	int rc = shell_literal(script) || script->worst == SHELL_PATTERN
			 ? 0
			 : wrap_doubt(look, "commands that hold an expansion");

	if (rc)
		return rc;
	return read_inner(look, script->text, via_of(look, more), false);
}

int wrap_joined(struct look *look, const struct shell_word *first, const struct shell_word *words,
	size_t count)
{
	BUF_CLEANUP struct buf text = BUF_INIT(JOINED_MAX);
	bool literal = !first || first->worst != SHELL_UNKNOWN;
	int rc = first ? buf_put(&text, first->text.data, first->text.len) : 0;

	for (size_t i = 0; !rc && i < count; i++) {
		literal &= words[i].worst != SHELL_UNKNOWN;
		if (text.len)
			rc = buf_putc(&text, ' ');
		if (!rc)
			rc = buf_put(&text, words[i].text.data, words[i].text.len);
	}
	if (!rc && !literal)
		rc = wrap_doubt(look, "commands that hold an expansion");
	if (rc)
		return rc == -EMSGSIZE ? shell_limit(look->p, "too much to look into") : rc;
	return read_inner(look, buf_bytes(&text), via_of(look, ""), true);
}

/* ---- options ---- */

/* What the option does, or NULL when the row does not know it. */
static const char *find_option(const char *options, const uint8_t *name, size_t len)
{
	while (*options) {
		size_t word = strcspn(options, " "), bare = strcspn(options, " :$!#^?%~|");
		if (!bare && word)
			bare = 1; /* an option that is such a byte itself */
		if (bare == len && !memcmp(options, name, len))
			return options + bare;
		options += word;
		options += *options == ' ';
	}
	return NULL;
}

static bool does(const char *suffix, char what)
{
	return memchr(suffix, what, strcspn(suffix, " ")) != NULL;
}

static bool takes_argument(const char *suffix)
{
	return does(suffix, '$') || (suffix[0] == ':' && suffix[1] != ':');
}

static struct shell_word tail(const struct shell_word *word, size_t from)
{
	struct shell_word rest = *word;

	rest.text = (struct bytes){ word->text.data + from, word->text.len - from };
	rest.kinds = word->kinds + from;
	rest.worst = SHELL_PLAIN;
	for (size_t i = 0; i < rest.text.len; i++)
		rest.worst = rest.kinds[i] > rest.worst ? rest.kinds[i] : rest.worst;
	return rest;
}

static int apply(struct look *look, const char *suffix, const struct shell_word *argument)
{
	look->nothing |= does(suffix, '!');
	look->shell |= does(suffix, '#');
	look->direct |= does(suffix, '^');
	if (does(suffix, '~')) {
		static const uint8_t plain[2];
		look->replaces = true;
		look->replace = argument
					? *argument
					: (struct shell_word){ .text = { (const uint8_t *)"{}", 2 },
						  .kinds = plain };
	}
	if (does(suffix, '$') && argument) {
		look->has_script = true;
		look->script = *argument;
	}
	if (does(suffix, '|') && argument && argument->text.len &&
		strchr("|!", argument->text.data[0])) {
		const struct shell_word script = tail(argument, 1);
		return wrap_script(look, &script, "-o");
	}
	bool hides = does(suffix, '?');
	if (does(suffix, '%') && argument)
		hides = !shell_literal(argument) ||
			memmem(argument->text.data, argument->text.len, "ommand", 6) ||
			memmem(argument->text.data, argument->text.len, "OMMAND", 6);
	return hides ? wrap_doubt(look, "option with which something runs that cannot be seen") : 0;
}

/* The option at the word, from byte `from` on: its argument is the rest of the word, or the next
 * one. */
static int with_argument(struct look *look, const char *suffix, const struct shell_word *word,
	size_t from, bool attached)
{
	if (attached) {
		struct shell_word rest = tail(word, from);
		return apply(look, suffix, &rest);
	}
	if (!takes_argument(suffix))
		return apply(look, suffix, NULL);
	return apply(look, suffix, look->at < look->count ? &look->words[look->at++] : NULL);
}

static int unknown_option(struct look *look)
{
	return look->row->traits & WRAP_ALONE
		       ? 0
		       : wrap_doubt(look, "option of a wrapper that is not known");
}

static int long_option(struct look *look, const struct shell_word *word, size_t dashes)
{
	const uint8_t *name = word->text.data + dashes,
		      *equal = memchr(name, '=', word->text.len - dashes);
	size_t len = equal ? (size_t)(equal - name) : word->text.len - dashes;
	const char *suffix = find_option(look->row->options, name, len);

	if (len < 2 || !suffix)
		return len >= 2 && (shell_is((struct bytes){ name, len }, "help") ||
					   shell_is((struct bytes){ name, len }, "version"))
			       ? apply(look, "!", NULL)
			       : unknown_option(look);
	return with_argument(look, suffix, word, dashes + len + 1, equal != NULL);
}

static int short_options(struct look *look, const struct shell_word *word)
{
	int rc = 0;

	for (size_t i = 1; !rc && i < word->text.len; i++) {
		const char *suffix =
			word->kinds[i] == SHELL_UNKNOWN
				? NULL
				: find_option(look->row->options, word->text.data + i, 1);
		if (!suffix)
			return unknown_option(look);
		bool takes = takes_argument(suffix) || suffix[0] == ':';
		rc = with_argument(look, suffix, word, i + 1, takes && i + 1 < word->text.len);
		if (takes)
			break;
	}
	return rc;
}

static bool single_long(const struct look *look, const struct shell_word *word)
{
	return look->row->traits & WRAP_SINGLE && word->text.len > 2 &&
	       find_option(look->row->options, word->text.data + 1, word->text.len - 1);
}

int wrap_options(struct look *look)
{
	int rc = 0;

	for (unsigned words = 0; !rc && look->at < look->count; words++) {
		const struct shell_word *word = &look->words[look->at];
		bool dash = word->text.len && word->text.data[0] == '-' &&
			    word->kinds[0] != SHELL_UNKNOWN;
		if (!dash || (word->text.len == 1 && !(look->row->traits & WRAP_DASH)))
			break;
		if (words == WRAP_OPTIONS_MAX)
			return shell_limit(look->p, "too many options of a wrapper");
		look->at++;
		if (shell_is(word->text, "--"))
			break;
		if (word->text.len > 2 && word->text.data[1] == '-')
			rc = long_option(look, word, 2);
		else
			rc = single_long(look, word) ? long_option(look, word, 1)
						     : short_options(look, word);
	}
	return rc;
}

/* ---- the engine ---- */

/* The first byte tells most rows apart. */
static bool is_row(const struct wrapper *row, struct bytes name)
{
	return row->name[0] == (char)name.data[0] && shell_is(name, row->name);
}

static bool is_prefix_row(const struct wrapper *row, struct bytes name)
{
	size_t len = row->name[0] == (char)name.data[0] ? strlen(row->name) - 1 : 0;

	return len && row->name[len] == '*' && name.len >= len &&
	       !memcmp(row->name, name.data, len);
}

static const struct wrapper *search(
	bool (*is)(const struct wrapper *row, struct bytes name), struct bytes name)
{
	for (size_t i = 0; i < wrapper_count; i++)
		if (is(&wrappers[i], name))
			return &wrappers[i];
	for (size_t i = 0; i < code_row_count; i++)
		if (is(&code_rows[i], name))
			return &code_rows[i];
	return NULL;
}

/* python3.11 is python. */
static struct bytes without_version(struct bytes name)
{
	while (name.len > 1 && name.data[name.len - 1] &&
		strchr("0123456789.-", name.data[name.len - 1]))
		name.len--;
	return name;
}

static const struct wrapper *find_row(struct bytes name)
{
	const struct wrapper *row = name.len ? search(is_row, name) : NULL;
	struct bytes bare = without_version(name);

	if (!row && name.len)
		row = search(is_prefix_row, name);
	return row || bare.len == name.len ? row : search(is_row, bare);
}

static bool is_shell(struct bytes name)
{
	static const char end[] = "-static";
	size_t len = sizeof(end) - 1;

	if (name.len > len && !memcmp(name.data + name.len - len, end, len))
		name.len -= len;
	return shell_in(name, shell_names) || shell_in(without_version(name), shell_names);
}

bool shell_knows(struct bytes name)
{
	return find_row(name) || is_shell(name);
}

static int subcommand(struct look *look)
{
	char name[WRAP_NAME_MAX];
	size_t prefix = strlen(look->row->more);

	if (look->at >= look->count)
		return look->row->traits & WRAP_SHELL
			       ? wrap_doubt(look, "shell whose commands cannot be seen")
			       : 0;
	const struct shell_word *word = &look->words[look->at++];
	const struct wrapper *row = NULL;
	if (word->worst == SHELL_UNKNOWN)
		return wrap_doubt(look, "subcommand named by an expansion");
	if (prefix + 1 + word->text.len < sizeof(name)) {
		memcpy(name, look->row->more, prefix);
		name[prefix] = ' ';
		memcpy(name + prefix + 1, word->text.data, word->text.len);
		row = find_row(
			(struct bytes){ (const uint8_t *)name, prefix + 1 + word->text.len });
	}
	if (!row)
		return look->row->traits & WRAP_STRICT
			       ? wrap_doubt(look, "subcommand that is not known")
			       : 0;
	look->row = row;
	return wrap_look(look);
}

static int positional(struct look *look)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < look->row->skip && look->at < look->count; i++) {
		look->at++;
		if (look->row->traits & WRAP_PERMUTE)
			rc = wrap_options(look);
	}
	return rc;
}

static int assignments(struct look *look)
{
	int rc = 0;

	while (!rc && look->at < look->count &&
		memchr(look->words[look->at].text.data, '=', look->words[look->at].text.len)) {
		const struct shell_word *word = &look->words[look->at++];
		rc = shell_assignment(word) ? shell_add_assignment(look->p, word)
					    : wrap_doubt(look, "assignment to a name that is none");
	}
	return rc;
}

/* kubectl exec POD -- command */
static int behind_separator(struct look *look)
{
	while (look->at < look->count && !shell_is(look->words[look->at].text, "--"))
		look->at++;
	look->at += look->at < look->count;
	return look->at < look->count
		       ? wrap_child(look, look->words + look->at, look->count - look->at, "")
		       : wrap_doubt(look, "command whose beginning cannot be seen");
}

/* xargs adds words that come from its standard input, at the end or in place of a mark. */
static int with_arguments(struct look *look)
{
	const struct shell_word *words = look->words + look->at;
	size_t count = look->count - look->at;
	static const uint8_t unknown[3] = { SHELL_UNKNOWN, SHELL_UNKNOWN, SHELL_UNKNOWN };

	if (look->replaces) {
		words = wrap_replaced(look, words, count, look->replace.text, SHELL_UNKNOWN);
		return words ? wrap_child(look, words, count, "") : -ENOMEM;
	}
	SHELL_WORDS_CLEANUP struct shell_words list = { 0 };
	const uint8_t *end = words[count - 1].source.data + words[count - 1].source.len;
	const struct shell_word more = { { (const uint8_t *)"…", 3 }, unknown, SHELL_UNKNOWN,
		{ end, 0 }, true, true, true };
	int rc = 0;
	for (size_t i = 0; !rc && i < count; i++)
		rc = shell_words_add(&list, &words[i]);
	if (!rc)
		rc = shell_words_add(&list, &more);
	words = rc ? NULL : shell_words_keep(look->p, list.list, list.count);
	return words ? wrap_child(look, words, list.count, "") : -ENOMEM;
}

static int command_behind(struct look *look)
{
	const struct shell_word *words = look->words + look->at;
	size_t count = look->count - look->at;
	unsigned traits = look->row->traits;

	if (!count) {
		if (!look->shell && !(traits & WRAP_SHELL))
			return 0;
		return wrap_input(look, "shell whose commands cannot be seen");
	}
	if (traits & WRAP_ARGUMENTS)
		return with_arguments(look);
	if (traits & WRAP_JOIN && !look->direct)
		return wrap_joined(look, NULL, words, count);
	return wrap_child(look, words, count, "");
}

int wrap_look(struct look *look)
{
	unsigned traits = look->row->traits;
	int rc = look->row->options ? wrap_options(look) : 0;

	if (rc || look->nothing)
		return rc;
	if (traits & WRAP_SUB)
		return subcommand(look);
	if (traits & WRAP_SEPARATOR)
		return behind_separator(look);
	if (look->row->more)
		return wrap_doubt(look, look->row->more);
	if (traits & WRAP_ALONE)
		return 0;
	if (traits & WRAP_ASSIGN)
		rc = assignments(look);
	if (!rc)
		rc = positional(look);
	if (rc || !look->has_script)
		return rc ? rc : command_behind(look);
	bool rest = traits & WRAP_REST;
	return rest ? wrap_joined(
			      look, &look->script, look->words + look->at, look->count - look->at)
		    : wrap_script(look, &look->script, "-c");
}

int shell_look(struct shell_parser *p, size_t command)
{
	const struct shell_command *of = &p->state->line->commands[command];
	const struct bytes program = shell_program(of);
	struct look look = {
		.p = p, .index = command, .words = of->words, .count = of->count, .at = 1
	};

	look.row = find_row(program);
	if (look.row)
		return look.row->look ? look.row->look(&look) : wrap_look(&look);
	bool shell =
		is_shell(program) || shell_is(program, "$SHELL") || shell_is(program, "${SHELL}");
	return shell ? wrap_shell(&look) : 0;
}
