/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/nt/query.h"
#include "common/limits.h"
#include "common/utf8.h"

#include <string.h>

#define REPLACEMENT 0xfffdu

static size_t put_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t size = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = size - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (c & 0x3f));
        c >>= 6;
    }
    out[0] = (char)(marks[size] | c);
    return size;
}

static bool is_high(uint32_t unit)
{
    return unit >= 0xd800 && unit < 0xdc00;
}

static bool is_low(uint32_t unit)
{
    return unit >= 0xdc00 && unit < 0xe000;
}

/* UTF-16 to UTF-8, cut between characters at `room`; stops at NUL. The length written. */
static size_t from_utf16(const unsigned char *units, size_t count, char *out, size_t room)
{
    size_t length = 0;
    for (size_t i = 0; i < count; i++) {
        char piece[4];
        uint32_t c = nt_u16(units + 2 * i);
        uint32_t next = i + 1 < count ? nt_u16(units + 2 * (i + 1)) : 0;
        if (c == 0)
            break;
        if (is_high(c) && is_low(next)) {
            c = 0x10000 + ((c - 0xd800) << 10) + (next - 0xdc00);
            i++;
        } else if (is_high(c) || is_low(c)) {
            c = REPLACEMENT;
        }
        size_t size = put_utf8(piece, c);
        if (size > room - length)
            break;
        memcpy(out + length, piece, size);
        length += size;
    }
    return length;
}

enum status nt_string(const struct nt_reader *reader, const struct nt_buffer *buffer, size_t length,
                      size_t offset, struct arena *arena, const char **ret_text)
{
    const struct nt_layout *layout = nt_reader_layout(reader);
    const unsigned char *at = buffer->data + offset;
    char text[LIMIT_TEXT_BYTES];
    uint64_t base = reader->calls->buffer_address(reader->calls->arg, buffer->data);
    uint64_t pointer = nt_word(layout, at + layout->string_buffer);
    size_t bytes = nt_u16(at);
    /* Below the base, the difference wraps and is beyond any answer. */
    if (bytes < 2 || pointer - base > length || bytes > length - (pointer - base))
        return ST_NOT_FOUND;
    size_t used = from_utf16(buffer->data + (size_t)(pointer - base), bytes / 2, text, sizeof text);
    if (used == 0)
        return ST_NOT_FOUND;
    *ret_text = arena_strndup(arena, text, used);
    return *ret_text != NULL ? ST_OK : ST_NOMEM;
}

const char *nt_ansi(struct arena *arena, const unsigned char *bytes, size_t most)
{
    size_t count = strnlen((const char *)bytes, most);
    if (count > LIMIT_TEXT_BYTES)
        count = LIMIT_TEXT_BYTES;
    if (utf8_valid((const char *)bytes, count))
        return arena_strndup(arena, (const char *)bytes, count);
    char text[LIMIT_TEXT_BYTES];
    size_t length = 0;
    for (size_t i = 0; i < count; i++) {
        char piece[4];
        size_t size = put_utf8(piece, bytes[i]);
        if (size > sizeof text - length)
            break;
        memcpy(text + length, piece, size);
        length += size;
    }
    return arena_strndup(arena, text, length);
}
