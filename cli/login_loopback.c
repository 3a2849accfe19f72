/* The loopback port where a browser brings the provider's answer (RFC 8252 section 7.3): a server
 * for one small request at a time.
 *
 * Everybody on this machine, and every page in a browser, can reach it: requests are limited in
 * bytes and time, only the first line is parsed, and any other path is answered with 404. */
#include "cli/login.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/fd.h"

#define REQUEST_MAX 65536 /* with headers, which include cookies of other programs on localhost */
#define REQUEST_MS 2000
#define ANSWER_MAX 32768
#define WAITING_MAX 16

int loopback_open(uint16_t port, struct loopback *ret, struct err *err)
{
	/* connections of an earlier login may still exist on a fixed port */
	static const int on = 1;
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(port),
	};
	socklen_t len = sizeof(at);
	FD_CLEANUP int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
		bind(fd, (const struct sockaddr *)&at, len) || listen(fd, WAITING_MAX) ||
		getsockname(fd, (struct sockaddr *)&at, &len))
		return err_set(err, -errno, "port %u on 127.0.0.1: %s", port, strerror(errno));
	*ret = (struct loopback){ fd, ntohs(at.sin_port) };
	fd = -1;
	return 0;
}

void loopback_close(struct loopback *loopback)
{
	fd_closep(&loopback->listener);
}

static bool complete(const struct buf *bytes)
{
	return bytes->len >= 4 && memmem(buf_data(bytes), bytes->len, "\r\n\r\n", 4);
}

/* Reads up to the empty line. -EAGAIN: not complete in time, too long, or the connection was
 * closed. */
static int read_request(int fd, struct buf *bytes)
{
	int64_t end = clock_mono_ms() + REQUEST_MS;

	while (!complete(bytes)) {
		uint8_t chunk[4096];
		int64_t left = end - clock_mono_ms();
		struct pollfd wait = { fd, POLLIN, 0 };
		if (left <= 0 || poll(&wait, 1, (int)left) <= 0)
			return -EAGAIN;
		ssize_t got = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);
		if (got <= 0 || buf_put(bytes, chunk, (size_t)got))
			return -EAGAIN;
	}
	return 0;
}

/* "GET /callback?… HTTP/1.1": the words between the two spaces. */
static void find_target(struct loopback_request *request)
{
	const char *line = (const char *)buf_data(&request->bytes);
	const char *end = memchr(line, '\r', request->bytes.len);
	size_t len = end ? (size_t)(end - line) : 0;

	if (len < 4 || memcmp(line, "GET ", 4))
		return;
	const char *target = line + 4, *space = memchr(target, ' ', len - 4);
	if (!space || (size_t)(end - space) < 8 || memcmp(space, " HTTP/1.", 8))
		return;
	request->target = target;
	request->target_len = (size_t)(space - target);
}

int loopback_take(struct loopback *loopback, struct loopback_request *ret)
{
	struct loopback_request request = { .bytes = BUF_INIT(REQUEST_MAX) };

	request.fd = accept4(loopback->listener, NULL, NULL, SOCK_CLOEXEC);
	if (request.fd < 0)
		return -EAGAIN;
	if (read_request(request.fd, &request.bytes)) {
		fd_closep(&request.fd);
		buf_burn(&request.bytes);
		return -EAGAIN;
	}
	find_target(&request);
	*ret = request;
	return 0;
}

static int put_answer(struct buf *out, const char *status, const char *location, const char *words)
{
	int rc = buf_printf(out,
		"HTTP/1.1 %s\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: "
		"%zu\r\nConnection: close\r\nCache-Control: no-store\r\n"
		"Referrer-Policy: no-referrer\r\nContent-Security-Policy: default-src "
		"'none'\r\nX-Content-Type-Options: nosniff\r\n",
		status, strlen(words) + strlen("<!doctype html><title>bartizan</title><p>\n"));

	if (!rc && location)
		rc = buf_printf(out, "Location: %s\r\n", location);
	return rc ? rc
		  : buf_printf(out, "\r\n<!doctype html><title>bartizan</title><p>%s\n", words);
}

void loopback_answer(struct loopback_request *request, const char *status, const char *location,
	const char *words)
{
	struct buf out = BUF_INIT(ANSWER_MAX);
	struct timeval patience = { .tv_sec = REQUEST_MS / 1000 };

	if (!put_answer(&out, status, location, words)) {
		setsockopt(request->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
		if (send(request->fd, buf_data(&out), out.len, MSG_NOSIGNAL) > 0)
			shutdown(request->fd, SHUT_WR);
	}
	buf_burn(&out);
	buf_burn(&request->bytes);
	fd_closep(&request->fd);
	*request = (struct loopback_request){ .fd = -1 };
}
