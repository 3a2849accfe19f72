/* Life of the listener: start order, phases, signals, the loop. See listener.h.
 *
 * Start: libraries, privileges, configuration (reader), sockets, host key, state directory, control
 * socket, then signer, egress and broker; only when all three are ready is the first connection
 * accepted and "ready" said. Whatever fails before that ends the process with 1 and one line that
 * says why; afterwards nothing does but a signal. */
#include "server/listener/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/log.h"
#include "server/libssh/host_key.h"
#include "server/libssh/library.h"
#include "server/listener/reader.h"
#include "server/listener/systemd.h"

/* the broker holds a link and transcripts for each session; it inherits this limit */
#define OPEN_FILES_WANTED 65536

static const char *const phase_names[PHASES] = { "starting", "serving", "recovering", "draining",
	"ending" };

#define TO(phase) (1u << (phase))
static const unsigned phase_next[PHASES] = {
	[PHASE_STARTING] = TO(PHASE_SERVING) | TO(PHASE_ENDING),
	[PHASE_SERVING] = TO(PHASE_RECOVERING) | TO(PHASE_DRAINING) | TO(PHASE_ENDING),
	[PHASE_RECOVERING] = TO(PHASE_SERVING) | TO(PHASE_DRAINING) | TO(PHASE_ENDING),
	[PHASE_DRAINING] = TO(PHASE_ENDING),
};

void listener_phase_set(struct listener *listener, enum listener_phase phase)
{
	if (!(phase_next[listener->phase] & TO(phase))) {
		log_error("internal: %s cannot become %s", phase_names[listener->phase],
			phase_names[phase]);
		return;
	}
	log_debug("%s -> %s", phase_names[listener->phase], phase_names[phase]);
	listener->phase = phase;
	accept_enable(listener, phase == PHASE_SERVING);
}

static void announce(struct listener *listener)
{
	char where[CONF_LISTEN_MAX * (ADDR_TEXT_MAX + 2)] = "";

	sockets_describe(&listener->sockets, where, sizeof(where));
	log_info("%s: listening on %s", listener->announced ? "recovered" : "ready", where);
	if (listener->announced)
		return;
	listener->announced = true;
	systemd_ready();
	if (listener->options->ready_fd >= 0) {
		fd_write_all(listener->options->ready_fd, "ready\n", 6);
		close(listener->options->ready_fd);
	}
}

void listener_serve(struct listener *listener)
{
	if (listener->phase != PHASE_STARTING && listener->phase != PHASE_RECOVERING)
		return;
	listener_phase_set(listener, PHASE_SERVING);
	announce(listener);
	reload_next(listener);
}

void listener_fail(struct listener *listener, const char *reason)
{
	log_error("cannot start: %s", reason);
	listener->status = 1;
	if (listener->phase != PHASE_ENDING)
		listener_phase_set(listener, PHASE_ENDING);
	roles_finish(listener);
	drain_check(listener);
}

void listener_apply_log(const struct listener *listener, const struct listener_conf *conf)
{
	log_level_set(listener->options->debug ? LOG_DEBUG_ : (enum log_level)conf->log_level);
}

void shares_close(int shares[READER_FDS])
{
	for (size_t i = 0; i < READER_FDS; i++)
		fd_closep(&shares[i]);
}

struct event *listener_timer(struct listener *listener, event_callback_fn fn, void *arg)
{
	return evtimer_new(listener->base, fn, arg);
}

void listener_timer_in(struct event *timer, int64_t ms)
{
	const struct timeval wait = timeval_of(ms);

	evtimer_add(timer, &wait);
}

/* ---- signals ---- */

static void children_reap(struct listener *listener)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (!conn_gone(listener, pid, status) && !process_gone(listener, pid, status) &&
			!note_gone(listener, pid, status))
			reload_reader_gone(listener, pid);
}

static const struct {
	int sig;
	void (*handle)(struct listener *listener);
} handlers[] = {
	{ SIGCHLD, children_reap },
	{ SIGHUP, reload_request },
	{ SIGTERM, drain_request },
	{ SIGINT, drain_request },
};
#define HANDLERS (sizeof(handlers) / sizeof(handlers[0]))

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		for (size_t i = 0; i < HANDLERS; i++)
			if (handlers[i].sig == (int)info.ssi_signo)
				handlers[i].handle(arg);
}

/* By descriptor, not by libevent's signal events: those are one event base's in a process and its
 * forks, and the broker wants its own. */
static int signals_watch(struct listener *listener)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < HANDLERS; i++)
		sigaddset(&set, handlers[i].sig);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	listener->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (listener->signal_fd < 0)
		return -errno;
	listener->signal_event = event_new(
		listener->base, listener->signal_fd, EV_READ | EV_PERSIST, on_signal, listener);
	return listener->signal_event && event_add(listener->signal_event, NULL) == 0 ? 0 : -ENOMEM;
}

/* ---- start ---- */

/* Standard input and output belong to whoever started us; a session must have neither. */
static void stdio_detach(void)
{
	int fd FD_CLEANUP = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return;
	dup2(fd, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	if (fd <= STDERR_FILENO)
		fd = -1;
}

static void files_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	rlim_t wanted = limit.rlim_max < OPEN_FILES_WANTED ? limit.rlim_max : OPEN_FILES_WANTED;
	if (limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = wanted;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int process_setup(const struct listener_options *options, struct err *err)
{
	umask(077);
	/* whatever a shell or a test runner left open */
	fd_close_others(&options->ready_fd, options->ready_fd >= 0);
	stdio_detach();
	files_raise();
	int rc = session_library_init(err);
	return rc < 0 ? rc : role_keep_listener(err);
}

static int resources_open(struct listener *listener, struct err *err)
{
	int rc = sockets_open(&listener->sockets, listener->conf, NULL, err);

	if (rc < 0)
		return rc;
	rc = host_key_load(listener->conf->host_key, &listener->host_key, err);
	if (rc < 0)
		return err_prefix(err, rc, "host_key");
	rc = listener->state_dir = state_dir_open(listener->conf, err);
	if (rc < 0)
		return rc;
	rc = listener->control = control_socket_open(listener->conf, err);
	return rc < 0 ? rc : 0;
}

static int loop_open(struct listener *listener, struct err *err)
{
	listener->base = event_base_new();
	if (!listener->base || accept_init(listener) < 0 || signals_watch(listener) < 0)
		return err_set(err, -ENOMEM, "no event loop");
	listener->drain_timer = drain_timer_new(listener);
	return listener->drain_timer ? 0 : err_set(err, -ENOMEM, "out of memory");
}

static int listener_start(struct listener *listener, struct err *err)
{
	int rc = process_setup(listener->options, err);

	rc = rc < 0 ? rc
		    : reader_run(listener->options->mains, listener->options->config,
			      &listener->conf, listener->shares, err);
	if (rc < 0)
		return rc;
	listener_apply_log(listener, listener->conf);
	if (geteuid() == 0 && listener->conf->uid == UINT32_MAX)
		log_warning("run_as is not set: every role runs as root, without capabilities");
	rc = resources_open(listener, err);
	rc = rc < 0 ? rc : loop_open(listener, err);
	if (rc < 0)
		return rc;
	accept_start(listener);
	return roles_start(listener, err);
}

static void listener_free(struct listener *listener)
{
	processes_free(listener);
	notes_free(listener);
	sockets_close(&listener->sockets);
	struct event *events[] = { listener->signal_event, listener->accept_pause,
		listener->shedding.timer, listener->orphans, listener->drain_timer };
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (events[i])
			event_free(events[i]);
	shares_close(listener->shares);
	int *fds[] = { &listener->state_dir, &listener->control, &listener->spare_fd,
		&listener->signal_fd };
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		fd_closep(fds[i]);
	host_key_free(listener->host_key);
	listener_conf_free(listener->conf);
	if (listener->base)
		event_base_free(listener->base);
}

int listener_run(const struct listener_options *options)
{
	struct listener listener = {
		.options = options,
		.status = 0,
		.shares = { -1, -1, -1 },
		.generation = 1,
		.state_dir = -1,
		.control = -1,
		.spare_fd = -1,
		.signal_fd = -1,
		.reload = { .reader_fd = -1, .shares = { -1, -1, -1 } },
	};
	struct err err = { "" };

	TAILQ_INIT(&listener.processes);
	TAILQ_INIT(&listener.notes);
	if (listener_start(&listener, &err) < 0) {
		log_error("cannot start: %s", err.text);
		listener.status = 1;
	} else {
		event_base_dispatch(listener.base);
		log_info("ended");
	}
	listener_free(&listener);
	return listener.status;
}
