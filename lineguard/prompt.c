/* Prompts: how they are learned and recognised.
 *
 * bash 5.1, zsh and fish switch ?2004 on when their editor begins to read; dash, busybox and others
 * never do, and are recognised by the text of their prompt. A prompt is learned only if a line
 * after it was echoed: otherwise the prompt for a password would be taken for a shell's. */
#include "lineguard/impl.h"

#include <string.h>

#include "shell/shell.h"

/* a continuation prompt stands at most this far below the line: two rows if the line filled its
 * last one. Ctrl-L moves it up */
#define CONTINUATION_ROWS 2
#define CONTINUATION_MAX 40 /* bytes of a continuation prompt: "cmdand cmdand dquote> " */

bool reached(int64_t when, int64_t now, int64_t *due)
{
	if (now >= when)
		return true;
	if (when < *due)
		*due = when;
	return false;
}

struct mark mark_now(struct lineguard *guard, int64_t now)
{
	return (struct mark){ .outputs = guard->outputs,
		.paste_on = screen_modes(guard->screen)->paste_on,
		.row = screen_cursor(guard->screen).row,
		.time = now };
}

void prompt_at(struct lineguard *guard, struct screen_place place, struct prompt *ret_prompt)
{
	BUF_CLEANUP struct buf text = BUF_INIT(LINEGUARD_PROMPT_MAX);

	ret_prompt->length = 0;
	ret_prompt->columns = place.column;
	if (screen_text(guard->screen, place.row, 0, place.column, &text) || !text.len)
		return;
	memcpy(ret_prompt->text, buf_data(&text), text.len);
	ret_prompt->length = text.len;
}

static bool prompt_same(const struct prompt *a, const struct prompt *b)
{
	return a->length == b->length && !memcmp(a->text, b->text, a->length);
}

static bool is_blank(const struct prompt *prompt)
{
	for (size_t i = 0; i < prompt->length; i++)
		if (prompt->text[i] != ' ')
			return false;
	return true;
}

static size_t prompt_find(const struct lineguard *guard, const struct prompt *prompt)
{
	size_t i = 0;

	while (i < guard->prompts.count && !prompt_same(&guard->prompts.list[i], prompt))
		i++;
	return i;
}

bool prompt_known(const struct lineguard *guard, const struct prompt *prompt)
{
	return prompt->length && prompt_find(guard, prompt) < guard->prompts.count;
}

void prompt_learn(struct lineguard *guard, const struct prompt *prompt)
{
	struct prompts *prompts = &guard->prompts;
	struct prompt copy = *prompt;

	if (is_blank(prompt))
		return;
	size_t at = prompt_find(guard, prompt);
	if (at == prompts->count)
		at = prompts->count < LINEGUARD_PROMPTS_MAX ? prompts->count++
							    : LINEGUARD_PROMPTS_MAX - 1;
	memmove(prompts->list + 1, prompts->list, at * sizeof *prompts->list);
	prompts->list[0] = copy;
}

static bool row_begins(struct lineguard *guard, int64_t row, const struct prompt *prompt)
{
	struct prompt there;

	prompt_at(guard, (struct screen_place){ row, prompt->columns }, &there);
	return prompt_same(&there, prompt);
}

const struct prompt *prompt_on_row(struct lineguard *guard, int64_t row, const struct prompt *extra)
{
	const struct prompt *best =
		extra && !is_blank(extra) && row_begins(guard, row, extra) ? extra : NULL;

	for (size_t i = 0; i < guard->prompts.count; i++) {
		const struct prompt *prompt = &guard->prompts.list[i];
		if ((!best || prompt->columns > best->columns) && row_begins(guard, row, prompt))
			best = prompt;
	}
	return best;
}

bool prompt_ends_at(struct lineguard *guard, struct screen_place place)
{
	struct prompt left;

	prompt_at(guard, place, &left);
	for (size_t i = 0; i < guard->prompts.count; i++) {
		const struct prompt *prompt = &guard->prompts.list[i];
		if (prompt->length >= 2 && left.length >= prompt->length &&
			!memcmp(left.text + left.length - prompt->length, prompt->text,
				prompt->length))
			return true;
	}
	return false;
}

static bool ends_alike(const struct prompt *a, const struct prompt *b)
{
	return a->length >= 2 && b->length >= 2 &&
	       !memcmp(a->text + a->length - 2, b->text + b->length - 2, 2);
}

/* The prompt ends like a learned one (the directory in it may have changed). Before the first
 * Enter, it ends as the prompts of shells do, and that ending counts from then on. */
bool prompt_likely(struct lineguard *guard, const struct prompt *prompt)
{
	bool usual = prompt->length >= 2 && strchr("$#%>", prompt->text[prompt->length - 2]) &&
		     prompt->text[prompt->length - 1] == ' ';

	if (!usual)
		return false;
	for (size_t i = 0; i < guard->prompts.count; i++)
		if (ends_alike(prompt, &guard->prompts.list[i]))
			return true;
	if (guard->entered)
		return prompt_same(prompt, &guard->first);
	guard->first = *prompt;
	return true;
}

/* Like "> ", "dquote> ", "... ": letters, and a mark at the end. */
static bool looks_continued(const struct prompt *prompt)
{
	size_t length = prompt->length;

	while (length && prompt->text[length - 1] == ' ')
		length--;
	if (!length || length > CONTINUATION_MAX)
		return false;
	if (length == 3 && !memcmp(prompt->text, "...", 3))
		return true;
	if (prompt->text[--length] != '>')
		return false;
	for (size_t i = 0; i < length; i++)
		if ((prompt->text[i] < 'a' || prompt->text[i] > 'z') && prompt->text[i] != ' ')
			return false;
	return true;
}

enum completeness { LINE_OPEN, LINE_UNCLEAR, LINE_COMPLETE };

/* Whether a shell would ask for more lines. Without memory the answer is yes: then both texts are
 * judged. */
static enum completeness completeness(const struct buf *text)
{
	SHELL_LINE_CLEANUP struct shell_line line = { 0 };
	size_t backslashes = 0;

	while (backslashes < text->len && buf_data(text)[text->len - 1 - backslashes] == '\\')
		backslashes++;
	if (backslashes % 2 || shell_line_read(buf_bytes(text), SHELL_TYPED, &line) ||
		line.unfinished)
		return LINE_OPEN;
	return line.doubt_count ? LINE_UNCLEAR : LINE_COMPLETE;
}

/* The look of a prompt proves little: `mysql> ` looks like a continuation, too. After a line that
 * cannot be parsed it counts if it differs from that line's own prompt. */
bool prompt_continues(struct lineguard *guard, struct screen_place place)
{
	struct prompt prompt;

	if (!guard->before.len || place.row > guard->before_end + CONTINUATION_ROWS)
		return false;
	prompt_at(guard, place, &prompt);
	if (!looks_continued(&prompt))
		return false;
	enum completeness before = completeness(&guard->before);
	return before == LINE_OPEN ||
	       (before == LINE_UNCLEAR && !prompt_same(&prompt, &guard->before_left));
}

enum standing prompt_here(
	struct lineguard *guard, const struct mark *since, int64_t now, int64_t *due)
{
	const struct screen_modes *modes = screen_modes(guard->screen);
	struct screen_place cursor = screen_cursor(guard->screen);
	bool printed = guard->outputs > since->outputs && !modes->alternate;
	bool reads = modes->paste && modes->paste_on != since->paste_on;
	int64_t last = guard->last_output > since->time ? guard->last_output : since->time;
	struct prompt prompt;

	prompt_at(guard, cursor, &prompt);
	if (printed && prompt_known(guard, &prompt))
		return STANDING_PROMPT;
	if (printed && (reads || prompt_continues(guard, cursor)) &&
		reached(guard->last_output + QUIET_PROMPT, now, due))
		return STANDING_PROMPT;
	if (printed && prompt_likely(guard, &prompt) &&
		reached(guard->last_output + QUIET_ANY, now, due))
		return STANDING_LIKELY;
	return now >= last + QUIET_ANY ? STANDING_QUIET : STANDING_EARLY;
}
