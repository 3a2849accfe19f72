/* Listening sockets, the state directory and the control socket. See listener.h.
 *
 * No SO_REUSEPORT: one that drains has closed its sockets, a reload keeps the descriptors of
 * addresses that stay, and a second instance that was started by mistake must fail instead of
 * sharing the port in silence. Nothing is ever unlinked at the end: the control socket is bound
 * under a temporary name and renamed, so a new instance replaces the name in one step, and an old
 * one that removed "its" name could only remove the new one's. */
#include "server/listener/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/log.h"

#define CONTROL_BACKLOG 64

static int socket_bind(const struct addr *addr, struct err *err)
{
	char text[ADDR_TEXT_MAX];
	struct sockaddr_storage to;
	socklen_t len;
	int one = 1;

	if (addr_to_sockaddr(addr, &to, &len) < 0)
		return err_set(err, -EINVAL, "listen: not an address");
	int fd FD_CLEANUP = socket(addr->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool failed = fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0;
	if (!failed && addr->family == AF_INET6)
		failed = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) < 0;
	if (failed || bind(fd, (struct sockaddr *)&to, len) < 0 || listen(fd, SOMAXCONN) < 0)
		return err_set(err, -errno, "listen on %s: %s", addr_format_port(addr, text),
			strerror(errno));
	int bound = fd;
	fd = -1;
	return bound;
}

static bool addr_equal(const struct addr *a, const struct addr *b)
{
	return addr_same_host(a, b) && a->port == b->port && a->family == b->family;
}

static int socket_for(const struct addr *addr, const struct socket_set *before, struct err *err)
{
	for (size_t i = 0; before && i < before->count; i++) {
		if (!addr_equal(&before->at[i].wanted, addr))
			continue;
		/* the same queue of waiting clients: none is lost */
		int fd = fcntl(before->at[i].fd, F_DUPFD_CLOEXEC, 3);
		return fd < 0 ? err_set(err, -errno, "listen: %s", strerror(errno)) : fd;
	}
	return socket_bind(addr, err);
}

int sockets_open(struct socket_set *set, const struct listener_conf *conf,
	const struct socket_set *before, struct err *err)
{
	set->count = 0;
	for (size_t i = 0; i < conf->listen_count; i++) {
		int fd = socket_for(&conf->listen[i], before, err);

		if (fd < 0) {
			sockets_close(set);
			return fd;
		}
		set->at[i].fd = fd;
		set->at[i].wanted = conf->listen[i];
		set->at[i].event = NULL;
		set->count++;
	}
	return set->count ? 0 : err_set(err, -EINVAL, "listen: no address");
}

void sockets_close(struct socket_set *set)
{
	for (size_t i = 0; i < set->count; i++) {
		if (set->at[i].event)
			event_free(set->at[i].event);
		set->at[i].event = NULL;
		fd_closep(&set->at[i].fd);
	}
	set->count = 0;
}

int sockets_watch(struct socket_set *set, struct listener *listener, event_callback_fn fn)
{
	for (size_t i = 0; i < set->count; i++) {
		set->at[i].event = event_new(
			listener->base, set->at[i].fd, EV_READ | EV_PERSIST, fn, listener);
		if (!set->at[i].event)
			return -ENOMEM;
	}
	return 0;
}

void sockets_enable(struct socket_set *set, bool on)
{
	for (size_t i = 0; i < set->count; i++) {
		if (!set->at[i].event)
			continue;
		if (on)
			event_add(set->at[i].event, NULL);
		else
			event_del(set->at[i].event);
	}
}

/* As bound: port 0 has become a number. */
void sockets_describe(const struct socket_set *set, char *out, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < set->count && used < size; i++) {
		struct sockaddr_storage at;
		socklen_t len = sizeof(at);
		struct addr addr = set->at[i].wanted;
		char text[ADDR_TEXT_MAX];

		if (getsockname(set->at[i].fd, (struct sockaddr *)&at, &len) == 0)
			addr_from_sockaddr((struct sockaddr *)&at, len, &addr);
		used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "",
			addr_format_port(&addr, text));
	}
}

/* ---- state directory ---- */

/* As root a directory that is still root's is handed to run_as; any other owner is somebody's
 * decision and must fit. */
static int state_dir_own(int fd, const struct listener_conf *conf, struct err *err)
{
	uid_t uid = conf->uid != UINT32_MAX ? conf->uid : geteuid();
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(err, -errno, "state_dir '%s': %s", conf->state_dir, strerror(errno));
	if (st.st_uid != uid && geteuid() == 0 && st.st_uid == 0 &&
		fchown(fd, conf->uid, conf->gid) < 0)
		return err_set(err, -errno, "state_dir '%s': cannot give it to '%s': %s",
			conf->state_dir, conf->run_as, strerror(errno));
	if (st.st_uid != uid && st.st_uid != 0)
		return err_set(err, -EPERM, "state_dir '%s' belongs to uid %u, not to uid %u",
			conf->state_dir, (unsigned)st.st_uid, (unsigned)uid);
	if ((st.st_mode & 0077) && fchmod(fd, 0700) < 0)
		return err_set(err, -errno, "state_dir '%s': cannot close it to others: %s",
			conf->state_dir, strerror(errno));
	return 0;
}

int state_dir_open(const struct listener_conf *conf, struct err *err)
{
	if (mkdir(conf->state_dir, 0700) < 0 && errno != EEXIST)
		return err_set(err, -errno, "state_dir '%s': %s", conf->state_dir, strerror(errno));
	int fd = open(conf->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, -errno, "state_dir '%s': %s", conf->state_dir, strerror(errno));
	int rc = state_dir_own(fd, conf, err);
	if (rc < 0)
		fd_closep(&fd);
	return rc < 0 ? rc : fd;
}

/* ---- control socket ---- */

/* Its own folder only, one level: /run is empty after a boot without a service manager that makes
 * it. */
static void control_folder(const char *path)
{
	char *copy = strdup(path);

	if (copy)
		mkdir(dirname(copy), 0755);
	free(copy);
}

static int control_bind(int fd, const struct listener_conf *conf, const char *temporary)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int rc;

	memcpy(at.sun_path, temporary, strlen(temporary) + 1);
	unlink(temporary);
	mode_t mask = umask(0177);
	rc = bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ? -errno : 0;
	umask(mask);
	if (rc < 0)
		return rc;
	if (conf->control_gid != UINT32_MAX &&
		lchown(temporary, (uid_t)-1, conf->control_gid) < 0 && geteuid() == 0)
		return -errno; /* an ordinary user outside the group has it for himself */
	if (chmod(temporary, 0660) < 0 || listen(fd, CONTROL_BACKLOG) < 0 ||
		rename(temporary, conf->control_socket) < 0)
		return -errno;
	return 0;
}

int control_socket_open(const struct listener_conf *conf, struct err *err)
{
	char temporary[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int len = snprintf(
		temporary, sizeof(temporary), "%s.%ld", conf->control_socket, (long)getpid());

	if (len < 0 || (size_t)len >= sizeof(temporary))
		return err_set(err, -ENAMETOOLONG,
			"control_socket '%s': the path is too long for a socket, by %d bytes",
			conf->control_socket, len - (int)sizeof(temporary) + 1);
	control_folder(conf->control_socket);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int rc = fd < 0 ? -errno : control_bind(fd, conf, temporary);
	if (rc < 0) {
		unlink(temporary);
		fd_closep(&fd);
		return err_set(
			err, rc, "control_socket '%s': %s", conf->control_socket, strerror(-rc));
	}
	return fd;
}
