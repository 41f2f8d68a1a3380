/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tag pattern as text: the text form of a tag (common/tag.h), where `?` stands for any byte and a
 * final `*` for all bytes that are left. A tag that really holds such a byte writes it \x3f or
 * \x2a. Pure; any thread.
 */
#ifndef SERVER_TAGDICT_PATTERN_H
#define SERVER_TAGDICT_PATTERN_H

#include "common/tag.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One byte of a pattern. `any` is set for `?`, `rest` for `*`. */
struct pattern_byte {
    unsigned char byte;
    bool any;
    bool rest;
};

/* Reads one byte of a pattern; returns the characters used, 0 when there is none. */
size_t pattern_read_byte(const char *text, size_t length, struct pattern_byte *ret_byte);
/* The whole text. Fewer than four bytes are padded with blanks; blanks after a `*` are allowed, as
 * lists pad their first column. False: not a pattern, or one that would match every tag. Bit i of
 * ret_any: byte i may be anything, and is 0 in ret_tag. */
bool pattern_parse(const char *text, size_t length, uint32_t *ret_tag, unsigned char *ret_any);
void pattern_format(uint32_t tag, unsigned char any, char ret_text[TAG_TEXT_MAX]);
/* The bits of a tag that are compared. */
uint32_t pattern_mask(unsigned char any);

#endif
