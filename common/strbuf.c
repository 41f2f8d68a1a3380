/* SPDX-License-Identifier: Apache-2.0 */
#include "common/strbuf.h"
#include "common/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void strbuf_done(struct strbuf *buf)
{
    free(buf->data);
    *buf = (struct strbuf)STRBUF_INIT;
}

void strbuf_clear(struct strbuf *buf)
{
    buf->length = 0;
    buf->failed = false;
    if (buf->data != NULL)
        buf->data[0] = '\0';
}

bool strbuf_reserve(struct strbuf *buf, size_t more)
{
    if (buf->failed)
        return false;
    if (more < buf->capacity - buf->length && buf->capacity > 0)
        return true;
    size_t wanted = buf->length + more + 1;
    size_t capacity = buf->capacity < 128 ? 128 : buf->capacity;
    while (capacity < wanted) {
        if (capacity > SIZE_MAX / 2) {
            buf->failed = true;
            return false;
        }
        capacity *= 2;
    }
    char *data = wanted > more ? realloc(buf->data, capacity) : NULL;
    if (data == NULL) {
        buf->failed = true;
        return false;
    }
    buf->data = data;
    buf->capacity = capacity;
    return true;
}

void strbuf_add(struct strbuf *buf, const void *data, size_t length)
{
    if (!strbuf_reserve(buf, length))
        return;
    if (length > 0)
        memcpy(buf->data + buf->length, data, length);
    buf->length += length;
    buf->data[buf->length] = '\0';
}

void strbuf_puts(struct strbuf *buf, const char *text)
{
    strbuf_add(buf, text, strlen(text));
}

void strbuf_putc(struct strbuf *buf, char c)
{
    strbuf_add(buf, &c, 1);
}

void strbuf_u64(struct strbuf *buf, uint64_t value)
{
    char digits[20]; /* 2^64 has 20 digits */
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    strbuf_add(buf, digits + at, sizeof digits - at);
}

const char *grouped_text(uint64_t value, char text[GROUPED_MAX])
{
    char *at = text + GROUPED_MAX - 1;
    *at = '\0';
    for (int digits = 0; digits == 0 || value > 0; digits++, value /= 10) {
        if (digits > 0 && digits % 3 == 0)
            *--at = ',';
        *--at = (char)('0' + value % 10);
    }
    return at;
}

void strbuf_grouped(struct strbuf *buf, uint64_t value)
{
    strbuf_puts(buf, GROUPED(value));
}

void strbuf_i64(struct strbuf *buf, int64_t value)
{
    if (value < 0)
        strbuf_putc(buf, '-');
    strbuf_u64(buf, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void strbuf_printf(struct strbuf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0)
        buf->failed = true;
    else if (strbuf_reserve(buf, (size_t)n)) {
        vsnprintf(buf->data + buf->length, (size_t)n + 1, format, again);
        buf->length += (size_t)n;
    }
    va_end(again);
}

void strbuf_json_n(struct strbuf *buf, const char *text, size_t length)
{
    static const char hex[] = "0123456789abcdef";
    size_t start = 0;
    strbuf_putc(buf, '"');
    for (size_t i = 0; i < length;) {
        unsigned char c = (unsigned char)text[i];
        size_t used = c < 0x80 ? 1 : utf8_sequence(text + i, length - i);
        bool plain = used > 0 && (used > 1 || (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f));
        if (plain) {
            i += used;
            continue;
        }
        strbuf_add(buf, text + start, i - start);
        if (used == 0)
            strbuf_puts(buf, "\\ufffd");
        else if (c == '"' || c == '\\') {
            strbuf_putc(buf, '\\');
            strbuf_putc(buf, (char)c);
        } else if (c == '\n')
            strbuf_puts(buf, "\\n");
        else if (c == '\t')
            strbuf_puts(buf, "\\t");
        else {
            char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
            strbuf_add(buf, escape, sizeof escape);
        }
        i++;
        start = i;
    }
    strbuf_add(buf, text + start, length - start);
    strbuf_putc(buf, '"');
}

void strbuf_json(struct strbuf *buf, const char *text)
{
    strbuf_json_n(buf, text, strlen(text));
}

char *strbuf_take(struct strbuf *buf)
{
    strbuf_add(buf, "", 0);
    char *data = buf->failed ? NULL : buf->data;
    if (buf->failed)
        free(buf->data);
    *buf = (struct strbuf)STRBUF_INIT;
    return data;
}
