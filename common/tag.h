/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pool tag: four raw bytes, case-sensitive, blanks count. Held as the little-endian u32 that
 * Windows uses (memory order is display order: 0x6B61654C is "Leak"), with bit 31 (protected
 * pool) cleared before anything else sees it.
 *
 * Text form (contract): printable ASCII 0x20..0x7E except backslash as itself; backslash and every
 * other byte as \xNN in lower case; always all four bytes: "Ddk ", "\x01abc".
 */
#ifndef COMMON_TAG_H
#define COMMON_TAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAG_TEXT_MAX  17 /* four times \xNN and the NUL */
#define TAG_PROTECTED 0x80000000u

enum pool { POOL_NONPAGED = 0, POOL_PAGED = 1, POOL_COUNT = 2, POOL_UNKNOWN = 2 };

/* "nonpaged", "paged"; NULL for POOL_UNKNOWN. */
const char *pool_name(enum pool pool);
/* Exact, lower case. False when text is neither name. */
bool pool_parse(const char *text, enum pool *ret_pool);

uint32_t tag_from_bytes(const unsigned char bytes[4]); /* clears the protected bit */
void tag_to_bytes(uint32_t tag, unsigned char ret_bytes[4]);
void tag_format(uint32_t tag, char ret_text[TAG_TEXT_MAX]);
/* The strict inverse of tag_format: exactly four bytes, lower-case hex, no other escape, nothing
 * escaped that need not be. `length` is that of text, which need not end in NUL. */
bool tag_parse(const char *text, size_t length, uint32_t *ret_tag);
/* One \xNN (lower-case hex) at text: 4, the characters used, or 0 when there is none. For the text
 * form and for tag lists. */
size_t tag_read_escape(const char *text, size_t length, unsigned char *ret_byte);
/* What a person types or a page lost: fewer than four bytes are padded with blanks on the right. */
bool tag_parse_padded(const char *text, size_t length, uint32_t *ret_tag);
/* Order of the four bytes as text, so that lists sort as people expect: <0, 0, >0. */
int tag_compare(uint32_t a, uint32_t b);

/* Outstanding blocks: 32-bit counters wrap, so the difference is modular (contract). */
static inline uint32_t counter_delta(uint32_t newer, uint32_t older)
{
    return newer - older;
}

#endif
