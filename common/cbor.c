/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cbor.h"

#include <string.h>

/* Major types (RFC 8949, section 3.1). */
enum { UINT, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE };

#define INFO_INDEFINITE 31u
#define BREAK           0xffu

/* `left` of an indefinite container. Counts never come near: they are at most bytes of input. */
#define OPEN_LIST  UINT64_MAX       /* an array's items */
#define OPEN_KEY   (UINT64_MAX - 1) /* a map's, where a key or the end may stand */
#define OPEN_VALUE (UINT64_MAX - 2) /* a map's, where only a value may stand */

void cbor_read_init(struct cbor_reader *reader, const void *data, size_t length)
{
    *reader = (struct cbor_reader){.at = data, .start = data};
    reader->end = reader->start + length;
}

bool cbor_fail(struct cbor_reader *reader, const char *fault)
{
    if (!reader->failed)
        reader->fault = fault;
    reader->failed = true;
    return false;
}

static enum cbor_kind bad(struct cbor_reader *reader, const char *fault)
{
    cbor_fail(reader, fault);
    return CBOR_BAD;
}

static size_t bytes_left(const struct cbor_reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

/* The initial byte and its argument; moves past both. The caller has peeked. */
static bool read_head(struct cbor_reader *reader, uint64_t *ret_argument)
{
    unsigned info = *reader->at & 31u;
    if (info < 24) {
        reader->at++;
        *ret_argument = info;
        return true;
    }
    size_t bytes = (size_t)1 << (info - 24);
    if (bytes_left(reader) <= bytes)
        return cbor_fail(reader, "cut off");
    uint64_t argument = 0;
    for (size_t i = 1; i <= bytes; i++)
        argument = argument << 8 | reader->at[i];
    reader->at += 1 + bytes;
    *ret_argument = argument;
    return true;
}

/* Kind by initial byte, where nothing but that byte matters. */
static enum cbor_kind kind_of(unsigned char first)
{
    static const enum cbor_kind kinds[] = {
        [UINT] = CBOR_UINT, [NEGATIVE] = CBOR_NEGATIVE, [BYTES] = CBOR_BYTES,
        [TEXT] = CBOR_TEXT, [ARRAY] = CBOR_ARRAY,       [MAP] = CBOR_MAP,
        [TAG] = CBOR_OTHER, [SIMPLE] = CBOR_OTHER,
    };
    unsigned major = first >> 5;
    unsigned info = first & 31u;
    if (info > 27 && info != INFO_INDEFINITE)
        return CBOR_BAD;
    if (info == INFO_INDEFINITE && (major < BYTES || major > MAP))
        return CBOR_BAD;
    if (info == INFO_INDEFINITE && (major == BYTES || major == TEXT))
        return CBOR_OTHER;
    if (major == SIMPLE && (info == 20 || info == 21))
        return CBOR_BOOL;
    return major == SIMPLE && info == 22 ? CBOR_NULL : kinds[major];
}

enum cbor_kind cbor_peek(struct cbor_reader *reader)
{
    if (reader->failed)
        return CBOR_BAD;
    uint64_t left = reader->depth == 0 ? 1 : reader->left[reader->depth - 1];
    if (left == 0)
        return CBOR_BREAK;
    if (reader->at == reader->end)
        return reader->depth == 0 ? CBOR_END : bad(reader, "cut off");
    if (*reader->at == BREAK)
        return left == OPEN_LIST || left == OPEN_KEY ? CBOR_BREAK : bad(reader, "misplaced break");
    enum cbor_kind kind = kind_of(*reader->at);
    return kind == CBOR_BAD ? bad(reader, "reserved length form") : kind;
}

/* One item of the open container is being taken. */
static void count_item(struct cbor_reader *reader)
{
    if (reader->depth == 0)
        return;
    uint64_t *left = &reader->left[reader->depth - 1];
    if (*left == OPEN_KEY)
        *left = OPEN_VALUE;
    else if (*left == OPEN_VALUE)
        *left = OPEN_KEY;
    else if (*left != OPEN_LIST)
        --*left;
}

/* Takes the head of an item that must be of this kind. */
static bool take(struct cbor_reader *reader, enum cbor_kind kind, uint64_t *ret_argument)
{
    enum cbor_kind found = cbor_peek(reader);
    if (found == CBOR_END)
        return cbor_fail(reader, "cut off");
    if (found != kind)
        return cbor_fail(reader, "of another type");
    count_item(reader);
    return read_head(reader, ret_argument);
}

bool cbor_read_uint(struct cbor_reader *reader, uint64_t *ret_value)
{
    return take(reader, CBOR_UINT, ret_value);
}

/* One of the two columns is given. */
static inline size_t read_run(struct cbor_reader *reader, uint64_t max, uint32_t *narrow,
                              uint64_t *wide, size_t room)
{
    if (reader->failed || reader->depth == 0)
        return 0;
    uint64_t *left = &reader->left[reader->depth - 1];
    if (*left >= OPEN_VALUE) /* where each item has to be looked at for the end */
        return 0;
    if (room > *left)
        room = (size_t)*left;
    const unsigned char *at = reader->at, *end = reader->end;
    size_t count = 0;
    for (; count < room && end - at > 4; count++) { /* the last ones are read one by one */
        uint64_t value = *at;
        unsigned length = 1;
        if (value == 24)
            value = at[1], length = 2;
        else if (value == 25)
            value = (uint64_t)at[1] << 8 | at[2], length = 3;
        else if (value == 26)
            value = (uint64_t)at[1] << 24 | (uint64_t)at[2] << 16 | (uint64_t)at[3] << 8 | at[4],
            length = 5;
        else if (value > 23)
            break;
        if (value > max)
            break;
        if (narrow != NULL)
            narrow[count] = (uint32_t)value;
        else
            wide[count] = value;
        at += length;
    }
    reader->at = at;
    *left -= count;
    return count;
}

size_t cbor_read_u32s(struct cbor_reader *reader, uint32_t *ret_values, size_t room)
{
    return read_run(reader, UINT32_MAX, ret_values, NULL, room);
}

size_t cbor_read_u64s(struct cbor_reader *reader, uint64_t max, uint64_t *ret_values, size_t room)
{
    return read_run(reader, max, NULL, ret_values, room);
}

bool cbor_read_bool(struct cbor_reader *reader, bool *ret_value)
{
    uint64_t value;
    if (!take(reader, CBOR_BOOL, &value))
        return false;
    *ret_value = value == 21;
    return true;
}

bool cbor_read_null(struct cbor_reader *reader)
{
    uint64_t value;
    return take(reader, CBOR_NULL, &value);
}

bool cbor_read_text(struct cbor_reader *reader, const char **ret_text, size_t *ret_length)
{
    uint64_t length;
    if (!take(reader, CBOR_TEXT, &length))
        return false;
    if (length > bytes_left(reader))
        return cbor_fail(reader, "cut off");
    *ret_text = (const char *)reader->at;
    *ret_length = (size_t)length;
    reader->at += length;
    return true;
}

static bool open_container(struct cbor_reader *reader, enum cbor_kind kind, size_t *ret_count)
{
    uint64_t per_item = kind == CBOR_MAP ? 2 : 1;
    uint64_t count;
    if (reader->depth == CBOR_DEPTH_MAX)
        return cbor_fail(reader, "nested too deep");
    if (!reader->failed && reader->at < reader->end && cbor_peek(reader) == kind &&
        (*reader->at & 31u) == INFO_INDEFINITE) {
        count_item(reader);
        reader->at++;
        reader->left[reader->depth++] = kind == CBOR_MAP ? OPEN_KEY : OPEN_LIST;
        *ret_count = SIZE_MAX;
        return true;
    }
    if (!take(reader, kind, &count))
        return false;
    /* An item has at least one byte, so a count that cannot be true is known before it is used. */
    if (count > bytes_left(reader) / per_item)
        return cbor_fail(reader, "cut off");
    reader->left[reader->depth++] = count * per_item;
    *ret_count = (size_t)count;
    return true;
}

bool cbor_read_array(struct cbor_reader *reader, size_t *ret_count)
{
    return open_container(reader, CBOR_ARRAY, ret_count);
}

bool cbor_read_map(struct cbor_reader *reader, size_t *ret_count)
{
    return open_container(reader, CBOR_MAP, ret_count);
}

bool cbor_more(struct cbor_reader *reader)
{
    enum cbor_kind kind = cbor_peek(reader);
    if (kind != CBOR_BREAK)
        return kind != CBOR_BAD && kind != CBOR_END;
    if (reader->left[--reader->depth] != 0)
        reader->at++; /* the break of an indefinite one */
    return false;
}

/* A string in pieces: each of the same type, and whole itself. */
static bool skip_pieces(struct cbor_reader *reader)
{
    unsigned major = *reader->at++ >> 5;
    uint64_t length;
    for (;;) {
        if (reader->at == reader->end)
            return cbor_fail(reader, "cut off");
        if (*reader->at == BREAK) {
            reader->at++;
            return true;
        }
        if (*reader->at >> 5 != major || (*reader->at & 31u) > 27)
            return cbor_fail(reader, "a string in pieces has a piece of another type");
        if (!read_head(reader, &length))
            return false;
        if (length > bytes_left(reader))
            return cbor_fail(reader, "cut off");
        reader->at += length;
    }
}

/* An item that is no container. */
static bool skip_plain(struct cbor_reader *reader)
{
    unsigned major = *reader->at >> 5;
    unsigned info = *reader->at & 31u;
    uint64_t argument;
    count_item(reader);
    if (info == INFO_INDEFINITE)
        return skip_pieces(reader);
    if (!read_head(reader, &argument))
        return false;
    if (major == SIMPLE && info == 24 && argument < 32)
        return cbor_fail(reader, "a simple value in two bytes that fits one");
    if (major == BYTES || major == TEXT) {
        if (argument > bytes_left(reader))
            return cbor_fail(reader, "cut off");
        reader->at += argument;
    }
    return true;
}

/* One item without what is inside it; a container is open afterwards. */
static bool skip_shallow(struct cbor_reader *reader)
{
    size_t count;
    uint64_t tag;
    enum cbor_kind kind = cbor_peek(reader);
    while (kind == CBOR_OTHER && *reader->at >> 5 == TAG) {
        if (!read_head(reader, &tag))
            return false;
        kind = cbor_peek(reader); /* what is tagged: not counted yet, and must be there */
    }
    if (kind == CBOR_BAD)
        return false;
    if (kind == CBOR_END || kind == CBOR_BREAK)
        return cbor_fail(reader, "cut off");
    if (kind == CBOR_ARRAY || kind == CBOR_MAP)
        return open_container(reader, kind, &count);
    return skip_plain(reader);
}

bool cbor_skip(struct cbor_reader *reader)
{
    unsigned depth = reader->depth;
    do {
        if (!skip_shallow(reader))
            return false;
        while (reader->depth > depth && !cbor_more(reader)) {
            if (reader->failed)
                return false;
        }
    } while (reader->depth > depth);
    return true;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void put_head(struct strbuf *out, unsigned major, uint64_t argument)
{
    unsigned char head[9];
    unsigned info = argument < 24            ? (unsigned)argument
                    : argument <= UINT8_MAX  ? 24
                    : argument <= UINT16_MAX ? 25
                    : argument <= UINT32_MAX ? 26
                                             : 27;
    size_t bytes = info < 24 ? 0 : (size_t)1 << (info - 24);
    head[0] = (unsigned char)(major << 5 | info);
    for (size_t i = 0; i < bytes; i++)
        head[bytes - i] = (unsigned char)(argument >> (8 * i));
    strbuf_add(out, head, 1 + bytes);
}

void cbor_put_uint(struct strbuf *out, uint64_t value)
{
    put_head(out, UINT, value);
}

void cbor_put_int(struct strbuf *out, int64_t value)
{
    if (value < 0)
        put_head(out, NEGATIVE, ~(uint64_t)value); /* -1 - value */
    else
        put_head(out, UINT, (uint64_t)value);
}

void cbor_put_text_n(struct strbuf *out, const char *text, size_t length)
{
    put_head(out, TEXT, length);
    strbuf_add(out, text, length);
}

void cbor_put_text(struct strbuf *out, const char *text)
{
    cbor_put_text_n(out, text, strlen(text));
}

void cbor_put_array(struct strbuf *out, size_t count)
{
    put_head(out, ARRAY, count);
}

void cbor_put_map(struct strbuf *out, size_t count)
{
    put_head(out, MAP, count);
}

void cbor_put_map_open(struct strbuf *out)
{
    strbuf_putc(out, (char)(MAP << 5 | INFO_INDEFINITE));
}

void cbor_put_break(struct strbuf *out)
{
    strbuf_putc(out, (char)BREAK);
}

void cbor_put_bool(struct strbuf *out, bool value)
{
    put_head(out, SIMPLE, value ? 21 : 20);
}

void cbor_put_null(struct strbuf *out)
{
    put_head(out, SIMPLE, 22);
}
