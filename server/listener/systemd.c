/* See systemd.h. The socket is opened for each message and never blocks: a service manager that
 * does not read must not hold the listener. */
#include "server/listener/systemd.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/clock.h"
#include "common/fd.h"
#include "common/log.h"

static void systemd_send(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = path ? strlen(path) : 0;

	if (len < 2 || len >= sizeof(to.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(to.sun_path, path, len);
	if (path[0] == '@')
		to.sun_path[0] = '\0'; /* "@" stands for a name that is in no folder */
	int fd FD_CLEANUP = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	if (fd < 0 ||
		sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&to, size) < 0)
		log_warning("service manager: cannot notify: %m");
}

void systemd_ready(void)
{
	systemd_send("READY=1\nSTATUS=accepting connections\n");
}

void systemd_reloading(void)
{
	char text[96];

	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld\n",
		(long long)clock_mono_us());
	systemd_send(text);
}

void systemd_stopping(void)
{
	systemd_send("STOPPING=1\nSTATUS=waiting for live sessions to end\n");
}
