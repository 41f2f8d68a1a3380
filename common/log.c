/* SPDX-License-Identifier: Apache-2.0 */
#include "common/log.h"
#include "common/strbuf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#ifndef _WIN32
#include <unistd.h>
#endif

static const struct {
    const char *name;
    char prefix; /* systemd's digit */
} levels[] = {
    [LOG_LEVEL_ERROR] = {"error", '3'},
    [LOG_LEVEL_WARNING] = {"warning", '4'},
    [LOG_LEVEL_INFO] = {"info", '6'},
    [LOG_LEVEL_DEBUG] = {"debug", '7'},
};

#define VALUE_MAX 256

static _Atomic int threshold = LOG_LEVEL_INFO;
static _Thread_local const char *context;
static log_sink sink;
static void *sink_arg;

void log_set_level(enum log_level level)
{
    atomic_store(&threshold, (int)level);
}

void log_set_sink(log_sink new_sink, void *arg)
{
    sink = new_sink;
    sink_arg = arg;
}

const char *log_level_name(enum log_level level)
{
    return levels[level].name;
}

void log_context_set(const char *request_id)
{
    context = request_id;
}

static bool needs_quotes(const char *value)
{
    for (const char *p = value; *p != '\0'; p++) {
        if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f || *p == '"' || *p == '=' ||
            *p == '\\')
            return true;
    }
    return *value == '\0';
}

static void add_pair(struct strbuf *line, const char *key, const char *value)
{
    strbuf_printf(line, " %s=", key);
    if (value == NULL) {
        strbuf_puts(line, "null");
        return;
    }
    size_t length = strnlen(value, VALUE_MAX);
    if (needs_quotes(value))
        strbuf_json_n(line, value, length);
    else
        strbuf_add(line, value, length);
}

#ifdef _WIN32
/* The agent sets a sink before anything can log; this is for what fails before that. */
static bool is_terminal(void)
{
    return true;
}

static void write_stderr(const struct strbuf *line)
{
    fwrite(line->data, 1, line->length, stderr);
}
#else
static bool is_terminal(void)
{
    return isatty(STDERR_FILENO) != 0;
}

static void write_stderr(const struct strbuf *line)
{
    ssize_t written = write(STDERR_FILENO, line->data, line->length);
    (void)written; /* nowhere left to complain to */
}
#endif

static void write_line(enum log_level level, struct strbuf *line)
{
    if (sink != NULL) {
        if (!strbuf_failed(line))
            sink(sink_arg, level, line->data, line->length);
        return;
    }
    strbuf_putc(line, '\n');
    if (strbuf_failed(line))
        return;
    write_stderr(line);
}

static bool start_line(struct strbuf *line, enum log_level level, const char *message)
{
    if ((int)level > atomic_load(&threshold))
        return false;
    if (sink == NULL && !is_terminal())
        strbuf_printf(line, "<%c>", levels[level].prefix);
    strbuf_printf(line, "%s %s", levels[level].name, message);
    if (context != NULL)
        add_pair(line, "request", context);
    return true;
}

void log_line(enum log_level level, const char *message, ...)
{
    int saved = errno;
    AUTO_STRBUF struct strbuf line = STRBUF_INIT;
    if (start_line(&line, level, message)) {
        va_list args;
        va_start(args, message);
        for (const char *key; (key = va_arg(args, const char *)) != NULL;)
            add_pair(&line, key, va_arg(args, const char *));
        va_end(args);
        write_line(level, &line);
    }
    errno = saved;
}

void log_err(const char *message, const struct err *err)
{
    int saved = errno;
    AUTO_STRBUF struct strbuf line = STRBUF_INIT;
    if (start_line(&line, LOG_LEVEL_ERROR, message)) {
        add_pair(&line, "reason", err->message);
        if (err->hint[0] != '\0')
            add_pair(&line, "hint", err->hint);
        if (err->field[0] != '\0')
            add_pair(&line, "field", err->field);
        if (err->sqlstate[0] != '\0')
            add_pair(&line, "sqlstate", err->sqlstate);
        write_line(LOG_LEVEL_ERROR, &line);
    }
    errno = saved;
}
