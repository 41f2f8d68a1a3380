/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LEB128 varints and the zigzag map, as both at-rest encodings use them. Writers need room for
 * VARINT_MAX bytes a number; readers give NULL past the end or beyond the width.
 */
#ifndef SERVER_CHUNK_VARINT_H
#define SERVER_CHUNK_VARINT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define VARINT_MAX 10u

static inline unsigned char *put_varint(unsigned char *at, uint64_t value)
{
    while (value >= 0x80) {
        *at++ = (unsigned char)(value | 0x80);
        value >>= 7;
    }
    *at++ = (unsigned char)value;
    return at;
}

static inline const unsigned char *get_varint(const unsigned char *at, const unsigned char *end,
                                              uint64_t *ret_value)
{
    uint64_t value = 0;
    for (unsigned shift = 0; at < end && shift < 64; shift += 7) {
        unsigned char byte = *at++;
        if (shift == 63 && byte > 1)
            return NULL;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret_value = value;
            return at;
        }
    }
    return NULL;
}

static inline const unsigned char *get_u32(const unsigned char *at, const unsigned char *end,
                                           uint32_t *ret_value)
{
    uint64_t value;
    at = get_varint(at, end, &value);
    if (at == NULL || value > UINT32_MAX)
        return NULL;
    *ret_value = (uint32_t)value;
    return at;
}

static inline const unsigned char *skip_varints(const unsigned char *at, const unsigned char *end,
                                                size_t count)
{
    /* Eight bytes at once: each that ends a number has its high bit clear. */
    while (count >= 8 && end - at >= 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        count -= (size_t)(((~word >> 7 & 0x0101010101010101u) * 0x0101010101010101u) >> 56);
        at += 8;
    }
    while (count > 0 && at < end) {
        if (*at++ < 0x80)
            count--;
    }
    return count == 0 ? at : NULL;
}

/* Small numbers of either sign become small numbers. */
static inline uint64_t zigzag64(uint64_t value)
{
    return value << 1 ^ (value >> 63 != 0 ? UINT64_MAX : 0);
}

static inline uint64_t unzigzag64(uint64_t value)
{
    return value >> 1 ^ ((value & 1) != 0 ? UINT64_MAX : 0);
}

static inline uint32_t zigzag32(uint32_t value)
{
    return value << 1 ^ (value >> 31 != 0 ? UINT32_MAX : 0);
}

static inline uint32_t unzigzag32(uint32_t value)
{
    return value >> 1 ^ ((value & 1) != 0 ? UINT32_MAX : 0);
}

#endif
