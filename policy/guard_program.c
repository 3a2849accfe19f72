/* Entries that understand options: {program: rm, options: [-r, -R, --recursive]}.
 *
 *	program     base names, as patterns; one of them
 *	subcommand  the first words that are no options: "system prune"; one of them
 *	options     one of them is given: -r also within a cluster (-fr) and behind operands,
 *	            --recursive also abbreviated (--rec) and with a value, -delete as that word
 *	values      options that take a value, which is no option itself: -o in `-o -r`
 *	arguments   a word, option or not, that one of these patterns matches; paths also in their
 *	            shortest form (//etc/./ is /etc)
 *	matches     the whole command, as a pattern alone would be held against it
 *
 * What is written must hold, all of it. Behind `--` nothing is an option. A word that is only known
 * when the line runs may be anything: that is a MAYBE where it could make the difference. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "policy/guard_impl.h"

#define WORDS_MAX 64 /* of one key */

struct argument {
	struct pattern *pattern;
	struct guard_automaton *automaton; /* NULL: a regular expression */
};

struct guard_program {
	char **names, **subcommands, **options, **values, **argument_texts,
		**match_texts; /* as written */
	struct pattern **programs;
	uint64_t first[4]; /* bytes that the name of a program may begin with: a bit each */
	struct argument *arguments, *matches;
	size_t argument_count, match_count;
};

/* ---- loading ---- */

static int no_memory(struct err *err)
{
	return err_set(err, -ENOMEM, "out of memory");
}

static size_t count_of(char *const *list)
{
	size_t count = 0;

	while (list && list[count])
		count++;
	return count;
}

static int load_words(const struct yaml *node, char ***ret, struct err *err)
{
	int rc = node ? yaml_strings(node, WORDS_MAX, PATTERN_MAX, ret, err) : 0;

	if (rc < 0 || !node)
		return rc;
	if (!(*ret)[0])
		return yaml_error(node, err, "'%s' is empty: it would never match", node->key);
	return 0;
}

static int compile(const char *text, struct pattern **ret, const struct yaml *node, struct err *err)
{
	struct err why = { "" };
	int rc = pattern_compile(text, ret, &why);

	if (!rc)
		return 0;
	return rc == -ENOMEM ? no_memory(err) : yaml_error(node, err, "%s", why.text);
}

static void note_first(struct guard_program *program, const char *name)
{
	uint8_t first = (uint8_t)*name;
	bool any = strchr("*?\\", first) || !strncmp(name, "re:", 3);

	if (any)
		memset(program->first, 0xff, sizeof(program->first));
	program->first[first / 64] |= 1ull << first % 64;
}

static int compile_programs(struct guard_program *program, const struct yaml *node, struct err *err)
{
	size_t count = count_of(program->names);
	int rc = 0;

	program->programs = calloc(count + 1, sizeof(struct pattern *));
	if (!program->programs)
		return no_memory(err);
	for (size_t i = 0; !rc && i < count; i++) {
		const char *name = program->names[i];
		if (strncmp(name, "re:", 3) && strpbrk(name, "/ "))
			return yaml_error(node, err,
				"'%s' is no base name of a program: no slash, no blank", name);
		rc = compile(name, &program->programs[i], node, err);
		note_first(program, name);
	}
	return rc;
}

static int compile_list(char *const *texts, struct argument **ret, size_t *ret_count,
	const struct yaml *node, struct err *err)
{
	size_t count = count_of(texts);
	int rc = 0;

	if (!count)
		return 0;
	*ret = calloc(count, sizeof(struct argument));
	if (!*ret)
		return no_memory(err);
	*ret_count = count;
	for (size_t i = 0; !rc && i < count; i++) {
		rc = compile(texts[i], &(*ret)[i].pattern, node, err);
		if (!rc && strncmp(texts[i], "re:", 3) &&
			!((*ret)[i].automaton = guard_automaton_new(texts[i])))
			rc = no_memory(err);
	}
	return rc;
}

static int check_options(char *const *list, const struct yaml *node, struct err *err)
{
	for (; list && *list; list++)
		if ((*list)[0] != '-' || !(*list)[1] || !strcmp(*list, "--") ||
			strpbrk(*list, " =*"))
			return yaml_error(
				node, err, "'%s' is no option: -x, --name or -name", *list);
	return 0;
}

int guard_program_load(const struct yaml *map, struct guard_program **ret, struct err *err)
{
	static const char *const keys[] = { "program", "subcommand", "options", "values",
		"arguments", "matches", NULL };
	const struct yaml *name = yaml_get(map, "program"), *options = yaml_get(map, "options"),
			  *values = yaml_get(map, "values"),
			  *arguments = yaml_get(map, "arguments"),
			  *matches = yaml_get(map, "matches");
	int rc = yaml_only(map, keys, err);

	if (!rc && !name)
		rc = yaml_error(map, err, "an entry with options needs 'program'");
	struct guard_program *program = rc ? NULL : calloc(1, sizeof(*program));
	if (!program)
		return rc ? rc : no_memory(err);
	rc = load_words(name, &program->names, err);
	if (!rc)
		rc = load_words(yaml_get(map, "subcommand"), &program->subcommands, err);
	if (!rc)
		rc = load_words(options, &program->options, err);
	if (!rc)
		rc = load_words(values, &program->values, err);
	if (!rc)
		rc = load_words(arguments, &program->argument_texts, err);
	if (!rc)
		rc = load_words(matches, &program->match_texts, err);
	if (!rc)
		rc = compile_programs(program, name, err);
	if (!rc)
		rc = check_options(program->options, options, err);
	if (!rc)
		rc = check_options(program->values, values, err);
	if (!rc)
		rc = compile_list(program->argument_texts, &program->arguments,
			&program->argument_count, arguments, err);
	if (!rc)
		rc = compile_list(program->match_texts, &program->matches, &program->match_count,
			matches, err);
	if (rc)
		guard_program_free(program);
	else
		*ret = program;
	return rc;
}

static void free_list(struct argument *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		pattern_free(list[i].pattern);
		free(list[i].automaton);
	}
	free(list);
}

void guard_program_free(struct guard_program *program)
{
	if (!program)
		return;
	for (size_t i = 0; program->programs && program->programs[i]; i++)
		pattern_free(program->programs[i]);
	free_list(program->arguments, program->argument_count);
	free_list(program->matches, program->match_count);
	free(program->programs);
	text_list_free(program->names);
	text_list_free(program->subcommands);
	text_list_free(program->options);
	text_list_free(program->values);
	text_list_free(program->argument_texts);
	text_list_free(program->match_texts);
	free(program);
}

/* ---- words ---- */

static enum fit greater(enum fit a, enum fit b)
{
	return a > b ? a : b;
}

/* How many bytes of the word are certain, from its beginning on. */
static size_t certain(const struct shell_word *word)
{
	size_t len = 0;

	while (len < word->text.len && word->kinds[len] <= SHELL_QUOTED)
		len++;
	return len;
}

static bool is_dash(const struct shell_word *word)
{
	return word->text.len > 1 && word->text.data[0] == '-' && word->kinds[0] <= SHELL_QUOTED;
}

static bool is_end(const struct shell_word *word)
{
	return word->text.len == 2 && !memcmp(word->text.data, "--", 2) &&
	       word->worst <= SHELL_QUOTED;
}

/* A word that could turn out to be an option: an expansion, or a pattern behind a dash. */
static bool may_be_option(const struct shell_word *word)
{
	return word->worst == SHELL_UNKNOWN || (is_dash(word) && word->worst == SHELL_PATTERN);
}

/* --rec, --recursive=x: the name without its value. */
static struct bytes long_name(struct bytes text)
{
	const uint8_t *equal = memchr(text.data, '=', text.len);

	return (struct bytes){ text.data, equal ? (size_t)(equal - text.data) : text.len };
}

static bool is_long(const char *option)
{
	return option[1] == '-';
}

static bool is_short(const char *option)
{
	return option[1] != '-' && !option[2];
}

static bool in_list(char *const *list, uint8_t letter)
{
	for (; list && *list; list++)
		if (is_short(*list) && (uint8_t)(*list)[1] == letter)
			return true;
	return false;
}

/* The whole word is one of the list's long options, as it is or abbreviated, or one of its words
 * with a single dash. */
static bool whole_in_list(char *const *list, struct bytes text)
{
	struct bytes name = long_name(text);

	for (; list && *list; list++) {
		size_t len = strlen(*list);
		bool abbreviated = is_long(*list) && name.len > 2 && name.len <= len;
		if ((abbreviated || name.len == len) && !memcmp(*list, name.data, name.len))
			return true;
	}
	return false;
}

/* What an option word says: one that is wanted, or one whose value is the next word. */
struct option_word {
	bool wanted, takes_next;
};

static struct option_word read_option(const struct guard_program *program, struct bytes text)
{
	struct option_word found = { .wanted = whole_in_list(program->options, text) };

	if (text.len > 2 && text.data[1] == '-') {
		found.takes_next =
			!memchr(text.data, '=', text.len) && whole_in_list(program->values, text);
		return found;
	}
	for (size_t i = 1; i < text.len; i++) {
		found.wanted |= in_list(program->options, text.data[i]);
		if (in_list(program->values, text.data[i])) {
			found.takes_next = i + 1 == text.len;
			break;
		}
	}
	if (!found.takes_next)
		found.takes_next =
			whole_in_list(program->values, text) && !memchr(text.data, '=', text.len);
	return found;
}

/* ---- the parts of the entry ---- */

static enum fit fit_options(
	const struct guard_program *program, const struct shell_command *command)
{
	enum fit fit = FIT_NO;

	for (size_t i = 1; i < command->count && fit != FIT_FIRM; i++) {
		const struct shell_word *word = &command->words[i];
		if (is_end(word))
			break;
		if (may_be_option(word))
			fit = greater(fit, FIT_MAYBE);
		if (!is_dash(word))
			continue;
		struct option_word found =
			read_option(program, (struct bytes){ word->text.data, certain(word) });
		if (found.wanted)
			fit = FIT_FIRM;
		i += found.takes_next && word->worst <= SHELL_QUOTED;
	}
	return fit;
}

/* The wanted words stand in front, one behind the other; options may stand between them, each
 * perhaps with a value of its own. */
static enum fit fit_subcommand(const struct guard_program *program, const char *wanted,
	const struct shell_command *command)
{
	bool value = false, sure = false; /* the word is the value of the option before it */

	for (size_t i = 1; i < command->count; i++) {
		const struct shell_word *word = &command->words[i];
		size_t len = strcspn(wanted, " ");
		if (sure && !word->splits) {
			value = sure = false;
			continue;
		}
		if (word->worst > SHELL_QUOTED)
			return FIT_MAYBE;
		if (word->text.len == len && !memcmp(word->text.data, wanted, len)) {
			wanted += len + strspn(wanted + len, " ");
			value = false;
			if (!*wanted)
				return FIT_FIRM;
		} else if (is_dash(word)) {
			value = !is_end(word) && !memchr(word->text.data, '=', word->text.len);
			sure = value && read_option(program, word->text).takes_next;
		} else if (value) {
			value = false;
		} else {
			return FIT_NO;
		}
	}
	return FIT_NO;
}

/* /a//b/./c/../d/ is /a/b/d: whatever links may make of it. */
static int shorten(struct bytes path, struct buf *out)
{
	int rc = 0;

	for (size_t at = 0; !rc && at < path.len;) {
		size_t from = at + 1, to = from;
		while (to < path.len && path.data[to] != '/')
			to++;
		size_t len = to - from;
		bool up = len == 2 && !memcmp(path.data + from, "..", 2);
		while (up && out->len > 0 && buf_data(out)[out->len - 1] != '/')
			out->len--;
		if (up && out->len > 0)
			out->len--;
		bool counts = len > 0 && !up && !(len == 1 && path.data[from] == '.');
		if (counts)
			rc = buf_put(out, path.data + at, len + 1);
		at = to;
	}
	return rc || out->len ? rc : buf_putc(out, '/');
}

static enum fit fit_text(const struct argument *argument, struct bytes text)
{
	enum pattern_answer answer =
		pattern_match(argument->pattern, (const char *)text.data, text.len);

	return answer == PATTERN_NO ? FIT_NO : answer == PATTERN_YES ? FIT_FIRM : FIT_MAYBE;
}

static enum fit fit_shortened(const struct argument *argument, struct bytes text)
{
	BUF_CLEANUP struct buf path = BUF_INIT(text.len + 1);

	if (!text.len || text.data[0] != '/' ||
		(!memmem(text.data, text.len, "//", 2) && !memmem(text.data, text.len, "/.", 2) &&
			text.data[text.len - 1] != '/'))
		return FIT_NO;
	return shorten(text, &path) ? FIT_MAYBE : fit_text(argument, buf_bytes(&path));
}

/* best: what was found before; a MAYBE is not looked for twice */
static enum fit fit_argument(
	const struct argument *argument, const struct shell_word *word, enum fit best)
{
	enum fit fit = fit_text(argument, word->text);

	if (fit < FIT_FIRM)
		fit = greater(fit, fit_shortened(argument, word->text));
	if (fit > FIT_NO || word->worst <= SHELL_QUOTED || best == FIT_MAYBE)
		return fit;
	/* a regular expression cannot look at what is uncertain */
	bool maybe = argument->automaton
			     ? guard_could_match(argument->automaton, word->text, word->kinds)
			     : true;
	return maybe ? FIT_MAYBE : FIT_NO;
}

static enum fit fit_arguments(
	const struct guard_program *program, const struct shell_command *command)
{
	enum fit fit = FIT_NO;

	for (size_t i = 1; i < command->count && fit != FIT_FIRM; i++)
		for (size_t k = 0; k < program->argument_count && fit != FIT_FIRM; k++)
			fit = greater(
				fit, fit_argument(&program->arguments[k], &command->words[i], fit));
	return fit;
}

/* Held against the whole command, as a pattern alone. */
static enum fit fit_matches(const struct guard_program *program, const struct guard_text *whole)
{
	enum fit fit = FIT_NO;

	for (size_t i = 0; i < program->match_count && fit != FIT_FIRM; i++) {
		const struct argument *match = &program->matches[i];
		fit = greater(fit, fit_text(match, whole->text));
		if (fit == FIT_NO && whole->uncertain && match->automaton &&
			guard_could_match(match->automaton, whole->text, whole->kinds))
			fit = FIT_MAYBE;
	}
	return fit;
}

static bool fits_name(const struct guard_program *program, struct bytes name)
{
	uint8_t first = name.len ? *name.data : 0;

	if (!(program->first[first / 64] >> first % 64 & 1))
		return false;
	for (struct pattern **pattern = program->programs; *pattern; pattern++)
		if (pattern_match(*pattern, (const char *)name.data, name.len) != PATTERN_NO)
			return true;
	return false;
}

enum fit guard_program_fit(const struct guard_program *program, const struct shell_command *command,
	const struct guard_text *whole, bool known)
{
	enum fit fit = known ? FIT_FIRM : FIT_BENT, part = FIT_NO;

	if (command->what != SHELL_COMMAND || !fits_name(program, shell_program(command)))
		return FIT_NO;
	for (char **wanted = program->subcommands; wanted && *wanted && part < FIT_FIRM; wanted++)
		part = greater(part, fit_subcommand(program, *wanted, command));
	if (program->subcommands && part < fit)
		fit = part;
	if (program->options && fit != FIT_NO && (part = fit_options(program, command)) < fit)
		fit = part;
	if (program->arguments && fit != FIT_NO && (part = fit_arguments(program, command)) < fit)
		fit = part;
	if (program->matches && fit != FIT_NO && (part = fit_matches(program, whole)) < fit)
		fit = part;
	return fit;
}

bool guard_program_names(const struct guard_program *program, struct bytes name)
{
	for (size_t i = 0; program->programs[i]; i++)
		if (!strpbrk(program->names[i], "*?:") && strlen(program->names[i]) == name.len &&
			!memcmp(program->names[i], name.data, name.len))
			return true;
	return false;
}

bool guard_program_has(const struct guard_program *program, const char *word, const char *pattern)
{
	const struct bytes text = { (const uint8_t *)word, strlen(word) };
	bool about = !program->subcommands;

	for (char **sub = program->subcommands; sub && *sub; sub++)
		about |= strstr(pattern, *sub) != NULL;
	return about && program->options && read_option(program, text).wanted;
}

/* ---- writing ---- */

/* An option: needs no quotes in YAML. */
static bool is_plain(const char *text)
{
	static const char bytes[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

	return text[0] == '-' && text[1] && !text[strspn(text, bytes)];
}

static int dump_key(const char *key, char *const *list, struct buf *out)
{
	if (!list)
		return 0;
	int rc = buf_printf(out, "%s: ", key);

	if (!rc && list[1])
		rc = buf_puts(out, "[");
	for (size_t i = 0; !rc && list[i]; i++) {
		rc = i ? buf_puts(out, ", ") : 0;
		if (!rc)
			rc = is_plain(list[i]) ? buf_puts(out, list[i])
					       : yaml_put_text(out, list[i]);
	}
	return rc || !list[1] ? rc : buf_puts(out, "]");
}

int guard_program_dump(const struct guard_program *program, struct buf *out)
{
	const struct {
		const char *key;
		char *const *list;
	} keys[] = { { "{program", program->names }, { ", subcommand", program->subcommands },
		{ ", options", program->options }, { ", values", program->values },
		{ ", arguments", program->argument_texts }, { ", matches", program->match_texts } };
	int rc = 0;

	for (size_t i = 0; !rc && i < sizeof(keys) / sizeof(*keys); i++)
		rc = dump_key(keys[i].key, keys[i].list, out);
	return rc ? rc : buf_putc(out, '}');
}
