/* SPDX-License-Identifier: Apache-2.0 */
#include "server/tagdict/pattern.h"

#define ANY_ALL 15u

static bool is_printable(char c)
{
    return c >= 0x20 && c <= 0x7e && c != '\\';
}

size_t pattern_read_byte(const char *text, size_t length, struct pattern_byte *ret_byte)
{
    if (length == 0)
        return 0;
    if (is_printable(text[0])) {
        bool rest = text[0] == '*';
        bool any = text[0] == '?' || rest;
        *ret_byte = (struct pattern_byte){any ? 0 : (unsigned char)text[0], any, rest};
        return 1;
    }
    if (text[0] != '\\')
        return 0;
    unsigned char byte = '\\'; /* lists of others have a bare backslash in a tag */
    size_t used = tag_read_escape(text, length, &byte);
    *ret_byte = (struct pattern_byte){byte, false, false};
    return used > 0 ? used : 1;
}

static bool only_blanks(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] != ' ')
            return false;
    }
    return true;
}

bool pattern_parse(const char *text, size_t length, uint32_t *ret_tag, unsigned char *ret_any)
{
    unsigned char bytes[4] = {' ', ' ', ' ', ' '};
    unsigned any = 0;
    unsigned count = 0;
    while (length > 0) {
        struct pattern_byte one;
        size_t used = pattern_read_byte(text, length, &one);
        if (used == 0 || count == 4)
            return false;
        text += used;
        length -= used;
        bytes[count] = one.byte;
        any |= one.any ? 1u << count : 0u;
        count++;
        if (!one.rest)
            continue;
        if (!only_blanks(text, length))
            return false;
        while (count < 4) {
            bytes[count] = 0;
            any |= 1u << count++;
        }
        break;
    }
    if (count == 0 || any == ANY_ALL)
        return false;
    *ret_tag = tag_from_bytes(bytes);
    *ret_any = (unsigned char)any;
    return true;
}

void pattern_format(uint32_t tag, unsigned char any, char ret_text[TAG_TEXT_MAX])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char bytes[4];
    char *out = ret_text;
    tag_to_bytes(tag, bytes);
    for (unsigned i = 0; i < 4; i++) {
        if ((any >> i & 1) != 0) {
            *out++ = '?';
        } else if (is_printable((char)bytes[i]) && bytes[i] != '?' && bytes[i] != '*') {
            *out++ = (char)bytes[i];
        } else {
            *out++ = '\\';
            *out++ = 'x';
            *out++ = hex[bytes[i] >> 4];
            *out++ = hex[bytes[i] & 15];
        }
    }
    *out = '\0';
}

uint32_t pattern_mask(unsigned char any)
{
    uint32_t mask = 0;
    for (unsigned i = 0; i < 4; i++)
        mask |= (any >> i & 1) != 0 ? 0u : 0xffu << (8 * i);
    return mask;
}
