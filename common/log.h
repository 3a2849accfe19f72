/* One line to standard error: `2026-11-23T10:00:00.123Z broker[812] warning: text`.
 *
 * server/ and cli/ log, each event once; common/, policy/ and store/ return errors and log at most
 * at debug. The text is cleaned of control characters here (text_clean), so no caller needs to. The
 * level is the one mutable global of the tree. */
#ifndef BARTIZAN_LOG_H
#define BARTIZAN_LOG_H

enum log_level { LOG_ERROR_, LOG_WARNING_, LOG_INFO_, LOG_DEBUG_ };

/* role is borrowed and must stay valid; pid is read at each line */
void log_setup(const char *role, enum log_level level);
void log_level_set(enum log_level level);
enum log_level log_level(void);
int log_level_parse(const char *name); /* error, warning, info, debug; -EINVAL otherwise */
void log_write(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_ERROR_, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING_, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO_, __VA_ARGS__)
#define log_debug(...) log_write(LOG_DEBUG_, __VA_ARGS__)

#endif
