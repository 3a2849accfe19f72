/* Languages that are mostly harmless: awk, sed and SQL. Their text is looked at for what runs
 * commands; what is not understood counts as if it did. */
#include <errno.h>
#include <string.h>

#include "shell/code.h"

static const char unseen[] = "code that is given as text";

/* ---- awk ---- */

static bool word_byte(int c)
{
	return shell_name_byte(c, false);
}

/* A single | anywhere, whatever it stands in. */
static bool has_pipe(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] != '|')
			continue;
		if (i + 1 < text.len && text.data[i + 1] == '|')
			i++;
		else
			return true;
	}
	return false;
}

/* Behind a quoted text or a regular expression that begins at `at`; SIZE_MAX: it is not understood.
 */
static size_t skip_quoted(struct bytes text, size_t at)
{
	uint8_t quote = text.data[at];

	for (at++; at < text.len; at++) {
		if (text.data[at] == '\\')
			at++;
		else if (text.data[at] == '[' && quote == '/')
			return SIZE_MAX; /* awks differ in whether a slash in there ends it */
		else if (text.data[at] == quote)
			return at + 1;
		else if (text.data[at] == '\n')
			return SIZE_MAX;
	}
	return SIZE_MAX;
}

/* system(), pipes to and from commands, and gawk's @load, @include and @name(): looked for outside
 * of texts and regular expressions. Where a slash may begin either, a pipe anywhere counts. */
bool code_awk_runs(struct bytes program)
{
	uint8_t before = 0;

	if (code_has(program, "system") || memchr(program.data, '@', program.len))
		return true;
	if (!has_pipe(program))
		return false;
	for (size_t at = 0; at < program.len;) {
		uint8_t c = program.data[at];
		bool value = word_byte(before) || before == ']' || before == '"' || before == '$';
		if (c == '#')
			return true;
		if (c == '/' && (before == ')' || before == '}' || before == '+' || before == '-'))
			return true;
		if (c == '"' || (c == '/' && !value)) {
			at = skip_quoted(program, at);
			if (at == SIZE_MAX)
				return true;
			before = '"';
			continue;
		}
		if (c == '|' && (at + 1 >= program.len || program.data[at + 1] != '|'))
			return true;
		at += c == '|' ? 2 : 1;
		before = c == ' ' || c == '\t' ? before : c;
	}
	return false;
}

static int awk_text(struct look *look, const struct shell_word *word)
{
	if (shell_literal(word) || word->worst == SHELL_PATTERN)
		return code_awk_runs(word->text) ? code_doubt(look, unseen) : 0;
	return code_doubt(look, unseen);
}

struct text_options {
	const char *code, *files, *values; /* letters */
	const char *code_long, *file_long; /* long names that take one; of at least two letters */
	int (*text)(struct look *look, const struct shell_word *word);
};

static int text_file(struct look *look, const struct shell_word *word)
{
	return word && code_is_input(word) ? code_doubt(look, unseen) : 0;
}

static const struct shell_word *take(struct look *look)
{
	return look->at < look->count ? &look->words[look->at++] : NULL;
}

static bool abbreviates(struct bytes name, const char *whole)
{
	return name.len > 0 && name.len <= strlen(whole) && !memcmp(whole, name.data, name.len);
}

/* Returns 1 where it was code, 0 where not, below 0 an error. */
static int text_long(
	struct look *look, const struct text_options *options, const struct shell_word *word)
{
	const uint8_t *equal = memchr(word->text.data, '=', word->text.len);
	size_t len = equal ? (size_t)(equal - word->text.data) : word->text.len;
	const struct bytes name = { word->text.data + 2, len - 2 };
	struct shell_word tail = code_tail(word, len + 1);
	bool code = abbreviates(name, options->code_long),
	     file = abbreviates(name, options->file_long);

	if (!code && !file)
		return 0;
	const struct shell_word *value = equal ? &tail : take(look);
	int rc = 0;
	if (value)
		rc = code ? options->text(look, value) : text_file(look, value);
	return rc ? rc : 1;
}

static int text_cluster(
	struct look *look, const struct text_options *options, const struct shell_word *word)
{
	int rc = 0, found = 0;

	for (size_t i = 1; !rc && i < word->text.len; i++) {
		char c = (char)word->text.data[i];
		bool code = c && strchr(options->code, c), file = c && strchr(options->files, c);
		if (!code && !file && !(c && strchr(options->values, c)))
			continue;
		struct shell_word tail = code_tail(word, i + 1);
		const struct shell_word *value = tail.text.len ? &tail : take(look);
		if (value && code)
			rc = options->text(look, value);
		else if (value && file)
			rc = text_file(look, value);
		found = code || file;
		break;
	}
	return rc ? rc : found;
}

/* Options in any order; the first operand is code where no option was. */
static int text_look(struct look *look, const struct text_options *options, bool permute)
{
	const struct shell_word *first = NULL;
	bool given = false, open = true;
	int rc = 0;

	while (rc >= 0 && look->at < look->count) {
		const struct shell_word *word = &look->words[look->at++];
		bool dash = open && word->text.len > 1 && word->text.data[0] == '-' &&
			    word->kinds[0] != SHELL_UNKNOWN;
		if (dash && shell_is(word->text, "--")) {
			open = false;
			continue;
		}
		if (!dash) {
			first = first ? first : word;
			if (!permute)
				break;
			continue;
		}
		rc = word->text.data[1] == '-' ? text_long(look, options, word)
					       : text_cluster(look, options, word);
		given |= rc > 0;
	}
	if (rc < 0)
		return rc;
	return !given && first ? options->text(look, first) : 0;
}

int code_awk(struct look *look)
{
	static const struct text_options options = { "e", "fEil", "Fv", "source", "file",
		awk_text };

	return text_look(look, &options, false);
}

/* ---- sed ---- */

struct sed {
	struct bytes text;
	size_t at;
	bool brackets; /* a delimiter in [ ] ends nothing */
	bool runs, wrong;
};

static int sed_peek(const struct sed *sed)
{
	return sed->at < sed->text.len ? sed->text.data[sed->at] : -1;
}

/* From behind a delimiter to behind the next. */
static void sed_skip(struct sed *sed, int delimiter, bool regex)
{
	bool inside = false;

	for (; sed->at < sed->text.len; sed->at++) {
		int c = sed->text.data[sed->at];
		if (c == '\\') {
			sed->at++;
		} else if (inside) {
			inside = c != ']';
		} else if (c == delimiter) {
			sed->at++;
			return;
		} else if (c == '[' && regex && sed->brackets) {
			inside = true;
			sed->at +=
				sed->at + 1 < sed->text.len && sed->text.data[sed->at + 1] == '^';
			sed->at +=
				sed->at + 1 < sed->text.len && sed->text.data[sed->at + 1] == ']';
		}
	}
	sed->wrong = true;
}

static void sed_blanks(struct sed *sed, const char *set)
{
	while (sed->at < sed->text.len && sed->text.data[sed->at] &&
		strchr(set, sed->text.data[sed->at]))
		sed->at++;
}

static void sed_line(struct sed *sed)
{
	while (sed->at < sed->text.len && sed->text.data[sed->at] != '\n')
		sed->at += sed->text.data[sed->at] == '\\' ? 2 : 1;
}

/* number, $, /re/, \cREc, first~step, +n; with I and M behind a regular expression */
static void sed_address(struct sed *sed)
{
	int c = sed_peek(sed);

	if (c == '/' || c == '\\') {
		sed->at += c == '\\' ? 2 : 1;
		if (c == '\\' && sed->at <= sed->text.len && sed->at > 0)
			c = sed->text.data[sed->at - 1];
		sed_skip(sed, c, true);
		sed_blanks(sed, "IM");
	} else {
		sed_blanks(sed, "0123456789$~+");
	}
	sed_blanks(sed, " \t");
}

static void sed_substitute(struct sed *sed)
{
	int delimiter = sed_peek(sed);

	sed->at++;
	sed_skip(sed, delimiter, true);
	if (!sed->wrong)
		sed_skip(sed, delimiter, false);
	for (; !sed->wrong && sed->at < sed->text.len; sed->at++) {
		int c = sed->text.data[sed->at];
		if (strchr(";}\n# \t", c))
			return;
		if (c == 'w') {
			sed_line(sed);
			return;
		}
		sed->runs |= c == 'e';
		sed->wrong |= !strchr("gpeiImM0123456789", c);
	}
}

static void sed_command(struct sed *sed)
{
	int c = sed_peek(sed);

	sed->at++;
	if (c == 's') {
		sed_substitute(sed);
	} else if (c == 'y') {
		int delimiter = sed_peek(sed);
		sed->at++;
		sed_skip(sed, delimiter, false);
		if (!sed->wrong)
			sed_skip(sed, delimiter, false);
	} else if (c == 'e') {
		sed->runs = true;
	} else if (strchr("aicrRwW#", c)) {
		sed_line(sed);
	} else if (strchr(":btT", c)) {
		while (sed->at < sed->text.len && !strchr(";\n}", sed->text.data[sed->at]))
			sed->at++;
	} else if (strchr("lLqQ", c)) {
		sed_blanks(sed, " \t0123456789");
	} else if (!strchr("{}=dDgGhHnNpPxzFv", c)) {
		sed->wrong = true;
	}
}

static struct sed sed_read(struct bytes script, bool brackets)
{
	struct sed sed = { .text = script, .brackets = brackets };

	for (;;) {
		sed_blanks(&sed, " \t\n;");
		if (sed.at >= sed.text.len || sed.wrong || sed.runs)
			return sed;
		sed_address(&sed);
		if (sed_peek(&sed) == ',') {
			sed.at++;
			sed_blanks(&sed, " \t");
			sed_address(&sed);
		}
		sed_blanks(&sed, "! \t");
		if (sed.wrong || sed.at >= sed.text.len) {
			sed.wrong = true;
			return sed;
		}
		sed_command(&sed);
	}
}

/* Seds differ in whether a delimiter in [ ] ends a regular expression: the script is read both
 * ways, and what is wrong in the one counts only where the other makes no sense of it either. */
bool code_sed_runs(struct bytes script)
{
	struct sed with = sed_read(script, true), without = sed_read(script, false);

	return with.runs || without.runs || (with.wrong && without.wrong);
}

static int sed_text(struct look *look, const struct shell_word *word)
{
	if (shell_literal(word) || word->worst == SHELL_PATTERN)
		return code_sed_runs(word->text) ? code_doubt(look, unseen) : 0;
	return code_doubt(look, unseen);
}

int code_sed(struct look *look)
{
	static const struct text_options options = { "e", "f", "l", "expression", "file",
		sed_text };

	/* -i and --in-place take a suffix only where it is attached */
	return text_look(look, &options, true);
}

/* ---- SQL clients ---- */

/* What their own commands, COPY … PROGRAM and functions of the server can start. */
static const char *const sql_runs[] = { "\\!", "\\copy", "\\g", "\\o", "\\e", "\\w |", "program",
	"system ", "system\t", ".shell ", ".sh ", ".she ", ".system ", ".sys ", ".import ", ".imp",
	".load ", ".read ", ".once ", ".output ", ".out ", ".excel", ".open ", "load_extension",
	"edit(", "edit (", "writefile", "plpython", "plperl", "plsh", "pltcl", "lo_export",
	"xp_cmdshell", "!!", "sys_exec", "sys_eval", "into outfile", "into dumpfile", "executable(",
	"\n!", NULL };

/* sqlite's own commands, which may be abbreviated: those that only show or format. */
static const char *const dots[] = { ".tables", ".schema", ".databases", ".dump", ".indexes",
	".quit", ".exit", ".mode", ".headers", ".header", ".help", ".stats", ".show", ".timer",
	".width", ".fullschema", ".separator", ".nullvalue", ".echo", ".changes", ".bail", ".print",
	".dbinfo", ".version", ".explain", ".timeout", NULL };

/* At the beginning of a line, behind blanks. */
static bool dot_runs(struct bytes text)
{
	for (size_t at = 0; at < text.len; at++) {
		while (at < text.len && (text.data[at] == ' ' || text.data[at] == '\t'))
			at++;
		if (at + 1 < text.len && text.data[at] == '.' &&
			shell_name_byte(text.data[at + 1], true)) {
			size_t len = 1;
			while (at + len < text.len && shell_name_byte(text.data[at + len], false))
				len++;
			if (!shell_in((struct bytes){ text.data + at, len }, dots))
				return true;
		}
		while (at < text.len && text.data[at] != '\n')
			at++;
	}
	return false;
}

static int sql_text(struct look *look, const struct shell_word *word)
{
	bool runs = !shell_literal(word) && word->worst != SHELL_PATTERN;

	if (look->row->traits & CODE_WORDS)
		runs |= dot_runs(word->text);
	for (const char *const *part = sql_runs; *part && !runs; part++)
		runs = code_has(word->text, *part);
	return runs ? code_doubt(look, unseen) : 0;
}

/* The options are read by the row: those with & carry SQL. Every word is looked at: sqlite3 takes
 * SQL as an operand. */
int code_sql(struct look *look)
{
	bool sql = false;
	size_t operands = 0;
	int rc = 0;

	for (; !rc && look->at < look->count; look->at++) {
		const struct shell_word *word = &look->words[look->at];
		bool dash = word->text.len > 1 && word->text.data[0] == '-';
		static const char *const ends[] = { "--version", "-version", "--help", "-V", "-?",
			"-help", "--list", "-l", NULL };
		if (dash && shell_in(word->text, ends))
			return 0;
		bool option =
			dash &&
			(strchr(look->row->more, word->text.data[1]) ||
				code_has(word->text, "--command") ||
				code_has(word->text, "--exec") || code_has(word->text, "--query") ||
				code_has(word->text, "--eval") || code_has(word->text, "-cmd"));
		sql |= option || (dash && word->text.data[1] == 'f');
		operands += !dash;
		if (code_is_input(word))
			rc = code_doubt(look, unseen);
		/* values of other options are looked at, too: the price is a doubt too many */
		else if (memchr(word->text.data, ' ', word->text.len) || option ||
			 memchr(word->text.data, '.', word->text.len) ||
			 memchr(word->text.data, '\\', word->text.len))
			rc = sql_text(look, word);
	}
	sql |= operands > 1 && look->row->traits & CODE_WORDS;
	bool terminal = look->p->state->flags & SHELL_TYPED && !code_is_fed(look);
	if (rc || sql || terminal)
		return rc;
	return code_doubt(look, "program that reads code from its standard input");
}
