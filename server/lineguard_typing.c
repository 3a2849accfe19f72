/* The line that is being typed: where it began, what is known of the prompt before it, and its keys. */
#include "server/lineguard_private.h"

#include <string.h>

void typing_reset(struct lineguard *guard)
{
	buf_release(&guard->typing.right);
	guard->typing = (struct typing){ .right = BUF_INIT(LINEGUARD_TEXT_MAX) };
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
		screen_cell(guard->screen, (struct screen_place){ typing->anchor.row, column }, &cell);
	typing->right_column = column - 1;
	if (!cell.blank && cell.characters[0] != ' ' && screen_text(guard->screen, typing->anchor.row, column - 1, columns, &typing->right))
		buf_clear(&typing->right);
}

static void typing_begin(struct lineguard *guard, int64_t now)
{
	struct typing *typing = &guard->typing;
	int64_t ignored = LINEGUARD_NEVER;
	typing->begun = true;
	typing->standing = prompt_here(guard, &guard->enter, now, &ignored);
	typing->first_output = typing->last_output = guard->outputs;
	typing->last_key = now;
	if (typing->standing != STANDING_EARLY)
		typing_anchor(guard);
}

/* What was typed ahead is shown again behind the prompt: then the keys belong to this line. */
static bool typed_ahead(struct lineguard *guard, const struct prompt *left)
{
	const struct keys_model *keys = &guard->typing.keys;
	size_t n = keys->length < left->length ? keys->length : left->length;
	return n && !memcmp(left->text + left->length - n, keys->text + keys->length - n, n);
}

/* Keys that a program took (q in less, y to a question) are not the beginning of the line at the prompt that followed. */
void typing_refresh(struct lineguard *guard, int64_t now)
{
	struct typing *typing = &guard->typing;
	int64_t ignored = LINEGUARD_NEVER;
	struct prompt left;
	if (typing->begun && typing->standing < STANDING_LIKELY && guard->outputs > typing->last_output &&
		prompt_here(guard, &guard->enter, now, &ignored) == STANDING_PROMPT) {
		prompt_at(guard, screen_cursor(guard->screen), &left);
		if (prompt_known(guard, &left) || !typed_ahead(guard, &left))
			typing_reset(guard);
	}
	if (!typing->begun)
		typing_begin(guard, now);
}

void typing_key(struct lineguard *guard, enum key key, uint8_t byte, int64_t now)
{
	struct typing *typing = &guard->typing;
	if (screen_modes(guard->screen)->alternate)
		return; /* keys of a full-screen program make no line */
	if (key == KEY_PLAIN && byte >= 0x20 && typing->standing >= STANDING_LIKELY && !typing->keys.others && !guard->probe)
		guard->probe = now;
	keys_model_key(&typing->keys, key, byte);
	typing->last_key = now;
	typing->last_output = guard->outputs;
	typing->quoted = key == KEY_QUOTE;
}
