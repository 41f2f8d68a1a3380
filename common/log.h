/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line per fact on stderr: `<N>level message key=value ...`, with systemd's level prefix when
 * stderr is not a terminal. Values from outside are quoted and escaped, and cut at 256 bytes.
 * Keeps errno. Thread-safe: a line is one write. Library modules log at debug only.
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include "common/status.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_set_level(enum log_level level); /* default INFO */

/* Pairs of (const char *key, const char *value), ended by NULL; a NULL value prints as null. */
void log_line(enum log_level level, const char *message, ...) __attribute__((sentinel));
#define log_error(...)   log_line(LOG_LEVEL_ERROR, __VA_ARGS__, NULL)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__, NULL)
#define log_info(...)    log_line(LOG_LEVEL_INFO, __VA_ARGS__, NULL)
#define log_debug(...)   log_line(LOG_LEVEL_DEBUG, __VA_ARGS__, NULL)
/* "message: err->message" at level error, with hint, field and SQLSTATE where set. */
void log_err(const char *message, const struct err *err);

/* Lines go there instead of stderr: "level message key=value ..." without prefix and line end. Must
 * not log, may be called by any thread. NULL: stderr again. Set while no other thread logs. */
typedef void (*log_sink)(void *arg, enum log_level level, const char *line, size_t length);
void log_set_sink(log_sink sink, void *arg);
const char *log_level_name(enum log_level level);

/* Added to every line of this thread until set to NULL. Borrowed. */
void log_context_set(const char *request_id);

#endif
