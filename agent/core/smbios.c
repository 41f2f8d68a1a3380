/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Structures of the SMBIOS reference specification (DSP0134): a header of type (1 byte), length of
 * the formatted area (1) and handle (2); then texts, each ended by NUL, the set by another NUL.
 */
#include "agent/core/smbios.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { TYPE_BIOS = 0, TYPE_SYSTEM = 1, TYPE_BOARD = 2, TYPE_END = 127 };

#define HEADER_BYTES 4u
#define UUID_OFFSET  8u
#define UUID_BYTES   16u

/* Seen in the field; compared without case. */
static const char *const placeholders[] = {
    "to be filled by o.e.m.",
    "to be filled by oem",
    "default string",
    "system manufacturer",
    "system product name",
    "system serial number",
    "base board serial number",
    "not specified",
    "not applicable",
    "not available",
    "none",
    "n/a",
    "o.e.m.",
    "oem",
    "unknown",
    "invalid",
    "empty",
};

struct area {
    const unsigned char *formatted;
    size_t formatted_length;
    const char *texts;
    size_t texts_length;
};

static bool is_placeholder(const char *text)
{
    bool one_character = true; /* "00000000", "........", "xxxx" */
    char lower[SMBIOS_TEXT_MAX];
    size_t i = 0;
    for (; text[i] != '\0' && i + 1 < sizeof lower; i++) {
        lower[i] = (char)tolower((unsigned char)text[i]);
        one_character = one_character && text[i] == text[0];
    }
    lower[i] = '\0';
    if (i < 2 || one_character || strcmp(lower, "0123456789") == 0 ||
        strcmp(lower, "123456789") == 0)
        return true;
    for (i = 0; i < sizeof placeholders / sizeof placeholders[0]; i++) {
        if (strcmp(lower, placeholders[i]) == 0)
            return true;
    }
    return false;
}

/* Text number `number` (from 1) of the area, trimmed; "" when there is none or it says nothing. */
static void text_read(const struct area *area, size_t field, char out[SMBIOS_TEXT_MAX])
{
    out[0] = '\0';
    if (field >= area->formatted_length)
        return;
    unsigned number = area->formatted[field];
    const char *at = area->texts;
    size_t left = area->texts_length;
    for (; number > 1; number--) {
        const char *end = memchr(at, '\0', left);
        if (end == NULL)
            return;
        left -= (size_t)(end + 1 - at);
        at = end + 1;
    }
    const char *end = number == 0 || left == 0 ? NULL : memchr(at, '\0', left);
    if (end == NULL)
        return;
    size_t used = 0;
    for (; at < end && used + 1 < SMBIOS_TEXT_MAX; at++) {
        bool printable = *at > 0x20 && *at < 0x7f;
        if (printable || used > 0)
            out[used++] = printable ? *at : ' ';
    }
    while (used > 0 && out[used - 1] == ' ')
        used--;
    out[used] = '\0';
    if (is_placeholder(out))
        out[0] = '\0';
}

/* All bytes equal (zeroes, FF) or simply counted up: what a board has that was never given one. */
static bool uuid_is_real(const unsigned char *uuid)
{
    /* 03000200-0400-0500-0006-000700080009, on boards of several makers */
    static const unsigned char counted[UUID_BYTES] = {0x00, 0x02, 0x00, 0x03, 0x00, 0x04,
                                                      0x00, 0x05, 0x00, 0x06, 0x00, 0x07,
                                                      0x00, 0x08, 0x00, 0x09};
    bool equal = true;
    for (size_t i = 1; i < UUID_BYTES; i++)
        equal = equal && uuid[i] == uuid[0];
    return !equal && memcmp(uuid, counted, UUID_BYTES) != 0;
}

static void system_read(const struct area *area, struct smbios *smbios)
{
    text_read(area, 4, smbios->vendor);
    text_read(area, 5, smbios->model);
    if (area->formatted_length >= UUID_OFFSET + UUID_BYTES &&
        uuid_is_real(area->formatted + UUID_OFFSET)) {
        memcpy(smbios->uuid, area->formatted + UUID_OFFSET, UUID_BYTES);
        smbios->has_uuid = true;
    }
}

/* Where the texts of the structure end: after two NULs; `length` when they do not. */
static size_t texts_end(const unsigned char *texts, size_t length)
{
    for (size_t i = 0; i + 1 < length; i++) {
        if (texts[i] == 0 && texts[i + 1] == 0)
            return i + 2;
    }
    return length;
}

void smbios_read(const void *table, size_t length, struct smbios *ret_smbios)
{
    const unsigned char *at = table;
    bool seen[3] = {false, false, false}; /* the first of each kind is the machine's own */
    *ret_smbios = (struct smbios){0};
    while (length >= HEADER_BYTES && at[0] != TYPE_END) {
        size_t formatted = at[1];
        if (formatted < HEADER_BYTES || formatted > length)
            return;
        size_t texts = texts_end(at + formatted, length - formatted);
        struct area area = {at, formatted, (const char *)at + formatted, texts};
        unsigned type = at[0];
        if (type < 3 && !seen[type]) {
            seen[type] = true;
            if (type == TYPE_BIOS) {
                text_read(&area, 4, ret_smbios->bios_vendor);
                text_read(&area, 5, ret_smbios->bios_version);
            } else if (type == TYPE_SYSTEM) {
                system_read(&area, ret_smbios);
            } else {
                text_read(&area, 7, ret_smbios->board_serial);
            }
        }
        at += formatted + texts;
        length -= formatted + texts;
    }
}
