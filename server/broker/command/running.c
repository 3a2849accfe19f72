/* Running commands and how their output is sent. See running.h.
 *
 * The output of a command becomes a queue of items; one is sent whenever the link has nothing else
 * to send, so that a slow reader fills this queue and not that of the link, which decisions need. A
 * command that has ended is freed from the loop, never while it runs. */
#include "server/broker/command/running.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "common/fd.h"
#include "common/log.h"
#include "server/broker/core/peer.h"

enum item_kind { ITEM_OUTPUT, ITEM_PLAY, ITEM_EXIT };

struct item {
	STAILQ_ENTRY(item) entry;
	enum item_kind kind;
	uint32_t number; /* stream, or exit status */
	int fd;		 /* of ITEM_PLAY */
	struct msg_play play;
	size_t len;
	uint8_t data[];
};

struct running {
	LIST_ENTRY(running) entry;
	struct caller caller;
	uint32_t channel;
	struct link *link;
	struct running_list *list;
	STAILQ_HEAD(item_list, item) items;
	size_t waiting; /* bytes in items */
	bool overflow, exiting, over;
	void (*ended)(struct running *, void *);
	void *context;
};

static void item_free(struct item *item)
{
	fd_closep(&item->fd);
	free(item);
}

static void running_free(void *arg)
{
	struct running *running = arg;

	identity_free(running->caller.who);
	free(running);
}

/* Removes it from its list; afterwards only `gone` of its caller is used. */
static void leave(struct running *running)
{
	struct item *item;

	running->over = true;
	running->caller.gone = true;
	running->caller.broker->private->commands--;
	LIST_REMOVE(running, entry);
	while ((item = STAILQ_FIRST(&running->items))) {
		STAILQ_REMOVE_HEAD(&running->items, entry);
		item_free(item);
	}
	broker_later(running->caller.broker, running_free, running);
}

void running_stop(struct running *running)
{
	if (running->over)
		return;
	void (*stop)(struct caller *) = running->exiting ? NULL : running->caller.stop;
	leave(running);
	running->caller.stop = NULL;
	if (stop)
		stop(&running->caller);
}

/* ---- sending ---- */

static int send_item(struct running *running, struct item *item)
{
	struct link *link = running->link;
	struct msg_output output = { running->channel, item->number, { item->data, item->len } };
	struct msg_command_exit end = { running->channel, item->number };

	if (item->kind == ITEM_OUTPUT)
		return link_send(link, IPC_OUTPUT, 0, &output, NULL, 0);
	if (item->kind == ITEM_EXIT)
		return link_send(link, IPC_COMMAND_EXIT, 0, &end, NULL, 0);
	item->play.channel = running->channel;
	return link_send(link, IPC_PLAY, 0, &item->play, &item->fd, 1);
}

/* Sends one item. False: there was none. */
static bool send_one(struct running *running)
{
	struct item *item = STAILQ_FIRST(&running->items);

	if (!item)
		return false;
	STAILQ_REMOVE_HEAD(&running->items, entry);
	running->waiting -= item->len;
	/* the other end ends by itself after playing a transcript */
	bool last = item->kind != ITEM_OUTPUT;
	send_item(running, item);
	item_free(item);
	if (last) {
		void (*ended)(struct running *, void *) = running->ended;
		void *context = running->context;
		leave(running);
		if (ended)
			ended(running, context);
	}
	return true;
}

void running_pump(struct running_list *list)
{
	for (bool progress = true; progress;) {
		struct running *next;
		progress = false;
		for (struct running *running = LIST_FIRST(list); running; running = next) {
			next = LIST_NEXT(running, entry);
			if (!link_up(running->link) || ipc_pending(running->link->ipc))
				return;
			progress |= send_one(running);
		}
	}
}

static void on_pump(void *arg)
{
	struct running *running = arg;

	if (!running->over)
		running_pump(running->list);
}

/* Queues an item, to be sent from the loop: the command is still running, and sending its end would
 * free it. */
static void put(struct running *running, struct item *item)
{
	bool idle = STAILQ_EMPTY(&running->items);

	STAILQ_INSERT_TAIL(&running->items, item, entry);
	running->waiting += item->len;
	if (idle)
		broker_later(running->caller.broker, on_pump, running);
}

static struct item *item_new(enum item_kind kind, uint32_t number, const void *data, size_t len)
{
	struct item *item = calloc(1, sizeof(*item) + len);

	if (!item)
		return NULL;
	item->kind = kind;
	item->number = number;
	item->fd = -1;
	item->len = len;
	if (len)
		memcpy(item->data, data, len);
	return item;
}

/* ---- what a command does ---- */

static void on_output(struct caller *caller, int stream, const void *data, size_t len)
{
	struct running *running = caller->context;

	if (running->over || running->exiting || (stream != 1 && stream != 2))
		return;
	while (len && !running->overflow) {
		size_t part = len < IPC_OUTPUT_MAX ? len : IPC_OUTPUT_MAX;
		struct item *item = running->waiting + part <= RUNNING_BACKLOG_MAX
					    ? item_new(ITEM_OUTPUT, (uint32_t)stream, data, part)
					    : NULL;
		running->overflow = !item;
		if (item)
			put(running, item);
		data = (const uint8_t *)data + part;
		len -= part;
	}
}

static void on_play(struct caller *caller, int fd, const struct msg_play *options)
{
	struct running *running = caller->context;
	struct item *item =
		running->over || running->exiting ? NULL : item_new(ITEM_PLAY, 0, NULL, 0);

	if (!item)
		return;
	item->play = *options;
	item->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (item->fd >= 0)
		put(running, item);
	else
		item_free(item);
}

static void on_exit_(struct caller *caller, unsigned status)
{
	struct running *running = caller->context;

	if (running->over || running->exiting)
		return;
	if (running->overflow) {
		log_warning("the output of a command was cut off: it was not read");
		status = EXIT_GATEWAY;
	}
	struct item *item = item_new(ITEM_EXIT, status, NULL, 0);
	running->exiting = true;
	caller->stop = NULL;
	caller->input = NULL;
	if (item)
		put(running, item);
}

static const struct caller_ops ops = { on_output, on_play, on_exit_ };

int running_start(struct broker *broker, struct running_list *list, struct running_spec *spec,
	char *const *argv)
{
	struct running *running = calloc(1, sizeof(*running));

	if (!running) {
		identity_freep(&spec->who);
		return -ENOMEM;
	}
	*running = (struct running){ .channel = spec->channel,
		.link = spec->link,
		.list = list,
		.ended = spec->ended,
		.context = spec->context };
	running->caller = (struct caller){ .broker = broker,
		.who = spec->who,
		.source = spec->source,
		.key = spec->key,
		.may = spec->may,
		.local = spec->local,
		.terminal = spec->terminal,
		.columns = spec->columns,
		.env = spec->env,
		.ops = &ops,
		.context = running };
	spec->who = NULL;
	STAILQ_INIT(&running->items);
	LIST_INSERT_HEAD(list, running, entry);
	broker->private->commands++;
	command_run(&running->caller, argv);
	running->caller.env = (struct bytes){ NULL, 0 };
	return 0;
}

struct running *running_find(struct running_list *list, uint32_t channel)
{
	struct running *running;

	for (running = LIST_FIRST(list); running; running = LIST_NEXT(running, entry))
		if (running->channel == channel)
			break;
	return running;
}

void running_input(struct running *running, struct bytes data)
{
	if (!running->over && !running->exiting && running->caller.input)
		running->caller.input(&running->caller, data.data, data.len);
}
