/* Reading a line: memory, limits, doubts, and the texts inside of the text. The grammar is in
 * shell_*.c.
 *
 * What belongs to a line is taken from its chunks and given back as a whole. */
#include "shell/shell.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shell/impl.h"

#define CHUNK_SIZE 65536
#define RESTART_COST 32 /* of reading on behind a syntax error, in bytes */
#define NO_BYTES ((struct bytes){ (const uint8_t *)"", 0 })

struct shell_chunk {
	struct shell_chunk *next;
	size_t used, size;
	_Alignas(max_align_t) uint8_t data[];
};

/* ---- memory ---- */

void *shell_alloc(struct shell_state *state, size_t size)
{
	struct shell_line *line = state->line;
	struct shell_chunk *chunk = line->memory;
	size_t rounded =
		(size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);

	if (!chunk || rounded > chunk->size - chunk->used) {
		size_t room = rounded > CHUNK_SIZE ? rounded : CHUNK_SIZE;
		state->full = line->memory_used + room > SHELL_MEMORY_MAX;
		if (state->full || !(chunk = malloc(sizeof(*chunk) + room)))
			return NULL;
		*chunk = (struct shell_chunk){ .next = line->memory, .size = room };
		line->memory = chunk;
		line->memory_used += room;
	}
	void *given = chunk->data + chunk->used;
	chunk->used += rounded;
	return given;
}

void shell_line_release(struct shell_line *line)
{
	while (line->memory) {
		struct shell_chunk *next = line->memory->next;
		free(line->memory);
		line->memory = next;
	}
	free(line->commands);
	free(line->doubts);
	*line = (struct shell_line){ 0 };
}

/* ---- doubts ---- */

int shell_doubt(struct shell_parser *p, size_t command, struct bytes what, const char *why)
{
	struct shell_line *line = p->state->line;

	if (p->silent)
		return 0;
	if (line->doubt_count == SHELL_DOUBTS_MAX) { /* the last stands for all that follow */
		line->doubts[SHELL_DOUBTS_MAX - 1].code = false;
		line->doubts[SHELL_DOUBTS_MAX - 1].unfinished &= p->guessing && line->unfinished;
		return 0;
	}
	if (line->doubt_count == line->doubt_room) {
		size_t room = line->doubt_room ? line->doubt_room * 2 : 4;
		struct shell_doubt *doubts = reallocarray(line->doubts, room, sizeof(*doubts));
		if (!doubts)
			return -ENOMEM;
		line->doubts = doubts;
		line->doubt_room = room;
	}
	line->doubts[line->doubt_count++] =
		(struct shell_doubt){ why, what, command, p->guessing && line->unfinished, false };
	return 0;
}

int shell_error(struct shell_parser *p, size_t from, const char *why)
{
	p->error_at = from;
	int rc = shell_doubt(
		p, SHELL_NO_COMMAND, (struct bytes){ p->data + from, p->len - from }, why);
	return rc ? rc : -EBADMSG;
}

/* Only the end of the line itself: what ends too early inside of something else ends for good. */
int shell_doubt_end(struct shell_parser *p, struct bytes what, const char *why)
{
	struct shell_line *line = p->state->line;
	size_t before = line->doubt_count;
	int rc = shell_doubt(p, SHELL_NO_COMMAND, what, why);
	bool own = p->data == p->state->text.data && p->len == p->state->text.len;

	if (own && !p->guessing && line->doubt_count > before)
		line->doubts[before].unfinished = line->unfinished = true;
	return rc;
}

int shell_unfinished(struct shell_parser *p, size_t from, const char *why)
{
	p->error_at = from;
	int rc = shell_doubt_end(p, (struct bytes){ p->data + from, p->len - from }, why);
	return rc ? rc : -EBADMSG;
}

/* Told even where nothing else is: what lies behind it was not looked at. */
int shell_limit(struct shell_parser *p, const char *why)
{
	bool silent = p->silent;

	p->silent = false;
	int rc = shell_doubt(p, SHELL_NO_COMMAND, NO_BYTES, why);
	p->silent = silent;
	return rc ? rc : -E2BIG;
}

/* ---- names ---- */

bool shell_is(struct bytes text, const char *name)
{
	return text.len == strlen(name) && !memcmp(text.data, name, text.len);
}

bool shell_in(struct bytes text, const char *const *names)
{
	while (*names && !shell_is(text, *names))
		names++;
	return *names;
}

const char *shell_via(struct shell_parser *p, struct bytes name, const char *more)
{
	size_t len = name.len > 64 ? 64 : name.len, more_len = strlen(more);
	char *via = shell_alloc(p->state, len + more_len + 2);

	if (!via)
		return NULL;
	for (size_t i = 0; i < len; i++) /* a row may be a prefix: the rest is anybody's */
		via[i] = name.data[i] > ' ' && name.data[i] < 0x7f ? (char)name.data[i] : '?';
	via[len] = ' ';
	memcpy(via + len + (more_len > 0), more, more_len + 1);
	return via;
}

int shell_name_add(struct shell_parser *p, struct bytes name)
{
	struct shell_state *state = p->state;

	if (state->name_count == SHELL_NAMES_MAX)
		return shell_limit(p, "too many functions");
	state->names[state->name_count++] = name;
	return 0;
}

static const char *const builtins[] = { ".", ":", "[", "alias", "bg", "break", "cat", "cd", "chmod",
	"chown", "continue", "cp", "curl", "dd", "declare", "echo", "export", "false", "fg", "git",
	"grep", "hash", "history", "jobs", "kill", "let", "local", "ls", "mkdir", "mv", "popd",
	"printf", "pushd", "pwd", "read", "readonly", "return", "rm", "set", "shift", "shopt",
	"source", "systemctl", "test", "trap", "true", "type", "typeset", "ulimit", "umask",
	"unalias", "unset", "wait", "wget", NULL };

static bool same(struct bytes a, struct bytes b)
{
	return a.len == b.len && !memcmp(a.data, b.data, a.len);
}

/* A function of a well-known name makes the line say something else than it seems to. */
static int doubt_names(struct shell_parser *p)
{
	struct shell_line *line = p->state->line;
	int rc = 0;

	for (size_t n = 0; !rc && n < p->state->name_count; n++) {
		struct bytes name = p->state->names[n];
		size_t i = 0;
		while (i < line->command_count &&
			(line->commands[i].what != SHELL_COMMAND ||
				!same(line->commands[i].words[0].text, name)))
			i++;
		if (i < line->command_count && (shell_knows(name) || shell_in(name, builtins)))
			rc = shell_doubt(p, i, name, "command that the line redefines");
	}
	return rc;
}

/* ---- texts ---- */

int shell_work(struct shell_parser *p, size_t bytes)
{
	p->state->work += bytes;
	return p->state->work > SHELL_WORK_MAX ? shell_limit(p, "too much to look into") : 0;
}

/* One text to its end: behind what is not understood the reading starts again, as long as the work
 * allows. */
static int read_on(struct shell_parser *p)
{
	const struct shell_parser start = *p;
	size_t from = p->at;
	int rc = shell_list_read(p, 0);

	while (rc == -EBADMSG) {
		size_t reached = p->at;
		p->via = start.via;
		p->depth = start.depth;
		p->silent = start.silent;
		p->at = p->error_at + 1; /* never before where this reading began */
		p->heredoc_count = 0;
		p->guessing = true;
		if (p->silent || p->at >= p->len)
			return 0;
		/* what the failed reading had passed is read again */
		rc = shell_work(p, RESTART_COST + (reached > from ? reached - from : 0));
		from = p->at;
		if (!rc)
			rc = shell_list_read(p, 0);
	}
	return rc;
}

int shell_read_text(struct shell_parser *p, struct bytes text, const char *via, bool remote)
{
	if (!via)
		return -ENOMEM;
	if (p->depth >= SHELL_DEPTH_MAX)
		return shell_limit(p, "nested too deeply");
	int rc = shell_work(p, text.len);
	if (rc)
		return rc;
	struct shell_parser inner = {
		.state = p->state,
		.data = text.data,
		.len = text.len,
		.via = via,
		.depth = p->depth + 1,
		.remote = remote || p->remote,
		.silent = p->silent,
		.guessing = p->guessing,
	};
	return read_on(&inner);
}

int shell_read_copy(struct shell_parser *p, struct bytes text, const char *via, bool remote)
{
	uint8_t *copy = shell_alloc(p->state, text.len);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, text.data, text.len);
	return shell_read_text(p, (struct bytes){ copy, text.len }, via, remote);
}

static int read_line(struct shell_parser *p, struct bytes text)
{
	uint8_t *copy = shell_alloc(p->state, text.len);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, text.data, text.len);
	p->data = copy;
	p->len = text.len;
	p->state->text = (struct bytes){ copy, text.len };
	int rc = memchr(copy, 0, text.len)
			 ? shell_doubt(p, SHELL_NO_COMMAND, NO_BYTES, "a NUL byte")
			 : 0;
	if (!rc)
		rc = read_on(p);
	if (rc == -ENOMEM && p->state->full)
		rc = shell_limit(p, "too much to remember");
	if (rc == -ENOMEM)
		return rc;
	rc = shell_numbers_judge(p);
	return rc ? rc : doubt_names(p);
}

int shell_line_read(struct bytes text, unsigned flags, struct shell_line *ret)
{
	struct shell_line line = { 0 };
	struct shell_state state = { .line = &line, .flags = flags };
	struct shell_parser parser = { .state = &state, .via = "line" };
	int rc = 0;

	if (text.len > SHELL_LINE_MAX) {
		rc = shell_doubt(
			&parser, SHELL_NO_COMMAND, NO_BYTES, "longer than can be looked at");
		text.len = SHELL_LINE_MAX;
	}
	if (!rc)
		rc = read_line(&parser,
			(struct bytes){ text.len ? text.data : (const uint8_t *)"", text.len });
	if (rc)
		shell_line_release(&line);
	else
		*ret = line;
	return rc;
}

/* ---- what was found ---- */

/* A slash at the end, or one inside of an expansion, divides nothing. */
struct bytes shell_program(const struct shell_command *command)
{
	const struct shell_word *word = &command->words[0];
	size_t from = word->text.len;

	if (command->what != SHELL_COMMAND || !from)
		return word->text;
	for (from--; from > 0 &&
		     (word->text.data[from - 1] != '/' || word->kinds[from - 1] == SHELL_UNKNOWN);)
		from--;
	return (struct bytes){ word->text.data + from, word->text.len - from };
}

/* A blank in the program's name is escaped: 'ls -l' as one word is not ls. */
static int put_word(const struct shell_word *word, size_t from, bool program, struct buf *text,
	struct buf *kinds)
{
	int rc = 0;

	for (size_t i = from; !rc && program && i < word->text.len; i++) {
		uint8_t c = word->text.data[i];
		if (word->kinds[i] == SHELL_UNKNOWN || (c != ' ' && c != '\t' && c != '\n'))
			continue;
		rc = buf_put(text, word->text.data + from, i - from);
		if (!rc)
			rc = buf_putc(text, '\\');
		if (!rc && kinds)
			rc = buf_put(kinds, word->kinds + from, i - from);
		if (!rc && kinds)
			rc = buf_putc(kinds, SHELL_QUOTED);
		from = i;
	}
	if (!rc)
		rc = buf_put(text, word->text.data + from, word->text.len - from);
	return rc || !kinds ? rc : buf_put(kinds, word->kinds + from, word->text.len - from);
}

int shell_command_text(
	const struct shell_command *command, bool base, struct buf *text, struct buf *kinds)
{
	size_t from = base ? command->words[0].text.len - shell_program(command).len : 0;
	int rc = 0;

	for (size_t i = 0; !rc && i < command->count; i++, from = 0) {
		if (i > 0)
			rc = buf_putc(text, ' ');
		if (!rc && i > 0 && kinds)
			rc = buf_putc(kinds, SHELL_PLAIN);
		if (!rc)
			rc = put_word(&command->words[i], from,
				i == 0 && command->what == SHELL_COMMAND, text, kinds);
	}
	return rc;
}
