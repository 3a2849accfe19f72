/* From a settled screen to what is judged: the candidates and their confidence.
 *
 * exact needs a known prompt, keys that the model followed, and a screen that shows the same.
 * Wherever something may have been read wrongly the line is blind, and everything that it may be is
 * a candidate: the dangerous answer is a wrong guess that looks right. */
#include "lineguard/impl.h"

#include <errno.h>
#include <string.h>

struct making {
	struct lineguard *guard;
	struct reading reading;
	struct screen_place start;
	enum located located;
	enum settled settled;
	bool continues;
	struct bytes full; /* the line on the screen; points into reading.text */
	struct bytes keys;
	bool agree; /* the model followed all keys, and the screen shows the same */
};

static struct bytes trimmed(struct bytes text)
{
	while (text.len && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\n'))
		text.len--;
	while (text.len && *text.data == ' ') {
		text.data++;
		text.len--;
	}
	return text;
}

static bool equal(struct bytes a, struct bytes b)
{
	return a.len == b.len && (!a.len || !memcmp(a.data, b.data, a.len));
}

static bool begins(struct bytes text, const char *with)
{
	return text.len >= strlen(with) && !memcmp(text.data, with, strlen(with));
}

void line_none(struct lineguard *guard)
{
	guard->line = (struct line){ .confidence = LINE_BLIND, .settled_us = 0 };
	buf_clear(&guard->pool);
	guard->line_end = screen_cursor(guard->screen).row;
}

/* Adds a candidate to the pool, which is allocated for all candidates before the first one, so that
 * no text moves. */
static int add_text(
	struct lineguard *guard, struct bytes text, enum line_source source, bool joined)
{
	struct line *line = &guard->line;
	size_t at = guard->pool.len;
	int rc = joined ? buf_put(&guard->pool, buf_data(&guard->before), guard->before.len) : 0;

	if (!rc && joined)
		rc = buf_putc(&guard->pool, '\n');
	if (!rc)
		rc = buf_put(&guard->pool, text.data, text.len);
	if (rc)
		return rc;
	struct bytes whole = { .data = buf_data(&guard->pool) + at, .len = guard->pool.len - at };
	bool there = false;
	for (size_t i = 0; i < line->count; i++)
		there |= line->texts[i].joined == joined && equal(line->texts[i].text, whole);
	if (!there && line->count < LINEGUARD_TEXTS_MAX) {
		line->texts[line->count++] =
			(struct line_text){ .text = whole, .source = source, .joined = joined };
		return 0;
	}
	/* one text beyond those kept fits into the pool: it is only compared */
	guard->pool.len = at;
	if (!there) {
		line->confidence = LINE_BLIND;
		line->why = "the line may be too many different texts";
	}
	return 0;
}

static int add(struct making *making, struct bytes text, enum line_source source)
{
	text = trimmed(text);
	if (!text.len && !making->continues)
		return 0;
	int rc = making->continues ? add_text(making->guard, text, source, true) : 0;
	if (!rc && text.len)
		rc = add_text(making->guard, text, source, false);
	if (rc || making->guard->accept_key != KEY_COMMENT || !begins(text, "#"))
		return rc;
	return add_text(making->guard, trimmed((struct bytes){ text.data + 1, text.len - 1 }),
		source, false);
}

/* The line in "(reverse-i-search)`x': line": what follows "': ". */
static struct bytes found_by_search(struct bytes row)
{
	const uint8_t *at = memmem(row.data, row.len, "': ", 3);

	if (!at)
		return row;
	size_t skip = (size_t)(at - row.data) + 3;
	return (struct bytes){ .data = row.data + skip, .len = row.len - skip };
}

/* The text without a grey tail that begins at the cursor, which is a suggestion. */
static struct bytes without_suggestion(const struct reading *reading)
{
	struct bytes text = buf_bytes(&reading->text);
	size_t end = reading_end(reading);

	if (end < text.len)
		text.len = end;
	return text;
}

/* There is a grey tail, but the cursor is not at its beginning: the end of the line is
 * uncertain. */
static bool suggestion_unsure(const struct reading *reading)
{
	struct bytes tail =
		trimmed((struct bytes){ .data = buf_data(&reading->text) + reading->bright,
			.len = reading->text.len - reading->bright });

	return tail.len && reading->cursor < reading->bright;
}

/* The shell replaces `!x` and `^a^b` after the Enter, when it can no longer be seen. */
static bool has_history(struct bytes text)
{
	if (text.len && *text.data == '^')
		return true;
	for (size_t i = 0; i + 1 < text.len; i++)
		if (text.data[i] == '!' && !strchr(" \t=(\"\n|;", text.data[i + 1]))
			return true;
	return false;
}

/* zsh shows its history search below the line. */
static bool search_below(const struct making *making)
{
	BUF_CLEANUP struct buf row = BUF_INIT(LINE_TEXT_MAX);
	struct lineguard *guard = making->guard;

	if (screen_text(guard->screen, making->reading.end_row + 1, 0,
		    screen_columns(guard->screen), &row) ||
		!row.len)
		return false;
	return memmem(buf_data(&row), row.len, "i-search:", 9) != NULL;
}

static const char *blind_terminal(const struct making *making)
{
	const struct lineguard *guard = making->guard;
	const struct screen_modes *modes = screen_modes(guard->screen);

	if (modes->clipped)
		return "the terminal is too large";
	if (modes->in_string)
		return "a control string of the terminal is unfinished";
	if (making->settled == SETTLED_LATE)
		return "the screen kept changing";
	return making->settled == SETTLED_SILENT ? "the keys were not echoed" : NULL;
}

static const char *blind_place(const struct making *making, bool located)
{
	struct lineguard *guard = making->guard;
	const struct typing *typing = &guard->typing;

	if (typing->lost)
		return typing->lost;
	if (typing->anchored && !located && typing->anchor.row < screen_top(guard->screen))
		return "the line is taller than the screen";
	if (!settle_verified(guard) && !making->continues)
		return "no known prompt stands before the line";
	if (guard->prefilled && making->located == LOCATED_ANCHOR &&
		!prompt_known(guard, &typing->left))
		return "the line may have begun with text that was not typed";
	return located ? NULL : "the line was not found on the screen";
}

static const char *blind_text(const struct making *making)
{
	const struct reading *reading = &making->reading;
	const struct typing *typing = &making->guard->typing;
	const struct screen *screen = making->guard->screen;
	bool fills = reading->end_row - making->start.row >=
			     screen_bottom(screen) - screen_top(screen) &&
		     reading->end_row > making->start.row;

	/* an editor without enough rows shows some of them twice or not at all */
	if (reading->tall || (fills && !making->agree))
		return "the line is taller than the screen";
	if (has_history(making->full))
		return "history expansion";
	if (making->guard->accept_key == KEY_COMMENT && begins(making->full, "#"))
		return "the key turns a comment into a command";
	if (making->agree)
		return NULL;
	if (!making->full.len && typing->keys.unfaithful && !making->guard->stuck)
		return "the line on the screen is empty after editing keys";
	if (typing->standing < STANDING_LIKELY)
		return "the line was typed before the prompt appeared";
	if (typing->disturbed)
		return "output came in the middle of the line";
	if (read_over_old_text(making->guard))
		return "there was text right of the line";
	if (typing->resized && making->located == LOCATED_ANCHOR)
		return "the terminal was resized in the middle of the line";
	if (reading->broken)
		return "other text interrupts the line";
	if (reading->below && !typing->keys.completed && !search_below(making))
		return "there is text below the line";
	if (typing->combined != screen_modes(making->guard->screen)->combined)
		return "the line contains combining characters";
	if (!typing->keys.unfaithful)
		return "the screen differs from the keys";
	if (!screen_modes(making->guard->screen)->paste && making->full.len &&
		memchr(making->full.data, '?', making->full.len))
		return "a question mark may stand for a character that is not shown"; /* busybox */
	if (suggestion_unsure(reading))
		return "a suggestion cannot be told from the line";
	return begins(making->full, ">....") || begins(making->full, "<")
		       ? "only a part of the line is shown"
		       : NULL;
}

/* The rows below the cursor: an editor may show several lines, with the cursor in an upper one. */
static int add_below(struct making *making)
{
	struct lineguard *guard = making->guard;
	BUF_CLEANUP struct buf text = BUF_INIT(LINE_TEXT_MAX);
	int64_t bottom = screen_bottom(guard->screen);

	if (!making->reading.below || guard->line.confidence != LINE_BLIND ||
		guard->typing.keys.completed || search_below(making))
		return 0;
	int rc = buf_put(&text, buf_data(&making->reading.text), making->reading.text.len);
	while (bottom > making->reading.end_row && !screen_row_end(guard->screen, bottom))
		bottom--;
	for (int64_t row = making->reading.end_row + 1; !rc && row <= bottom; row++) {
		rc = buf_putc(&text, '\n');
		if (!rc)
			rc = screen_text(
				guard->screen, row, 0, screen_row_end(guard->screen, row), &text);
	}
	return rc && rc != -EMSGSIZE ? rc : add(making, buf_bytes(&text), LINE_FROM_SCREEN);
}

static int add_screen(struct making *making)
{
	struct reading *reading = &making->reading;
	int rc = add(making, making->full, LINE_FROM_SCREEN);

	if (rc || making->agree || making->located == LOCATED_SEARCH)
		return rc;
	if (suggestion_unsure(reading))
		rc = add(making,
			(struct bytes){ .data = buf_data(&reading->text), .len = reading->bright },
			LINE_FROM_SCREEN);
	if (!rc)
		rc = add(making,
			(struct bytes){ .data = buf_data(&reading->text), .len = reading->cursor },
			LINE_TO_CURSOR);
	if (rc || !read_anchor_candidate(making->guard, making->start))
		return rc;
	struct reading other;
	rc = read_from(making->guard, making->guard->typing.anchor, &other);
	if (!rc)
		rc = add(making, without_suggestion(&other), LINE_FROM_ANCHOR);
	reading_release(&other);
	return rc;
}

/* The keys are a candidate where the model followed them, and where there is no other. */
static int add_all(struct making *making, bool located)
{
	const struct keys_model *keys = &making->guard->typing.keys;
	bool blind = making->guard->line.confidence == LINE_BLIND;
	bool searched = located && making->located == LOCATED_SEARCH;
	int rc = located ? add_screen(making) : 0;

	if (!rc && located)
		rc = add_below(making);
	if (rc || making->agree || searched || (keys->unfaithful && !blind) || !making->keys.len)
		return rc;
	return add(making, making->keys, LINE_FROM_KEYS);
}

/* According to the keys the line ends at the cursor, and the text right of it is older than the
 * line (busybox prints prompts over old text). */
static bool ends_at_cursor(struct making *making)
{
	struct lineguard *guard = making->guard;
	const struct buf *right = &guard->typing.right;
	struct screen_place cursor = screen_cursor(guard->screen);
	BUF_CLEANUP struct buf rest = BUF_INIT(LINE_TEXT_MAX);
	struct bytes before = {
		.data = buf_data(&making->reading.text),
		.len = making->reading.cursor,
	};

	if (!guard->typing.anchored || cursor.row != guard->typing.anchor.row ||
		!equal(trimmed(before), making->keys))
		return false;
	if (screen_text(guard->screen, cursor.row, cursor.column, screen_columns(guard->screen),
		    &rest) ||
		!rest.len || rest.len > right->len)
		return false;
	return !memcmp(buf_data(right) + right->len - rest.len, buf_data(&rest), rest.len);
}

static int read_screen(struct making *making, bool *located)
{
	struct lineguard *guard = making->guard;
	const struct keys_model *keys = &guard->typing.keys;

	making->keys = trimmed((struct bytes){ .data = keys->text, .len = keys->length });
	*located = read_locate(guard, &making->start, &making->located);
	if (!*located)
		making->start = (struct screen_place){ .row = screen_cursor(guard->screen).row };
	int rc = read_from(guard, making->start, &making->reading);
	if (rc)
		return rc;
	making->full = without_suggestion(&making->reading);
	if (*located && making->located == LOCATED_SEARCH)
		making->full = found_by_search(making->full);
	making->full = trimmed(making->full);
	if (*located && !keys->unfaithful && !equal(making->full, making->keys) &&
		ends_at_cursor(making))
		making->full = making->keys;
	making->agree = *located && !keys->unfaithful && equal(making->full, making->keys);
	making->continues = *located && prompt_continues(guard, making->start);
	return 0;
}

/* Only stars or dots: a masked password. */
static bool is_masked(struct bytes text)
{
	if (!text.len || (*text.data != '*' && *text.data < 0x80))
		return false;
	size_t unit = *text.data == '*' ? 1 : 3;
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] != text.data[i % unit])
			return false;
	return true;
}

/* Where no line editor reads and no shell prompt stands, only a password is typed without echo. */
static bool is_hidden(struct making *making)
{
	struct lineguard *guard = making->guard;
	const struct keys_model *keys = &guard->typing.keys;
	struct prompt left;

	prompt_at(guard,
		guard->typing.anchored ? guard->typing.anchor : screen_cursor(guard->screen),
		&left);
	if (screen_modes(guard->screen)->paste || keys->recalled || prompt_known(guard, &left) ||
		making->agree || !keys->plain)
		return false;
	bool asked = left.length && (memmem(left.text, left.length, "assword", 7) ||
					    memmem(left.text, left.length, "assphrase", 9));
	return making->settled == SETTLED_SILENT || (asked && making->settled != SETTLED_ECHO) ||
	       is_masked(making->full);
}

static int judgeable(struct making *making, bool located, enum line_kind *ret_kind)
{
	struct line *line = &making->guard->line;

	line->why = blind_terminal(making);
	if (!line->why)
		line->why = blind_place(making, located);
	if (!line->why)
		line->why = blind_text(making);
	line->continues = making->continues;
	line->confidence = making->agree ? LINE_EXACT : LINE_SCREEN;
	if (making->continues && making->guard->before_confidence > line->confidence)
		/* no more certain than the line that it continues */
		line->confidence = making->guard->before_confidence;
	if (!line->why && line->confidence == LINE_BLIND)
		line->why = "the line continues one that was not read with certainty";
	if (line->why)
		line->confidence = LINE_BLIND;
	*ret_kind = !line->why && !making->full.len && !making->continues ? KIND_EMPTY : KIND_JUDGE;
	return add_all(making, located);
}

/* Learns the prompt of a line that was echoed: after ?2004 it can be nothing else. */
static void learn(struct making *making)
{
	struct lineguard *guard = making->guard;
	struct prompt left;
	bool echoed = making->agree ||
		      (screen_modes(guard->screen)->paste && making->located == LOCATED_ANCHOR);

	if (!making->full.len || !echoed || making->settled == SETTLED_SILENT ||
		making->located == LOCATED_SEARCH)
		return;
	if (!guard->typing.anchored || guard->typing.standing == STANDING_EARLY)
		return;
	prompt_at(guard, making->start, &left);
	prompt_learn(guard, &left);
}

static int make(struct making *making, enum line_kind *ret_kind)
{
	bool located;
	uint8_t *room;
	int rc = read_screen(making, &located);

	if (!rc)
		rc = buf_grow(&making->guard->pool, LINE_POOL_MAX, &room);
	if (rc)
		return rc;
	making->guard->line_end = making->reading.end_row;
	prompt_at(making->guard, making->start, &making->guard->line_left);
	if (is_hidden(making)) {
		making->guard->line.hidden = true;
		making->guard->line.why = "typed without echo";
		return 0;
	}
	rc = judgeable(making, located, ret_kind);
	if (!rc && located)
		learn(making);
	return rc;
}

int line_make(struct lineguard *guard, int64_t now, enum settled how, enum line_kind *ret_kind)
{
	struct making making = { .guard = guard, .settled = how };

	line_none(guard);
	guard->line.settled_us = now - guard->accepted;
	*ret_kind = KIND_JUDGE;
	if (screen_modes(guard->screen)->alternate) {
		guard->line.full_screen = true;
		guard->line.why = "a full-screen program";
		return 0;
	}
	if (keys_model_empty(&guard->typing.keys) && !settle_verified(guard)) {
		*ret_kind = KIND_EMPTY;
		return 0;
	}
	int rc = make(&making, ret_kind);
	reading_release(&making.reading);
	return rc;
}

void line_keep(struct lineguard *guard)
{
	struct bytes text =
		guard->line.count ? guard->line.texts[0].text : (struct bytes){ .len = 0 };

	buf_clear(&guard->before);
	if (text.len)
		/* the buffer has the limit of one text; without memory the next line is judged
		 * alone */
		(void)buf_put(&guard->before, text.data, text.len);
	guard->before_left = guard->line_left;
	guard->before_confidence = guard->line.confidence;
	guard->before_end = guard->line_end;
}
