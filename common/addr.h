/* Network addresses and networks: IPv4 and IPv6, v4-mapped v6 folded to v4, CIDR lists, host:port
 * texts. */
#ifndef BARTIZAN_ADDR_H
#define BARTIZAN_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/err.h"

#define ADDR_TEXT_MAX 64
#define ADDR_HOST_MAX 254 /* with NUL */

struct addr {	    /* family 0: unknown */
	int family; /* AF_INET, AF_INET6 */
	uint8_t ip[16];
	uint16_t port; /* host order, 0 when none */
};

struct net { /* a CIDR block */
	struct addr base;
	unsigned bits;
};

/* an address without port */
int addr_parse(const char *text, struct addr *ret, struct err *err);
/* "1.2.3.4:22", "[::1]:22" */
int addr_parse_port(const char *text, struct addr *ret, struct err *err);
int addr_from_sockaddr(const struct sockaddr *sa, socklen_t len, struct addr *ret);
int addr_to_sockaddr(const struct addr *addr, struct sockaddr_storage *ret, socklen_t *ret_len);
/* without port; "unknown" for family 0 */
const char *addr_format(const struct addr *addr, char out[static ADDR_TEXT_MAX]);
/* with port, brackets around IPv6 */
const char *addr_format_port(const struct addr *addr, char out[static ADDR_TEXT_MAX]);
bool addr_same_host(const struct addr *a, const struct addr *b);

/* "10.0.0.0/8", or a bare address; host bits must be zero */
int net_parse(const char *text, struct net *ret, struct err *err);
bool net_contains(const struct net *net, const struct addr *addr);
/* "a,b,c": 1 yes, 0 no, -EINVAL unparsable (OpenSSH source-address) */
int net_list_contains(const char *list, const struct addr *addr, struct err *err);

/* "host", "host:22", "[::1]:22", "::1": host without brackets; *ret_port is default_port where none
 * is given. */
int addr_split_host_port(const char *text, uint16_t default_port, char host[static ADDR_HOST_MAX],
	uint16_t *ret_port, struct err *err);

#endif
