/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growable byte buffer; the only string builder. `data` is always NUL-terminated once anything was
 * added, and may be NULL before. Errors are sticky: after a failed allocation all adds do nothing
 * and strbuf_failed() is true, so a writer checks once at its end. Not shared between threads.
 */
#ifndef COMMON_STRBUF_H
#define COMMON_STRBUF_H

#include "common/cleanup.h"
#include "common/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct strbuf {
    char *data;
    size_t length;
    size_t capacity;
    bool failed;
};

#define STRBUF_INIT                                                                                \
    {                                                                                              \
        NULL, 0, 0, false                                                                          \
    }

void strbuf_done(struct strbuf *buf);  /* frees; the struct can be used again */
void strbuf_clear(struct strbuf *buf); /* keeps the memory, forgets content and error */
#define AUTO_STRBUF CLEANUP(strbuf_done)

/* Room for `more` bytes beyond length (plus the NUL). False on failure. */
bool strbuf_reserve(struct strbuf *buf, size_t more);
void strbuf_add(struct strbuf *buf, const void *data, size_t length);
void strbuf_puts(struct strbuf *buf, const char *text);
void strbuf_putc(struct strbuf *buf, char c);
void strbuf_u64(struct strbuf *buf, uint64_t value); /* decimal, faster than printf */
void strbuf_i64(struct strbuf *buf, int64_t value);
void strbuf_grouped(struct strbuf *buf, uint64_t value); /* 10,144: for sentences */
/* The same for a %s; it lives as long as the block it stands in. Not for negative numbers. */
#define GROUPED_MAX 27 /* 2^64 - 1 has 20 digits and 6 commas */
const char *grouped_text(uint64_t value, char text[GROUPED_MAX]);
#define GROUPED(value) grouped_text((uint64_t)(value), (char[GROUPED_MAX]){0})
void strbuf_printf(struct strbuf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
/* A JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD. */
void strbuf_json(struct strbuf *buf, const char *text);
void strbuf_json_n(struct strbuf *buf, const char *text, size_t length);
static inline bool strbuf_failed(const struct strbuf *buf)
{
    return buf->failed;
}
/* Hands the memory over (owned by caller, free); NULL when failed. Empty gives "". */
char *strbuf_take(struct strbuf *buf);

#endif
