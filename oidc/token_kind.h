/* What kind of token it is. One key of a provider signs many kinds, and only an ID token says who
 * has just logged in to us; the others are sent to APIs, and whoever they are sent to could come
 * here with them. */
#ifndef BARTIZAN_TOKEN_KIND_H
#define BARTIZAN_TOKEN_KIND_H

#include <stdbool.h>

#include "common/err.h"
#include "common/json.h"

/* 0 where nothing says that it is something else; -EBADMSG with the kind and what told it. machine:
 * tokens of workloads are wanted. require: further claims that an ID token of this provider always
 * has, NULL-terminated; NULL: none. */
int token_kind_ok(const json_t *header, const json_t *payload, bool machine,
	const char *const *require, struct err *err);

#endif
