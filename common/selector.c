/* See selector.h. */
#include "common/selector.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/addr.h"
#include "common/text.h"

void selector_release(struct selector *selector)
{
	free(selector->login);
	free(selector->target);
	*selector = (struct selector){ 0 };
}

int selector_parse(const char *user, struct selector *ret)
{
	*ret = (struct selector){ 0 };
	const char *at = strrchr(user, '@');
	if (!at)
		return 0;
	char host[ADDR_HOST_MAX];
	uint16_t port;
	if (at == user || addr_split_host_port(at + 1, 0, host, &port, NULL) ||
		!text_name_ok(user, (size_t)(at - user)) || !text_target_ok(host, strlen(host)))
		return -EINVAL;
	ret->login = text_dup(user, (size_t)(at - user));
	ret->target = text_dup(host, strlen(host));
	ret->port = port;
	if (ret->login && ret->target)
		return 0;
	selector_release(ret);
	return -ENOMEM;
}
