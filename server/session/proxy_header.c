/* See proxy_header.h. */
#include "server/session/proxy_header.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"

#define V1_MAX 107 /* with CR LF */
#define V2_FIXED 16

static const uint8_t v2_signature[12] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55,
	0x49, 0x54, 0x0a };

static int malformed(struct err *err, const char *why)
{
	return err_set(err, -EBADMSG, "PROXY header: %s", why);
}

static int parse_v1_fields(char *line, struct addr *ret, struct err *err)
{
	char *save = NULL, *fields[6];
	size_t count = 0;

	for (char *word = strtok_r(line, " ", &save); word && count < 6;
		word = strtok_r(NULL, " ", &save))
		fields[count++] = word;
	if (count >= 2 && !strcmp(fields[1], "UNKNOWN")) {
		*ret = (struct addr){ 0 };
		return 0;
	}
	if (count != 6 || (strcmp(fields[1], "TCP4") && strcmp(fields[1], "TCP6")))
		return malformed(err, "the protocol is not TCP4, TCP6 or UNKNOWN");
	char *end;
	unsigned long port = strtoul(fields[4], &end, 10);
	if (addr_parse(fields[2], ret, NULL) || *end || end == fields[4] || port > 65535)
		return malformed(err, "the client's address does not parse");
	ret->port = (uint16_t)port;
	return 0;
}

static int parse_v1(struct bytes data, struct addr *ret, size_t *ret_len, struct err *err)
{
	char line[V1_MAX + 1];
	size_t n = data.len < V1_MAX ? data.len : V1_MAX;
	const uint8_t *eol = memmem(data.data, n, "\r\n", 2);

	if (!eol)
		return n == V1_MAX ? malformed(err, "no end of line within 107 bytes") : 0;
	size_t len = (size_t)(eol - data.data);
	memcpy(line, data.data, len);
	line[len] = 0;
	if (strlen(line) != len)
		return malformed(err, "a NUL byte");
	int rc = parse_v1_fields(line, ret, err);
	*ret_len = len + 2;
	return rc ? rc : 1;
}

/* One address of TCP over IPv4 (0x11) or IPv6 (0x21); 0: anything else. */
static size_t address_size(unsigned family)
{
	if (family == 0x11)
		return 4;
	return family == 0x21 ? 16 : 0;
}

static int parse_v2(struct bytes data, struct addr *ret, size_t *ret_len, struct err *err)
{
	if (data.len < V2_FIXED)
		return 0;
	unsigned version = data.data[12] >> 4, command = data.data[12] & 15, family = data.data[13];
	size_t len = (size_t)data.data[14] << 8 | data.data[15];
	if (version != 2 || command > 1 || V2_FIXED + len > PROXY_HEADER_MAX)
		return malformed(err, "unknown version or command, or the header is too long");
	if (data.len < V2_FIXED + len)
		return 0;
	const uint8_t *body = data.data + V2_FIXED;
	*ret = (struct addr){ 0 };
	*ret_len = V2_FIXED + len;
	if (command == 0)
		return 1;
	size_t size = address_size(family);
	if (!size || len < 2 * size + 4)
		return malformed(err, "the protocol is not TCP over IPv4 or IPv6");
	char text[INET6_ADDRSTRLEN];
	if (!inet_ntop(size == 4 ? AF_INET : AF_INET6, body, text, sizeof(text)) ||
		addr_parse(text, ret, NULL))
		return malformed(err, "the client's address does not parse");
	ret->port = (uint16_t)(body[2 * size] << 8 | body[2 * size + 1]);
	return 1;
}

int proxy_header_parse(struct bytes data, struct addr *ret, size_t *ret_len, struct err *err)
{
	size_t n = data.len < sizeof(v2_signature) ? data.len : sizeof(v2_signature);

	if (!memcmp(data.data, v2_signature, n))
		return n < sizeof(v2_signature) ? 0 : parse_v2(data, ret, ret_len, err);
	n = data.len < 6 ? data.len : 6;
	if (!memcmp(data.data, "PROXY ", n))
		return n < 6 ? 0 : parse_v1(data, ret, ret_len, err);
	return malformed(err, "missing");
}

/* Peeks, and then takes exactly the bytes of the header: the next one belongs to SSH. */
int proxy_header_read(int fd, int timeout_ms, struct addr *ret, struct err *err)
{
	int64_t deadline = clock_mono_ms() + timeout_ms;
	uint8_t data[PROXY_HEADER_MAX];
	size_t seen = 0;

	for (;;) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		int64_t wait = deadline - clock_mono_ms();
		if (wait <= 0 || poll(&pfd, 1, (int)wait) <= 0)
			return err_set(
				err, -ETIMEDOUT, "PROXY header: it was not received in time");
		ssize_t n = recv(fd, data, sizeof(data), MSG_PEEK | MSG_DONTWAIT);
		if (n <= 0)
			return err_set(err, -EPIPE,
				"PROXY header: the connection was closed before it was complete");
		size_t len = 0;
		int rc = proxy_header_parse((struct bytes){ data, (size_t)n }, ret, &len, err);
		if (rc < 0)
			return rc;
		if (rc == 1)
			return recv(fd, data, len, 0) == (ssize_t)len ? 0 : -EIO;
		/* the peeked bytes make poll() return at once: pause instead, until the deadline at
		 * most */
		if ((size_t)n == seen)
			poll(NULL, 0, 5);
		seen = (size_t)n;
	}
}
