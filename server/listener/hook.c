/* notify.command: run by the only process that may start others, for each notification that the
 * broker hands over.
 *
 * The text comes as a sealed file in memory, which becomes the program's standard input: no byte of
 * it is ever in the memory that sessions are forked from. The program is the configuration's, not
 * the broker's choice; it runs unprivileged, in a session of its own, with a bare environment, and
 * is killed after NOTE_TIME_MS. Its output goes where the log goes. What fails is tried again a few
 * times. Nothing waits for any of it. */
#include "server/libssh/host_key.h"
#include "server/listener/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/log.h"

struct hook_run {
	TAILQ_ENTRY(hook_run) entry;
	struct listener *listener;
	int fd;	   /* the text */
	pid_t pid; /* 0: not running now */
	unsigned tries;
	struct event *timer; /* running: its time is over; else, where pending: the next try */
};

static void note_free(struct hook_run *note)
{
	TAILQ_REMOVE(&note->listener->notes, note, entry);
	note->listener->note_count--;
	fd_closep(&note->fd);
	if (note->timer)
		event_free(note->timer);
	free(note);
}

/* ---- in the child ---- */

/* What the program finds: a session of its own, the root folder, default signals. On failure errno
 * says why. */
static int surroundings(int fd)
{
	static const int ignored[] = { SIGPIPE, SIGHUP, SIGINT, SIGTERM };

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_DFL);
	if (setsid() < 0 || chdir("/") < 0)
		return -1;
	return lseek(fd, 0, SEEK_SET) < 0 || dup2(fd, STDIN_FILENO) < 0
		       ? -1
		       : dup2(STDERR_FILENO, STDOUT_FILENO);
}

/* Returns only when it could not be run. */
static int run(const struct listener *listener, int fd)
{
	static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		    locale[] = "LANG=C.UTF-8";
	char *environment[] = { path, locale, NULL };
	const struct role_start start = { .uid = listener->conf->uid, .gid = listener->conf->gid };
	char **argv = listener->conf->notify;
	struct err err = { "" };

	host_key_free(listener->host_key);
	if (role_drop(&start, &err) < 0)
		log_error("%s", err.text);
	else if (surroundings(fd) < 0)
		log_error("notify.command: %s", strerror(errno));
	else if (execve(argv[0], argv, environment) < 0)
		log_error("notify.command: '%s': %s", argv[0], strerror(errno));
	return 127;
}

/* ---- one note ---- */

static void retry(struct hook_run *note, const char *why)
{
	if (note->tries >= NOTE_TRIES) {
		log_error("notify.command: %s; given up after %u tries", why, note->tries);
		note_free(note);
		return;
	}
	if (note->tries == 1)
		log_warning("notify.command: %s; it is tried again", why);
	int64_t wait = (int64_t)NOTE_RETRY_MS << (note->tries - 1);
	listener_timer_in(note->timer, wait < NOTE_RETRY_MS_MAX ? wait : NOTE_RETRY_MS_MAX);
}

static void note_start(struct hook_run *note)
{
	struct listener *listener = note->listener;
	struct err err = { "" };
	pid_t pid = role_fork(ROLE_NOTIFY, &note->fd, 1, &err);

	if (pid == 0)
		_exit(run(listener, note->fd));
	note->tries++;
	if (pid < 0) {
		retry(note, err.text);
		return;
	}
	note->pid = pid;
	listener->notes_running++;
	listener_timer_in(note->timer, NOTE_TIME_MS);
}

static bool has_command(const struct listener *listener)
{
	return listener->conf->notify && listener->conf->notify[0];
}

/* Starts those that wait for their turn, the oldest first. */
static void notes_pump(struct listener *listener)
{
	struct hook_run *note, *next;

	for (note = TAILQ_FIRST(&listener->notes);
		note && listener->notes_running < NOTES_RUNNING_MAX; note = next) {
		next = TAILQ_NEXT(note, entry);
		if (note->pid || evtimer_pending(note->timer, NULL))
			continue;
		if (has_command(listener) && listener->phase < PHASE_ENDING)
			note_start(note);
		else
			note_free(note);
	}
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct hook_run *note = arg;

	if (!note->pid) {
		notes_pump(note->listener);
		return;
	}
	log_warning("notify.command: process %d takes longer than %d s: killed", (int)note->pid,
		NOTE_TIME_MS / 1000);
	kill(-note->pid, SIGKILL); /* and whatever it has started */
	kill(note->pid, SIGKILL);
}

void note_add(struct listener *listener, int fd)
{
	struct hook_run *note = listener->note_count < NOTES_MAX ? calloc(1, sizeof(*note)) : NULL;

	if (!note) {
		if (!listener->notes_dropped++ || listener->notes_dropped % 100 == 0)
			log_error(
				"notify.command: %u notifications wait already; dropped so far: %u",
				listener->note_count, listener->notes_dropped);
		fd_closep(&fd);
		return;
	}
	*note = (struct hook_run){ .listener = listener, .fd = fd };
	note->timer = listener_timer(listener, on_timer, note);
	TAILQ_INSERT_TAIL(&listener->notes, note, entry);
	listener->note_count++;
	if (note->timer) {
		notes_pump(listener);
	} else {
		log_error("notify.command: out of memory: a notification is lost");
		note_free(note);
	}
}

bool note_gone(struct listener *listener, pid_t pid, int status)
{
	struct hook_run *note = TAILQ_FIRST(&listener->notes);
	struct err why;

	while (note && note->pid != pid)
		note = TAILQ_NEXT(note, entry);
	if (!note)
		return false;
	note->pid = 0;
	listener->notes_running--;
	evtimer_del(note->timer);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		note_free(note);
	} else {
		if (WIFSIGNALED(status))
			err_set(&why, 0, "it died of signal %d", WTERMSIG(status));
		else
			err_set(&why, 0, "it ended with status %d", WEXITSTATUS(status));
		retry(note, why.text);
	}
	notes_pump(listener);
	return true;
}

void notes_free(struct listener *listener)
{
	struct hook_run *note;

	while ((note = TAILQ_FIRST(&listener->notes)))
		note_free(note);
}
