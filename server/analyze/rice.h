/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers that mostly are small, bit by bit (Rice's code): how often 2^low goes into the number, as
 * so many ones and a zero, then the rest in `low` bits. Large ones are told with their length, so
 * that a jump costs no more than a varint of it. Bits go from the lowest of a byte up. Writers and
 * readers touch up to RICE_AHEAD bytes behind the end. Nothing is checked here: what was stored
 * goes through kept_course_check first. chunk/bits.h has the same code for what is kept for ever,
 * whose form is fixed and whose reader has a state; this one is read at any place.
 */
#ifndef SERVER_ANALYZE_RICE_H
#define SERVER_ANALYZE_RICE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define RICE_AHEAD   8
#define RICE_LOW_MAX 31
#define RICE_ONES    12        /* from so many on a number is told with its length; chosen */
#define RICE_MOST    (12 + 70) /* bits of one number */

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "bits are read in words of memory");

static inline uint64_t rice_mask(unsigned count) /* below 64 */
{
    return (UINT64_C(1) << count) - 1;
}

static inline unsigned rice_length(uint64_t value)
{
    return value == 0 ? 0 : 64 - (unsigned)__builtin_clzll(value);
}

struct rice_writer {
    unsigned char *at;
    uint64_t hold;
    unsigned count; /* of bits that wait, below 8 */
};

/* The `count` lowest bits, at most 57; the others are 0. */
static inline void rice_bits(struct rice_writer *to, uint64_t bits, unsigned count)
{
    to->hold |= bits << to->count;
    to->count += count;
    memcpy(to->at, &to->hold, sizeof to->hold);
    to->at += to->count / 8;
    to->hold = to->count < 64 ? to->hold >> (to->count & ~7u) : 0;
    to->count &= 7;
}

static inline void rice_put(struct rice_writer *to, uint64_t value, unsigned low)
{
    uint64_t ones = value >> low;
    if (ones < RICE_ONES) {
        uint64_t rest = (value & rice_mask(low)) << (ones + 1);
        rice_bits(to, rice_mask((unsigned)ones) | rest, (unsigned)ones + 1 + low);
        return;
    }
    unsigned length = rice_length(value);
    rice_bits(to, rice_mask(RICE_ONES) | (uint64_t)(length - 1) << RICE_ONES, RICE_ONES + 6);
    rice_bits(to, value & UINT32_MAX, length < 32 ? length : 32);
    rice_bits(to, value >> 32, length < 32 ? 0 : length - 32);
}

/* The first free byte. */
static inline unsigned char *rice_end(const struct rice_writer *writer)
{
    return writer->at + (writer->count > 0);
}

/* At least 57 bits from place `bit` on. */
static inline uint64_t rice_word(const unsigned char *data, size_t bit)
{
    uint64_t word;
    memcpy(&word, data + bit / 8, sizeof word);
    return word >> bit % 8;
}

static inline uint64_t rice_get(const unsigned char *data, size_t *bit, unsigned low)
{
    uint64_t word = rice_word(data, *bit);
    unsigned ones = (unsigned)__builtin_ctzll(~word | UINT64_C(1) << RICE_ONES);
    if (ones < RICE_ONES) {
        *bit += ones + 1 + low;
        return (uint64_t)ones << low | (word >> (ones + 1) & rice_mask(low));
    }
    unsigned length = (unsigned)(word >> RICE_ONES & 63) + 1;
    unsigned first = length < 32 ? length : 32;
    *bit += RICE_ONES + 6;
    uint64_t value = rice_word(data, *bit) & rice_mask(first);
    *bit += first;
    if (length > 32)
        value |= (rice_word(data, *bit) & rice_mask(length - 32)) << 32;
    *bit += length - first;
    return value;
}

/* The `low` for numbers that have `bits` together: a jump among them counts for little. */
static inline unsigned rice_low(size_t bits, size_t count)
{
    size_t low = count == 0 ? 0 : bits / count;
    return low < RICE_LOW_MAX ? (unsigned)low : RICE_LOW_MAX;
}

#endif
