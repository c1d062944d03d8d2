/*
 * The log: one line per event on stderr, beginning with the name of the object it is about.  Under systemd's journal
 * each line carries its priority.  Thread-safe; control characters in what is logged are shown as '?'.
 */
#ifndef MGMTD_LOG_H
#define MGMTD_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* "error", "warning", "info", "debug".  EINVAL: another word. */
int log_set_level(const char *word);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));	/* adds ": " and errno in words */
void log_warnx(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* For what only a restart mends, such as no memory for what is already committed: logs, then exits with 1.  The next
 * start republishes from the database. */
void log_fatal(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
