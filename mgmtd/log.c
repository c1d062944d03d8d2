#include "mgmtd/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048

static _Atomic int threshold = LOG_LEVEL_INFO;

int log_set_level(const char *word)
{
	static const char *const words[] = { "error", "warning", "info", "debug" };
	for (int i = 0; i < (int)(sizeof words / sizeof words[0]); i++)
		if (strcmp(words[i], word) == 0) {
			atomic_store_explicit(&threshold, i, memory_order_relaxed);
			return 0;
		}
	return EINVAL;
}

/* What comes from outside must not be able to forge a line of its own. */
static void flatten(char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
}

static void write_line(enum log_level level, int error, const char *format, va_list args)
{
	if ((int)level > atomic_load_explicit(&threshold, memory_order_relaxed))
		return;
	/* syslog(3) priorities, read by journald at the start of a line */
	static const char *const priorities[] = { "<3>", "<4>", "<6>", "<7>" };
	char line[LINE_MAX_BYTES];
	int len = snprintf(line, sizeof line, "%s", getenv("JOURNAL_STREAM") ? priorities[level] : "");
	int text = vsnprintf(line + len, sizeof line - (size_t)len - 1, format, args);
	len += text < 0 ? 0 : text;
	if (len > LINE_MAX_BYTES - 2)
		len = LINE_MAX_BYTES - 2;
	if (error && len < LINE_MAX_BYTES - 2) {
		char reason[128];
		len += snprintf(line + len, sizeof line - (size_t)len - 1, ": %s", strerror_r(error, reason, sizeof reason));
		if (len > LINE_MAX_BYTES - 2)
			len = LINE_MAX_BYTES - 2;
	}
	flatten(line, (size_t)len);
	line[len++] = '\n';
	/* One write per line, so that lines of several threads never mix. */
	ssize_t written = write(STDERR_FILENO, line, (size_t)len);
	(void)written;
}

#define LOG_FUNCTION(name, level, error)			\
	void name(const char *format, ...)			\
	{							\
		int saved = errno;				\
		va_list args;					\
		va_start(args, format);				\
		write_line(level, error, format, args);		\
		va_end(args);					\
		errno = saved;					\
	}

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR, 0)
LOG_FUNCTION(log_warn, LOG_LEVEL_WARNING, saved)
LOG_FUNCTION(log_warnx, LOG_LEVEL_WARNING, 0)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO, 0)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG, 0)

void log_fatal(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_line(LOG_LEVEL_ERROR, 0, format, args);
	va_end(args);
	_exit(1);
}
