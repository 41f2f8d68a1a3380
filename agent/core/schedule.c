/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/schedule.h"

int64_t schedule_offset_us(const char *host_id, int64_t interval_us)
{
    /* FNV-1a, then mixed: its low bits alone are too regular for ids that differ in one digit. */
    uint64_t hash = 0xcbf29ce484222325u;
    for (const char *c = host_id; *c != '\0'; c++)
        hash = (hash ^ (unsigned char)*c) * 0x100000001b3u;
    hash = (hash ^ (hash >> 32)) * 0xbf58476d1ce4e5b9u;
    hash ^= hash >> 29;
    return (int64_t)(hash % (uint64_t)interval_us);
}

int64_t schedule_next_us(int64_t now_us, int64_t interval_us, int64_t offset_us)
{
    int64_t since = now_us - offset_us;
    int64_t slots = since / interval_us;
    if (since % interval_us < 0)
        slots--;
    return (slots + 1) * interval_us + offset_us;
}
