/* Addresses and networks. Only numbers: nothing here asks a resolver or a file. */
#include "common/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const uint8_t mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };

static unsigned family_bytes(int family)
{
	if (family == AF_INET)
		return 4;
	return family == AF_INET6 ? 16 : 0;
}

/* ::ffff:1.2.3.4 becomes 1.2.3.4, so that a host has one spelling and one rule matches it. */
static void fold_mapped(struct addr *addr)
{
	if (addr->family != AF_INET6 || memcmp(addr->ip, mapped_prefix, sizeof(mapped_prefix)))
		return;
	memmove(addr->ip, addr->ip + 12, 4);
	memset(addr->ip + 4, 0, 12);
	addr->family = AF_INET;
}

static int parse_ip(const char *text, size_t len, struct addr *ret)
{
	char copy[INET6_ADDRSTRLEN];
	struct addr addr = { 0 };

	if (len >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, len);
	copy[len] = 0;
	addr.family = strchr(copy, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(addr.family, copy, addr.ip) != 1)
		return -EINVAL;
	*ret = addr;
	return 0;
}

/* 1 to 5 digits, at most 65535; len is what is left of the text. */
static int parse_port(const char *text, uint16_t *ret)
{
	unsigned value = 0;
	size_t len = strspn(text, "0123456789");

	if (!len || len > 5 || text[len])
		return -EINVAL;
	for (size_t i = 0; i < len; i++)
		value = value * 10 + (unsigned)(text[i] - '0');
	if (value > UINT16_MAX)
		return -EINVAL;
	*ret = (uint16_t)value;
	return 0;
}

int addr_parse(const char *text, struct addr *ret, struct err *err)
{
	struct addr addr;

	if (parse_ip(text, strlen(text), &addr))
		return err_set(err, -EINVAL, "'%.64s' is not an IP address", text);
	fold_mapped(&addr);
	*ret = addr;
	return 0;
}

int addr_parse_port(const char *text, struct addr *ret, struct err *err)
{
	bool bracket = *text == '[';
	const char *host = text + bracket;
	const char *end = bracket ? strchr(host, ']') : strchr(host, ':');
	struct addr addr;

	if (!end || parse_ip(host, (size_t)(end - host), &addr) ||
		(addr.family == AF_INET6) != bracket || end[bracket] != ':' ||
		parse_port(end + bracket + 1, &addr.port))
		return err_set(err, -EINVAL,
			"'%.80s' is not an address with a port such as 10.0.0.1:22 or [::1]:22",
			text);
	fold_mapped(&addr);
	*ret = addr;
	return 0;
}

int addr_from_sockaddr(const struct sockaddr *sa, socklen_t len, struct addr *ret)
{
	struct addr addr = { 0 };
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (len >= sizeof(in) && sa->sa_family == AF_INET) {
		memcpy(&in, sa, sizeof(in));
		memcpy(addr.ip, &in.sin_addr, 4);
		addr.port = ntohs(in.sin_port);
	} else if (len >= sizeof(in6) && sa->sa_family == AF_INET6) {
		memcpy(&in6, sa, sizeof(in6));
		memcpy(addr.ip, &in6.sin6_addr, 16);
		addr.port = ntohs(in6.sin6_port);
	} else {
		return -EAFNOSUPPORT;
	}
	addr.family = sa->sa_family;
	fold_mapped(&addr);
	*ret = addr;
	return 0;
}

int addr_to_sockaddr(const struct addr *addr, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(addr->port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(addr->port) };

	if (!family_bytes(addr->family))
		return -EAFNOSUPPORT;
	memset(ret, 0, sizeof(*ret));
	if (addr->family == AF_INET) {
		memcpy(&in.sin_addr, addr->ip, 4);
		memcpy(ret, &in, sizeof(in));
		*ret_len = sizeof(in);
	} else {
		memcpy(&in6.sin6_addr, addr->ip, 16);
		memcpy(ret, &in6, sizeof(in6));
		*ret_len = sizeof(in6);
	}
	return 0;
}

const char *addr_format(const struct addr *addr, char out[static ADDR_TEXT_MAX])
{
	if (!family_bytes(addr->family) || !inet_ntop(addr->family, addr->ip, out, ADDR_TEXT_MAX))
		snprintf(out, ADDR_TEXT_MAX, "unknown");
	return out;
}

const char *addr_format_port(const struct addr *addr, char out[static ADDR_TEXT_MAX])
{
	char host[ADDR_TEXT_MAX];
	bool six = addr->family == AF_INET6;

	addr_format(addr, host);
	if (!family_bytes(addr->family))
		return memcpy(out, host, sizeof(host));
	snprintf(out, ADDR_TEXT_MAX, "%s%.48s%s:%u", six ? "[" : "", host, six ? "]" : "",
		addr->port);
	return out;
}

bool addr_same_host(const struct addr *a, const struct addr *b)
{
	unsigned size = family_bytes(a->family);

	return size && a->family == b->family && !memcmp(a->ip, b->ip, size);
}

/* ---- networks ---- */

static bool host_bits_zero(const struct addr *base, unsigned bits)
{
	for (unsigned i = 0; i < family_bytes(base->family); i++) {
		unsigned host = i * 8 >= bits	    ? 0xff
				: i * 8 + 8 <= bits ? 0
						    : 0xffu >> (bits - i * 8);
		if (base->ip[i] & host)
			return false;
	}
	return true;
}

/* Decimal without sign or leading zero, at most max. */
static int parse_bits(const char *text, size_t len, unsigned max, unsigned *ret)
{
	unsigned value = 0;

	if (!len || len > 3 || (len > 1 && *text == '0'))
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		value = value * 10 + (unsigned)(text[i] - '0');
	}
	*ret = value;
	return value <= max ? 0 : -EINVAL;
}

static int parse_net(const char *text, size_t len, struct net *ret)
{
	const char *slash = memchr(text, '/', len);
	size_t host = slash ? (size_t)(slash - text) : len;
	struct net net;

	if (parse_ip(text, host, &net.base))
		return -EINVAL;
	unsigned size = family_bytes(net.base.family) * 8;
	net.bits = size;
	if (slash && parse_bits(slash + 1, len - host - 1, size, &net.bits))
		return -EINVAL;
	if (!host_bits_zero(&net.base, net.bits))
		return -EDOM;
	fold_mapped(&net.base);
	if (size == 128 && net.base.family == AF_INET)
		/* it is at least 96, or bits of the mapped prefix would be set after it */
		net.bits -= 96;
	*ret = net;
	return 0;
}

int net_parse(const char *text, struct net *ret, struct err *err)
{
	int rc = parse_net(text, strlen(text), ret);

	if (rc == -EDOM)
		return err_set(
			err, -EINVAL, "network '%.64s' has bits set after its prefix length", text);
	return rc ? err_set(err, rc, "'%.64s' is not a network such as 10.0.0.0/8 or 2001:db8::/32",
			    text)
		  : 0;
}

bool net_contains(const struct net *net, const struct addr *addr)
{
	unsigned whole = net->bits / 8, rest = net->bits % 8;

	if (!family_bytes(addr->family) || net->base.family != addr->family ||
		memcmp(net->base.ip, addr->ip, whole))
		return false;
	return !rest || !((net->base.ip[whole] ^ addr->ip[whole]) >> (8 - rest));
}

/* The whole list is parsed even after a match: a list with an error allows nobody. */
int net_list_contains(const char *list, const struct addr *addr, struct err *err)
{
	int found = 0;

	for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
		struct net net;
		size_t len = strcspn(at, ",");
		if (parse_net(at, len, &net))
			return err_set(err, -EINVAL,
				"'%.*s' in address list is not an address or network",
				(int)(len < 64 ? len : 64), at);
		found |= net_contains(&net, addr);
	}
	return found;
}

/* ---- host and port ---- */

static bool host_ok(const char *host, size_t len)
{
	if (!len || len >= ADDR_HOST_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (host[i] <= ' ' || host[i] == 0x7f || strchr("[]/\\'\"", host[i]))
			return false;
	return true;
}

/* Where the host ends: at "]", at a lone colon, or at the end (a name, or IPv6 without brackets).
 * NULL: neither. */
static const char *host_end(const char *host, bool bracket)
{
	const char *colon = strchr(host, ':');

	if (bracket)
		return strchr(host, ']');
	return colon && !strchr(colon + 1, ':') ? colon : host + strlen(host);
}

int addr_split_host_port(const char *text, uint16_t default_port, char host[static ADDR_HOST_MAX],
	uint16_t *ret_port, struct err *err)
{
	bool bracket = *text == '[';
	const char *start = text + bracket;
	const char *end = host_end(start, bracket);
	size_t len = end ? (size_t)(end - start) : 0;
	uint16_t port = default_port;
	struct addr addr;

	if (!end || !host_ok(start, len))
		return err_set(err, -EINVAL, "'%.80s' is not a host with an optional port", text);
	if ((bracket || memchr(start, ':', len)) &&
		(parse_ip(start, len, &addr) || addr.family != AF_INET6))
		return err_set(
			err, -EINVAL, "'%.80s' is not an IPv6 address with an optional port", text);
	const char *tail = end + bracket;
	if (*tail && (*tail != ':' || parse_port(tail + 1, &port) || !port))
		return err_set(err, -EINVAL, "'%.80s' has no valid port", text);
	memcpy(host, start, len);
	host[len] = 0;
	*ret_port = port;
	return 0;
}
