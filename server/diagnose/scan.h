/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small readers over one line: numbers in any locale, units, words for the two pools, tags. All
 * take a cursor into a NUL-terminated line and move it only on success. Pure.
 */
#ifndef SERVER_DIAGNOSE_SCAN_H
#define SERVER_DIAGNOSE_SCAN_H

#include "common/tag.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which character separates decimals where a single one could be either ("1.234"). */
enum scan_style {
    SCAN_INTEGER, /* counts and bytes: groups of thousands */
    SCAN_COMMA,   /* the table writes decimals with a comma */
    SCAN_POINT,
};

struct number {
    double real;
    int64_t integer; /* valid when exact */
    bool exact;      /* a whole number that fits */
};

const char *scan_blanks(const char *at);
/* Digits with groups by point, comma or apostrophe; a sign and marks of emphasis in front. */
bool scan_number(const char **at, enum scan_style style, struct number *ret_number);
/* Digits only; false when more than 63 bits. */
bool scan_digits(const char **at, int64_t *ret_value);
bool scan_hex(const char **at, uint64_t *ret_value); /* 0x or ` inside allowed */
/* "KB", "MiB", "Gb", "bytes", ... -> factor in bytes; moves past it. */
bool scan_unit(const char **at, double *ret_factor);
/* "Nonp", "Paged", "Non Paged", "Nicht ausgelagert", ... up to a word's end. */
bool scan_pool_word(const char **at, enum pool *ret_pool);
/* The first word of a pool anywhere in the text; POOL_UNKNOWN: none or both. */
enum pool scan_pool_in(const char *text);
/* The next word (up to a blank); its length, 0 at the line's end. */
size_t scan_word(const char *at);

/* One to four characters, or \xNN for each of them, padded with blanks on the right. */
bool scan_tag(const char *text, size_t length, uint32_t *ret_tag);
/* Bytes of the first `characters` characters of text; 0 when it is shorter. */
size_t scan_characters(const char *text, size_t characters);

/* Decimal sign of a text, told from its numbers that can be read one way only. */
enum scan_style scan_style_of(char *const *lines, size_t count);
/* number * factor as bytes; false when it does not fit. */
bool number_scaled(const struct number *number, double factor, int64_t *ret_value);

bool scan_prefix(const char **at, const char *prefix);       /* case-insensitive; moves past it */
bool scan_starts(const char *text, const char *prefix);      /* case-insensitive */
const char *scan_find(const char *text, const char *needle); /* past the needle, or NULL */

#endif
