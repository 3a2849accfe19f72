/* base64url without padding (RFC 7515 section 2, RFC 4648 section 5), canonical: one text for one
 * value. */
#ifndef BARTIZAN_BASE64URL_H
#define BARTIZAN_BASE64URL_H

#include "common/buf.h"
#include "common/err.h"

/* Appends the decoded bytes. -EBADMSG and the reason (a character outside of the alphabet, padding,
 * a length that cannot be, leftover bits that are not zero), and then nothing is appended;
 * -EMSGSIZE and -ENOMEM as buf. The reason begins with what is wrong, so that callers prefix the
 * part's name. */
int base64url_decode(struct bytes text, struct buf *out, struct err *err);
int base64url_encode(struct buf *out, const void *data, size_t len);

#endif
