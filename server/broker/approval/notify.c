/* See server/broker/approval/notify.h. */
#include "server/broker/approval/notify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/clock.h"
#include "common/env_block.h"
#include "common/fd.h"
#include "common/log.h"

/* Bytes of a command: it is shown twice, and with reason and note, each at worst five times as long
 * in visible form, that still fits a message. */
#define COMMAND_SHOWN_MAX 3072
#define ENV_SHOWN_MAX 512 /* of an environment, in the sentence */

struct notification { /* for the webhook, until it has been posted or given up */
	TAILQ_ENTRY(notification) entry;
	struct notifier *notifier;
	char *text;
	unsigned tries;
	struct event *timer;	   /* pending: it waits for its next try */
	struct question *question; /* it is being posted */
};
TAILQ_HEAD(notification_list, notification);

struct notifier {
	struct broker *broker;
	struct notification_list notes;
	unsigned count, posting;
	uint64_t dropped;
};

static void pump(struct notifier *notifier);

static void note_free(struct notification *note)
{
	TAILQ_REMOVE(&note->notifier->notes, note, entry);
	note->notifier->count--;
	question_cancel(&note->question);
	if (note->timer)
		event_free(note->timer);
	free(note->text), free(note);
}

/* ---- the webhook ---- */

static int64_t retry_ms(unsigned tries)
{
	int64_t wait = NOTIFY_RETRY_MS;

	for (unsigned i = 1; i < tries && wait < NOTIFY_RETRY_MS_MAX; i++)
		wait *= 2;
	return wait < NOTIFY_RETRY_MS_MAX ? wait : NOTIFY_RETRY_MS_MAX;
}

static void try_later(struct notification *note, const char *why)
{
	struct timeval wait = timeval_of(retry_ms(++note->tries));

	if (note->tries >= NOTIFY_TRIES || evtimer_add(note->timer, &wait)) {
		log_error("notification given up after %u tries: %s", note->tries, why);
		note_free(note);
	} else if (note->tries == 1) {
		log_warning("notification: %s; it is tried again", why);
	}
}

static void on_posted(void *context, const void *data, struct ipc_raw *raw, const char *failure)
{
	(void)raw;
	struct notification *note = context;
	struct notifier *notifier = note->notifier;
	const struct msg_webhook_done *msg = data;
	notifier->posting--;
	if (msg && msg->ok)
		note_free(note);
	else
		try_later(note, failure ? failure : msg->reason);
	pump(notifier);
}

static void post(struct notification *note)
{
	struct notifier *notifier = note->notifier;
	const struct msg_webhook msg = { { (const uint8_t *)note->text, strlen(note->text) } };

	if (ask(notifier->broker->private->egress, IPC_WEBHOOK, &msg, NOTIFY_POST_MS, on_posted,
		    note, &note->question))
		try_later(note, "the gateway's way out is not there");
	else
		notifier->posting++;
}

/* In order, as long as nothing fails. */
static void pump(struct notifier *notifier)
{
	struct notification *note, *next;

	for (note = TAILQ_FIRST(&notifier->notes); note && notifier->posting < NOTIFY_PARALLEL;
		note = next) {
		next = TAILQ_NEXT(note, entry);
		if (!note->question && !evtimer_pending(note->timer, NULL))
			post(note);
	}
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct notification *note = arg;
	pump(note->notifier);
}

static void drop_one(struct notifier *notifier)
{
	if (!notifier->dropped++ || notifier->dropped % 100 == 0)
		log_error("notifications: %d wait already, so far %llu were dropped",
			NOTIFY_QUEUE_MAX, (unsigned long long)notifier->dropped);
}

static void enqueue(struct notifier *notifier, const char *text)
{
	struct notification *note =
		notifier->count < NOTIFY_QUEUE_MAX ? calloc(1, sizeof(*note)) : NULL;

	if (!note) {
		drop_one(notifier);
		return;
	}
	*note = (struct notification){ .notifier = notifier, .text = strdup(text) };
	note->timer = evtimer_new(notifier->broker->base, on_retry, note);
	TAILQ_INSERT_TAIL(&notifier->notes, note, entry);
	notifier->count++;
	if (!note->text || !note->timer) {
		note_free(note);
		drop_one(notifier);
	}
}

/* ---- what is told ---- */

/* To the listener at once: that bounds how many run, and how many wait. */
static void hand_over(struct broker *broker, const char *text)
{
	FD_CLEANUP int fd = fd_memfd("notification", text, strlen(text));

	if (fd < 0 || link_send(&broker->private->parent, IPC_NOTIFY, 0, &(struct msg_empty){ 0 },
			      &fd, 1))
		log_error("a notification could not be handed over");
}

static void send_out(struct broker *broker, const char *text)
{
	const struct conf *conf = broker->config->conf;
	struct notifier *notifier = broker->private->queue->notifier;

	if (conf->notify_command && conf->notify_command[0])
		hand_over(broker, text);
	if (conf->notify_webhook) {
		enqueue(notifier, text);
		pump(notifier);
	}
}

static bool wanted(const struct broker *broker)
{
	const struct conf *conf = broker->config->conf;

	if (!broker->private->queue || !broker->private->queue->notifier)
		return false;
	return (conf->notify_command && conf->notify_command[0]) || conf->notify_webhook;
}

void notify_event(struct broker *broker, const char *event, json_t *data)
{
	BUF_CLEANUP struct buf text = BUF_INIT(IPC_DETAIL_MAX);

	if (wanted(broker) && data) {
		json_object_set_new(data, "event", json_string(event));
		json_object_set_new(data, "time", json_time_ms(clock_wall_ms()));
		if (json_text(data, &text) || !buf_cstr(&text))
			log_error("notification '%s' is too long", event);
		else
			send_out(broker, buf_cstr(&text));
	}
	json_decref(data);
}

/* One sentence, under the key that chat services show. */
static void add_sentence(json_t *data, const char *event, const struct approval *approval)
{
	const char *command = json_get_string(data, "command");
	bool decided = !strcmp(event, "decided");
	const char *by = decided && *approval->decided_by ? approval->decided_by : NULL;
	const char *note = decided && *approval->note ? json_get_string(data, "note") : NULL;
	const char *before_command = approval->exact ? ": " : ", first: ";
	char with[ENV_SHOWN_MAX];
	bool env = *env_words(buf_bytes(&approval->env), with, sizeof(with));
	const char *inside = json_get_string(data, "inside");

	json_object_set_new(data, "text",
		json_sprintf(
			"request %s %s%s%s%s%s%s: %s, %s%s on %s as %s%s%s%s%s%s%s%s%s; %u of %u "
			"votes of '%s'",
			approval->id, decided ? approval_state_name(approval->state) : event,
			by ? " by " : "", by ? by : "", note ? " (" : "", note ? note : "",
			note ? ")" : "", json_get_string(data, "requester"),
			approval->exact ? "" : "any ", approval->kind,
			json_get_string(data, "target"), json_get_string(data, "login"),
			command ? before_command : "", command ? command : "", env ? ", with " : "",
			with, inside ? ", inside " : "", inside ? inside : "",
			*approval->reason ? ", because " : "", json_get_string(data, "reason"),
			approval->votes, approval->votes_needed, approval->by));
}

void notify_approval(struct broker *broker, const char *event, const struct approval *approval)
{
	if (!wanted(broker))
		return;
	json_t *data =
		approval_json(broker->store, approval, queue_lapse_shown(broker), clock_wall_ms());
	if (data && approval->env.len > COMMAND_SHOWN_MAX)
		json_object_set_new(data, "env", env_json(buf_bytes(&approval->env), 0));
	if (data && approval->inside.len > COMMAND_SHOWN_MAX)
		json_object_set_new(data, "inside",
			json_visible(buf_data(&approval->inside), COMMAND_SHOWN_MAX));
	if (data && approval->command.len > COMMAND_SHOWN_MAX) {
		json_object_set_new(data, "command",
			json_visible(buf_data(&approval->command), COMMAND_SHOWN_MAX));
		json_object_set_new(data, "command_cut", json_true());
	}
	if (data) {
		json_object_set_new(data, "decided_by",
			json_string_or_null(*approval->decided_by ? approval->decided_by : NULL));
		add_sentence(data, event, approval);
	}
	notify_event(broker, event, data);
}

/* ---- life ---- */

int notifier_open(struct broker *broker, struct notifier **ret)
{
	struct notifier *notifier = calloc(1, sizeof(*notifier));

	if (!notifier)
		return -ENOMEM;
	notifier->broker = broker;
	TAILQ_INIT(&notifier->notes);
	*ret = notifier;
	return 0;
}

void notifier_close(struct notifier *notifier)
{
	struct notification *note;

	while (notifier && (note = TAILQ_FIRST(&notifier->notes)))
		note_free(note);
	free(notifier);
}
