/* Scenes: tests that are data.
 *
 * What a shell's guard must do is a story: this happens, then that, and this must have come of it.
 * A folder of *.scene files holds the stories, a test program holds the words that they are told in
 * (struct scene_word), and each scene is a cmocka test with the scene's name (scene.h).
 *
 *	# A comment: to the end of the line, here or behind a step.
 *	scene a warning is answered
 *		with "y" "\r"
 *		with "n" "\x03"
 *		verdict warn
 *		keys $1
 *		sent $2
 *
 * - `scene` begins a line; its name goes to the line's end, and no other scene has it.
 * - `with`, directly below: the scene is played once for each `with`; $1 stands for its first word,
 *   $2 for its second. All of a scene have as many words, and every one is used.
 * - All else is a step, on a line that begins with a tab: a word of the program and its arguments,
 *   with spaces between:
 *     a number   decimal digits
 *     a name     one of a few that the word knows
 *     a text     in double quotes, with \e \r \n \t \b \\ \" and \xHH. Several one behind the other
 *                are one text; 3*"ab" is "ababab".
 *     a match    a text that must be the whole, or `has` or `without` and a text that must be, or
 *                must not be, somewhere in it
 *
 * Whatever is not like this is an error with file and line, and then no scene is played. So is a
 * scene that expects nothing. */
#ifndef BARTIZAN_TEST_SCENE_READ_H
#define BARTIZAN_TEST_SCENE_READ_H

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"

#define SCENE_ARGS_MAX 3
#define SCENE_TOKENS_MAX 16
#define SCENE_TEXT_MAX (1 << 20)

/* ---- what a test program gives, and what its words get ---- */

enum scene_match { SCENE_WHOLE, SCENE_HAS, SCENE_WITHOUT };

struct scene_arg {
	struct buf text;
	enum scene_match match;
	int number; /* or a name's place among the names */
};

struct scene_step {
	const char *file, *source; /* source: the whole line, to its newline */
	int line;
	const struct scene_word *word;
	size_t count; /* of the arguments */
	struct scene_arg args[SCENE_ARGS_MAX];
};

enum scene_role {
	SCENE_DOES,
	SCENE_BEGINS, /* is the first step or none */
	SCENE_EXPECTS
};

struct scene_word {
	const char *name;
	/* a letter for each argument: n(umber), w (a name), t(ext), m(atch); those behind ? may be
	 * left out */
	const char *takes;
	void (*play)(void *world, const struct scene_step *step);
	enum scene_role role;
	const char *const *names; /* for w; the last is NULL */
};

struct scene_kind {
	const struct scene_word *words; /* the last has no name */
	void *(*begin)(void);		/* a world for one scene */
	void (*end)(void *world);
};

/* ---- a line in tokens ---- */

struct scene_token {
	bool quoted;
	struct buf text;
};

struct scene_line {
	size_t count;
	struct scene_token tokens[SCENE_TOKENS_MAX];
};

#define SCENE_LINE_CLEANUP __attribute__((cleanup(scene_line_release)))

static inline void scene_line_release(struct scene_line *line)
{
	for (size_t i = 0; i < line->count; i++)
		buf_release(&line->tokens[i].text);
	line->count = 0;
}

/* The byte that stands behind a backslash; *at is behind the backslash, and then behind it all. */
static inline int scene_escape(const char **at, uint8_t *ret)
{
	static const char names[] = "ernbt\\\"", bytes[] = "\033\r\n\b\t\\\"";
	const char *name = **at ? strchr(names, **at) : NULL;
	char digits[3] = "";

	if (name) {
		*ret = (uint8_t)bytes[name - names];
		(*at)++;
		return 0;
	}
	if ((*at)[0] != 'x' || !isxdigit((unsigned char)(*at)[1]) ||
		!isxdigit((unsigned char)(*at)[2]))
		return -EINVAL;
	memcpy(digits, *at + 1, 2);
	*ret = (uint8_t)strtoul(digits, NULL, 16);
	*at += 3;
	return 0;
}

static inline int scene_quoted(const char **at, struct buf *ret, struct err *err)
{
	for ((*at)++; **at != '"';) {
		uint8_t byte = (uint8_t)(*at)[0];

		if (!byte || byte == '\n')
			return err_set(err, -EINVAL, "a text is not closed");
		(*at)++;
		if (byte == '\\' && scene_escape(at, &byte))
			return err_set(err, -EINVAL, "there is no escape '\\%c'", **at);
		if (buf_putc(ret, byte))
			return err_set(err, -EMSGSIZE, "a text is too long");
	}
	(*at)++;
	return 0;
}

/* TIMES*"text" */
static inline int scene_repeated(
	const char **at, unsigned long times, struct buf *ret, struct err *err)
{
	BUF_CLEANUP struct buf once = BUF_INIT(SCENE_TEXT_MAX);
	int rc = scene_quoted(at, &once, err);

	if (!rc && (!times || times > SCENE_TEXT_MAX || once.len * times > SCENE_TEXT_MAX))
		return err_set(err, -EMSGSIZE, "a text is too long, or repeated no times");
	for (unsigned long i = 0; !rc && i < times; i++)
		rc = buf_put(ret, buf_data(&once), once.len);
	return rc;
}

static inline int scene_token(const char **at, struct scene_token *ret, struct err *err)
{
	char *behind;
	unsigned long times = strtoul(*at, &behind, 10);
	bool repeated = isdigit((unsigned char)**at) && behind[0] == '*' && behind[1] == '"';
	size_t len = strcspn(*at, " \t\n\"#");
	int rc;

	ret->text = BUF_INIT(SCENE_TEXT_MAX);
	ret->quoted = repeated || **at == '"';
	if (repeated)
		*at = behind + 1;
	if (ret->quoted) {
		rc = scene_repeated(at, repeated ? times : 1, &ret->text, err);
	} else {
		rc = buf_put(&ret->text, *at, len);
		*at += len;
	}
	if (!rc && **at && !strchr(" \t\n", **at))
		rc = err_set(err, -EINVAL, "a space is missing before '%c'", **at);
	return rc;
}

/* One line, and *at is behind its newline. */
static inline int scene_split(const char **at, struct scene_line *ret, struct err *err)
{
	for (ret->count = 0;;) {
		int rc;

		*at += strspn(*at, " \t");
		if (**at == '#')
			*at += strcspn(*at, "\n");
		if (!**at || **at == '\n')
			break;
		if (ret->count == SCENE_TOKENS_MAX)
			return err_set(err, -EINVAL, "too many words in a line");
		rc = scene_token(at, &ret->tokens[ret->count++], err);
		if (rc)
			return rc;
	}
	*at += **at == '\n';
	return 0;
}

/* ---- a step ---- */

struct scene {
	const struct scene_kind *kind;
	const char *name; /* with its row */
	struct scene_step *steps;
	size_t count;
};

/* All that were read; they end with scenes_release(). */
struct scenes {
	const struct scene_kind *kind;
	struct scene *list;
	size_t count;
	char **kept; /* names and texts that the above points into */
	size_t kept_count;
};

struct scene_reader {
	struct scenes *all;
	struct err *err;
	const char *file, *at, *source; /* at: the next line; source: the last one */
	int line;			/* its number */
	/* of a scene: its `with`, and which words of it were used, a bit for each */
	const struct scene_line *row;
	unsigned used;
	/* of a step: its tokens, and which is next */
	const struct scene_line *now;
	size_t next;
};

/* For one more, which is all zeroes. */
static inline void *scene_grown(void *list, size_t count, size_t size)
{
	void *grown = realloc(list, (count + 1) * size);

	if (!grown)
		abort();
	memset((char *)grown + count * size, 0, size);
	return grown;
}

static inline const char *scenes_keep(struct scenes *all, const char *text, size_t len)
{
	char *kept = strndup(text, len);

	if (!kept)
		abort();
	all->kept = scene_grown(all->kept, all->kept_count, sizeof *all->kept);
	all->kept[all->kept_count++] = kept;
	return kept;
}

/* The next token, with $1 as what it stands for. NULL: none is left, or nothing stands for it. */
static inline const struct scene_token *scene_peek(struct scene_reader *reader)
{
	const struct scene_token *token = &reader->now->tokens[reader->next];
	size_t number;

	if (reader->next == reader->now->count)
		return NULL;
	if (token->quoted || buf_data(&token->text)[0] != '$')
		return token;
	number = token->text.len == 2 ? (size_t)(buf_data(&token->text)[1] - '0') : 0;
	if (number < 1 || number >= reader->row->count)
		return NULL;
	reader->used |= 1u << number;
	return &reader->row->tokens[number];
}

static inline bool scene_is(const struct scene_token *token, const char *word)
{
	return token && !token->quoted && token->text.len == strlen(word) &&
	       !memcmp(buf_data(&token->text), word, token->text.len);
}

static inline int scene_take_text(struct scene_reader *reader, struct scene_arg *ret)
{
	const struct scene_token *token = scene_peek(reader);
	int rc = token && token->quoted ? 0 : -EINVAL;

	for (; !rc && token && token->quoted; token = scene_peek(reader)) {
		rc = buf_put(&ret->text, buf_data(&token->text), token->text.len);
		reader->next++;
	}
	return rc;
}

static inline int scene_take_match(struct scene_reader *reader, struct scene_arg *ret)
{
	const struct scene_token *token = scene_peek(reader);

	if (scene_is(token, "has"))
		ret->match = SCENE_HAS;
	if (scene_is(token, "without"))
		ret->match = SCENE_WITHOUT;
	reader->next += ret->match != SCENE_WHOLE;
	if (scene_take_text(reader, ret))
		return -EINVAL;
	/* nothing is everywhere */
	return ret->match != SCENE_WHOLE && !ret->text.len ? -EINVAL : 0;
}

static inline int scene_take_number(struct scene_reader *reader, struct scene_arg *ret)
{
	const struct scene_token *token = scene_peek(reader);

	if (!token || token->quoted || token->text.len > 9)
		return -EINVAL;
	for (size_t i = 0; i < token->text.len; i++) {
		if (!isdigit(buf_data(&token->text)[i]))
			return -EINVAL;
		ret->number = ret->number * 10 + (buf_data(&token->text)[i] - '0');
	}
	reader->next++;
	return 0;
}

static inline int scene_take_name(
	struct scene_reader *reader, const char *const *names, struct scene_arg *ret)
{
	while (names[ret->number] && !scene_is(scene_peek(reader), names[ret->number]))
		ret->number++;
	reader->next++;
	return names[ret->number] ? 0 : -EINVAL;
}

static inline int scene_take(struct scene_reader *reader, char takes, struct scene_step *step)
{
	struct scene_arg *arg = &step->args[step->count++];

	arg->text = BUF_INIT(SCENE_TEXT_MAX);
	switch (takes) {
	case 't': return scene_take_text(reader, arg);
	case 'm': return scene_take_match(reader, arg);
	case 'n': return scene_take_number(reader, arg);
	default: return scene_take_name(reader, step->word->names, arg);
	}
}

/* The word and its arguments. */
static inline int scene_step_read(struct scene_reader *reader, struct scene_step *step)
{
	const struct scene_word *word = reader->all->kind->words;
	const struct scene_token *name = &reader->now->tokens[0];
	const char *takes;

	while (word->name && !scene_is(name, word->name))
		word++;
	if (!word->name)
		return err_set(reader->err, -EINVAL, "there is no word '%.*s'", (int)name->text.len,
			buf_data(&name->text));
	step->word = word;
	reader->next = 1;
	for (takes = word->takes; *takes; takes++) {
		if (*takes == '?' && reader->next == reader->now->count)
			break;
		if (*takes != '?' && scene_take(reader, *takes, step))
			return err_set(reader->err, -EINVAL,
				"'%s': argument %zu is missing or wrong", word->name, step->count);
	}
	if (reader->next < reader->now->count)
		return err_set(reader->err, -EINVAL, "'%s': too many arguments", word->name);
	return 0;
}

/* ---- a file ---- */

/* The next line that is not empty. At the end of the scene and of the file it has no tokens. */
static inline int scene_next(struct scene_reader *reader, struct scene_line *ret)
{
	scene_line_release(ret);
	while (*reader->at && strncmp(reader->at, "scene ", 6) != 0) {
		int rc;

		reader->line++;
		reader->source = reader->at;
		rc = scene_split(&reader->at, ret, reader->err);
		if (!rc && ret->count && *reader->source != '\t')
			return err_set(reader->err, -EINVAL, "this is no scene and no step");
		if (rc || ret->count)
			return rc;
	}
	return 0;
}

static inline int scene_add_step(
	struct scene_reader *reader, const struct scene_line *line, struct scene *scene)
{
	struct scene_step *step;
	int rc;

	scene->steps = scene_grown(scene->steps, scene->count, sizeof *scene->steps);
	step = &scene->steps[scene->count++];
	step->file = reader->file;
	step->line = reader->line;
	step->source = reader->source;
	reader->now = line;
	rc = scene_step_read(reader, step);
	if (!rc && step->word->role == SCENE_BEGINS && scene->count > 1)
		rc = err_set(reader->err, -EINVAL, "'%s' is no first step", step->word->name);
	return rc;
}

/* What is wrong with a scene whose steps are all right. */
static inline int scene_check(const struct scene_reader *reader, const struct scene *scene)
{
	size_t expects = 0;

	for (size_t i = 0; i < scene->count; i++)
		expects += scene->steps[i].word->role == SCENE_EXPECTS;
	if (!expects)
		return err_set(reader->err, -EINVAL, "'%s' expects nothing", scene->name);
	for (size_t i = 1; i < reader->row->count; i++)
		if (!(reader->used & 1u << i))
			return err_set(
				reader->err, -EINVAL, "'%s' never uses $%zu", scene->name, i);
	for (size_t i = 0; &reader->all->list[i] != scene; i++)
		if (!strcmp(reader->all->list[i].name, scene->name))
			return err_set(reader->err, -EINVAL, "'%s' is there twice", scene->name);
	return 0;
}

/* NAME: with … */
static inline const char *scene_row_name(const struct scene_reader *reader, const char *name)
{
	BUF_CLEANUP struct buf text = BUF_INIT(SCENE_TEXT_MAX);

	if (buf_printf(&text, "%s: %.*s", name, (int)strcspn(reader->source, "\n") - 1,
		    reader->source + 1))
		abort();
	return scenes_keep(reader->all, buf_cstr(&text), text.len);
}

/* One scene of those that its `with`s make; the reader is behind the line with the name. */
static inline int scene_add(
	struct scene_reader *reader, const char *name, size_t which, size_t *ret_rows)
{
	SCENE_LINE_CLEANUP struct scene_line row = { 0 }, line = { 0 };
	struct scenes *all = reader->all;
	struct scene *scene;
	size_t rows = 0;
	int rc;

	all->list = scene_grown(all->list, all->count, sizeof *all->list);
	scene = &all->list[all->count++];
	scene->kind = all->kind;
	scene->name = name;
	reader->row = &row;
	reader->used = 0;
	while (!(rc = scene_next(reader, &line)) && scene_is(&line.tokens[0], "with"))
		if (rows++ == which) {
			row = line;
			line.count = 0;
			scene->name = scene_row_name(reader, name);
		}
	for (; !rc && line.count; rc = rc ? rc : scene_next(reader, &line))
		rc = scene_add_step(reader, &line, scene);
	*ret_rows = rows;
	return rc ? rc : scene_check(reader, scene);
}

/* The reader is at a line that names a scene. */
static inline int scene_read(struct scene_reader *reader)
{
	size_t len = strcspn(reader->at, "\n"), which = 0, rows = 0;
	const char *name = scenes_keep(reader->all, reader->at + 6, len - 6);
	struct scene_reader begin;
	int rc;

	reader->at += len + (reader->at[len] == '\n');
	reader->line++;
	if (!name[strspn(name, " \t")])
		return err_set(reader->err, -EINVAL, "a scene without a name");
	begin = *reader;
	do {
		*reader = begin;
		rc = scene_add(reader, name, which, &rows);
	} while (!rc && ++which < rows);
	return rc;
}

/* Adds the scenes of a text; err: "FILE:LINE: …". */
static inline int scenes_read(
	struct scenes *all, const char *file, const char *text, struct err *err)
{
	SCENE_LINE_CLEANUP struct scene_line before = { 0 };
	struct scene_reader reader = { .all = all, .err = err };
	int rc;

	reader.file = scenes_keep(all, file, strlen(file));
	reader.at = scenes_keep(all, text, strlen(text));
	rc = scene_next(&reader, &before);
	if (!rc && before.count)
		rc = err_set(err, -EINVAL, "a step without a scene");
	while (!rc && *reader.at)
		rc = scene_read(&reader);
	return rc ? err_prefix(err, rc, "%s:%d", file, reader.line) : 0;
}

static inline void scenes_release(struct scenes *all)
{
	for (size_t i = 0; i < all->count; i++) {
		for (size_t s = 0; s < all->list[i].count; s++)
			for (size_t a = 0; a < all->list[i].steps[s].count; a++)
				buf_release(&all->list[i].steps[s].args[a].text);
		free(all->list[i].steps);
	}
	for (size_t i = 0; i < all->kept_count; i++)
		free(all->kept[i]);
	free(all->list);
	free(all->kept);
}

#endif
