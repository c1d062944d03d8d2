#include "log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024

static enum log_level least = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
	least = level;
}

int log_enabled(enum log_level level)
{
	return level <= least;
}

int log_level_by_word(const char *word)
{
	static const char *const words[] = { "error", "warning", "info", "debug" };
	for (int i = 0; i < 4; i++)
		if (strcmp(words[i], word) == 0)
			return i;
	return -1;
}

/* One write() a line, so that lines of several processes on one stderr do not mix. */
void log_line(enum log_level level, const char *format, va_list arguments)
{
	char line[LINE_MAX_BYTES];
	size_t len;
	int n;

	if (level > least)
		return;
	n = vsnprintf(line, sizeof line - 1, format, arguments);
	if (n < 0)
		return;
	len = (size_t)n < sizeof line - 2 ? (size_t)n : sizeof line - 2;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[len++] = '\n';
	/* A full or closed stderr must not stop the switch: the line is lost. */
	if (write(STDERR_FILENO, line, len) < 0)
		return;
}

#define LOG_FUNCTION(name, level)			\
	void name(const char *format, ...)		\
	{						\
		va_list arguments;			\
		va_start(arguments, format);		\
		log_line(level, format, arguments);	\
		va_end(arguments);			\
	}

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warning, LOG_LEVEL_WARNING)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)
