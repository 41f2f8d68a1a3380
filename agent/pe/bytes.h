/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Little-endian reads from the bytes of a PE file, without alignment. Private to agent/pe; the
 * caller has checked the range.
 */
#ifndef AGENT_PE_BYTES_H
#define AGENT_PE_BYTES_H

#include <stdint.h>
#include <string.h>

static inline uint16_t read_u16(const unsigned char *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static inline uint32_t read_u32(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline uint64_t read_u64(const unsigned char *at)
{
    return read_u32(at) | (uint64_t)read_u32(at + 4) << 32;
}

#endif
