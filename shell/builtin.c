/* Builtins of the shells that change what later words mean, or compute: declare, read, let, test,
 * printf -v, print -P, emulate, functions, hash. */
#include <errno.h>
#include <string.h>

#include "shell/code.h"

static bool is_option(const struct shell_word *word)
{
	return word->text.len > 1 && (word->text.data[0] == '-' || word->text.data[0] == '+') &&
	       word->kinds[0] <= SHELL_QUOTED;
}

static bool may_be(const struct look *look, unsigned shells)
{
	return shell_shells(look->p) & shells;
}

static size_t name_length(const struct shell_word *word)
{
	size_t len = 0;

	while (len < word->text.len && word->kinds[len] <= SHELL_QUOTED &&
		shell_name_byte(word->text.data[len], len == 0))
		len++;
	return len;
}

/* A word that names a variable: its subscript is computed, and an expansion may be any name. */
static int names(struct look *look, const struct shell_word *word)
{
	int rc = shell_name_judge(look->p, SHELL_NO_COMMAND, word);

	if (!rc && word->worst == SHELL_UNKNOWN && word->kinds[0] == SHELL_UNKNOWN)
		return wrap_doubt(look, "variable that is named by another");
	if (!rc && (word->worst == SHELL_UNKNOWN || memchr(word->text.data, '[', word->text.len)))
		rc = shell_number_word(look->p, word, false);
	return rc;
}

/* ---- declare and its like ---- */

static bool has_letter(const struct shell_word *word, const char *letters)
{
	for (size_t i = 1; i < word->text.len; i++)
		if (word->text.data[i] && strchr(letters, word->text.data[i]))
			return true;
	return false;
}

static int declared(struct look *look, const struct shell_word *word)
{
	size_t len = name_length(word);
	const uint8_t *equal = memchr(word->text.data, '=', word->text.len);
	int rc = 0;

	if (!len && word->worst == SHELL_UNKNOWN && (word->puts || !word->substitutes))
		return wrap_doubt(look, "variable that is named by another");
	if (!equal || !len)
		return word->worst == SHELL_UNKNOWN ? shell_number_word(look->p, word, false) : 0;
	rc = shell_name_judge(look->p, SHELL_NO_COMMAND, word);
	struct shell_word value = code_tail(word, (size_t)(equal - word->text.data) + 1);
	if (!rc)
		rc = shell_number_assign(look->p, (struct bytes){ word->text.data, len }, &value);
	return rc;
}

int wrap_declare(struct look *look)
{
	static const char *const numbers[] = { "integer", "float", NULL };
	struct bytes program = shell_program(&look->p->state->line->commands[look->index]);
	int rc = wrap_subscript(look);

	look->p->state->integers |= shell_in(program, numbers);
	if (!rc && shell_is(program, "nameref"))
		rc = wrap_doubt(look, "variable that stands for another");
	for (size_t i = 1; !rc && i < look->count; i++) {
		const struct shell_word *word = &look->words[i];
		if (!is_option(word)) {
			rc = declared(look, word);
			continue;
		}
		look->p->state->integers |= word->text.data[0] == '-' && has_letter(word, "iEF");
		if (word->text.data[0] == '-' && has_letter(word, "nT") &&
			!shell_is(program, "export"))
			rc = wrap_doubt(look, "variable that stands for another");
	}
	return rc;
}

/* ---- read and its like ---- */

int wrap_read(struct look *look)
{
	int rc = wrap_subscript(look);

	for (size_t i = 1; !rc && i < look->count; i++) {
		const struct shell_word *word = &look->words[i];
		size_t len = name_length(word);
		if (is_option(word))
			continue;
		rc = names(look, word);
		if (!rc && len)
			rc = shell_number_input(look->p, (struct bytes){ word->text.data, len });
	}
	static const char *const defaults[] = { "REPLY", "MAPFILE", "OPTARG" };
	for (size_t i = 0; !rc && i < 3; i++)
		rc = shell_number_input(look->p,
			(struct bytes){ (const uint8_t *)defaults[i], strlen(defaults[i]) });
	return rc;
}

int wrap_mapfile(struct look *look)
{
	static const struct wrapper row = {
		.name = "mapfile", .options = "d: n: O: s: t u: C:? c:", .traits = WRAP_ALONE
	};
	int rc = wrap_read(look);

	look->row = &row;
	return rc ? rc : wrap_look(look);
}

int wrap_unset(struct look *look)
{
	int rc = wrap_subscript(look);

	for (size_t i = 1; !rc && i < look->count; i++)
		if (look->words[i].worst == SHELL_UNKNOWN)
			rc = shell_number_word(look->p, &look->words[i], false);
	return rc;
}

/* printf -v NAME, print -v NAME; print -P expands its arguments as a prompt. */
int wrap_printf(struct look *look)
{
	bool print = shell_is(shell_program(&look->p->state->line->commands[look->index]), "print");
	int rc = 0;

	for (size_t i = 1; !rc && i < look->count && is_option(&look->words[i]); i++) {
		const struct shell_word *word = &look->words[i];
		if (print && has_letter(word, "Pz") && may_be(look, SHELL_ZSH))
			return wrap_doubt(look, "expansion that may run commands");
		if (word->text.data[1] != 'v')
			continue;
		struct shell_word name = code_tail(word, 2);
		if (!name.text.len && i + 1 < look->count)
			name = look->words[++i];
		rc = wrap_subscript(look);
		if (!rc)
			rc = names(look, &name);
		if (!rc)
			rc = shell_number_input(
				look->p, (struct bytes){ name.text.data, name_length(&name) });
	}
	return rc;
}

/* fish's set NAME VALUE…, zsh's set -A NAME VALUE… */
int wrap_set(struct look *look)
{
	size_t i = 1;

	for (; i < look->count && is_option(&look->words[i]); i++)
		if (has_letter(&look->words[i], "A") && may_be(look, SHELL_ZSH | SHELL_SH))
			return wrap_doubt(look, "variable that changes what runs");
	if (i == look->count || !may_be(look, SHELL_FISH | SHELL_ZSH | SHELL_SH))
		return 0;
	struct shell_word name = look->words[i];
	bool path = shell_is(name.text, "PATH") || shell_is(name.text, "path");
	return path ? 0 : shell_name_judge(look->p, SHELL_NO_COMMAND, &name);
}

/* ---- numbers ---- */

int wrap_let(struct look *look)
{
	int rc = wrap_subscript(look);

	for (size_t i = 1; !rc && i < look->count; i++)
		rc = shell_number_word(look->p, &look->words[i], true);
	return rc;
}

static const char *const comparisons[] = { "-eq", "-ne", "-lt", "-le", "-gt", "-ge", NULL };

/* zsh and ksh compute the sides of a comparison; bash does so in [[ ]] alone. */
int wrap_test(struct look *look)
{
	int rc = wrap_subscript(look);
	bool computes = may_be(look, SHELL_ZSH | SHELL_SH);

	for (size_t i = 1; !rc && i < look->count; i++) {
		const struct bytes text = look->words[i].text;
		bool more = i + 1 < look->count;
		if (computes && more && i > 1 && shell_in(text, comparisons)) {
			rc = shell_number_word(look->p, &look->words[i - 1], false);
			if (!rc)
				rc = shell_number_word(look->p, &look->words[i + 1], false);
		}
		if (!rc && more && (shell_is(text, "-v") || shell_is(text, "-R")))
			rc = names(look, &look->words[i + 1]);
	}
	return rc;
}

/* ---- of one shell alone ---- */

int wrap_zsh(struct look *look)
{
	return may_be(look, SHELL_ZSH) ? wrap_doubt(look, "builtin of zsh that changes what runs")
				       : 0;
}

int wrap_emulate(struct look *look)
{
	for (size_t i = 1; i + 1 < look->count; i++)
		if (is_option(&look->words[i]) && has_letter(&look->words[i], "c"))
			return wrap_script(look, &look->words[i + 1], "-c");
	return look->count > 1 ? wrap_zsh(look) : 0;
}

/* zsh: hash ls=/bin/rm; bash: hash -p /bin/rm ls */
int wrap_hash(struct look *look)
{
	for (size_t i = 1; i < look->count; i++)
		if (memchr(look->words[i].text.data, '=', look->words[i].text.len) ||
			look->words[i].worst == SHELL_UNKNOWN ||
			(is_option(&look->words[i]) && has_letter(&look->words[i], "p")))
			return wrap_doubt(look, "command that the line redefines");
	return 0;
}

/* fish: functions -c rm ls; zsh: functions -c, functions -M */
int wrap_functions(struct look *look)
{
	for (size_t i = 1; i < look->count; i++)
		if (is_option(&look->words[i]) && (has_letter(&look->words[i], "cM")))
			return wrap_doubt(look, "command that the line redefines");
	return 0;
}
