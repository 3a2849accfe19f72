/* The line that is being typed: where it began, what is known of the prompt before it, and its
 * keys. */
#include "lineguard/impl.h"

#include <string.h>

void typing_reset(struct lineguard *guard)
{
	buf_release(&guard->typing.right);
	guard->typing = (struct typing){ .right = BUF_INIT(LINE_TEXT_MAX) };
}

static void typing_anchor(struct lineguard *guard)
{
	struct typing *typing = &guard->typing;
	int columns = screen_columns(guard->screen);

	typing->anchor = screen_cursor(guard->screen);
	typing->anchored = true;
	prompt_at(guard, typing->anchor, &typing->left);
	struct screen_cell cell = { .blank = true };
	int column = typing->anchor.column;
	for (; column < columns && (cell.blank || cell.characters[0] == ' '); column++)
		screen_cell(
			guard->screen, (struct screen_place){ typing->anchor.row, column }, &cell);
	typing->right_column = column - 1;
	if (!cell.blank && cell.characters[0] != ' ' &&
		screen_text(guard->screen, typing->anchor.row, column - 1, columns, &typing->right))
		buf_clear(&typing->right);
	if (!typing->right.len)
		return;
	buf_clear(&guard->right);
	(void)buf_put(&guard->right, buf_data(&typing->right), typing->right.len);
	guard->right_column = typing->right_column;
}

static void typing_begin(struct lineguard *guard, int64_t now)
{
	struct typing *typing = &guard->typing;
	int64_t ignored = LINEGUARD_NEVER;

	typing->begun = true;
	typing->standing = prompt_here(guard, &guard->enter, now, &ignored);
	typing->first_output = typing->last_output = guard->outputs;
	typing->last_key = now;
	typing->combined = screen_modes(guard->screen)->combined;
	if (typing->standing != STANDING_EARLY)
		typing_anchor(guard);
}

/* There was no output for so long that the keys cannot belong to the line any more. */
static bool taken_by_program(struct lineguard *guard, int64_t now)
{
	const struct typing *typing = &guard->typing;
	int64_t last =
		guard->last_output > typing->last_key ? guard->last_output : typing->last_key;

	return now >= last + SILENCE + 2 * round_trip(guard);
}

/* Keys that a program read (q in less, y to a question) do not begin the line at the prompt that
 * followed. */
static bool begins_anew(struct lineguard *guard, int64_t now, enum key key)
{
	const struct typing *typing = &guard->typing;
	int64_t ignored = LINEGUARD_NEVER;
	struct prompt left;

	if (typing->standing >= STANDING_LIKELY || guard->outputs == typing->last_output ||
		prompt_here(guard, &guard->enter, now, &ignored) != STANDING_PROMPT)
		return false;
	if (keys_model_empty(&typing->keys))
		return true;
	if (keys_accept(key) && !taken_by_program(guard, now))
		return false; /* else a line whose echo is late would count as empty */
	prompt_at(guard, screen_cursor(guard->screen), &left);
	/* otherwise a line that was typed ahead may stand there, edited or in part */
	return prompt_known(guard, &left) || prompt_likely(guard, &left);
}

void typing_refresh(struct lineguard *guard, int64_t now, enum key key)
{
	struct typing *typing = &guard->typing;

	if (typing->begun && begins_anew(guard, now, key))
		typing_reset(guard);
	if (!typing->begun)
		typing_begin(guard, now);
}

/* All output that the keys caused has arrived. */
static bool at_rest(const struct lineguard *guard, int64_t now)
{
	const struct typing *typing = &guard->typing;
	int64_t trip = round_trip(guard);

	return guard->outputs > typing->last_output && now >= guard->last_output + QUIET_EDIT &&
	       now >= typing->last_key + trip + trip / 2 + 20 * MS;
}

/* The screen differs from the model although the model followed all keys: something else was
 * printed. Plain typing may be shown in part; after editing keys this can be decided only when the
 * screen is at rest. */
static bool astray(struct lineguard *guard, int64_t now)
{
	const struct typing *typing = &guard->typing;
	const struct keys_model *keys = &typing->keys;
	struct reading reading;

	if (!typing->anchored || keys->unfaithful || keys->pasted || keys_model_empty(keys) ||
		(keys->others && !at_rest(guard, now)))
		return false;
	int rc = read_from(guard, typing->anchor, &reading);
	size_t len = rc ? 0 : reading.cursor;
	bool fits = keys->others ? len == keys->cursor : len <= keys->cursor;
	bool same = fits && (!len || !memcmp(buf_data(&reading.text), keys->text, len));
	reading_release(&reading);
	return !same;
}

void typing_key(struct lineguard *guard, enum key key, uint8_t byte, int64_t now)
{
	struct typing *typing = &guard->typing;

	if (screen_modes(guard->screen)->alternate)
		return; /* keys typed into a full-screen program are no line */
	/* the echo of this key cannot be confused with that of the key before it */
	bool alone = !typing->keys.plain || now - typing->last_key > 2 * round_trip(guard);
	if (key == KEY_PLAIN && byte >= 0x20 && typing->standing >= STANDING_LIKELY &&
		!typing->keys.others && !guard->probe && alone)
		guard->probe = now;
	if (key == KEY_PUSH)
		guard->prefilled = 2;
	if (key != KEY_PLAIN && key != KEY_PASTE_END && astray(guard, now))
		typing->disturbed = true;
	keys_model_key(&typing->keys, key, byte);
	typing->last_key = now;
	typing->last_output = guard->outputs;
	typing->quoted = key == KEY_QUOTE;
}
