/* See server/broker/core/refusal.h. */
#include "server/broker/core/refusal.h"

#include <stdarg.h>
#include <stdio.h>

bool refusal_set(struct refusal *refusal, unsigned exit, const char *fmt, ...)
{
	va_list args;

	refusal->exit = exit;
	va_start(args, fmt);
	vsnprintf(refusal->words, sizeof(refusal->words), fmt, args);
	va_end(args);
	return true;
}
