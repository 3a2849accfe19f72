/* What the forms of several flows have in common. */
#ifndef BARTIZAN_OIDC_FORM_H
#define BARTIZAN_OIDC_FORM_H

#include <stdint.h>

#include "common/buf.h"

/* scope=openid and the others of the NULL-terminated list, and max_age where it is not negative. */
int form_put_scopes(struct buf *form, char *const *scopes, int64_t max_age);

#endif
