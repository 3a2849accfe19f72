/* Messages to the user. A shell's editor relies on the cursor's column: so a notice is written over
 * the row of the prompt, and the row is printed again below it. */
#include "lineguard/impl.h"

#include <stdio.h>
#include <string.h>

/* Replaces everything that could move the cursor, also C1 controls in UTF-8 (0xc2, then 0x80 to
 * 0x9f). */
static void put_clean(struct buf *out, const char *text)
{
	for (; *text; text++) {
		const uint8_t c = (uint8_t)*text, next = (uint8_t)text[1];
		bool wide = c == 0xc2 && next >= 0x80 && next < 0xa0;
		(void)buf_putc(out, c < 0x20 || c == 0x7f || wide ? ' ' : c);
		text += wide;
	}
}

static void send_out(struct lineguard *guard, const struct buf *out)
{
	if (out->len)
		guard->callbacks->show(guard->context, buf_data(out), out->len);
}

void notice_after_prompt(struct lineguard *guard, const char *text)
{
	BUF_CLEANUP struct buf out = BUF_INIT(LINE_TEXT_MAX);
	struct screen_place cursor = screen_cursor(guard->screen);

	if (!*text)
		return;
	(void)buf_puts(&out, "\r\033[K");
	put_clean(&out, text);
	(void)buf_puts(&out, "\r\n");
	int end = screen_row_end(guard->screen, cursor.row);
	(void)screen_text(
		guard->screen, cursor.row, 0, end > cursor.column ? end : cursor.column, &out);
	(void)buf_puts(&out, "\r");
	if (cursor.column)
		(void)buf_printf(&out, "\033[%dC", cursor.column);
	send_out(guard, &out);
}

void notice_now(struct lineguard *guard, const char *text)
{
	BUF_CLEANUP struct buf out = BUF_INIT(LINE_TEXT_MAX);

	if (!*text)
		return;
	(void)buf_puts(&out, "\r\n");
	put_clean(&out, text);
	send_out(guard, &out);
}

void notice_title(struct lineguard *guard, const char *text)
{
	BUF_CLEANUP struct buf out = BUF_INIT(LINE_TEXT_MAX);

	if (!*text)
		return;
	(void)buf_puts(&out, "\a\033]2;");
	put_clean(&out, text);
	(void)buf_puts(&out, "\a");
	send_out(guard, &out);
}

/* Cuts to one row, in whole characters: a line that wraps cannot be overwritten. */
static size_t cut_to_row(const struct lineguard *guard, const char *text, size_t len)
{
	size_t room = (size_t)screen_columns(guard->screen) - 1;

	if (len <= room)
		return len;
	while (room && ((uint8_t)text[room] & 0xc0) == 0x80)
		room--;
	return room;
}

/* A status alone overwrites the last one; with lines before it, everything is written below. */
void notice_status(struct lineguard *guard, const char *text)
{
	BUF_CLEANUP struct buf out = BUF_INIT(LINE_TEXT_MAX);
	const char *begin = guard->status_shown && !strchr(text, '\n') ? "\r\033[K" : "\r\n";

	if (!*text)
		return;
	for (size_t len; *text; text += len + (text[len] == '\n')) {
		char line[LINE_NOTICE_MAX];
		len = strcspn(text, "\n");
		size_t shown = text[len] ? len : cut_to_row(guard, text, len);
		snprintf(line, sizeof(line), "%.*s",
			(int)(shown < sizeof(line) ? shown : sizeof(line) - 1), text);
		(void)buf_puts(&out, begin);
		put_clean(&out, line);
		begin = "\r\n";
	}
	guard->status_shown = true;
	send_out(guard, &out);
}
