/* bartizan replay: a file of this machine, or a session's transcript by way of the gateway. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"

struct options {
	int64_t speed, idle, from;
	bool text;
};

static const struct arg_row rows[] = {
	{ "speed", ARG_MILLI, offsetof(struct options, speed), 0, 1000000 },
	{ "idle", ARG_DURATION, offsetof(struct options, idle), 0, 0 },
	{ "from", ARG_DURATION, offsetof(struct options, from), 0, 0 },
	{ "text", ARG_FLAG, offsetof(struct options, text), 0, 0 },
	{ 0 },
};

static bool is_file(const char *word)
{
	size_t len = strlen(word);

	return len > 5 && !strcmp(word + len - 5, ".cast");
}

static int play_file(const char *path, const struct options *options, int64_t speed)
{
	struct msg_play play = {
		.text = options->text,
		.speed_milli = (uint32_t)speed,
		.idle_us = options->idle * 1000,
		.from_us = options->from * 1000,
	};
	FD_CLEANUP int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	return fd < 0 ? cli_error("'%s': %s", path, strerror(errno)) : cli_play(fd, &play);
}

int cli_run_replay(const struct cli *cli, char *const *argv)
{
	struct options options = { .speed = -1 };
	struct args_list words;

	if (!cli_args(cli, rows, argv, &options, &words, 1, 1))
		return CLI_USAGE;
	/* Without a terminal there is no pace, unless one was given. */
	bool instant = options.speed < 0 && (options.text || !isatty(STDOUT_FILENO));
	int64_t speed = instant ? 0 : 1000;
	if (options.speed >= 0)
		speed = options.speed;
	if (is_file(words.items[0]))
		return play_file(words.items[0], &options, speed);
	char *ask[ARGS_LIST_MAX + 4] = { (char *)"replay" };
	size_t count = 1;
	if (instant)
		ask[count++] = (char *)"--speed=0";
	while (*argv && count < ARGS_LIST_MAX + 3)
		ask[count++] = *argv++;
	return cli_ask(cli, ask);
}
