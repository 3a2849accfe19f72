/* A real shell under the shell guard: `lineguard_proxy [--delay MS] [--hold MS] [--blind deny] --log FILE -- PROGRAM ARGUMENT…`.
 *
 * The proxy sits between its own terminal and a pseudoterminal with the program in it, as the relay does between client and backend, with a judge
 * that knows four words: FORBID is refused, HOLDME is held and then allowed, HOLDNO is held and then refused, WARNME is asked about; while there is a
 * file named permit, all pass. What was judged goes to the log as JSON, one object a line. --delay puts a way's time on each direction. Driven by
 * tests/lineguard/driver.py; not a test by itself. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "lineguard/lineguard.h"

#define PIECE 4096

struct parcel { /* bytes on their way */
	struct parcel *next;
	int64_t due;
	size_t len;
	uint8_t data[];
};

struct way {
	struct parcel *first, **end;
};

struct proxy {
	struct lineguard *guard;
	struct way to_backend, to_guard;
	int backend, signals;
	int64_t delay, hold, answer_at;
	bool answer_yes, blind_deny;
	FILE *log;
};

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static void send_all(int fd, const uint8_t *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
}

static void way_put(struct way *way, int64_t due, const uint8_t *data, size_t len)
{
	struct parcel *parcel = malloc(sizeof *parcel + len);
	if (!parcel)
		die("malloc");
	*parcel = (struct parcel){ .due = due, .len = len };
	memcpy(parcel->data, data, len);
	*way->end = parcel;
	way->end = &parcel->next;
}

static struct parcel *way_take(struct way *way, int64_t now)
{
	struct parcel *parcel = way->first;
	if (!parcel || parcel->due > now)
		return NULL;
	way->first = parcel->next;
	if (!way->first)
		way->end = &way->first;
	return parcel;
}

static void put_log(struct proxy *proxy, json_t *object)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	json_object_set_new(
		object, "at", json_integer((json_int_t)now.tv_sec * 1000000 + now.tv_nsec / 1000)); /* to compare with what a shell writes */
	char *text = json_dumps(object, JSON_COMPACT);
	fprintf(proxy->log, "%s\n", text ? text : "{}");
	fflush(proxy->log);
	free(text);
	json_decref(object);
}

static json_t *line_json(const char *event, const struct line *line)
{
	static const char *const sources[] = { "screen", "cursor", "anchor", "keys" };
	json_t *texts = json_array();
	for (size_t i = 0; i < line->count; i++) {
		json_t *text = json_stringn_nocheck((const char *)line->texts[i].text.data, line->texts[i].text.len);
		json_array_append_new(texts,
			json_pack("{s:o,s:s,s:b}", "text", text, "source", sources[line->texts[i].source], "joined", line->texts[i].joined));
	}
	return json_pack("{s:s,s:s,s:s?,s:b,s:b,s:o,s:I}", "event", event, "confidence", line_confidence_name(line->confidence), "why", line->why,
		"full_screen", line->full_screen, "continues", line->continues, "texts", texts, "settled_us", (json_int_t)line->settled_us);
}

static bool says(const struct line *line, const char *word)
{
	for (size_t i = 0; i < line->count; i++)
		if (memmem(line->texts[i].text.data, line->texts[i].text.len, word, strlen(word)))
			return true;
	return false;
}

static enum line_verdict verdict_on(struct proxy *proxy, const struct line *line)
{
	if (access("permit", F_OK) == 0)
		return LINE_ALLOW;
	if (says(line, "FORBID") || (proxy->blind_deny && line->confidence == LINE_BLIND))
		return LINE_DENY;
	if (says(line, "HOLDME") || says(line, "HOLDNO"))
		return LINE_HOLD;
	return says(line, "WARNME") ? LINE_WARN : LINE_ALLOW;
}

static enum line_verdict on_judge(void *context, const struct line *line, struct line_answer *answer)
{
	static const char *const names[] = { "allow", "warn", "hold", "deny" };
	struct proxy *proxy = context;
	enum line_verdict verdict = verdict_on(proxy, line);
	if (verdict == LINE_DENY)
		strcpy(answer->notice, "bartizan: refused by the toy rule");
	if (verdict == LINE_WARN)
		strcpy(answer->notice, "bartizan: the toy rule warns");
	if (verdict == LINE_HOLD) {
		proxy->answer_at = clock_mono_us() + proxy->hold;
		proxy->answer_yes = !says(line, "HOLDNO");
	}
	json_t *object = line_json("judge", line);
	json_object_set_new(object, "verdict", json_string(names[verdict]));
	put_log(proxy, object);
	return verdict;
}

static void on_note(void *context, const struct line *line, enum line_end end, int64_t took_us)
{
	json_t *object = line_json("note", line);
	json_object_set_new(object, "end", json_string(line_end_name(end)));
	json_object_set_new(object, "took_us", json_integer(took_us));
	put_log(context, object);
}

static void on_failed(void *context, const char *why)
{
	put_log(context, json_pack("{s:s,s:s}", "event", "failed", "why", why));
}

static void on_forward(void *context, const uint8_t *data, size_t len)
{
	struct proxy *proxy = context;
	way_put(&proxy->to_backend, clock_mono_us() + proxy->delay, data, len);
}

static void on_show(void *context, const uint8_t *data, size_t len)
{
	(void)context;
	send_all(STDOUT_FILENO, data, len);
}

static const struct lineguard_callbacks callbacks = {
	.forward = on_forward, .show = on_show, .judge = on_judge, .note = on_note, .failed = on_failed
};

static struct winsize window(void)
{
	struct winsize size = { .ws_col = 80, .ws_row = 24 };
	(void)ioctl(STDIN_FILENO, TIOCGWINSZ, &size);
	return size;
}

static void raw(void)
{
	struct termios mode;
	if (tcgetattr(STDIN_FILENO, &mode))
		return;
	cfmakeraw(&mode);
	tcsetattr(STDIN_FILENO, TCSANOW, &mode);
}

/* Both ways: what is due arrives. */
static void arrive(struct proxy *proxy, int64_t now)
{
	struct parcel *parcel;
	while ((parcel = way_take(&proxy->to_backend, now))) {
		send_all(proxy->backend, parcel->data, parcel->len);
		free(parcel);
	}
	while ((parcel = way_take(&proxy->to_guard, now))) {
		send_all(STDOUT_FILENO, parcel->data, parcel->len);
		lineguard_output(proxy->guard, now, parcel->data, parcel->len);
		free(parcel);
	}
	if (proxy->answer_at && now >= proxy->answer_at) {
		proxy->answer_at = 0;
		lineguard_answer(proxy->guard, now, proxy->answer_yes ? LINE_ALLOW : LINE_DENY, "bartizan: refused by a toy approver");
	}
	lineguard_turn(proxy->guard, now);
}

static int wait_ms(const struct proxy *proxy, int64_t now)
{
	int64_t due = lineguard_due(proxy->guard);
	if (proxy->to_backend.first && proxy->to_backend.first->due < due)
		due = proxy->to_backend.first->due;
	if (proxy->to_guard.first && proxy->to_guard.first->due < due)
		due = proxy->to_guard.first->due;
	if (proxy->answer_at && proxy->answer_at < due)
		due = proxy->answer_at;
	if (due == LINEGUARD_NEVER)
		return -1;
	return due <= now ? 0 : (int)((due - now + 999) / 1000);
}

static bool from_backend(struct proxy *proxy)
{
	uint8_t data[PIECE];
	ssize_t n = read(proxy->backend, data, sizeof data);
	if (n <= 0)
		return false;
	way_put(&proxy->to_guard, clock_mono_us() + proxy->delay, data, (size_t)n);
	return true;
}

static bool from_user(struct proxy *proxy)
{
	uint8_t data[PIECE];
	ssize_t n = read(STDIN_FILENO, data, sizeof data);
	if (n <= 0)
		return false;
	lineguard_input(proxy->guard, clock_mono_us(), data, (size_t)n);
	return true;
}

static void resized(struct proxy *proxy)
{
	struct signalfd_siginfo info;
	struct winsize size = window();
	if (read(proxy->signals, &info, sizeof info) != sizeof info)
		return;
	(void)ioctl(proxy->backend, TIOCSWINSZ, &size);
	lineguard_resize(proxy->guard, clock_mono_us(), size.ws_col, size.ws_row);
}

static void relay(struct proxy *proxy)
{
	struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .fd = proxy->backend, .events = POLLIN },
		{ .fd = proxy->signals, .events = POLLIN } };
	bool open = true;
	while (open || proxy->to_guard.first) {
		if (poll(fds, 3, wait_ms(proxy, clock_mono_us())) < 0 && errno != EINTR)
			die("poll");
		if (fds[2].revents)
			resized(proxy);
		if (open && fds[1].revents && !from_backend(proxy))
			open = false;
		if (!open)
			fds[1].fd = -1;
		if (fds[0].revents && !from_user(proxy))
			return;
		arrive(proxy, clock_mono_us());
	}
}

static int watch_window(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static int start(char **argv, struct winsize *size)
{
	int master;
	pid_t pid = forkpty(&master, NULL, NULL, size);
	if (pid < 0)
		die("forkpty");
	if (pid)
		return master;
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGINT, SIG_DFL); /* a background job is started with both ignored */
	signal(SIGQUIT, SIG_DFL);
	execvp(argv[0], argv);
	die(argv[0]);
	return -1;
}

static void options(struct proxy *proxy, int argc, char **argv)
{
	static const struct option names[] = { { "log", 1, NULL, 'l' }, { "delay", 1, NULL, 'd' }, { "hold", 1, NULL, 'h' },
		{ "blind", 1, NULL, 'b' }, { 0 } };
	for (int c; (c = getopt_long(argc, argv, "+", names, NULL)) != -1;) {
		if (c == 'l')
			proxy->log = fopen(optarg, "ae");
		else if (c == 'd')
			proxy->delay = atoll(optarg) * 1000;
		else if (c == 'h')
			proxy->hold = atoll(optarg) * 1000;
		else if (c == 'b')
			proxy->blind_deny = !strcmp(optarg, "deny");
		else
			exit(2);
	}
	if (!proxy->log || optind == argc)
		die("usage: --log FILE -- PROGRAM");
}

int main(int argc, char **argv)
{
	struct proxy proxy = { .hold = 300000 };
	struct winsize size = window();
	options(&proxy, argc, argv);
	proxy.to_backend.end = &proxy.to_backend.first;
	proxy.to_guard.end = &proxy.to_guard.first;
	raw();
	proxy.signals = watch_window();
	proxy.backend = start(argv + optind, &size);
	struct lineguard_options guarded = { .columns = size.ws_col, .rows = size.ws_row, .callbacks = &callbacks, .context = &proxy };
	proxy.guard = lineguard_new(&guarded);
	if (!proxy.guard)
		die("lineguard_new");
	relay(&proxy);
	lineguard_free(proxy.guard);
	return 0;
}
