/* When the next event of a replay is due, and what it shows. Pure arithmetic over a reader: no
 * clock, no sleep. */
#include "cast/cast.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cast/line.h"
#include "cast/text.h"

struct player {
	struct cast_reader *reader;
	struct player_options options;
	struct cast_event event;
	struct cast_text text;
	struct buf shown;    /* text mode: the event as plain text */
	int64_t previous_us; /* time of the event before, not before from_us */
	double due_us;
};

int player_open(int fd, const struct player_options *options, struct player **ret, struct err *err)
{
	if (!isfinite(options->speed) || options->speed < 0 || options->idle_us < 0 ||
		options->from_us < 0)
		return err_set(err, -EINVAL, "speed, idle limit and start must not be negative");
	struct player *player = calloc(1, sizeof(*player));
	if (!player)
		return err_set(err, -ENOMEM, "out of memory to replay a transcript");
	player->options = *options;
	player->previous_us = options->from_us;
	player->shown = BUF_INIT(2 * CAST_LINE_MAX + 65536);
	int rc = cast_reader_open(fd, &player->reader, err);
	if (rc) {
		player_free(player);
		return rc;
	}
	*ret = player;
	return 0;
}

void player_free(struct player *player)
{
	if (!player)
		return;
	cast_reader_free(player->reader);
	buf_release(&player->event.data);
	buf_release(&player->shown);
	free(player);
}

/* Moves the play clock by the pause before this event. */
static void wait_for(struct player *player, int64_t time_us)
{
	if (time_us <= player->previous_us)
		return;
	int64_t pause = time_us - player->previous_us;
	player->previous_us = time_us;
	if (player->options.idle_us && pause > player->options.idle_us)
		pause = player->options.idle_us;
	if (player->options.speed > 0)
		player->due_us += (double)pause / player->options.speed;
}

static int show_text(struct player *player)
{
	struct bytes data = buf_bytes(&player->event.data);

	if (player->event.code == 'o' || player->event.code == 'e')
		return cast_text_put(&player->text, &player->shown, data);
	return player->event.code == 'm'
		       ? cast_text_note(&player->text, &player->shown, "marker", data)
		       : 0;
}

static int show_damage(struct player *player, const struct err *why)
{
	buf_clear(&player->shown);
	if (!player->options.text)
		return 0;
	return cast_text_note(&player->text, &player->shown, "damaged",
		(struct bytes){ (const uint8_t *)why->text, strlen(why->text) });
}

/* The bytes that the event just read shows: possibly none. */
static int show(struct player *player, struct bytes *ret)
{
	*ret = (struct bytes){ 0 };
	buf_clear(&player->shown);
	if (player->options.text) {
		int rc = show_text(player);
		*ret = buf_bytes(&player->shown);
		return rc;
	}
	if (player->event.code == 'o' || player->event.code == 'e')
		*ret = buf_bytes(&player->event.data);
	return 0;
}

int player_next(struct player *player, int64_t *ret_due_us, struct bytes *ret, struct err *err)
{
	struct bytes shown = { 0 };

	while (!shown.len) {
		struct err why;
		int rc = cast_reader_next(player->reader, &player->event, &why);
		if (rc == -EBADMSG) {
			rc = show_damage(player, &why);
			shown = buf_bytes(&player->shown);
		} else if (rc == 1) {
			wait_for(player, player->event.time_us);
			rc = show(player, &shown);
		} else if (rc) {
			return err_set(err, rc, "%s", why.text);
		} else {
			return 0;
		}
		if (rc)
			return err_set(err, rc, "replay: %s", strerror(-rc));
	}
	*ret_due_us = player->due_us < (double)CAST_TIME_MAX_US * 1000 ? (int64_t)player->due_us
								       : CAST_TIME_MAX_US * 1000;
	*ret = shown;
	return 1;
}
