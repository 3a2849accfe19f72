/* The PROXY protocol header, versions 1 and 2 (haproxy's proxy-protocol.txt): where a load balancer
 * says who the client is.
 *
 * Read by the session, before anything else of the connection, and only where the listener has
 * found the peer in proxy_protocol.from. The broker believes it once, under the same condition. */
#ifndef BARTIZAN_SESSION_PROXY_HEADER_H
#define BARTIZAN_SESSION_PROXY_HEADER_H

#include "common/addr.h"
#include "common/buf.h"
#include "common/err.h"

#define PROXY_HEADER_MAX 536

/* 1: *ret is the client (family 0: "LOCAL" or "UNKNOWN", the peer itself), *ret_len bytes belong to
 * the header; 0: more bytes are needed; -EBADMSG. Pure. */
int proxy_header_parse(struct bytes data, struct addr *ret, size_t *ret_len, struct err *err);
/* Reads exactly the header from a socket, waiting at most timeout_ms. */
int proxy_header_read(int fd, int timeout_ms, struct addr *ret, struct err *err);

#endif
