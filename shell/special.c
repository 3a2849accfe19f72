/* Wrappers that are not like the others: shells, su, find, parallel, and the shell's own trap and
 * alias. */
#include <errno.h>
#include <string.h>

#include "shell/wrap.h"

const char *const shell_names[] = { "sh", "bash", "dash", "zsh", "ksh", "ksh93", "mksh", "lksh",
	"pdksh", "oksh", "ash", "hush", "rbash", "rzsh", "yash", "posh", "fish", "csh", "tcsh",
	"rc", "elvish", "xonsh", "nu", "pwsh", "git-shell", "osh", "ysh", "oil", "scsh", "ion",
	"sash", "bosh", "pbosh", "obosh", "msh", "lash", "mrsh", "imrsh", "nsh", "dgsh", "loksh",
	"jsh", "rksh", "static-sh", NULL };

/* ---- shells ---- */

static const char *const shell_flags[] = { "--login", "--norc", "--noprofile", "--posix",
	"--restricted", "--verbose", "--noediting", "--no-config", "--interactive", "--private",
	NULL };

static const char *const shell_files[] = { "--rcfile", "--init-file", NULL };

enum shell_mode { FROM_FILE_OR_INPUT, FROM_INPUT, FROM_ARGUMENT };

/* A word of options of a shell; *ret_done: it is none. */
static int shell_option(struct look *look, enum shell_mode *mode, bool *ret_done)
{
	const struct shell_word *word = &look->words[look->at];
	const struct bytes text = word->text;

	if (shell_is(text, "-")) {
		look->at++;
		*ret_done = true;
		return 0;
	}
	if (text.len < 2 || (text.data[0] != '-' && text.data[0] != '+') ||
		word->kinds[0] == SHELL_UNKNOWN) {
		*ret_done = true;
		return 0;
	}
	look->at++;
	*ret_done = shell_is(text, "--");
	if (*ret_done || shell_in(text, shell_flags))
		return 0;
	if (shell_is(text, "--version") || shell_is(text, "--help")) {
		look->nothing = true;
		return 0;
	}
	if (shell_in(text, shell_files)) {
		look->at += look->at < look->count;
		return wrap_doubt(look, "shell that reads its commands from a file");
	}
	if (shell_is(shell_program(&look->p->state->line->commands[look->index]), "fish") &&
		memchr(text.data, 'C', text.len))
		return wrap_doubt(look, "option of a shell that is not known");
	if (text.data[1] == '-' || word->worst == SHELL_UNKNOWN)
		return wrap_doubt(look, "option of a shell that is not known");
	for (size_t i = 1; i < text.len; i++) {
		if (text.data[i] == 'c' && text.data[0] == '-')
			*mode = FROM_ARGUMENT;
		else if (text.data[i] == 's' && text.data[0] == '-' && *mode == FROM_FILE_OR_INPUT)
			*mode = FROM_INPUT;
		else if ((text.data[i] == 'o' || text.data[i] == 'O') && look->at < look->count)
			look->at++;
	}
	return 0;
}

int wrap_shell(struct look *look)
{
	enum shell_mode mode = FROM_FILE_OR_INPUT;
	bool done = false;
	int rc = 0;

	for (unsigned words = 0; !rc && !done && look->at < look->count; words++) {
		if (words == WRAP_OPTIONS_MAX)
			return shell_limit(look->p, "too many options of a shell");
		rc = shell_option(look, &mode, &done);
	}
	if (rc || look->nothing)
		return rc;
	if (mode == FROM_ARGUMENT && look->at < look->count)
		return wrap_script(look, &look->words[look->at], "-c");
	if (mode != FROM_INPUT && look->at < look->count &&
		!shell_is(look->words[look->at].text, "/dev/stdin"))
		return wrap_doubt(look, "shell that reads its commands from a file");
	return wrap_input(look, "shell that reads its commands from its standard input");
}

/* ---- su, runuser: options and words in any order ---- */

static bool is_command_option(const struct bytes text)
{
	return shell_is(text, "--command") || shell_is(text, "--session-command") ||
	       (text.len >= 2 && text.data[0] == '-' && text.data[1] != '-' &&
		       text.data[text.len - 1] == 'c');
}

int wrap_su(struct look *look)
{
	static const struct wrapper runuser = { .name = "runuser",
		.options = "u: user: l f m p g: G: w: login fast preserve-environment group: "
			   "supp-group: whitelist-environment:" };
	static const char equal[] = "--command=";
	bool found = false;
	int rc = 0;

	for (size_t i = 1; !rc && i < look->count; i++) {
		const struct shell_word *word = &look->words[i];
		if (shell_is(word->text, "-u") &&
			shell_is(shell_program(&look->p->state->line->commands[look->index]),
				"runuser")) {
			look->row = &runuser;
			return wrap_look(look);
		}
		if (shell_is(word->text, "--help") || shell_is(word->text, "--version"))
			return 0;
		if (word->text.len >= sizeof(equal) &&
			!memcmp(word->text.data, equal, sizeof(equal) - 1)) {
			struct shell_word script = *word;
			script.text.data += sizeof(equal) - 1;
			script.text.len -= sizeof(equal) - 1;
			rc = wrap_script(look, &script, "-c");
			found = true;
		} else if (is_command_option(word->text) && i + 1 < look->count) {
			rc = wrap_script(look, &look->words[++i], "-c");
			found = true;
		}
	}
	if (rc || found)
		return rc;
	return wrap_input(look, "shell whose commands cannot be seen");
}

/* ---- words with a mark in them ---- */

static int replace_word(
	struct look *look, struct shell_word *word, struct bytes mark, enum shell_kind kind)
{
	const uint8_t *at =
		mark.len ? memmem(word->text.data, word->text.len, mark.data, mark.len) : NULL;

	if (!at)
		return 0;
	uint8_t *kinds = shell_alloc(look->p->state, word->text.len);
	if (!kinds)
		return -ENOMEM;
	memcpy(kinds, word->kinds, word->text.len);
	for (const uint8_t *end = word->text.data + word->text.len; at;
		at = memmem(at, (size_t)(end - at), mark.data, mark.len)) {
		memset(kinds + (at - word->text.data), (int)kind, mark.len);
		at += mark.len;
	}
	word->kinds = kinds;
	if (word->worst < kind)
		word->worst = kind;
	return 0;
}

const struct shell_word *wrap_replaced(struct look *look, const struct shell_word *words,
	size_t count, struct bytes mark, enum shell_kind kind)
{
	SHELL_WORDS_CLEANUP struct shell_words list = { 0 };
	int rc = 0;

	for (size_t i = 0; !rc && i < count; i++) {
		rc = shell_words_add(&list, &words[i]);
		if (!rc)
			rc = replace_word(look, &list.list[i], mark, kind);
	}
	return rc ? NULL : shell_words_keep(look->p, list.list, list.count);
}

/* ---- find ---- */

static const char *const find_runs[] = { "-exec", "-execdir", "-ok", "-okdir", NULL };

/* A path put in place of {} begins with a starting point, never with a dash: it is as uncertain as
 * a pattern. */
int wrap_find(struct look *look)
{
	static const struct bytes mark = { (const uint8_t *)"{}", 2 };
	int rc = 0;

	for (size_t i = 1; !rc && i < look->count; i++) {
		if (!shell_in(look->words[i].text, find_runs))
			continue;
		size_t from = i + 1, to = from;
		while (to < look->count && !shell_is(look->words[to].text, ";") &&
			!(shell_is(look->words[to].text, "+") && to > from &&
				shell_is(look->words[to - 1].text, "{}")))
			to++;
		if (to > from) {
			const struct shell_word *words = wrap_replaced(
				look, look->words + from, to - from, mark, SHELL_PATTERN);
			char more[16];
			/* one of find_runs */
			memcpy(more, look->words[i].text.data, look->words[i].text.len);
			more[look->words[i].text.len] = 0;
			rc = words ? wrap_child(look, words, to - from, more) : -ENOMEM;
		}
		i = to;
	}
	return rc;
}

/* ---- parallel ---- */

static bool sources(const struct shell_word *word)
{
	return word->text.len >= 3 && !memcmp(word->text.data, ":::", 3);
}

/* The words are a command line, to which an argument is added at the end, or in place of {}. */
int wrap_parallel(struct look *look)
{
	static const uint8_t unknown[2] = { SHELL_UNKNOWN, SHELL_UNKNOWN };
	static const struct shell_word argument = { { (const uint8_t *)"$1", 2 }, unknown,
		SHELL_PLAIN, { (const uint8_t *)"", 0 }, true, true, true };
	SHELL_WORDS_CLEANUP struct shell_words list = { 0 };
	int rc = wrap_options(look);

	if (rc || look->nothing)
		return rc;
	while (!rc && look->at < look->count && !sources(&look->words[look->at]))
		rc = shell_words_add(&list, &look->words[look->at++]);
	if (!rc && !list.count)
		return wrap_doubt(look, "commands that come from somewhere else");
	if (!rc)
		rc = shell_words_add(&list, &argument);
	return rc ? rc : wrap_joined(look, NULL, list.list, list.count);
}

/* ---- tmux ---- */

/* Several commands may stand in one line of tmux, separated by words that end with a semicolon. */
int wrap_tmux(struct look *look)
{
	for (size_t i = 1; i < look->count; i++) {
		const struct bytes text = look->words[i].text;
		if (text.len && text.data[text.len - 1] == ';')
			return wrap_doubt(look, "several commands of tmux in one");
	}
	return wrap_look(look);
}

/* ---- the shell's own ---- */

int wrap_trap(struct look *look)
{
	size_t at = look->count > 1 && shell_is(look->words[1].text, "--") ? 2 : 1;

	if (at >= look->count || shell_is(look->words[at].text, "-") ||
		shell_is(look->words[at].text, "-l") || shell_is(look->words[at].text, "-p"))
		return 0;
	return wrap_script(look, &look->words[at], "");
}

int wrap_alias(struct look *look)
{
	int rc = 0;
	size_t first = 1;
	bool defines = false;

	/* fish: alias NAME WORDS */
	while (first < look->count && look->words[first].text.len &&
		look->words[first].text.data[0] == '-')
		first++;
	if (first + 1 < look->count && shell_shells(look->p) & SHELL_FISH &&
		!memchr(look->words[first].text.data, '=', look->words[first].text.len)) {
		rc = wrap_joined(look, NULL, look->words + first + 1, look->count - first - 1);
		defines = true;
	}
	for (size_t i = 1; !rc && i < look->count; i++) {
		struct shell_word value = look->words[i];
		const uint8_t *equal = memchr(value.text.data, '=', value.text.len);
		if (!equal)
			continue;
		size_t len = (size_t)(equal - value.text.data);
		defines = true;
		value.text = (struct bytes){ equal + 1, value.text.len - len - 1 };
		value.kinds += len + 1;
		rc = wrap_script(look, &value, "");
	}
	return rc || !defines
		       ? rc
		       : wrap_doubt(look, "alias: later words mean something else than they say");
}

/* Where a subscript is computed, what is in it is expanded, even from within single quotes: let
 * 'a[$(…)]'. */
int wrap_subscript(struct look *look)
{
	for (size_t i = 1; i < look->count; i++) {
		const struct bytes text = look->words[i].text;
		const uint8_t *bracket = memchr(text.data, '[', text.len);
		size_t left = bracket ? text.len - (size_t)(bracket - text.data) : 0;
		if (bracket && (memmem(bracket, left, "$(", 2) || memchr(bracket, '`', left)))
			return wrap_doubt(look, "subscript that may run commands");
	}
	return 0;
}
