/* Arithmetic runs commands: a variable's value is evaluated again, and a subscript in it is
 * expanded, so that x='a[$(rm -r y)]'; echo $((x)) removes y.
 *
 * What is looked at: which variables are read as numbers, and what they may hold. A variable that
 * is only ever given numbers is harmless. One that is given text is, as long as no `$` and no
 * backtick stands in quotes anywhere in the line: then there is nothing to run. One that is given
 * what some command puts out is harmless if that command is known to put out numbers. And one that
 * the client may set, LC_ALL and the like, never is. */
#include <string.h>

#include "shell/impl.h"

#define NAMED_MAX 64 /* of a name that ${name:=value} sets, with its subscript */

static const char why[] = "arithmetic on data that may run commands";

/* ---- the table of names ---- */

static bool same(struct bytes a, struct bytes b)
{
	return a.len == b.len && !memcmp(a.data, b.data, a.len);
}

/* NULL: there are too many */
static struct shell_number *entry(struct shell_parser *p, struct bytes name)
{
	struct shell_state *state = p->state;

	for (size_t i = 0; i < state->number_count; i++)
		if (same(state->numbers[i].name, name))
			return &state->numbers[i];
	if (state->number_count == SHELL_NUMBERS_MAX) {
		state->numbers_full = true;
		return NULL;
	}
	struct shell_number *number = &state->numbers[state->number_count++];
	*number = (struct shell_number){ .name = name };
	return number;
}

/* Numbers by themselves, whatever happens. */
static const char *const numeric_names[] = { "RANDOM", "SRANDOM", "SECONDS", "UID", "EUID", "GID",
	"EGID", "PPID", "LINENO", "COLUMNS", "LINES", "SHLVL", "EPOCHSECONDS", "BASHPID", "HISTCMD",
	"OPTIND", "COMP_CWORD", "COMP_POINT", "BASH_SUBSHELL", "THREADS", "status", NULL };

/* How a name is met: it is read as a number, or its value goes to another variable. */
struct reading {
	bool strict;
	struct shell_number *to; /* NULL: read as a number */
};

static int use(struct shell_parser *p, struct bytes name, struct reading reading)
{
	if (shell_in(name, numeric_names))
		return 0;
	struct shell_number *number = entry(p, name);
	if (!number)
		return 0;
	if (reading.to) {
		reading.to->from |= 1ull << (number - p->state->numbers);
		return 0;
	}
	number->read = true;
	number->strict |= reading.strict;
	return 0;
}

/* ---- values ---- */

/* 12, -1, 0x1f, (1 2 3), {1..9} */
static bool is_number(struct bytes text)
{
	static const char digits[] = "0123456789+-.,(){} \t\n", hex[] = "0123456789abcdefABCDEFxX";
	bool based = text.len > 2 && text.data[0] == '0' && (text.data[1] | 32) == 'x';

	for (size_t i = 0; i < text.len; i++)
		if (!text.data[i] || !strchr(based ? hex : digits, text.data[i]))
			return false;
	return true;
}

/* Programs that put out numbers, or what the system says, as far as their arguments hold nothing
 * that could be made into a subscript. */
static const char *const counting[] = { "date", "wc", "nproc", "stat", "id", "getconf", "grep",
	"egrep", "fgrep", "zgrep", "expr", "seq", "df", "du", "free", "ps", "ls", "uptime", "cat",
	"who", "find", "pgrep", "pidof", "ss", "netstat", "tail", "head", "cut", "tr", "sort",
	"uniq", "awk", "sed", "nvidia-smi", "lsof", "jobs", "blockdev", "lscpu", "lsblk", "tput",
	"sysctl", "mktemp", "docker", "kubectl", "git", "systemctl", "bc", "xargs", "hostname",
	"curl", "cksum", "xmllint", NULL };

/* $(…) from `from` to `to`, whose commands begin at `command`. */
bool shell_number_counts(const struct shell_parser *p, size_t from, size_t to, size_t command)
{
	const struct shell_line *line = p->state->line;
	struct bytes text = { p->data + from, to - from };

	if (text.len < 3 || memchr(text.data, '[', text.len) || memchr(text.data, '\\', text.len) ||
		memmem(text.data, text.len, "<<", 2) ||
		memmem(text.data + 2, text.len - 2, "$(", 2) || command == line->command_count)
		return false;
	for (size_t i = command; i < line->command_count; i++) {
		const struct shell_command *of = &line->commands[i];
		if (of->what == SHELL_COMMAND && !shell_in(shell_program(of), counting))
			return false;
		if (of->what == SHELL_COMMAND && shell_is(shell_program(of), "awk") &&
			(memchr(of->source.data, '(', of->source.len) ||
				memchr(of->source.data, '"', of->source.len)))
			return false;
	}
	return true;
}

/* ---- where numbers are read ---- */

static size_t name_length(struct bytes text, size_t at)
{
	size_t len = 0;

	while (at + len < text.len && shell_name_byte(text.data[at + len], len == 0))
		len++;
	return len;
}

/* i=…, i+=…, i++: what it is given there is a number; but not i==…. */
static bool is_assigned(struct bytes text, size_t at)
{
	while (at < text.len && (text.data[at] == ' ' || text.data[at] == '\t'))
		at++;
	if (at + 1 < text.len && (text.data[at] == '+' || text.data[at] == '-') &&
		text.data[at + 1] == text.data[at])
		return true;
	while (at < text.len && text.data[at] && strchr("+-*/%&|^", text.data[at]))
		at++;
	return at < text.len && text.data[at] == '=' &&
	       (at + 1 == text.len || text.data[at + 1] != '=');
}

static int one_name(
	struct shell_parser *p, struct bytes text, size_t at, size_t len, struct reading reading)
{
	struct bytes name = { text.data + at, len };

	if (is_assigned(text, at + len)) {
		struct shell_number *number = entry(p, name);
		if (number)
			number->counted = true;
	}
	return use(p, name, reading);
}

/* Names in a text without expansions; 0x1f and 16#ff are numbers. */
static int names_in(struct shell_parser *p, struct bytes text, struct reading reading)
{
	int rc = 0;

	for (size_t at = 0; !rc && at < text.len;) {
		size_t len = name_length(text, at);
		bool digit = !len && text.data[at] >= '0' && text.data[at] <= '9';
		if (len)
			rc = one_name(p, text, at, len, reading);
		at += len ? len : 1;
		while (digit && at < text.len &&
			(shell_name_byte(text.data[at], false) || text.data[at] == '#'))
			at++;
	}
	return rc;
}

int shell_number_plain(struct shell_parser *p, size_t from, size_t to)
{
	return names_in(
		p, (struct bytes){ p->data + from, to - from }, (struct reading){ true, NULL });
}

static int doubt(struct shell_parser *p, struct bytes what)
{
	return shell_doubt(p, SHELL_NO_COMMAND, what, why);
}

/* $name, ${name…}, $1: the name of an expansion. */
static int expansion(struct shell_parser *p, struct bytes text, struct reading reading)
{
	size_t at = 1;

	if (text.len > 1 && text.data[1] == '{')
		at = 2;
	if (at < text.len && text.data[at] == '#' && at == 2 && text.len > 4)
		return 0; /* a length */
	size_t len = name_length(text, at);
	if (len)
		return use(p, (struct bytes){ text.data + at, len }, reading);
	static const char numbers[] = "#?$!";
	bool number = text.len > 1 && at < text.len && strchr(numbers, text.data[at]);
	if (number || text.len < 2)
		return 0;
	return use(p, (struct bytes){ (const uint8_t *)"1", 1 }, reading);
}

static int nested(struct shell_parser *p, struct bytes text, struct reading reading, bool counted)
{
	bool runs = text.data[0] == '`' || (text.len > 1 && text.data[1] == '(');

	if (!runs)
		return expansion(p, text, reading);
	if (counted || (text.len > 2 && text.data[2] == '('))
		return 0;
	struct shell_number *number = entry(p, (struct bytes){ (const uint8_t *)"$(", 2 });
	if (number)
		number->unknown = true;
	return use(p, (struct bytes){ (const uint8_t *)"$(", 2 }, reading);
}

int shell_number_nested(struct shell_parser *p, size_t from, size_t to, size_t command)
{
	struct bytes text = { p->data + from, to - from };

	if (text.data[0] == '$' || text.data[0] == '`')
		return nested(p, text, (struct reading){ true, NULL },
			shell_number_counts(p, from, to, command));
	if (text.data[0] == '"' || text.data[0] == '\'')
		return shell_number_text(p, text, true);
	return 0;
}

/* The end of the expansion at `at`; brackets are counted, quotes are not looked at. */
static size_t expansion_end(struct bytes text, size_t at)
{
	size_t depth = 0, from = at;

	if (text.data[at] == '`') {
		const uint8_t *end = memchr(text.data + at + 1, '`', text.len - at - 1);
		return end ? (size_t)(end - text.data) + 1 : text.len;
	}
	at++;
	if (at < text.len && strchr("({", text.data[at])) {
		for (; at < text.len; at++) {
			depth += text.data[at] == '(' || text.data[at] == '{';
			depth -= text.data[at] == ')' || text.data[at] == '}';
			if (!depth)
				return at + 1;
		}
		return text.len;
	}
	size_t len = name_length(text, at);
	at += len ? len : at < text.len;
	return at > from ? at : from + 1;
}

static int read_text(struct shell_parser *p, struct bytes text, struct reading reading)
{
	int rc = 0;

	for (size_t at = 0; !rc && at < text.len;) {
		size_t from = at;
		while (at < text.len && text.data[at] != '$' && text.data[at] != '`')
			at++;
		if (!reading.to)
			rc = names_in(p, (struct bytes){ text.data + from, at - from }, reading);
		if (rc || at >= text.len)
			break;
		from = at;
		at = expansion_end(text, at);
		rc = nested(p, (struct bytes){ text.data + from, at - from }, reading,
			reading.to != NULL);
	}
	return rc;
}

int shell_number_text(struct shell_parser *p, struct bytes text, bool strict)
{
	return read_text(p, text, (struct reading){ strict, NULL });
}

/* The expansions of a word; where it is a number the names in its plain text, too. */
static int read_word(struct shell_parser *p, const struct shell_word *word, struct reading reading)
{
	int rc = 0;

	for (size_t at = 0; !rc && at < word->text.len;) {
		size_t from = at;
		bool unknown = word->kinds[at] == SHELL_UNKNOWN;
		while (at < word->text.len && (word->kinds[at] == SHELL_UNKNOWN) == unknown)
			at++;
		struct bytes part = { word->text.data + from, at - from };
		bool runs = !unknown && memchr(part.data, '[', part.len) &&
			    (memchr(part.data, '$', part.len) || memchr(part.data, '`', part.len));
		if (unknown)
			rc = read_text(p, part, reading);
		else if (runs && !reading.to)
			rc = doubt(p, word->source);
		else if (!reading.to)
			rc = names_in(p, part, reading);
	}
	return rc;
}

int shell_number_word(struct shell_parser *p, const struct shell_word *word, bool strict)
{
	bool counted = word->worst == SHELL_UNKNOWN && word->substitutes && !word->puts;

	return counted ? 0 : read_word(p, word, (struct reading){ strict, NULL });
}

/* ---- what they hold ---- */

int shell_number_assign(struct shell_parser *p, struct bytes name, const struct shell_word *value)
{
	struct shell_number *number = entry(p, name);

	if (!number)
		return 0;
	bool computed = value->text.len > 2 && !memcmp(value->text.data, "$((", 3);
	if (is_number(value->text) || computed || (value->substitutes && !value->puts))
		number->counted = true;
	else if (value->puts)
		number->unknown = true;
	else
		number->text = true;
	int rc = computed ? 0 : read_word(p, value, (struct reading){ false, number });
	return rc || !p->state->integers ? rc : shell_number_word(p, value, true);
}

int shell_number_input(struct shell_parser *p, struct bytes name)
{
	struct shell_number *number = entry(p, name);

	if (number)
		number->text = true;
	return 0;
}

int shell_number_each(struct shell_parser *p, struct bytes name, const struct shell_word *word)
{
	struct shell_number *number = entry(p, name);

	if (!number)
		return 0;
	if (is_number(word->text) || (word->substitutes && !word->puts))
		number->counted = true;
	else
		number->text = true;
	return read_word(p, word, (struct reading){ false, number });
}

/* ---- ${…} ---- */

static bool is_all(struct bytes text)
{
	return text.len == 1 && (text.data[0] == '@' || text.data[0] == '*');
}

/* ${!x}: x holds a name, whose subscript is computed. Names that begin with x, and the keys of an
 * array, are only listed. */
static int named(struct shell_parser *p, struct bytes text, size_t after)
{
	struct bytes rest = { text.data + after, text.len - after };

	if (shell_is(rest, "@}") || shell_is(rest, "*}") || shell_is(rest, "[@]}") ||
		shell_is(rest, "[*]}"))
		return 0;
	return shell_doubt(p, SHELL_NO_COMMAND, text, "variable that is named by another");
}

/* Behind the name: what a colon begins, up to the brace, is computed, but for ${x:-y} and such. */
static int operation(
	struct shell_parser *p, struct bytes name, struct bytes whole, struct bytes rest)
{
	bool colon = rest.len > 1 && rest.data[0] == ':';
	struct bytes behind = { rest.data + colon, rest.len - colon };

	if ((behind.len && behind.data[0] == '=') ||
		(behind.len > 1 && !memcmp(behind.data, ":=", 2))) {
		static const uint8_t kinds[NAMED_MAX];
		whole.len = whole.len < NAMED_MAX ? whole.len : NAMED_MAX;
		const struct shell_word word = { .text = whole, .kinds = kinds, .source = whole };
		int rc = shell_name_judge(p, SHELL_NO_COMMAND, &word);
		return rc ? rc : shell_number_input(p, name);
	}
	if (!colon || (behind.len && strchr("-?+", behind.data[0])))
		return 0;
	return shell_number_text(p, behind, true);
}

int shell_number_braces(struct shell_parser *p, struct bytes text)
{
	bool length = text.len > 4 && text.data[2] == '#';
	bool other = text.len > 4 && text.data[2] == '!';
	size_t at = 2 + (length || other), len = name_length(text, at);
	struct bytes name = { text.data + at, len };
	int rc = 0;

	at += len;
	if (other && len)
		return named(p, text, at);
	if (len && at < text.len && text.data[at] == '[') {
		const uint8_t *close = memchr(text.data + at, ']', text.len - at);
		size_t end = close ? (size_t)(close - text.data) : text.len;
		struct bytes subscript = { text.data + at + 1, end - at - 1 };
		rc = is_all(subscript) ? 0 : shell_number_text(p, subscript, true);
		at = end < text.len ? end + 1 : end;
	}
	if (rc || at >= text.len)
		return rc;
	return operation(p, name, (struct bytes){ name.data, text.data + at - name.data },
		(struct bytes){ text.data + at, text.len - at - 1 });
}

/* ---- the end ---- */

/* Programs that turn one text into another: what stands in the line may be hidden for good. */
static const char *const decoders[] = { "base64", "base32", "basenc", "xxd", "uudecode", "openssl",
	"gunzip", "zcat", "gzip", "bzcat", "xzcat", "zstdcat", "jq", "dc", "iconv", "recode",
	NULL };
static const char *const printers[] = { "printf", "echo", "print", "awk", NULL };

static bool decodes(const struct shell_line *line)
{
	for (size_t i = 0; i < line->command_count; i++) {
		const struct shell_command *command = &line->commands[i];
		struct bytes program = shell_program(command), source = command->source;
		if (command->what != SHELL_COMMAND)
			continue;
		if (command->code || shell_in(program, decoders))
			return true;
		if (shell_in(program, printers) &&
			(memchr(source.data, '\\', source.len) ||
				memmem(source.data, source.len, "printf(", 7)))
			return true;
	}
	return false;
}

/* The client sets these, and they reach the target. */
static bool from_outside(struct bytes name)
{
	static const char *const names[] = { "LANG", "LANGUAGE", "TERM", "COLORTERM", "NO_COLOR",
		"TZ", NULL };

	return shell_in(name, names) || (name.len > 3 && !memcmp(name.data, "LC_", 3)) ||
	       (name.len > 4 && !memcmp(name.data, "GIT_", 4));
}

/* What is read as a number was perhaps given the value of another variable. */
static void follow(struct shell_state *state)
{
	for (bool again = true; again;) {
		again = false;
		for (size_t i = 0; i < state->number_count; i++) {
			const struct shell_number *number = &state->numbers[i];
			for (size_t k = 0; number->read && k < state->number_count; k++) {
				struct shell_number *source = &state->numbers[k];
				bool comes = number->from >> k & 1;
				again |= comes &&
					 (!source->read || (number->strict && !source->strict));
				source->read |= comes;
				source->strict |= comes && number->strict;
			}
		}
	}
}

int shell_numbers_judge(struct shell_parser *p)
{
	struct shell_state *state = p->state;
	bool hidden = state->number_count && (state->hidden || decodes(state->line));
	int rc = 0;

	follow(state);
	for (size_t i = 0; !rc && i < state->number_count; i++) {
		const struct shell_number *number = &state->numbers[i];
		bool only_counted = number->counted && !number->text && !number->unknown;
		bool read = number->read || (state->integers && number->text);
		bool risky = from_outside(number->name) || (number->unknown && number->strict) ||
			     (hidden && !only_counted);
		if (read && risky)
			rc = doubt(p, number->name);
	}
	if (!rc && state->numbers_full && hidden)
		rc = doubt(p, state->text);
	return rc;
}
