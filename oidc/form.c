/* See form.h. */
#include "oidc/form.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/url.h"

#define SCOPES_MAX 8192

int form_put_scopes(struct buf *form, char *const *scopes, int64_t max_age)
{
	BUF_CLEANUP struct buf text = BUF_INIT(SCOPES_MAX);
	char number[24];
	int rc = buf_puts(&text, "openid");

	for (; rc == 0 && scopes && *scopes; scopes++)
		if (strcmp(*scopes, "openid") != 0)
			rc = buf_printf(&text, " %s", *scopes);
	if (rc == 0)
		rc = buf_cstr(&text) ? url_form_put(form, "scope", buf_cstr(&text)) : -ENOMEM;
	if (rc < 0 || max_age < 0)
		return rc;
	snprintf(number, sizeof(number), "%" PRId64, max_age);
	return url_form_put(form, "max_age", number);
}
