/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CBOR (RFC 8949) as a pull reader and a writer, for the part of it our documents use: integers,
 * text, arrays, maps, true, false, null; definite and indefinite lengths of containers. Byte
 * strings, tags, floats and texts in pieces can be skipped, not read. No allocation in the reader:
 * texts are borrowed from the input. Errors are sticky: after the first, every call fails, so a
 * caller checks once.
 *
 * Why our own: the agent may link no DLL and Debian has no CBOR library for mingw; and ingest needs
 * a reader that makes no tree.
 */
#ifndef COMMON_CBOR_H
#define COMMON_CBOR_H

#include "common/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CBOR_DEPTH_MAX 16 /* of containers; the deepest path of the contract has 5 */

enum cbor_kind {
    CBOR_UINT,
    CBOR_NEGATIVE,
    CBOR_BYTES,
    CBOR_TEXT, /* in one piece */
    CBOR_ARRAY,
    CBOR_MAP,
    CBOR_BOOL,
    CBOR_NULL,
    CBOR_OTHER, /* tag, float, undefined, simple, a string in pieces: only skipped */
    CBOR_BREAK, /* end of the container (also of a definite one, once it is used up) */
    CBOR_END,   /* end of the input, outside of containers */
    CBOR_BAD    /* malformed, or failed before */
};

/* Plain data: a copy is a place to come back to. */
struct cbor_reader {
    const unsigned char *at;
    const unsigned char *end;
    const unsigned char *start;
    bool failed;
    const char *fault; /* static text, when failed: "cut off", "nested too deep", ... */
    unsigned depth;
    uint64_t left[CBOR_DEPTH_MAX]; /* items left per open container, or how it is indefinite */
};

void cbor_read_init(struct cbor_reader *reader, const void *data, size_t length);
/* What comes next, without taking it. */
enum cbor_kind cbor_peek(struct cbor_reader *reader);
/* Each takes one item; false (and failed) when it is something else. Lengths are checked against
 * what is left of the input before they are returned. */
bool cbor_read_uint(struct cbor_reader *reader, uint64_t *ret_value);
bool cbor_read_bool(struct cbor_reader *reader, bool *ret_value);
bool cbor_read_null(struct cbor_reader *reader);
/* UTF-8 is the caller's to check. Borrowed from the input, no NUL follows. */
bool cbor_read_text(struct cbor_reader *reader, const char **ret_text, size_t *ret_length);
/* Opens a container. *ret_count: items (pairs of a map), SIZE_MAX when indefinite. */
bool cbor_read_array(struct cbor_reader *reader, size_t *ret_count);
bool cbor_read_map(struct cbor_reader *reader, size_t *ret_count);
/* Columns: takes integers from the open list while they are plain ones of at most `max` (32 bits),
 * `room` at most; returns how many. What stops it is left to be read, and refused, by itself. */
size_t cbor_read_u32s(struct cbor_reader *reader, uint32_t *ret_values, size_t room);
size_t cbor_read_u64s(struct cbor_reader *reader, uint64_t max, uint64_t *ret_values, size_t room);
/* True while the open container has another item (pair); false closes it (or failed). */
bool cbor_more(struct cbor_reader *reader);
bool cbor_skip(struct cbor_reader *reader);                    /* one whole item, whatever it is */
bool cbor_fail(struct cbor_reader *reader, const char *fault); /* false */
static inline size_t cbor_offset(const struct cbor_reader *reader)
{
    return (size_t)(reader->at - reader->start);
}

/* Writers append to `out` the shortest form; check strbuf_failed once. */
void cbor_put_uint(struct strbuf *out, uint64_t value);
void cbor_put_int(struct strbuf *out, int64_t value);
void cbor_put_text(struct strbuf *out, const char *text);
void cbor_put_text_n(struct strbuf *out, const char *text, size_t length);
void cbor_put_array(struct strbuf *out, size_t count); /* count items must follow */
void cbor_put_map(struct strbuf *out, size_t count);   /* count pairs must follow */
void cbor_put_map_open(struct strbuf *out);            /* pairs follow, then cbor_put_break */
void cbor_put_break(struct strbuf *out);
void cbor_put_bool(struct strbuf *out, bool value);
void cbor_put_null(struct strbuf *out);

#endif
