/* Playing a transcript on this terminal, at its own pace.
 *
 * What a recorded program did to the terminal (colours, alternate screen, mouse, hidden cursor) is
 * undone at the end, also after Ctrl-C. If standard output is not a terminal, everything is written
 * at once, unless the caller set a pace. */
#include "cli/cli.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "cast/cast.h"
#include "common/clock.h"
#include "common/fd.h"

/* Attributes off, cursor shown, keypad and cursor keys normal, mouse and pasting reports off, wrap
 * on, default scroll region and character set. */
#define RESET                                                                             \
	"\033[0m\033[?25h\033[?1l\033>\033[?1000l\033[?1002l\033[?1003l\033[?1006l\033[?" \
	"2004l\033[?7h\033(B"
#define LEAVE_ALTERNATE "\033[?1049l"

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	(void)sig;
	interrupted = 1;
}

struct play_screen { /* of the terminal that shows it */
	bool is_terminal, alternate, saved;
	struct termios before;
	struct sigaction old_int, old_term;
	/* signals come only inside wait_until(), so none is missed between looking and waiting */
	sigset_t mask;
};

static void screen_begin(struct play_screen *screen)
{
	struct sigaction action = { .sa_handler = on_signal };

	*screen = (struct play_screen){ .is_terminal = isatty(STDOUT_FILENO) };
	sigset_t held;
	interrupted = 0;
	sigemptyset(&held);
	sigaddset(&held, SIGINT);
	sigaddset(&held, SIGTERM);
	sigprocmask(SIG_BLOCK, &held, &screen->mask);
	sigaction(SIGINT, &action, &screen->old_int);
	sigaction(SIGTERM, &action, &screen->old_term);
	if (!screen->is_terminal || tcgetattr(STDIN_FILENO, &screen->before))
		return;
	struct termios quiet = screen->before;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ICANON);
	screen->saved = !tcsetattr(STDIN_FILENO, TCSANOW, &quiet);
}

static void screen_end(struct play_screen *screen)
{
	if (screen->is_terminal) {
		if (screen->alternate)
			fd_write_all(STDOUT_FILENO, LEAVE_ALTERNATE, strlen(LEAVE_ALTERNATE));
		fd_write_all(STDOUT_FILENO, RESET, strlen(RESET));
	}
	if (screen->saved) {
		/* drops the terminal's answers to queries in the transcript, which nobody typed */
		tcflush(STDIN_FILENO, TCIFLUSH);
		tcsetattr(STDIN_FILENO, TCSANOW, &screen->before);
	}
	sigaction(SIGINT, &screen->old_int, NULL);
	sigaction(SIGTERM, &screen->old_term, NULL);
	sigprocmask(SIG_SETMASK, &screen->mask, NULL);
}

/* Whether the recorded program is in the alternate screen: the last switch decides. */
static void screen_watch(struct play_screen *screen, struct bytes bytes)
{
	static const char switches[] = "\033[?1049";
	const size_t len = sizeof(switches) - 1;

	for (size_t i = 0; i + len < bytes.len; i++)
		if (bytes.data[i] == '\033' && !memcmp(bytes.data + i, switches, len))
			screen->alternate = bytes.data[i + len] == 'h';
}

/* Waits until due (microseconds after start) or for a signal; a signal is delivered even if the
 * time is over already. */
static void wait_until(const struct play_screen *screen, int64_t start, int64_t due)
{
	int64_t left;

	do {
		left = start + due - clock_mono_us();
		if (left < 0)
			left = 0;
		struct timespec pause = { left / 1000000, left % 1000000 * 1000 };
		ppoll(NULL, 0, &pause, &screen->mask);
	} while (left && !interrupted);
}

static int play(struct player *player, struct play_screen *screen, bool paced)
{
	struct err err = { "" };
	struct bytes bytes;
	int64_t start = clock_mono_us(), due;
	int rc;

	while (!interrupted && (rc = player_next(player, &due, &bytes, &err)) != 0) {
		if (rc == -EBADMSG) {
			cli_error("%s; playing on", err.text);
			continue;
		}
		if (rc < 0)
			return cli_error("the transcript cannot be played: %s", err.text);
		wait_until(screen, start, paced ? due : 0);
		screen_watch(screen, bytes);
		rc = interrupted ? 0 : fd_write_all(STDOUT_FILENO, bytes.data, bytes.len);
		if (rc)
			return cli_error("standard output: %s", strerror(-rc));
	}
	return CLI_OK;
}

int cli_play(int fd, const struct msg_play *options)
{
	struct player_options player_options = {
		.speed = options->speed_milli / 1000.0,
		.idle_us = options->idle_us,
		.from_us = options->from_us,
		.text = options->text,
	};
	struct err err = { "" };
	struct player *player = NULL;
	struct play_screen screen;

	if (player_open(fd, &player_options, &player, &err))
		return cli_error("the transcript cannot be played: %s", err.text);
	screen_begin(&screen);
	int status = play(player, &screen, options->speed_milli > 0);
	screen_end(&screen);
	player_free(player);
	return interrupted ? 128 + SIGINT : status;
}
