/* Decides when the line on the screen is the line that the Enter will run.
 *
 * Plain typing is complete when its tail stands before the cursor and there was no output for
 * QUIET_ECHO. The effect of an editing key cannot be foreseen: it is complete after QUIET_EDIT
 * without output, if a round trip has passed since the key. No output at all for SILENCE and two
 * round trips means that there is no echo. Keys that recall lines (Up, Ctrl-R, Tab), typed while a
 * command runs, have no effect until the shell reads them: the Enter waits for the prompt, however
 * long. Everything else ends after SETTLE_MAX: the line is judged blind. */
#include "lineguard/impl.h"

#include <string.h>

#define TAIL_MAX 32 /* bytes of the tail that are compared */
/* after editing keys, a shorter tail may stand before the cursor by chance, even before its own
 * echo */
#define TAIL_SURE 3

int64_t round_trip(const struct lineguard *guard)
{
	return guard->round_trip ? guard->round_trip : ROUND_TRIP_UNKNOWN;
}

bool settle_verified(struct lineguard *guard)
{
	const struct screen_modes *modes = screen_modes(guard->screen);
	struct screen_place start;
	enum located how;

	if (modes->alternate)
		return false;
	if (guard->typing.standing >= STANDING_LIKELY ||
		(modes->paste && modes->paste_on != guard->enter.paste_on))
		return true;
	return read_locate(guard, &start, &how) && how == LOCATED_PROMPT;
}

/* The tail, or as much of it as fits in the row, stands before the cursor. */
static bool tail_stands(struct lineguard *guard)
{
	const struct keys_model *keys = &guard->typing.keys;
	size_t want = keys->tail < TAIL_MAX ? keys->tail : TAIL_MAX;
	struct screen_place start = { .row = screen_cursor(guard->screen).row };
	struct reading reading;
	enum located how;
	bool located = read_locate(guard, &start, &how);

	if (!located)
		start = (struct screen_place){ .row = screen_cursor(guard->screen).row };
	if (read_from(guard, start, &reading)) {
		reading_release(&reading);
		return false;
	}
	if (!located && want > reading.cursor)
		want = reading.cursor;
	bool stands = want && want <= reading.cursor && want <= keys->cursor &&
		      !memcmp(buf_data(&reading.text) + reading.cursor - want,
			      keys->text + keys->cursor - want, want);
	reading_release(&reading);
	return stands;
}

static size_t end_without_spaces(const uint8_t *text, size_t len)
{
	while (len && text[len - 1] == ' ')
		len--;
	return len;
}

/* The line is still what it was before the key that recalls or completes. fish moves its cursor at
 * once and searches for the line afterwards. */
static bool has_no_effect_yet(struct lineguard *guard)
{
	const struct keys_model *keys = &guard->typing.keys;
	struct screen_place start;
	struct reading reading;
	enum located how;

	if (!keys->unfaithful || keys->tail || !read_locate(guard, &start, &how) ||
		how == LOCATED_SEARCH)
		return false;
	int rc = read_from(guard, start, &reading);
	size_t len = rc ? 0 : reading_end(&reading);
	size_t shown = end_without_spaces(buf_data(&reading.text), len);
	size_t typed = end_without_spaces(keys->text, keys->length);
	bool same = !rc && shown == typed &&
		    (!shown || !memcmp(buf_data(&reading.text), keys->text, shown));
	reading_release(&reading);
	return same;
}

/* A terminal without line editor shows Up as ^[[A. */
static bool shows_carets(struct lineguard *guard)
{
	struct screen_place cursor = screen_cursor(guard->screen);
	BUF_CLEANUP struct buf text = BUF_INIT(LINE_TEXT_MAX);

	if (screen_text(guard->screen, cursor.row, 0, cursor.column, &text))
		return false;
	return text.len && (memmem(buf_data(&text), text.len, "^[", 2) ||
				   memmem(buf_data(&text), text.len, "^P", 2) ||
				   memmem(buf_data(&text), text.len, "^R", 2));
}

static bool waits_for_prompt(struct lineguard *guard)
{
	struct typing *typing = &guard->typing;

	if (!typing->keys.recalled || settle_verified(guard))
		return false;
	return typing->standing == STANDING_EARLY || guard->outputs == typing->first_output ||
	       typing->keys.completed || shows_carets(guard);
}

static bool quiet_for(const struct lineguard *guard, int64_t time, int64_t now, int64_t *due)
{
	return reached(guard->last_output + time, now, due);
}

static enum settled settle_keys(struct lineguard *guard, int64_t now, int64_t *due)
{
	struct typing *typing = &guard->typing;
	int64_t trip = round_trip(guard), silence = SILENCE + 2 * trip;
	bool answered = guard->outputs > typing->last_output;
	bool plain_only = !typing->keys.others;
	bool echoed = answered && typing->keys.tail >= TAIL_SURE &&
		      reached(typing->last_key + trip + 20 * MS, now, due);

	if (typing->keys.tail && (plain_only || echoed) && tail_stands(guard))
		return quiet_for(guard, QUIET_ECHO, now, due) ? SETTLED_ECHO : SETTLED_NOT;
	if (!answered && reached(typing->last_key + silence, now, due))
		return guard->outputs > typing->first_output ? SETTLED_QUIET : SETTLED_SILENT;
	if (answered && plain_only)
		return quiet_for(guard, silence, now, due) ? SETTLED_QUIET : SETTLED_NOT;
	int64_t quiet = typing->keys.recalled ? QUIET_RECALL : QUIET_EDIT;
	if (!answered || !quiet_for(guard, quiet, now, due) ||
		!reached(typing->last_key + trip + trip / 2 + 20 * MS, now, due))
		return SETTLED_NOT;
	/* in vi's command mode this effect never comes */
	bool missing = has_no_effect_yet(guard) || (typing->keys.tail && !tail_stands(guard));
	if (missing && !quiet_for(guard, silence, now, due))
		return SETTLED_NOT;
	return SETTLED_QUIET;
}

enum settled settle(struct lineguard *guard, int64_t now, int64_t *due)
{
	if (screen_modes(guard->screen)->alternate)
		return SETTLED_QUIET;
	if (waits_for_prompt(guard)) {
		reached(guard->last_output + QUIET_PROMPT, now, due);
		return SETTLED_NOT;
	}
	enum settled settled = SETTLED_NOT;
	if (!keys_model_empty(&guard->typing.keys))
		settled = settle_keys(guard, now, due);
	else if (!settle_verified(guard) || reached(guard->last_output + QUIET_ECHO, now, due))
		settled = SETTLED_QUIET;
	if (settled == SETTLED_NOT && reached(guard->accepted + SETTLE_MAX, now, due))
		return SETTLED_LATE;
	return settled;
}
