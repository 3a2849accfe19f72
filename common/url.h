/* URLs of a provider, parsed strictly: https on any host, or http on loopback where the
 * configuration allows it; and form encoding.
 *
 * Only printable ASCII that RFC 3986 has a use for; no user or password before the host, no
 * fragment, no backslash. A loopback host is written as one: localhost, 127.0.0.0/8, [::1]. */
#ifndef BARTIZAN_URL_H
#define BARTIZAN_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/buf.h"
#include "common/err.h"

#define URL_MAX 2048 /* bytes of a URL, without NUL */

struct url {
	bool tls;
	bool loopback;
	char host[ADDR_HOST_MAX]; /* without brackets */
	uint16_t port;
	const char *rest; /* path and query, may be empty; borrowed from the text */
};

int url_parse(const char *text, struct url *ret, struct err *err);
/* Checks that a URL may be requested or shown: https, or http on loopback when allow_http. ret may
 * be NULL. */
int url_check(const char *text, bool allow_http, struct url *ret, struct err *err);

/* %XX for everything but the unreserved characters */
int url_escape(struct buf *out, const char *text, size_t len);
int url_unescape(struct buf *out, const char *text, size_t len); /* %XX and + of a form; -EBADMSG */
/* Appends name=value, after a & if the form is not empty. */
int url_form_put(struct buf *form, const char *name, const char *value);

#endif
