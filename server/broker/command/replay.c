/* replay ID[/CHANNEL]: hands the transcript's descriptor to the other end, which plays it (struct
 * player). */
#include "server/broker/command/impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/text.h"
#include "store/transcripts.h"

#define CHOICES_MAX 1000 /* most channels that are listed */

struct choice {
	uint32_t channel;
	char *kind, *file;
};

struct choices {
	struct choice list[CHOICES_MAX];
	size_t count;
};

static int add_choice(const struct channel_row *row, void *context)
{
	struct choices *choices = context;

	if (!row->file || choices->count == CHOICES_MAX)
		return 0;
	struct choice *choice = &choices->list[choices->count];
	*choice = (struct choice){ row->channel, strdup(row->kind ? row->kind : ""),
		strdup(row->file) };
	choices->count++;
	return choice->kind && choice->file ? 0 : -ENOMEM;
}

static void choices_free(struct choices *choices)
{
	for (size_t i = 0; choices && i < choices->count; i++) {
		free(choices->list[i].kind);
		free(choices->list[i].file);
	}
	free(choices);
}

/* The channel that was asked for; without one, the first shell, or else the first channel. */
static const struct choice *choose(const struct choices *choices, const char *channel)
{
	for (size_t i = 0; i < choices->count; i++) {
		char number[16];
		snprintf(number, sizeof(number), "%u", choices->list[i].channel);
		if (channel ? !strcmp(number, channel) : !strcmp(choices->list[i].kind, "shell"))
			return &choices->list[i];
	}
	return channel || !choices->count ? NULL : &choices->list[0];
}

static void tell_choices(struct caller *caller, const char *session, const struct choices *choices)
{
	for (size_t i = 0; i < choices->count; i++)
		command_error(caller, "transcript %s/%u: %s", session, choices->list[i].channel,
			choices->list[i].kind);
}

/* Somebody else's transcript is shown only after that is in the audit log. */
static bool audited(struct caller *caller, const struct session_row *row, uint32_t channel)
{
	if (command_own(caller, row))
		return true;
	json_t *data = json_pack("{s:s, s:i, s:s, s:s}", "session", row->id, "channel",
		(int)channel, "by", caller->who->user, "provider",
		caller->who->provider ? caller->who->provider : "");
	return data && !broker_audit(caller->broker, "replay", data);
}

static void play(struct caller *caller, const struct command_args *args,
	const struct session_row *row, const struct choice *choice)
{
	struct err err = { "" };
	FD_CLEANUP int fd = transcripts_read(caller->broker->store, row->path, choice->file, &err);

	if (fd < 0) {
		command_fail(caller, 1, "the transcript cannot be read: %s", err.text);
		return;
	}
	if (!audited(caller, row, choice->channel)) {
		command_fail(
			caller, EXIT_GATEWAY, "not replayed: the audit event could not be written");
		return;
	}
	int64_t default_speed = args->text ? 0 : 1000;
	int64_t speed = args->speed >= 0 ? args->speed : default_speed;
	struct msg_play options = {
		.text = args->text,
		.speed_milli = (uint32_t)speed,
		.idle_us = args->idle * 1000,
		.from_us = args->from * 1000,
	};
	caller->ops->play(caller, fd, &options);
}

static void replay(struct caller *caller, const struct command_args *args,
	const struct session_row *row, const char *channel)
{
	struct err err = { "" };
	struct choices *choices = calloc(1, sizeof(*choices));
	int rc = choices ? channels_each(caller->broker->store, row->id, add_choice, choices, &err)
			 : -ENOMEM;
	const struct choice *choice = rc ? NULL : choose(choices, channel);

	if (!rc && (choices->count > 1 || !choice))
		tell_choices(caller, row->id, choices);
	if (rc)
		command_fail(
			caller, EXIT_GATEWAY, "the transcripts cannot be listed: %s", err.text);
	else if (!choice && channel)
		command_fail(caller, 1, "session '%s' has no transcript of channel %.16s", row->id,
			channel);
	else if (!choice)
		command_fail(caller, 1, "session '%s' has no transcript", row->id);
	else
		play(caller, args, row, choice);
	choices_free(choices);
}

void command_run_replay(struct caller *caller, const struct command_args *args)
{
	struct session_row row = { 0 };
	FREE_CLEANUP char *id = text_dup(args->words.items[0], strlen(args->words.items[0]));
	char *slash = id ? strchr(id, '/') : NULL;

	if (slash)
		*slash++ = 0;
	if (!id)
		command_fail(caller, EXIT_GATEWAY, "out of memory");
	else if (command_session(caller, id, MAY_REPLAY, &row))
		replay(caller, args, &row, slash);
	session_row_release(&row);
}
