/* Code given as text: the engine. See shell/code.h. */
#include "shell/code.h"

#include <errno.h>
#include <string.h>

#include "common/buf.h"

#define SIGNS ":$!#^?%~=@|+&"
#define ADDED_MAX (SHELL_LINE_MAX + 64)

static const char unseen[] = "code that is given as text";
static const char input[] = "program that reads code from its standard input";

/* ---- what a look finds ---- */

void code_mark(struct look *look)
{
	look->p->state->line->commands[look->index].code = true;
}

int code_doubt(struct look *look, const char *why)
{
	struct shell_line *line = look->p->state->line;
	size_t before = line->doubt_count;

	code_mark(look);
	int rc = wrap_doubt(look, why);
	if (line->doubt_count > before)
		line->doubts[before].code = true;
	return rc;
}

int code_script(struct look *look, const struct shell_word *word, const char *via)
{
	code_mark(look);
	return wrap_script(look, word, via);
}

struct shell_word code_tail(const struct shell_word *word, size_t from)
{
	struct shell_word rest = *word;

	from = from > word->text.len ? word->text.len : from;
	rest.text = (struct bytes){ word->text.data + from, word->text.len - from };
	rest.kinds = word->kinds + from;
	rest.worst = SHELL_PLAIN;
	for (size_t i = 0; i < rest.text.len; i++)
		rest.worst = rest.kinds[i] > rest.worst ? rest.kinds[i] : rest.worst;
	return rest;
}

bool code_is_fed(const struct look *look)
{
	struct bytes line = look->p->state->text;

	return line.len && (memchr(line.data, '|', line.len) || memchr(line.data, '<', line.len));
}

bool code_is_input(const struct shell_word *word)
{
	static const char *const names[] = { "-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0",
		NULL };
	static const char devices[] = "/dev/fd/";

	if (shell_in(word->text, names))
		return true;
	if (word->text.len > 8 && !memcmp(word->text.data, devices, 8))
		return true;
	return word->worst == SHELL_UNKNOWN && word->text.len > 1 && word->text.data[1] == '(';
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 'a' - 'A') : c;
}

bool code_has(struct bytes text, const char *part)
{
	size_t len = strlen(part);

	for (size_t at = 0; at + len <= text.len; at++) {
		size_t i = 0;
		while (i < len && lower(text.data[at + i]) == (uint8_t)part[i])
			i++;
		if (i == len)
			return true;
	}
	return false;
}

/* ---- options ---- */

static bool is_sign(char c)
{
	return c && strchr(SIGNS, c);
}

/* Length of an option's name in the row; one of a single sign is that sign. */
static size_t bare_length(const char *option)
{
	size_t len = 0;

	while (option[len] && option[len] != ' ' && !is_sign(option[len]))
		len++;
	return len ? len : 1;
}

/* The suffix of the option, or NULL. A long name may be abbreviated; the whole one goes first. */
static const char *find(const char *options, struct bytes name)
{
	const char *abbreviated = NULL;

	while (*options) {
		size_t word = strcspn(options, " "), bare = bare_length(options);
		bool begins = bare >= name.len && !memcmp(options, name.data, name.len);
		if (begins && bare == name.len)
			return options + bare;
		if (begins && name.len > 1 && !abbreviated)
			abbreviated = options + bare;
		options += word;
		options += *options == ' ';
	}
	return abbreviated;
}

static bool does(const char *suffix, char what)
{
	return memchr(suffix, what, strcspn(suffix, " ")) != NULL;
}

static bool takes(const char *suffix)
{
	return strchr("$=@|+&:", *suffix) && *suffix && *suffix != ' ';
}

static bool only_attached(const char *suffix)
{
	return suffix[0] == ':' && suffix[1] == ':';
}

/* alias.x=!cmd, exec=cmd, ::Pre-Invoke=cmd, %(cmd), `cmd`, $(cmd) */
static bool looks_like_code(struct bytes text)
{
	static const char *const parts[] = { "!", "|", "`", "$(", "%(", "exec", "nvoke", "command",
		"system", "askpass", "/bin/", "ssh=", "editor", "pager", NULL };

	for (const char *const *part = parts; *part; part++)
		if (code_has(text, *part))
			return true;
	return false;
}

static bool names_module(const struct look *look, struct bytes module)
{
	const char *list = look->row->more;

	while (list && *list) {
		size_t len = strcspn(list, " ");
		if (len == module.len && !memcmp(list, module.data, len))
			return true;
		list += len;
		list += *list == ' ';
	}
	return false;
}

/* rsync -e 'ssh -p 22' runs that with a host and a command behind it. */
static int with_more(struct look *look, const struct shell_word *word)
{
	static const char more[] = " HOST :";
	BUF_CLEANUP struct buf text = BUF_INIT(ADDED_MAX);

	code_mark(look);
	if (!shell_literal(word))
		return code_doubt(look, unseen);
	int rc = buf_put(&text, word->text.data, word->text.len);
	if (!rc)
		rc = buf_puts(&text, more);
	if (rc)
		return rc == -EMSGSIZE ? code_doubt(look, unseen) : rc;
	return shell_read_copy(look->p, buf_bytes(&text),
		shell_via(
			look->p, shell_program(&look->p->state->line->commands[look->index]), "-e"),
		false);
}

static int apply(struct look *look, const char *suffix, const struct shell_word *argument)
{
	look->nothing |= does(suffix, '!');
	look->has_script |= does(suffix, '=') || does(suffix, '$');
	if (does(suffix, '?') || (does(suffix, '=') && argument))
		return code_doubt(look, unseen);
	if (!argument)
		return 0;
	if (does(suffix, '$'))
		return code_script(look, argument, "-c");
	if (does(suffix, '+'))
		return with_more(look, argument);
	if (does(suffix, '@') && (!shell_literal(argument) || looks_like_code(argument->text)))
		return code_doubt(look, unseen);
	if (does(suffix, '|') && argument->text.len && strchr("|!", argument->text.data[0])) {
		struct shell_word script = code_tail(argument, 1);
		return code_script(look, &script, "|");
	}
	if (does(suffix, '&')) {
		look->nothing = true; /* what follows are the module's own words */
		return names_module(look, argument->text) ? code_doubt(look, unseen) : 0;
	}
	if (does(suffix, '%') && (!shell_literal(argument) || code_has(argument->text, "command")))
		return code_doubt(look, unseen);
	return 0;
}

static const struct shell_word *next_word(struct look *look)
{
	return look->at < look->count ? &look->words[look->at++] : NULL;
}

static int long_option(struct look *look, const struct shell_word *word, size_t dashes)
{
	const uint8_t *name = word->text.data + dashes,
		      *equal = memchr(name, '=', word->text.len - dashes);
	size_t len = equal ? (size_t)(equal - name) : word->text.len - dashes;
	const char *suffix = find(look->row->options, (struct bytes){ name, len });

	if (!suffix)
		return 0;
	if (equal) {
		struct shell_word value = code_tail(word, dashes + len + 1);
		return apply(look, suffix, &value);
	}
	bool next = takes(suffix) && !only_attached(suffix);
	return apply(look, suffix, next ? next_word(look) : NULL);
}

static int cluster(struct look *look, const struct shell_word *word, size_t from)
{
	int rc = 0;

	for (size_t i = from; !rc && i < word->text.len && !look->nothing; i++) {
		const char *suffix =
			find(look->row->options, (struct bytes){ word->text.data + i, 1 });
		if (!suffix)
			continue;
		if (takes(suffix) && i + 1 < word->text.len) {
			struct shell_word value = code_tail(word, i + 1);
			return apply(look, suffix, &value);
		}
		bool next = takes(suffix) && !only_attached(suffix);
		rc = apply(look, suffix, next ? next_word(look) : NULL);
	}
	return rc;
}

static bool is_whole_option(const struct look *look, const struct shell_word *word)
{
	const uint8_t *equal = memchr(word->text.data, '=', word->text.len);
	size_t len = (equal ? (size_t)(equal - word->text.data) : word->text.len) - 1;

	return look->row->traits & WRAP_SINGLE && len > 1 &&
	       find(look->row->options, (struct bytes){ word->text.data + 1, len });
}

/* A variable at the beginning could be any option; one that names a folder could not. */
static bool could_be_option(const struct shell_word *word)
{
	static const char *const folders[] = { "$HOME/", "${HOME}/", "$PWD/", "${PWD}/", NULL };

	if (!word->text.len || word->kinds[0] != SHELL_UNKNOWN || code_is_input(word))
		return false;
	for (const char *const *folder = folders; *folder; folder++)
		if (word->text.len > strlen(*folder) &&
			!memcmp(word->text.data, *folder, strlen(*folder)))
			return false;
	return true;
}

static int operand(struct look *look, const struct shell_word *word)
{
	unsigned traits = look->row->traits;

	if (traits & CODE_WORDS && names_module(look, word->text))
		return code_doubt(look, unseen);
	return traits & (CODE_INPUT | CODE_ALWAYS) && code_is_input(word) ? code_doubt(look, input)
									  : 0;
}

int code_look(struct look *look)
{
	unsigned traits = look->row->traits;
	bool options = true, operands = false;
	int rc = 0;

	while (!rc && look->at < look->count && !look->nothing) {
		const struct shell_word *word = &look->words[look->at++];
		bool dash = options && word->text.len > 1 && word->text.data[0] == '-' &&
			    word->kinds[0] != SHELL_UNKNOWN;
		if (options && could_be_option(word) && !operands)
			rc = code_doubt(look, unseen);
		else if (dash && shell_is(word->text, "--"))
			options = false;
		else if (dash && word->text.data[1] == '-')
			rc = long_option(look, word, 2);
		else if (dash && is_whole_option(look, word))
			rc = long_option(look, word, 1);
		else if (dash)
			rc = cluster(look, word, 1);
		else
			rc = operand(look, word);
		if (dash)
			continue;
		operands = true;
		options &= (traits & WRAP_PERMUTE) != 0;
		if (!options && !(traits & CODE_WORDS))
			break;
	}
	if (rc || look->nothing || look->has_script)
		return rc;
	bool reads = traits & CODE_ALWAYS || (traits & CODE_INPUT && !operands) ||
		     (traits & CODE_FED && code_is_fed(look));
	bool terminal = look->p->state->flags & SHELL_TYPED && !code_is_fed(look);
	return reads && !terminal ? code_doubt(look, input) : 0;
}
