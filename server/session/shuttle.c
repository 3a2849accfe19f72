/* See shuttle.h. */
#include "server/session/shuttle.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/fd.h"
#include "server/relay/stream.h"
#include "server/session/conn.h"

#define SLICE (64 * 1024)

/* Sends to the inner leg what the socketpair takes now. */
static size_t send_up(struct shuttle *shuttle, const void *data, size_t len)
{
	if (shuttle->fd < 0 || shuttle->inner_done)
		return len;
	ssize_t n = send(shuttle->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n >= 0)
		return (size_t)n;
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
		return 0;
	shuttle->inner_done = true;
	return len;
}

/* RFC 4253 section 4.2: a client begins with its identification. Anything else is a plain forward,
 * which the gateway could not inspect. */
static bool look(struct shuttle *shuttle, const char *data, size_t len)
{
	if (!shuttle->spoke && len) {
		shuttle->spoke = true;
		shuttle->not_ssh = strncmp(data, "SSH-", len < 4 ? len : 4) != 0;
		shuttle->inner_done |= shuttle->not_ssh;
	}
	return !shuttle->not_ssh;
}

static int on_data(ssh_session session, ssh_channel channel, void *data, uint32_t len,
	int is_stderr, void *context)
{
	(void)session;
	(void)channel;
	struct shuttle *shuttle = context;
	if (is_stderr || shuttle->inner_done || !look(shuttle, data, len))
		return (int)len;
	if (len > STREAM_BUFFERED_MAX) {
		shuttle->inner_done = true;
		return (int)len;
	}
	size_t taken = shuttle->up.len ? 0 : send_up(shuttle, data, len);
	shuttle->unread = taken < len;
	return (int)taken;
}

static void on_eof(ssh_session session, ssh_channel channel, void *context)
{
	(void)session;
	(void)channel;
	((struct shuttle *)context)->client_done = true;
}

static void on_close(ssh_session session, ssh_channel channel, void *context)
{
	(void)session;
	(void)channel;
	struct shuttle *shuttle = context;
	shuttle->client_done = shuttle->client_closed = true;
}

struct shuttle *shuttle_new(struct leg *outer, ssh_channel channel, int fd)
{
	struct shuttle *shuttle = calloc(1, sizeof(*shuttle));

	if (!shuttle || fd_nonblock(fd)) {
		fd_closep(&fd);
		free(shuttle);
		return NULL;
	}
	shuttle->outer = outer;
	shuttle->channel = channel;
	shuttle->fd = fd;
	shuttle->down = BUF_INIT(2 * SLICE);
	shuttle->up = BUF_INIT(STREAM_BUFFERED_MAX + 4 * SLICE);
	shuttle->callbacks = (struct ssh_channel_callbacks_struct){
		.userdata = shuttle,
		.channel_data_function = on_data,
		.channel_eof_function = on_eof,
		.channel_close_function = on_close,
	};
	ssh_callbacks_init(&shuttle->callbacks);
	ssh_set_channel_callbacks(channel, &shuttle->callbacks);
	return shuttle;
}

void shuttle_free(struct shuttle *shuttle)
{
	if (!shuttle)
		return;
	if (shuttle->channel && shuttle->outer->transport.session) {
		ssh_remove_channel_callbacks(shuttle->channel, &shuttle->callbacks);
		ssh_channel_free(shuttle->channel);
	}
	fd_closep(&shuttle->fd);
	buf_release(&shuttle->down);
	buf_release(&shuttle->up);
	free(shuttle);
}

void shuttle_orphan(struct shuttle *shuttle)
{
	shuttle->channel = NULL;
	shuttle->client_done = shuttle->client_closed = shuttle->inner_done = shuttle->close_sent =
		true;
	shuttle->unread = false;
}

static bool room_down(const struct shuttle *shuttle)
{
	return !shuttle->client_closed && transport_writable(&shuttle->outer->transport) &&
	       ssh_channel_window_size(shuttle->channel) > 0;
}

bool shuttle_can_move(const struct shuttle *shuttle)
{
	return shuttle->down.len && room_down(shuttle);
}

short shuttle_events(const struct shuttle *shuttle)
{
	if (shuttle->fd < 0 || shuttle->inner_done)
		return 0;
	bool reads = room_down(shuttle) && !shuttle->down.len;
	bool writes = shuttle->unread || shuttle->up.len;

	return (short)((reads ? POLLIN : 0) | (writes ? POLLOUT : 0));
}

static void write_down(struct shuttle *shuttle)
{
	while (shuttle->down.len && room_down(shuttle)) {
		uint32_t window = ssh_channel_window_size(shuttle->channel);
		uint32_t n = shuttle->down.len < window ? (uint32_t)shuttle->down.len : window;
		transport_enter(&shuttle->outer->transport);
		int wrote = ssh_channel_write(shuttle->channel, buf_data(&shuttle->down), n);
		shuttle->outer->transport.touched = true;
		if (wrote <= 0) {
			shuttle->client_done |= wrote < 0;
			return;
		}
		buf_consume(&shuttle->down, (size_t)wrote);
	}
}

static void turn_down(struct shuttle *shuttle)
{
	/* limited, so that other legs have their turn */
	for (int i = 0; i < 8 && !shuttle->inner_done; i++) {
		uint8_t *at;
		write_down(shuttle);
		if (shuttle->down.len || !room_down(shuttle) ||
			buf_grow(&shuttle->down, SLICE, &at))
			return;
		ssize_t n = recv(shuttle->fd, at, SLICE, MSG_DONTWAIT);
		buf_grow_done(&shuttle->down, n > 0 ? (size_t)n : 0);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
			shuttle->inner_done = true;
		if (n <= 0)
			break;
	}
	write_down(shuttle);
}

static void fetch_up(struct shuttle *shuttle)
{
	shuttle->unread = false;
	transport_enter(&shuttle->outer->transport);
	for (;;) {
		uint8_t *at;
		if (buf_grow(&shuttle->up, SLICE, &at)) {
			shuttle->inner_done = true;
			return;
		}
		int n = ssh_channel_read_nonblocking(shuttle->channel, at, SLICE, 0);
		buf_grow_done(&shuttle->up, n > 0 ? (size_t)n : 0);
		if (n <= 0)
			return;
		shuttle->outer->transport.touched = true;
	}
}

static void turn_up(struct shuttle *shuttle)
{
	do {
		if (!shuttle->up.len && shuttle->unread && shuttle->channel)
			fetch_up(shuttle);
		size_t n = shuttle->channel && shuttle->up.len &&
					   look(shuttle, (const char *)buf_data(&shuttle->up),
						   shuttle->up.len)
				   ? send_up(shuttle, buf_data(&shuttle->up), shuttle->up.len)
				   : 0;
		if (!n)
			break;
		buf_consume(&shuttle->up, n);
	} while (!shuttle->inner_done);
	if (shuttle->client_done && !shuttle->up.len && !shuttle->unread && shuttle->fd >= 0)
		shutdown(shuttle->fd, SHUT_WR);
}

void shuttle_turn(struct shuttle *shuttle, short revents)
{
	struct conn *conn = shuttle->outer->conn;

	(void)revents;
	conn->depth++;
	if (shuttle->fd >= 0 && !shuttle->inner_done) {
		turn_up(shuttle);
		turn_down(shuttle);
	}
	write_down(shuttle);
	if (shuttle->client_closed && !shuttle->up.len && !shuttle->unread)
		/* the client is gone: drop what the inner leg still sends */
		shuttle->inner_done = true;
	if (shuttle->inner_done && (!shuttle->down.len || shuttle->client_closed) &&
		!shuttle->close_sent) {
		transport_enter(&shuttle->outer->transport);
		shuttle->close_sent = ssh_channel_close(shuttle->channel) != SSH_AGAIN;
		shuttle->outer->transport.touched |= shuttle->close_sent;
		fd_closep(&shuttle->fd);
	}
	conn->depth--;
}

bool shuttle_done(const struct shuttle *shuttle)
{
	return shuttle->inner_done &&
	       (shuttle->close_sent || transport_dead(&shuttle->outer->transport));
}
