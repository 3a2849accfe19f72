/* The user name of direct mode: `login@target`, `login@target:port`, `login@[2001:db8::1]:22`.
 * Parsed from hostile bytes; reaches no shell, path or argv. */
#ifndef BARTIZAN_SELECTOR_H
#define BARTIZAN_SELECTOR_H

#include <stdbool.h>
#include <stdint.h>

struct selector {
	char *login; /* NULL: no target in the name */
	char *target;
	uint16_t port; /* 0: none given */
};

/* 0, or -EINVAL where there is an `@` but no login and target around it. The last `@` splits, so
 * that logins may hold one. Caller frees both. */
int selector_parse(const char *user, struct selector *ret);
void selector_release(struct selector *selector);

#endif
