/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tag.h"

#include <stdio.h>
#include <string.h>

static const char *const pool_names[POOL_COUNT] = {"nonpaged", "paged"};

const char *pool_name(enum pool pool)
{
    return pool < POOL_COUNT ? pool_names[pool] : NULL;
}

bool pool_parse(const char *text, enum pool *ret_pool)
{
    for (unsigned i = 0; i < POOL_COUNT; i++) {
        if (strcmp(text, pool_names[i]) == 0) {
            *ret_pool = (enum pool)i;
            return true;
        }
    }
    return false;
}

uint32_t tag_from_bytes(const unsigned char bytes[4])
{
    uint32_t raw = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
                   (uint32_t)bytes[3] << 24;
    return raw & ~TAG_PROTECTED;
}

void tag_to_bytes(uint32_t tag, unsigned char ret_bytes[4])
{
    for (unsigned i = 0; i < 4; i++)
        ret_bytes[i] = (unsigned char)(tag >> (8 * i));
}

static bool is_plain(unsigned char byte)
{
    return byte >= 0x20 && byte <= 0x7e && byte != '\\';
}

void tag_format(uint32_t tag, char ret_text[TAG_TEXT_MAX])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char bytes[4];
    char *out = ret_text;
    tag_to_bytes(tag, bytes);
    for (unsigned i = 0; i < 4; i++) {
        if (is_plain(bytes[i])) {
            *out++ = (char)bytes[i];
            continue;
        }
        *out++ = '\\';
        *out++ = 'x';
        *out++ = hex[bytes[i] >> 4];
        *out++ = hex[bytes[i] & 15];
    }
    *out = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

size_t tag_read_escape(const char *text, size_t length, unsigned char *ret_byte)
{
    if (length < 4 || text[0] != '\\' || text[1] != 'x')
        return 0;
    int high = hex_value(text[2]);
    int low = hex_value(text[3]);
    if (high < 0 || low < 0)
        return 0;
    *ret_byte = (unsigned char)(high << 4 | low);
    return 4;
}

/* Reads one byte of the text form; returns the characters used, 0 when it is not the form. */
static size_t read_byte(const char *text, size_t length, unsigned char *ret_byte)
{
    if (length > 0 && is_plain((unsigned char)text[0])) {
        *ret_byte = (unsigned char)text[0];
        return 1;
    }
    size_t used = tag_read_escape(text, length, ret_byte);
    return used > 0 && !is_plain(*ret_byte) ? used : 0;
}

static bool parse(const char *text, size_t length, bool pad, uint32_t *ret_tag)
{
    unsigned char bytes[4] = {' ', ' ', ' ', ' '};
    unsigned count = 0;
    while (length > 0) {
        if (count == 4)
            return false;
        size_t used = read_byte(text, length, &bytes[count]);
        if (used == 0)
            return false;
        text += used;
        length -= used;
        count++;
    }
    if (count == 0 || (count < 4 && !pad))
        return false;
    *ret_tag = tag_from_bytes(bytes);
    return true;
}

bool tag_parse(const char *text, size_t length, uint32_t *ret_tag)
{
    const unsigned char *bytes = (const unsigned char *)text;
    if (length == 4 && is_plain(bytes[0]) && is_plain(bytes[1]) && is_plain(bytes[2]) &&
        is_plain(bytes[3])) { /* nearly all of them */
        *ret_tag = tag_from_bytes(bytes);
        return true;
    }
    return parse(text, length, false, ret_tag);
}

bool tag_parse_padded(const char *text, size_t length, uint32_t *ret_tag)
{
    return parse(text, length, true, ret_tag);
}

int tag_compare(uint32_t a, uint32_t b)
{
    uint32_t x = __builtin_bswap32(a);
    uint32_t y = __builtin_bswap32(b);
    return x < y ? -1 : x > y;
}
