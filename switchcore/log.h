/* Log to stderr, journal style: one line per event, which begins with the name of the object it is about.  What came
 * from outside may be passed as text: control characters are written as '?'.  Never pass a password or a nonce. */
#ifndef SWITCHCORE_LOG_H
#define SWITCHCORE_LOG_H

#include <stdarg.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_set_level(enum log_level level);
int log_level_by_word(const char *word);	/* or -1 */
int log_enabled(enum log_level level);

#define LOG_FORMAT __attribute__((format(printf, 1, 2)))
void log_error(const char *format, ...) LOG_FORMAT;
void log_warning(const char *format, ...) LOG_FORMAT;
void log_info(const char *format, ...) LOG_FORMAT;
void log_debug(const char *format, ...) LOG_FORMAT;
void log_line(enum log_level level, const char *format, va_list arguments);

#endif
