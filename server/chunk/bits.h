/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers as bits, for sealed chunks. What a chunk holds is mostly noise of some size, so what
 * packs it is to know the size: each number is written in about as many bits as its kind took of
 * late. No tables are needed for that, so a piece of a chunk packs as well alone as with the rest.
 *
 * Bits fill each byte from its low end. A reader that is past the end reads zeros and says so.
 */
#ifndef SERVER_CHUNK_BITS_H
#define SERVER_CHUNK_BITS_H

#include "common/strbuf.h"
#include "server/chunk/varint.h"

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline unsigned bit_length(uint64_t value)
{
    return value == 0 ? 0 : 64 - (unsigned)__builtin_clzll(value);
}

static inline uint64_t low_bits(uint64_t value, unsigned count)
{
    return count == 0 ? 0 : value & UINT64_MAX >> (64 - count);
}

/* ---- writing --------------------------------------------------------------- */

struct bit_writer {
    struct strbuf *out; /* an error stays there */
    uint64_t waiting;
    unsigned count; /* of bits that wait; below 32 between calls */
};

/* The low `count` bits of value, at most 32. */
static inline void put_bits(struct bit_writer *to, uint64_t value, unsigned count)
{
    to->waiting |= low_bits(value, count) << to->count;
    to->count += count;
    if (to->count < 32)
        return;
    uint32_t word = htole32((uint32_t)to->waiting);
    strbuf_add(to->out, &word, sizeof word);
    to->waiting >>= 32;
    to->count -= 32;
}

/* The same, at most 64. */
static inline void put_long(struct bit_writer *to, uint64_t value, unsigned count)
{
    if (count > 32) {
        put_bits(to, value, 32);
        value >>= 32;
        count -= 32;
    }
    put_bits(to, value, count);
}

/* Fills up the last byte. */
static inline void put_end(struct bit_writer *to)
{
    for (; to->count > 0; to->count -= to->count < 8 ? to->count : 8) {
        strbuf_putc(to->out, (char)to->waiting);
        to->waiting >>= 8;
    }
}

/* ---- reading --------------------------------------------------------------- */

struct bit_reader {
    const unsigned char *at;
    const unsigned char *end;
    uint64_t waiting;
    unsigned count; /* of bits that wait */
    size_t past;    /* bits that were made up behind the end */
};

/* At least 56 bits wait then. */
static inline void bits_fill(struct bit_reader *from)
{
    if (from->end - from->at >= 8) {
        uint64_t word;
        memcpy(&word, from->at, sizeof word);
        from->waiting |= le64toh(word) << from->count;
        from->at += (63 - from->count) >> 3;
        from->count |= 56; /* whole bytes: what the rest of the word left above stays as it is */
        return;
    }
    for (; from->count < 56; from->count += 8) {
        if (from->at < from->end)
            from->waiting |= (uint64_t)*from->at++ << from->count;
        else
            from->past += 8;
    }
}

static inline bool bits_over(const struct bit_reader *from)
{
    return from->past > from->count;
}

/* All was read, up to the end of the last byte. */
static inline bool bits_done(const struct bit_reader *from)
{
    size_t left = (size_t)(from->end - from->at) * 8 + from->count;
    return !bits_over(from) && left - from->past < 8;
}

/* At most 56, of bits that wait. */
static inline uint64_t bits_take(struct bit_reader *from, unsigned count)
{
    uint64_t value = low_bits(from->waiting, count);
    from->waiting >>= count;
    from->count -= count;
    return value;
}

static inline uint64_t get_bits(struct bit_reader *from, unsigned count)
{
    bits_fill(from);
    return bits_take(from, count);
}

/* At most 64. */
static inline uint64_t get_long(struct bit_reader *from, unsigned count)
{
    uint64_t low = get_bits(from, count < 32 ? count : 32);
    return count <= 32 ? low : low | get_bits(from, count - 32) << 32;
}

/* ---- numbers --------------------------------------------------------------- */

/* A number as what is above its low `bits` in unary, and these. So many in unary at most: larger
 * ones are told with their length. */
#define RICE_UNARY 20u

static inline void put_rice(struct bit_writer *to, uint64_t value, unsigned bits)
{
    uint64_t high = bits < 64 ? value >> bits : 0;
    if (high < RICE_UNARY) {
        put_bits(to, 1u << high, (unsigned)high + 1);
        put_long(to, value, bits);
        return;
    }
    unsigned length = bit_length(value);
    put_bits(to, 0, RICE_UNARY);
    put_bits(to, length - 1, 6);
    put_long(to, value, length);
}

static inline uint64_t get_rice(struct bit_reader *from, unsigned bits)
{
    bits_fill(from);
    uint64_t unary = low_bits(from->waiting, RICE_UNARY);
    if (unary == 0) {
        bits_take(from, RICE_UNARY);
        return get_long(from, (unsigned)bits_take(from, 6) + 1);
    }
    unsigned high = (unsigned)__builtin_ctzll(unary);
    bits_take(from, high + 1);
    uint64_t low = bits <= 32 ? bits_take(from, bits) : get_long(from, bits);
    return bits < 64 ? (uint64_t)high << bits | low : low;
}

/* How large the numbers of a kind are of late. */
struct sizes {
    uint64_t sum;
    uint32_t count;
};

#define SIZES_WINDOW 32u

static inline struct sizes sizes_of(unsigned bits)
{
    return (struct sizes){.sum = (uint64_t)1 << bits, .count = 1};
}

/* The bits that numbers of this size take least in: the mean's, as of a geometric distribution. */
static inline unsigned sizes_bits(const struct sizes *sizes)
{
    uint64_t least = sizes->sum * 5 / 8;
    unsigned a = bit_length(least), b = bit_length(sizes->count);
    unsigned bits = a > b ? a - b : 0;
    return bits + (((uint64_t)sizes->count << bits) < least);
}

static inline void sizes_learn(struct sizes *sizes, uint64_t value)
{
    sizes->sum += value < (uint64_t)1 << 48 ? value : (uint64_t)1 << 48;
    if (++sizes->count == SIZES_WINDOW) {
        sizes->sum /= 2;
        sizes->count /= 2;
    }
}

/* ---- both sides ------------------------------------------------------------ */

/* A form is told once, for writing and for reading: each step has its number at hand, or makes it.
 * What is handed in is only looked at by a writer. */
struct coder {
    struct bit_writer *to; /* NULL: reading */
    struct bit_reader *from;
};

/* So that each side is compiled for itself. */
#define CODER static inline __attribute__((always_inline))

CODER uint64_t code_bits(const struct coder *c, uint64_t value, unsigned bits)
{
    if (c->to == NULL)
        return get_long(c->from, bits);
    put_long(c->to, value, bits);
    return value;
}

CODER uint64_t code_rice(const struct coder *c, uint64_t value, unsigned bits)
{
    if (c->to == NULL)
        return get_rice(c->from, bits);
    put_rice(c->to, value, bits);
    return value;
}

CODER uint64_t code_sized(const struct coder *c, uint64_t value, struct sizes *sizes)
{
    value = code_rice(c, value, sizes_bits(sizes));
    sizes_learn(sizes, value);
    return value;
}

/* Numbers of very different sizes: how long one is beside those before it, then its bits. */
struct lengths {
    int32_t mean; /* in sixteenths */
    struct sizes off;
};

CODER uint64_t code_wide(const struct coder *c, uint64_t value, struct lengths *lengths)
{
    int32_t guess = (lengths->mean + 8) >> 4;
    uint64_t off =
        code_sized(c, zigzag32((uint32_t)((int32_t)bit_length(value) - guess)), &lengths->off);
    uint32_t length = (uint32_t)guess + unzigzag32((uint32_t)off);
    if (length > 64)
        length = 64; /* no writer does that */
    lengths->mean += ((int32_t)length * 16 - lengths->mean) / 8;
    if (length < 2)
        return length;
    return (uint64_t)1 << (length - 1) | code_bits(c, value, length - 1);
}

#endif
