/* The control socket, for the CLI of this machine's administrators: uid 0, the gateway's own user
 * and members of the group `bartizan`. The kernel tells who the caller is. One command for each
 * connection. */
#include "server/broker/broker.h"

#include <errno.h>
#include <event2/event.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/log.h"
#include "policy/ruleset.h"
#include "server/broker/command/running.h"

#define CONTROL_GROUP "bartizan"
#define CONTROL_CONNECTIONS_MAX 64
/* connections of users who are not permitted, so that they cannot keep administrators out */
#define CONTROL_STRANGERS_MAX 16
/* a connection on which no command runs is closed after this time */
#define CONTROL_SILENT_MS 10000
#define CONTROL_GROUPS_MAX 65536

LIST_HEAD(visitor_list, visitor);

struct control {
	struct broker *broker;
	int fd;
	struct event *accept;
	bool has_group;
	gid_t group;
	struct visitor_list visitors;
	unsigned count, strangers;
};

struct visitor {
	LIST_ENTRY(visitor) entry;
	struct control *control;
	struct link link;
	struct ucred cred;
	bool permitted, asked;
	struct running_list running;
	struct event *silent;
};

static void visitor_free(void *arg)
{
	free(arg);
}

static void visitor_end(struct visitor *visitor)
{
	struct running *running;

	if (!visitor->link.ipc)
		return;
	while ((running = LIST_FIRST(&visitor->running)))
		running_stop(running);
	link_close(&visitor->link);
	if (visitor->silent)
		event_free(visitor->silent);
	LIST_REMOVE(visitor, entry);
	visitor->control->count--;
	visitor->control->strangers -= !visitor->permitted;
	event_add(visitor->control->accept, NULL);
	broker_later(visitor->control->broker, visitor_free, visitor);
}

/* ---- who calls ---- */

static bool in_group(int fd, const struct ucred *cred, gid_t group)
{
	socklen_t len = CONTROL_GROUPS_MAX * sizeof(gid_t);

	gid_t *groups = malloc(len);
	bool found = cred->gid == group;
	if (groups && !getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len))
		for (size_t i = 0; i < len / sizeof(gid_t); i++)
			found |= groups[i] == group;
	free(groups);
	return found;
}

static bool permitted(const struct control *control, int fd, const struct ucred *cred)
{
	return cred->uid == 0 || cred->uid == geteuid() ||
	       (control->has_group && in_group(fd, cred, control->group));
}

static struct identity *local_identity(uid_t uid)
{
	char name[300], space[4096];
	struct passwd entry, *found = NULL;

	if (!getpwuid_r(uid, &entry, space, sizeof(space), &found) && found)
		snprintf(name, sizeof(name), "local:%s", found->pw_name);
	else
		snprintf(name, sizeof(name), "local:%u", (unsigned)uid);
	struct identity *who = calloc(1, sizeof(*who));
	if (!who)
		return NULL;
	*who = (struct identity){ .user = strdup(name),
		.provider = strdup("local"),
		.subject = strdup(name),
		.groups = calloc(1, sizeof(char *)),
		.expires = INT64_MAX };
	if (!who->user || !who->provider || !who->subject || !who->groups)
		identity_freep(&who);
	return who;
}

/* ---- one visitor ---- */

static void refuse(struct visitor *visitor, uint32_t channel, const char *words, unsigned status)
{
	struct bytes text = { (const uint8_t *)words, strlen(words) };

	link_send(&visitor->link, IPC_OUTPUT, 0, &(struct msg_output){ channel, 2, text }, NULL, 0);
	link_send(&visitor->link, IPC_COMMAND_EXIT, 0,
		&(struct msg_command_exit){ channel, status }, NULL, 0);
}

static void command(struct visitor *visitor, const struct msg_command *msg)
{
	struct broker *broker = visitor->control->broker;

	visitor->asked = true;
	if (!visitor->permitted) {
		log_warning("control socket: uid %u is refused", (unsigned)visitor->cred.uid);
		refuse(visitor, msg->channel,
			"bartizan: permission denied: only root and the group 'bartizan' may use "
			"the control socket\n",
			EXIT_DENIED);
		return;
	}
	struct running_spec spec = {
		.who = local_identity(visitor->cred.uid),
		.may = MAY_ALL,
		.local = true,
		.terminal = msg->terminal,
		.columns = msg->columns,
		.channel = msg->channel,
		.link = &visitor->link,
	};
	if (!spec.who || running_start(broker, &visitor->running, &spec, msg->argv))
		refuse(visitor, msg->channel, "bartizan: the gateway is out of memory\n",
			EXIT_GATEWAY);
}

static void on_message(struct link *link, struct ipc_raw *raw)
{
	struct visitor *visitor = link->owner;
	union link_msg msg;
	struct err err = { 0 };
	bool known = raw->type == IPC_COMMAND_STOP || (raw->type == IPC_COMMAND && !visitor->asked);

	if (!known || link_decode(raw, &msg, &err)) {
		log_warning("control socket: uid %u: message '%s': %s", (unsigned)visitor->cred.uid,
			ipc_msg_name(raw->type), known ? err.text : "not allowed");
		visitor_end(visitor);
		return;
	}
	if (raw->type == IPC_COMMAND)
		command(visitor, (const struct msg_command *)&msg);
	else
		visitor_end(visitor);
	ipc_msg_free(raw->type, &msg);
}

static void on_closed(struct link *link, const char *why)
{
	(void)why;
	visitor_end(link->owner);
}

static void on_drained(struct link *link)
{
	struct visitor *visitor = link->owner;

	running_pump(&visitor->running);
}

static void on_silent(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct visitor *visitor = arg;
	if (LIST_EMPTY(&visitor->running))
		visitor_end(visitor);
}

static const struct link_ops visitor_ops = { on_message, on_closed, on_drained };

static void visitor_new(struct control *control, int fd)
{
	struct visitor *visitor = calloc(1, sizeof(*visitor));
	socklen_t len = sizeof(visitor->cred);
	struct timeval wait = timeval_of(CONTROL_SILENT_MS);

	if (!visitor || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &visitor->cred, &len)) {
		free(visitor);
		fd_closep(&fd);
		return;
	}
	visitor->control = control;
	visitor->permitted = permitted(control, fd, &visitor->cred);
	LIST_INIT(&visitor->running);
	if (link_open(&visitor->link, control->broker->base, fd, &visitor_ops, visitor)) {
		free(visitor);
		return;
	}
	LIST_INSERT_HEAD(&control->visitors, visitor, entry);
	control->count++;
	control->strangers += !visitor->permitted;
	visitor->silent = event_new(control->broker->base, -1, EV_PERSIST, on_silent, visitor);
	if (!visitor->silent || event_add(visitor->silent, &wait) ||
		control->strangers > CONTROL_STRANGERS_MAX)
		visitor_end(visitor);
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	struct control *control = arg;
	int got = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (got >= 0)
		visitor_new(control, got);
	else if (errno == EMFILE || errno == ENFILE)
		log_error("control socket: %s", strerror(errno));
	if (control->count >= CONTROL_CONNECTIONS_MAX || errno == EMFILE)
		event_del(control->accept); /* until a connection ends */
}

int control_open(struct broker *broker, int fd, struct err *err)
{
	struct control *control = calloc(1, sizeof(*control));

	if (!control)
		return err_set(err, -ENOMEM, "out of memory");
	*control = (struct control){ .broker = broker, .fd = fd };
	LIST_INIT(&control->visitors);
	/* looked up once, at the start: later nothing may block */
	const struct group *group = getgrnam(CONTROL_GROUP);
	control->has_group = group;
	control->group = group ? group->gr_gid : 0;
	fd_nonblock(fd);
	control->accept = event_new(broker->base, fd, EV_READ | EV_PERSIST, on_accept, control);
	if (!control->accept || event_add(control->accept, NULL)) {
		free(control);
		return err_set(err, -ENOMEM, "control socket: no event");
	}
	broker->private->control = control;
	return 0;
}

static void control_free(void *arg)
{
	free(arg);
}

void control_close(struct broker *broker)
{
	struct control *control = broker->private->control;
	struct visitor *visitor;

	if (!control)
		return;
	while ((visitor = LIST_FIRST(&control->visitors)))
		visitor_end(visitor);
	event_free(control->accept);
	fd_closep(&control->fd);
	broker->private->control = NULL;
	broker_later(broker, control_free, control);
}
