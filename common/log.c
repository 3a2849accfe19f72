/* One line, one write(2): lines of different processes on one standard error never mix.
 *
 * Works inside a session's sandbox: nothing here opens a file, allocates or asks for the time zone.
 */
#include "common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/text.h"

#define LOG_TEXT_MAX 4096 /* of a message before cleaning; the rest is cut */
#define LOG_LINE_MAX 8192

static struct {
	const char *role;
	enum log_level level;
} state = { "bartizan", LOG_INFO_ };

static const char *const level_names[] = {
	[LOG_ERROR_] = "error",
	[LOG_WARNING_] = "warning",
	[LOG_INFO_] = "info",
	[LOG_DEBUG_] = "debug",
};

void log_setup(const char *role, enum log_level level)
{
	state.role = role;
	state.level = level;
}

void log_level_set(enum log_level level)
{
	state.level = level;
}

enum log_level log_level(void)
{
	return state.level;
}

int log_level_parse(const char *name)
{
	for (int i = LOG_ERROR_; i <= LOG_DEBUG_; i++)
		if (!strcmp(name, level_names[i]))
			return i;
	return -EINVAL;
}

void log_write(enum log_level level, const char *fmt, ...)
{
	if (level > state.level)
		return;
	int saved = errno;
	char text[LOG_TEXT_MAX], line[LOG_LINE_MAX], when[CLOCK_RFC3339_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	clock_format_ms(clock_wall_ms(), when);
	int head = snprintf(line, sizeof(line) / 2, "%s %.64s[%d] %s: ", when, state.role,
		(int)getpid(), level_names[level]);
	text_clean(line + head, sizeof(line) - (size_t)head - 1, text, strlen(text));
	size_t len = strlen(line);
	line[len] = '\n';
	/* A failure of standard error cannot be reported anywhere. */
	if (write(STDERR_FILENO, line, len + 1) < 0)
		errno = 0;
	errno = saved;
}
