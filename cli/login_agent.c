/* The keys in a running ssh-agent: listed and removed by its protocol (draft-miller-ssh-agent,
 * sections 4.1 and 4.4). Adding is ssh-add's business.
 *
 * Keys made by this program have a comment "bartizan USER@GATEWAY"; no other key is ever
 * removed. */
#include "cli/login.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/wire.h"

#define AGENT_SUCCESS 6
#define AGENT_REQUEST_IDENTITIES 11
#define AGENT_IDENTITIES_ANSWER 12
#define AGENT_REMOVE_IDENTITY 18
#define AGENT_PATIENCE_S 15
#define COMMENT_MAX 4096

int agent_open(int *ret_fd, struct err *err)
{
	const char *path = getenv("SSH_AUTH_SOCK");
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = AGENT_PATIENCE_S };

	if (!path || !*path)
		return err_set(err, -ENOENT, "no ssh-agent: SSH_AUTH_SOCK is not set");
	if (strlen(path) >= sizeof(at.sun_path))
		return err_set(err, -ENAMETOOLONG, "no ssh-agent: SSH_AUTH_SOCK is too long");
	strcpy(at.sun_path, path);
	FD_CLEANUP int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) ||
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) ||
		connect(fd, (const struct sockaddr *)&at, sizeof(at)))
		return err_set(
			err, -ENOENT, "no ssh-agent answers at '%s': %s", path, strerror(errno));
	*ret_fd = fd;
	fd = -1;
	return 0;
}

/* ---- messages: uint32 length, then so many bytes ---- */

static int read_exactly(int fd, uint8_t *data, size_t len)
{
	while (len) {
		ssize_t got = recv(fd, data, len, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got ? -errno : -EPIPE;
		data += got;
		len -= (size_t)got;
	}
	return 0;
}

static int receive(int fd, struct buf *answer)
{
	uint8_t head[4], *room;
	uint32_t len;
	int rc = read_exactly(fd, head, sizeof(head));

	if (rc)
		return rc;
	struct wire in = WIRE_OF(head, sizeof(head));
	if (wire_get_u32(&in, &len) || !len || len > AGENT_MESSAGE_MAX)
		return -EMSGSIZE;
	buf_init(answer, AGENT_MESSAGE_MAX);
	rc = buf_grow(answer, len, &room);
	if (!rc)
		rc = read_exactly(fd, room, len);
	if (!rc)
		buf_grow_done(answer, len);
	return rc;
}

static int call(int fd, const struct buf *message, struct buf *answer, struct err *err)
{
	BUF_CLEANUP struct buf out = BUF_INIT(AGENT_MESSAGE_MAX + 4);
	int rc = wire_put_string(&out, buf_data(message), message->len);

	if (!rc && send(fd, buf_data(&out), out.len, MSG_NOSIGNAL) != (ssize_t)out.len)
		rc = -EPIPE;
	if (!rc)
		rc = receive(fd, answer);
	return rc ? err_set(err, rc, "ssh-agent: %s", strerror(-rc)) : 0;
}

/* ---- list ---- */

void agent_keys_release(struct agent_keys *keys)
{
	for (size_t i = 0; i < keys->count; i++)
		free(keys->list[i].comment);
	free(keys->list);
	buf_release(&keys->answer);
	*keys = (struct agent_keys){ 0 };
}

static int parse(struct agent_keys *keys)
{
	struct wire in = WIRE_OF(buf_data(&keys->answer), keys->answer.len);
	uint8_t type;
	uint32_t count;

	if (wire_get_u8(&in, &type) || type != AGENT_IDENTITIES_ANSWER ||
		wire_get_u32(&in, &count) || count > AGENT_KEYS_MAX)
		return -EBADMSG;
	keys->list = calloc(count ? count : 1, sizeof(*keys->list));
	if (!keys->list)
		return -ENOMEM;
	for (; keys->count < count; keys->count++) {
		struct agent_key *key = &keys->list[keys->count];
		if (wire_get_string(&in, &key->blob) ||
			wire_get_cstring(&in, COMMENT_MAX, &key->comment))
			return -EBADMSG;
	}
	return wire_done(&in) ? 0 : -EBADMSG;
}

int agent_list(int fd, struct agent_keys *ret, struct err *err)
{
	BUF_CLEANUP struct buf message = BUF_INIT(16);
	struct agent_keys keys = { 0 };
	int rc = wire_put_u8(&message, AGENT_REQUEST_IDENTITIES);

	if (!rc)
		rc = call(fd, &message, &keys.answer, err);
	if (rc)
		return rc;
	rc = parse(&keys);
	if (rc) {
		agent_keys_release(&keys);
		return err_set(err, rc, "ssh-agent: its list of keys cannot be read");
	}
	*ret = keys;
	return 0;
}

/* ---- remove ---- */

int agent_remove(int fd, struct bytes blob, struct err *err)
{
	BUF_CLEANUP struct buf message = BUF_INIT(AGENT_MESSAGE_MAX);
	BUF_CLEANUP struct buf answer = { 0 };
	int rc = wire_put_u8(&message, AGENT_REMOVE_IDENTITY);

	if (!rc)
		rc = wire_put_bytes(&message, blob);
	if (!rc)
		rc = call(fd, &message, &answer, err);
	if (rc)
		return rc;
	return answer.len == 1 && *buf_data(&answer) == AGENT_SUCCESS
		       ? 0
		       : err_set(err, -EACCES, "ssh-agent does not remove a key");
}

bool agent_ours(const char *comment, const char *gateway, const char **ret_user, size_t *ret_len)
{
	size_t prefix = strlen(LOGIN_COMMENT);

	if (strncmp(comment, LOGIN_COMMENT, prefix))
		return false;
	const char *user = comment + prefix, *at = strrchr(user, '@');
	if (!at || at == user || (gateway && strcmp(at + 1, gateway)))
		return false;
	if (ret_user) {
		*ret_user = user;
		*ret_len = (size_t)(at - user);
	}
	return true;
}
