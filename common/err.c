/* Error texts: formatting only, no memory, no output. */
#include "common/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A cut never leaves half a UTF-8 character. */
static void keep(struct err *err, const char *text)
{
	size_t len = strnlen(text, ERR_TEXT_MAX);

	if (len == ERR_TEXT_MAX) {
		len--;
		while (len && ((unsigned char)text[len] & 0xc0) == 0x80)
			len--;
	}
	memcpy(err->text, text, len);
	err->text[len] = 0;
}

/* Arguments may point into err->text itself, hence the detour. */
int err_set(struct err *err, int rc, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX + 1];
	va_list args;

	if (!err)
		return rc;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	keep(err, text);
	return rc;
}

int err_prefix(struct err *err, int rc, const char *fmt, ...)
{
	char prefix[ERR_TEXT_MAX], text[2 * ERR_TEXT_MAX + 2];
	va_list args;

	if (!err)
		return rc;
	va_start(args, fmt);
	vsnprintf(prefix, sizeof(prefix), fmt, args);
	va_end(args);
	snprintf(text, sizeof(text), "%s: %s", prefix, err->text);
	keep(err, text);
	return rc;
}
