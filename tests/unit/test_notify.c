/* Notifications: the webhook's headers, the broker's queue and its tries, the listener's programs. Time is the test's: timers are fired by hand. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/fd.h"
#include "server/broker/approval/notify.h"
#include "server/egress/webhook.h"
#include "server/listener/listener.h"
#include "tests/unit/scratch.h"

/* ---- timers: noted, and fired by hand ---- */

static struct { struct event *last; int64_t ms; } timer;

int event_add(struct event *event, const struct timeval *wait)
{
	static int (*real)(struct event *, const struct timeval *);
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "event_add");
	timer.last = event;
	timer.ms = wait ? (int64_t)wait->tv_sec * 1000 + wait->tv_usec / 1000 : -1;
	return real(event, wait);
}

static void fire(struct event_base *base, struct event *event)
{
	event_del(event);
	event_active(event, EV_TIMEOUT, 0);
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

/* ---- headers of the webhook ---- */

static struct scratch scratch;

static int refused(const char *text, size_t len, mode_t mode, struct err *err)
{
	char path[200];
	struct posts *posts = NULL;
	snprintf(path, sizeof(path), "%s/headers", scratch.path);
	unlink(path);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, text, len), (ssize_t)len);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
	struct egress_conf conf = { .webhook = (char *)"https://chat.example.com/", .webhook_headers = path };
	int rc = posts_new(&conf, &posts, err);
	posts_free(posts);
	return rc;
}

static void test_headers(void **state)
{
	(void)state;
	static const struct { const char *text; int rc; const char *words; } cases[] = {
		{ "", 0, "" }, { "\n\n# A: b\n\r\n", 0, "" }, { "A: b", 0, "" }, { "A: b\r\nC: d\r\n", 0, "" }, { "A:b", 0, "" },
		{ "A: b\nno colon\n", -EINVAL, "header 2" }, { ": x\n", -EINVAL, "header 1" }, { "A b: c\n", -EINVAL, "header 1" },
		{ "A: b\tc\n", -EINVAL, "header 1" }, { "A: \x1b[31m\n", -EINVAL, "header 1" }, { " # not a comment: x\n", -EINVAL, "header 1" },
	};
	struct err err;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		err = (struct err){ "" };
		assert_int_equal(refused(cases[i].text, strlen(cases[i].text), 0600, &err), cases[i].rc);
		assert_non_null(strstr(err.text, cases[i].words));
		assert_null(strstr(err.text, "colon")); /* nothing of the file, which may hold secrets */
	}
	assert_int_equal(refused("A: b\0C: d", 9, 0600, &err), -EINVAL);
	assert_int_equal(refused("A: b", 4, 0640, &err), 0);
	assert_int_equal(refused("A: b", 4, 0604, &err), -EPERM);
	assert_non_null(strstr(err.text, "notify.headers_file"));
	assert_int_equal(refused("A: b", 4, 0602, &err), -EPERM);
}

static void test_headers_are_bounded(void **state)
{
	(void)state;
	char text[EGRESS_HEADERS_BYTES + 2], *p = text;
	struct err err = { "" };
	for (int i = 0; i < EGRESS_HEADERS_MAX; i++)
		p += sprintf(p, "N: %d\n", i);
	assert_int_equal(refused(text, (size_t)(p - text), 0600, &err), 0);
	p += sprintf(p, "N: x\n");
	assert_int_equal(refused(text, (size_t)(p - text), 0600, &err), -E2BIG);
	memset(text, 'x', sizeof(text));
	text[1] = ':';
	assert_int_equal(refused(text, EGRESS_HEADERS_BYTES, 0600, &err), 0);
	assert_int_equal(refused(text, EGRESS_HEADERS_BYTES + 1, 0600, &err), -EFBIG);
	struct posts *posts = NULL;
	struct egress_conf conf = { .webhook = (char *)"https://chat.example.com/", .webhook_headers = (char *)"/no/such/file" };
	assert_true(posts_new(&conf, &posts, &err) < 0);
	assert_null(posts);
}

static int scratch_setup(void **state)
{
	(void)state;
	scratch = scratch_new();
	return 0;
}

static int scratch_teardown(void **state)
{
	(void)state;
	scratch_remove(&scratch);
	return 0;
}

/* ---- the broker's queue ---- */

#define ASKED_MAX (NOTIFY_QUEUE_MAX * 2 + NOTIFY_TRIES)

static struct { char *text; answer_fn *fn; void *context; struct question **slot; } asked[ASKED_MAX];
static size_t ask_count;
static bool egress_gone;

/* In place of the broker's: what is posted is kept until the test answers. */
int ask(struct service *service, enum ipc_type type, const void *msg, int64_t timeout_ms, answer_fn *fn, void *context, struct question **slot)
{
	(void)service;
	const struct msg_webhook *webhook = msg;
	assert_int_equal(type, IPC_WEBHOOK);
	assert_int_equal(timeout_ms, NOTIFY_POST_MS);
	if (egress_gone)
		return -ENOTCONN;
	assert_true(ask_count < ASKED_MAX);
	asked[ask_count].text = strndup((const char *)webhook->json.data, webhook->json.len);
	asked[ask_count].fn = fn;
	asked[ask_count].context = context;
	asked[ask_count++].slot = slot;
	*slot = (struct question *)&asked;
	return 0;
}

void question_cancel(struct question **slot)
{
	*slot = NULL;
}

static void answer(size_t at, bool ok)
{
	struct msg_webhook_done done = { .ok = ok, .reason = (char *)"webhook: HTTP 503" };
	*asked[at].slot = NULL;
	asked[at].fn(asked[at].context, &done, NULL, NULL);
}

static struct broker broker;
static struct broker_private private;
static struct config config;
static struct conf conf;
static struct queue queue;

static int broker_setup(void **state)
{
	(void)state;
	conf = (struct conf){ .notify_webhook = (char *)"https://chat.example.com/" };
	config = (struct config){ .conf = &conf };
	private = (struct broker_private){ .queue = &queue };
	broker = (struct broker){ .base = event_base_new(), .config = &config, .private = &private };
	queue = (struct queue){ .timer = NULL };
	ask_count = 0;
	egress_gone = false;
	return notifier_open(&broker, &queue.notifier);
}

static int broker_teardown(void **state)
{
	(void)state;
	notifier_close(queue.notifier);
	for (size_t i = 0; i < ask_count; i++)
		free(asked[i].text);
	event_base_free(broker.base);
	return 0;
}

static void tell(int number)
{
	notify_event(&broker, "created", json_pack("{s:i}", "number", number));
}

static int number_of(size_t at)
{
	json_t *data = json_loads(asked[at].text, 0, NULL);
	int number = (int)json_integer_value(json_object_get(data, "number"));
	assert_string_equal(json_get_string(data, "event"), "created");
	assert_non_null(json_get_string(data, "time"));
	json_decref(data);
	return number;
}

static void test_queue_is_bounded_and_in_order(void **state)
{
	(void)state;
	for (int i = 0; i < NOTIFY_QUEUE_MAX + 10; i++)
		tell(i);
	assert_int_equal(ask_count, NOTIFY_PARALLEL);
	for (size_t i = 0; i < ask_count; i++) { /* each answer brings the next one */
		assert_int_equal(number_of(i), (int)i);
		answer(i, true);
	}
	assert_int_equal(ask_count, NOTIFY_QUEUE_MAX); /* ten were dropped */
	tell(77);
	assert_int_equal(ask_count, NOTIFY_QUEUE_MAX + 1);
	assert_int_equal(number_of(NOTIFY_QUEUE_MAX), 77);
}

static void test_tries(void **state)
{
	(void)state;
	int64_t before = 0;
	tell(1);
	for (unsigned try = 1; try < NOTIFY_TRIES; try++) {
		assert_int_equal(ask_count, try);
		answer(try - 1, false);
		assert_int_equal(ask_count, try); /* not at once */
		assert_int_equal(timer.ms, !before ? NOTIFY_RETRY_MS : before * 2 < NOTIFY_RETRY_MS_MAX ? before * 2 : NOTIFY_RETRY_MS_MAX);
		before = timer.ms;
		fire(broker.base, timer.last);
	}
	assert_int_equal(ask_count, NOTIFY_TRIES);
	answer(NOTIFY_TRIES - 1, false); /* given up: the queue is empty */
	tell(2);
	assert_int_equal(ask_count, NOTIFY_TRIES + 1);
	assert_int_equal(number_of(NOTIFY_TRIES), 2);
}

/* One that fails holds up none behind it. */
static void test_failing_one_lets_others_pass(void **state)
{
	(void)state;
	for (int i = 0; i < NOTIFY_PARALLEL + 1; i++)
		tell(i);
	answer(0, false);
	assert_int_equal(ask_count, NOTIFY_PARALLEL + 1);
	assert_int_equal(number_of(NOTIFY_PARALLEL), NOTIFY_PARALLEL);
}

/* Egress is started anew, or the configuration: what waits is posted then. */
static void test_no_egress(void **state)
{
	(void)state;
	egress_gone = true;
	tell(1);
	assert_int_equal(ask_count, 0);
	assert_int_equal(timer.ms, NOTIFY_RETRY_MS);
	struct event *retry = timer.last;
	egress_gone = false;
	fire(broker.base, retry);
	assert_int_equal(ask_count, 1);
	*asked[0].slot = NULL;
	asked[0].fn(asked[0].context, NULL, NULL, "egress is gone"); /* in the middle of it */
	fire(broker.base, timer.last);
	assert_int_equal(ask_count, 2);
}

static void test_nobody_wants_any(void **state)
{
	(void)state;
	char *none[] = { NULL };
	conf.notify_webhook = NULL;
	conf.notify_command = none;
	tell(1);
	assert_int_equal(ask_count, 0);
}

/* The longest request that the store takes, of nothing but control characters, fits. */
static void test_longest(void **state)
{
	(void)state;
	struct approval approval = { .id = "AAAAA", .votes_needed = 1, .command = BUF_INIT(APPROVALS_COMMAND_MAX) };
	static char name[256], reason[APPROVALS_REASON_MAX + 1], note[APPROVALS_NOTE_MAX + 1];
	memset(name, 'n', sizeof(name) - 1);
	memset(reason, 1, sizeof(reason) - 1);
	memset(note, 1, sizeof(note) - 1);
	approval.provider = approval.subject = approval.user = approval.target = approval.login = approval.rule = approval.by = approval.decided_by = name;
	approval.kind = approval.source = (char *)"exec";
	approval.reason = reason;
	approval.note = note;
	for (size_t i = 0; i < APPROVALS_COMMAND_MAX; i++)
		assert_int_equal(buf_putc(&approval.command, 1), 0);
	assert_int_equal(store_open(scratch.fd, false, &broker.store, NULL), 0);
	notify_approval(&broker, "decided", &approval);
	assert_int_equal(ask_count, 1);
	json_t *data = json_loads(asked[0].text, 0, NULL);
	assert_true(json_is_true(json_object_get(data, "command_cut")));
	assert_non_null(strstr(json_get_string(data, "text"), "request AAAAA pending by nnn"));
	assert_null(strchr(asked[0].text, 1));
	json_decref(data);
	buf_release(&approval.command);
	store_close(broker.store);
}

static int longest_setup(void **state)
{
	return scratch_setup(state) || broker_setup(state);
}

static int longest_teardown(void **state)
{
	return broker_teardown(state) || scratch_teardown(state);
}

/* ---- the listener's programs ---- */

static struct { pid_t last; int kept; int error; } forks;
static struct listener listener;
static struct listener_conf listened;
static char *command[] = { (char *)"/bin/tell", NULL };

/* In place of the role's: nothing is started, the parent goes on. */
pid_t role_fork(enum role role, const int *keep, size_t count, struct err *err)
{
	assert_int_equal(role, ROLE_NOTIFY);
	assert_int_equal(count, 1);
	forks.kept = keep[0];
	return forks.error ? err_set(err, forks.error, "cannot start a notify") : ++forks.last;
}

static int listener_setup(void **state)
{
	(void)state;
	forks.last = 100;
	forks.error = 0;
	listened = (struct listener_conf){ .notify = command };
	listener = (struct listener){ .base = event_base_new(), .conf = &listened, .phase = PHASE_SERVING };
	TAILQ_INIT(&listener.notes);
	return 0;
}

static int listener_teardown(void **state)
{
	(void)state;
	notes_free(&listener);
	assert_int_equal(listener.note_count, 0);
	event_base_free(listener.base);
	return 0;
}

static int text(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static int status_of(int exit)
{
	return exit << 8;
}

static void test_programs_are_bounded(void **state)
{
	(void)state;
	int fd = -1;
	for (int i = 0; i < NOTES_MAX; i++)
		note_add(&listener, text());
	assert_int_equal(listener.note_count, NOTES_MAX);
	assert_int_equal(listener.notes_running, NOTES_RUNNING_MAX);
	assert_int_equal(forks.last, 100 + NOTES_RUNNING_MAX);
	note_add(&listener, fd = text());
	assert_int_equal(listener.note_count, NOTES_MAX);
	assert_int_equal(listener.notes_dropped, 1);
	assert_int_equal(fcntl(fd, F_GETFD), -1); /* closed */
	for (pid_t pid = 101; pid <= 100 + NOTES_MAX; pid++)
		assert_true(note_gone(&listener, pid, status_of(0)));
	assert_int_equal(listener.note_count, 0);
	assert_int_equal(listener.notes_running, 0);
	assert_false(note_gone(&listener, 101, status_of(0)));
}

static void test_program_fails(void **state)
{
	(void)state;
	int64_t before = 0;
	note_add(&listener, text());
	for (unsigned try = 1; try < NOTE_TRIES; try++) {
		assert_int_equal(forks.last, 100 + (int)try);
		assert_int_equal(timer.ms, NOTE_TIME_MS);
		assert_true(note_gone(&listener, forks.last, try % 2 ? status_of(1) : SIGKILL));
		assert_int_equal(timer.ms, !before ? NOTE_RETRY_MS : before * 2 < NOTE_RETRY_MS_MAX ? before * 2 : NOTE_RETRY_MS_MAX);
		before = timer.ms;
		fire(listener.base, timer.last);
	}
	assert_int_equal(listener.note_count, 1);
	assert_true(note_gone(&listener, forks.last, status_of(1)));
	assert_int_equal(listener.note_count, 0);
}

static void test_no_process(void **state)
{
	(void)state;
	forks.error = -EAGAIN;
	note_add(&listener, text());
	assert_int_equal(listener.notes_running, 0);
	assert_int_equal(listener.note_count, 1);
	forks.error = 0;
	fire(listener.base, timer.last);
	assert_int_equal(listener.notes_running, 1);
	assert_true(note_gone(&listener, forks.last, status_of(0)));
}

/* A reload took the command away, or the gateway ends: what waits is dropped, what runs is let be. */
static void test_command_is_gone(void **state)
{
	(void)state;
	char *none[] = { NULL };
	note_add(&listener, text());
	assert_true(note_gone(&listener, forks.last, status_of(1)));
	listened.notify = none;
	fire(listener.base, timer.last);
	assert_int_equal(listener.note_count, 0);
	listened.notify = command;
	note_add(&listener, text());
	listener.phase = PHASE_ENDING;
	note_add(&listener, text());
	assert_int_equal(listener.note_count, 1);
	assert_true(note_gone(&listener, forks.last, status_of(1)));
	fire(listener.base, timer.last);
	assert_int_equal(listener.note_count, 0);
}

int main(void)
{
#define BROKER(f) cmocka_unit_test_setup_teardown(f, broker_setup, broker_teardown)
#define LISTENER(f) cmocka_unit_test_setup_teardown(f, listener_setup, listener_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_headers, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(test_headers_are_bounded, scratch_setup, scratch_teardown),
		BROKER(test_queue_is_bounded_and_in_order), BROKER(test_tries), BROKER(test_failing_one_lets_others_pass), BROKER(test_no_egress),
		BROKER(test_nobody_wants_any), cmocka_unit_test_setup_teardown(test_longest, longest_setup, longest_teardown),
		LISTENER(test_programs_are_bounded), LISTENER(test_program_fails), LISTENER(test_no_process), LISTENER(test_command_is_gone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
